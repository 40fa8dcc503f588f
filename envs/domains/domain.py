"""What a domain is: a name, and a source of tasks for each set of options.

Owns the two records by which content meets the registry. A domain module
defines one constant ``DOMAIN``; the registry finds it and makes ids, APIs, views,
pictures, catalogue rows and contract tests of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Size = Literal["small", "medium", "large"]
Split = Literal["train", "validation", "test"]
SIZES: tuple[Size, ...] = ("small", "medium", "large")
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

SPLIT_STRIDE = 1_000_000
"""Instance ``k`` of a split is generated from seed ``SPLITS.index(split) * SPLIT_STRIDE + k``,
so that the seeds of two splits can never meet."""


@dataclass(frozen=True)
class TaskSource:
    """A finite, ordered collection of tasks from which a reset picks one by its seed.

    Attributes:
        key: stable name, for the certificates and in results (``cooking/medium/train``).
        count: how many tasks there are.
        mapping: index -> the task as a mapping (pure: the same index, the same task).
        family: stable name of all that share one padded shape (``cooking/medium``).
        scene: index -> where the task is played, as a mapping (pure, too); None in the
            abstract world.
    """

    key: str
    count: int
    mapping: Callable[[int], Mapping[str, Any]]
    family: str
    scene: Callable[[int], Mapping[str, Any]] | None = None


@dataclass(frozen=True)
class Domain:
    """One domain: tasks, and the scenes where they are played if it has a world.

    Attributes:
        name: CamelCase; the id is ``stratagym/{name}-v0``.
        summary: one line for the catalogue.
        source: the domain's own keyword options -> its tasks; every option has a
            default, and a wrong value raises ValueError with the choices.
        procedural: whether ``size`` and ``split`` are options (a ranked family).
        tags: words to find it by.
        variants: further options, ``size`` among them, that are certified and ranked like the sizes alone.
    """

    name: str
    summary: str
    source: Callable[..., TaskSource]
    procedural: bool = True
    tags: tuple[str, ...] = ()
    variants: tuple[Mapping[str, Any], ...] = ()

    @property
    def families(self) -> list[dict[str, Any]]:
        """The options of every family that is certified and ranked, ``split`` left out."""
        return [*({"size": size} for size in SIZES if self.procedural), *map(dict, self.variants)]


def instance_seed(split: Split, index: int) -> int:
    """Return the generator's seed of one instance of a split.

    Raises:
        ValueError: if the split is unknown or the index outside it.
    """
    if split not in SPLITS:
        raise ValueError(f"split: {split!r} is not one of {', '.join(SPLITS)}")
    if not 0 <= index < SPLIT_STRIDE:
        raise ValueError(f"instance: {index} is not in 0..{SPLIT_STRIDE - 1}")
    return SPLITS.index(split) * SPLIT_STRIDE + index
