"""The evaluation end to end: paired seeds, rows, resuming after a kill, processes, summary and report."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from stratagym.baselines import report
from stratagym.baselines.evaluate import evaluate
from stratagym.baselines.player import episode_id
from stratagym.baselines.results import ResultsFile, read_rows
from stratagym.baselines.rollout import agent_seed
from stratagym.baselines.suites import (
    EnvironmentSpec,
    InputError,
    label_of,
    load_suite,
    parse_environment,
    slug,
    suite_names,
)
from stratagym.envs.record import read_record, verify

TEA: dict[str, Any] = {
    "name": "tea",
    "horizon": 40,
    "resources": {"kettle": 1},
    "subtasks": {
        "boil": {"duration": {"uniform": [3, 9]}, "attended": 1, "uses": {"kettle": 1}},
        "warm": {"duration": 2},
        "grind": {"duration": 5},
        "brew": {"duration": 4, "attended": 1, "needs": "boil & warm & grind"},
        "serve": {"duration": 2, "needs": "brew"},
    },
    "goal": "serve",
}


@pytest.fixture
def tea(tmp_path: Path) -> str:
    """Return the path of a small random task."""
    path = tmp_path / "tea.yaml"
    path.write_text(yaml.safe_dump(TEA, sort_keys=False))
    return str(path)


class Sleeper:
    """An agent that only waits, and keeps the seeds that it was given."""

    seeds: list[int]

    def __init__(self) -> None:
        self.seeds = []

    def reset(self, seed: int) -> None:
        """Note the seed."""
        self.seeds.append(seed)

    def act(self, observation: Any) -> np.ndarray[Any, Any]:
        """Wait."""
        rows, width = observation.mask.shape
        return np.full(rows, width - 1)

    def trace(self) -> list[dict[str, Any]]:
        """Say why."""
        return [{"reason": "tired"}]


class Broken(Sleeper):
    """An agent that fails in its third step."""

    def act(self, observation: Any) -> np.ndarray[Any, Any]:
        """Count down to a failure."""
        self.steps = getattr(self, "steps", 0) + 1
        if self.steps == 3:
            raise ZeroDivisionError("division by zero")
        return super().act(observation)


def keys(rows: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    """Return what identifies each row."""
    return [(row["env"], row["agent"], row["episode"]) for row in rows]


def test_all_agents_meet_the_same_seeds_tasks_and_references(tea: str) -> None:
    """Episode k is reset with seed + k for everybody, and random is played unasked."""
    found = evaluate([tea], ["greedy", "critical_path"], 4, seed=7)
    assert found.agents == ("random", "greedy", "critical_path")
    by_episode: dict[int, list[dict[str, Any]]] = {}
    for row in found.rows:
        by_episode.setdefault(row["episode"], []).append(row)
    for k, rows in by_episode.items():
        assert [row["agent"] for row in rows] == ["random", "greedy", "critical_path"]
        assert {row["seed"] for row in rows} == {7 + k}
        assert len({(row["task"], row["reference"], row["kind"]) for row in rows}) == 1
    assert by_episode[0][0]["kind"] == "hindsight"


def test_evaluating_twice_gives_the_same_rows(tea: str) -> None:
    """Rows are a function of task, agent and seed: no clock, no order of play in them."""
    first = evaluate([tea], ["greedy", "beam"], 3)
    second = evaluate([tea], ["beam", "greedy"], 3)
    assert sorted(map(json.dumps, first.rows)) == sorted(map(json.dumps, second.rows))


def test_an_agent_that_waits_fails_and_scores_zero_value(tea: str) -> None:
    """A failure has value 0, no makespan and no ratio, all of its time idle."""
    found = evaluate([tea], {"sleeper": Sleeper}, 2)
    row = next(row for row in found.rows if row["agent"] == "sleeper")
    assert (row["success"], row["value"], row["makespan"], row["ratio"]) == (False, 0.0, None, None)
    assert (row["progress"], row["time"], row["end"]) == (0.0, 40, "truncated")
    assert row["idle"] == row["crew"] * 40
    assert row["runs"] == []
    score = report.summarise(found)["environments"][tea]["agents"]["sleeper"]["score"]["mean"]
    assert score < -0.5


def test_agents_do_not_learn_the_seed_of_the_environment(tea: str) -> None:
    """What an agent's reset gets is another number than the environment's seed, the same each time."""
    sleeper = Sleeper()
    evaluate([tea], {"sleeper": lambda: sleeper}, 3, seed=5)
    assert sleeper.seeds == [agent_seed(5), agent_seed(6), agent_seed(7)]
    assert not {5, 6, 7} & set(sleeper.seeds)


def test_the_fields_of_a_row(tea: str, tmp_path: Path) -> None:
    """Every row says what was played, by whom, with which versions, and how it went."""
    found = evaluate([tea], ["optimal"], 1, out=tmp_path / "out")
    row = json.loads((tmp_path / "out" / "results.jsonl").read_text().splitlines()[-1])
    assert row == found.rows[-1]
    assert row["schema"] == 1
    assert row["id"] == "stratagym/Task-v0"
    assert row["options"] == {"task": tea}
    assert (row["clock"], row["knowledge"], row["reward"]) == ("decision", "full", "default")
    assert (row["objective"], row["goal"], row["subtasks"], row["crew"]) == ("makespan", True, 5, 1)
    assert set(row["versions"]) == {"python", "stratagym", "gymnasium", "numpy", "numba", "ortools"}
    assert row["success"] is True
    assert row["progress"] == 1.0
    assert row["progress_at"] == row["makespan"] == row["time"]
    assert row["ratio"] == row["makespan"] / row["reference"]
    assert {run[0] for run in row["runs"]} == set(TEA["subtasks"])
    assert "wall" not in json.dumps(row)


def test_refusals_are_counted_by_reason(tea: str) -> None:
    """An agent that names what cannot start is refused, and the reasons are counted."""

    class Stubborn(Sleeper):
        """Names the last subtask for ever."""

        def act(self, observation: Any) -> np.ndarray[Any, Any]:
            """Ask for `serve`."""
            return np.full(len(observation.mask), observation.mask.shape[1] - 2)

    found = evaluate([tea], {"stubborn": Stubborn}, 1, clock="tick")
    row = next(row for row in found.rows if row["agent"] == "stubborn")
    assert row["refusals"] == {"dependency": row["steps"]}
    assert row["steps"] == 40


def test_results_are_not_overwritten(tea: str, tmp_path: Path) -> None:
    """A folder with results is only continued on demand."""
    evaluate([tea], ["greedy"], 1, out=tmp_path / "out")
    before = (tmp_path / "out" / "results.jsonl").read_bytes()
    with pytest.raises(InputError, match="--resume"):
        evaluate([tea], ["greedy"], 1, out=tmp_path / "out")
    assert (tmp_path / "out" / "results.jsonl").read_bytes() == before


def test_resuming_plays_only_what_is_missing(tea: str, tmp_path: Path) -> None:
    """Rows that are there stay as they are, also when episodes and agents are added."""
    out = tmp_path / "out"
    evaluate([tea], ["greedy"], 2, out=out)
    before = (out / "results.jsonl").read_bytes()
    told: list[tuple[int, int]] = []
    agents = ["greedy", "shortest"]
    found = evaluate([tea], agents, 3, out=out, resume=True, progress=lambda n, of, _: told.append((n, of)))
    after = (out / "results.jsonl").read_bytes()
    assert after.startswith(before)
    assert told == [(n, 9) for n in range(4, 10)]
    assert Counter(keys(found.rows)) == Counter(
        (tea, agent, k) for agent in ("random", "greedy", "shortest") for k in range(3)
    )


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_a_torn_line_is_played_again(tea: str, tmp_path: Path, cut: int) -> None:
    """What a kill leaves of the last line is dropped, and its episode is the same when redone."""
    out = tmp_path / "out"
    evaluate([tea], ["greedy"], 2, out=out)
    path = out / "results.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    evaluate([tea], ["greedy"], 2, out=out, resume=True)
    assert path.read_bytes() == whole


def test_other_settings_are_not_mixed_in(tea: str, tmp_path: Path) -> None:
    """Results of another seed, clock or task are refused on resuming."""
    out = tmp_path / "out"
    evaluate([tea], ["greedy"], 1, out=out)
    for options, words in (
        ({"seed": 1}, "seed 0, not 1"),
        ({"clock": "tick"}, "clock 'decision', not 'tick'"),
        ({"knowledge": "structure"}, "knowledge"),
        ({"reward": "makespan"}, "reward"),
    ):
        with pytest.raises(InputError, match=words):
            evaluate([tea], ["greedy"], 1, out=out, resume=True, **options)
    changed = {**TEA, "horizon": 50}
    Path(tea).write_text(yaml.safe_dump(changed))
    for agents, episodes in ((["greedy", "shortest"], 1), (["greedy"], 2)):
        with pytest.raises(InputError, match="the task of episode 0 has changed"):
            evaluate([tea], agents, episodes, out=out, resume=True)


def test_a_damaged_file_is_refused(tea: str, tmp_path: Path) -> None:
    """A line that is no row anywhere but at the end is not what a kill leaves: it is reported."""
    out = tmp_path / "out"
    evaluate([tea], ["greedy"], 2, out=out)
    path = out / "results.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"{}\n", *lines[1:]]))
    with pytest.raises(InputError, match="line 2: not a row"):
        evaluate([tea], ["greedy"], 2, out=out, resume=True)
    path.write_bytes(b"".join([lines[0], lines[0], *lines[1:]]))
    with pytest.raises(InputError, match="line 2: a second row"):
        read_rows(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [("success", None), ("seed", "x"), ("episode", "x"), ("value", None), ("makespan", True), ("runs", {})],
)
def test_a_damaged_row_is_refused(tea: str, tmp_path: Path, name: str, value: Any) -> None:
    """A row that lacks a field, or holds something else in it, is reported with line and field."""
    out = tmp_path / "out"
    evaluate([tea], ["greedy"], 1, out=out)
    path = out / "results.jsonl"
    first, *others = path.read_text().splitlines(keepends=True)
    path.write_text("".join([json.dumps({**json.loads(first), name: value}) + "\n", *others]))
    with pytest.raises(InputError, match=f"line 1: '{name}'"):
        evaluate([tea], ["greedy"], 1, out=out, resume=True)


def test_two_writers_are_kept_apart(tmp_path: Path) -> None:
    """The second evaluation that writes to the same folder is refused."""
    pytest.importorskip("fcntl", reason="no advisory locks on this system")
    with ResultsFile(tmp_path, resume=True), pytest.raises(InputError, match="another evaluation"):
        ResultsFile(tmp_path, resume=True)


KILLED = """
import os, signal, sys
from stratagym.baselines.evaluate import evaluate

def progress(done, total, row):
    if done == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

agents = ["greedy", "shortest"]
evaluate([sys.argv[1]], agents, 4, out=sys.argv[2], record=True, resume=True, progress=progress)
"""


def test_no_row_is_lost_or_doubled_by_kills(tea: str, tmp_path: Path) -> None:
    """Killed twice and continued twice, the results are those of an undisturbed evaluation."""
    out = tmp_path / "killed"
    for at in (4, 9):
        command = [sys.executable, "-c", KILLED, tea, str(out), str(at)]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode == -9, done.stderr.decode()
        assert len(read_rows(out / "results.jsonl")[0]) == at
    evaluate([tea], ["greedy", "shortest"], 4, out=out, record=True, resume=True)
    evaluate([tea], ["greedy", "shortest"], 4, out=tmp_path / "whole", record=True)
    assert (out / "results.jsonl").read_bytes() == (tmp_path / "whole" / "results.jsonl").read_bytes()
    names = sorted(path.name for path in (out / "episodes").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "whole" / "episodes").iterdir())
    assert len(names) == 12


def test_processes_play_the_same_rows(tea: str, tmp_path: Path) -> None:
    """Two processes give the rows of one."""
    alone = evaluate([tea], ["greedy", "beam"], 4)
    together = evaluate([tea], ["greedy", "beam"], 4, out=tmp_path / "out", jobs=2)
    assert together.rows == alone.rows
    assert Counter(keys(read_rows(tmp_path / "out" / "results.jsonl")[0])) == Counter(keys(alone.rows))


@pytest.mark.parametrize("clock", ["tick", "decision", "event"])
def test_recorded_episodes_verify(tea: str, tmp_path: Path, clock: str) -> None:
    """Under every clock each episode is recorded, trace included, and re-simulation agrees."""
    out = tmp_path / "out"
    found = evaluate([tea], ["greedy", "optimal"], 2, out=out, record=True, clock=clock)
    for row in found.rows:
        record = read_record(
            out / "episodes" / f"{episode_id(row['env'], row['agent'], row['episode'])}.jsonl"
        )
        assert record.header["seed"] == row["seed"]
        assert record.header["digest"] == row["task"]
        assert verify(record).difference is None
        assert record.end is not None
        assert record.end["time"] == row["time"]


@pytest.mark.parametrize("knowledge", ["structure", "none"])
def test_recorded_episodes_verify_under_hidden_knowledge(tea: str, tmp_path: Path, knowledge: str) -> None:
    """Records name subtasks as the file does, whatever order the environment showed them in."""
    out = tmp_path / "out"
    evaluate([tea], ["greedy"], 4, out=out, record=True, knowledge=knowledge)
    paths = sorted((out / "episodes").iterdir())
    assert len(paths) == 8
    assert [verify(read_record(path)).difference for path in paths] == [None] * 8


def test_a_failing_agent_is_named(tea: str, tmp_path: Path) -> None:
    """An agent's own exception says which agent, where and what; finished rows stay."""
    with pytest.raises(InputError, match=r"agent 'broken' on .*tea.yaml, seed 0: .*ZeroDivisionError"):
        evaluate([tea], {"broken": Broken}, 1, out=tmp_path / "out", record=True)
    assert keys(read_rows(tmp_path / "out" / "results.jsonl")[0]) == [(tea, "random", 0)]
    assert not list((tmp_path / "out" / "episodes").glob("*.part"))


class Stray(Sleeper):
    """An agent whose answers are no actions."""

    def act(self, observation: Any) -> np.ndarray[Any, Any]:
        """Answer beyond the last action."""
        return np.full(len(observation.mask), observation.mask.shape[1])


class Mute(Sleeper):
    """An agent whose trace is no list."""

    def trace(self) -> Any:
        """Say nothing that can be kept."""
        return 5


class Odd(Sleeper):
    """An agent whose trace is no JSON."""

    def trace(self) -> Any:
        """Say what cannot be written."""
        return [{"reason": object()}]


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (Stray, "returned 6, but actions are 0 to 5, and 5 waits"),
        (Mute, "returned 5, not a list"),
        (Odd, "cannot be written as JSON"),
    ],
)
def test_nonsense_of_an_agent_is_told(tea: str, tmp_path: Path, agent: type[Sleeper], words: str) -> None:
    """An answer that is no action, and a trace that cannot be kept, are the agent's mistakes in one line."""
    with pytest.raises(InputError, match=words) as caught:
        evaluate([tea], {"odd": agent}, 1, out=tmp_path / "out", record=True)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "out" / "episodes").glob("*odd*"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"envs": []}, "no environment"),
        ({"episodes": 0}, "episodes: 0"),
        ({"jobs": 0}, "jobs: 0"),
        ({"seed": -1}, "seed: -1"),
        ({"record": True}, "needs a folder"),
        ({"agents": ["nobody"]}, "'nobody'"),
        ({"agents": ["no.such.module:agent"]}, "no.such.module"),
        ({"envs": ["stratagym/Kooking-v0"]}, "did you mean stratagym/Cooking-v0"),
        ({"envs": ["stratagym/Cooking-v0:size=huge"]}, "size"),
        ({"envs": ["stratagym/Cooking-v0:colour=red"]}, "colour"),
        ({"envs": ["stratagym/Cooking-v0:size"]}, "option=value"),
        ({"envs": ["nothing.yaml"]}, "no such task file"),
        ({"envs": ["nothing"]}, "neither an environment id"),
        ({"envs": ["stratagym/Cooking-v0", "stratagym/Cooking-v0"]}, "named twice"),
        ({"clock": "sundial"}, "sundial"),
        ({"knowledge": "much"}, "much"),
        ({"reward": "praise"}, "praise"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(tea: str, options: dict[str, Any], words: str) -> None:
    """Whatever cannot be used is named, before anything is played."""
    with pytest.raises(InputError) as caught:
        evaluate(**{"envs": [tea], "agents": ["greedy"], "episodes": 1, **options})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_summary_scores_random_at_zero_and_the_reference_at_one(tea: str) -> None:
    """By definition random play scores 0, and the hindsight schedule is not beaten."""
    summary = report.summarise(evaluate([tea], ["optimal", "greedy"], 5))
    agents = summary["environments"][tea]["agents"]
    assert agents["random"]["score"]["mean"] == 0.0
    assert 0.0 < agents["optimal"]["score"]["mean"] <= 1.0
    assert summary["overall"]["optimal"]["mean"] == agents["optimal"]["score"]["mean"]


@pytest.mark.parametrize(
    ("fields", "reward", "column", "cell"),
    [
        ({"goal": "b"}, None, "ratio", "1.000"),
        ({}, None, "reward", "5.000"),
        ({"goal": "b"}, "tardiness", "tardiness", "2.000"),
    ],
)
def test_the_table_shows_what_is_scored(
    tmp_path: Path, fields: dict[str, Any], reward: str | None, column: str, cell: str
) -> None:
    """Besides the score stands the ratio, the reward or the tardiness: whatever it is made of."""
    subtasks = {"a": {"reward": 2}, "b": {"needs": "a", "reward": 3, "due": 0}}
    path = tmp_path / "two.yaml"
    path.write_text(yaml.safe_dump({"horizon": 9, "subtasks": subtasks, **fields}))
    summary = report.summarise(evaluate([str(path)], ["greedy"], 1, reward=reward))
    place = report.table_columns(summary, str(path)).index(column)
    assert [row[place] for row in report.table_rows(summary, str(path))] == [cell, cell]


def test_the_report_is_written_with_pictures(tea: str, tmp_path: Path) -> None:
    """summary.json, report.md and a chart of the best and of the worst schedule."""
    found = evaluate([tea], ["greedy", "optimal"], 2, out=tmp_path / "out")
    summary = report.write_report(found)
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == summary
    text = (tmp_path / "out" / "report.md").read_text()
    assert "| optimal |" in text
    pictures = sorted((tmp_path / "out" / "pictures").iterdir())
    assert [path.name for path in pictures] == [f"{slug(tea)}-best.png", f"{slug(tea)}-worst.png"]
    for path in pictures:
        assert path.read_bytes().startswith(b"\x89PNG")
        assert f"pictures/{path.name}" in text


NAMES: list[tuple[str, str, dict[str, Any]]] = [
    ("stratagym/Cooking-v0", "stratagym/Cooking-v0", {}),
    ("stratagym/Graph-v0:size=small,split=test", "stratagym/Graph-v0", {"size": "small", "split": "test"}),
    ("stratagym/Cooking-v0:pots=1,tasks=(1+2)", "stratagym/Cooking-v0", {"pots": 1, "tasks": [1, 2]}),
    ("mine:mine/Task-v3:deep=true", "mine:mine/Task-v3", {"deep": True}),
]


@pytest.mark.parametrize(("text", "env_id", "options"), NAMES)
def test_names_of_environments_are_read_and_written(text: str, env_id: str, options: dict[str, Any]) -> None:
    """An environment's label is its id with options, and reads back as the same environment."""
    spec = parse_environment(text)
    assert (spec.id, dict(spec.options)) == (env_id, options)
    assert label_of(env_id, options) == text
    assert parse_environment(spec.label) == spec


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stratagym/Cooking-v0:disable_env_checker=3", "'disable_env_checker' is no option"),
        ("stratagym/Cooking-v0:max_episode_steps=4", "'max_episode_steps' is no option"),
        ("stratagym/Cooking-v0:size=small,size=large", "'size' is given twice"),
        ("", "'' is neither an environment id"),
    ],
)
def test_names_that_are_refused(text: str, words: str) -> None:
    """What belongs to whoever plays, what is said twice and what says nothing is refused in one line."""
    with pytest.raises(InputError, match=words):
        parse_environment(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stratagym/Cooking-v0:tasks=1", "tasks: 1 is not a list of numbers"),
        ("stratagym/Graph-v0:knobs=3", "knobs: 3 is not a mapping"),
        ("stratagym/Cooking-v0:domain=JobShop", "unexpected keyword argument 'domain'"),
    ],
)
def test_options_that_are_refused(text: str, words: str) -> None:
    """A wrong option of a domain is told in one line."""
    with pytest.raises(InputError, match=words):
        parse_environment(text).make()


def test_file_names_of_different_labels_differ() -> None:
    """Labels that look alike once made safe for a path still have their own files."""
    labels = ["a b", "a-b", "a/b", "a:b", "stratagym/a-b", "x" * 200, "x" * 201]
    assert len({slug(label) for label in labels}) == len(labels)
    assert all(len(slug(label)) < 100 and "/" not in slug(label) for label in labels)


@pytest.mark.parametrize("name", suite_names())
def test_suites_are_made_of_environments_that_exist(name: str) -> None:
    """Every suite loads, and each of its environments can be made and reset."""
    suite = load_suite(name)
    assert len({spec.label for spec in suite.environments}) == len(suite.environments) > 8
    assert suite.summary
    for spec in suite.environments[:: max(1, len(suite.environments) // 5)]:
        env = spec.make(clock=suite.clock)
        env.reset(seed=suite.seed)
        env.close()


def test_the_suites_exist() -> None:
    """The names of the suites are public."""
    assert {"replication", "scheduling", "generalise", "hidden", "teams"} <= set(suite_names())
    with pytest.raises(InputError, match="'nothing' is not one of"):
        load_suite("nothing")


def test_a_specification_may_be_given_as_an_object() -> None:
    """From Python an environment may be a specification with any options."""
    task = {"subtasks": {"a": {"duration": 2}}, "goal": "a", "horizon": 9}
    spec = EnvironmentSpec("stratagym/Task-v0", {"task": task}, "one")
    found = evaluate([spec], ["greedy"], 1)
    assert {(row["env"], row["makespan"]) for row in found.rows} == {("one", 2)}
