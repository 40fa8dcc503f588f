"""The contract that every environment keeps, as a library: run it over what you register.

Owns the facts that hold for any id, each as one function that takes ``make`` and raises
an ``AssertionError`` that says what is wrong; ``check_environment`` runs them all::

    from functools import partial
    check_environment(partial(gymnasium.make, "mine/Bakery-v0"))

``make`` takes the options of every environment as keyword arguments. ``check_vector``, which
holds a batch to its single environment, is ``check_batch``'s; facts about the rules are
``check_rules``'s, playing and comparing are ``course``'s.
"""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec

from stratagym.envs.api.check_batch import check_vector
from stratagym.envs.api.check_rules import (
    check_clocks,
    check_dead_ends,
    check_knowledge,
    check_mask,
    check_rewards,
)
from stratagym.envs.api.course import (
    STEPS,
    Env,
    Moment,
    begin,
    demand,
    demand_equal,
    difference,
    episode,
    go_on,
    guide_of,
    middle,
    play,
    take,
    until_over,
)
from stratagym.envs.rng import mix
from stratagym.envs.task.view import REFUSALS

__all__ = ["CHECKS", "check_environment", "check_vector"]

Make = Callable[..., Env]

INFO_TYPES = {
    "time": int,
    "elapsed": int,
    "events": list,
    "success": bool,
    "tardiness": float,
}
"""What ``info`` holds besides the mask, ``refusal`` and ``dead_end``."""
EVENT_KEYS = {"tick", "kind", "subtask", "agents"}


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
    """Gymnasium's own checker accepts the environment without a warning but of unbounded boxes.

    Pictures are left to ``check_rendering``.
    """
    from gymnasium.utils.env_checker import check_env

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        check_env(make().unwrapped, skip_render_check=True)
    for text in (str(warning.message) for warning in told):
        demand("infinit" in text, f"Gymnasium's checker warns: {text}")


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
        mask, action = moment.info.get("action_mask"), env.action_space.sample()
        moment = take(env, action)
        if mask is not None and mask.ndim == 1:
            refusal = moment.info["refusal"]
            demand(
                bool(mask[action]) == (refusal is None), f"step {k}: mask {mask[action]}, refusal {refusal!r}"
            )


def check_info(make: Make) -> None:
    """``info`` has its keys with their types after every call, and they fit each other."""
    env: Any = make().unwrapped
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
        _check_mask_form(env, info, f"step {k}")
        reasons = info["refusal"] if env.model.agents > 1 else [info["refusal"]]
        demand(type(reasons) is list and len(reasons) == env.model.agents, f"step {k}: {reasons!r}")
        demand(all(r is None or r in REFUSALS for r in reasons), f"step {k}: info['refusal']={reasons!r}")
        demand(info["elapsed"] == info["time"] - time, f"step {k}: {info['elapsed']} ticks from {time}")
        for event in info["events"]:
            demand(set(event) == EVENT_KEYS, f"step {k}: an event has the keys {sorted(event)}")
            demand(time <= event["tick"] <= info["time"], f"step {k}: {event} lies outside its step")
        ends = (moment.terminated, moment.truncated)
        demand(all(type(end) is bool for end in ends) and not all(ends), f"step {k}: the ends are {ends}")
        time = info["time"]


def _check_mask_form(env: Any, info: dict[str, Any], where: str) -> None:
    """Demand that the mask is there where actions are numbered, as 0 and 1 of its shape, and lets wait."""
    if isinstance(env.action_space, gymnasium.spaces.Box):
        demand("action_mask" not in info, f"{where}: a mask, though actions are vectors")
        return
    mask = info.get("action_mask")
    if type(mask) is not np.ndarray:
        raise AssertionError(f"{where}: info['action_mask']={mask!r} is no array")
    counts = getattr(env.action_space, "nvec", None)
    shape = (env.action_space.n,) if counts is None else (len(counts), counts[0])
    demand(mask.dtype == np.int8, f"{where}: the mask is {mask.dtype}, not int8")
    demand(mask.shape == shape, f"{where}: the mask has shape {mask.shape}, not {shape}")
    demand(bool(np.isin(mask, (0, 1)).all()), f"{where}: the mask holds more than 0 and 1: {mask}")
    demand(bool(mask[..., -1].all()), f"{where}: the mask forbids waiting")


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
        demand(
            seen.task.time == moment.info["time"], f"step {k}: the Observation is of tick {seen.task.time}"
        )
        if env.options.knowledge != "none" or not env.options.opaque:
            status = [env.status()[name] for name in seen.task.names if name is not None]
            told = [s for s, name in zip(seen.task.status, seen.task.names, strict=True) if name is not None]
            demand(status == told, f"step {k}: {status} against {seen.task.status}")
        if isinstance(env.action_space, gymnasium.spaces.Box):
            demand(seen.world is not None, f"step {k}: the Observation shows no world")
            continue
        demand(env.action_names[-1] == "wait", f"step {k}: the last action is {env.action_names[-1]!r}")
        shown = np.atleast_2d(moment.info["action_mask"])
        if env.scene is None:
            found = difference(seen.mask, np.concatenate([shown[:, :n], shown[:, -1:]], axis=1), "mask")
        else:
            width = len(seen.world.actions)
            demand(seen.mask.shape == (len(shown), n + 1), f"step {k}: the mask is {seen.mask.shape}")
            demand(seen.world.time == moment.info["time"], f"step {k}: the world's is {seen.world.time}")
            demand(seen.world.actions == (*env.action_names[: width - 1], "wait"), f"step {k}: the actions")
            whole = np.concatenate([shown[:, : width - 1], shown[:, -1:]], axis=1)
            found = difference(seen.world.mask, whole, "world.mask")
        demand(found is None, f"step {k}: the Observation and info: {found}")
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
            courses.append([first, *until_over(go_on(env, guide_of(env, first), k, 10))])
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
        guide = middle(env)
        twin = way(env)
        demand_equal(go_on(twin, guide, 0), go_on(env, guide, 0), f"a copy by {name} against the original")


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
    guide = middle(env)
    state = env.get_state()
    stored = pickle.dumps(state)
    expected = [*go_on(env, guide, 1), begin(env)]
    env.set_state(state)
    demand_equal([*go_on(env, guide, 1), begin(env)], expected, "set back")
    other: Any = make().unwrapped
    other.set_state(pickle.loads(stored))
    demand_equal([*go_on(other, guide, 1), begin(other)], expected, "set in another environment")
    env.set_state(state)
    other.set_state(state)
    nexts = [[begin(e), *go_on(e, guide, 2, 5)] for e in (env, other)]
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
