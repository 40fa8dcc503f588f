"""The worked examples of the pages on adding a domain and a method do what they say."""

from __future__ import annotations

import re
import types
from pathlib import Path
from typing import Any

import gymnasium
import pytest
import yaml

import stratagym
from stratagym.envs import registry
from stratagym.envs.domains.domain import Domain

DOCS = Path(__file__).parents[1] / "docs"


def blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of a page in one language."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def bakery(tmp_path: Path) -> dict[str, Any]:
    """Run the page's module with its data file beside it."""
    (tmp_path / "bakery.yaml").write_text(blocks("adding-a-domain.md", "yaml")[0], encoding="utf-8")
    namespace: dict[str, Any] = {"__file__": str(tmp_path / "bakery.py"), "__name__": "bakery"}
    for block in blocks("adding-a-domain.md", "python"):
        exec(compile(block, "adding-a-domain.md", "exec"), namespace)
    return namespace


def test_the_domain_becomes_an_environment(bakery: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's constant alone gives an id whose tasks can be played to the goal."""
    domain = bakery["DOMAIN"]
    assert isinstance(domain, Domain)
    monkeypatch.setitem(registry.find_domains(), domain.name, domain)
    registry.register_all()
    env = gymnasium.make(registry.id_of(domain.name), size="small", instances=2)
    _, info = env.reset(seed=1)
    over = False
    while not over:
        _, _, terminated, truncated, info = env.step(int(info["action_mask"].argmax()))
        over = terminated or truncated
    reference = env.unwrapped.reference  # type: ignore[attr-defined]
    assert reference.kind == "proved"
    assert info["time"] >= reference.value
    gymnasium.registry.pop(registry.id_of(domain.name))


def test_the_registered_family_plays(bakery: dict[str, Any]) -> None:
    """The page's last block registers an id that makes single environments and batches."""
    env = gymnasium.make("mine/Bakery-v0")
    first = {env.reset(seed=seed) and env.unwrapped.task.name for seed in range(8)}  # type: ignore[attr-defined]
    assert len(first) > 1
    gymnasium.registry.pop("mine/Bakery-v0")


def test_the_method_learns_and_is_scored(tmp_path: Path) -> None:
    """The page's functions train on a task and play it with masks, deterministically."""
    module = types.ModuleType("method")
    exec(compile(blocks("adding-a-method.md", "python")[0], "adding-a-method.md", "exec"), module.__dict__)
    task = stratagym.load_task(
        {
            "name": "two",
            "horizon": 20,
            "subtasks": {"a": {"duration": 2}, "b": {"duration": 3, "needs": "a"}},
            "goal": "b",
        }
    ).to_dict()
    model = module.train("stratagym/Task-v0", 256, task=task)
    returns = module.rollout(model, "stratagym/Task-v0", 3, task=task)
    assert returns == module.rollout(model, "stratagym/Task-v0", 3, task=task)
    assert all(0.0 <= value <= 1.0 for value in returns)


def test_the_adapter_of_the_training_page_learns() -> None:
    """The page's own trainer over the adapter runs as it is written."""
    (code,) = [block for block in blocks("training.md", "python") if "MaskablePPO" in block]
    namespace: dict[str, Any] = {}
    exec(compile(code, "training.md", "exec"), namespace)
    assert namespace["model"].num_timesteps >= 2048


def test_the_grid_example_is_played_as_the_page_says() -> None:
    """The page's two cooks make their soup by the page's steps, none of which is refused."""
    task, scene = (yaml.safe_load(text) for text in blocks("worlds.md", "yaml")[:2])
    steps = [line.split() for line in blocks("worlds.md", "text")[0].splitlines()]
    env = gymnasium.make("stratagym/Task-v0", task=task, world=scene, clock="tick")
    _, info = env.reset(seed=0)
    names = env.unwrapped.action_names  # type: ignore[attr-defined]
    terminated = False
    for k, step in enumerate(steps):
        assert not terminated
        actions = [names.index(name) for name in step]
        assert all(row[a] for row, a in zip(info["action_mask"], actions, strict=True)), (k, step)
        _, _, terminated, _, info = env.step(actions)
    assert terminated
    assert info["success"]
