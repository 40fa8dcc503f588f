"""Playing by hand: one episode after the other at the keyboard (``stratagym play``).

Owns the keys, the menu, the way back (undo), what is said of refusals and of the end. The
environment is the one that agents get, seen as they see it (fog stays fog); drawing is
``envs.render``'s, and a finished episode is written down like an agent's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stratagym.baselines.player import EpisodeRecorder, Settings, episode_id, header_of, reference_for
from stratagym.baselines.rollout import Episode, Step, for_space, named, taken, waiting
from stratagym.baselines.rows import objective_of
from stratagym.baselines.suites import EnvironmentSpec
from stratagym.envs.render.canvas import BODY, SMALL, Canvas, Image, fit, pygame_module, text_width
from stratagym.envs.render.palette import GREEN, INK, MUTED, PANEL, RULE, VERMILLION, WHITE, Colour, mix
from stratagym.envs.render.window import Window

PLAYER = "human"
"""Name of the agent in records."""

MOVES = {"up": "up", "down": "down", "left": "left", "right": "right"}
LETTERS = "123456789abcdefghijklmnopqrstuvwyz"
"""Keys of the menu, in order; x, 0 and punctuation have meanings of their own."""

PAGE = 24
"""Entries of the menu that are shown at once."""

MENU, STRIP = 236, 62
"""Width of the menu and height of the help lines in pixels."""

WORDS: Mapping[str, str] = {
    "unknown": "there is no such action",
    "busy": "busy: wait until the present work is done",
    "finished": "that is done, or has no attempts left",
    "dependency": "not yet: something that it needs is not done, or something forbids it",
    "too_early": "too early: its window has not opened, or too little time has passed",
    "too_late": "too late: its deadline or its window has passed",
    "resource": "what it uses is taken at the moment",
    "item": "what it takes is not there",
    "skill": "this one lacks the skill for it",
    "agents": "it takes more hands: another must start it at the same time",
    "constraint": "a rule of the task forbids it now",
    "world": "nothing of the kind can be done here",
    "refused": "that is not possible now",
}
"""Reason of a refusal -> what a person is told."""


@dataclass
class Entry:
    """One line of the menu: its key, what it does, the number of the action, whether it is possible now."""

    key: str
    words: str
    action: int
    allowed: bool


@dataclass
class _Past:
    """What undo goes back to."""

    state: Any
    history: Any
    info: Mapping[str, Any]
    steps: int
    message: tuple[str, Colour]
    pending: dict[int, Any] = field(default_factory=dict)


class Session:
    """One environment at a keyboard: keys in, pictures out.

    Args:
        spec: the environment.
        seed: of the first episode.
        settings: the clock and whatever else of the environment's options.
        record: folder for the records of finished episodes, None to write none.
        panel: whether the side panel is shown at first.

    Attributes:
        over: whether the present episode has ended.
        running: False once escape was pressed.
        message: the latest word to the player.
    """

    def __init__(
        self,
        spec: EnvironmentSpec,
        seed: int = 0,
        settings: Settings | None = None,
        record: Path | None = None,
        panel: bool = False,
    ) -> None:
        self.spec, self.seed, self.record = spec, seed, record
        self.settings = Settings() if settings is None else settings
        self.env = spec.make(render_mode="rgb_array", **self.settings.options(spec))
        self.base: Any = self.env.unwrapped
        self.panel, self.running, self.body, self.page = panel, True, 0, 0
        # On a map one walks with one body for a while; without a place each start is a decision of all.
        self.together = self.base.model.scene(0) is None
        self.message: tuple[str, Colour] = ("", INK)
        self.written: list[Path] = []
        self._references: dict[int, Any] = {}
        self.restart()

    # ------------------------------------------------------------ the episode

    def restart(self, seed: int | None = None) -> None:
        """Begin an episode again, or that of another seed."""
        self.seed = self.seed if seed is None else seed
        _, self.info = self.env.reset(seed=self.seed)
        self.steps: list[Step] = []
        self.over, self.ended = False, ""
        self._past: list[_Past] = []
        self._pending: dict[int, Any] = {}
        self.body, self.page = 0, 0
        self.message = ("", MUTED)

    @property
    def agents(self) -> int:
        """How many bodies (or agents of the abstract world) there are."""
        return len(self.base.task.graph.agents)

    def undo(self) -> None:
        """Go back by one step; the record of an ending that is taken back goes with it."""
        if not self._past:
            self.message = ("there is nothing to take back", VERMILLION)
            return
        if self.over and self.record is not None:
            self.written.pop().unlink(missing_ok=True)
        past = self._past.pop()
        self.base.set_state(past.state)
        self.base.pictures.recall(past.history)
        self.info, self.message, self._pending = past.info, past.message, past.pending
        del self.steps[past.steps :]
        self.over, self.ended = False, ""

    def act(self, action: Any) -> None:
        """Let the present body do something; the others wait, or are asked first if all go together.

        Args:
            action: number of the action, or a vector on a plane; None waits.
        """
        if self.over:
            self.message = ("this episode is over: F2 plays it again, F3 the next", MUTED)
            return
        if self.together and self.agents > 1:
            self._pending[self.body] = action
            left = [a for a in range(self.agents) if a not in self._pending and self._ready(a)]
            if left:
                self.body = left[0]
                self.message = (f"and {self._name(left[0])}? (enter: the rest wait)", MUTED)
                return
        else:
            self._pending = {self.body: action}
        self._step()

    def _step(self) -> None:
        """Take the step that is pending."""
        observation = self.base.observation()
        actions = self._actions(observation)
        past = _Past(
            self.base.get_state(), self.base.pictures.history(), self.info, len(self.steps), self.message
        )
        before = int(self.info["time"])
        _, reward, terminated, truncated, self.info = self.env.step(
            for_space(self.env.action_space, actions, observation)
        )
        self._past.append(past)
        self._pending = {}
        step = taken(
            self.base, before, self.info, actions=named(self.base, actions, observation), reward=reward
        )
        self.steps.append(step)
        self.page = 0
        self._tell(step)
        if terminated or truncated:
            self._end(bool(terminated))
        elif self.together or not self._ready(self.body):
            self.body = next((a for a in range(self.agents) if self._ready(a)), self.body)

    def _actions(self, observation: Any) -> Any:
        """Return what all do: what is pending, else waiting."""
        if self._boxed:
            still = np.zeros((self.agents, len(self._still())), np.float32)
            for a, action in self._pending.items():
                if action is not None:
                    still[a] = action
            return still
        wait = waiting(observation)
        chosen = [self._pending.get(a) for a in range(self.agents)]
        return [wait if action is None else int(action) for action in chosen]

    def _tell(self, step: Step) -> None:
        """Say why something was refused, else what the step has brought."""
        refused = [(a, r) for a, r in enumerate(step.refusals) if r is not None]
        if refused:
            who = f"{self._name(refused[0][0])}: " if self.agents > 1 else ""
            self.message = (who + WORDS.get(refused[0][1], refused[0][1]), VERMILLION)
            return
        told = [
            f"{e['kind']} {e['subtask']}" for e in step.events if e["kind"] in ("success", "failure", "spoil")
        ]
        good = all(not word.startswith(("failure", "spoil")) for word in told)
        self.message = (", ".join(told[-3:]), GREEN if good else VERMILLION)

    def _end(self, terminated: bool) -> None:
        """Say how it went beside the reference, and write it down if that is wanted."""
        self.over = True
        episode = Episode(self.seed)
        for step in self.steps:
            episode.add(step)
        episode.close(terminated, self.info)
        self.ended = self._verdict(episode)
        self.message = (self.ended, GREEN if episode.success else VERMILLION)
        if self.record is None:
            return
        path = self.record / f"{episode_id(self.spec.label, PLAYER, self.seed)}.jsonl"
        header = header_of(self.settings, self.spec, PLAYER, len(self.written), self.seed)
        with EpisodeRecorder(path, header, self.base) as recorder:
            for step in self.steps:
                recorder.step(step)
            recorder.finish(episode)
        self.written = [*(other for other in self.written if other != path), path]

    def _reference(self) -> Any:
        """Return what the present episode is measured against, worked out once."""
        if self.seed not in self._references:
            reward = str(self.settings.written(self.spec)["reward"])
            self._references[self.seed] = reference_for(self.spec.label, self.base, reward, self.seed)
        return self._references[self.seed]

    def _verdict(self, episode: Episode) -> str:
        """Return the result in words, beside the reference."""
        graph, reference = self.base.task.graph, self._reference()
        best = reference.figure
        known = (
            f"the reference ({reference.kind}) is {best:g}"
            if math.isfinite(best)
            else "there is no reference"
        )
        objective = objective_of(graph, str(self.settings.written(self.spec)["reward"]))
        if objective == "makespan":
            if not episode.success:
                return f"goal not reached after {episode.time} ticks; {known}"
            ratio = f", {episode.time / best:.2f} times as long" if math.isfinite(best) and best > 0 else ""
            return f"goal reached in {episode.time} ticks; {known}{ratio}"
        if objective == "tardiness":
            return f"tardiness {episode.tardiness:g}; {known}"
        share = f", {episode.total / best:.0%} of it" if math.isfinite(best) and best > 0 else ""
        return f"earned {episode.total:.4g}; {known}{share}"

    def _to_beat(self) -> str:
        """Return what there is to be measured against."""
        reference = self._reference()
        best = reference.figure
        if not math.isfinite(best):
            return ""
        unit = {"makespan": " ticks", "tardiness": " late", "reward": " earned"}[reference.objective]
        return f"to beat: {best:g}{unit} ({reference.kind})"

    # ------------------------------------------------------------ the keys

    @property
    def _boxed(self) -> bool:
        return hasattr(self.env.action_space, "low") and self.base.scene is not None

    def _still(self) -> np.ndarray[Any, Any]:
        return np.zeros_like(np.asarray(self.env.action_space.low).reshape(self.agents, -1)[0])

    def _name(self, a: int) -> str:
        return str(self.base.task.graph.agents[a].name)

    def _ready(self, a: int) -> bool:
        """Return whether a body can do something at the moment."""
        observation = self.base.observation()
        if observation.world is not None:
            return bool(observation.world.bodies[a].ready)
        return bool(observation.task.agents[a].idle)

    def press(self, key: str) -> None:
        """Take one key by its name (``left``, ``space``, ``a``, ``f2``...)."""
        control: dict[str, Callable[[], None]] = {
            "escape": self._stop,
            "backspace": self.undo,
            "f2": self.restart,
            "f3": lambda: self.restart(self.seed + 1),
            "f4": self._toggle_together,
            "tab": self._toggle_panel,
            "[": lambda: self._switch(-1),
            "]": lambda: self._switch(1),
            "page up": lambda: self._turn(-1),
            "page down": lambda: self._turn(1),
        }
        if key in control:
            control[key]()
        elif key in ("return", "enter") and self._pending:
            self._step()
        elif key in ("return", "enter", ".", "0"):
            self.act(None)
        elif self._boxed:
            self._steer(key)
        else:
            self._choose(key)

    def _stop(self) -> None:
        self.running = False

    def _toggle_panel(self) -> None:
        self.panel = not self.panel

    def _toggle_together(self) -> None:
        self.together, self._pending = not self.together, {}
        words = "all are asked before a step" if self.together else "one acts while the others wait"
        self.message = (words if self.agents > 1 else "there is only one here", MUTED)

    def _switch(self, by: int) -> None:
        self.body = (self.body + by) % self.agents
        self.message = (f"{self._name(self.body)} is yours", MUTED)

    def _turn(self, by: int) -> None:
        pages = -(-len(self._choices()[1]) // PAGE)
        self.page = (self.page + by) % max(1, pages)

    def _steer(self, key: str) -> None:
        """Accelerate a body of a plane, or use its gripper."""
        action = self._still()
        world = self.base.observation().world
        if key in MOVES:
            dx, dy = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}[key]
            action[0], action[1] = dx, dy
        elif key == "space" and len(action) > 2:
            action[2] = 1
        elif key == "x" and len(action) > 2:
            action[2] = -1
        elif key == "b":
            most = world.accelerations[self.body] or 1.0
            action[:2] = np.clip(-np.asarray(world.velocities[self.body]) / most, -1, 1)
        else:
            self.message = (f"the key {key} has no meaning here", MUTED)
            return
        self.act(action)

    def _choose(self, key: str) -> None:
        """Do what a key stands for where actions are numbered."""
        names = self._names()
        if key in MOVES and self._walks:
            self.act(names.index(MOVES[key]))
            return
        entry = next((e for e in self.menu() if e.key == key), None)
        if entry is None:
            self.message = (f"the key {key} has no meaning here", MUTED)
            return
        self.act(entry.action)

    def _names(self) -> Sequence[str]:
        observation = self.base.observation()
        if observation.world is not None:
            names: Sequence[str] = observation.world.actions
            return names
        return [*(name or f"?{k}" for k, name in enumerate(observation.task.names)), "wait"]

    @property
    def _walks(self) -> bool:
        """Whether bodies are moved by the arrow keys."""
        return tuple(self._names()[:4]) == tuple(MOVES.values())

    def menu(self) -> list[Entry]:
        """Return what the present body can do by number or letter, on the present page.

        On a map all actions have their fixed keys; elsewhere only what is possible is listed.
        """
        if self._boxed:
            return []
        fixed, rest = self._choices()
        names, mask = self._names(), self._mask()
        shown = rest[self.page * PAGE : (self.page + 1) * PAGE]
        letters = [key for key in LETTERS if key not in dict(fixed)]
        keyed = (*fixed, *zip(letters, shown, strict=False))
        return [Entry(key, names[k], k, bool(mask[k])) for key, k in keyed]

    def _choices(self) -> tuple[list[tuple[str, int]], list[int]]:
        """Return the actions with keys of their own, and all others of the menu."""
        names, mask = self._names(), self._mask()
        rest = [k for k in range(len(names) - 1) if not names[k].startswith("(unused")]
        fixed: list[tuple[str, int]] = []
        if not self._walks:
            return fixed, [k for k in rest if mask[k]]
        rest = rest[4:]
        if rest and names[rest[0]] == "carry":
            fixed.append(("c", rest.pop(0)))
        if rest:
            fixed.append(("space", rest.pop(0)))
        return fixed, rest

    def _mask(self) -> Any:
        """Return what the present body could do, ``[actions]``."""
        observation = self.base.observation()
        return (observation.mask if observation.world is None else observation.world.mask)[self.body]

    # ------------------------------------------------------------ the picture

    def picture(self) -> Image:
        """Return what the player sees, ``[H, W, 3]`` uint8."""
        scene = self.base.picture(panel=self.panel, fog=True)
        height, width = scene.shape[:2]
        menu = 0 if self._boxed else MENU
        canvas = Canvas(width + menu, height + STRIP, WHITE)
        pygame = pygame_module()
        canvas.surface.blit(pygame.image.frombuffer(scene.tobytes(), (width, height), "RGB"), (menu, 0))
        if menu:
            self._draw_menu(canvas, height)
        top = height
        canvas.box(0, top, canvas.width, STRIP, PANEL)
        canvas.box(0, top, canvas.width, 1, RULE)
        who = f"{self._name(self.body)}  " if self.agents > 1 else ""
        wide = canvas.text(10, top + 16, who, BODY, INK, "w") + 8 if who else 0
        right = canvas.width - 10
        right -= canvas.text(right, top + 16, self._to_beat(), SMALL, MUTED, "e") + 12
        words, colour = self.message
        canvas.text(10 + wide, top + 16, words, BODY, mix(colour, INK, 0.25), "w", int(right - 10 - wide))
        for k, line in enumerate(self._help(canvas.width - 20)):
            canvas.text(10, top + 34 + 16 * k, line, SMALL, MUTED, "w", canvas.width - 20)
        return canvas.array()

    def _draw_menu(self, canvas: Canvas, height: int) -> None:
        canvas.box(0, 0, MENU, height, PANEL)
        canvas.box(MENU - 1, 0, 1, height, RULE)
        head = "actions" if self._walks else "what can be done"
        canvas.text(12, 14, head, SMALL, MUTED, "w")
        y = 34.0
        entries = self.menu()
        for entry in entries:
            ink = INK if entry.allowed else MUTED
            wide = max(20, text_width(entry.key, SMALL) + 10)
            canvas.box(12, y - 9, wide, 18, WHITE if entry.allowed else PANEL, ink, radius=4)
            canvas.text(12 + wide / 2, y + 1, entry.key, SMALL, ink, "c")
            canvas.text(20 + wide, y, entry.words, SMALL, ink, "w", MENU - 30 - wide)
            y += 23
        if not entries:
            canvas.text(12, y, "nothing but waiting", SMALL, MUTED, "w")
        if self.ended:
            self._draw_end(canvas, y + 20)

    def _draw_end(self, canvas: Canvas, y: float) -> None:
        """Write the end below the menu, in as many lines as it takes."""
        colour = GREEN if self.info["success"] else VERMILLION
        canvas.box(0, y - 16, MENU - 1, 96, mix(colour, WHITE, 0.82))
        canvas.box(0, y - 16, 5, 96, colour)
        line = ""
        for word in self.ended.split():
            if text_width(f"{line} {word}", SMALL) > MENU - 24:
                canvas.text(12, y, line, SMALL, INK, "w")
                line, y = word, y + 17
            else:
                line = f"{line} {word}".strip()
        canvas.text(12, y, fit(line, SMALL, MENU - 24), SMALL, INK, "w")

    def _help(self, width: int) -> list[str]:
        """Return the help lines."""
        if self._boxed:
            own = ["arrows push", "b brake", "space grip, begin", "x let go", "enter coast"]
        elif self._walks:
            own = ["arrows move", "the actions at the left", "enter wait"]
        else:
            own = ["1-9 a-z choose at the left", "enter wait"]
        if self.agents > 1:
            own += ["[ ] whose turn", "F4 all at once"]
        common = ["backspace undo", "F2 again", "F3 next", "tab panel", "esc quit"]
        lines = [""]
        for part in (*own, *common):
            longer = f"{lines[-1]}   {part}" if lines[-1] else part
            if text_width(longer, SMALL) > width and lines[-1]:
                lines.append(part)
            else:
                lines[-1] = longer
        return lines[:2]


def play(session: Session, window: Window | None = None) -> None:
    """Show a session in a window and pass it the keys until it ends or the window is closed.

    Args:
        session: what is played.
        window: where; opened if left out.
    """
    own = window is None
    window = window or Window(f"stratagym: {session.spec.label}", fps=30, repeat=True)
    frame = session.picture()
    try:
        while session.running and window.show(frame):
            keys = window.take()
            for key in keys:
                if session.running:
                    session.press(key)
            if keys and session.running:
                frame = session.picture()
    finally:
        if own:
            window.close()
        session.env.close()
