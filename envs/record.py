"""Episode records: one JSON Lines file an episode, streamed, versioned, re-simulated.

Owns the format, its writer and reader, and the check that a recorded episode is
what the rules make of its task, seed and actions. It does not play, score or
draw episodes.

The first line is a header (task, seed, options, agent), the last one the end, and
every line between them one step::

    {"record": "stratagym episode", "version": 1, "task": {...}, "seed": 7, ...}
    {"step": 0, "time": 0, "actions": ["boil water"], "elapsed": 1, "reward": 0.0,
     "refusals": [null], "events": [...], "trace": [...]}
    {"end": "terminated", "time": 12, "steps": 9, "success": true, "return": 1.0}

Actions are names, None waits: they mean the same whatever order an environment
showed them in. An episode of a world has its ``scene`` in the header, and its actions
are the bodies' own, by name or (on a plane) as vectors. A file without its last line is of
an episode that was cut off.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.spec import Task, load_task

RECORD = "stratagym episode"
VERSION = 1

Json = dict[str, Any]
_HEADER = ("task", "seed", "clock", "agents")
_STEP = {"step": int, "time": int, "elapsed": int, "actions": list, "refusals": list, "events": list}
_KINDS = {int: "an integer", str: "a text", list: "a list", dict: "a mapping"}
_EVENT = ("tick", "kind", "subtask", "agents")


class RecordError(ValueError):
    """A record that cannot be read; the message is one line with file and line number."""


class RecordWriter:
    """Write one episode line by line; the file appears under its name when it is complete.

    Until ``finish`` everything stands in ``NAME.part`` beside it, so that a file
    called ``*.jsonl`` is always a whole episode, also after a kill.

    Args:
        path: where the record shall be.
        header: the fields of the first line, ``task``, ``seed``, ``clock`` and
            ``agents`` (their names) among them.

    Raises:
        ValueError: if the header lacks a field.
        OSError: if the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], header: Mapping[str, Any]) -> None:
        missing = [name for name in _HEADER if name not in header]
        if missing:
            raise ValueError(f"record header: {', '.join(missing)} missing")
        self.path = Path(path)
        self._part = self.path.with_name(self.path.name + ".part")
        self._part.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = open(self._part, "w", encoding="utf-8")  # noqa: SIM115 - closed by finish or discard
        self._steps = 0
        self._write({"record": RECORD, "version": VERSION, **header})

    def _write(self, line: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
        self._file.flush()

    def step(
        self,
        time: int,
        actions: Sequence[str | Sequence[float] | None],
        *,
        elapsed: int,
        reward: float,
        refusals: Sequence[str | None],
        events: Sequence[Mapping[str, Any]],
        trace: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Add one step.

        Args:
            time: tick before the step.
            actions: ``[agents]`` name of the subtask that each agent named, or of its body's own action,
                or a vector; None waits.
            elapsed: ticks that passed.
            reward: what the environment paid.
            refusals: ``[agents]`` reason why an action was not accepted, or None.
            events: what happened.
            trace: what the agent says about its decision.
        """
        line: Json = {
            "step": self._steps,
            "time": time,
            "actions": list(actions),
            "elapsed": elapsed,
            "reward": reward,
            "refusals": list(refusals),
            "events": list(events),
        }
        if trace:
            line["trace"] = list(trace)
        self._write(line)
        self._steps += 1

    def finish(self, end: str, *, time: int, success: bool, total: float, **more: Any) -> None:
        """Write the last line and give the file its name.

        Args:
            end: ``terminated`` or ``truncated``.
            time: last tick.
            success: whether the goal was reached.
            total: the return.
            **more: further fields.
        """
        last = {"end": end, "time": time, "steps": self._steps, "success": success, "return": total}
        self._write({**last, **more})
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self._part, self.path)

    def discard(self) -> None:
        """Drop an episode that was not finished."""
        if not self._file.closed:
            self._file.close()
            self._part.unlink(missing_ok=True)

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()


@dataclass(frozen=True, slots=True)
class Record:
    """One episode as read from a file.

    Attributes:
        header: the first line.
        steps: the lines of the steps.
        end: the last line, None if the episode was cut off.
    """

    header: Json
    steps: tuple[Json, ...]
    end: Json | None


def read_lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, Json]]:
    """Yield ``(line number, object)`` of a JSON Lines file, one at a time.

    Raises:
        RecordError: if a line is not a JSON object, or the file not text.
        OSError: if the file cannot be read.
    """
    with open(path, encoding="utf-8") as lines:
        try:
            for number, line in enumerate(lines, 1):
                try:
                    value = json.loads(line)
                except (ValueError, RecursionError):
                    raise RecordError(f"{path}, line {number}: not JSON") from None
                if not isinstance(value, dict):
                    raise RecordError(f"{path}, line {number}: not a JSON object")
                yield number, value
        except UnicodeDecodeError:
            raise RecordError(f"{path}: not a text file") from None


def _checked_header(path: object, line: Json) -> Json:
    """Return the header or say what is wrong with it."""
    if line.get("record") != RECORD:
        raise RecordError(f"{path}, line 1: not an episode record (no 'record': '{RECORD}')")
    if line.get("version") != VERSION:
        raise RecordError(
            f"{path}, line 1: version {line.get('version')!r}, but this release reads version {VERSION}"
        )
    for name, kind in (("task", dict), ("seed", int), ("clock", str), ("agents", list)):
        if not isinstance(line.get(name), kind) or isinstance(line[name], bool):
            raise RecordError(f"{path}, line 1: '{name}' is missing or not {_KINDS[kind]}")
    return line


def _checked_step(path: object, number: int, line: Json, index: int, agents: int) -> Json:
    """Return the line of a step or say what is wrong with it."""
    for name, kind in _STEP.items():
        if not isinstance(line.get(name), kind) or isinstance(line[name], bool):
            raise RecordError(f"{path}, line {number}: '{name}' is missing or not {_KINDS[kind]}")
    if line["step"] != index:
        raise RecordError(f"{path}, line {number}: step {line['step']}, but {index} is next")
    for name, fits in (("actions", _is_action), ("refusals", _is_name)):
        if len(line[name]) != agents or not all(map(fits, line[name])):
            raise RecordError(f"{path}, line {number}: '{name}' is not one name or null for each agent")
    for event in line["events"]:
        if not isinstance(event, dict) or any(name not in event for name in _EVENT):
            raise RecordError(f"{path}, line {number}: an event lacks one of {', '.join(_EVENT)}")
        if not isinstance(event["agents"], list):
            raise RecordError(f"{path}, line {number}: an event's 'agents' is not a list")
    return line


def _is_name(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_action(value: Any) -> bool:
    """Return whether a value is a name, null, or a vector of numbers."""
    if not isinstance(value, list):
        return _is_name(value)
    return all(isinstance(x, int | float) and not isinstance(x, bool) for x in value)


def read_record(path: str | os.PathLike[str]) -> Record:
    """Read a whole record.

    Raises:
        RecordError: if it is not one, in one line that names the file and the place.
        OSError: if the file cannot be read.
    """
    header: Json | None = None
    steps: list[Json] = []
    end: Json | None = None
    for number, line in read_lines(path):
        if header is None:
            header = _checked_header(path, line)
        elif end is not None:
            raise RecordError(f"{path}, line {number}: something follows the end of the episode")
        elif "end" in line:
            for name, kind in (("time", int), ("steps", int), ("success", bool), ("return", int | float)):
                if not isinstance(line.get(name), kind):
                    raise RecordError(f"{path}, line {number}: '{name}' is missing or of a wrong type")
            if line["steps"] != len(steps):
                raise RecordError(f"{path}, line {number}: {line['steps']} steps, but {len(steps)} were read")
            end = line
        else:
            steps.append(_checked_step(path, number, line, len(steps), len(header["agents"])))
    if header is None:
        raise RecordError(f"{path}: empty")
    return Record(header, tuple(steps), end)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What re-simulating a record found.

    Attributes:
        agrees: whether everything recorded is what the rules make of it.
        steps: how many steps were compared.
        events: how many events were compared.
        difference: the first difference in one line, None if there is none.
    """

    agrees: bool
    steps: int
    events: int
    difference: str | None = field(default=None)


Fact = tuple[int, str, str | None, tuple[int, ...]]
"""What is compared of an event: tick, kind, subtask, agents."""


def _recorded(events: Sequence[Mapping[str, Any]]) -> list[Fact]:
    """Return the recorded events of a step as facts."""
    return [(e["tick"], e["kind"], e["subtask"], tuple(e["agents"])) for e in events]


def _simulated(events: Sequence[Any]) -> list[Fact]:
    """Return the simulator's events of a step as facts."""
    return [(e.tick, e.kind, e.subtask, tuple(e.agents)) for e in events]


def verify(record: Record) -> Verdict:
    """Play a record's actions again, one tick after the other, and compare.

    Compared are every event with its tick, every refusal, the
    clock after each step, whether the episode ended when it did, the success, and
    (where the file's rewards were paid) the return. The kernel is stepped by single
    ticks whatever clock the episode was played under, since all three must give the
    same trajectory.

    Raises:
        ValueError: if the task or the scene in the header does not load.
    """
    from stratagym.envs.task.simulate import Simulator

    task = load_task(record.header["task"])
    graph: TaskGraph = task.graph
    if len(graph.agents) != len(record.header["agents"]):
        return Verdict(False, 0, 0, "the task has another number of agents than the record")
    names, scene = graph.names, record.header.get("scene")
    sim: Any = Simulator(graph, record.header["seed"])
    if scene is not None:
        sim = _InWorld(task, scene, record.header["seed"])
        names = sim.names
    index = {name: i for i, name in enumerate(names)}
    compared = 0
    for k, step in enumerate(record.steps):
        difference = _play_again(sim, index, step)
        if difference is not None:
            return Verdict(False, k, compared, f"step {k}: {difference}")
        compared += len(step["events"])
    return _verify_end(record, sim, compared)


class _InWorld:
    """One lane in a world under the tick clock, with the face of a ``Simulator``.

    Args:
        task: the task.
        scene: where it is played, as a mapping.
        seed: of the draws.
    """

    def __init__(self, task: Task, scene: Json, seed: int) -> None:
        from stratagym.envs.api.options import Options
        from stratagym.envs.api.single import TaskEnv
        from stratagym.envs.registry import model_of

        self._env = TaskEnv(model_of(task=task, world=scene), Options(clock="tick", reward="task"))
        _, self._info = self._env.reset(seed=seed)
        self.names = self._env.action_names[:-1]
        self.over: str | None = None
        self.paid = 0.0

    @property
    def time(self) -> int:
        return int(self._info["time"])

    @property
    def success(self) -> bool:
        return bool(self._info["success"])

    @property
    def refusals(self) -> list[str | None]:
        return self._env.refusals

    def step(self, actions: Sequence[Any]) -> Sequence[Any]:
        """Take one step; a number beyond the actions waits, a vector is what it is."""
        acting = self._env.acting
        chosen = [acting.waiting if isinstance(a, int) and a >= len(self.names) else a for a in actions]
        joint = chosen if acting.agents > 1 else chosen[0]
        _, reward, terminated, truncated, self._info = self._env.step(joint)
        self.paid += float(reward)
        self.over = "terminated" if terminated else "truncated" if truncated else None
        return self._env.happened


def _play_again(sim: Any, index: Mapping[str, int], step: Json) -> str | None:
    """Take one recorded step again; return the first difference, None if there is none.

    Args:
        sim: the simulator, under the tick clock.
        index: actions by name.
        step: the line of the step.
    """
    wait = len(index)
    if sim.over is not None:
        return f"the episode was over at tick {sim.time}"
    if sim.time != step["time"]:
        return f"at tick {step['time']}, re-simulated {sim.time}"
    for name, refusal in zip(step["actions"], step["refusals"], strict=True):
        if isinstance(name, str) and name not in index and refusal != "unknown":
            return f"no action is called {name!r}"
    actions = [x if isinstance(x, list) else index.get(x, wait) for x in step["actions"]]
    events = _simulated(sim.step(actions))
    if sim.refusals != step["refusals"]:
        return f"refusals {step['refusals']}, re-simulated {sim.refusals}"
    until = step["time"] + step["elapsed"]
    while sim.time < until and sim.over is None:
        events += _simulated(sim.step([wait] * len(step["actions"])))
    expected = _recorded(step["events"])
    if events != expected:
        return _first_difference(expected, events)
    if sim.time != until:
        return f"ended at tick {until}, re-simulated {sim.time}"
    return None


def _first_difference(recorded: Sequence[Fact], simulated: Sequence[Fact]) -> str:
    """Return one line on where two lists of events part."""
    for a, b in zip(recorded, simulated, strict=False):
        if a != b:
            return f"recorded {_words(a)}, re-simulated {_words(b)}"
    if len(recorded) > len(simulated):
        return f"recorded {_words(recorded[len(simulated)])}, which does not happen"
    return f"{_words(simulated[len(recorded)])} happens, but was not recorded"


def _words(event: Fact) -> str:
    tick, kind, subtask, agents = event
    who = f" by agent {', '.join(map(str, agents))}" if agents else ""
    return f"'{kind}'{f' of {subtask!r}' if subtask else ''}{who} at tick {tick}"


def _verify_end(record: Record, sim: Any, compared: int) -> Verdict:
    """Compare the end of the episode."""
    steps = len(record.steps)
    if record.end is None:
        return Verdict(False, steps, compared, f"the record breaks off after step {steps - 1}")
    pairs = [
        ("end", record.end["end"], sim.over),
        ("last tick", record.end["time"], sim.time),
        ("success", record.end["success"], bool(sim.success)),
    ]
    for name, recorded, simulated in pairs:
        if recorded != simulated:
            return Verdict(False, steps, compared, f"{name}: recorded {recorded}, re-simulated {simulated}")
    if record.header.get("reward") == "task":
        total = float(record.end["return"])
        if abs(total - sim.paid) > 1e-6 * max(1.0, abs(sim.paid)):
            return Verdict(False, steps, compared, f"return: recorded {total}, re-simulated {sim.paid}")
    return Verdict(True, steps, compared)
