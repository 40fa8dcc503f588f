"""From a lane to what an agent may know: views of the task, events and refusals in words.

Owns the one place where knowledge is enforced on words. The arrays of the flat and the
graph view are cut down by the views themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from stratagym.envs.api.acting import UNUSED, naming, world_names
from stratagym.envs.api.options import Options
from stratagym.envs.rng import permutation
from stratagym.envs.step import Model
from stratagym.envs.task import kernel
from stratagym.envs.task import layout as at
from stratagym.envs.task.graph import Duration, TaskGraph
from stratagym.envs.task.imagine import agent_view, run_view
from stratagym.envs.task.layout import Memory
from stratagym.envs.task.nodes import has
from stratagym.envs.task.simulate import Happening
from stratagym.envs.task.view import (
    REFUSALS,
    STATUS,
    Knowledge,
    Observation,
    TaskView,
    hide_subtasks,
    hide_times,
)

_PLACE = frozenset(at.EVENT_WORDS[at.E_MOVE :])
"""Events of a place: whoever sees it may know of them."""
_PLAIN_REASONS = frozenset({"unknown", "busy", "finished", "world"})
_EVENTS: dict[Knowledge, frozenset[str]] = {
    "full": frozenset(at.EVENT_WORDS),
    "structure": frozenset(
        {"start", "success", "failure", "spoil", "undo", "agent", "appear", "capacity", "stock"}
    )
    | _PLACE,
    "none": frozenset({"start", "success", "failure", "spoil", "undo", "agent", "appear"}) | _PLACE,
}


class Order:
    """The order in which an agent sees the subtasks under ``none``: drawn by the seed.

    Args:
        seed: of the episode.
        count: subtasks of the task.
        wide: subtasks of the padded shape; what only fills up stays behind.
    """

    def __init__(self, seed: int, count: int, wide: int) -> None:
        self.shown = [*permutation(seed, count), *range(count, wide)]
        self.count = count
        self._places = np.array(self.shown, np.int64)
        self._position = {i: k for k, i in enumerate(self.shown)}

    @classmethod
    def drawn(cls, env: Any) -> Order:
        """Return the order of an environment's present episode."""
        m = env.lanes.memory(0)
        return cls(int(m.sb[m.t[at.QB_SEED]]), len(env.task.graph.subtasks), m.t[at.T_WIDE])

    def action(self, shown: int, first: int = 0) -> int:
        """Return the true number of an action of which that for the first subtask is ``first``.

        What attempts no subtask stays what it is.
        """
        k = shown - first
        return first + self.shown[k] if 0 <= k < self.count else shown

    def shuffle(self, array: np.ndarray[Any, Any], first: int = 0) -> np.ndarray[Any, Any]:
        """Return a copy with the columns of the subtasks, from ``first`` on, in this order."""
        out = array.copy()
        out[..., first : first + self.count] = array[..., first + self._places[: self.count]]
        return out

    def names(self, names: Sequence[str], opaque: bool) -> list[str]:
        """Return the names in this order; opaque ones tell nothing."""
        return [f"subtask {k}" if opaque else names[i] for k, i in enumerate(self.shown[: self.count])]

    def position(self, i: int) -> int:
        """Return the action that starts subtask ``i``."""
        return self._position[i]


def action_names(model: Model, index: int, order: Order | None, opaque: bool) -> tuple[str, ...]:
    """Return the name of every numbered action as an agent sees them; the last is ``wait``.

    Args:
        model: the tasks.
        index: which is played.
        order: of the subtasks under ``none``.
        opaque: whether their names are hidden.
    """
    own, first = world_names(model, index), naming(model, index)
    names = model.graph(index).names
    shown = names if order is None else tuple(order.names(names, opaque))
    if own is None:
        unused = (f"{UNUSED} {k})" for k in range(len(names), model.dims.subtasks))
        return (*shown, *unused, "wait")
    if order is None or first is None:
        return own
    return (*own[:first], *shown, *own[first + len(names) :])


def visible_refusal(code: int, knowledge: Knowledge) -> str | None:
    """Return the reason in words as far as the knowledge goes; None if there was none."""
    if code == 0:
        return None
    reason = REFUSALS[code - 1]
    return reason if knowledge != "none" or reason in _PLAIN_REASONS else REFUSALS[-1]


def visible_events(
    happened: Sequence[Happening],
    knowledge: Knowledge,
    order: Order | None,
    opaque: bool,
    sees: Callable[[int], bool] | None = None,
) -> list[dict[str, Any]]:
    """Return the events of a step that the knowledge and the fog grant, as dictionaries.

    Args:
        happened: all of them.
        knowledge: what is granted.
        order: of the subtasks under ``none``.
        opaque: whether their names are hidden.
        sees: whether a place is in sight; None where everything is.
    """
    found = []
    granted = _EVENTS[knowledge]
    for tick, kind, name, agents, subject, place in happened:
        if kind not in granted:
            continue
        if kind in _PLACE:
            if sees is not None and place >= 0 and not sees(place):
                continue
        elif opaque and order is not None and kind != "agent":
            name = f"subtask {order.position(subject)}"
        found.append({"tick": tick, "kind": kind, "subtask": name, "agents": list(agents)})
    return found


def observe(
    m: Memory,
    graph: TaskGraph,
    mask: np.ndarray[Any, np.dtype[np.int8]],
    options: Options,
    order: Order | None,
    world: Any = None,
    bare: list[int] | None = None,
) -> Observation:
    """Return what an agent gets of a lane.

    Args:
        m: the lane, interpreted.
        graph: its task.
        mask: ``[agents, N + 1]``, in the agent's order.
        options: the granted knowledge.
        order: the order of the subtasks under ``none``.
        world: the ``WorldView`` of what its body can see.
        bare: the compiled task without its world, None in the abstract one.
    """
    knowledge = options.knowledge
    n = len(graph.subtasks)
    hidden = frozenset(i for i in range(n) if has(m, at.UNKNOWN, i))
    status = [STATUS[kernel.status_of(m, i)] for i in range(n)]
    names: list[str | None] = [None if i in hidden else s.name for i, s in enumerate(graph.subtasks)]
    mask = np.concatenate([mask[:, :n], mask[:, -1:]], axis=1)
    agents = tuple(agent_view(m, graph, a, names) for a in range(len(graph.agents)))
    if order is not None:
        shown = order.shown[:n]
        words = order.names([s.name for s in graph.subtasks], options.opaque)
        view = TaskView(
            knowledge=knowledge,
            time=m.s[at.CLOCK],
            names=tuple(None if i in hidden else words[k] for k, i in enumerate(shown)),
            status=tuple(status[i] for i in shown),
            graph=None,
            runs=(),
            agents=tuple(replace(a, attends=None, free_at=None, skills=frozenset()) for a in agents),
        )
        return Observation(view, mask, world)
    known = hide_subtasks(present(m, graph), hidden)
    full = knowledge == "full"
    levels = m.t[at.Q_LEVELS]
    stock = levels + m.t[at.T_RESOURCES]
    view = TaskView(
        knowledge=knowledge,
        time=m.s[at.CLOCK],
        names=tuple(names),
        status=tuple(status),
        graph=known if full else hide_times(known),
        runs=tuple(run_view(m, i) for i in range(n)) if full else (),
        agents=agents if full else tuple(replace(a, free_at=None) for a in agents),
        free={r.name: m.s[levels + k] for k, r in enumerate(graph.resources)},
        stock={item.name: m.s[stock + k] for k, item in enumerate(graph.items)},
        automata=tuple(m.s[m.t[at.Q_AUTOMATA] + c] for c in range(len(known.constraints))) if full else (),
        lane=_lane(m, graph, bare) if full else None,
    )
    return Observation(view, mask, world)


def subtask_mask(m: Memory) -> np.ndarray[Any, np.dtype[np.int8]]:
    """Return the exact mask over subtasks, as the task graph alone has it, ``[agents, N + 1]``."""
    n = m.t[at.T_WIDE]
    agents = (m.t[at.Q_AUTOMATA] - m.t[at.Q_AGENTS]) // at.AGENT_SIZE
    flat = [0] * (agents * (n + 1))
    for a in range(agents):
        kernel.write_mask(m, a, flat, a * (n + 1))
    return np.array(flat, np.int8).reshape(agents, n + 1)


def present(m: Memory, graph: TaskGraph) -> TaskGraph:
    """Return the graph as it stands now: present durations, deadlines and capacities, known events only."""
    if not graph.events:
        return graph
    subtasks = []
    for i, s in enumerate(graph.subtasks):
        deadline = m.s[at.S_HEADS + i * at.S_COLUMNS + at.DEADLINE]
        subtasks.append(
            replace(s, duration=_duration(m, i), deadline=None if deadline >= at.FAR else deadline)
        )
    resources = tuple(
        replace(r, capacity=max(0, kernel.capacity(m, k))) for k, r in enumerate(graph.resources)
    )
    return replace(
        graph,
        subtasks=tuple(subtasks),
        resources=resources,
        events=tuple(e for e in graph.events if e.known),
    )


def _duration(m: Memory, i: int) -> Duration:
    """Return the duration of a start made now."""
    d = m.s[at.S_HEADS + i * at.S_COLUMNS + at.DURATION]
    kind, a, b = m.t[d + at.DUR_KIND], m.t[d + at.DUR_A], m.t[d + at.DUR_B]
    if kind == at.DUR_UNIFORM:
        return Duration("uniform", (a, b))
    if kind == at.DUR_CHOICE:
        return Duration("choice", tuple(m.t[a : a + b]))
    return Duration("fixed", (a,))


def _lane(m: Memory, graph: TaskGraph, bare: list[int] | None) -> Memory | None:
    """Return a copy of the lane that tells nothing of draws; None where it must not be had.

    The ends of runs whose duration is drawn, and events that nobody knows of, are
    outcomes that an agent cannot see: then there is no exact state to go on from.
    """
    running = [i for i in range(len(graph.subtasks)) if has(m, at.RUNNING, i)]
    if any(graph.subtasks[i].duration.drawn for i in running):
        return None
    if any(not e.known or e.at[0] != e.at[1] for e in graph.events):
        return None
    # Of the world it holds nothing: what a body sees of that stands in the world's view.
    t = m.t if bare is None else bare
    s = list(m.s[: t[at.S_LENGTH]])
    copy = Memory(t, m.tb, s, list(m.sb), [0] * len(m.x), [0] * len(m.xb))
    copy.sb[m.t[at.QB_SEED]] = 0
    copy.sb[m.t[at.QB_SEED] + 1] = 0
    return copy
