"""Bits, and the truth of nodes: how being done spreads through the threshold gates.

Owns set operations on a lane's bit rows and the incremental evaluation of gates:
each gate counts its true literals, so a change costs only what reads it. Knows
nothing of time.

Here and in all modules of the kernel ``m`` is the lane's ``Memory``, ``i`` a subtask,
``a`` an agent, ``v`` a node, ``g`` a gate, ``w`` a word.
"""

from __future__ import annotations

from typing import Any

from stratagym.envs.task import layout as at
from stratagym.envs.task.layout import Bytes, Memory, Word, Words

ZERO, ONE, FULL = 0, 1, 0xFFFFFFFFFFFFFFFF
WORDS = ("ZERO", "ONE", "FULL")
"""Constants that compiled code must take as 64-bit words."""


def u64(x: int) -> Word:
    """Return an integer as a word (compiled code needs the type, Python does not)."""
    return x


def words_of(m: Memory) -> int:
    """Return W (compiled code for up to 64 subtasks and gates takes it as 1)."""
    return m.t[at.T_WORDS]


def word_of(i: int) -> int:
    """Return in which word of its set bit ``i`` lies (as with ``words_of``)."""
    return i >> 6


def row_of(rows: list[Any], k: int) -> Any:
    """Return row ``k`` (compiled code takes a pointer to it)."""
    return rows[k]


def lowest(x: Word) -> int:
    """Return the index of the lowest set bit of a word that is not 0."""
    return (x & -x).bit_length() - 1


def expand(word: Word, out: Bytes, base: int, count: int) -> None:
    """Write the lowest ``count`` bits of a word as numbers 0 and 1 from ``out[base]`` on."""
    for k in range(count):
        out[base + k] = (word >> u64(k)) & ONE


def has_bit(words: Words, base: int, i: int) -> bool:
    """Return whether bit ``i`` of the set that begins at ``base`` is set."""
    return (words[base + word_of(i)] >> u64(i & 63)) & ONE != ZERO


def put_bit(words: Words, base: int, i: int) -> None:
    """Set bit ``i`` of the set that begins at ``base``."""
    words[base + word_of(i)] |= ONE << u64(i & 63)


def drop_bit(words: Words, base: int, i: int) -> None:
    """Clear bit ``i`` of the set that begins at ``base``."""
    words[base + word_of(i)] &= FULL ^ (ONE << u64(i & 63))


def has(m: Memory, row: int, i: int) -> bool:
    """Return whether subtask ``i`` is in a row of the lane."""
    return has_bit(m.sb, row * words_of(m), i)


def put(m: Memory, row: int, i: int) -> None:
    """Add subtask ``i`` to a row of the lane."""
    put_bit(m.sb, row * words_of(m), i)


def drop(m: Memory, row: int, i: int) -> None:
    """Take subtask ``i`` out of a row of the lane."""
    drop_bit(m.sb, row * words_of(m), i)


def among(m: Memory, row: int, i: int) -> bool:
    """Return whether subtask ``i`` is in a row of the task."""
    return has_bit(m.tb, row * words_of(m), i)


def meets(m: Memory, row: int, other: int) -> bool:
    """Return whether a row of the lane and a row of the task share a subtask."""
    words = words_of(m)
    for w in range(words):
        if m.sb[row * words + w] & m.tb[other * words + w] != ZERO:
            return True
    return False


def holds(m: Memory, v: int) -> bool:
    """Return whether a node holds."""
    n = m.t[at.T_WIDE]
    if v < 0:
        return v == -1
    if v < n:
        return has(m, at.DONE, v)
    gate = m.t[at.P_GATES] + (v - n) * at.GATE_SIZE
    return m.s[m.t[at.Q_GATES] + v - n] >= m.t[gate + at.GATE_COUNT]


def push(m: Memory, v: int, up: bool) -> None:
    """Tell everything that reads node ``v`` that it has flipped, ``up`` or down."""
    record = m.t[at.P_NODES] + v * at.NODE_SIZE
    users = m.t[record + at.NODE_USERS]
    for k in range(m.t[record + at.NODE_USER_COUNT]):
        if up:
            put(m, at.MET, m.t[users + k])
        else:
            drop(m, at.MET, m.t[users + k])
    dirty = m.t[at.XB_DIRTY]
    before = dirty + m.t[at.DIRTY_WORDS]
    for k in range(m.t[record + at.NODE_EDGE_COUNT]):
        edge = m.t[record + at.NODE_EDGES] + 2 * k
        g = m.t[edge]
        true = m.t[at.Q_GATES] + g
        if not has_bit(m.xb, dirty, g):
            put_bit(m.xb, dirty, g)
            if m.s[true] >= m.t[m.t[at.P_GATES] + g * at.GATE_SIZE + at.GATE_COUNT]:
                put_bit(m.xb, before, g)
            else:
                drop_bit(m.xb, before, g)
        if up:
            m.s[true] += m.t[edge + 1]
        else:
            m.s[true] -= m.t[edge + 1]


def flip(m: Memory, i: int, up: bool) -> None:
    """Spread that subtask ``i`` went done (or undone); gates in their order, each at most once."""
    push(m, i, up)
    n = m.t[at.T_WIDE]
    dirty = m.t[at.XB_DIRTY]
    before = dirty + m.t[at.DIRTY_WORDS]
    for w in range(m.t[at.DIRTY_WORDS]):
        while m.xb[dirty + w] != ZERO:
            g = (w << 6) + lowest(m.xb[dirty + w])
            drop_bit(m.xb, dirty, g)
            now = holds(m, n + g)
            if now != has_bit(m.xb, before, g):
                push(m, n + g, now)


def note(m: Memory, i: int) -> None:
    """Have formulas look again if they read something of subtask ``i``, which has changed."""
    if among(m, at.B_READ, i):
        m.s[at.LETTERS_STILL] = 0
        m.s[at.BAN] = m.s[at.CLOCK]


def group_done(m: Memory, i: int) -> bool:
    """Return whether any subtask of the pay group of ``i`` is done."""
    group = m.t[at.HEADS + i * at.COLUMNS + at.GROUP]
    if group < 0:
        return has(m, at.DONE, i)
    return meets(m, at.DONE, group)


def set_done(m: Memory, i: int) -> None:
    """Make subtask ``i`` done."""
    if has(m, at.DONE, i):
        return
    if not group_done(m, i):
        m.s[at.DONE_WORK] += m.t[at.HEADS + i * at.COLUMNS + at.WORK]
    put(m, at.DONE, i)
    note(m, i)
    if among(m, at.B_FINAL, i):
        m.s[at.HURT] = 1
    flip(m, i, True)


def clear_done(m: Memory, i: int) -> None:
    """Take it back that subtask ``i`` is done."""
    drop(m, at.DONE, i)
    m.s[at.JUDGE] = m.s[at.CLOCK]
    note(m, i)
    if not group_done(m, i):
        m.s[at.DONE_WORK] -= m.t[at.HEADS + i * at.COLUMNS + at.WORK]
    flip(m, i, False)
    m.s[at.HURT] = 1
    if among(m, at.B_CHOSEN, i):
        open_branches(m)


def branch_open(m: Memory, everything: int, branch: int) -> bool:
    """Return whether a branch contains every subtask of its choice that is running or done."""
    words = words_of(m)
    for w in range(words):
        active = m.sb[at.RUNNING * words + w] | m.sb[at.DONE * words + w]
        outside = m.tb[everything * words + w] & (FULL ^ m.tb[branch * words + w])
        if active & outside != ZERO:
            return False
    return True


def open_branches(m: Memory) -> None:
    """Work out which subtasks no choice forbids: those in an open branch of each of their choices."""
    words = words_of(m)
    for w in range(words):
        allowed = FULL
        for c in range(m.t[at.T_CHOICES]):
            record = m.t[at.P_CHOICES] + c * at.CH_SIZE
            everything = m.t[record + at.CH_ALL]
            inside = FULL ^ m.tb[everything * words + w]
            for k in range(m.t[record + at.CH_COUNT]):
                branch = m.t[record + at.CH_BRANCH] + k
                if branch_open(m, everything, branch):
                    inside |= m.tb[branch * words + w]
            allowed &= inside
        m.sb[at.OPEN * words + w] = allowed
    m.s[at.STALE] = 1
