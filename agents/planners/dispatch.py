"""Dispatching rules: rank what can be started now and start it, never idle.

Owns the priority rules of scheduling and the random player. A rule sees one
``Situation`` and gives each candidate a score; who does what is ``assign``'s to
say. No rule waits while something can be started, which on some tasks costs
more than any choice between them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from stratagym.agents.base import Actions, Traced
from stratagym.agents.planners.assign import Budget, Mask, assign, candidates
from stratagym.agents.planners.structure import Structure
from stratagym.envs.task.view import Observation, TaskView

Scores = list[tuple[float, ...]]
"""``[n]`` one tuple a subtask, compared from the left, higher is better."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a rule may look at, whether it comes from a view or from a simulation.

    Attributes:
        structure: the task as far as it is known.
        time: the clock in ticks.
        status: ``[n]`` status words.
        stock: stock by item.
        succeeded: tick of the latest success by subtask, as far as it is known.
    """

    structure: Structure
    time: int
    status: Sequence[str]
    stock: Mapping[str, int] = field(default_factory=dict)
    succeeded: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, structure: Structure, task: TaskView) -> Situation:
        """Return the situation that a view shows."""
        ticks = {i: run.succeeded for i, run in enumerate(task.runs) if run.succeeded is not None}
        return cls(structure, task.time, task.status, task.stock, ticks)

    def payable(self) -> list[float]:
        """Return ``[n]`` the reward that a success would still bring."""
        subtasks = self.structure.graph.subtasks
        paid = {s.pay_group for s, word in zip(subtasks, self.status, strict=True) if word == "done"}
        paid |= {subtasks[i].pay_group for i in self.succeeded}
        return [s.reward if s.repeatable or s.pay_group not in paid else 0.0 for s in subtasks]


Rule = Callable[[Situation], Scores]


def _quick_first(situation: Situation, scores: Sequence[float]) -> Scores:
    """Return the scores with ties broken in favour of the shorter subtask."""
    return [(s, -d) for s, d in zip(scores, situation.structure.expected, strict=True)]


def greedy(situation: Situation) -> Scores:
    """Score by the reward that is paid at once, then by shortness.

    In a task without rewards the pay is progress: the subtask's share of the work
    that the goal may ask for, per tick of the agents that it keeps busy.
    """
    structure = situation.structure
    subtasks = structure.graph.subtasks
    if any(s.reward for s in subtasks):
        return _quick_first(situation, situation.payable())
    pending = structure.pending(situation.status)
    progress = []
    for i, s in enumerate(subtasks):
        work = structure.expected[i]
        busy = work if s.attended is None else min(float(s.attended), work)
        progress.append(work / max(busy * s.agents, 0.5) if pending[i] else 0.0)
    return _quick_first(situation, progress)


def critical_path(situation: Situation) -> Scores:
    """Score by the longest chain of work that a start opens, towards the goal (its tail)."""
    pending = situation.structure.pending(situation.status)
    tails = situation.structure.tails(situation.status)
    return _quick_first(situation, [t if p else 0.0 for t, p in zip(tails, pending, strict=True)])


def least_slack(situation: Situation) -> Scores:
    """Score by how soon a start is due at the latest, the most urgent first.

    Counted back from deadlines, due dates and the horizon through all that waits
    for it, and from ``max`` lags that are running out. Without any of these it
    ranks as ``critical_path`` does.
    """
    structure, graph = situation.structure, situation.structure.graph
    far = float(situation.time + sum(structure.quickest))
    end = far if graph.horizon is None else float(graph.horizon)
    limits = [end if s.deadline is None else min(end, float(s.deadline)) for s in graph.subtasks]
    for due in graph.dues:
        if not any(situation.status[i] == "done" for i in due.members):
            for i in due.members:
                limits[i] = min(limits[i], float(due.due))
    latest = structure.latest_starts(situation.status, limits)
    for i, s in enumerate(graph.subtasks):
        for lag in s.lags:
            since = [situation.succeeded[j] for j in lag.predecessors if j in situation.succeeded]
            if lag.maximum is not None and lag.origin == "completion" and since:
                latest[i] = min(latest[i], float(max(since) + lag.maximum))
    pending = structure.pending(situation.status)
    slack = [tick - situation.time if p else far + end for tick, p in zip(latest, pending, strict=True)]
    return _quick_first(situation, [-s for s in slack])


def most_successors(situation: Situation) -> Scores:
    """Score by how many pending subtasks wait for it, directly or through others."""
    followers = situation.structure.followers(situation.status)
    return _quick_first(situation, [float(f) for f in followers])


def shortest(situation: Situation) -> Scores:
    """Score by shortness alone (shortest processing time first)."""
    return [(-d,) for d in situation.structure.expected]


RULES: Mapping[str, Rule] = {
    "greedy": greedy,
    "critical_path": critical_path,
    "least_slack": least_slack,
    "most_successors": most_successors,
    "shortest": shortest,
}
"""The dispatching rules by name."""


def ranked(scores: Scores, among: Sequence[int]) -> list[int]:
    """Return the candidates by falling score, the lower index first among equals."""
    return sorted(among, key=lambda i: (tuple(-x for x in scores[i]), i))


class StructureMemory:
    """The structure of the task last seen, read anew only when the task changes."""

    def __init__(self) -> None:
        self._structure: Structure | None = None

    def of(self, task: TaskView) -> Structure | None:
        """Return the structure of the view's graph, None where the graph is unknown."""
        if task.graph is None:
            return None
        kept = self._structure
        if kept is None or (kept.graph is not task.graph and kept.graph != task.graph):
            self._structure = kept = Structure(task.graph)
        return kept


class JointGuess:
    """How many agents each subtask takes, learned by asking where the graph is unknown.

    A subtask that was named, did not start and can still be started is tried with
    one agent more the next time, and with one again after all have been tried.
    """

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}
        self._asked: dict[int, list[int]] = {}

    def sizes(self, task: TaskView, mask: Mask) -> list[int]:
        """Return ``[n]`` the sizes to try now."""
        for i, named in self._asked.items():
            refused = task.status[i] == "eligible" and all(task.agents[a].idle for a in named)
            if refused:
                able = int(mask[:, i].sum())
                self._sizes[i] = len(named) + 1 if len(named) < able else 1
        self._asked = {}
        return [self._sizes.get(i, 1) for i in range(len(task.names))]

    def asked(self, actions: Actions, wait: int) -> None:
        """Remember what was named, to compare with what is seen next."""
        for a, i in enumerate(actions):
            if i != wait:
                self._asked.setdefault(int(i), []).append(a)


class RandomAgent(Traced):
    """Starts something at random and never idles if something can be started.

    Each order of the subtasks that can be started is as likely as any other; a
    single agent so picks uniformly among its allowed starts. It needs no
    knowledge of the task; with none, it finds out how many agents a joint subtask takes by trying.
    """

    def __init__(self) -> None:
        super().__init__()
        self._memory = StructureMemory()
        self.reset(0)

    def reset(self, seed: int) -> None:
        """Forget the last episode and draw from ``seed`` from now on."""
        self._draws = np.random.default_rng(seed % 2**64)
        self._guess = JointGuess()
        self.trace()

    def act(self, observation: Observation) -> Actions:
        """Return one action per row of the mask."""
        return self._uniform(observation, "drawn")

    def _uniform(self, observation: Observation, reason: str) -> Actions:
        task, mask = observation.task, observation.mask
        among = candidates(mask)
        order = [among[k] for k in self._draws.permutation(len(among))]
        return self._note(task, self._share(observation, order), reason, ((i, 1 / len(among)) for i in among))

    def _share(self, observation: Observation, order: Sequence[int]) -> Actions:
        """Return the actions that follow from an order, by what is known of the task."""
        task, mask = observation.task, observation.mask
        structure = self._memory.of(task)
        if structure is not None:
            sizes = [s.agents for s in structure.graph.subtasks]
            budget = Budget(structure, task.status, task.free, task.stock)
            return assign(order, mask, sizes, budget, len(task.agents))
        actions = assign(order, mask, self._guess.sizes(task, mask), agents=len(task.agents))
        self._guess.asked(actions, len(task.names))
        return actions


class RuleAgent(RandomAgent):
    """Starts what a dispatching rule ranks highest; draws uniformly where the graph is unknown.

    Under ``structure`` knowledge every duration counts 1, so that tails count
    subtasks, slack has only the order to go by and shortness tells nothing.
    """

    def __init__(self, rule: str | Rule) -> None:
        """Make an agent of a rule.

        Args:
            rule: a name in ``RULES``, or a function from a situation to scores.

        Raises:
            ValueError: if there is no rule of that name.
        """
        if isinstance(rule, str) and rule not in RULES:
            raise ValueError(f"rule: {rule!r} is not one of {', '.join(RULES)}")
        self._rule = RULES[rule] if isinstance(rule, str) else rule
        self._reason = rule if isinstance(rule, str) else getattr(rule, "__name__", "rule")
        super().__init__()

    def act(self, observation: Observation) -> Actions:
        """Return one action per row of the mask."""
        structure = self._memory.of(observation.task)
        if structure is None:
            return self._uniform(observation, "graph unknown: drawn")
        scores = self._rule(Situation.of(structure, observation.task))
        order = ranked(scores, candidates(observation.mask))
        actions = self._share(observation, order)
        return self._note(observation.task, actions, self._reason, ((i, scores[i][0]) for i in order))
