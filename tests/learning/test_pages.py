"""The command lines that the README and the page on training show: each runs as it stands, only shorter."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from stratagym.baselines.cli import run

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/training.md")
COMMANDS = ("train", "evaluate", "plot", "demos", "tensorboard")
SHORT = ["--set", "net=[32]", "--set", "eval_episodes=4", "--test-episodes", "3"]
SHORTER: dict[str, list[str]] = {
    "train maskable_ppo": [
        *SHORT, "--total-steps", "512", "--lanes", "4", "--set", "n_steps=32", "--set", "batch_size=64",
    ],
    "train bc": [*SHORT, "--set", "epochs=3"],
    "evaluate": ["--episodes", "2"],
    "demos --agent": ["--episodes", "4"],
}  # fmt: skip
"""What makes a line short: the words that it holds -> what is added."""


def lines(page: str) -> list[list[str]]:
    """Return the lines of a page that train, or use what was trained, as words."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    found = [
        shlex.split(line, comments=True)
        for language, block in blocks
        if not language
        for line in block.splitlines()
    ]
    names = [words[1:] if words and words[0] == "stratagym" else words for words in found]
    return [
        words for words in names
        if words and words[0] in COMMANDS and "tea.yaml" not in words and "my_task.yaml" not in words
    ]  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_the_lines_of_a_page_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other in one folder they train, go on, evaluate, draw; TensorBoard finds the figures."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.chdir(tmp_path)
    asked = lines(page)
    assert {words[0] for words in asked} >= {"train", "evaluate", "plot"}
    env = "stratagym/Cooking-v0:size=small"
    if any("results/mine/episodes" in words for words in asked):  # what people would have played
        assert (
            run(
                ["evaluate", env, "--agent", "greedy", "--episodes", "2", "--record", "--out", "results/mine"]
            )
            == 0
        )
    for words in asked:
        if words[0] == "tensorboard":
            events = EventAccumulator(words[words.index("--logdir") + 1])
            events.Reload()
            assert "validation/success" in events.Tags()["scalars"]
            continue
        more = [part for holds, part in SHORTER.items() if set(holds.split()) <= set(words)]
        assert run([*words, *(more[0] if more else [])]) == 0, words
        if "--out" in words:
            assert Path(words[words.index("--out") + 1]).exists()
    assert Path("cook.png").read_bytes()[:4] == b"\x89PNG"
