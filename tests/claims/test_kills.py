"""Work that is killed ends as work that was not; and the comparison that says so sees what it must."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from stratagym.baselines.claims import kills

HPPO = (
    "train", "hppo", "stratagym/Mining-v0:size=small", "--total-steps", "512", "--lanes", "4",
    "--test-episodes", "3", "--set", "n_steps=32", "--set", "batch_size=64", "--set", "net=[32]",
    "--set", "save_every=128", "--set", "eval_every=256", "--set", "eval_episodes=4",
)  # fmt: skip


def test_a_run_over_skills_survives_three_kills(tmp_path: Path) -> None:
    """Killed three times, a learned planner over skills has the weights and rows of one that was not."""
    found = kills.prove(HPPO, 3, tmp_path)
    assert found.different == ()
    assert found.orphans == 0
    assert found.kills == 3
    assert found.ended >= 1
    assert found.rows == 3 + 3 * 3  # measurements; three agents on three test episodes


def test_an_evaluation_that_is_killed_leaves_no_worker(tmp_path: Path) -> None:
    """The workers of an evaluation end with it, and its rows are those of one that was not killed."""
    short = (
        "evaluate",
        "stratagym/Cooking-v0:size=small",
        "--agent",
        "greedy",
        "--episodes",
        "30",
        "--jobs",
        "2",
    )
    found = kills.prove(short, 2, tmp_path)
    assert found.different == ()
    assert found.orphans == 0
    assert found.during >= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", kills.COMMANDS)
def test_twenty_kills(name: str, tmp_path: Path) -> None:
    """Training, studies and evaluations lose and double nothing."""
    found = kills.prove(kills.COMMANDS[name], 20, tmp_path)
    assert found.different == ()
    assert found.orphans == 0
    assert found.kills == 20
    assert found.during > 0


def test_the_comparison_sees_what_is_lost_doubled_or_changed(tmp_path: Path) -> None:
    """A lost row, a doubled one, other weights and a file too many are seen; times and logs are not."""
    rows = [{"episode": k, "agent": str(tmp_path / "a"), "cpu": 0.1} for k in range(3)]

    def folder(name: str, kept: list[Any], weight: float = 1.0, more: str | None = None) -> Any:
        out = tmp_path / name
        (out / "final").mkdir(parents=True)
        text = "".join(json.dumps(row).replace(str(tmp_path / "a"), str(out)) + "\n" for row in kept)
        (out / "rows.jsonl").write_text(text)
        torch.save({"w": torch.tensor([weight])}, out / "final" / "policy.pt")
        if more is not None:
            (out / more).mkdir()
            (out / more / "x").write_text(name)
        return kills.contents(out)

    whole = folder("whole", rows)
    assert folder("again", [{**row, "cpu": 7.0} for row in reversed(rows)], more="tensorboard") == whole
    assert folder("lost", rows[1:]) != whole
    assert folder("doubled", [*rows, rows[0]]) != whole
    assert folder("trained otherwise", rows, weight=1.0000001) != whole
    assert folder("left behind", rows, more=".best.part") != whole
