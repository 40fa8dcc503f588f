"""Random task mappings that together use every field of the language, all of them valid.

Owns the drawing only: a mapping is a function of its seed. Tasks are small and
crowded on purpose, so that rules meet; whether a task can be won is left to chance.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

Names = dict[str, frozenset[str]]
"""A name that may be referred to, and the subtasks (after expansion) at or under it."""


@dataclass
class Entry:
    """One key of ``subtasks``: its variables, modes and the repeats around it, inner first."""

    key: str
    variables: dict[str, list[Any]]
    modes: list[str]
    group: int | None = None

    def names(self, suffix: str = "") -> Names:
        """Return every name that the entry makes, with the suffix of one copy."""
        members = [self.key]
        for variable, values in self.variables.items():
            members = [
                member.replace("{" + variable + "}", str(value)) for member in members for value in values
            ]
        names: Names = {}
        for member in members:
            leaves = [f"{member} [{mode}]" for mode in self.modes] or [member]
            names[member + suffix] = frozenset(leaf + suffix for leaf in leaves)
            names.update({leaf + suffix: frozenset([leaf + suffix]) for leaf in leaves})
        names[self.key + suffix] = frozenset().union(*names.values())
        return names


@dataclass
class Draft:
    """A task under construction.

    Attributes:
        rng: where everything is drawn from.
        entries: the keys of ``subtasks`` in order.
        outside: names that may be referred to from outside of repeats.
        inside: for each group that is repeated, its own names, free of copies.
        own_copies: for each group, the names outside that are copies of its own.
        lagged: names that a lag may be on (subtasks, those with modes, families).
        tasks: the compositions so far.
    """

    rng: np.random.Generator
    agents: list[str] = field(default_factory=list)
    skills: list[str] = field(default_factory=list)
    resources: dict[str, int] = field(default_factory=dict)
    items: list[str] = field(default_factory=list)
    horizon: int | None = None
    entries: list[Entry] = field(default_factory=list)
    outside: Names = field(default_factory=dict)
    inside: dict[int, Names] = field(default_factory=dict)
    own_copies: dict[int, set[str]] = field(default_factory=dict)
    lagged: set[str] = field(default_factory=set)
    tasks: dict[str, Any] = field(default_factory=dict)
    drawn: bool = True

    def chance(self, p: float) -> bool:
        """Return True with probability p."""
        return bool(self.rng.random() < p)

    def below(self, n: int) -> int:
        """Return an integer in 0..n-1."""
        return int(self.rng.integers(n))

    def between(self, lo: int, hi: int) -> int:
        """Return an integer in lo..hi."""
        return int(self.rng.integers(lo, hi + 1))

    def pick(self, options: Any) -> Any:
        """Return one of the options."""
        options = list(options)
        return options[self.below(len(options))]

    def some(self, options: Any, count: int) -> list[Any]:
        """Return up to ``count`` different options in a drawn order."""
        options = list(options)
        return [options[int(i)] for i in self.rng.permutation(len(options))[:count]]


def random_task(
    seed: int,
    *,
    size: int = 8,
    drawn: bool = True,
    events: bool = True,
    constraints: bool = True,
    horizon: bool | None = None,
    goal: bool | None = None,
) -> dict[str, Any]:
    """Return a valid random task mapping.

    Args:
        seed: the same seed gives the same task.
        size: about how many subtasks after expansion (up to about twice as many).
        drawn: whether durations, successes and ticks of events may be drawn.
        events: whether there may be events.
        constraints: whether there may be LTLf constraints.
        horizon: whether there is one; None leaves it to chance (mostly yes).
        goal: whether there is one; None leaves it to chance.

    Returns:
        A mapping of plain Python values, as a YAML file would give.
    """
    draft = Draft(np.random.default_rng([seed, size]), drawn=drawn)
    with_horizon = draft.chance(0.85) if horizon is None else horizon
    draft.horizon = draft.between(8, 45) if with_horizon else None
    task: dict[str, Any] = {"name": f"random {seed}"} if draft.chance(0.9) else {}
    if draft.horizon is not None:
        task["horizon"] = draft.horizon
    task.update(_surroundings(draft))
    _entries(draft, size)
    _repeats(draft)
    _compositions(draft)
    task["subtasks"] = {entry.key: _body(draft, i) for i, entry in enumerate(draft.entries)}
    if draft.tasks:
        task["tasks"] = draft.tasks
    if draft.chance(0.65) if goal is None else goal:
        task["goal"] = _expression(draft, list(draft.outside), 2, negated=0.05)
    if constraints and draft.chance(0.45):
        task["constraints"] = [_formula(draft) for _ in range(draft.between(1, 2))]
    if events and draft.chance(0.65):
        task["events"] = [_event(draft) for _ in range(draft.between(1, 4))]
    return task


# --- Agents, resources, items


def _surroundings(draft: Draft) -> dict[str, Any]:
    """Draw agents, resources and items and return their fields."""
    fields: dict[str, Any] = {}
    count = draft.pick([1, 2, 2, 3])
    draft.agents = [f"agent {i}" for i in range(count)]
    if draft.chance(0.4):
        draft.skills = ["cook", "clean"][: draft.between(1, 2)]
        draft.agents = ["ann", "bob", "cy"][:count]
        fields["agents"] = [
            {"name": name, "skills": draft.some(draft.skills, draft.between(0, 2))}
            if draft.chance(0.8)
            else {"name": name}
            for name in draft.agents
        ]
    elif count > 1 or draft.chance(0.5):
        fields["agents"] = count
    if draft.chance(0.6):
        draft.resources = {
            name: draft.pick([1, 1, 2, 3]) for name in ["oven", "table"][: draft.between(1, 2)]
        }
        fields["resources"] = dict(draft.resources)
    if draft.chance(0.6):
        draft.items = ["egg", "flour", "cake"][: draft.between(1, 3)]
        stock = {item: draft.between(0, 4) for item in draft.items if draft.chance(0.8)}
        if stock:
            fields["items"] = stock
    return fields


# --- Names: entries, repeats, compositions


def _entries(draft: Draft, size: int) -> None:
    """Draw the keys of ``subtasks`` until there are about ``size`` subtasks."""
    count = 0
    while count < size:
        i = len(draft.entries)
        variables: dict[str, list[Any]] = {}
        key = f"s{i}" if draft.chance(0.5) else f"step {i}"
        if draft.chance(0.15):
            variables["n"] = draft.pick([[1, 3], [2, 1], [2]])
            key += " {n}"
            if draft.chance(0.3):
                variables["kind"] = ["x", "y"]
                key += " {kind}"
            if draft.resources and draft.chance(0.4):
                variables["tool"] = list(draft.resources)
                key += " {tool}"
        modes = ["slow", "fast", "odd"][: draft.between(2, 3)] if draft.chance(0.2) else []
        entry = Entry(key, variables, modes)
        draft.entries.append(entry)
        count += len(entry.names()[key])


def _repeats(draft: Draft) -> None:
    """Draw groups of entries that are repeated, and fill in all names that may be used."""
    copies: dict[int, list[str]] = {}
    if draft.chance(0.3):
        members = draft.some(draft.entries, draft.between(1, 2))
        members.sort(key=draft.entries.index)
        for entry in members:
            entry.group = 0
        times = draft.between(1, 3)
        single = len(members) == 1 and draft.chance(0.6)
        target: Any = members[0].key if single else "group 0"
        if not single:
            children = [entry.key for entry in members]
            group = {draft.pick(["all", "any", "sequence", "choice"]): children}
            if draft.chance(0.2):
                target = group
            else:
                draft.tasks["group 0"] = group
        nested = draft.chance(0.3)
        copies[0] = [f".{i}" for i in range(1, times + 1)]
        if nested:
            draft.tasks["again 0"] = {"repeat": target, "times": times}
            draft.tasks["again 1"] = {"repeat": "again 0", "times": 2}
            copies[0] = [f".{i}.{j}" for i in range(1, times + 1) for j in (1, 2)]
        elif draft.chance(0.3):
            draft.tasks["again 0"] = {"all": [{"repeat": target, "times": times}]}
        else:
            draft.tasks["again 0"] = {"repeat": target, "times": times}
        free = [entry.key for entry in draft.entries if entry.group is None]
        if draft.chance(0.3):
            draft.tasks["again 0"]["release"] = draft.between(0, 3)
        if draft.chance(0.2):
            draft.tasks["again 0"]["deadline"] = draft.between(12, 40)
        if free and draft.chance(0.3):
            draft.tasks["again 0"]["needs"] = str(draft.pick(free))
    for entry in draft.entries:
        if entry.group is None:
            draft.outside.update(entry.names())
            continue
        draft.inside.setdefault(0, {}).update(entry.names())
        for suffix in copies[0]:
            names = entry.names(suffix)
            draft.outside.update(names)
            draft.own_copies.setdefault(0, set()).update(names)
    draft.lagged = set(draft.outside) | {name for names in draft.inside.values() for name in names}
    if 0 in draft.inside:
        everything = frozenset().union(*(draft.outside[name] for name in draft.own_copies[0]))
        top = "again 1" if "again 1" in draft.tasks else "again 0"
        draft.outside[top] = everything
        draft.own_copies[0].add(top)


def _compositions(draft: Draft) -> None:
    """Draw named compositions over what there is, later ones over earlier ones too."""
    for i in range(draft.pick([0, 1, 2, 2, 3])):
        name = f"task {i}"
        body, under = _composition(draft, 2)
        if draft.chance(0.25):
            body["needs"] = _expression(draft, list(draft.outside), 1, negated=0.1)
        if draft.chance(0.15):
            body["release"] = draft.between(0, 4)
        if draft.chance(0.15):
            body["deadline"] = draft.between(6, 30)
        draft.tasks[name] = body
        draft.outside[name] = under


def _composition(draft: Draft, depth: int) -> tuple[dict[str, Any], frozenset[str]]:
    """Return a composition and what is under it."""
    operator = draft.pick(["all", "any", "sequence", "sequence", "choice", "k of"])
    children: list[Any] = []
    under: frozenset[str] = frozenset()
    for _ in range(draft.between(1, 3)):
        if depth > 1 and draft.chance(0.25):
            child, below = _composition(draft, depth - 1)
        else:
            child = draft.pick(draft.outside)
            below = draft.outside[child]
        if child in children or (operator == "sequence" and below & under):
            continue
        children.append(child)
        under |= below
    if operator == "k of":
        operator = f"{draft.between(1, len(children))} of"
    return {operator: children}, under


# --- Expressions


def _expression(draft: Draft, names: list[str], depth: int, negated: float) -> str:
    """Return an expression over the names."""
    kind = draft.below(10) if depth > 0 else 0
    if kind < 5:
        name = str(draft.pick(names))
        return "~" + name if draft.chance(negated) else name
    parts = [_expression(draft, names, depth - 1, negated) for _ in range(draft.between(2, 3))]
    parts = list(dict.fromkeys(parts))
    if kind == 5 and len(parts) > 1:
        return f"{draft.between(1, len(parts))} of ({', '.join(parts)})"
    if kind == 6:
        return f"~({parts[0]})" if draft.chance(negated * 4) else f"({parts[0]})"
    joined = (" & " if kind < 8 else " | ").join(parts)
    return f"({joined})" if depth < 2 else joined


def _formula(draft: Draft) -> str:
    """Return an LTLf formula, mostly one that leaves something to do."""
    names = list(draft.outside)

    def atom(kinds: tuple[str, ...] = ("done", "running", "started")) -> str:
        return f"{draft.pick(kinds)}({draft.pick(names)})"

    form = draft.below(9)
    if form == 0:
        return f"G ~({atom()} & {atom()})"
    if form == 1:
        return f"~{atom()} U {atom(('done',))}"
    if form == 2:
        return f"F {atom()}"
    if form == 3:
        return f"G ({atom()} -> F {atom()})"
    if form == 4:
        return f"G ({atom(('started',))} -> WX ~{atom()})"
    if form == 5:
        return f"{atom()} -> X {atom()} | G {atom()}"
    if form == 6:
        return f"G ({atom(('started', 'running'))} -> X ({atom()} | ~{atom()}))"
    return _random_formula(draft, [atom() for _ in range(draft.between(1, 3))], 3)


def _random_formula(draft: Draft, atoms: list[str], depth: int) -> str:
    kind = draft.below(9) if depth > 0 else 0
    if kind < 2:
        return str(draft.pick(atoms))
    part = _random_formula(draft, atoms, depth - 1)
    if kind < 6:
        return f"{draft.pick(['~', 'F ', 'G ', 'X ', 'WX '])}({part})"
    other = _random_formula(draft, atoms, depth - 1)
    return f"({part}) {draft.pick(['U', '&', '|', '->'])} ({other})"


# --- The fields of a subtask


def _body(draft: Draft, i: int) -> dict[str, Any]:
    """Return the fields of entry ``i``."""
    entry = draft.entries[i]
    body: dict[str, Any] = {}
    if entry.variables:
        body["foreach"] = {variable: list(values) for variable, values in entry.variables.items()}
    body.update(_run_fields(draft, entry))
    earlier, anything = _usable_names(draft, i)
    if earlier and draft.chance(0.35):
        body["needs"] = _expression(draft, earlier, 2, negated=0.06)
    elif anything and draft.chance(0.1):
        body["needs"] = _expression(draft, anything, 2, negated=0.3)
    elif draft.chance(0.1):
        body["needs"] = draft.pick([True, None])
    lags = _lags(draft, entry, earlier, anything)
    if lags or draft.chance(0.05):
        body["lags"] = lags
    body.update(_window_fields(draft))
    body.update(_amount_fields(draft))
    if "tool" in entry.variables:
        body["uses"] = {"{tool}": 1}
    body.update(_play_fields(draft))
    if entry.modes:
        body["modes"] = {mode: _mode(draft, earlier) for mode in entry.modes}
    return body


def _usable_names(draft: Draft, i: int) -> tuple[list[str], list[str]]:
    """Return the names that the fields of entry ``i`` may use: of earlier entries, and all."""
    group = draft.entries[i].group
    usable: Names = dict(draft.outside)
    if group is not None:
        usable = {name: under for name, under in usable.items() if name not in draft.own_copies[group]}
        copies = frozenset().union(*(draft.outside[name] for name in draft.own_copies[group]))
        usable = {name: under for name, under in usable.items() if not under & copies}
        usable.update(draft.inside[group])
    usable = {
        name: under for name, under in usable.items() if _in_family(draft.entries[i], name) <= set(usable)
    }
    own = set(draft.entries[i].names())
    before: set[str] = set()
    for entry in draft.entries[:i]:
        for name in entry.names():
            before |= {other for other in usable if other == name or other.startswith(name + ".")}
    return [name for name in usable if name in before and name not in own], [
        n for n in usable if n not in own
    ]


def _in_family(entry: Entry, name: str) -> set[str]:
    """Return what a name becomes in the members of the entry, where its variables are put in."""
    names = {name}
    for variable, values in entry.variables.items():
        names = {n.replace("{" + variable + "}", str(value)) for n in names for value in values}
    return names


def _duration(draft: Draft) -> Any:
    kind = draft.below(10) if draft.drawn else 0
    if kind < 6:
        return draft.between(1, 5)
    lo = draft.between(1, 3)
    if kind < 8:
        return {"uniform": [lo, lo + draft.between(0, 3)]}
    return {"choice": [draft.between(1, 6) for _ in range(draft.between(1, 3))]}


def _run_fields(draft: Draft, entry: Entry) -> dict[str, Any]:
    """Return duration and attended."""
    fields: dict[str, Any] = {}
    if "n" in entry.variables and draft.chance(0.5):
        fields["duration"] = "{n}"
    elif draft.chance(0.8):
        fields["duration"] = _duration(draft)
    if draft.chance(0.5):
        fields["attended"] = draft.pick([0, 0, 1, 1, 1, 2, 9])
    elif draft.chance(0.05):
        fields["attended"] = None
    if "n" in entry.variables and draft.chance(0.3):
        fields["reward"] = "{n}"
    return fields


def _window(draft: Draft, from_start: bool) -> dict[str, Any]:
    lag: dict[str, Any] = {}
    if draft.chance(0.7):
        lag["min"] = draft.between(0, 4)
    if draft.chance(0.6):
        lag["max"] = lag.get("min", 0) + draft.between(0, 5)
    if from_start:
        lag["from"] = "start"
    elif draft.chance(0.1):
        lag["from"] = "completion"
    return lag


def _lags(draft: Draft, entry: Entry, earlier: list[str], anything: list[str]) -> dict[str, Any]:
    """Return lags on names whose subtasks do not meet."""
    lags: dict[str, Any] = {}
    taken: frozenset[str] = frozenset()
    under = {**draft.outside, **{k: v for names in draft.inside.values() for k, v in names.items()}}
    own = entry.names()
    for _ in range(draft.pick([0, 0, 0, 1, 1, 2])):
        pool = [name for name in (earlier if draft.chance(0.9) else anything) if name in draft.lagged]
        pool = [name for name in pool if not under[name] & taken and not under[name] & own[entry.key]]
        if pool:
            name = draft.pick(pool)
            lags[name] = _window(draft, from_start=draft.chance(0.4))
            taken |= under[name]
    if draft.chance(0.12):
        lags[entry.key] = {"min": draft.between(1, 5), "from": "start"}
    return lags


def _window_fields(draft: Draft) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if draft.chance(0.15):
        fields["release"] = draft.between(0, 6)
    if draft.chance(0.15):
        fields["deadline"] = draft.between(4, 35)
    if draft.horizon is not None and draft.chance(0.2):
        fields["due"] = draft.between(0, 20)
        if draft.chance(0.6):
            fields["weight"] = draft.pick([0, 1, 2, 0.5])
    return fields


def _amount_fields(draft: Draft) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if draft.resources and draft.chance(0.55):
        used = draft.some(draft.resources, draft.between(1, 2))
        fields["uses"] = {
            name: draft.between(0 if draft.chance(0.1) else 1, draft.resources[name]) for name in used
        }
    for name, p in (("consumes", 0.2), ("requires", 0.15), ("produces", 0.3)):
        if draft.items and draft.chance(p):
            fields[name] = {
                item: draft.between(1, 2) for item in draft.some(draft.items, draft.between(1, 2))
            }
    return fields


def _play_fields(draft: Draft) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if len(draft.agents) > 1 and draft.chance(0.2):
        fields["agents"] = draft.between(2, len(draft.agents))
    if draft.skills and draft.chance(0.3):
        fields["skill"] = draft.pick(draft.skills)
    if draft.drawn and draft.chance(0.25):
        fields["success"] = draft.pick([0.3, 0.5, 0.8, 1.0])
    elif draft.chance(0.05):
        fields["success"] = draft.pick([0, 0.0, 1])
    if draft.chance(0.15):
        fields["attempts"] = draft.between(1, 3)
    if draft.chance(0.15):
        fields["repeatable"] = draft.chance(0.8)
    if draft.chance(0.5):
        fields["reward"] = draft.pick([1, 2, 5, 0.5, -1])
    return fields


def _mode(draft: Draft, earlier: list[str]) -> dict[str, Any]:
    """Return a mode's own fields."""
    fields: dict[str, Any] = {}
    if draft.chance(0.7):
        fields["duration"] = _duration(draft)
    fields.update(_amount_fields(draft) if draft.chance(0.4) else {})
    if draft.chance(0.2):
        fields["attended"] = draft.between(0, 2)
    if draft.chance(0.2):
        fields["reward"] = draft.between(0, 4)
    if draft.chance(0.15):
        fields["attempts"] = draft.between(1, 2)
    if earlier and draft.chance(0.15):
        fields["needs"] = _expression(draft, earlier, 1, negated=0.1)
    window, play = _window_fields(draft), _play_fields(draft)
    for name in draft.some(["release", "deadline", "agents", "skill", "success"], 1):
        fields.update({k: v for k, v in {**window, **play}.items() if k == name})
    return fields


# --- Events


def _event(draft: Draft) -> dict[str, Any]:
    """Return one disturbance of any kind."""
    at: Any = draft.between(1, 15)
    if draft.drawn and draft.chance(0.3):
        at = {"uniform": [at, at + draft.between(0, 6)]}
    event: dict[str, Any] = {"at": at}
    if draft.chance(0.3):
        event["known"] = draft.chance(0.7)
    target = str(draft.pick(list(draft.outside)[: 1 + draft.below(len(draft.outside))]))
    kinds = ["undo", "undo", "undo", "agent", "duration", "deadline", "appear"]
    kinds += ["capacity"] if draft.resources else []
    kinds += ["stock"] if draft.items else []
    kind = draft.pick(kinds)
    if kind == "agent":
        event |= {"agent": draft.pick(draft.agents), "down": draft.between(1, 8)}
    elif kind == "capacity":
        event["capacity"] = {
            name: draft.between(0, 3) for name in draft.some(draft.resources, draft.between(1, 2))
        }
    elif kind == "stock":
        event["stock"] = {name: draft.between(-3, 3) for name in draft.some(draft.items, draft.between(1, 2))}
    elif kind == "duration":
        event["duration"] = {target: _duration(draft)}
    elif kind == "deadline":
        event["deadline"] = {target: draft.between(0, 40)}
    else:
        event[kind] = target
    return event


# --- Small tasks for brute force


def small_task(seed: int) -> dict[str, Any]:
    """Return a deterministic task of at most 5 subtasks with a goal and a horizon, for exhaustive search."""
    draft = Draft(np.random.default_rng([seed, 5]), drawn=False)
    draft.horizon = draft.between(8, 12)
    task: dict[str, Any] = {"name": f"small {seed}", "horizon": draft.horizon}
    task.update(_surroundings(draft))
    if len(draft.agents) > 2:
        draft.agents = draft.agents[:2]
        task["agents"] = task["agents"][:2] if isinstance(task["agents"], list) else 2
    size = draft.between(2, 5)
    while size > 0:
        modes = ["slow", "fast"] if size > 1 and draft.chance(0.2) else []
        draft.entries.append(Entry(f"s{len(draft.entries)}", {}, modes))
        size -= max(1, len(modes))
    _repeats_none(draft)
    if len(draft.entries) > 1 and draft.chance(0.5):
        _compositions(draft)
    task["subtasks"] = {entry.key: _short(_body(draft, i)) for i, entry in enumerate(draft.entries)}
    if draft.tasks:
        task["tasks"] = draft.tasks
    task["goal"] = _expression(draft, list(draft.outside), 2, negated=0.03)
    if draft.chance(0.2):
        task["constraints"] = [_formula(draft)]
    return task


def _repeats_none(draft: Draft) -> None:
    for entry in draft.entries:
        draft.outside.update(entry.names())
    draft.lagged = set(draft.outside)


def _short(body: dict[str, Any]) -> dict[str, Any]:
    """Return the fields with durations of at most 3 ticks and no success of 0."""
    for fields in [body, *body.get("modes", {}).values()]:
        if "duration" in fields:
            fields["duration"] = min(3, fields["duration"])
    body.pop("success", None)
    return body
