"""Every agent by name, and how to build one.

Owns the table ``AGENTS`` and the reading of "name or package.module:factory". A
new agent is one module and one line here; one of your own needs no line at all.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from stratagym.agents.base import Agent
from stratagym.agents.planners.beam import BeamAgent
from stratagym.agents.planners.dispatch import RandomAgent, RuleAgent
from stratagym.agents.planners.errands import ErrandAgent
from stratagym.agents.planners.grprop import GRPropAgent
from stratagym.agents.planners.optimal import OptimalAgent
from stratagym.agents.planners.rounds import RoundAgent
from stratagym.agents.planners.tours import TourAgent
from stratagym.agents.primitive import RandomPrimitive

Factory = Callable[..., Agent]


def hierarchical(planner: str = "optimal", **options: Any) -> Agent:
    """Build a ``HierarchicalAgent``, see there for the options."""
    from stratagym.agents.hierarchy import HierarchicalAgent

    return HierarchicalAgent(planner, **options)


AGENTS: Mapping[str, Factory] = {
    "random": RandomAgent,
    "greedy": partial(RuleAgent, "greedy"),
    "critical_path": partial(RuleAgent, "critical_path"),
    "least_slack": partial(RuleAgent, "least_slack"),
    "most_successors": partial(RuleAgent, "most_successors"),
    "shortest": partial(RuleAgent, "shortest"),
    "grprop": GRPropAgent,
    "beam": BeamAgent,
    "optimal": OptimalAgent,
    "rounds": RoundAgent,
    "errands": ErrandAgent,
    "tours": TourAgent,
    "hierarchical": hierarchical,
    "random_primitive": RandomPrimitive,
}
"""The agents that need no learning: name -> factory."""


def in_world(agent: Agent) -> Agent:
    """Return an agent that can play in a world: one that names subtasks gets skills to do them with."""
    if getattr(agent, "primitive", False):
        return agent
    own = getattr(agent, "with_skills", None)
    if own is not None:
        found: Agent = own()
        return found
    from stratagym.agents.hierarchy import HierarchicalAgent

    return HierarchicalAgent(lambda: agent)


def make_agent(name: str, **options: Any) -> Agent:
    """Build an agent.

    Args:
        name: a name in ``AGENTS``, or ``package.module:factory`` for one of your own;
            the factory is anything that can be called and returns an agent.
        **options: keyword options of the factory.

    Returns:
        An agent with ``reset(seed)`` and ``act(observation)``.

    Raises:
        ValueError: one line that says what is wrong: an unknown name (with the
            nearest ones), a module that cannot be imported, a factory that is not there,
            an option that it does not take, or a result that is no agent.
    """
    factory = _find(name) if ":" in name else AGENTS.get(name)
    if factory is None:
        hint = _nearest(name, AGENTS)
        raise ValueError(f"there is no agent {name!r}{hint}; your own: package.module:factory")
    _check_options(name, factory, options)
    agent = factory(**options)
    missing = [m for m in ("reset", "act") if not callable(getattr(agent, m, None))]
    if missing:
        kind = type(agent).__name__
        raise ValueError(f"agent {name!r} is of type {kind}, which has no {' and no '.join(missing)} method")
    return agent


def _find(name: str) -> Factory:
    """Return the factory that ``package.module:factory`` names."""
    path, _, attribute = name.partition(":")
    if not path or not attribute:
        raise ValueError(f"agent {name!r} should read package.module:factory")
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        raise ValueError(f"there is no module {error.name!r}, which agent {name!r} needs") from error
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"importing {path} failed: {type(error).__name__}: {reason}") from error
    factory = getattr(module, attribute, None)
    if factory is None:
        public = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise ValueError(f"module {path} has no {attribute!r}{_nearest(attribute, public)}")
    if not callable(factory):
        raise ValueError(f"{name!r} is of type {type(factory).__name__}, which cannot be called")
    made: Factory = factory
    return made


def _check_options(name: str, factory: Factory, options: Mapping[str, Any]) -> None:
    """Raise ValueError if the factory does not take these options."""
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):  # some callables written in C have none
        return
    try:
        signature.bind(**options)
    except TypeError as error:
        known = [p.name for p in signature.parameters.values() if p.kind is not p.POSITIONAL_ONLY]
        raise ValueError(f"agent {name!r}: {error} (options: {', '.join(known) or 'none'})") from error


def _nearest(name: str, among: Iterable[str]) -> str:
    """Return ``; did you mean ...?`` with the nearest names, or all of a few."""
    names = list(among)
    near = difflib.get_close_matches(name, names, n=3)
    if near:
        return f"; nearest: {', '.join(near)}"
    return f"; there are {', '.join(sorted(names)[:12])}" if names else ""
