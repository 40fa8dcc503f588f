"""The plane: motion, contact, cable and primitives, against a second implementation and by example."""

from __future__ import annotations

import copy
import math
from collections import Counter
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import yaml

from random_planes import Wanderer, random_plane
from reference_plane import Plane
from stratagym.agents.hierarchy import HierarchicalAgent
from stratagym.baselines.rollout import play
from stratagym.envs.api.options import Options
from stratagym.envs.api.single import TaskEnv
from stratagym.envs.registry import TASK_ID
from stratagym.envs.rng import SUCCESS, draw, threshold
from stratagym.envs.step import Model
from stratagym.envs.task import layout as at
from stratagym.envs.task.faults import TaskError
from stratagym.envs.task.spec import load_task
from stratagym.envs.worlds import plane_layout as pl
from stratagym.envs.worlds.plane_motion import body_state, node_state, root, stands
from stratagym.envs.worlds.scene import load_scene

SEEDS = range(12)


def environment(task: Any, scene: Any, executor: str = "interpreted", clock: str = "tick") -> TaskEnv:
    """Return a plane as an environment."""
    made = gymnasium.make(TASK_ID, task=task, world=scene, executor=executor, clock=clock, reward="task")
    env = made.unwrapped
    assert isinstance(env, TaskEnv)
    return env


def shown(env: TaskEnv, naive: Plane) -> tuple[Any, Any]:
    """Return what both implementations have: bodies, their work, the cable, what stands."""
    m = env.memory()
    state = m.t[at.Q_WORLD]
    ours = {
        "bodies": [tuple(m.s[body_state(m, a) + k] for k in range(4)) for a in range(len(naive.bodies))],
        "runs": [m.s[body_state(m, a) + pl.RUN] for a in range(len(naive.bodies))],
        "cable": [(m.s[node_state(m, k)], m.s[node_state(m, k) + 1]) for k in range(len(naive.chain))],
        "holder": m.s[state + pl.HOLDER],
        "stuck": m.s[state + pl.STUCK] >= 0,
        "stands": [stands(m, k) for k in range(len(naive.posts))],
    }
    theirs = {
        "bodies": [(*body.at, *body.speed) for body in naive.bodies],
        "runs": [-1 if body.run is None else body.run for body in naive.bodies],
        "cable": naive.chain,
        "holder": -1 if naive.holder is None else naive.holder,
        "stuck": naive.stuck is not None,
        "stands": [there for *_, there in naive.posts.values()],
    }
    return ours, theirs


def take_in(env: TaskEnv, naive: Plane, attempts: list[Any], reports: dict[int, bool]) -> Counter[str]:
    """Compare attempts and reports with what the step brought, and tell the naive plane of it."""
    seen: Counter[str] = Counter()
    now = int(env.lanes.s[0][at.CLOCK])
    refusals = env.refusals
    for a, attempt in enumerate(attempts):
        if isinstance(attempt, str) or attempt is None:
            assert refusals[a] == attempt
            seen[f"refused {attempt}"] += attempt is not None
    ended = {}
    for e in env.happened:
        if e.kind in ("success", "failure") and env.task.graph.subtasks[e.subject].duration.kind == "world":
            ended[e.subject] = e.kind == "success"
    graph = env.task.graph
    for i, success in reports.items():
        attempt = env.memory().s[at.S_HEADS + i * at.S_COLUMNS + at.STARTS]
        bits = draw(naive.seed, SUCCESS, i, attempt)
        assert ended.pop(i) == (success and bits < threshold(graph.subtasks[i].success))
        seen[f"{naive.rules[i]['by']} {'fulfilled' if success else 'failed'}"] += 1
    assert ended == {}
    for e in env.happened:
        if e.kind in ("success", "failure"):
            naive.end(e.subject, e.kind == "success", now)
    return seen


def play_both(seed: int, steps: int) -> Counter[str]:
    """Play one drawn plane in both implementations; return what happened."""
    task, scene = random_plane(seed)
    env = environment(task, scene)
    env.reset(seed=seed)
    naive = Plane(scene, list(task["subtasks"]), seed)
    wanderer = Wanderer(seed)
    seen: Counter[str] = Counter()
    for _ in range(steps):
        observation = env.observation()
        actions = wanderer.act(observation.world)
        before = int(env.lanes.s[0][at.CLOCK])
        units = np.rint(np.clip(actions.astype(np.float64), -1, 1) * 1000).astype(int).tolist()
        idle = [bool(agent.idle) for agent in observation.task.agents]
        mask = observation.mask[:, :-1]
        attempts = naive.act(units, idle, mask)
        _, _, terminated, truncated, _ = env.step(actions if len(actions) > 1 else actions[0])
        for e in env.happened:
            if e.kind == "start":
                for a in e.agents:
                    assert attempts[a] == e.subject
                    naive.begin(e.subject, a, before)
        still = int(env.lanes.s[0][at.CLOCK]) == before
        reports = {} if still else naive.move(before + 1)
        seen += take_in(env, naive, attempts, reports)
        ours, theirs = shown(env, naive)
        assert ours == theirs
        if naive.holder is not None:
            seen["held"] += 1
        if terminated or truncated:
            break
    return seen


@pytest.fixture(scope="module")
def played() -> Counter[str]:
    """Play all drawn planes in both implementations."""
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        seen += play_both(seed, 400)
    return seen


def test_the_kernel_agrees_with_the_naive_implementation(played: Counter[str]) -> None:
    """Bodies, cable, attempts and verdicts are the same at every tick, to the number; all of it occurs."""
    assert played["held"] > 200
    wanted = ["reach fulfilled", "reach failed", "pick up fulfilled", "pick up failed", "route fulfilled"]
    wanted += ["route failed", "insert fulfilled", "insert failed", "perturb fulfilled", "perturb failed"]
    wanted += ["refused world", "refused busy"]
    assert [word for word in wanted if not played[word]] == []


# ------------------------------------------------------------------ executors


def trail(env: Any, actions: Any, seed: int) -> list[Any]:
    """Play actions and return everything that is seen of them."""
    obs, _ = env.reset(seed=seed)
    found: list[Any] = [{k: v.tobytes() for k, v in obs.items()}]
    for action in actions:
        obs, reward, terminated, truncated, info = env.step(action)
        found.append(({k: v.tobytes() for k, v in obs.items()}, reward, info["events"], info["refusal"]))
        if terminated or truncated:
            break
    return found


def recorded(seed: int, steps: int) -> tuple[Any, Any, list[Any]]:
    """Return a drawn plane and actions that get somewhere on it."""
    task, scene = random_plane(seed)
    env, wanderer, actions = environment(task, scene), Wanderer(seed), []
    env.reset(seed=seed)
    for _ in range(steps):
        action = wanderer.act(env.observation().world)
        actions.append(action if len(action) > 1 else action[0])
        _, _, terminated, truncated, _ = env.step(actions[-1])
        if terminated or truncated:
            break
    return task, scene, actions


def test_compiled_equals_interpreted() -> None:
    """Compiled and interpreted, thousands of steps show the same bytes, rewards, events and refusals."""
    for seed in range(20, 30):
        task, scene, actions = recorded(seed, 300)
        plain, compiled = (
            trail(environment(task, scene, executor), actions, seed)
            for executor in ("interpreted", "compiled")
        )
        assert plain == compiled
        assert any(row[2] for row in plain[1:])


def test_a_state_is_enough_to_go_on_from() -> None:
    """An environment set to a saved state in mid-episode goes on exactly as the one that was saved."""
    task, scene, actions = recorded(3, 200)
    env, other = environment(task, scene), environment(task, scene)
    env.reset(seed=3)
    for action in actions[:100]:
        env.step(action)
    state = env.get_state()
    other.reset(seed=99)
    other.set_state(state)
    for action in actions[100:]:
        for mine, theirs in zip(env.step(action)[:4], other.step(action)[:4], strict=True):
            assert str(mine) == str(theirs)
    assert env.get_state()["s"].tolist() == other.get_state()["s"].tolist()


def test_the_flat_view_tells_where_things_are() -> None:
    """Two bytes a number: decoded and scaled, the view holds the bodies' places to 1/1024."""
    task, scene, actions = recorded(4, 60)
    env = environment(task, scene)
    env.reset(seed=4)
    for action in actions:
        obs = env.step(action)[0]
        view = env.observation().world
        for b in range(len(view.bodies)):
            place = obs["world"][7 * b : 7 * b + 2] * 32
            assert np.allclose(place, view.positions[b], atol=1e-6)


# ------------------------------------------------------------------ motion, by example

RUN = {"duration": "world", "attended": 1}
TASK: dict[str, Any] = {
    "name": "one clip",
    "horizon": 500,
    "subtasks": {
        "pick up": {**RUN, "repeatable": True},
        "perturb": {**RUN, "repeatable": True},
        "reach cable": {**RUN, "repeatable": True},
        "route": {**RUN, "repeatable": True},
        "insert": RUN,
    },
    "goal": "insert",
}
SCENE: dict[str, Any] = {
    "world": "plane",
    "size": [16, 10],
    "bodies": [{"at": [2, 5]}],
    "clips": {"clip": {"at": [8, 5], "angle": 0}},
    "obstacles": {"post": {"at": [12, 2], "radius": 0.6}},
    "cable": {"from": [1, 5], "end": [3, 5], "stick": 0.0},
    "rules": {
        "pick up": {"by": "pick up"},
        "perturb": {"by": "perturb"},
        "reach cable": {"by": "reach"},
        "route": {"by": "route", "at": "clip"},
        "insert": {"by": "insert", "at": "clip"},
    },
}


def changed(base: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a copy with one entry replaced; None takes it away."""
    whole = copy.deepcopy(base)
    place, parts = whole, path.split("/")
    for part in parts[:-1]:
        place = place[int(part)] if isinstance(place, list) else place[part]
    if value is None:
        del place[parts[-1]]
    elif isinstance(place, list):
        place[int(parts[-1])] = value
    else:
        place[parts[-1]] = value
    return whole


def drive(env: TaskEnv, action: Any, steps: int) -> Any:
    """Repeat an action and return the view."""
    for _ in range(steps):
        env.step(np.array(action, np.float32))
    return env.observation().world


def test_speed_is_bounded_and_a_wall_stops_only_what_runs_into_it() -> None:
    """A body is as fast as its limit at most; at the wall it slides along."""
    env = environment(TASK, changed(SCENE, "cable/end", [6, 9]))
    env.reset(seed=0)
    view = drive(env, (-0.3, 1, 0), 8)
    assert float(np.hypot(*view.velocities[0])) == pytest.approx(0.4, abs=2 / 1024)
    view = drive(env, (-1, 1, 0), 40)
    assert view.positions[0].tolist() == pytest.approx([0.4, 9.6], abs=1 / 1024)
    assert view.velocities[0].tolist() == [0, 0]
    env.reset(seed=0)
    view = drive(env, (0.05, -1, 0), 25)
    assert float(view.positions[0, 1]) == pytest.approx(0.4, abs=1 / 1024)
    assert float(view.velocities[0, 1]) == 0
    assert float(view.velocities[0, 0]) > 0.05


def test_a_body_slides_off_a_post() -> None:
    """Pushed against a post off its middle, a body goes round it and is never inside."""
    env = environment(TASK, changed(SCENE, "obstacles/post/at", [4.4, 5.2]))
    env.reset(seed=0)
    least = math.inf
    for _ in range(60):
        view = drive(env, (1, 0, 0), 1)
        least = min(least, math.dist(view.positions[0], (4.4, 5.2)))
    assert least == pytest.approx(1.0, abs=2 / 1024)
    assert float(view.positions[0, 0]) > 8


def test_bodies_push_each_other_away() -> None:
    """Two bodies that are driven at each other never overlap by more than rounding."""
    task = {**TASK, "agents": 2}
    env = environment(task, changed(SCENE, "bodies", [{"at": [2, 5]}, {"at": [5, 5.1]}]))
    env.reset(seed=0)
    for _ in range(40):
        env.step(np.array([(1, 0, 0), (-1, 0, 0)], np.float32))
        view = env.observation().world
        assert math.dist(*view.positions) >= 0.8 - 2 / 1024


def picked_up(env: TaskEnv) -> None:
    """Play until the gripper holds the cable."""
    env.reset(seed=0)
    for _ in range(40):
        view = env.observation().world
        if view.holder == 0:
            return
        wanted = (view.cable[-1] - view.positions[0]) * 0.3
        push = np.clip((wanted - view.velocities[0]) / 0.15, -1, 1)
        env.step(np.array((*push, 1), np.float32))
    raise AssertionError("the cable was not picked up")


def test_a_cable_goes_with_its_holder_and_holds_it_back_when_it_is_used_up() -> None:
    """The end goes where the gripper goes; a cable of 4.2 units keeps it within 4.2 of the drum."""
    env = environment(TASK, changed(changed(SCENE, "clips/clip/at", [4.2, 5]), "cable/nodes", 8))
    picked_up(env)
    for _ in range(60):
        view = drive(env, (1, 0.3, 0), 1)
        assert math.dist(view.positions[0], view.cable[-1]) <= 0.4
        legs = np.hypot(*np.diff(view.cable, axis=0).T)
        assert float(legs.max()) <= 0.6 + 3 / 1024 or view.velocities[0].tolist() == [0, 0]
    assert math.dist(view.cable[-1], (1, 5)) == pytest.approx(7 * 0.6, abs=0.05)


def test_letting_go_leaves_the_cable_where_it_is() -> None:
    """A gripper that lets go moves on alone."""
    env = environment(TASK, SCENE)
    picked_up(env)
    view = drive(env, (0, 0, -1), 1)
    end = view.cable[-1].tolist()
    view = drive(env, (1, 0, 0), 10)
    assert view.holder == -1
    assert view.cable[-1].tolist() == end
    assert float(view.positions[0, 0]) > end[0] + 1


def test_events_of_the_place_happen_and_are_told() -> None:
    """An obstacle appears (and pushes out what is there) and goes; the cable is knocked from the gripper."""
    events = [{"at": 40, "drop": "cable"}, {"at": 42, "appear": "new"}, {"at": 45, "vanish": "new"}]
    scene = changed(SCENE, "obstacles/new", {"at": [3.2, 5.0], "radius": 0.8, "absent": True})
    env = environment(TASK, changed(scene, "events", events))
    picked_up(env)
    told = []
    while env.memory().s[at.CLOCK] < 46:
        info = env.step(np.zeros(3, np.float32))[4]
        told += [(e["tick"], e["kind"], e["subtask"]) for e in info["events"]]
        if info["time"] == 43:
            assert math.dist(env.observation().world.positions[0], (3.2, 5.0)) >= 1.2 - 2 / 1024
    assert told == [(40, "slip", "agent 0"), (42, "block", "new"), (45, "clear", "new")]
    assert env.observation().world.holder == -1


def test_a_primitive_that_takes_too_long_fails() -> None:
    """A reach that does not arrive fails at its limit."""
    env = environment(TASK, changed(SCENE, "rules/reach cable/limit", 5))
    env.reset(seed=0)
    env.step(np.array((0, 0, 1), np.float32))
    told = [e for _ in range(6) for e in env.step(np.array((-1, 0, 0), np.float32))[4]["events"]]
    assert [(e["tick"], e["kind"], e["subtask"]) for e in told] == [(5, "failure", "reach cable")]


def test_acting_where_nothing_begins_is_refused_by_the_world() -> None:
    """Far from everything, acting is refused, and the tick passes."""
    env = environment(TASK, changed(SCENE, "bodies/0/at", [14, 8]))
    env.reset(seed=0)
    info = env.step(np.array((0, 0, 1), np.float32))[4]
    assert (info["refusal"], info["time"]) == ("world", 1)


def test_two_grippers_hand_over() -> None:
    """What one gripper lets go, another can pick up: then it holds the cable."""
    scene = changed(SCENE, "bodies", [{"at": [2, 5]}, {"at": [3.0, 6.5]}])
    env = environment({**TASK, "agents": 2}, scene)
    env.reset(seed=0)
    holders = set()
    for _ in range(200):
        view = env.observation().world
        b = 1 if 0 in holders else 0
        rows = np.zeros((2, 3), np.float32)
        away = (2.0, 3.0) if 0 in holders else view.positions[0]
        for k, target in ((b, view.cable[-1]), (1 - b, away if b else (3.0, 8.0))):
            wanted = (np.array(target) - view.positions[k]) * 0.3
            rows[k, :2] = np.clip((wanted - view.velocities[k]) / 0.15, -1, 1)
        rows[b, 2] = 1
        if view.holder == 0:
            rows[0, 2] = -1
        env.step(rows)
        holders |= {env.observation().world.holder} - {-1}
    assert holders == {0, 1}


def test_root_is_exact() -> None:
    """The square root is the whole part, also where a float cannot tell."""
    for n in [0, 1, 2, 3, 4, 2**31, 2**53 - 1, 2**53 + 1, (2**31 - 1) ** 2, (2**31 - 1) ** 2 - 1, 2**62 - 1]:
        assert root(n) == math.isqrt(n)


# ------------------------------------------------------------------ scenes


def test_a_scene_is_its_mapping() -> None:
    """Loading what a scene says of itself gives the same scene, table and all."""
    for seed in range(5):
        task, scene = random_plane(seed)
        first = load_scene(scene, load_task(task))
        second = load_scene(first.to_dict(), load_task(task))
        assert first.to_dict() == second.to_dict() == scene
        assert first.digest == second.digest
        sizes = first.sizes()
        assert first.compile(sizes, sizes[-1]) == second.compile(sizes, sizes[-1])


def test_padding_changes_nothing() -> None:
    """In a family with larger planes, a plane plays as it does alone."""
    small, large = random_plane(1), random_plane(8)
    assert small[0]["agents"] != large[0]["agents"]
    _, _, actions = recorded(1, 150)
    both = Model("both", 2, lambda k: (small, large)[k][0], scene=lambda k: (small, large)[k][1])
    agents = both.agents
    alone, padded = environment(*small), TaskEnv(both, Options(clock="tick", reward="task"))
    alone.reset(seed=1)
    padded.reset(seed=1, options={"instance": 0})
    for action in actions:
        row = np.zeros((agents, 3), np.float32)
        row[: small[0]["agents"]] = action
        first, second = alone.step(action), padded.step(row if agents > 1 else row[0])
        assert first[1:4] == second[1:4]
        assert first[4]["events"] == second[4]["events"]
        assert np.array_equal(alone.observation().world.positions, padded.observation().world.positions)


REFUSED: dict[str, tuple[str, Any, str]] = {
    "side": ("size", [40, 10], "size: a side must be 1 to 31 units, not 40"),
    "point": ("bodies/0/at", [1], "bodies[0].at: a point is a list of two numbers [x, y]"),
    "off the plane": ("bodies/0/at", [0.1, 5], "bodies[0].at: (0.1, 5) is off the plane"),
    "too many bodies": (
        "bodies",
        [{"at": [2, 5]}, {"at": [4, 5]}],
        "bodies: there are 2 bodies for 1 agents",
    ),
    "too fast": ("bodies/0/speed", 0.9, "bodies[0].speed: at 0.9 a tick it would pass through"),
    "obstacle on a body": ("obstacles/post/at", [2, 5], "obstacles.post: it stands on bodies[0]"),
    "obstacle without a place": ("obstacles/post/at", None, "obstacles.post: an obstacle is either"),
    "line with one end": (
        "obstacles/bar",
        {"line": [[1, 1]]},
        "obstacles.bar.line: a line has two ends, not 1",
    ),
    "obstacle in a lane": ("obstacles/post/at", [6.5, 5], "clips.clip: obstacle 'post' stands in its lane"),
    "no room to swing": (
        "obstacles/post/at",
        [8, 6.2],
        "clips.clip: obstacle 'post' leaves no room to loosen",
    ),
    "lane off the plane": ("clips/clip/at", [1.5, 5], "clips.clip: the begin of its lane: (-0.3, 5) is off"),
    "cable too short": ("cable/nodes", 4, "cable: it pays out 1.8, too short from the drum to clip (7.60)"),
    "stick above 1": ("cable/stick", 1.5, "cable.stick: must be at most 1, not 1.5"),
    "unknown field": ("cable/color", "red", "cable: unknown field 'color'"),
    "no cable": ("cable", None, "rules.pick up: 'pick up' needs a cable, and the scene has none"),
    "rule of no subtask": (
        "rules/inser",
        {"by": "insert", "at": "clip"},
        "rules: the task has no subtask 'inser'; did you mean 'insert'?",
    ),
    "subtask without a rule": ("rules/insert", None, "rules: subtask 'insert' has no rule"),
    "unknown clip": ("rules/insert/at", "clap", "rules.insert.at: no clip 'clap'; did you mean 'clip'?"),
    "unknown primitive": ("rules/insert/by", "push", "rules.insert.by: must be 'act', 'reach'"),
    "place missing": ("rules/route/at", None, "rules.route: 'route' needs a place; add `at: NAME`"),
    "place too much": ("rules/pick up/at", "clip", "rules.pick up.at: 'pick up' is done at the cable's end"),
    "act needs ticks": (
        "rules/reach cable",
        {"by": "act", "at": "clip"},
        "rules.reach cable: the plane reports no end of 'act'",
    ),
    "event of two kinds": (
        "events",
        [{"at": 3, "drop": "cable", "appear": "post"}],
        "events[0]: an event of the place has one kind",
    ),
    "event on nothing": (
        "events",
        [{"at": 3, "appear": "pots"}],
        "events[0].appear: no obstacle 'pots'; did you mean 'post'?",
    ),
    "closed in": (
        "obstacles/wall",
        {"line": [[5, 0.1], [5, 9.9]], "radius": 0.3},
        "clips.clip: no body can get there",
    ),
    "two names": ("sites", {"clip": {"at": [3, 3]}}, "clips.clip: a site and a clip have one name"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_scenes_are_refused_by_name(case: str) -> None:
    """What does not fit is refused on load, in one line with its place."""
    path, value, message = REFUSED[case]
    load_scene(SCENE, load_task(TASK))
    with pytest.raises(TaskError) as error:
        load_scene(changed(SCENE, path, value), load_task(TASK))
    assert str(error.value).startswith(f"scene: {message}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (
            "duration",
            3,
            "rules.insert: the plane reports when 'insert' ends; give the subtask `duration: world`",
        ),
        ("attended", 0, "rules.insert: its body must be free to steer while it is done"),
        ("agents", 2, "rules.insert: 'insert' is done by one body; not by 2 agents"),
    ],
)
def test_tasks_that_do_not_fit_the_plane_are_refused(field: str, value: Any, message: str) -> None:
    """A subtask whose end the plane reports lasts as long as the plane says, and leaves its body free."""
    task = changed(TASK, f"subtasks/insert/{field}", value)
    task["agents"] = 2
    scene = changed(SCENE, "bodies", [{"at": [2, 5]}, {"at": [2, 8]}])
    with pytest.raises(TaskError) as error:
        load_scene(scene, load_task(task))
    assert str(error.value).startswith(f"scene: {message}")


# ------------------------------------------------------------------ documents


def test_the_worked_example_plays() -> None:
    """The task and the scene of the page load as they stand, and the scripted agent threads the clip."""
    page = (Path(__file__).parent.parent / "docs" / "worlds.md").read_text(encoding="utf-8")
    part = page.split("\n## Plane")[1].split("\n## Overlay")[0]
    task, scene = (yaml.safe_load(block.split("```")[0]) for block in part.split("```yaml\n")[1:3])
    env = environment(task, scene)
    ends = [play(env, HierarchicalAgent("tours"), seed) for seed in range(8)]
    assert all(end.success for end in ends)
    assert any(event["kind"] == "slip" for end in ends for event in end.events)


def test_the_overlay_of_the_page_plays() -> None:
    """The overlay of the page is what it says: the passenger must be in the taxi before it counts."""
    page = (Path(__file__).parent.parent / "docs" / "worlds.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    exec(page.split("\n## Overlay")[1].split("```python\n")[1].split("```")[0], names)
    env = names["env"]
    _, info = env.reset(seed=0)
    assert info["status"] == {"pick up": "eligible", "deliver": "locked"}
    env.unwrapped.s = env.unwrapped.encode(0, 0, 0, 1)
    assert env.step(4)[4]["status"] == {"pick up": "done", "deliver": "eligible"}
    env.unwrapped.s = env.unwrapped.encode(0, 4, 4, 1)
    _, reward, terminated, _, info = env.step(5)
    assert (info["success"], terminated) == (True, True)
    assert reward > 0.5
