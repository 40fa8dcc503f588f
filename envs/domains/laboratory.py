"""Laboratory: assays that must be read in their window, with scarce kits and single instruments.

Owns the family (assays drawn by the seed that share hood, centrifuge, photometer
and chemist) and TimeArena's laboratory tasks as a replication suite. In the family
a reaction that nobody reads in time is lost and must be run again, and a kit that
saves time on one assay is missing on another.
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
    agents: int = 1,
) -> TaskSource:
    """Return laboratory days of a size, or a combination of TimeArena's tasks.

    Args:
        size: of the family.
        split: of the family.
        instances: how many days.
        tasks: one to three numbers of 1..10: TimeArena's tasks instead of the family.
        agents: how many chemists.

    Raises:
        ValueError: if an option has a wrong value.
    """
    at_least("agents", agents, 1)
    if tasks is None:
        variant = f"agents={agents}" if agents > 1 else ""
        return procedural(
            "laboratory", lambda seed, size: day(seed, size, agents), size, split, instances, variant
        )
    combination(data_beside(__file__)["replication"], tasks)
    key = f"laboratory/tasks={'+'.join(str(k) for k in tasks)}/agents={agents}"
    return single(key, lambda: combination(data_beside(__file__)["replication"], tasks, agents=agents))


def day(seed: int, size: Size, agents: int = 1) -> dict[str, Any]:
    """Draw one day: assays, each with a deadline, and a stock of kits that is too small."""
    family = data_beside(__file__)["family"]
    numbers = family["sizes"][size]
    rng = generator(seed, 0x1AB0)
    draft = Draft(f"day {seed}", rng, numbers["bench"], agents, numbers["patience"])
    for assay in pick(rng, list(family["assays"]), 99):
        recipe = family["assays"][assay]
        if draft.size() + sum(len(step.get("modes", "1")) for step in recipe) <= numbers["subtasks"]:
            names = draft.lay(recipe)
            draft.steps[names[-1]].promise = between(rng, numbers["promise"])
            draft.steps[names[-1]].fields["reward"] = 1
            draft.tasks[assay] = {"all": names}
    draft.items["kit"] = numbers["kits"]
    _plan_kits(draft, numbers["kits"])
    draft.tasks["day"] = {"all": list(draft.tasks)}
    return draft.finish("day")


def _plan_kits(draft: Draft, kits: int) -> None:
    """Fix which assays the witness does by kit: as many as there are kits, drawn."""
    users = [k for k, step in draft.steps.items() if "by kit" in step.fields.get("modes", {})]
    chosen = pick(draft.rng, users, kits)
    for name in users:
        other = next(mode for mode in draft.steps[name].fields["modes"] if mode != "by kit")
        draft.steps[name].mode = "by kit" if name in chosen else other


DOMAIN = Domain(
    name="Laboratory",
    summary="Assays with windows to be read in, scarce kits, one centrifuge and one photometer",
    source=source,
    tags=("laboratory", "windows", "deadlines", "items", "timearena"),
)
