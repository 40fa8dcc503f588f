"""Which function calls which, by name: how one source runs with other parts under it.

Owns the joining of modules whose functions call each other by name. ``compiled`` joins
them for numba; ``link`` does it for the interpreter, where a world's functions take the
place of the abstract one's.
"""

from __future__ import annotations

import types
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any


def functions_of(modules: Iterable[types.ModuleType]) -> dict[str, types.FunctionType]:
    """Return the functions that the modules define, by name.

    Raises:
        ValueError: if two modules define a function of one name, since it would be called for both.
    """
    found: dict[str, types.FunctionType] = {}
    for module in modules:
        for name, value in vars(module).items():
            if isinstance(value, types.FunctionType) and value.__module__ == module.__name__:
                if name in found:
                    raise ValueError(f"{found[name].__module__} and {module.__name__} both define {name}()")
                found[name] = value
    return found


def callees_first(
    functions: Mapping[str, types.FunctionType], entries: Sequence[str], given: Collection[str] = ()
) -> list[str]:
    """Return the names of all functions that the entries reach, each after those that it calls.

    Args:
        functions: by name.
        entries: where to begin.
        given: names that something else stands for.
    """
    order: list[str] = []

    def visit(name: str) -> None:
        if name in order or name in given:
            return
        for other in functions[name].__code__.co_names:
            if other in functions and other != name:
                visit(other)
        order.append(name)

    for entry in entries:
        visit(entry)
    return order


def with_globals(function: types.FunctionType, replacements: Mapping[str, Any]) -> types.FunctionType:
    """Return the function with other globals."""
    clone = types.FunctionType(
        function.__code__,
        {**function.__globals__, **replacements},
        function.__name__,
        function.__defaults__,
    )
    clone.__qualname__ = function.__name__
    clone.__module__ = function.__module__
    return clone


def link(modules: Sequence[types.ModuleType], entries: Sequence[str]) -> dict[str, types.FunctionType]:
    """Return the entry points of the modules, interpreted, every call by name going to these modules.

    Args:
        modules: in any order.
        entries: the functions to return.

    Raises:
        ValueError: if two modules define a function of one name.
    """
    functions = functions_of(modules)
    made: dict[str, types.FunctionType] = {}
    for name in callees_first(functions, entries):
        made[name] = with_globals(functions[name], made)
    return {name: made[name] for name in entries}
