"""Claims about domains on maps, on few seeds, each with a case in which it must not hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from brute_worlds import brute
from stratagym.agents.zoo import in_world, make_agent
from stratagym.baselines.claims import disturbances, exact_search, preferences, serial_kitchen
from stratagym.baselines.claims.trials import environment, trials
from stratagym.baselines.rollout import play
from stratagym.envs.domains import kitchen

LINE = {
    "world": "grid",
    "map": ["#######", "#@...T#", "#######"],
    "legend": {"@": {"body": 0}, "T": {"fixture": "table"}},
    "fixtures": {"table": {"solid": True}},
    "rules": {"knock": {"at": "table"}, "listen": {"at": "table"}},
}
KNOCK: dict[str, Any] = {
    "name": "knock twice",
    "subtasks": {"knock": {"duration": 2}, "listen": {"duration": 1, "needs": "knock"}},
    "tasks": {"all of it": {"all": ["knock", "listen"]}},
    "goal": "all of it",
}


def moment(tick: int, look: Any) -> Any:
    """Return what tells states apart: where all is, and when what was begun and done."""
    body = look.world.bodies[0]
    runs = tuple((r.started, r.succeeded) for r in look.task.runs)
    return body.at, body.facing, body.hand, look.task.status, runs, look.world.things.tobytes()


def test_the_search_finds_what_can_be_counted_by_hand() -> None:
    """Three steps to the cell before the table, two ticks of knocking, one of listening: six."""
    env = environment("line", KNOCK, LINE, 50)
    for known in (6, 7, 20):
        assert exact_search.search(env.model, 0, known).makespan == 6
    assert brute(env, 10, moment) == 6


def test_the_search_claims_nothing_that_was_not_reached() -> None:
    """Where nothing is better, what was known is returned; with too few states, nothing."""
    env = environment("line", KNOCK, LINE, 50)
    assert exact_search.search(env.model, 0, 5).makespan == 5
    assert exact_search.search(env.model, 0, 20, most=3).makespan is None


def test_the_search_agrees_with_stepping_one_environment_from_every_state() -> None:
    """In a kitchen the search over the batch and one over the single environment find the same."""
    seed = next(k for k in range(100) if len(kitchen.evening(k, "tiny")[0]["subtasks"]) == 5)
    task, scene = kitchen.evening(seed, "tiny")
    # Only the egg is asked for: the pan has it, and no plate is needed.
    first = next(name for name in task["subtasks"] if name.startswith(("fry", "boil")))
    task = {
        **task,
        "goal": first,
        "subtasks": {k: {f: v for f, v in s.items() if f != "due"} for k, s in task["subtasks"].items()},
    }
    task["subtasks"][first]["duration"] = 2
    env = environment("pan", task, scene, 60)
    episode = play(env, in_world(make_agent("optimal")), 0)
    assert episode.success
    assert exact_search.search(env.model, 0, episode.time + 1).makespan == brute(
        env, episode.time + 1, moment
    )


@pytest.mark.parametrize(
    "change",
    [
        {"deadline": 40},
        {"release": 3},
        {"duration": {"uniform": [1, 2]}},
        {"success": 0.5},
    ],
)
def test_the_search_refuses_what_depends_on_time_or_draws(change: dict[str, Any]) -> None:
    """Windows in time and draws would make a state worth more or less at another tick."""
    task = {**KNOCK, "subtasks": {**KNOCK["subtasks"], "knock": {"duration": 2, **change}}}
    with pytest.raises(ValueError, match="without draws, windows"):
        exact_search.search(environment("line", task, LINE, 50).model, 0, 20)


def test_the_scripted_agent_is_near_the_least_makespan_on_small_maps() -> None:
    """Over a few mines it takes at most 1.05 times what the search finds."""
    found = exact_search.measure("Mining", 6)
    assert found["searched to the end"] == 6
    assert 1.0 <= found["times the optimum"].mean <= 1.05


def test_serial_cooks_take_at_least_1_3_times_as_long() -> None:
    """On five evenings the serial cook needs 1.3 times the best known, who plans ahead 1.1 times at most."""
    rows = serial_kitchen.of_family("medium", 5)
    assert rows["serial"]["times the optimum"].mean >= 1.3
    assert rows["planning ahead"]["times the optimum"].mean <= 1.1
    assert rows["planning ahead"]["success"].mean == rows["serial"]["success"].mean == 1.0


def test_where_nothing_cooks_alone_there_is_nothing_to_gain() -> None:
    """If a cook must stand by all that is on the stove, the serial one is as fast as any."""
    ratios = []
    for seed in range(6):
        task, scene = kitchen.evening(seed, "small")
        attended = {k: {f: v for f, v in s.items() if f != "attended"} for k, s in task["subtasks"].items()}
        env = environment("attended", {**task, "subtasks": attended}, scene, 600)
        times = [
            play(env, in_world(agent), 0).time for agent in (make_agent("optimal"), serial_kitchen.Serial())
        ]
        ratios.append(times[1] / times[0])
    assert np.mean(ratios) < 1.1


def test_planning_anew_gains_with_disturbances_and_nothing_without() -> None:
    """On the same eight seeds the gain is 20 points or more, and none in a calm kitchen."""
    found = disturbances.measure("Kitchen", "small", 8)
    assert found["with disturbances"]["gain"].mean >= 20
    assert found["without"]["gain"].mean == 0
    assert found["without"]["replanning"].mean == 100


def test_a_preference_decides_what_is_tidy() -> None:
    """The actions that tidy a house do so again under the same vector, and never under another."""
    found = preferences.measure(range(8))
    assert found["success"].mean == 100
    assert found["repeated under the same vector"].mean == 100
    assert found["repeated under another"].mean == 0
    assert found["other objects misplaced"].mean >= 50


def test_trials_of_the_same_seeds_are_the_same() -> None:
    """Playing twice gives the same successes and the same ticks."""
    first, second = (
        trials("stratagym/Kitchen-v0", {"size": "small"}, serial_kitchen.Serial, range(3)) for _ in range(2)
    )
    assert first == second
