"""Primitives of a plane: how a subtask is begun at its place by acting, and the geometry that ends it.

A body does one primitive at a time. In the coordinates of a clip a point lies ``along`` its
axis (negative before, positive behind its middle) and ``across`` it; the mouth is at minus
``length``, the exit at ``length``.

=========  =============================================  ==========================================
primitive  begins, on acting                              ends
=========  =============================================  ==========================================
act        within a site's radius                         by the task's own duration
reach      within 4 radii, holding nothing                succeeds within the radius, at half speed
                                                          or less; fails beyond 6 radii
pick up    within the grip of the cable's end, which      succeeds after 3 ticks there at half speed
           nobody holds and which is not stuck            or less; fails beyond 2 grips
route      with the cable, within 2 radii of the begin    succeeds in the mouth, at most a radius
           of a clip's lane (``lane`` before its mouth)   across; fails farther across at the mouth,
                                                          beyond 2 radii across or behind the begin
insert     with the cable, at most a radius across, from  succeeds at the exit; fails beyond a radius
           the mouth (or a radius before it) to the       across, or 2 radii before the mouth
           middle
perturb    within the grip of the end, which is stuck     succeeds after 3 changes between the sides
                                                          beyond half a grip across; fails beyond 3 grips
=========  =============================================  ==========================================

Each fails as well when its limit of ticks is over, a route or an insert when the cable is
lost. Where the geometry is fulfilled the task's ``success`` still draws whether it slips. A
route or an insert that fails, for whatever reason, loses the cable: an insert leaves it
stuck with a stated probability, else it drops where it is.
"""

from __future__ import annotations

from stratagym.envs.task import layout as at
from stratagym.envs.task.layout import Memory
from stratagym.envs.worlds import plane_layout as pl
from stratagym.envs.worlds.plane_motion import (
    body_row,
    body_state,
    nearest,
    node_state,
    plane_head,
    site_row,
    within,
)

GOES_ON, SUCCEEDS, FAILS = 0, 1, 2


# ------------------------------------------------------------------ where things are


def rule_row(m: Memory, i: int) -> int:
    """Return the position in ``t`` of the rule of subtask ``i``."""
    return m.t[at.T_WORLD] + plane_head(m, pl.P_RULES) + i * pl.RULE_SIZE


def along(m: Memory, c: int, x: int, y: int) -> int:
    """Return how far a point lies behind the middle of clip ``c``, along its axis."""
    row = site_row(m, c)
    wx, wy = x - m.t[row + pl.SITE_X], y - m.t[row + pl.SITE_Y]
    return nearest(wx * m.t[row + pl.AXIS_X] + wy * m.t[row + pl.AXIS_Y], pl.SCALE)


def across(m: Memory, c: int, x: int, y: int) -> int:
    """Return how far a point lies beside the axis of clip ``c``."""
    row = site_row(m, c)
    wx, wy = x - m.t[row + pl.SITE_X], y - m.t[row + pl.SITE_Y]
    return nearest(wy * m.t[row + pl.AXIS_X] - wx * m.t[row + pl.AXIS_Y], pl.SCALE)


def near_target(m: Memory, a: int, c: int, radii: int) -> bool:
    """Return whether body ``a`` is within so many radii of a site, or grips of the cable's end (``c`` -1)."""
    q = body_state(m, a)
    if c < 0:
        end = node_state(m, 0)
        return within(m.s[q + pl.X], m.s[q + pl.Y], m.s[end], m.s[end + 1], radii * plane_head(m, pl.GRIP))
    row = site_row(m, c)
    radius = radii * m.t[row + pl.SITE_RADIUS]
    return within(m.s[q + pl.X], m.s[q + pl.Y], m.t[row + pl.SITE_X], m.t[row + pl.SITE_Y], radius)


def slow(m: Memory, a: int) -> bool:
    """Return whether body ``a`` moves at half its greatest speed or less."""
    q = body_state(m, a)
    return within(m.s[q + pl.VX], m.s[q + pl.VY], 0, 0, m.t[body_row(m, a) + pl.SLOW])


def holds_end(m: Memory, a: int) -> bool:
    """Return whether body ``a`` holds the end of the cable."""
    return m.s[m.t[at.Q_WORLD] + pl.HOLDER] == a


# ------------------------------------------------------------------ primitives


def may_begin(m: Memory, a: int, i: int) -> bool:
    """Return whether body ``a`` is where subtask ``i`` is begun, and as it asks for."""
    row = rule_row(m, i)
    by, c = m.t[row + pl.RULE_BY], m.t[row + pl.RULE_SITE]
    stuck = m.s[m.t[at.Q_WORLD] + pl.STUCK]
    free = m.s[m.t[at.Q_WORLD] + pl.HOLDER] < 0
    if by == pl.BY_ACT:
        return near_target(m, a, c, 1)
    if by == pl.BY_REACH:
        return not holds_end(m, a) and (free or c >= 0) and near_target(m, a, c, pl.FAR_START)
    if by == pl.BY_PICK_UP:
        return free and stuck < 0 and near_target(m, a, -1, 1)
    if by == pl.BY_PERTURB:
        return free and stuck >= 0 and near_target(m, a, -1, 1)
    if by == pl.BY_ROUTE or by == pl.BY_INSERT:
        return holds_end(m, a) and at_clip(m, a, c, by)
    return False


def at_clip(m: Memory, a: int, c: int, by: int) -> bool:
    """Return whether body ``a`` is where a route to clip ``c``, or inserting there, begins."""
    q, row = body_state(m, a), site_row(m, c)
    u, v = along(m, c, m.s[q + pl.X], m.s[q + pl.Y]), across(m, c, m.s[q + pl.X], m.s[q + pl.Y])
    radius, length = m.t[row + pl.SITE_RADIUS], m.t[row + pl.LENGTH]
    if by == pl.BY_ROUTE:
        return within(u, v, -length - m.t[row + pl.LANE], 0, 2 * radius)
    return abs(v) <= radius and -length - radius <= u and u <= 0


def verdict_of(m: Memory, a: int) -> int:
    """Return how the primitive of body ``a`` stands at the tick that begins."""
    q = body_state(m, a)
    row = rule_row(m, m.s[q + pl.RUN])
    by, c = m.t[row + pl.RULE_BY], m.t[row + pl.RULE_SITE]
    verdict = GOES_ON
    if by == pl.BY_REACH:
        if near_target(m, a, c, 1) and slow(m, a):
            verdict = SUCCEEDS
        elif not near_target(m, a, c, pl.FAR_LEAVE):
            verdict = FAILS
    elif by == pl.BY_PICK_UP:
        verdict = picking_up(m, a)
    elif by == pl.BY_PERTURB:
        verdict = perturbing(m, a)
    else:
        verdict = threading(m, a, c, by)
    if verdict == GOES_ON and m.s[at.CLOCK] + 1 - m.s[q + pl.SINCE] >= m.t[row + pl.RULE_LIMIT]:
        return FAILS
    return verdict


def picking_up(m: Memory, a: int) -> int:
    """Return how picking up stands: the body must rest over the end, which nobody else has taken."""
    q = body_state(m, a)
    if m.s[m.t[at.Q_WORLD] + pl.HOLDER] >= 0 or not near_target(m, a, -1, 2):
        return FAILS
    if near_target(m, a, -1, 1) and slow(m, a):
        m.s[q + pl.COUNT] += 1
    else:
        m.s[q + pl.COUNT] = 0
    return SUCCEEDS if m.s[q + pl.COUNT] >= pl.DWELL else GOES_ON


def perturbing(m: Memory, a: int) -> int:
    """Return how loosening stands: the body must swing across the clip from side to side."""
    q = body_state(m, a)
    if m.s[m.t[at.Q_WORLD] + pl.STUCK] < 0 or not near_target(m, a, -1, 3):
        return FAILS
    c, end = m.s[m.t[at.Q_WORLD] + pl.STUCK], node_state(m, 0)
    aside = across(m, c, m.s[q + pl.X], m.s[q + pl.Y]) - across(m, c, m.s[end], m.s[end + 1])
    side = 0
    if 2 * abs(aside) >= plane_head(m, pl.GRIP):
        side = 1 if aside > 0 else -1
    if side != 0 and side != m.s[q + pl.SIDE]:
        if m.s[q + pl.SIDE] != 0:
            m.s[q + pl.COUNT] += 1
        m.s[q + pl.SIDE] = side
    return SUCCEEDS if m.s[q + pl.COUNT] >= pl.SWINGS else GOES_ON


def threading(m: Memory, a: int, c: int, by: int) -> int:
    """Return how a route to clip ``c``, or inserting there, stands."""
    q, row = body_state(m, a), site_row(m, c)
    u, v = along(m, c, m.s[q + pl.X], m.s[q + pl.Y]), across(m, c, m.s[q + pl.X], m.s[q + pl.Y])
    radius, length = m.t[row + pl.SITE_RADIUS], m.t[row + pl.LENGTH]
    aside = abs(v)
    if not holds_end(m, a):
        return FAILS
    if by == pl.BY_INSERT:
        if aside > radius or u < -length - 2 * radius:
            return FAILS
        return SUCCEEDS if u >= length else GOES_ON
    if u >= -length:
        return SUCCEEDS if aside <= radius else FAILS
    if aside > 2 * radius or u < -length - m.t[row + pl.LANE] - 2 * radius:
        return FAILS
    return GOES_ON
