"""GRProp: propagate reward back through a softened task graph and follow its gradient.

Owns the soft graph and the agent that plays it. The formulas for subtasks whose
``needs`` are an OR of ANDs of literals are those of Sohn, Oh and Lee, "Hierarchical
Reinforcement Learning for Zero-shot Generalization with Subtask Dependencies"
(NeurIPS 2018), as the code of Sohn et al., "Meta Reinforcement Learning with Autonomous
Inference of Subtask Dependencies" (ICLR 2020) computes them. With ``x`` the
completions (0 or 1), ``r`` the rewards and ``m`` 1 where one can still be earned::

    AND a:      p = sum of o_j over positive children / max(1, their number)
                and_a = softplus(beta (p - w_a * sum of x_j over negated children)) / beta
    OR of i:    q_i = sum_a s_a and_a,  s = softmax over a of (tau * and_a);  q_i = 1 without needs
    subtask i:  o_i = max(x_i, eps q_i + (0.99 - eps) x_i)
    U(x) = sum_i r_i m_i o_i,  the policy's logits are T dU/dx

What the published graphs do not have is read in their spirit:

* ``~`` of a gate is pushed down to the subtasks; a gate inside an AND counts with its value.
* "k of m" is the soft maximum, over all choices of k parts, of the mean of the chosen:
  ``log(mean over choices of exp(tau * sum of the chosen)) / (k tau)``.
* A predecessor of a lag is a positive child (any one of its modes), a subtask
  that a choice would rule out is a negated one. An item of which there is not
  enough is an OR over its producers.
* What runs counts as done. What can no longer be done keeps ``o_i = x_i``.
* On a cycle, the subtask that would close it counts with its bare ``x``.
* A goal is one more node, worth all positive rewards together, or 1 if there are none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stratagym.agents.base import Actions
from stratagym.agents.planners.assign import candidates
from stratagym.agents.planners.dispatch import RandomAgent, Scores, Situation, ranked
from stratagym.agents.planners.structure import Formula, Literal, Structure, Threshold, threshold
from stratagym.envs.task.view import Observation


@dataclass(frozen=True, slots=True)
class Parameters:
    """The constants of the soft graph, by their published names.

    Attributes:
        temperature: T, by which the gradient becomes logits.
        w_a: weight of a negated child that is done.
        beta: sharpness of the softplus of an AND.
        eps: how much of its precondition's value an undone subtask has (``ep_or``).
        tau: sharpness of the softmax of an OR (``temp_or``).
    """

    temperature: float
    w_a: float
    beta: float
    eps: float
    tau: float


PARAMETERS: Mapping[str, Parameters] = {
    "mining": Parameters(temperature=200.0, w_a=3.0, beta=8.0, eps=0.8, tau=2.0),
    "playground": Parameters(temperature=40.0, w_a=2.0, beta=3.0, eps=0.6, tau=2.0),
}
"""The two published settings; the later code uses the first everywhere."""


class _Tape:
    """Numbers with their partial derivatives, for one backward pass."""

    def __init__(self, inputs: Sequence[float]) -> None:
        self.values = [float(x) for x in inputs]
        self._partials: list[tuple[tuple[int, float], ...]] = [()] * len(inputs)

    def put(self, value: float, partials: Sequence[tuple[int, float]] = ()) -> int:
        """Write one number that depends on earlier ones and return its place."""
        self.values.append(value)
        self._partials.append(tuple(partials))
        return len(self.values) - 1

    def gradient(self, place: int, inputs: int) -> list[float]:
        """Return the derivatives of one number by the first ``inputs`` numbers."""
        slopes = [0.0] * len(self.values)
        slopes[place] = 1.0
        for k in range(place, inputs - 1, -1):
            slope = slopes[k]
            if slope:
                for j, partial in self._partials[k]:
                    slopes[j] += slope * partial
        return slopes[:inputs]


class SoftGraph:
    """The soft graph of one structure at one situation: values on a tape."""

    def __init__(
        self,
        structure: Structure,
        parameters: Parameters,
        x: Sequence[float],
        lost: Sequence[bool],
        lacking: Mapping[int, Sequence[Formula]],
    ) -> None:
        """Lay the graph out.

        Args:
            structure: the task.
            parameters: the constants.
            x: ``[n]`` completions, in 0..1.
            lost: ``[n]`` whether the subtask can no longer be done.
            lacking: subtask -> further conditions (items that are short).
        """
        self._parameters = parameters
        self.tape = _Tape(x)
        self._subtask: dict[int, int] = {}
        self._known: dict[int, tuple[Formula, int]] = {}  # by identity, which holds while it is kept here
        self._cut = 0
        for i in reversed(structure.order):
            condition = structure.conditions[i]
            extra = lacking.get(i, ())
            if extra:
                condition = threshold(1 + len(extra), (condition, *extra))
            self._subtask[i] = self._completion(i, None if lost[i] else condition)

    def subtask(self, i: int) -> int:
        """Return the place of ``o_i``; of ``x_i`` where a cycle is cut."""
        if i not in self._subtask:
            self._cut += 1
            return i
        return self._subtask[i]

    def _completion(self, i: int, condition: Formula | None) -> int:
        if condition is None:
            return i
        eps, x = self._parameters.eps, self.tape.values[i]
        q = self.condition(condition)
        soft = eps * self.tape.values[q] + (0.99 - eps) * x
        return i if x > soft else self.tape.put(soft, ((q, eps), (i, 0.99 - eps)))

    def condition(self, formula: Formula) -> int:
        """Return the place of ``q``: an OR as it is, all else as an OR of one."""
        known = self._known.get(id(formula))
        if known is not None:
            return known[1]
        cut = self._cut
        if isinstance(formula, Literal) or (formula.parts and formula.conjunction):
            place = self._conjunction(formula.parts if isinstance(formula, Threshold) else (formula,))
        elif not formula.parts:
            place = self.tape.put(1.0 if formula.count == 0 else 0.0)
        elif formula.count == 1:
            place = self._disjunction([self._part(p) for p in formula.parts])
        else:
            place = self._choice(formula.count, [self._part(p) for p in formula.parts])
        if cut == self._cut:
            self._known[id(formula)] = (formula, place)
        return place

    def _part(self, formula: Formula) -> int:
        """Return the place of one input of an OR: an AND, if need be of one child."""
        if isinstance(formula, Threshold) and formula.parts and formula.conjunction:
            return self.condition(formula)
        return self._conjunction((formula,))

    def _conjunction(self, parts: Sequence[Formula]) -> int:
        beta, weight = self._parameters.beta, self._parameters.w_a
        positive: list[int] = []
        negated: list[int] = []
        for part in parts:
            if isinstance(part, Threshold):
                positive.append(self.condition(part))
            elif part.positive:
                positive.append(self.subtask(part.subtask))
            else:
                negated.append(part.subtask)
        values, share = self.tape.values, 1.0 / max(1, len(positive))
        z = beta * (share * sum(values[k] for k in positive) - weight * sum(values[k] for k in negated))
        small = math.exp(-abs(z))
        slope = 1.0 / (1.0 + small) if z >= 0 else small / (1.0 + small)
        partials = [(k, slope * share) for k in positive] + [(k, -slope * weight) for k in negated]
        return self.tape.put((max(z, 0.0) + math.log1p(small)) / beta, partials)

    def _disjunction(self, places: Sequence[int]) -> int:
        tau = self._parameters.tau
        values = [self.tape.values[k] for k in places]
        top = max(values)
        weights = [math.exp(tau * (v - top)) for v in values]
        total = sum(weights)
        q = sum(w * v for w, v in zip(weights, values, strict=True)) / total
        slopes = [w / total * (1.0 + tau * (v - q)) for w, v in zip(weights, values, strict=True)]
        return self.tape.put(q, tuple(zip(places, slopes, strict=True)))

    def _choice(self, count: int, places: Sequence[int]) -> int:
        """Return the soft maximum over all choices of ``count`` places of the mean of the chosen.

        ``logs[j][c]`` is the log of the mean, over all choices of c of the first j
        places, of ``exp(tau * sum of the chosen)``: either place j is not chosen
        (a share ``(j - c) / j`` of the choices) or it is. ``taken[j][c]`` is the
        weight of the second case, by which the derivative runs the recursion backwards.
        """
        tau, c = self._parameters.tau, np.arange(count + 1)
        logs, taken = np.where(c == 0, 0.0, -np.inf), []
        for j, place in enumerate(places, start=1):
            with np.errstate(divide="ignore", invalid="ignore"):
                without = np.log(np.maximum(j - c, 0) / j) + logs
                chosen = np.log(np.minimum(c, j) / j) + tau * self.tape.values[place] + np.roll(logs, 1)
                logs = np.logaddexp(without, chosen)
                taken.append(np.nan_to_num(np.exp(chosen - logs)))
        slope, partials = np.where(c == count, 1.0 / count, 0.0), []
        for place, weight in zip(reversed(places), reversed(taken), strict=True):
            used = slope * weight
            partials.append((place, float(used.sum())))
            slope = slope - used + np.append(used[1:], 0.0)
        return self.tape.put(float(logs[count]) / (count * tau), partials)


def soft_return(
    situation: Situation, parameters: Parameters, x: Sequence[float] | None = None
) -> tuple[float, list[float]]:
    """Return U and its gradient by the completions.

    Args:
        situation: the task and its state.
        parameters: the constants.
        x: ``[n]`` completions to use in place of the situation's, in 0..1.

    Returns:
        ``U(x)`` and ``[n]`` derivatives.
    """
    structure, status = situation.structure, situation.status
    done = [float(word in ("done", "running")) for word in status] if x is None else x
    lost = [word in ("failed", "closed") for word in status]
    graph = SoftGraph(structure, parameters, done, lost, _lacking(situation))
    rewards = situation.payable()
    partials = [(graph.subtask(i), r) for i, r in enumerate(rewards) if r]
    if structure.goal is not None:
        worth = sum(r for s in structure.graph.subtasks if (r := s.reward) > 0) or 1.0
        partials.append((graph.condition(structure.goal), worth))
    total = sum(graph.tape.values[k] * slope for k, slope in partials)
    place = graph.tape.put(total, partials)
    return total, graph.tape.gradient(place, len(status))


def _lacking(situation: Situation) -> dict[int, list[Formula]]:
    """Return, per subtask, what would have to be done for the items it lacks."""
    structure, stock = situation.structure, situation.stock
    items, found = structure.graph.items, {}
    for i, s in enumerate(structure.graph.subtasks):
        short = [k for k, amount in (*s.consumes, *s.requires) if stock.get(items[k].name, amount) < amount]
        if short:
            found[i] = [threshold(1, [Literal(j) for j in structure.producers[k] if j != i]) for k in short]
    return found


def gradient(situation: Situation, parameters: Parameters = PARAMETERS["mining"]) -> Scores:
    """Score each subtask by its logit ``T dU/dx``, as a dispatching rule."""
    _, slopes = soft_return(situation, parameters)
    return [(parameters.temperature * slope,) for slope in slopes]


class GRPropAgent(RandomAgent):
    """Starts what promises most reward along the soft graph; never idles if something can be started.

    It needs the structure and the rewards only, and plays the same under ``full``
    and ``structure`` knowledge but for what lags imply. Where the graph is unknown
    it draws uniformly. Ties go to the lower index.
    """

    def __init__(self, parameters: str | Parameters = "mining", sample: bool = False) -> None:
        """Make an agent.

        Args:
            parameters: ``mining``, ``playground`` or constants of one's own.
            sample: whether to draw from the softmax of the logits, as in training
                and adaptation, rather than take the largest, as in tests.

        Raises:
            ValueError: if there are no parameters of that name.
        """
        if isinstance(parameters, str) and parameters not in PARAMETERS:
            raise ValueError(f"parameters: {parameters!r} is not one of {', '.join(PARAMETERS)}")
        self._parameters = PARAMETERS[parameters] if isinstance(parameters, str) else parameters
        self._sample = sample
        super().__init__()

    def act(self, observation: Observation) -> Actions:
        """Return one action per row of the mask."""
        structure = self._memory.of(observation.task)
        if structure is None:
            return self._uniform(observation, "graph unknown: drawn")
        scores = gradient(Situation.of(structure, observation.task), self._parameters)
        among = candidates(observation.mask)
        order = self._drawn(scores, among) if self._sample else ranked(scores, among)
        actions = self._share(observation, order)
        return self._note(observation.task, actions, "reward gradient", ((i, scores[i][0]) for i in order))

    def _drawn(self, scores: Scores, among: Sequence[int]) -> list[int]:
        """Return the candidates in an order drawn without replacement by the softmax of their logits.

        Adding Gumbel noise to the logits and sorting draws exactly so.
        """
        noise = self._draws.gumbel(size=len(among))
        keys = {i: scores[i][0] + float(g) for i, g in zip(among, noise, strict=True)}
        return sorted(among, key=lambda i: (-keys[i], i))
