"""A world of one line of cells, as small as a world can be that uses every part of the protocol.

Bodies walk left and right, block each other and work where a subtask has its cell. A subtask
of duration ``world`` takes 1 to 4 drawn ticks and fails once in four. At a drawn tick a cell is
blocked, and later clear again. With a radius, bodies see only so far.
"""

from __future__ import annotations

import hashlib
import json
import sys
import types
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stratagym.envs.rng import WORLD, bits32
from stratagym.envs.task import layout as at
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.kernel import any_idle
from stratagym.envs.task.layout import Bytes, Flags, Ints, Memory
from stratagym.envs.task.nodes import has, u64
from stratagym.envs.task.starts import able, below, emit, idle, reason_of
from stratagym.envs.worlds.base import OCCUPIED, Room, report
from stratagym.envs.worlds.view import BodyView, WorldView

# the table: these, then a cell for each subtask (-1: anywhere), then where each body begins
(W_CELLS, W_FROM, W_TO, W_FOR, W_BLOCK, W_RADIUS, W_HEADS) = range(7)
# the state: these, then the bodies' cells, then for each subtask the ticks that it still runs
(COMES, GOES, WALL, WORLD_HEADS) = range(4)
LEFT, RIGHT, WORK, ACTIONS = range(4)


def world(m: Memory, k: int) -> int:
    """Return a number of the table."""
    return m.t[m.t[at.T_WORLD] + k]


def body(m: Memory, a: int) -> int:
    """Return where in the state the cell of a body stands."""
    return m.t[at.Q_WORLD] + WORLD_HEADS + a


def timer(m: Memory, i: int) -> int:
    """Return where in the state the ticks stand that a subtask still runs."""
    agents = (m.t[at.Q_AUTOMATA] - m.t[at.Q_AGENTS]) // at.AGENT_SIZE
    return m.t[at.Q_WORLD] + WORLD_HEADS + agents + i


def fits(m: Memory, a: int, i: int) -> bool:
    """Return whether subtask ``i`` has its cell where body ``a`` stands."""
    cell = world(m, W_HEADS + i)
    return cell < 0 or cell == m.s[body(m, a)]


def in_the_way(m: Memory, cell: int) -> bool:
    """Return whether no body can enter a cell."""
    if cell < 0 or cell >= world(m, W_CELLS) or cell == m.s[m.t[at.Q_WORLD] + WALL]:
        return True
    for a in range(m.t[at.T_AGENTS]):
        if m.s[body(m, a)] == cell:
            return True
    return False


def near_to(m: Memory, a: int, cell: int) -> bool:
    """Return whether body ``a`` sees a cell."""
    radius = world(m, W_RADIUS)
    return radius == 0 or abs(m.s[body(m, a)] - cell) <= radius


def candidate(m: Memory, a: int) -> int:
    """Return what body ``a`` would start here: the first that it may, else the first, else -1."""
    first = -1
    for i in range(m.t[at.T_SUBTASKS]):
        if fits(m, a, i):
            if reason_of(m, i, a, m.t[at.HEADS + i * at.COLUMNS + at.AGENTS]) == at.NO_REFUSAL:
                return i
            if first < 0:
                first = i
    return first


def world_reset(m: Memory) -> None:
    """Place the bodies and draw when the cell is blocked."""
    q = m.t[at.Q_WORLD]
    bits = bits32(m.sb[m.t[at.QB_SEED]], u64(WORLD), u64(0), u64(0))
    m.s[q + COMES] = world(m, W_FROM) + below(bits, world(m, W_TO) - world(m, W_FROM) + 1)
    m.s[q + GOES] = m.s[q + COMES] + world(m, W_FOR)
    m.s[q + WALL] = -1
    for a in range(m.t[at.T_AGENTS]):
        m.s[body(m, a)] = world(m, W_HEADS + m.t[at.T_WIDE] + a)


def world_act(m: Memory, actions: Ints, attempts: Ints) -> None:
    """Move the bodies, or name what they work on."""
    for a in range(m.t[at.T_AGENTS]):
        if actions[a] < 0 or actions[a] >= ACTIONS:
            continue
        if not idle(m, a):
            attempts[a] = OCCUPIED
        elif actions[a] == WORK:
            attempts[a] = candidate(m, a)
        else:
            cell = m.s[body(m, a)] + (1 if actions[a] == RIGHT else -1)
            if not in_the_way(m, cell):
                m.s[body(m, a)] = cell


def world_apply(m: Memory, first: int) -> None:
    """Draw how long a run takes whose end is the world's."""
    for k in range(first, m.x[0]):
        row = 1 + k * at.EVENT_SIZE
        if m.x[row + at.E_KIND] == at.E_START:
            i = m.x[row + at.E_WHAT]
            bits = bits32(m.sb[m.t[at.QB_SEED]], u64(WORLD), u64(1 + i), u64(1 + m.s[at.CLOCK]))
            m.s[timer(m, i)] = 1 + below(bits, 4)


def world_move(m: Memory) -> None:
    """Block and clear the cell; end the runs whose time is up."""
    q = m.t[at.Q_WORLD]
    now = m.s[at.CLOCK] + 1
    if now == m.s[q + COMES]:
        m.s[q + WALL] = world(m, W_BLOCK)
        emit(m, at.E_BLOCK, 0, world(m, W_BLOCK))
    if now == m.s[q + GOES]:
        m.s[q + WALL] = -1
        emit(m, at.E_CLEAR, 0, world(m, W_BLOCK))
    for i in range(m.t[at.T_SUBTASKS]):
        if m.t[m.t[at.HEADS + i * at.COLUMNS + at.DURATION0] + at.DUR_KIND] != at.DUR_WORLD:
            continue
        if has(m, at.RUNNING, i):
            m.s[timer(m, i)] -= 1
            if m.s[timer(m, i)] == 0:
                bits = bits32(m.sb[m.t[at.QB_SEED]], u64(WORLD), u64(1001 + i), u64(now))
                report(m, i, below(bits, 4) != 0)


def world_ready(m: Memory) -> bool:
    """Return whether some body is idle."""
    return any_idle(m)


def world_mask(m: Memory, a: int, out: Flags, base: int) -> None:
    """Write whether body ``a`` may walk and work."""
    free = a < m.t[at.T_AGENTS] and idle(m, a)
    work = False
    if free:
        for i in range(m.t[at.T_SUBTASKS]):
            work = work or (fits(m, a, i) and has(m, at.ELIGIBLE, i) and able(m, a, i))
    out[base + LEFT] = 1 if free else 0
    out[base + RIGHT] = 1 if free else 0
    out[base + WORK] = 1 if work else 0
    out[base + ACTIONS] = 1


def world_view(m: Memory, out: Bytes, base: int) -> None:
    """Write the number of cells, then what each body sees: the blocked cell and all bodies."""
    agents = (m.t[at.Q_AUTOMATA] - m.t[at.Q_AGENTS]) // at.AGENT_SIZE
    wall = m.s[m.t[at.Q_WORLD] + WALL]
    out[base] = world(m, W_CELLS)
    for a in range(agents):
        own = base + 1 + a * (1 + agents)
        there = a < m.t[at.T_AGENTS]
        out[own] = wall + 1 if there and wall >= 0 and near_to(m, a, wall) else 0
        for b in range(agents):
            seen = there and b < m.t[at.T_AGENTS] and near_to(m, a, m.s[body(m, b)])
            out[own + 1 + b] = m.s[body(m, b)] + 1 if seen else 0


def room(sizes: tuple[int, ...]) -> Room:
    """Return what corridors of up to these sizes take."""
    _, agents, subtasks = sizes
    return Room(
        ints=W_HEADS + subtasks + agents,
        state=WORLD_HEADS + agents + subtasks,
        rows=2,
        view=1 + agents * (1 + agents),
        actions=ACTIONS,
        own=1 + agents,
    )


@dataclass(frozen=True)
class Corridor:
    """One corridor.

    Attributes:
        cells: how many.
        at: cell of each subtask, -1 for any.
        bodies: where they begin.
        block: cell that is blocked.
        during: first and last tick at which that may begin, and for how long.
        radius: how far a body sees, 0 for everything.
    """

    cells: int
    at: tuple[int, ...]
    bodies: tuple[int, ...]
    block: int
    during: tuple[int, int, int]
    radius: int = 0

    kind = "corridor"
    actions = ("left", "right", "work")
    action_width = 1
    box = None

    @property
    def kernel(self) -> types.ModuleType:
        """This module."""
        return sys.modules[__name__]

    @property
    def span(self) -> int:
        """The way from end to end."""
        return self.cells

    @property
    def fog(self) -> bool:
        """Whether bodies see only part of it."""
        return self.radius > 0

    @property
    def digest(self) -> str:
        """Of what it says."""
        return hashlib.sha256(json.dumps(self.to_dict()).encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"world": "corridor", **self.__dict__}

    def sizes(self) -> tuple[int, ...]:
        """Return cells, bodies and subtasks."""
        return self.cells, len(self.bodies), len(self.at)

    def compile(self, sizes: tuple[int, ...], wide: int) -> list[int]:
        """Return its table."""
        heads = [self.cells, *self.during, self.block, self.radius]
        cells = [*self.at, *[0] * (wide - len(self.at))]
        return [*heads, *cells, *self.bodies, *[0] * (sizes[1] - len(self.bodies))]

    def names(self, kind: str) -> Sequence[str]:
        """Return the name of the only thing that events tell of."""
        return ("rubble",)

    def sees(self, m: Memory, agent: int | None, place: int) -> bool:
        """Return whether a body (or any) sees a cell."""
        bodies = range(m.t[at.T_AGENTS]) if agent is None else (agent,)
        return any(near_to(m, a, place) for a in bodies)

    def look(self, m: Memory, graph: TaskGraph, agent: int | None, knowledge: str) -> WorldView:
        """Return what a body (or all) can see."""
        agents = (m.t[at.Q_AUTOMATA] - m.t[at.Q_AGENTS]) // at.AGENT_SIZE
        mask = np.zeros((agents, ACTIONS + 1), np.int8)
        mask[:, -1] = 1
        for a in range(agents) if agent is None else (agent,):
            row = [0] * (ACTIONS + 1)
            world_mask(m, a, row, 0)
            mask[a] = row
        bodies = tuple(
            BodyView(
                name=graph.agents[b].name,
                at=m.s[body(m, b)] if self.sees(m, agent, m.s[body(m, b)]) else None,
                ready=bool(idle(m, b)),
            )
            for b in range(m.t[at.T_AGENTS])
        )
        return WorldView(
            kind=self.kind,
            time=m.s[at.CLOCK],
            actions=(*self.actions, "wait"),
            mask=mask,
            bodies=bodies,
            viewer=agent,
        )


TASK: dict[str, Any] = {
    "name": "corridor",
    "horizon": 40,
    "agents": [{"name": "ann", "skills": ["lift"]}, {"name": "bob"}],
    "subtasks": {
        "dig": {"duration": 2, "reward": 1},
        "press": {"duration": "world", "attempts": 4, "reward": 2},
        "lift": {"duration": 3, "attended": 1, "skill": "lift", "needs": "dig", "reward": 1},
        "ring": {"duration": 1, "attended": 0, "repeatable": True},
        "carry": {"duration": 2, "agents": 2, "needs": "press"},
        "leave": {"duration": 1, "needs": "lift & carry"},
    },
    "goal": "leave",
    "events": [{"at": {"uniform": [3, 9]}, "undo": "dig"}, {"at": 12, "agent": "bob", "down": 3}],
}
"""Two agents, a joint subtask, one whose end is the world's, events, a dispatch."""

SCENE = Corridor(7, (1, 5, 3, -1, 3, 6), (0, 4), 2, (2, 8, 6))
"""Where it is played."""

LONE: dict[str, Any] = {
    "name": "alone",
    "horizon": 30,
    "subtasks": {
        "fetch": {"duration": 1, "reward": 1},
        "turn": {"duration": "world", "needs": "fetch", "reward": 2},
        "close": {"duration": {"uniform": [1, 3]}, "success": 0.7, "needs": "turn", "deadline": 26},
    },
    "goal": "close",
}
LONE_SCENE = Corridor(5, (4, 0, 2), (2,), 1, (4, 9, 3), 1)
"""One agent, in a fog."""


def task_of(index: int) -> dict[str, Any]:
    """Return a task of a family: more of one kind of work, the larger the index."""
    names = [f"job {k}" for k in range(2 + index)]
    subtasks = {name: {"duration": 1 + k % 2, "reward": 1} for k, name in enumerate(names)}
    return {"name": f"jobs {index}", "agents": 1 + index % 2, "subtasks": subtasks, "goal": " & ".join(names)}


def scene_of(index: int) -> Corridor:
    """Return the scene of a task of the family."""
    cells = tuple(k % (4 + index) for k in range(2 + index))
    return Corridor(4 + index, cells, tuple(range(1 + index % 2)), 3, (1, 5, 2), index % 2)
