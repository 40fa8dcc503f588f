"""Graph: random subtask graphs, of the generator and of the literature.

Owns the options by which they are asked for: the ranked family (knobs by size in
the data file), any knobs of one's own, and the published sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from stratagym.envs.domains.domain import Domain, Size, Split, TaskSource
from stratagym.envs.domains.sources import data_beside, one_of, procedural

SETS = (
    *("D1", "D2", "D3", "D4", "mining", "mining whole"),
    *("D1 stored", "D2 stored", "D3 stored", "D4 stored", "mining stored"),
)
"""The published sets: Playground's four by the published generator, Mining's sub-graphs and its
whole recipe graph; and the like of the stored evaluation graphs."""


def source(
    size: Size = "medium",
    split: Split = "train",
    instances: int | None = None,
    set: str | None = None,
    costs: Literal["fixed", "drawn"] = "fixed",
    knobs: Mapping[str, Any] | None = None,
) -> TaskSource:
    """Return random graphs of a size, of given knobs, or of a published set.

    Args:
        size: of the family.
        split: of the family or set.
        instances: how many graphs.
        set: one of ``SETS``.
        costs: with ``set``, whether durations are fixed for a graph or drawn at each start.
        knobs: knobs that replace those of the size.

    Raises:
        ValueError: if an option has a wrong value, or the knobs contradict each other.
    """
    from stratagym.envs.domains import mining, playground, subtask_graphs
    from stratagym.envs.domains.subtask_graphs import Walks
    from stratagym.envs.task.generate import generate
    from stratagym.envs.task.knobs import Knobs, knob_names

    one_of("costs", costs, ("fixed", "drawn"))
    if set is not None:
        one_of("set", set, SETS)
        if knobs:
            raise ValueError("knobs: a published set has none")
        walks = data_beside(__file__)["steps"]
        drawn = costs == "drawn"

        def draw(seed: int, size: Size) -> dict[str, Any]:
            name, _, kind = set.partition(" ")
            stored = kind == "stored"
            if name == "mining":
                data, steps = data_beside(mining.__file__), Walks(walks["mining"], drawn)
                return subtask_graphs.mining(data, seed, stored=stored, whole=kind == "whole", walks=steps)
            data, steps = data_beside(playground.__file__), Walks(walks["playground"], drawn)
            return subtask_graphs.playground(data, name, seed, stored=stored, walks=steps)

        return procedural("graph", draw, size, split, instances, "drawn" if drawn else "", published=set)
    if costs != "fixed":
        raise ValueError("costs: only with set; the generator has the knob drawn")
    if knobs is not None and not isinstance(knobs, Mapping):
        raise ValueError(f"knobs: {knobs!r} is not a mapping of knobs to values")
    for name in knobs or {}:
        one_of("knobs", name, knob_names())
    one_of("size", size, list(data_beside(__file__)["family"]))
    chosen = Knobs(**{**data_beside(__file__)["family"][size], **(knobs or {})})
    variant = ",".join(f"{k}={v}" for k, v in sorted((knobs or {}).items()))
    return procedural("graph", lambda seed, size: generate(chosen, seed), size, split, instances, variant)


DOMAIN = Domain(
    name="Graph",
    summary="Random subtask graphs with AND, OR, NOT, k-of, windows and spoiling; Playground and Mining",
    source=source,
    tags=("generator", "subtask graph", "playground", "mining"),
)
