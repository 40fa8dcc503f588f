"""How far from the best is the scripted agent? An exact search over the real transition, where it is small.

Owns a breadth-first search over the states of lanes: all states that can be reached in t ticks,
then all in t + 1, each once. States are stepped by the compiled batch, so what is searched is the
environment itself: walking, turning, carrying and attempting, or among places travelling, opening, taking
and putting down. What is proved to need as long as
the best that is known is left out (the abstract bound: the longest chain of what is still to be
done), and so is a state that was met earlier, for time alone changes nothing here.

Use: ``python -m stratagym.baselines.claims.exact_search`` compares the scripted agent with the search
on small instances.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from stratagym.agents.zoo import in_world, make_agent
from stratagym.baselines.claims.trials import environment, publish, ratio_of
from stratagym.baselines.rollout import play
from stratagym.envs.api.lanes import (
    DISABLED,
    O_SUCCESS,
    SET_AUTORESET,
    SET_MODE,
    SET_PINNED,
    SET_REWARD,
    SETTINGS,
    Lanes,
)
from stratagym.envs.domains import house, kitchen, mining, rearrangement
from stratagym.envs.rewards import TASK_REWARD
from stratagym.envs.step import Model
from stratagym.envs.task import layout as at
from stratagym.envs.task.graph import TRUE, TaskGraph
from stratagym.envs.task.kernel import TICK_CLOCK
from stratagym.envs.worlds import grid_kernel, places, sites

LANES = 4096
"""States that are stepped at a time."""

MOST_STATES = 1_500_000
"""States after which the search gives up."""

AGENTS = {"Kitchen": "optimal", "Mining": "optimal", "Rearrangement": "optimal", "House": "rounds"}
"""By domain the planner whose scripted agent is compared with the search: its witness."""

INSTANCES = 10
HORIZON = 400

Rows = np.ndarray[Any, np.dtype[np.int32]]


@dataclass(frozen=True, slots=True)
class Search:
    """What a search found.

    Attributes:
        makespan: the least tick at which the goal can hold, None if it was not found out.
        states: how many states were stepped.
    """

    makespan: int | None
    states: int


def check_timeless(graph: TaskGraph) -> None:
    """Refuse a task in which the same state is worth more or less at another time, or draws matter.

    Raises:
        ValueError: for releases, deadlines, events, constraints, draws, starts that take no time, or
            several agents.
    """
    fixed = all(
        s.duration.kind == "fixed"
        and s.success == 1.0
        and s.deadline is None
        and s.release == 0
        and s.attended != 0
        for s in graph.subtasks
    )
    if not fixed or graph.events or graph.constraints or len(graph.agents) > 1:
        raise ValueError(
            "the search takes tasks of one agent without draws, windows in time, starts that take no time, "
            "events and formulas"
        )


def search(model: Model, task: int, known: int, most: int = MOST_STATES) -> Search:
    """Return the least makespan of a task in its grid or among its places.

    Args:
        model: the tasks and scenes.
        task: index of the task; where it is played no hours, departures and events may matter.
        known: a makespan that was reached; it is what is returned if nothing is better.
        most: states after which the search gives up.

    Raises:
        ValueError: if the task is not timeless.
    """
    graph = model.graph(task)
    check_timeless(graph)
    settings = [0] * SETTINGS
    settings[SET_MODE], settings[SET_REWARD] = TICK_CLOCK, TASK_REWARD
    settings[SET_AUTORESET], settings[SET_PINNED] = DISABLED, task
    lanes = Lanes(model, LANES, settings, [], 0, "compiled")
    keys = Keys(model, task)
    bound = Remaining(graph, model.row(task)[0][at.T_WORDS])
    lanes.seed(0, 0)
    mask = np.asarray(lanes.reset([0]).mask)[:1]
    states, bits = lanes.s[:1].copy(), lanes.sb[:1].copy()
    seen: set[bytes] = set(keys.of(states, bits))
    stepped = 0
    for tick in range(1, known):
        layer = []
        rows, actions = np.nonzero(mask)
        for first in range(0, len(rows), LANES):
            chosen, acted = rows[first : first + LANES], actions[first : first + LANES]
            count = len(chosen)
            lanes.s[:count], lanes.sb[:count] = states[chosen], bits[chosen]
            moves = np.full((LANES, 1), mask.shape[1] - 1, np.int32)
            moves[:count, 0] = acted
            out = lanes.step(moves)
            stepped += count
            if np.asarray(out.flags)[O_SUCCESS][:count].any():
                return Search(tick, stepped)
            layer.append(
                (lanes.s[:count].copy(), lanes.sb[:count].copy(), np.asarray(out.mask)[:count].copy())
            )
        states, bits, mask = (np.concatenate(part) for part in zip(*layer, strict=True))
        fresh = []
        for k, key in enumerate(keys.of(states, bits)):
            if key not in seen:
                seen.add(key)
                fresh.append(k)
        left = bound.of(states[fresh], bits[fresh])
        kept = np.array(fresh, int)[tick + left < known]
        states, bits, mask = states[kept], bits[kept], mask[kept]
        if len(states) == 0:
            return Search(known, stepped)
        if len(seen) > most:
            return Search(None, stepped)
    return Search(known, stepped)


class Keys:
    """What tells one state from another, for all that can come of it.

    Ticks are counted from now; what can never matter again (when something was done that no lag
    counts from, where a body aimed last) is left out.
    """

    def __init__(self, model: Model, task: int) -> None:
        graph = model.graph(task)
        t, _ = model.row(task)
        n = len(graph.subtasks)
        self._heads = at.S_HEADS + np.arange(n) * at.S_COLUMNS
        self._lagged = np.zeros(n, int)
        for s in graph.subtasks:
            for lag in s.lags:
                for p in lag.predecessors:
                    longest = max(lag.minimum, -1 if lag.maximum is None else lag.maximum)
                    self._lagged[p] = max(self._lagged[p], longest + 1)
        self._counted = np.array([s.attempts is not None for s in graph.subtasks], int)
        self._words = t[at.T_WORDS]
        self._levels = np.arange(t[at.Q_LEVELS], t[at.Q_AGENTS])
        world, table = t[at.Q_WORLD], t[at.T_WORLD]
        self._cells = world + _lying(t[table:], model.kernel)
        body = world + t[table + sites.Q_BODIES]
        self._body = body + np.array([sites.BODY_AT, sites.FACING, sites.HAND])
        agent = t[at.Q_AGENTS]
        self._until = np.array([agent + at.FREE_AT, agent + at.DOWN_UNTIL, body + sites.UNTIL])
        runs = world + t[table + sites.Q_RUNS]
        self._runs = [runs + np.arange(n * sites.RUN_SIZE)]
        if model.kernel is places:
            self._runs.append(world + t[table + places.Q_WORKS] + np.arange(n))
        rng = np.random.Generator(np.random.PCG64(0))
        self._factors: Any = rng.integers(1, 2**63, (2, 4096), dtype=np.uint64) | np.uint64(1)

    def of(self, states: Rows, bits: Any) -> list[bytes]:
        """Return a digest of 128 bits for each state."""
        now = states[:, at.CLOCK : at.CLOCK + 1]
        n = len(self._heads)
        done, running = (_flags(bits, row, self._words, n) for row in (at.DONE, at.RUNNING))
        age = now - states[:, self._heads + at.SUCCEEDED]
        started = now - states[:, self._heads + at.START]
        columns = [
            done,
            running,
            np.where(running, states[:, self._heads + at.END] - now, 0),
            np.where(done, np.minimum(age, self._lagged), 0),
            np.minimum(started, self._lagged),
            states[:, self._heads + at.STARTS] * self._counted,
            states[:, self._levels],
            np.maximum(states[:, self._until] - now, 0),
            states[:, self._cells],
            states[:, self._body],
            *(
                np.where(np.repeat(running | (self._lagged > 0), len(own) // n, axis=1), states[:, own], 0)
                for own in self._runs
            ),
        ]
        whole = np.concatenate([np.asarray(c, np.int64) for c in columns], axis=1).astype(np.uint64)
        low, high = ((whole + np.uint64(7)) * self._factors[k, : whole.shape[1]] for k in (0, 1))
        digests = np.stack([_mixed(low), _mixed(high)], axis=1)
        return [row.tobytes() for row in digests]


def _lying(table: list[int], kernel: Any) -> Any:
    """Return where in a world's state it stands what lies where, and in what state places are."""
    if kernel is not places:
        return np.arange(grid_kernel.CELLS, grid_kernel.CELLS + table[grid_kernel.G_CELLS])
    count, kinds = table[places.W_SITES], table[places.W_ROOM_THINGS]
    about = table[places.Q_SITES] + np.arange(count * places.SITE_SIZE)
    return np.concatenate([about, table[places.Q_AMOUNTS] + np.arange(count * kinds)])


def _mixed(rows: Any) -> Any:
    """Return one word for each row of words, every word scrambled before they are added."""
    mixed = rows ^ (rows >> np.uint64(31))
    mixed = mixed * np.uint64(0x9E3779B97F4A7C15)
    return (mixed ^ (mixed >> np.uint64(29))).sum(axis=1, dtype=np.uint64)


class Remaining:
    """The least ticks until the goal holds: the longest chain of what is left, places left aside."""

    def __init__(self, graph: TaskGraph, words: int) -> None:
        self._graph, self._words = graph, words
        self._ends = at.S_HEADS + np.arange(len(graph.subtasks)) * at.S_COLUMNS + at.END
        self._known: dict[bytes, int] = {}

    def of(self, states: Rows, bits: Any) -> Rows:
        """Return the bound for each state."""
        n = len(self._ends)
        done, running = (_flags(bits, row, self._words, n) for row in (at.DONE, at.RUNNING))
        ends = np.where(running, states[:, self._ends] - states[:, at.CLOCK : at.CLOCK + 1], -1)
        kinds, place = np.unique(np.concatenate([done, ends], axis=1), axis=0, return_inverse=True)
        return np.array([self._least(row) for row in kinds], np.int32)[place.reshape(-1)]

    def _least(self, row: Rows) -> int:
        key = row.tobytes()
        if key not in self._known:
            self._known[key] = self._chain(row)
        return self._known[key]

    def _chain(self, row: Rows) -> int:
        graph, n = self._graph, len(self._ends)
        when = np.full(n + len(graph.gates), np.inf)
        when[:n][row[:n] == 1] = 0.0
        when[:n] = np.minimum(when[:n], np.where(row[n:] >= 0, row[n:], np.inf))
        while True:
            before = when.copy()
            for g, gate in enumerate(graph.gates):
                literals = sorted([*when[list(gate.positive)], *[0.0] * len(gate.negative)])
                when[n + g] = 0.0 if gate.count <= 0 else [*literals, *[np.inf] * gate.count][gate.count - 1]
            for i, s in enumerate(graph.subtasks):
                start = 0.0 if s.needs == TRUE else when[s.needs]
                when[i] = min(when[i], start + s.duration.shortest)
            if np.array_equal(before, when):
                goal = 0.0 if graph.goal is None or graph.goal == TRUE else when[graph.goal]
                return int(goal) if np.isfinite(goal) else 0


def _flags(bits: Any, row: int, words: int, count: int) -> Rows:
    """Return a row of bit sets as 0 and 1, ``[states, count]``."""
    part = bits[:, row * words : (row + 1) * words]
    found = [(part[:, i // 64] >> np.uint64(i % 64)) & np.uint64(1) for i in range(count)]
    return np.stack(found, axis=1).astype(np.int32)


def instances(name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield tasks and scenes of a domain that are small enough."""
    source = mining.DOMAIN.source(size="small")
    assert source.scene is not None
    for seed in range(INSTANCES):
        if name == "Mining":
            yield dict(source.mapping(seed)), dict(source.scene(seed))
        elif name == "House":
            yield house.morning(seed, "small")
        else:
            yield kitchen.evening(seed, "tiny") if name == "Kitchen" else rearrangement.morning(seed, "tiny")


def measure(name: str, count: int = INSTANCES) -> dict[str, Any]:
    """Compare the scripted agent's makespan with the least one, on the instances whose search ends."""
    taken, least, states = [], [], 0
    for k, (task, scene) in enumerate(instances(name)):
        if k == count:
            break
        env = environment(f"{name} {k}", task, scene, HORIZON)
        episode = play(env, in_world(make_agent(AGENTS[name])), 0)
        found = search(env.model, 0, episode.time)
        states += found.states
        if episode.success and found.makespan is not None:
            taken.append(episode.time)
            least.append(found.makespan)
    return {
        "agent": AGENTS[name],
        "instances": min(count, INSTANCES),
        "searched to the end": len(least),
        "states": states,
        "times the optimum": ratio_of(taken, least),
        "at the optimum": sum(a == b for a, b in zip(taken, least, strict=True)),
        "worst": max(a / b for a, b in zip(taken, least, strict=True)),
    }


def main() -> None:
    """Measure all and write ``docs/results/exact-search.json``."""
    figures: dict[str, Any] = {name: measure(name) for name in AGENTS}
    publish("exact-search", figures, "python -m stratagym.baselines.claims.exact_search")


if __name__ == "__main__":
    main()
