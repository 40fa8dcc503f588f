"""A schedule that exists: the witness around which generated tasks are drawn.

Owns a small list scheduler for jobs whose structure is already decided (which
runs there are, which follows which). Generators place the runs first and draw
windows, lags and deadlines around the placement, so every generated task has a
schedule that reaches its goal. It knows nothing of task files, and it looks for
a good schedule, not for the best: ``optimum`` proves those.

Time is a bit mask (bit t: tick t is taken), so placing a job is a few shifts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True, slots=True)
class Job:
    """One run to be placed.

    Attributes:
        name: the subtask that the run starts; several runs may share one.
        duration: ticks from start to completion, at least 1.
        attended: ticks from the start for which its agents are busy; 0 asks for
            idle agents at the start and leaves them idle.
        after: pairs of (index of an earlier job, least ticks from its completion).
        uses: amounts of renewable resources, held for the whole duration.
        agents: how many agents start it together.
        skill: the skill that each of them needs.
        release: the first tick at which it may start.
    """

    name: str
    duration: int
    attended: int
    after: tuple[tuple[int, int], ...] = ()
    uses: Mapping[str, int] = field(default_factory=dict)
    agents: int = 1
    skill: str | None = None
    release: int = 0


class Placed(NamedTuple):
    """One placed run: its job's name, its start and end, and who starts it."""

    name: str
    start: int
    end: int
    agents: tuple[int, ...]


class Shop:
    """The ticks that are taken, per agent and resource.

    Args:
        skills: one set of skills per agent.
        capacity: resource -> units.
        outages: (resource, units, first tick, end tick) during which units are missing.
        absences: (agent, first tick, end tick) during which an agent is not idle.
    """

    def __init__(
        self,
        skills: Sequence[frozenset[str]],
        capacity: Mapping[str, int],
        outages: Sequence[tuple[str, int, int, int]] = (),
        absences: Sequence[tuple[int, int, int]] = (),
    ) -> None:
        self._skills = skills
        self._capacity = capacity
        self._busy = [0] * len(skills)
        self._inside = [0] * len(skills)
        self._points = [0] * len(skills)
        self._levels = {name: [-1] + [0] * units for name, units in capacity.items()}
        for name, units, start, end in outages:
            self._take(name, units, start, end)
        for agent, start, end in absences:
            self._busy[agent] |= _span(start, end)
            self._inside[agent] |= _span(start, end)

    def free(self, job: Job, start: int) -> tuple[int, ...] | None:
        """Return the agents that would start ``job`` at a tick, or None if it does not fit."""
        span = _span(start, start + job.duration)
        for name, amount in job.uses.items():
            if amount and self._levels[name][self._capacity[name] - amount + 1] & span:
                return None
        attended = min(job.attended, job.duration)
        chosen: list[int] = []
        for agent, skills in enumerate(self._skills):
            if job.skill is not None and job.skill not in skills:
                continue
            if attended:
                inner = _span(start + 1, start + attended)
                taken = self._busy[agent] & _span(start, start + attended) or self._points[agent] & inner
            else:
                taken = self._inside[agent] & _span(start, start + 1)
            if not taken:
                chosen.append(agent)
                if len(chosen) == job.agents:
                    return tuple(chosen)
        return None

    def place(self, job: Job, start: int, agents: Sequence[int]) -> None:
        """Mark the ticks of one run as taken."""
        for name, amount in job.uses.items():
            self._take(name, amount, start, start + job.duration)
        attended = min(job.attended, job.duration)
        for agent in agents:
            self._busy[agent] |= _span(start, start + attended)
            self._inside[agent] |= _span(start + 1, start + attended)
            if not attended:
                self._points[agent] |= _span(start, start + 1)

    def _take(self, name: str, amount: int, start: int, end: int) -> None:
        levels = self._levels[name]
        span = _span(start, end)
        for level in range(len(levels) - 1, 0, -1):
            levels[level] |= levels[max(level - amount, 0)] & span


def schedule(
    jobs: Sequence[Job],
    skills: Sequence[frozenset[str]],
    capacity: Mapping[str, int],
    rng: np.random.Generator,
    *,
    tries: int = 3,
    outages: Sequence[tuple[str, int, int, int]] = (),
    absences: Sequence[tuple[int, int, int]] = (),
) -> list[Placed]:
    """Place all jobs, each as late as the best makespan found allows.

    Forward-backward list scheduling (Li and Willis, 1992): longest tail first,
    then shuffled orders; every schedule is pushed to the right and back. The
    result is pushed to the right, so that what can spoil is done just in time.

    Args:
        jobs: predecessors before successors.
        skills: one set of skills per agent.
        capacity: resource -> units; no job may ask for more.
        rng: breaks ties between tries.
        tries: how many orders to try.
        outages: (resource, units, first tick, end tick) of missing units.
        absences: (agent, first tick, end tick) of absent agents.

    Returns:
        One ``Placed`` per job, in the order of ``jobs``.

    Raises:
        ValueError: if a job asks for more than there is.
    """

    def shop() -> Shop:
        return Shop(skills, capacity, outages, absences)

    latest = max([end for *_, end in outages] + [end for *_, end in absences] + [0])
    limit = latest + sum(job.duration + job.release + sum(lag for _, lag in job.after) for job in jobs)
    tail = _tails(jobs)
    best: list[Placed] = []
    for attempt in range(max(tries, 1)):
        noise = rng.random(len(jobs)) if attempt else np.zeros(len(jobs))
        order = sorted(range(len(jobs)), key=lambda i: -tail[i] * (1 - 0.7 * noise[i]))
        placed = _forward(jobs, order, shop(), limit)
        placed = _backward(jobs, placed, shop())
        placed = _forward(jobs, sorted(range(len(jobs)), key=lambda i: placed[i].start), shop(), limit)
        if not best or _makespan(placed) < _makespan(best):
            best = placed
    return _backward(jobs, best, shop())


def _span(start: int, end: int) -> int:
    return ((1 << (end - start)) - 1) << start if end > start else 0


def _makespan(placed: Sequence[Placed]) -> int:
    return max((run.end for run in placed), default=0)


def _tails(jobs: Sequence[Job]) -> list[int]:
    tail = [job.duration for job in jobs]
    for i in range(len(jobs) - 1, -1, -1):
        for before, lag in jobs[i].after:
            tail[before] = max(tail[before], jobs[before].duration + lag + tail[i])
    return tail


def _forward(jobs: Sequence[Job], order: Sequence[int], shop: Shop, limit: int) -> list[Placed]:
    """Place jobs as early as possible, the first ready one in ``order`` next."""
    placed: dict[int, Placed] = {}
    waiting = list(order)
    while waiting:
        i = next(i for i in waiting if all(before in placed for before, _ in jobs[i].after))
        waiting.remove(i)
        job = jobs[i]
        start = max([job.release] + [placed[before].end + lag for before, lag in job.after])
        agents = shop.free(job, start)
        while agents is None:
            start += 1
            if start > limit:
                raise ValueError(f"{job.name}: it asks for more than there is")
            agents = shop.free(job, start)
        shop.place(job, start, agents)
        placed[i] = Placed(job.name, start, start + job.duration, agents)
    return [placed[i] for i in range(len(jobs))]


def _backward(jobs: Sequence[Job], placed: Sequence[Placed], shop: Shop) -> list[Placed]:
    """Push every run as late as the makespan and its successors allow, the last one first."""
    end = _makespan(placed)
    latest = [end] * len(jobs)
    out = list(placed)
    for i in sorted(range(len(jobs)), key=lambda i: (-placed[i].end, -i)):
        job = jobs[i]
        start = latest[i] - job.duration
        while start >= job.release and shop.free(job, start) is None:
            start -= 1
        agents = shop.free(job, start) if start >= job.release else None
        if agents is None:
            return list(placed)
        shop.place(job, start, agents)
        out[i] = Placed(job.name, start, start + job.duration, agents)
        for before, lag in job.after:
            latest[before] = min(latest[before], start - lag)
    return out
