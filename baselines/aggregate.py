"""Figures over runs and tasks: interquartile mean, probability of improvement, means of both, with intervals.

Owns the two statistics of Agarwal et al. (2021, "Deep reinforcement learning at the edge of the
statistical precipice"), by stratified bootstrap over runs, and the mean of runs that all played the
same episodes. Their own package was tried and could not be imported beside present releases of what
it builds on.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from stratagym.baselines.metrics import Interval, interval

Array = np.ndarray[Any, np.dtype[np.float64]]
RESAMPLES = 2000


def iqm(scores: Array) -> float:
    """Return the mean of the middle half of all scores (the quartiles' shares by weight).

    Args:
        scores: of any shape, not empty.
    """
    ordered = np.sort(np.asarray(scores, float).ravel())
    n = len(ordered)
    # The k-th of n scores covers [k, k + 1] / n of the distribution.
    ends = np.arange(n + 1) / n
    weights = np.minimum(ends[1:], 0.75) - np.maximum(ends[:-1], 0.25)
    weights = np.maximum(weights, 0.0)
    return float((ordered * weights).sum() / weights.sum())


def improvement(scores: Array, others: Array) -> float:
    """Return how likely a run of the first does better than one of the second, on a task drawn evenly.

    Args:
        scores: ``[runs, tasks]``.
        others: ``[runs, tasks]``, its runs not paired with the first's; ties count half.
    """
    first, second = scores[:, None, :], others[None, :, :]
    return float(((first > second) + 0.5 * (first == second)).mean())


def bootstrap(statistic: Callable[..., float], *scores: Array, seed: int = 0) -> Interval:
    """Return a statistic with its 95 % interval, runs drawn anew for each task.

    Args:
        statistic: of as many arrays as are given.
        *scores: ``[runs, tasks]`` each.
        seed: of the resampling.
    """
    rng = np.random.default_rng(seed)
    values = [statistic(*scores)]
    if all(len(part) > 1 for part in scores):
        for _ in range(RESAMPLES):
            drawn = [
                np.take_along_axis(part, np.asarray(rng.integers(len(part), size=part.shape)), axis=0)
                for part in scores
            ]
            values.append(statistic(*drawn))
    return interval(np.array(values))


def crossed(values: Array, instances: Sequence[Hashable], seed: int = 0) -> Interval:
    """Return a mean over runs and episodes with its 95 % interval, runs and instances drawn anew.

    Differences of two agents on the same episodes make it a paired comparison.

    Args:
        values: ``[runs, episodes]``; one run alone is not drawn anew.
        instances: ``[episodes]`` which instance each episode played; it brings all its episodes along.
        seed: of the resampling.
    """
    order: dict[Hashable, int] = {}
    group = np.array([order.setdefault(instance, len(order)) for instance in instances])
    sums = np.stack([np.bincount(group, weights=row) for row in values])
    counts = np.bincount(group).astype(float)
    rng = np.random.default_rng(seed)
    runs, tasks = sums.shape
    by_run = rng.multinomial(runs, np.full(runs, 1 / runs), size=RESAMPLES) / runs
    by_task = rng.multinomial(tasks, np.full(tasks, 1 / tasks), size=RESAMPLES).astype(float)
    means = np.einsum("rs,st,rt->r", by_run, sums, by_task) / (by_task @ counts)
    return interval(np.concatenate([[values.mean()], means]))
