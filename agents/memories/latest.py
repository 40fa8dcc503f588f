"""The memory of a world that hides nothing: the latest observation.

Owns the base that other memories extend. It forgets everything that is not in sight.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stratagym.envs.task.view import Observation


class LatestMemory:
    """Knows what is seen now."""

    observation: Observation

    def __init__(self) -> None:
        self.cache: dict[Any, Any] = {}

    def reset(self, seed: int) -> None:
        """Forget the episode."""
        self.cache = {}

    def update(self, observation: Observation) -> None:
        """Take in what is seen now; whatever was worked out of the last moment is stale."""
        self.observation = observation
        self.cache.clear()

    def known(self) -> Mapping[str, Any]:
        """Return where the bodies are and what is under way."""
        task, world = self.observation.task, self.observation.world
        account: dict[str, Any] = {
            "done": sum(word == "done" for word in task.status),
            "running": [
                name for name, word in zip(task.names, task.status, strict=True) if word == "running"
            ],
        }
        if world is not None:
            account["bodies"] = {body.name: _plain(body.at) for body in world.bodies}
        return account

    def save(self) -> dict[str, Any]:
        """Return what an observation does not tell again: nothing."""
        return {}

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take back what ``save`` has returned."""


def _plain(at: Any) -> Any:
    """Return where a body is as plain values."""
    if at is None or isinstance(at, int):
        return at
    return [round(float(x), 3) if isinstance(x, float) else int(x) for x in at]
