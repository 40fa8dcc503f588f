"""Accounting of options: a semi-Markov decision process (SMDP) over any number of lanes.

Owns when an option began, how many ticks it took and what it returned, discounted by the
ticks that passed (Sutton, Precup and Singh, 1999). It chooses nothing and knows neither
skills nor environments: environments made of skills, learners and traces all count by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

Ints = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]
Lanes = Sequence[int] | Ints | slice


class Ended(NamedTuple):
    """What ended options come to, one entry a lane.

    Attributes:
        elapsed: ``[k]`` int64 ticks.
        returns: ``[k]`` float64 ``sum gamma**age * reward``, ``age`` being the ticks between the
            option's start and the step that paid.
        discount: ``[k]`` float64 ``gamma**elapsed``, the weight of what comes after it.
    """

    elapsed: Ints
    returns: Floats
    discount: Floats


class Options:
    """One running option in each lane.

    Args:
        lanes: how many.
        gamma: discount of one tick, in 0..1.

    Raises:
        ValueError: if ``gamma`` is not in 0..1.
    """

    def __init__(self, lanes: int = 1, gamma: float = 1.0) -> None:
        if not 0.0 <= gamma <= 1.0:
            raise ValueError(f"gamma={gamma} is not in 0..1")
        self.gamma = gamma
        self.began: Ints = np.zeros(lanes, np.int64)
        self.elapsed: Ints = np.zeros(lanes, np.int64)
        self.returns: Floats = np.zeros(lanes)

    def begin(self, time: int | Ints, lanes: Lanes = slice(None)) -> None:
        """Begin an option in each of the lanes at its tick."""
        self.began[lanes] = time
        self.elapsed[lanes] = 0
        self.returns[lanes] = 0.0

    def add(self, rewards: float | Floats, ticks: int | Ints, lanes: Lanes = slice(None)) -> None:
        """Count one step of each of the lanes: what it paid and the ticks that it took."""
        self.returns[lanes] += self.gamma ** self.elapsed[lanes] * rewards
        self.elapsed[lanes] += ticks

    def end(self, lanes: Lanes = slice(None)) -> Ended:
        """Return what the options of the lanes have come to."""
        elapsed = self.elapsed[lanes].copy()
        return Ended(elapsed, self.returns[lanes].copy(), np.asarray(self.gamma**elapsed, np.float64))
