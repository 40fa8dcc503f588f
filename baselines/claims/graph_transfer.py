"""Does what is learned on graphs of 8 subtasks play graphs of 16?

Owns the comparison on larger graphs than any run has seen: the agents that a study has trained on
``Graph`` at its small size (8 subtasks) against themselves before training, random play and the
dispatching rules, all on the same graphs of 16.

Use: ``stratagym suite run abstract --out results/abstract``, then
``python -m stratagym.baselines.claims.graph_transfer results/abstract``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stratagym.baselines import study, train
from stratagym.baselines.claims.learning import LEARNED, RULES, compare, finished, gather
from stratagym.baselines.claims.trials import publish
from stratagym.baselines.evaluate import evaluate
from stratagym.baselines.learning.checkpoint import read_json
from stratagym.baselines.suites import EnvironmentSpec, slug

TRAINED_ON = "stratagym/Graph-v0:size=small"
LARGER = EnvironmentSpec(
    "stratagym/Graph-v0",
    {"size": "small", "split": "test", "instances": 1000, "knobs": {"number": 16, "depth": 6}},
)
"""The knobs of the small family, but for twice the subtasks in half as many layers again."""
EPISODES = 110


def transfer(folder: Path, rules: Sequence[str] = RULES, episodes: int = EPISODES) -> dict[str, Any]:
    """Return the figures of a study's agents on larger graphs than they were trained on.

    Args:
        folder: of the study.
        rules: agents that do not learn.
        episodes: how many.

    Raises:
        InputError: if no finished run of the study is of small graphs.
    """
    found = study.load_study(read_json(folder / study.ASKED)["name"])
    runs = finished(found, folder, TRAINED_ON)
    names = [(str(run), str(run / train.FIRST)) for run in runs]
    rows = evaluate(
        [LARGER], [name for pair in names for name in pair] + [*rules], episodes, train.TEST_SEED,
        folder / "transfer" / slug(LARGER.label), resume=True,
    ).rows  # fmt: skip

    def of(name: str) -> list[Any]:
        return [row for row in rows if row["agent"] == name]

    learned = [dict(zip(LEARNED, map(of, pair), strict=True)) for pair in names]
    return {
        "trained on": TRAINED_ON,
        "played on": LARGER.label,
        "seeds": len(runs),
        **compare(gather(learned, {name: of(name) for name in ("random", *rules)}), rules),
    }


def main(arguments: Sequence[str]) -> None:
    """Measure the claim and write its result."""
    folder = Path(arguments[0]) if arguments else Path("results/abstract")
    command = "python -m stratagym.baselines.claims.graph_transfer results/abstract"
    print(publish("graph-transfer", transfer(folder), command))


if __name__ == "__main__":
    main(sys.argv[1:])
