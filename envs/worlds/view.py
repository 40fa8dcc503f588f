"""What a body can see of its world: the only thing about it that agents get.

Owns the shapes (``WorldView`` and one kind for each world), which agents, pictures and
people read. Nothing in here is read from a state or decided: each world's ``look`` fills
a view in, with fog and knowledge already applied, so that whatever stands in a view may
be used.

Numbers instead of names: *fixtures* and *things* have codes that index the view's
``fixture_names`` and ``thing_names``; thing 0 is ``nothing`` (an empty cell, an empty
hand), and -1 stands for "not known" wherever fog hides something.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

UNKNOWN = -1
"""Code of what fog hides, in ``fixtures``, ``things`` and hands."""

NOTHING = 0
"""Code of the thing that stands for none: an empty cell, an empty hand."""

Facing = Literal["up", "down", "left", "right"]
FACINGS: tuple[Facing, ...] = ("up", "down", "left", "right")
"""Directions in the order of the four moving actions."""

STEPS: tuple[tuple[int, int], ...] = ((0, -1), (0, 1), (-1, 0), (1, 0))
"""(dx, dy) of each direction of ``FACINGS``; y grows downwards."""

Codes = np.ndarray[Any, np.dtype[np.int16]]
Cells = np.ndarray[Any, np.dtype[np.bool_]]
Mask = np.ndarray[Any, np.dtype[np.int8]]
Moment = Literal["start", "success", "failure", "undone"]
MOMENTS: tuple[Moment, ...] = ("start", "success", "failure", "undone")
"""When a rule changes the world; ``undone`` is spoiling or the event ``undo``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyView:
    """One body: where it is and what it carries.

    A body that the viewer does not see keeps its name, its pace and its latest message
    (heard wherever it is); the rest is None, or empty.

    Attributes:
        name: of the agent whose body it is.
        at: ``(x, y)`` of its cell, the number of its location, or its coordinates; None out
            of sight.
        facing: direction that it looks to; None where there is none.
        hand: code of the thing in its hand, 0 for an empty one; None without hands.
        stock: what it owns, by item; empty where stock is common to all.
        pace: ticks that one of its moves takes.
        down: whether it is out of the game for good.
        message: its latest word, None before the first.
        vitals: by name (``health`` is among them), empty where there are none.
        ready: whether it can do something at this moment (it is neither attending to a
            subtask nor still on a move).
    """

    name: str
    at: Any
    facing: Facing | None = None
    hand: int | None = None
    stock: Mapping[str, int] = field(default_factory=dict)
    pace: int = 1
    down: bool = False
    message: int | None = None
    vitals: Mapping[str, int] = field(default_factory=dict)
    ready: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectView:
    """What a moment of a run changes, as codes; None where it stays as it is.

    ``fixture`` and ``thing`` are the site's, ``hand`` is that of the body that started.
    ``restore`` says how much of its vitals that body regains, ``turn`` what each thing of a kind
    becomes, wherever it lies or is held.
    """

    fixture: int | None = None
    thing: int | None = None
    hand: int | None = None
    restore: Mapping[str, int] = field(default_factory=dict)
    turn: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleView:
    """One way to attempt a subtask: where, on what, with what.

    A set of codes lists what fits; None means that anything does. A ``thing`` or ``hand``
    of ``{0}`` asks for none.

    Attributes:
        action: number of the action that attempts it.
        at: fixtures of the target cell (or location).
        thing: things that may lie there.
        hand: things that may be in the body's hand.
        near: sets of fixtures; of each, one must be within one cell of the body (or at its
            location).
        effects: what the moments of a run change; a moment that changes nothing is absent.
    """

    action: int
    at: frozenset[int] | None = None
    thing: frozenset[int] | None = None
    hand: frozenset[int] | None = None
    near: tuple[frozenset[int], ...] = ()
    effects: Mapping[Moment, EffectView] = field(default_factory=dict)


Rules = Mapping[int, tuple[RuleView, ...]]
"""Subtask -> the ways to attempt it, in order; empty where the rules are not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldView:
    """What every world shows.

    Attributes:
        kind: ``grid``, ``places`` or ``plane``.
        time: the clock in ticks.
        actions: names of the actions, the last is ``wait``; empty where actions are not
            numbered (``plane``).
        mask: ``[A, actions]`` int8, 1 where the world and the graph would accept the action;
            rows of other agents than the viewer are 0 but for ``wait``.
        bodies: one for each agent, by its index.
        viewer: index of the agent whose view this is; None for the controller of all, who
            sees what any body sees.
    """

    kind: str
    time: int
    actions: tuple[str, ...]
    mask: Mask
    bodies: tuple[BodyView, ...]
    viewer: int | None = None

    def action(self, name: str) -> int:
        """Return the number of an action.

        Raises:
            ValueError: if there is none of this name.
        """
        return self.actions.index(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class GridView(WorldView):
    """A map of cells. Cell (x, y) is entry ``[y, x]`` of every array; (0, 0) is the upper left.

    Actions ``0..3`` move up, down, left and right (``FACINGS``, ``STEPS``). A body moves one
    cell; into something that it cannot enter it only turns. The *target* of ``carry`` and of
    a verb is the cell in front of the body (``reach == "front"``) or its own (``"here"``).

    Attributes:
        fixtures: ``[H, W]`` int16 codes into ``fixture_names``; -1 unknown.
        things: ``[H, W]`` int16 codes into ``thing_names``, 0 for nothing; -1 unknown.
        fixture_names: by code.
        thing_names: by code; entry 0 is ``nothing``.
        fixture_looks: what each fixture looks like (its own name unless the scene says other).
        thing_looks: what each thing looks like.
        solid: codes of the fixtures that no body can enter.
        obstacles: codes of the things that no body can enter (other bodies are in the way too).
        holds: codes of the fixtures on which a thing can be put, and from which it can be taken.
        swallows: codes of the fixtures in which what is put is gone.
        portable: codes of the things that can be carried.
        moving: codes of the things that move by themselves.
        reach: ``front`` or ``here``.
        hands: whether a body has a hand.
        busy: cell ``(x, y)`` in sight where a run is going on -> its subtask (-1 under
            ``none``): nothing can be attempted there, nor put down, nor taken away.
        rules: see ``Rules``.
        radius: how far a body sees in every direction (a square), 0 for everything.
    """

    fixtures: Codes
    things: Codes
    fixture_names: tuple[str, ...]
    thing_names: tuple[str, ...]
    fixture_looks: tuple[str, ...]
    thing_looks: tuple[str, ...]
    solid: frozenset[int]
    obstacles: frozenset[int] = frozenset()
    holds: frozenset[int]
    swallows: frozenset[int] = frozenset()
    portable: frozenset[int] = frozenset()
    moving: frozenset[int] = frozenset()
    reach: Literal["front", "here"]
    hands: bool = False
    busy: Mapping[tuple[int, int], int] = field(default_factory=dict)
    rules: Rules = field(default_factory=dict)
    radius: int = 0

    @property
    def width(self) -> int:
        """Columns of the map."""
        return int(self.fixtures.shape[1])

    @property
    def height(self) -> int:
        """Rows of the map."""
        return int(self.fixtures.shape[0])

    def free(self) -> Cells:
        """Return ``[H, W]`` where a body could stand, other bodies left aside; unknown cells are not free."""
        free: Cells = ~np.isin(self.fixtures, [*self.solid, UNKNOWN])
        free &= ~np.isin(self.things, [*self.obstacles])
        return free


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacesRuleView(RuleView):
    """One way to attempt a subtask among places; ``at`` and ``thing`` are those of a receptacle here.

    Attributes:
        places: locations where it can be attempted; None where anywhere does.
        departs: ticks at which alone it can start (of a day, if there are days); empty for any.
        leads_to: location where those who started it are after a success; None: where they were.
        bound: whether it is about a location, so that hours count.
    """

    places: frozenset[int] | None = None
    departs: tuple[int, ...] = ()
    leads_to: int | None = None
    bound: bool = False


@dataclass(frozen=True, slots=True)
class ReceptacleView:
    """One receptacle: where things lie at a location.

    Attributes:
        name: its own.
        place: number of its location.
        fixture: code of what it is now; -1 not known.
        things: code -> how many lie there (only those that do); None where that is not known.
        run: subtask of the run that keeps it busy; None if none does, -1 if it is not known which.
    """

    name: str
    place: int
    fixture: int
    things: Mapping[int, int] | None
    run: int | None = None


@dataclass(frozen=True, slots=True)
class WayView:
    """A body on its way between two locations, from the tick ``left`` to the tick ``arrives``."""

    origin: int
    target: int
    left: int
    arrives: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacesView(WorldView):
    """Locations and the ways between them; a body's ``at`` is the number of its location.

    A body under way is *at* the location to which it goes. Action ``p`` goes to location ``p`` by the
    direct way; ``first`` tells where the other kinds of actions begin.

    Attributes:
        locations: names by number.
        kinds: of the locations, "" where the scene says none.
        spots: coordinates of the locations for pictures; empty unless all have some.
        travel: ``[L, L]`` int32 ticks of the direct ways as they are now, -1 where there is none.
        hours: by location its opening hours ``(from, to)`` in ticks (of a day, if there are days; they
            may go on into the next), empty for always.
        day: period of hours and departures in ticks, 0 for none.
        locked: locations that an event has closed.
        receptacles: by number.
        fixture_names: by code.
        fixture_looks: what each fixture looks like.
        thing_names: by code; entry 0 is ``nothing``.
        thing_looks: what each thing looks like.
        closed: codes of the fixtures in which things can neither be seen nor taken.
        holds: codes of the fixtures into which a thing can be put.
        turns: code of a fixture -> what it becomes when it is opened or shut.
        portable: codes of the things that can be carried.
        hands: whether bodies have a hand.
        ways: body -> its way, for those under way in sight.
        busy: location -> subtasks that run there (those in sight, of which it is known where).
        first: ``do`` (subtask 0), ``take`` (thing 1), ``put`` and ``turn`` (receptacle 0), ``share``
            (item 0), ``say`` (word 0) -> number of the action; kinds that there are not are absent.
        fog: whether a body sees only what is at its location.
        rules: subtask -> the ways to attempt it, in order; empty where not known.
    """

    locations: tuple[str, ...]
    travel: np.ndarray[Any, np.dtype[np.int32]]
    kinds: tuple[str, ...] = ()
    spots: tuple[tuple[float, float], ...] = ()
    hours: tuple[tuple[tuple[int, int], ...], ...] = ()
    day: int = 0
    locked: frozenset[int] = frozenset()
    receptacles: tuple[ReceptacleView, ...] = ()
    fixture_names: tuple[str, ...] = ()
    fixture_looks: tuple[str, ...] = ()
    thing_names: tuple[str, ...] = ()
    thing_looks: tuple[str, ...] = ()
    closed: frozenset[int] = frozenset()
    holds: frozenset[int] = frozenset()
    turns: Mapping[int, int] = field(default_factory=dict)
    portable: frozenset[int] = frozenset()
    hands: bool = False
    ways: Mapping[int, WayView] = field(default_factory=dict)
    busy: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    first: Mapping[str, int] = field(default_factory=dict)
    fog: bool = False
    rules: Mapping[int, tuple[PlacesRuleView, ...]] = field(default_factory=dict)

    def opens(self, place: int, since: int, ticks: int = 1) -> int | None:
        """Return the first tick from ``since`` on from which a location is open for ``ticks``.

        Events are left aside. None if there is no such tick.
        """
        if not self.hours or not self.hours[place]:
            return since
        found = []
        for opens, shuts in self.hours[place]:
            if not self.day:
                start = max(since, opens)
                if start + ticks <= shuts:
                    found.append(start)
            elif ticks <= shuts - opens:
                # Hours of yesterday may go on until today.
                begin = opens + (since - opens) // self.day * self.day
                start = max(since, begin)
                found.append(start if start + ticks <= begin + shuts - opens else begin + self.day)
        return min(found, default=None)

    def departure(self, rule: PlacesRuleView, since: int) -> int | None:
        """Return the first tick from ``since`` on at which a rule lets its subtask start; None for never."""
        if not rule.departs:
            return since
        if self.day:
            return min(since + (tick - since) % self.day for tick in rule.departs)
        return min((tick for tick in rule.departs if tick >= since), default=None)


Points = np.ndarray[Any, np.dtype[np.float32]]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class SiteView:
    """A place of a plane to reach, or to act at."""

    name: str
    at: Point
    radius: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipView:
    """A clip of a plane: a channel open at both ends, through which a cable is led.

    Attributes:
        name: of the clip.
        at: its middle.
        angle: radians from the x axis towards the y axis, from the mouth to the exit.
        radius: how far beside its axis one may be in it.
        length: from the middle to the mouth, and to the exit.
        lane: from the begin of its lane to the mouth.
        filled: whether it holds the cable.
    """

    name: str
    at: Point
    angle: float
    radius: float
    length: float
    lane: float
    filled: bool


@dataclass(frozen=True, slots=True)
class ObstacleView:
    """An obstacle of a plane: all within ``radius`` of a line (both ends alike: a post)."""

    name: str
    ends: tuple[Point, Point]
    radius: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneRuleView:
    """How a subtask is done on a plane.

    Attributes:
        by: ``act``, ``reach``, ``pick up``, ``route``, ``insert`` or ``perturb``.
        at: name of the site or clip; None for the end of the cable.
        limit: ticks after which it fails.
    """

    by: str
    at: str | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneView(WorldView):
    """A plane with bodies that are steered; lengths in its units, times in ticks, y grows downwards.

    An action is a vector (acceleration in x, in y, gripper), each in -1..1: of a body's greatest
    acceleration; a gripper of at least a half begins what can be begun there, one of at most minus
    a half lets go of the cable. ``hand`` of a body is 1 while it holds the cable.

    Attributes:
        positions: ``[bodies, 2]`` float32.
        velocities: ``[bodies, 2]`` float32, units a tick.
        runs: for each body the subtask that it is at work on, -1 for none (0 for one that is not
            named, without knowledge of the task).
        since: for each body the tick at which it began that.
        radii: of the bodies.
        speeds: their greatest speeds, units a tick.
        accelerations: their greatest accelerations in one axis.
        size: width and height.
        sites: places that are no clips.
        clips: in the order of the scene.
        obstacles: that stand there now.
        cable: ``[points, 2]`` float32, the live stretch from where it is paid out to its end; empty
            without a cable.
        laid: ``[points, 2]`` float32, the cable that is laid, from the drum on.
        holder: body that holds the cable's end, -1 for none.
        stuck: name of the clip in which the end is stuck, None for none.
        grip: how near to the cable's end a body must be to take it.
        rules: subtask -> how it is done (one way each); empty where not known.
    """

    positions: Points
    velocities: Points
    runs: tuple[int, ...]
    since: tuple[int, ...]
    radii: tuple[float, ...]
    speeds: tuple[float, ...]
    accelerations: tuple[float, ...]
    size: Point
    sites: tuple[SiteView, ...] = ()
    clips: tuple[ClipView, ...] = ()
    obstacles: tuple[ObstacleView, ...] = ()
    cable: Points
    laid: Points
    holder: int = -1
    stuck: str | None = None
    grip: float = 0.0
    rules: Mapping[int, tuple[PlaneRuleView, ...]] = field(default_factory=dict)
