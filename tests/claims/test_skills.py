"""What skills are worth to a learner, in a minute; and how the figures are made of curves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stratagym.baselines.claims import skills
from stratagym.baselines.claims.skills import Curve, World


def curve(played: tuple[int, ...], values: tuple[float, ...], **more: Any) -> Curve:
    """Return a curve whose three measures are the same."""
    return Curve(played, values, values, values, **more)


@pytest.mark.parametrize(
    ("values", "level", "ticks"),
    [
        ((0.0, 0.5, 1.0, 1.0), 0.5, 1),
        ((0.0, 1.0, 0.0, 0.0), 0.5, None),  # by chance, once
        ((0.0, 0.0, 1.0, 0.9), 0.95, 2),
        ((0.2, 0.2, 0.2, 0.2), 0.2, 0),  # from the start
        ((0.0, 0.1, 0.2, 0.3), 0.5, None),
    ],
)
def test_when_a_level_is_reached(values: tuple[float, ...], level: float, ticks: int | None) -> None:
    """A level counts as reached where the curve stays at it on average."""
    assert skills.reached(curve((0, 1, 2, 3), values), level, "success") == ticks


def test_the_factor_of_a_pair() -> None:
    """It is the ratio of the ticks to mastery; where the flat agent never masters it, a lower bound."""
    over = [curve((0, 100, 200), (0.0, 1.0, 1.0), tested=1.0)]
    slow = [curve((0, 300, 600), (0.0, 1.0, 1.0), tested=0.9)]
    never = [curve((0, 300, 600), (0.0, 0.2, 0.1), tested=0.1)]
    found = skills.compare(slow, over)
    assert found["factor"].mean == 3.0
    assert not found["factor is a lower bound"]
    assert found["success"] == [{"best": 1.0, "flat": 300, "over skills": 100}]
    found = skills.compare(never, over)
    assert found["factor"].mean == 6.0
    assert found["factor is a lower bound"]
    assert "factor" not in skills.compare(slow, never)


def test_skills_are_worth_much_in_a_mine(tmp_path: Path) -> None:
    """After 4,000 ticks over skills most mines end well; a flat agent of four times as many has none."""
    small = {"eval_episodes": 12, "net": [64, 64]}
    world = replace(
        skills.WORLDS["Mining"],
        settings={
            "hppo": {**small, "total_steps": 1_024, "eval_every": 1_024},
            "maskable_ppo": {**small, "total_steps": 16_384, "eval_every": 16_384},
        },
        test_episodes=0,
    )
    over = skills.learn(world, "hppo", 0, tmp_path / "over")
    flat = skills.learn(world, "maskable_ppo", 0, tmp_path / "flat")
    assert over.success[-1] >= 0.75
    assert over.played[-1] < flat.played[-1] / 3
    assert max(flat.success) <= 0.1


def test_skills_are_worth_nothing_at_a_bench(tmp_path: Path) -> None:
    """Where a task is one attempt at what is at hand both methods need about the same."""
    world: World = skills.WORLDS["Bench"]
    settings = {"maskable_ppo": skills.ALIKE, "hppo": skills.ALIKE}
    short = {name: {**part, "total_steps": 1_600} for name, part in settings.items()}
    world = replace(world, settings=short)
    flat, over = (skills.learn(world, method, 0, tmp_path / method) for method in skills.METHODS)
    ticks = [skills.reached(found, skills.MASTERED, "training") for found in (flat, over)]
    assert all(ticks)
    assert 0.5 < ticks[0] / ticks[1] < 2.0  # type: ignore[operator]
