"""From a task file's parts, all by name, to the task graph, all by index.

Owns what compositions mean: the node that says each is done, what ``sequence``,
``needs``, ``release`` and ``deadline`` bind below them, branches of choices, lags
on families and modes, who is paid and due together, events and constraints. It
reads no files; ``families`` and ``hierarchy`` have made the parts before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stratagym.envs.task import expr, ltlf
from stratagym.envs.task.events import Names, read_events
from stratagym.envs.task.families import Budget, Draft, Group, Parts, expand_subtasks, parse_needs
from stratagym.envs.task.faults import TaskError, join, quote, suggest
from stratagym.envs.task.gates import Gates, Literal
from stratagym.envs.task.graph import (
    Agent,
    Amounts,
    Atom,
    Branch,
    Choice,
    Composition,
    Constraint,
    Due,
    Duration,
    Item,
    Lag,
    Resource,
    Subtask,
    TaskGraph,
)
from stratagym.envs.task.hierarchy import add_compositions, refuse_name, repeat_all, topological
from stratagym.envs.task.models import AgentSpec, TaskSpec, check

UNNAMED = "task"
"""The name of a task that has none."""

MAX_MEMBERS = 4_000_000
"""Members of all compositions together, each counted in each (once if several have the same)."""

MAX_LINKS = 8_000_000
"""How often a subtask may be named by compositions, lags (each counts 8) and events, all together."""

MAX_CONSTRAINTS = 1024
MAX_TRANSITIONS = 4_000_000
"""Entries of the tables of all automata together."""


@dataclass(slots=True)
class Bound:
    """What compositions bind one subtask to, beyond its own fields."""

    needs: list[Literal] = field(default_factory=list)
    release: int = 0
    deadline: int | None = None


class Composer:
    """Resolves names and compiles compositions for one task."""

    def __init__(self, spec: TaskSpec) -> None:
        self.spec = spec
        self.parts = Parts()
        budget = Budget()
        expand_subtasks(spec.subtasks, self.parts, budget)
        add_compositions(spec.tasks or {}, self.parts, budget)
        self.gone = repeat_all(self.parts, budget)
        self.order = topological(self.parts, self.unknown)
        self.drafts = sorted(self.parts.drafts.values(), key=lambda d: d.order)
        self.index = {draft.name: i for i, draft in enumerate(self.drafts)}
        self.gates = Gates(len(self.drafts))
        self.nodes: dict[str, int] = {}
        self.masks: dict[str, int] = {}
        self.members: dict[str, tuple[int, ...]] = {}
        self.bound = [Bound() for _ in self.drafts]
        self.links = 0
        self.agents, self.skills = _agents(spec, self.drafts)
        self.resources = {name: i for i, name in enumerate(spec.resources or {})}
        self.items = _items(spec, self.drafts)

    # --- names ---------------------------------------------------------------

    def unknown(self, name: str, path: str, what: str = "subtask or task") -> None:
        """Refuse a name that stands for nothing."""
        refuse_name(name, path, self.parts, self.gone, what)

    def node(self, name: str, path: str) -> int:
        """Return the node that says that a subtask, task or family is done."""
        if name in self.index:
            return self.index[name]
        if name not in self.nodes:
            self.unknown(name, path)
        return self.nodes[name]

    def under(self, name: str, path: str) -> tuple[int, ...]:
        """Return all subtasks under a name."""
        if name in self.index:
            return (self.index[name],)
        if name not in self.members:
            self.unknown(name, path)
        return self.members[name]

    def literals(self, tree: expr.Expr | None, path: str) -> list[Literal]:
        """Return literals that hold together exactly if the expression does."""
        if tree is None:
            return []
        return self.gates.conjuncts(tree, lambda name: self.node(name, path))

    # --- compositions ----------------------------------------------------------

    def compile_groups(self) -> None:
        """Give each composition its node and its members, children first."""
        total = 0
        shared: dict[int, tuple[int, ...]] = {}
        for name in self.order:
            group = self.parts.groups[name]
            mask = 0
            literals: list[Literal] = []
            for i, child in enumerate(group.children):
                below = 1 << self.index[child] if child in self.index else self.masks[child]
                if group.kind in ("sequence", "repeat") and mask & below:
                    self._shared(group, i, mask & below)
                mask |= below
                literals.append((self.node(child, group.path), True))
            self.masks[name] = mask
            if mask not in shared:
                total += mask.bit_count()
                if total > MAX_MEMBERS:
                    raise TaskError("the compositions hold too many subtasks together", group.path)
                shared[mask] = _bits(mask)
            self.members[name] = shared[mask]
            self.nodes[name] = self._done(group, literals)

    def _done(self, group: Group, literals: list[Literal]) -> int:
        if group.kind in ("any", "choice", "modes"):
            return self.gates.any(literals)
        if group.kind == "k of":
            return self.gates.at_least(group.count, literals)
        return self.gates.all(literals)

    def _shared(self, group: Group, child: int, mask: int) -> None:
        name = self.drafts[_bits(mask)[0]].name
        raise TaskError(
            f"the children of a sequence share the subtask {quote(name)}",
            join(join(group.path, "sequence"), child),
            "a subtask can stand in one child only; use `repeat` to do it again",
        )

    def push_down(self) -> None:
        """Bind every subtask to what the compositions over it ask."""
        for group in sorted(self.parts.groups.values(), key=lambda g: g.order):
            literals = self.literals(group.needs, f"{group.path}.needs")
            if len(literals) > 16:
                literals = [(self.gates.all(literals), True)]
            if literals or group.release or group.deadline is not None:
                for i in self.named(group.name, group.path):
                    bound = self.bound[i]
                    bound.needs += literals
                    bound.release = max(bound.release, group.release)
                    if group.deadline is not None:
                        ends = [end for end in (group.deadline, bound.deadline) if end is not None]
                        bound.deadline = min(ends)
            if group.kind in ("sequence", "repeat"):
                for before, child in zip(group.children, group.children[1:], strict=False):
                    node = self.node(before, group.path)
                    for i in self.named(child, group.path):
                        self.bound[i].needs.append((node, True))

    def named(self, name: str, path: str) -> tuple[int, ...]:
        """Return all subtasks under a name, and count them against what a task may bind."""
        members = self.under(name, path)
        self.spend(len(members), path)
        return members

    def spend(self, links: int, path: str) -> None:
        """Count links from one part of the task to its subtasks."""
        self.links += links
        if self.links > MAX_LINKS:
            raise TaskError("compositions, lags and events name too many subtasks together", path)

    # --- subtasks ----------------------------------------------------------------

    def subtask(self, i: int) -> Subtask:
        """Return one subtask with all that binds it."""
        draft = self.drafts[i]
        spec, bound = draft.spec, self.bound[i]
        own = self.literals(draft.needs, draft.at("needs"))
        deadlines = [d for d in (spec.deadline, bound.deadline) if d is not None]
        agents = spec.agents or 1
        if agents > len(self.agents):
            fix = f"there {'is' if len(self.agents) == 1 else 'are'} {len(self.agents)}"
            raise TaskError(f"{agents} agents are needed", draft.at("agents"), f"{fix}: see `agents`")
        return Subtask(
            name=draft.name,
            duration=spec.duration or Duration("fixed", (1,)),
            attended=spec.attended,
            needs=self.gates.all([*own, *bound.needs]),
            lags=self.lags(i),
            release=max(spec.release or 0, bound.release),
            deadline=min(deadlines, default=None),
            uses=self._uses(draft),
            consumes=self._amounts(spec.consumes),
            requires=self._amounts(spec.requires),
            produces=self._amounts(spec.produces),
            agents=agents,
            skill=None if spec.skill is None else self.skills[spec.skill],
            success=1.0 if spec.success is None else float(spec.success),
            attempts=spec.attempts,
            repeatable=bool(spec.repeatable),
            reward=float(spec.reward or 0.0),
            pay_group=self._pay_group(i),
        )

    def lags(self, i: int) -> tuple[Lag, ...]:
        """Return the lags of a subtask: one a predecessor, one for all modes of one."""
        draft = self.drafts[i]
        lags: list[Lag] = []
        seen: set[int] = set()
        for name, (from_start, minimum, maximum) in draft.lags.items():
            path = join(draft.at("lags"), name)
            found = self._predecessors(name, path)
            self.spend(8 * len(found), path)
            for predecessors in found:
                if i in predecessors and not from_start:
                    fix = "for a cooldown write {min: .., from: start}"
                    raise TaskError("a lag on itself", path, fix)
                if i in predecessors and maximum is not None:
                    raise TaskError("a cooldown (a lag on itself from its start) has no `max`", path)
                if not seen.isdisjoint(predecessors):
                    twice = next(self.drafts[p].name for p in predecessors if p in seen)
                    raise TaskError(f"two lags on the subtask {quote(twice)}", path, "keep one of them")
                seen.update(predecessors)
                lags.append(Lag(predecessors, "start" if from_start else "completion", minimum, maximum))
        return tuple(lags)

    def _predecessors(self, name: str, path: str) -> list[tuple[int, ...]]:
        if name in self.index:
            return [(self.index[name],)]
        group = self.parts.groups.get(name)
        if group is None:
            self.unknown(name, path, "subtask")
        elif group.kind == "modes":
            return [self.members[name]]
        elif group.kind == "family":
            return [p for child in group.children for p in self._predecessors(child, path)]
        raise TaskError(
            f"a lag on the task {quote(name)}", path, "a lag is on a subtask: name those that count"
        )

    def _uses(self, draft: Draft) -> Amounts:
        capacities = self.spec.resources or {}
        used: list[tuple[int, int]] = []
        for name, amount in (draft.spec.uses or {}).items():
            path = join(draft.at("uses"), name)
            if name not in self.resources:
                fix = suggest(name, capacities) or "declare it under `resources`"
                raise TaskError(f"no resource is called {quote(name)}", path, fix)
            if amount > capacities[name]:
                problem = f"{amount} of {quote(name)} are used, but there are {capacities[name]}"
                raise TaskError(problem, path, f"use at most {capacities[name]}, or raise the capacity")
            if amount:
                used.append((self.resources[name], amount))
        return tuple(used)

    def _amounts(self, amounts: Mapping[str, int] | None) -> Amounts:
        return tuple((self.items[name], amount) for name, amount in (amounts or {}).items() if amount)

    def _pay_group(self, i: int) -> int:
        draft = self.drafts[i]
        if not draft.mode or draft.spec.repeatable:
            return i
        siblings = self.parts.groups[draft.owner].children
        return min(self.index[s] for s in siblings if not self.parts.drafts[s].spec.repeatable)

    # --- the rest -------------------------------------------------------------------

    def choices(self) -> tuple[Choice, ...]:
        """Return every choice of two branches or more."""
        found: list[Choice] = []
        for group in sorted(self.parts.groups.values(), key=lambda g: g.order):
            if group.kind in ("choice", "modes"):
                children = list(dict.fromkeys(group.children))
                branches = [Branch(self.node(c, group.path), self.under(c, group.path)) for c in children]
                if len(branches) > 1:
                    found.append(Choice(group.name, tuple(branches)))
        return tuple(found)

    def dues(self) -> tuple[Due, ...]:
        """Return every due date; the modes of a subtask share one."""
        found: list[tuple[int, Due, str]] = []
        for i, draft in enumerate(self.drafts):
            if draft.spec.due is not None:
                weight = 1.0 if draft.spec.weight is None else float(draft.spec.weight)
                found.append((i, Due(draft.name, draft.spec.due, weight, (i,)), draft.path))
        for group in self.parts.groups.values():
            if group.due is not None:
                members = self.members[group.name]
                due = Due(group.name, group.due, float(group.weight), members)
                found.append((members[0], due, group.path))
        if found and self.spec.horizon is None:
            path = min(found, key=lambda f: f[0])[2]
            raise TaskError("a `due` needs a horizon", f"{path}.due", "set `horizon`")
        return tuple(due for _, due, _ in sorted(found, key=lambda f: f[0]))

    def compositions(self) -> tuple[Composition, ...]:
        """Return the hierarchy: families and modes first, then ``tasks``."""
        groups = sorted(
            self.parts.groups.values(), key=lambda g: (g.kind not in ("family", "modes"), g.order)
        )
        return tuple(
            Composition(
                name=g.name,
                kind=g.kind,
                count=g.count,
                node=self.nodes[g.name],
                children=tuple(g.children),
                members=self.members[g.name],
                inline=g.inline,
            )
            for g in groups
        )

    def constraints(self) -> tuple[Constraint, ...]:
        """Return the formulas, compiled, their atoms resolved."""
        found: list[Constraint] = []
        formulas = self.spec.constraints or []
        if len(formulas) > MAX_CONSTRAINTS:
            raise TaskError(f"{len(formulas)} constraints, at most {MAX_CONSTRAINTS}", "constraints")
        transitions = 0
        for k, text in enumerate(formulas):
            path = f"constraints[{k}]"
            try:
                atoms, automaton = ltlf.compile_formula(text)
            except ltlf.FormulaError as error:
                raise TaskError(f"{error} in {quote(text)}", path) from None
            transitions += len(automaton.table) << len(atoms)
            if transitions > MAX_TRANSITIONS:
                raise TaskError("the automata of the constraints are too large together", path)
            resolved = tuple(
                Atom(kind, name, self.node(name, path), self.under(name, path)) for kind, name in atoms
            )
            found.append(Constraint(text.strip(), resolved, automaton))
        return tuple(found)

    def goal(self) -> int | None:
        """Return the node of the goal."""
        goal = self.spec.goal
        if goal is None:
            return None
        return self.gates.all(self.literals(parse_needs(goal, "goal"), "goal"))

    def graph(self) -> TaskGraph:
        """Return the whole task."""
        self._refuse_unclear_truth()
        self.compile_groups()
        self.push_down()
        subtasks = tuple(self.subtask(i) for i in range(len(self.drafts)))
        goal = self.goal()
        constraints = self.constraints()
        events = read_events(
            self.spec.events or (),
            Names(self.named, tuple(a.name for a in self.agents), self.resources, self.items),
        )
        stocks = self.spec.items or {}
        return TaskGraph(
            name=self.spec.name or UNNAMED,
            horizon=self.spec.horizon,
            agents=self.agents,
            skills=tuple(self.skills),
            resources=tuple(Resource(n, c) for n, c in (self.spec.resources or {}).items()),
            items=tuple(Item(name, stocks.get(name, 0)) for name in self.items),
            subtasks=subtasks,
            gates=tuple(self.gates.gates),
            goal=goal,
            choices=self.choices(),
            dues=self.dues(),
            compositions=self.compositions(),
            constraints=constraints,
            events=events,
        )

    def _refuse_unclear_truth(self) -> None:
        """Refuse ``needs: on`` next to a subtask called ``on``: YAML reads it as true."""
        word = next((w for w in ("true", "True", "yes", "on") if w in self.parts), None)
        if word is None:
            return
        wheres = [(d.spec.needs, d.at("needs")) for d in self.drafts] + [(self.spec.goal, "goal")]
        for value, path in wheres:
            if value is True:
                raise TaskError(
                    f"true may mean {quote(word)} or that nothing is needed", path, "put names in quotes"
                )


def compose(spec: TaskSpec) -> TaskGraph:
    """Return the graph of a task file whose fields have been checked.

    Raises:
        TaskError: if a name stands for nothing, or the parts do not fit together.
    """
    return Composer(spec).graph()


def _bits(mask: int) -> tuple[int, ...]:
    """Return the places of the ones in a mask, in order."""
    text = bin(mask)[:1:-1]
    return tuple(i for i, bit in enumerate(text) if bit == "1")


def _agents(spec: TaskSpec, drafts: list[Draft]) -> tuple[tuple[Agent, ...], dict[str, int]]:
    """Return the agents, and the index of each skill that is had or asked for."""
    listed: Any = spec.agents
    skills: dict[str, int] = {}
    agents: list[Agent] = []
    if isinstance(listed, list):
        names: set[str] = set()
        for i, raw in enumerate(listed):
            agent = check(AgentSpec, raw, f"agents[{i}]")
            if agent.name in names:
                raise TaskError(f"two agents are called {quote(agent.name)}", f"agents[{i}]")
            names.add(agent.name)
            had = frozenset(skills.setdefault(s, len(skills)) for s in agent.skills or ())
            agents.append(Agent(agent.name, had))
    else:
        agents = [Agent(f"agent {i}") for i in range(1 if listed is None else listed)]
    for draft in drafts:
        if draft.spec.skill is not None:
            skills.setdefault(draft.spec.skill, len(skills))
    return tuple(agents), skills


def _items(spec: TaskSpec, drafts: list[Draft]) -> dict[str, int]:
    """Return the index of every item mentioned: declared, used, or in an event."""
    mentioned = dict.fromkeys(spec.items or ())
    for draft in drafts:
        for amounts in (draft.spec.consumes, draft.spec.requires, draft.spec.produces):
            mentioned |= dict.fromkeys(amounts or ())
    for event in spec.events or ():
        mentioned |= dict.fromkeys(event.stock or ())
    return {name: i for i, name in enumerate(mentioned)}
