"""Episode records: what is written is read back, and a false record is found out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stratagym.envs.record import Record, RecordError, RecordWriter, read_record, verify
from stratagym.envs.task.simulate import Simulator
from stratagym.envs.task.spec import load_task

TASK: dict[str, Any] = {
    "name": "tea",
    "horizon": 40,
    "agents": 2,
    "resources": {"kettle": 1},
    "subtasks": {
        "boil": {"duration": {"uniform": [3, 6]}, "attended": 1, "uses": {"kettle": 1}, "reward": 1},
        "warm": {"duration": 1, "success": 0.5},
        "brew": {"duration": 4, "attended": 0, "needs": "boil & warm", "lags": {"boil": {"max": 9}}},
        "serve": {"duration": 2, "needs": "brew", "agents": 2, "reward": 5},
    },
    "goal": "serve",
    "events": [{"at": {"uniform": [5, 9]}, "capacity": {"kettle": 0}}],
}


def header(**more: Any) -> dict[str, Any]:
    """Return the header of a record of ``TASK``."""
    return {
        "task": TASK,
        "seed": 3,
        "clock": "tick",
        "reward": "task",
        "agents": ["agent 0", "agent 1"],
        **more,
    }


def play(path: Path, seed: int = 3, **more: Any) -> Path:
    """Record an episode in which both agents start whatever they can, one step a tick."""
    graph = load_task(TASK).graph
    sim = Simulator(graph, seed)
    with RecordWriter(path, header(seed=seed, **more)) as writer:
        while sim.over is None:
            before = sim.time
            actions = [
                int(row[:-1].argmax()) if row[:-1].any() else len(graph.subtasks) for row in sim.mask()
            ]
            paid = sim.paid
            events = [
                {"tick": e.tick, "kind": e.kind, "subtask": e.subtask, "agents": list(e.agents)}
                for e in sim.step(actions)
            ]
            names = [*graph.names, None]
            writer.step(
                before,
                [names[a] for a in actions],
                elapsed=sim.time - before,
                reward=sim.paid - paid,
                refusals=sim.refusals,
                events=events,
                trace=[{"reason": "first that can start"}],
            )
        writer.finish(sim.over, time=sim.time, success=bool(sim.success), total=sim.paid)
    return path


def test_an_episode_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """Header, steps, trace and end survive the file."""
    record = read_record(play(tmp_path / "e.jsonl"))
    assert record.header["task"] == TASK
    assert record.steps[0]["time"] == 0
    assert record.steps[0]["trace"] == [{"reason": "first that can start"}]
    assert record.end is not None
    assert record.end["steps"] == len(record.steps) > 5


@pytest.mark.parametrize("seed", range(20))
def test_a_true_record_agrees(tmp_path: Path, seed: int) -> None:
    """Re-simulating a record of random durations, failures and events reproduces it."""
    record = read_record(play(tmp_path / "e.jsonl", seed))
    verdict = verify(record)
    assert verdict.difference is None
    assert verdict.agrees
    assert verdict.steps == len(record.steps)
    assert verdict.events == sum(len(step["events"]) for step in record.steps) > 4


def test_a_record_of_longer_steps_agrees(tmp_path: Path) -> None:
    """Steps of the decision clock, which span several ticks, are verified tick by tick."""
    lines = play(tmp_path / "e.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    merged: list[dict[str, Any]] = []
    for row in rows[1:-1]:
        if merged and row["actions"] == [None, None]:
            merged[-1]["elapsed"] += row["elapsed"]
            merged[-1]["events"] += row["events"]
        else:
            merged.append({**row, "step": len(merged)})
    assert len(merged) < len(rows) - 2
    record = Record(rows[0], tuple(merged), {**rows[-1], "steps": len(merged)})
    assert verify(record).difference is None


def edited(change: Callable[[list[dict[str, Any]]], object]) -> Callable[[Path], Record]:
    """Return what reads a record after a change to its lines."""

    def read(path: Path) -> Record:
        rows = [json.loads(line) for line in play(path).read_text().splitlines()]
        change(rows)
        return Record(rows[0], tuple(rows[1:-1]), rows[-1])

    return read


def first_events(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the events of the first step that has any."""
    found: list[dict[str, Any]] = next(row["events"] for row in rows if row.get("events"))
    return found


FORGERIES: dict[str, tuple[Callable[[list[dict[str, Any]]], object], str]] = {
    "another seed": (lambda rows: rows[0].update(seed=8), "step"),
    "another tick": (lambda rows: first_events(rows)[0].update(tick=7), "at tick 7"),
    "another subtask": (lambda rows: first_events(rows)[0].update(subtask="serve"), "'serve'"),
    "another agent": (lambda rows: first_events(rows)[0].update(agents=[1]), "agent"),
    "an event left out": (lambda rows: first_events(rows).pop(), "was not recorded"),
    "an event made up": (
        lambda rows: rows[-2]["events"].append(
            {"tick": 40, "kind": "start", "subtask": "boil", "agents": [0]}
        ),
        "does not happen",
    ),
    "an easier task": (lambda rows: rows[0]["task"]["subtasks"]["brew"].update(duration=1), "step"),
    "a false return": (lambda rows: rows[-1].update({"return": 99.0}), "return"),
    "a false success": (lambda rows: rows[-1].update(success=not rows[-1]["success"]), "success"),
    "a false end": (lambda rows: rows[-1].update(end="cancelled"), "end"),
    "a false last tick": (lambda rows: rows[-1].update(time=1), "last tick"),
    "a longer step": (lambda rows: rows[2].update(elapsed=2), "re-simulated"),
    "fewer agents": (lambda rows: rows[0]["task"].update(agents=3), "agents"),
    "a false refusal": (lambda rows: rows[1].update(refusals=["busy", None]), "refusals"),
    "an unknown action": (lambda rows: rows[1]["actions"].__setitem__(0, "dance"), "step 0"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_false_record_is_found_out(tmp_path: Path, name: str) -> None:
    """Each kind of forgery is named in one line."""
    change, words = FORGERIES[name]
    verdict = verify(edited(change)(tmp_path / "e.jsonl"))
    assert not verdict.agrees
    assert verdict.difference is not None
    assert words in verdict.difference
    assert "\n" not in verdict.difference


def test_a_record_that_breaks_off_does_not_agree(tmp_path: Path) -> None:
    """A record without its end is not taken for a whole episode."""
    record = read_record(play(tmp_path / "e.jsonl"))
    verdict = verify(Record(record.header, record.steps[:3], None))
    assert not verdict.agrees
    assert verdict.difference == "the record breaks off after step 2"


def test_an_unfinished_episode_leaves_no_file(tmp_path: Path) -> None:
    """The file gets its name at the end; what was cut off by an error is dropped."""
    path = tmp_path / "deep" / "e.jsonl"
    writer = RecordWriter(path, header())
    writer.step(0, [None, None], elapsed=1, reward=0.0, refusals=[None, None], events=[])
    assert not path.exists()
    assert path.with_name("e.jsonl.part").read_text().count("\n") == 2
    with pytest.raises(RuntimeError), writer:
        raise RuntimeError("the agent failed")
    assert list(path.parent.iterdir()) == []


def test_a_header_without_its_fields_is_refused(tmp_path: Path) -> None:
    """A record that could not be verified is not begun."""
    with pytest.raises(ValueError, match="seed"):
        RecordWriter(tmp_path / "e.jsonl", {"task": TASK, "clock": "tick", "agents": []})


STEP = {
    "step": 0,
    "time": 0,
    "elapsed": 1,
    "actions": [None],
    "refusals": [None],
    "events": [],
    "reward": 0.0,
}
HEAD = {"record": "stratagym episode", "version": 1, "task": {}, "seed": 0, "clock": "tick", "agents": ["a"]}
END = {"end": "truncated", "time": 1, "steps": 1, "success": False, "return": 0.0}

BROKEN: dict[str, tuple[list[Any], str]] = {
    "empty": ([], "empty"),
    "not JSON": (["{"], "line 1: not JSON"),
    "a list": ([[1]], "line 1: not a JSON object"),
    "another kind": ([{"record": "shopping list"}], "line 1: not an episode record"),
    "another version": ([{**HEAD, "version": 9}], "version 9"),
    "no task": ([{k: v for k, v in HEAD.items() if k != "task"}], "'task'"),
    "no seed": ([{**HEAD, "seed": "x"}], "'seed'"),
    "a lost step": ([HEAD, {**STEP, "step": 1}], "line 2: step 1, but 0 is next"),
    "no actions": ([HEAD, {k: v for k, v in STEP.items() if k != "actions"}], "'actions'"),
    "actions of nobody": ([HEAD, {**STEP, "actions": []}], "'actions'"),
    "a number as action": ([HEAD, {**STEP, "actions": [3]}], "'actions'"),
    "half an event": ([HEAD, {**STEP, "events": [{"tick": 1}]}], "an event lacks"),
    "an event of nobody": (
        [HEAD, {**STEP, "events": [{"tick": 1, "kind": "start", "subtask": "a", "agents": 3}]}],
        "'agents' is not a list",
    ),
    "a return in words": ([HEAD, STEP, {**END, "return": "much"}], "'return'"),
    "a true time": ([HEAD, {**STEP, "time": True}], "'time'"),
    "steps after the end": ([HEAD, STEP, END, STEP], "line 4: something follows"),
    "another number of steps": ([HEAD, END], "1 steps, but 0 were read"),
    "no success": ([HEAD, STEP, {"end": "truncated", "time": 1, "steps": 1}], "'success'"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    """What is wrong is said in one line that names the file."""
    lines, words = BROKEN[name]
    path = tmp_path / "broken.jsonl"
    path.write_text("".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in lines))
    with pytest.raises(RecordError) as caught:
        read_record(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    """Bytes that are not text are an error of the file, not of the decoder."""
    path = tmp_path / "binary.jsonl"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecordError, match="not a text file"):
        read_record(path)
