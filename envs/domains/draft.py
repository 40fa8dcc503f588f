"""A task on paper: steps first, then a witness schedule, then the windows around it.

Owns what the procedural domains share: they lay down steps (predecessors before
successors) and say which of them spoil, which are promised by a time and which
have alternatives; ``finish`` places all steps and turns the marks into lags and
deadlines that the placement keeps, so the goal of every task can be reached.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stratagym.envs.task.witness import Job, Placed, schedule


def generator(seed: int, salt: int) -> np.random.Generator:
    """Return the generator of one instance; ``salt`` tells the domains apart."""
    return np.random.Generator(np.random.PCG64([seed, salt]))


def between(rng: np.random.Generator, span: Sequence[int]) -> int:
    """Return an integer of ``[lo, hi]``, both included."""
    return int(rng.integers(span[0], span[1] + 1))


def pick(rng: np.random.Generator, options: Sequence[Any], count: int) -> list[Any]:
    """Return ``count`` different options in a drawn order (all, if there are fewer)."""
    order = rng.permutation(len(options))[:count]
    return [options[int(k)] for k in order]


@dataclass
class Step:
    """One step: its fields in the task file, and the marks that ``finish`` turns into windows.

    Attributes:
        fields: fields of the task file; ``needs`` and ``lags`` are made from the marks.
        after: predecessors, all of them needed.
        wait: predecessor -> least ticks from its completion.
        keeps: predecessor -> ticks for which it keeps beyond what the witness takes.
        promise: deadline, in percent of the makespan behind the witness's end; None for none.
        release: first tick at which it may start.
        witness: whether the witness takes it (False for by-ways and distractors).
        runs: how often the witness takes it.
        mode: the mode that the witness takes; drawn, if None.
        supplied: steps whose products it takes; they bind the witness, not the task.
    """

    fields: dict[str, Any]
    after: tuple[str, ...] = ()
    wait: Mapping[str, int] = field(default_factory=dict)
    keeps: Mapping[str, int] = field(default_factory=dict)
    promise: int | None = None
    release: int = 0
    witness: bool = True
    runs: int = 1
    mode: str | None = None
    supplied: tuple[str, ...] = ()


class Draft:
    """One task in the making.

    Args:
        name: the task's name.
        rng: the instance's generator.
        resources: name -> capacity.
        agents: how many.
        patience: ticks added to whatever a recipe says of how long a thing keeps.
    """

    def __init__(
        self,
        name: str,
        rng: np.random.Generator,
        resources: Mapping[str, int],
        agents: int = 1,
        patience: int = 0,
    ) -> None:
        self.name, self.rng, self.resources, self.agents = name, rng, dict(resources), agents
        self.patience = patience
        self.steps: dict[str, Step] = {}
        self.items: dict[str, int] = {}
        self.tasks: dict[str, Any] = {}
        self.witness: list[Placed] = []

    def add(self, name: str, minutes: int, *, marks: Mapping[str, Any] | None = None, **fields: Any) -> str:
        """Add a step and return its name.

        Args:
            name: a new name.
            minutes: its duration in ticks (of the shared fields, if it has modes).
            marks: attributes of ``Step`` other than ``fields``.
            **fields: fields of the task file.
        """
        self.steps[name] = Step({"duration": minutes, **fields}, **(marks or {}))
        return name

    def lay(self, recipe: Sequence[Mapping[str, Any]], suffix: str = "") -> list[str]:
        """Add the steps of a recipe of a data file, with numbers drawn from its ranges.

        A step follows the one before it, unless it says after which it comes. Its keys:
        ``step`` (the name), ``minutes``, ``wait`` and ``keeps`` (ranges; the last two on
        what it follows), ``alone`` (attended for the first tick only), ``after``,
        ``uses``, ``consumes``, ``requires``, ``produces``, and ``modes``, whose entries
        have ``minutes``, ``alone`` and amounts of their own.

        Returns:
            The names of the new steps, in order.
        """
        names: list[str] = []
        for step in recipe:
            before = [name + suffix for name in step["after"]] if "after" in step else names[-1:]
            marks = {
                "after": tuple(before),
                "wait": {k: between(self.rng, step["wait"]) for k in before if "wait" in step},
                "keeps": {k: self.kept(step["keeps"]) for k in before if "keeps" in step},
            }
            fields = self._drawn(step)
            if "modes" in step:
                fields["modes"] = {mode: self._drawn(own) for mode, own in step["modes"].items()}
            names.append(self.add(step["step"] + suffix, fields.pop("duration", 1), marks=marks, **fields))
            if "modes" in step:
                del self.steps[names[-1]].fields["duration"]
        return names

    def _drawn(self, step: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of one step or mode of a recipe."""
        fields: dict[str, Any] = {}
        if "minutes" in step:
            fields["duration"] = between(self.rng, step["minutes"])
        if step.get("alone"):
            fields["attended"] = 1
        return fields | {k: dict(step[k]) for k in ("uses", "consumes", "requires", "produces") if k in step}

    def kept(self, span: Sequence[int]) -> int:
        """Draw for how many ticks something keeps, the draft's patience added."""
        return between(self.rng, span) + self.patience

    def size(self) -> int:
        """Return how many subtasks there are, every mode counted."""
        return sum(len(step.fields.get("modes", "1")) for step in self.steps.values())

    def finish(self, goal: str, tries: int = 4) -> dict[str, Any]:
        """Place the steps, fix the windows and return the task's mapping."""
        chosen = self._place(tries)
        runs = dict(zip(chosen, self.witness, strict=True))
        makespan = max(run.end for run in self.witness)
        subtasks = {}
        for name, step in self.steps.items():
            fields = dict(step.fields)
            if step.after:
                fields["needs"] = " & ".join(step.after)
            lags: dict[str, dict[str, int]] = {k: {"min": wait} for k, wait in step.wait.items() if wait}
            for before, extra in step.keeps.items():
                gap = runs[name].start - runs[before].end if name in runs and before in runs else 0
                lags.setdefault(before, {})["max"] = max(gap, step.wait.get(before, 0)) + extra
            if lags:
                fields["lags"] = lags
            if step.release:
                fields["release"] = step.release
            if step.promise is not None and name in runs:
                fields["deadline"] = runs[name].end + -(-step.promise * makespan // 100)
            subtasks[name] = fields
        task: dict[str, Any] = {"name": self.name, "agents": self.agents}
        task |= {"resources": self.resources} if self.resources else {}
        task |= {"items": self.items} if self.items else {}
        task["subtasks"] = subtasks
        task |= {"tasks": self.tasks} if self.tasks else {}
        task["goal"] = goal
        self.witness = sorted(self.witness, key=lambda run: (run.start, run.end))
        return task

    def _place(self, tries: int) -> list[str]:
        """Set the witness, over several choices of modes; return the step of each of its runs."""
        names = [name for name, step in self.steps.items() for _ in range(step.runs) if step.witness]
        best = math.inf
        for _ in range(tries):
            jobs = self._jobs(names)
            placed = schedule(jobs, [frozenset()] * self.agents, self.resources, self.rng, tries=2)
            makespan = max(run.end for run in placed)
            if makespan < best:
                best, self.witness = makespan, placed
        return names

    def _jobs(self, names: Sequence[str]) -> list[Job]:
        place: dict[str, int] = {}
        jobs: list[Job] = []
        for k, name in enumerate(names):
            step, key, fields = self.steps[name], name, self.steps[name].fields
            if "modes" in fields:
                modes = list(fields["modes"])
                mode = step.mode or pick(self.rng, modes, 1)[0]
                key, fields = f"{name} [{mode}]", {**fields, **fields["modes"][mode]}
            before = [
                *step.after,
                *step.wait,
                *step.keeps,
                *step.supplied,
                *([name] if name in place else []),
            ]
            after = [
                (place[other], step.wait.get(other, 0)) for other in dict.fromkeys(before) if other in place
            ]
            length = fields["duration"]
            jobs.append(
                Job(
                    name=key,
                    duration=length,
                    attended=fields.get("attended", length),
                    after=tuple(after),
                    uses=fields.get("uses", {}),
                    release=step.release,
                )
            )
            place[name] = k
        return jobs
