"""Tests of playing by hand: keys, menu, undo, refusals in words, the end beside the reference, records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from stratagym.baselines import play as playing
from stratagym.baselines.play import WORDS, Session
from stratagym.baselines.player import Settings
from stratagym.baselines.suites import EnvironmentSpec
from stratagym.envs.record import read_record, verify
from stratagym.envs.render.canvas import pygame_module
from stratagym.envs.task.view import REFUSALS

TEA = {
    "name": "tea",
    "horizon": 20,
    "subtasks": {
        "boil": {"duration": 3, "attended": 1},
        "warm pot": {"duration": 1},
        "brew": {"duration": 2, "needs": "boil & warm pot"},
    },
    "goal": "brew",
}
LIFT = {
    "name": "lift",
    "horizon": 20,
    "agents": [{"name": "ann"}, {"name": "bob"}],
    "subtasks": {"lift": {"duration": 2, "agents": 2}, "sweep": {"duration": 1}},
    "goal": "lift & sweep",
}


def session(tmp_path: Path, task: dict[str, Any], **options: Any) -> Session:
    """Return a session on a task of one's own."""
    file = tmp_path / "task.yaml"
    file.write_text(yaml.safe_dump(task, sort_keys=False), encoding="utf-8")
    return Session(
        EnvironmentSpec("stratagym/Task-v0", {"task": str(file), "executor": "interpreted"}), **options
    )


def world_session(name: str, **options: Any) -> Session:
    """Return a session in a world."""
    own = {"size": "small", "executor": "interpreted"}
    return Session(EnvironmentSpec(f"stratagym/{name}-v0", own), **options)


def press(played: Session, *keys: str) -> None:
    """Press keys one after the other."""
    for key in keys:
        played.press(key)


def test_an_episode_is_played_by_the_menu_and_told_beside_the_reference(tmp_path: Path) -> None:
    """The menu lists what is possible; the end says the ticks, the reference and the ratio."""
    played = session(tmp_path, TEA)
    assert [(e.key, e.words) for e in played.menu()] == [("1", "boil"), ("2", "warm pot")]
    press(played, "1")
    assert [e.words for e in played.menu()] == ["warm pot"]
    press(played, "1", "1")
    while not played.over:
        press(played, "return")
    assert played.ended == "goal reached in 5 ticks; the reference (proved) is 5, 1.00 times as long"
    press(played, "return")
    assert "over" in played.message[0]


def test_what_is_not_reached_is_said_too(tmp_path: Path) -> None:
    """Waiting to the end is not taken for success."""
    played = session(tmp_path, TEA)
    for _ in range(40):
        press(played, ".")
    assert played.over
    assert played.ended.startswith("goal not reached after 20 ticks")


def test_undo_goes_back_to_the_very_state_and_picture(tmp_path: Path) -> None:
    """As often as there were steps, also from beyond the end; then there is nothing to take back."""
    played = session(tmp_path, TEA)
    states, pictures = [], []
    for key in ("1", "return", "1", "1"):
        states.append(played.base.get_state())
        pictures.append(played.picture())
        press(played, key)
    assert played.over
    assert len(played.steps) == 4
    for state, picture in zip(states[::-1], pictures[::-1], strict=True):
        press(played, "backspace")
        again = played.base.get_state()
        assert np.array_equal(np.asarray(again["s"]), np.asarray(state["s"]))
        assert np.array_equal(np.asarray(again["sb"]), np.asarray(state["sb"]))
        assert np.array_equal(played.picture(), picture)
    press(played, "backspace")
    assert played.message[0] == "there is nothing to take back"
    assert played.steps == []


def test_a_game_taken_back_and_played_again_goes_the_same_way() -> None:
    """In a world with things that move by themselves too."""
    played = world_session("Playground", seed=4)
    keys = ("right", "down", "left", "up", "return", "right")
    press(played, *keys)
    after = played.base.get_state()
    press(played, *["backspace"] * len(keys), *keys)
    assert np.array_equal(np.asarray(played.base.get_state()["s"]), np.asarray(after["s"]))


def test_every_reason_of_refusal_has_words() -> None:
    """And no others."""
    assert set(WORDS) == set(REFUSALS)


def test_a_refusal_is_told_in_words(tmp_path: Path) -> None:
    """One body alone cannot lift; the message says so, in the colour of failures, and names who."""
    played = session(tmp_path, LIFT)
    press(played, "f4")
    before = played.picture()
    names = played._names()
    played.act(names.index("lift"))
    assert played.message[0] == f"ann: {WORDS['agents']}"
    assert not np.array_equal(before, played.picture())


def test_several_act_in_turn_or_all_at_once(tmp_path: Path) -> None:
    """Alone one cannot lift; asked together they can; a bracket hands over, enter lets the rest wait."""
    played = session(tmp_path, LIFT)
    press(played, "]")
    assert played.body == 1
    press(played, "[")
    assert (played.body, played.together) == (0, True)
    lift = played._names().index("lift")
    played.act(lift)
    assert played.steps == []
    assert "bob" in played.message[0]
    played.act(lift)
    assert [s.actions for s in played.steps] == [("lift", "lift")]
    sweep = next(e.key for e in played.menu() if e.words == "sweep")
    press(played, sweep, "return")
    assert played.steps[-1].actions == ("sweep", None)
    assert played.over
    assert played.ended.startswith("goal reached in 3 ticks")


def test_who_has_work_hands_over_to_who_has_none(tmp_path: Path) -> None:
    """Once a body is busy the next idle one is asked; one after the other costs the second a tick."""
    dig = {"dig": {"duration": 5}, "sweep": {"duration": 5}}
    played = session(tmp_path, {**LIFT, "subtasks": dig, "goal": "dig & sweep"})
    sweep = played._names().index("sweep")
    press(played, "1")
    assert played.body == 1
    played.act(sweep)
    assert (played.over, played.info["time"]) == (True, 5)
    press(played, "f2", "f4", "1")
    assert played.body == 1
    played.act(sweep)
    assert (played.over, played.info["time"]) == (True, 6)


def test_restart_and_next_seed() -> None:
    """F2 begins the same episode again, F3 that of the next seed."""
    played = world_session("Playground", seed=7)
    first = played.base.get_state()
    press(played, "right", "down")
    press(played, "f2")
    assert np.array_equal(np.asarray(played.base.get_state()["s"]), np.asarray(first["s"]))
    press(played, "f3")
    assert played.seed == 8
    assert not np.array_equal(np.asarray(played.base.get_state()["s"]), np.asarray(first["s"]))


def test_arrows_walk_on_a_map_and_a_wall_only_stops() -> None:
    """A body moves by one cell; walking against the border is no refusal and passes a tick."""
    played = world_session("Playground", seed=1)

    def at() -> tuple[int, int]:
        place: tuple[int, int] = played.base.observation().world.bodies[0].at
        return place

    for _ in range(12):
        before = at()
        press(played, "left")
        assert at() in (before, (before[0] - 1, before[1]))
    assert at() == before
    assert played.steps[-1].refusals == (None,)
    assert played.info["time"] == 12
    press(played, "space")
    assert played.steps[-1].actions[0] == played._names()[4]


def test_on_a_map_actions_keep_their_keys() -> None:
    """Carrying is c, the first verb is space, whether possible now or not; impossible ones are pale."""
    played = world_session("Kitchen", seed=1)
    assert [(e.key, e.words) for e in played.menu()] == [("c", "carry"), ("space", "interact")]
    assert not any(e.allowed for e in played.menu())
    press(played, "space")
    assert played.message[0] == WORDS["world"]


def test_among_places_the_menu_lists_what_is_possible() -> None:
    """Choosing a way brings the body under way and, at last, there."""
    played = world_session("House", seed=1)
    view = played.base.observation().world
    go = next(e for e in played.menu() if e.action < len(view.locations))
    press(played, go.key)
    assert played.base.observation().world.bodies[0].at == go.action
    assert all(e.allowed for e in played.menu())


def test_on_a_plane_arrows_push_and_b_brakes() -> None:
    """The body gains speed to the right, and braking brings it to a stand."""
    played = world_session("CableRouting", seed=1)
    assert played.menu() == []
    press(played, "right", "right")
    assert played.base.observation().world.velocities[0][0] > 0
    press(played, *["b"] * 6)
    assert np.abs(played.base.observation().world.velocities[0]).max() < 0.02
    press(played, "q")
    assert "no meaning" in played.message[0]


def test_long_menus_have_pages(tmp_path: Path) -> None:
    """What does not fit is on the next page, under the same keys."""
    many = {
        "name": "many",
        "horizon": 99,
        "subtasks": {f"do {k}": {"duration": 1} for k in range(40)},
        "goal": "do 39",
    }
    played = session(tmp_path, many)
    first = [e.words for e in played.menu()]
    press(played, "page down")
    second = [e.words for e in played.menu()]
    assert first + second == [f"do {k}" for k in range(40)]
    press(played, played.menu()[-1].key)
    assert played.over
    assert played.info["success"]


def test_a_finished_episode_is_recorded_as_evaluate_does(tmp_path: Path) -> None:
    """Without the steps taken back; it is played again and agrees. An unfinished one leaves no file."""
    played = session(tmp_path, TEA, record=tmp_path / "records")
    press(played, "2", "backspace", "1", "1", "return", "1")
    while not played.over:
        press(played, "return")
    (path,) = played.written
    record = read_record(path)
    assert record.header["agent"] == "human"
    assert record.steps[0]["actions"] == ["boil"]
    assert verify(record).agrees
    press(played, "f2", "1")
    assert [p.name for p in (tmp_path / "records").iterdir()] == [path.name]


def test_the_record_of_an_ending_that_is_taken_back_goes_with_it(tmp_path: Path) -> None:
    """Undone, nothing is left of it; played to another end, that end alone is kept, also after F2."""
    played = session(tmp_path, TEA, record=tmp_path / "records")
    press(played, "1", "1", "1")
    while not played.over:
        press(played, "return")
    press(played, "backspace")
    assert played.written == []
    assert list((tmp_path / "records").iterdir()) == []
    while not played.over:
        press(played, "return")
    press(played, "f2")
    while not played.over:
        press(played, "return")
    (path,) = played.written
    assert read_record(path).end == {**read_record(path).end, "success": False}  # type: ignore[dict-item]
    press(played, "backspace")
    assert played.written == []


def test_fog_hides_from_people_what_it_hides_from_agents() -> None:
    """The picture of a player is that of the environment in the fog."""
    played = world_session("Warehouse", seed=1)
    shown = played.picture()
    whole = played.base.picture(fog=True)
    assert np.array_equal(shown[: whole.shape[0], playing.MENU : playing.MENU + whole.shape[1]], whole)


def test_keys_from_the_window_reach_the_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Posted key presses are taken in order until escape, with a picture in between; then all is closed."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    pygame = pygame_module()
    pygame.display.init()
    played = session(tmp_path, TEA)
    for key in (pygame.K_1, pygame.K_TAB, pygame.K_RETURN, pygame.K_BACKSPACE, pygame.K_ESCAPE, pygame.K_1):
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))
    playing.play(played)
    assert not played.running
    assert played.panel
    assert [s.actions for s in played.steps] == [("boil",)]
    assert not pygame.display.get_init()


def test_closing_the_window_ends_the_game(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any key."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    pygame = pygame_module()
    pygame.display.init()
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    playing.play(session(tmp_path, TEA))
    assert not pygame.display.get_init()


def test_the_picture_says_which_keys_there_are(tmp_path: Path) -> None:
    """Help fits into two lines at every width, for each kind of environment."""
    for played in (session(tmp_path, LIFT), world_session("Kitchen"), world_session("CableRouting")):
        for width in (620, 1100):
            lines = played._help(width)
            assert len(lines) <= 2
            assert any("undo" in line for line in lines)
            assert any("esc" in line for line in lines)


def test_other_clocks_can_be_played(tmp_path: Path) -> None:
    """By single ticks a wait passes one."""
    played = session(tmp_path, TEA, settings=Settings(clock="tick"))
    press(played, "1", "return", "return")
    assert played.info["time"] == 3
