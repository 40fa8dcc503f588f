"""Counter-based random draws: an outcome depends on its name, never on the order of calls.

Owns the generator, the episode seeds and the turning of bits into draws. Every
function is a pure function of 64-bit integers that the interpreter and numba
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
from typing import Any

import numpy as np

DURATION, SUCCESS, EVENT, ORDER, INSTANCE = 0, 1, 2, 3, 4
"""Kinds of draws. The page names the first three; ``ORDER`` shuffles the subtasks
under ``knowledge="none"``, ``INSTANCE`` picks the task of a family."""

_G = np.uint64(0x9E3779B97F4A7C15)
_A = np.uint64(0xBF58476D1CE4E5B9)
_B = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S32 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(32)
_MASK = (1 << 64) - 1


def scramble(x: Any) -> Any:
    """Return ``x`` (uint64) with its bits well mixed; a bijection."""
    x = x ^ (x >> _S30)
    x = x * _A
    x = x ^ (x >> _S27)
    x = x * _B
    return x ^ (x >> _S31)


def bits32(seed: Any, kind: Any, subtask: Any, attempt: Any) -> Any:
    """Return 32 random bits (as uint64) for one named draw; all arguments uint64."""
    h = scramble(seed + _G)
    h = scramble(h ^ (kind + _G))
    h = scramble(h ^ (subtask + _G))
    h = scramble(h ^ (attempt + _G))
    return h >> _S32


def draw(seed: int, kind: int, subtask: int, attempt: int) -> int:
    """Return the same 32 bits as ``bits32`` for plain Python integers."""
    with np.errstate(over="ignore"):
        return int(
            bits32(np.uint64(seed & _MASK), np.uint64(kind), np.uint64(subtask), np.uint64(attempt))
        )


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
    if k == 0:
        return seed & _MASK
    with np.errstate(over="ignore"):
        return int(scramble(scramble(np.uint64(seed & _MASK) + _G) ^ (np.uint64(k & _MASK) * _G)))


def permutation(seed: int, count: int) -> list[int]:
    """Return an order of ``count`` things drawn by the seed (Fisher-Yates from the end)."""
    order = list(range(count))
    for i in range(count - 1, 0, -1):
        j = draw_below(i + 1, seed, ORDER, i, 1)
        order[i], order[j] = order[j], order[i]
    return order
