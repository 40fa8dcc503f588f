"""Families on maps are what the catalogue says: sizes, splits, defaults, pure draws."""

from __future__ import annotations

import inspect

import pytest

from stratagym.envs.domains import kitchen, mining, playground, rearrangement, warehouse, wilderness
from stratagym.envs.domains.domain import SIZES, SPLITS, Domain
from stratagym.envs.domains.sources import PLACED
from stratagym.envs.task.spec import load_task

MODULES = (kitchen, mining, playground, rearrangement, warehouse, wilderness)
DOMAINS = tuple(module.DOMAIN for module in MODULES)
WANTED = {"small": 8, "medium": 16, "large": 32}


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda d: d.name)
def test_every_option_of_a_domain_has_a_default(domain: Domain) -> None:
    """A source is made without arguments, is medium, training and as long as is certified in a world."""
    assert all(p.default is not p.empty for p in inspect.signature(domain.source).parameters.values())
    found = domain.source()
    assert (found.count, found.key) == (PLACED["medium"], f"{domain.name.lower()}/medium/train")
    assert found.scene is not None


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda d: d.name)
@pytest.mark.parametrize("size", SIZES)
def test_sizes_are_about_8_16_and_32_subtasks(domain: Domain, size: str) -> None:
    """The mean count of subtasks is within a fifth of 8, 16 or 32, the largest below 1.3x."""
    found = domain.source(size=size)
    counts = [len(load_task(found.mapping(k)).graph.subtasks) for k in range(min(found.count, 60))]
    assert 0.8 * WANTED[size] <= sum(counts) / len(counts) <= 1.2 * WANTED[size]
    assert max(counts) <= 1.3 * WANTED[size]


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda d: d.name)
def test_splits_share_no_instance(domain: Domain) -> None:
    """The same index gives the same task and scene in a split, and others in every other split."""
    sources = [domain.source(split=split) for split in SPLITS]
    drawn = [(s.mapping(k), s.scene(k)) for s in sources for k in range(4) if s.scene is not None]
    assert len(drawn) == 12
    assert all(a[0] != b[0] and a[1] != b[1] for i, a in enumerate(drawn) for b in drawn[:i])
    again = domain.source()
    assert again.scene is not None
    assert (again.mapping(3), again.scene(3)) == drawn[3]
