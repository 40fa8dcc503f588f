"""Tidying: the seven kinds of household errands, wherever they are run.

Owns the task graphs and the rules of ALFRED's task types (Shridhar et al., CVPR 2020): pick and
place, look at in light, clean, heat, cool, stack and two objects, and which object belongs
where (a preference vector: kind -> receptacle). Rooms, cells and locations are for the domains
``Rearrangement`` (a map) and ``House`` (places), which share it.

One hand carries one thing: ``free hand`` is an item that picking up consumes and putting down
produces, so that a plan never holds two things. A receptacle with a lid is opened before the
first and closed after the last use; what is put into it is out of sight.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from stratagym.envs.domains.domain import Size, Split, TaskSource
from stratagym.envs.domains.draft import between, pick
from stratagym.envs.domains.sources import data_beside, one_of, procedural
from stratagym.envs.domains.workplan import WorkPlan

TASK_TYPES = ("pick and place", "look at in light", "clean", "heat", "cool", "stack", "two objects")
MIXED = "mixed"
"""The task type that stands for a draw among all."""

HAND = "free hand"

Preference = Mapping[str, str]
"""Kind of object -> receptacle where it belongs."""


@cache
def catalogue() -> dict[str, Any]:
    """Return the data file: ``kinds``, ``receptacles``, ``treatments``."""
    data: dict[str, Any] = data_beside(__file__)
    return data


@dataclass(frozen=True)
class Thing:
    """One object of a house.

    Attributes:
        name: its own (``mug 2``).
        kind: what it is.
        inside: the receptacle with a lid in which it lies; None for one in sight.
    """

    name: str
    kind: str
    inside: str | None = None


@dataclass(frozen=True)
class Errand:
    """What is to be done with an object.

    Attributes:
        task_type: one of ``TASK_TYPES``.
        thing: the object.
        other: the object that it is stacked in, or its twin of ``two objects``.
    """

    task_type: str
    thing: Thing
    other: Thing | None = None

    @property
    def things(self) -> tuple[Thing, ...]:
        """The objects that it is about."""
        return (self.thing,) if self.other is None else (self.thing, self.other)


def check_preference(preference: Any) -> dict[str, str]:
    """Return a preference vector, checked; kinds that it leaves out are drawn.

    Raises:
        ValueError: if a kind or receptacle is unknown, or the kind does not fit into it.
    """
    kinds, receptacles = catalogue()["kinds"], catalogue()["receptacles"]
    if not isinstance(preference, Mapping):
        raise ValueError(f"preference: {preference!r} is not a mapping from kinds to receptacles")
    for kind, receptacle in preference.items():
        one_of("preference", kind, list(kinds))
        one_of(f"preference: {kind}", receptacle, list(receptacles))
        fits = kinds[kind]["fits"]
        if receptacle not in fits:
            raise ValueError(f"preference: {kind} cannot go to the {receptacle}; it fits {', '.join(fits)}")
    return dict(preference)


def source(
    name: str,
    morning: Callable[[int, Size, str, Mapping[str, str], bool], tuple[dict[str, Any], dict[str, Any]]],
    size: Size,
    split: Split,
    instances: int | None,
    task_type: str,
    preference: Preference | None,
    disturbances: bool,
) -> TaskSource:
    """Return a family of houses to be tidied.

    Args:
        name: the domain's name in small letters.
        morning: (seed, size, task type, preference, disturbances) -> task and scene.
        size: of the family.
        split: of the family.
        instances: how many houses.
        task_type: one of ``TASK_TYPES``, or ``MIXED``.
        preference: kind of object -> receptacle; None leaves all to the seed.
        disturbances: whether there are any.

    Raises:
        ValueError: if an option has a wrong value.
    """
    one_of("task_type", task_type, (MIXED, *TASK_TYPES))
    one_of("disturbances", disturbances, (True, False))
    wanted = check_preference({} if preference is None else preference)
    variant = [task_type.replace(" ", "-")] * (task_type != MIXED)
    variant += [f"{kind.replace(' ', '-')}={place}" for kind, place in sorted(wanted.items())]
    variant += ["disturbed"] * disturbances

    def draw(seed: int, size: Size) -> dict[str, Any]:
        return morning(seed, size, task_type, wanted, disturbances)[0]

    def scene(seed: int, size: Size) -> dict[str, Any]:
        return morning(seed, size, task_type, wanted, disturbances)[1]

    return procedural(name, draw, size, split, instances, ",".join(variant), scene=scene)


def draw_preference(rng: np.random.Generator) -> dict[str, str]:
    """Draw where each kind of object belongs."""
    return {kind: pick(rng, facts["fits"], 1)[0] for kind, facts in catalogue()["kinds"].items()}


def has_lid(receptacle: str) -> bool:
    """Return whether a fixture is a receptacle that is opened and closed."""
    return bool(catalogue()["receptacles"].get(receptacle, {}).get("lid"))


def lidded(receptacle: str) -> str:
    """Return the fixture that a receptacle is while its lid is shut."""
    return f"closed {receptacle}"


def draw_errands(rng: np.random.Generator, task_type: str, subtasks: int) -> list[Errand]:
    """Draw errands of about as many subtasks, lids left aside.

    Args:
        rng: of the instance.
        task_type: one of ``TASK_TYPES``, or ``mixed``.
        subtasks: how many at most; at least one errand is drawn in any case.
    """
    errands: list[Errand] = []
    left, count = subtasks, dict.fromkeys(catalogue()["kinds"], 0)
    while True:
        types = TASK_TYPES if task_type == MIXED else (task_type,)
        fitting = [kind for kind in types if subtasks_of(kind) <= left or not errands]
        if not fitting:
            return errands
        errand = _drawn(rng, pick(rng, fitting, 1)[0], count)
        errands.append(errand)
        left -= subtasks_of(errand.task_type)


def _drawn(rng: np.random.Generator, task_type: str, count: dict[str, int]) -> Errand:
    kinds = catalogue()["kinds"]
    able = [kind for kind, facts in kinds.items() if task_type in facts["does"]]
    fewest = min(count[kind] for kind in able)
    kind = pick(rng, [kind for kind in able if count[kind] == fewest], 1)[0]

    def another(kind: str) -> Thing:
        count[kind] += 1
        return Thing(f"{kind} {count[kind]}", kind)

    thing = another(kind)
    if task_type == "two objects":
        return Errand(task_type, thing, another(kind))
    if task_type == "stack":
        holders = [kind for kind, facts in kinds.items() if facts.get("holder")]
        return Errand(task_type, thing, another(pick(rng, holders, 1)[0]))
    return Errand(task_type, thing)


def subtasks_of(task_type: str) -> int:
    """Return how many subtasks an errand is, lids left aside."""
    return int(catalogue()["subtasks"][task_type])


class _Home(NamedTuple):
    """Where errands are entered: what is added to, the draws, and what belongs where."""

    plan: WorkPlan
    rng: np.random.Generator
    preference: Preference
    lids: dict[str, str]  # receptacle -> the subtask that opens it


def lay(
    plan: WorkPlan, rng: np.random.Generator, errands: Sequence[Errand], preference: Preference
) -> list[str]:
    """Enter all errands and the lids that they need.

    Args:
        plan: is added to.
        rng: of the instance; durations are drawn.
        errands: what is to be done.
        preference: where each kind belongs.

    Returns:
        The last subtask of each errand, then those that close lids: the goal is all of them.
    """
    home = _Home(plan, rng, preference, {})
    hidden = {thing.inside: thing for errand in errands for thing in errand.things if thing.inside}
    targets = {preference[thing.kind]: thing for errand in errands for thing in placed(errand)}
    for receptacle in sorted({*hidden, *targets}):
        if has_lid(receptacle):
            found = {"thing": hidden[receptacle].name} if receptacle in hidden else {}
            rule = {"at": lidded(receptacle), "success": {"fixture": receptacle, **found}}
            home.lids[receptacle] = plan.add(f"open {receptacle}", [rule])
    ends = []
    for errand in errands:
        names = _STEPS[errand.task_type](home, errand)
        plan.tasks[f"see to {errand.thing.name}"] = {"all": names}
        ends.append(names[-1])
    for receptacle, opening in home.lids.items():
        uses = [name for name, before in plan.before.items() if opening in before]
        rule = {"at": receptacle, "success": {"fixture": lidded(receptacle)}}
        ends.append(plan.add(f"close {receptacle}", [rule], after=uses))
    return ends


def items_of(plan: WorkPlan, hands: int = 1) -> dict[str, int]:
    """Return the stock of a household: free hands and machines, one of each machine that is used."""
    used = {item for fields in plan.subtasks.values() for item in fields.get("consumes", {})}
    return {item: hands if item == HAND else 1 for item in sorted(used)}


def placed(errand: Errand) -> tuple[Thing, ...]:
    """Return the objects of an errand that are put where they belong."""
    if errand.task_type == "two objects":
        return errand.things
    return errand.things[-1:]


def put_name(thing: Thing, preference: Preference) -> str:
    """Return the subtask that puts an object where it belongs."""
    receptacle = preference[thing.kind]
    return f"put {thing.name} {'in' if has_lid(receptacle) else 'on'} {receptacle}"


def _pick(home: _Home, thing: Thing) -> str:
    home.plan.thing(thing.name, thing.kind)
    after = [home.lids[thing.inside]] if thing.inside else []
    rule = {"thing": thing.name, "hand": "none", "start": {"hand": thing.name, "thing": "none"}}
    return home.plan.add(f"pick up {thing.name}", [rule], after=after, consumes={HAND: 1})


def _put(home: _Home, thing: Thing, now: str, after: Sequence[str]) -> str:
    """Enter the putting of an object where it belongs; ``now`` is the thing that it has become."""
    receptacle = home.preference[thing.kind]
    rule: dict[str, Any] = {"at": receptacle, "hand": now}
    if receptacle in home.lids:
        rule["start"] = {"hand": "none"}
        after = [*after, home.lids[receptacle]]
    else:
        rule |= {"thing": "none", "start": {"hand": "none", "thing": now}}
    name = put_name(thing, home.preference)
    return home.plan.add(name, [rule], after=after, produces={HAND: 1}, reward=1)


def _ticks(home: _Home, treatment: str) -> int:
    return between(home.rng, catalogue()["treatments"][treatment]["ticks"])


def _pick_and_place(home: _Home, errand: Errand) -> list[str]:
    picked = _pick(home, errand.thing)
    return [picked, _put(home, errand.thing, errand.thing.name, [picked])]


def _two_objects(home: _Home, errand: Errand) -> list[str]:
    return [
        name for thing in errand.things for name in _pick_and_place(home, Errand("pick and place", thing))
    ]


def _look(home: _Home, errand: Errand) -> list[str]:
    """Look at an object in hand by the lamp, then put it where it belongs."""
    picked, name = _pick(home, errand.thing), errand.thing.name
    rule = {"at": "lamp", "hand": name}
    seen = home.plan.add(
        f"look at {name}", [rule], after=[picked], duration=_ticks(home, "look at in light"), reward=1
    )
    return [picked, seen, _put(home, errand.thing, name, [seen])]


def _clean(home: _Home, errand: Errand) -> list[str]:
    """Rinse an object at the sink, then put it where it belongs."""
    picked, name = _pick(home, errand.thing), errand.thing.name
    clean = home.plan.thing(f"clean {name}", f"clean {errand.thing.kind}")
    rule = {"at": "sink", "hand": name, "success": {"hand": clean}}
    rinsed = home.plan.add(f"rinse {name}", [rule], after=[picked], duration=_ticks(home, "clean"), reward=1)
    return [picked, rinsed, _put(home, errand.thing, clean, [rinsed])]


def _warm_or_cool(home: _Home, errand: Errand) -> list[str]:
    """Leave an object in the microwave or the fridge for a while; taken out late, it is as before."""
    treatment = catalogue()["treatments"][errand.task_type]
    machine, word = treatment["machine"], treatment["becomes"]
    plan, name = home.plan, errand.thing.name
    after = plan.thing(f"{word} {name}", f"{word} {errand.thing.kind}")
    steps = [_pick(home, errand.thing)]
    rule = {"at": machine, "thing": "none", "hand": name, "start": {"thing": name, "hand": "none"}}
    free = f"free {machine}"
    steps.append(
        plan.add(
            f"put {name} into {machine}",
            [rule],
            after=steps[-1:],
            consumes={free: 1},
            produces={HAND: 1},
        )
    )
    rule = {
        "at": machine,
        "thing": name,
        "success": {"thing": after},
        "undone": {"turn": {after: name}},
    }
    ticks = _ticks(home, errand.task_type)
    fields = {"duration": ticks, "attended": 1, "reward": 1}
    steps.append(plan.add(f"{errand.task_type} {name}", [rule], after=steps[-1:], **fields))
    rule = {"at": machine, "thing": after, "hand": "none", "start": {"hand": after, "thing": "none"}}
    lags = {steps[-1]: {"max": between(home.rng, treatment["keeps"])}}
    steps.append(
        plan.add(
            f"take {name} out of {machine}",
            [rule],
            after=steps[-1:],
            lags=lags,
            consumes={HAND: 1},
            produces={free: 1},
        )
    )
    return [*steps, _put(home, errand.thing, after, steps[-1:])]


def _stack(home: _Home, errand: Errand) -> list[str]:
    """Put an object into another, then both where the other belongs."""
    picked, name, holder = _pick(home, errand.thing), errand.thing.name, errand.things[-1]
    home.plan.thing(holder.name, holder.kind)
    both = home.plan.thing(f"{holder.name} with {name}", f"{holder.kind} with something")
    rule = {"thing": holder.name, "hand": name, "start": {"thing": both, "hand": "none"}}
    after = [picked, home.lids[holder.inside]] if holder.inside else [picked]
    stacked = home.plan.add(
        f"put {name} into {holder.name}", [rule], after=after, produces={HAND: 1}, reward=1
    )
    rule = {"thing": both, "hand": "none", "start": {"hand": both, "thing": "none"}}
    lifted = home.plan.add(f"pick up {holder.name}", [rule], after=[stacked], consumes={HAND: 1})
    return [picked, stacked, lifted, _put(home, holder, both, [lifted])]


_STEPS: Mapping[str, Callable[[_Home, Errand], list[str]]] = {
    "pick and place": _pick_and_place,
    "look at in light": _look,
    "clean": _clean,
    "heat": _warm_or_cool,
    "cool": _warm_or_cool,
    "stack": _stack,
    "two objects": _two_objects,
}
