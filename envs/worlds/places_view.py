"""What a body can see among places: the ``PlacesView`` of a lane.

Owns the way from the lane's integers to the view, with fog and knowledge applied: in the fog a
body sees what is at its location, and not what is shut in there; without knowledge of the
task the rules, which name subtasks, are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from stratagym.envs.task import layout as at
from stratagym.envs.task.nodes import has
from stratagym.envs.task.starts import idle
from stratagym.envs.worlds import places, sites
from stratagym.envs.worlds.rules import views_of
from stratagym.envs.worlds.sites import body_of, head, own_stock, part, run_of
from stratagym.envs.worlds.view import (
    UNKNOWN,
    BodyView,
    PlacesRuleView,
    PlacesView,
    ReceptacleView,
    WayView,
)

if TYPE_CHECKING:
    from stratagym.envs.worlds.places_scene import PlacesScene


def look_at(scene: PlacesScene, m: at.Memory, agent: int | None, knowledge: str, fog: bool) -> PlacesView:
    """Return what an agent's body (None: any body) sees.

    Args:
        scene: where the lane is played.
        m: the lane, interpreted, its eligible set fresh.
        agent: whose view it is.
        knowledge: under ``none`` rules are left out, and which subtask runs where.
        fog: False to see through it (for people who watch).
    """
    foggy = fog and scene.fog
    viewer = -1 if agent is None else agent
    known = knowledge != "none"
    bodies = range(len(scene.bodies))
    shown = [b for b in bodies if not foggy or b == viewer or _seen(m, viewer, b)]
    always = scene.lasting
    return PlacesView(
        kind="places",
        time=int(m.s[at.CLOCK]),
        actions=_names(scene, m),
        mask=_mask(m, agent, len(scene.bodies)),
        bodies=tuple(_body(scene, m, b, b in shown) for b in bodies),
        viewer=agent,
        locations=always.locations,
        kinds=always.kinds,
        spots=always.spots,
        travel=_travel(scene, m),
        hours=always.hours,
        day=scene.day,
        locked=frozenset(
            e.one for e in scene.events if e.kind == at.E_LOCK and places.is_barred(m, at.E_LOCK, e.one, -1)
        ),
        receptacles=tuple(
            _receptacle(scene, m, k, viewer if foggy else None, known) for k in range(len(scene.sites))
        ),
        fixture_names=scene.fixtures.names,
        fixture_looks=scene.fixtures.looks,
        thing_names=scene.things.names,
        thing_looks=scene.things.looks,
        closed=scene.closed,
        holds=scene.fixtures.flagged(sites.HOLDS),
        turns=scene.turns,
        portable=scene.things.flagged(sites.PORTABLE),
        hands=scene.hands,
        ways={b: _way(m, b) for b in shown if not places.is_here(m, b)},
        busy=_busy(scene, m, viewer if foggy else None, known),
        first=always.first,
        fog=scene.fog,
        rules=_known_rules(scene, m) if known else {},
    )


class Lasting(NamedTuple):
    """What is the same in every view of a scene; see ``PlacesView``."""

    locations: tuple[str, ...]
    kinds: tuple[str, ...]
    spots: tuple[tuple[float, float], ...]
    hours: tuple[tuple[tuple[int, int], ...], ...]
    first: dict[str, int]
    travel: Any
    rules: dict[int, tuple[PlacesRuleView, ...]]


def lasting(scene: PlacesScene) -> Lasting:
    """Return what is the same in every view of a scene."""
    spots = tuple(place.spot for place in scene.locations if place.spot is not None)
    firsts, first = {}, 0
    for kind, count in scene.counts.items():
        if count and kind != "go":
            firsts[kind] = first
        first += count
    travel = np.array(scene.ways, np.int32)
    travel.flags.writeable = False
    return Lasting(
        locations=tuple(place.name for place in scene.locations),
        kinds=tuple(place.kind for place in scene.locations),
        spots=spots if len(spots) == len(scene.locations) else (),
        hours=tuple(place.hours for place in scene.locations),
        first=firsts,
        travel=travel,
        rules=_rules(scene),
    )


def _travel(scene: PlacesScene, m: at.Memory) -> Any:
    """Return the ticks of the direct ways as they are now."""
    travel = scene.lasting.travel
    for event in scene.events:
        if event.kind == at.E_BLOCK and places.is_barred(m, at.E_BLOCK, event.one, event.other):
            travel = travel.copy() if travel is scene.lasting.travel else travel
            travel[event.one, event.other] = travel[event.other, event.one] = -1
    return travel


def _names(scene: PlacesScene, m: at.Memory) -> tuple[str, ...]:
    """Return the names of the actions, those that only others of the family use among them."""
    own = scene.actions
    unused = (f"(unused {k})" for k in range(len(own), head(m, places.W_WAIT)))
    return (*own, *unused, "wait")


def _mask(m: at.Memory, agent: int | None, bodies: int) -> Any:
    width = head(m, places.W_WAIT) + 1
    flat = [0] * (bodies * width)
    for b in range(bodies):
        if agent is None or agent == b:
            places.world_mask(m, b, flat, b * width)
        else:
            flat[(b + 1) * width - 1] = 1
    return np.array(flat, np.int8).reshape(bodies, width)


def _seen(m: at.Memory, viewer: int, b: int) -> bool:
    """Return whether a viewer (-1: all together) sees body ``b`` in the fog."""
    if viewer < 0:
        return True
    return bool(places.is_here(m, b) and places.sees_place(m, viewer, m.s[body_of(m, b) + sites.BODY_AT]))


def _body(scene: PlacesScene, m: at.Memory, b: int, shown: bool) -> BodyView:
    row = body_of(m, b)
    word = m.s[row + sites.WORD]
    stock = {
        item.name: int(m.s[own_stock(m, b) + k]) for k, item in enumerate(scene.graph.items) if scene.own
    }
    return BodyView(
        name=scene.graph.agents[b].name,
        at=int(m.s[row + sites.BODY_AT]) if shown else None,
        hand=int(m.s[row + sites.HAND]) if scene.hands and shown else None,
        stock=stock if shown else {},
        pace=scene.bodies[b].pace,
        message=int(word) if word >= 0 else None,
        ready=bool(idle(m, b)),
    )


def _way(m: at.Memory, b: int) -> WayView:
    row, way = body_of(m, b), part(m, places.Q_WAYS) + b * places.WAY_SIZE
    return WayView(
        origin=int(m.s[way + places.CAME]),
        target=int(m.s[row + sites.BODY_AT]),
        left=int(m.s[way + places.LEFT]),
        arrives=int(m.s[row + sites.UNTIL]),
    )


def _receptacle(scene: PlacesScene, m: at.Memory, k: int, viewer: int | None, known: bool) -> ReceptacleView:
    """Return a receptacle as a viewer sees it (None: through the fog)."""
    site = scene.sites[k]
    if viewer is not None and not places.sees_place(m, viewer, site.place):
        return ReceptacleView(site.name, site.place, UNKNOWN, None)
    row = places.site_of(m, k)
    works = m.s[row + places.WORKS]
    inside = None
    if viewer is None or places.sees_inside(m, viewer, k):
        amounts = {code: int(m.s[places.amount_of(m, k, code)]) for code in range(1, len(scene.things.names))}
        inside = {code: amount for code, amount in amounts.items() if amount}
    run = None if works <= 0 else int(works - 1) if known else UNKNOWN
    return ReceptacleView(site.name, site.place, int(m.s[row + places.FIXTURE]), inside, run)


def _busy(scene: PlacesScene, m: at.Memory, viewer: int | None, known: bool) -> dict[int, tuple[int, ...]]:
    """Return which subtasks run where: at their receptacle, or where the body that attends to them is."""
    found: dict[int, tuple[int, ...]] = {}
    for i in range(len(scene.graph.subtasks)):
        if not known or not has(m, at.RUNNING, i):
            continue
        run = run_of(m, i)
        place, body = -1, m.s[run + sites.RUN_BODY]
        agent = m.t[at.Q_AGENTS] + body * at.AGENT_SIZE
        if m.s[run + sites.RUN_SITE] >= 0:
            place = scene.sites[m.s[run + sites.RUN_SITE]].place
        elif m.s[agent + at.ATTENDS] == i and m.s[agent + at.FREE_AT] > m.s[at.CLOCK]:
            place = int(m.s[body_of(m, body) + sites.BODY_AT])
        if place >= 0 and (viewer is None or places.sees_place(m, viewer, place)):
            found[place] = (*found.get(place, ()), i)
    return found


def _rules(scene: PlacesScene) -> dict[int, tuple[PlacesRuleView, ...]]:
    """Return the rules of all subtasks as agents read them."""
    found: dict[int, tuple[PlacesRuleView, ...]] = {}
    for own in scene.rules:
        i = own.rule.subtask
        for view in views_of([own.rule], lambda k: False, scene.attempts + i, ())[i]:
            whole = PlacesRuleView(
                action=view.action,
                at=view.at,
                thing=view.thing,
                hand=view.hand,
                near=view.near,
                effects=view.effects,
                places=own.places,
                departs=own.departs,
                leads_to=own.leads_to,
                bound=own.bound,
            )
            found[i] = (*found.get(i, ()), whole)
    return found


def _known_rules(scene: PlacesScene, m: at.Memory) -> dict[int, tuple[PlacesRuleView, ...]]:
    """Return the rules of the subtasks that have appeared."""
    rules = scene.lasting.rules
    if not any(event.kind == "appear" for event in scene.graph.events):
        return rules
    return {i: own for i, own in rules.items() if not has(m, at.UNKNOWN, i)}
