"""How a world joins the one transition: its hooks, the order of a step, and what it may report.

A world never decides dependency, time or reward. It turns the bodies' own actions into
attempts to start a subtask, may refuse one, and is changed by what starts, succeeds, fails
or is undone. Owns the order in which the task graph and a world take part in a step
(``play_step``), the reports by which a world ends runs whose duration is ``world``, and
the records by which a world is known to the rest: ``Room`` and ``Scene``.

A world is one module of functions over a lane's ``Memory`` (its *kernel*), written like
the task kernel, so that one source runs interpreted and compiled. It reads its table from
``m.t[m.t[T_WORLD]:]``, keeps its state in ``m.s[m.t[Q_WORLD]:]`` and defines

- ``world_reset(m)``: fill the state from the table and the seed, after the lane was reset;
- ``world_act(m, actions, attempts)``: serve the bodies in index order; put into
  ``attempts[a]`` the subtask that agent ``a`` is to start, or leave it;
- ``world_apply(m, first)``: take in the event rows from ``first`` on;
- ``world_move(m)``: what goes on by itself, just before the clock moves to ``CLOCK + 1``;
- ``world_ready(m)``: whether some idle body can act, so that a decision is due
  (``kernel.any_idle`` where every idle one can);
- ``world_mask(m, a, out, base)``: the exact mask of agent ``a``, the last action waits;
- ``world_view(m, out, base)``: its part of the flat view;
- ``room(sizes)``: what it takes, as a ``Room`` (never compiled);

and, where it calls functions of further modules, ``MODULES`` with those. No two of all
these modules may define functions of one name.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from stratagym.envs.task import layout as at
from stratagym.envs.task.dead_end import judge_dead_end
from stratagym.envs.task.kernel import TICK_CLOCK, judge, stand, tick
from stratagym.envs.task.layout import Ints, Memory
from stratagym.envs.task.nodes import has, put
from stratagym.envs.task.starts import refresh, serve
from stratagym.envs.worlds.abstract import world_act, world_apply, world_move, world_ready

REFUSED, OCCUPIED = -1, -2
"""In place of an attempt: the world refuses what was asked for (``world``), or the body is
not free to do it (``busy``)."""

MOST_WORDS = 64
"""How many words a body can say at the most, in any world: views show each as a byte."""
BOX_UNIT = 1000
"""A number x of a Box action reaches a world as ``round(x * BOX_UNIT)``."""


class Room(NamedTuple):
    """What a world takes, for scenes of given sizes.

    Attributes:
        ints: length of its table in ``t``.
        state: length of its state in ``s``.
        rows: event rows that it can add in one step.
        view: bytes of its part of the flat view.
        actions: how many actions a body has, waiting not counted (0 where they are a Box).
        own: the last ``agents * own`` bytes of ``view`` are, agent after agent, what only this
            agent's body sees; what stands before them is known to all.
    """

    ints: int
    state: int
    rows: int
    view: int
    actions: int
    own: int = 0


class Scene(Protocol):
    """One loaded and checked instance of a world.

    Attributes:
        kind: ``grid``, ``places`` or ``plane``.
        kernel: the module of its hooks.
        actions: names of the actions, without waiting.
        action_width: how many integers one agent's action is.
        box: least and greatest values of a Box action, ``[action_width]`` each; None for numbered actions.
        span: ticks of the longest way in it, for a horizon where none is known.
        fog: whether bodies see only part of it.
        digest: of what it says.

    A world in which actions name subtasks, one for each in a row, has ``attempts``, too: the
    number of the first of them.
    """

    kind: str
    kernel: types.ModuleType
    actions: tuple[str, ...]
    action_width: int
    box: tuple[Sequence[float], Sequence[float]] | None
    span: int
    fog: bool
    digest: str

    def sizes(self) -> tuple[int, ...]:
        """Return its sizes; those of a family are the greatest of each."""

    def compile(self, sizes: tuple[int, ...], wide: int) -> list[int]:
        """Return its table, ``room(sizes).ints`` long, for ``wide`` padded subtasks."""

    def names(self, kind: str) -> Sequence[str]:
        """Return what the subjects of events of a kind of the place are called, by their number."""

    def sees(self, m: Memory, agent: int | None, place: int) -> bool:
        """Return whether an agent's body (None: any body) sees a cell or location now."""

    def look(self, m: Memory, graph: Any, agent: int | None, knowledge: Any) -> Any:
        """Return the ``WorldView`` of an agent, or of the controller of all."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as the mapping that loads to it."""


# ------------------------------------------------------------------ a step


def play_step(m: Memory, spare: Memory, before: Memory, actions: Ints, attempts: Ints, mode: int) -> None:
    """Take one step of a world under a clock; the lane must not be over.

    Leaves the event rows and the refusals in the scratch. Under the decision and the event
    clock time runs on, tick by tick, while no idle body can act.

    Args:
        m: the lane.
        spare: a lane of the same task to look ahead in.
        before: another one.
        actions: ``[A * action_width]`` numbers of the bodies.
        attempts: ``[A]`` room for what they attempt.
        mode: of the clock, see ``kernel.step_lane``.
    """
    m.x[0] = 0
    m.s[at.STEPS] += 1
    m.s[at.BEFORE] = m.s[at.CLOCK]
    for a in range(len(attempts)):
        attempts[a] = m.t[at.T_WIDE]
    world_act(m, actions, attempts)
    still = serve(m, attempts)
    for a in range(m.t[at.T_AGENTS]):
        if attempts[a] == REFUSED:
            m.x[m.t[at.X_REFUSALS] + a] = at.WORLD_REFUSAL
        elif attempts[a] == OCCUPIED:
            m.x[m.t[at.X_REFUSALS] + a] = at.BUSY_REFUSAL
    world_apply(m, 0)
    if still:
        first = m.x[0]
        stand(m)
        world_apply(m, first)
    else:
        pass_tick(m)
    judge(m, spare)
    if mode != TICK_CLOCK:
        while m.s[at.OVER] == 0 and not world_ready(m):
            pass_tick(m)
            judge(m, spare)
    if m.s[at.STALE] != 0:
        refresh(m)
    if m.s[at.HURT] != 0 and m.t[at.T_FRAGILE] != 0:
        judge_dead_end(m)


def pass_tick(m: Memory) -> None:
    """Move the clock on by one tick, the world first; then the world takes in what the tick brought."""
    first = m.x[0]
    world_move(m)
    moved = m.x[0]
    for k in range(first, moved):
        # What the world does by itself happens at the tick that begins.
        m.x[1 + k * at.EVENT_SIZE + at.E_TICK] += 1
    tick(m)
    world_apply(m, moved)


def report(m: Memory, i: int, success: bool) -> None:
    """End the run of ``i``, whose duration is ``world``, at the tick that begins (in ``world_move``).

    It completes there together with all others: it fails if a failure is reported, else by its
    own draw and deadline like any run.

    Args:
        m: the lane.
        i: a subtask that runs; another is left alone.
        success: what the world has to say.
    """
    q = at.S_HEADS + i * at.S_COLUMNS
    if not has(m, at.RUNNING, i) or m.s[q + at.END] < at.FAR:
        return
    now = m.s[at.CLOCK] + 1
    m.s[q + at.END] = now
    m.s[at.NEXT] = min(m.s[at.NEXT], now)
    if not success:
        put(m, at.FAILING, i)
    for a in range(m.t[at.T_AGENTS]):
        agent = m.t[at.Q_AGENTS] + a * at.AGENT_SIZE
        if m.s[agent + at.ATTENDS] == i:
            m.s[agent + at.FREE_AT] = min(m.s[agent + at.FREE_AT], now)
