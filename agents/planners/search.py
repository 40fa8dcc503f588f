"""Beam search over what the kernel simulates: look ahead and keep the best few.

Owns the search: simulated nodes, how they are ordered and pruned, and the plan that
comes out. It simulates with ``envs.task.simulate.Simulator``, so what it foresees is
what happens wherever nothing is drawn and nothing unknown comes. Who acts on the
plan, and when a new one is made, is ``beam``'s to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from stratagym.agents.planners.assign import Budget, assign, candidates
from stratagym.agents.planners.dispatch import (
    Rule,
    Situation,
    critical_path,
    greedy,
    least_slack,
    most_successors,
    ranked,
    shortest,
)
from stratagym.agents.planners.estimate import NEVER, earnings, finish, lateness
from stratagym.agents.planners.grprop import gradient
from stratagym.agents.planners.structure import Structure
from stratagym.envs.task.graph import Duration, TaskGraph
from stratagym.envs.task.simulate import Simulator

Objective = Literal["makespan", "reward", "tardiness"]
Value = tuple[float, ...]
"""Compared from the left, higher is better."""

GUIDES: dict[str, tuple[Rule, ...]] = {
    "makespan": (critical_path, least_slack, most_successors, greedy, shortest, gradient),
    "reward": (gradient, greedy, critical_path, least_slack, most_successors, shortest),
    "tardiness": (least_slack, critical_path, most_successors, greedy, shortest, gradient),
}
"""The rules whose plans a search starts from; the first orders the branches, too."""


def expected(graph: TaskGraph) -> TaskGraph:
    """Return the task as it is expected to go: nothing is drawn.

    A drawn duration becomes its mean (rounded, at least 1), one that the world
    decides becomes 1, a success that is possible is certain, an event that comes
    at a drawn tick comes in the middle.
    """

    def settle(duration: Duration) -> Duration:
        return Duration("fixed", (max(1, round(duration.mean)),))

    return replace(
        graph,
        subtasks=tuple(
            replace(s, duration=settle(s.duration), success=1.0 if s.success > 0 else 0.0)
            for s in graph.subtasks
        ),
        events=tuple(
            replace(e, at=(sum(e.at) // 2,) * 2, durations=tuple(settle(d) for d in e.durations))
            for e in graph.events
        ),
    )


@dataclass(frozen=True, slots=True)
class Step:
    """One joint action of a plan.

    Attributes:
        tick: when it is due.
        actions: one per agent.
        status: the status words that the plan expects to see then.
    """

    tick: int
    actions: tuple[int, ...]
    status: tuple[str, ...]


class Node:
    """A simulated state, how it was reached, and when what runs will end."""

    def __init__(
        self,
        simulator: Simulator,
        structure: Structure,
        ends: dict[int, float],
        succeeded: dict[int, int],
        steps: tuple[Step, ...] = (),
    ) -> None:
        self.simulator, self.structure = simulator, structure
        self.ends, self.succeeded, self.steps = ends, succeeded, steps
        self.quiet = 0  # steps since anything happened

    def child(self) -> Node:
        """Return a copy that can be played on."""
        node = Node(self.simulator.clone(), self.structure, dict(self.ends), dict(self.succeeded), self.steps)
        node.quiet = self.quiet
        return node

    @property
    def over(self) -> bool:
        """Whether the episode has ended, or waiting further can bring nothing (without a horizon)."""
        simulator, structure = self.simulator, self.structure
        stuck = self.quiet > structure.longest and simulator.time >= structure.settled
        return simulator.over is not None or stuck

    def situation(self) -> Situation:
        """Return what rules and estimates look at."""
        simulator = self.simulator
        return Situation(
            self.structure, simulator.time, simulator.status(), simulator.stock(), self.succeeded
        )

    def play(self, actions: Sequence[int]) -> None:
        """Take one step of the tick clock, and remember it if it starts something."""
        wait = len(self.structure.graph.subtasks)
        if any(a != wait for a in actions):
            step = Step(self.simulator.time, tuple(int(a) for a in actions), tuple(self.simulator.status()))
            self.steps = (*self.steps, step)
        events = self.simulator.step(actions)
        self.quiet = 0 if events else self.quiet + 1
        for event in events:
            if event.kind == "start":
                self.ends[event.subject] = event.tick + self.structure.expected[event.subject]
            elif event.kind == "success":
                self.succeeded[event.subject] = event.tick

    def order(self, rule: Rule) -> list[int]:
        """Return what can be started now, the best by the rule first."""
        return ranked(rule(self.situation()), candidates(self.simulator.mask()))

    def share(self, order: Sequence[int]) -> tuple[int, ...]:
        """Return the joint action that follows from an order of subtasks."""
        simulator, graph = self.simulator, self.structure.graph
        budget = Budget(self.structure, simulator.status(), simulator.free(), simulator.stock())
        actions = assign(order, simulator.mask(), [s.agents for s in graph.subtasks], budget)
        return tuple(int(a) for a in actions)

    def key(self) -> tuple[object, ...]:
        """Return what tells this state from others of the same search."""
        simulator = self.simulator
        running = tuple(sorted((i, end) for i, end in self.ends.items() if end > simulator.time))
        stock = tuple(sorted(simulator.stock().items()))
        return (simulator.time, tuple(simulator.status()), running, stock, simulator.mask().tobytes())

    def progress(self) -> float:
        """Return the work done that the goal may ask for, in ticks."""
        structure, status = self.structure, self.simulator.status()
        return sum(structure.expected[i] for i in structure.relevant if status[i] == "done")


class Search:
    """One search from one state, bounded by the number of simulated steps."""

    def __init__(
        self, root: Node, objective: Objective, width: int, branch: int, depth: int | None, nodes: int
    ) -> None:
        self._root, self._objective = root, objective
        self._width, self._branch, self._depth, self._left = width, branch, depth, nodes
        self._best: tuple[Value, Node] | None = None
        graph = root.structure.graph
        self._waits = (len(graph.subtasks),) * len(graph.agents)
        self._guide = GUIDES[objective][0]

    def run(self) -> tuple[Node, Value]:
        """Return the node of the best value found, played to the end where the budget allowed it."""
        for rule in GUIDES[self._objective]:
            if self._left > 0:
                self._roll(self._root.child(), rule)
        level, depth = [self._root], 0
        while level and self._left > 0 and depth != self._depth:
            level, depth = self._next(level), depth + 1
        for node in level:
            if node is not self._root:
                self._roll(node, self._guide)
        assert self._best is not None, "every search plays out at least one rule"
        return self._best[1], self._best[0]

    def _next(self, level: list[Node]) -> list[Node]:
        """Return the best of what one decision makes of a level, no state twice."""
        found: dict[tuple[object, ...], tuple[Value, Node]] = {}
        for parent in level:
            for actions in self._choices(parent):
                node = parent.child()
                if not self._decide(node, actions):
                    continue
                (bound, value), key = self._promise(node), node.key()
                hopeful = self._best is None or bound > self._best[0][: len(bound)]
                if hopeful and (key not in found or found[key][0] < value):
                    found[key] = (value, node)
        best = sorted(found.values(), key=lambda pair: pair[0], reverse=True)
        return [node for _, node in best[: self._width]]

    def _choices(self, node: Node) -> list[tuple[int, ...]]:
        """Return joint actions: each promising subtask with as many others as fit, each alone, none."""
        order = node.order(self._guide)
        found: dict[tuple[int, ...], None] = {}
        for i in order[: self._branch]:
            found[node.share([i, *(j for j in order if j != i)])] = None
        for i in order[: self._branch] if len(self._waits) > 1 else ():
            found[node.share([i])] = None
        found[self._waits] = None
        return list(found)

    def _decide(self, node: Node, actions: tuple[int, ...]) -> bool:
        """Play one decision and run on to the next; return whether there is a next one.

        A wait lasts until something else can be started than before.
        """
        before = node.simulator.mask() if actions == self._waits else None
        while self._left > 0:
            node.play(actions)
            self._left -= 1
            if node.over:
                self._offer(node)
                return False
            mask = node.simulator.mask()
            if mask[:, :-1].any() and (before is None or not np.array_equal(mask, before)):
                return True
            actions = self._waits
        return False

    def _roll(self, node: Node, rule: Rule) -> None:
        """Play a node on by a rule until the episode or the budget is over, and offer what comes."""
        while not node.over and self._left > 0:
            order = node.order(rule) if node.simulator.mask()[:, :-1].any() else []
            node.play(node.share(order))
            self._left -= 1
        self._offer(node)

    def _offer(self, node: Node) -> None:
        """Keep the node if it is the best so far."""
        value = self._worth(node)
        if self._best is None or value > self._best[0]:
            self._best = (value, node)

    def _worth(self, node: Node) -> Value:
        """Return the value of where an episode (or the budget) ended."""
        simulator = node.simulator
        time, success = float(simulator.time), float(simulator.success)
        if self._objective == "reward":
            return (simulator.paid, -time)
        if self._objective == "tardiness":
            return (success, -simulator.tardiness, -time)
        if success:
            return (1.0, -time, simulator.paid)
        return (0.0, node.progress(), -time)

    def _promise(self, node: Node) -> tuple[Value, Value]:
        """Return a bound on the worth that the node can lead to, and what to order nodes by.

        The bound has only what counts first: a node that cannot be better in that
        than the best so far is dropped.
        """
        situation, simulator = node.situation(), node.simulator
        if self._objective == "reward":
            most = simulator.paid + earnings(situation, node.ends)
            return (most,), (most, -float(simulator.time))
        first, likely, load = finish(situation, node.ends)
        reachable = float(first < NEVER)
        if self._objective == "tardiness":
            late = simulator.tardiness + lateness(situation, node.ends)
            return (reachable, -late), (reachable, -late, -likely, -load)
        return (reachable, -first), (reachable, -likely, -load)
