"""Measure task mappings, and make harder tasks of them.

Owns depth and width of a mapping, and the two ways of making a task harder that
keep its goal reachable: one more subtask in front (depth), one more beside it
(width). It works on the task file's language before expansion, so it understands
plain subtasks and modes; tasks with families or repeats are refused.
"""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

_TIMES = ("release", "deadline", "due")
_TOKEN = re.compile(r"[&|~(),]")
_COUNT = re.compile(r"^\d+ of\b\s*")


def predecessors(mapping: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return, per subtask, the subtasks that it may have to wait for.

    These are the positive literals of ``needs`` and the predecessors of lags
    (cooldowns aside). A literal that names a composition stands for all under it.

    Raises:
        ValueError: if the mapping has families or repeats.
    """
    subtasks, tasks = mapping["subtasks"], mapping.get("tasks") or {}
    if any("foreach" in (fields or {}) for fields in [*subtasks.values(), *tasks.values()]):
        raise ValueError("foreach: only plain subtasks can be measured; expand the family first")
    if any("repeat" in (fields or {}) for fields in tasks.values()):
        raise ValueError("repeat: only plain subtasks can be measured; expand it first")
    found: dict[str, list[str]] = {}
    for name, fields in subtasks.items():
        fields = fields or {}
        texts = [fields.get("needs")]
        texts += [(mode or {}).get("needs") for mode in (fields.get("modes") or {}).values()]
        names = [k for text in texts for k in _positive(text)] + list(fields.get("lags") or {})
        members = [k for n in names for k in _members(n, subtasks, tasks)]
        found[name] = sorted({k for k in members if k != name})
    for parent in tasks.values():
        _add_sequence(parent, subtasks, tasks, found)
    return found


def levels(mapping: Mapping[str, Any]) -> dict[str, int]:
    """Return, per subtask, how many subtasks the longest chain before it has.

    Raises:
        ValueError: if needs form a cycle, which has no longest chain.
    """
    before = predecessors(mapping)
    level: dict[str, int] = {}
    while len(level) < len(before):
        ready = [k for k in before if k not in level and all(p in level for p in before[k])]
        if not ready:
            cycle = ", ".join(k for k in before if k not in level)
            raise ValueError(f"needs: a cycle among {cycle} has no depth")
        level.update({k: 1 + max((level[p] for p in before[k]), default=-1) for k in ready})
    return level


def depth_width(mapping: Mapping[str, Any]) -> tuple[int, int]:
    """Return the subtasks on the longest chain of needs, and in the largest level.

    Modes of one subtask count once, and every subtask counts, asked for or not.
    """
    level = list(levels(mapping).values())
    return max(level) + 1, max(level.count(k) for k in set(level))


def extend_depth(mapping: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Put a new subtask in front of one that begins a longest chain.

    Every tick in the task moves by the new subtask's duration, so a schedule that
    reached the goal still does, after the new subtask.

    Returns:
        A new mapping, its depth greater by one.
    """
    rng = np.random.Generator(np.random.PCG64([seed, 0xDEE9]))
    task = copy.deepcopy(dict(mapping))
    level, before = levels(task), predecessors(task)
    chain = {k for k in level if level[k] == max(level.values())}
    for k in sorted(level, key=lambda k: -level[k]):
        if k in chain:
            chain |= {p for p in before[k] if level[p] == level[k] - 1}
    leaf = _choose(rng, [k for k in task["subtasks"] if k in chain and level[k] == 0])
    name = _fresh(task, f"prepare {leaf}")
    length = int(rng.integers(1, 6))
    fields = task["subtasks"][leaf] = dict(task["subtasks"][leaf] or {})
    fields["needs"] = f"{name} & ({fields['needs']})" if isinstance(fields.get("needs"), str) else name
    for mode in (fields.get("modes") or {}).values():
        if isinstance((mode or {}).get("needs"), str):
            mode["needs"] = f"{name} & ({mode['needs']})"
    _move(task, length)
    task["subtasks"] = {name: {"duration": length}, **task["subtasks"]}
    return task


def extend_width(mapping: Mapping[str, Any], other: int | Mapping[str, Any]) -> dict[str, Any]:
    """Put a new subtask beside those of the largest level, or a whole other task beside this one.

    With a seed, one subtask is added, and the goal asks for it. It has no window of its
    own and the horizon grows by its duration, so a schedule that reached the goal still
    does, with the new subtask behind. It needs one subtask of the level before that the
    goal cannot do without; if there is none (all of that level are alternatives), any
    one of them. With another task, both are combined under the prefixes ``first/`` and
    ``second/``, sharing agents, resources and items of the same name; no window moves,
    so the goal may be out of reach in time.

    Args:
        mapping: a task of plain subtasks.
        other: a seed, or another task.

    Returns:
        A new mapping, its width greater by one (by a seed).
    """
    if isinstance(other, Mapping):
        from stratagym.envs.task.spec import combine

        return dict(combine({"first": mapping, "second": other}).to_dict())
    rng = np.random.Generator(np.random.PCG64([other, 0x31D7]))
    task = copy.deepcopy(dict(mapping))
    level = levels(task)
    counts = [list(level.values()).count(k) for k in range(max(level.values()) + 1)]
    widest = counts.index(max(counts))
    number = 1 + sum(k.startswith("extra ") for k in task["subtasks"])
    name = _fresh(task, f"extra {number}")
    length = int(rng.integers(1, 6))
    fields: dict[str, Any] = {"duration": length}
    if widest:
        before = [k for k in task["subtasks"] if level[k] == widest - 1]
        certain = [k for k in before if k in _certain(task)]
        fields["needs"] = _choose(rng, certain) if certain else " | ".join(before)
    task["subtasks"] = {**task["subtasks"], name: fields}
    if isinstance(task.get("goal"), str):
        task["goal"] = f"({task['goal']}) & {name}"
    if task.get("horizon"):
        task["horizon"] += length
    return task


def _certain(task: Mapping[str, Any]) -> set[str]:
    """Return subtasks that every way to the goal does: conjunctions only, followed back."""
    subtasks, tasks = task["subtasks"], task.get("tasks") or {}
    certain: set[str] = set()
    texts: list[Any] = [task.get("goal")]
    while texts:
        text = texts.pop()
        if not isinstance(text, str) or "|" in text or " of" in text:
            continue
        for name in _positive(text):
            if name in subtasks and name not in certain:
                certain.add(name)
                fields = subtasks[name] or {}
                texts += [fields.get("needs"), *(fields.get("lags") or {})]
            elif "all" in (tasks.get(name) or {}) or "sequence" in (tasks.get(name) or {}):
                texts += _children(tasks[name])
    return certain


def _choose(rng: np.random.Generator, names: list[str]) -> str:
    return names[int(rng.integers(len(names)))]


def _fresh(task: Mapping[str, Any], name: str) -> str:
    taken = {*task["subtasks"], *(task.get("tasks") or {})}
    while name in taken:
        name += " again"
    return name


def _move(task: dict[str, Any], ticks: int) -> None:
    """Move every tick that the task names."""
    for part in [*task["subtasks"].values(), *(task.get("tasks") or {}).values()]:
        for fields in [part or {}, *(((part or {}).get("modes")) or {}).values()]:
            for key in _TIMES:
                if (fields or {}).get(key) is not None:
                    fields[key] += ticks
    for event in task.get("events") or []:
        at = event["at"]
        event["at"] = at + ticks if isinstance(at, int) else {"uniform": [v + ticks for v in at["uniform"]]}
        if "deadline" in event:
            event["deadline"] = {k: v + ticks for k, v in event["deadline"].items()}
    if task.get("horizon"):
        task["horizon"] += ticks


def _positive(text: Any) -> list[str]:
    """Return the names that an expression uses outside of an odd number of negations."""
    if not isinstance(text, str):
        return []
    names: list[str] = []
    negated, pending = [False], False
    for token in re.findall(r"[&|~(),]|[^&|~(),]+", text):
        word = token.strip()
        if word == "~":
            pending = not pending
        elif word == "(":
            negated.append(negated[-1] != pending)
            pending = False
        elif word == ")":
            negated.pop()
        elif word and not _TOKEN.match(word) and not _COUNT.match(word + " "):
            if negated[-1] == pending and word != "true":
                names.append(word)
            pending = False
    return names


def _members(name: str, subtasks: Mapping[str, Any], tasks: Mapping[str, Any]) -> list[str]:
    if name in subtasks:
        return [name]
    base = name.rsplit(" [", 1)[0]
    if base in subtasks:
        return [base]
    return [k for child in _children(tasks.get(name)) for k in _members(child, subtasks, tasks)]


def _children(fields: Any) -> list[str]:
    """Return the names of all children of a composition, inline ones opened."""
    names: list[str] = []
    for key, value in (fields or {}).items():
        if key in ("all", "sequence", "any", "choice") or str(key).endswith(" of"):
            for child in value:
                names += [child] if isinstance(child, str) else _children(child)
    return names


def _add_sequence(
    fields: Any, subtasks: Mapping[str, Any], tasks: Mapping[str, Any], found: dict[str, list[str]]
) -> None:
    """Add what a composition binds: its own needs, and the order of a sequence."""
    fields = fields or {}
    needs = [k for name in _positive(fields.get("needs")) for k in _members(name, subtasks, tasks)]
    under = [k for name in _children(fields) for k in _members(name, subtasks, tasks)]
    for k in under:
        found[k] = sorted({*found[k], *(n for n in needs if n != k)})
    order = fields.get("sequence") or []
    groups = [[child] if isinstance(child, str) else _children(child) for child in order]
    opened = [[k for name in group for k in _members(name, subtasks, tasks)] for group in groups]
    for first, second in itertools.pairwise(opened):
        for k in second:
            found[k] = sorted({*found[k], *first})
