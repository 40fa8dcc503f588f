"""What the domains' task sources share: data files, option checks, families by size and split.

Owns no content. A data file lies beside its module and is read once, when the
first task is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from stratagym.envs.domains.domain import SIZES, SPLIT_STRIDE, SPLITS, Size, Split, TaskSource, instance_seed

INSTANCES: dict[Size, int] = {"small": 100, "medium": 100, "large": 24}
"""How many instances of each split are certified, and so how many there are unless told otherwise."""

PLACED: dict[Size, int] = {"small": 48, "medium": 48, "large": 12}
"""The same for families in a world, whose references are episodes that were played."""


@cache
def data_beside(module: str) -> Any:
    """Return the content of the YAML file that lies beside a module and has its name."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(Path(module).with_suffix(".yaml").read_text(encoding="utf-8"), Loader=loader)


def one_of(option: str, value: Any, choices: Sequence[Any]) -> None:
    """Refuse a value that is not among the choices.

    Raises:
        ValueError: if it is not; the message names the choices.
    """
    if value not in choices:
        raise ValueError(f"{option}: {value!r} is not one of {', '.join(str(c) for c in choices)}")


def at_least(option: str, value: Any, least: int) -> None:
    """Refuse what is not an integer of at least ``least``.

    Raises:
        ValueError: if it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{option}: {value!r} is not an integer of at least {least}")


def procedural(
    name: str,
    draw: Callable[[int, Size], Mapping[str, Any]],
    size: Size,
    split: Split,
    instances: int | None,
    variant: str = "",
    *,
    scene: Callable[[int, Size], Mapping[str, Any]] | None = None,
    published: str | None = None,
    certified: Mapping[Size, int] | None = None,
) -> TaskSource:
    """Return a family of drawn tasks as a source.

    Args:
        name: the domain's name in small letters, first part of the keys.
        draw: (instance seed, size) -> mapping.
        size: one of ``SIZES``.
        split: one of ``SPLITS``.
        instances: how many instances; None for as many as are certified.
        variant: what else tells this family apart (options that are not the default).
        scene: (instance seed, size) -> the scene of the instance; None in the abstract world.
        published: name of a set of the literature, which takes the place of the size.
        certified: how many instances of each split are certified by size; the usual numbers if left out.

    Raises:
        ValueError: if an option is none of its choices.
    """
    one_of("size", size, SIZES)
    one_of("split", split, SPLITS)
    usual = INSTANCES if scene is None else PLACED
    count = (certified or usual)[size] if instances is None else instances
    at_least("instances", count, 1)
    if count > SPLIT_STRIDE:
        raise ValueError(f"instances: {count} is more than the {SPLIT_STRIDE} that a split holds")
    kind = published.replace(" ", "-") if published else size
    family = f"{name}/{kind}" + (f"/{variant}" if variant else "")
    return TaskSource(
        key=f"{family}/{split}",
        count=count,
        mapping=lambda index: draw(instance_seed(split, index), size),
        family=family,
        scene=None if scene is None else lambda index: scene(instance_seed(split, index), size),
    )


def single(key: str, mapping: Callable[[], Mapping[str, Any]], family: str | None = None) -> TaskSource:
    """Return one fixed task as a source."""
    return TaskSource(key=key, count=1, mapping=lambda index: mapping(), family=family or key)
