"""The contract library notices what is broken: each fact is broken once, on purpose."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest

from contract_cases import FORGE, MOVE, TEA
from stratagym.envs.api import check
from stratagym.envs.registry import TASK_ID

TRAP: dict[str, Any] = {
    "name": "trap",
    "horizon": 20,
    "items": {"key": 1},
    "subtasks": {
        "left": {"consumes": {"key": 1}},
        "right": {"consumes": {"key": 1}},
        "rest": {"repeatable": True},
    },
    "goal": "right",
}
"""Going left is a dead end."""


def broken(task: dict[str, Any], change: Callable[[Any, dict[str, Any]], None]) -> Callable[..., Any]:
    """Return a ``make`` whose environments are changed after they are made."""

    def make(**options: Any) -> Any:
        env = gymnasium.make(TASK_ID, task=task, **options)
        change(env.unwrapped, options)
        return env

    return make


def after_step(change: Callable[[list[Any]], None]) -> Callable[[Any, dict[str, Any]], None]:
    """Return a change of what ``step`` returns (a list that may be written to)."""

    def apply(env: Any, options: dict[str, Any]) -> None:
        step = env.step

        def changed(action: Any) -> tuple[Any, ...]:
            result = list(step(action))
            change(result)
            return tuple(result)

        env.step = changed

    return apply


def wrong_shape(result: list[Any]) -> None:
    """Make the observation too long."""
    result[0]["state"] = np.append(result[0]["state"], np.uint8(0))


def wrong_elapsed(result: list[Any]) -> None:
    """Count one tick too many."""
    result[4]["elapsed"] += 1


def wrong_dtype(result: list[Any]) -> None:
    """Give the mask another type."""
    result[4]["action_mask"] = result[4]["action_mask"].astype(np.int64)


def more_reward(result: list[Any]) -> None:
    """Pay a little for every step."""
    result[1] += 0.01


def all_allowed(result: list[Any]) -> None:
    """Allow everything by the mask."""
    result[4]["action_mask"][...] = 1


def reuse(env: Any, options: dict[str, Any]) -> None:
    """Return one mask again and again."""
    buffer = np.zeros(env.action_space.n, np.int8)

    def change(result: list[Any]) -> None:
        buffer[...] = result[4]["action_mask"]
        result[4]["action_mask"] = buffer

    after_step(change)(env, options)


def drift(env: Any, options: dict[str, Any]) -> None:
    """Pay by a draw that no seed decides."""
    rng = np.random.default_rng()

    def change(result: list[Any]) -> None:
        result[1] += rng.random()

    after_step(change)(env, options)


def forget(env: Any, options: dict[str, Any]) -> None:
    """Keep no state."""
    env.set_state = lambda state: None


def stir(env: Any, options: dict[str, Any]) -> None:
    """Let drawing take a step."""
    render = env.render

    def stirring() -> Any:
        env.step(env.action_space.n - 1)
        return render()

    env.render = stirring


def no_text(env: Any, options: dict[str, Any]) -> None:
    """Draw nothing."""
    env.render = lambda: None


def no_spec(env: Any, options: dict[str, Any]) -> None:
    """Forget how it was made."""
    env.spec = None


def compiled_differs(env: Any, options: dict[str, Any]) -> None:
    """Pay more when compiled."""
    if options.get("executor") == "compiled":
        after_step(more_reward)(env, options)


def hides_nothing(env: Any, options: dict[str, Any]) -> None:
    """Tell the true refusal whatever the knowledge."""

    def change(result: list[Any]) -> None:
        result[4]["refusal"] = env.refusals[0]

    after_step(change)(env, options)


def other_names(env: Any, options: dict[str, Any]) -> None:
    """Name the last action otherwise."""

    class Renamed(type(env)):  # type: ignore[misc]
        action_names = ("x", "rest", "pause")

    env.__class__ = Renamed


def never_ends(env: Any, options: dict[str, Any]) -> None:
    """Ignore that a dead end should end the episode."""

    def change(result: list[Any]) -> None:
        result[2] = False if result[4]["dead_end"] else result[2]

    after_step(change)(env, options)


BROKEN = [
    (check.check_gymnasium, TEA, after_step(wrong_shape)),
    (check.check_gymnasium, TEA, drift),
    (check.check_any_action, TEA, after_step(wrong_shape)),
    (check.check_any_action, TEA, after_step(all_allowed)),
    (check.check_info, TEA, after_step(wrong_elapsed)),
    (check.check_info, MOVE, after_step(wrong_dtype)),
    (check.check_fresh_data, TEA, reuse),
    (check.check_observation, TEA, after_step(all_allowed)),
    (check.check_observation, TEA, other_names),
    (check.check_seeds, TEA, drift),
    (check.check_state, TEA, forget),
    (check.check_spec, TEA, no_spec),
    (check.check_executors, TEA, compiled_differs),
    (check.check_rendering, TEA, stir),
    (check.check_rendering, TEA, no_text),
    (check.check_mask, MOVE, after_step(all_allowed)),
    (check.check_clocks, TEA, after_step(more_reward)),
    (check.check_rewards, TEA, after_step(more_reward)),
    (check.check_dead_ends, TRAP, never_ends),
    (check.check_knowledge, FORGE, hides_nothing),
]


@pytest.mark.parametrize(("fact", "task", "change"), BROKEN, ids=lambda x: getattr(x, "__name__", ""))
def test_notices(fact: Any, task: dict[str, Any], change: Any) -> None:
    """A broken environment fails the fact that it breaks; the same one unbroken passes."""
    fact(broken(task, lambda env, options: None))
    with pytest.raises(AssertionError):
        fact(broken(task, change))


def test_copies_that_share_are_noticed() -> None:
    """A copy that shares its lane with the original is noticed."""

    def share(env: Any, options: dict[str, Any]) -> None:
        lanes = type("Shared", (type(env.lanes),), {"__deepcopy__": lambda self, memo: self})
        lanes.__reduce_ex__ = lambda self, protocol: (_kept, (id(self),))  # type: ignore[method-assign]
        env.lanes.__class__ = lanes
        _KEPT[id(env.lanes)] = env.lanes

    with pytest.raises(AssertionError, match="a copy by"):
        check.check_copies(broken(TEA, share))


_KEPT: dict[int, Any] = {}


def _kept(key: int) -> Any:
    return _KEPT[key]


def test_batches_are_noticed() -> None:
    """A batch of which one lane strays is noticed, with its step and lane."""

    def make_vec(**options: Any) -> Any:
        vec = gymnasium.make_vec(TASK_ID, task=TEA, **options)
        step = vec.step

        def stray(actions: Any) -> Any:
            obs, reward, *rest = step(actions)
            return (obs, reward + np.arange(len(reward)) * (rest[2]["time"] > 9), *rest)

        vec.step = stray
        return vec

    with pytest.raises(AssertionError, match=r"step \d+, lane 1: reward"):
        check.check_vector(make_vec, partial(gymnasium.make, TASK_ID, task=TEA))


def test_the_error_names_the_fact() -> None:
    """``check_environment`` passes what is right and says which fact does not hold."""
    check.check_environment(partial(gymnasium.make, TASK_ID, task=FORGE))
    with pytest.raises(AssertionError, match=r"^check_info: step 1: 2 ticks from 0"):
        check.check_environment(broken(TEA, after_step(wrong_elapsed)))
