"""The choice among allowed actions is sb3-contrib's, normalised once instead of three times."""

from __future__ import annotations

import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from sb3_contrib.common.maskable.distributions import make_masked_proba_distribution

from stratagym.baselines.learning.choices import Choices, ChoosingPolicy


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), agents=st.integers(1, 3), actions=st.integers(1, 7))
def test_it_is_the_distribution_of_sb3_contrib(seed: int, agents: int, actions: int) -> None:
    """Probabilities, entropy, likeliest action and gradients agree; what is not allowed is never drawn."""
    drawing = torch.Generator().manual_seed(seed)
    scores = 5 * torch.randn(16, agents * actions, generator=drawing)
    mask = torch.rand(16, agents, actions, generator=drawing) < 0.5
    mask[..., -1] = True
    space = spaces.Discrete(actions) if agents == 1 else spaces.MultiDiscrete([actions] * agents)
    found = []
    for made in (Choices(agents, actions), make_masked_proba_distribution(space)):
        leaf = scores.clone().requires_grad_()
        made.proba_distribution(leaf)
        made.apply_masking(mask.view(16, -1).numpy())
        torch.manual_seed(seed)
        chosen = made.sample()
        assert mask.gather(-1, chosen.view(16, agents, 1)).all()
        likeliest = made.mode()
        entropy = made.entropy()
        assert entropy is not None
        weight = made.log_prob(likeliest) + 0.1 * entropy
        weight.sum().backward()  # type: ignore[no-untyped-call]
        assert leaf.grad is not None
        found.append((chosen.shape, likeliest, made.log_prob(likeliest), entropy, leaf.grad))
    (shape, *ours), (its_shape, *theirs) = found
    assert shape == its_shape
    for mine, its in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, its, rtol=1e-4, atol=1e-5)


def test_agents_with_different_actions_are_refused() -> None:
    """Our environments give all agents the same actions; another space is named."""
    space = spaces.Dict({"x": spaces.Box(0, 1, (2,))})
    with pytest.raises(ValueError, match=r"different numbers of actions: \[2, 3\]"):
        ChoosingPolicy(space, spaces.MultiDiscrete([2, 3]), lambda left: 0.1)
