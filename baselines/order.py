"""Who is ahead of whom: paired differences between agents, with intervals over instances.

Owns the comparison of two agents on the same episodes. Scores of single agents are in
``metrics`` and ``report``; a difference of pairs is sharper than two intervals side by side.

Use: ``python -m stratagym.baselines.order RESULTS/results.jsonl AGENT AGENT [AGENT ...]``
compares each agent with the next and prints JSON.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

RESAMPLES = 2000


class Difference(NamedTuple):
    """The mean of (second - first) in the figure x of the score, and its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


def differences(
    rows: Iterable[Mapping[str, Any]], agents: Sequence[str], seed: int = 0
) -> dict[str, dict[str, Difference]]:
    """Compare each agent with the one before it, environment by environment.

    Args:
        rows: rows of ``results.jsonl``.
        agents: at least two names, in the order that is claimed.
        seed: of the bootstrap.

    Returns:
        By environment and ``"second - first"``; an instance is drawn with all its episodes.

    Raises:
        ValueError: if an agent has no rows, or two agents did not play the same episodes.
    """
    values: dict[str, dict[str, dict[int, tuple[str, float]]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        values[row["env"]][row["agent"]][row["episode"]] = (row["task"], float(row["value"]))
    found: dict[str, dict[str, Difference]] = {}
    for env, by_agent in values.items():
        found[env] = {}
        for first, second in pairwise(agents):
            for name in (first, second):
                if name not in by_agent:
                    raise ValueError(f"{env}: no rows of {name!r}; there are {', '.join(sorted(by_agent))}")
            if by_agent[first].keys() != by_agent[second].keys():
                raise ValueError(f"{env}: {first!r} and {second!r} did not play the same episodes")
            found[env][f"{second} - {first}"] = _difference(by_agent[first], by_agent[second], seed)
    return found


def _difference(
    first: Mapping[int, tuple[str, float]], second: Mapping[int, tuple[str, float]], seed: int
) -> Difference:
    """Return the paired difference of two agents on one environment."""
    by_task: dict[str, list[float]] = defaultdict(list)
    for episode, (task, value) in first.items():
        by_task[task].append(second[episode][1] - value)
    sums = np.array([sum(part) for part in by_task.values()])
    counts = np.array([len(part) for part in by_task.values()])
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(sums), size=(RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return Difference(float(sums.sum() / counts.sum()), float(low), float(high))


def main(arguments: Sequence[str]) -> int:
    """Print the differences; return the exit code."""
    if len(arguments) < 3:
        print("usage: order RESULTS.jsonl AGENT AGENT [AGENT ...]", file=sys.stderr)
        return 2
    try:
        lines = Path(arguments[0]).read_text(encoding="utf-8").splitlines()
        found = differences([json.loads(line) for line in lines], arguments[1:])
    except (OSError, ValueError, KeyError) as error:
        print(f"order: {arguments[0]}: {error}", file=sys.stderr)
        return 2
    print(
        json.dumps(
            {env: {k: d._asdict() for k, d in pairs.items()} for env, pairs in found.items()}, indent=1
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
