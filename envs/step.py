"""The transition of tasks in worlds: a bank of tasks, and how an episode of a lane begins.

Owns ``Model`` (what can be played: tasks of one padded shape, each with its scene, its
horizon and its reference) and the choice of a task by the seed. The rules of a step are
the kernel's; how a world joins them is said in ``worlds.base``.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from stratagym.envs.rng import INSTANCE, bits32, mixed
from stratagym.envs.task import layout as at
from stratagym.envs.task.compile import Bank, compile_bank, compile_graph, dims_of
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.kernel import reset_lane
from stratagym.envs.task.layout import Memory, Word
from stratagym.envs.task.nodes import u64
from stratagym.envs.task.reference import Reference, bound_of, reference_of
from stratagym.envs.task.spec import Task, load_task
from stratagym.envs.task.starts import below
from stratagym.envs.task.view import Knowledge
from stratagym.envs.worlds.base import Room, Scene

NO_REFERENCE_HORIZON = 100
"""Ticks of a registered task without a horizon whose reference says nothing about time."""


class ModelError(ValueError):
    """A task that cannot be played in this world; the text names the task and the reason."""


class Moving(NamedTuple):
    """What of the flat view moves in some episode of a family.

    Attributes:
        features: names of the features.
        state: positions in the state part.
        world: positions in the world's part.
    """

    features: tuple[str, ...]
    state: tuple[int, ...]
    world: tuple[int, ...] = ()


@dataclass(frozen=True)
class Certificate:
    """What is known of a family beforehand, so that nothing must be solved at run time.

    Attributes:
        dims: the padded shape of all its tasks, in every split.
        moves: by clock, what moves in the flat view.
        shapes: by knowledge, the largest shape of each static part of the flat view.
        kept: by knowledge, positions of the static numbers that differ within the family.
        references: index of the task -> its reference, of this split.
        sizes: padded sizes of all its scenes, in every split; None in the abstract world.
    """

    dims: at.Dims
    moves: Mapping[str, Moving]
    shapes: Mapping[Knowledge, Mapping[str, tuple[int, ...]]]
    kept: Mapping[Knowledge, tuple[int, ...]]
    references: tuple[Reference, ...]
    sizes: tuple[int, ...] | None = None


class Model:
    """Tasks of one padded shape from which an episode's seed picks one.

    Args:
        key: stable name of the collection, for results.
        count: how many tasks.
        mapping: index -> the task as a mapping or a loaded ``Task``.
        certificate: index-aligned facts; left out, they are worked out when needed.
        scene: index -> where the task is played, as a mapping or a loaded scene; None for the
            abstract world.
        default_horizon: whether a task without a horizon gets twice its reference. In a world it
            always gets one.
        recipe: arguments of ``registry.model_of`` that lead to an equal model; it is what
            is pickled.
    """

    def __init__(
        self,
        key: str,
        count: int,
        mapping: Callable[[int], Mapping[str, Any] | Task],
        certificate: Certificate | None = None,
        *,
        scene: Callable[[int], Mapping[str, Any] | Scene] | None = None,
        default_horizon: bool = True,
        recipe: Mapping[str, Any] | None = None,
    ) -> None:
        self.key, self.count = key, count
        self.recipe = recipe
        self.certificate = certificate
        self._mapping, self._scene = mapping, scene
        self._default_horizon = default_horizon or scene is not None
        self._scenes: dict[int, Scene] = {}
        self._bare: dict[int, list[int]] = {}
        self._loaded: dict[int, Task] = {}
        self._tasks: dict[int, Task] = {}
        self._rows: dict[int, tuple[list[int], list[int]]] = {}
        self._references: dict[int, Reference] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        if self.recipe is None:
            raise TypeError("a model that is not made by the registry cannot be pickled")
        return _cook, (dict(self.recipe),)

    def __deepcopy__(self, memo: dict[int, Any]) -> Model:
        return self  # nothing in it ever changes

    def loaded(self, index: int) -> Task:
        """Return a task as it is written, perhaps without a horizon.

        Raises:
            ModelError: if the abstract world cannot play it.
        """
        if index not in self._loaded:
            source = self._mapping(index)
            task = source if isinstance(source, Task) else load_task(source)
            name = next((s.name for s in task.graph.subtasks if s.duration.kind == "world"), None)
            if name is not None and self._scene is None:
                raise ModelError(
                    f"task {task.name!r}: subtasks.{name}.duration is 'world', but no world would ever "
                    "report its end here; give it ticks, or play it in a world"
                )
            self._loaded[index] = task
        return self._loaded[index]

    def task(self, index: int) -> Task:
        """Return a task, its horizon filled in."""
        if index not in self._tasks:
            task = self.loaded(index)
            if task.graph.horizon is None and self._default_horizon:
                task = load_task({**task.to_dict(), "horizon": self._horizon(index, task.graph)})
            self._tasks[index] = task
        return self._tasks[index]

    def graph(self, index: int) -> TaskGraph:
        """Return the graph of a task."""
        return self.task(index).graph

    def scene(self, index: int) -> Scene | None:
        """Return where a task is played; None in the abstract world.

        Raises:
            ModelError: if it is of another world than the first.
            TaskError: if the scene is refused.
        """
        if self._scene is None:
            return None
        if index not in self._scenes:
            source = self._scene(index)
            if isinstance(source, Mapping):
                from stratagym.envs.worlds.scene import load_scene

                source = load_scene(source, self.loaded(index))
            self._scenes[index] = source
        return self._scenes[index]

    def scenes(self) -> list[Scene]:
        """Return the scenes of all tasks; none in the abstract world."""
        found = [self.scene(k) for k in range(self.count)]
        return [scene for scene in found if scene is not None]

    @cached_property
    def kernel(self) -> types.ModuleType | None:
        """The module that moves the world; None in the abstract world."""
        first = self.scene(0)
        return None if first is None else first.kernel

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """The padded sizes of all scenes; empty in the abstract world."""
        if self._scene is None:
            return ()
        if self.certificate is not None and self.certificate.sizes is not None:
            return self.certificate.sizes
        scenes = self.scenes()
        for k, scene in enumerate(scenes):
            if scene.kernel is not self.kernel:
                raise ModelError(f"{self.key}: scene {k} is {scene.kind!r}, the first is {scenes[0].kind!r}")
        return tuple(max(column) for column in zip(*(s.sizes() for s in scenes), strict=True))

    @cached_property
    def room(self) -> Room | None:
        """What the world takes in every lane; None in the abstract world."""
        if self.kernel is None:
            return None
        room: Room = self.kernel.room(self.sizes)
        return room

    @cached_property
    def action_width(self) -> int:
        """How many integers the action of one agent is."""
        first = self.scene(0)
        return 1 if first is None else first.action_width

    def _horizon(self, index: int, graph: TaskGraph) -> int:
        reference, scene = self._reference(index, graph), self.scene(index)
        if reference.objective == "makespan" and math.isfinite(reference.figure):
            if scene is None or reference.value is not None:
                return max(1, 2 * round(reference.figure))
            return 2 * (round(reference.figure) + len(graph.subtasks) * scene.span)
        return NO_REFERENCE_HORIZON if scene is None else 2 * (len(graph.subtasks) + 1) * (scene.span + 1)

    def reference(self, index: int) -> Reference:
        """Return the reference of a task (worked out once where there is no certificate)."""
        return self._reference(index, self.graph(index))

    def _reference(self, index: int, graph: TaskGraph) -> Reference:
        if self.certificate is not None and index < len(self.certificate.references):
            return self.certificate.references[index]
        if index not in self._references:
            # What takes an agent that need not be anywhere so long, none can do faster where it must:
            # in a world the ways count for more than the last ticks that a solver would find.
            in_place = self._scene is not None
            self._references[index] = bound_of(graph) if in_place else reference_of(graph)
        return self._references[index]

    @cached_property
    def dims(self) -> at.Dims:
        """The padded shape of all tasks."""
        if self.certificate is not None:
            dims = self.certificate.dims
        else:
            dims = dims_of([self.loaded(k).graph for k in range(self.count)])
        if self.room is None:
            return dims
        return dims._replace(
            world_ints=self.room.ints, world_state=self.room.state, world_rows=self.room.rows
        )

    def _table(self, index: int) -> list[int]:
        """Return the table of a task's world, empty in the abstract one."""
        scene = self.scene(index)
        return [] if scene is None else scene.compile(self.sizes, self.dims.subtasks)

    @cached_property
    def agents(self) -> int:
        """How many agents every task has room for."""
        return self.dims.agents

    def row(self, index: int) -> tuple[list[int], list[int]]:
        """Return one compiled task as lists, for one lane."""
        if index not in self._rows:
            self._rows[index] = compile_graph(self.graph(index), self.dims, self._table(index))
        return self._rows[index]

    def bare(self, index: int) -> list[int] | None:
        """Return a compiled task without its world, whose lane is one of the abstract world; None there."""
        if self._scene is None:
            return None
        if index not in self._bare:
            t = self.row(index)[0][: self.dims.ints]
            t[at.S_LENGTH] = t[at.Q_WORLD]
            self._bare[index] = t
        return self._bare[index]

    @cached_property
    def bank(self) -> Bank:
        """All tasks as arrays, for batches."""
        every = range(self.count)
        return compile_bank([self.graph(k) for k in every], self.dims, [self._table(k) for k in every])

    @cached_property
    def open_bank(self) -> Bank:
        """Room for all tasks as arrays, of which ``fill`` fills in one at a time."""
        count, d = self.count, self.dims
        t = np.zeros((count, d.length), np.int32)
        # Where things lie in a lane is the same for all, and read before a task is picked.
        for place, value in at.positions(d).items():
            t[:, place] = value
        return Bank(
            t=t,
            tb=np.zeros((count, d.rows * d.words), np.uint64),
            rewards=np.zeros((count, d.subtasks)),
            weights=np.zeros((count, max(1, d.subtasks))),
        )

    def fill(self, index: int) -> None:
        """Put one task into the open bank."""
        bank, graph = self.open_bank, self.graph(index)
        # A compiled task has subtasks, so an empty row is one that was not filled in.
        if bank.t[index, at.T_SUBTASKS] == 0:
            t, tb = self.row(index)
            bank.t[index], bank.tb[index] = t, np.array(tb, np.uint64)
            bank.rewards[index, : len(graph.subtasks)] = [s.reward for s in graph.subtasks]
            bank.weights[index, : len(graph.dues)] = [due.weight for due in graph.dues]

    @cached_property
    def figures(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The reference figure of every task, ``[count]``; NaN where it must be worked out first."""
        known = () if self.certificate is None else self.certificate.references[: self.count]
        return np.array([r.figure for r in known] + [math.nan] * (self.count - len(known)))


def _cook(recipe: dict[str, Any]) -> Model:
    """Return the model of a recipe (the registry is above this room, so it is looked up late)."""
    from importlib import import_module

    model: Model = import_module("stratagym.envs.registry").model_of(**recipe)
    return model


def episode_seed(base: Word, k: int) -> Word:
    """Return the seed of the k-th episode after a reset with ``base``."""
    if k == 0:
        return base
    return mixed(base, u64(k))


def pick(seed: Word, count: int) -> int:
    """Return which of ``count`` tasks an episode plays."""
    return below(bits32(seed, u64(INSTANCE), u64(0), u64(1)), count)


def begin(m: Memory) -> None:
    """Begin the episode whose number stands in the lane, on the task that ``m`` holds."""
    reset_lane(m, episode_seed(m.sb[m.t[at.QB_SEED] + 1], m.s[at.EPISODE]))
