"""Every agent by name, and how to build one.

Owns the table ``AGENTS`` and how an agent becomes one that plays in a world. A new agent is one module
and one line here; one of your own, or one that was trained, needs no line at all (``names``).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from stratagym.agents import names
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
    own = getattr(agent, "with_skills", None)
    if own is not None:
        found: Agent = own()
        return found
    if getattr(agent, "primitive", False):
        return agent
    from stratagym.agents.hierarchy import HierarchicalAgent

    return HierarchicalAgent(lambda: agent)


def make_agent(name: str, **options: Any) -> Agent:
    """Build an agent.

    Args:
        name: a name in ``AGENTS``; the folder of a run that has trained one; or ``package.module:factory``
            for one of your own: the factory is anything that can be called and returns an agent.
        **options: keyword options of the factory.

    Returns:
        An agent with ``reset(seed)`` and ``act(observation)``.

    Raises:
        ValueError: one line that says what is wrong: an unknown name (with the
            nearest ones), a module that cannot be imported, a factory that is not there,
            an option that it does not take, or a result that is no agent.
    """
    factory = AGENTS.get(name) or names.found(name, "agent")
    if factory is None:
        hint = names.nearest(name, AGENTS)
        raise ValueError(
            f"there is no agent {name!r}{hint}; your own: package.module:factory, a trained one: its folder"
        )
    _check_options(name, factory, options)
    agent: Agent = factory(**options)
    missing = names.lacking(agent, ("reset", "act"))
    if missing:
        raise ValueError(f"agent {name!r} is of type {type(agent).__name__}, which has no {missing} method")
    return agent


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
