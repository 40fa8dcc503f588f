"""What a team is worth in the wilderness, and what a random body earns in the mine, on few seeds."""

from __future__ import annotations

import pytest

from stratagym.baselines.claims import mining, wilderness


def test_a_team_is_faster_and_loners_gain_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """On one land six need less than 0.45 of the ticks of one, two less than 0.65; loners more than teams."""
    monkeypatch.setattr(wilderness, "TRIALS", 1500)
    found = wilderness.measure((0,))
    assert set(found["reached"].values()) == {1.0}
    assert found["ratio"]["2"].mean < 0.65
    assert found["ratio"]["6"].mean < 0.45
    assert found["apart_ratio"]["6"].mean > found["ratio"]["6"].mean + 0.1
    assert found["apart_ratio"]["2"].mean > found["ratio"]["2"].mean


@pytest.mark.slow
def test_a_team_keeps_what_is_claimed() -> None:
    """On eight lands of training two need at most 0.6 of the ticks of one, six at most 0.4."""
    options = {"size": "large", "split": "train"}
    found = wilderness.measure(wilderness.lands(options, 8), options)
    assert found["ratio"]["2"].mean <= 0.6
    assert found["ratio"]["6"].mean <= 0.4


def test_every_land_is_played_once() -> None:
    """Seeds pick lands, each once; fresh ones are none of those that the family has unless asked."""
    usual = wilderness.named({"size": "small", "split": "validation"}, 5)
    assert len(usual) == len(set(usual.values())) == 5
    more = wilderness.named({"size": "small", "split": "validation", "instances": 400}, 5, tuple(usual))
    assert len(more) == 5
    assert not set(more) & set(usual)


def test_a_random_body_earns_what_is_stated() -> None:
    """Uniform primitive play lands within a third of 0.045 over 2,000 episodes of about 70 steps."""
    earned, steps = mining.returns(200, 2000, mining.VARIANTS["published"])
    assert earned.mean == pytest.approx(0.045, rel=1 / 3)
    assert steps == pytest.approx(70, abs=2)


def test_with_fewer_objects_a_random_body_earns_less() -> None:
    """With one object for every subtask the same play earns less than 0.03: the band is no accident."""
    earned, _ = mining.returns(200, 2000, mining.VARIANTS["published, one object a subtask"])
    assert earned.mean < 0.03
