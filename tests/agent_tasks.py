"""Small task graphs and observations made by hand, for the tests of agents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np

import stratagym  # noqa: F401  (registers the ids)
from stratagym.agents.base import Agent as AgentProtocol
from stratagym.envs.task.graph import Item, Resource, TaskGraph
from stratagym.envs.task.view import AgentView, Observation, RunView, Status, TaskView, hide_times


def resources(**capacity: int) -> tuple[Resource, ...]:
    """Return resources by name."""
    return tuple(Resource(name, amount) for name, amount in capacity.items())


def items(**stock: int) -> tuple[Item, ...]:
    """Return items by name."""
    return tuple(Item(name, amount) for name, amount in stock.items())


def observe(
    task: TaskGraph,
    eligible: Mapping[int, Sequence[int]] | Sequence[int],
    *,
    time: int = 0,
    done: Sequence[int] = (),
    running: Sequence[int] = (),
    knowledge: str = "full",
    stock: Mapping[str, int] | None = None,
    succeeded: Mapping[int, int] | None = None,
    rows: Sequence[int] | None = None,
    lane: Any = None,
) -> Observation:
    """Return what an agent sees when these subtasks can be started.

    Args:
        task: the task.
        eligible: subtask -> agents that may start it; a plain list means all agents.
        time: the clock.
        done: subtasks done.
        running: subtasks running.
        knowledge: ``full``, ``structure`` or ``none``.
        stock: stock by item, that of the task if left out.
        succeeded: ticks of success.
        rows: the agents whose rows the mask has (all if left out).
        lane: what a simulation continues from.
    """
    everyone = range(len(task.agents))
    able = eligible if isinstance(eligible, Mapping) else dict.fromkeys(eligible, everyone)
    mask = np.zeros((len(task.agents), len(task.subtasks) + 1), dtype=np.int8)
    mask[:, -1] = 1
    for i, agents in able.items():
        mask[list(agents), i] = 1
    status: list[Status] = ["locked"] * len(task.subtasks)
    for word, members in (("eligible", able), ("done", done), ("running", running)):
        for i in members:
            status[i] = word  # type: ignore[call-overload]
    ticks = succeeded or {}
    full = knowledge == "full"
    runs = tuple(RunView(int(i in done), None, ticks.get(i), ticks.get(i)) for i in range(len(status)))
    view = TaskView(
        knowledge=knowledge,  # type: ignore[arg-type]
        time=time,
        names=task.names,
        status=tuple(status),
        graph={"full": task, "structure": hide_times(task), "none": None}[knowledge],
        runs=runs if full else (),
        agents=tuple(AgentView(a.name, True, None, time, frozenset()) for a in task.agents),
        free={} if knowledge == "none" else {r.name: r.capacity for r in task.resources},
        stock={} if knowledge == "none" else (stock or {k.name: k.stock for k in task.items}),
        lane=lane if full else None,
    )
    return Observation(view, mask[list(everyone if rows is None else rows)])


@dataclass
class Played:
    """How an episode went."""

    success: bool = False
    time: int = 0
    paid: float = 0.0
    starts: list[tuple[int, str]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    trace: list[dict[str, Any]] = field(default_factory=list)

    @property
    def reasons(self) -> list[str]:
        """The reason of each decision."""
        return [row["reason"] for row in self.trace]


def play(task: Mapping[str, Any], agent: AgentProtocol, seed: int = 0, **options: Any) -> Played:
    """Play one episode of a task by an agent through ``Task-v0``, rewards as the file says."""
    env = gymnasium.make("stratagym/Task-v0", task=task, **{"reward": "task", **options})
    world: Any = env.unwrapped
    env.reset(seed=seed)
    agent.reset(seed)
    played, ended = Played(), False
    while not ended:
        actions = agent.act(world.observation())
        single = isinstance(env.action_space, gymnasium.spaces.Discrete)
        _, reward, terminated, truncated, info = env.step(int(actions[0]) if single else actions)
        ended = terminated or truncated
        refusals = info["refusal"] if isinstance(info["refusal"], list) else [info["refusal"]]
        played.refusals += [r for r in refusals if r is not None]
        played.starts += [(e["tick"], e["subtask"]) for e in info["events"] if e["kind"] == "start"]
        played.paid += float(reward)
        played.time, played.success = info["time"], info["success"]
        played.trace += agent.trace() if hasattr(agent, "trace") else []
    env.close()
    return played
