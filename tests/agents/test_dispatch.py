"""Dispatching rules and the random player, on tasks made by hand."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from agent_tasks import items, observe, resources
from hand_made import graph, subtask
from stratagym.agents.base import Agent as AgentProtocol
from stratagym.agents.planners.dispatch import RULES, RandomAgent, RuleAgent
from stratagym.agents.planners.grprop import GRPropAgent
from stratagym.envs.task.graph import Agent, Branch, Choice, Due, Gate, Lag, TaskGraph
from stratagym.envs.task.view import Observation

TWO = (Agent("agent 0"), Agent("agent 1"))


def first(rule: str, observation: Observation) -> int:
    """Return what agent 0 starts under a rule."""
    return int(RuleAgent(rule).act(observation)[0])


def fork() -> TaskGraph:
    """Return a goal with a long chain (0, 1), a wide fan (2 before 3 to 5) and a short end (6)."""
    return graph(
        [
            subtask("chain", 4),
            subtask("long end", 20, needs=0),
            subtask("fan", 5),
            *[subtask(f"leaf {k}", 1, needs=2) for k in range(3)],
            subtask("end", 1),
        ],
        [Gate(5, (1, 3, 4, 5, 6))],
        goal=7,
    )


@pytest.mark.parametrize(("rule", "chosen"), [("critical_path", 0), ("most_successors", 2), ("shortest", 6)])
def test_rules_rank_by_their_measure(rule: str, chosen: int) -> None:
    """Tail, number of followers and duration each pick a different subtask of one fork."""
    assert first(rule, observe(fork(), [0, 2, 6])) == chosen


def test_greedy_takes_the_highest_reward_then_the_shortest() -> None:
    """Reward counts first, duration among equals; a reward already paid counts nothing."""
    task = graph([subtask("a", 3, reward=2), subtask("b", 2, reward=2), subtask("c", 1, reward=1)])
    assert first("greedy", observe(task, [0, 1, 2])) == 1
    paid = observe(task, [0, 1, 2], succeeded={0: 3, 1: 5})
    assert first("greedy", paid) == 2


def test_greedy_without_rewards_takes_most_progress_for_its_attention() -> None:
    """A long subtask that needs little attention beats one that needs it throughout."""
    task = graph(
        [subtask("stir", 5), subtask("boil", 8, attended=1), subtask("aside", 9, attended=0)],
        [Gate(2, (0, 1))],
        goal=3,
    )
    assert first("greedy", observe(task, [0, 1, 2])) == 1


def test_least_slack_follows_deadlines_through_successors() -> None:
    """The subtask whose successor's deadline is nearest comes first, and a due date counts too."""
    task = graph([subtask("a", 2), subtask("b", 2), subtask("c", 6, needs=1, deadline=12)], horizon=50)
    assert first("least_slack", observe(task, [0, 1])) == 1
    task = graph([subtask("a", 2), subtask("b", 2)], horizon=50, dues=(Due("b", 9, 1.0, (1,)),))
    assert first("least_slack", observe(task, [0, 1])) == 1


def test_least_slack_minds_a_running_out_lag() -> None:
    """A successor that must start soon after its predecessor comes before an earlier deadline's."""
    task = graph(
        [
            subtask("boil"),
            subtask("brew", 2, lags=(Lag((0,), "completion", 0, 6),)),
            subtask("other", 2, deadline=20),
        ],
        horizon=60,
    )
    seen = observe(task, [1, 2], time=10, done=[0], succeeded={0: 7})
    assert first("least_slack", seen) == 1


def test_least_slack_without_limits_is_critical_path() -> None:
    """With nothing to be late for, the longest tail has the least slack."""
    assert first("least_slack", observe(fork(), [0, 2, 6])) == 0


def test_rules_leave_distractors_for_last() -> None:
    """What the goal cannot ask for comes after everything that it may."""
    task = graph([subtask("aside", 30), subtask("after", 30, needs=0), subtask("goal", 1)], goal=2)
    for rule in ("critical_path", "least_slack", "most_successors", "greedy"):
        expected = 2 if rule != "most_successors" else first("shortest", observe(task, [0, 2]))
        assert first(rule, observe(task, [0, 2])) == expected


AGENTS = [*(lambda r=r: RuleAgent(r) for r in RULES), RandomAgent, GRPropAgent]


@pytest.mark.parametrize("make", AGENTS)
def test_never_idle_and_never_twice(make: type[AgentProtocol]) -> None:
    """With as many subtasks as agents all agents start something, no two the same."""
    task = graph(
        [subtask(f"s{i}", i + 1) for i in range(4)], agents=tuple(Agent(f"agent {k}") for k in range(3))
    )
    for seed in range(20):
        agent = make()
        agent.reset(seed)
        chosen = agent.act(observe(task, [0, 1, 3])).tolist()
        assert sorted(chosen) == [0, 1, 3]


@pytest.mark.parametrize("make", AGENTS)
def test_a_joint_subtask_gets_all_its_agents_or_none(make: type[AgentProtocol]) -> None:
    """A lift for two is named by exactly two skilled agents, or by nobody."""
    task = graph(
        [subtask("lift", 9, agents=2, reward=9), subtask("sweep", 1)],
        agents=tuple(Agent(f"agent {k}") for k in range(4)),
    )
    for seed in range(20):
        agent = make()
        agent.reset(seed)
        chosen = agent.act(observe(task, {0: [1, 2, 3], 1: [0, 1, 2, 3]})).tolist()
        assert Counter(chosen)[0] in (0, 2)
        assert Counter(chosen)[1] <= 1
        assert chosen[0] != 0


def test_agents_with_fewest_possibilities_go_first() -> None:
    """An agent that can do only one thing does it, and leaves the other to the one that can do both."""
    task = graph([subtask("a", 2), subtask("b", 1)], agents=TWO)
    assert RuleAgent("critical_path").act(observe(task, {0: [0, 1], 1: [0]})).tolist() == [1, 0]


def test_starts_of_one_step_share_capacity_and_stock() -> None:
    """Two agents do not start what only one kettle, one egg or one branch is there for."""
    for fields in (
        {"uses": ((0, 1),)},
        {"consumes": ((0, 1),)},
    ):
        task = graph(
            [subtask("a", 3, **fields), subtask("b", 2, **fields), subtask("c", 1)],
            agents=TWO,
            resources=resources(kettle=1),
            items=items(egg=1),
        )
        assert RuleAgent("critical_path").act(observe(task, [0, 1, 2])).tolist() == [0, 2]
    task = graph(
        [subtask("a", 3), subtask("b", 2), subtask("c", 1)],
        agents=TWO,
        choices=(Choice("either", (Branch(0, (0,)), Branch(1, (1,)))),),
    )
    assert RuleAgent("critical_path").act(observe(task, [0, 1, 2])).tolist() == [0, 2]


def test_stock_that_must_stay_is_not_taken_in_the_same_step() -> None:
    """A pan that one start requires is not consumed by another start of that step, in either order."""
    keeps, takes = subtask("fry", 3, requires=((0, 1),)), subtask("melt", 2, consumes=((0, 1),))
    for pair in ([keeps, takes], [takes, keeps]):
        task = graph([*pair, subtask("c", 1)], agents=TWO, items=items(pan=1))
        chosen = set(RuleAgent("critical_path").act(observe(task, [0, 1, 2])).tolist())
        assert chosen in ({0, 2}, {1, 2})


def test_everyone_waits_when_nothing_can_start() -> None:
    """With an empty mask every agent waits, and the trace says so."""
    agent = RuleAgent("shortest")
    assert agent.act(observe(fork(), [])).tolist() == [7]
    assert agent.trace()[0]["chosen"] == [None]


def test_a_lone_row_names_a_joint_subtask() -> None:
    """An agent that decides for itself alone may name what others must join."""
    task = graph([subtask("lift", agents=2)], agents=TWO)
    assert RuleAgent("critical_path").act(observe(task, [0], rows=[1])).tolist() == [0]


def test_random_is_uniform_over_allowed_starts() -> None:
    """Over many seeds each of three allowed starts is drawn about equally often."""
    task = graph([subtask(f"s{i}") for i in range(4)])
    counts: Counter[int] = Counter()
    agent = RandomAgent()
    for seed in range(3000):
        agent.reset(seed)
        counts[int(agent.act(observe(task, [0, 2, 3]))[0])] += 1
    assert set(counts) == {0, 2, 3}
    assert max(abs(c - 1000) for c in counts.values()) < 120  # 4.6 standard deviations


@pytest.mark.parametrize("make", [RandomAgent, lambda: RuleAgent("critical_path"), GRPropAgent])
def test_the_seed_decides_alone(make: type[AgentProtocol]) -> None:
    """The same seed gives the same draws again, whatever was played before and drawn elsewhere."""
    task = graph([subtask(f"s{i}") for i in range(9)])
    agent, runs = make(), []
    for noise in range(2):
        np.random.default_rng(noise).random(5)
        agent.reset(7)
        runs.append([int(agent.act(observe(task, range(9), knowledge="none"))[0]) for _ in range(30)])
    assert runs[0] == runs[1]
    agent.reset(8)
    assert runs[0] != [int(agent.act(observe(task, range(9), knowledge="none"))[0]) for _ in range(30)]


@pytest.mark.parametrize("rule", list(RULES))
def test_an_unknown_graph_is_played_uniformly(rule: str) -> None:
    """Without a graph a rule draws among the allowed starts, and says so."""
    task = graph([subtask(f"s{i}", i + 1) for i in range(3)])
    agent, seen = RuleAgent(rule), set()
    for seed in range(40):
        agent.reset(seed)
        seen.add(int(agent.act(observe(task, [0, 1, 2], knowledge="none"))[0]))
        assert agent.trace()[0]["reason"] == "graph unknown: drawn"
    assert seen == {0, 1, 2}


def test_the_size_of_a_joint_subtask_is_learned_by_asking() -> None:
    """Without a graph a start that did not happen is tried with one agent more the next time."""
    task = graph([subtask("lift", agents=3)], agents=tuple(Agent(f"agent {k}") for k in range(3)))
    agent = RandomAgent()
    named = [int((agent.act(observe(task, [0], time=t, knowledge="none")) == 0).sum()) for t in range(4)]
    assert named == [1, 2, 3, 1]


def test_structure_knowledge_counts_subtasks() -> None:
    """Under ``structure`` the longest chain is the one of most subtasks."""
    task = graph(
        [subtask("a", 1), subtask("b", 1, needs=0), subtask("c", 1, needs=1), subtask("x", 50)],
        [Gate(2, (2, 3))],
        goal=4,
    )
    assert first("critical_path", observe(task, [0, 3])) == 3
    assert first("critical_path", observe(task, [0, 3], knowledge="structure")) == 0


def test_the_trace_is_drained_and_can_be_written() -> None:
    """Each decision leaves one JSON row with time, choice, reason and scores, handed over once."""
    agent = RuleAgent("critical_path")
    agent.act(observe(fork(), [0, 2, 6], time=3))
    (row,) = agent.trace()
    assert json.loads(json.dumps(row)) == {
        "time": 3,
        "chosen": ["chain"],
        "reason": "critical_path",
        "scores": {"chain": 24.0, "fan": 6.0, "end": 1.0},
    }
    assert agent.trace() == []


def test_an_unknown_rule_is_refused() -> None:
    """A rule that does not exist is named in the error."""
    with pytest.raises(ValueError, match="'longest' is not one of greedy"):
        RuleAgent("longest")
