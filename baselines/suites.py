"""Which environments are played: how they are named on a command line, and the frozen suites.

Owns the names (``ID``, ``ID:option=value,...``, a task file) and the suite files in
``suites/``, which are data and never change once released: a changed suite gets a
new name. It makes environments and plays none.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

SUITE_FOLDER = Path(__file__).parent / "suites"
TASK_ID = "stratagym/Task-v0"
RESERVED = frozenset(
    {
        "additional_wrappers",
        "apply_api_compatibility",
        "autoreset_mode",
        "content",
        "disable_env_checker",
        "max_episode_steps",
        "num_envs",
        "render_mode",
        "vector_kwargs",
        "vectorization_mode",
        "wrappers",
    }
)
"""Arguments of ``gymnasium.make`` and of batches, which whoever plays an environment decides."""
_NAME = re.compile(r"^(?P<id>(?:[\w.]+:)?(?:[\w:-]+/)?[\w:.-]+-v\d+)(?::(?P<options>.*))?$")


class InputError(ValueError):
    """Something a user wrote that cannot be used; the message is one line."""


@dataclass(frozen=True, slots=True)
class EnvironmentSpec:
    """An environment by id and options.

    Attributes:
        id: the Gymnasium id.
        options: keyword arguments for ``gymnasium.make``.
        label: how results name it; unique within an evaluation.
    """

    id: str
    options: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""

    def __post_init__(self) -> None:
        for name in sorted(RESERVED.intersection(self.options)):
            raise InputError(f"{self.id}: {name!r} is no option of an environment; leave it out")
        if not self.label:
            object.__setattr__(self, "label", label_of(self.id, self.options))

    def make(self, **more: Any) -> Any:
        """Make the single environment.

        Args:
            **more: further options, which yield to the environment's own.

        Raises:
            InputError: if the id is unknown, or an option wrong.
        """
        return self._made(disable_env_checker=True, **{**more, **self.options})

    def make_batch(self, count: int, autoreset: str = "SameStep", **more: Any) -> Any:
        """Make a native batch of ``count`` lanes; see ``make``.

        Args:
            count: how many lanes.
            autoreset: value of Gymnasium's ``AutoresetMode``.
            **more: further options, which yield to the environment's own.

        Raises:
            InputError: if the id is unknown, or an option wrong.
        """
        return self._made(
            num_envs=count, vectorization_mode="vector_entry_point", autoreset_mode=autoreset,
            **{**more, **self.options},
        )  # fmt: skip

    def _made(self, **arguments: Any) -> Any:
        import gymnasium

        import stratagym  # noqa: F401 - registers the environments
        from stratagym.envs.registry import SINGLE

        known = gymnasium.registry.get(self.id)
        if known is not None and known.entry_point != SINGLE:
            raise InputError(f"{self.id} is no environment of stratagym; 'stratagym list' shows all")
        make: Any = gymnasium.make_vec if "num_envs" in arguments else gymnasium.make
        try:
            return make(self.id, **arguments)
        except gymnasium.error.UnregisteredEnv:
            near = difflib.get_close_matches(self.id, list(gymnasium.registry), n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]}?" if near else "; 'stratagym list' shows all"
            raise InputError(f"no environment or task file is called {self.id!r}{hint}") from None
        except (gymnasium.error.Error, ValueError, TypeError, OSError, ImportError) as error:
            # Gymnasium appends all keyword arguments to a TypeError, a whole task among them.
            reason = one_line(error).split(" was raised from the environment creator for ")[0]
            named = reason.startswith(f"{self.label}: ")
            raise InputError(reason if named else f"{self.label}: {reason}") from error


def one_line(error: BaseException) -> str:
    """Return the message of an error as a single line."""
    text = " ".join(str(error).split())
    return text or type(error).__name__


def label_of(env_id: str, options: Mapping[str, Any]) -> str:
    """Return the canonical name of an environment: its id and options in order of their names."""
    if env_id == TASK_ID and isinstance(options.get("task"), str):
        return str(options["task"])
    if not options:
        return env_id
    return env_id + ":" + ",".join(f"{key}={_written(options[key])}" for key in sorted(options))


def slug(label: str) -> str:
    """Return a file name for an environment: readable, safe in a path, unique by a digest."""
    words = re.sub(r"[^\w.=-]+", "-", label.removeprefix("stratagym/")).strip("-.")[:60]
    return f"{words}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"


def _written(value: Any) -> str:
    """Return an option as ``parse_environment`` reads it back."""
    if isinstance(value, (list, tuple)):
        return "(" + "+".join(_written(v) for v in value) + ")"
    return value if isinstance(value, str) else json.dumps(value)


def _option(text: str) -> Any:
    """Return the value of one option: a YAML scalar, or a list as ``(1+2)``."""
    if text.startswith("(") and text.endswith(")"):
        return [_option(part) for part in text[1:-1].split("+") if part]
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return value if isinstance(value, (bool, int, float, str)) else text


def parse_environment(text: str) -> EnvironmentSpec:
    """Read ``ID``, ``ID:option=value,option=(1+2)``, or the path of a task file or a folder of them.

    Raises:
        InputError: if it is neither an id nor an existing path.
    """
    match = _NAME.match(text)
    if Path(text).suffix in (".yaml", ".yml", ".json") or (text and match is None and Path(text).exists()):
        if not Path(text).exists():
            raise InputError(f"{text}: no such task file")
        return EnvironmentSpec(TASK_ID, {"task": text})
    if match is None:
        raise InputError(f"{text!r} is neither an environment id (like stratagym/Cooking-v0) nor a task file")
    options: dict[str, Any] = {}
    for part in (match["options"] or "").split(","):
        if not part:
            continue
        key, equals, value = part.partition("=")
        if not equals or not key.isidentifier():
            raise InputError(f"{text!r}: {part!r} is not option=value")
        if key in options:
            raise InputError(f"{text!r}: {key!r} is given twice")
        options[key] = _option(value)
    return EnvironmentSpec(match["id"], options)


@dataclass(frozen=True, slots=True)
class Suite:
    """A frozen set of environments with the way in which they are played.

    Attributes:
        name: its name, also that of its file.
        summary: what it measures, in one line.
        environments: what is played.
        agents: whom it compares unless others are named.
        episodes: on each environment.
        seed: episode k is reset with seed + k.
        clock: of every environment.
        knowledge: of every environment.
    """

    name: str
    summary: str
    environments: tuple[EnvironmentSpec, ...]
    agents: tuple[str, ...]
    episodes: int
    seed: int
    clock: str
    knowledge: str


def suite_names() -> tuple[str, ...]:
    """Return the names of all suites, in alphabetical order."""
    return tuple(sorted(path.stem for path in SUITE_FOLDER.glob("*.yaml")))


def load_suite(name: str) -> Suite:
    """Read a suite by its name.

    Raises:
        InputError: if there is none of that name.
    """
    if name not in suite_names():
        raise InputError(f"suite: {name!r} is not one of {', '.join(suite_names())}")
    data = yaml.safe_load((SUITE_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return Suite(
        name=name,
        summary=data["summary"],
        environments=tuple(
            EnvironmentSpec(entry["id"], entry.get("options", {})) for entry in data["environments"]
        ),
        agents=tuple(data["agents"]),
        episodes=data["episodes"],
        seed=data["seed"],
        clock=data["clock"],
        knowledge=data["knowledge"],
    )
