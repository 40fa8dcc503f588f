"""Make the pictures of the documentation: `python docs/make_gallery.py`.

Owns which environments are shown, at which moment, and where the files go
(``docs/images``). Everything is seeded: the same sources give the same pictures.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

import stratagym  # noqa: F401  (registers the environments)
from stratagym.envs.render.chart import RunBar
from stratagym.envs.render.drawing import draw_graph
from stratagym.envs.render.gantt import draw_gantt
from stratagym.envs.render.images import save_gif, save_png
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.optimum import optimum

IMAGES = Path(__file__).resolve().parent / "images"

SCENES: tuple[tuple[str, str, dict[str, Any], float], ...] = (
    ("cooking", "stratagym/Cooking-v0", {}, 0.6),
    ("household", "stratagym/Household-v0", {"size": "large"}, 0.6),
    ("crafting", "stratagym/Crafting-v0", {}, 0.5),
    ("graph", "stratagym/Graph-v0", {}, 0.5),
)
"""File name, id, options, and the share of the episode after which the picture is taken."""

SCHEDULES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("jobshop-ft06", "stratagym/JobShop-v0", {"instance": "ft06"}),
    ("project", "stratagym/Project-v0", {}),
)
"""File name, id and options of the schedules that are shown solved and played at random."""

MOVIE: tuple[str, str, dict[str, Any]] = ("laboratory", "stratagym/Laboratory-v0", {"size": "small"})
SEED = 1
MOST_FRAMES = 24
COLOURS = 160
"""Colours of a png; the files are committed and should be small."""


def play(
    env: gymnasium.Env[Any, Any], steps: int | None = None, each: Callable[[], None] = lambda: None
) -> list[dict[str, Any]]:
    """Play allowed actions at random, waiting only if nothing else is allowed.

    Args:
        env: an environment with one agent.
        steps: most steps; the whole episode if left out.
        each: called after the reset and after every step.

    Returns:
        The infos of the reset and of every step.
    """
    rng = np.random.default_rng(SEED)
    _, info = env.reset(seed=SEED)
    infos = [info]
    each()
    while steps is None or len(infos) <= steps:
        mask = np.asarray(info["action_mask"])
        allowed = np.flatnonzero(mask[:-1])
        action = int(rng.choice(allowed)) if len(allowed) else len(mask) - 1
        _, _, terminated, truncated, info = env.step(action)
        infos.append(info)
        each()
        if terminated or truncated:
            break
    return infos


def solved(graph: TaskGraph) -> list[RunBar]:
    """Return the runs of the best schedule that the solver finds."""
    return [
        RunBar(
            graph.index(r.subtask),
            r.agents,
            r.start,
            r.end,
            attended(graph, r.subtask, r.start, r.end),
            "success",
        )
        for r in optimum(graph, time_limit=30.0, workers=2).schedule
    ]


def played(graph: TaskGraph, infos: list[dict[str, Any]]) -> list[RunBar]:
    """Return the runs of an episode from its events."""
    runs: list[RunBar] = []
    open_runs: dict[str, tuple[int, tuple[int, ...]]] = {}
    for event in (e for info in infos for e in info["events"]):
        name = event["subtask"]
        if event["kind"] == "start":
            open_runs[name] = (event["tick"], tuple(event["agents"]))
        elif event["kind"] in ("success", "failure") and name in open_runs:
            start, agents = open_runs.pop(name)
            until = attended(graph, name, start, event["tick"])
            runs.append(RunBar(graph.index(name), agents, start, event["tick"], until, event["kind"]))
    return runs


def attended(graph: TaskGraph, name: str, start: int, end: int) -> int:
    """Return the tick until which a run keeps its agents busy."""
    ticks = graph.subtasks[graph.index(name)].attended
    return end if ticks is None else min(end, start + ticks)


def make_scenes() -> None:
    """Take one picture in the middle of an episode of each environment."""
    for name, env_id, options, share in SCENES:
        env = gymnasium.make(env_id, render_mode="rgb_array", **options)
        whole = len(play(env)) - 1
        play(env, max(1, round(whole * share)))
        save_png(np.asarray(env.render()), IMAGES / f"{name}.png", COLOURS)
        env.close()


def make_schedules() -> None:
    """Draw the best schedule and one played at random, and the graph that both obey."""
    for name, env_id, options in SCHEDULES:
        env = gymnasium.make(env_id, **options)
        infos = play(env)
        graph: TaskGraph = env.unwrapped.task.graph  # type: ignore[attr-defined]
        env.close()
        for kind, runs in (("best", solved(graph)), ("random", played(graph, infos))):
            end = max(r.end or 0 for r in runs)
            title = f"{graph.name}: {'best schedule' if kind == 'best' else 'played at random'}, {end} ticks"
            save_png(draw_gantt(graph, runs, time=end, title=title), IMAGES / f"{name}-{kind}.png", COLOURS)
        save_png(
            draw_graph(graph, ["locked"] * len(graph.subtasks), title=graph.name),
            IMAGES / f"{name}-graph.png",
            COLOURS,
        )


def make_movie() -> None:
    """Film one short episode."""
    name, env_id, options = MOVIE
    env = gymnasium.make(env_id, render_mode="rgb_array", **options)
    frames: list[np.ndarray[Any, Any]] = []
    play(env, MOST_FRAMES, lambda: frames.append(np.asarray(env.render())))
    save_gif(frames, IMAGES / f"{name}.gif", fps=2)
    env.close()


def main() -> None:
    """Make all pictures and say where they are."""
    argparse.ArgumentParser(description="Make the pictures of the documentation in docs/images.").parse_args()
    make_scenes()
    make_schedules()
    make_movie()
    for path in sorted(IMAGES.iterdir()):
        print(f"{path.stat().st_size // 1024:5d} KB  {path.relative_to(IMAGES.parent.parent)}")


if __name__ == "__main__":
    main()
