"""The rules of a grid for one lane: bodies that walk, carry and attempt; things that move.

Owns the hooks of ``base`` for a map of cells and what they read: plain scalar loops over
integers that run interpreted and compiled. What rules and effects are is ``sites``; scenes
are made by ``grid``. The rules stand in words in ``docs/worlds.md``.

Cells are counted row by row on the map with ``RING`` rings of cells around it that lie
outside and that nobody can enter, so that nothing that looks at neighbours needs to look out
for the edge. A cell is one integer: what stands there, what lies there, whether a body is
there and which, whether a run is going on.
"""

from __future__ import annotations

from typing import NamedTuple

from stratagym.envs.rng import WORLD as DRAW_WORLD
from stratagym.envs.rng import bits32
from stratagym.envs.task import layout as at
from stratagym.envs.task.layout import Bytes, Flags, Ints, Memory
from stratagym.envs.task.nodes import has, u64
from stratagym.envs.task.starts import below, emit
from stratagym.envs.worlds import sites
from stratagym.envs.worlds.base import OCCUPIED, REFUSED, Room
from stratagym.envs.worlds.sites import (
    affect_body,
    body_of,
    earn_success,
    effect_of,
    fits_hand,
    fits_thing,
    flags_of_fixture,
    flags_of_thing,
    head,
    health_of,
    live_on,
    matches,
    own_stock,
    owns,
    part,
    pay_start,
    ready,
    revive,
    rule_at,
    rule_list,
    run_of,
    settle_stock,
    startable,
    turn_hands,
    turned,
)

MODULES = (sites,)
"""Further sources of these hooks."""

# further heads of the table
(
    G_STRIDE,  # cells from one row to the next
    G_CELLS,  # with the ring
    G_HERE,  # whether bodies act on their own cell, not on the one in front of them
    G_HANDS,
    G_SHARES,  # items that can be shared
    G_MESSAGES,
    G_ACTIONS,  # without waiting
    G_COLUMNS,  # of a mask, without waiting: the most actions of the family
    G_MOVES,  # whether things may move
    G_EVENTS,
    G_BODIES,  # in the padded shape
    G_WINDOW,  # how far the window of the flat view shows cells
    P_CELLS,  # at reset
    P_BODIES,  # at reset: cell, facing, hand, pace, then what it owns
    P_HAPPENINGS,  # events of the place
    P_SWAPS,  # what each fixture becomes when it is locked, unlocked, blocked, cleared; -1 where it cannot
    Q_TICKS,  # of the events of the place
    Q_MOVERS,  # cells of the things that move, in their order
    V_STOCKS,  # what the flat view shows of bodies: how many items,
    V_VITALS,  # how many vitals (0 without health),
    V_MESSAGES,  # and whether messages,
    V_FACING,  # directions,
    V_HANDS,
    V_PACE,  # ticks until a move is over,
    V_FOG,  # and only what each sees itself;
    V_THINGS,  # of cells also what lies there,
    V_MARKS,  # other bodies and runs
    V_RADIUS,  # and how far the window reaches
    GRID_HEADS,
) = range(sites.SITE_HEADS, sites.SITE_HEADS + 29)

# the state: heads, the cells, and then as the table says
(COMING_EVENT, SHUFFLED, MOVERS, CELLS) = range(4)

# a cell: the fixture's code + 1 (0 outside), the thing, two marks (a body, a run), and the body's number
FIXTURE_BITS, THING_SHIFT, MARK_SHIFT, BODY_SHIFT = 255, 8, 16, 18
THING_BITS, BODY_BIT, BUSY_BIT, BODY_BITS = (
    255 << THING_SHIFT,
    1 << MARK_SHIFT,
    2 << MARK_SHIFT,
    255 << BODY_SHIFT,
)

RING = 3
"""Cells around the map on each side: as far as the window of the flat view reaches."""

# a body at reset
(BORN_AT, BORN_FACING, BORN_HAND, BORN_PACE, BORN_SIZE) = range(5)

# an event of the place
(PLACE_KIND, PLACE_LO, PLACE_HI, PLACE_THING, PLACE_CELL, PLACE_SIZE) = range(6)

MOVES = 4
"""Directions, in the order of ``view.FACINGS``; the first actions."""


class Sizes(NamedTuple):
    """Sizes of a scene; those of a family are the greatest of each.

    Attributes:
        ints: length of the table.
        cells: with the ring around the map.
        movers: cells where a thing that moves may come to stand, 0 if none moves.
        fog: whether some body sees only part.
        actions: without waiting.
        radius: of the window in the flat view.
    """

    ints: int
    agents: int
    subtasks: int
    cells: int
    items: int
    vitals: int
    events: int
    movers: int
    actions: int
    messages: int
    facing: int
    hands: int
    pace: int
    fog: int
    things: int
    marks: int
    radius: int


def parts(sizes: Sizes) -> dict[int, int]:
    """Return where the parts of the state lie, by their heads; under -1 the length of all."""
    bodies = CELLS + sizes.cells
    runs = bodies + sizes.agents * sites.BODY_SIZE
    stocks = runs + sizes.subtasks * sites.RUN_SIZE
    vitals = stocks + sizes.agents * sizes.items
    ticks = vitals + sizes.agents * sizes.vitals
    movers = ticks + sizes.events
    return {
        sites.Q_BODIES: bodies,
        sites.Q_RUNS: runs,
        sites.Q_STOCKS: stocks,
        sites.Q_VITALS: vitals,
        Q_TICKS: ticks,
        Q_MOVERS: movers,
        -1: movers + sizes.movers,
    }


def room(sizes: tuple[int, ...]) -> Room:
    """Return what scenes of given sizes take."""
    z = Sizes(*sizes)
    numbers = 2 + z.facing + z.hands + z.pace + z.items + z.vitals
    window = (2 * z.radius + 1) ** 2 * (1 + z.things + z.marks)
    own = window + numbers * z.fog
    view = z.agents * (z.messages + numbers * (1 - z.fog) + own)
    # Health drops at most by what it is, and again by what is regained between two steps.
    harms = 2 * sites.MOST * z.agents if z.vitals else 0
    return Room(z.ints, parts(z)[-1], z.events + harms, view, z.actions, own)


# ------------------------------------------------------------------ cells


def cell_of(m: Memory, cell: int) -> int:
    """Return where a cell lies in the state."""
    return m.t[at.Q_WORLD] + CELLS + cell


def fixture_in(value: int) -> int:
    """Return what stands in a cell, given its integer; ``sites.OUTSIDE`` beyond the map."""
    return (value & FIXTURE_BITS) - 1


def thing_in(value: int) -> int:
    """Return what lies in a cell, 0 for nothing."""
    return (value & THING_BITS) >> THING_SHIFT


def body_in(value: int) -> int:
    """Return which body is in a cell, -1 for none."""
    return (value & BODY_BITS) >> BODY_SHIFT if value & BODY_BIT != 0 else -1


def body_bits(a: int) -> int:
    """Return what a cell's integer has more while body ``a`` is there."""
    return BODY_BIT + (a << BODY_SHIFT)


def busy_in(value: int) -> bool:
    """Return whether a run is going on in a cell."""
    return value & BUSY_BIT != 0


def put_thing(m: Memory, cell: int, thing: int) -> None:
    """Have a thing lie in a cell in place of what does; 0 for nothing."""
    q = cell_of(m, cell)
    m.s[q] = m.s[q] - (m.s[q] & THING_BITS) + (thing << THING_SHIFT)
    m.s[m.t[at.Q_WORLD] + SHUFFLED] = 1


def put_fixture(m: Memory, cell: int, fixture: int) -> None:
    """Have a fixture stand in a cell in place of what does."""
    q = cell_of(m, cell)
    m.s[q] = m.s[q] - (m.s[q] & FIXTURE_BITS) + fixture + 1


def step_of(m: Memory, direction: int) -> int:
    """Return how far the next cell in a direction is."""
    if direction < 2:
        return head(m, G_STRIDE) * (2 * direction - 1)
    return 2 * direction - 5


def number_of(m: Memory, cell: int) -> int:
    """Return the number of a cell on the map without the ring, ``x + width * y``."""
    stride = head(m, G_STRIDE)
    return cell % stride - RING + (stride - 2 * RING) * (cell // stride - RING)


def aim_of(m: Memory, a: int) -> int:
    """Return the cell that body ``a`` acts on: its own, or the one in front of it."""
    q = body_of(m, a)
    if head(m, G_HERE) != 0:
        return m.s[q + sites.BODY_AT]
    return m.s[q + sites.BODY_AT] + step_of(m, m.s[q + sites.FACING])


# ------------------------------------------------------------------ what a body does


def world_act(m: Memory, actions: Ints, attempts: Ints) -> None:
    """Serve the bodies in order of their index; see ``base``."""
    for a in range(m.t[at.T_AGENTS]):
        m.s[body_of(m, a) + sites.NAMED] = -1
        action = actions[a]
        if action >= 0 and action < head(m, G_ACTIONS):
            attempts[a] = do(m, a, action)


def do(m: Memory, a: int, action: int) -> int:
    """Do what body ``a`` asks for; return the subtask that it attempts, N for none, or a refusal."""
    if not ready(m, a):
        return OCCUPIED
    q = body_of(m, a)
    verb = action - MOVES - head(m, G_HANDS)
    verbs = head(m, sites.W_VERBS)
    if verb >= 0 and verb < verbs:
        return attempt(m, a, verb)
    if action < MOVES:
        m.s[q + sites.UNTIL] = m.s[at.CLOCK] + walk(m, a, action)
        return m.t[at.T_WIDE]
    if verb < 0:
        done = carry(m, a)
    elif verb < verbs + head(m, G_SHARES):
        done = share(m, a, verb - verbs)
    else:
        m.s[q + sites.WORD] = verb - verbs - head(m, G_SHARES)
        done = True
    if not done:
        return REFUSED
    m.s[q + sites.UNTIL] = m.s[at.CLOCK] + 1
    return m.t[at.T_WIDE]


def walk(m: Memory, a: int, direction: int) -> int:
    """Turn body ``a`` and move it on by one cell, if that can be entered; return the ticks it takes."""
    q = body_of(m, a)
    m.s[q + sites.FACING] = direction
    here = cell_of(m, m.s[q + sites.BODY_AT])
    there = here + step_of(m, direction)
    value = m.s[there]
    if value & BODY_BIT != 0 or flags_of_fixture(m, fixture_in(value)) & sites.SOLID != 0:
        return 1
    if flags_of_thing(m, thing_in(value)) & sites.SOLID != 0:
        return 1
    m.s[there] += body_bits(a)
    m.s[here] -= body_bits(a)
    m.s[q + sites.BODY_AT] += there - here
    m.s[q + sites.BODY_X + (1 if direction < 2 else 0)] += 2 * (direction & 1) - 1
    return m.s[q + sites.PACE]


def can_carry(m: Memory, a: int, value: int) -> bool:
    """Return whether body ``a`` could take the thing in a cell, or put down there what it holds."""
    if busy_in(value):
        return False
    held = m.s[body_of(m, a) + sites.HAND]
    flags = flags_of_fixture(m, fixture_in(value))
    thing = thing_in(value)
    if held == sites.NOTHING:
        return flags & sites.HOLDS != 0 and flags_of_thing(m, thing) & sites.PORTABLE != 0
    if flags_of_thing(m, held) & sites.PORTABLE == 0:
        return False
    if flags & sites.SWALLOWS != 0:
        return True
    if flags & sites.HOLDS == 0 or thing != sites.NOTHING:
        return False
    return body_in(value) < 0 or flags_of_thing(m, held) & sites.SOLID == 0


def carry(m: Memory, a: int) -> bool:
    """Have body ``a`` take what it aims at, or put down there what it holds. Returns whether it could."""
    cell = aim_of(m, a)
    value = m.s[cell_of(m, cell)]
    if not can_carry(m, a, value) or claim_on(m, a, cell) >= 0:
        return False
    hand = body_of(m, a) + sites.HAND
    held = m.s[hand]
    m.s[hand] = thing_in(value) if held == sites.NOTHING else sites.NOTHING
    if flags_of_fixture(m, fixture_in(value)) & sites.SWALLOWS == 0:
        put_thing(m, cell, held)
    return True


def taker_of(m: Memory, a: int) -> int:
    """Return the body to which body ``a`` would give something, -1 for none.

    The nearest other one that is not down, counted in rows and columns; of several the first.
    """
    q = body_of(m, a)
    nearest, best = -1, at.FAR
    for b in range(m.t[at.T_AGENTS]):
        if b == a or (head(m, sites.W_VITALS) != 0 and health_of(m, b) == 0):
            continue
        other = body_of(m, b)
        far = abs(m.s[other + sites.BODY_X] - m.s[q + sites.BODY_X])
        far += abs(m.s[other + sites.BODY_Y] - m.s[q + sites.BODY_Y])
        if far < best:
            nearest, best = b, far
    return nearest


def share(m: Memory, a: int, item: int) -> bool:
    """Have body ``a`` give one unit of an item to the nearest other body. Returns whether it could."""
    own = own_stock(m, a) + item
    b = taker_of(m, a)
    if m.s[own] == 0 or b < 0:
        return False
    m.s[own] -= 1
    m.s[own_stock(m, b) + item] += 1
    return True


# ------------------------------------------------------------------ attempts


def has_near(m: Memory, a: int, rule: int) -> bool:
    """Return whether all that a rule wants near stands within one cell of body ``a``."""
    stride = head(m, G_STRIDE)
    corner = cell_of(m, m.s[body_of(m, a) + sites.BODY_AT]) - stride - 1
    for k in range(m.t[rule + sites.RULE_NEAR_COUNT]):
        pattern = m.t[m.t[at.T_WORLD] + m.t[rule + sites.RULE_NEAR] + k]
        found = False
        for j in range(9):
            fixture = fixture_in(m.s[corner + j // 3 * stride + j % 3])
            found = found or (fixture != sites.OUTSIDE and matches(m, pattern, fixture))
        if not found:
            return False
    return True


def choose(m: Memory, a: int, verb: int, cell: int, only: int, before: int) -> int:
    """Return the rule by which body ``a`` would attempt something with a verb at a cell, -1 for none.

    Of the subtasks with a rule that fits it is the first that the graph lets the agent start
    and that no body before ``before`` attempts by itself in this step; else the first that the
    graph lets the agent start; else the first.

    Args:
        m: the lane.
        a: the body.
        verb: number of the verb.
        cell: where.
        only: the one subtask that may be meant, -1 for any.
        before: how many bodies have been served in this step.
    """
    value = m.s[cell_of(m, cell)]
    pair = rule_list(m, verb, fixture_in(value))
    first, named = -1, -1
    if value & THING_BITS == 0 and m.t[pair + 1] & 1 == 0:
        return first
    for k in range(m.t[pair + 1] >> 1):
        rule = rule_at(m, pair, k)
        if not fits_thing(m, rule, thing_in(value)):
            continue
        if not fits_hand(m, rule, m.s[body_of(m, a) + sites.HAND]):
            continue
        i = m.t[rule + sites.RULE_SUBTASK]
        if has(m, at.UNKNOWN, i) or (only >= 0 and i != only):
            continue
        if busy_in(value) and m.t[rule + sites.ON_THE_SPOT] == 0:
            continue
        if not owns(m, a, i) or not has_near(m, a, rule):
            continue
        if startable(m, a, i):
            if not named_before(m, before, i):
                return rule
            if named < 0:
                named = rule
        if first < 0:
            first = rule
    return named if named >= 0 else first


def named_before(m: Memory, a: int, i: int) -> bool:
    """Return whether a body before ``a`` attempts ``i`` in this step, and one is enough for it."""
    if m.t[at.HEADS + i * at.COLUMNS + at.AGENTS] > 1:
        return False
    for b in range(a):
        if m.s[body_of(m, b) + sites.NAMED] == i:
            return True
    return False


def claim_on(m: Memory, a: int, cell: int) -> int:
    """Return the subtask for which a body before ``a`` has claimed a cell in this step, -1 for none.

    A cell is claimed by an attempt that the graph lets its agent start.
    """
    for b in range(a):
        q = body_of(m, b)
        i = m.s[q + sites.NAMED]
        if i < 0 or m.s[q + sites.AIM] != cell:
            continue
        if m.t[m.s[q + sites.AIM_RULE] + sites.ON_THE_SPOT] == 0 and startable(m, b, i):
            return i
    return -1


def attempt(m: Memory, a: int, verb: int) -> int:
    """Return the subtask that body ``a`` attempts with a verb, or ``REFUSED``."""
    cell = aim_of(m, a)
    rule = choose(m, a, verb, cell, -1, a)
    if rule < 0:
        return REFUSED
    q = body_of(m, a)
    if m.t[rule + sites.ON_THE_SPOT] != 0:
        cell = m.s[q + sites.BODY_AT]
    else:
        claimed = claim_on(m, a, cell)
        if claimed >= 0:
            if m.t[at.HEADS + claimed * at.COLUMNS + at.AGENTS] == 1:
                return REFUSED
            rule = choose(m, a, verb, cell, claimed, a)
            if rule < 0:
                return REFUSED
    i = m.t[rule + sites.RULE_SUBTASK]
    if m.t[at.HEADS + i * at.COLUMNS + at.AGENTS] > 1 and m.t[rule + sites.ON_THE_SPOT] == 0:
        # A joint subtask is begun at one cell: that of the first body that names it.
        for b in range(a):
            other = body_of(m, b)
            if m.s[other + sites.NAMED] == i and m.s[other + sites.AIM] != cell:
                return REFUSED
    m.s[q + sites.NAMED] = i
    m.s[q + sites.AIM] = cell
    m.s[q + sites.AIM_RULE] = rule
    return i


# ------------------------------------------------------------------ what happens to the map


def world_apply(m: Memory, first: int) -> None:
    """Change the map by what started, succeeded, failed or was undone; see ``base``."""
    for k in range(first, m.x[0]):
        row = 1 + k * at.EVENT_SIZE
        kind = m.x[row + at.E_KIND]
        what = m.x[row + at.E_WHAT]
        if kind == at.E_START:
            begin_run(m, what, m.x[row + at.E_WHO])
        elif kind == at.E_SUCCESS:
            end_run(m, what, sites.ON_SUCCESS)
        elif kind == at.E_FAILURE:
            end_run(m, what, sites.ON_FAILURE)
        elif kind == at.E_SPOIL or kind == at.E_UNDO:
            undo_run(m, what)
        elif kind == at.E_UNDO + at.X_STOCK and head(m, sites.W_ITEMS) != 0:
            settle_stock(m, what)


def begin_run(m: Memory, i: int, a: int) -> None:
    """Bind the run of ``i`` that body ``a`` has started to where it aimed."""
    q, run = body_of(m, a), run_of(m, i)
    rule = m.s[q + sites.AIM_RULE]
    m.s[run + sites.RUN_SITE] = m.s[q + sites.AIM]
    m.s[run + sites.RUN_RULE] = rule
    m.s[run + sites.RUN_BODY] = a
    if m.t[rule + sites.ON_THE_SPOT] == 0:
        cell = cell_of(m, m.s[q + sites.AIM])
        m.s[cell] = m.s[cell] | BUSY_BIT
    if head(m, sites.W_ITEMS) != 0:
        pay_start(m, a, i)
    change(m, i, sites.AT_START, True)


def end_run(m: Memory, i: int, moment: int) -> None:
    """Free the cell of a run of ``i`` that has ended, and change what its end changes."""
    run = run_of(m, i)
    site = m.s[run + sites.RUN_SITE]
    if m.t[m.s[run + sites.RUN_RULE] + sites.ON_THE_SPOT] == 0 and not kept_busy(m, site):
        cell = cell_of(m, site)
        m.s[cell] -= m.s[cell] & BUSY_BIT
    if head(m, sites.W_ITEMS) != 0 and moment == sites.ON_SUCCESS:
        earn_success(m, m.s[run + sites.RUN_BODY], i)
    change(m, i, moment, True)


def kept_busy(m: Memory, site: int) -> bool:
    """Return whether a run is going on in a cell."""
    for i in range(m.t[at.T_SUBTASKS]):
        if not has(m, at.RUNNING, i):
            continue
        run = run_of(m, i)
        if m.s[run + sites.RUN_SITE] == site and m.t[m.s[run + sites.RUN_RULE] + sites.ON_THE_SPOT] == 0:
            return True
    return False


def undo_run(m: Memory, i: int) -> None:
    """Change what the undoing of ``i`` changes: the cell only as far as it is as the success left it."""
    run = run_of(m, i)
    if has(m, at.RUNNING, i) or m.s[run + sites.RUN_RULE] < 0:
        return
    value = m.s[cell_of(m, m.s[run + sites.RUN_SITE])]
    left = effect_of(m, m.s[run + sites.RUN_RULE], sites.ON_SUCCESS)
    same = not busy_in(value)
    if left != sites.NO_EFFECT:
        fixture, thing = m.t[left + sites.NEW_FIXTURE], m.t[left + sites.NEW_THING]
        same = same and (fixture == sites.STAYS or fixture == fixture_in(value))
        same = same and (thing == sites.STAYS or thing == thing_in(value))
    change(m, i, sites.WHEN_UNDONE, same)


def change(m: Memory, i: int, moment: int, site_too: bool) -> None:
    """Apply what a moment of the latest run of ``i`` changes, at its cell only if told to."""
    run = run_of(m, i)
    effect = effect_of(m, m.s[run + sites.RUN_RULE], moment)
    if effect == sites.NO_EFFECT:
        return
    if site_too and m.t[effect + sites.NEW_FIXTURE] != sites.STAYS:
        put_fixture(m, m.s[run + sites.RUN_SITE], m.t[effect + sites.NEW_FIXTURE])
    if site_too and m.t[effect + sites.NEW_THING] != sites.STAYS:
        put_thing(m, m.s[run + sites.RUN_SITE], m.t[effect + sites.NEW_THING])
    affect_body(m, m.s[run + sites.RUN_BODY], effect)
    if m.t[effect + sites.TURN_COUNT] != 0:
        turn_hands(m, effect)
        for cell in range(head(m, G_CELLS)):
            thing = thing_in(m.s[cell_of(m, cell)])
            if turned(m, effect, thing) != thing:
                put_thing(m, cell, turned(m, effect, thing))


# ------------------------------------------------------------------ what goes on by itself


def world_move(m: Memory) -> None:
    """Bring the events of the place, let things move, and have vitals drop; see ``base``."""
    if m.s[at.CLOCK] + 1 >= m.s[m.t[at.Q_WORLD] + COMING_EVENT]:
        take_place(m)
    if head(m, G_MOVES) != 0:
        roam(m)
    if head(m, sites.W_VITALS) != 0:
        rows = m.x[0]
        live_on(m)
        for k in range(rows, m.x[0]):
            a = m.x[1 + k * at.EVENT_SIZE + at.E_WHAT]
            cell = m.s[body_of(m, a) + sites.BODY_AT]
            m.x[1 + k * at.EVENT_SIZE + at.E_WHO] = number_of(m, cell)
            if health_of(m, a) == 0:
                # Who is down is in nobody's way.
                m.s[cell_of(m, cell)] -= body_bits(a)


def take_place(m: Memory) -> None:
    """Bring the events of the place that are due; one that cannot happen yet waits."""
    coming = at.FAR
    for e in range(head(m, G_EVENTS)):
        due = part(m, Q_TICKS) + e
        if m.s[due] <= m.s[at.CLOCK] + 1 and befall(
            m, m.t[at.T_WORLD] + head(m, P_HAPPENINGS) + e * PLACE_SIZE
        ):
            m.s[due] = at.FAR
        coming = min(coming, m.s[due])
    m.s[m.t[at.Q_WORLD] + COMING_EVENT] = coming


def befall(m: Memory, event: int) -> bool:
    """Have an event of the place happen; return whether it is over."""
    kind, cell = m.t[event + PLACE_KIND], m.t[event + PLACE_CELL]
    value = m.s[cell_of(m, cell)]
    if busy_in(value):
        return False
    if kind == at.E_MOVE:
        thing = m.t[event + PLACE_THING]
        source = lies_at(m, thing)
        free = thing_in(value) == sites.NOTHING and body_in(value) < 0
        if source < 0 or not free or flags_of_fixture(m, fixture_in(value)) & sites.HOLDS == 0:
            return False
        put_thing(m, source, sites.NOTHING)
        put_thing(m, cell, thing)
        emit(m, kind, thing, number_of(m, cell))
        return True
    swaps = m.t[at.T_WORLD] + head(m, P_SWAPS) + (kind - at.E_LOCK) * head(m, sites.W_FIXTURES)
    old = fixture_in(value)
    new = m.t[swaps + old]
    if new < 0:
        return True
    if flags_of_fixture(m, new) & sites.SOLID != 0 and body_in(value) >= 0:
        return False
    put_fixture(m, cell, new)
    emit(m, kind, old if kind == at.E_LOCK or kind == at.E_BLOCK else new, number_of(m, cell))
    return True


def lies_at(m: Memory, thing: int) -> int:
    """Return the first cell in which a thing lies and no run is going on, -1 for none."""
    for cell in range(head(m, G_CELLS)):
        value = m.s[cell_of(m, cell)]
        if thing_in(value) == thing and not busy_in(value):
            return cell
    return -1


def roam(m: Memory) -> None:
    """Let the things that move do so, in the order of their cells; each at most once."""
    q, movers = m.t[at.Q_WORLD], part(m, Q_MOVERS)
    if m.s[q + SHUFFLED] != 0:
        m.s[q + SHUFFLED] = 0
        m.s[q + MOVERS] = 0
        for cell in range(head(m, G_CELLS)):
            if flags_of_thing(m, thing_in(m.s[cell_of(m, cell)])) & sites.MOVING != 0:
                m.s[movers + m.s[q + MOVERS]] = cell
                m.s[q + MOVERS] += 1
    for k in range(m.s[q + MOVERS]):
        m.s[movers + k] = wander(m, m.s[movers + k])
    # Few have moved, and not far: they are put in order again by insertion.
    for k in range(1, m.s[q + MOVERS]):
        cell, j = m.s[movers + k], k
        while j > 0 and m.s[movers + j - 1] > cell:
            m.s[movers + j] = m.s[movers + j - 1]
            j -= 1
        m.s[movers + j] = cell


def wander(m: Memory, cell: int) -> int:
    """Let the thing in a cell move to a free neighbour, by its draws; return where it is then."""
    value = m.s[cell_of(m, cell)]
    thing = thing_in(value)
    record = m.t[at.T_WORLD] + head(m, sites.P_THINGS) + thing * sites.THING_SIZE
    seed, now = m.sb[m.t[at.QB_SEED]], u64(m.s[at.CLOCK] + 1)
    number = 2 * number_of(m, cell)
    bits = bits32(seed, u64(DRAW_WORLD), u64(number), now)
    chance = (u64(m.t[record + sites.MOVE_HIGH]) << u64(16)) + u64(m.t[record + sites.MOVE_LOW])
    if busy_in(value) or bits >= chance:
        return cell
    free = 0
    for d in range(MOVES):
        free += 1 if has_room(m, cell + step_of(m, d), thing) else 0
    if free == 0:
        return cell
    drawn = below(bits32(seed, u64(DRAW_WORLD), u64(number + 1), now), free)
    for d in range(MOVES):
        there = cell + step_of(m, d)
        if not has_room(m, there, thing):
            continue
        if drawn == 0:
            put_moving(m, cell, there, thing)
            return there
        drawn -= 1
    return cell


def has_room(m: Memory, cell: int, thing: int) -> bool:
    """Return whether a thing that moves can come to lie in a cell."""
    value = m.s[cell_of(m, cell)]
    if busy_in(value) or thing_in(value) != sites.NOTHING:
        return False
    if flags_of_fixture(m, fixture_in(value)) & sites.HOLDS == 0:
        return False
    return body_in(value) < 0 or flags_of_thing(m, thing) & sites.SOLID == 0


def put_moving(m: Memory, cell: int, there: int, thing: int) -> None:
    """Move a thing from one cell to another without upsetting the list of those that move."""
    m.s[cell_of(m, cell)] -= thing << THING_SHIFT
    m.s[cell_of(m, there)] += thing << THING_SHIFT


# ------------------------------------------------------------------ a reset


def world_reset(m: Memory) -> None:
    """Lay out the map, the bodies and what they own, and draw the ticks of events; see ``base``."""
    q, table = m.t[at.Q_WORLD], m.t[at.T_WORLD]
    start = table + head(m, P_CELLS)
    for cell in range(head(m, G_CELLS)):
        m.s[q + CELLS + cell] = m.t[start + cell]
    items = head(m, sites.W_ITEMS)
    for a in range(m.t[at.T_AGENTS]):
        born = table + head(m, P_BODIES) + a * (BORN_SIZE + items)
        body = body_of(m, a)
        m.s[body + sites.BODY_AT] = m.t[born + BORN_AT]
        m.s[body + sites.BODY_X] = m.t[born + BORN_AT] % head(m, G_STRIDE) - RING
        m.s[body + sites.BODY_Y] = m.t[born + BORN_AT] // head(m, G_STRIDE) - RING
        m.s[body + sites.FACING] = m.t[born + BORN_FACING]
        m.s[body + sites.HAND] = m.t[born + BORN_HAND]
        m.s[body + sites.PACE] = m.t[born + BORN_PACE]
        m.s[body + sites.WORD] = -1
        m.s[cell_of(m, m.t[born + BORN_AT])] += body_bits(a)
        for k in range(items):
            m.s[own_stock(m, a) + k] = m.t[born + BORN_SIZE + k]
    for i in range(m.t[at.T_SUBTASKS]):
        m.s[run_of(m, i) + sites.RUN_RULE] = -1
    if head(m, sites.W_VITALS) != 0:
        revive(m)
    m.s[q + SHUFFLED] = 1
    coming = at.FAR
    for e in range(head(m, G_EVENTS)):
        event = table + head(m, P_HAPPENINGS) + e * PLACE_SIZE
        bits = bits32(m.sb[m.t[at.QB_SEED]], u64(DRAW_WORLD), u64(e), u64(0))
        span = m.t[event + PLACE_HI] - m.t[event + PLACE_LO] + 1
        m.s[part(m, Q_TICKS) + e] = m.t[event + PLACE_LO] + below(bits, span)
        coming = min(coming, m.s[part(m, Q_TICKS) + e])
    m.s[q + COMING_EVENT] = coming


# ------------------------------------------------------------------ what others read


def world_ready(m: Memory) -> bool:
    """Return whether some body can do something now."""
    for a in range(m.t[at.T_AGENTS]):
        if ready(m, a):
            return True
    return False


def world_mask(m: Memory, a: int, out: Flags, base: int) -> None:
    """Write the exact mask of body ``a``; see ``base``."""
    columns = head(m, G_COLUMNS)
    free = a < m.t[at.T_AGENTS] and ready(m, a)
    for k in range(columns):
        out[base + k] = 1 if free and k < MOVES else 0
    out[base + columns] = 1
    if not free:
        return
    k = base + MOVES
    cell = aim_of(m, a)
    if head(m, G_HANDS) != 0:
        out[k] = 1 if can_carry(m, a, m.s[cell_of(m, cell)]) else 0
        k += 1
    for verb in range(head(m, sites.W_VERBS)):
        rule = choose(m, a, verb, cell, -1, 0)
        out[k] = 1 if rule >= 0 and startable(m, a, m.t[rule + sites.RULE_SUBTASK]) else 0
        k += 1
    if head(m, G_SHARES) != 0:
        taker = taker_of(m, a)
        for item in range(head(m, G_SHARES)):
            out[k] = 1 if taker >= 0 and m.s[own_stock(m, a) + item] > 0 else 0
            k += 1
    for _ in range(head(m, G_MESSAGES)):
        out[k] = 1
        k += 1


def world_view(m: Memory, out: Bytes, base: int) -> None:
    """Write what the flat view shows of the map and the bodies; see ``base``.

    To all: the latest messages, and the bodies' numbers unless some body sees only part. Then
    for each body its own numbers if that is so, and a window around it.
    """
    k = base
    bodies = head(m, G_BODIES)
    if head(m, V_MESSAGES) != 0:
        for a in range(bodies):
            out[k] = m.s[body_of(m, a) + sites.WORD] + 1
            k += 1
    if head(m, V_FOG) == 0:
        for a in range(bodies):
            k = write_body(m, a, out, k)
    for a in range(bodies):
        if head(m, V_FOG) != 0:
            k = write_body(m, a, out, k)
        k = write_window(m, a, out, k)


def write_body(m: Memory, a: int, out: Bytes, base: int) -> int:
    """Write a body's numbers from ``out[base]`` on; return where they end."""
    q = body_of(m, a)
    there = a < m.t[at.T_AGENTS]
    out[base] = m.s[q + sites.BODY_X]
    out[base + 1] = m.s[q + sites.BODY_Y]
    k = base + 2
    if head(m, V_FACING) != 0:
        out[k] = m.s[q + sites.FACING]
        k += 1
    if head(m, V_HANDS) != 0:
        out[k] = m.s[q + sites.HAND]
        k += 1
    if head(m, V_PACE) != 0:
        out[k] = min(255, max(0, m.s[q + sites.UNTIL] - m.s[at.CLOCK]))
        k += 1
    for item in range(head(m, V_STOCKS)):
        out[k] = min(255, m.s[own_stock(m, a) + item]) if there and item < head(m, sites.W_ITEMS) else 0
        k += 1
    own = 1 + head(m, sites.W_VITALS) if head(m, sites.W_VITALS) != 0 else 0
    for v in range(head(m, V_VITALS)):
        out[k] = m.s[part(m, sites.Q_VITALS) + a * own + v] if there and v < own else 0
        k += 1
    return k


def write_window(m: Memory, a: int, out: Bytes, base: int) -> int:
    """Write the cells around body ``a`` from ``out[base]`` on; return where they end.

    Layer after layer, row after row: what stands there (code + 1, 0 for what is outside or
    not seen), what lies there, then 1 for another body and 2 more for a run.
    """
    radius = head(m, V_RADIUS)
    wide = 2 * radius + 1
    stride = head(m, G_STRIDE)
    here = cell_of(m, m.s[body_of(m, a) + sites.BODY_AT])
    seen = min(radius, head(m, G_WINDOW))
    end = base
    for shift in range(0, MARK_SHIFT + 1, THING_SHIFT):
        if (shift == THING_SHIFT and head(m, V_THINGS) == 0) or (
            shift == MARK_SHIFT and head(m, V_MARKS) == 0
        ):
            continue
        first = end
        end += wide * wide
        if seen < radius or a >= m.t[at.T_AGENTS]:
            for k in range(first, end):
                out[k] = 0
            if a >= m.t[at.T_AGENTS]:
                continue
        corner = first + (radius - seen) * (wide + 1)
        for dy in range(-seen, seen + 1):
            pack_cells(m, here + dy * stride - seen, shift, out, corner + (dy + seen) * wide, 2 * seen + 1)
        if shift == MARK_SHIFT:
            own = 1 if body_in(m.s[here]) == a else 0
            out[first + radius * (wide + 1)] -= own
    return end


def pack_cells(m: Memory, q: int, shift: int, out: Bytes, base: int, count: int) -> None:
    """Write one byte of each of some cells (of the marks two bits): at most 7, from ``m.s[q]`` on."""
    bits = 3 if shift == MARK_SHIFT else 255
    for k in range(count):
        out[base + k] = (m.s[q + k] >> shift) & bits
