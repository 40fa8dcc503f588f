"""Building agents by name, and one's own by path."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from agent_tasks import observe
from hand_made import graph, subtask
from stratagym.agents.base import Agent
from stratagym.agents.zoo import AGENTS, make_agent

NAMES = {
    "random",
    "greedy",
    "critical_path",
    "least_slack",
    "most_successors",
    "shortest",
    "grprop",
    "beam",
    "optimal",
}
WAYS = {"errands", "rounds", "tours"}
"""Planners that reckon with ways; without a world they fall back to a rule."""

ACTING = {"hierarchical", "random_primitive"}
"""Agents that give a world's own actions where there is one."""


class Last:
    """An agent of one's own: starts the last subtask that it may."""

    def __init__(self, waits: int = 0) -> None:
        self.waits = waits

    def reset(self, seed: int) -> None:
        """Forget nothing."""

    def act(self, observation: object) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Return one action."""
        return np.array([0])


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Offer a module ``own_agents`` with an agent, a number and a factory of nothing."""
    module = types.ModuleType("own_agents")
    module.__dict__.update(Last=Last, number=3, nothing=lambda: object())
    monkeypatch.setitem(sys.modules, "own_agents", module)
    return module


def test_the_names_are_the_public_ones() -> None:
    """The zoo has exactly these agents: planners of tasks, planners of ways, and those that act in worlds."""
    assert set(AGENTS) == NAMES | WAYS | ACTING


@pytest.mark.parametrize("name", sorted(NAMES))
@pytest.mark.parametrize("knowledge", ["structure", "none"])
def test_every_agent_plays_with_less_than_full_knowledge(name: str, knowledge: str) -> None:
    """Without times or without the graph every agent still makes an allowed start and notes why."""
    task = graph([subtask("a", 3), subtask("b", 2, needs=0), subtask("c", 1)], goal=1)
    agent = make_agent(name)
    assert isinstance(agent, Agent)
    agent.reset(1)
    actions = agent.act(observe(task, [0, 2], knowledge=knowledge))
    assert actions.shape == (1,)
    assert actions[0] in (0, 2)
    (row,) = agent.trace()  # type: ignore[attr-defined]
    assert set(row) == {"time", "chosen", "reason", "scores"}


def test_options_reach_the_factory() -> None:
    """Keyword options are passed on."""
    agent = make_agent("grprop", parameters="playground", sample=True)
    assert isinstance(agent, Agent)


def test_an_agent_of_ones_own(own: types.ModuleType) -> None:
    """``module:factory`` builds it, options included."""
    agent = make_agent("own_agents:Last", waits=2)
    assert isinstance(agent, Last)
    assert agent.waits == 2


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("critcal_path", {}, "there is no agent 'critcal_path'; nearest: critical_path"),
        ("zzz", {}, "there is no agent 'zzz'; there are beam, critical_path"),
        ("no_such_module_here:make", {}, "there is no module 'no_such_module_here'"),
        ("own_agents:Lsat", {}, "own_agents has no 'Lsat'; nearest: Last"),
        ("own_agents:number", {}, "is of type int, which cannot be called"),
        ("own_agents:nothing", {}, "is of type object, which has no reset and no act method"),
        ("own_agents:", {}, "should read package.module:factory"),
        (":Last", {}, "should read package.module:factory"),
        ("beam", {"widht": 3}, "unexpected keyword argument 'widht'.*width, branch"),
        ("beam", {"width": 0}, "width: 0 is not at least 1"),
        ("own_agents:Last", {"speed": 1}, "'speed'.*options: waits"),
    ],
)
def test_wrong_names_and_options_get_one_clear_line(
    own: types.ModuleType, name: str, options: dict[str, object], said: str
) -> None:
    """What is wrong is said in one line, with the likely fix."""
    with pytest.raises(ValueError, match=said) as caught:
        make_agent(name, **options)
    assert "\n" not in str(caught.value)


def test_a_module_that_breaks_on_import_is_named(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """An error inside the module is reported with the module's name, in one line."""
    (tmp_path / "broken_agents.py").write_text("raise RuntimeError('no\\nluck')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="importing broken_agents failed: RuntimeError: no luck"):
        make_agent("broken_agents:make")
