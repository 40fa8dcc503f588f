"""How things move on a plane: bodies that are steered, contact, and a cable that is pulled.

Owns the integer geometry. The rounding rule, once: every quotient is rounded to the nearest
whole number, halves up (``nearest``); a square root is rounded down (``root``). Nothing in
here knows of subtasks.

A body is a disc. It is accelerated, its speed is cut to its limit, and it moves; what it
then overlaps pushes it out along the shortest way and takes away the part of its speed that
points inwards, so it slides. The cable's live stretch is a chain of nodes from its end
(node 0) to where it is paid out; a node that is more than a segment away from the one
before it is pulled straight towards it (follow the leader; Brown, Latombe and Montgomery,
"Real-time knot-tying simulation", 2004), and a stretch that is used up holds its end back.
"""

from __future__ import annotations

import math

from stratagym.envs.task import layout as at
from stratagym.envs.task.layout import Memory
from stratagym.envs.worlds import plane_layout as pl


def nearest(a: int, b: int) -> int:
    """Return ``a / b`` for ``b > 0``, rounded to the nearest whole number, halves up."""
    return (2 * a + b) // (2 * b)


def root(n: int) -> int:
    """Return the square root of ``n >= 0``, rounded down."""
    r = int(math.sqrt(n))
    # The square root of a float may be off by one where n does not fit its 53 bits.
    while r * r > n:
        r -= 1
    while (r + 1) * (r + 1) <= n:
        r += 1
    return r


def plane_head(m: Memory, head: int) -> int:
    """Return a number of the head of the table."""
    return m.t[m.t[at.T_WORLD] + head]


def body_row(m: Memory, a: int) -> int:
    """Return the position in ``t`` of body ``a``."""
    return m.t[at.T_WORLD] + plane_head(m, pl.P_BODIES) + a * pl.BODY_SIZE


def body_state(m: Memory, a: int) -> int:
    """Return the position in ``s`` of body ``a``."""
    return m.t[at.Q_WORLD] + plane_head(m, pl.Q_BODIES) + a * pl.BODY_STATE


def site_row(m: Memory, c: int) -> int:
    """Return the position in ``t`` of site ``c``."""
    return m.t[at.T_WORLD] + plane_head(m, pl.P_SITES) + c * pl.SITE_SIZE


def obstacle_row(m: Memory, k: int) -> int:
    """Return the position in ``t`` of obstacle ``k``."""
    return m.t[at.T_WORLD] + plane_head(m, pl.P_OBSTACLES) + k * pl.OBSTACLE_SIZE


def node_state(m: Memory, k: int) -> int:
    """Return the position in ``s`` of node ``k`` of the cable."""
    return m.t[at.Q_WORLD] + plane_head(m, pl.Q_NODES) + 2 * k


def stands(m: Memory, k: int) -> bool:
    """Return whether obstacle ``k`` stands there now."""
    return m.s[m.t[at.Q_WORLD] + plane_head(m, pl.Q_PRESENT) + k] != 0


def within(x: int, y: int, far_x: int, far_y: int, radius: int) -> bool:
    """Return whether two points are at most ``radius`` apart."""
    return (x - far_x) * (x - far_x) + (y - far_y) * (y - far_y) <= radius * radius


# ------------------------------------------------------------------ contact


def core_of(m: Memory, k: int, x: int, y: int) -> tuple[int, int]:
    """Return the point on the middle line of obstacle ``k`` that is nearest to a point."""
    row = obstacle_row(m, k)
    x1, y1 = m.t[row + pl.OB_X1], m.t[row + pl.OB_Y1]
    dx, dy = m.t[row + pl.OB_X2] - x1, m.t[row + pl.OB_Y2] - y1
    length2 = dx * dx + dy * dy
    if length2 == 0:
        return x1, y1
    along = min(max((x - x1) * dx + (y - y1) * dy, 0), length2)
    return x1 + nearest(dx * along, length2), y1 + nearest(dy * along, length2)


def pushed_out(x: int, y: int, from_x: int, from_y: int, radius: int) -> tuple[int, int]:
    """Return a point moved straight away from another until it is ``radius`` away (to the right if on it)."""
    wx, wy = x - from_x, y - from_y
    gap2 = wx * wx + wy * wy
    if gap2 >= radius * radius:
        return x, y
    if gap2 == 0:
        return from_x + radius, from_y
    gap = root(gap2)
    if gap == 0:
        gap = 1
    return from_x + nearest(wx * radius, gap), from_y + nearest(wy * radius, gap)


def bounce(m: Memory, q: int, from_x: int, from_y: int, radius: int) -> None:
    """Push a body out of a disc and take away the part of its speed that points inwards."""
    x, y = m.s[q + pl.X], m.s[q + pl.Y]
    wx, wy = x - from_x, y - from_y
    gap2 = wx * wx + wy * wy
    if gap2 >= radius * radius:
        return
    m.s[q + pl.X], m.s[q + pl.Y] = pushed_out(x, y, from_x, from_y, radius)
    inwards = m.s[q + pl.VX] * wx + m.s[q + pl.VY] * wy
    if inwards < 0:
        m.s[q + pl.VX] -= nearest(inwards * wx, gap2)
        m.s[q + pl.VY] -= nearest(inwards * wy, gap2)


def keep_on_table(m: Memory, q: int, radius: int) -> None:
    """Keep a body on the table; a wall takes away the speed towards it."""
    width, height = plane_head(m, pl.WIDTH), plane_head(m, pl.HEIGHT)
    x, y = m.s[q + pl.X], m.s[q + pl.Y]
    if x < radius or x > width - radius:
        m.s[q + pl.X] = min(max(x, radius), width - radius)
        m.s[q + pl.VX] = 0
    if y < radius or y > height - radius:
        m.s[q + pl.Y] = min(max(y, radius), height - radius)
        m.s[q + pl.VY] = 0


def meet(m: Memory, a: int) -> None:
    """Let walls, obstacles in their order, the other bodies in theirs and the walls again act on a body."""
    q = body_state(m, a)
    radius = m.t[body_row(m, a) + pl.BODY_RADIUS]
    keep_on_table(m, q, radius)
    for k in range(plane_head(m, pl.N_OBSTACLES)):
        if stands(m, k):
            x, y = core_of(m, k, m.s[q + pl.X], m.s[q + pl.Y])
            bounce(m, q, x, y, radius + m.t[obstacle_row(m, k) + pl.OB_RADIUS])
    for b in range(m.t[at.T_AGENTS]):
        if b != a:
            other = body_state(m, b)
            bounce(m, q, m.s[other + pl.X], m.s[other + pl.Y], radius + m.t[body_row(m, b) + pl.BODY_RADIUS])
    keep_on_table(m, q, radius)


# ------------------------------------------------------------------ bodies


def move_body(m: Memory, a: int) -> None:
    """Move body ``a`` for one tick; one that is not steered brakes."""
    q = body_state(m, a)
    row = body_row(m, a)
    limit = m.t[row + pl.ACCELERATION]
    vx, vy = m.s[q + pl.VX], m.s[q + pl.VY]
    if m.s[q + pl.STEERED] != 0:
        vx += m.s[q + pl.AX]
        vy += m.s[q + pl.AY]
    else:
        vx -= min(max(vx, -limit), limit)
        vy -= min(max(vy, -limit), limit)
    m.s[q + pl.STEERED] = 0
    fastest = m.t[row + pl.SPEED]
    if vx * vx + vy * vy > fastest * fastest:
        speed = root(vx * vx + vy * vy)
        vx, vy = nearest(vx * fastest, speed), nearest(vy * fastest, speed)
    m.s[q + pl.VX], m.s[q + pl.VY] = vx, vy
    m.s[q + pl.X] += vx
    m.s[q + pl.Y] += vy
    meet(m, a)


# ------------------------------------------------------------------ the cable


def pull_node(m: Memory, k: int, leader: int) -> bool:
    """Pull node ``k`` to within a segment of another; return whether it was farther away."""
    q, p = node_state(m, k), node_state(m, leader)
    px, py = m.s[p], m.s[p + 1]
    wx, wy = m.s[q] - px, m.s[q + 1] - py
    segment = plane_head(m, pl.SEGMENT)
    gap = root(wx * wx + wy * wy)
    if gap <= segment:
        return False
    x, y = px + nearest(wx * segment, gap), py + nearest(wy * segment, gap)
    for o in range(plane_head(m, pl.N_OBSTACLES)):
        if stands(m, o):
            cx, cy = core_of(m, o, x, y)
            x, y = pushed_out(x, y, cx, cy, m.t[obstacle_row(m, o) + pl.OB_RADIUS])
    m.s[q], m.s[q + 1] = x, y
    return True


def follow_end(m: Memory) -> bool:
    """Let the nodes follow the end of the cable; return whether it is used up and held back."""
    last = plane_head(m, pl.NODES) - 1
    for k in range(1, last):
        if not pull_node(m, k, k - 1):
            return False
    k = last - 1
    while k >= 0 and pull_node(m, k, k + 1):
        k -= 1
    return k < 0


def carry_cable(m: Memory) -> None:
    """Have the end of the cable go with the body that holds it, or hold it back where it is used up."""
    a = m.s[m.t[at.Q_WORLD] + pl.HOLDER]
    if a < 0:
        return
    q, end = body_state(m, a), node_state(m, 0)
    m.s[end], m.s[end + 1] = m.s[q + pl.X], m.s[q + pl.Y]
    if follow_end(m):
        m.s[q + pl.X], m.s[q + pl.Y] = m.s[end], m.s[end + 1]
        m.s[q + pl.VX] = m.s[q + pl.VY] = 0
        meet(m, a)


def pay_out_from(m: Memory, x: int, y: int) -> None:
    """Let the live stretch begin at a point; its end stays where it is."""
    state = m.t[at.Q_WORLD]
    m.s[state + pl.SUPPLY_X], m.s[state + pl.SUPPLY_Y] = x, y
    for k in range(1, plane_head(m, pl.NODES)):
        q = node_state(m, k)
        m.s[q], m.s[q + 1] = x, y
    follow_end(m)


def lay_point(m: Memory, x: int, y: int) -> None:
    """Remember a point of laid cable, while there is room (pictures show it, no rule reads it)."""
    state = m.t[at.Q_WORLD]
    k = m.s[state + pl.LAID_COUNT]
    if k < plane_head(m, pl.LAID):
        q = state + plane_head(m, pl.Q_LAID) + 2 * k
        m.s[q], m.s[q + 1] = x, y
        m.s[state + pl.LAID_COUNT] = k + 1


def lay_stretch(m: Memory, x: int, y: int) -> None:
    """Lay the live stretch as far as a clip at (x, y), and pay out from there."""
    last = plane_head(m, pl.NODES) - 1
    for p in range(1, pl.LAID_POINTS):
        # From where it was paid out towards the end, whose own segment lies beyond the clip.
        q = node_state(m, max(2, last - nearest(last * p, pl.LAID_POINTS)))
        lay_point(m, m.s[q], m.s[q + 1])
    lay_point(m, x, y)
    pay_out_from(m, x, y)
