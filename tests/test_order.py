"""Paired differences between agents are what hand-made rows say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stratagym.baselines.order import differences, main


def row(agent: str, episode: int, value: float, task: str = "t") -> dict[str, object]:
    """Return the fields that the comparison reads."""
    return {"env": "e", "agent": agent, "episode": episode, "value": value, "task": f"{task}{episode}"}


def test_a_constant_gap_has_an_interval_of_one_point() -> None:
    """If the second is ahead by the same on every instance, so is every resample."""
    rows = [row(a, k, v + 0.1 * k) for a, v in (("x", 0.0), ("y", 0.25)) for k in range(6)]
    found = differences(rows, ["x", "y"])["e"]["y - x"]
    assert found == pytest.approx((0.25, 0.25, 0.25))


def test_noise_does_not_separate() -> None:
    """Differences of both signs give an interval around 0."""
    rows = [row("x", k, 0.0) for k in range(10)] + [row("y", k, (-1.0) ** k) for k in range(10)]
    found = differences(rows, ["x", "y"])["e"]["y - x"]
    assert found.low < 0 < found.high


def test_other_episodes_are_refused() -> None:
    """Agents that did not play the same episodes are not compared."""
    with pytest.raises(ValueError, match="did not play the same episodes"):
        differences([row("x", 0, 1.0), row("y", 1, 1.0)], ["x", "y"])


def test_the_command_reads_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints JSON, and one line with exit code 2 for an agent that is not there."""
    path = tmp_path / "results.jsonl"
    path.write_text("\n".join(json.dumps(row(a, k, 1.0)) for a in "xy" for k in range(3)))
    assert main([str(path), "x", "y"]) == 0
    assert json.loads(capsys.readouterr().out)["e"]["y - x"]["mean"] == 0.0
    assert main([str(path), "x", "z"]) == 2
    assert "no rows of 'z'" in capsys.readouterr().err
