"""The thirty tasks of TimeArena in the language of task files.

Owns the translation of one scenario's recorded facts (in the domain's data file)
into task mappings, alone or combined. An action that leaves the agent free is
attended for its first minute; what an action touches is a resource of its own,
so nothing can be used while an action that was left alone still runs on it.
Dishes are separate things of each task; pots, fryers and ovens are shared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def combination(
    scenario: Mapping[str, Any], tasks: Sequence[int], *, pots: int | None = None, agents: int = 1
) -> dict[str, Any]:
    """Return one to three of a scenario's ten tasks as one task.

    Args:
        scenario: the ``replication`` part of a domain's data file.
        tasks: numbers from 1, all different.
        pots: how many of each shared appliance there are; as many as uses, if None.
        agents: how many agents share the work.

    Returns:
        The task, its horizon 40 minutes for each task that it combines; rewards are
        the percentage of all minutes of work.

    Raises:
        ValueError: if the numbers are not one to three different tasks of the scenario.
    """
    names = list(scenario["tasks"])
    if not isinstance(tasks, list | tuple):
        raise ValueError(f"tasks: {tasks!r} is not a list of numbers, like (1) or (1+2) on a command line")
    if not 1 <= len(tasks) <= 3 or len(set(tasks)) != len(tasks) or not set(tasks) <= set(_numbers(names)):
        raise ValueError(f"tasks: {tuple(tasks)} is not one to three different numbers of 1..{len(names)}")
    chosen = [names[number - 1] for number in tasks]
    actions = {name: scenario["tasks"][name]["actions"] for name in chosen}
    minutes = sum(a["minutes"] for under in actions.values() for a in under.values())
    prefix = {name: f"{name}/" if len(chosen) > 1 else "" for name in chosen}
    resources: dict[str, int] = {}
    subtasks: dict[str, Any] = {}
    for name in chosen:
        own = _objects(scenario, name, prefix[name])
        for key, (resource, units) in own.items():
            shared = key in scenario["shared"]
            resources[resource] = (pots or resources.get(resource, 0) + units) if shared else units
        for action, facts in actions[name].items():
            subtasks[prefix[name] + action] = _subtask(facts, prefix[name], own, minutes)
    return {
        "name": " + ".join(chosen),
        "horizon": scenario["limit"] * len(chosen),
        "agents": agents,
        "resources": resources,
        "subtasks": subtasks,
        "tasks": {name: {"all": [prefix[name] + action for action in actions[name]]} for name in chosen},
        "goal": " & ".join(chosen),
    }


def _numbers(names: Sequence[str]) -> range:
    return range(1, len(names) + 1)


def _objects(scenario: Mapping[str, Any], name: str, prefix: str) -> dict[str, tuple[str, int]]:
    """Return object -> (resource, units) for one task."""
    facts = scenario["tasks"][name]
    instances = facts.get("instances", {})
    keys = dict.fromkeys(key for action in facts["actions"].values() for key in action["objects"])
    return {key: (key if key in scenario["shared"] else prefix + key, instances.get(key, 1)) for key in keys}


def _subtask(
    facts: Mapping[str, Any], prefix: str, own: Mapping[str, tuple[str, int]], minutes: int
) -> dict[str, Any]:
    fields: dict[str, Any] = {"duration": facts["minutes"]}
    if facts.get("alone"):
        fields["attended"] = 1
    if facts.get("after"):
        fields["needs"] = " & ".join(prefix + before for before in facts["after"])
    fields["uses"] = {own[key][0]: 1 for key in facts["objects"]}
    fields["reward"] = round(100 * facts["minutes"] / minutes, 2)
    return fields
