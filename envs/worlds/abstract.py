"""The abstract world: no place, an action names a subtask.

Owns the hooks of a world that has nothing to add to the task graph. The loop over lanes
calls them by name; in another world the functions of ``base`` and of its kernel take
their place, so that what a world can do costs nothing here.
"""

from __future__ import annotations

from stratagym.envs.task.kernel import can_start, step_lane, write_mask
from stratagym.envs.task.layout import Bytes, Flags, Ints, Memory


def play_step(m: Memory, spare: Memory, before: Memory, actions: Ints, attempts: Ints, mode: int) -> None:
    """Take one step; see ``kernel.step_lane``. Here an action is the attempt itself."""
    step_lane(m, spare, before, actions, mode)


def world_reset(m: Memory) -> None:
    """Begin an episode: there is nothing to place."""


def world_act(m: Memory, actions: Ints, attempts: Ints) -> None:
    """Attempt what the actions name."""
    for a in range(len(attempts)):
        attempts[a] = actions[a]


def world_apply(m: Memory, first: int) -> None:
    """Take in what happened: nothing is changed by it."""


def world_move(m: Memory) -> None:
    """Let go on what goes on by itself: nothing does."""


def world_ready(m: Memory) -> bool:
    """Return whether some idle agent can start something."""
    return can_start(m)


def world_mask(m: Memory, a: int, out: Flags, base: int) -> None:
    """Write agent ``a``'s exact mask over the subtasks; see ``kernel.write_mask``."""
    write_mask(m, a, out, base)


def world_view(m: Memory, out: Bytes, base: int) -> None:
    """Write what the flat view shows of the world: nothing."""
