"""The exact search among places: the same states as stepping one environment, and no better agent."""

from __future__ import annotations

from typing import Any

from brute_worlds import brute
from stratagym.agents.zoo import in_world, make_agent
from stratagym.baselines.claims import exact_search
from stratagym.baselines.claims.trials import environment
from stratagym.baselines.rollout import play

ERRAND: dict[str, Any] = {
    "name": "milk and tea",
    "subtasks": {
        "buy milk": {"duration": 2},
        "cool milk": {"duration": 3, "attended": 1, "needs": "buy milk"},
        "make tea": {"duration": 2},
        "serve": {"duration": 1, "needs": "cool milk & make tea", "lags": {"make tea": {"max": 3}}},
    },
    "goal": "serve",
}
PLACES: dict[str, Any] = {
    "world": "places",
    "locations": {
        "home": {"sites": {"fridge": {"fixture": "shut"}, "table": {"fixture": "table"}}},
        "shop": {"sites": {"shelf": {"fixture": "table", "things": ["milk"]}}},
    },
    "ways": [["home", "shop", 3]],
    "fixtures": {"shut": {"closed": True, "turns": "open"}, "open": {"turns": "shut"}, "table": {}},
    "things": {"milk": {"carry": True}, "cold": {"carry": True}},
    "hands": True,
    "bodies": [{"at": "home"}],
    "rules": {
        "buy milk": {
            "at": "table",
            "thing": "milk",
            "place": "shop",
            "hand": "none",
            "start": {"thing": "none", "hand": "milk"},
        },
        "cool milk": {
            "at": "open",
            "hand": "milk",
            "start": {"hand": "none", "thing": "milk"},
            "success": {"thing": "cold"},
        },
        "make tea": {"place": "home"},
        "serve": {"at": "table", "place": "home", "hand": "cold"},
    },
}


def moment(tick: int, look: Any) -> Any:
    """Return what tells states apart: where all is, and ages as far as they matter."""
    body, agent = look.world.bodies[0], look.task.agents[0]
    ages = [tick - t for r in look.task.runs for t in (r.started, r.succeeded) if t is not None]
    left = tuple(way.arrives - tick for way in look.world.ways.values())
    place = (body.at, body.hand, agent.idle, left, repr(look.world.receptacles))
    return place, look.task.status, tuple(min(age, 4) for age in ages)


def test_the_search_agrees_with_stepping_one_environment_from_every_state() -> None:
    """With a way, a lid, something that cools by itself and tea that does not wait."""
    env = environment("errand", ERRAND, PLACES, 60)
    least = brute(env, 24, moment)
    assert least is not None
    for known in (least, least + 1, least + 6):
        found = exact_search.search(env.model, 0, known)
        assert found.makespan == least
    assert exact_search.search(env.model, 0, least - 2).makespan == least - 2


def test_no_agent_beats_the_search_in_small_houses() -> None:
    """In two houses the search is at most what agents need, and what the witness needs is near."""
    for k, (task, scene) in zip(range(2), exact_search.instances("House"), strict=False):
        env = environment(f"house {k}", task, scene, 200)
        times = {name: play(env, in_world(make_agent(name)), 0).time for name in ("rounds", "greedy")}
        found = exact_search.search(env.model, 0, min(times.values()))
        assert found.makespan is not None
        assert found.makespan <= min(times.values())
        assert times["rounds"] <= 1.1 * found.makespan
