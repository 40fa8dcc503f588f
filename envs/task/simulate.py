"""Play a task graph in the head: one lane, interpreted, for planners and checks.

Owns a friendly face for the kernel: names in and out, cloning, continuing from what an
agent has observed. It adds no rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np

from stratagym.envs.task import kernel
from stratagym.envs.task import layout as at
from stratagym.envs.task.compile import compile_graph, dims_of
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.nodes import has, u64
from stratagym.envs.task.starts import able
from stratagym.envs.task.view import REFUSALS, STATUS

CLOCKS = {"tick": kernel.TICK_CLOCK, "decision": kernel.DECISION_CLOCK, "event": kernel.EVENT_CLOCK}


class Happening(NamedTuple):
    """One event of a step: when, what kind, on what, and by whom.

    ``subtask`` names a subtask, resource, item or agent, or something of the world, and
    ``subject`` is its number. ``place`` is the number of the cell or location where an event of
    the world took place, -1 for all others.
    """

    tick: int
    kind: str
    subtask: str
    agents: tuple[int, ...]
    subject: int = -1
    place: int = -1


class Named(Protocol):
    """What knows the names of the things of a world: its scene."""

    def names(self, kind: str) -> Sequence[str]:
        """Return what the subjects of events of a kind are called, by their number."""


def empty_lane(t: list[int], tb: list[int]) -> at.Memory:
    """Return the memory of one interpreted lane for a compiled task."""
    rows = at.X_ROWS * t[at.T_WORDS] + 2 * t[at.DIRTY_WORDS]
    return at.Memory(t, tb, [0] * t[at.S_LENGTH], [0] * t[at.SB_LENGTH], [0] * t[at.X_END], [0] * rows)


def event_rows(m: at.Memory) -> list[tuple[int, int, int, int]]:
    """Return the event rows of the latest step: tick, kind, subject, amount or agent."""
    starts = range(1, 1 + int(m.x[0]) * at.EVENT_SIZE, at.EVENT_SIZE)
    return [(m.x[k], m.x[k + 1], m.x[k + 2], m.x[k + 3]) for k in starts]


def happenings(
    m: at.Memory,
    graph: TaskGraph,
    rows: Iterable[tuple[int, int, int, int]],
    scene: Named | None = None,
) -> list[Happening]:
    """Return the events of the latest step in words.

    Args:
        m: a lane just stepped.
        graph: its task.
        rows: see ``event_rows``.
        scene: where it is played, None in the abstract world.
    """
    found: list[Happening] = []
    subtasks, crews = graph.subtasks, m.t[at.CREW_WORDS] != 0
    for tick, code, what, who in rows:
        kind = at.EVENT_WORDS[code]
        if code <= at.E_FAILURE:
            found.append(Happening(tick, kind, subtasks[what].name, crew(m, what) if crews else (0,), what))
            continue
        if kind == "join":
            continue
        if code >= at.E_MOVE:
            if scene is None:
                raise ValueError(f"an event {kind!r} of a world, without its scene")
            crew_of = (what,) if code == at.E_HARM else ()
            found.append(Happening(tick, kind, scene.names(kind)[what], crew_of, what, who))
            continue
        if kind == "close" and has(m, at.UNKNOWN, what):
            continue
        if kind == "capacity":
            name = graph.resources[what].name
        elif kind == "stock":
            name = graph.items[what - m.t[at.T_RESOURCES]].name
        elif kind == "agent":
            name = graph.agents[what].name
        else:
            name = graph.subtasks[what].name
        found.append(Happening(tick, kind, name, (what,) if kind == "agent" else (), what))
    return found


def crew(m: at.Memory, i: int) -> tuple[int, ...]:
    """Return the agents that made the latest start of subtask ``i``."""
    if m.t[at.CREW_WORDS] == 0:
        return (0,) if m.s[at.S_HEADS + i * at.S_COLUMNS + at.STARTS] > 0 else ()
    base = m.t[at.QB_CREW] + i * m.t[at.CREW_WORDS]
    return _members(int(m.sb[base]) if m.t[at.CREW_WORDS] == 1 else _joined(m, base))


def _joined(m: at.Memory, base: int) -> int:
    """Return a crew's words as one number."""
    return sum(int(m.sb[base + w]) << (64 * w) for w in range(m.t[at.CREW_WORDS]))


@lru_cache(maxsize=1024)
def _members(bits: int) -> tuple[int, ...]:
    """Return the numbers of the bits that are set."""
    return tuple(a for a in range(bits.bit_length()) if bits >> a & 1)


def tardiness(m: at.Memory, weights: Sequence[float]) -> float:
    """Return the weighted tardiness so far, at the end with what never succeeded charged."""
    total = 0.0
    for d in range(m.t[at.T_DUES]):
        total += float(weights[d]) * kernel.lateness(m, d)
    return total


class Simulator:
    """One interpreted lane under the tick clock (or another).

    Args:
        graph: the task.
        seed: of the draws.
        lane: ``TaskView.lane``: continue from what an agent has observed, with this
            simulator's own draws.
        clock: ``tick``, ``decision`` or ``event``.
    """

    def __init__(self, graph: TaskGraph, seed: int = 0, lane: Any = None, clock: str = "tick") -> None:
        self.graph = graph
        self.mode = CLOCKS[clock]
        if lane is None:
            t, tb = compile_graph(graph, dims_of([graph]))
            self.memory = empty_lane(t, tb)
            kernel.reset_lane(self.memory, seed & (2**64 - 1))
        else:
            self.memory = copy_memory(lane)
            self.memory.sb[self.memory.t[at.QB_SEED]] = u64(seed & (2**64 - 1))
        self._paid = 0.0
        self._refusals: list[int] = [0] * len(graph.agents)

    def clone(self) -> Simulator:
        """Return an independent copy of this moment."""
        other = Simulator.__new__(Simulator)
        other.graph, other.mode = self.graph, self.mode
        other.memory = copy_memory(self.memory)
        other._paid, other._refusals = self._paid, list(self._refusals)
        return other

    @property
    def time(self) -> int:
        """The clock in ticks."""
        return int(self.memory.s[at.CLOCK])

    @property
    def over(self) -> str | None:
        """``terminated``, ``truncated`` or None."""
        return (None, "terminated", "truncated")[self.memory.s[at.OVER]]

    @property
    def success(self) -> bool:
        """Whether the goal was reached."""
        return bool(self.memory.s[at.GOAL])

    @property
    def dead_end(self) -> bool:
        """Whether the goal is proved to be out of reach."""
        return bool(self.memory.s[at.DEAD_END])

    @property
    def paid(self) -> float:
        """The sum of the file's rewards so far."""
        return self._paid

    @property
    def tardiness(self) -> float:
        """Weighted tardiness so far."""
        return tardiness(self.memory, [due.weight for due in self.graph.dues])

    @property
    def refusals(self) -> list[str | None]:
        """Per agent, why its last action was not accepted."""
        return [REFUSALS[code - 1] if code else None for code in self._refusals]

    def status(self) -> list[str]:
        """Return the status of every subtask."""
        return [STATUS[kernel.status_of(self.memory, i)] for i in range(len(self.graph.subtasks))]

    def mask(self) -> np.ndarray[Any, np.dtype[np.int8]]:
        """Return the exact mask, ``[agents, n + 1]`` int8."""
        n, count = self.memory.t[at.T_WIDE], len(self.graph.agents)
        flat = [0] * (count * (n + 1))
        for a in range(count):
            kernel.write_mask(self.memory, a, flat, a * (n + 1))
        whole = np.array(flat, np.int8).reshape(count, n + 1)
        return np.concatenate([whole[:, : len(self.graph.subtasks)], whole[:, n:]], axis=1)

    def step(self, actions: Sequence[int]) -> list[Happening]:
        """Take one step; an action beyond the subtasks waits. Returns what happened."""
        m = self.memory
        n, wide = len(self.graph.subtasks), m.t[at.T_WIDE]
        named = [int(i) if 0 <= int(i) < n else wide for i in actions]
        named += [wide] * (_agents(m) - len(named))
        spare = at.Memory(m.t, m.tb, m.s[:], m.sb[:], m.x, m.xb)
        before = at.Memory(m.t, m.tb, m.s[:], m.sb[:], m.x, m.xb) if self.mode == 2 else spare
        kernel.step_lane(m, spare, before, named, self.mode)
        refusals = m.t[at.X_REFUSALS]
        self._refusals = [int(m.x[refusals + a]) for a in range(len(self.graph.agents))]
        for k in range(m.x[0]):
            row = 1 + k * at.EVENT_SIZE
            if m.x[row + at.E_KIND] == at.E_SUCCESS and m.x[row + at.E_WHO]:
                self._paid += self.graph.subtasks[m.x[row + at.E_WHAT]].reward
        return happenings(m, self.graph, event_rows(m))

    def free(self) -> dict[str, int]:
        """Return the free capacity of every resource."""
        q = self.memory.t[at.Q_LEVELS]
        return {r.name: int(self.memory.s[q + k]) for k, r in enumerate(self.graph.resources)}

    def stock(self) -> dict[str, int]:
        """Return the stock of every item."""
        q = self.memory.t[at.Q_LEVELS] + self.memory.t[at.T_RESOURCES]
        return {item.name: int(self.memory.s[q + k]) for k, item in enumerate(self.graph.items)}

    def can(self, agent: int, subtask: int) -> bool:
        """Return whether the agent has the skill that the subtask asks for."""
        return bool(able(self.memory, agent, subtask))


def copy_memory(m: at.Memory) -> at.Memory:
    """Return an interpreted copy of a lane; the task is shared."""
    return at.Memory(m.t, m.tb, list(m.s), list(m.sb), list(m.x), list(m.xb))


def _agents(m: at.Memory) -> int:
    """Return how many agents the padded shape has."""
    return (m.t[at.Q_AUTOMATA] - m.t[at.Q_AGENTS]) // at.AGENT_SIZE
