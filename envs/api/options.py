"""The options that every environment takes, and what follows from them.

Owns the names, the defaults and the refusals of wrong values; the adapters share it.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from gymnasium import spaces

from stratagym.envs.api import lanes as at_lanes
from stratagym.envs.api.lanes import EXECUTORS, Executor, Lanes
from stratagym.envs.rewards import REWARDS
from stratagym.envs.step import Model
from stratagym.envs.task.simulate import CLOCKS
from stratagym.envs.task.view import KNOWLEDGE, Knowledge
from stratagym.envs.views.flat import FlatView, static_shapes, uses_of

Clock = Literal["tick", "decision", "event"]
RewardName = Literal["task", "sparse", "dense", "makespan", "tardiness"]
ViewName = Literal["flat", "graph", "planes"]
VIEWS: tuple[ViewName, ...] = get_args(ViewName)


class OptionError(ValueError):
    """A wrong option; the text names it, its value and what is allowed."""


def one_of(name: str, value: Any, allowed: Sequence[str]) -> None:
    """Refuse a value that is not among ``allowed``.

    Raises:
        OptionError: if it is not.
    """
    if value not in allowed:
        near = difflib.get_close_matches(str(value), allowed, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise OptionError(f"{name}={value!r} is not one of {', '.join(map(repr, allowed))}{hint}")


@dataclass(frozen=True)
class Options:
    """What an environment was made with.

    Attributes:
        clock: when the controller is asked again: ``tick``, ``decision`` or ``event``.
        reward: ``task``, ``sparse``, ``dense``, ``makespan`` or ``tardiness``; None for
            ``sparse`` where every task has a goal, else ``task``.
        view: ``flat``, ``graph`` or, on a grid, ``planes``.
        knowledge: ``full``, ``structure`` or ``none``.
        end_on_dead_end: whether a proved dead end terminates the episode.
        executor: ``auto``, ``interpreted`` or ``compiled``.
        opaque: whether names are hidden under ``knowledge="none"``.
        events: whether ``info["events"]`` is told; without it ``info`` has no part of changing length,
            which some trainers need.
        panel: whether the task graph and the Gantt chart stand beside the picture of a world.
    """

    clock: Clock = "decision"
    reward: RewardName | None = None
    view: ViewName = "flat"
    knowledge: Knowledge = "full"
    end_on_dead_end: bool = False
    executor: Executor = "auto"
    opaque: bool = False
    events: bool = True
    panel: bool = False

    def __post_init__(self) -> None:
        one_of("clock", self.clock, tuple(CLOCKS))
        one_of("view", self.view, VIEWS)
        one_of("knowledge", self.knowledge, KNOWLEDGE)
        one_of("executor", self.executor, EXECUTORS)
        if self.reward is not None:
            one_of("reward", self.reward, REWARDS)
        for name in ("end_on_dead_end", "opaque", "events", "panel"):
            if not isinstance(getattr(self, name), bool):
                raise OptionError(f"{name}={getattr(self, name)!r} is neither True nor False")

    def reward_for(self, model: Model) -> RewardName:
        """Return the reward in force: the one asked for, or the default of the tasks."""
        if self.reward is not None:
            return self.reward
        return "task" if model.loaded(0).graph.goal is None else "sparse"


def flat_view(model: Model, options: Options) -> FlatView:
    """Return the flat view of a family.

    With a certificate only what differs within the family, or moves under this clock, is kept.
    """
    known, knowledge, room, scene = model.certificate, options.knowledge, model.room, model.scene(0)
    world, fine = 0 if room is None else room.view, scene is not None and scene.box is not None
    if known is not None and options.clock in known.moves:
        moving, kept = known.moves[options.clock], known.kept.get(knowledge)
        return FlatView(
            model.dims, moving.features, known.shapes[knowledge], knowledge, kept, moving.state,
            world=world, fine=fine, sighted=moving.world,
        )  # fmt: skip
    graphs = [model.loaded(k).graph for k in range(model.count)]
    uses = tuple(sorted({name for graph in graphs for name in uses_of(graph)}))
    shapes = static_shapes(graphs, knowledge)
    return FlatView(model.dims, uses, shapes, knowledge, world=world, fine=fine)


def more_views(model: Model, options: Options) -> tuple[Any, Any]:
    """Return the graph view and the planes of an environment with these options, None for what it lacks.

    Raises:
        OptionError: if its world has no planes.
    """
    if options.view == "graph":
        from stratagym.envs.views.graph import GraphView

        return GraphView.of(model, options.knowledge), None
    if options.view == "planes":
        scene = model.scene(0)
        if scene is None or scene.kind != "grid":
            where = "no place" if scene is None else f"a {scene.kind!r} world"
            raise OptionError(f"view='planes': it shows a grid, and here is {where}")
        from stratagym.envs.views.planes import PlanesView

        return None, PlanesView.of(model, options.knowledge)
    return None, None


def whole_space(view: FlatView, graph_view: Any, planes: Any) -> spaces.Dict:
    """Return the space of what an environment shows with these views."""
    if graph_view is not None:
        world = {key: part for key, part in view.space.spaces.items() if key == "world"}
        return spaces.Dict({**graph_view.space.spaces, **world}) if world else graph_view.space
    if planes is not None:
        return spaces.Dict({**view.space.spaces, "planes": planes.space})
    return view.space


def make_lanes(
    model: Model,
    options: Options,
    view: FlatView,
    count: int,
    autoreset: int,
    workers: int = 1,
    events: bool = True,
) -> Lanes:
    """Return the lanes of an environment with these options."""
    settings = [0] * at_lanes.SETTINGS
    settings[at_lanes.SET_MODE] = CLOCKS[options.clock]
    settings[at_lanes.SET_REWARD] = REWARDS.index(options.reward_for(model))
    settings[at_lanes.SET_AUTORESET] = autoreset
    settings[at_lanes.SET_RICH] = view.rich
    settings[at_lanes.SET_PINNED] = -1
    settings[at_lanes.SET_EVENTS] = int(events)
    settings[at_lanes.SET_END_DEAD] = int(options.end_on_dead_end)
    return Lanes(model, count, settings, view.features, view.state_bytes, options.executor, workers)
