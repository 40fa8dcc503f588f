"""Cooking: dishes that share one cook, few burners and one oven, and must be served hot.

Owns the family (a dinner for one to three tables, recipes and numbers drawn by
the seed) and the kitchen of TimeArena as a replication suite. In the family what
is ready too early goes cold and must be made again, so a cook who never waits
keeps the stove busy with dishes that nobody eats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stratagym.envs.domains.domain import Domain, Size, Split, TaskSource
from stratagym.envs.domains.draft import Draft, between, generator, pick
from stratagym.envs.domains.replication import combination
from stratagym.envs.domains.sources import at_least, data_beside, procedural, single


def source(
    size: Size = "medium",
    split: Split = "train",
    instances: int | None = None,
    tasks: Sequence[int] | None = None,
    pots: int | None = None,
    agents: int = 1,
) -> TaskSource:
    """Return dinners of a size, or a combination of TimeArena's tasks.

    Args:
        size: of the family.
        split: of the family.
        instances: how many dinners.
        tasks: one to three numbers of 1..10: TimeArena's tasks instead of the family.
        pots: with ``tasks``, how many pots, fryers and ovens there are (1: the
            one-pot variant); as many as are used, if left out.
        agents: how many cooks.

    Raises:
        ValueError: if an option has a wrong value.
    """
    at_least("agents", agents, 1)
    if tasks is None:
        if pots is not None:
            raise ValueError("pots: only with tasks; the family's kitchen belongs to its size")
        variant = f"agents={agents}" if agents > 1 else ""
        return procedural(
            "cooking", lambda seed, size: dinner(seed, size, agents), size, split, instances, variant
        )
    if pots is not None:
        at_least("pots", pots, 1)
    combination(data_beside(__file__)["replication"], tasks)
    key = f"cooking/tasks={'+'.join(str(k) for k in tasks)}/pots={pots or 'all'}/agents={agents}"
    return single(
        key, lambda: combination(data_beside(__file__)["replication"], tasks, pots=pots, agents=agents)
    )


def dinner(seed: int, size: Size, agents: int = 1) -> dict[str, Any]:
    """Draw one dinner: dishes from the recipes, each table served hot and in time."""
    family = data_beside(__file__)["family"]
    numbers = family["sizes"][size]
    rng = generator(seed, 0xC00C)
    draft = Draft(f"dinner {seed}", rng, numbers["kitchen"], agents, numbers["patience"])
    dishes: dict[str, str] = {}
    for dish in pick(rng, list(family["recipes"]), len(family["recipes"])):
        recipe = family["recipes"][dish]
        steps = sum(len(step.get("modes", "1")) for step in recipe)
        if draft.size() + steps + numbers["tables"] <= numbers["subtasks"]:
            names = draft.lay(recipe)
            dishes[dish] = names[-1]
            draft.tasks[dish] = {"all": names}
    tables = numbers["tables"]
    served = []
    for table in range(tables):
        ready = list(dishes.values())[table::tables]
        marks = {
            "after": tuple(ready),
            "keeps": {k: draft.kept(family["hot"]) for k in ready},
            "promise": between(rng, numbers["promise"]),
        }
        served.append(draft.add(f"serve table {table + 1}", 1, marks=marks, reward=len(ready)))
    draft.tasks["dinner"] = {"all": served}
    return draft.finish("dinner")


DOMAIN = Domain(
    name="Cooking",
    summary="Dishes share one cook, burners and an oven, and go cold if they are ready too early",
    source=source,
    tags=("kitchen", "spoiling", "deadlines", "timearena"),
)
