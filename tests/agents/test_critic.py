"""The critic: what it calls a success, what a failure, and the words for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hand_made import graph, subtask
from stratagym.agents.base import Case, Goal, Mark, Move
from stratagym.agents.critics.effect import EffectCritic, surprises
from stratagym.agents.memories.latest import LatestMemory
from stratagym.envs.task.imagine import imagine
from stratagym.envs.task.simulate import Simulator

DO = Goal(0, (0,))


def memory_of(simulator: Simulator, **changes: Any) -> LatestMemory:
    """Return a memory of a simulated moment, its task changed by hand."""
    memory = LatestMemory()
    seen = imagine(simulator)
    memory.update(replace(seen, task=replace(seen.task, **changes)))
    return memory


def begun() -> Simulator:
    """Return two subtasks, one after the other, at the beginning."""
    return Simulator(graph([subtask("cut", 3), subtask("serve", 1, needs=0)], goal=1))


def judged(
    simulator: Simulator, before: Mark, move: Move | None = None, tries: int = 0, **changes: Any
) -> Any:
    """Return what the critic says of the option to do the first subtask."""
    return EffectCritic().judge(Case(memory_of(simulator, **changes), 0, DO), before, move, tries)


def test_a_subtask_done_is_a_success() -> None:
    """While it runs nothing is said, then that it is done, with the ticks."""
    sim = begun()
    before = Mark.of(imagine(sim).task)
    assert judged(sim, before) is None
    sim.step([0])
    assert judged(sim, before) is None
    for _ in range(2):
        sim.step([2])
    outcome = judged(sim, before)
    assert (outcome.status, outcome.reason, outcome.elapsed) == ("success", "cut is done", 3)


@pytest.mark.parametrize(("status", "words"), [("closed", "too late"), ("failed", "no attempt left")])
def test_why_it_never_starts_is_said(status: str, words: str) -> None:
    """A subtask that can no longer start is a failure, in words."""
    sim = begun()
    outcome = judged(sim, Mark.of(imagine(sim).task), status=(status, "locked"))
    assert outcome.status == "failure"
    assert words in outcome.reason


def test_what_a_skill_gives_up_is_a_failure_with_its_reason() -> None:
    """The skill's own words are kept; attempts that come to nothing count after three."""
    sim = begun()
    before = Mark.of(imagine(sim).task)
    assert (
        judged(sim, before, Move(0, "failed", "no way leads to a board")).reason == "no way leads to a board"
    )
    asked = Move(0, "attempt", "cut")
    assert judged(sim, before, asked, tries=2) is None
    assert "3 times" in judged(sim, before, asked, tries=3).reason


def test_surprises_are_what_a_plan_could_not_count_on() -> None:
    """A subtask undone and a run without success are told, a start and a success are not."""
    sim = begun()
    first = imagine(sim).task
    sim.step([0])
    second = imagine(sim).task
    assert surprises(second, first) == []
    assert surprises(first, second) == ["cut ended without success"]
    for _ in range(2):
        sim.step([2])
    third = imagine(sim).task
    assert surprises(third, second) == []
    assert surprises(first, third) == ["cut was undone"]


def test_needs_that_hold_no_longer_are_a_failure_and_a_busy_resource_is_not() -> None:
    """What was undone under a subtask is named; a subtask that is locked though its needs hold only waits."""
    sim = begun()
    for action in (0, 2, 2):
        sim.step([action])
    before = Mark.of(imagine(sim).task)
    assert before.status == ("done", "eligible")
    case = Case(memory_of(sim, status=("eligible", "locked")), 0, Goal(1, (0,)))
    outcome = EffectCritic().judge(case, before, None, 0)
    assert outcome is not None
    assert outcome.reason == "serve cannot start any more: cut was undone"
    waiting = Case(memory_of(sim, status=("done", "locked")), 0, Goal(1, (0,)))
    assert EffectCritic().judge(waiting, before, None, 0) is None
