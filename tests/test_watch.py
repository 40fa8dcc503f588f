"""Tests of watching: whole files or none, one line for bad input, a window that obeys."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stratagym.baselines.cli import run
from stratagym.baselines.suites import EnvironmentSpec
from stratagym.baselines.watch import watch
from stratagym.envs.render.canvas import pygame_module
from stratagym.envs.render.images import Frames, save_gif

COOKING = EnvironmentSpec("stratagym/Cooking-v0", {"size": "small", "executor": "interpreted"})
PICK = {"name": "pick", "horizon": 30, "subtasks": {"pick apple": {"duration": 2}}, "goal": "pick apple"}
ORCHARD = {
    "world": "grid",
    "map": ["#######", "#A...T#", "#.....#", "#######"],
    "legend": {"A": {"body": 0}, "T": {"fixture": "tree"}},
    "fixtures": {"tree": {"solid": True}},
    "reach": "front",
    "rules": {"pick apple": {"at": "tree"}},
}
GRID = EnvironmentSpec(
    "stratagym/Task-v0", {"task": PICK, "world": ORCHARD, "executor": "interpreted"}, "orchard"
)


def opened(path: Path) -> tuple[int, tuple[int, int]]:
    """Return how many frames a picture has, and its size."""
    from PIL import Image

    with Image.open(path) as file:
        file.load()
        return getattr(file, "n_frames", 1), file.size


def test_a_film_has_a_frame_for_every_step(tmp_path: Path) -> None:
    """And one for the reset; two alike may be one frame of the gif that lasts longer."""
    episode = watch(GRID, "greedy", 3, tmp_path / "a.gif", most=10_000)
    assert episode is not None
    frames, size = opened(tmp_path / "a.gif")
    assert episode.steps // 2 < frames <= episode.steps + 1
    assert size == (640, 640)
    assert [p.name for p in tmp_path.iterdir()] == ["a.gif"]


def test_the_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    """Byte for byte; another seed another."""
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        watch(COOKING, "greedy", seed, tmp_path / f"{name}.png")
    files = [(tmp_path / f"{name}.png").read_bytes() for name in "abc"]
    assert files[0] == files[1] != files[2]
    assert opened(tmp_path / "a.png") == (1, (960, 720))


def test_a_film_is_not_longer_than_asked_for(tmp_path: Path) -> None:
    """Frames in between are left out, the last one stays."""
    watch(GRID, "greedy", 3, tmp_path / "short.gif", most=4)
    watch(GRID, "greedy", 3, tmp_path / "end.png")
    assert opened(tmp_path / "short.gif")[0] <= 5


def test_a_panel_widens_a_world(tmp_path: Path) -> None:
    """Task graph and Gantt chart stand beside the map."""
    watch(GRID, "greedy", 3, tmp_path / "wide.png", panel=True)
    assert opened(tmp_path / "wide.png")[1][0] > 640


def test_an_agent_that_fails_leaves_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line that names it, exit code 2."""
    out = tmp_path / "no.gif"
    code = run(["watch", "stratagym/Cooking-v0", "--agent", "test_watch:Broken", "--out", str(out)])
    assert code == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


class Broken:
    """An agent that answers once and then raises."""

    def __init__(self) -> None:
        self.asked = 0

    def reset(self, seed: int) -> None:
        """Forget."""
        self.asked = 0

    def act(self, observation: Any) -> np.ndarray:
        """Wait, then fail."""
        self.asked += 1
        if self.asked > 1:
            raise RuntimeError("no idea")
        return np.full(len(observation.mask), observation.mask.shape[1] - 1)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["stratagym/Cooking-v0", "--agent", "greedy", "--out", "film.avi"], ".gif"),
        (["stratagym/Cooking-v0", "--agent", "gredy", "--out", "film.gif"], "greedy"),
        (["stratagym/Cookin-v0", "--agent", "greedy", "--out", "film.gif"], "Cooking"),
        (["stratagym/Cooking-v0:sze=small", "--agent", "greedy"], "size"),
        (["stratagym/Cooking-v0", "--agent", "greedy", "--clock", "tock"], "decision"),
        (["stratagym/Cooking-v0", "--agent", "greedy", "--fps", "0"], "fps"),
        (["stratagym/Cooking-v0"], "agent"),
        (["missing.yaml", "--agent", "greedy"], "missing.yaml"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str],
    word: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It names the thing and the likely fix; nothing is written."""
    monkeypatch.chdir(tmp_path)
    assert run(["watch", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert word in said.err
    assert list(tmp_path.iterdir()) == []


def test_mp4_without_its_package_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what to install, before anything is played."""
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    out = tmp_path / "film.mp4"
    assert run(["watch", "stratagym/Cooking-v0", "--agent", "greedy", "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "stratagym[video]" in said
    assert not out.exists()


def test_the_command_says_how_it_went(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The end, the ticks, the steps and the file on one line."""
    out = tmp_path / "end.png"
    assert run(["watch", "stratagym/Cooking-v0:size=small", "--agent", "optimal", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("goal reached after ")
    assert said.strip().endswith(str(out))


def test_the_window_obeys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Escape ends it, space holds it until space is pressed again."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    pygame = pygame_module()
    pygame.display.init()
    for key in (pygame.K_SPACE, pygame.K_TAB, pygame.K_SPACE):
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))
    assert watch(COOKING, "greedy", 1, fps=60) is not None
    assert not pygame.display.get_init()
    pygame.display.init()
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_ESCAPE))
    assert watch(COOKING, "greedy", 1, fps=60) is None
    assert not pygame.display.get_init()


def test_frames_are_kept_small_and_thinned_evenly() -> None:
    """First and last stay, neighbours are equally far apart, and all are of one size."""
    frames = Frames(most=8)
    for k in range(50):
        frames.add(np.full((4, 6, 3), k, np.uint8))
    kept = [int(f[0, 0, 0]) for f in frames]
    assert len(kept) <= 9
    assert (kept[0], kept[-1]) == (0, 49)
    assert len(set(np.diff(kept[:-1]))) == 1
    assert int(frames.last()[0, 0, 0]) == 49
    assert len(frames) == len(kept)
    with pytest.raises(ValueError, match="one size"):
        frames.add(np.zeros((5, 6, 3), np.uint8))
    with pytest.raises(ValueError, match="no frame"):
        Frames().last()


def test_a_film_holds_its_pictures(tmp_path: Path) -> None:
    """Colours that occur in few frames only are kept too, and what does not change is not written again."""
    from PIL import Image

    still = np.zeros((40, 60, 3), np.uint8)
    still[:, :30] = (200, 120, 40)
    pictures = []
    for k in range(8):
        picture = still.copy()
        picture[5:15, 5 + 5 * k : 15 + 5 * k] = (10, 20 * k, 250)
        pictures.append(picture)
    path = save_gif(pictures, tmp_path / "film.gif", 10, hold=1.0)
    with Image.open(path) as file:
        assert file.n_frames == 8
        pauses = []
        for k in range(8):
            file.seek(k)
            shown = np.asarray(file.convert("RGB")).astype(int)
            assert np.abs(shown - pictures[k]).max() <= 24
            pauses.append(file.info["duration"])
    assert pauses == [100] * 7 + [1000]
