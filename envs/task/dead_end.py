"""Dead ends: a relaxation that can prove that the goal is out of reach.

Time, capacity and what is used up in common are ignored: a node can come to hold if
enough of its literals can. So a task that can still be won is never called dead.
"""

from __future__ import annotations

from stratagym.envs.task import layout as at
from stratagym.envs.task.layout import Memory
from stratagym.envs.task.nodes import FULL, ZERO, among, has, words_of
from stratagym.envs.task.starts import able


def judge_dead_end(m: Memory) -> None:
    """Say in the lane whether the goal is proved to be out of reach."""
    m.s[at.HURT] = 0
    if m.t[at.T_GOAL] == at.NO_GOAL:
        return
    if m.s[at.DOOMED] != 0:
        m.s[at.DEAD_END] = 1
        return
    n = m.t[at.T_WIDE]
    gates = m.t[at.T_GATES]
    can = m.t[at.X_CAN]
    cannot = can + n + gates
    for i in range(n):
        done = has(m, at.DONE, i)
        m.x[can + i] = 1 if done or has(m, at.RUNNING, i) else 0
        m.x[cannot + i] = 1 if not done or among(m, at.B_UNDOABLE, i) else 0
    for g in range(gates):
        true = m.t[m.t[at.P_GATES] + g * at.GATE_SIZE + at.GATE_TRUE]
        m.x[m.t[at.X_SUM] + g] = true
        m.x[m.t[at.X_SUM] + gates + g] = true
        m.x[can + n + g] = 0
        m.x[cannot + n + g] = 0
    for v in range(n + gates):
        count_literals(m, v, m.x[can + v] != 0, m.x[cannot + v] != 0)
    # What is possible only grows, so one pass is mostly enough for a live task.
    while spread(m, can, cannot) and not node_can(m, m.t[at.T_GOAL]):
        pass
    m.s[at.DEAD_END] = 0 if node_can(m, m.t[at.T_GOAL]) else 1


def node_can(m: Memory, v: int) -> bool:
    """Return whether a node can come to hold."""
    if v < 0:
        return v == -1
    return m.x[m.t[at.X_CAN] + v] != 0


def count_literals(m: Memory, v: int, up: bool, down: bool) -> None:
    """Put what node ``v`` can come to (hold, fail) into the sums of the gates that read it.

    The sums, the most and the fewest literals of a gate that can hold, begin with the
    literals that are true at reset.
    """
    most = m.t[at.X_SUM]
    fewest = most + m.t[at.T_GATES]
    n = m.t[at.T_WIDE]
    base = False
    if v >= n:
        gate = m.t[at.P_GATES] + (v - n) * at.GATE_SIZE
        base = m.t[gate + at.GATE_TRUE] >= m.t[gate + at.GATE_COUNT]
    record = m.t[at.P_NODES] + v * at.NODE_SIZE
    for k in range(m.t[record + at.NODE_EDGE_COUNT]):
        edge = m.t[record + at.NODE_EDGES] + 2 * k
        g = m.t[edge]
        sign = m.t[edge + 1]
        # With a plus sign more truth raises the sums, with a minus sign it lowers them.
        rising = most if sign > 0 else fewest
        falling = fewest if sign > 0 else most
        if base:
            if down:
                m.x[falling + g] -= sign
            if not up:
                m.x[rising + g] -= sign
        else:
            if up:
                m.x[rising + g] += sign
            if not down:
                m.x[falling + g] += sign


def widen(m: Memory, v: int, up: bool, down: bool) -> None:
    """Correct the sums for node ``v``, which can now come to hold (``up``) or to fail (``down``) as well."""
    most = m.t[at.X_SUM]
    fewest = most + m.t[at.T_GATES]
    record = m.t[at.P_NODES] + v * at.NODE_SIZE
    for k in range(m.t[record + at.NODE_EDGE_COUNT]):
        edge = m.t[record + at.NODE_EDGES] + 2 * k
        g = m.t[edge]
        sign = m.t[edge + 1]
        if up:
            m.x[(most if sign > 0 else fewest) + g] += sign
        if down:
            m.x[(fewest if sign > 0 else most) + g] -= sign


def spread(m: Memory, can: int, cannot: int) -> bool:
    """Work out once, in order of dependency, what else can come about. Returns whether anything did."""
    n = m.t[at.T_WIDE]
    gates = m.t[at.T_GATES]
    most = m.t[at.X_SUM]
    fewest = most + gates
    changed = False
    for k in range(m.t[at.T_SUBTASKS] + gates):
        v = m.t[m.t[at.P_ORDER] + k]
        up = False
        down = False
        if v >= n:
            count = m.t[m.t[at.P_GATES] + (v - n) * at.GATE_SIZE + at.GATE_COUNT]
            up = m.x[can + v] == 0 and m.x[most + v - n] >= count
            down = m.x[cannot + v] == 0 and m.x[fewest + v - n] < count
        elif m.x[can + v] == 0:
            up = could_be_done(m, v)
        if up:
            m.x[can + v] = 1
        if down:
            m.x[cannot + v] = 1
        if up or down:
            widen(m, v, up, down)
            changed = True
    return changed


def could_be_done(m: Memory, i: int) -> bool:
    """Return whether ``i`` could be started at some time, everything that can be ignored ignored."""
    row = at.HEADS + i * at.COLUMNS
    if has(m, at.SPENT, i) or not node_can(m, m.t[row + at.NEEDS]):
        return False
    if has(m, at.CLOSED, i) and m.t[at.T_MOVING] == 0:
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
    skilled = 0
    for a in range(m.t[at.T_AGENTS]):
        if able(m, a, i):
            skilled += 1
    if skilled < m.t[row + at.AGENTS]:
        return False
    return not among(m, at.B_CHOSEN, i) or choice_can(m, i)


def lag_can(m: Memory, lag: int) -> bool:
    """Return whether some predecessor of a lag is, or can come to be, done or started."""
    for k in range(m.t[lag + at.LAG_PRED_COUNT]):
        p = m.t[m.t[lag + at.LAG_PREDS] + k]
        if m.x[m.t[at.X_CAN] + p] != 0:
            return True
        started = m.s[at.S_HEADS + p * at.S_COLUMNS + at.START] >= 0
        if m.t[lag + at.LAG_ORIGIN] == at.FROM_START and started:
            return True
    return False


def item_comes(m: Memory, level: int) -> bool:
    """Return whether anything that can still happen brings more of an item."""
    for j in range(m.t[at.T_SUBTASKS]):
        row = at.HEADS + j * at.COLUMNS
        if m.x[m.t[at.X_CAN] + j] == 0:
            continue
        # Done for good, a subtask that is not repeatable makes no more.
        over = has(m, at.DONE, j) and not among(m, at.B_REPEATABLE, j)
        if over and not among(m, at.B_UNDOABLE, j) and not has(m, at.RUNNING, j):
            continue
        for k in range(m.t[row + at.MAKE_COUNT]):
            if m.t[m.t[row + at.MAKES] + 2 * k] == level:
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
