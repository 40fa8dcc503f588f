"""The contract that every environment keeps, as a library: run it over what you register.

Owns the facts that hold for any id, each as one function that takes ``make`` and raises
an ``AssertionError`` that says what is wrong; ``check_environment`` runs them all::

    from functools import partial
    check_environment(partial(gymnasium.make, "mine/Bakery-v0"))

``make`` takes the options of every environment as keyword arguments. ``check_vector``, which
holds a batch to its single environment, is ``check_batch``'s; playing and comparing are
``course``'s.
"""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec

from stratagym.envs.api.check_batch import check_vector
from stratagym.envs.api.course import (
    STEPS,
    Env,
    Mask,
    Moment,
    begin,
    choose,
    demand,
    demand_equal,
    difference,
    episode,
    go_on,
    middle,
    play,
    take,
    until_over,
    waiting,
)
from stratagym.envs.rewards import REWARDS, progress
from stratagym.envs.rng import mix
from stratagym.envs.task.view import REFUSALS

__all__ = ["CHECKS", "check_environment", "check_vector"]

Make = Callable[..., Env]

INFO_TYPES = {
    "time": int,
    "elapsed": int,
    "action_mask": np.ndarray,
    "events": list,
    "success": bool,
    "tardiness": float,
}
"""What ``info`` holds besides ``refusal`` and ``dead_end``, which may be None."""
EVENT_KEYS = {"tick", "kind", "subtask", "agents"}
PLAIN_REFUSALS = {None, "unknown", "busy", "finished", "world", "refused"}
"""Reasons that may be told where the graph is hidden."""


def check_environment(make: Make) -> None:
    """Hold an environment to every fact of the contract.

    Args:
        make: makes it; takes the common options and ``render_mode`` as keyword arguments.

    Raises:
        AssertionError: naming the first fact that does not hold, and where.
    """
    for check in CHECKS:
        try:
            check(make)
        except AssertionError as error:
            raise AssertionError(f"{check.__name__}: {error}") from error


# ------------------------------------------------------------------ what is returned


def check_gymnasium(make: Make) -> None:
    """Gymnasium's own checker accepts the environment (``check_rendering`` draws)."""
    from gymnasium.utils.env_checker import check_env

    check_env(make().unwrapped, skip_render_check=True)


def check_any_action(make: Make) -> None:
    """Any action of the space is taken, legal or not, and every observation lies in its space."""
    env = make().unwrapped
    env.action_space.seed(0)
    moment = begin(env, seed=0)
    for k in range(STEPS):
        demand(moment.obs in env.observation_space, f"step {k}: {moment.obs} is not in the observation space")
        if moment.over:
            moment = begin(env)
            continue
        mask, action = moment.info["action_mask"], env.action_space.sample()
        moment = take(env, action)
        if mask.ndim == 1:
            refusal = moment.info["refusal"]
            demand(
                bool(mask[action]) == (refusal is None), f"step {k}: mask {mask[action]}, refusal {refusal!r}"
            )


def check_info(make: Make) -> None:
    """``info`` has its keys with their types after every call, and they fit each other."""
    env = make().unwrapped
    counts = getattr(env.action_space, "nvec", None)
    shape = (env.action_space.n,) if counts is None else (len(counts), counts[0])  # type: ignore[attr-defined]
    time = 0
    for k, moment in enumerate(episode(env, 1, illegal=0.2)):
        info = moment.info
        for key, kind in INFO_TYPES.items():
            demand(
                type(info.get(key)) is kind,
                f"step {k}: info[{key!r}]={info.get(key)!r} is no {kind.__name__}",
            )
        demand(
            type(info["dead_end"]) in (bool, type(None)), f"step {k}: info['dead_end']={info['dead_end']!r}"
        )
        mask = info["action_mask"]
        demand(mask.dtype == np.int8, f"step {k}: the mask is {mask.dtype}, not int8")
        demand(mask.shape == shape, f"step {k}: the mask has shape {mask.shape}, not {shape}")
        demand(bool(np.isin(mask, (0, 1)).all()), f"step {k}: the mask holds more than 0 and 1: {mask}")
        demand(bool(mask[..., -1].all()), f"step {k}: the mask forbids waiting")
        reasons = info["refusal"] if len(shape) == 2 else [info["refusal"]]
        demand(
            type(reasons) is list and len(reasons) == mask.size // mask.shape[-1], f"step {k}: {reasons!r}"
        )
        demand(all(r is None or r in REFUSALS for r in reasons), f"step {k}: info['refusal']={reasons!r}")
        demand(info["elapsed"] == info["time"] - time, f"step {k}: {info['elapsed']} ticks from {time}")
        for event in info["events"]:
            demand(set(event) == EVENT_KEYS, f"step {k}: an event has the keys {sorted(event)}")
            demand(time <= event["tick"] <= info["time"], f"step {k}: {event} lies outside its step")
        ends = (moment.terminated, moment.truncated)
        demand(all(type(end) is bool for end in ends) and not all(ends), f"step {k}: the ends are {ends}")
        time = info["time"]


def check_fresh_data(make: Make) -> None:
    """What a call returns is the caller's: writing to it changes nothing, no later call writes to it."""
    clean = play(make(), 4)
    demand_equal(play(make(), 4, touch=_scribble), clean, "where the caller writes to what it gets")
    kept: list[Moment] = []
    course = play(make(), 4, touch=kept.append)
    demand_equal(kept, course, "what was returned, seen later")


def _scribble(value: Any) -> None:
    """Overwrite everything that can be written to."""
    if isinstance(value, np.ndarray) and value.flags.writeable:
        value[...] = 1
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            _scribble(part)
        if not isinstance(value, tuple):
            value.clear()


def check_observation(make: Make) -> None:
    """An agent's ``Observation`` agrees with ``info`` and with what the environment tells its users."""
    env: Any = make().unwrapped
    for k, moment in enumerate(episode(env, 6)):
        seen = env.observation()
        n = len(seen.task.names)
        demand(env.action_names[-1] == "wait", f"step {k}: the last action is {env.action_names[-1]!r}")
        shown = np.atleast_2d(moment.info["action_mask"])
        found = difference(seen.mask, np.concatenate([shown[:, :n], shown[:, -1:]], axis=1), "mask")
        demand(found is None, f"step {k}: the Observation and info: {found}")
        demand(
            seen.task.time == moment.info["time"], f"step {k}: the Observation is of tick {seen.task.time}"
        )
        status = [env.status()[name] for name in env.action_names[:n]]
        demand(status == list(seen.task.status), f"step {k}: {status} against {seen.task.status}")
        found = difference(
            env.action_masks(), moment.info["action_mask"].astype(bool).ravel(), "action_masks()"
        )
        demand(found is None, f"step {k}: {found}")


# ------------------------------------------------------------------ the same again


def check_seeds(make: Make) -> None:
    """One seed, one course; the k-th reset after it plays the seed ``mix(seed, k)``."""
    demand_equal(play(make(), 5), play(make(), 5), "two environments with one seed")
    one, two = make().unwrapped, make().unwrapped
    for k in (1, 2):
        one.reset(seed=5)
        for _ in range(k - 1):
            one.reset()
        courses = []
        for env, first in ((one, begin(one)), (two, begin(two, seed=mix(5, k)))):
            courses.append([first, *until_over(go_on(env, first.info["action_mask"], k, 10))])
        demand_equal(courses[0], courses[1], f"reset {k} after reset(seed=5) against reset(seed=mix(5, {k}))")


def check_copies(make: Make) -> None:
    """A copy made in the middle of an episode by pickle, cloudpickle or deepcopy goes on identically."""
    import cloudpickle  # type: ignore[import-untyped]

    ways: dict[str, Callable[[Any], Any]] = {
        "pickle": lambda env: pickle.loads(pickle.dumps(env)),
        "cloudpickle": lambda env: pickle.loads(cloudpickle.dumps(env)),
        "deepcopy": copy.deepcopy,
    }
    env = make()
    for name, way in ways.items():
        mask = middle(env)
        twin = way(env)
        demand_equal(go_on(twin, mask, 0), go_on(env, mask, 0), f"a copy by {name} against the original")


def check_spec(make: Make) -> None:
    """The spec survives JSON and makes an equal environment."""
    env = make()
    if env.spec is None:
        raise AssertionError("the environment has no spec: make it with gymnasium.make")
    again = gymnasium.make(EnvSpec.from_json(env.spec.to_json()))
    demand_equal(play(again, 2), play(env, 2), "made from the JSON of its spec")


def check_state(make: Make) -> None:
    """A state saved in the middle of an episode goes on exactly: here, elsewhere, pickled, after resets."""
    env: Any = make().unwrapped
    mask = middle(env)
    state = env.get_state()
    stored = pickle.dumps(state)
    expected = [*go_on(env, mask, 1), begin(env)]
    env.set_state(state)
    demand_equal([*go_on(env, mask, 1), begin(env)], expected, "set back")
    other: Any = make().unwrapped
    other.set_state(pickle.loads(stored))
    demand_equal([*go_on(other, mask, 1), begin(other)], expected, "set in another environment")
    env.set_state(state)
    other.set_state(state)
    nexts = [[begin(e), *go_on(e, mask, 2, 5)] for e in (env, other)]
    demand_equal(nexts[0], nexts[1], "reset right after setting a state")


def check_executors(make: Make) -> None:
    """The interpreted and the compiled executor are equal in everything they return."""
    courses = [play(make(executor=name), 8, 3 * STEPS) for name in ("interpreted", "compiled")]
    demand_equal(courses[0], courses[1], "interpreted against compiled")


def check_rendering(make: Make) -> None:
    """Pictures are uint8 ``[H, W, 3]``, ``ansi`` is text, and drawing never changes an episode."""
    plain = play(make(), 9, 12)
    for mode in ("rgb_array", "ansi"):
        env = make(render_mode=mode)
        frames: list[Any] = []
        course = play(env, 9, 12, touch=lambda _, env=env, frames=frames: frames.append(env.render()))  # type: ignore[misc]
        demand_equal(course, plain, f"drawn as {mode} against not drawn")
        for frame in frames:
            if mode == "ansi":
                demand(isinstance(frame, str) and frame != "", f"ansi draws {type(frame).__name__}")
            else:
                fits = isinstance(frame, np.ndarray) and frame.dtype == np.uint8 and frame.shape[2:] == (3,)
                demand(fits, f"rgb_array draws {getattr(frame, 'dtype', type(frame))} {np.shape(frame)}")
        env.close()


# ------------------------------------------------------------------ the rules


def check_mask(make: Make) -> None:
    """The mask is exact: with its agent served first, an action is accepted if and only if it allows it.

    For a joint subtask just as many idle agents with the skill join as it needs.
    """
    env: Any = make(clock="tick").unwrapped
    for k, moment in enumerate(episode(env, 2)):
        if moment.over or k > 60:
            break
        if k % 6:
            continue
        mask, state = np.atleast_2d(moment.info["action_mask"]), env.get_state()
        for agent, action in np.ndindex(mask.shape):
            take(env, _served_first(env, agent, action, moment.info["action_mask"]))
            reason = env.refusals[agent]
            env.set_state(state)
            where = f"step {k}: agent {agent}, action {env.action_names[action]!r}"
            allowed = bool(mask[agent, action])
            demand(allowed == (reason is None), f"{where}: mask {allowed}, refusal {reason!r}")


def _served_first(env: Any, agent: int, action: int, mask: Mask) -> Any:
    """Return actions in which one agent acts, joined by just enough others where it needs them."""
    if mask.ndim == 1:
        return action
    graph = env.task.graph
    actions = waiting(mask)
    actions[agent] = action
    if action < len(graph.subtasks) and graph.subtasks[action].agents > 1:
        subtask = graph.subtasks[action]
        skill = None if subtask.skill is None else graph.skills[subtask.skill]
        able = [
            a
            for a, seen in enumerate(env.observation().task.agents)
            if a != agent and seen.idle and (skill is None or skill in seen.skills)
        ]
        actions[able[: subtask.agents - 1]] = action
    return actions


def check_clocks(make: Make) -> None:
    """The same starts at the same ticks give the same trajectory under all three clocks."""
    for clock in ("decision", "event"):
        for seed in (0, 1):
            coarse: Any = make(clock=clock).unwrapped
            rng = np.random.default_rng(seed)
            moments, actions = [begin(coarse, seed=seed)], []
            while not moments[-1].over:
                actions.append(choose(moments[-1].info["action_mask"], rng, 0.1))
                moments.append(take(coarse, actions[-1]))
                demand(len(moments) < 20_000, "an episode does not end: give the task a horizon")
            _replay_by_tick(
                make(clock="tick").unwrapped, seed, moments, actions, f"{clock} clock, seed {seed}"
            )


def _replay_by_tick(env: Any, seed: int, moments: list[Moment], actions: list[Any], where: str) -> None:
    """Replay a course under the tick clock and demand the same moments at its decisions."""
    fine = [begin(env, seed=seed)]
    k = 0
    while not fine[-1].over:
        now = fine[-1]
        if k < len(actions) and moments[k].info["time"] == now.info["time"]:
            found = difference(now.obs, moments[k].obs, "obs")
            found = found or difference(now.info["action_mask"], moments[k].info["action_mask"], "mask")
            demand(found is None, f"{where}, tick {now.info['time']}: tick by tick {found}")
            fine.append(take(env, actions[k]))
            k += 1
        else:
            fine.append(take(env, waiting(now.info["action_mask"])))
    demand(k == len(actions), f"{where}: tick by tick it ended at {fine[-1].info['time']}, {k} actions in")
    for name, one, other in zip(Moment._fields, fine[-1], moments[-1], strict=True):
        if name in ("obs", "terminated", "truncated"):
            found = difference(one, other, name)
            demand(found is None, f"{where}, at the end: tick by tick {found}")
    told = [[e for m in course for e in m.info["events"]] for course in (fine, moments)]
    demand(told[0] == told[1], f"{where}: the events differ: {told[0]} against {told[1]}")
    paid = [sum(m.reward for m in course) for course in (fine, moments)]
    demand(math.isclose(*paid, abs_tol=1e-9), f"{where}: the returns are {paid}")
    for key in ("time", "success", "tardiness", "dead_end"):
        found = difference(fine[-1].info[key], moments[-1].info[key], key)
        demand(found is None, f"{where}, at the end: tick by tick {found}")


def check_rewards(make: Make) -> None:
    """Every reward sums to what it stands for, whatever the course."""
    for kind in REWARDS:
        env: Any = make(reward=kind).unwrapped
        for seed in (0, 1):
            total, paid, groups = 0.0, 0.0, set()
            for moment in episode(env, seed, illegal=0.1, wait=0.02):
                total += moment.reward
                for h in env.happened:
                    if h.kind != "success":
                        continue
                    subtask = env.task.graph.subtasks[h.index]
                    if subtask.repeatable or subtask.pay_group not in groups:
                        paid += subtask.reward
                    groups.add(subtask.pay_group)
            expected = _return(env, kind, moment, paid)
            demand(
                math.isclose(total, expected, abs_tol=1e-9), f"{kind}, seed {seed}: {total}, not {expected}"
            )


def _return(env: Any, kind: str, last: Moment, paid: float) -> float:
    """Return what the rewards of an episode must sum to."""
    graph, time = env.task.graph, last.info["time"]
    share = min(1.0, env.reference.figure / max(1, time)) if last.info["success"] else 0.0
    if kind == "task":
        return paid
    if kind == "sparse":
        return share
    if kind == "dense":
        return share + progress(env.memory())
    if kind == "makespan":
        failed = graph.goal is not None and not last.info["success"]
        return -float(graph.horizon if failed and graph.horizon is not None else time)
    return -float(last.info["tardiness"])


def check_dead_ends(make: Make) -> None:
    """After a reported dead end nothing succeeds; ``end_on_dead_end`` ends the episode there."""
    env, ending = make().unwrapped, make(end_on_dead_end=True).unwrapped
    for seed in range(3):
        dead = False
        for moment in episode(env, seed, wait=0.3):
            dead = dead or moment.info["dead_end"]
            demand(not (dead and moment.info["success"]), f"seed {seed}: success after a dead end")
        for moment in episode(ending, seed, wait=0.3):
            ended = moment.terminated or moment.truncated or not moment.info["dead_end"]
            # A reset cannot end an episode, so a dead end there is left to the first step.
            demand(ended or moment.info["time"] == 0, f"seed {seed}: a dead end does not end the episode")


def check_knowledge(make: Make) -> None:
    """What an agent may know changes what it is told, never what happens."""
    for level in ("structure", "none"):
        full, less = make().unwrapped, make(knowledge=level).unwrapped
        for seed in (0, 1):
            rng = np.random.default_rng(seed)
            one, other = begin(full, seed=seed), begin(less, seed=seed)
            while not other.over:
                _compare_knowledge(full, less, one, other, f"knowledge={level!r}, seed {seed}")
                action = choose(other.info["action_mask"], rng)
                names = np.array(less.action_names)[action]  # type: ignore[attr-defined]
                places = [full.action_names.index(name) for name in np.atleast_1d(names)]  # type: ignore[attr-defined]
                other = take(less, action)
                one = take(full, places[0] if np.ndim(action) == 0 else np.array(places))
            _compare_knowledge(full, less, one, other, f"knowledge={level!r}, seed {seed}")


def _compare_knowledge(full: Any, less: Any, one: Moment, other: Moment, where: str) -> None:
    """Demand that two moments are one, and that only what is granted is told."""
    where = f"{where}, tick {one.info['time']}"
    demand(other.obs in less.observation_space, f"{where}: the observation is not in its space")
    demand(other.info["dead_end"] is None, f"{where}: a dead end is told")
    order = [full.action_names.index(name) for name in less.action_names]
    found = difference(one.info["action_mask"][..., order], other.info["action_mask"], "mask")
    demand(found is None, f"{where}: {found}")
    for name in ("time", "elapsed", "success"):
        demand(
            one.info[name] == other.info[name], f"{where}: {name}={other.info[name]}, not {one.info[name]}"
        )
    demand(one[1:4] == other[1:4], f"{where}: {other[1:4]}, not {one[1:4]}")
    told = other.info["refusal"] if isinstance(other.info["refusal"], list) else [other.info["refusal"]]
    if less.options.knowledge == "none":
        demand(set(told) <= PLAIN_REFUSALS, f"{where}: a refusal tells of the graph: {told}")


CHECKS: tuple[Callable[[Make], None], ...] = (
    check_gymnasium,
    check_any_action,
    check_info,
    check_fresh_data,
    check_observation,
    check_seeds,
    check_copies,
    check_spec,
    check_state,
    check_executors,
    check_rendering,
    check_mask,
    check_clocks,
    check_rewards,
    check_dead_ends,
    check_knowledge,
)
"""The facts, cheap ones first."""
