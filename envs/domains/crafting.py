"""Crafting: recipes that take items and make items, from raw materials that run out.

Owns one procedural family. The goal is the delivery of one thing whose recipe is a
given number of recipes deep. Raw materials can be gathered a limited number of
times; lures (recipes for things that nobody asked for) and hasty modes (quicker,
but they take more) use up what the goal needs, and the kiln, which burns alone,
should rarely be cold. What depends on what is said by items only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stratagym.envs.domains.domain import Domain, Size, Split, TaskSource
from stratagym.envs.domains.draft import Draft, between, generator, pick
from stratagym.envs.domains.sources import at_least, data_beside, one_of, procedural

DEEPEST = 6
"""The deepest recipe that can be asked for."""


def source(
    size: Size = "medium",
    split: Split = "train",
    instances: int | None = None,
    depth: int | None = None,
    agents: int = 1,
) -> TaskSource:
    """Return workshops of a size.

    Args:
        size: of the family.
        split: of the family.
        instances: how many workshops.
        depth: recipes on top of each other up to the thing to deliver, 1 to 6; by
            size, if left out.
        agents: how many crafters.

    Raises:
        ValueError: if an option has a wrong value.
    """
    at_least("agents", agents, 1)
    if depth is not None:
        one_of("depth", depth, range(1, DEEPEST + 1))
    variant = [f"depth={depth}"] * (depth is not None) + [f"agents={agents}"] * (agents > 1)
    return procedural(
        "crafting",
        lambda seed, size: workshop(seed, size, depth, agents),
        size,
        split,
        instances,
        ",".join(variant),
    )


@dataclass
class _Thing:
    """One item with its recipe: its tier (0: raw), what one run takes and makes."""

    name: str
    tier: int
    takes: dict[str, int]
    tool: str | None = None
    made: int = 1
    lure: bool = False


def workshop(seed: int, size: Size, depth: int | None = None, agents: int = 1) -> dict[str, Any]:
    """Draw one workshop: recipes, lures, raw materials that just suffice, one delivery."""
    data = data_beside(__file__)
    numbers = {**data, **data["sizes"][size]}
    deep = depth or numbers["depth"]
    rng = generator(seed, 0xC4AF)
    draft = Draft(f"workshop {seed}", rng, data["stations"], agents)
    room = numbers["subtasks"] - 1
    raw = max(1, min(numbers["raw"], room - deep))
    lures = min(numbers["lures"], room - deep - raw)
    tools = min(numbers["tools"], room - deep - raw - lures) if deep > 1 else 0
    hasty = min(round(numbers["hasty"] * (deep + tools)), (room - deep - raw - lures - tools) * 2 // 3)
    more = room - deep - raw - lures - tools - hasty if deep > 1 else 0
    things = _recipes(draft, deep, raw, tools, more)
    _lures(draft, things, lures)
    wanted = next(thing for thing in things.values() if thing.tier == deep)
    demand = _demand(things, wanted)
    hurried = pick(rng, [k for k, thing in things.items() if thing.tier and not thing.lure], hasty)
    for thing in things.values():
        _add(draft, numbers, things, thing, demand[thing.name], thing.name in hurried)
    marks = {"supplied": (f"make {wanted.name}",), "promise": between(rng, numbers["promise"])}
    delivered = draft.add(f"deliver {wanted.name}", 1, marks=marks, consumes={wanted.name: 1}, reward=1)
    return draft.finish(delivered)


def _recipes(draft: Draft, deep: int, raw: int, tools: int, more: int) -> dict[str, _Thing]:
    """Return raw materials, one chain of recipes of the depth, tools, and by-products that are used."""
    data, rng = data_beside(__file__), draft.rng
    words = {tier: pick(rng, data["words"]["made"][tier - 1], 99) for tier in range(1, deep + 1)}
    things = {name: _Thing(name, 0, {}) for name in pick(rng, data["words"]["raw"], raw)}
    spare = [tier for tier in range(1, deep) for _ in range(len(words[tier]) - 1)]
    tiers = [*range(1, deep + 1), *pick(rng, spare, more)]
    extra: list[_Thing] = []
    for k, tier in sorted(enumerate(tiers), key=lambda pair: (pair[1], pair[0])):
        thing = _Thing(words[tier].pop(), tier, {})
        below = [t for t in things.values() if t.tier == tier - 1]
        spine = [t for t in below if t not in extra] or below
        thing.takes[pick(rng, spine, 1)[0].name] = between(rng, (1, 2))
        if rng.random() < data["second"]:
            other = pick(rng, [t for t in things.values() if t.tier < tier], 1)[0]
            thing.takes.setdefault(other.name, 1)
        things[thing.name] = thing
        if k >= deep:
            extra.append(thing)
    for thing in extra:
        users = [t for t in things.values() if t.tier > thing.tier and t not in extra]
        pick(rng, users, 1)[0].takes[thing.name] = 1
    for name in pick(rng, data["words"]["tools"], tools):
        tier = between(rng, (1, max(1, deep - 2)))
        below = [t for t in things.values() if t.tier == tier - 1]
        things[name] = _Thing(name, tier, {pick(rng, below, 1)[0].name: 1})
        users = [t for t in things.values() if t.tier > tier and t not in extra]
        pick(rng, users, 1)[0].tool = name
    return dict(sorted(things.items(), key=lambda pair: pair[1].tier))


def _lures(draft: Draft, things: dict[str, _Thing], count: int) -> None:
    data, rng = data_beside(__file__), draft.rng
    useful = [t for t in things.values() if t.tier < max(thing.tier for thing in things.values())]
    for name in pick(rng, data["words"]["lures"], count):
        takes = {t.name: 1 for t in pick(rng, useful, between(rng, (1, 2)))}
        tier = 1 + max(things[k].tier for k in takes)
        things[name] = _Thing(name, tier, takes, lure=True)


def _demand(things: dict[str, _Thing], wanted: _Thing) -> Counter[str]:
    """Return how many of each item the plan takes, every recipe run once."""
    demand: Counter[str] = Counter({wanted.name: 1})
    tools = {thing.tool for thing in things.values() if thing.tool}
    for thing in sorted(things.values(), key=lambda t: -t.tier):
        if thing.lure:
            continue
        if thing.name in tools:
            demand[thing.name] += 1
        demand.update(thing.takes)
    return demand


def _add(
    draft: Draft,
    numbers: Mapping[str, Any],
    things: dict[str, _Thing],
    thing: _Thing,
    demand: int,
    hurried: bool,
) -> None:
    """Add the step that gathers or makes a thing, enough of it for the plan."""
    rng = draft.rng
    if not thing.tier:
        made = between(rng, (1, 2))
        runs = -(-demand // made)
        spare = int(rng.random() < numbers["spare"])
        draft.add(
            f"gather {thing.name}",
            between(rng, numbers["gather"]),
            marks={"runs": runs},
            produces={thing.name: made},
            repeatable=True,
            attempts=max(1, runs + spare),
        )
        return
    supply = [*thing.takes, *([thing.tool] if thing.tool else [])]
    names = tuple(f"{'make' if things[k].tier else 'gather'} {k}" for k in supply)
    fired = rng.random() < numbers["fired"]
    length = between(rng, numbers["fire"] if fired else numbers["craft"])
    fields: dict[str, Any] = {"uses": {"kiln" if fired else "workbench": 1}}
    fields |= {"attended": 1} if fired else {}
    fields |= {"requires": {thing.tool: 1}} if thing.tool else {}
    fields["produces"] = {thing.name: max(demand, 1)}
    marks: dict[str, Any] = {"supplied": names, "witness": not thing.lure}
    name = draft.add(f"make {thing.name}", length, marks=marks, **fields)
    fields = draft.steps[name].fields
    fields["consumes"] = dict(thing.takes)
    if hurried:
        more = pick(rng, list(thing.takes), 1)[0]
        del fields["duration"], fields["consumes"]
        hasty = {"duration": max(1, length // 2), "consumes": {**thing.takes, more: thing.takes[more] + 1}}
        fields["modes"] = {"thriftily": {"duration": length, "consumes": dict(thing.takes)}, "hastily": hasty}
        draft.steps[name].mode = "thriftily"


DOMAIN = Domain(
    name="Crafting",
    summary="Recipes over items: raw materials run out, and lures and haste use up what the goal needs",
    source=source,
    tags=("crafting", "items", "dead ends", "modes"),
)
