"""Grid scenes: a map of cells, what stands and lies there, bodies, and what can be done where.

Owns the form of a grid scene as data, its checks, its table for ``grid_kernel`` and what is
seen of it. The rules of a step are the kernel's; whether all of a task can be played is
``playable``'s.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from stratagym.envs.task import layout as at
from stratagym.envs.task.document import Task
from stratagym.envs.task.faults import describe, join, quote, suggest
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.layout import Memory
from stratagym.envs.task.models import Amount, Model, Moment, Positive
from stratagym.envs.task.nodes import has
from stratagym.envs.task.view import Knowledge
from stratagym.envs.worlds import grid_kernel as kernel
from stratagym.envs.worlds import playable, sites
from stratagym.envs.worlds.base import MOST_WORDS
from stratagym.envs.worlds.rules import (
    NONE,
    FixtureSpec,
    Kinds,
    Table,
    ThingSpec,
    Words,
    read_fixtures,
    read_rules,
    read_things,
    read_vitals,
    views_of,
)
from stratagym.envs.worlds.scene import SceneError, place_of, read_spec
from stratagym.envs.worlds.view import FACINGS, UNKNOWN, BodyView, Facing, GridView

MAX_SIDE = 254
"""Longest side of a map, in cells: a view has one byte for a coordinate."""

PLACE_EVENTS = ("move", "lock", "unlock", "block", "clear")

Cell = tuple[int, int]
"""(x, y); (0, 0) is the upper left."""


class LegendSpec(Model):
    """What a character of the map stands for."""

    fixture: str | None = None
    thing: str | None = None
    body: Amount | None = None


class BodySpec(Model):
    """One body."""

    at: list[Amount] | None = None
    facing: Facing | None = None
    pace: Positive | None = None
    hand: str | None = None
    stock: dict[str, Amount] | None = None


class EventSpec(Model):
    """One event of the place."""

    at: Moment
    move: str | None = None
    to: list[Amount] | None = None
    lock: list[Amount] | None = None
    unlock: list[Amount] | None = None
    block: list[Amount] | None = None
    clear: list[Amount] | None = None


class GridSpec(Model):
    """A grid scene. Legend and rules are checked one by one."""

    world: Literal["grid"]
    map: list[str]
    legend: dict[str, Any] | None = None
    fixtures: dict[str, FixtureSpec | None] | None = None
    things: dict[str, ThingSpec | None] | None = None
    objects: dict[str, list[list[Amount]]] | None = None
    reach: Literal["front", "here"] | None = None
    hands: bool | None = None
    inventory: bool | None = None
    share: bool | None = None
    verbs: list[str] | None = None
    view: Amount | None = None
    messages: Annotated[int, Field(ge=0, le=MOST_WORDS)] | None = None
    bodies: list[BodySpec] | None = None
    vitals: dict[str, Positive] | None = None
    events: list[EventSpec] | None = None
    rules: dict[str, Any]


class Body(NamedTuple):
    """One body at reset."""

    at: Cell
    facing: int
    hand: int
    pace: int
    stock: tuple[int, ...]


class Happening(NamedTuple):
    """One event of the place: its kind, when, the thing (of a move) and the cell."""

    kind: str
    moment: tuple[int, int]
    thing: int
    cell: Cell


# ------------------------------------------------------------------ reading


def load(plain: Mapping[str, Any], task: Task) -> GridScene:
    """Load a grid scene for a task; see ``scene.load_scene``.

    Raises:
        SceneError: if anything is wrong with it.
    """
    return GridScene(tidy(plain), task)


def tidy(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return a scene as new plain data without what is null, that is, left out."""
    named = ("fixtures", "things", "rules")
    return {
        key: {name: _tidy({} if entry is None else entry) for name, entry in value.items()}
        if key in named and isinstance(value, Mapping)
        else _tidy(value)
        for key, value in plain.items()
        if value is not None
    }


def _tidy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _tidy(entry) for key, entry in value.items() if entry is not None}
    return [_tidy(entry) for entry in value] if isinstance(value, list) else value


def _cell(value: Sequence[int], width: int, height: int, path: str) -> Cell:
    """Return a cell of the map that a list [x, y] names."""
    if len(value) != 2:
        raise SceneError(f"a cell is [x, y], not a list of {len(value)}", path)
    x, y = value
    if x >= width or y >= height:
        raise SceneError(
            f"cell [{x}, {y}] lies outside the map of {width} x {height} cells",
            path,
            f"x is 0 to {width - 1} and y is 0 to {height - 1}",
        )
    return x, y


class Legend(NamedTuple):
    """What one character stands for, as codes."""

    fixture: int
    thing: int
    body: int  # -1 for none


def _legend(spec: GridSpec, fixtures: Kinds, things: Kinds, agents: int) -> dict[str, Legend]:
    found = {".": Legend(0, 0, -1), " ": Legend(0, 0, -1), "#": Legend(1, 0, -1)}
    for character, entry in (spec.legend or {}).items():
        path = join("legend", character)
        if len(character) != 1:
            raise SceneError(f"{quote(character)} is not one character", path)
        if isinstance(entry, str):
            entry = {"fixture": entry}
        if not isinstance(entry, Mapping):
            raise SceneError(f"must be a fixture or {{fixture, thing, body}}, not {describe(entry)}", path)
        one = read_spec(LegendSpec, dict(entry), path)
        if one.body is not None and one.body >= agents:
            raise SceneError(f"no body {one.body}: the task has {_agents(agents)}", join(path, "body"))
        found[character] = Legend(
            0 if one.fixture is None else fixtures.code(one.fixture, join(path, "fixture")),
            0 if one.thing is None else things.code(one.thing, join(path, "thing")),
            -1 if one.body is None else one.body,
        )
    return found


def _agents(count: int) -> str:
    return "one agent" if count == 1 else f"{count} agents"


Layer = np.ndarray[Any, np.dtype[np.int32]]


def _draw(rows: Sequence[str], legend: Mapping[str, Legend]) -> tuple[Layer, Layer, Layer]:
    """Return the fixtures, things and bodies of a map, ``[H, W]`` each.

    Raises:
        SceneError: if it is no rectangle, too large, or has a character that means nothing.
    """
    if not rows or not rows[0]:
        raise SceneError("the map is empty", "map", "a map is a list of rows, one character a cell")
    width = len(rows[0])
    for y, row in enumerate(rows):
        if len(row) != width:
            raise SceneError(f"row {y} has {len(row)} cells, the first has {width}", join("map", y))
    if max(width, len(rows)) > MAX_SIDE:
        raise SceneError(f"{width} x {len(rows)} cells, and a side has at most {MAX_SIDE}", "map")
    characters = np.array([list(row) for row in rows])
    known, place = np.unique(characters, return_inverse=True)
    meanings = []
    for character in known.tolist():
        if character not in legend:
            y, x = np.argwhere(characters == character)[0].tolist()
            fix = suggest(character, ()) or f"say in `legend` what it is: {character!r}: {{fixture: ...}}"
            raise SceneError(
                f"the character {quote(character)} at [{x}, {y}] means nothing", join("map", y), fix
            )
        meanings.append(legend[character])
    layers = np.array(meanings, np.int32)[place.reshape(characters.shape)]
    return layers[..., 0].copy(), layers[..., 1].copy(), layers[..., 2].copy()


def _swapped(spec: GridSpec) -> list[str]:
    """Return the names that ``lock`` and ``block`` may give to fixtures."""
    kinds = {kind for event in spec.events or () for kind in PLACE_EVENTS if getattr(event, kind) is not None}
    declared = {name: f or FixtureSpec() for name, f in (spec.fixtures or {}).items()}
    passable = [name for name in {"floor": FixtureSpec(), **declared} if not _is_solid(name, declared)]
    names = []
    if kinds & {"block", "clear"}:
        names += [f"{BLOCKED}{name}" for name in passable if not name.startswith((BLOCKED, LOCKED))]
    if kinds & {"lock", "unlock"}:
        names += [f"{LOCKED}{name}" for name in passable if not name.startswith((BLOCKED, LOCKED))]
    return names


def _is_solid(name: str, declared: Mapping[str, FixtureSpec]) -> bool:
    own = declared.get(name, FixtureSpec())
    like = declared.get(own.looks or "", FixtureSpec())
    return bool(own.solid if own.solid is not None else like.solid)


LOCKED, BLOCKED = "locked ", "blocked "
"""What a fixture is called while it is locked or blocked; these are added where needed."""


# ------------------------------------------------------------------ the scene


class GridScene:
    """One loaded grid scene; see ``base.Scene``.

    Args:
        plain: the scene, ``tidy``.
        task: what is played in it.

    Attributes:
        width: columns of the map.
        height: rows of the map.
        fixtures: that there are.
        things: that there are; code 0 is none.
        standing: ``[H, W]`` fixtures at reset.
        lying: ``[H, W]`` things at reset.
        bodies: at reset, one for each agent.
        rules: in the order in which they are tried.
        events: of the place.
        radius: how far bodies see, 0 for everything.
        verbs: names of the actions that attempt subtasks.
    """

    kind = "grid"
    kernel = kernel
    action_width = 1
    box: tuple[Sequence[float], Sequence[float]] | None = None

    def __init__(self, plain: dict[str, Any], task: Task) -> None:
        spec = read_spec(GridSpec, plain)
        self._plain, self.graph = plain, task.graph
        graph = task.graph
        self.here = spec.reach == "here"
        self.hands, self.inventory = bool(spec.hands), bool(spec.inventory)
        self.fixtures = read_fixtures(spec.fixtures or {}, _swapped(spec))
        self.things = read_things(spec.things or {}, solid=not self.here)
        legend = _legend(spec, self.fixtures, self.things, len(graph.agents))
        self.standing, self.lying, drawn = _draw(spec.map, legend)
        self.height, self.width = (int(side) for side in self.standing.shape)
        self._lay_out(spec)
        self.verbs = tuple(spec.verbs) if spec.verbs is not None else ("interact",)
        self.messages = spec.messages or 0
        self.share = bool(spec.share)
        self.vitals, self.drops, self.health_ticks = read_vitals(spec.vitals)
        self.actions = self._actions(spec)
        self.bodies = self._bodies(spec, drawn)
        for s in graph.subtasks:
            if s.duration.kind == "world":
                raise SceneError(
                    f"subtask {quote(s.name)} has the duration 'world', but a grid reports no end",
                    join("rules", s.name),
                    "give it ticks in the task",
                )
        words = Words(graph, self.fixtures, self.things, self.verbs, self.hands, self.vitals)
        self.rules = tuple(read_rules(spec.rules, words))
        self.events = tuple(
            self._event(event, join("events", k)) for k, event in enumerate(spec.events or ())
        )
        self.radius = spec.view or 0
        self.fog = 0 < self.radius < max(self.width, self.height) - 1
        self.span = playable.judge(self)
        self._views: dict[frozenset[int], Any] = {}

    # -------------------------------------------------------------- reading

    def _lay_out(self, spec: GridSpec) -> None:
        for name, cells in (spec.objects or {}).items():
            path = join("objects", name)
            code = self.things.code(name, path)
            for k, value in enumerate(cells):
                x, y = _cell(value, self.width, self.height, join(path, k))
                if self.standing[y, x] == self.fixtures.code("wall", path):
                    raise SceneError(f"at [{x}, {y}] there is a wall", join(path, k))
                if self.lying[y, x]:
                    lies = self.things.names[self.lying[y, x]]
                    raise SceneError(f"at [{x}, {y}] there lies {quote(lies)} already", join(path, k))
                self.lying[y, x] = code

    def _actions(self, spec: GridSpec) -> tuple[str, ...]:
        if not self.verbs:
            raise SceneError(
                "there is no verb, so that nothing could ever be done", "verbs", "leave it out for one"
            )
        if self.share and not self.inventory:
            raise SceneError("bodies own nothing that they could share", "share", "add `inventory: true`")
        names: list[str] = [*FACINGS]
        names += ["carry"] if self.hands else []
        for k, verb in enumerate(self.verbs):
            if verb in (*names, "wait") or not verb.strip() or verb.startswith(("share ", "say ")):
                raise SceneError(
                    f"there is an action {quote(verb)} already", join("verbs", k), "use another name"
                )
            names.append(verb)
        names += [f"share {item.name}" for item in self.graph.items] if self.share else []
        return (*names, *(f"say {k}" for k in range(self.messages)))

    def _bodies(self, spec: GridSpec, drawn: Layer) -> tuple[Body, ...]:
        graph = self.graph
        listed = spec.bodies or []
        if len(listed) > len(graph.agents):
            raise SceneError(f"{len(listed)} bodies, and the task has {_agents(len(graph.agents))}", "bodies")
        cells: dict[int, Cell] = {}
        for y, x in np.argwhere(drawn >= 0).tolist():
            a = int(drawn[y, x])
            if a in cells:
                raise SceneError(f"body {a} is on the map twice, at {list(cells[a])} and [{x}, {y}]", "map")
            cells[a] = x, y
        for a, body in enumerate(listed):
            if body.at is None:
                continue
            path = join(join("bodies", a), "at")
            if a in cells:
                raise SceneError(
                    f"body {a} is on the map already, at {list(cells[a])}", path, "leave one out"
                )
            cells[a] = _cell(body.at, self.width, self.height, path)
        taken: dict[Cell, int] = {}
        for a, agent in enumerate(graph.agents):
            if a not in cells:
                raise SceneError(
                    f"no body for agent {quote(agent.name)}: the task has {_agents(len(graph.agents))}",
                    "bodies",
                    "put it on the map by the legend, or list it with `at: [x, y]`",
                )
            x, y = cells[a]
            if (x, y) in taken:
                raise SceneError(f"bodies {taken[x, y]} and {a} are both at [{x}, {y}]", "bodies")
            taken[x, y] = a
            for kinds, layer in ((self.fixtures, self.standing), (self.things, self.lying)):
                if kinds.flags[layer[y, x]] & sites.SOLID:
                    name = quote(kinds.names[layer[y, x]])
                    raise SceneError(f"body {a} is at [{x}, {y}], where {name} is in the way", "bodies")
        listed = [*listed, *[BodySpec()] * (len(graph.agents) - len(listed))]
        stocks = self._stocks(listed)
        return tuple(
            Body(
                cells[a],
                FACINGS.index(body.facing or "down"),
                self._held(body.hand, join(join("bodies", a), "hand")),
                body.pace or 1,
                stocks[a],
            )
            for a, body in enumerate(listed)
        )

    def _held(self, name: str | None, path: str) -> int:
        if name is None or name == NONE:
            return 0
        if not self.hands:
            raise SceneError("the bodies here have no hands", path, "add `hands: true`")
        return self.things.code(name, path)

    def _stocks(self, listed: Sequence[BodySpec]) -> list[tuple[int, ...]]:
        """Return what each body owns at reset; what none is said to own belongs to body 0."""
        items = self.graph.items
        left = [item.stock for item in items]
        stocks = []
        for a, body in enumerate(listed):
            path = join(join("bodies", a), "stock")
            if body.stock and not self.inventory:
                raise SceneError("bodies own nothing here", path, "add `inventory: true`")
            own = [0] * len(items)
            for name, amount in (body.stock or {}).items():
                k = place_of(name, [item.name for item in items], join(path, name), "item")
                own[k], left[k] = amount, left[k] - amount
                if left[k] < 0:
                    raise SceneError(
                        f"bodies own more of {quote(name)} than the task's stock of {items[k].stock}",
                        join(path, name),
                        f"raise it there: items: {{{name}: {items[k].stock - left[k]}}}",
                    )
            stocks.append(own)
        stocks[0] = [own + more for own, more in zip(stocks[0], left, strict=True)]
        return [tuple(own) for own in stocks] if self.inventory else [()] * len(listed)

    def _event(self, spec: EventSpec, path: str) -> Happening:
        kinds = [kind for kind in PLACE_EVENTS if getattr(spec, kind) is not None]
        if len(kinds) != 1:
            problem = f"{' and '.join(kinds)} in one event" if kinds else "the event does nothing"
            raise SceneError(problem, path, f"one of {', '.join(PLACE_EVENTS)} in each")
        kind = kinds[0]
        if kind == "move":
            if spec.to is None:
                raise SceneError("it is not said to where", path, "add `to: [x, y]`")
            thing = self.things.code(spec.move or "", join(path, "move"))
            return Happening(kind, spec.at, thing, _cell(spec.to, self.width, self.height, join(path, "to")))
        if spec.to is not None:
            raise SceneError(f"only a move has `to`, not {kind}", join(path, "to"))
        x, y = cell = _cell(getattr(spec, kind), self.width, self.height, join(path, kind))
        name = self.fixtures.names[self.standing[y, x]]
        bare = name.removeprefix(BLOCKED).removeprefix(LOCKED)
        if (
            kind in ("lock", "block")
            and name == bare
            and self.fixtures.flags[self.standing[y, x]] & sites.SOLID
        ):
            raise SceneError(f"{quote(name)} at [{x}, {y}] cannot be entered as it is", join(path, kind))
        return Happening(kind, spec.at, 0, cell)

    # -------------------------------------------------------------- the table

    @cached_property
    def swaps(self) -> dict[str, list[int]]:
        """Kind of event -> what each fixture becomes by it, -1 where it does nothing."""
        names = self.fixtures.names
        index = {name: code for code, name in enumerate(names)}

        def code(name: str) -> int:
            return index.get(name, -1)

        def bare(name: str, prefix: str) -> str:
            return name.removeprefix(prefix) if name.startswith(prefix) else ""

        return {
            "lock": [code(LOCKED + name) for name in names],
            "unlock": [code(bare(name, LOCKED)) for name in names],
            "block": [code(BLOCKED + name) for name in names],
            "clear": [code(bare(name, BLOCKED)) for name in names],
        }

    @cached_property
    def moving(self) -> bool:
        """Whether things move here."""
        return bool(self.things.flagged(sites.MOVING))

    @cached_property
    def _table(self) -> list[int]:
        """The table, but for what follows from the sizes of the family."""
        items = len(self.graph.items) if self.inventory else 0
        table = Table(kernel.GRID_HEADS)
        table.kinds(self.fixtures, self.things)
        table.rules(self.rules, len(self.fixtures.names), len(self.verbs))
        ring = np.pad(self.standing + 1 + (self.lying << kernel.THING_SHIFT), kernel.RING)
        bodies = [
            [self._ring(body.at), body.facing, body.hand, body.pace, *body.stock] for body in self.bodies
        ]
        happenings = [
            [at.EVENT_WORDS.index(e.kind), *e.moment, e.thing, self._ring(e.cell)] for e in self.events
        ]
        swaps = [self.swaps[kind] for kind in PLACE_EVENTS[1:]]
        vitals = table.put(self.drops)
        seen = self.radius if self.radius else kernel.RING
        heads = {
            sites.W_ITEMS: items,
            sites.W_VITALS: len(self.vitals),
            sites.W_HEALTH: self.health_ticks,
            sites.P_VITALS: vitals,
            kernel.G_STRIDE: self.stride,
            kernel.G_CELLS: ring.size,
            kernel.G_HERE: int(self.here),
            kernel.G_HANDS: int(self.hands),
            kernel.G_SHARES: items if self.share else 0,
            kernel.G_MESSAGES: self.messages,
            kernel.G_ACTIONS: len(self.actions),
            kernel.G_MOVES: int(self.moving),
            kernel.G_EVENTS: len(self.events),
            kernel.G_WINDOW: seen,
            kernel.P_CELLS: table.put(ring.ravel().tolist()),
            kernel.P_BODIES: table.put(x for row in bodies for x in row),
            kernel.P_HAPPENINGS: table.put(x for row in happenings for x in row),
            kernel.P_SWAPS: table.put(x for row in swaps for x in row),
        }
        for place, value in heads.items():
            table.ints[place] = value
        return table.ints

    def _ring(self, cell: Cell) -> int:
        """Return the number of a cell where the rings around the map are counted too."""
        x, y = cell
        return x + kernel.RING + self.stride * (y + kernel.RING)

    def _unring(self, cell: int) -> Cell:
        """Return the cell with a number of ``_ring``."""
        return cell % self.stride - kernel.RING, cell // self.stride - kernel.RING

    @property
    def stride(self) -> int:
        """Cells from one row to the next, with the rings."""
        return self.width + 2 * kernel.RING

    def sizes(self) -> tuple[int, ...]:
        """Return its ``grid_kernel.Sizes``."""
        graph = self.graph
        cells = self.stride * (self.height + 2 * kernel.RING)
        unattended = any(s.attended is not None for s in graph.subtasks)
        return kernel.Sizes(
            ints=len(self._table),
            agents=len(graph.agents),
            subtasks=len(graph.subtasks),
            cells=cells,
            items=len(graph.items) if self.inventory else 0,
            vitals=1 + len(self.vitals) if self.vitals else 0,
            events=len(self.events),
            movers=cells if self.moving else 0,
            actions=len(self.actions),
            messages=int(self.messages > 0),
            facing=int(not self.here),
            hands=int(self.hands),
            pace=int(any(body.pace > 1 for body in self.bodies)),
            fog=int(self.fog),
            things=int(len(self.things.names) > 1),
            marks=int(len(graph.agents) > 1 or unattended),
            radius=min(kernel.RING, self.radius or kernel.RING),
        )

    def compile(self, sizes: tuple[int, ...], wide: int) -> list[int]:
        """Return its table; see ``base.Scene``."""
        z = kernel.Sizes(*sizes)
        ints = self._table + [0] * (z.ints - len(self._table))
        heads = {
            **{head: place for head, place in kernel.parts(z).items() if head >= 0},
            kernel.G_COLUMNS: z.actions,
            kernel.G_BODIES: z.agents,
            kernel.V_STOCKS: z.items,
            kernel.V_VITALS: z.vitals,
            kernel.V_MESSAGES: z.messages,
            kernel.V_FACING: z.facing,
            kernel.V_HANDS: z.hands,
            kernel.V_PACE: z.pace,
            kernel.V_FOG: z.fog,
            kernel.V_THINGS: z.things,
            kernel.V_MARKS: z.marks,
            kernel.V_RADIUS: z.radius,
        }
        for place, value in heads.items():
            ints[place] = value
        return ints

    # -------------------------------------------------------------- what is seen

    def names(self, kind: str) -> Sequence[str]:
        """Return what the subjects of events of a kind are called, by their number."""
        if kind == "move":
            return self.things.names
        return [a.name for a in self.graph.agents] if kind == "harm" else self.fixtures.names

    def place(self, m: Memory, a: int) -> Cell:
        """Return the cell of a body."""
        return self._unring(int(m.s[sites.body_of(m, a) + sites.BODY_AT]))

    def sees(self, m: Memory, agent: int | None, place: int) -> bool:
        """Return whether an agent's body (None: any body) sees a cell, given as ``x + width * y``."""
        return bool(self.seen(m, agent)[place // self.width, place % self.width])

    def seen(self, m: Memory, agent: int | None) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return ``[H, W]`` which cells an agent's body (None: any body) sees."""
        seen = np.zeros((self.height, self.width), bool)
        if not self.radius:
            seen[:] = True
        for a in range(len(self.bodies)) if agent is None else (agent,):
            x, y = self.place(m, a)
            r = self.radius
            seen[max(0, y - r) : y + r + 1, max(0, x - r) : x + r + 1] = True
        return seen

    def codes(self, m: Memory) -> Layer:
        """Return ``[H, W]`` the cells of a lane as the kernel keeps them."""
        first = m.t[at.Q_WORLD] + kernel.CELLS
        rows, ring = self.height + 2 * kernel.RING, kernel.RING
        cells = np.array(m.s[first : first + rows * self.stride], np.int32).reshape(rows, self.stride)
        return cells[ring:-ring, ring:-ring]

    def look(
        self, m: Memory, graph: TaskGraph, agent: int | None, knowledge: Knowledge, fog: bool = True
    ) -> GridView:
        """Return what an agent's body sees of a lane; None stands for the controller of all.

        Args:
            m: the lane, interpreted.
            graph: the task as it was loaded.
            agent: whose view.
            knowledge: under ``none`` the rules are not shown, since they name subtasks.
            fog: whether it hides anything; people who watch may see all.
        """
        seen = self.seen(m, agent) if fog else np.ones((self.height, self.width), bool)
        cells = self.codes(m)
        n, told = len(graph.subtasks), knowledge != "none"
        hidden = frozenset(i for i in range(n) if has(m, at.UNKNOWN, i))
        busy = {}
        for i in range(n):
            run = sites.run_of(m, i)
            if has(m, at.RUNNING, i) and m.t[m.s[run + sites.RUN_RULE] + sites.ON_THE_SPOT] == 0:
                x, y = self._unring(m.s[run + sites.RUN_SITE])
                if seen[y, x]:
                    busy[x, y] = i if told and i not in hidden else UNKNOWN
        return GridView(
            kind=self.kind,
            time=int(m.s[at.CLOCK]),
            actions=(*self.actions, "wait"),
            mask=self._mask(m, agent),
            bodies=tuple(self._body(m, a, agent, seen) for a in range(len(self.bodies))),
            viewer=agent,
            fixtures=np.where(seen, (cells & kernel.FIXTURE_BITS) - 1, UNKNOWN).astype(np.int16),
            things=np.where(seen, (cells & kernel.THING_BITS) >> kernel.THING_SHIFT, UNKNOWN).astype(
                np.int16
            ),
            fixture_names=self.fixtures.names,
            thing_names=self.things.names,
            fixture_looks=self.fixtures.looks,
            thing_looks=self.things.looks,
            solid=self.fixtures.flagged(sites.SOLID),
            obstacles=self.things.flagged(sites.SOLID),
            holds=self.fixtures.flagged(sites.HOLDS),
            swallows=self.fixtures.flagged(sites.SWALLOWS),
            portable=self.things.flagged(sites.PORTABLE),
            moving=self.things.flagged(sites.MOVING),
            reach="here" if self.here else "front",
            hands=self.hands,
            busy=busy,
            rules=self._rules(hidden) if told else {},
            radius=self.radius,
        )

    def _rules(self, hidden: frozenset[int]) -> Any:
        if hidden not in self._views:
            first = self.actions.index(self.verbs[0])
            self._views[hidden] = views_of(self.rules, hidden.__contains__, first, self.vitals)
        return self._views[hidden]

    def _mask(self, m: Memory, agent: int | None) -> np.ndarray[Any, np.dtype[np.int8]]:
        mask = np.zeros((len(self.bodies), len(self.actions) + 1), np.int8)
        mask[:, -1] = 1
        columns = m.t[m.t[at.T_WORLD] + kernel.G_COLUMNS]
        for a in range(len(self.bodies)) if agent is None else (agent,):
            row = [0] * (columns + 1)
            kernel.world_mask(m, a, row, 0)
            mask[a, :-1] = row[: len(self.actions)]
        return mask

    def _body(
        self, m: Memory, a: int, viewer: int | None, seen: np.ndarray[Any, np.dtype[np.bool_]]
    ) -> BodyView:
        q = sites.body_of(m, a)
        x, y = self.place(m, a)
        word = m.s[q + sites.WORD]
        common: dict[str, Any] = {
            "name": self.graph.agents[a].name,
            "pace": m.s[q + sites.PACE],
            "message": None if word < 0 else word,
        }
        if not seen[y, x] and viewer != a:
            return BodyView(at=None, ready=False, **common)
        stock: dict[str, int] = {}
        if self.inventory:
            own = sites.own_stock(m, a)
            stock = {item.name: m.s[own + k] for k, item in enumerate(self.graph.items)}
        vitals: dict[str, int] = {}
        if self.vitals:
            first = sites.part(m, sites.Q_VITALS) + a * (1 + len(self.vitals))
            vitals = {name: m.s[first + v] for v, name in enumerate(("health", *self.vitals))}
        return BodyView(
            at=(x, y),
            facing=FACINGS[m.s[q + sites.FACING]],
            hand=m.s[q + sites.HAND] if self.hands else None,
            stock=stock,
            down=bool(self.vitals) and vitals["health"] == 0,
            vitals=vitals,
            ready=bool(sites.ready(m, a)),
            **common,
        )

    # -------------------------------------------------------------- as data

    def to_dict(self) -> dict[str, Any]:
        """Return it as the mapping that loads to it."""
        mapping: dict[str, Any] = json.loads(self._text)
        return mapping

    @cached_property
    def _text(self) -> str:
        return json.dumps(self._plain, ensure_ascii=True, allow_nan=False, separators=(",", ":"))

    @cached_property
    def digest(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of what it says."""
        return hashlib.sha256(self._text.encode("ascii")).hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        """Compare what the scenes say, and of which tasks."""
        if not isinstance(other, GridScene):
            return NotImplemented
        return self._text == other._text and self.graph == other.graph

    def __hash__(self) -> int:
        """Hash what the scene says."""
        return hash(self._text)

    def __repr__(self) -> str:
        """Return the size and the digest."""
        return f"GridScene({self.width} x {self.height}, {len(self.bodies)} bodies, {self.digest})"
