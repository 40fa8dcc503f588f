"""Make the pictures of the documentation: `python docs/make_gallery.py [NAME ...]`.

Owns which environments are shown, at which moment, and where the files go
(``docs/images``). Everything is seeded: the same sources give the same pictures.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np

import stratagym  # noqa: F401  (registers the environments)
from stratagym.agents.zoo import in_world
from stratagym.baselines.player import load_agent
from stratagym.baselines.rollout import play
from stratagym.envs.render.chart import RunBar
from stratagym.envs.render.drawing import draw_graph
from stratagym.envs.render.gantt import draw_gantt
from stratagym.envs.render.images import Frames, save_gif, save_png
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.optimum import optimum

IMAGES = Path(__file__).resolve().parent / "images"
MOST = 300_000
"""Bytes of a file at most: the files are committed."""

COLOURS = 160
"""Colours of a picture; fewer make smaller files."""


class Shot(NamedTuple):
    """One environment as it is shown.

    Attributes:
        name: of the files.
        env: its id.
        options: of the environment.
        agent: who plays it.
        seed: of the episode.
        share: of the episode after which the picture is taken.
        frames: of the film at most, 0 for none.
        panel: whether the task graph and the Gantt chart stand beside a world.
    """

    name: str
    env: str
    options: dict[str, Any] = {}  # noqa: RUF012
    agent: str = "optimal"
    seed: int = 3
    share: float = 0.4
    frames: int = 48
    panel: bool = False


SHOTS: tuple[Shot, ...] = (
    Shot("kitchen", "stratagym/Kitchen-v0", {"layout": "team"}),
    Shot("kitchen-panel", "stratagym/Kitchen-v0", {"layout": "team"}, frames=0, panel=True),
    Shot("warehouse", "stratagym/Warehouse-v0", {"fog": True}, seed=5, frames=36),
    Shot("rearrangement", "stratagym/Rearrangement-v0"),
    Shot("mining", "stratagym/Mining-v0"),
    Shot("playground", "stratagym/Playground-v0"),
    Shot(
        "wilderness",
        "stratagym/Wilderness-v0",
        {"size": "small", "agents": 3, "vitals": True, "fog": 5},
        "errands",
        seed=1,
        frames=14,
    ),
    Shot("itinerary", "stratagym/Itinerary-v0", {"size": "small"}, "rounds"),
    Shot("house", "stratagym/House-v0", {}, "rounds"),
    Shot("cable-routing", "stratagym/CableRouting-v0", {"slip": 0.3}),
    Shot("cooking", "stratagym/Cooking-v0", {}, "greedy", 1, 0.6, 0),
    Shot("household", "stratagym/Household-v0", {"size": "large"}, "greedy", 1, 0.6, 0),
    Shot("laboratory", "stratagym/Laboratory-v0", {"size": "small"}, "optimal", 1, 0.6, 24),
    Shot("crafting", "stratagym/Crafting-v0", {}, "greedy", 1, 0.5, 0),
    Shot("graph", "stratagym/Graph-v0", {}, "optimal", 1, 0.5, 0),
)

SCHEDULES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("jobshop-ft06", "stratagym/JobShop-v0", {"instance": "ft06"}),
    ("project", "stratagym/Project-v0", {}),
)
"""File name, id and options of the schedules that are shown solved and played at random."""


class Filmed(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment whose every moment is kept."""

    def __init__(self, env: Any, panel: bool, frames: int) -> None:
        super().__init__(env)
        self.panel, self.film = panel, Frames(max(2, frames))
        self.all = Frames()

    def reset(self, **kwargs: Any) -> Any:
        """Reset and keep the first moment."""
        answer = super().reset(**kwargs)
        self.keep()
        return answer

    def step(self, action: Any) -> Any:
        """Step and keep what has become of it."""
        answer = super().step(action)
        self.keep()
        return answer

    def keep(self) -> None:
        """Keep the present moment."""
        base: Any = self.unwrapped
        frame = base.picture(panel=self.panel)
        self.film.add(frame)
        self.all.add(frame)


def take(shot: Shot) -> None:
    """Play an episode and take its picture and its film."""
    env = gymnasium.make(shot.env, render_mode="rgb_array", disable_env_checker=True, **shot.options)
    agent = load_agent(shot.agent)
    if env.unwrapped.model.scene(0) is not None:  # type: ignore[attr-defined]
        env.close()
        ticks = {"clock": "tick", **shot.options}
        env = gymnasium.make(shot.env, render_mode="rgb_array", disable_env_checker=True, **ticks)
        agent = in_world(agent)
    filmed = Filmed(env, shot.panel, shot.frames)
    play(filmed, agent, shot.seed)
    moments = list(filmed.all)
    save_png(moments[round(shot.share * (len(moments) - 1))], IMAGES / f"{shot.name}.png", COLOURS)
    if shot.frames:
        save_film(filmed.film, IMAGES / f"{shot.name}.gif")
    env.close()


def save_film(film: Frames, path: Path) -> None:
    """Write a film with as many colours as its size allows."""
    for colours in (192, 160, 128, 96):
        if save_gif(film, path, fps=5, colours=colours).stat().st_size <= MOST:
            break


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


def at_random(env: gymnasium.Env[Any, Any], seed: int = 1) -> list[RunBar]:
    """Return the runs of an episode in which what is allowed is drawn, and waiting the last resort."""
    rng = np.random.default_rng(seed)
    _, info = env.reset(seed=seed)
    events: list[dict[str, Any]] = list(info["events"])
    over = False
    while not over:
        mask = np.asarray(info["action_mask"])
        allowed = np.flatnonzero(mask[:-1])
        action = int(rng.choice(allowed)) if len(allowed) else len(mask) - 1
        _, _, terminated, truncated, info = env.step(action)
        events += info["events"]
        over = terminated or truncated
    graph: TaskGraph = env.unwrapped.task.graph  # type: ignore[attr-defined]
    runs: list[RunBar] = []
    begun: dict[str, tuple[int, tuple[int, ...]]] = {}
    for event in events:
        name = event["subtask"]
        if event["kind"] == "start":
            begun[name] = (event["tick"], tuple(event["agents"]))
        elif event["kind"] in ("success", "failure") and name in begun:
            start, agents = begun.pop(name)
            until = attended(graph, name, start, event["tick"])
            runs.append(RunBar(graph.index(name), agents, start, event["tick"], until, event["kind"]))
    return runs


def attended(graph: TaskGraph, name: str, start: int, end: int) -> int:
    """Return the tick until which a run keeps its agents busy."""
    ticks = graph.subtasks[graph.index(name)].attended
    return end if ticks is None else min(end, start + ticks)


def draw_schedule(name: str, env_id: str, options: dict[str, Any]) -> None:
    """Draw the best schedule and one played at random, and the graph that both obey."""
    env = gymnasium.make(env_id, disable_env_checker=True, **options)
    random_runs = at_random(env)
    graph: TaskGraph = env.unwrapped.task.graph  # type: ignore[attr-defined]
    env.close()
    for kind, runs in (("best", solved(graph)), ("random", random_runs)):
        end = max(r.end or 0 for r in runs)
        title = f"{graph.name}: {'best schedule' if kind == 'best' else 'played at random'}, {end} ticks"
        save_png(draw_gantt(graph, runs, time=end, title=title), IMAGES / f"{name}-{kind}.png", COLOURS)
    picture = draw_graph(graph, ["locked"] * len(graph.subtasks), title=graph.name)
    save_png(picture, IMAGES / f"{name}-graph.png", COLOURS)


def main() -> None:
    """Make the pictures and say where they are, and which is too large."""
    parser = argparse.ArgumentParser(description="Make the pictures of the documentation in docs/images.")
    parser.add_argument("names", nargs="*", help="which ones; all if left out")
    names = parser.parse_args().names
    for shot in SHOTS:
        if not names or shot.name in names:
            take(shot)
    for name, env_id, options in SCHEDULES:
        if not names or name in names:
            draw_schedule(name, env_id, options)
    for path in sorted(IMAGES.iterdir()):
        size = path.stat().st_size
        mark = "  TOO LARGE" if size > MOST else ""
        print(f"{size // 1024:5d} KB  {path.relative_to(IMAGES.parent.parent)}{mark}")


if __name__ == "__main__":
    main()
