"""Household: chores around machines that run alone, before the guests arrive.

Owns the family (loads of laundry through one washer and one dryer, and chores
drawn by the seed) and TimeArena's household tasks as a replication suite. In the
family a washed load goes musty unless the dryer is free in time, a mopped floor
must dry before anyone walks on it, and the fuse carries two machines at once: a
machine that could start now should often start later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    agents: int = 1,
) -> TaskSource:
    """Return house-cleanings of a size, or a combination of TimeArena's tasks.

    Args:
        size: of the family.
        split: of the family.
        instances: how many house-cleanings.
        tasks: one to three numbers of 1..10: TimeArena's tasks instead of the family.
        agents: how many people help.

    Raises:
        ValueError: if an option has a wrong value.
    """
    at_least("agents", agents, 1)
    if tasks is None:
        variant = f"agents={agents}" if agents > 1 else ""
        return procedural(
            "household", lambda seed, size: cleaning(seed, size, agents), size, split, instances, variant
        )
    combination(data_beside(__file__)["replication"], tasks)
    key = f"household/tasks={'+'.join(str(k) for k in tasks)}/agents={agents}"
    return single(key, lambda: combination(data_beside(__file__)["replication"], tasks, agents=agents))


def cleaning(seed: int, size: Size, agents: int = 1) -> dict[str, Any]:
    """Draw one house-cleaning: laundry, chores, and what must be ready for the guests."""
    family = data_beside(__file__)["family"]
    numbers = family["sizes"][size]
    rng = generator(seed, 0x40CE)
    draft = Draft(f"house {seed}", rng, family["house"], agents, numbers["patience"])
    recipes: dict[str, tuple[Sequence[Mapping[str, Any]], str]] = {}
    for load in range(1, numbers["loads"] + 1):
        recipes[f"laundry {load}"] = (family["laundry"], f" {load}")
    recipes |= {k: (family["chores"][k], "") for k in pick(rng, list(family["chores"]), 99)}
    last = []
    for chore, (recipe, suffix) in recipes.items():
        steps = sum(len(step.get("modes", "1")) for step in recipe)
        if draft.size() + steps + 1 <= numbers["subtasks"]:
            names = draft.lay(recipe, suffix)
            draft.tasks[chore] = {"all": names}
            last.append(names[-1])
    fresh = pick(rng, [k for k in last if draft.steps[k].keeps or draft.steps[k].wait], 2)
    marks = {
        "after": tuple(last),
        "keeps": {k: draft.kept(family["fresh"]) for k in fresh},
        "promise": between(rng, numbers["promise"]),
    }
    draft.add("open the door", 1, marks=marks, reward=1)
    return draft.finish("open the door")


DOMAIN = Domain(
    name="Household",
    summary="Laundry and chores around machines that run alone, with one fuse and guests at the door",
    source=source,
    tags=("chores", "spoiling", "deadlines", "timearena"),
)
