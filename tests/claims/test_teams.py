"""What a team is worth in the wilderness, and what a random body earns in the mine, on few seeds."""

from __future__ import annotations

import pytest

from stratagym.baselines.claims import mining, wilderness


def test_a_team_is_faster_and_loners_gain_less() -> None:
    """On two lands six need less than half the ticks of one, two less than 0.7; loners more than teams."""
    found = wilderness.measure((0, 3))
    assert set(found["reached"].values()) == {1.0}
    assert found["ratio"]["2"].mean < 0.7
    assert found["ratio"]["6"].mean < 0.5
    assert found["ratio"]["6"].mean < found["ratio"]["2"].mean
    assert found["apart_ratio"]["6"].mean > found["ratio"]["6"].mean + 0.1
    assert found["apart_ratio"]["2"].mean > found["ratio"]["2"].mean


def test_a_random_body_earns_what_is_stated() -> None:
    """Uniform primitive play lands within a third of 0.045 over 2,000 episodes of about 70 steps."""
    earned, steps = mining.returns(200, 2000, mining.VARIANTS["published"])
    assert earned.mean == pytest.approx(0.045, rel=1 / 3)
    assert steps == pytest.approx(70, abs=2)


def test_with_fewer_objects_a_random_body_earns_less() -> None:
    """With one object for every subtask the same play earns less than 0.03: the band is no accident."""
    earned, _ = mining.returns(200, 2000, mining.VARIANTS["published, one object a subtask"])
    assert earned.mean < 0.03
