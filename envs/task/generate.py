"""Families of random tasks with knobs; every task has a schedule that reaches its goal.

Owns the drawing of one task mapping from knobs and a seed. The
structure comes first (layers, Boolean needs, distractors), then what a run takes,
then a witness schedule (``witness``), and last everything that could make the
goal unreachable (releases, deadlines, maximal lags, stocks, events, constraints),
drawn around the witness. A task is a pure function of (knobs, seed). It does not
measure or change tasks that exist (``extend``), nor solve them (``optimum``).

With drawn durations the witness takes the longest, and it stays a schedule for
the shorter ones; with success below 1 the goal is reachable, but not surely.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stratagym.envs.task.knobs import Knobs
from stratagym.envs.task.witness import Job, Placed, schedule


def generate(knobs: Knobs, seed: int) -> dict[str, Any]:
    """Draw one task.

    Args:
        knobs: the family.
        seed: any integer >= 0.

    Returns:
        The task as a mapping of the task file's language.
    """
    return generate_with_witness(knobs, seed)[0]


def generate_with_witness(knobs: Knobs, seed: int) -> tuple[dict[str, Any], list[Placed]]:
    """Draw one task together with a schedule that reaches its goal.

    Returns:
        The mapping, and the runs of the witness by their start; times in ticks.
    """
    rng = np.random.Generator(np.random.PCG64([seed, 0x57A7A6]))
    draft = _Draft(knobs, rng)
    return draft.mapping(seed), draft.witness


@dataclass
class _Node:
    """One subtask while it is being drawn; nodes are ordered by layer."""

    index: int
    layer: int
    name: str
    distractor: bool = False
    terms: list[list[int]] = field(default_factory=list)
    count: int = 0
    against: list[int] = field(default_factory=list)
    fixed: list[int] = field(default_factory=list)
    chosen: list[int] = field(default_factory=list)
    order: list[tuple[int, int]] = field(default_factory=list)
    spec: dict[str, Any] = field(default_factory=dict)
    mode: str | None = None

    @property
    def key(self) -> str:
        """The name of the subtask that the witness runs."""
        return f"{self.name} [{self.mode}]" if self.mode else self.name

    def chosen_spec(self) -> dict[str, Any]:
        """Return the fields of the run, the chosen mode's own ones first."""
        return {**self.spec, **self.spec["modes"][self.mode]} if self.mode else self.spec

    def longest(self) -> int:
        """Return the longest duration of the run in ticks."""
        duration = self.chosen_spec()["duration"]
        return int(duration if isinstance(duration, int) else duration["uniform"][1])


class _Draft:
    """One task in the making: draws in a fixed order, from structure to windows."""

    def __init__(self, knobs: Knobs, rng: np.random.Generator) -> None:
        self.knobs, self.rng = knobs, rng
        self.nodes = self._layers()
        self._needs()
        self._negations()
        self.capacity = {f"station {k + 1}": self._between(*knobs.capacity) for k in range(knobs.resources)}
        self.skills = self._skills()
        for node in self.nodes:
            self._run(node)
        self._least_lags()
        self.events: list[dict[str, Any]] = []
        self.outages: list[tuple[str, int, int, int]] = []
        self.absences: list[tuple[int, int, int]] = []
        self._early_events()
        self.path = self._path()
        self.witness = self._schedule()
        self.start = {node.index: run.start for node, run in zip(self.path, self.witness, strict=True)}
        self.end = {node.index: run.end for node, run in zip(self.path, self.witness, strict=True)}
        self.makespan = max(self.end.values())
        self.items = self._stocks()
        self._greatest_lags()
        self._windows()
        self._late_events()
        self.constraints = self._formulas()
        self.witness = sorted(self.witness, key=lambda run: (run.start, run.end))

    def _chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def _between(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def _pick(self, options: list[Any], count: int = 1) -> list[Any]:
        chosen = self.rng.choice(len(options), size=min(count, len(options)), replace=False)
        return [options[int(k)] for k in chosen]

    # --- structure ---------------------------------------------------------------

    def _layers(self) -> list[_Node]:
        knobs = self.knobs
        sizes = [1] * knobs.depth
        sizes[self._between(0, knobs.depth - 1)] = knobs.width
        for _ in range(knobs.number - sum(sizes)):
            sizes[self._pick([k for k, size in enumerate(sizes) if size < knobs.width])[0]] += 1
        slots = [layer for layer, size in enumerate(sizes[:-1]) for _ in range(size - 1)]
        last = [knobs.depth - 1] * (sizes[-1] - 1)
        false = self._pick(slots, knobs.distractors) if slots else []
        false += last[: knobs.distractors - len(false)]
        names = [f"step {k + 1}" for k in self.rng.permutation(knobs.number)]
        nodes: list[_Node] = []
        for layer, size in enumerate(sizes):
            for k in range(size):
                index = len(nodes)
                nodes.append(_Node(index, layer, names[index], k >= size - false.count(layer)))
        return nodes

    def _true(self, *layers: int) -> list[int]:
        return [n.index for n in self.nodes if not n.distractor and n.layer in layers]

    def _needs(self) -> None:
        knobs = self.knobs
        for node in self.nodes:
            if node.layer == 0:
                continue
            direct = self._pick(self._true(node.layer - 1))[0]
            others = [k for k in self._true(*range(node.layer)) if k != direct]
            draw = self.rng.random()
            if draw < knobs.and_share and others:
                node.fixed = node.chosen = sorted([direct, *self._pick(others, self._between(1, 2))])
                node.terms = [node.fixed]
            elif draw < knobs.and_share + knobs.or_share and others:
                node.terms = [[direct], self._pick(others)]
                node.chosen = self._pick(node.terms)[0]
            elif draw < knobs.and_share + knobs.or_share + knobs.k_of_share and len(others) > 1:
                node.terms = [[k] for k in [direct, *self._pick(others, 2)]]
                node.count = 2
                node.chosen = [term[0] for term in self._pick(node.terms, 2)]
            else:
                node.fixed = node.chosen = [direct]
                node.terms = [node.fixed]

    def _negations(self) -> None:
        """Forbid distractors, or whatever comes later in the order of the nodes."""
        later = [n for n in self.nodes if n.layer and not n.distractor]
        for node in self._pick(later, round(self.knobs.not_share * len(later))):
            false = [n.index for n in self.nodes if n.distractor and n.index < node.index]
            unused = [k for k in false if not any(k in other.against for other in self.nodes)]
            after = [k for k in self._true(node.layer, node.layer + 1) if k > node.index]
            options = unused or false or after
            if options:
                target = self._pick(options)[0]
                node.against.append(target)
                if not self.nodes[target].distractor:
                    self.nodes[target].order.append((node.index, 0))

    # --- what a run takes ----------------------------------------------------------

    def _skills(self) -> list[frozenset[str]]:
        knobs = self.knobs
        return [
            frozenset(
                f"skill {k + 1}" for k in range(knobs.skills) if k % knobs.agents == a or self._chance(0.3)
            )
            for a in range(knobs.agents)
        ]

    def _run(self, node: _Node) -> None:
        knobs, spec = self.knobs, node.spec
        length = self._between(*knobs.duration)
        spec["duration"] = length
        if self._chance(knobs.drawn):
            spec["duration"] = {"uniform": [length, length + self._between(1, 3)]}
        if not self._chance(knobs.attended):
            spec["attended"] = 0 if self._chance(knobs.dispatched) else 1
        if self.capacity and self._chance(knobs.use_share):
            name = self._pick(list(self.capacity))[0]
            spec["uses"] = {name: 2 if self.capacity[name] > 1 and self._chance(0.25) else 1}
        if knobs.skills and self._chance(0.5):
            spec["skill"] = f"skill {self._between(1, knobs.skills)}"
        able = sum(spec.get("skill") is None or spec["skill"] in skills for skills in self.skills)
        if able > 1 and self._chance(knobs.joint):
            spec["agents"] = 2
        if self._chance(knobs.chance):
            spec["success"] = knobs.success
        spec["reward"] = round(float(self.rng.uniform(0.8, 1.2)) * (node.layer + 1) / knobs.depth, 2)
        if self._chance(knobs.modes):
            slow = {"duration": length + self._between(2, length + 2), "attended": 1}
            fast = {key: spec.pop(key) for key in ("duration", "attended", "uses") if key in spec}
            spec["modes"] = {"fast": {**fast, "attended": length}, "slow": slow}
            node.mode = "fast" if self._chance(0.5) else "slow"

    def _least_lags(self) -> None:
        for node in self.nodes:
            for before in node.fixed:
                pred = self.nodes[before]
                if not self._chance(self.knobs.min_lags):
                    continue
                wait = self._between(1, 4)
                if self._chance(0.3) and not pred.mode:
                    lag = {"min": pred.longest() + wait, "from": "start"}
                else:
                    lag = {"min": wait}
                node.spec.setdefault("lags", {})[pred.name] = lag
                node.order.append((before, wait))

    # --- the witness ---------------------------------------------------------------

    def _goal(self) -> list[int]:
        asked = {k for n in self.nodes if not n.distractor for term in n.terms for k in term}
        return [n.index for n in self.nodes if not n.distractor and n.index not in asked]

    def _path(self) -> list[_Node]:
        wanted = set(self._goal())
        for node in reversed(self.nodes):
            if node.index in wanted:
                wanted |= set(node.chosen)
        return [node for node in self.nodes if node.index in wanted]

    def _schedule(self) -> list[Placed]:
        place = {node.index: k for k, node in enumerate(self.path)}
        jobs = []
        for node in self.path:
            spec, length = node.chosen_spec(), node.longest()
            after = [(k, 0) for k in node.chosen] + node.order
            jobs.append(
                Job(
                    name=node.key,
                    duration=length,
                    attended=spec.get("attended", length),
                    after=tuple((place[k], lag) for k, lag in after if k in place),
                    uses=spec.get("uses", {}),
                    agents=spec.get("agents", 1),
                    skill=spec.get("skill"),
                )
            )
        return schedule(
            jobs, self.skills, self.capacity, self.rng, outages=self.outages, absences=self.absences
        )

    # --- what is drawn around it -----------------------------------------------------

    def _stocks(self) -> dict[str, int]:
        stocks: dict[str, int] = {}
        for k in range(self.knobs.items):
            item = f"item {k + 1}"
            links = [(before, n.index) for n in self.path for before in n.fixed]
            if k % 2 and links:
                before, after = self._pick(links)[0]
                self.nodes[before].spec.setdefault("produces", {})[item] = 1
                self.nodes[after].spec.setdefault("consumes", {})[item] = 1
                continue
            takers = [n for n in self.nodes if n.distractor or n.index not in self.start]
            takers += self._pick(self.path, max(2, len(self.path) // 5))
            for node in takers:
                node.spec.setdefault("consumes", {})[item] = 1
            # A run that may fail takes its items each time.
            tries = [1 if n.spec.get("success", 1.0) == 1.0 else 4 for n in takers if n.index in self.start]
            stocks[item] = sum(tries)
        return stocks

    def _greatest_lags(self) -> None:
        links = [
            (self.start[n.index] - self.end[before], n.index, before)
            for n in self.path
            for before in n.fixed
            if isinstance(self.nodes[before].chosen_spec()["duration"], int)
            and self.nodes[before].name not in n.spec.get("lags", {})
        ]
        total = sum(len(n.fixed) for n in self.path)
        for gap, after, before in sorted(links)[: round(self.knobs.max_lags * total)]:
            lag = {"max": gap + self._between(*self.knobs.keeps)}
            self.nodes[after].spec.setdefault("lags", {})[self.nodes[before].name] = lag

    def _windows(self) -> None:
        knobs = self.knobs
        for node in self.path:
            start, end = self.start[node.index], self.end[node.index]
            if self._chance(knobs.releases):
                node.spec["release"] = self._between(start // 2, start)
            loose = knobs.slack * self.makespan
            if self._chance(knobs.deadlines):
                node.spec["deadline"] = end + int(loose * self.rng.random())
            if self._chance(knobs.dues):
                node.spec["due"] = end + int(loose * self.rng.random() / 2)
                node.spec["weight"] = self._between(1, 3)

    def _early_events(self) -> None:
        """Draw the disturbances around which the witness is built."""
        for _ in range(self.knobs.events // 2):
            at, length = self._between(2, 4 * self.knobs.depth), self._between(2, 6)
            if self.capacity and self._chance(0.5):
                name = self._pick(list(self.capacity))[0]
                now = self.capacity[name] - sum(o[1] for o in self.outages if o[0] == name)
                if now > 0 and not any(o[0] == name for o in self.outages):
                    self.outages.append((name, 1, at, at + length))
                    self.events.append({"at": at, "capacity": {name: now - 1}})
                    self.events.append({"at": at + length, "capacity": {name: now}})
                    continue
            agent = self._between(0, self.knobs.agents - 1)
            self.absences.append((agent, at, at + length))
            self.events.append({"at": at, "agent": f"agent {agent}", "down": length})

    def _late_events(self) -> None:
        """Draw the disturbances that leave the witness as it is."""
        for _ in range(self.knobs.events - self.knobs.events // 2):
            node = self._pick(self.path)[0]
            start, end = self.start[node.index], self.end[node.index]
            kind = self._pick(["undo", "stock", "duration", "appear", "deadline"])[0]
            done = [k for n in self.path for k in n.chosen if self.start[n.index] >= end]
            # Undoing what waits on something that spoils would spoil that as well.
            lasting = all("max" not in lag for lag in node.spec.get("lags", {}).values())
            if kind == "undo" and lasting and node.index in done and node.index not in self._goal():
                users = [n for n in self.path if node.index in n.chosen]
                at = max(self.start[n.index] for n in users) + 1
                self.events.append({"at": at, "undo": node.name})
            elif kind == "deadline" and "deadline" in node.spec:
                at = self._between(1, end)
                self.events.append({"at": at, "deadline": {node.name: node.spec["deadline"] + 5}})
            elif kind == "appear" and start >= 1:
                self.events.append({"at": self._between(1, start), "appear": node.name})
            elif kind == "stock" and self.items:
                at = self._between(1, self.makespan)
                self.events.append({"at": at, "stock": {self._pick(list(self.items))[0]: 1}})
            else:
                self.events.append({"at": start + 1, "duration": {node.name: node.longest() + 2}})

    def _formulas(self) -> list[str]:
        pairs = [
            (a.name, b.name) for a in self.path for b in self.path if self.end[a.index] <= self.start[b.index]
        ]
        return [f"~started({b}) U done({a})" for a, b in self._pick(pairs, self.knobs.constraints)]

    # --- writing it down -------------------------------------------------------------

    def _expression(self, node: _Node) -> str:
        names = [[self.nodes[k].name for k in term] for term in node.terms]
        if node.count:
            text = f"{node.count} of ({', '.join(term[0] for term in names)})"
        else:
            text = " | ".join(" & ".join(term) for term in names)
        if node.against:
            text = f"({text})" if len(names) > 1 and not node.count else text
            text += "".join(f" & ~{self.nodes[k].name}" for k in node.against)
        return text

    def mapping(self, seed: int) -> dict[str, Any]:
        """Return the task file's mapping, subtasks in the order of their names."""
        knobs = self.knobs
        task: dict[str, Any] = {"name": f"generated {seed}"}
        if knobs.horizon is not None:
            task["horizon"] = int(knobs.horizon * self.makespan)
        if knobs.skills:
            task["agents"] = [{"name": f"agent {a}", "skills": sorted(s)} for a, s in enumerate(self.skills)]
        else:
            task["agents"] = knobs.agents
        if self.capacity:
            task["resources"] = dict(self.capacity)
        if self.items:
            task["items"] = dict(self.items)
        subtasks = {}
        for node in sorted(self.nodes, key=lambda n: int(n.name.split()[1])):
            needs = {"needs": self._expression(node)} if node.terms else {}
            subtasks[node.name] = {**needs, **node.spec}
        task["subtasks"] = subtasks
        stages = {
            f"stage {k + 1}": {"all": [self.nodes[i].name for i in self._true(k)]} for k in range(knobs.depth)
        }
        task["tasks"] = stages
        if knobs.goal:
            task["goal"] = " & ".join(self.nodes[k].name for k in self._goal())
        if self.constraints:
            task["constraints"] = self.constraints
        if self.events:
            task["events"] = sorted(self.events, key=lambda event: int(event["at"]))
        return task
