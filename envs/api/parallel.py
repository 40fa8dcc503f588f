"""Several agents for PettingZoo: one single environment with the agent axis unpacked.

Owns the translation between dictionaries by agent and the rows of ``TaskEnv``, and the
entries in PettingZoo's registry. It has no rule and reads no state of its own, so an
episode is that of ``gymnasium.make`` with the same seed and the same joint actions.
Importing this module imports PettingZoo and registers every id there (from 1.27 on).
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, get_args

import gymnasium
import numpy as np
import pettingzoo
from gymnasium import spaces

from stratagym.envs.api.make import split_options
from stratagym.envs.api.options import OptionError, Options, one_of
from stratagym.envs.api.single import TaskEnv
from stratagym.envs.registry import SINGLE, TASK_ID, model_of
from stratagym.envs.step import Model
from stratagym.envs.task.reference import Reference
from stratagym.envs.task.spec import Task
from stratagym.envs.task.view import Observation

AgentObs = dict[str, Any]
RewardSharing = Literal["shared", "individual"]
PARALLEL = "stratagym.envs.api.parallel:parallel"
AEC = "stratagym.envs.api.parallel:aec"

_AGENT_NAME = re.compile(r"[a-z]+_[0-9]+")
_VERSIONED = re.compile(r"[\w:./-]+-v\d+")


class TaskParallelEnv(pettingzoo.ParallelEnv):  # type: ignore[misc]
    """A task graph played by its agents at the same time.

    Every agent acts by ``Discrete(n + 1)``, the last action waits; an agent that is not in
    the dictionary of a step waits too. An agent sees ``{"observation": ..., "action_mask":
    int8 [n + 1]}``: what ``gymnasium.make`` shows, with ``"self"`` (int8 ``[agents]``, one at the
    agent's place) where there are several. In a world it sees what its own body sees, and where
    actions are vectors there is no ``action_mask``. All end together. ``infos`` are those of
    ``TaskEnv`` with the agent's own ``action_mask``, ``refusal`` and, in a fog, ``events``.

    Agents bear their names in the task if it is the only one and they read like ``cook_0``,
    else ``agent_0``, ``agent_1``, ...; ``agents`` are those of the present task.

    Args:
        model: the tasks; the seed of an episode picks one.
        options: see ``Options``.
        render_mode: ``rgb_array``, ``human``, ``ansi`` or None.
        reward_sharing: ``shared``: all get the reward of the whole; ``individual``: what the file
            pays for a success goes, in equal parts, to those who started it (``reward="task"``
            only: the others measure the whole).

    Attributes:
        env: the single environment inside.
        max_cycles: what PettingZoo's tests set; without effect, since episodes end at the
            task's horizon.
    """

    metadata = {  # noqa: RUF012
        "name": "stratagym_v0",
        "render_modes": [*TaskEnv.metadata["render_modes"]],
        "render_fps": TaskEnv.metadata["render_fps"],
        "is_parallelizable": True,
    }

    def __init__(
        self,
        model: Model,
        options: Options,
        render_mode: str | None = None,
        reward_sharing: RewardSharing = "shared",
    ) -> None:
        one_of("reward_sharing", reward_sharing, get_args(RewardSharing))
        if reward_sharing == "individual" and options.reward_for(model) != "task":
            raise OptionError(
                f"reward_sharing='individual': reward={options.reward_for(model)!r} measures the whole; "
                "only the rewards of the file (reward='task') are someone's own"
            )
        self.env = TaskEnv(model, options, render_mode)
        self.render_mode, self.reward_sharing = render_mode, reward_sharing
        self.max_cycles: int | None = None
        self.possible_agents = _names(model)
        self.agents: list[str] = []
        acting, count = self.env.acting, len(self.possible_agents)
        self._sights = Sights(self.env)
        seen: Any = self._sights.space
        if count > 1:
            seen = spaces.Dict({**seen.spaces, "self": spaces.Box(0, 1, (count,), np.int8)})
        parts = {"observation": seen}
        if not acting.boxed:
            parts["action_mask"] = spaces.Box(0, 1, (acting.columns,), np.int8)
        self._observation_spaces = {name: spaces.Dict(parts) for name in self.possible_agents}
        self._action_spaces = {name: copy.deepcopy(acting.one) for name in self.possible_agents}

    # -------------------------------------------------------------- PettingZoo

    def observation_space(self, agent: str) -> spaces.Dict:
        """Return the space of what an agent sees: always the same object."""
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Return the space of an agent's actions: always the same object."""
        return self._action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, AgentObs], dict[str, dict[str, Any]]]:
        """Begin an episode; see ``TaskEnv.reset``."""
        seen, info = self.env.reset(seed=seed, options=options)
        self.agents = self.possible_agents[: len(self.env.task.graph.agents)]
        return self._observations(seen, info), self._infos(info)

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[
        dict[str, AgentObs], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]
    ]:
        """Take one step of all agents; without agents (the episode is over) nothing happens.

        Raises:
            ValueError: if an action is for an agent that is not there.
        """
        for name in actions:
            if name not in self.possible_agents:
                raise ValueError(f"no agent is called {name!r}; there are {', '.join(self.possible_agents)}")
        if not self.agents:
            return {}, {}, {}, {}, {}
        acting = self.env.acting
        chosen = [actions.get(name) for name in self.possible_agents]
        joint = [acting.waiting if action is None else action for action in chosen]
        if not acting.boxed:
            joint = [int(action) for action in joint]
        seen, reward, terminated, truncated, info = self.env.step(joint[0] if len(joint) == 1 else joint)
        own = [float(reward)] * len(joint)
        if self.reward_sharing == "individual":
            own = self.env.earned()
        found = (
            self._observations(seen, info),
            dict(zip(self.agents, own, strict=False)),
            dict.fromkeys(self.agents, terminated),
            dict.fromkeys(self.agents, truncated),
            self._infos(info),
        )
        if terminated or truncated:
            self.agents = []
        return found

    def render(self) -> Any:
        """Draw the present moment; see ``TaskEnv.render``."""
        return self.env.render()

    def close(self) -> None:
        """Close the window, if there is one."""
        self.env.close()

    # -------------------------------------------------------------- for users

    @property
    def model(self) -> Model:
        """The tasks."""
        return self.env.model

    @property
    def task(self) -> Task:
        """The task of the present episode."""
        return self.env.task

    @property
    def reference(self) -> Reference:
        """What a result on the present task is measured against."""
        return self.env.reference

    @property
    def action_names(self) -> tuple[str, ...]:
        """The name of every action; the last is ``wait``."""
        return self.env.action_names

    def status(self) -> dict[str, str]:
        """Return the status of every subtask."""
        return self.env.status()

    def stock(self) -> dict[str, int]:
        """Return the stock of every item that the task mentions."""
        return self.env.stock()

    def free(self) -> dict[str, int]:
        """Return the free capacity of every resource."""
        return self.env.free()

    def observation(self) -> list[Observation]:
        """Return what each agent of the present task gets, in their order.

        The masks over subtasks have a row for every agent, so that a planner for all can sit in
        each; under ``none``, where skills are not known, only waiting is shown for the others. In a
        world each looks around with its own body.
        """
        count = len(self.env.task.graph.agents)
        if self.env.scene is None:
            shared = self.env.observation()
            each = [replace(shared, mask=shared.mask.copy()) for _ in range(count)]
        else:
            each = [self.env.observation(a) for a in range(count)]
        if self.env.options.knowledge != "none":
            return each
        return [replace(seen, mask=_alone(seen.mask, a)) for a, seen in enumerate(each)]

    def get_state(self) -> dict[str, Any]:
        """Return an exact, picklable copy of the episode's state."""
        return {**self.env.get_state(), "agents": list(self.agents)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from a state that ``get_state`` of an equal environment has returned.

        Raises:
            ValueError: if it belongs to another collection of tasks.
        """
        self.env.set_state(state)
        self.agents = list(state["agents"])

    # -------------------------------------------------------------- inside

    def _masks(self, info: dict[str, Any], a: int) -> dict[str, np.ndarray[Any, np.dtype[np.int8]]]:
        """Return an agent's own row of the mask under its key; nothing where there is none."""
        if "action_mask" not in info:
            return {}
        return {"action_mask": info["action_mask"].reshape(len(self.possible_agents), -1)[a].copy()}

    def _observations(self, seen: dict[str, Any], info: dict[str, Any]) -> dict[str, AgentObs]:
        found: dict[str, AgentObs] = {}
        places = np.eye(len(self.possible_agents), dtype=np.int8)
        for a, name in enumerate(self.agents):
            own = self._sights.own(seen, a)
            if len(places) > 1:
                own["self"] = places[a]
            found[name] = {"observation": own, **self._masks(info, a)}
        return found

    def _infos(self, info: dict[str, Any]) -> dict[str, dict[str, Any]]:
        reasons = [info["refusal"]] if len(self.possible_agents) == 1 else info["refusal"]
        foggy = self.env.scene is not None and self.env.scene.fog
        told = "events" in info
        return {
            name: {
                **info,
                **self._masks(info, a),
                "refusal": reasons[a],
                **({"events": self.env.told(a) if foggy else copy.deepcopy(info["events"])} if told else {}),
            }
            for a, name in enumerate(self.agents)
        }


class Sights:
    """What of an environment's observation each agent's own body sees.

    Args:
        env: the single environment.

    Attributes:
        space: of one agent's part, the same for all.
    """

    def __init__(self, env: TaskEnv) -> None:
        self._count, self._own, self._planes = env.acting.agents, 0, False
        whole: Any = env.observation_space
        parts: dict[str, Any] = dict(whole.spaces)
        room = env.model.room
        if room is not None and self._count > 1:
            size, own = (n // (2 if env.view.fine else 1) for n in (room.view, room.own))
            if env.view.sighted is not None:
                # Of each agent's block the same numbers are kept.
                own = int((env.view.sighted >= size - own).sum()) if own else 0
            self._own = own
            if self._own:
                whole = parts["world"]
                size = whole.shape[0] - (self._count - 1) * self._own
                parts["world"] = spaces.Box(whole.low.flat[0], whole.high.flat[0], (size,), whole.dtype)
            if "planes" in parts:
                self._planes, whole = True, parts["planes"]
                parts["planes"] = spaces.Box(whole.low[0], whole.high[0], dtype=whole.dtype)
        self.space = spaces.Dict(parts)

    def own(self, seen: Mapping[str, Any], a: int) -> dict[str, Any]:
        """Return the part of agent ``a``, as arrays of its own."""
        found = {key: part.copy() for key, part in seen.items()}
        if self._own:
            world = seen["world"]
            common = len(world) - self._count * self._own
            first = common + a * self._own
            found["world"] = np.concatenate([world[:common], world[first : first + self._own]])
        if self._planes:
            found["planes"] = seen["planes"][a].copy()
        return found


def _names(model: Model) -> list[str]:
    """Return the agents' names as PettingZoo likes them."""
    if model.count == 1:
        own = [agent.name for agent in model.graph(0).agents]
        if all(_AGENT_NAME.fullmatch(name) for name in own):
            return own
    return [f"agent_{a}" for a in range(model.agents)]


def _alone(mask: np.ndarray[Any, np.dtype[np.int8]], a: int) -> np.ndarray[Any, np.dtype[np.int8]]:
    """Return a mask that shows only what agent ``a`` may do."""
    out = np.zeros_like(mask)
    out[:, -1] = 1
    out[a] = mask[a]
    return out


# ------------------------------------------------------------------ making


def parallel(
    render_mode: str | None = None, reward_sharing: RewardSharing = "shared", **kwargs: Any
) -> TaskParallelEnv:
    """Make a parallel environment from the keyword arguments of an id; see ``make.single``.

    Raises:
        OptionError: if a common option is wrong.
        TypeError: if an option is unknown.
        ValueError: if an option of the domain has a wrong value.
    """
    if kwargs.pop("max_cycles", None) is not None:
        raise OptionError("max_cycles: an episode ends at the task's horizon only")
    options, own = split_options(dict(kwargs))
    return TaskParallelEnv(model_of(**own), options, render_mode, reward_sharing)


def aec(render_mode: str | None = None, **kwargs: Any) -> Any:
    """Make the same environment for agents that act in turn, by PettingZoo's own converter."""
    from pettingzoo.utils.conversions import parallel_to_aec

    return parallel_to_aec(parallel(render_mode, **kwargs))


def parallel_env(
    id_or_task: str | os.PathLike[str] | Mapping[str, Any] | Task,
    *,
    render_mode: str | None = None,
    **options: Any,
) -> TaskParallelEnv:
    """Make a PettingZoo parallel environment.

    Args:
        id_or_task: an id (``stratagym/Cooking-v0``, or one given to ``stratagym.register``), or a task:
            a file, a mapping or a ``Task``.
        render_mode: ``rgb_array``, ``human``, ``ansi`` or None.
        **options: as for ``gymnasium.make``, and ``reward_sharing``.

    Raises:
        OptionError: if a common option is wrong.
        TypeError: if an option is unknown.
        ValueError: if the id is not one of ours, or another option is wrong.
    """
    if not isinstance(id_or_task, str) or not _is_id(id_or_task):
        return parallel(render_mode, **{**gymnasium.spec(TASK_ID).kwargs, "task": id_or_task, **options})
    spec = gymnasium.spec(id_or_task)
    if spec.entry_point != SINGLE:
        raise ValueError(f"{id_or_task!r} is not an environment of stratagym")
    return parallel(render_mode, **{**spec.kwargs, **options})


def _is_id(text: str) -> bool:
    return text in gymnasium.registry or (_VERSIONED.fullmatch(text) is not None and not os.path.exists(text))


def register_pettingzoo() -> bool:
    """Enter every id that Gymnasium knows of us into PettingZoo's registries, ``parallel`` and ``aec``.

    Returns:
        Whether there are such registries (PettingZoo 1.27 or newer).
    """
    add = getattr(pettingzoo, "register", None)
    if add is None:
        return False
    from pettingzoo.env_registry.registration import aec_registry, parallel_registry

    for env_id, spec in gymnasium.registry.items():
        if spec.entry_point == SINGLE:
            for kind, entry, known in (("parallel", PARALLEL, parallel_registry), ("aec", AEC, aec_registry)):
                known.pop(env_id, None)
                add(kind, env_id, entry, kwargs=dict(spec.kwargs))
    return True


register_pettingzoo()
