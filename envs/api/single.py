"""One environment for Gymnasium: an adapter over one lane, without a rule of its own.

Owns the translation between an agent's numbers and a lane, in both directions: actions,
observations, ``info`` in words, the ``Observation`` of agents, saving and restoring.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded

from stratagym.envs.api import lanes as at_lanes
from stratagym.envs.api.acting import Acting, naming, world_names
from stratagym.envs.api.observe import (
    Order,
    action_names,
    observe,
    subtask_mask,
    visible_events,
    visible_refusal,
)
from stratagym.envs.api.options import Options, flat_view, make_lanes, more_views, whole_space
from stratagym.envs.step import Model
from stratagym.envs.task import kernel
from stratagym.envs.task import layout as at
from stratagym.envs.task.layout import Memory
from stratagym.envs.task.reference import Reference
from stratagym.envs.task.simulate import Happening, crew, happenings
from stratagym.envs.task.spec import Task
from stratagym.envs.task.view import REFUSALS, STATUS, Observation
from stratagym.envs.worlds.base import Scene

Obs = dict[str, np.ndarray[Any, Any]]


class TaskEnv(gym.Env[Obs, Any]):
    """A task graph played by one controller.

    One agent acts by ``Discrete(n + 1)``, several by ``MultiDiscrete``; the last action
    waits. In the abstract world an action names one of n subtasks, in another it is one of the
    body's own (on a plane a vector in a ``Box``). An action that is not allowed changes nothing,
    counts as a wait and is told in ``info["refusal"]``.

    ``info`` holds ``time``, ``elapsed`` (ticks of the step), ``action_mask`` (int8, ``[n + 1]``;
    with several agents ``[agents, n + 1]``; absent where actions are vectors), ``refusal`` (a reason
    or None; with several agents a list), ``events`` (dictionaries of tick, kind, subtask, agents),
    ``success``, ``dead_end`` (None where it is withheld) and ``tardiness``.

    Args:
        model: the tasks; the seed of an episode picks one.
        options: see ``Options``.
        render_mode: ``rgb_array``, ``human``, ``ansi`` or None.

    ``reset(options={"instance": k})`` plays task ``k`` of the collection until the next
    ``reset`` that names another, or ``None``.
    """

    metadata = {"render_modes": ["human", "rgb_array", "ansi"], "render_fps": 8}  # noqa: RUF012

    def __init__(self, model: Model, options: Options, render_mode: str | None = None) -> None:
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ValueError(f"render_mode={render_mode!r} is not one of 'human', 'rgb_array', 'ansi'")
        self.model, self.options, self.render_mode = model, options, render_mode
        self.view = flat_view(model, options)
        self.lanes = make_lanes(model, options, self.view, 1, at_lanes.DISABLED)
        self._n = model.dims.subtasks
        self._agents = model.dims.agents
        self.acting = Acting(model)
        self._boxed, self._in_world = self.acting.boxed, model.kernel is not None
        self._shape = (len(self.view.features), self._n)
        self._cut = len(self.view.features) * self._n
        self._end = self._cut + self.view.state_bytes
        self._statics: dict[int, Any] = {}
        self._static: Any = None
        self._graph: Any = None
        self._order: Order | None = None
        self._first: int | None = None
        self._begun = False
        self._happened: list[Happening] = []
        self._refused: Any = ()
        self._rows: list[list[int]] = []
        self._picture: Any = None
        self._graph_view, self._planes = more_views(model, options)
        self.observation_space: spaces.Space[Any] = whole_space(self.view, self._graph_view, self._planes)
        self.action_space: spaces.Space[Any] = self.acting.space

    # -------------------------------------------------------------- Gymnasium

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Obs, dict[str, Any]]:
        """Begin an episode; see the class and ``gymnasium.Env.reset``."""
        super().reset(seed=seed)
        if options is not None and "instance" in options:
            self._pin(options["instance"])
        if seed is not None:
            self.lanes.seed(0, seed)
        elif not self._begun:
            self.lanes.seed(0, int(self.np_random.integers(2**63)))
        else:
            self.lanes.next_episode(0)
        self._begun = True
        out = at_lanes.moment(self.lanes.reset([0]))
        self._know(out.ints[at_lanes.O_TASK])
        self._order = Order.drawn(self) if self.options.knowledge == "none" else None
        self._happened, self._refused, self._rows = [], (), []
        info = self._info(out, [])
        if self.render_mode is not None:
            self._pictures().begin(self.task.graph, 0.0)
            self._draw()
        return self._observation(out), info

    def step(self, action: Any) -> tuple[Obs, SupportsFloat, bool, bool, dict[str, Any]]:
        """Take one step; see the class and ``gymnasium.Env.step``.

        Raises:
            ResetNeeded: before the first reset.
            ValueError: if there is not one action for each agent.
        """
        if not self._begun:
            raise ResetNeeded("reset the environment before its first step")
        if self._boxed:
            actions = self.acting.integers(action, 1)[0].tolist()
        else:
            actions = self.acting.numbers([action] if self._agents == 1 else action)
        if self._order is not None and self._first is not None:
            actions = [self._order.action(a, self._first) for a in actions]
        out = self.lanes.step_one(actions)
        happened = self._words(out) if out.events else []
        self._happened, self._refused, self._rows = happened, out.refusals, out.events
        info = self._info(out, happened)
        if self.render_mode is not None:
            self._pictures().add(happened, self.lanes.memory(0), out.floats[at_lanes.O_REWARD])
            self._draw()
        return (
            self._observation(out),
            out.floats[at_lanes.O_REWARD],
            bool(out.flags[at_lanes.O_TERMINATED]),
            bool(out.flags[at_lanes.O_TRUNCATED]),
            info,
        )

    def render(self) -> Any:
        """Draw the present moment (``rgb_array``: ``[H, W, 3]`` uint8, ``ansi``: text); changes nothing."""
        if self.render_mode is None or not self._begun:
            return None
        return self._pictures().frame(self)

    def picture(self, panel: bool = False, fog: bool = False) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Return the present moment as pixels, ``[H, W, 3]``, whatever the render mode.

        Args:
            panel: whether the task graph and the Gantt chart stand beside a world.
            fog: whether what no body sees stays hidden; else it is shown in the dark.
        """
        pixels: np.ndarray[Any, np.dtype[np.uint8]] = self._pictures().pixels(self, panel, fog)
        return pixels

    @property
    def pictures(self) -> Any:
        """What draws the episode: its history, and the window."""
        return self._pictures()

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._picture is not None:
            self._picture.close()
            self._picture = None
        self.lanes.close()

    # -------------------------------------------------------------- for users

    @property
    def task(self) -> Task:
        """The task of the present episode."""
        return self.model.task(self.instance)

    @property
    def instance(self) -> int:
        """Which task of the collection is played."""
        return int(self.lanes.s[0][at.TASK])

    @property
    def reference(self) -> Reference:
        """What a result on the present task is measured against."""
        return self.model.reference(self.instance)

    @property
    def happened(self) -> tuple[Happening, ...]:
        """Every event of the latest step, whatever the knowledge: for records, not for agents."""
        return tuple(self._happened)

    @property
    def refusals(self) -> list[str | None]:
        """Per agent, the true reason why its latest action was not accepted; see ``happened``."""
        codes = self._refused if len(self._refused) else [0] * self._agents
        return [REFUSALS[int(code) - 1] if code else None for code in codes]

    def subtask_of(self, action: int) -> str | None:
        """Return the true name of the subtask behind an action, None if it waits; see ``happened``.

        In a world it is the name of the body's own action.
        """
        i = int(action)
        if self._order is not None and self._first is not None:
            i = self._order.action(i, self._first)
        names = world_names(self.model, self.instance) or (*self.task.graph.names, "wait")
        return names[i] if 0 <= i < len(names) - 1 else None

    @property
    def subtask_names(self) -> tuple[str, ...]:
        """The name of every subtask, in the order in which an agent sees them."""
        names = self.task.graph.names
        return names if self._order is None else tuple(self._order.names(names, self.options.opaque))

    @property
    def action_names(self) -> tuple[str, ...]:
        """The name of every numbered action; the last is ``wait``."""
        return action_names(self.model, self.instance, self._order, self.options.opaque)

    def status(self) -> dict[str, str]:
        """Return the status of every subtask."""
        m = self.lanes.memory(0)
        return {name: STATUS[kernel.status_of(m, i)] for i, name in enumerate(self.task.graph.names)}

    def stock(self) -> dict[str, int]:
        """Return the stock of every item that the task mentions."""
        m, graph = self.lanes.memory(0), self.task.graph
        base = m.t[at.Q_LEVELS] + m.t[at.T_RESOURCES]
        return {item.name: m.s[base + k] for k, item in enumerate(graph.items)}

    def free(self) -> dict[str, int]:
        """Return the free capacity of every resource."""
        m = self.lanes.memory(0)
        return {r.name: m.s[m.t[at.Q_LEVELS] + k] for k, r in enumerate(self.task.graph.resources)}

    def action_masks(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return the exact mask as bool, for sb3-contrib (several agents: one after the other).

        Raises:
            ValueError: if actions are vectors.
        """
        if self._boxed:
            raise ValueError("actions are vectors in a box: there is no mask")
        return self._mask(at_lanes.moment(self.lanes.show())).astype(bool).ravel()

    def observation(self, agent: int | None = None) -> Observation:
        """Return what an agent gets, at the granted knowledge.

        Args:
            agent: whose body looks around in a world; None for the controller of all, who sees what
                any body sees.
        """
        m, scene = self.lanes.memory(0), self.scene
        mask = subtask_mask(m)
        if self._order is not None:
            mask = self._order.shuffle(mask)
        world = None if scene is None else scene.look(m, self._graph, agent, self.options.knowledge)
        if world is not None and self._order is not None and self._first is not None:
            shuffled = self._order.shuffle(world.mask, self._first)
            world = replace(world, actions=self.action_names, mask=shuffled)
        bare = self.model.bare(self.instance)
        return observe(m, self._graph, mask, self.options, self._order, world, bare)

    def shown(self) -> Obs:
        """Return the present observation, as the latest ``reset`` or ``step`` has returned it."""
        return self._observation(at_lanes.moment(self.lanes.show()))

    @property
    def order(self) -> Order | None:
        """The order in which the subtasks are shown under ``knowledge="none"``, else None."""
        return self._order

    @property
    def graph_view(self) -> Any:
        """What writes the graph view, None where another view is shown."""
        return self._graph_view

    @property
    def scene(self) -> Scene | None:
        """Where the task of the present episode is played; None in the abstract world."""
        return self.model.scene(self.instance)

    def get_state(self) -> dict[str, Any]:
        """Return an exact, picklable copy of the episode's state."""
        s, sb = self.lanes.get(0)
        return {"version": 1, "key": self.model.key, "s": s, "sb": sb}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from a state that ``get_state`` of an equal environment has returned.

        Raises:
            ValueError: if it belongs to another collection of tasks.
        """
        if state.get("version") != 1 or state.get("key") != self.model.key:
            raise ValueError(f"this state is of {state.get('key')!r}, not of {self.model.key!r}")
        if len(state["s"]) != len(self.lanes.s[0]) or len(state["sb"]) != len(self.lanes.sb[0]):
            raise ValueError("this state has another shape: it was made with other options")
        self.lanes.set(0, (state["s"], state["sb"]))
        self._begun = True
        self._know(self.instance)
        self._order = Order.drawn(self) if self.options.knowledge == "none" else None
        if self._picture is not None:
            self._picture.begin(self.task.graph)

    # -------------------------------------------------------------- inside

    def _pin(self, instance: Any) -> None:
        pinned = -1
        if instance is not None:
            if not isinstance(instance, int | np.integer) or not 0 <= instance < self.model.count:
                raise ValueError(
                    f"options['instance']={instance!r} is not a task of {self.model.key}: "
                    f"0 to {self.model.count - 1}"
                )
            pinned = int(instance)
        self.lanes.pin(pinned)

    def _know(self, index: int) -> None:
        """Keep at hand what the steps of an episode of this task ask for."""
        self._graph = self.model.graph(index)
        self._first = naming(self.model, index)
        if index not in self._statics:
            self._statics[index] = self.view.static(self._graph)
        self._static = self._statics[index]

    def _mask(self, out: at_lanes.Moment) -> np.ndarray[Any, np.dtype[np.int8]]:
        mask: np.ndarray[Any, np.dtype[np.int8]] = out.mask
        if self._agents > 1:
            mask = mask.reshape(self._agents, self.acting.columns)
        if self._order is None or self._first is None:
            return mask
        return self._order.shuffle(mask, self._first)

    def _observation(self, out: at_lanes.Moment) -> Obs:
        found: Obs
        row = out.obs
        if self._graph_view is not None:
            found = self._graph_view.observation(self.task.graph, self.lanes.memory(0), self._order)
            if self._in_world:
                found["world"] = self.view.world(row[self._end :])
            return found
        subtasks = row[: self._cut].reshape(self._shape)
        if self._order is not None:
            subtasks = self._order.shuffle(subtasks)
        found = {"subtasks": subtasks, "state": self.view.state(row[self._cut : self._end])}
        if len(self._static):
            found["static"] = self._static.copy()
        if self._in_world:
            found["world"] = self.view.world(row[self._end :])
            if self._planes is not None:
                found["planes"] = self._planes.planes(row[self._end :], self.lanes.s[0])
        return found

    def _words(self, out: at_lanes.Moment) -> list[Happening]:
        """Return the step's events in words."""
        rows = [(tick, kind, what, who) for _, tick, kind, what, who in out.events]
        scene = self.scene if self._in_world else None
        return happenings(self.lanes.glance(0), self._graph, rows, scene)

    def earned(self) -> list[float]:
        """Return what each agent has earned in the latest step of the file's rewards.

        What a success pays goes in equal parts to those who started it.
        """
        shares = [0.0] * self._agents
        m = self.lanes.glance(0)
        for _, _, kind, what, paid in self._rows:
            if kind == at.E_SUCCESS and paid:
                agents = crew(m, what)
                for a in agents:
                    shares[a] += self._graph.subtasks[what].reward / len(agents)
        return shares

    def told(self, agent: int | None = None) -> list[dict[str, Any]]:
        """Return the events of the latest step that an agent (None: the controller of all) may know of."""
        sees, scene = None, self.scene if self._in_world else None
        if scene is not None and scene.fog:
            sees = partial(scene.sees, self.lanes.memory(0), agent)
        return visible_events(self._happened, self.options.knowledge, self._order, self.options.opaque, sees)

    def _info(self, out: at_lanes.Moment, happened: list[Happening]) -> dict[str, Any]:
        knowledge, flags = self.options.knowledge, out.flags
        reasons: list[str | None] = [None] * self._agents
        if any(out.refusals):
            reasons = [visible_refusal(code, knowledge) for code in out.refusals]
        events: list[dict[str, Any]] = []
        if happened:
            events = self.told()
        # Before the end it would tell of due dates.
        told = knowledge == "full" or flags[at_lanes.O_TERMINATED] or flags[at_lanes.O_TRUNCATED]
        info: dict[str, Any] = {
            "time": out.ints[at_lanes.O_TIME],
            "elapsed": out.ints[at_lanes.O_ELAPSED],
            "refusal": reasons[0] if self._agents == 1 else reasons,
            "success": bool(flags[at_lanes.O_SUCCESS]),
            "dead_end": bool(flags[at_lanes.O_DEAD_END]) if knowledge != "none" else None,
            "tardiness": out.floats[at_lanes.O_TARDINESS] if told else 0.0,
        }
        if self.options.events:
            info["events"] = events
        if not self._boxed:
            info["action_mask"] = self._mask(out)
        return info

    def _pictures(self) -> Any:
        if self._picture is None:
            from stratagym.envs.api.pictures import Pictures

            self._picture = Pictures()
            if self._begun:
                self._picture.begin(self.task.graph)
        return self._picture

    def _draw(self) -> None:
        if self.render_mode == "human":
            self._pictures().frame(self)

    def memory(self) -> Memory:
        """Return the lane as interpreted memory (a copy), for checks and pictures."""
        return self.lanes.memory(0)
