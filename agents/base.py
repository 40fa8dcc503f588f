"""What an agent is, what its levels say to each other, and the trace that it keeps.

Owns the ``Agent`` protocol, which anyone's agent can meet without importing
anything; the protocols of the levels that ``hierarchy`` joins (planner, skill, memory,
critic) with the small values that pass between them; and ``Traced``, the notebook behind
``trace()``. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

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
    and must hold plain values that JSON can write. One whose answers are the world's own actions,
    not subtasks, says so by an attribute ``primitive = True``; the others are planners, which
    play in a world under a ``hierarchy.HierarchicalAgent``.
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


# ------------------------------------------------------------------ levels

Planner = Agent
"""What is to be done next: an agent that answers with subtasks. In a world it gets an
``Observation`` whose mask and task are cut down to what the bodies could begin now. One that plans on the
map may say where, too, by an attribute ``sites``: for each row of its latest answer a cell or None."""


FOR_SKILLS = "skill/"
"""What the keys of ``Observation.arrays`` begin with that a skill has asked to see, beside the planner's."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a body is asked to bring about: the word that the levels talk in.

    Attributes:
        subtask: the subtask to start, or the one that this goal serves.
        crew: the bodies that start it together; None where it is not known who joins (one
            who decides for itself alone stands ready and asks at every tick).
        kind: ``do``: start the subtask. ``bring``: put ``thing`` where body ``whom`` can take it.
            ``give``: let body ``whom`` have a unit of the item ``thing``.
        thing: name of the thing or item, "" for ``do``.
        whom: the body that waits for it, -1 for ``do``.
        at: the cell ``(x, y)`` where to do it, if that can be done there; None for wherever is best.
    """

    subtask: int
    crew: tuple[int, ...] | None
    kind: Literal["do", "bring", "give"] = "do"
    thing: str = ""
    whom: int = -1
    at: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Prospect:
    """Whether a goal can be taken up by a body now: the start condition of a skill, answered.

    Attributes:
        possible: whether the skill can begin.
        reason: if not, why; if something must be done first, what.
        ticks: ticks until the attempt, as far as can be told (0 if not possible).
        first: a goal that must be reached before, by ``helper`` (by the body itself if None).
        helper: the body that ``first`` is for.
    """

    possible: bool
    reason: str = ""
    ticks: int = 0
    first: Goal | None = None
    helper: int | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One body with a goal at one moment: what a skill is asked about.

    Attributes:
        memory: what is known in this body's lane; ``memory.observation`` is the latest.
        body: index of the body.
        goal: what it pursues; None if nothing (it makes room for others).
        since: tick at which the goal was taken up.
    """

    memory: Memory
    body: int
    goal: Goal | None
    since: int = 0


@dataclass(frozen=True, slots=True)
class Move:
    """What a skill does with a body now, and whether it stops: policy and stop condition.

    Attributes:
        action: number of the world's action, or the vector of a continuous one.
        stop: ``""`` while the skill goes on; ``attempt``: this action asks for the subtask to be
            started, what comes of it is seen next; ``reached``: the goal (of ``bring`` and
            ``give``) has come about; ``failed``: it cannot be reached any more.
        reason: a phrase for the trace.
    """

    action: int | Sequence[float]
    stop: Literal["", "attempt", "reached", "failed"] = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a place adds to a task, as far as it is known.

    Attributes:
        ticks: ``[n]`` ticks that going there (and fetching what it takes) adds to each subtask.
        able: ``[agents][n]`` whether a body could ever get to where the subtask is done.
    """

    ticks: Sequence[int]
    able: Sequence[Sequence[bool]]


class Memory(Protocol):
    """What one lane's agent knows of its episode: the latest observation and what was seen before.

    Attributes:
        observation: the latest, its ``world`` completed by what was seen before (fog).
        cache: what skills have worked out of it, by name; a memory drops what has become
            stale. It speeds up and decides nothing.
    """

    observation: Observation
    cache: dict[Any, Any]

    def reset(self, seed: int) -> None:
        """Forget the episode."""

    def update(self, observation: Observation) -> None:
        """Take in what is seen now."""

    def known(self) -> Mapping[str, Any]:
        """Return a short account for the trace, in values that JSON can write."""

    def save(self) -> dict[str, Any]:
        """Return what an observation does not tell again, in values that JSON can write."""

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take back what ``save`` has returned; ``update`` comes next."""


class Skill(Protocol):
    """What bodies of one kind of world can do: options with goals as their arguments.

    A skill keeps no state of its own: all it knows is in the memories, all that it is to do in
    the goals, so that one object serves every lane. It may also have
    ``survey(memory) -> Survey``, which planners' estimates are made of, and
    ``urgent(memory, body) -> Goal | None``: what a body must do for itself before all else, and
    ``stage(memory) -> rehearsal.Stage | None``: the place in the head, to rehearse plans on.
    """

    def start(self, memory: Memory, body: int, goal: Goal) -> Prospect:
        """Tell whether the body could pursue the goal now (the start condition)."""

    def act(self, cases: Sequence[Case]) -> Sequence[Move]:
        """Return one move per case (policy and stop condition).

        Args:
            cases: of any number of lanes; those of one lane share one memory, and all its ready
                bodies are among them, so that they can make room for each other.
        """


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an option ended.

    Attributes:
        status: ``success``, ``failure``, or ``dropped`` (given up for something else).
        reason: in words.
        elapsed: ticks since it was taken up.
    """

    status: Literal["success", "failure", "dropped"]
    reason: str
    elapsed: int


@dataclass(frozen=True, slots=True)
class Mark:
    """How a task stood at one moment: what a later moment is compared with.

    Attributes:
        status: ``[n]`` status words.
        starts: ``[n]`` starts so far; empty where they are not known.
        succeeded: ``[n]`` ticks of the latest successes, -1 for none; empty where not known.
    """

    status: tuple[str, ...]
    starts: tuple[int, ...] = ()
    succeeded: tuple[int, ...] = ()

    @classmethod
    def of(cls, task: TaskView) -> Mark:
        """Return how a task stands."""
        succeeded = tuple(-1 if run.succeeded is None else run.succeeded for run in task.runs)
        return cls(task.status, tuple(run.starts for run in task.runs), succeeded)


class Critic(Protocol):
    """Judges what has come of an option and says why it failed."""

    def judge(self, case: Case, before: Mark, move: Move | None, tries: int) -> Outcome | None:
        """Return the outcome, or None while the option goes on.

        Args:
            case: the option, with what is known now.
            before: how the task stood when it was taken up.
            move: the option's latest move, None before the first.
            tries: attempts made so far.
        """


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One start of a plan.

    Attributes:
        subtask: what is started.
        crew: by whom.
        tick: when they set out for it, if all goes as expected.
        begins: when it starts then, its way behind it; -1 where that is not told apart.
        at: the cell where, None for wherever is best.
    """

    subtask: int
    crew: tuple[int, ...]
    tick: int
    begins: int = -1
    at: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be started from now on, in order.

    Attributes:
        steps: in the order of their starts.
        made: tick at which it was made.
        end: tick at which all should be over; None if it was not played out.
        reason: why it was made, with the planner's own words.
        rehearsed: whether its ways were played out too, so that its order may be followed as fast as
            it goes.
    """

    steps: tuple[PlanStep, ...]
    made: int
    end: int | None
    reason: str
    rehearsed: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """One option taken up by one body: a row of the trace.

    Attributes:
        number: counts the lane's decisions from 0.
        time: tick at which it was made.
        body: name of the agent.
        known: what was known (see ``Memory.known``).
        plan: names of the planned subtasks from here on, with their ticks.
        choice: what was chosen, in words.
        reason: why.
        outcome: how it ended; None while it is under way.
    """

    number: int
    time: int
    body: str
    known: Mapping[str, Any]
    plan: Sequence[tuple[str, int]]
    choice: str
    reason: str
    outcome: Outcome | None = None
