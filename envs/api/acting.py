"""What agents do, as numbers: action spaces, and from their actions to the integers of a lane.

Owns the translation for all adapters. In the abstract world an action names a subtask; in
a grid or among places it is one of the body's own; on a plane it is a vector within a box.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from stratagym.envs.step import Model
from stratagym.envs.worlds.base import BOX_UNIT


class Acting:
    """The actions of a model's agents.

    Args:
        model: the tasks, and where they are played.

    Attributes:
        agents: how many.
        width: integers of one agent's action.
        columns: numbered actions of one agent, waiting included; 1 where they are vectors.
        boxed: whether they are vectors.
        one: the space of one agent's actions.
        space: the space of what one controller of all does.
    """

    def __init__(self, model: Model) -> None:
        self.agents, self.width = model.agents, model.action_width
        scene, room = model.scene(0), model.room
        self.columns = 1 + (model.dims.subtasks if room is None else room.actions)
        self.boxed = scene is not None and scene.box is not None
        self.one: spaces.Space[Any]
        self.space: spaces.Space[Any]
        if scene is not None and scene.box is not None:
            self._low, self._high = (np.array(bound, np.float32) for bound in scene.box)
            self.one = spaces.Box(self._low, self._high, dtype=np.float32)
            tall = (self.agents, 1)
            self.space = (
                self.one
                if self.agents == 1
                else spaces.Box(np.tile(self._low, tall), np.tile(self._high, tall), dtype=np.float32)
            )
        else:
            self.one = spaces.Discrete(self.columns)
            self.space = self.one if self.agents == 1 else spaces.MultiDiscrete([self.columns] * self.agents)

    @property
    def waiting(self) -> Any:
        """What an agent does that does nothing: the last number, or the vector nearest to 0."""
        return np.clip(np.zeros_like(self._low), self._low, self._high) if self.boxed else self.columns - 1

    def numbers(self, actions: Any) -> list[int]:
        """Return the numbered actions of one lane, one for each agent; a number that is none waits.

        Raises:
            ValueError: if there is not one action for each agent.
        """
        last = self.columns - 1
        # A list of plain numbers is read three times as fast as an array.
        plain = actions.tolist() if isinstance(actions, np.ndarray) else actions
        found = [a if 0 <= a < last else last for a in map(int, plain)]
        if len(found) != self.agents:
            raise ValueError(f"{len(found)} actions for {self.agents} agents")
        return found

    def integers(self, actions: Any, lanes: int) -> Any:
        """Return the actions of some lanes as ``[lanes, agents * width]`` integers; no action waits.

        Raises:
            ValueError: if there is not one action for each agent of each lane, or a number is none.
        """
        actions = np.asarray(actions)
        if actions.size != lanes * self.agents * self.width:
            one = (self.space.shape or ()) if self.agents > 1 or self.boxed else ()
            raise ValueError(f"actions have shape {actions.shape}, not {(lanes, *one)}")
        if not self.boxed:
            # Below 0 is far above the last as a number without a sign.
            within = np.minimum(actions.astype(np.int64).view(np.uint64), np.uint64(self.columns - 1))
            return within.astype(np.int32).reshape(lanes, self.agents)
        actions = actions.reshape(lanes, self.agents, self.width).astype(np.float64)
        if not np.isfinite(actions).all():
            raise ValueError(f"an action is not a number: {actions[~np.isfinite(actions)][0]}")
        units = np.rint(np.clip(actions, self._low, self._high) * BOX_UNIT)
        return units.astype(np.int32).reshape(lanes, -1)


UNUSED = "(unused"
"""How the names begin of numbers that only other tasks of a family use."""


def naming(model: Model, index: int) -> int | None:
    """Return the number of the action that names a task's first subtask, the others behind it.

    None where actions name no subtasks. Under ``knowledge="none"`` these come in the drawn order.
    """
    scene = model.scene(index)
    return 0 if scene is None else getattr(scene, "attempts", None)


def world_names(model: Model, index: int) -> tuple[str, ...] | None:
    """Return the names of the numbered actions in a task's world, None in the abstract one.

    The last is ``wait``. Numbers that only other tasks of the family use are ``(unused k)``.
    """
    scene, room = model.scene(index), model.room
    if scene is None or room is None:
        return None
    if scene.box is not None:
        return ()
    unused = (f"{UNUSED} {k})" for k in range(len(scene.actions), room.actions))
    return (*scene.actions, *unused, "wait")
