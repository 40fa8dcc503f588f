"""What a picture of a world tells of the task that is played there.

Owns the record of facts that pictures of worlds share, gathered once for a frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stratagym.envs.render.chart import RunBar
from stratagym.envs.render.scene import run_progress
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.view import AgentView


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The state of a task at one moment.

    Attributes:
        graph: the task.
        status: status word by subtask, ``"unknown"`` where it has not appeared.
        runs: what ran so far and what runs.
        time: the present tick.
        stock: stock by item.
        free: free capacity by resource.
        agents: what every agent does.
        title: written at the top.
        events: the latest last, with ``tick``, ``kind``, ``subtask`` and ``agents``.
        reward: sum of rewards so far, None if not known.
        note: how the episode stands, such as "goal reached".
        shares: share 0..1 done of each running subtask, None where its end is not known.
    """

    graph: TaskGraph
    status: Sequence[str]
    runs: Sequence[RunBar]
    time: int
    stock: Mapping[str, int]
    free: Mapping[str, int]
    agents: Sequence[AgentView]
    title: str = ""
    events: Sequence[Mapping[str, Any]] = ()
    reward: float | None = None
    note: str = ""
    shares: Sequence[float | None] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shares", run_progress(self.graph, self.runs, self.time))

    def name(self, subtask: int) -> str:
        """Return the name of a subtask."""
        return self.graph.names[subtask]
