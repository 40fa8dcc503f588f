"""The clock: what a tick brings, when an episode ends, and a whole step, for one lane.

Owns the order of the page's section 3, once. The interpreter runs these functions as
they stand and ``compiled`` has numba compile the same source: plain scalar loops over
integers. It knows no world, reward, view or API.
"""

from __future__ import annotations

from stratagym.envs.rng import EVENT as DRAW_EVENT
from stratagym.envs.rng import SUCCESS as DRAW_SUCCESS
from stratagym.envs.rng import bits32
from stratagym.envs.task import layout as at
from stratagym.envs.task.dead_end import judge_dead_end
from stratagym.envs.task.formulas import accepts, dfa, read_letters
from stratagym.envs.task.layout import Flags, Ints, Memory, Word
from stratagym.envs.task.nodes import (
    FULL,
    ONE,
    ZERO,
    among,
    clear_done,
    drop,
    expand,
    has,
    holds,
    lowest,
    note,
    open_branches,
    put,
    set_done,
    u64,
    words_of,
)
from stratagym.envs.task.starts import below, emit, idle, refresh, serve, shortest

TICK_CLOCK, DECISION_CLOCK, EVENT_CLOCK = 0, 1, 2
TERMINATED, TRUNCATED = 1, 2
WANT_START, WANT_START_OR_GOAL, WANT_CHANGE = 0, 1, 2


# ------------------------------------------------------------------ completions


def succeeds(m: Memory, i: int) -> bool:
    """Return whether the run of ``i`` succeeds: the world has reported no failure, and by its own draw."""
    if has(m, at.FAILING, i):
        return False
    row = at.HEADS + i * at.COLUMNS
    if m.t[row + at.CHANCE_HIGH] >= 65536:
        return True
    attempt = m.s[at.S_HEADS + i * at.S_COLUMNS + at.STARTS]
    bits = bits32(m.sb[m.t[at.QB_SEED]], u64(DRAW_SUCCESS), u64(i), u64(attempt))
    return bits < (u64(m.t[row + at.CHANCE_HIGH]) << u64(16)) + u64(m.t[row + at.CHANCE_LOW])


def finish(m: Memory, i: int, success: bool) -> None:
    """End the run of ``i`` now."""
    row = at.HEADS + i * at.COLUMNS
    q = at.S_HEADS + i * at.S_COLUMNS
    clock = m.s[at.CLOCK]
    drop(m, at.RUNNING, i)
    drop(m, at.FAILING, i)
    m.s[at.RUNS] -= 1
    m.s[q + at.END] = -1
    for k in range(m.t[row + at.BACK_COUNT]):
        pair = m.t[row + at.BACKS] + 2 * k
        m.s[m.t[at.Q_LEVELS] + m.t[pair]] += m.t[pair + 1]
    note(m, i)
    late = clock > m.s[q + at.DEADLINE]
    if late or not success:
        m.s[at.JUDGE] = clock
        emit(m, at.E_FAILURE, i, 0)
        if late and not has(m, at.CLOSED, i):
            put(m, at.CLOSED, i)
            if not has(m, at.DONE, i):
                emit(m, at.E_CLOSE, i, 0)
        m.s[at.HURT] = 1
        if among(m, at.B_CHOSEN, i):
            open_branches(m)
        return
    m.s[q + at.SUCCEEDED] = clock
    if m.s[q + at.FIRST] < 0:
        m.s[q + at.FIRST] = clock
        d = m.t[row + at.DUE]
        if d >= 0 and clock > m.t[m.t[at.P_DUES] + d * at.DUE_SIZE + at.DUE_AT]:
            m.s[at.LATE] = 1
    if among(m, at.B_SPOILABLE, i):
        m.s[at.JUDGE] = min(m.s[at.JUDGE], next_spoil(m, i))
    paid = 1
    if not among(m, at.B_REPEATABLE, i):
        if has(m, at.PAID, m.t[row + at.PAY]):
            paid = 0
        put(m, at.PAID, m.t[row + at.PAY])
    for k in range(m.t[row + at.MAKE_COUNT]):
        pair = m.t[row + at.MAKES] + 2 * k
        level = m.t[at.Q_LEVELS] + m.t[pair]
        m.s[level] = min(at.FAR, m.s[level] + m.t[pair + 1])
    set_done(m, i)
    emit(m, at.E_SUCCESS, i, paid)


# ------------------------------------------------------------------ events


def happen(m: Memory, e: int) -> None:
    """Apply event ``e`` now."""
    event = m.t[at.P_EVENTS] + e * at.EV_SIZE
    kind = m.t[event + at.EV_KIND]
    m.s[m.t[at.Q_EVENTS] + e] = at.FAR
    for k in range(m.t[event + at.EV_COUNT]):
        pair = m.t[event + at.EV_PAIRS] + 2 * k
        target = m.t[pair]
        amount = m.t[pair + 1]
        if kind == at.X_UNDO:
            if not has(m, at.DONE, target):
                continue
            clear_done(m, target)
        elif kind == at.X_CAPACITY:
            # What runs keeps what it holds: the free part moves by as much as the capacity does.
            m.s[m.t[at.Q_LEVELS] + target] += amount - capacity(m, target)
        elif kind == at.X_STOCK:
            stock = m.s[m.t[at.Q_LEVELS] + target] + amount
            m.s[m.t[at.Q_LEVELS] + target] = min(at.FAR, max(0, stock))
        elif kind == at.X_AGENT:
            q = m.t[at.Q_AGENTS] + target * at.AGENT_SIZE + at.DOWN_UNTIL
            m.s[q] = max(m.s[q], m.s[at.CLOCK] + amount)
        elif kind == at.X_DURATION:
            m.s[at.S_HEADS + target * at.S_COLUMNS + at.DURATION] = amount
        elif kind == at.X_DEADLINE:
            m.s[at.S_HEADS + target * at.S_COLUMNS + at.DEADLINE] = amount
        elif appears_later(m, target):
            continue
        else:
            drop(m, at.UNKNOWN, target)
        emit(m, at.E_UNDO + kind, target, amount)
    if kind == at.X_STOCK:
        m.s[at.HURT] = 1
    m.s[at.JUDGE] = m.s[at.BAN] = m.s[at.CLOCK]


def capacity(m: Memory, resource: int) -> int:
    """Return the capacity of a resource: what is free and what runs hold."""
    total = m.s[m.t[at.Q_LEVELS] + resource]
    words = words_of(m)
    for w in range(words):
        run = m.sb[at.RUNNING * words + w]
        while run != ZERO:
            i = (w << 6) + lowest(run)
            run &= run - ONE
            row = at.HEADS + i * at.COLUMNS
            for k in range(m.t[row + at.BACK_COUNT]):
                pair = m.t[row + at.BACKS] + 2 * k
                if m.t[pair] == resource:
                    total += m.t[pair + 1]
    return total


def appears_later(m: Memory, i: int) -> bool:
    """Return whether an event that is still to come lets ``i`` appear (of two, the later counts)."""
    for e in range(m.t[at.T_EVENTS]):
        event = m.t[at.P_EVENTS] + e * at.EV_SIZE
        if m.t[event + at.EV_KIND] == at.X_APPEAR and m.s[m.t[at.Q_EVENTS] + e] < at.FAR:
            for k in range(m.t[event + at.EV_COUNT]):
                if m.t[m.t[event + at.EV_PAIRS] + 2 * k] == i:
                    return True
    return False


# ------------------------------------------------------------------ spoiling and closing


def shielded(m: Memory, i: int) -> bool:
    """Return whether the successor ``i`` of a lag keeps its predecessor from spoiling."""
    if has(m, at.RUNNING, i) or has(m, at.DONE, i):
        return True
    return has(m, at.SPENT, i) or has(m, at.CLOSED, i) or not has(m, at.OPEN, i)


def spoil(m: Memory) -> bool:
    """Undo what has waited too long; judged for all first, then applied. Returns whether any did."""
    words = words_of(m)
    found = False
    for w in range(words):
        rotten = ZERO
        look = m.sb[at.DONE * words + w] & m.tb[at.B_SPOILABLE * words + w]
        while look != ZERO:
            p = (w << 6) + lowest(look)
            look &= look - ONE
            row = at.HEADS + p * at.COLUMNS
            age = m.s[at.CLOCK] - m.s[at.S_HEADS + p * at.S_COLUMNS + at.SUCCEEDED]
            for k in range(m.t[row + at.SPOIL_COUNT]):
                lag = m.t[m.t[row + at.SPOILS] + k]
                if age > m.t[lag + at.LAG_MAX] and not shielded(m, m.t[lag + at.LAG_OWNER]):
                    rotten |= ONE << u64(p & 63)
        m.xb[at.MARK_A * words + w] = rotten
        found = found or rotten != ZERO
    if found:
        for w in range(words):
            look = m.xb[at.MARK_A * words + w]
            while look != ZERO:
                p = (w << 6) + lowest(look)
                look &= look - ONE
                clear_done(m, p)
                emit(m, at.E_SPOIL, p, 0)
    return found


def close(m: Memory) -> bool:
    """Close what is too late for its deadline, afresh. Returns whether anything closed or opened."""
    words = words_of(m)
    changed = False
    for w in range(words):
        late = ZERO
        look = m.tb[at.B_DEADLINE * words + w]
        look &= FULL ^ (m.sb[at.RUNNING * words + w] | m.sb[at.DONE * words + w])
        while look != ZERO:
            i = (w << 6) + lowest(look)
            look &= look - ONE
            if m.s[at.CLOCK] + shortest(m, i) > m.s[at.S_HEADS + i * at.S_COLUMNS + at.DEADLINE]:
                late |= ONE << u64(i & 63)
                if not has(m, at.CLOSED, i) and not has(m, at.UNKNOWN, i):
                    emit(m, at.E_CLOSE, i, 0)
        if late != m.sb[at.CLOSED * words + w]:
            changed = True
            m.s[at.HURT] = 1
            m.sb[at.CLOSED * words + w] = late
    return changed


# ------------------------------------------------------------------ a tick


def next_spoil(m: Memory, p: int) -> int:
    """Return the next tick at which ``p``, if done, is past one of its limits."""
    row = at.HEADS + p * at.COLUMNS
    tick = at.FAR
    for k in range(m.t[row + at.SPOIL_COUNT]):
        lag = m.t[m.t[row + at.SPOILS] + k]
        limit = m.s[at.S_HEADS + p * at.S_COLUMNS + at.SUCCEEDED] + m.t[lag + at.LAG_MAX] + 1
        if limit > m.s[at.CLOCK]:
            tick = min(tick, limit)
    return tick


def plan_judge(m: Memory) -> None:
    """Work out the next tick at which time alone can let something spoil or close."""
    words = words_of(m)
    tick = at.FAR
    for w in range(words):
        look = m.sb[at.DONE * words + w] & m.tb[at.B_SPOILABLE * words + w]
        while look != ZERO:
            p = (w << 6) + lowest(look)
            look &= look - ONE
            tick = min(tick, next_spoil(m, p))
        look = m.tb[at.B_DEADLINE * words + w] & (FULL ^ m.sb[at.CLOSED * words + w])
        look &= FULL ^ (m.sb[at.RUNNING * words + w] | m.sb[at.DONE * words + w])
        while look != ZERO:
            i = (w << 6) + lowest(look)
            look &= look - ONE
            deadline = m.s[at.S_HEADS + i * at.S_COLUMNS + at.DEADLINE]
            if deadline < at.FAR:
                tick = min(tick, deadline - shortest(m, i) + 1)
    m.s[at.JUDGE] = tick


def plan_events(m: Memory) -> None:
    """Work out the tick of the next event."""
    tick = at.FAR
    for e in range(m.t[at.T_EVENTS]):
        tick = min(tick, m.s[m.t[at.Q_EVENTS] + e])
    m.s[at.COMING] = tick


def plan_next(m: Memory) -> None:
    """Work out the next tick at which an event, an end, a spoiling or a closing can come."""
    words = words_of(m)
    tick = min(m.s[at.COMING], m.s[at.JUDGE])
    for w in range(words):
        look = m.sb[at.RUNNING * words + w]
        while look != ZERO:
            i = (w << 6) + lowest(look)
            look &= look - ONE
            tick = min(tick, m.s[at.S_HEADS + i * at.S_COLUMNS + at.END])
    m.s[at.NEXT] = tick


def bring(m: Memory) -> None:
    """Apply what is due now: events, completions, spoiling, closing."""
    clock = m.s[at.CLOCK]
    changed = False
    if clock >= m.s[at.COMING]:
        for e in range(m.t[at.T_EVENTS]):
            if m.s[m.t[at.Q_EVENTS] + e] <= clock:
                happen(m, e)
                changed = True
        plan_events(m)
    words = words_of(m)
    for w in range(words):
        run = m.sb[at.RUNNING * words + w]
        while run != ZERO:
            i = (w << 6) + lowest(run)
            run &= run - ONE
            if m.s[at.S_HEADS + i * at.S_COLUMNS + at.END] == clock:
                finish(m, i, succeeds(m, i))
    # Successes and starts can only shield: but for limits, a failure, an undoing or an event is needed.
    if clock >= m.s[at.JUDGE]:
        changed = spoil(m) or changed
        changed = close(m) or changed
        plan_judge(m)
        if changed:
            # What was undone, closed or opened can lift a shield, which is judged the next time.
            m.s[at.JUDGE] = clock
    plan_next(m)


def tick(m: Memory) -> None:
    """Move the clock on by one tick: events, completions, spoiling, closing, letters."""
    m.s[at.CLOCK] += 1
    if m.s[at.CLOCK] >= m.s[at.NEXT]:
        m.s[at.STALE] = 1
        bring(m)
    if m.t[at.T_CONSTRAINTS] != 0:
        read_letters(m)
    if m.s[at.CLOCK] >= m.s[at.WAKE]:
        m.s[at.STALE] = 1


def stand(m: Memory) -> None:
    """Judge spoiling and closing again where the clock has stood still."""
    if m.s[at.JUDGE] <= m.s[at.CLOCK]:
        m.s[at.STALE] = 1
        bring(m)


def advance(m: Memory) -> None:
    """Wait until the next tick at which anything can change (at least one tick)."""
    if m.t[at.T_CONSTRAINTS] == 0 or m.s[at.LETTERS_STILL] != 0:
        if m.s[at.STALE] != 0:
            refresh(m)
        until = min(m.s[at.NEXT], m.s[at.WAKE], m.t[at.T_HORIZON])
        if until < at.FAR and until - 1 > m.s[at.CLOCK]:
            m.s[at.CLOCK] = until - 1
    tick(m)


# ------------------------------------------------------------------ the end


def satisfied(m: Memory) -> bool:
    """Return whether the goal holds now and every automaton accepts."""
    if not holds(m, m.t[at.T_GOAL]):
        return False
    for c in range(m.t[at.T_CONSTRAINTS]):
        if not accepts(m, c):
            return False
    return True


def can_start(m: Memory) -> bool:
    """Return whether some idle agent can start something now."""
    if m.s[at.STALE] != 0:
        refresh(m)
    words = words_of(m)
    for w in range(words):
        if m.sb[at.ELIGIBLE * words + w] != ZERO:
            return True
    return False


def copy_lane(m: Memory, z: Memory) -> None:
    """Copy the lane into the lane of ``z``, which has the same task."""
    for k in range(m.t[at.S_LENGTH]):
        z.s[k] = m.s[k]
    for k in range(m.t[at.SB_LENGTH]):
        z.sb[k] = m.sb[k]


def comes_by_waiting(m: Memory, z: Memory, want: int) -> bool:
    """Return whether waiting alone (nothing runs, horizon ignored) ever brings what is wanted.

    Args:
        m: the lane.
        z: a lane to try it out in.
        want: a start that is possible; that or the goal; or any change of a status,
            the stock, the capacity or a mask.
    """
    if m.s[at.STALE] != 0:
        refresh(m)
    copy_lane(m, z)
    rows = m.x[0]
    found = False
    while not found:
        quiet = m.t[at.T_CONSTRAINTS] == 0 or z.s[at.LETTERS_STILL] != 0
        if quiet:
            until = min(z.s[at.NEXT], z.s[at.WAKE])
            if until >= at.FAR:
                break
            z.s[at.CLOCK] = max(z.s[at.CLOCK], until - 1)
        tick(z)
        m.x[0] = rows
        possible = can_start(z)
        if want == WANT_CHANGE:
            found = differs(m, z)
        else:
            found = possible or (want == WANT_START_OR_GOAL and satisfied(z))
    return found


def differs(m: Memory, z: Memory) -> bool:
    """Return whether two moments of a lane differ in a status, the stock, the capacity or a mask."""
    words = words_of(m)
    levels = m.t[at.Q_LEVELS]
    for k in range(m.t[at.T_LEVELS]):
        if m.s[levels + k] != z.s[levels + k]:
            return True
    for i in range(m.t[at.T_SUBTASKS]):
        if status_of(m, i) != status_of(z, i):
            return True
    for a in range(m.t[at.T_AGENTS]):
        able_row = (m.t[at.R_ABLE] + a) * words
        for w in range(words):
            mine = m.sb[at.ELIGIBLE * words + w] if idle(m, a) else ZERO
            other = z.sb[at.ELIGIBLE * words + w] if idle(z, a) else ZERO
            if (mine ^ other) & m.tb[able_row + w] != ZERO:
                return True
    return False


def judge(m: Memory, z: Memory) -> None:
    """Decide whether the episode is over."""
    if m.t[at.T_GOAL] != at.NO_GOAL:
        if satisfied(m):
            m.s[at.GOAL] = 1
            m.s[at.OVER] = TERMINATED
    elif m.s[at.RUNS] == 0 and not can_start(m) and not comes_by_waiting(m, z, WANT_START):
        m.s[at.OVER] = TERMINATED
    if m.s[at.OVER] == 0 and m.s[at.CLOCK] >= m.t[at.T_HORIZON]:
        m.s[at.OVER] = TRUNCATED


def lateness(m: Memory, d: int) -> int:
    """Return the ticks by which due date ``d`` was missed; what never succeeds is charged at the end.

    Then the horizon stands for its success, unless another branch of a choice is done.
    """
    record = m.t[at.P_DUES] + d * at.DUE_SIZE
    due = m.t[record + at.DUE_AT]
    first = at.FAR
    for k in range(m.t[record + at.DUE_COUNT]):
        i = m.t[m.t[record + at.DUE_MEMBERS] + k]
        tick_of = m.s[at.S_HEADS + i * at.S_COLUMNS + at.FIRST]
        if tick_of >= 0:
            first = min(first, tick_of)
    if first >= at.FAR:
        if m.s[at.OVER] == 0:
            return 0
        for k in range(m.t[record + at.DUE_COUNT]):
            if spared(m, m.t[m.t[record + at.DUE_MEMBERS] + k]):
                return 0
        first = m.t[at.T_HORIZON]
    return max(0, first - due)


def spared(m: Memory, i: int) -> bool:
    """Return whether another branch of a choice is done in place of what has the due date."""
    group = m.t[at.HEADS + i * at.COLUMNS + at.DUE]
    for c in range(m.t[at.T_CHOICES]):
        record = m.t[at.P_CHOICES] + c * at.CH_SIZE
        if not among(m, m.t[record + at.CH_ALL], i):
            continue
        for k in range(m.t[record + at.CH_COUNT]):
            branch = m.t[record + at.CH_BRANCH] + k
            if holds(m, m.t[m.t[record + at.CH_NODES] + k]) and not holds_due(m, branch, group):
                return True
    return False


def holds_due(m: Memory, branch: int, group: int) -> bool:
    """Return whether a branch contains a subtask with this due date."""
    record = m.t[at.P_DUES] + group * at.DUE_SIZE
    for k in range(m.t[record + at.DUE_COUNT]):
        if among(m, branch, m.t[m.t[record + at.DUE_MEMBERS] + k]):
            return True
    return False


# ------------------------------------------------------------------ a step and a reset


def step_lane(m: Memory, spare: Memory, before: Memory, actions: Ints, mode: int) -> None:
    """Take one step under a clock; the lane must not be over.

    Leaves the event rows and the refusals in the scratch.

    Args:
        m: the lane.
        spare: a lane of the same task to look ahead in.
        before: another, to remember the moment before the step in.
        actions: ``[A]`` a subtask for each agent; anything outside ``0 <= i < N`` waits.
        mode: ``TICK_CLOCK``, ``DECISION_CLOCK`` or ``EVENT_CLOCK``.
    """
    m.x[0] = 0
    m.s[at.STEPS] += 1
    m.s[at.BEFORE] = m.s[at.CLOCK]
    if mode == EVENT_CLOCK:
        copy_lane(m, before)
    if serve(m, actions):
        stand(m)
    else:
        tick(m)
    judge(m, spare)
    if mode == DECISION_CLOCK:
        run_to_decision(m, spare)
    elif mode == EVENT_CLOCK:
        run_to_event(m, spare, before)
    if m.s[at.STALE] != 0:
        refresh(m)
    if m.s[at.HURT] != 0 and m.t[at.T_FRAGILE] != 0:
        judge_dead_end(m)


def run_to_decision(m: Memory, z: Memory) -> None:
    """Let the clock run until the end, or until some idle agent can start something."""
    endless = m.t[at.T_HORIZON] >= at.FAR
    while m.s[at.OVER] == 0 and not can_start(m):
        if endless and m.s[at.RUNS] == 0 and not comes_by_waiting(m, z, WANT_START_OR_GOAL):
            return
        advance(m)
        judge(m, z)


def run_to_event(m: Memory, z: Memory, before: Memory) -> None:
    """Let the clock run until the end, or until an idle agent has something new to see."""
    endless = m.t[at.T_HORIZON] >= at.FAR
    started = False
    for k in range(m.x[0]):
        started = started or m.x[1 + k * at.EVENT_SIZE + at.E_KIND] == at.E_START
    while m.s[at.OVER] == 0:
        if m.s[at.STALE] != 0:
            refresh(m)
        if any_idle(m) and (started or differs(before, m)):
            return
        if endless and m.s[at.RUNS] == 0 and not comes_by_waiting(m, z, WANT_CHANGE):
            return
        advance(m)
        judge(m, z)


def any_idle(m: Memory) -> bool:
    """Return whether some agent is idle."""
    for a in range(m.t[at.T_AGENTS]):
        if idle(m, a):
            return True
    return False


def reset_lane(m: Memory, seed: Word) -> None:
    """Begin an episode with the draws of ``seed`` (a word); the lane's row of the bank stays."""
    words = words_of(m)
    task, episode, base = m.s[at.TASK], m.s[at.EPISODE], m.sb[m.t[at.QB_SEED] + 1]
    for k in range(m.t[at.S_LENGTH]):
        m.s[k] = 0
    for k in range(m.t[at.SB_LENGTH]):
        m.sb[k] = ZERO
    m.s[at.TASK], m.s[at.EPISODE], m.sb[m.t[at.QB_SEED] + 1] = task, episode, base
    m.sb[m.t[at.QB_SEED]] = seed
    for i in range(m.t[at.T_WIDE]):
        q = at.S_HEADS + i * at.S_COLUMNS
        for column in (at.START, at.PREVIOUS, at.END, at.SUCCEEDED, at.FIRST):
            m.s[q + column] = -1
        m.s[q + at.DEADLINE] = m.t[at.HEADS + i * at.COLUMNS + at.DEADLINE0]
        m.s[q + at.DURATION] = m.t[at.HEADS + i * at.COLUMNS + at.DURATION0]
    for w in range(words):
        m.sb[at.UNKNOWN * words + w] = m.tb[at.B_HIDDEN * words + w]
    for g in range(m.t[at.T_GATES]):
        m.s[m.t[at.Q_GATES] + g] = m.t[m.t[at.P_GATES] + g * at.GATE_SIZE + at.GATE_TRUE]
    for i in range(m.t[at.T_SUBTASKS]):
        if holds(m, m.t[at.HEADS + i * at.COLUMNS + at.NEEDS]):
            put(m, at.MET, i)
    for k in range(m.t[at.T_LEVELS]):
        m.s[m.t[at.Q_LEVELS] + k] = m.t[m.t[at.P_LEVELS] + k]
    for a in range((m.t[at.Q_AUTOMATA] - m.t[at.Q_AGENTS]) // at.AGENT_SIZE):
        m.s[m.t[at.Q_AGENTS] + a * at.AGENT_SIZE + at.ATTENDS] = -1
    for e in range(m.t[at.T_EVENTS]):
        m.s[m.t[at.Q_EVENTS] + e] = event_tick(m, e)
    for c in range(m.t[at.T_CONSTRAINTS]):
        m.s[m.t[at.Q_AUTOMATA] + c] = m.t[dfa(m, c) + at.DFA_INITIAL]
    m.x[0] = 0
    open_branches(m)
    close(m)
    if m.t[at.T_CONSTRAINTS] != 0:
        read_letters(m)
    plan_events(m)
    plan_judge(m)
    plan_next(m)
    refresh(m)
    if m.t[at.T_FRAGILE] != 0:
        judge_dead_end(m)


def event_tick(m: Memory, e: int) -> int:
    """Return the tick of event ``e`` in this episode."""
    event = m.t[at.P_EVENTS] + e * at.EV_SIZE
    bits = bits32(m.sb[m.t[at.QB_SEED]], u64(DRAW_EVENT), u64(e), u64(1))
    return m.t[event + at.EV_LO] + below(bits, m.t[event + at.EV_HI] - m.t[event + at.EV_LO] + 1)


# ------------------------------------------------------------------ what others read


def status_of(m: Memory, i: int) -> int:
    """Return the status code of subtask ``i`` (``view.STATUS``)."""
    if has(m, at.UNKNOWN, i):
        return at.LOCKED_CODE
    if has(m, at.RUNNING, i):
        return at.RUNNING_CODE
    if has(m, at.DONE, i):
        return at.DONE_CODE
    if has(m, at.CLOSED, i):
        return at.CLOSED_CODE
    if has(m, at.SPENT, i):
        return at.FAILED_CODE
    if has(m, at.ELIGIBLE, i):
        return at.ELIGIBLE_CODE
    return at.LOCKED_CODE


def write_mask(m: Memory, a: int, out: Flags, base: int) -> None:
    """Write agent ``a``'s exact action mask into ``out[base : base + N + 1]``; the last action waits."""
    n = m.t[at.T_WIDE]
    words = words_of(m)
    free = a < m.t[at.T_AGENTS] and idle(m, a)
    for w in range(words):
        can = ZERO
        if free:
            can = m.sb[at.ELIGIBLE * words + w] & m.tb[(m.t[at.R_ABLE] + a) * words + w]
        expand(can, out, base + (w << 6), min(64, n - (w << 6)))
    out[base + n] = 1
