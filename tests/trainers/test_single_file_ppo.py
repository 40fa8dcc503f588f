"""A PPO in one file, written as CleanRL writes them, learns over ``make_vec`` under both autoreset modes."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from torch import nn
from torch.distributions import Categorical

import stratagym

STEPS, LANES, UPDATES, EPOCHS, GAMMA, LAMBDA, CLIP = 32, 16, 12, 4, 0.99, 0.95, 0.2
TASK = {
    "horizon": 20,
    "subtasks": {
        "a": {"duration": 2},
        "b": {"needs": "a", "duration": 2},
        "c": {"needs": "b & ~trap"},
        "trap": {"duration": 1},
        "idle": {"duration": 6, "repeatable": True},
    },
    "goal": "c",
}


def flat(observations: dict[str, Any]) -> torch.Tensor:
    """Return the flat view as one row of numbers a lane."""
    parts = [np.asarray(part, np.float32).reshape(len(part), -1) for part in observations.values()]
    return torch.log1p(torch.as_tensor(np.concatenate(parts, axis=1)).abs())


class Net(nn.Module):
    """Actor and critic."""

    def __init__(self, inputs: int, actions: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(inputs, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        self.actor, self.critic = nn.Linear(64, actions), nn.Linear(64, 1)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> tuple[Categorical, torch.Tensor]:
        """Return the distribution over what is allowed, and the value."""
        known = self.body(x)
        logits = self.actor(known).masked_fill(~mask, -1e8)
        return Categorical(logits=logits), self.critic(known).squeeze(-1)


def success_of(net: Net) -> float:
    """Return the share of episodes that the net, drawing its actions, brings to the goal."""
    envs = gymnasium.make_vec("stratagym/Task-v0", num_envs=64, task=TASK, autoreset_mode="Disabled")
    observations, info = envs.reset(seed=99)
    over = np.zeros(64, bool)
    success = np.zeros(64, bool)
    torch.manual_seed(1)
    while not over.all():
        with torch.no_grad():
            choice, _ = net(flat(observations), torch.as_tensor(info["action_mask"] > 0))
        observations, _, terminated, truncated, info = envs.step(choice.sample().numpy())
        success |= info["success"] & ~over
        over |= terminated | truncated
    return float(success.mean())


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_it_learns(mode: AutoresetMode) -> None:
    """After a few thousand steps it succeeds far more often than at first."""
    assert stratagym.__name__
    torch.set_num_threads(1)
    torch.manual_seed(0)
    envs = gymnasium.make_vec(
        "stratagym/Task-v0", num_envs=LANES, task=TASK, reward="sparse", autoreset_mode=mode.value
    )
    observations, info = envs.reset(seed=0)
    net = Net(flat(observations).shape[1], int(envs.single_action_space.n))
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    before = success_of(net)
    # Under next-step autoreset the step after an end begins the next episode; it teaches nothing.
    begins = np.zeros(LANES, bool)
    for _ in range(UPDATES):
        rows: list[tuple[torch.Tensor, ...]] = []
        for _ in range(STEPS):
            x, mask = flat(observations), torch.as_tensor(info["action_mask"] > 0)
            with torch.no_grad():
                choice, value = net(x, mask)
                action = choice.sample()
            observations, reward, terminated, truncated, info = envs.step(action.numpy())
            done = terminated | truncated
            useful = torch.as_tensor(~begins)
            rows.append(
                (x, mask, action, choice.log_prob(action), value, torch.as_tensor(reward).float(),
                 torch.as_tensor(done).float(), useful)
            )  # fmt: skip
            begins = done if mode == AutoresetMode.NEXT_STEP else np.zeros(LANES, bool)
        with torch.no_grad():
            _, following = net(flat(observations), torch.as_tensor(info["action_mask"] > 0))
        advantage, gains = torch.zeros(LANES), []
        for _, _, _, _, value, reward, done, useful in reversed(rows):
            delta = reward + GAMMA * following * (1 - done) - value
            fresh = delta + GAMMA * LAMBDA * (1 - done) * advantage
            advantage = torch.where(useful, fresh, torch.zeros(LANES))
            gains.append(advantage)
            following = torch.where(useful, value, following)
        x, mask, action, old, value, _, _, useful = (torch.cat(part) for part in zip(*rows, strict=True))
        gain = torch.cat(gains[::-1])
        target = (gain + value)[useful]
        x, mask, action, old, gain = x[useful], mask[useful], action[useful], old[useful], gain[useful]
        gain = (gain - gain.mean()) / (gain.std() + 1e-8)
        for _ in range(EPOCHS):
            choice, value = net(x, mask)
            ratio = (choice.log_prob(action) - old).exp()
            surrogate = torch.minimum(ratio * gain, ratio.clamp(1 - CLIP, 1 + CLIP) * gain).mean()
            loss = -surrogate + 0.5 * (value - target).pow(2).mean() - 0.01 * choice.entropy().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    after = success_of(net)
    assert after > max(0.85, before + 0.2), (before, after)
