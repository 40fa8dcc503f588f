"""Dead ends: a relaxation that can prove that the goal is out of reach.

Time, capacity and what is used up in common are ignored: a node can come to hold if
enough of its literals can. So a task that can still be won is never called dead.
The first mark row holds the subtasks that can be done.
"""

from __future__ import annotations

from stratagym.envs.task import layout as at
from stratagym.envs.task.layout import Memory
from stratagym.envs.task.nodes import FULL, ONE, ZERO, among, has, has_bit, lowest, put_bit, words_of


def judge_dead_end(m: Memory) -> None:
    """Say in the lane whether the goal is proved to be out of reach."""
    m.s[at.HURT] = 0
    goal = m.t[at.T_GOAL]
    if goal < 0:
        return
    if m.s[at.DOOMED] != 0:
        m.s[at.DEAD_END] = 1
        return
    words = words_of(m)
    gates = m.t[at.T_GATES]
    for g in range(gates):
        gate = m.t[at.P_GATES] + g * at.GATE_SIZE
        m.x[m.t[at.X_SUM] + g] = m.t[gate + at.GATE_MOST]
        m.x[m.t[at.X_SUM] + gates + g] = m.t[gate + at.GATE_FEWEST]
        m.x[m.t[at.X_CAN] + g] = 0
        m.x[m.t[at.X_CAN] + gates + g] = 0
    for w in range(words):
        done = m.sb[at.DONE * words + w]
        up = done | m.sb[at.RUNNING * words + w]
        lasting = done & (FULL ^ m.tb[at.B_UNDOABLE * words + w])
        m.xb[at.MARK_A * words + w] = up
        while up != ZERO:
            i = (w << 6) + lowest(up)
            stays = lasting & up & (ZERO - up) != ZERO
            up &= up - ONE
            widen(m, i, 1, 1 if stays else 0)
    # What is possible only grows, so one pass is mostly enough for a live task.
    while spread(m) and not node_can(m, goal):
        pass
    m.s[at.DEAD_END] = 0 if node_can(m, goal) else 1


def node_can(m: Memory, v: int) -> bool:
    """Return whether a node can come to hold, as far as worked out."""
    n = m.t[at.T_WIDE]
    if v < 0:
        return v == -1
    if v < n:
        return has_bit(m.xb, at.MARK_A * words_of(m), v)
    return m.x[m.t[at.X_CAN] + v - n] != 0


def widen(m: Memory, v: int, more: int, fewer: int) -> None:
    """Move the sums of the gates that read node ``v``.

    The sums are the most and the fewest literals of a gate that can hold. A plus sign
    moves the most by ``more`` and the fewest by ``fewer``, a minus sign the other way round.
    """
    most = m.t[at.X_SUM]
    fewest = most + m.t[at.T_GATES]
    record = m.t[at.P_NODES] + v * at.NODE_SIZE
    for k in range(m.t[record + at.NODE_EDGE_COUNT]):
        edge = m.t[record + at.NODE_EDGES] + 2 * k
        g = m.t[edge]
        if m.t[edge + 1] > 0:
            m.x[most + g] += more
            m.x[fewest + g] += fewer
        else:
            m.x[most + g] -= fewer
            m.x[fewest + g] -= more


def spread(m: Memory) -> bool:
    """Work out once, in order of dependency, what else can come about. Returns whether anything did."""
    n = m.t[at.T_WIDE]
    gates = m.t[at.T_GATES]
    most = m.t[at.X_SUM]
    fewest = most + gates
    can = m.t[at.X_CAN]
    cannot = can + gates
    changed = False
    for k in range(m.t[at.T_ORDERED]):
        v = m.t[m.t[at.P_ORDER] + k]
        up = False
        down = False
        if v >= n:
            count = m.t[m.t[at.P_GATES] + (v - n) * at.GATE_SIZE + at.GATE_COUNT]
            up = m.x[can + v - n] == 0 and m.x[most + v - n] >= count
            down = m.x[cannot + v - n] == 0 and m.x[fewest + v - n] < count
            if up:
                m.x[can + v - n] = 1
            if down:
                m.x[cannot + v - n] = 1
        elif not has_bit(m.xb, at.MARK_A * words_of(m), v) and could_be_done(m, v):
            put_bit(m.xb, at.MARK_A * words_of(m), v)
            up = True
        if up or down:
            widen(m, v, 1 if up else 0, -1 if down else 0)
            changed = True
    return changed


def could_be_done(m: Memory, i: int) -> bool:
    """Return whether ``i`` could be started at some time, everything that can be ignored ignored."""
    row = at.HEADS + i * at.COLUMNS
    if has(m, at.SPENT, i) or not among(m, at.B_STAFFED, i) or not node_can(m, m.t[row + at.NEEDS]):
        return False
    if m.t[at.T_MOVING] == 0 and has(m, at.CLOSED, i):
        return False
    for k in range(m.t[row + at.LAG_COUNT]):
        lag = m.t[row + at.LAGS] + k * at.LAG_SIZE
        if m.t[lag + at.LAG_SELF] == 0 and not lag_can(m, lag):
            return False
    for k in range(m.t[row + at.ASK_COUNT]):
        pair = m.t[row + at.ASKS] + 2 * k
        level = m.t[pair]
        if level < m.t[at.T_RESOURCES] or m.s[m.t[at.Q_LEVELS] + level] >= m.t[pair + 1]:
            continue
        if not item_comes(m, level):
            return False
    return not among(m, at.B_CHOSEN, i) or choice_can(m, i)


def lag_can(m: Memory, lag: int) -> bool:
    """Return whether some predecessor of a lag is, or can come to be, done or started."""
    for k in range(m.t[lag + at.LAG_PRED_COUNT]):
        p = m.t[m.t[lag + at.LAG_PREDS] + k]
        if has_bit(m.xb, at.MARK_A * words_of(m), p):
            return True
        started = m.s[at.S_HEADS + p * at.S_COLUMNS + at.START] >= 0
        if m.t[lag + at.LAG_ORIGIN] == at.FROM_START and started:
            return True
    return False


def item_comes(m: Memory, level: int) -> bool:
    """Return whether anything that can still happen brings more of an item."""
    words = words_of(m)
    makers = m.t[at.R_MAKERS] + level - m.t[at.T_RESOURCES]
    for w in range(words):
        # Done for good, a subtask that is not repeatable makes no more.
        over = m.sb[at.DONE * words + w] & (FULL ^ m.tb[at.B_REPEATABLE * words + w])
        over &= FULL ^ (m.tb[at.B_UNDOABLE * words + w] | m.sb[at.RUNNING * words + w])
        if m.tb[makers * words + w] & m.xb[at.MARK_A * words + w] & (FULL ^ over) != ZERO:
            return True
    for e in range(m.t[at.T_EVENTS]):
        event = m.t[at.P_EVENTS] + e * at.EV_SIZE
        if m.t[event + at.EV_KIND] == at.X_STOCK and m.s[m.t[at.Q_EVENTS] + e] < at.FAR:
            for k in range(m.t[event + at.EV_COUNT]):
                if m.t[m.t[event + at.EV_PAIRS] + 2 * k] == level:
                    return True
    return False


def choice_can(m: Memory, i: int) -> bool:
    """Return whether in every choice a branch with ``i`` is open or could open again."""
    for c in range(m.t[at.T_CHOICES]):
        record = m.t[at.P_CHOICES] + c * at.CH_SIZE
        everything = m.t[record + at.CH_ALL]
        if not among(m, everything, i):
            continue
        found = False
        for k in range(m.t[record + at.CH_COUNT]):
            branch = m.t[record + at.CH_BRANCH] + k
            if among(m, branch, i) and not barred(m, everything, branch):
                found = True
        if not found:
            return False
    return True


def barred(m: Memory, everything: int, branch: int) -> bool:
    """Return whether something outside the branch is done for good."""
    words = words_of(m)
    for w in range(words):
        lasting = m.sb[at.DONE * words + w] & (FULL ^ m.tb[at.B_UNDOABLE * words + w])
        if lasting & m.tb[everything * words + w] & (FULL ^ m.tb[branch * words + w]) != ZERO:
            return True
    return False
