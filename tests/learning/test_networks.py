"""Networks that read our views."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from stratagym.baselines.learning import build, trained
from stratagym.baselines.learning.networks import (
    ROUNDS,
    WIDTH,
    GraphExtractor,
    GraphPolicy,
    scaled,
    symlog,
)
from stratagym.baselines.learning.vec_env import LanesVecEnv


def graph_batch(size: str, count: int = 3) -> Any:
    """Return lanes that show graphs."""
    return gymnasium.make_vec(
        "stratagym/Graph-v0", num_envs=count, vectorization_mode="vector_entry_point", size=size,
        view="graph", autoreset_mode="SameStep",
    )  # fmt: skip


def policy_of(batch: Any) -> Any:
    """Return a graph policy that fits a batch."""
    torch.manual_seed(0)
    return GraphPolicy(
        batch.single_observation_space, batch.single_action_space, lambda left: 1e-3,
        first_agent=build.first_agent_of(batch),
    )  # fmt: skip


def scores(policy: Any, shown: dict[str, Any]) -> torch.Tensor:
    """Return the logits of all actions."""
    tensors = {key: torch.as_tensor(part) for key, part in shown.items()}
    with torch.no_grad():
        found: torch.Tensor = policy.action_net(policy.extract_features(tensors))
    return found


def test_symlog_keeps_order_and_sign() -> None:
    """Numbers of any size keep their order; 0 stays 0."""
    x = torch.tensor([-1000.0, -1.0, 0.0, 0.5, 2.0, 1e6])
    y = symlog(x)
    assert bool((y[1:] > y[:-1]).all())
    assert y[2] == 0


def test_small_numbers_can_be_added_on_the_second_scale() -> None:
    """Of the two scales the second is linear up to a hundred, either way, and ends there."""
    x = torch.tensor([[3.0, -1.0], [4.0, 500.0]])
    y = scaled(x)
    assert torch.equal(y[:, :2], symlog(x))
    assert torch.allclose(y[:, 2:], torch.tensor([[0.3, -0.1], [0.4, 10.0]]))


def test_parameters_do_not_depend_on_size() -> None:
    """Weights of a policy for small graphs score medium ones, seen through the eyes of training."""
    batch = graph_batch("small")
    weights = policy_of(batch).state_dict()
    about = {
        "method": "maskable_ppo",
        "masked": True,
        "net": [64],
        "eyes": trained.describe_eyes(batch),
        "observations": trained.describe_space(batch.single_observation_space),
        "actions": trained.describe_space(batch.single_action_space),
        "first_agent": build.first_agent_of(batch),
    }
    env = gymnasium.make("stratagym/Graph-v0", size="medium")
    env.reset(seed=0)
    base: Any = env.unwrapped
    agent = trained.TrainedAgent(about, weights)
    agent.reset(0)
    observation = replace(base.observation(), arrays=agent.sees(base))
    action = agent.act(observation)
    assert len(base.task.graph.subtasks) > batch.single_action_space.n
    assert observation.mask[0, action[0]] == 1


def test_padding_changes_nothing() -> None:
    """Nodes and edges that are padding have no influence on the scores of the others."""
    batch = graph_batch("small")
    shown, _ = batch.reset(seed=0)
    policy = policy_of(batch)
    before = scores(policy, shown)
    noisy = {key: part.copy() for key, part in shown.items()}
    rng = np.random.default_rng(0)
    empty = noisy["node_mask"] == 0
    assert empty.any()
    noisy["nodes"][empty] = rng.normal(size=(int(empty.sum()), noisy["nodes"].shape[-1]))
    loose = noisy["edge_mask"] == 0
    noisy["edge_features"][loose] = 7.0
    after = scores(policy, noisy)
    real = shown["node_mask"][:, : before.shape[1] - 1].astype(bool)
    assert torch.allclose(
        before[:, :-1][torch.as_tensor(real)], after[:, :-1][torch.as_tensor(real)], atol=1e-5
    )
    assert torch.allclose(before[:, -1], after[:, -1], atol=1e-5)


def test_scores_follow_the_nodes() -> None:
    """Subtasks in another order get the same scores in that order."""
    batch = graph_batch("small", 1)
    shown, _ = batch.reset(seed=1)
    policy = policy_of(batch)
    before = scores(policy, shown)[0]
    n = len(before) - 1
    order = np.random.default_rng(2).permutation(n)
    whole = np.arange(shown["nodes"].shape[1])
    whole[:n] = order
    back = np.argsort(whole)
    turned = {key: part.copy() for key, part in shown.items()}
    for key in ("nodes", "node_kind", "node_mask"):
        turned[key] = shown[key][:, whole]
    turned["edges"] = back[shown["edges"]].astype(np.int32)
    after = scores(policy, turned)[0]
    assert torch.allclose(before[:n][order], after[:n], atol=1e-4)
    assert torch.allclose(before[-1], after[-1], atol=1e-4)


def test_edges_matter() -> None:
    """Two graphs that differ in an edge alone are scored differently."""
    batch = graph_batch("small", 1)
    shown, _ = batch.reset(seed=1)
    policy = policy_of(batch)
    other = {key: part.copy() for key, part in shown.items()}
    other["edge_mask"][0, 0] = 0
    assert not torch.allclose(scores(policy, shown), scores(policy, other))


def test_features_are_nodes_then_their_mean() -> None:
    """The extractor returns what each node has learned and their mean."""
    batch = graph_batch("small", 2)
    shown, _ = batch.reset(seed=0)
    space = batch.single_observation_space
    assert isinstance(space, spaces.Dict)
    extractor = GraphExtractor(space)
    features = extractor({key: torch.as_tensor(part) for key, part in shown.items()})
    nodes = shown["nodes"].shape[1]
    assert features.shape == (2, (nodes + 1) * WIDTH)
    assert ROUNDS >= 2
    known = features.reshape(2, nodes + 1, WIDTH)
    mask = torch.as_tensor(shown["node_mask"]).float().unsqueeze(-1)
    assert torch.allclose((known[:, :-1] * mask).sum(1) / mask.sum(1), known[:, -1], atol=1e-5)


@pytest.mark.parametrize("space", ["flat", "graph"])
def test_spaces_survive_as_data(space: str) -> None:
    """A space written as plain data comes back equal in shapes and types."""
    batch = gymnasium.make_vec(
        "stratagym/Cooking-v0", num_envs=1, vectorization_mode="vector_entry_point", view=space,
        autoreset_mode="SameStep",
    )  # fmt: skip
    for known in (batch.single_observation_space, batch.single_action_space):
        again = trained.space_of(trained.describe_space(known))
        assert trained.describe_space(again) == trained.describe_space(known)
        assert again.contains(known.sample())
    LanesVecEnv(batch).close()
