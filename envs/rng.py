"""Counter-based random draws: an outcome depends on its name, never on the order of calls.

Owns the generator, the episode seeds and the turning of bits into draws. Every
function is a pure function of 64-bit words that the interpreter and numba
run alike; golden values in ``tests/test_rng.py`` pin them.

The generator is the finaliser of SplitMix64 (Steele, Lea and Flood, 2014),
applied to each part of the key in turn::

    scramble(x): x ^= x >> 30; x *= 0xBF58476D1CE4E5B9
                 x ^= x >> 27; x *= 0x94D049BB133111EB; x ^= x >> 31
    h = scramble(seed + G);  h = scramble(h ^ (part + G))  for kind, subtask, attempt

with ``G = 0x9E3779B97F4A7C15`` and all arithmetic modulo 2**64. A draw uses the
upper 32 bits: ``u = bits / 2**32``. So ``floor(u * k)`` is ``bits * k >> 32``
exactly, and ``u < p`` is ``bits < ceil(p * 2**32)``.
"""

from __future__ import annotations

import math

Word = int
"""An unsigned 64-bit integer."""
DURATION, SUCCESS, EVENT, ORDER, INSTANCE, WORLD = 0, 1, 2, 3, 4, 5
"""Kinds of draws. The page names the first three; ``ORDER`` shuffles the subtasks
under ``knowledge="none"``, ``INSTANCE`` picks the task of a family. ``WORLD`` is a world's
own: a number that the world gives to what it draws for (a thing, an event of the place)
stands in place of the subtask, and the tick (0 for what is drawn at reset) in place of the
attempt, so that it is the same however the clock is cut into steps."""

G, A, B = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
WORD = 0xFFFFFFFFFFFFFFFF
S27, S30, S31, S32 = 27, 30, 31, 32
WORDS = ("G", "A", "B", "WORD", "S27", "S30", "S31", "S32")
"""Constants that compiled code must take as 64-bit words."""


def scramble(x: Word) -> Word:
    """Return the word ``x`` with its bits well mixed; a bijection."""
    x = x ^ (x >> S30)
    x = (x * A) & WORD
    x = x ^ (x >> S27)
    x = (x * B) & WORD
    return x ^ (x >> S31)


def bits32(seed: Word, kind: Word, subtask: Word, attempt: Word) -> Word:
    """Return 32 random bits (as a word) for one named draw; all arguments are words."""
    h = scramble((seed + G) & WORD)
    h = scramble(h ^ ((kind + G) & WORD))
    h = scramble(h ^ ((subtask + G) & WORD))
    h = scramble(h ^ ((attempt + G) & WORD))
    return h >> S32


def mixed(seed: Word, k: Word) -> Word:
    """Return the seed (a word) of the k-th episode (k >= 1, a word) after a reset with ``seed``."""
    return scramble(scramble((seed + G) & WORD) ^ ((k * G) & WORD))


def draw(seed: int, kind: int, subtask: int, attempt: int) -> int:
    """Return the same 32 bits as ``bits32`` for plain Python integers."""
    return int(bits32(seed & WORD, kind, subtask, attempt))


def draw_below(bound: int, seed: int, kind: int, subtask: int, attempt: int) -> int:
    """Return ``floor(u * bound)`` for one named draw, ``0 <= result < bound``."""
    return draw(seed, kind, subtask, attempt) * bound >> 32


def threshold(p: float) -> int:
    """Return the integer t such that ``u < p`` exactly if the draw's 32 bits are below t."""
    return math.ceil(p * 2**32)


def mix(seed: int, k: int) -> int:
    """Return the seed of the k-th episode after ``reset(seed=seed)``; ``mix(seed, 0) == seed``.

    Args:
        seed: any integer; it is taken modulo 2**64.
        k: how many episodes have ended since that reset.

    Returns:
        An unsigned 64-bit integer.
    """
    return int(mixed(seed & WORD, k)) if k else seed & WORD


def permutation(seed: int, count: int) -> list[int]:
    """Return an order of ``count`` things drawn by the seed (Fisher-Yates from the end)."""
    order = list(range(count))
    for i in range(count - 1, 0, -1):
        j = draw_below(i + 1, seed, ORDER, i, 1)
        order[i], order[j] = order[j], order[i]
    return order
