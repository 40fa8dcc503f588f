"""The world of places: locations, ways that take time, opening hours, departures, receptacles.

Owns the hooks by which bodies travel, attempt subtasks where these can be done, carry things
and speak, and how the world's table and state lie in memory. What rules, hands and own stocks
are is in ``sites``, loading in ``places_scene``. Like every world it decides no dependency,
time or reward: a body under way is *down* until it arrives, so that its idleness and all
clocks follow from the task graph's own rules.

Letters in shapes: L locations, S sites (receptacles at locations), K things, N subtasks,
A bodies, E events, D lines (rules with departures). Things are counted by site and code, so
that several lie in one receptacle. A site where a run is going on is busy: nothing else is
attempted there, taken from it or put into it.
"""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

from stratagym.envs.rng import WORLD as DRAW_WORLD
from stratagym.envs.rng import bits32
from stratagym.envs.task import layout as at
from stratagym.envs.task.kernel import any_idle
from stratagym.envs.task.layout import Bytes, Flags, Ints, Memory
from stratagym.envs.task.nodes import has, has_bit, u64
from stratagym.envs.task.starts import able, below, emit, idle, reason_of, shortest
from stratagym.envs.worlds import sites
from stratagym.envs.worlds.base import OCCUPIED, REFUSED, Room
from stratagym.envs.worlds.sites import (
    AIM,
    AIM_RULE,
    BODY_AT,
    HAND,
    NOTHING,
    PACE,
    RUN_BODY,
    RUN_RULE,
    RUN_SITE,
    UNTIL,
    affect_body,
    body_of,
    earn_success,
    effect_of,
    fits_hand,
    fits_thing,
    flags_of_fixture,
    flags_of_thing,
    head,
    matches,
    own_stock,
    owns,
    part,
    pay_start,
    run_of,
    settle_stock,
    startable,
    turn_hands,
    turned,
)

MODULES = (sites,)
"""Further modules whose functions the hooks call."""

# heads of the table behind those that all worlds with sites have
(
    W_LOCATIONS,
    W_SITES,
    W_SPEAK,  # words that can be said
    W_DAY,  # period of hours and departures in ticks, FAR for none
    W_EVENTS,
    W_LINES,
    W_FOG,  # whether a body sees only what is at its location
    W_ROOM_LOCATIONS,  # padded sizes
    W_ROOM_SITES,
    W_ROOM_THINGS,
    W_ROOM_ITEMS,
    W_ROOM_LINES,
    W_ATTEMPT,  # first action of each kind; before them stands one a location: go there
    W_TAKE,
    W_PUT,
    W_TURN,
    W_SHARE,
    W_SAY,
    W_IDLE,  # end of the scene's own actions; what only others of its family use is refused
    W_WAIT,
    P_WAYS,  # [L, L] ticks, -1 for no way
    P_HOURS,  # (position, count) of pairs (from, to) a location; count 0: always open
    P_BODIES,  # (location, pace, hand)
    P_SITES,  # (location, fixture)
    P_AMOUNTS,  # [S, K] at reset
    P_TURNS,  # (whether it is closed, what it turns into or -1) by fixture
    P_RULES,  # (position, count) of place rules by subtask
    P_LINES,  # positions of place rules
    P_EVENTS,
    P_STOCKS,  # [A, items] at reset
    Q_WAYS,  # of each body: where it came from, when it left
    Q_WORKS,  # of each run: the thing that it works on
    Q_SITES,
    Q_AMOUNTS,
    Q_TICKS,  # of the events
    HEADS,
) = range(sites.SITE_HEADS, sites.SITE_HEADS + 36)

# a place rule: how one subtask is attempted. Sets of codes are patterns (see ``sites.matches``)
(
    WHAT,  # position of the rule itself
    PLACE,
    FIXTURES,
    DEPARTS,  # position and count of ticks; count 0: at any time
    DEPART_COUNT,
    SITED,  # whether it is about a site
    BOUND,  # whether it is about a location, so that hours count
    LEADS_TO,  # location where a success leaves its crew, -1: where it is
    PLACE_RULE_SIZE,
) = range(9)

# an event: ticks between which it is drawn, kind, two numbers
(PE_LO, PE_HI, PE_KIND, PE_A, PE_B, PE_SIZE) = range(6)

START_SIZE = 3
"""Numbers of a body in ``P_BODIES``."""

CAME, LEFT, WAY_SIZE = range(3)
FIXTURE, WORKS, SITE_SIZE = range(3)
# WORKS: 0 free, 1 + i while i runs there, -(1 + i) while i has asked for it in this step

NEVER = 255
"""In the flat view: a number of ticks that is as large, or a thing that is not known."""


def table_of(m: Memory, k: int) -> int:
    """Return where a part of the table begins whose position is a head."""
    return m.t[at.T_WORLD] + head(m, k)


def site_of(m: Memory, site: int) -> int:
    """Return where a site lies in the state."""
    return part(m, Q_SITES) + site * SITE_SIZE


def place_of_site(m: Memory, site: int) -> int:
    """Return the location of a site."""
    return m.t[table_of(m, P_SITES) + 2 * site]


def amount_of(m: Memory, site: int, thing: int) -> int:
    """Return where it stands how many of a thing lie at a site."""
    return part(m, Q_AMOUNTS) + site * head(m, W_ROOM_THINGS) + thing - 1


def things_of(m: Memory) -> int:
    """Return how many kinds of things there are; their codes begin with 1."""
    return head(m, sites.W_THINGS) - 1


def is_empty(m: Memory, site: int) -> bool:
    """Return whether no thing lies at a site."""
    for thing in range(1, things_of(m) + 1):
        if m.s[amount_of(m, site, thing)] > 0:
            return False
    return True


def is_closed(m: Memory, site: int) -> bool:
    """Return whether what lies at a site is shut in."""
    return m.t[table_of(m, P_TURNS) + 2 * m.s[site_of(m, site) + FIXTURE]] != 0


def is_here(m: Memory, a: int) -> bool:
    """Return whether a body has arrived where it is going."""
    return m.s[body_of(m, a) + UNTIL] <= m.s[at.CLOCK]


# ------------------------------------------------------------------ time and ways


def is_barred(m: Memory, kind: int, a: int, b: int) -> bool:
    """Return whether the latest event that names ``a`` and ``b`` shuts the way, or the place.

    Args:
        m: the lane.
        kind: ``E_BLOCK`` for the way between two locations, ``E_LOCK`` for one (``b`` is -1).
        a: a location.
        b: another, or -1.
    """
    latest = -1
    found = False
    for e in range(head(m, W_EVENTS)):
        record = table_of(m, P_EVENTS) + e * PE_SIZE
        what = m.t[record + PE_KIND]
        if what != kind and what != kind + 1:
            continue
        one, other = m.t[record + PE_A], m.t[record + PE_B]
        tick = m.s[part(m, Q_TICKS) + e]
        if ((one == a and other == b) or (one == b and other == a)) and latest <= tick <= m.s[at.CLOCK]:
            latest = tick
            found = what == kind
    return found


def ticks_to(m: Memory, here: int, there: int) -> int:
    """Return the ticks of the direct way, -1 if there is none now."""
    ticks = m.t[table_of(m, P_WAYS) + here * head(m, W_ROOM_LOCATIONS) + there]
    if ticks >= 0 and is_barred(m, at.E_BLOCK, here, there):
        return -1
    return ticks


def needs_open(m: Memory, i: int) -> int:
    """Return for how many ticks a run of ``i`` that starts now needs its place open at least."""
    return max(1, min(shortest(m, i), m.t[at.HEADS + i * at.COLUMNS + at.ATTENDED]))


def is_open(m: Memory, place: int, ticks: int) -> bool:
    """Return whether a location is open now and for so many ticks."""
    if is_barred(m, at.E_LOCK, place, -1):
        return False
    record = table_of(m, P_HOURS) + 2 * place
    if m.t[record + 1] == 0:
        return True
    day = head(m, W_DAY)
    first = m.t[at.T_WORLD] + m.t[record]
    now = m.s[at.CLOCK] % day
    for k in range(m.t[record + 1]):
        opens, shuts = m.t[first + 2 * k], m.t[first + 2 * k + 1]
        if opens <= now and now + ticks <= shuts:
            return True
        # Hours may go on into the next day.
        if day < at.FAR and now + day + ticks <= shuts:
            return True
    return False


def until_departure(m: Memory, rule: int) -> int:
    """Return the ticks until a rule's next departure (0 now), FAR if there is none."""
    if m.t[rule + DEPART_COUNT] == 0:
        return 0
    day = head(m, W_DAY)
    first = m.t[at.T_WORLD] + m.t[rule + DEPARTS]
    now = m.s[at.CLOCK] % day
    wait = at.FAR
    for k in range(m.t[rule + DEPART_COUNT]):
        tick = m.t[first + k]
        if tick >= now:
            wait = min(wait, tick - now)
        elif day < at.FAR:
            wait = min(wait, tick + day - now)
    return wait


def until_change(m: Memory, place: int) -> int:
    """Return the ticks until a location's hours begin or end next, FAR if never."""
    record = table_of(m, P_HOURS) + 2 * place
    day = head(m, W_DAY)
    first = m.t[at.T_WORLD] + m.t[record]
    now = m.s[at.CLOCK] % day
    wait = at.FAR
    for k in range(2 * m.t[record + 1]):
        tick = m.t[first + k]
        if day < at.FAR:
            wait = min(wait, (tick - now - 1) % day + 1)
        elif tick > now:
            wait = min(wait, tick - now)
    return wait


# ------------------------------------------------------------------ what a body can do


def thing_at(m: Memory, rule: int, site: int) -> int:
    """Return the first thing at a site that fits a rule, 0 if it asks for none, -1 if nothing fits."""
    if m.t[rule + sites.RULE_THING] == sites.ANY:
        return NOTHING
    for thing in range(1, things_of(m) + 1):
        if m.s[amount_of(m, site, thing)] > 0 and fits_thing(m, rule, thing):
            return thing
    return NOTHING if fits_thing(m, rule, NOTHING) and is_empty(m, site) else -1


def site_for(m: Memory, rule: int, here: int, i: int) -> int:
    """Return the first free site at a location that fits a place rule for ``i``, -1 if there is none."""
    for site in range(head(m, W_SITES)):
        row = site_of(m, site)
        if place_of_site(m, site) != here or not matches(m, m.t[rule + FIXTURES], m.s[row + FIXTURE]):
            continue
        if m.s[row + WORKS] != 0 and m.s[row + WORKS] != -1 - i:
            continue
        if thing_at(m, m.t[at.T_WORLD] + m.t[rule + WHAT], site) >= 0:
            return site
    return -1


def is_near(m: Memory, rule: int, here: int) -> bool:
    """Return whether all the fixtures that a rule wants to be near are at a location."""
    first = m.t[at.T_WORLD] + m.t[rule + sites.RULE_NEAR]
    for k in range(m.t[rule + sites.RULE_NEAR_COUNT]):
        found = False
        for site in range(head(m, W_SITES)):
            if place_of_site(m, site) == here and matches(m, m.t[first + k], m.s[site_of(m, site) + FIXTURE]):
                found = True
        if not found:
            return False
    return True


def way_to_do(m: Memory, i: int, a: int) -> int:
    """Return how body ``a`` can attempt ``i`` here and now, as far as the world is concerned.

    Returns:
        ``rule * (S + 1) + site + 1`` with the position of the place rule in ``t`` (site -1 if it
        is about none); -1 if there is no way.
    """
    if i >= m.t[at.T_SUBTASKS] or not owns(m, a, i):
        return -1
    pair = table_of(m, P_RULES) + 2 * i
    body = body_of(m, a)
    here = m.s[body + BODY_AT]
    for k in range(m.t[pair + 1]):
        rule = m.t[at.T_WORLD] + m.t[pair] + k * PLACE_RULE_SIZE
        what = m.t[at.T_WORLD] + m.t[rule + WHAT]
        if not matches(m, m.t[rule + PLACE], here) or until_departure(m, rule) != 0:
            continue
        if not fits_hand(m, what, m.s[body + HAND]) or not is_near(m, what, here):
            continue
        if m.t[rule + BOUND] != 0 and not is_open(m, here, needs_open(m, i)):
            continue
        site = -1
        if m.t[rule + SITED] != 0:
            site = site_for(m, rule, here, i)
            if site < 0:
                continue
        return rule * (head(m, W_ROOM_SITES) + 1) + site + 1
    return -1


def staffed(m: Memory, i: int, here: int) -> bool:
    """Return whether enough idle bodies with the skill are at a location where they can attempt ``i`` now."""
    asked = m.t[at.HEADS + i * at.COLUMNS + at.AGENTS]
    if asked <= 1:
        return True
    count = 0
    for a in range(m.t[at.T_AGENTS]):
        together = m.s[body_of(m, a) + BODY_AT] == here and able(m, a, i) and idle(m, a)
        if together and way_to_do(m, i, a) >= 0:
            count += 1
    return count >= asked


def can_take(m: Memory, a: int, thing: int) -> int:
    """Return the first site from which body ``a`` can take a thing, -1 if there is none."""
    body = body_of(m, a)
    if m.s[body + HAND] != NOTHING or flags_of_thing(m, thing) & sites.PORTABLE == 0:
        return -1
    for site in range(head(m, W_SITES)):
        lies_here = place_of_site(m, site) == m.s[body + BODY_AT] and m.s[amount_of(m, site, thing)] > 0
        if lies_here and m.s[site_of(m, site) + WORKS] == 0 and not is_closed(m, site):
            return site
    return -1


def can_put(m: Memory, a: int, site: int) -> bool:
    """Return whether body ``a`` can put what it carries into a site."""
    body, row = body_of(m, a), site_of(m, site)
    if m.s[body + HAND] == NOTHING or place_of_site(m, site) != m.s[body + BODY_AT]:
        return False
    holds = flags_of_fixture(m, m.s[row + FIXTURE]) & sites.HOLDS != 0
    return holds and m.s[row + WORKS] == 0 and not is_closed(m, site)


def can_turn(m: Memory, a: int, site: int) -> bool:
    """Return whether body ``a`` can open or shut a site."""
    row = site_of(m, site)
    if place_of_site(m, site) != m.s[body_of(m, a) + BODY_AT] or m.s[row + WORKS] != 0:
        return False
    return m.t[table_of(m, P_TURNS) + 2 * m.s[row + FIXTURE] + 1] >= 0


def partner_of(m: Memory, a: int, item: int) -> int:
    """Return who gets a unit of an item from body ``a``: of those here the one with least, -1 for nobody."""
    found = -1
    if m.s[own_stock(m, a) + item] <= 0:
        return found
    for b in range(m.t[at.T_AGENTS]):
        if b == a or not is_here(m, b) or m.s[body_of(m, b) + BODY_AT] != m.s[body_of(m, a) + BODY_AT]:
            continue
        if found < 0 or m.s[own_stock(m, b) + item] < m.s[own_stock(m, found) + item]:
            found = b
    return found


# ------------------------------------------------------------------ the hooks


def world_reset(m: Memory) -> None:
    """Put bodies, fixtures and things in their places and draw the ticks of the events."""
    for a in range(m.t[at.T_AGENTS]):
        row, record = body_of(m, a), table_of(m, P_BODIES) + a * START_SIZE
        m.s[row + BODY_AT], m.s[row + PACE], m.s[row + HAND] = m.t[record], m.t[record + 1], m.t[record + 2]
        m.s[row + sites.WORD] = m.s[row + AIM] = m.s[row + AIM_RULE] = -1
        m.s[part(m, Q_WAYS) + a * WAY_SIZE + CAME] = m.t[record]
        for item in range(head(m, sites.W_ITEMS)):
            stock = m.t[table_of(m, P_STOCKS) + a * head(m, W_ROOM_ITEMS) + item]
            m.s[own_stock(m, a) + item] = stock
    for i in range(m.t[at.T_SUBTASKS]):
        row = run_of(m, i)
        m.s[row + RUN_SITE] = m.s[row + RUN_RULE] = m.s[row + RUN_BODY] = -1
    for site in range(head(m, W_SITES)):
        m.s[site_of(m, site) + FIXTURE] = m.t[table_of(m, P_SITES) + 2 * site + 1]
        for thing in range(1, things_of(m) + 1):
            first = table_of(m, P_AMOUNTS) + site * head(m, W_ROOM_THINGS)
            m.s[amount_of(m, site, thing)] = m.t[first + thing - 1]
    for e in range(head(m, W_EVENTS)):
        record = table_of(m, P_EVENTS) + e * PE_SIZE
        bits = bits32(m.sb[m.t[at.QB_SEED]], u64(DRAW_WORLD), u64(e), u64(0))
        span = m.t[record + PE_HI] - m.t[record + PE_LO] + 1
        m.s[part(m, Q_TICKS) + e] = m.t[record + PE_LO] + below(bits, span)


def world_act(m: Memory, actions: Ints, attempts: Ints) -> None:
    """Serve the bodies: travel, carry, share and speak at once, and say what they attempt."""
    for a in range(m.t[at.T_AGENTS]):
        action = actions[a]
        if action < 0 or action >= head(m, W_WAIT):
            continue
        names = action >= head(m, W_ATTEMPT) and action < head(m, W_TAKE)
        if not idle(m, a):
            attempts[a] = action - head(m, W_ATTEMPT) if names else OCCUPIED
        elif names:
            attempts[a] = aim_at(m, action - head(m, W_ATTEMPT), a)
        elif not do_here(m, a, action):
            attempts[a] = REFUSED
    for a in range(m.t[at.T_AGENTS]):
        if attempts[a] >= 0 and attempts[a] < m.t[at.T_SUBTASKS] and idle(m, a):
            part_strangers(m, attempts, a)


def part_strangers(m: Memory, attempts: Ints, first: int) -> None:
    """Refuse those who name a joint subtask elsewhere than the first skilled idle body that names it."""
    i = attempts[first]
    if m.t[at.HEADS + i * at.COLUMNS + at.AGENTS] <= 1 or not able(m, first, i):
        return
    for a in range(first):
        if attempts[a] == i and able(m, a, i) and idle(m, a):
            return
    here = m.s[body_of(m, first) + BODY_AT]
    for a in range(first + 1, m.t[at.T_AGENTS]):
        if attempts[a] == i and idle(m, a) and m.s[body_of(m, a) + BODY_AT] != here:
            attempts[a] = REFUSED


def aim_at(m: Memory, i: int, a: int) -> int:
    """Return ``i`` if body ``a`` can attempt it here, and remember how; else the refusal."""
    found = way_to_do(m, i, a)
    if found < 0:
        # What runs is refused by the graph: that its site is taken by itself is not the reason.
        return i if has(m, at.RUNNING, i) else REFUSED
    width = head(m, W_ROOM_SITES) + 1
    body, site = body_of(m, a), found % width - 1
    m.s[body + AIM_RULE] = found // width - m.t[at.T_WORLD]
    m.s[body + AIM] = site
    if site >= 0 and reason_of(m, i, a, at.FAR) == at.NO_REFUSAL:
        m.s[site_of(m, site) + WORKS] = -1 - i
    return i


def do_here(m: Memory, a: int, action: int) -> bool:
    """Let an idle body do what is no attempt. Returns whether it could."""
    body = body_of(m, a)
    if action >= head(m, W_IDLE):
        return False
    if action >= head(m, W_SAY):
        m.s[body + sites.WORD] = action - head(m, W_SAY)
    elif action >= head(m, W_SHARE):
        item = action - head(m, W_SHARE)
        other = partner_of(m, a, item)
        if other < 0:
            return False
        m.s[own_stock(m, a) + item] -= 1
        m.s[own_stock(m, other) + item] += 1
    elif action >= head(m, W_TURN):
        site = action - head(m, W_TURN)
        if not can_turn(m, a, site):
            return False
        row = site_of(m, site) + FIXTURE
        m.s[row] = m.t[table_of(m, P_TURNS) + 2 * m.s[row] + 1]
    elif action >= head(m, W_PUT):
        site = action - head(m, W_PUT)
        if not can_put(m, a, site):
            return False
        m.s[amount_of(m, site, m.s[body + HAND])] += 1
        m.s[body + HAND] = NOTHING
    elif action >= head(m, W_TAKE):
        thing = action - head(m, W_TAKE) + 1
        site = can_take(m, a, thing)
        if site < 0:
            return False
        m.s[amount_of(m, site, thing)] -= 1
        m.s[body + HAND] = thing
    else:
        return go_to(m, a, action)
    return True


def go_to(m: Memory, a: int, there: int) -> bool:
    """Send a body on its way, on which it is down. Returns whether there is a way."""
    body = body_of(m, a)
    here = m.s[body + BODY_AT]
    ticks = ticks_to(m, here, there)
    if there == here or ticks < 0:
        return False
    arrival = m.s[at.CLOCK] + ticks * m.s[body + PACE]
    way = part(m, Q_WAYS) + a * WAY_SIZE
    m.s[way + CAME], m.s[way + LEFT] = here, m.s[at.CLOCK]
    m.s[body + BODY_AT], m.s[body + UNTIL] = there, arrival
    agent = m.t[at.Q_AGENTS] + a * at.AGENT_SIZE
    m.s[agent + at.DOWN_UNTIL] = max(m.s[agent + at.DOWN_UNTIL], arrival)
    m.s[at.STALE] = 1
    return True


def world_apply(m: Memory, first: int) -> None:
    """Take in what started, succeeded, failed, spoiled or was undone."""
    for k in range(first, m.x[0]):
        row = 1 + k * at.EVENT_SIZE
        kind, what = m.x[row + at.E_KIND], m.x[row + at.E_WHAT]
        if kind == at.E_START:
            begin_run(m, what, m.x[row + at.E_WHO])
        elif kind == at.E_SUCCESS or kind == at.E_FAILURE:
            end_run(m, what, kind == at.E_SUCCESS)
        elif kind == at.E_SPOIL or kind == at.E_UNDO:
            change_site(m, what, sites.WHEN_UNDONE)
        elif kind == at.E_UNDO + at.X_STOCK and head(m, sites.W_ITEMS) > 0:
            settle_stock(m, what)
    for site in range(head(m, W_SITES)):
        m.s[site_of(m, site) + WORKS] = max(0, m.s[site_of(m, site) + WORKS])


def begin_run(m: Memory, i: int, a: int) -> None:
    """Take in that body ``a`` has started ``i`` as it aimed to."""
    run, body = run_of(m, i), body_of(m, a)
    site, rule = m.s[body + AIM], m.s[body + AIM_RULE]
    m.s[run + RUN_SITE], m.s[run + RUN_RULE], m.s[run + RUN_BODY] = site, rule, a
    m.s[part(m, Q_WORKS) + i] = NOTHING
    if site >= 0:
        what = m.t[at.T_WORLD] + m.t[m.t[at.T_WORLD] + rule + WHAT]
        m.s[part(m, Q_WORKS) + i] = max(NOTHING, thing_at(m, what, site))
        m.s[site_of(m, site) + WORKS] = 1 + i
    if head(m, sites.W_ITEMS) > 0:
        pay_start(m, a, i)
    change_site(m, i, sites.AT_START)


def end_run(m: Memory, i: int, success: bool) -> None:
    """Take in that a run of ``i`` has come to its end."""
    run = run_of(m, i)
    if m.s[run + RUN_SITE] >= 0:
        m.s[site_of(m, m.s[run + RUN_SITE]) + WORKS] = 0
    if not success:
        change_site(m, i, sites.ON_FAILURE)
        return
    if head(m, sites.W_ITEMS) > 0:
        earn_success(m, m.s[run + RUN_BODY], i)
    change_site(m, i, sites.ON_SUCCESS)
    there = m.t[m.t[at.T_WORLD] + m.s[run + RUN_RULE] + LEADS_TO]
    for a in range(m.t[at.T_AGENTS]):
        if there >= 0 and in_crew(m, i, a):
            way, body = part(m, Q_WAYS) + a * WAY_SIZE, body_of(m, a)
            m.s[way + CAME], m.s[way + LEFT] = (
                m.s[body + BODY_AT],
                m.s[at.S_HEADS + i * at.S_COLUMNS + at.START],
            )
            m.s[body + BODY_AT], m.s[body + UNTIL] = there, m.s[at.CLOCK]


def change_site(m: Memory, i: int, moment: int) -> None:
    """Let a moment of the latest run of ``i`` change its site and the hand of the body that began it."""
    run = run_of(m, i)
    if m.s[run + RUN_RULE] < 0:
        return
    what = m.t[at.T_WORLD] + m.t[m.t[at.T_WORLD] + m.s[run + RUN_RULE] + WHAT]
    effect = effect_of(m, what, moment)
    if effect == sites.NO_EFFECT:
        return
    site = m.s[run + RUN_SITE]
    if moment == sites.WHEN_UNDONE and site >= 0 and not is_as_left(m, what, site):
        site = -1
    if site >= 0 and m.t[effect + sites.NEW_FIXTURE] != sites.STAYS:
        m.s[site_of(m, site) + FIXTURE] = m.t[effect + sites.NEW_FIXTURE]
    if site >= 0 and m.t[effect + sites.NEW_THING] != sites.STAYS:
        replace_thing(m, i, site, m.t[effect + sites.NEW_THING])
    affect_body(m, m.s[run + RUN_BODY], effect)
    if m.t[effect + sites.TURN_COUNT] > 0:
        turn_things(m, effect)


def is_as_left(m: Memory, rule: int, site: int) -> bool:
    """Return whether nothing goes on at a site, and its fixture is still what a success made of it."""
    row, effect = site_of(m, site), effect_of(m, rule, sites.ON_SUCCESS)
    if m.s[row + WORKS] > 0:
        return False
    if effect == sites.NO_EFFECT or m.t[effect + sites.NEW_FIXTURE] == sites.STAYS:
        return True
    return m.s[row + FIXTURE] == m.t[effect + sites.NEW_FIXTURE]


def replace_thing(m: Memory, i: int, site: int, thing: int) -> None:
    """Put a thing in the place of the one that a run works on; what was taken away since stays away."""
    old = part(m, Q_WORKS) + i
    if m.s[old] != NOTHING:
        if m.s[amount_of(m, site, m.s[old])] == 0:
            return
        m.s[amount_of(m, site, m.s[old])] -= 1
    if thing != NOTHING:
        m.s[amount_of(m, site, thing)] += 1
    m.s[old] = thing


def turn_things(m: Memory, effect: int) -> None:
    """Apply what an effect makes of things wherever they lie or are held, one thing after the other."""
    pairs = m.t[at.T_WORLD] + m.t[effect + sites.TURNS]
    turn_hands(m, effect)
    for site in range(head(m, W_SITES)):
        for k in range(m.t[effect + sites.TURN_COUNT]):
            thing, becomes = m.t[pairs + 2 * k], m.t[pairs + 2 * k + 1]
            row = amount_of(m, site, thing)
            if becomes != NOTHING and becomes != thing:
                m.s[amount_of(m, site, becomes)] += m.s[row]
            if becomes != thing:
                m.s[row] = 0
    for i in range(m.t[at.T_SUBTASKS]):
        row = part(m, Q_WORKS) + i
        m.s[row] = turned(m, effect, m.s[row])


def in_crew(m: Memory, i: int, a: int) -> bool:
    """Return whether body ``a`` is among those that started the latest run of ``i``."""
    words = m.t[at.CREW_WORDS]
    if words == 0:
        return a == 0
    return has_bit(m.sb, m.t[at.QB_CREW] + i * words, a)


def world_move(m: Memory) -> None:
    """Let the events of the place happen that are due at the tick that begins."""
    now = m.s[at.CLOCK] + 1
    for e in range(head(m, W_EVENTS)):
        if m.s[part(m, Q_TICKS) + e] != now:
            continue
        record = table_of(m, P_EVENTS) + e * PE_SIZE
        kind, one, other = m.t[record + PE_KIND], m.t[record + PE_A], m.t[record + PE_B]
        if kind != at.E_MOVE:
            emit(m, kind, one, other if other >= 0 else one)
        elif move_thing(m, one, other):
            emit(m, kind, one, place_of_site(m, other))


def move_thing(m: Memory, thing: int, target: int) -> bool:
    """Move one thing from the first free site where it lies to another. Returns whether there was one."""
    if m.s[site_of(m, target) + WORKS] != 0:
        return False
    for site in range(head(m, W_SITES)):
        row = amount_of(m, site, thing)
        if site != target and m.s[row] > 0 and m.s[site_of(m, site) + WORKS] == 0:
            m.s[row] -= 1
            m.s[amount_of(m, target, thing)] += 1
            return True
    return False


def world_ready(m: Memory) -> bool:
    """Return whether some body is idle."""
    return any_idle(m)


def world_mask(m: Memory, a: int, out: Flags, base: int) -> None:
    """Write body ``a``'s exact mask over its actions; the last waits.

    A joint subtask can be attempted if enough idle bodies with the skill are where they could join.
    """
    wait = head(m, W_WAIT)
    for k in range(wait):
        out[base + k] = 0
    out[base + wait] = 1
    if a >= m.t[at.T_AGENTS] or not idle(m, a):
        return
    here = m.s[body_of(m, a) + BODY_AT]
    for there in range(head(m, W_LOCATIONS)):
        if there != here and ticks_to(m, here, there) >= 0:
            out[base + there] = 1
    for i in range(m.t[at.T_SUBTASKS]):
        if startable(m, a, i) and way_to_do(m, i, a) >= 0 and staffed(m, i, here):
            out[base + head(m, W_ATTEMPT) + i] = 1
    for k in range(head(m, W_PUT) - head(m, W_TAKE)):
        if can_take(m, a, k + 1) >= 0:
            out[base + head(m, W_TAKE) + k] = 1
    for k in range(head(m, W_TURN) - head(m, W_PUT)):
        if can_put(m, a, k):
            out[base + head(m, W_PUT) + k] = 1
    for k in range(head(m, W_SHARE) - head(m, W_TURN)):
        if can_turn(m, a, k):
            out[base + head(m, W_TURN) + k] = 1
    for k in range(head(m, W_SAY) - head(m, W_SHARE)):
        if partner_of(m, a, k) >= 0:
            out[base + head(m, W_SHARE) + k] = 1
    for k in range(head(m, W_SPEAK)):
        out[base + head(m, W_SAY) + k] = 1


# ------------------------------------------------------------------ what the flat view shows


def sees_place(m: Memory, a: int, place: int) -> bool:
    """Return whether body ``a`` (-1: any body) sees what is at a location."""
    if head(m, W_FOG) == 0:
        return True
    for b in range(m.t[at.T_AGENTS]):
        if (a < 0 or a == b) and is_here(m, b) and m.s[body_of(m, b) + BODY_AT] == place:
            return True
    return False


def sees_inside(m: Memory, a: int, site: int) -> bool:
    """Return whether body ``a`` (-1: any body) sees what lies at a site: in the fog not what is shut in."""
    if head(m, W_FOG) == 0:
        return True
    return sees_place(m, a, place_of_site(m, site)) and not is_closed(m, site)


def as_byte(number: int) -> int:
    """Return a number of ticks as a byte."""
    return max(0, min(number, NEVER))


def world_view(m: Memory, out: Bytes, base: int) -> None:
    """Write the world's part of the flat view.

    First what all know: for each location whether it is open, then the ticks until its hours begin
    or end; for each line the ticks until its next departure; for each body its latest word (0 none).
    Then bodies and sites (``view_body``, ``view_sites``), in the fog once for every agent.
    """
    places, lines = head(m, W_ROOM_LOCATIONS), head(m, W_ROOM_LINES)
    agents = (m.t[at.Q_AUTOMATA] - m.t[at.Q_AGENTS]) // at.AGENT_SIZE
    for k in range(2 * places + lines + agents):
        out[base + k] = 0
    for place in range(head(m, W_LOCATIONS)):
        out[base + place] = 1 if is_open(m, place, 1) else 0
        out[base + places + place] = as_byte(until_change(m, place))
    spot = base + 2 * places
    for line in range(head(m, W_LINES)):
        rule = m.t[at.T_WORLD] + m.t[table_of(m, P_LINES) + line]
        out[spot + line] = as_byte(until_departure(m, rule))
    spot += lines
    for a in range(m.t[at.T_AGENTS]):
        out[spot + a] = m.s[body_of(m, a) + sites.WORD] + 1
    spot += agents
    if head(m, W_FOG) == 0:
        for a in range(agents):
            spot = view_body(m, a, a, out, spot)
        view_sites(m, -1, out, spot)
        return
    for a in range(agents):
        for b in range(agents):
            spot = view_body(m, a, b, out, spot)
        spot = view_sites(m, a, out, spot)


def view_body(m: Memory, viewer: int, b: int, out: Bytes, spot: int) -> int:
    """Write body ``b`` as ``viewer`` sees it; return the place behind it.

    One byte a location, 1 where it is (or is going to); one a location, the ticks of the direct way
    from there; the ticks until it arrives; one a thing, 1 for what it carries; its own stock.
    """
    places, things, items = head(m, W_ROOM_LOCATIONS), head(m, W_ROOM_THINGS), head(m, W_ROOM_ITEMS)
    size = 2 * places + 1 + things + items
    for k in range(size):
        out[spot + k] = 0
    if b >= m.t[at.T_AGENTS]:
        return spot + size
    body = body_of(m, b)
    here = m.s[body + BODY_AT]
    if viewer != b and not (is_here(m, b) and sees_place(m, viewer, here)):
        return spot + size
    out[spot + here] = 1
    for there in range(head(m, W_LOCATIONS)):
        out[spot + places + there] = as_byte(ticks_to(m, here, there))
    out[spot + 2 * places] = as_byte(m.s[body + UNTIL] - m.s[at.CLOCK])
    if m.s[body + HAND] != NOTHING:
        out[spot + 2 * places + m.s[body + HAND]] = 1
    for item in range(head(m, sites.W_ITEMS)):
        out[spot + 2 * places + 1 + things + item] = as_byte(m.s[own_stock(m, b) + item])
    return spot + size


def view_sites(m: Memory, viewer: int, out: Bytes, spot: int) -> int:
    """Write the sites: their fixtures, then how many of each thing lie there; return the place behind."""
    count, things = head(m, W_ROOM_SITES), head(m, W_ROOM_THINGS)
    for k in range(count * (1 + things)):
        out[spot + k] = 0
    for site in range(head(m, W_SITES)):
        seen = sees_place(m, viewer, place_of_site(m, site))
        out[spot + site] = m.s[site_of(m, site) + FIXTURE] if seen else NEVER
        inside = sees_inside(m, viewer, site)
        for k in range(things_of(m)):
            amount = as_byte(m.s[amount_of(m, site, k + 1)])
            out[spot + count + site * things + k] = amount if inside else NEVER
    return spot + count * (1 + things)


# ------------------------------------------------------------------ sizes


class Sizes(NamedTuple):
    """The padded sizes of the scenes of one family (letters as above).

    ``items`` counts what bodies own (0 where stock is common), ``actions`` all actions but waiting;
    ``fog`` is 1 where some scene has it; ``lists`` is the length of what the parts of the table that
    grow with the other sizes point to.
    """

    locations: int
    sites: int
    things: int
    subtasks: int
    bodies: int
    items: int
    lines: int
    events: int
    actions: int
    fog: int
    lists: int


def state_parts(z: Sizes) -> dict[int, int]:
    """Return by head where the parts of the state begin."""
    counts = {
        sites.Q_BODIES: z.bodies * sites.BODY_SIZE,
        sites.Q_RUNS: z.subtasks * sites.RUN_SIZE,
        sites.Q_STOCKS: z.bodies * z.items,
        Q_WAYS: z.bodies * WAY_SIZE,
        Q_WORKS: z.subtasks,
        Q_SITES: z.sites * SITE_SIZE,
        Q_AMOUNTS: z.sites * z.things,
        Q_TICKS: z.events,
        sites.Q_VITALS: z.bodies,  # nobody hungers among places, but all have health
    }
    return _begins(counts, 0)


def table_parts(z: Sizes) -> dict[int, int]:
    """Return by head where the parts of the table begin that grow with the sizes; lists follow them."""
    counts = {
        P_WAYS: z.locations**2,
        P_HOURS: 2 * z.locations,
        P_BODIES: START_SIZE * z.bodies,
        P_SITES: 2 * z.sites,
        P_AMOUNTS: z.sites * z.things,
        P_RULES: 2 * z.subtasks,
        P_LINES: z.lines,
        P_EVENTS: PE_SIZE * z.events,
        P_STOCKS: z.bodies * z.items,
    }
    return _begins(counts, HEADS)


def _begins(counts: dict[int, int], first: int) -> dict[int, int]:
    """Return where parts of given lengths begin, and under -1 where the last one ends."""
    return dict(zip([*counts, -1], accumulate(counts.values(), initial=first), strict=True))


def room(sizes: tuple[int, ...]) -> Room:
    """Return what scenes of these sizes take."""
    z = Sizes(*sizes)
    bodies = z.bodies * (2 * z.locations + 1 + z.things + z.items)
    seen = bodies + z.sites * (1 + z.things)
    return Room(
        ints=table_parts(z)[-1] + z.lists,
        state=state_parts(z)[-1],
        rows=z.events,  # all of them may fall on ticks of one step
        view=2 * z.locations + z.lines + z.bodies + (z.bodies if z.fog else 1) * seen,
        actions=z.actions,
        own=seen if z.fog else 0,
    )
