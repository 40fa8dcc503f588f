"""The least makespan in a world by trying everything, one environment stepped from every state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stratagym.envs.api.options import Options
from stratagym.envs.api.single import TaskEnv


def brute(env: Any, most: int, key: Callable[[int, Any], Any]) -> int | None:
    """Return the least makespan by stepping a single environment tick by tick from every state.

    Args:
        env: an environment of the task; a new one is made of its model.
        most: ticks after which the search ends without a result.
        key: (tick, ``Observation``) -> what tells states apart.
    """
    env = TaskEnv(env.model, Options(reward="task", clock="tick"))
    env.reset(seed=0)
    layer = [env.get_state()]
    seen: set[Any] = set()
    for tick in range(1, most + 1):
        following = []
        for state in layer:
            for action in range(len(env.action_names)):
                env.set_state(state)
                *_, info = env.step(action)
                if info["success"]:
                    return tick
                found = key(tick, env.observation())
                if found not in seen:
                    seen.add(found)
                    following.append(env.get_state())
        layer = following
    return None
