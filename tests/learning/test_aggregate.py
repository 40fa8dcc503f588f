"""Figures over runs and tasks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratagym.baselines import aggregate


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=5), st.integers(1, 3))
def test_iqm_is_the_mean_of_the_middle_half(values: list[float], times: int) -> None:
    """Of 4k scores the middle 2k are averaged; repeating every score four times makes that exact."""
    scores = np.repeat(np.array(values), 4 * times)
    ordered = np.sort(scores)
    quarter = len(scores) // 4
    assert aggregate.iqm(np.array(values)) == pytest.approx(ordered[quarter:-quarter].mean(), abs=1e-9)


def test_improvement_counts_pairs() -> None:
    """Every run of one meets every run of the other on each task; ties count half."""
    first = np.array([[1.0, 0.0], [2.0, 0.0]])
    second = np.array([[1.0, 1.0], [0.0, 0.0]])
    assert aggregate.improvement(first, second) == pytest.approx(
        (0.5 + 1 + 1 + 1) / 8 + (0 + 0.5 + 0 + 0.5) / 8
    )
    assert aggregate.improvement(first, second) + aggregate.improvement(second, first) == pytest.approx(1.0)


def test_intervals_cover_the_figure() -> None:
    """An interval holds its figure, is narrow for like runs, and needs two runs."""
    rng = np.random.default_rng(0)
    scores = rng.normal(0.5, 0.1, size=(10, 4))
    found = aggregate.bootstrap(aggregate.iqm, scores)
    assert found.low is not None
    assert found.high is not None
    assert found.low < aggregate.iqm(scores) < found.high
    assert found.high - found.low < 0.2
    assert aggregate.bootstrap(aggregate.iqm, scores[:1]).low is None
