"""SMDP accounting against the sum written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratagym.agents.options import Options

STEPS = st.lists(st.tuples(st.floats(-5, 5), st.integers(0, 6)), max_size=12)


@given(gamma=st.floats(0, 1), steps=STEPS)
def test_a_return_discounts_by_the_ticks_before_each_reward(
    gamma: float, steps: list[tuple[float, int]]
) -> None:
    """The return is the sum of gamma**age * reward, the weight of what follows gamma**elapsed."""
    account = Options(1, gamma)
    account.begin(7)
    age, total = 0, 0.0
    for reward, ticks in steps:
        account.add(reward, ticks)
        total += gamma**age * reward
        age += ticks
    ended = account.end()
    assert int(ended.elapsed[0]) == age
    assert ended.returns[0] == pytest.approx(total)
    assert ended.discount[0] == pytest.approx(gamma**age)
    assert account.began[0] == 7


def test_lanes_are_counted_apart() -> None:
    """Beginning and adding in some lanes leaves the others alone."""
    account = Options(3, 0.5)
    account.begin(np.array([0, 4, 8]))
    account.add(np.array([1.0, 2.0]), np.array([2, 1]), [0, 2])
    account.begin(9, [2])
    ended = account.end()
    assert ended.returns.tolist() == [1.0, 0.0, 0.0]
    assert ended.elapsed.tolist() == [2, 0, 0]


def test_a_discount_out_of_range_is_refused() -> None:
    """Gamma is named with its value."""
    with pytest.raises(ValueError, match=r"gamma=1\.5"):
        Options(1, 1.5)
