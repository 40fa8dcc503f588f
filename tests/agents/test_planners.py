"""Agents in the environment: search and replay against rules and proofs, all clocks, all knowledge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from agent_tasks import Played, play
from stratagym.agents.planners.beam import BeamAgent
from stratagym.agents.planners.dispatch import RULES
from stratagym.agents.zoo import AGENTS, make_agent
from stratagym.envs.task.generate import generate
from stratagym.envs.task.imagine import imagine
from stratagym.envs.task.knobs import Knobs
from stratagym.envs.task.optimum import optimum
from stratagym.envs.task.simulate import Happening, Simulator
from stratagym.envs.task.spec import load_task

SMALL: dict[str, Any] = {"number": 8, "depth": 4, "width": 3, "distractors": 1}
KNOBS = {
    "plain": Knobs(**SMALL),
    "tight": Knobs(**SMALL, deadlines=0.4, max_lags=0.4, releases=0.2, dispatched=0.4),
    "team": Knobs(**SMALL, agents=3, joint=0.3, skills=2),
    "items": Knobs(**SMALL, items=2, modes=0.3),
    "formulas": Knobs(**SMALL, constraints=2),
    "rewards": Knobs(**SMALL, goal=False, horizon=1.0),
}
TWENTY = [(kind, seed) for seed in range(4) for kind in ("plain", "tight", "team", "items", "rewards")]


def worth(kind: str, played: Played) -> tuple[float, float]:
    """Return what counts: the reward, or success and then the makespan; higher is better."""
    return (played.paid, 0.0) if kind == "rewards" else (float(played.success), -float(played.time))


@pytest.mark.parametrize(("kind", "seed"), TWENTY)
def test_beam_is_no_worse_than_any_rule_and_optimal_is_proved(kind: str, seed: int) -> None:
    """On a deterministic task rules <= beam <= optimal, and optimal plays exactly the proved value."""
    task = generate(KNOBS[kind], seed)
    beam = worth(kind, play(task, make_agent("beam", width=3, nodes=600)))
    for rule in (*RULES, "grprop"):
        assert worth(kind, play(task, make_agent(rule))) <= (beam[0] + 1e-9, beam[1])
    solution = optimum(load_task(task).graph)
    assert solution.proved
    best = play(task, make_agent("optimal"))
    assert (best.paid if kind == "rewards" else best.time) == pytest.approx(solution.value)
    assert best.success == (kind != "rewards")
    assert all(reason.startswith("schedule") for reason in best.reasons)
    assert beam <= (worth(kind, best)[0] + 1e-9, worth(kind, best)[1])


# It draws for each body alone, and so names what another has just taken.
@pytest.mark.parametrize("name", sorted(set(AGENTS) - {"random_primitive"}))
@pytest.mark.parametrize("clock", ["tick", "decision", "event"])
@pytest.mark.parametrize("knowledge", ["full", "structure"])
def test_no_start_is_ever_refused(name: str, clock: str, knowledge: str) -> None:
    """Under every clock, with three agents, joint subtasks and scarce items, nothing named is refused."""
    knobs = Knobs(**SMALL, agents=3, joint=0.3, skills=2, items=2, modes=0.3, deadlines=0.2)
    for seed in range(2):
        task = generate(knobs, seed)
        played = play(task, make_agent(name), seed, clock=clock, knowledge=knowledge)
        assert played.refusals == []
        assert played.starts


@pytest.mark.parametrize("name", sorted(AGENTS))
def test_an_episode_without_knowledge_is_played_to_its_end(name: str) -> None:
    """Where only statuses are known every agent still starts subtasks until the episode ends."""
    played = play(generate(KNOBS["team"], 1), make_agent(name), 3, knowledge="none")
    assert len(played.starts) >= 5
    assert {row["reason"] for row in played.trace} <= {"drawn", "graph unknown: drawn"}


@pytest.mark.parametrize("name", ["beam", "grprop", "optimal", "random"])
def test_the_same_seed_plays_the_same_episode(name: str) -> None:
    """Two episodes of one seed agree start for start, draws included."""
    task = generate(Knobs(**SMALL, drawn=0.5, chance=0.3), 2)
    agent = make_agent(name)
    first, again = play(task, agent, 5), play(task, agent, 5)
    assert first.starts == again.starts
    assert first.trace == again.trace


PATIENCE: Mapping[str, Any] = {
    "resources": {"machine": 1},
    "horizon": 40,
    "subtasks": {
        "prepare": {"duration": 1, "attended": 0},
        "long": {"duration": 10, "attended": 0, "uses": {"machine": 1}, "needs": "prepare"},
        "after": {"duration": 8, "needs": "long"},
        "filler": {"duration": 9, "attended": 0, "uses": {"machine": 1}},
    },
    "tasks": {"all of it": {"all": ["after", "filler"]}},
    "goal": "all of it",
}


@pytest.mark.parametrize("name", ["beam", "optimal"])
def test_planners_wait_where_it_pays(name: str) -> None:
    """Keeping the machine free for one tick saves eight: planners do, the rules do not."""
    assert play(PATIENCE, make_agent(name)).time == 20
    assert min(play(PATIENCE, make_agent(rule)).time for rule in RULES) > 20


def test_beam_stays_within_its_node_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """One search takes no more simulated steps than ``nodes``, and still gives a plan."""
    steps: list[int] = []
    inner = Simulator.step

    def counted(self: Simulator, actions: Sequence[int]) -> list[Happening]:
        steps.append(1)
        return inner(self, actions)

    monkeypatch.setattr(Simulator, "step", counted)
    for nodes in (1, 7, 60):
        steps.clear()
        agent = BeamAgent(nodes=nodes)
        played = play(generate(KNOBS["plain"], 0), agent)
        searches = sum("planned" in reason for reason in played.reasons)
        assert searches >= 1
        assert len(steps) <= nodes * searches
        assert played.starts


BROKEN: Mapping[str, Any] = {
    **PATIENCE,
    "resources": {"machine": 1, "spare": 1},
    "events": [{"at": 1, "duration": {"long": 15}}],
}


@pytest.mark.parametrize(("name", "said"), [("beam", "planned anew"), ("optimal", "left the schedule")])
def test_planners_plan_anew_when_surprised(name: str, said: str) -> None:
    """An unknown event that makes a run longer is noticed, noted and planned around."""
    played = play(BROKEN, make_agent(name))
    assert played.success
    assert any(said in reason for reason in played.reasons)


def test_known_events_are_planned_for() -> None:
    """With the event known the schedule holds to the end."""
    known = {**BROKEN, "events": [{"at": 1, "duration": {"long": 15}, "known": True}]}
    played = play(known, make_agent("optimal"))
    assert played.success
    assert all(reason.startswith("schedule") for reason in played.reasons)


def test_drawn_durations_are_planned_with_their_mean() -> None:
    """Optimal plans a random task as expected, says so and falls back to search when a draw differs."""
    task = generate(Knobs(**SMALL, drawn=1.0), 1)
    played = play(task, make_agent("optimal"), 4)
    assert played.success
    assert played.reasons[0].startswith("schedule of makespan")
    assert any("left the schedule" in reason for reason in played.reasons)


@pytest.mark.parametrize("kind", ["plain", "team", "items"])
@pytest.mark.parametrize("resolve", [2.0, 0.0])
def test_asked_in_the_middle_optimal_solves_what_is_left(kind: str, resolve: float) -> None:
    """From where three starts by rule have led it reaches the proved value; without effort it searches."""
    graph = load_task(generate(KNOBS[kind], 2)).graph
    simulator = Simulator(graph)
    rule, agent = make_agent("shortest"), make_agent("optimal", resolve=resolve)
    rule.reset(0)
    agent.reset(0)
    while simulator.time < 5:
        simulator.step([int(a) for a in rule.act(imagine(simulator))])
    left = optimum(graph, since=imagine(simulator).task)
    assert left.proved
    while simulator.over is None:
        simulator.step([int(a) for a in agent.act(imagine(simulator))])
    reasons = {str(row["reason"]).startswith("schedule") for row in agent.trace()}
    assert reasons == {resolve > 0}
    assert simulator.success
    assert simulator.time >= left.value
    if resolve:
        assert simulator.time == left.value


def test_an_objective_can_be_chosen() -> None:
    """Searching for reward in a task with a goal earns at least what searching for speed does."""
    task = generate(KNOBS["plain"], 1)
    rich, fast = (play(task, BeamAgent(objective=o)) for o in ("reward", "makespan"))
    assert rich.paid >= fast.paid
    assert fast.time <= rich.time


def test_due_dates_can_be_the_objective() -> None:
    """Searching for tardiness meets a due date that searching for makespan misses."""
    task = {
        "horizon": 40,
        "subtasks": {
            "early": {"duration": 2, "due": 2},
            "chain": {"duration": 3},
            "end": {"duration": 9, "attended": 0, "needs": "chain"},
        },
        "tasks": {"both": {"all": ["early", "end"]}},
        "goal": "both",
    }
    late = {o: play(task, make_agent("beam", objective=o)) for o in ("tardiness", "makespan")}
    assert late["tardiness"].starts[0] == (0, "early")
    assert late["makespan"].starts[0] == (0, "chain")
