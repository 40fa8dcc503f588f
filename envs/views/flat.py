"""The ``flat`` view: a fixed-size dictionary of arrays that one network can read.

Owns its space and how tasks and lanes are written into it. Three keys, and in a world a fourth:

- ``subtasks`` ``[F, N]`` uint8: one row a feature (``FEATURES``), one column a subtask;
- ``state`` ``[K]`` uint8: the clock, agents, free capacity, stock, automata;
- ``static`` ``[S]`` float32: the task itself, written at reset only;
- ``world`` ``[V]`` uint8: what the world shows of itself. Where bodies act by a Box it is float32
  in -1..1: of two bytes each, the high one first, 32768 standing for 0.

Ticks and amounts are capped at 255, and so small integers are all that moves at every
step. What a family never uses, and static numbers that are the same in all its tasks,
take no room. Under ``structure`` and ``none`` only what is granted is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from stratagym.envs.task import layout as at
from stratagym.envs.task.compile import support
from stratagym.envs.task.graph import TRUE, Duration, TaskGraph
from stratagym.envs.task.layout import Bytes, Ints, Memory
from stratagym.envs.task.nodes import FULL, ONE, ZERO, expand, lowest, words_of
from stratagym.envs.task.starts import idle, shortest
from stratagym.envs.task.view import Knowledge, hidden_at_reset, hide_subtasks, hide_times

(
    IS_DONE,
    IS_RUNNING,
    IS_ELIGIBLE,
    IS_CLOSED,
    IS_FAILED,
    IS_UNKNOWN,
    AGE,  # ticks since the start of what runs
    SINCE_SUCCESS,
    SINCE_START,
    ROOM,  # ticks left in which it can still be started in time
    ATTEMPTS_LEFT,
    SHORTEST_NOW,
) = range(12)
FEATURES = (
    "done",
    "running",
    "eligible",
    "closed",
    "failed",
    "unknown",
    "age",
    "since success",
    "since start",
    "room",
    "attempts left",
    "shortest now",
)
CAP = 255
"""Where ticks and amounts are cut off."""

Vector = np.ndarray[Any, np.dtype[np.float32]]


# ------------------------------------------------------------------ what moves


def capped(x: int) -> int:
    """Return ``x`` within 0..255."""
    return min(CAP, max(0, x))


def tick_feature(m: Memory, feature: int, i: int) -> int:
    """Return a feature of subtask ``i`` that is not a bit."""
    q = at.S_HEADS + i * at.S_COLUMNS
    clock = m.s[at.CLOCK]
    if feature == AGE:
        return capped(clock - m.s[q + at.START]) if m.s[q + at.END] >= 0 else 0
    if feature == SINCE_SUCCESS:
        return capped(clock - m.s[q + at.SUCCEEDED] + 1) if m.s[q + at.SUCCEEDED] >= 0 else 0
    if feature == SINCE_START:
        return capped(clock - m.s[q + at.START] + 1) if m.s[q + at.START] >= 0 else 0
    if feature == ROOM:
        if m.s[q + at.DEADLINE] >= at.FAR:
            return CAP
        return capped(m.s[q + at.DEADLINE] - shortest(m, i) - clock + 1)
    if feature == ATTEMPTS_LEFT:
        attempts = m.t[at.HEADS + i * at.COLUMNS + at.ATTEMPTS]
        return CAP if attempts >= at.FAR else capped(attempts - m.s[q + at.STARTS])
    return capped(shortest(m, i))


def write_subtasks(m: Memory, features: Ints, out: Bytes, base: int) -> None:
    """Write the features of all subtasks, feature after feature, from ``out[base]`` on.

    Args:
        m: the lane.
        features: codes of ``FEATURES``.
        out: bytes; what is written is all of ``len(features) * N``.
        base: where to begin.
    """
    n = m.t[at.T_WIDE]
    words = words_of(m)
    for f in range(len(features)):
        feature = features[f]
        place = base + f * n
        if feature < AGE:
            row = feature_row(feature)
            for w in range(words):
                bits = m.sb[row * words + w]
                if feature == IS_FAILED:
                    # Spent is only failed if nothing came of it.
                    bits &= bits ^ (m.sb[at.DONE * words + w] & bits)
                    bits &= bits ^ (m.sb[at.RUNNING * words + w] & bits)
                expand(bits, out, place + (w << 6), min(64, n - (w << 6)))
        else:
            for w in range(words):
                expand(ZERO, out, place + (w << 6), min(64, n - (w << 6)))
                look = m.sb[at.RUNNING * words + w]
                if feature > AGE:
                    hidden = m.sb[at.UNKNOWN * words + w]
                    look = m.tb[feature_row(feature) * words + w] & (FULL ^ hidden)
                while look != ZERO:
                    i = (w << 6) + lowest(look)
                    look &= look - ONE
                    out[place + i] = tick_feature(m, feature, i)


def feature_row(feature: int) -> int:
    """Return the bit row behind a feature: the lane's, or, of ticks, the task's row of those it tells of."""
    if feature == IS_DONE:
        return at.DONE
    if feature == IS_RUNNING:
        return at.RUNNING
    if feature == IS_ELIGIBLE:
        return at.ELIGIBLE
    if feature == IS_CLOSED:
        return at.CLOSED
    if feature == IS_FAILED:
        return at.SPENT
    if feature == IS_UNKNOWN:
        return at.UNKNOWN
    if feature == SINCE_SUCCESS:
        return at.B_LED
    if feature == SINCE_START:
        return at.B_TRACED
    if feature == ROOM:
        return at.B_DEADLINE
    if feature == ATTEMPTS_LEFT:
        return at.B_LIMITED
    return at.B_VARIED


def write_state(m: Memory, rich: int, out: Bytes, base: int) -> None:
    """Write the clock and, if ``rich``, agents, levels and automata, from ``out[base]`` on."""
    horizon = m.t[at.T_HORIZON]
    clock = m.s[at.CLOCK]
    out[base] = capped(clock)
    out[base + 1] = capped(clock * CAP // horizon) if horizon < at.FAR else 0
    if rich == 0:
        return
    k = base + 2
    count = (m.t[at.Q_AUTOMATA] - m.t[at.Q_AGENTS]) // at.AGENT_SIZE
    for a in range(count):
        q = m.t[at.Q_AGENTS] + a * at.AGENT_SIZE
        out[k] = 1 if a < m.t[at.T_AGENTS] and idle(m, a) else 0
        out[k + 1] = 1 if m.s[q + at.DOWN_UNTIL] > clock else 0
        k += 2
    for level in range(m.t[at.T_LEVELS]):
        out[k] = capped(m.s[m.t[at.Q_LEVELS] + level])
        k += 1
    if rich > 1:
        for c in range(m.t[at.Q_EVENTS] - m.t[at.Q_AUTOMATA]):
            out[k] = m.s[m.t[at.Q_AUTOMATA] + c] if c < m.t[at.T_CONSTRAINTS] else 0
            k += 1


# ------------------------------------------------------------------ what stands


class Block(NamedTuple):
    """One named part of the static numbers."""

    name: str
    shape: tuple[int, ...]


def duration_numbers(duration: Duration) -> tuple[float, float, float, float]:
    """Return shortest, longest (-1 if the world decides), mean, and a number for the values of a choice."""
    longest = duration.longest
    weighted = sum(v * (k + 1) for k, v in enumerate(duration.values)) if duration.kind == "choice" else 0
    return duration.shortest, -1 if longest is None else longest, duration.mean, weighted


def subtask_columns(graph: TaskGraph) -> Vector:
    """Return the timing and other single numbers of every subtask, ``[n, 17]``."""
    due = {i: d for d in graph.dues for i in d.members}
    rows = []
    for i, s in enumerate(graph.subtasks):
        shortest, longest, mean, values = duration_numbers(s.duration)
        rows.append(
            (
                1.0,
                shortest,
                longest,
                mean,
                -1 if s.attended is None else s.attended,
                s.release,
                -1 if s.deadline is None else s.deadline,
                due[i].due if i in due else -1,
                due[i].weight if i in due else 0,
                s.success,
                -1 if s.attempts is None else s.attempts,
                s.agents,
                -1 if s.skill is None else s.skill,
                s.reward,
                s.repeatable,
                s.pay_group,
                values,
            )
        )
    return np.array(rows, np.float32)


def needs_matrix(graph: TaskGraph) -> Vector:
    """Return who stands how in whose needs, ``[n, n]``: 1 asked for, -1 only negated, 0 not at all."""
    n = len(graph.subtasks)
    out = np.zeros((n, n), np.float32)
    for i, s in enumerate(graph.subtasks):
        for j in support(graph, s.needs):
            out[i, j] = 1.0
        for lag in s.lags:
            out[i, list(lag.predecessors)] = 1.0
    for gate in graph.gates:
        for v in gate.negative:
            if v < n and v != TRUE:
                for i, s in enumerate(graph.subtasks):
                    if s.needs != TRUE and v in support(graph, s.needs) and not _asks(graph, s.needs, v):
                        out[i, v] = -1.0
    return out


def _asks(graph: TaskGraph, node: int, i: int) -> bool:
    """Return whether ``i`` stands as a positive literal somewhere under a node."""
    n = len(graph.subtasks)
    if node == i:
        return True
    if node < n:
        return False
    gate = graph.gates[node - n]
    return any(_asks(graph, v, i) for v in (*gate.positive, *gate.negative) if v >= n) or i in gate.positive


def lag_rows(graph: TaskGraph) -> list[tuple[float, ...]]:
    """Return one row for each pair of a lag: owner, predecessor, group, from start, min, max."""
    rows: list[tuple[float, ...]] = []
    group = 0
    for i, s in enumerate(graph.subtasks):
        for lag in s.lags:
            group += 1
            for p in lag.predecessors:
                maximum = -1 if lag.maximum is None else lag.maximum
                rows.append((i + 1, p + 1, group, lag.origin == "start", lag.minimum, maximum))
    return rows


def event_rows(graph: TaskGraph) -> list[tuple[float, ...]]:
    """Return one row for each target of each known event: kind, lo, hi, target, amount, duration (4)."""
    rows: list[tuple[float, ...]] = []
    for event in graph.events:
        if not event.known:
            continue
        kind = at.EVENT_KINDS.index(event.kind) + 1
        for k, target in enumerate(event.targets):
            amount = event.amounts[k] if event.amounts else 0
            drawn = duration_numbers(event.durations[k]) if event.durations else (0, 0, 0, 0)
            rows.append((kind, *event.at, target + 1, amount, *drawn))
    return rows


def automaton_rows(graph: TaskGraph) -> list[float]:
    """Return the automata as numbers: per formula its atoms, size, table, accepting and dead states."""
    numbers: list[float] = []
    for c in graph.constraints:
        kinds = ("done", "running", "started")
        numbers += [len(c.atoms), len(c.automaton.table), c.automaton.initial + 1]
        for atom in c.atoms:
            members = sorted(support(graph, atom.node)) if atom.kind == "done" else atom.members
            numbers += [kinds.index(atom.kind) + 1, atom.node + 2, len(members), *(i + 1 for i in members)]
        numbers += [q + 1 for letters in c.automaton.table for q in letters]
        numbers += [1 + a + 2 * d for a, d in zip(c.automaton.accepting, c.automaton.dead, strict=True)]
    return numbers


def choice_rows(graph: TaskGraph) -> list[tuple[float, ...]]:
    """Return one row for each branch of each choice: choice, done node (counted from 1), members."""
    n = range(len(graph.subtasks))
    return [
        (c + 1, b.node + 2, *(i in b.members for i in n))
        for c, choice in enumerate(graph.choices)
        for b in choice.branches
    ]


def gate_rows(graph: TaskGraph) -> list[tuple[float, ...]]:
    """Return one row for each literal of each gate: gate, count, node (counted from 1), sign."""
    return [
        (g + 1, gate.count, v + 2, sign)
        for g, gate in enumerate(graph.gates)
        for sign, nodes in ((1, gate.positive), (-1, gate.negative))
        for v in nodes
    ]


def static_parts(graph: TaskGraph, knowledge: Knowledge) -> dict[str, Vector]:
    """Return the task in named arrays of its own sizes, as far as the knowledge goes."""
    if knowledge == "none":
        return {}
    f32 = np.float32
    # Written at reset only, so what appears later is never in it.
    graph = hide_subtasks(graph, hidden_at_reset(graph))
    if knowledge == "structure":
        graph = hide_times(graph)
    n = len(graph.subtasks)
    goal = -2 if graph.goal is None else graph.goal
    parts = {
        "goal": np.array([goal + 3, n], f32),
        "roots": np.array([s.needs + 2 for s in graph.subtasks], f32),
        "needs": needs_matrix(graph),
        "gates": np.array(gate_rows(graph), f32).reshape(-1, 4),
        "uses": _amounts(graph, "uses", len(graph.resources)),
        "consumes": _amounts(graph, "consumes", len(graph.items)),
        "requires": _amounts(graph, "requires", len(graph.items)),
        "produces": _amounts(graph, "produces", len(graph.items)),
        "capacity": np.array([r.capacity for r in graph.resources], f32),
        "stock": np.array([k.stock for k in graph.items], f32),
        "skills": np.array([[k in a.skills for k in range(len(graph.skills))] for a in graph.agents], f32),
        "choices": np.array(choice_rows(graph), f32).reshape(-1, n + 2),
    }
    if knowledge == "structure":
        parts["subtasks"] = np.array([(s.reward, s.agents) for s in graph.subtasks], f32)
        return parts
    parts["subtasks"] = subtask_columns(graph)
    parts["horizon"] = np.array([-1 if graph.horizon is None else graph.horizon], f32)
    parts["lags"] = np.array(lag_rows(graph), f32).reshape(-1, 6)
    parts["events"] = np.array(event_rows(graph), f32).reshape(-1, 9)
    parts["automata"] = np.array(automaton_rows(graph), f32)
    return parts


def _amounts(graph: TaskGraph, name: str, width: int) -> Vector:
    """Return amounts as ``[n, width]``."""
    out = np.zeros((len(graph.subtasks), width), np.float32)
    for i, s in enumerate(graph.subtasks):
        for k, amount in getattr(s, name):
            out[i, k] = amount
    return out


def uses_of(graph: TaskGraph) -> set[str]:
    """Return the names of the features that can differ in a task's course."""
    subtasks = graph.subtasks
    kinds = {e.kind for e in graph.events}
    lags = [lag for s in subtasks for lag in s.lags]
    deadlines = any(s.deadline is not None for s in subtasks) or "deadline" in kinds
    found = {"done", "running", "eligible"}
    if deadlines:
        found |= {"closed", "room"}
    if any(s.attempts is not None for s in subtasks):
        found |= {"failed", "attempts left"}
    if "appear" in kinds:
        found.add("unknown")
    if any(s.duration.longest != 1 for s in subtasks):
        found.add("age")
    if any(lag.origin == "completion" for lag in lags):
        found.add("since success")
    if any(lag.origin == "start" for lag in lags):
        found.add("since start")
    if "duration" in kinds:
        found.add("shortest now")
    return found


GRANTED: dict[Knowledge, frozenset[str]] = {
    "full": frozenset(FEATURES),
    "structure": frozenset({"done", "running", "eligible", "closed", "failed", "unknown"}),
    "none": frozenset({"done", "running", "eligible"}),
}
"""The features that each level of knowledge grants."""


class FlatView:
    """Writes the flat view of the tasks of one family.

    Args:
        dims: the padded shape.
        uses: names of the features in use.
        shapes: the largest shape of each static part.
        knowledge: what is granted.
        kept: positions of the static numbers that are kept; None for all.
        moving: positions of the state part that are kept; None for all.
        world: bytes that the world writes.
        fine: whether two of them are one number.
        sighted: positions of the world's part that are kept; None for all.
    """

    def __init__(
        self,
        dims: at.Dims,
        uses: Sequence[str],
        shapes: Mapping[str, tuple[int, ...]],
        knowledge: Knowledge,
        kept: Sequence[int] | None = None,
        moving: Sequence[int] | None = None,
        world: int = 0,
        fine: bool = False,
        sighted: Sequence[int] | None = None,
    ) -> None:
        granted = GRANTED[knowledge] & set(uses)
        self.features = [k for k, name in enumerate(FEATURES) if name in granted]
        self.rich = {"full": 2, "structure": 1, "none": 0}[knowledge]
        self.blocks = [Block(name, shape) for name, shape in shapes.items()]
        self.kept = None if kept is None else np.array(kept, np.int64)
        self.knowledge: Knowledge = knowledge
        self.dims = dims
        more = {0: 0, 1: 2 * dims.agents + dims.levels, 2: 2 * dims.agents + dims.levels + dims.constraints}
        self.state_bytes = 2 + more[self.rich]
        # The second number tells of the horizon.
        hidden = () if knowledge == "full" else (1,)
        self._moving: Any = None
        if moving is not None or hidden:
            shown = range(self.state_bytes) if moving is None else moving
            kept_state = [k for k in shown if k < self.state_bytes and k not in hidden]
            self._moving = np.array(kept_state, np.int64)
        whole = sum(int(np.prod(b.shape)) for b in self.blocks)
        self.static_size = whole if self.kept is None else len(self.kept)
        self.world_bytes, self.fine = world, fine
        self.sighted = None if sighted is None else np.array(sighted, np.int64)
        # Where all is kept nothing need be copied.
        self._picks = sighted is not None and len(sighted) < (world // 2 if fine else world)
        self.space = self._space()

    @property
    def moving(self) -> list[int] | None:
        """Positions of the state part that are kept; None for all."""
        return None if self._moving is None else [int(k) for k in self._moving]

    @property
    def state_size(self) -> int:
        """How many numbers the state part shows."""
        return self.state_bytes if self._moving is None else len(self._moving)

    def state(self, written: Any) -> Any:
        """Return the state part of what a lane has written, ``[..., state_bytes]``."""
        return written if self._moving is None else written[..., self._moving]

    def world(self, written: Any) -> Any:
        """Return the world's part of what a lane has written, ``[..., world_size]``."""
        if self.fine:
            pairs = written.reshape(*written.shape[:-1], -1, 2).astype(np.float32)
            written = (pairs[..., 0] * 256 + pairs[..., 1]) / np.float32(32768) - np.float32(1)
        return written.take(self.sighted, axis=-1) if self._picks else written

    @property
    def world_size(self) -> int:
        """How many numbers the world's part shows."""
        if self.sighted is not None:
            return len(self.sighted)
        return self.world_bytes // 2 if self.fine else self.world_bytes

    def _space(self) -> spaces.Dict:
        u8 = np.uint8
        parts: dict[str, spaces.Space[Any]] = {
            "subtasks": spaces.Box(0, CAP, (len(self.features), self.dims.subtasks), u8),
            "state": spaces.Box(0, CAP, (self.state_size,), u8),
        }
        if self.static_size:
            parts["static"] = spaces.Box(-np.inf, np.inf, (self.static_size,), np.float32)
        if self.world_bytes and self.fine:
            parts["world"] = spaces.Box(-1.0, 1.0, (self.world_size,), np.float32)
        elif self.world_bytes:
            parts["world"] = spaces.Box(0, CAP, (self.world_size,), u8)
        return spaces.Dict(parts)

    def static(self, graph: TaskGraph) -> Vector:
        """Return the static numbers of one task, ``[static_size]`` float32."""
        parts = static_parts(graph, self.knowledge)
        pieces = []
        for block in self.blocks:
            padded = np.zeros(block.shape, np.float32)
            part = parts[block.name]
            padded[tuple(slice(0, size) for size in part.shape)] = part
            pieces.append(padded.ravel())
        whole = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
        return whole if self.kept is None else whole[self.kept]


def static_shapes(graphs: Sequence[TaskGraph], knowledge: Knowledge) -> dict[str, tuple[int, ...]]:
    """Return the largest shape of each static part over some tasks."""
    shapes: dict[str, tuple[int, ...]] = {}
    for graph in graphs:
        for name, part in static_parts(graph, knowledge).items():
            old = shapes.get(name, (0,) * part.ndim)
            shapes[name] = tuple(max(a, b) for a, b in zip(old, part.shape, strict=True))
    return {name: shape for name, shape in shapes.items() if int(np.prod(shape))}


def varying(view: FlatView, graphs: Sequence[TaskGraph]) -> list[int]:
    """Return the positions of the static numbers that differ between the tasks."""
    first = view.static(graphs[0])
    differs = np.zeros(len(first), bool)
    for graph in graphs[1:]:
        differs |= view.static(graph) != first
    return [int(k) for k in np.flatnonzero(differs)]
