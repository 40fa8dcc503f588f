"""Read a task mapping for the naive second implementation: plain dictionaries of names.

Owns the expansion (families, modes, repeats, compositions) and the parsing of
expressions and formulas. Written from the page alone and sharing nothing with
the package; nothing here is checked, since only valid tasks come in.
"""

from __future__ import annotations

import copy
import itertools
import re
from typing import Any

SUBTASK_DEFAULTS: dict[str, Any] = {
    "duration": 1,
    "attended": None,
    "needs": True,
    "lags": {},
    "release": 0,
    "deadline": None,
    "due": None,
    "weight": 1,
    "uses": {},
    "consumes": {},
    "requires": {},
    "produces": {},
    "agents": 1,
    "skill": None,
    "success": 1.0,
    "attempts": None,
    "repeatable": False,
    "reward": 0,
}


# --- Expressions: ("true",) ("name", n) ("not", e) ("and", es) ("or", es) ("at least", k, es)


def parse_expression(text: Any) -> tuple[Any, ...]:
    """Return the tree of an expression as in ``needs``."""
    if text is True or text is None:
        return ("true",)
    tokens = [token.strip() for token in re.findall(r"[~&|(),]|[^~&|(),]+", str(text))]
    tokens = [token for token in tokens if token]
    tree, rest = _parse_or(tokens)
    if rest:
        raise ValueError(f"left over in {text!r}: {rest}")
    return tree


def _parse_or(tokens: list[str]) -> tuple[tuple[Any, ...], list[str]]:
    part, tokens = _parse_and(tokens)
    parts = [part]
    while tokens and tokens[0] == "|":
        part, tokens = _parse_and(tokens[1:])
        parts.append(part)
    return (parts[0] if len(parts) == 1 else ("or", parts)), tokens


def _parse_and(tokens: list[str]) -> tuple[tuple[Any, ...], list[str]]:
    part, tokens = _parse_not(tokens)
    parts = [part]
    while tokens and tokens[0] == "&":
        part, tokens = _parse_not(tokens[1:])
        parts.append(part)
    return (parts[0] if len(parts) == 1 else ("and", parts)), tokens


def _parse_not(tokens: list[str]) -> tuple[tuple[Any, ...], list[str]]:
    if tokens[0] == "~":
        part, tokens = _parse_not(tokens[1:])
        return ("not", part), tokens
    if tokens[0] == "(":
        part, tokens = _parse_or(tokens[1:])
        return part, _expect(")", tokens)
    k_of = re.fullmatch(r"(\d+)\s+of", tokens[0])
    if k_of and tokens[1] == "(":
        part, tokens = _parse_or(tokens[2:])
        parts = [part]
        while tokens[0] == ",":
            part, tokens = _parse_or(tokens[1:])
            parts.append(part)
        return ("at least", int(k_of.group(1)), parts), _expect(")", tokens)
    return ("name", tokens[0]), tokens[1:]


def _expect(token: str, tokens: list[str]) -> list[str]:
    if not tokens or tokens[0] != token:
        raise ValueError(f"expected {token!r} before {tokens}")
    return tokens[1:]


def rename_expression(tree: tuple[Any, ...], names: dict[str, str]) -> tuple[Any, ...]:
    """Return the tree with every name that ``names`` has replaced."""
    if tree[0] == "name":
        return ("name", names.get(tree[1], tree[1]))
    if tree[0] == "not":
        return ("not", rename_expression(tree[1], names))
    if tree[0] in ("and", "or"):
        return (tree[0], [rename_expression(part, names) for part in tree[1]])
    if tree[0] == "at least":
        return ("at least", tree[1], [rename_expression(part, names) for part in tree[2]])
    return tree


# --- Families


def substitute(value: Any, binding: dict[str, Any]) -> Any:
    """Return ``value`` with each ``{variable}`` in its texts and keys replaced."""
    if isinstance(value, str):
        for variable, replacement in binding.items():
            if value == "{" + variable + "}":
                return replacement
        for variable, replacement in binding.items():
            value = value.replace("{" + variable + "}", str(replacement))
        return value
    if isinstance(value, dict):
        return {str(substitute(k, binding)): substitute(v, binding) for k, v in value.items()}
    if isinstance(value, list):
        return [substitute(part, binding) for part in value]
    return value


def family_members(key: str, body: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the members of a family in order, the first variable outermost."""
    variables = body["foreach"]
    rest = {k: v for k, v in body.items() if k != "foreach"}
    members = []
    for values in itertools.product(*variables.values()):
        binding = dict(zip(variables, values, strict=True))
        members.append((str(substitute(key, binding)), substitute(rest, binding)))
    return members


# --- The whole file


def without_nulls(body: dict[str, Any] | None) -> dict[str, Any]:
    """Return the fields that are not null, copied."""
    return {k: copy.deepcopy(v) for k, v in (body or {}).items() if v is not None}


def read_task(mapping: dict[str, Any]) -> dict[str, Any]:
    """Return the expanded task as a dictionary.

    Its ``subtasks`` are in the order of their indices; ``needs`` has become a
    list of trees that must all hold, ``lags`` a list, and what compositions
    bind is merged in. Its ``tasks`` are ``{kind, k, children}`` by name.
    """
    mapping = without_nulls(mapping)
    subtasks: dict[str, Any] = {}
    tasks: dict[str, Any] = {}
    for key, body in mapping["subtasks"].items():
        body = without_nulls(body)
        if "foreach" in body:
            members = family_members(key, body)
            tasks[key] = _composition("all", None, [name for name, _ in members], family=True)
        else:
            members = [(key, body)]
        for name, fields in members:
            _add_subtask(name, fields, subtasks, tasks)
    for key, body in (mapping.get("tasks") or {}).items():
        _add_composition(key, without_nulls(body), tasks)
    subtasks, tasks = expand_repeats(subtasks, tasks)
    _bind_compositions(subtasks, tasks)
    for fields in subtasks.values():
        fields["lags"] = [
            {"on": on, "from": lag.get("from", "completion"), "min": lag.get("min", 0), "max": lag.get("max")}
            for name, lag in fields["lags"].items()
            for on in _lag_predecessors(name, subtasks, tasks)
        ]
    return {
        "horizon": mapping.get("horizon"),
        "agents": _read_agents(mapping.get("agents", 1)),
        "resources": dict(mapping.get("resources", {})),
        "items": _read_items(mapping, subtasks),
        "subtasks": subtasks,
        "tasks": tasks,
        "goal": parse_expression(mapping["goal"]) if "goal" in mapping else None,
        "constraints": [parse_formula(text) for text in mapping.get("constraints", [])],
        "events": [without_nulls(event) for event in mapping.get("events", [])],
    }


def _read_agents(agents: Any) -> list[dict[str, Any]]:
    if isinstance(agents, int):
        return [{"name": f"agent {i}", "skills": []} for i in range(agents)]
    return [{"name": agent["name"], "skills": agent.get("skills") or []} for agent in agents]


def _read_items(mapping: dict[str, Any], subtasks: dict[str, Any]) -> dict[str, int]:
    items = dict(mapping.get("items", {}))
    for fields in subtasks.values():
        for field in ("consumes", "requires", "produces"):
            for item in fields[field]:
                items.setdefault(item, 0)
    for event in mapping.get("events", []):
        for item in event.get("stock") or {}:
            items.setdefault(item, 0)
    return items


def _add_subtask(name: str, body: dict[str, Any], subtasks: dict[str, Any], tasks: dict[str, Any]) -> None:
    """Add one subtask, or its modes and the choice over them."""
    modes = body.pop("modes", None)
    if modes is None:
        subtasks[name] = _with_defaults(body, group=name)
        return
    children = []
    for mode, own in modes.items():
        child = f"{name} [{mode}]"
        subtasks[child] = _with_defaults({**body, **without_nulls(own)}, group=name)
        children.append(child)
    tasks[name] = _composition("choice", None, children, modes=True)


def _with_defaults(body: dict[str, Any], group: str) -> dict[str, Any]:
    fields = copy.deepcopy({**SUBTASK_DEFAULTS, **body})
    fields["needs"] = [parse_expression(fields["needs"])]
    fields["group"] = group
    return fields


def _composition(kind: str, k: int | None, children: list[str], **more: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "k": k,
        "children": children,
        "needs": ("true",),
        "release": 0,
        "deadline": None,
        "family": False,
        "modes": False,
        **more,
    }


def _add_composition(name: str, body: dict[str, Any], tasks: dict[str, Any]) -> None:
    """Add one composition under ``name``, and the inline ones in it under names of their own."""
    binds = {
        "needs": parse_expression(body.pop("needs", True)),
        "release": body.pop("release", 0),
        "deadline": body.pop("deadline", None),
    }
    times = body.pop("times", None)
    ((operator, listed),) = body.items()
    if operator == "repeat":
        listed = [listed]
    children = []
    for i, child in enumerate(listed):
        if isinstance(child, dict):
            inline = f"{name}({i})"
            _add_composition(inline, without_nulls(child), tasks)
            children.append(inline)
        else:
            children.append(child)
    if operator == "repeat":
        tasks[name] = _composition(operator, None, children, times=times, **binds)
    elif operator in ("all", "sequence", "any", "choice"):
        tasks[name] = _composition(operator, None, children, **binds)
    else:
        tasks[name] = _composition("k of", int(operator.split()[0]), children, **binds)


def everything_under(name: str, tasks: dict[str, Any]) -> list[str]:
    """Return ``name`` and all names below it, each once."""
    found = [name]
    for child in tasks[name]["children"] if name in tasks else []:
        found += [below for below in everything_under(child, tasks) if below not in found]
    return found


def subtasks_under(name: str, tasks: dict[str, Any]) -> set[str]:
    """Return the names of the subtasks at or below ``name``."""
    return {below for below in everything_under(name, tasks) if below not in tasks}


def expand_repeats(subtasks: dict[str, Any], tasks: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return subtasks and tasks with every repeat made a sequence of copies, inner ones first."""
    while True:
        repeats = [name for name in tasks if tasks[name]["kind"] == "repeat"]
        if not repeats:
            return subtasks, tasks
        for name in repeats:
            target = tasks[name]["children"][0]
            inside = everything_under(target, tasks)
            if not any(below in repeats for below in inside):
                break
        times = tasks[name]["times"]
        tasks[name]["kind"] = "sequence"
        tasks[name]["children"] = [f"{target}.{i}" for i in range(1, times + 1)]
        subtasks = _with_copies(subtasks, inside, times)
        tasks = _with_copies(tasks, inside, times)


def _with_copies(entries: dict[str, Any], inside: list[str], times: int) -> dict[str, Any]:
    """Return the entries with each of those inside replaced, in its place, by its copies."""
    result = {}
    for name, entry in entries.items():
        if name not in inside:
            result[name] = entry
            continue
        for i in range(1, times + 1):
            names = {below: f"{below}.{i}" for below in inside}
            new = copy.deepcopy(entry)
            if "children" in new:
                new["children"] = [names.get(child, child) for child in new["children"]]
                new["needs"] = rename_expression(new["needs"], names)
            else:
                new["needs"] = [rename_expression(tree, names) for tree in new["needs"]]
                new["lags"] = {names.get(on, on): lag for on, lag in new["lags"].items()}
                new["group"] = names.get(new["group"], new["group"])
            result[names[name]] = new
    return result


def _bind_compositions(subtasks: dict[str, Any], tasks: dict[str, Any]) -> None:
    """Merge what compositions ask for into the subtasks under them."""
    for name, task in tasks.items():
        for below in subtasks_under(name, tasks):
            fields = subtasks[below]
            fields["needs"].append(task["needs"])
            fields["release"] = max(fields["release"], task["release"])
            limits = [limit for limit in (fields["deadline"], task["deadline"]) if limit is not None]
            fields["deadline"] = min(limits, default=None)
        if task["kind"] == "sequence":
            for before, child in itertools.pairwise(task["children"]):
                for below in subtasks_under(child, tasks):
                    subtasks[below]["needs"].append(("name", before))


def _lag_predecessors(name: str, subtasks: dict[str, Any], tasks: dict[str, Any]) -> list[list[str]]:
    """Return one list of subtasks for each lag that a lag on ``name`` stands for."""
    if name in subtasks:
        return [[name]]
    if tasks[name]["modes"]:
        return [tasks[name]["children"]]
    if tasks[name]["family"]:
        return [on for child in tasks[name]["children"] for on in _lag_predecessors(child, subtasks, tasks)]
    raise ValueError(f"a lag on the task {name!r}")


# --- LTLf, negations pushed down to the atoms:
#     ("atom", a) ("not atom", a) ("and", f, g) ("or", f, g) ("X", f) ("WX", f) ("F", f) ("G", f)
#     ("U", f, g) and its dual ("R", f, g); an atom is (kind, name)

Formula = tuple[Any, ...]


def parse_formula(text: str) -> Formula:
    """Return the tree of an LTLf formula, negations only before atoms."""
    pattern = r"(?:done|running|started)\s*\([^()]*\)|->|WX|[~&|()XFGU]|\S"
    tokens = re.findall(pattern, text)
    tree, rest = _parse_implies(tokens)
    if rest:
        raise ValueError(f"left over in {text!r}: {rest}")
    return push_negation(tree, negate=False)


def _parse_implies(tokens: list[str]) -> tuple[Formula, list[str]]:
    left, tokens = _parse_binary(tokens, 0)
    if tokens and tokens[0] == "->":
        right, tokens = _parse_implies(tokens[1:])
        return ("or", ("not", left), right), tokens
    return left, tokens


def _parse_binary(tokens: list[str], level: int) -> tuple[Formula, list[str]]:
    """Parse ``|`` (level 0) and ``&`` (level 1), both chains, over what binds tighter."""
    if level == 2:
        return _parse_until(tokens)
    left, tokens = _parse_binary(tokens, level + 1)
    while tokens and tokens[0] == "|&"[level]:
        right, tokens = _parse_binary(tokens[1:], level + 1)
        left = (("or", "and")[level], left, right)
    return left, tokens


def _parse_until(tokens: list[str]) -> tuple[Formula, list[str]]:
    left, tokens = _parse_unary(tokens)
    if tokens and tokens[0] == "U":
        right, tokens = _parse_until(tokens[1:])
        return ("U", left, right), tokens
    return left, tokens


def _parse_unary(tokens: list[str]) -> tuple[Formula, list[str]]:
    head = tokens[0]
    if head == "~":
        tree, tokens = _parse_unary(tokens[1:])
        return ("not", tree), tokens
    if head in ("X", "WX", "F", "G"):
        tree, tokens = _parse_unary(tokens[1:])
        return (head, tree), tokens
    if head == "(":
        tree, tokens = _parse_implies(tokens[1:])
        return tree, _expect(")", tokens)
    kind, name = re.fullmatch(r"(done|running|started)\s*\(([^()]*)\)", head).groups()  # type: ignore[union-attr]
    return ("atom", (kind, name.strip())), tokens[1:]


def push_negation(tree: Formula, negate: bool) -> Formula:
    """Return an equal formula (of the negation, if asked) with negations only before atoms."""
    dual = {"and": "or", "or": "and", "X": "WX", "WX": "X", "F": "G", "G": "F", "U": "R", "R": "U"}
    if tree[0] == "not":
        return push_negation(tree[1], not negate)
    if tree[0] == "atom":
        return ("not atom", tree[1]) if negate else tree
    operator = dual[tree[0]] if negate else tree[0]
    return (operator, *(push_negation(part, negate) for part in tree[1:]))


def atoms_of(tree: Formula) -> list[tuple[str, str]]:
    """Return the atoms of a formula, each once, in order."""
    if tree[0] in ("atom", "not atom"):
        return [tree[1]]
    found: list[tuple[str, str]] = []
    for part in tree[1:]:
        found += [atom for atom in atoms_of(part) if atom not in found]
    return found


# What the rest of a trace must fulfil is an obligation: ("more", f): there is a next letter and f holds
# from it on; ("if more", f): if there is one, f holds from it on. A set of obligations asks for all of
# them, and a state of the automaton is a set of such sets, one of which must be met.

State = frozenset[frozenset[tuple[str, Formula]]]
MET: State = frozenset([frozenset()])
BROKEN: State = frozenset()


def either(a: State, b: State) -> State:
    """Return the state that asks for one of two, larger alternatives dropped."""
    sets = a | b
    return frozenset(s for s in sets if not any(other < s for other in sets))


def both(a: State, b: State) -> State:
    """Return the state that asks for both of two."""
    return either(frozenset(s | t for s in a for t in b), BROKEN)


def after_letter(tree: Formula, letter: frozenset[tuple[str, str]]) -> State:
    """Return what the rest must fulfil for ``tree`` to hold from this letter on."""
    head = tree[0]
    if head == "atom":
        return MET if tree[1] in letter else BROKEN
    if head == "not atom":
        return BROKEN if tree[1] in letter else MET
    if head == "and":
        return both(after_letter(tree[1], letter), after_letter(tree[2], letter))
    if head == "or":
        return either(after_letter(tree[1], letter), after_letter(tree[2], letter))
    later_must: State = frozenset([frozenset([("more", tree if head in "FU" else tree[1])])])
    later_may: State = frozenset([frozenset([("if more", tree if head in "GR" else tree[1])])])
    if head == "X":
        return later_must
    if head == "WX":
        return later_may
    if head == "F":
        return either(after_letter(tree[1], letter), later_must)
    if head == "G":
        return both(after_letter(tree[1], letter), later_may)
    first, second = after_letter(tree[1], letter), after_letter(tree[2], letter)
    if head == "U":
        return either(second, both(first, later_must))
    return both(second, either(first, later_may))


def initial_state(tree: Formula) -> State:
    """Return the state before the first letter."""
    return frozenset([frozenset([("more", tree)])])


def next_state(state: State, letter: frozenset[tuple[str, str]]) -> State:
    """Return the state after one more letter."""
    result = BROKEN
    for obligations in state:
        asked = MET
        for _, tree in obligations:
            asked = both(asked, after_letter(tree, letter))
        result = either(result, asked)
    return result


def accepts(state: State) -> bool:
    """Return whether the trace may end here."""
    return any(all(kind == "if more" for kind, _ in obligations) for obligations in state)


def living_states(tree: Formula) -> set[State]:
    """Return every reachable state from which some continuation, the empty one included, is accepted."""
    atoms = atoms_of(tree)
    letters = [
        frozenset(atom for atom, bit in zip(atoms, bits, strict=True) if bit)
        for bits in itertools.product([False, True], repeat=len(atoms))
    ]
    successors: dict[State, set[State]] = {}
    frontier = [initial_state(tree)]
    while frontier:
        state = frontier.pop()
        if state not in successors:
            successors[state] = {next_state(state, letter) for letter in letters}
            frontier += successors[state]
    living = {state for state in successors if accepts(state)}
    while True:
        more = {state for state in successors if successors[state] & living} - living
        if not more:
            return living
        living |= more
