"""Networks that read our views: flat numbers, layers of a map, graphs of any size.

Owns the feature extractors and the graph policy, whose parameters do not depend on how many
subtasks a task has: every subtask is scored by one and the same small network, so what is
learned on small graphs plays large ones.
"""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from stratagym.baselines.learning.choices import ChoosingPolicy
from stratagym.envs.views.graph_parts import EDGE_KINDS, NODE_KINDS

WIDTH = 64
"""Width of the graph network."""
ROUNDS = 3
"""How often neighbours tell each other what they know."""


def symlog(x: Tensor) -> Tensor:
    """Return numbers of any size on a scale that a network can take: sign(x) log(1 + |x|)."""
    return torch.sign(x) * torch.log1p(torch.abs(x))


class FlatExtractor(BaseFeaturesExtractor):
    """All keys of the flat view as one row of numbers, ``[B, sum of sizes]``, on a logarithmic scale."""

    def __init__(self, observation_space: spaces.Dict) -> None:
        self.size = sum(spaces.utils.flatdim(space) for space in observation_space.spaces.values())
        super().__init__(observation_space, self.size)
        self.keys = tuple(observation_space.spaces)

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """Return the features of a batch."""
        return symlog(torch.cat([observations[key].float().flatten(1) for key in self.keys], dim=1))


class PlanesExtractor(BaseFeaturesExtractor):
    """Layers of a map through two convolutions, the other keys as ``FlatExtractor`` has them.

    Several agents' layers are seen one after the other by the same convolutions.
    """

    def __init__(self, observation_space: spaces.Dict, channels: int = 32, width: int = 128) -> None:
        shape = observation_space["planes"].shape
        assert shape is not None
        rest = spaces.Dict({k: s for k, s in observation_space.spaces.items() if k != "planes"})
        views = 1 if len(shape) == 3 else shape[0]
        flat = FlatExtractor(rest)
        super().__init__(observation_space, flat.size + views * width)
        self.flat, self.views = flat, views
        self.layers = nn.Sequential(
            nn.Conv2d(shape[-3], channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, stride=2),
            nn.ReLU(),
            nn.Flatten(),
        )
        with torch.no_grad():
            size = self.layers(torch.zeros(1, *shape[-3:])).shape[1]
        self.last = nn.Sequential(nn.Linear(size, width), nn.ReLU())

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """Return the features of a batch."""
        planes = observations["planes"].float()
        batch = planes.shape[0]
        seen = self.last(self.layers(planes.reshape(batch * self.views, *planes.shape[-3:])))
        return torch.cat([self.flat(observations), seen.reshape(batch, -1)], dim=1)


class GraphExtractor(BaseFeaturesExtractor):
    """Nodes and typed edges through rounds of messages; any number of nodes.

    The features are ``[B, (V + 1) * WIDTH]``: what every node has learned, then their mean.

    Args:
        observation_space: of the ``graph`` view.
    """

    def __init__(self, observation_space: spaces.Dict) -> None:
        shape = observation_space["nodes"].shape
        assert shape is not None
        super().__init__(observation_space, (shape[0] + 1) * WIDTH)
        self.has_edges = "edges" in observation_space.spaces
        numbers = observation_space.spaces.get("edge_features")
        columns = 0 if numbers is None or numbers.shape is None else numbers.shape[-1]
        time = observation_space["time"].shape
        assert time is not None
        self.kind = nn.Embedding(len(NODE_KINDS), WIDTH)
        self.first = nn.Linear(shape[1] + time[0], WIDTH)
        self.edge_kind = nn.Embedding(2 * len(EDGE_KINDS), WIDTH)
        self.edge_numbers = nn.Linear(columns, WIDTH) if columns else None
        self.message = nn.ModuleList(nn.Linear(2 * WIDTH, WIDTH) for _ in range(ROUNDS))
        self.update = nn.ModuleList(
            nn.Sequential(nn.Linear(3 * WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH))
            for _ in range(ROUNDS)
        )
        self.norm = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(ROUNDS))

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """Return the features of a batch."""
        mask = observations["node_mask"].float().unsqueeze(-1)  # [B, V, 1]
        nodes = symlog(observations["nodes"].float())
        batch, count, _ = nodes.shape
        time = symlog(observations["time"].float()).reshape(batch, 1, -1).expand(-1, count, -1)
        known = self.first(torch.cat([nodes, time], dim=-1))
        if "node_kind" in observations:
            known = known + self.kind(observations["node_kind"].long())
        known = torch.relu(known) * mask
        edges = self._edges(observations) if self.has_edges else None
        for message, update, norm in zip(self.message, self.update, self.norm, strict=True):
            heard = torch.zeros_like(known) if edges is None else self._hear(known, edges, message)
            whole = _mean(known, mask).unsqueeze(1).expand(-1, count, -1)
            known = norm(known + update(torch.cat([known, heard, whole], dim=-1))) * mask
        return torch.cat([known.flatten(1), _mean(known, mask)], dim=1)

    def _edges(self, observations: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return sources and targets (both ways), what edges say, their weight by the target's degree."""
        ends = observations["edges"].long()
        kind = observations["edge_kind"].long()
        there = observations["edge_mask"].float()
        said = self.edge_kind(torch.cat([kind, kind + len(EDGE_KINDS)], dim=1))
        if self.edge_numbers is not None:
            numbers = self.edge_numbers(symlog(observations["edge_features"].float()))
            said = said + torch.cat([numbers, numbers], dim=1)
        source = torch.cat([ends[:, 0], ends[:, 1]], dim=1)
        target = torch.cat([ends[:, 1], ends[:, 0]], dim=1)
        weight = torch.cat([there, there], dim=1)
        count = observations["node_mask"].shape[1]
        degree = torch.zeros(len(ends), count, device=ends.device).scatter_add_(1, target, weight)
        return source, target, said, weight / degree.gather(1, target).clamp(min=1.0).sqrt()

    @staticmethod
    def _hear(known: Tensor, edges: tuple[Tensor, Tensor, Tensor, Tensor], message: nn.Module) -> Tensor:
        """Return for every node the sum of what its neighbours say."""
        source, target, said, weight = edges
        width = known.shape[-1]
        from_source = known.gather(1, source.unsqueeze(-1).expand(-1, -1, width))
        words = torch.relu(message(torch.cat([from_source, said], dim=-1))) * weight.unsqueeze(-1)
        return torch.zeros_like(known).scatter_add_(1, target.unsqueeze(-1).expand(-1, -1, width), words)


def _mean(known: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of the nodes that are there, ``[B, WIDTH]``."""
    return (known * mask).sum(1) / mask.sum(1).clamp(min=1.0)


class _Scores(nn.Module):
    """One score for each subtask and one for waiting, by the same network for all of them and each agent.

    Args:
        subtasks: how many nodes stand for actions (N).
        agents: how many agents choose (A).
        first_agent: place of the first agent's node; None where agents are not shown.
    """

    def __init__(self, subtasks: int, agents: int, first_agent: int | None) -> None:
        super().__init__()
        self.subtasks, self.agents, self.first_agent = subtasks, agents, first_agent
        self.start = nn.Sequential(nn.Linear(3 * WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 1))
        self.wait = nn.Sequential(nn.Linear(2 * WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Return logits ``[B, A * (N + 1)]``."""
        known = features.reshape(len(features), -1, WIDTH)
        whole = known[:, -1]
        nodes = known[:, : self.subtasks]
        found = []
        for a in range(self.agents):
            who = torch.zeros_like(whole) if self.first_agent is None else known[:, self.first_agent + a]
            about = torch.cat([whole, who], dim=-1)
            each = about.unsqueeze(1).expand(-1, self.subtasks, -1)
            found += [self.start(torch.cat([nodes, each], dim=-1)).squeeze(-1), self.wait(about)]
        return torch.cat(found, dim=1)


class _Value(nn.Module):
    """The value of a state, from the mean of its nodes."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Return ``[B, 1]``."""
        value: Tensor = self.layers(features[:, -WIDTH:])
        return value


class GraphPolicy(ChoosingPolicy):
    """Actor and critic over ``GraphExtractor``; the parameters fit tasks of any size.

    Args:
        *args: of SB3's policy.
        first_agent: place of the first agent's node, None where agents are not shown.
        **kwargs: of SB3's policy.
    """

    def __init__(self, *args: Any, first_agent: int | None = None, **kwargs: Any) -> None:
        self._first_agent = first_agent
        kwargs |= {"features_extractor_class": GraphExtractor, "net_arch": []}
        super().__init__(*args, **kwargs)

    def _build(self, lr_schedule: Any) -> None:
        super()._build(lr_schedule)
        space = self.action_space
        agents = len(space.nvec) if isinstance(space, spaces.MultiDiscrete) else 1
        size = int(space.nvec[0]) if isinstance(space, spaces.MultiDiscrete) else int(space.n)  # type: ignore[attr-defined]
        self.action_net = _Scores(size - 1, agents, self._first_agent)
        self.value_net = _Value()  # type: ignore[assignment]
        make: Any = self.optimizer_class
        self.optimizer = make(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {**super()._get_constructor_parameters(), "first_agent": self._first_agent}
