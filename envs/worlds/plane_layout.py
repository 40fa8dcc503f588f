"""How a plane lies in memory: a name for every number of its table and its state.

Owns positions only. All lengths are whole numbers of ``1 / SCALE`` units of the plane, all
times are ticks, and a direction is a vector of length ``SCALE``. The table stands in ``t``
from ``T_WORLD`` on, the state in ``s`` from ``Q_WORLD`` on; positions in here count from there.
"""

from __future__ import annotations

SCALE = 1024
"""Fixed-point numbers in one unit of the plane."""

AXES = 3
"""Numbers of one body's action: acceleration in x and y, and what it does with its gripper."""

ACTS = 500
"""A gripper number of at least so many ``BOX_UNIT`` parts acts, one of at most minus so many lets go."""

# table[0:W_HEADS]
(
    W_BODIES,  # padded counts
    W_SITES,
    W_OBSTACLES,
    W_EVENTS,
    W_NODES,
    W_SUBTASKS,
    N_SITES,  # own counts
    N_OBSTACLES,
    N_EVENTS,
    WIDTH,
    HEIGHT,
    CABLE,  # whether there is one
    FROM_X,
    FROM_Y,
    END_X,
    END_Y,
    NODES,  # own count
    SEGMENT,
    GRIP,
    STICK_HIGH,  # probability threshold of sticking, upper and lower part
    STICK_LOW,
    P_BODIES,
    P_SITES,
    P_OBSTACLES,
    P_EVENTS,
    P_RULES,
    Q_BODIES,
    Q_CLIPS,
    Q_PRESENT,
    Q_TICKS,
    Q_NODES,
    Q_LAID,
    LAID,  # room for points of laid cable
    W_HEADS,
) = range(34)

# a body
(START_X, START_Y, BODY_RADIUS, SPEED, ACCELERATION, SLOW, BODY_SIZE) = range(7)

# a site; a clip is one with a length. The axis leads from its mouth to its exit
(SITE_X, SITE_Y, AXIS_X, AXIS_Y, SITE_RADIUS, LENGTH, LANE, SITE_SIZE) = range(8)

# an obstacle: all points within a radius of a line (of a point, if both ends are one)
(OB_X1, OB_Y1, OB_X2, OB_Y2, OB_RADIUS, OB_PRESENT, OBSTACLE_SIZE) = range(7)

# an event of the place
(PE_KIND, PE_LO, PE_HI, PE_TARGET, PE_SIZE) = range(5)
PE_APPEAR, PE_VANISH, PE_DROP = range(3)
PLACE_EVENTS = ("appear", "vanish", "drop")

# a rule: how a subtask is done, at which site (-1: the end of the cable), within which time
(RULE_BY, RULE_SITE, RULE_LIMIT, RULE_SIZE) = range(4)
PRIMITIVES = ("act", "reach", "pick up", "route", "insert", "perturb")
(BY_ACT, BY_REACH, BY_PICK_UP, BY_ROUTE, BY_INSERT, BY_PERTURB) = range(6)
NO_RULE = -1

# state[0:C_HEADS]
(
    HOLDER,  # body that holds the end of the cable, -1 for none
    STUCK,  # clip in which the end is stuck, -1 for none
    SUPPLY_X,  # from where the cable is paid out: the drum, or the last clip that took it
    SUPPLY_Y,
    LAID_COUNT,
    C_HEADS,
) = range(6)

# a body's state; STEERED: whether an acceleration was asked for in this step
(X, Y, VX, VY, AX, AY, STEERED, RUN, SINCE, COUNT, SIDE, BODY_STATE) = range(12)

DWELL = 3
"""Ticks for which a body must rest over the end of the cable to pick it up."""

SWINGS = 3
"""Changes of side by which a stuck cable is loosened."""

FAR_START, FAR_LEAVE = 4, 6
"""Radii of a site within which a reach may start, and beyond which it fails."""

LAID_POINTS = 6
"""Points kept of every stretch of laid cable, for pictures."""

STICK_DRAWS = 1 << 16
"""Added to a subtask for the number under which it is drawn whether the cable sticks."""

# numbers of the flat view, two bytes each
BODY_NUMBERS, SITE_NUMBERS, OBSTACLE_NUMBERS, CABLE_NUMBERS = 7, 5, 6, 5
