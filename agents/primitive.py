"""Play by the body's own actions, without goals: the floor that every agent is compared with.

Owns the uniform player over a world's mask.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stratagym.agents.base import Traced
from stratagym.envs.task.view import Observation


class RandomPrimitive(Traced):
    """Draws each body's action uniformly from those that the world's mask allows.

    Where actions are vectors it draws them uniformly from the box -1..1; in the abstract world it
    draws among the starts allowed and waiting. It needs no knowledge and reads nothing but the mask.
    """

    primitive = True

    def __init__(self) -> None:
        super().__init__()
        self.reset(0)

    def reset(self, seed: int) -> None:
        """Forget the last episode and draw from ``seed`` from now on."""
        self._draws = np.random.default_rng(seed % 2**64)

    def act(self, observation: Observation) -> Any:
        """Return one action per body."""
        world = observation.world
        if world is not None and not world.actions:
            return self._draws.uniform(-1.0, 1.0, (len(world.bodies), 3)).astype(np.float32)
        mask = observation.mask if world is None else world.mask
        if world is not None and world.viewer is not None:
            mask = mask[world.viewer : world.viewer + 1]
        return np.array([self._draws.choice(np.flatnonzero(row)) for row in mask], dtype=np.int64)
