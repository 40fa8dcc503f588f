"""The worked example of adding an agent does what its page says."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest

from agent_tasks import observe
from hand_made import graph, subtask
from stratagym.agents.zoo import make_agent
from stratagym.envs.task.graph import Agent

PAGE = Path(__file__).parents[2] / "docs" / "adding-an-agent.md"


@pytest.fixture
def my_agents(monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the page's code blocks as one module ``my_agents``."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    module = types.ModuleType("my_agents")
    monkeypatch.setitem(sys.modules, "my_agents", module)
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), module.__dict__)
    return "my_agents"


@pytest.mark.parametrize("factory", ["EarliestDeadline", "make"])
def test_the_example_starts_the_earliest_deadline(my_agents: str, factory: str) -> None:
    """Both ways of writing the rule pick the same subtasks, one per agent, and leave a trace."""
    task = graph(
        [subtask("a", deadline=9), subtask("b"), subtask("c", deadline=5)], agents=(Agent("x"), Agent("y"))
    )
    agent = make_agent(f"{my_agents}:{factory}")
    agent.reset(0)
    assert agent.act(observe(task, [0, 1, 2])).tolist() == [2, 0]
    assert agent.trace()[0]["time"] == 0  # type: ignore[attr-defined]
    assert sorted(agent.act(observe(task, [0, 1], knowledge="none")).tolist()) == [0, 1]
