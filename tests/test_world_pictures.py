"""Tests of the pictures of worlds: every domain is drawn, purely, fast, and can be told apart by anybody."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time as clock
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import stratagym  # noqa: F401 - registers the environments
from colour_vision import SEEN_BY, distance, lab
from render_worlds import city, dinner, house, kitchen, plane, wilderness
from stratagym.envs.registry import find_domains
from stratagym.envs.render import map_layout, marks, things, world, world_grid, world_places
from stratagym.envs.render.palette import INK, ORANGE, WHITE, contrast, mix
from stratagym.envs.render.text import columns
from stratagym.envs.render.world_text import draw_world_text

WORLDS = sorted(name for name, domain in find_domains().items() if domain.source().scene is not None)
VIEWS: dict[str, tuple[Any, Any]] = {
    "kitchen": (kitchen(), None),
    "wilderness": wilderness(),
    "city": (city(), None),
    "house": (house(), None),
    "plane": (plane(), None),
}


def made(name: str, **options: Any) -> Any:
    """Return the core of a world's environment after its reset."""
    settings = {"size": "small", "executor": "interpreted", **options}
    env = gymnasium.make(f"stratagym/{name}-v0", disable_env_checker=True, **settings)
    env.reset(seed=2)
    return env.unwrapped


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether two saved states are equal."""
    return all(np.array_equal(np.asarray(one[part]), np.asarray(other[part])) for part in ("s", "sb"))


def some_action(base: Any, rng: np.random.Generator) -> Any:
    """Return an allowed action, waiting only where nothing else is allowed."""
    view = base.observation().world
    if not view.actions:
        return rng.uniform(-1, 1, base.action_space.shape).astype(np.float32)
    chosen = [
        int(rng.choice(np.flatnonzero(row[:-1]) if row[:-1].any() else [len(row) - 1])) for row in view.mask
    ]
    return chosen[0] if base.action_space.shape == () else np.array(chosen)


@pytest.mark.parametrize("name", WORLDS)
def test_every_domain_draws_itself_and_changes_nothing(name: str) -> None:
    """A picture is 640 pixels wide, the same twice, and leaves the episode as it was; so does the text."""
    base = made(name, render_mode="rgb_array")
    rng = np.random.default_rng(0)
    for _ in range(6):
        before = base.get_state()
        first = base.picture()
        assert first.shape == (world.SIZE, world.SIZE, 3)
        assert np.array_equal(first, base.picture())
        assert base.picture(panel=True).shape == (world.SIZE, world.SIZE + world.SIDE, 3)
        assert np.array_equal(base.picture(panel=True)[:, : world.SIZE], first)
        assert max(map(columns, base.pictures.text(base).splitlines())) <= 100
        after = base.get_state()
        assert same(before, after)
        _, _, terminated, truncated, _ = base.step(some_action(base, rng))
        if terminated or truncated:
            break


@pytest.mark.parametrize("name", WORLDS)
def test_rendering_leaves_the_episode_alone(name: str) -> None:
    """Two environments, one drawn at each step and one never, go through the same states."""
    drawn, plain = made(name, render_mode="rgb_array"), made(name)
    rng = np.random.default_rng(1)
    for _ in range(6):
        action = some_action(plain, rng)
        drawn.render()
        one, other = drawn.step(action), plain.step(action)
        assert same(drawn.get_state(), plain.get_state())
        assert one[1:4] == other[1:4]
        if one[2] or one[3]:
            break


@pytest.mark.parametrize("name", WORLDS)
def test_every_domain_has_its_map_in_characters(name: str) -> None:
    """The text begins with the map and goes on with a line for each body and the table of subtasks."""
    base = made(name, render_mode="ansi")
    text = base.render()
    assert text == base.render()
    graph = base.task.graph
    lines = text.splitlines()
    for a, agent in enumerate(graph.agents):
        assert any(line.startswith(f"{a} {agent.name}") for line in lines)
    assert any("subtask" in line and "status" in line for line in lines)


@pytest.mark.parametrize("kind", VIEWS)
def test_worlds_are_drawn_at_thirty_frames_a_second(kind: str) -> None:
    """At 640 pixels, with the side panel too, in processor time, while time goes on."""
    view, truth = VIEWS[kind]
    for panel in (False, True):
        world.draw_world(dinner(), view, truth, panel=panel)
        began = clock.process_time()
        for k in range(20):
            world.draw_world(dinner(time=12 + k), view, truth, panel=panel)
        rate = 20 / (clock.process_time() - began)
        assert rate >= 30, f"{kind}, panel {panel}: {rate:.0f} frames a second"


@pytest.mark.parametrize("viewer", SEEN_BY)
def test_bodies_can_be_told_apart_by_anybody(viewer: str) -> None:
    """Colours of any two are seven times as far apart as what is just noticed; each has its number."""
    for one, other in itertools.combinations(marks.BODY_HUES, 2):
        assert float(distance(one, other, viewer)) >= 16
    first, second = (marks.body_mark(a, 40, "up").array() for a in (0, len(marks.BODY_HUES)))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("viewer", SEEN_BY)
def test_icons_can_be_told_apart_by_anybody(viewer: str) -> None:
    """Any two icons differ, in the mean over all pixels of a cell, by more than what is just noticed."""
    names = list(things.table().icons)
    seen = np.stack([lab(things.tile(name, 32).array(), viewer).reshape(-1, 3) for name in names])
    seen = seen.astype(np.float32)
    for k in range(len(names) - 1):
        apart = np.linalg.norm(seen[k + 1 :] - seen[k], axis=2).mean(axis=1)
        nearest = int(np.argmin(apart))
        assert apart[nearest] >= 3.5, f"{names[k]} and {names[k + 1 + nearest]}: {apart[nearest]:.1f}"


@pytest.mark.parametrize("viewer", SEEN_BY)
def test_kinds_of_land_can_be_told_apart_by_anybody(viewer: str) -> None:
    """What covers the map of the wilderness differs three times as much as what is just noticed."""
    land = ("grass", "water", "sand", "stone", "tree", "coal", "iron", "diamond", "path", "table", "furnace")
    seen = {name: lab(things.tile(name, 32, "grass").array(), viewer) for name in land}
    for one, other in itertools.combinations(land, 2):
        apart = float(np.linalg.norm(seen[one] - seen[other], axis=2).mean())
        assert apart >= 7, f"{one} and {other}: {apart:.1f}"


@pytest.mark.parametrize("viewer", SEEN_BY)
def test_what_runs_and_what_is_hidden_stand_out_for_anybody(viewer: str) -> None:
    """A timer's two parts, fog against light, open against closed hours, low against good vitals."""
    pairs = [
        (ORANGE, WHITE),
        (marks.SHADE, things.table().colours["floor"]),
        (marks.SHADE, things.table().colours["grass"]),
        (marks.SHADE, things.table().colours["wall"]),
        (world_places._OPEN, world_places._SHUT),
    ]
    for one, other in pairs:
        assert float(distance(one, other, viewer)) >= 20
    for ink in (world_places._OPEN, world_places._SHUT, marks.VERMILLION_TEXT):
        assert contrast(ink, WHITE) >= 4.5
    assert contrast(INK, mix(ORANGE, WHITE, 0.72)) >= 7


def test_every_name_of_the_table_leads_to_an_icon() -> None:
    """Icons, other names and marks are drawn without error; other names lead somewhere."""
    known = things.table()
    for name in known.icons:
        assert things.look_of(name).icon == name
        assert things.icon(name, 20).width == 20
    for name, other in known.same.items():
        assert other in known.icons
        assert things.look_of(name).icon is not None
    for mark in known.marks:
        assert things.look_of(f"{mark} cabbage").marks == (mark,) or f"{mark} cabbage" in known.icons
        things.icon(f"{mark} cabbage", 20)
    assert known.containers <= set(known.icons)


@pytest.mark.parametrize(
    ("name", "icon", "marked", "content"),
    [
        ("onion", "onion", (), None),
        ("onion 12", "onion", (), None),
        ("chopped onion 2", "onion", ("chopped",), None),
        ("cutting board", "board", (), None),
        ("locked door", "locked door", (), None),
        ("locked cabinet", "cabinet", ("locked",), None),
        ("potatoes", "potato", (), None),
        ("wooden table", "table", (), None),
        ("raw egg crate", "crate", (), "egg"),
        ("broken crate", "crate", ("broken",), None),
        ("plate with food", "plate", (), "food"),
        ("plate rack", "rack", (), None),
        ("DeskLamp", "lamp", (), None),
        ("gizmo", None, (), None),
    ],
)
def test_names_lead_to_icons_by_their_words(
    name: str, icon: str | None, marked: tuple[str, ...], content: str | None
) -> None:
    """A number, a material, a state or a content in the name does not hide what it is."""
    look = things.look_of(name)
    assert (look.icon, look.marks, look.content) == (icon, marked, content)


def test_materials_colour_tools() -> None:
    """A pickaxe of wood is not one of iron."""
    pictures = [things.icon(f"{m} pickaxe", 32).array() for m in ("wood", "stone", "iron", "diamond")]
    for one, other in itertools.combinations(pictures, 2):
        assert not np.array_equal(one, other)


def test_unknown_names_get_letters_and_a_steady_hue() -> None:
    """A letter on a plate, the same hue whatever the number, in every process."""
    assert things.look_of("gizmo 3").letters == "G3"
    assert things.look_of("quantum foo").letters == "QF"
    assert things.look_of("gizmo 3").hue == things.look_of("gizmo 14").hue
    assert not np.array_equal(things.icon("gizmo 3", 32).array(), things.icon("gizmo 4", 32).array())
    assert things.look_of("").letters == "?"
    code = "from stratagym.envs.render import things; print(things.look_of('gizmo 3').hue)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(things.look_of("gizmo 3").hue)


def test_what_a_scene_says_of_looks_counts_unless_the_name_says_more() -> None:
    """``looks`` is drawn, but "raw egg crate" that looks like a crate shows its egg."""
    assert things.seems("widget 7", "chair") == "chair"
    assert things.seems("raw egg crate", "crate") == "raw egg crate"
    assert things.seems("gizmo 1", "gizmo") == "gizmo"


def patch(picture: np.ndarray, shown: world_grid.Camera, x: int, y: int) -> np.ndarray:
    """Return the pixels of a cell of a grid's canvas."""
    left, top = shown.at(x, y)
    return picture[int(top) : int(top) + shown.cell, int(left) : int(left) + shown.cell]


def test_a_station_at_work_shows_how_far_it_is() -> None:
    """Its pie grows, an idle one has none, and what runs is written beside it."""
    width, height = 640, 480
    shown = world_grid.camera(kitchen(), width, height)

    def orange(time: int) -> int:
        picture = world_grid.grid_canvas(dinner(time), kitchen(), None, width, height).array()
        return int((np.abs(patch(picture, shown, 5, 1).astype(int) - ORANGE).max(axis=2) < 12).sum())

    assert 0 < orange(7) < orange(10) < orange(13)
    busy = world_grid.grid_canvas(dinner(), kitchen(), None, width, height).array()
    idle = world_grid.grid_canvas(dinner(), kitchen(busy={}), None, width, height).array()
    assert not np.array_equal(patch(busy, shown, 5, 1), patch(idle, shown, 5, 1))
    assert np.array_equal(patch(busy, shown, 1, 5), patch(idle, shown, 1, 5))


def test_bodies_show_where_they_look_what_they_hold_and_what_they_say() -> None:
    """Each of these changes the picture around the body, and only there."""
    view = kitchen(busy={})
    ann, bob = view.bodies
    width, height = 640, 480
    shown = world_grid.camera(view, width, height)

    def drawn(body: Any) -> np.ndarray:
        picture: np.ndarray = world_grid.grid_canvas(
            dinner(), replace(view, bodies=(ann, body)), None, width, height
        ).array()
        return picture

    plain = drawn(replace(bob, hand=0, message=None))
    for change in (replace(bob, message=None), replace(bob, hand=0), replace(bob, facing="left", hand=0)):
        picture = drawn(change)
        assert not np.array_equal(picture, plain)
        assert np.array_equal(patch(picture, shown, 1, 1), patch(plain, shown, 1, 1))


def test_fog_is_dark_where_the_truth_is_shown_and_blank_where_it_is_not() -> None:
    """What nobody sees is darker than the same land in sight, and without the truth it says nothing."""
    view, truth = wilderness(size=20, bodies=1, radius=3)
    width, height = 640, 480
    shown = world_grid.camera(truth, width, height)
    far, near = (2, 15), (10, 13)
    lit = world_grid.grid_canvas(dinner(), truth, None, width, height).array()
    foggy = world_grid.grid_canvas(dinner(), view, truth, width, height).array()
    blind = world_grid.grid_canvas(dinner(), view, None, width, height).array()
    assert patch(foggy, shown, *far).mean() < 0.7 * patch(lit, shown, *far).mean()
    assert np.array_equal(patch(foggy, shown, *near), patch(lit, shown, *near))
    other = replace(truth, fixtures=np.roll(truth.fixtures, 1, axis=1))
    hidden = replace(view, fixtures=np.where(view.fixtures < 0, -1, truth.fixtures).astype(np.int16))
    assert np.array_equal(blind, world_grid.grid_canvas(dinner(), hidden, None, width, height).array())
    assert not np.array_equal(lit, world_grid.grid_canvas(dinner(), other, None, width, height).array())


@pytest.mark.parametrize(("size", "bodies"), [(10, 1), (20, 3), (64, 1), (64, 6), (200, 2)])
def test_large_maps_follow_the_bodies(size: int, bodies: int) -> None:
    """Cells stay legible; all bodies are in the picture if they are near enough, else as many as can be."""
    _, truth = wilderness(size, min(bodies, 6))
    shown = world_grid.camera(truth, 640, 440)
    assert shown.cell >= world_grid.FAR
    assert shown.columns * shown.cell <= 640
    assert shown.rows * shown.cell <= 440
    for body in truth.bodies:
        assert shown.shows(*body.at)
    apart = replace(
        truth,
        bodies=tuple(
            replace(b, at=(k % 2 * (size - 1), k % 2 * (size - 1))) for k, b in enumerate(truth.bodies)
        ),
    )
    shown = world_grid.camera(apart, 640, 440)
    most = bodies if shown.columns == size else -(-bodies // 2)
    assert sum(shown.shows(*body.at) for body in apart.bodies) == most
    assert world.draw_world(dinner(), apart, None).shape == (640, 640, 3)


@pytest.mark.parametrize("kind", VIEWS)
def test_small_and_large_pictures_are_drawn(kind: str) -> None:
    """Other sizes work too; the text keeps to its columns."""
    view, truth = VIEWS[kind]
    for size in (400, 900):
        assert world.draw_world(dinner(), view, truth, size=size).shape == (size, size, 3)
    for width in (60, 100):
        assert max(map(columns, draw_world_text(dinner(), view, width).splitlines())) <= width


def test_cards_of_places_do_not_overlap() -> None:
    """With coordinates or without, few or many, joined or in districts."""
    rng = np.random.default_rng(3)
    for count in (1, 2, 5, 9, 16, 30):
        spots = rng.random((count, 2))
        ticks = np.ceil(9 * np.linalg.norm(spots[:, None] - spots[None], axis=2)).astype(int)
        parted = ticks.copy()
        parted[: count // 2, count // 2 :] = parted[count // 2 :, : count // 2] = -1
        for travel in (ticks, parted):
            for given in (tuple(map(tuple, spots.tolist())), None):
                names = tuple(f"town {'ab'[k < count // 2]} place {k}" for k in range(count))
                cards, _ = map_layout.layout(
                    given, tuple(map(tuple, travel.tolist())), names, 640, 420, count < 9
                )
                assert len(cards) == count
                for card in cards:
                    assert card.x >= 0
                    assert card.y >= 0
                    assert card.x + card.w <= 640
                    assert card.y + card.h <= 420
                for one, other in itertools.combinations(cards, 2):
                    assert (
                        one.x + one.w <= other.x
                        or other.x + other.w <= one.x
                        or one.y + one.h <= other.y
                        or other.y + other.h <= one.y
                    ), (count, one, other)


def test_a_map_by_travel_times_keeps_them() -> None:
    """Points made from distances in a plane have those distances again."""
    rng = np.random.default_rng(4)
    spots = rng.random((7, 2)) * 100
    far = np.linalg.norm(spots[:, None] - spots[None], axis=2)
    points = np.array(map_layout.scaled(far.tolist()))
    again = np.linalg.norm(points[:, None] - points[None], axis=2)
    assert np.allclose(far, again, atol=1e-3)


def test_a_body_under_way_moves_along_its_way() -> None:
    """Later it is drawn nearer to where it goes."""
    view = city()
    early = world_places.places_canvas(dinner(), replace(view, time=11), None, 640, 420).array()
    late = world_places.places_canvas(dinner(), replace(view, time=14), None, 640, 420).array()
    assert not np.array_equal(early, late)


def test_what_runs_is_shown_without_a_history() -> None:
    """After a state was restored, or without a render mode, a run under way has its bar and its share."""
    options = {"size": "small", "executor": "interpreted", "clock": "tick"}
    drawn: Any = gymnasium.make("stratagym/Cooking-v0", render_mode="ansi", **options).unwrapped
    drawn.reset(seed=3)
    drawn.step(int(np.flatnonzero(drawn.action_masks())[0]))
    facts = drawn.pictures.facts(drawn)
    assert [bar.end for bar in facts.runs] == [None]
    other: Any = gymnasium.make("stratagym/Cooking-v0", **options).unwrapped
    other.reset(seed=1)
    other.set_state(drawn.get_state())
    again = other.pictures.facts(other)
    assert list(again.runs) == list(facts.runs)
    assert (again.time, again.status, again.shares) == (facts.time, facts.status, facts.shares)


def test_a_window_turns_the_panel_on_and_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a world the tabulator key widens the picture of ``render_mode="human"``."""
    from stratagym.envs.render.canvas import pygame_module

    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    pygame = pygame_module()
    base = made(WORLDS[0], render_mode="human")
    assert pygame.display.get_surface().get_size() == (world.SIZE, world.SIZE)
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_TAB))
    base.render()
    base.render()
    assert pygame.display.get_surface().get_size() == (world.SIZE + world.SIDE, world.SIZE)
    base.close()


def test_the_panel_can_be_asked_for_when_an_environment_is_made() -> None:
    """``panel=True`` widens the picture of a world."""
    base = made(WORLDS[0], render_mode="rgb_array", panel=True)
    assert base.render().shape == (world.SIZE, world.SIZE + world.SIDE, 3)


def test_record_video_gets_frames_of_one_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``RecordVideo`` collects a frame for the reset and one for each step, all alike in size.

    Its encoder, an optional package, is replaced by one that writes what it was given.
    """
    import types

    clips: list[Any] = []

    class Clip:
        def __init__(self, frames: list[np.ndarray], fps: float) -> None:
            clips.append((frames, fps))

        def write_videofile(self, path: str, **_: Any) -> None:
            Path(path).write_bytes(b"film")

    package = types.ModuleType("moviepy")
    package.__path__ = []  # type: ignore[attr-defined]
    inner = types.ModuleType("moviepy.video.io.ImageSequenceClip")
    for module in (package, inner):
        module.ImageSequenceClip = Clip  # type: ignore[attr-defined]
    for name in ("moviepy", "moviepy.video", "moviepy.video.io"):
        monkeypatch.setitem(sys.modules, name, package)
    monkeypatch.setitem(sys.modules, "moviepy.video.io.ImageSequenceClip", inner)
    env = gymnasium.make(f"stratagym/{WORLDS[0]}-v0", render_mode="rgb_array", executor="interpreted")
    film = gymnasium.wrappers.RecordVideo(env, str(tmp_path), episode_trigger=lambda k: True)
    film.reset(seed=1)
    rng = np.random.default_rng(0)
    for _ in range(4):
        film.step(some_action(film.unwrapped, rng))
    film.close()
    ((frames, fps),) = clips
    assert len(frames) == 5
    assert {f.shape for f in frames} == {(world.SIZE, world.SIZE, 3)}
    assert all(side % 2 == 0 for side in frames[0].shape[:2])
    assert fps == env.metadata["render_fps"]
    assert [p.read_bytes() for p in tmp_path.glob("*.mp4")] == [b"film"]
