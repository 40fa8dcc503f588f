"""Exact schedules: equal to brute force, played as promised, and honest where they are not exact."""

from __future__ import annotations

import math
from typing import Any, get_args

import pytest

from brute_force import ReferenceSimulator, TooManyStates, best_value
from random_tasks import random_task, small_task
from stratagym.envs.domains import job_shop
from stratagym.envs.task.bounds import lower_bound, upper_bound_reward
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.optimum import Solution, optimum, verify_schedule
from stratagym.envs.task.outlook import Objective
from stratagym.envs.task.replay import Run, Start, play
from stratagym.envs.task.spec import load_task
from tiny_tasks import tiny_task

QUICK = 24
"""Seeds of the default run; the rest is marked slow."""


def objectives(graph: TaskGraph) -> list[Objective]:
    """The objectives that fit a task."""
    fitting: list[Objective] = ["reward"]
    if graph.goal is not None:
        fitting.append("makespan")
    if graph.dues and graph.horizon is not None:
        fitting.append("tardiness")
    return fitting


def replayed(mapping: dict[str, Any], graph: TaskGraph, solution: Solution, seed: int) -> float | None:
    """The value of a solution's schedule on the naive second implementation."""
    starts = [
        Start(graph.index(run.subtask), run.start, run.end, tuple(((a,), 1) for a in run.agents))
        for run in solution.schedule
    ]
    played = play(graph, starts, seed, ReferenceSimulator(mapping, seed))
    assert not isinstance(played, str), played
    return played.value[solution.objective]


def compare(mapping: dict[str, Any], seed: int) -> tuple[int, int]:
    """Check a task against brute force; return how many values were compared and how many proved."""
    graph = load_task(mapping).graph
    compared = proved = 0
    for objective in objectives(graph):
        try:
            best = best_value(mapping, seed, objective)
        except TooManyStates:
            continue
        solution = optimum(graph, objective, seed=seed)
        compared += 1
        proved += solution.proved
        if solution.proved:
            assert solution.value == (None if best is None else pytest.approx(best)), (seed, objective)
        elif best is not None:
            worse = -1 if objective == "reward" else 1
            assert worse * solution.bound <= worse * best + 1e-6, (seed, objective)
        if solution.value is not None:
            assert replayed(mapping, graph, solution, seed) == pytest.approx(solution.value)
            assert verify_schedule(graph, solution.schedule, objective, solution.value, seed) is None
    return compared, proved


@pytest.mark.parametrize("make", [tiny_task, small_task])
@pytest.mark.parametrize(
    "seeds",
    [
        pytest.param(range(QUICK), id="quick"),
        pytest.param(range(QUICK, 260), id="rest", marks=pytest.mark.slow),
    ],
)
def test_optimum_equals_brute_force(make: Any, seeds: range) -> None:
    """On small random tasks every proved value is that of exhaustive search, and nearly all are proved."""
    compared = proved = 0
    for seed in seeds:
        mapping = make(seed)
        if make is tiny_task and not loads(mapping):
            continue
        more = compare(mapping, seed)
        compared, proved = compared + more[0], proved + more[1]
    assert compared > len(seeds)
    assert proved >= 0.97 * compared


def loads(mapping: dict[str, Any]) -> bool:
    """Whether a task is valid (a random one may ask for more agents or units than there are)."""
    try:
        load_task(mapping)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    "seeds",
    [pytest.param(range(6), id="quick"), pytest.param(range(6, 150), id="rest", marks=pytest.mark.slow)],
)
def test_no_random_play_beats_a_bound(seeds: range) -> None:
    """On random tasks of every kind no random play passes the bound, with the draws known or open."""
    for seed in seeds:
        mapping = random_task(seed, size=6)
        graph = load_task(mapping).graph
        plays = [random_play(mapping, seed, k) for k in range(8)]
        for objective in objectives(graph):
            sign = -1 if objective == "reward" else 1
            for known in (seed, None):
                solution = optimum(graph, objective, seed=known, time_limit=2)
                reached = [p[objective] for p in plays if p[objective] is not None]
                assert all(sign * v >= sign * solution.bound - 1e-6 for v in reached), (seed, objective)
                if solution.value is not None:
                    assert verify_schedule(graph, solution.schedule, objective, solution.value, seed) is None


def random_play(mapping: dict[str, Any], seed: int, k: int) -> dict[str, float | None]:
    """The values of one random play on the naive second implementation (None without an end)."""
    import random

    draw = random.Random(k)
    idle = draw.choice([0, 0.1, 0.4, 0.7])
    lane = ReferenceSimulator(mapping, seed)
    while lane.over is None and lane.time < 60:
        actions = []
        for row in lane.mask():
            allowed = [i for i, x in enumerate(row[:-1]) if x]
            actions.append(draw.choice(allowed) if allowed and draw.random() >= idle else len(row) - 1)
        lane.step(actions)
    return {
        "makespan": float(lane.time) if lane.success else None,
        "reward": lane.paid,
        "tardiness": lane.tardiness if lane.over else None,
    }


@pytest.mark.parametrize(("name", "makespan"), [("ft06", 55), ("la01", 666)])
def test_job_shops_of_the_literature(name: str, makespan: int) -> None:
    """FT06 and LA01 are proved with the makespans that the literature proves."""
    graph = load_task(job_shop.DOMAIN.source(instance=name).mapping(0)).graph
    solution = optimum(graph)
    assert (solution.value, solution.bound, solution.proved, solution.kind) == (
        makespan,
        makespan,
        True,
        "proved",
    )
    assert verify_schedule(graph, solution.schedule, "makespan", makespan) is None


def test_a_task_is_solved_as_its_graph_is() -> None:
    """A loaded task may be given itself."""
    task = load_task({"subtasks": {"a": {"duration": 2}, "b": {"needs": "a"}}, "goal": "b"})
    assert optimum(task) == optimum(task.graph)
    assert optimum(task).value == 3


def test_a_schedule_may_do_a_thing_twice() -> None:
    """Where one run cannot serve two successors in time, the optimum runs it again and is proved."""
    mapping = {
        "horizon": 40,
        "subtasks": {
            "boil": {"duration": 2, "attended": 1},
            "steep": {"duration": 5, "needs": "boil", "lags": {"boil": {"max": 0}}},
            "brew": {"duration": 5, "needs": "boil", "lags": {"boil": {"max": 0}}},
        },
        "goal": "steep & brew",
    }
    solution = optimum(load_task(mapping).graph)
    assert [run.subtask for run in solution.schedule].count("boil") == 2
    assert (solution.value, solution.proved) == (best_value(mapping, 0, "makespan"), True)


def test_the_goal_ends_what_can_be_earned() -> None:
    """With a goal the reward counts until it holds, so it pays to put the goal off."""
    mapping = {
        "horizon": 6,
        "subtasks": {"win": {"reward": 1}, "dig": {"repeatable": True, "reward": 1}},
        "goal": "win",
    }
    assert optimum(load_task(mapping).graph, "reward").value == 6
    assert optimum(load_task(mapping).graph).value == 1


def test_rewards_of_many_decimals_are_not_lost() -> None:
    """A third is no short decimal; its sum is found all the same, and the bound is not below it."""
    fields = {"reward": 1 / 3, "duration": 2}
    solution = optimum(load_task({"horizon": 6, "subtasks": dict.fromkeys("abcd", fields)}).graph)
    assert solution.value == pytest.approx(1.0)
    assert solution.bound >= 1.0


def test_kinds_of_claims() -> None:
    """Draws left open give a bound, known ones hindsight, secrets hindsight, the rest a proof."""
    plain = {"horizon": 9, "subtasks": {"a": {"duration": 3}}, "goal": "a"}
    drawn = {"horizon": 9, "subtasks": {"a": {"duration": {"uniform": [2, 6]}}}, "goal": "a"}
    secret = plain | {"events": [{"at": 1, "duration": {"a": 5}}]}
    world = {"horizon": 9, "subtasks": {"a": {"duration": "world"}}, "goal": "a"}
    told = plain | {"events": [{"at": 1, "duration": {"a": 5}, "known": True}]}
    late = plain | {"events": [{"at": {"uniform": [1, 4]}, "undo": "a"}]}

    def claim(mapping: dict[str, Any], seed: int | None = None) -> tuple[Any, ...]:
        s = optimum(load_task(mapping).graph, seed=seed)
        return s.value, s.bound, s.proved, s.kind

    assert claim(plain) == (3, 3, True, "proved")
    assert claim(drawn) == (None, 2, False, "bound")
    value, bound, proved, kind = claim(drawn, 5)
    assert (value, bound, proved, kind) == (best_value(drawn, 5, "makespan"), value, True, "hindsight")
    assert claim(secret) == (3, 3, True, "hindsight")
    assert claim(told) == (3, 3, True, "proved")
    assert claim(world) == (None, 1, False, "bound")
    assert claim(late) == (None, 3, False, "bound")
    assert claim(late, 1) == (3, 3, True, "hindsight")


def test_a_goal_out_of_reach_is_proved_so() -> None:
    """No value, an infinite bound and a proof: nobody can reach the goal in time."""
    by_arithmetic = {"horizon": 4, "subtasks": {"a": {"duration": 5}}, "goal": "a"}
    by_search = {"horizon": 5, "subtasks": {"a": {"duration": 3}, "b": {"duration": 3, "needs": "~a"}}}
    by_search["goal"] = "a & b"
    for mapping in (by_arithmetic, by_search):
        solution = optimum(load_task(mapping).graph)
        assert (solution.value, solution.bound, solution.proved) == (None, math.inf, True)
        assert solution.to_dict()["bound"] is None


def test_reward_without_end_has_no_optimum() -> None:
    """A repeatable reward without a horizon is not bounded, and nothing is claimed."""
    solution = optimum(load_task({"subtasks": {"a": {"repeatable": True, "reward": 1}}}).graph)
    assert (solution.value, solution.bound, solution.proved) == (None, math.inf, False)


@pytest.mark.parametrize(
    ("mapping", "objective", "word"),
    [
        ({"subtasks": {"a": {}}}, "makespan", "goal"),
        ({"subtasks": {"a": {}}, "goal": "a"}, "tardiness", "due"),
        ({"subtasks": {"a": {}}, "goal": "a"}, "speed", "makespan, reward, tardiness"),
    ],
)
def test_objectives_that_do_not_fit_are_refused(mapping: dict[str, Any], objective: Any, word: str) -> None:
    """An objective that means nothing for the task is an error that says so."""
    with pytest.raises(ValueError, match=word):
        optimum(load_task(mapping).graph, objective)


def test_the_same_call_gives_the_same_schedule() -> None:
    """Two deterministic calls agree in every run, not only in the value."""
    graph = load_task(job_shop.DOMAIN.source(size="small").mapping(0)).graph
    assert optimum(graph) == optimum(graph)


def test_effort_spent_leaves_a_bound_and_a_schedule() -> None:
    """Stopped early, the bound is below the optimum, the schedule above, and no proof is claimed."""
    graph = load_task(job_shop.DOMAIN.source(instance="ft10").mapping(0)).graph
    solution = optimum(graph, time_limit=1)
    assert solution.bound <= 930
    assert solution.value is None or solution.value >= 930
    assert solution.proved is False
    assert solution.kind in ("best known", "bound")


@pytest.mark.parametrize(
    "extra",
    [
        {"goal": "b"},
        {"goal": "b & ~c"},
        {"goal": "b", "constraints": ["G(done(a) -> F done(b))"]},
        {},
    ],
)
def test_far_horizons_end_in_an_answer(extra: dict[str, Any]) -> None:
    """A horizon of two thousand million ticks, with spoiling and open lengths, is no reason to hang."""
    mapping = {
        "horizon": 2**31 - 1,
        "subtasks": {
            "a": {"duration": 5, "attended": 1},
            "b": {"duration": 2**20, "lags": {"a": {"max": 3}}, "reward": 1},
            "c": {"duration": {"uniform": [1, 2**30]}, "repeatable": True, "reward": 1},
        },
        **extra,
    }
    graph = load_task(mapping).graph
    for objective in objectives(graph):
        for seed in (3, None):
            solution = optimum(graph, objective, seed=seed, time_limit=2)
            assert solution.value is None or verify_schedule(graph, solution.schedule, seed=seed or 0) is None
            if objective == "makespan":
                assert solution.bound == 2**20 + 5  # too long to be played, but bounded


def test_wrong_schedules_are_found_out() -> None:
    """A start too early, a promise not kept and a run that never was are named."""
    mapping = {"horizon": 9, "subtasks": {"a": {"duration": 2}, "b": {"needs": "a"}}, "goal": "b"}
    graph = load_task(mapping).graph
    good = [Run("a", (0,), 0, 2), Run("b", (0,), 2, 3)]
    assert verify_schedule(graph, good, "makespan", 3) is None
    early = verify_schedule(graph, [good[0], Run("b", (0,), 1, 2)])
    assert early == "at tick 1 not all of these could start: b"
    assert "3.0 instead of 2" in str(verify_schedule(graph, good, "makespan", 2))
    assert "runs" in str(verify_schedule(graph, [Run("a", (0,), 0, 3), good[1]]))


@pytest.mark.parametrize("objective", get_args(Objective))
def test_solutions_are_plain_data(objective: Objective) -> None:
    """The keys of the JSON are those that the command line promises."""
    mapping = {"horizon": 9, "subtasks": {"a": {"duration": 2, "due": 1, "reward": 3}}, "goal": "a"}
    data = optimum(load_task(mapping).graph, objective).to_dict()
    assert set(data) == {"objective", "value", "bound", "proved", "kind", "schedule"}
    assert data["value"] == {"makespan": 2, "reward": 3, "tardiness": 1}[objective]
    assert data["schedule"] == [{"subtask": "a", "agents": [0], "start": 0, "end": 2}]


def test_arithmetic_bounds_hold() -> None:
    """The bounds without a solver are never better than the optimum, and often equal to it."""
    equal = total = 0
    for seed in range(60):
        graph = load_task(small_task(seed)).graph
        best = optimum(graph)
        bound = lower_bound(graph)
        if best.value is not None:
            assert bound is not None
            assert bound <= best.value
            equal += bound == best.value
            total += 1
        reward = optimum(graph, "reward")
        if reward.proved and reward.value is not None:
            assert upper_bound_reward(graph) >= reward.value - 1e-9
    assert equal > total / 2
