"""Trained agents: from a run's folder to something that plays any environment its eyes fit.

Owns what is kept of an agent (``agent.json``: how it sees and what its network looks like) and
how an observation is encoded for it on environments other than those it was trained on.
Reading one runs no code that the folder brings along.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from stratagym.agents.base import FOR_SKILLS
from stratagym.baselines.learning.checkpoint import AGENT, POLICY, load_tensors, read_json
from stratagym.baselines.suites import InputError, one_line
from stratagym.envs.task import layout as at
from stratagym.envs.task.view import KNOWLEDGE, Observation
from stratagym.envs.views.flat import FlatView, write_state, write_subtasks
from stratagym.envs.views.graph import GraphView
from stratagym.envs.views.graph_facts import Facts, certified, facts_of

PLACES = ("final", "best")
"""Folders of a run in which its agent is looked for, the later first."""


def folder_of(path: str | Path) -> Path | None:
    """Return the folder that holds a trained agent, None if the path leads to none.

    Args:
        path: a run (its best agent is meant, else its last, else its newest checkpoint), or the folder
            of one of them.
    """
    path = Path(path)
    if (path / AGENT).is_file():
        return path
    found = [path / place for place in PLACES] + sorted((path / "checkpoints").glob("step-*"))[-1:]
    there = [folder for folder in found if (folder / AGENT).is_file()]
    best = path / "best"
    return best if best in there else there[0] if there else None


# ------------------------------------------------------------------ spaces as data


def describe_space(space: spaces.Space[Any]) -> dict[str, Any]:
    """Return a space as plain data.

    Raises:
        TypeError: if it is of a kind that no policy of ours has.
    """
    if isinstance(space, spaces.Dict):
        return {"dict": {name: describe_space(part) for name, part in space.spaces.items()}}
    if isinstance(space, spaces.Box):
        low, high = float(space.low.min()), float(space.high.max())
        bounds = [None if np.isinf(b) else b for b in (low, high)]
        return {"box": list(space.shape), "dtype": str(space.dtype), "bounds": bounds}
    if isinstance(space, spaces.Discrete):
        return {"discrete": int(space.n)}
    if isinstance(space, spaces.MultiDiscrete):
        return {"multi": [int(n) for n in space.nvec]}
    raise TypeError(f"a space {space} cannot be kept")


def space_of(data: Mapping[str, Any]) -> spaces.Space[Any]:
    """Return the space that ``describe_space`` has described."""
    if "dict" in data:
        return spaces.Dict({name: space_of(part) for name, part in data["dict"].items()})
    if "box" in data:
        low, high = data["bounds"]
        bounds = (-np.inf if low is None else low, np.inf if high is None else high)
        return spaces.Box(*bounds, tuple(data["box"]), np.dtype(data["dtype"]).type)
    if "discrete" in data:
        return spaces.Discrete(data["discrete"])
    return spaces.MultiDiscrete(data["multi"])


# ------------------------------------------------------------------ eyes


def describe_eyes(batch: Any) -> dict[str, Any]:
    """Return how a batch's observations are written, as plain data."""
    view, options = batch.view, batch.options
    eyes: dict[str, Any] = {"view": options.view, "knowledge": options.knowledge, "key": batch.model.key}
    if options.view == "graph":
        graph = batch.graph_view
        return {**eyes, "kept": sorted({*graph.node_columns, *graph.edge_columns})}
    return {
        **eyes,
        "dims": view.dims._asdict(),
        "features": list(view.features),
        "rich": view.rich,
        "blocks": [[block.name, list(block.shape)] for block in view.blocks],
        "kept": None if view.kept is None else [int(k) for k in view.kept],
        "moving": view.moving,
    }


class Eyes:
    """Encodes the lane of any environment as the agent's network takes it.

    Args:
        data: see ``describe_eyes``.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self._graphs: dict[int, Any] = {}
        self._twins: dict[int, Any] = {}
        self._flat: Any = None
        if data["view"] != "graph":
            from stratagym.envs.views.flat import FEATURES

            names = [FEATURES[k] for k in data["features"]]
            shapes = {name: tuple(shape) for name, shape in data["blocks"]}
            dims = at.Dims(**data["dims"])
            self._flat = FlatView(dims, names, shapes, data["knowledge"], data["kept"], data["moving"])

    def see(self, base: Any) -> dict[str, Any]:
        """Return what the agent's network gets of an environment's present state.

        Args:
            base: a single environment of ours, unwrapped.

        Raises:
            InputError: if the task is too large for a flat network, or less is shown than in training.
        """
        mine, its = self.data["knowledge"], base.options.knowledge
        if KNOWLEDGE.index(mine) < KNOWLEDGE.index(its):
            raise InputError(
                f"this agent was trained to see knowledge={mine!r}, but here only {its!r} is shown; "
                f"play it with --knowledge {mine}"
            )
        if self.data["view"] == "graph":
            return self._see_graph(base)
        kin = base.model.key.split("/")[:2] == self.data["key"].split("/")[:2]
        if kin and (base.options.view, its) == (self.data["view"], mine):
            shown: dict[str, Any] = base.shown()
            return shown
        if kin and base.scene is not None:
            return self._see_again(base)
        return self._see_flat(base)

    def _see_again(self, base: Any) -> dict[str, Any]:
        """Return the present moment of a world as an environment made with the agent's options shows it."""
        mine, its = self.data["knowledge"], base.options.knowledge
        if mine != its and mine == "none":
            raise InputError(f"in a world this agent plays with --knowledge {mine} only: it was trained so")
        twin = self._twins.get(id(base.model))
        if twin is None:
            options = replace(base.options, view=self.data["view"], knowledge=mine)
            twin = self._twins[id(base.model)] = type(base)(base.model, options)
        twin.set_state(base.get_state())
        found: dict[str, Any] = twin.shown()
        return found

    def _see_graph(self, base: Any) -> dict[str, Any]:
        model = base.model
        view = self._graphs.get(id(model))
        if view is None:
            facts = certified(model, self.data["knowledge"])
            if facts is None:
                facts = facts_of([model.loaded(k).graph for k in range(model.count)], self.data["knowledge"])
            kept = frozenset(self.data["kept"]) | ({"tables"} & facts.kept)
            view = self._graphs[id(model)] = GraphView(
                model.dims, Facts(facts.sizes, kept), self.data["knowledge"]
            )
        found: dict[str, Any] = view.observation(base.task.graph, base.lanes.memory(0), base.order)
        return {name: part for name, part in found.items() if not name.startswith("automaton_")}

    def _see_flat(self, base: Any) -> dict[str, Any]:
        view, m, graph = self._flat, base.lanes.memory(0), base.task.graph
        if getattr(base, "scene", None) is not None:
            raise InputError(f"this agent was trained on {self.data['key']}; in a world it plays only that")
        d, features = view.dims, view.features
        n = m.t[at.T_WIDE]
        _fits("subtasks", len(graph.subtasks), d.subtasks)
        rows = [0] * (len(features) * n)
        write_subtasks(m, features, rows, 0)
        subtasks = np.array(rows, np.uint8).reshape(len(features), n)
        if base.order is not None:
            subtasks = base.order.shuffle(subtasks)
        wide = min(n, d.subtasks)
        padded = np.zeros((len(features), d.subtasks), np.uint8)
        padded[:, :wide] = subtasks[:, :wide]
        found = {"subtasks": padded, "state": view.state(self._state(m, graph))}
        if view.static_size:
            found["static"] = self._static(graph)
        return found

    def _state(self, m: Any, graph: Any) -> Any:
        """Return the state part, its sections moved to where the agent has them."""
        view = self._flat
        d, own = view.dims, m.t
        agents = (own[at.Q_AUTOMATA] - own[at.Q_AGENTS]) // at.AGENT_SIZE
        resources = own[at.T_RESOURCES]
        items = own[at.T_LEVELS] - resources
        formulas = own[at.Q_EVENTS] - own[at.Q_AUTOMATA]
        written = [0] * (2 + 2 * agents + resources + items + formulas)
        write_state(m, view.rich, written, 0)
        used = (2, 2 * len(graph.agents), len(graph.resources), len(graph.items), len(graph.constraints))
        here = (2, 2 * agents, resources, items, formulas)
        there = (2, 2 * d.agents, d.resources, d.items, d.constraints)
        names = ("clock", "agents", "resources", "items", "formulas")
        out = np.zeros(view.state_bytes, np.uint8)
        source = target = 0
        for name, count, mine, its in zip(names, used, here, there, strict=True):
            _fits(name, count, its)
            if target + count <= len(out):
                out[target : target + count] = written[source : source + count]
            source, target = source + mine, target + its
        return out

    def _static(self, graph: Any) -> Any:
        try:
            return self._flat.static(graph)
        except (ValueError, KeyError) as error:
            raise InputError(
                f"the task does not fit what this agent was trained on ({self.data['key']}: "
                f"{one_line(error)}); an agent with view='graph' plays tasks of any size"
            ) from error


def _fits(what: str, count: int, most: int) -> None:
    """Refuse a task that is too large for a flat network.

    Raises:
        InputError: naming what there is too much of.
    """
    if count > most:
        raise InputError(
            f"the task has {count} {what}, this agent was trained on at most {most}; "
            "an agent with view='graph' plays tasks of any size"
        )


# ------------------------------------------------------------------ the agent


class TrainedAgent:
    """A policy network that plays: an agent for one lane (and a planner, for it chooses subtasks).

    Args:
        about: content of ``agent.json``.
        weights: of the policy.
        deterministic: whether the likeliest action is taken, or one drawn.
        folder: where it is kept, None if nowhere.
    """

    def __init__(
        self,
        about: Mapping[str, Any],
        weights: Any,
        *,
        deterministic: bool = True,
        folder: Path | None = None,
    ) -> None:
        self.about, self.deterministic, self.folder = about, deterministic, folder
        self.eyes = Eyes(about["eyes"])
        self.masked = bool(about["masked"])
        self.weights = weights
        self._policy: Any = None
        self._size: Any = None
        self._memory: Any = None
        self._fresh = True
        self._generator = torch.Generator()

    def reset(self, seed: int) -> None:
        """Forget the last episode."""
        self._memory, self._fresh = None, True
        torch.manual_seed(seed & 0x7FFF_FFFF)

    def sees(self, base: Any) -> dict[str, Any]:
        """Return what is attached to the observation as ``arrays``."""
        return self.eyes.see(base)

    @property
    def primitive(self) -> bool:
        """Whether it acts by the bodies' own actions: it was trained in a world, and not over skills."""
        return self.about["method"] != "hppo" and self.about.get("world", "") is not None

    def with_skills(self) -> Any:
        """Return the agent as it plays in a world: its level joined to the other, if it is one of two."""
        from stratagym.baselines.learning import skills

        if self.about["method"] == "skill_ppo":
            return skills.under_planner(self)
        return self if self.primitive else skills.over_skills(self)

    def act(self, observation: Observation) -> Any:
        """Return one action for each agent.

        Raises:
            InputError: if the task has more agents than the policy can play.
        """
        shown, mask = observation.arrays, observation.mask
        if observation.world is not None and self.primitive:
            mask = observation.world.mask
        if shown is None:
            raise InputError("a trained agent needs observation.arrays; see its method sees")
        return self.choose(shown, mask)

    def choose(self, shown: Mapping[str, Any], mask: Any) -> Any:
        """Return the network's choice.

        Args:
            shown: arrays as its observation space has them.
            mask: ``[A, n + 1]`` what is allowed, the last waits.

        Raises:
            InputError: if there are more agents than the policy can play.
        """
        if self.about["eyes"]["view"] == "graph":
            shown = {key: part for key, part in shown.items() if not key.startswith(FOR_SKILLS)}
        else:
            shown = {key: shown[key] for key in self.about["observations"]["dict"]}
        policy = self._fitting(shown, mask)
        space = policy.action_space
        if isinstance(space, spaces.Box):
            chosen, _ = policy.predict(shown, deterministic=self.deterministic)
            return chosen
        sizes = [int(space.n)] if isinstance(space, spaces.Discrete) else [int(n) for n in space.nvec]
        if len(mask) > len(sizes):
            raise InputError(f"the task has {len(mask)} agents, this agent was trained for {len(sizes)}")
        allowed = np.zeros((len(sizes), sizes[0]), bool)
        allowed[:, -1] = True
        wide = min(mask.shape[1], sizes[0]) - 1
        allowed[: len(mask), :wide] = mask[:, :wide]
        allowed[: len(mask), -1] = mask[:, -1]
        more: dict[str, Any] = {"action_masks": allowed.ravel()} if self.masked else {}
        if self.about["method"] == "recurrent_ppo":
            more = {"state": self._memory, "episode_start": np.array([self._fresh])}
        chosen, self._memory = policy.predict(shown, deterministic=self.deterministic, **more)
        self._fresh = False
        actions = np.atleast_1d(np.asarray(chosen, np.int64)).ravel()[: len(mask)]
        wait = mask.shape[1] - 1
        return np.where((actions == sizes[0] - 1) | (actions > wait), wait, actions)

    def _fitting(self, shown: Mapping[str, Any], mask: Any) -> Any:
        """Return the policy network, remade where a graph of another size comes."""
        graph = self.about["eyes"]["view"] == "graph"
        size = (tuple(shown["nodes"].shape), mask.shape) if graph else None
        if self._policy is not None and size == self._size:
            return self._policy
        self._policy, self._size = make_policy(self.about, self.weights, shown if graph else None, mask), size
        return self._policy


def make_policy(about: Mapping[str, Any], weights: Any, shown: Any = None, mask: Any = None) -> Any:
    """Return the policy of a kept agent.

    Args:
        about: content of ``agent.json``.
        weights: its parameters.
        shown: a graph observation to whose size it is made; None for the size of training.
        mask: ``[A, n + 1]`` that goes with it.

    Raises:
        InputError: if the weights do not fit.
    """
    from sb3_contrib.common.recurrent.policies import RecurrentMultiInputActorCriticPolicy
    from stable_baselines3.common.policies import MultiInputActorCriticPolicy
    from stable_baselines3.dqn.policies import MultiInputPolicy as QPolicy

    from stratagym.baselines.learning.choices import ChoosingPolicy
    from stratagym.baselines.learning.networks import FlatExtractor, GraphPolicy, PlanesExtractor

    observations: Any = space_of(about["observations"])
    actions: Any = space_of(about["actions"])
    net, method, view = about["net"], about["method"], about["eyes"]["view"]
    looks: dict[str, Any] = {
        "features_extractor_class": PlanesExtractor if view == "planes" else FlatExtractor
    }
    both: dict[str, Any] = {"net_arch": {"pi": net, "vf": net}}
    still = lambda left: 0.0  # noqa: E731 - a schedule; nothing learns here
    if view == "graph":
        first = about["first_agent"]
        if shown is not None:
            observations = spaces.Dict(
                {
                    name: spaces.Box(-np.inf, np.inf, part.shape, part.dtype.type)
                    for name, part in shown.items()
                }
            )
            wide = mask.shape[1]
            actions = spaces.Discrete(wide) if len(mask) == 1 else spaces.MultiDiscrete([wide] * len(mask))
            # Nodes that stand for agents are of one kind, wherever they lie.
            from stratagym.envs.views.graph_parts import NODE_KINDS

            kinds = shown.get("node_kind")
            agents: list[int] = []
            if kinds is not None:
                agents = np.flatnonzero(kinds == NODE_KINDS.index("agent")).tolist()
            first = agents[0] if agents else None
        policy: Any = GraphPolicy(observations, actions, still, first_agent=first)
    elif method == "dqn":
        policy = QPolicy(observations, actions, still, net_arch=net, **looks)
    elif method == "recurrent_ppo":
        policy = RecurrentMultiInputActorCriticPolicy(
            observations, actions, still, lstm_hidden_size=about["lstm"], **both, **looks
        )
    elif about["masked"]:
        policy = ChoosingPolicy(observations, actions, still, **both, **looks)
    else:
        policy = MultiInputActorCriticPolicy(observations, actions, still, **both, **looks)
    try:
        policy.load_state_dict(weights)
    except (RuntimeError, KeyError, TypeError) as error:
        raise InputError(f"the weights do not fit the agent: {one_line(error)}") from error
    policy.set_training_mode(False)
    return policy


def load(path: str | Path, *, deterministic: bool = True) -> TrainedAgent:
    """Return the trained agent that a folder holds.

    Args:
        path: see ``folder_of``.
        deterministic: whether the likeliest action is taken, or one drawn.

    Raises:
        InputError: if there is none, or it is damaged.
    """
    folder = folder_of(path)
    if folder is None:
        raise InputError(f"{path}: no trained agent there (no {AGENT}, nor a run with one)")
    about = read_json(folder / AGENT)
    lacking = [
        k for k in ("version", "method", "eyes", "observations", "actions", "net", "masked") if k not in about
    ]
    if lacking:
        raise InputError(f"{folder / AGENT}: lacks {', '.join(lacking)}")
    return TrainedAgent(about, load_tensors(folder / POLICY), deterministic=deterministic, folder=folder)
