"""The plane: bodies that are steered continuously, clips, and a cable to thread through them.

Owns the hooks of this world (see ``base``): what a step does, in which order, and what it
shows in the flat view. How things move is ``plane_motion``'s, what subtasks ask of a body
``plane_primitives``', how a scene is loaded ``plane_scene``'s.
"""

from __future__ import annotations

import types
from collections.abc import Sequence

from stratagym.envs.rng import WORLD as DRAW_WORLD
from stratagym.envs.rng import bits32
from stratagym.envs.task import layout as at
from stratagym.envs.task.kernel import any_idle
from stratagym.envs.task.layout import Bytes, Flags, Ints, Memory
from stratagym.envs.task.nodes import has, u64
from stratagym.envs.task.starts import able, below, emit, idle
from stratagym.envs.worlds import plane_layout as pl
from stratagym.envs.worlds import plane_motion, plane_primitives
from stratagym.envs.worlds.base import BOX_UNIT, OCCUPIED, REFUSED, Room, report
from stratagym.envs.worlds.plane_motion import (
    body_row,
    body_state,
    carry_cable,
    lay_point,
    lay_stretch,
    move_body,
    nearest,
    node_state,
    obstacle_row,
    pay_out_from,
    plane_head,
    site_row,
    stands,
)
from stratagym.envs.worlds.plane_primitives import (
    GOES_ON,
    SUCCEEDS,
    holds_end,
    may_begin,
    rule_row,
    verdict_of,
)

MODULES: tuple[types.ModuleType, ...] = (plane_motion, plane_primitives)
"""Further modules whose functions the hooks call."""


def room(sizes: Sequence[int]) -> Room:
    """Return what scenes of these sizes take: bodies, sites, obstacles, events, nodes, subtasks."""
    bodies, sites, obstacles, events, nodes, subtasks = sizes
    numbers = bodies * pl.BODY_NUMBERS + sites * pl.SITE_NUMBERS + obstacles * pl.OBSTACLE_NUMBERS
    return Room(
        ints=pl.W_HEADS
        + bodies * pl.BODY_SIZE
        + sites * pl.SITE_SIZE
        + obstacles * pl.OBSTACLE_SIZE
        + events * pl.PE_SIZE
        + subtasks * pl.RULE_SIZE,
        state=pl.C_HEADS
        + bodies * pl.BODY_STATE
        + sites
        + obstacles
        + events
        + 2 * nodes
        + 2 * laid_room(sites),
        rows=events + bodies,
        view=2 * (numbers + pl.CABLE_NUMBERS),
        actions=0,
    )


def laid_room(sites: int) -> int:
    """Return for how many points of laid cable there is room: each clip may be threaded twice."""
    return 1 + 2 * sites * pl.LAID_POINTS


# ------------------------------------------------------------------ the hooks


def world_reset(m: Memory) -> None:
    """Put everything where it begins and draw the ticks of the events of the place."""
    state = m.t[at.Q_WORLD]
    for a in range(m.t[at.T_AGENTS]):
        q, row = body_state(m, a), body_row(m, a)
        m.s[q + pl.X], m.s[q + pl.Y] = m.t[row + pl.START_X], m.t[row + pl.START_Y]
        m.s[q + pl.RUN] = -1
    for k in range(plane_head(m, pl.N_OBSTACLES)):
        m.s[state + plane_head(m, pl.Q_PRESENT) + k] = m.t[obstacle_row(m, k) + pl.OB_PRESENT]
    for e in range(plane_head(m, pl.N_EVENTS)):
        row = m.t[at.T_WORLD] + plane_head(m, pl.P_EVENTS) + e * pl.PE_SIZE
        bits = bits32(m.sb[m.t[at.QB_SEED]], u64(DRAW_WORLD), u64(e), u64(0))
        span = m.t[row + pl.PE_HI] - m.t[row + pl.PE_LO] + 1
        m.s[state + plane_head(m, pl.Q_TICKS) + e] = m.t[row + pl.PE_LO] + below(bits, span)
    m.s[state + pl.HOLDER] = m.s[state + pl.STUCK] = -1
    if plane_head(m, pl.CABLE) != 0:
        end = node_state(m, 0)
        m.s[end], m.s[end + 1] = plane_head(m, pl.END_X), plane_head(m, pl.END_Y)
        pay_out_from(m, plane_head(m, pl.FROM_X), plane_head(m, pl.FROM_Y))
        lay_point(m, plane_head(m, pl.FROM_X), plane_head(m, pl.FROM_Y))


def world_act(m: Memory, actions: Ints, attempts: Ints) -> None:
    """Steer the bodies, let go of the cable, and attempt what can be begun where an acting body is."""
    for a in range(m.t[at.T_AGENTS]):
        q = body_state(m, a)
        act = actions[pl.AXES * a + 2]
        if not idle(m, a):
            if act >= pl.ACTS:
                attempts[a] = OCCUPIED
            continue
        limit = m.t[body_row(m, a) + pl.ACCELERATION]
        for axis in range(2):
            push = min(max(actions[pl.AXES * a + axis], -BOX_UNIT), BOX_UNIT)
            m.s[q + pl.AX + axis] = nearest(push * limit, BOX_UNIT)
        m.s[q + pl.STEERED] = 1
        if act >= pl.ACTS:
            attempts[a] = OCCUPIED if m.s[q + pl.RUN] >= 0 else attempt_of(m, a)
        elif act <= -pl.ACTS and holds_end(m, a):
            m.s[m.t[at.Q_WORLD] + pl.HOLDER] = -1


def attempt_of(m: Memory, a: int) -> int:
    """Return what body ``a`` begins by acting where it is.

    The first subtask that begins here and that the task lets it start; if there is none, the first
    that begins here, so that the refusal is the task's.
    """
    first = REFUSED
    for i in range(m.t[at.T_SUBTASKS]):
        if may_begin(m, a, i):
            if has(m, at.ELIGIBLE, i) and able(m, a, i):
                return i
            if first == REFUSED:
                first = i
    return first


def world_apply(m: Memory, first: int) -> None:
    """Take in what starts, ends and is undone."""
    for k in range(first, m.x[0]):
        row = 1 + k * at.EVENT_SIZE
        kind, i = m.x[row + at.E_KIND], m.x[row + at.E_WHAT]
        if kind == at.E_START:
            begin_run(m, i, m.x[row + at.E_WHO])
        elif kind == at.E_SUCCESS or kind == at.E_FAILURE:
            for a in range(m.t[at.T_AGENTS]):
                if m.s[body_state(m, a) + pl.RUN] == i:
                    end_run(m, i, a, kind == at.E_SUCCESS)
        elif kind == at.E_SPOIL or kind == at.E_UNDO:
            rule = rule_row(m, i)
            if m.t[rule + pl.RULE_BY] == pl.BY_INSERT:
                m.s[m.t[at.Q_WORLD] + plane_head(m, pl.Q_CLIPS) + m.t[rule + pl.RULE_SITE]] = 0


def begin_run(m: Memory, i: int, a: int) -> None:
    """Have body ``a`` do subtask ``i`` from now on."""
    if m.t[rule_row(m, i) + pl.RULE_BY] == pl.BY_ACT:
        return
    q = body_state(m, a)
    m.s[q + pl.RUN] = i
    m.s[q + pl.SINCE] = m.s[at.CLOCK]
    m.s[q + pl.COUNT] = m.s[q + pl.SIDE] = 0


def end_run(m: Memory, i: int, a: int, success: bool) -> None:
    """End what body ``a`` does and change the place accordingly."""
    state, rule = m.t[at.Q_WORLD], rule_row(m, i)
    by, c = m.t[rule + pl.RULE_BY], m.t[rule + pl.RULE_SITE]
    m.s[body_state(m, a) + pl.RUN] = -1
    if by == pl.BY_PICK_UP and success:
        m.s[state + pl.HOLDER] = a
    elif by == pl.BY_PERTURB and success:
        m.s[state + pl.STUCK] = -1
    elif by == pl.BY_INSERT and success:
        m.s[state + plane_head(m, pl.Q_CLIPS) + c] = 1
        lay_stretch(m, m.t[site_row(m, c) + pl.SITE_X], m.t[site_row(m, c) + pl.SITE_Y])
    elif (by == pl.BY_INSERT or by == pl.BY_ROUTE) and not success:
        lose_cable(m, a)
        if by == pl.BY_INSERT and sticks(m, i):
            m.s[state + pl.STUCK] = c


def sticks(m: Memory, i: int) -> bool:
    """Return whether the cable is stuck in the clip after ``i`` has failed, by the world's own draw."""
    bits = bits32(m.sb[m.t[at.QB_SEED]], u64(DRAW_WORLD), u64(pl.STICK_DRAWS + i), u64(m.s[at.CLOCK]))
    return bits < (u64(plane_head(m, pl.STICK_HIGH)) << u64(16)) + u64(plane_head(m, pl.STICK_LOW))


def lose_cable(m: Memory, a: int) -> None:
    """Have body ``a`` lose the cable, if it holds it."""
    if holds_end(m, a):
        m.s[m.t[at.Q_WORLD] + pl.HOLDER] = -1
        emit(m, at.E_SLIP, a, -1)


def world_move(m: Memory) -> None:
    """Let events of the place happen, then the bodies move, then the cable, then primitives end."""
    happen_here(m)
    for a in range(m.t[at.T_AGENTS]):
        move_body(m, a)
    carry_cable(m)
    for a in range(m.t[at.T_AGENTS]):
        i = m.s[body_state(m, a) + pl.RUN]
        if i >= 0:
            verdict = verdict_of(m, a)
            if verdict != GOES_ON:
                report(m, i, verdict == SUCCEEDS)


def happen_here(m: Memory) -> None:
    """Apply the events of the place that are due at the tick that begins."""
    state = m.t[at.Q_WORLD]
    for e in range(plane_head(m, pl.N_EVENTS)):
        if m.s[state + plane_head(m, pl.Q_TICKS) + e] != m.s[at.CLOCK] + 1:
            continue
        row = m.t[at.T_WORLD] + plane_head(m, pl.P_EVENTS) + e * pl.PE_SIZE
        kind, k = m.t[row + pl.PE_KIND], m.t[row + pl.PE_TARGET]
        if kind == pl.PE_DROP:
            if m.s[state + pl.HOLDER] >= 0:
                lose_cable(m, m.s[state + pl.HOLDER])
        else:
            m.s[state + plane_head(m, pl.Q_PRESENT) + k] = 1 if kind == pl.PE_APPEAR else 0
            emit(m, at.E_BLOCK if kind == pl.PE_APPEAR else at.E_CLEAR, k, -1)


def world_ready(m: Memory) -> bool:
    """Return whether some body can be steered."""
    return any_idle(m)


def world_mask(m: Memory, a: int, out: Flags, base: int) -> None:
    """Write that waiting is allowed: there is nothing to mask in a Box."""
    out[base] = 1


# ------------------------------------------------------------------ the flat view


def write_number(out: Bytes, base: int, k: int, value: int) -> None:
    """Write the ``k``-th number as two bytes, the upper first; 0 is in the middle of the range."""
    code = min(max(value, -32768), 32767) + 32768
    out[base + 2 * k] = code >> 8
    out[base + 2 * k + 1] = code & 255


def world_view(m: Memory, out: Bytes, base: int) -> None:
    """Write bodies, sites, obstacles that stand and the cable, two bytes a number."""
    k = 0
    for a in range(plane_head(m, pl.W_BODIES)):
        view_body(m, a, out, base, k)
        k += pl.BODY_NUMBERS
    for c in range(plane_head(m, pl.W_SITES)):
        row = site_row(m, c)
        for column in range(pl.SITE_NUMBERS):
            known = c < plane_head(m, pl.N_SITES)
            write_number(out, base, k + column, m.t[row + column] if known else 0)
        k += pl.SITE_NUMBERS
    for o in range(plane_head(m, pl.W_OBSTACLES)):
        seen = o < plane_head(m, pl.N_OBSTACLES) and stands(m, o)
        for column in range(pl.OBSTACLE_NUMBERS - 1):
            write_number(out, base, k + column, m.t[obstacle_row(m, o) + column] if seen else 0)
        write_number(out, base, k + pl.OBSTACLE_NUMBERS - 1, pl.SCALE if seen else 0)
        k += pl.OBSTACLE_NUMBERS
    state, end = m.t[at.Q_WORLD], node_state(m, 0)
    laid = plane_head(m, pl.CABLE) != 0
    write_number(out, base, k, m.s[end] if laid else 0)
    write_number(out, base, k + 1, m.s[end + 1] if laid else 0)
    write_number(out, base, k + 2, m.s[state + pl.SUPPLY_X])
    write_number(out, base, k + 3, m.s[state + pl.SUPPLY_Y])
    write_number(out, base, k + 4, pl.SCALE if m.s[state + pl.STUCK] >= 0 else 0)


def view_body(m: Memory, a: int, out: Bytes, base: int, k: int) -> None:
    """Write one body: place, speed, whether it holds the cable, and for how long it has been at work."""
    if a >= m.t[at.T_AGENTS]:
        for column in range(pl.BODY_NUMBERS):
            write_number(out, base, k + column, 0)
        return
    q = body_state(m, a)
    for column in range(4):
        write_number(out, base, k + column, m.s[q + column])
    runs = m.s[q + pl.RUN] >= 0
    write_number(out, base, k + 4, pl.SCALE if holds_end(m, a) else 0)
    write_number(out, base, k + 5, pl.SCALE if runs else 0)
    write_number(out, base, k + 6, (m.s[at.CLOCK] - m.s[q + pl.SINCE]) << 6 if runs else 0)
