"""The hierarchy of a task file: compositions read, ordered, and repeated.

Owns the ``tasks`` of a file as groups of named children (inline compositions get
a name that no user can write), the search for cycles, and ``repeat``. It works
on names only; ``compose`` turns the result into a graph.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from stratagym.envs.task import expr
from stratagym.envs.task.families import Budget, Draft, Group, Parts, check_name, parse_needs
from stratagym.envs.task.faults import TaskError, describe, join, quote, suggest
from stratagym.envs.task.graph import CompositionKind
from stratagym.envs.task.models import LIMIT, BindingSpec, check

_COUNTED = re.compile(r"([0-9]+)\s+of")
_PLAIN: dict[str, CompositionKind] = {
    "all": "all",
    "sequence": "sequence",
    "any": "any",
    "choice": "choice",
    "repeat": "repeat",
}
_FIELDS = (*_PLAIN, "2 of", "times", "needs", "release", "deadline")


def add_compositions(tasks: Mapping[str, Any], parts: Parts, budget: Budget) -> None:
    """Add every composition of ``tasks``, inline ones after the one that holds them.

    Raises:
        TaskError: if one of them is not valid by itself.
    """
    place = 0
    for key, raw in tasks.items():
        path = join("tasks", key)
        if isinstance(raw, dict) and raw.get("foreach") is not None:
            raise TaskError(
                "only subtasks take `foreach`", path, "name the family here: {all: ['wash {dish}']}"
            )
        check_name(key, path)
        waiting: list[tuple[str, Any, str, bool]] = [(key, raw, path, False)]
        while waiting:
            name, body, where, inline = waiting.pop()
            group, inner = _read(name, body, where)
            place += 1
            group.order, group.inline = (place,), inline
            budget.spend(len(name), where)
            parts.add(group)
            waiting += [(child, spec, at, True) for child, spec, at in reversed(inner)]


def _read(name: str, raw: Any, path: str) -> tuple[Group, list[tuple[str, Any, str]]]:
    """Return one composition, and the inline ones directly in it still to be read."""
    if not isinstance(raw, dict):
        fix = "such as {all: [a, b]}"
        raise TaskError(f"a task must be a composition, not {describe(raw)}", path, fix)
    body = {k: v for k, v in raw.items() if v is not None}
    key, kind, count = _operator(body, path)
    binding = check(BindingSpec, {k: v for k, v in body.items() if k not in (key, "times")}, path)
    group = Group(name, path, (), kind, count, [], key=key)
    group.needs = parse_needs(binding.needs, f"{path}.needs")
    group.release, group.deadline = binding.release or 0, binding.deadline
    where = join(path, key)
    if kind == "repeat":
        group.times = _times(body, path)
        children = [body[key]]
    else:
        if "times" in body:
            raise TaskError("`times` belongs to `repeat`", path, "write {repeat: x, times: 3}")
        children = _children(body[key], where)
        if count > len(children):
            problem = f"'{key}' has only {len(children)} to choose from"
            raise TaskError(problem, where, f"the number must be 1 to {len(children)}")
        group.count = {"all": len(children), "sequence": len(children)}.get(kind, count)
    inner: list[tuple[str, Any, str]] = []
    for i, child in enumerate(children):
        at = where if kind == "repeat" else join(where, i)
        if isinstance(child, dict):
            generated = f"{name}({i + 1})"
            inner.append((generated, child, at))
            group.children.append(generated)
        else:
            group.children.append(_child(child, at))
    return group, inner


def _operator(body: Mapping[str, Any], path: str) -> tuple[str, CompositionKind, int]:
    """Return the key of the one operator, its kind, and how many children make it done."""
    found: list[tuple[str, CompositionKind, int]] = []
    for key in body:
        counted = _COUNTED.fullmatch(key)
        if counted:
            digits = counted[1]
            count = int(digits) if len(digits) < 10 else LIMIT
            if count < 1:
                raise TaskError("the number of `k of` must be at least 1", join(path, key))
            found.append((key, "k of", count))
        elif key in _PLAIN:
            found.append((key, _PLAIN[key], 1))
        elif key not in _FIELDS:
            raise TaskError(f"unknown operator or field {quote(key)}", path, _operators(key))
    if not found:
        raise TaskError("a composition needs an operator", path, _operators(""))
    if len(found) > 1:
        both = " and ".join(quote(key) for key, _, _ in found)
        raise TaskError(f"a composition has one operator, not {both}", path, "put one inside the other")
    return found[0]


def _operators(key: str) -> str:
    return suggest(key, _FIELDS) or "the operators are all, sequence, any, choice, 2 of, repeat"


def _times(body: Mapping[str, Any], path: str) -> int:
    times = body.get("times")
    if times is None:
        raise TaskError("`repeat` needs `times`", path, "write {repeat: x, times: 3}")
    if isinstance(times, bool) or not isinstance(times, int):
        raise TaskError(f"must be a whole number, not {describe(times)}", f"{path}.times")
    if times < 1:
        raise TaskError(f"must be at least 1, not {describe(times)}", f"{path}.times")
    return times


def _children(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise TaskError(f"must be a list of names and compositions, not {describe(value)}", path)
    if not value:
        raise TaskError("an empty composition", path, "name at least one subtask or task")
    return value


def _child(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise TaskError(
            f"must be a name or a composition, not {describe(value)}", path, "put names in quotes"
        )
    name = value.strip()
    if any(c in name for c in "&|~(),"):
        raise TaskError(
            f"{quote(name)} is an expression, but here stands a name or a composition",
            path,
            "write {all: [a, b]} or {any: [a, b]}",
        )
    return name


def topological(parts: Parts, strict: Callable[[str, str], None] | None = None) -> list[str]:
    """Return the names of all groups, children before parents.

    Args:
        parts: all subtasks and groups.
        strict: called with an unknown child's name and its parent's path; it raises.
            None leaves unknown children out.

    Raises:
        TaskError: if compositions form a cycle; it names the members.
    """
    done: dict[str, bool] = {}
    order: list[str] = []
    for root in parts.groups:
        stack: list[tuple[str, Iterator[str]]] = []
        _enter(root, parts, done, stack)
        while stack:
            name, children = stack[-1]
            child = next(children, None)
            if child is None:
                stack.pop()
                done[name] = True
                order.append(name)
            elif child in parts.groups:
                if done.get(child) is False:
                    _cycle([n for n, _ in stack], child, parts)
                _enter(child, parts, done, stack)
            elif strict is not None and child not in parts.drafts:
                strict(child, parts.groups[name].at(child))
    return order


def _enter(name: str, parts: Parts, done: dict[str, bool], stack: list[tuple[str, Iterator[str]]]) -> None:
    if name not in done:
        done[name] = False
        stack.append((name, iter(parts.groups[name].children)))


def _cycle(stack: list[str], again: str, parts: Parts) -> None:
    members = [*stack[stack.index(again) :], again]
    named = [name for name in members if not parts.groups[name].inline]
    if named[0] != named[-1] or len(named) == 1:
        named.append(named[0])
    if len(named) > 8:
        named = [*named[:4], "...", *named[-3:]]
    chain = " -> ".join(quote(n) if n != "..." else n for n in named)
    raise TaskError(f"a cycle of compositions: {chain}", parts.groups[again].path, "take one of them out")


def repeat_all(parts: Parts, budget: Budget) -> dict[str, tuple[str, int]]:
    """Make the copies of every ``repeat``, inner ones first.

    Args:
        parts: changed in place: what is repeated gives way to its copies.
        budget: what the copies may cost.

    Returns:
        What is gone: name -> (path of the repeat, how many copies).

    Raises:
        TaskError: if something cannot be repeated.
    """
    gone: dict[str, tuple[str, int]] = {}
    pending = [name for name in topological(parts) if parts.groups[name].kind == "repeat"]
    while pending:
        stuck: list[str] = []
        for name in pending:
            root = parts.groups.get(name)
            if root is None or root.times == 0:
                continue
            under = _under(root.children[0], parts, budget, root.path)
            if any(n not in parts and n not in gone for n in under):
                stuck.append(name)
            else:
                _copy(root, list(under), parts, budget, gone)
        if len(stuck) == len(pending):
            break
        pending = stuck
    return gone


def _under(child: str, parts: Parts, budget: Budget, path: str) -> dict[str, None]:
    """Return every name under ``child``, itself first, unknown ones too."""
    found: dict[str, None] = {child: None}
    waiting = [child]
    while waiting:
        group = parts.groups.get(waiting.pop())
        if group is None:
            continue
        budget.spend(len(group.children), path)
        for name in group.children:
            if name not in found:
                found[name] = None
                waiting.append(name)
    return found


def _copy(
    root: Group, under: list[str], parts: Parts, budget: Budget, gone: dict[str, tuple[str, int]]
) -> None:
    """Put copies in the place of all that is under a ``repeat``."""
    lost = next((n for n in under if n in gone), None)
    if lost is not None:
        raise TaskError(_gone(lost, gone), root.path, "repeat each part in one place only")
    inside = set(under)
    for name in under:
        owner = (parts.drafts.get(name) or parts.groups[name]).owner
        if owner and owner not in inside:
            whole = "family" if parts.groups[owner].kind == "family" else "subtask with its modes"
            problem = f"{quote(name)} cannot be repeated apart from its {whole}"
            raise TaskError(problem, root.path, f"repeat {quote(owner)}")
    subtasks = sum(n in parts.drafts for n in under)
    budget.grow(subtasks * (root.times - 1), root.path)
    budget.spend(root.times * (len(str(root.times)) + 1) * len(under), root.path)
    names = {name: [f"{name}.{k}" for k in range(1, root.times + 1)] for name in under}
    budget.spend(root.times * sum(_weight(parts, name) for name in under), root.path)
    for name in under:
        old = parts.drafts.pop(name, None) or parts.groups.pop(name)
        gone[name] = (root.path, root.times)
        for k, new in enumerate(names[name], start=1):

            def follow(reference: str, k: int = k) -> str:
                return f"{reference}.{k}" if reference in inside else reference

            parts.add(_renamed(old, new, k, follow))
    root.children = names[root.children[0]]
    root.times = 0
    root.count = len(root.children)


def _weight(parts: Parts, name: str) -> int:
    """Return about how many characters one copy costs."""
    part = parts.drafts.get(name) or parts.groups[name]
    references = [*(part.lags if isinstance(part, Draft) else part.children)]
    if part.needs is not None:
        references += expr.names(part.needs)
    return 50 + len(name) + sum(map(len, references))


def _renamed(old: Draft | Group, name: str, k: int, follow: Callable[[str], str]) -> Draft | Group:
    needs = None if old.needs is None else expr.rename(old.needs, follow)
    order = (*old.order, k)
    if isinstance(old, Draft):
        lags = {follow(predecessor): lag for predecessor, lag in old.lags.items()}
        return replace(old, name=name, order=order, owner=follow(old.owner), needs=needs, lags=lags)
    children = [follow(child) for child in old.children]
    return replace(old, name=name, order=order, owner=follow(old.owner), needs=needs, children=children)


def _gone(name: str, gone: Mapping[str, tuple[str, int]]) -> str:
    path, times = gone[name]
    copies = quote(f"{name}.1") if times == 1 else f"{quote(f'{name}.1')} to {quote(f'{name}.{times}')}"
    return f"{quote(name)} gave way to its copies {copies} ({path})"


def refuse_name(name: str, path: str, parts: Parts, gone: Mapping[str, tuple[str, int]], what: str) -> None:
    """Raise the error for a name that stands for nothing.

    Args:
        name: the name.
        path: where it is used.
        parts: what there is.
        gone: what ``repeat`` replaced.
        what: what is looked for (``subtask or task``).
    """
    if name in gone:
        raise TaskError(_gone(name, gone), path, "name one of the copies")
    hole = re.search(r"\{[^{}]*\}", name)
    known = [n for n, d in parts.drafts.items()] + [n for n, g in parts.groups.items() if not g.inline]
    fix = suggest(name, known, "there are")
    if hole:
        raise TaskError(f"{quote(name)} is no family, and the hole {hole[0]} has no variable here", path, fix)
    raise TaskError(f"no {what} is called {quote(name)}", path, fix)
