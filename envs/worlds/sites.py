"""Sites: what rules, hands, own stocks and vitals are to the kernels of grid and places.

A *site* is where something stands and lies: a cell of a grid, a receptacle at a location.
Owns the part of a world's table and state that is the same in both, and the functions that
read rules and apply effects. They take codes of fixtures and things, never sites: where
those are kept is each world's own. Plain scalar loops over integers, like the task kernel.

``rules.Table`` writes the table. Positions in it count from its beginning,
``m.t[T_WORLD]``; a *rule* and an *effect* are known by their position in ``m.t``.
"""

from __future__ import annotations

from stratagym.envs.task import layout as at
from stratagym.envs.task.layout import Memory
from stratagym.envs.task.nodes import has
from stratagym.envs.task.starts import able, emit, idle

NOTHING = 0
"""Code of no thing."""

OUTSIDE = -1
"""Code of what stands outside the map."""

# flags of fixtures and things
SOLID, HOLDS, SWALLOWS, PORTABLE, MOVING = 1, 2, 4, 8, 16

# the first heads of a world's table: W_ is a number, P_ a position in the table, Q_ one in the state
(
    W_FIXTURES,
    W_THINGS,
    W_VERBS,
    W_ITEMS,  # items that bodies own; 0 where stock is common
    W_VITALS,
    W_HEALTH,  # ticks in which health changes by one
    P_INDEX,  # pairs: the rules that a verb may mean at a fixture, see rule_list
    P_FIXTURES,  # flags; those of what lies outside stand before them
    P_THINGS,  # records
    P_VITALS,  # ticks in which each drops by one
    Q_BODIES,
    Q_RUNS,
    Q_STOCKS,
    Q_VITALS,  # of each body: health, then the vitals
    SITE_HEADS,
) = range(15)

# the record of a thing: flags, and the threshold of the probability that it moves
(THING_FLAGS, MOVE_HIGH, MOVE_LOW, THING_SIZE) = range(4)

# a rule; its effects are positions in the table, one a moment
(RULE_SUBTASK, RULE_THING, RULE_HAND, RULE_NEAR, RULE_NEAR_COUNT, ON_THE_SPOT, RULE_EFFECTS) = range(7)
AT_START, ON_SUCCESS, ON_FAILURE, WHEN_UNDONE = range(4)
NO_EFFECT = -1

# an effect: codes, then pairs (vital, amount) and (thing, what it becomes)
(NEW_FIXTURE, NEW_THING, NEW_HAND, RESTORES, RESTORE_COUNT, TURNS, TURN_COUNT) = range(7)
STAYS = -1

ANY = -1
"""The pattern that every code matches. One of 0 or more is a code, one below a set of codes."""

# a body in the state
(
    BODY_AT,  # its cell or location
    FACING,
    HAND,  # thing in it
    UNTIL,  # tick from which on it can do something again
    WORD,  # latest message, -1 before the first
    AIM,  # site of its latest attempt
    AIM_RULE,
    PACE,
    NAMED,  # subtask that it attempts in this step, -1 for none (grid)
    BODY_X,  # its cell as (x, y) on the map (grid)
    BODY_Y,
    BODY_SIZE,
) = range(12)

# the latest run of a subtask in the state; -1 before the first
(RUN_SITE, RUN_RULE, RUN_BODY, RUN_SIZE) = range(4)

MOST = 9
"""What every vital starts from, and never exceeds."""


def head(m: Memory, k: int) -> int:
    """Return a number of the world's table."""
    return m.t[m.t[at.T_WORLD] + k]


def part(m: Memory, k: int) -> int:
    """Return where the part of the lane's state begins whose position is a head of the table."""
    return m.t[at.Q_WORLD] + m.t[m.t[at.T_WORLD] + k]


def body_of(m: Memory, a: int) -> int:
    """Return where body ``a`` lies in the state."""
    return part(m, Q_BODIES) + a * BODY_SIZE


def run_of(m: Memory, i: int) -> int:
    """Return where the latest run of subtask ``i`` lies in the state."""
    return part(m, Q_RUNS) + i * RUN_SIZE


def ready(m: Memory, a: int) -> bool:
    """Return whether body ``a`` can do something now: its agent is idle, and its last move is over."""
    return idle(m, a) and m.s[body_of(m, a) + UNTIL] <= m.s[at.CLOCK]


def startable(m: Memory, a: int, i: int) -> bool:
    """Return whether the graph lets agent ``a`` start ``i`` now (the eligible set is fresh)."""
    return has(m, at.ELIGIBLE, i) and able(m, a, i) and idle(m, a)


# ------------------------------------------------------------------ rules


def matches(m: Memory, pattern: int, code: int) -> bool:
    """Return whether a code is what a pattern asks for."""
    if pattern >= 0:
        return pattern == code
    if pattern == ANY:
        return True
    words = m.t[at.T_WORLD] - 2 - pattern
    return (m.t[words + (code >> 5)] >> (code & 31)) & 1 != 0


def fits_thing(m: Memory, rule: int, thing: int) -> bool:
    """Return whether a rule takes this thing at its site (0: none lies there)."""
    return matches(m, m.t[rule + RULE_THING], thing)


def fits_hand(m: Memory, rule: int, thing: int) -> bool:
    """Return whether a rule takes this thing in the hand (0: an empty one)."""
    return matches(m, m.t[rule + RULE_HAND], thing)


def rule_list(m: Memory, verb: int, fixture: int) -> int:
    """Return where a pair stands that tells which rules a verb may mean at a fixture.

    Their position, and twice their count, plus 1 if some of them fits where nothing lies.
    """
    width = head(m, W_FIXTURES) + 1
    return m.t[at.T_WORLD] + head(m, P_INDEX) + 2 * (verb * width + fixture + 1)


def rule_at(m: Memory, pair: int, k: int) -> int:
    """Return the k-th rule of a list."""
    base = m.t[at.T_WORLD]
    return base + m.t[base + m.t[pair] + k]


def effect_of(m: Memory, rule: int, moment: int) -> int:
    """Return what a moment of a run changes, ``NO_EFFECT`` if nothing."""
    effect = m.t[rule + RULE_EFFECTS + moment]
    return NO_EFFECT if effect == NO_EFFECT else m.t[at.T_WORLD] + effect


def turned(m: Memory, effect: int, thing: int) -> int:
    """Return what an effect makes of a thing wherever it is: itself, if it says nothing of it."""
    pairs = m.t[at.T_WORLD] + m.t[effect + TURNS]
    for k in range(m.t[effect + TURN_COUNT]):
        if m.t[pairs + 2 * k] == thing:
            return m.t[pairs + 2 * k + 1]
    return thing


def affect_body(m: Memory, a: int, effect: int) -> None:
    """Apply what an effect does to the body that started the run: its hand and its vitals."""
    if m.t[effect + NEW_HAND] != STAYS:
        m.s[body_of(m, a) + HAND] = m.t[effect + NEW_HAND]
    vitals = part(m, Q_VITALS) + a * (1 + head(m, W_VITALS))
    for k in range(m.t[effect + RESTORE_COUNT]):
        pair = m.t[at.T_WORLD] + m.t[effect + RESTORES] + 2 * k
        vital = vitals + 1 + m.t[pair]
        m.s[vital] = min(MOST, m.s[vital] + m.t[pair + 1])


def turn_hands(m: Memory, effect: int) -> None:
    """Apply what an effect makes of things to what is held."""
    for a in range(m.t[at.T_AGENTS]):
        hand = body_of(m, a) + HAND
        m.s[hand] = turned(m, effect, m.s[hand])


def flags_of_fixture(m: Memory, fixture: int) -> int:
    """Return the flags of a fixture."""
    return m.t[m.t[at.T_WORLD] + head(m, P_FIXTURES) + fixture]


def flags_of_thing(m: Memory, thing: int) -> int:
    """Return the flags of a thing."""
    return m.t[m.t[at.T_WORLD] + head(m, P_THINGS) + thing * THING_SIZE + THING_FLAGS]


# ------------------------------------------------------------------ own stocks


def own_stock(m: Memory, a: int) -> int:
    """Return where the stock of body ``a`` lies in the state."""
    return part(m, Q_STOCKS) + a * head(m, W_ITEMS)


def owns(m: Memory, a: int, i: int) -> bool:
    """Return whether body ``a`` owns what a start of ``i`` asks for (true where stock is common)."""
    if head(m, W_ITEMS) == 0:
        return True
    row = at.HEADS + i * at.COLUMNS
    own = own_stock(m, a) - m.t[at.T_RESOURCES]
    for k in range(m.t[row + at.ASK_COUNT]):
        pair = m.t[row + at.ASKS] + 2 * k
        if m.t[pair] >= m.t[at.T_RESOURCES] and m.s[own + m.t[pair]] < m.t[pair + 1]:
            return False
    return True


def pay_start(m: Memory, a: int, i: int) -> None:
    """Take from body ``a`` what a start of ``i`` consumes."""
    row = at.HEADS + i * at.COLUMNS
    own = own_stock(m, a) - m.t[at.T_RESOURCES]
    for k in range(m.t[row + at.TAKE_COUNT]):
        pair = m.t[row + at.TAKES] + 2 * k
        if m.t[pair] >= m.t[at.T_RESOURCES]:
            m.s[own + m.t[pair]] -= m.t[pair + 1]


def earn_success(m: Memory, a: int, i: int) -> None:
    """Give body ``a`` what a success of ``i`` produces."""
    row = at.HEADS + i * at.COLUMNS
    own = own_stock(m, a) - m.t[at.T_RESOURCES]
    for k in range(m.t[row + at.MAKE_COUNT]):
        pair = m.t[row + at.MAKES] + 2 * k
        m.s[own + m.t[pair]] += m.t[pair + 1]


def settle_stock(m: Memory, level: int) -> None:
    """Have the bodies' stocks of an item add up again to all that there is, after an event.

    What is more goes to body 0; what is less is taken from the bodies in order of their index.
    """
    item = level - m.t[at.T_RESOURCES]
    more = m.s[m.t[at.Q_LEVELS] + level]
    for a in range(m.t[at.T_AGENTS]):
        more -= m.s[own_stock(m, a) + item]
    if more > 0:
        m.s[own_stock(m, 0) + item] += more
    for a in range(m.t[at.T_AGENTS]):
        own = own_stock(m, a) + item
        less = min(m.s[own], max(0, -more))
        m.s[own] -= less
        more += less


# ------------------------------------------------------------------ vitals


def health_of(m: Memory, a: int) -> int:
    """Return the health of body ``a`` (only where there are vitals)."""
    return m.s[part(m, Q_VITALS) + a * (1 + head(m, W_VITALS))]


def live_on(m: Memory) -> None:
    """Have the vitals drop at the tick that begins, and health follow them.

    A body without health is down for good: its agent is never idle again.
    """
    now = m.s[at.CLOCK] + 1
    count = head(m, W_VITALS)
    for a in range(m.t[at.T_AGENTS]):
        vitals = part(m, Q_VITALS) + a * (1 + count)
        if m.s[vitals] == 0:
            continue
        low = False
        for v in range(count):
            if now % m.t[m.t[at.T_WORLD] + head(m, P_VITALS) + v] == 0:
                m.s[vitals + 1 + v] = max(0, m.s[vitals + 1 + v] - 1)
            low = low or m.s[vitals + 1 + v] == 0
        if now % head(m, W_HEALTH) != 0:
            continue
        if not low:
            m.s[vitals] = min(MOST, m.s[vitals] + 1)
            continue
        m.s[vitals] -= 1
        emit(m, at.E_HARM, a, m.s[body_of(m, a) + BODY_AT])
        if m.s[vitals] == 0:
            m.s[m.t[at.Q_AGENTS] + a * at.AGENT_SIZE + at.DOWN_UNTIL] = at.FAR
            m.s[at.STALE] = 1


def revive(m: Memory) -> None:
    """Set all vitals to where they start."""
    for k in range(m.t[at.T_AGENTS] * (1 + head(m, W_VITALS))):
        m.s[part(m, Q_VITALS) + k] = MOST
