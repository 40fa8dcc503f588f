"""Starting: what may start now, why not, and what a start does.

Owns the page's list of conditions and refusals, once. ``refresh`` asks the same
questions for all subtasks at a time and remembers the answer as a bit row.
"""

from __future__ import annotations

from stratagym.envs.rng import DURATION as DRAW_DURATION
from stratagym.envs.rng import bits32
from stratagym.envs.task import layout as at
from stratagym.envs.task.formulas import dfa, fatal, risky
from stratagym.envs.task.layout import Ints, Memory, Word
from stratagym.envs.task.nodes import (
    FULL,
    ONE,
    ZERO,
    among,
    has,
    lowest,
    note,
    open_branches,
    put,
    put_bit,
    u64,
    words_of,
)


def idle(m: Memory, a: int) -> bool:
    """Return whether an agent may be given something to do."""
    q = m.t[at.Q_AGENTS] + a * at.AGENT_SIZE
    return m.s[q + at.FREE_AT] <= m.s[at.CLOCK] and m.s[q + at.DOWN_UNTIL] <= m.s[at.CLOCK]


def able(m: Memory, a: int, i: int) -> bool:
    """Return whether agent ``a`` has the skill for ``i``."""
    return among(m, m.t[at.R_ABLE] + a, i)


def hands(m: Memory, i: int) -> int:
    """Return how many idle agents have the skill for ``i``."""
    count = 0
    for a in range(m.t[at.T_AGENTS]):
        if able(m, a, i) and idle(m, a):
            count += 1
    return count


def shortest(m: Memory, i: int) -> int:
    """Return the shortest possible duration of a start made now."""
    return m.t[m.s[at.S_HEADS + i * at.S_COLUMNS + at.DURATION] + at.DUR_SHORTEST]


def lag_anchor(m: Memory, lag: int) -> int:
    """Return the tick from which a lag counts, -1 if its predecessor is not there yet."""
    anchor = -1
    preds = m.t[lag + at.LAG_PREDS]
    for k in range(m.t[lag + at.LAG_PRED_COUNT]):
        p = m.t[preds + k]
        if m.t[lag + at.LAG_ORIGIN] == at.FROM_START:
            anchor = max(anchor, m.s[at.S_HEADS + p * at.S_COLUMNS + at.PREVIOUS])
        elif has(m, at.DONE, p):
            anchor = max(anchor, m.s[at.S_HEADS + p * at.S_COLUMNS + at.SUCCEEDED])
    return anchor


def timing(m: Memory, i: int) -> int:
    """Return what needs, lags and windows say of a start of ``i``.

    Returns:
        The first reason against a start now (0 if there is none), plus 16 times the next
        tick at which time alone may change that.
    """
    row = at.HEADS + i * at.COLUMNS
    clock = m.s[at.CLOCK]
    release = m.t[row + at.RELEASE]
    early = clock < release
    tick = release if early else at.FAR
    deadline = m.s[at.S_HEADS + i * at.S_COLUMNS + at.DEADLINE]
    last = deadline - shortest(m, i)
    late = has(m, at.CLOSED, i) or clock > last
    if clock <= last and deadline < at.FAR:
        tick = min(tick, last + 1)
    missing = not has(m, at.MET, i)
    for k in range(m.t[row + at.LAG_COUNT]):
        lag = m.t[row + at.LAGS] + k * at.LAG_SIZE
        anchor = lag_anchor(m, lag)
        if anchor < 0:
            missing = missing or m.t[lag + at.LAG_SELF] == 0
            continue
        opens = anchor + m.t[lag + at.LAG_MIN]
        shuts = anchor + m.t[lag + at.LAG_MAX]
        if clock < opens:
            early = True
            tick = min(tick, opens)
        if clock > shuts:
            late = True
        elif shuts < at.FAR - 1:
            tick = min(tick, shuts + 1)
    reason = at.NO_REFUSAL
    if missing:
        reason = at.DEPENDENCY_REFUSAL
    elif early:
        reason = at.EARLY_REFUSAL
    elif late:
        reason = at.LATE_REFUSAL
    return reason + (tick << 4)


def stock_reason(m: Memory, i: int) -> int:
    """Return the first resource or item that is not there, 0 if all are."""
    row = at.HEADS + i * at.COLUMNS
    for k in range(m.t[row + at.ASK_COUNT]):
        pair = m.t[row + at.ASKS] + 2 * k
        level = m.t[pair]
        if m.s[m.t[at.Q_LEVELS] + level] < m.t[pair + 1]:
            if level < m.t[at.T_RESOURCES]:
                return at.RESOURCE_REFUSAL
            return at.ITEM_REFUSAL
    return at.NO_REFUSAL


def task_reason(m: Memory, i: int) -> int:
    """Return the first reason that does not depend on who asks, short of the rules; 0 if there is none."""
    if has(m, at.RUNNING, i):
        return at.BUSY_REFUSAL
    if has(m, at.SPENT, i) or (has(m, at.DONE, i) and not among(m, at.B_REPEATABLE, i)):
        return at.FINISHED_REFUSAL
    reason = timing(m, i) & 15
    if reason != at.NO_REFUSAL:
        return reason
    return stock_reason(m, i)


def rule_reason(m: Memory, i: int) -> int:
    """Return ``constraint`` if a choice or an automaton forbids the start, else 0."""
    if not has(m, at.OPEN, i) or m.s[at.DOOMED] != 0:
        return at.CONSTRAINT_REFUSAL
    for c in range(m.t[at.T_CONSTRAINTS]):
        if fatal(m, c, i):
            return at.CONSTRAINT_REFUSAL
    return at.NO_REFUSAL


def reason_of(m: Memory, i: int, a: int, named: int) -> int:
    """Return why agent ``a`` may not start ``i``, 0 if it may.

    Args:
        m: the lane.
        i: the subtask.
        a: the agent.
        named: how many idle agents with the skill ask for it together.
    """
    if not among(m, at.B_ALL, i) or has(m, at.UNKNOWN, i):
        return at.UNKNOWN_REFUSAL
    if not idle(m, a):
        return at.BUSY_REFUSAL
    reason = task_reason(m, i)
    if reason != at.NO_REFUSAL:
        return reason
    if not able(m, a, i):
        return at.SKILL_REFUSAL
    if named < m.t[at.HEADS + i * at.COLUMNS + at.AGENTS]:
        return at.AGENTS_REFUSAL
    return rule_reason(m, i)


# ------------------------------------------------------------------ all at a time


def refresh(m: Memory) -> None:
    """Work out what can start now (by an idle agent, others joining) and when time alone may change that."""
    clock = m.s[at.CLOCK]
    words = words_of(m)
    m.s[at.STALE] = 0
    wake = at.FAR
    if m.t[at.T_CONSTRAINTS] != 0:
        if clock >= m.s[at.BAN]:
            ban(m)
        wake = m.s[at.BAN]
    for w in range(words):
        staff = ZERO
        for a in range(m.t[at.T_AGENTS]):
            q = m.t[at.Q_AGENTS] + a * at.AGENT_SIZE
            until = max(m.s[q + at.FREE_AT], m.s[q + at.DOWN_UNTIL])
            if until <= clock:
                staff |= m.tb[(m.t[at.R_ABLE] + a) * words + w]
            else:
                wake = min(wake, until)
        done = m.sb[at.DONE * words + w]
        again = done & m.tb[at.B_REPEATABLE * words + w]
        can = staff & m.tb[at.B_ALL * words + w] & m.sb[at.MET * words + w] & m.sb[at.OPEN * words + w]
        can &= (FULL ^ done) | again
        can &= FULL ^ (m.sb[at.RUNNING * words + w] | m.sb[at.CLOSED * words + w])
        can &= FULL ^ (
            m.sb[at.UNKNOWN * words + w] | m.sb[at.SPENT * words + w] | m.sb[at.BANNED * words + w]
        )
        if m.s[at.DOOMED] != 0:
            can = ZERO
        look = can & m.tb[at.B_STOCKED * words + w]
        while look != ZERO:
            i = (w << 6) + lowest(look)
            if stock_reason(m, i) != at.NO_REFUSAL:
                can ^= look & (ZERO - look)
            look &= look - ONE
        look = can & m.tb[at.B_JOINT * words + w]
        while look != ZERO:
            i = (w << 6) + lowest(look)
            if hands(m, i) < m.t[at.HEADS + i * at.COLUMNS + at.AGENTS]:
                can ^= look & (ZERO - look)
            look &= look - ONE
        look = m.tb[at.B_LAGGED * words + w] | (again & m.tb[at.B_DEADLINE * words + w])
        if clock < m.t[at.T_RELEASED]:
            look |= m.tb[at.B_RELEASED * words + w]
        look &= can
        while look != ZERO:
            i = (w << 6) + lowest(look)
            verdict = timing(m, i)
            if verdict & 15 != at.NO_REFUSAL:
                can ^= look & (ZERO - look)
            wake = min(wake, verdict >> 4)
            look &= look - ONE
        m.sb[at.ELIGIBLE * words + w] = can
    m.s[at.WAKE] = wake


def before_ends(m: Memory, involved: int) -> int:
    """Return the next tick that is one before the end of a run that a formula looks at.

    There its look-ahead sees more.
    """
    tick = at.FAR
    words = words_of(m)
    for w in range(words):
        run = m.sb[at.RUNNING * words + w] & m.tb[involved * words + w]
        while run != ZERO:
            i = (w << 6) + lowest(run)
            run &= run - ONE
            end = m.s[at.S_HEADS + i * at.S_COLUMNS + at.END]
            if end - 1 > m.s[at.CLOCK]:
                tick = min(tick, end - 1)
    return tick


def ban(m: Memory) -> None:
    """Work out which starts the automata forbid, and from which tick on time alone may change that."""
    words = words_of(m)
    tick = at.FAR
    for w in range(words):
        m.sb[at.BANNED * words + w] = ZERO
    for c in range(m.t[at.T_CONSTRAINTS]):
        if not risky(m, c):
            continue
        involved = m.t[dfa(m, c) + at.DFA_INVOLVED]
        bystander = fatal(m, c, -1)
        tick = min(tick, before_ends(m, involved))
        for w in range(words):
            look = m.tb[involved * words + w]
            if bystander:
                m.sb[at.BANNED * words + w] |= FULL ^ look
            over = m.sb[at.DONE * words + w] & (FULL ^ m.tb[at.B_REPEATABLE * words + w])
            look &= FULL ^ (m.sb[at.RUNNING * words + w] | m.sb[at.SPENT * words + w] | over)
            while look != ZERO:
                i = (w << 6) + lowest(look)
                if fatal(m, c, i):
                    m.sb[at.BANNED * words + w] |= look & (ZERO - look)
                look &= look - ONE
    m.s[at.BAN] = tick


# ------------------------------------------------------------------ a start


def emit(m: Memory, kind: int, what: int, who: int) -> None:
    """Append one event row."""
    k = m.x[0]
    row = 1 + k * at.EVENT_SIZE
    if row + at.EVENT_SIZE <= m.t[at.X_REFUSALS]:
        m.x[0] = k + 1
        m.x[row + at.E_TICK] = m.s[at.CLOCK]
        m.x[row + at.E_KIND] = kind
        m.x[row + at.E_WHAT] = what
        m.x[row + at.E_WHO] = who


def drawn_duration(m: Memory, i: int) -> int:
    """Return the duration of the latest start of ``i``; FAR if the world decides."""
    q = at.S_HEADS + i * at.S_COLUMNS
    d = m.s[q + at.DURATION]
    kind = m.t[d + at.DUR_KIND]
    if kind == at.DUR_FIXED or kind == at.DUR_WORLD:
        return m.t[d + at.DUR_A]
    bits = bits32(m.sb[m.t[at.QB_SEED]], u64(DRAW_DURATION), u64(i), u64(m.s[q + at.STARTS]))
    if kind == at.DUR_UNIFORM:
        span = m.t[d + at.DUR_B] - m.t[d + at.DUR_A] + 1
        return m.t[d + at.DUR_A] + below(bits, span)
    return m.t[m.t[d + at.DUR_A] + below(bits, m.t[d + at.DUR_B])]


def below(bits: Word, span: int) -> int:
    """Return ``floor(u * span)`` for 32 drawn bits."""
    return int((bits * u64(span)) >> u64(32))


def start(m: Memory, i: int, a: int) -> None:
    """Start subtask ``i``; agent ``a`` is the first to attend to it."""
    row = at.HEADS + i * at.COLUMNS
    q = at.S_HEADS + i * at.S_COLUMNS
    clock = m.s[at.CLOCK]
    put(m, at.RUNNING, i)
    for k in range(m.t[row + at.TAKE_COUNT]):
        pair = m.t[row + at.TAKES] + 2 * k
        level = m.t[pair]
        left = m.s[m.t[at.Q_LEVELS] + level] - m.t[pair + 1]
        m.s[m.t[at.Q_LEVELS] + level] = left
        if left < m.t[m.t[at.P_LEVELS] + m.t[at.T_LEVELS] + level] and missed(m, level):
            m.s[at.HURT] = 1
    m.s[q + at.STARTS] += 1
    m.s[q + at.START] = clock
    end = clock + drawn_duration(m, i)
    # What ends at FAR does not end by itself.
    last = at.FAR if m.t[m.s[q + at.DURATION] + at.DUR_KIND] == at.DUR_WORLD else at.FAR - 1
    m.s[q + at.END] = min(last, end)
    m.s[at.NEXT] = min(m.s[at.NEXT], m.s[q + at.END])
    m.s[at.RUNS] += 1
    m.s[at.STALE] = 1
    if among(m, at.B_READ, i):
        put(m, at.STARTED, i)
    note(m, i)
    if m.s[q + at.STARTS] >= m.t[row + at.ATTEMPTS]:
        put(m, at.SPENT, i)
    if among(m, at.B_CHOSEN, i):
        open_branches(m)
    crew = m.t[at.CREW_WORDS]
    for w in range(crew):
        m.sb[m.t[at.QB_CREW] + i * crew + w] = ZERO
    emit(m, at.E_START, i, a)
    attend(m, i, a)


def missed(m: Memory, level: int) -> bool:
    """Return whether something that neither runs nor is done asks for an item."""
    words = words_of(m)
    users = m.t[at.R_USERS] + level - m.t[at.T_RESOURCES]
    for w in range(words):
        if (
            m.tb[users * words + w] & (FULL ^ (m.sb[at.RUNNING * words + w] | m.sb[at.DONE * words + w]))
            != ZERO
        ):
            return True
    return False


def attend(m: Memory, i: int, a: int) -> None:
    """Have agent ``a`` attend to the run of ``i`` that has just been started."""
    until = m.s[at.S_HEADS + i * at.S_COLUMNS + at.END]
    attended = m.t[at.HEADS + i * at.COLUMNS + at.ATTENDED]
    if attended < at.FAR:
        until = min(until, m.s[at.CLOCK] + attended)
    q = m.t[at.Q_AGENTS] + a * at.AGENT_SIZE
    m.s[q + at.FREE_AT] = until
    m.s[q + at.ATTENDS] = i
    if m.t[at.CREW_WORDS] > 0:
        put_bit(m.sb, m.t[at.QB_CREW] + i * m.t[at.CREW_WORDS], a)


def serve(m: Memory, actions: Ints) -> bool:
    """Let the agents start what they name, in order of their index.

    Leaves the refusals in the scratch. Returns whether the clock stands still.
    """
    n = m.t[at.T_WIDE]
    count = m.t[at.T_AGENTS]
    refusals = m.t[at.X_REFUSALS]
    still = False
    for a in range(len(actions)):
        m.x[refusals + a] = -1
    for a in range(count):
        i = actions[a]
        if i < 0 or i >= n or m.x[refusals + a] >= 0:
            continue
        row = at.HEADS + i * at.COLUMNS
        if m.t[row + at.AGENTS] > 1 and able(m, a, i) and idle(m, a):
            accepted = serve_joint(m, actions, i, a)
        else:
            # The eligible set answers for the first agent; after a start only one subtask is judged.
            accepted = m.s[at.STALE] == 0 and has(m, at.ELIGIBLE, i) and able(m, a, i) and idle(m, a)
            reason = at.NO_REFUSAL if accepted else reason_of(m, i, a, 1)
            m.x[refusals + a] = reason
            accepted = reason == at.NO_REFUSAL
            if accepted:
                start(m, i, a)
        if accepted and m.t[row + at.ATTENDED] == 0:
            still = True
    for a in range(len(actions)):
        m.x[refusals + a] = max(m.x[refusals + a], 0)
    for a in range(count):
        i = actions[a]
        if i >= 0 and i < n and m.x[refusals + a] == at.NO_REFUSAL:
            q = at.S_HEADS + i * at.S_COLUMNS
            m.s[q + at.PREVIOUS] = m.s[q + at.START]
            m.s[at.STALE] = 1
    return still


def serve_joint(m: Memory, actions: Ints, i: int, first: int) -> bool:
    """Judge a joint subtask once, for all idle skilled agents from ``first`` on that name it."""
    count = m.t[at.T_AGENTS]
    refusals = m.t[at.X_REFUSALS]
    named = 0
    for a in range(first, count):
        if actions[a] == i and able(m, a, i) and idle(m, a):
            named += 1
    reason = reason_of(m, i, first, named)
    joined = 0
    for a in range(first, count):
        if actions[a] != i or not able(m, a, i) or not idle(m, a):
            continue
        m.x[refusals + a] = reason
        if reason != at.NO_REFUSAL:
            continue
        if joined == 0:
            start(m, i, a)
        elif joined < m.t[at.HEADS + i * at.COLUMNS + at.AGENTS]:
            emit(m, at.E_JOIN, i, a)
            attend(m, i, a)
        else:
            m.x[refusals + a] = at.BUSY_REFUSAL
        joined += 1
    return reason == at.NO_REFUSAL
