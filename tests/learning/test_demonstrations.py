"""Demonstrations: played by agents with their skills, or replayed from records just as they went."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stratagym.agents.zoo import make_agent
from stratagym.baselines import train
from stratagym.baselines.cli import run
from stratagym.baselines.evaluate import evaluate
from stratagym.baselines.learning import demonstrations
from stratagym.baselines.suites import InputError, parse_environment
from training_settings import SETTINGS

KITCHEN = "stratagym/Kitchen-v0:size=small"
COOKING = "stratagym/Cooking-v0:size=small"


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with records of two dinners that were cooked tick by tick."""
    out = tmp_path_factory.mktemp("records")
    evaluate([KITCHEN], ["critical_path"], 2, out=out, clock="tick", record=True)
    for path in (out / "episodes").glob("*random*"):
        path.unlink()
    return out / "episodes"


HOUSE, WAREHOUSE = "stratagym/House-v0:size=small", "stratagym/Warehouse-v0:size=small"


@pytest.mark.parametrize("env", [KITCHEN, HOUSE, WAREHOUSE])
def test_planners_demonstrate_with_their_skills(env: str) -> None:
    """In a world what a planner does is the bodies' own actions; it succeeds as in an evaluation."""
    made = parse_environment(env).make()
    demos = demonstrations.collect(made, make_agent("critical_path"), range(2))
    played = evaluate([env], ["critical_path"], 2)
    expected = [row["success"] for row in played.rows if row["agent"] == "critical_path"]
    assert list(demos.success) == expected
    assert all(expected)
    rows, agents = demos.masks.reshape(len(demos), demos.actions.shape[1], -1), demos.actions.shape[1]
    assert all(rows[np.arange(len(demos)), a, demos.actions[:, a]].all() for a in range(agents))


def test_records_are_played_again_under_their_clock(records: Path, tmp_path: Path, capsys: Any) -> None:
    """The command takes the clock of the records; another one is refused."""
    out = tmp_path / "demos.npz"
    assert run(["demos", KITCHEN, "--records", str(records), "--out", str(out)]) == 0
    assert "100% successful" in capsys.readouterr().out
    assert demonstrations.load(out).success.tolist() == [True, True]
    given = ["demos", KITCHEN, "--records", str(records), "--out", str(tmp_path / "x.npz")]
    assert run([*given, "--clock", "decision"]) == 2
    assert "recorded with clock='tick', not 'decision'" in capsys.readouterr().err
    assert not (tmp_path / "x.npz").exists()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"success": true, "return"', '"success": false, "return"', "goes another way here: recorded"),
        ('"actions": ["', '"actions": ["never-', "there is no 'never-"),
        ('"clock": "tick"', '"clock": "event"', "clock='event'"),
        ('"seed": 0', '"seed": 1', "another task than its seed has here"),
    ],
)
def test_a_record_that_goes_another_way_is_refused(
    records: Path, tmp_path: Path, old: str, new: str, words: str
) -> None:
    """What comes out is compared with what was recorded."""
    text = sorted(records.iterdir())[0].read_text()
    assert old in text
    head, found, tail = text.rpartition(old) if "success" in old else text.partition(old)
    path = tmp_path / "episode.jsonl"
    path.write_text(head + new + tail)
    assert found
    with pytest.raises(InputError, match=words):
        demonstrations.from_records(parse_environment(KITCHEN).make(clock="tick"), [path])


def test_vectors_are_no_demonstrations() -> None:
    """Where actions are vectors nothing is collected."""
    made = parse_environment("stratagym/CableRouting-v0:size=small").make()
    with pytest.raises(InputError, match="numbered actions, but here they are vectors"):
        demonstrations.collect(made, make_agent("tours"), range(1))


def test_demonstrations_of_another_environment_are_refused(tmp_path: Path) -> None:
    """A clone cannot learn from what does not fit its policy; nothing is left behind."""
    made = parse_environment(COOKING).make()
    demonstrations.save(tmp_path / "demos.npz", demonstrations.collect(made, make_agent("greedy"), range(1)))
    changes = {**SETTINGS["bc"], "teacher": str(tmp_path / "demos.npz")}
    with pytest.raises(InputError, match=r"demos\.npz: demonstrations of another environment"):
        train.train("bc", "stratagym/JobShop-v0:size=small", tmp_path / "run", changes=changes)
    assert not (tmp_path / "run").exists()
