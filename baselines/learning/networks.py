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

WIDTH = 32
"""Width of the graph network."""
ROUNDS = 4
"""How often neighbours tell each other what they know."""


def symlog(x: Tensor) -> Tensor:
    """Return numbers of any size on a scale that a network can take: sign(x) log(1 + |x|)."""
    return torch.sign(x) * torch.log1p(torch.abs(x))


def scaled(x: Tensor) -> Tensor:
    """Return numbers twice, ``[..., 2 * F]``: by ``symlog``, and in tens up to a hundred.

    On the first scale numbers of any size have room; on the second small ones can be added and compared.
    """
    return torch.cat([symlog(x), (x / 10.0).clamp(-10.0, 10.0)], dim=-1)


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

    What else is laid out as the map is (the cells of a goal) is one layer more. Several agents' layers are
    seen one after the other by the same convolutions.
    """

    def __init__(self, observation_space: spaces.Dict, channels: int = 32, width: int = 128) -> None:
        shape = observation_space["planes"].shape
        assert shape is not None
        views = 1 if len(shape) == 3 else shape[0]
        alike = [k for k, s in observation_space.spaces.items() if s.shape == shape[1:] and views == 1]
        rest = {k: s for k, s in observation_space.spaces.items() if k not in ("planes", *alike)}
        flat = FlatExtractor(spaces.Dict(rest))
        super().__init__(observation_space, flat.size + views * width)
        self.flat, self.views, self.alike = flat, views, alike
        depth = shape[-3] + len(alike)
        self.layers = nn.Sequential(
            nn.Conv2d(depth, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, stride=2),
            nn.ReLU(),
            nn.Flatten(),
        )
        with torch.no_grad():
            size = self.layers(torch.zeros(1, depth, *shape[-2:])).shape[1]
        self.last = nn.Sequential(nn.Linear(size, width), nn.ReLU())

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """Return the features of a batch."""
        planes = observations["planes"].float()
        batch = planes.shape[0]
        layers = planes.reshape(batch * self.views, *planes.shape[-3:])
        if self.alike:
            layers = torch.cat(
                [layers, *(observations[key].float().unsqueeze(1) for key in self.alike)], dim=1
            )
        seen = self.last(self.layers(layers))
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
        self.first = nn.Linear(2 * (shape[1] + time[0]), WIDTH)
        self.edge_kind = nn.Embedding(2 * len(EDGE_KINDS), WIDTH)
        self.edge_numbers = nn.Linear(2 * columns, WIDTH) if columns else None
        self.message = nn.ModuleList(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(ROUNDS))
        self.context = nn.ModuleList(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(ROUNDS))
        self.update = nn.ModuleList(nn.Linear(2 * WIDTH, WIDTH) for _ in range(ROUNDS))
        self.change = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(ROUNDS))
        self.norm = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(ROUNDS))

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """Return the features of a batch."""
        mask = observations["node_mask"] > 0.5
        batch, count = mask.shape
        # Padding costs as much as what is there, so it is left out: all nodes of the batch are one list.
        place = mask.flatten().nonzero().squeeze(1)
        graph = place // count
        size = torch.bincount(graph, minlength=batch).clamp(min=1).unsqueeze(1).float()
        nodes = observations["nodes"].float().flatten(0, 1).index_select(0, place)
        time = observations["time"].float().index_select(0, graph)
        known = self.first(scaled(torch.cat([nodes, time], dim=-1)))
        if "node_kind" in observations:
            known = known + self.kind(observations["node_kind"].long().flatten().index_select(0, place))
        known = torch.relu(known)

        def mean() -> Tensor:
            total: Tensor = known.new_zeros(batch, WIDTH).index_add(0, graph, known)
            return total / size

        edges = self._edges(observations, place) if self.has_edges else None
        for message, context, update, change, norm in zip(
            self.message, self.context, self.update, self.change, self.norm, strict=True
        ):
            heard = torch.zeros_like(known) if edges is None else self._hear(message(known), edges)
            whole = context(mean()).index_select(0, graph)
            known = norm(known + change(torch.relu(update(torch.cat([known, heard], dim=-1)) + whole)))
        full = known.new_zeros(batch * count, WIDTH).index_copy(0, place, known)
        return torch.cat([full.view(batch, -1), mean()], dim=1)

    def _edges(self, observations: dict[str, Tensor], place: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return sources, targets and words of all edges of the batch, and weights of the nodes by degree.

        Edges count both ways, padding does not; ``place`` says which nodes of the batch are listed.
        """
        row, column = observations["edge_mask"].nonzero(as_tuple=True)
        count = observations["node_mask"].shape[1]
        number = place.new_zeros(observations["node_mask"].numel())
        number[place] = torch.arange(len(place), device=place.device)
        ends = number[observations["edges"].long()[row, :, column] + (row * count).unsqueeze(-1)]
        kind = observations["edge_kind"].long()[row, column]
        said = self.edge_kind(torch.cat([kind, kind + len(EDGE_KINDS)]))
        if self.edge_numbers is not None:
            numbers = self.edge_numbers(scaled(observations["edge_features"].float()[row, column]))
            said = said + torch.cat([numbers, numbers])
        source, target = torch.cat([ends[:, 0], ends[:, 1]]), torch.cat([ends[:, 1], ends[:, 0]])
        degree = torch.bincount(target, minlength=len(place)).clamp(min=1).float()
        return source, target, said, degree.rsqrt().unsqueeze(-1)

    @staticmethod
    def _hear(words: Tensor, edges: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
        """Return for every node the sum of what its neighbours say."""
        source, target, said, weight = edges
        # In place: these are the largest tensors, and making one costs more than computing it.
        heard = words.index_select(0, source).add_(said).relu_()
        return torch.zeros_like(words).index_add(0, target, heard) * weight


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
        self.node = nn.Linear(WIDTH, WIDTH, bias=False)
        self.about = nn.Linear(2 * WIDTH, WIDTH)
        self.start = nn.Linear(WIDTH, 1)
        self.wait = nn.Sequential(nn.Linear(2 * WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Return logits ``[B, A * (N + 1)]``."""
        known = features.reshape(len(features), -1, WIDTH)
        whole = known[:, -1]
        nodes = self.node(known[:, : self.subtasks])
        found = []
        for a in range(self.agents):
            who = torch.zeros_like(whole) if self.first_agent is None else known[:, self.first_agent + a]
            about = torch.cat([whole, who], dim=-1)
            each = torch.relu(nodes + self.about(about).unsqueeze(1))
            found += [self.start(each).squeeze(-1), self.wait(about)]
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
