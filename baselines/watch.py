"""Watching an agent: one episode as a picture, a film or in a window (``stratagym watch``).

Owns which frames are taken and where they go. The loop of the episode is in ``rollout``,
drawing and the writing of files are ``envs.render``'s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium

from stratagym.agents.zoo import in_world
from stratagym.baselines.player import load_agent
from stratagym.baselines.rollout import AgentError, Episode, play
from stratagym.baselines.suites import EnvironmentSpec, InputError
from stratagym.envs.render.images import Frames, save_gif, save_mp4, save_png
from stratagym.envs.render.window import Window

FORMATS = (".gif", ".png", ".mp4")
MOST_FRAMES = 240
"""Films of longer episodes leave out frames in between."""


def watch(
    spec: EnvironmentSpec,
    agent: str,
    seed: int = 0,
    out: Path | None = None,
    *,
    fps: float = 8,
    panel: bool = False,
    clock: str | None = None,
    most: int = MOST_FRAMES,
) -> Episode | None:
    """Play one episode and show it.

    Args:
        spec: the environment.
        agent: name of the agent or ``package.module:factory``.
        seed: of the environment.
        out: ``.gif`` and ``.mp4`` hold the episode, ``.png`` its end; None opens a window.
        fps: frames per second.
        panel: whether the task graph and the Gantt chart stand beside a world.
        clock: of the environment; None takes every tick in a world, every decision elsewhere.
        most: frames of a film at most.

    Returns:
        What happened; None if the window was closed before the end.

    Raises:
        InputError: if the environment, the agent or the file's format is wrong.
    """
    if out is not None and out.suffix.lower() not in FORMATS:
        raise InputError(f"--out {out}: the name must end in one of {', '.join(FORMATS)}")
    if out is not None and out.suffix.lower() == ".mp4":
        _writer_of_mp4()
    env = _made(spec, clock)
    frames = Frames(most)
    window = Window(f"stratagym: {agent} on {spec.label}", fps) if out is None else None
    shown = _Shown(env, frames, window, panel)
    try:
        player = load_agent(agent)
        if env.unwrapped.model.scene(0) is not None:
            player = in_world(player)
        episode = play(shown, player, seed)
    except AgentError as error:
        raise InputError(f"agent {agent!r} on {spec.label}, seed {seed}: {error}") from error
    except _ClosedError:
        return None
    finally:
        env.close()
        if window is not None:
            window.close()
    if out is not None:
        _write(frames, out, fps)
    return episode


def _made(spec: EnvironmentSpec, clock: str | None) -> Any:
    """Return the environment under the clock that is wanted."""
    env = spec.make(render_mode="rgb_array")
    if clock is None:
        clock = "decision" if env.unwrapped.model.scene(0) is None else "tick"
    if clock == env.unwrapped.options.clock or "clock" in spec.options:
        return env
    env.close()
    return spec.make(render_mode="rgb_array", clock=clock)


class _ClosedError(Exception):
    """Whoever watched has closed the window."""


class _Shown(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment that shows itself after its reset and after each step.

    In the window the tabulator key turns the side panel on and off, space holds the film and
    escape ends it.
    """

    def __init__(self, env: Any, frames: Frames, window: Window | None, panel: bool) -> None:
        super().__init__(env)
        self._frames, self._window, self._panel = frames, window, panel

    def reset(self, **kwargs: Any) -> Any:
        """Reset and show the first moment."""
        answer = super().reset(**kwargs)
        self._show()
        return answer

    def step(self, action: Any) -> Any:
        """Step and show what has become of it."""
        answer = super().step(action)
        self._show()
        return answer

    def _show(self) -> None:
        base: Any = self.unwrapped
        if self._window is None:
            self._frames.add(base.picture(panel=self._panel))
            return
        held = False
        while True:
            if not self._window.show(base.picture(panel=self._panel)):
                raise _ClosedError
            keys = self._window.take()
            if "escape" in keys:
                raise _ClosedError
            self._panel ^= bool(keys.count("tab") % 2)
            held ^= bool(keys.count("space") % 2)
            if not held:
                return


def _write(frames: Frames, out: Path, fps: float) -> None:
    if out.suffix.lower() == ".png":
        save_png(frames.last(), out)
    elif out.suffix.lower() == ".gif":
        save_gif(frames, out, fps)
    else:
        save_mp4(frames, out, fps)


def _writer_of_mp4() -> None:
    """Check that films of this format can be written.

    Raises:
        InputError: if a package is missing, with the command that installs it.
    """
    try:
        import imageio_ffmpeg  # noqa: F401
    except ImportError:
        raise InputError(
            "--out: mp4 needs imageio[ffmpeg]: pip install 'stratagym[video]' (gif and png need nothing)"
        ) from None
