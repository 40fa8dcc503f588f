"""GRProp: the published formula where it applies, and sense beyond it."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from agent_tasks import items, observe
from hand_made import graph, subtask
from stratagym.agents.planners.dispatch import Situation
from stratagym.agents.planners.grprop import PARAMETERS, GRPropAgent, Parameters, gradient, soft_return
from stratagym.agents.planners.structure import Structure
from stratagym.envs.task.graph import Branch, Choice, Gate, TaskGraph

Clause = dict[int, int]  # subtask -> +1 or -1
Array = np.ndarray[Any, Any]


def published(clauses: list[list[Clause]], reward: Array, p: Parameters, x: Array) -> complex:
    """Compute U by the published matrices, in order of layers; ``x`` may be complex to differentiate."""
    n = len(clauses)
    o = np.zeros(n, dtype=complex)
    for i, options in enumerate(clauses):
        q = complex(1.0)
        if options:
            values = []
            for clause in options:
                positive = np.array([float(clause.get(j, 0) > 0) for j in range(n)])
                negative = np.array([float(clause.get(j, 0) < 0) for j in range(n)])
                soft = positive @ o / max(positive.sum(), 1.0) - p.w_a * (negative @ x)
                values.append(np.log1p(np.exp(p.beta * soft)) / p.beta)
            v = np.array(values)
            weight = np.exp(p.tau * v)
            q = complex(weight @ v / weight.sum())
        soft = p.eps * q + (0.99 - p.eps) * x[i]
        o[i] = x[i] if x[i].real > soft.real else soft
    return complex(reward @ o)


def dnf_task(clauses: list[list[Clause]], rewards: Array) -> TaskGraph:
    """Return the task with these disjunctive normal forms as gates."""
    n = len(clauses)
    gates: list[Gate] = []
    subtasks = []
    for i, options in enumerate(clauses):
        nodes = []
        for clause in options:
            signs = [tuple(j for j, s in clause.items() if s == sign) for sign in (1, -1)]
            gates.append(Gate(len(clause), *signs))
            nodes.append(n + len(gates) - 1)
        if len(nodes) > 1:
            gates.append(Gate(1, tuple(nodes)))
            nodes = [n + len(gates) - 1]
        subtasks.append(subtask(f"s{i}", needs=nodes[0] if nodes else -1, reward=float(rewards[i])))
    return graph(subtasks, gates)


def random_dnf(rng: np.random.Generator, n: int = 9) -> list[list[Clause]]:
    """Draw layered preconditions: one or two clauses of one to three literals over earlier subtasks."""
    clauses: list[list[Clause]] = [[], [], []]
    for i in range(3, n):
        options: list[Clause] = []
        for _ in range(rng.integers(1, 3)):
            chosen = rng.permutation(i)[: rng.integers(1, 4)].tolist()
            clause = {j: int(rng.choice([1, 1, -1])) for j in chosen}
            clause[chosen[0]] = 1
            if clause not in options:
                options.append(clause)
        clauses.append(options)
    return clauses


def situation(task: TaskGraph, x: Array) -> Situation:
    """Return the situation in which the subtasks with x = 1 are done."""
    return Situation(Structure(task), 0, ["done" if v == 1 else "locked" for v in x])


@pytest.mark.parametrize("setting", list(PARAMETERS))
def test_disjunctive_normal_forms_give_the_published_value(setting: str) -> None:
    """On 60 random layered graphs with negative literals U equals the published formula."""
    p, rng = PARAMETERS[setting], np.random.default_rng(3)
    for _ in range(60):
        clauses = random_dnf(rng)
        rewards = rng.uniform(0.1, 2.0, len(clauses))
        x = rng.uniform(0.0, 1.0, len(clauses))
        value, _ = soft_return(situation(dnf_task(clauses, rewards), np.zeros(len(x))), p, x.tolist())
        assert value == pytest.approx(published(clauses, rewards, p, x).real, abs=1e-9)


@pytest.mark.parametrize("setting", list(PARAMETERS))
def test_the_policy_is_the_published_one_at_every_state(setting: str) -> None:
    """At 0/1 completions the logits are T times the slope of the published U with done rewards masked."""
    p, rng = PARAMETERS[setting], np.random.default_rng(4)
    for _ in range(30):
        clauses = random_dnf(rng)
        rewards, x = rng.uniform(0.1, 2.0, len(clauses)), rng.integers(0, 2, len(clauses)).astype(float)
        task = dnf_task(clauses, rewards)
        masked = np.where(x == 1, 0.0, rewards)
        scores = gradient(situation(task, x), p)
        for i in np.flatnonzero(x == 0):
            slope = published(clauses, masked, p, x + np.eye(len(x))[i] * 1e-20j).imag / 1e-20
            assert scores[i][0] == pytest.approx(p.temperature * slope, abs=1e-9)


def gated_task(rng: np.random.Generator) -> TaskGraph:
    """Draw a task whose needs are nested gates of every kind, with choices and a goal."""
    n, gates = 8, []
    for g in range(8):
        drawn = rng.permutation(n // 2 + g)[: rng.integers(2, 5)].tolist()
        nodes = [k if k < n // 2 else k - n // 2 + n for k in drawn]
        split = int(rng.integers(1, len(nodes) + 1))
        gates.append(Gate(int(rng.integers(1, len(nodes) + 1)), tuple(nodes[:split]), tuple(nodes[split:])))
    needs = [-1] * 4 + [n + int(k) for k in rng.integers(0, 8, 4)]
    subtasks = [subtask(f"s{i}", needs=k, reward=float(rng.uniform(0, 2))) for i, k in enumerate(needs)]
    return graph(subtasks, gates, goal=n + 7, choices=(Choice("c", (Branch(4, (4,)), Branch(5, (5, 1)))),))


def test_the_gradient_is_that_of_the_value() -> None:
    """On 60 random graphs of every kind of gate the slopes equal central differences."""
    rng, p = np.random.default_rng(5), PARAMETERS["playground"]
    for _ in range(60):
        state = situation(gated_task(rng), np.zeros(8))
        x = rng.uniform(0.05, 0.95, 8)
        _, slopes = soft_return(state, p, x.tolist())
        for i in range(8):
            up, down = (soft_return(state, p, (x + d * np.eye(8)[i]).tolist())[0] for d in (1e-6, -1e-6))
            assert slopes[i] == pytest.approx((up - down) / 2e-6, rel=1e-4, abs=1e-6)


def test_k_of_m_is_the_soft_maximum_over_choices_of_k() -> None:
    """The value of "2 of 4" equals its definition over all six pairs; that of a large gate is finite."""
    p = PARAMETERS["mining"]
    task = graph(
        [*(subtask(f"s{i}") for i in range(4)), subtask("goal", needs=5, reward=1)], [Gate(2, (0, 1, 2, 3))]
    )
    x = [0.1, 0.9, 0.4, 0.7, 0.0]
    value, _ = soft_return(situation(task, np.zeros(5)), p, x)
    o = [max(v, p.eps + (0.99 - p.eps) * v) for v in x[:4]]
    v = np.array([np.log1p(np.exp(p.beta * k)) / p.beta for k in o])
    pairs = [v[i] + v[j] for i, j in product(range(4), range(4)) if i < j]
    assert value == pytest.approx(p.eps * np.log(np.mean(np.exp(p.tau * np.array(pairs)))) / (2 * p.tau))
    many = graph(
        [*(subtask(f"s{i}") for i in range(300)), subtask("goal", needs=301, reward=1)],
        [Gate(150, tuple(range(300)))],
    )
    value, slopes = soft_return(situation(many, np.repeat([1.0, 0.0], [140, 161])), p)
    assert 0 < value < 1
    assert np.isfinite(slopes).all()


def test_writing_the_same_condition_otherwise_changes_nothing() -> None:
    """``~(~a | ~b)`` and ``a & b``, nested or not, give the same gradient."""
    plain = graph([subtask("a"), subtask("b"), subtask("c", needs=3, reward=1.0)], [Gate(2, (0, 1))])
    twice = graph(
        [subtask("a"), subtask("b"), subtask("c", needs=4, reward=1.0)],
        [Gate(1, (), (0, 1)), Gate(1, (), (3,))],
    )
    zeros = np.zeros(3)
    assert gradient(situation(plain, zeros)) == gradient(situation(twice, zeros))


def test_what_a_negative_literal_forbids_is_avoided() -> None:
    """A distractor that would close the way to a large reward is left for last."""
    task = graph(
        [
            subtask("distractor", reward=1.0),
            subtask("key", reward=0.1),
            subtask("prize", needs=3, reward=3.0),
        ],
        [Gate(2, (1,), (0,))],
    )
    assert GRPropAgent().act(observe(task, [0, 1])).tolist() == [1]
    assert GRPropAgent().act(observe(task, [0, 2], done=[1])).tolist() == [2]
    assert GRPropAgent().act(observe(task, [0], done=[1, 2])).tolist() == [0]


def test_the_goal_is_the_reward_where_there_is_none() -> None:
    """Without rewards the gradient leads along the chain to the goal and past the distractor."""
    task = graph([subtask("aside"), subtask("first"), subtask("last", needs=1)], goal=2)
    assert GRPropAgent().act(observe(task, [0, 1])).tolist() == [1]


def test_a_missing_item_leads_to_its_producer() -> None:
    """What makes an item that a rewarded subtask lacks comes first, until there is enough."""
    task = graph(
        [
            subtask("aside", reward=0.1),
            subtask("chop", produces=((0, 1),), repeatable=True),
            subtask("build", consumes=((0, 1),), reward=5),
        ],
        items=items(wood=0),
    )
    assert GRPropAgent().act(observe(task, [0, 1])).tolist() == [1]
    assert GRPropAgent().act(observe(task, [0, 1, 2], done=[1], stock={"wood": 1})).tolist() == [2]


def test_a_cycle_of_needs_has_a_finite_gradient() -> None:
    """Needs that form a cycle with a way in are played from the way in."""
    task = graph(
        [subtask("a", needs=3, reward=1), subtask("b", needs=0, reward=1), subtask("in")], [Gate(1, (1, 2))]
    )
    scores = gradient(situation(task, np.zeros(3)))
    assert scores[2][0] > 0
    assert np.isfinite(scores).all()


def test_sampling_follows_the_softmax() -> None:
    """With ``sample`` the first start is drawn by the softmax of the logits, by seed."""
    task = graph([subtask("a", reward=1.0), subtask("b", reward=1.0 + np.log(3) / (200 * 0.19))])
    agent, hits = GRPropAgent(sample=True), 0
    for seed in range(2000):
        agent.reset(seed)
        hits += int(agent.act(observe(task, [0, 1]))[0])
    assert abs(hits - 1500) < 90  # 4.6 standard deviations


def test_unknown_parameters_are_refused() -> None:
    """A setting that does not exist is named in the error."""
    with pytest.raises(ValueError, match="'cooking' is not one of mining, playground"):
        GRPropAgent("cooking")
