"""Rewards: pure functions of a lane before and after a step.

Owns the five rewards of the page. A reward that counts something is written as the
difference of a standing value, so that undoing and redoing earns nothing.
"""

from __future__ import annotations

from stratagym.envs.task import layout as at
from stratagym.envs.task.kernel import lateness
from stratagym.envs.task.layout import Floats, Memory

TASK_REWARD, SPARSE_REWARD, DENSE_REWARD, MAKESPAN_REWARD, TARDINESS_REWARD = 0, 1, 2, 3, 4
REWARDS = ("task", "sparse", "dense", "makespan", "tardiness")
"""Names by their code."""


def weighted_lateness(m: Memory, weights: Floats) -> float:
    """Return the weighted tardiness so far."""
    total = 0.0
    if m.s[at.LATE] == 0 and m.s[at.OVER] == 0:
        return total
    for d in range(m.t[at.T_DUES]):
        total += weights[d] * lateness(m, d)
    return total


def progress(m: Memory) -> float:
    """Return the share of the work that is done, by expected duration; 1 once the goal is reached."""
    if m.s[at.GOAL] != 0:
        return 1.0
    if m.t[at.T_WORK] == 0:
        return 0.0
    return m.s[at.DONE_WORK] / m.t[at.T_WORK]


def standing(m: Memory, kind: int, weights: Floats) -> float:
    """Return the value whose change over a step is (part of) its reward."""
    if kind == DENSE_REWARD:
        return progress(m)
    if kind == MAKESPAN_REWARD:
        clock = m.s[at.CLOCK]
        failed = m.s[at.OVER] != 0 and m.s[at.GOAL] == 0 and m.t[at.T_GOAL] != at.NO_GOAL
        if failed and m.t[at.T_HORIZON] < at.FAR:
            clock = m.t[at.T_HORIZON]
        return -1.0 * clock
    if kind == TARDINESS_REWARD:
        return -weighted_lateness(m, weights)
    return 0.0


def reward_of(
    m: Memory, kind: int, before: float, rewards: Floats, weights: Floats, reference: float
) -> float:
    """Return the reward of the step just taken.

    Args:
        m: the lane after the step, its events in the scratch.
        kind: a code of ``REWARDS``.
        before: ``standing`` before the step.
        rewards: ``[N]`` the file's rewards.
        weights: ``[D]`` of the due dates.
        reference: the makespan against which ``sparse`` is measured.
    """
    if kind == TASK_REWARD:
        paid = 0.0
        for k in range(m.x[0]):
            row = 1 + k * at.EVENT_SIZE
            if m.x[row + at.E_KIND] == at.E_SUCCESS and m.x[row + at.E_WHO] != 0:
                paid += rewards[m.x[row + at.E_WHAT]]
        return paid
    gain = standing(m, kind, weights) - before
    # A reference that is not known yet is NaN: then the caller adds the share when it is.
    measured = kind == SPARSE_REWARD or kind == DENSE_REWARD
    if measured and m.s[at.GOAL] != 0 and reference == reference:
        gain += min(1.0, reference / max(1, m.s[at.CLOCK]))
    return gain
