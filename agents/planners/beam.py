"""The agent that plays the plans of a beam search.

Owns when a plan is made, followed and given up, and what is played where nothing can
be simulated. The search itself is in ``search``.
"""

from __future__ import annotations

import numpy as np

from stratagym.agents.base import Actions
from stratagym.agents.planners.assign import candidates
from stratagym.agents.planners.dispatch import RandomAgent, Situation, ranked
from stratagym.agents.planners.search import GUIDES, Node, Objective, Search, Step, expected
from stratagym.agents.planners.structure import Structure
from stratagym.envs.task.resume import resume
from stratagym.envs.task.simulate import Simulator
from stratagym.envs.task.view import Observation, TaskView


class BeamAgent(RandomAgent):
    """Plays the best plan that a beam search finds, and plans anew when things turn out otherwise.

    A search first plays out a few dispatching rules, so that it is never worse than
    these where nothing is drawn and nothing unknown comes; then it keeps the
    ``width`` most promising states per decision and offers to start each of the
    ``branch`` subtasks that its guiding rule likes best, or to wait. It is deterministic
    and bounded by the number of simulated steps alone. The plan is followed while
    the status of all subtasks is as foreseen at each planned start. What is drawn
    is planned with its mean.

    It needs ``full`` knowledge and a row of the mask for every agent. Under
    ``structure``, or as one of several agents that decide for themselves, it plays its
    guiding rule (``critical_path`` with a goal, ``grprop`` without); where the graph is unknown it
    draws uniformly.
    """

    plans_ahead = True
    """It follows a plan of its own, so that playing it out shows what it intends."""

    def __init__(
        self,
        width: int = 8,
        branch: int = 6,
        depth: int | None = None,
        nodes: int = 4000,
        objective: Objective | None = None,
        replan: bool = False,
    ) -> None:
        """Make an agent.

        Args:
            width: states kept per decision.
            branch: subtasks tried first per state.
            depth: decisions looked ahead before the rest is played by rule; None for all.
            nodes: simulated steps that one search may take.
            objective: what counts first: ``makespan``, ``reward`` or ``tardiness``; the
                makespan if the task has a goal, else the reward, if left out.
            replan: whether to search at every decision rather than follow the plan.

        Raises:
            ValueError: if a number is below 1 or the objective unknown.
        """
        for name, number in (("width", width), ("branch", branch), ("depth", depth), ("nodes", nodes)):
            if number is not None and number < 1:
                raise ValueError(f"{name}: {number} is not at least 1")
        if objective is not None and objective not in GUIDES:
            raise ValueError(f"objective: {objective!r} is not one of {', '.join(GUIDES)}")
        self._width, self._branch, self._depth, self._nodes = width, branch, depth, nodes
        self._objective, self._replan = objective, replan
        super().__init__()

    def reset(self, seed: int) -> None:
        """Forget the last episode."""
        super().reset(seed)
        self._plan: list[Step] = []
        self._end = -1

    def act(self, observation: Observation) -> Actions:
        """Return one action per row of the mask."""
        return self._search(observation, None)

    def _search(self, observation: Observation, note: str | None) -> Actions:
        """Follow the plan, or make a new one and follow that."""
        task, rows = observation.task, observation.mask.shape[0]
        structure = self._memory.of(task)
        if structure is None:
            return self._uniform(observation, "graph unknown: drawn")
        if task.knowledge != "full" or rows < len(task.agents):
            return self._guided(observation, structure, note or "no simulation: guiding rule")
        reason = self._stale(observation)
        if reason is not None:
            reason = self._make_plan(task, reason)
        prefix = f"{note}; " if note else ""
        if self._plan and self._plan[0].tick == task.time:
            actions = np.array(self._plan.pop(0).actions, dtype=np.int64)
        else:
            actions = np.full(rows, len(task.names), dtype=np.int64)
        return self._note(task, actions, prefix + (reason or "plan"))

    def _stale(self, observation: Observation) -> str | None:
        """Return why a new plan is needed, or None if the old one still holds."""
        task = observation.task
        if self._replan or self._end < 0:
            return "planned"
        if not self._plan:
            return "planned further" if task.time >= self._end else None
        head = self._plan[0]
        if head.tick < task.time:
            return "planned anew: a start was missed"
        if head.tick == task.time:
            allowed = all(observation.mask[a, i] for a, i in enumerate(head.actions))
            if not allowed or head.status != task.status:
                return "planned anew: not as foreseen"
        return None

    def _make_plan(self, task: TaskView, reason: str) -> str:
        """Search from the view's state, keep the plan and return what to note."""
        assert task.graph is not None
        graph = expected(task.graph)
        structure = Structure(graph)
        exact = task.lane is not None and not task.graph.random
        simulator = Simulator(graph, lane=task.lane) if exact else resume(graph, task)
        ends, succeeded = {}, {}
        for i, run in enumerate(task.runs):
            if run.started is not None and task.status[i] == "running":
                ends[i] = max(run.started + structure.expected[i], task.time + 1.0)
            if run.succeeded is not None:
                succeeded[i] = run.succeeded
        objective = self._objective or ("reward" if graph.goal is None else "makespan")
        root = Node(simulator, structure, ends, succeeded)
        node, value = Search(root, objective, self._width, self._branch, self._depth, self._nodes).run()
        self._plan, self._end = list(node.steps), node.simulator.time
        return f"{reason}: {objective} {' '.join(f'{v:g}' for v in value)}"

    def _guided(self, observation: Observation, structure: Structure, reason: str) -> Actions:
        """Play the rule that guides the search."""
        goal = structure.goal is not None
        rule = GUIDES[self._objective or ("makespan" if goal else "reward")][0]
        scores = rule(Situation.of(structure, observation.task))
        order = ranked(scores, candidates(observation.mask))
        actions = self._share(observation, order)
        return self._note(observation.task, actions, reason, ((i, scores[i][0]) for i in order))
