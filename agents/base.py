"""What an agent is, and the trace that every agent of this package keeps.

Owns the ``Agent`` protocol, which anyone's agent can meet without importing
anything, and ``Traced``, the notebook behind ``trace()``. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from stratagym.envs.task.view import Observation, TaskView

Actions = np.ndarray[Any, np.dtype[np.int64]]
"""``[agents]`` one action number per row of the mask; ``n`` (the last) waits."""

SCORES_KEPT = 8
"""How many candidates' scores one trace row holds, best first."""


@runtime_checkable
class Agent(Protocol):
    """What the evaluation asks of an agent.

    An agent may also have ``trace() -> list[dict]``; it is drained after each ``act``
    and must hold plain values that JSON can write.
    """

    def reset(self, seed: int) -> None:
        """Forget the last episode and draw from ``seed`` from now on."""

    def act(self, observation: Observation) -> Actions:
        """Return one action per row of ``observation.mask``, shape ``[agents]``."""


class Traced:
    """An agent's notebook: one row per decision, handed over and forgotten by ``trace``."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []

    def trace(self) -> list[dict[str, Any]]:
        """Return the rows written since the last call.

        Returns:
            Dicts with ``time`` (ticks), ``chosen`` (one name per agent, None for a
            wait), ``reason`` (a phrase) and ``scores`` (name -> number, best first, at
            most ``SCORES_KEPT``).
        """
        rows, self._rows = self._rows, []
        return rows

    def _note(
        self, task: TaskView, actions: Actions, reason: str, scores: Iterable[tuple[int, float]] = ()
    ) -> Actions:
        """Write one row and return ``actions`` as they came."""
        kept = [(label(task.names, i), float(score)) for i, score in scores][:SCORES_KEPT]
        waits = len(task.names)
        self._rows.append(
            {
                "time": task.time,
                "chosen": [None if a == waits else label(task.names, int(a)) for a in actions],
                "reason": reason,
                "scores": dict(kept),
            }
        )
        return actions


def label(names: Sequence[str | None], subtask: int) -> str:
    """Return the name of a subtask, or its number where the name is not known."""
    return names[subtask] or f"?{subtask}"
