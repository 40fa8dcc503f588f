"""LTLf automata inside a lane: reading letters, and the look-ahead that the mask needs.

Owns how formulas move and when a start would be fatal. The automata themselves are
made by ``ltlf``.
"""

from __future__ import annotations

from stratagym.envs.task import layout as at
from stratagym.envs.task.layout import Memory
from stratagym.envs.task.nodes import (
    ONE,
    ZERO,
    among,
    drop,
    flip,
    has,
    holds,
    lowest,
    meets,
    put,
    put_bit,
    words_of,
)

UNCERTAIN_MOST = 16
"""How many runs with an open outcome that end at one tick are combined exactly in the
look-ahead of one formula; further ones are taken as succeeding."""


def dfa(m: Memory, c: int) -> int:
    """Return the position of the record of formula ``c``."""
    return m.t[at.P_DFA] + c * at.DFA_SIZE


def risky(m: Memory, c: int) -> bool:
    """Return whether some letter read in the present state of formula ``c`` is fatal."""
    return m.t[m.t[dfa(m, c) + at.DFA_RISK] + m.s[m.t[at.Q_AUTOMATA] + c]] != 0


def accepts(m: Memory, c: int) -> bool:
    """Return whether formula ``c`` is satisfied by what has been read so far."""
    return m.t[m.t[dfa(m, c) + at.DFA_ACCEPT] + m.s[m.t[at.Q_AUTOMATA] + c]] != 0


def letter_of(m: Memory, c: int) -> int:
    """Return the letter of formula ``c`` on the present state."""
    record = dfa(m, c)
    letter = 0
    for k in range(m.t[record + at.DFA_ATOM_COUNT]):
        atom = m.t[record + at.DFA_ATOMS] + 2 * k
        kind = m.t[atom]
        if kind == at.ATOM_DONE:
            true = holds(m, m.t[atom + 1])
        elif kind == at.ATOM_RUNNING:
            true = meets(m, at.RUNNING, m.t[atom + 1])
        else:
            true = meets(m, at.STARTED, m.t[atom + 1])
        if true:
            letter |= 1 << k
    return letter


def after(m: Memory, c: int, q: int, letter: int) -> int:
    """Return the state of formula ``c`` after reading a letter in state ``q``."""
    record = dfa(m, c)
    return m.t[m.t[record + at.DFA_TABLE] + (q << m.t[record + at.DFA_ATOM_COUNT]) + letter]


def read_letters(m: Memory) -> None:
    """Let every automaton read one letter."""
    if m.s[at.LETTERS_STILL] != 0:
        return
    still = 1
    for c in range(m.t[at.T_CONSTRAINTS]):
        before = m.s[m.t[at.Q_AUTOMATA] + c]
        letter = letter_of(m, c)
        q = after(m, c, before, letter)
        if q != before:
            m.s[m.t[at.Q_AUTOMATA] + c] = q
            m.s[at.STALE] = 1
            m.s[at.BAN] = m.s[at.CLOCK]
            if m.t[m.t[dfa(m, c) + at.DFA_DEAD] + q] != 0:
                m.s[at.DOOMED] = 1
                m.s[at.HURT] = 1
        # The next letter, if nothing happens: this one without the starts.
        quiet = letter & ~m.t[dfa(m, c) + at.DFA_STARTED]
        if after(m, c, q, quiet) != q:
            still = 0
    words = words_of(m)
    for w in range(words):
        if m.sb[at.STARTED * words + w] != ZERO:
            # What was forbidden beside these starts may be allowed now.
            m.s[at.STALE] = 1
            m.s[at.BAN] = m.s[at.CLOCK]
            m.sb[at.STARTED * words + w] = ZERO
    m.s[at.LETTERS_STILL] = still


def fatal(m: Memory, c: int, i: int) -> bool:
    """Return whether formula ``c`` could never accept again after the next tick if ``i`` started now.

    ``i = -1`` asks about no start. Each run that ends at that tick fails if it would be
    late or cannot succeed, succeeds if it must, and else both are counted; so are both
    endings of a drawn duration of ``i``. The lane is changed on the way and put back.
    """
    if not risky(m, c):
        return False
    ends = 0
    if i >= 0:
        ends = ends_at_once(m, i)
        put(m, at.RUNNING, i)
        put(m, at.STARTED, i)
    hopeless = True
    if ends != 1:
        hopeless = hopeless_endings(m, c, i, False)
    if hopeless and ends != 0:
        hopeless = hopeless_endings(m, c, i, True)
    if i >= 0:
        drop(m, at.RUNNING, i)
        drop(m, at.STARTED, i)
    return hopeless


def ends_at_once(m: Memory, i: int) -> int:
    """Return whether a run started now ends at the next tick: 0 never, 1 surely, 2 perhaps."""
    d = m.s[at.S_HEADS + i * at.S_COLUMNS + at.DURATION]
    kind = m.t[d + at.DUR_KIND]
    if m.t[d + at.DUR_SHORTEST] > 1:
        return 0
    if kind == at.DUR_FIXED:
        return 1
    if kind == at.DUR_UNIFORM:
        return 1 if m.t[d + at.DUR_B] == 1 else 2
    if kind == at.DUR_CHOICE:
        for k in range(m.t[d + at.DUR_B]):
            if m.t[m.t[d + at.DUR_A] + k] != 1:
                return 2
        return 1
    return 2  # the world may report at once


def outcome(m: Memory, i: int, tick: int) -> int:
    """Return how a run that ends at ``tick`` ends: 0 fails, 1 succeeds, 2 either."""
    row = at.HEADS + i * at.COLUMNS
    if tick > m.s[at.S_HEADS + i * at.S_COLUMNS + at.DEADLINE]:
        return 0
    if m.t[row + at.CHANCE_HIGH] >= 65536:
        return 1
    if m.t[row + at.CHANCE_HIGH] == 0 and m.t[row + at.CHANCE_LOW] == 0:
        return 0
    return 2


def ends_next(m: Memory, i: int, start: int, ended: bool) -> bool:
    """Return whether the run of ``i`` ends at the next tick, where ``start`` would (or would not) have."""
    if i == start:
        return ended
    return m.s[at.S_HEADS + i * at.S_COLUMNS + at.END] == m.s[at.CLOCK] + 1


def hopeless_endings(m: Memory, c: int, start: int, ended: bool) -> bool:
    """Return whether every combination of outcomes at the next tick leaves formula ``c`` dead."""
    record = dfa(m, c)
    involved = m.t[record + at.DFA_INVOLVED]
    tick = m.s[at.CLOCK] + 1
    words = words_of(m)
    uncertain = 0
    anything = False
    for w in range(words):
        run = m.sb[at.RUNNING * words + w] & m.tb[involved * words + w]
        while run != ZERO:
            i = (w << 6) + lowest(run)
            run &= run - ONE
            if ends_next(m, i, start, ended):
                anything = True
                if outcome(m, i, tick) == 2:
                    uncertain = min(uncertain + 1, UNCERTAIN_MOST)
    dead = m.t[record + at.DFA_DEAD]
    q = m.s[m.t[at.Q_AUTOMATA] + c]
    if not anything:
        return m.t[dead + after(m, c, q, letter_of(m, c))] != 0
    for combination in range(1 << uncertain):
        end_runs(m, involved, start, ended, combination, uncertain)
        letter = letter_of(m, c)
        resume_runs(m)
        if m.t[dead + after(m, c, q, letter)] == 0:
            return False
    return True


def end_runs(m: Memory, involved: int, start: int, ended: bool, combination: int, uncertain: int) -> None:
    """End what ends at the next tick, the k-th open outcome as bit k says; the marks keep what changed."""
    tick = m.s[at.CLOCK] + 1
    words = words_of(m)
    k = 0
    for w in range(words):
        m.xb[at.MARK_A * words + w] = ZERO
        m.xb[at.MARK_B * words + w] = ZERO
    for w in range(words):
        run = m.sb[at.RUNNING * words + w]
        while run != ZERO:
            i = (w << 6) + lowest(run)
            run &= run - ONE
            if not ends_next(m, i, start, ended):
                continue
            drop(m, at.RUNNING, i)
            put_bit(m.xb, at.MARK_A * words, i)
            how = outcome(m, i, tick)
            if how == 2:
                how = 1
                if k < uncertain and among(m, involved, i):
                    how = (combination >> k) & 1
                    k += 1
            if how == 1 and not has(m, at.DONE, i):
                put(m, at.DONE, i)
                put_bit(m.xb, at.MARK_B * words, i)
                flip(m, i, True)


def resume_runs(m: Memory) -> None:
    """Put back what ``end_runs`` changed."""
    words = words_of(m)
    for w in range(words):
        m.sb[at.RUNNING * words + w] |= m.xb[at.MARK_A * words + w]
        back = m.xb[at.MARK_B * words + w]
        while back != ZERO:
            i = (w << 6) + lowest(back)
            back &= back - ONE
            drop(m, at.DONE, i)
            flip(m, i, False)
