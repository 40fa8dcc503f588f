"""A task and the rules of its scene in the making: what is done, after what, where, with what.

Owns what the domains with maps share when they lay a task down: each subtask is entered once,
with its fields in the task file and the rules by which a body attempts it. ``paced`` estimates
when a crew that must walk would be done; promised times and hard ends are set by it. It draws
nothing and knows no map.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stratagym.envs.task.witness import Job, Placed, schedule

Rule = Mapping[str, Any]
"""One way to attempt a subtask, as in a scene."""


@dataclass
class WorkPlan:
    """Subtasks, compositions, rules and things, in the order in which they were entered.

    Attributes:
        subtasks: of the task file.
        tasks: compositions of the task file.
        rules: subtask (or copy of a repeated one) -> the ways to attempt it.
        things: of the scene.
        before: each subtask and copy -> those that it needs.
    """

    subtasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    tasks: dict[str, Any] = field(default_factory=dict)
    rules: dict[str, list[Rule]] = field(default_factory=dict)
    things: dict[str, dict[str, Any]] = field(default_factory=dict)
    before: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def add(self, name: str, rules: Sequence[Rule], *, after: Sequence[str] = (), **fields: Any) -> str:
        """Enter a subtask and return its name.

        Args:
            name: a new name.
            rules: the ways to attempt it.
            after: what must be done before (subtasks or copies that were entered).
            **fields: fields of the task file; ``duration`` is 1 unless given.
        """
        needs = {"needs": " & ".join(after)} if after else {}
        self.subtasks[name] = {"duration": 1, **fields, **needs}
        self.rules[name] = list(rules)
        self.before[name] = tuple(after)
        return name

    def strokes(
        self, name: str, steps: Sequence[Sequence[Rule]], *, after: Sequence[str], **fields: Any
    ) -> str:
        """Enter a subtask that is done several times in a row; return its last copy.

        Args:
            name: a new name; the copies are ``name.1``, ``name.2``, ...
            steps: for each copy the ways to attempt it.
            after: what must be done before the first.
            **fields: of every copy.
        """
        self.subtasks[name] = {"duration": 1, **fields, "needs": " & ".join(after)}
        self.tasks[f"all of {name}"] = {"repeat": name, "times": len(steps)}
        last = ""
        for k, rules in enumerate(steps, 1):
            self.rules[f"{name}.{k}"] = list(rules)
            self.before[f"{name}.{k}"] = (last,) if last else tuple(after)
            last = f"{name}.{k}"
        return last

    def thing(self, name: str, looks: str, *, carry: bool = True) -> str:
        """Enter a thing (again, if it is there already) and return its name."""
        self.things[name] = {"carry": carry} | ({"looks": looks} if looks != name else {})
        return name

    def size(self) -> int:
        """Return how many subtasks there are, every copy counted."""
        return len(self.rules)

    def fields(self, name: str) -> Mapping[str, Any]:
        """Return the fields of a subtask or of a copy."""
        return self.subtasks[name] if name in self.subtasks else self.subtasks[name.rpartition(".")[0]]

    def paced(
        self,
        crew: Sequence[Sequence[str]],
        walk: int,
        rng: np.random.Generator,
        leave_out: Sequence[str] = (),
    ) -> dict[str, Placed]:
        """Estimate when a crew would be done that walks before each subtask.

        Args:
            crew: the skills of each agent.
            walk: ticks of a walk; copies of a repeated subtask after the first need none.
            rng: breaks ties.
            leave_out: subtasks that are done only if something went wrong.

        Returns:
            Each subtask's run, the walk before it included.
        """
        names = [name for name in self.rules if name not in leave_out]
        place = {name: k for k, name in enumerate(names)}
        jobs = []
        for name in names:
            fields, again = self.fields(name), name not in self.subtasks and not name.endswith(".1")
            way = 0 if again else walk
            length = fields["duration"] + way
            jobs.append(
                Job(
                    name=name,
                    duration=length,
                    attended=min(fields.get("attended", length) + way, length),
                    after=tuple((place[k], 0) for k in self.before[name] if k in place),
                    agents=fields.get("agents", 1),
                    skill=fields.get("skill"),
                )
            )
        runs = schedule(jobs, [frozenset(skills) for skills in crew], {}, rng)
        return {run.name: run for run in runs}
