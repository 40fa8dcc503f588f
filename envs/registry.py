"""Which environments there are: finds domains, registers ids, makes models.

Owns the catalogue. A domain is found by its module's ``DOMAIN`` constant, one of another
package by an entry point of the group ``stratagym.domains``; users register a task or a
family of their own with ``register``.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import os
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import gymnasium

from stratagym.envs import domains
from stratagym.envs.domains.domain import Domain, TaskSource
from stratagym.envs.step import Model
from stratagym.envs.task.source import read
from stratagym.envs.task.spec import Task, load_task

SINGLE = "stratagym.envs.api.make:single"
VECTOR = "stratagym.envs.api.make:vector"
TASK_ID = "stratagym/Task-v0"
GROUP = "stratagym.domains"

DEFAULT_FAMILY_COUNT = 100
"""How many tasks a family registered by a plain function has."""

_models: dict[Any, Model] = {}


@cache
def find_domains() -> dict[str, Domain]:
    """Return all domains by name: ours, then those of installed packages.

    Raises:
        ValueError: if two have one name.
    """
    found: dict[str, Domain] = {}
    for module in pkgutil.iter_modules(domains.__path__):
        domain = getattr(importlib.import_module(f"{domains.__name__}.{module.name}"), "DOMAIN", None)
        if isinstance(domain, Domain):
            found[domain.name] = domain
    for point in entry_points(group=GROUP):
        domain = point.load()
        if not isinstance(domain, Domain):
            raise ValueError(f"entry point {point.name!r} of {GROUP!r} is not a Domain: {point.value}")
        if domain.name in found:
            raise ValueError(f"entry point {point.name!r} of {GROUP!r}: the name {domain.name!r} is taken")
        found[domain.name] = domain
    return found


def id_of(name: str) -> str:
    """Return the id of a domain."""
    return f"stratagym/{name}-v0"


def register_all() -> None:
    """Register every domain and ``stratagym/Task-v0`` with Gymnasium."""
    _register(TASK_ID, {})
    for name in find_domains():
        _register(id_of(name), {"content": {"domain": name}})


def _register(env_id: str, kwargs: dict[str, Any]) -> None:
    if env_id in gymnasium.registry:
        return
    gymnasium.register(env_id, SINGLE, vector_entry_point=VECTOR, kwargs=kwargs)


def register(
    id: str,
    *,
    task: str | os.PathLike[str] | Mapping[str, Any] | Task | None = None,
    family: str | Callable[[int], Mapping[str, Any]] | None = None,
    world: str | os.PathLike[str] | Mapping[str, Any] | Callable[[int], Mapping[str, Any]] | None = None,
    count: int = DEFAULT_FAMILY_COUNT,
) -> None:
    """Register an environment of your own with Gymnasium.

    Args:
        id: ``namespace/Name-v0``.
        task: one task: a file, a mapping or a loaded ``Task``.
        family: or many: a function ``index -> mapping`` that returns the same task for the
            same index, or its name as ``package.module:function``.
        world: where a task is played: a file or a mapping; of a family a function of the index
            (or its name), too. Left out: in no place, an action names a subtask.
        count: how many tasks the family has; an episode's seed picks one.

    Raises:
        TaskError: if the task or the world is refused.
        ValueError: if not exactly one of ``task`` and ``family`` is given, or it cannot be used.

    A task without a horizon gets twice its reference. The pictures, views and APIs are
    those of every environment; ``gymnasium.make(id, ...)`` takes the same options.
    """
    if (task is None) == (family is None):
        raise ValueError("register needs either task=... or family=...")
    if task is not None:
        loaded = task if isinstance(task, Task) else load_task(task)
        content: dict[str, Any] = {"task": loaded.to_dict(), "default_horizon": True}
        if world is not None:
            content["world"] = _place(world)
            model_of(**content).scene(0)
    else:
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"count={count!r}: the number of tasks is an integer of at least 1")
        content = {"family": _name_of(family), "count": count, "default_horizon": True}
        if world is not None:
            content["world"] = _name_of(world, "world")
        model_of(**content).task(0)
    known = gymnasium.registry.get(id)
    if (
        known is not None
        and known.entry_point == SINGLE
        and not known.kwargs.get("content", {}).get("domain")
    ):
        gymnasium.registry.pop(id)  # of any other id Gymnasium says that it is overridden
    gymnasium.register(id, SINGLE, vector_entry_point=VECTOR, kwargs={"content": content})


def _place(world: Any) -> Any:
    """Return a world as its mapping: read, if it is a file; a loaded scene stays what it is.

    Raises:
        TaskError: if the file cannot be read.
    """
    if isinstance(world, str | os.PathLike):
        return read(world)
    return world


def _name_of(family: Any, option: str = "family") -> str:
    """Return a function as ``module:name``, checked to lead back to it."""
    if isinstance(family, str):
        _function(family, option)
        return family
    if not callable(family):
        raise ValueError(f"{option}={family!r} is neither a function nor the name of one")
    name = f"{family.__module__}:{getattr(family, '__qualname__', type(family).__qualname__)}"
    if family.__module__ != "__main__" and _lookup(name) is family:
        return name
    # Two functions may bear one name, as all lambdas of a module do; each is its own family.
    free, k = name, 1
    while _local.setdefault(free, family) is not family:
        k += 1
        free = f"{name}#{k}"
    return free


_local: dict[str, Callable[[int], Mapping[str, Any]]] = {}
"""Families that only this process knows (functions of a script or within functions)."""


def _lookup(name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        return None
    return found


def _function(name: str, option: str = "family") -> Callable[[int], Mapping[str, Any]]:
    found = _local.get(name) or _lookup(name)
    if not callable(found):
        raise ValueError(
            f"{option}={name!r} is not a function that can be imported (package.module:function)"
        )
    function: Callable[[int], Mapping[str, Any]] = found
    return function


def model_of(
    *,
    domain: str | None = None,
    task: Any = None,
    family: str | None = None,
    world: Any = None,
    count: int = DEFAULT_FAMILY_COUNT,
    default_horizon: bool | None = None,
    **options: Any,
) -> Model:
    """Return the tasks behind an id and its options; equal calls share one model.

    Args:
        domain: name of a domain, whose own options are ``options``.
        task: or one task: a file, a mapping or a ``Task``; or a folder of files.
        family: or a function by name.
        world: where the task is played: a file, a mapping or a loaded scene; for a family a
            function by name.
        count: see ``register``.
        default_horizon: whether a task without a horizon gets one (always in registered
            environments and in worlds; else not in ``stratagym/Task-v0``).
        **options: the domain's own.

    Raises:
        TypeError: if an option is unknown to the domain, or there is no task.
        ValueError: if an option has a wrong value.
    """
    if domain is not None:
        return _domain_model(domain, options)
    if options:
        raise TypeError(f"unexpected keyword argument {next(iter(options))!r}")
    horizon = bool(default_horizon)
    if family is not None:
        key: Any = ("family", family, world, count, horizon)
        if key not in _models:
            _models[key] = Model(
                f"family:{family}" + (f" in {world}" if world else ""), count, _function(family),
                scene=None if world is None else _function(world, "world"), default_horizon=horizon,
                recipe={"family": family, "world": world, "count": count, "default_horizon": horizon},
            )  # fmt: skip
        return _models[key]
    if task is None:
        raise TypeError("this environment needs task=..., a file or a mapping")
    if isinstance(task, str | os.PathLike) and Path(task).is_dir():
        return _folder_model(Path(task), world, horizon)
    loaded = task if isinstance(task, Task) else load_task(task)
    key = ("task", loaded.digest, horizon)
    if world is not None:
        return _task_in_world(loaded, _place(world))
    if key not in _models:
        _models[key] = Model(
            f"task:{loaded.digest}", 1, lambda index: loaded, default_horizon=horizon,
            recipe={"task": loaded.to_dict(), "default_horizon": horizon},
        )  # fmt: skip
    return _models[key]


TASK_FILES = (".yaml", ".yml", ".json")
"""How the files of a folder of tasks end."""


def _folder_model(folder: Path, world: Any, horizon: bool) -> Model:
    """Return all task files of a folder, in the order of their names, as one collection.

    Raises:
        ValueError: if there is none, or a world is given.
    """
    if world is not None:
        raise ValueError(f"{folder}: a folder of tasks is played in the abstract world only")
    paths = sorted(path for path in folder.iterdir() if path.suffix in TASK_FILES)
    if not paths:
        raise ValueError(f"{folder}: no task file there ({', '.join(TASK_FILES)})")
    tasks = [load_task(path) for path in paths]
    digest = hashlib.sha256("".join(task.digest for task in tasks).encode()).hexdigest()[:12]
    key = ("tasks", digest, horizon)
    if key not in _models:
        _models[key] = Model(
            f"tasks:{digest}", len(tasks), lambda index: tasks[index], default_horizon=horizon,
            recipe={"task": str(folder.resolve()), "default_horizon": horizon},
        )  # fmt: skip
    return _models[key]


def _task_in_world(task: Task, world: Any) -> Model:
    """Return one task played in one world, given as a mapping or a loaded scene."""
    scene = world
    if isinstance(world, Mapping):
        from stratagym.envs.worlds.scene import load_scene

        scene = load_scene(world, task)
    key = ("task", task.digest, scene.kind, scene.digest)
    if key not in _models:
        _models[key] = Model(
            f"task:{task.digest} in {scene.kind}:{scene.digest}", 1, lambda index: task,
            scene=lambda index: scene, recipe={"task": task.to_dict(), "world": world},
        )  # fmt: skip
    return _models[key]


def own_options(domain: str | None) -> tuple[str, ...]:
    """Return the names of a domain's own options; without a domain, of those that any task takes."""
    return (
        ("task", "world")
        if domain is None
        else tuple(inspect.signature(find_domains()[domain].source).parameters)
    )


def source_of(domain: str, options: Mapping[str, Any]) -> TaskSource:
    """Return the tasks of a domain for its own options.

    Raises:
        TypeError: if an option is unknown.
        ValueError: if one has a wrong value.
    """
    source = find_domains()[domain].source
    known = own_options(domain)
    for name in options:
        if name not in known:
            raise TypeError(f"{domain}: unexpected keyword argument {name!r}; it takes {', '.join(known)}")
    return source(**options)


def _domain_model(domain: str, options: dict[str, Any]) -> Model:
    from stratagym.envs.certificates import certificate_of, within

    source = source_of(domain, options)
    key = ("domain", domain, source.key, source.count)
    if key not in _models:
        known = certificate_of(source)
        if known is not None:
            source = within(source, known)
        _models[key] = Model(
            source.key, source.count, source.mapping, known, scene=source.scene,
            recipe={"domain": domain, **options},
        )  # fmt: skip
    return _models[key]


def plain(value: Any) -> Any:
    """Return an option as plain data, so that a spec can be written as JSON."""
    if isinstance(value, Path):
        return str(value)
    return value.to_dict() if isinstance(value, Task) else value
