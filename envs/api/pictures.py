"""What a single environment draws: the runs so far and the present moment.

Owns the history that pictures need, gathered from events; drawing is ``render``'s.
Nothing here changes a lane.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from stratagym.envs.task import kernel
from stratagym.envs.task import layout as at
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.imagine import agent_view
from stratagym.envs.task.layout import Memory
from stratagym.envs.task.nodes import has
from stratagym.envs.task.simulate import Happening, crew
from stratagym.envs.task.view import STATUS


class Pictures:
    """The runs of one episode, and the window that shows them."""

    def __init__(self) -> None:
        self._runs: list[Any] = []
        self._happened: list[Happening] = []
        self._reward: float | None = None
        self._window: Any = None
        self._panel = False

    def begin(self, graph: TaskGraph, reward: float | None = None) -> None:
        """Forget the runs of the last episode.

        Args:
            graph: the task of this one.
            reward: what it paid so far, None if that is not known.
        """
        self._graph = graph
        self._runs, self._happened = [], []
        self._reward = reward

    def add(self, happened: Sequence[Happening], m: Memory, reward: float) -> None:
        """Take in what a step brought, and what it paid."""
        from stratagym.envs.render.chart import RunBar

        for h in happened:
            if h.kind == "start":
                i = h.subject
                attended = m.t[at.HEADS + i * at.COLUMNS + at.ATTENDED]
                self._runs.append(RunBar(i, h.agents, h.tick, None, h.tick + attended, "running"))
            elif h.kind in ("success", "failure"):
                for k in range(len(self._runs) - 1, -1, -1):
                    bar = self._runs[k]
                    if bar.subtask == h.subject and bar.end is None:
                        until = min(bar.attended_until, h.tick)
                        self._runs[k] = replace(bar, end=h.tick, outcome=h.kind, attended_until=until)
                        break
        self._happened = [*self._happened, *happened][-40:]
        if self._reward is not None:
            self._reward += reward

    def facts(self, env: Any) -> Any:
        """Return what pictures tell of the task at this moment, a ``render.facts.Facts``."""
        from stratagym.envs.render.facts import Facts

        m = env.memory()
        graph = env.task.graph
        domain = (env.model.recipe or {}).get("domain")
        time = m.s[at.CLOCK]
        runs = [replace(bar, attended_until=min(bar.attended_until, time)) if bar.end is None else bar
                for bar in (*self._runs, *self._unseen(m, graph))]  # fmt: skip
        return Facts(
            graph=graph,
            status=[
                "unknown" if has(m, at.UNKNOWN, i) else STATUS[kernel.status_of(m, i)]
                for i in range(len(graph.subtasks))
            ],
            runs=runs,
            time=time,
            stock=env.stock(),
            free=env.free(),
            agents=[agent_view(m, graph, a, graph.names) for a in range(len(graph.agents))],
            title=f"{domain}: {graph.name}" if domain else graph.name,
            events=[h._asdict() for h in self._happened],
            reward=self._reward,
            note=standing(m, graph),
        )

    def _unseen(self, m: Memory, graph: TaskGraph) -> list[Any]:
        """Return the runs under way whose start is not in the history (it began later, or was restored)."""
        from stratagym.envs.render.chart import RunBar

        known = {bar.subtask for bar in self._runs if bar.end is None}
        found = []
        for i in range(len(graph.subtasks)):
            if has(m, at.RUNNING, i) and i not in known:
                start = m.s[at.S_HEADS + i * at.S_COLUMNS + at.START]
                attended = m.t[at.HEADS + i * at.COLUMNS + at.ATTENDED]
                found.append(RunBar(i, crew(m, i), start, None, start + attended, "running"))
        return found

    def text(self, env: Any) -> str:
        """Return the present moment as text."""
        from stratagym.envs.render.text import draw_text

        f = self.facts(env)
        table = draw_text(
            f.graph, f.status, f.runs, f.time, f.stock, f.free, f.agents, f.title,
            events=f.events, reward=f.reward, note=f.note,
        )  # fmt: skip
        if env.scene is None:
            return table
        from stratagym.envs.render.world_text import draw_world_text

        return draw_world_text(f, env.scene.look(env.memory(), f.graph, None, "full")) + table

    def pixels(self, env: Any, panel: bool = False, fog: bool = False) -> Any:
        """Return the present moment as pixels, ``[H, W, 3]`` uint8.

        Args:
            env: the environment.
            panel: whether the task graph and the Gantt chart stand beside a world.
            fog: whether what no body sees stays hidden (else it is shown in the dark).
        """
        f = self.facts(env)
        scene = env.scene
        if scene is None:
            from stratagym.envs.render.scene import draw_scene

            return draw_scene(
                f.graph, f.status, f.runs, f.time, f.stock, f.free, f.agents, f.title,
                events=f.events, reward=f.reward, note=f.note,
            )  # fmt: skip
        from stratagym.envs.render.world import draw_world

        m = env.memory()
        view = scene.look(m, f.graph, None, "full")
        truth = None if fog or not scene.fog else scene.look(m, f.graph, None, "full", fog=False)
        return draw_world(f, view, truth, panel=panel)

    def frame(self, env: Any) -> Any:
        """Return the present moment as the environment's render mode wants it."""
        if env.render_mode == "ansi":
            return self.text(env)
        if env.render_mode == "rgb_array":
            return self.pixels(env, env.options.panel)
        if self._window is None:
            from stratagym.envs.render.window import Window

            self._window, self._panel = Window(env.task.graph.name), env.options.panel
        if self._window.take().count("tab") % 2:
            self._panel = not self._panel
        self._window.show(self.pixels(env, self._panel))
        return None

    def history(self) -> tuple[Any, ...]:
        """Return what has happened so far, to be given to ``recall`` later."""
        return (self._runs[:], self._happened[:], self._reward)

    def recall(self, history: tuple[Any, ...]) -> None:
        """Go back to an earlier history."""
        runs, happened, self._reward = history
        self._runs, self._happened = runs[:], happened[:]

    def close(self) -> None:
        """Close the window."""
        if self._window is not None:
            self._window.close()
            self._window = None


def standing(m: Memory, graph: TaskGraph) -> str:
    """Return how an episode stands in a few words, "" while it is open."""
    if graph.goal is not None and m.s[at.GOAL]:
        return "goal reached"
    if m.s[at.DEAD_END]:
        return "dead end"
    return "time is up" if m.s[at.OVER] == kernel.TRUNCATED else ""
