"""CableRouting: one gripper threads a cable through clips, and picks up again what slips.

Owns the layouts and the task that goes with them; how a gripper moves and what a primitive asks for
is the plane's. After the cable routing of Luo et al., "Multi-stage cable routing through hierarchical
imitation learning" (2023): primitives that each succeed with probability p, chained n times, succeed
with p^n, and what lifts that is a level that sees failure and recovers.

The end of the cable is an item that goes from hand to hand: reaching it makes ``over``, picking up turns
that into ``held``, a route turns it into ``at clip k``, and inserting gives it back. A primitive that
fails produces nothing, so the task itself says that the cable must be picked up again. That it may be
stuck, and must be loosened (``perturb``) before that, only the plane knows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from stratagym.envs.domains.domain import Domain, Size, Split, TaskSource
from stratagym.envs.domains.draft import between, generator
from stratagym.envs.domains.sources import data_beside, procedural
from stratagym.envs.worlds.plane_spec import ClipSpec, ObstacleSpec, Point, ends_of, exit_of, gate_of

SLIP = 0.2
"""How often inserting slips, unless told otherwise (the published primitives succeed with about 0.8)."""

WORLD = {"duration": "world", "attended": 1}

TRIES = 400
"""Places that are tried for the things of one kind before a table is drawn afresh."""

Points = np.ndarray[Any, np.dtype[np.float64]]


def source(
    size: Size = "medium",
    split: Split = "train",
    instances: int | None = None,
    slip: float = SLIP,
    out: float = 0.0,
) -> TaskSource:
    """Return tables with clips to thread.

    Args:
        size: of the family.
        split: of the family.
        instances: how many tables.
        slip: probability with which inserting slips, in 0..1.
        out: how often each clip is torn at within the time that a plan takes, in 0..1; a cable that is
            in it then comes out and must be threaded again.

    Raises:
        ValueError: if an option has a wrong value.
    """
    for name, value in (("slip", slip), ("out", out)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
            raise ValueError(f"{name}: {value!r} is not a probability, 0 to 1")
    variant = [f"slip={slip:g}"] * (slip != SLIP) + [f"out={out:g}"] * (out != 0.0)
    return procedural(
        "cable_routing",
        lambda seed, size: task_of(layout(seed, size), slip, out),
        size,
        split,
        instances,
        "-".join(variant),
        scene=lambda seed, size: scene_of(layout(seed, size)),
    )


@dataclass(frozen=True)
class Layout:
    """One drawn table.

    Attributes:
        seed: of the draw.
        clips: in the order of their numbers.
        order: pairs (before, after) of clip numbers from 0.
        obstacles: by name.
        drum: where the cable comes from.
        end: where its end lies.
        start: of the gripper.
    """

    seed: int
    clips: tuple[ClipSpec, ...]
    order: tuple[tuple[int, int], ...]
    obstacles: Mapping[str, ObstacleSpec]
    drum: Point
    end: Point
    start: Point


@lru_cache(maxsize=256)
def layout(seed: int, size: Size) -> Layout:
    """Draw one table: the same seed, the same table. Everything on it can be reached."""
    data = data_beside(__file__)
    rng = generator(seed, 0xCAB1E)
    sizes = data["sizes"][size]
    while True:
        drum = (0.5, float(rng.uniform(3.0, data["table"][1] - 3.0)))
        end = (float(rng.uniform(1.5, 2.5)), drum[1] + float(rng.uniform(-1.0, 1.0)))
        start = (end[0] + float(rng.uniform(1.0, 2.0)), end[1] + float(rng.uniform(-2.0, 2.0)))
        taken = np.array([drum, end, start])
        clips = _clips(rng, data, between(rng, sizes["clips"]), taken)
        obstacles = _obstacles(rng, data, between(rng, sizes["obstacles"]), clips, taken) if clips else []
        if obstacles:
            break
    ranks = rng.permutation(len(clips))
    pairs = [(a, b) for a in range(len(clips)) for b in range(len(clips)) if ranks[a] < ranks[b]]
    chosen = rng.permutation(len(pairs))[: between(rng, sizes["order"])]
    return Layout(
        seed=seed,
        clips=tuple(clips),
        order=tuple(sorted(pairs[int(k)] for k in chosen)),
        obstacles={f"obstacle {k + 1}": o for k, o in enumerate(obstacles)},
        drum=_rounded(drum),
        end=_rounded(end),
        start=_rounded(start),
    )


def _rounded(at: Point) -> Point:
    return round(at[0], 2), round(at[1], 2)


def _lane(clip: ClipSpec) -> Points:
    """Return points along a clip's lane and channel, from its begin to beyond its exit, ``[11, 2]``."""
    return _between(gate_of(clip), exit_of(clip), 1.25)


def _between(start: Point, end: Point, far: float = 1.0) -> Points:
    """Return points from ``start`` to (``far`` times as far as) ``end``, ``[11, 2]``."""
    first, last = np.array(start), np.array(end)
    points: Points = first + np.linspace(0.0, far, 11)[:, None] * (last - first)
    return points


def _on_table(points: Points, data: Mapping[str, Any], room: float) -> bool:
    return bool((points >= room).all() and (points <= np.array(data["table"]) - room).all())


def _gap(a: Points, b: Points) -> float:
    """Return the least distance between points of two sets."""
    return float(np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=-1).min()))


def _clips(rng: np.random.Generator, data: Mapping[str, Any], count: int, taken: Points) -> list[ClipSpec]:
    """Draw clips whose lanes are apart; none if they do not fit."""
    clips: list[ClipSpec] = []
    width, height = data["table"]
    keep = taken
    for _ in range(TRIES):
        if len(clips) == count:
            return clips
        at = _rounded((float(rng.uniform(3.0, width - 1.5)), float(rng.uniform(1.5, height - 1.5))))
        clip = ClipSpec(at=at, angle=float(rng.integers(0, 24) * 15), **data["clip"])
        lane = _lane(clip)
        if _on_table(lane, data, 0.8) and _gap(lane, keep) >= data["apart"]:
            clips.append(clip)
            keep = np.concatenate([keep, lane])
    return []


def _obstacles(
    rng: np.random.Generator, data: Mapping[str, Any], count: int, clips: Sequence[ClipSpec], taken: Points
) -> list[ObstacleSpec]:
    """Draw what stands in the way, with a passage between any two things; none if it does not fit."""
    found: list[ObstacleSpec] = []
    lines: list[tuple[Points, float]] = []
    keep = np.concatenate([taken, *map(_lane, clips)])
    width, height = data["table"]
    for _ in range(TRIES):
        if len(found) == count:
            return found
        at = _rounded((float(rng.uniform(3.0, width - 2.0)), float(rng.uniform(2.0, height - 2.0))))
        o = ObstacleSpec(at=at, radius=round(float(rng.uniform(*data["posts"])), 2))
        if rng.random() < 0.5:
            turn, half = float(rng.uniform(0, math.pi)), float(rng.uniform(*data["bars"])) / 2
            dx, dy = half * math.cos(turn), half * math.sin(turn)
            ends = [_rounded((at[0] - dx, at[1] - dy)), _rounded((at[0] + dx, at[1] + dy))]
            o = ObstacleSpec(line=ends, radius=data["thick"])
        line, room = _between(*ends_of(o)), data["passage"] + o.radius
        # Distances are to points 0.3 apart at most, so this much is missed.
        slack = 0.05
        if (
            _on_table(line, data, room)
            and _gap(line, keep) >= o.radius + data["body"]["radius"] + data["cable"]["grip"] + slack
            and all(_gap(line, other) >= room + radius + slack for other, radius in lines)
        ):
            found.append(o)
            lines.append((line, o.radius))
    return []


# ------------------------------------------------------------------ task and scene


def task_of(table: Layout, slip: float, out: float) -> dict[str, Any]:
    """Return the task of a table."""
    once = {**WORLD, "repeatable": True}
    subtasks: dict[str, dict[str, Any]] = {
        # In this order: of what begins in one place, the first that can be started is.
        "pick up": {**once, "consumes": {"over": 1}, "produces": {"held": 1}},
        "perturb": once,
        "reach cable": {**once, "produces": {"over": 1}},
    }
    tasks: dict[str, Any] = {}
    for k in range(len(table.clips)):
        clip = f"clip {k + 1}"
        before = [f"insert clip {a + 1}" for a, b in table.order if b == k]
        needs = {"needs": " & ".join(before)} if before else {}
        # A clip that is threaded would not give the cable back.
        open_ = {"needs": " & ".join([*before, f"~insert {clip}"])}
        at_clip = {f"at {clip}": 1}
        subtasks[f"route {clip}"] = {**once, **open_, "consumes": {"held": 1}, "produces": at_clip}
        subtasks[f"insert {clip}"] = {
            **WORLD,
            **needs,
            "consumes": at_clip,
            "produces": {"held": 1},
            **({"success": 1.0 - slip} if slip else {}),
        }
        tasks[f"thread {clip}"] = {"sequence": [f"route {clip}", f"insert {clip}"]}
    task: dict[str, Any] = {
        "name": f"cable {table.seed}",
        "subtasks": subtasks,
        "tasks": {**tasks, "cable": {"all": list(tasks)}},
        "goal": "cable",
    }
    if out:
        last = round((20 + 40 * len(table.clips)) / out)
        task["events"] = [
            {"at": {"uniform": [1, last]}, "undo": f"insert clip {k + 1}"} for k in range(len(tasks))
        ]
    return task


def scene_of(table: Layout) -> dict[str, Any]:
    """Return the plane of a table."""
    data = data_beside(__file__)
    limit = {"limit": data["limit"]}
    rules: dict[str, Any] = {
        "pick up": {"by": "pick up", **limit},
        "perturb": {"by": "perturb", **limit},
        "reach cable": {"by": "reach", **limit},
    }
    clips = {}
    for k, clip in enumerate(table.clips):
        name = f"clip {k + 1}"
        clips[name] = {"at": list(clip.at), "angle": clip.angle, **data["clip"]}
        rules[f"route {name}"] = {"by": "route", "at": name, **limit}
        rules[f"insert {name}"] = {"by": "insert", "at": name, **limit}
    return {
        "world": "plane",
        "size": list(data["table"]),
        "bodies": [{"at": list(table.start), **data["body"]}],
        "clips": clips,
        "obstacles": {name: _obstacle(o) for name, o in table.obstacles.items()},
        "cable": {"from": list(table.drum), "end": list(table.end), **data["cable"]},
        "rules": rules,
    }


def _obstacle(o: ObstacleSpec) -> dict[str, Any]:
    """Return an obstacle as plain data."""
    if o.line is not None:
        return {"line": [list(end) for end in o.line], "radius": o.radius}
    return {"at": list(ends_of(o)[0]), "radius": o.radius}


DOMAIN = Domain(
    name="CableRouting",
    summary="A gripper threads a cable through clips on a table; what slips must be picked up again",
    source=source,
    tags=("plane", "continuous", "recovery", "robotics"),
)
