"""The command line: what it prints where, and that bad input is one line and exit code 2."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from stratagym.baselines.cli import run
from stratagym.envs.task.spec import load_task

TEA: dict[str, Any] = {
    "name": "tea",
    "horizon": 40,
    "subtasks": {
        "boil": {"duration": 6, "attended": 1},
        "warm": {"duration": 2},
        "brew": {"duration": 4, "needs": "boil & warm"},
    },
    "goal": "brew",
}
RANDOM = {**TEA, "subtasks": {**TEA["subtasks"], "boil": {"duration": {"uniform": [4, 9]}, "attended": 1}}}
WARNED = {**TEA, "subtasks": {**TEA["subtasks"], "late": {"duration": 9, "deadline": 3}}}

Captured = pytest.CaptureFixture[str]


def written(folder: Path, name: str, task: Any) -> str:
    """Write a task file and return its path."""
    path = folder / name
    path.write_text(task if isinstance(task, str) else yaml.safe_dump(task, sort_keys=False))
    return str(path)


def command(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    program = [sys.executable, "-m", "stratagym.baselines.cli", *arguments]
    return subprocess.run(program, capture_output=True, text=True, check=False, timeout=120, **options)


def test_check_prints_a_summary(tmp_path: Path, capsys: Captured) -> None:
    """A sound file: exit code 0, a summary on standard output, nothing on standard error."""
    assert run(["check", written(tmp_path, "tea.yaml", TEA)]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("tea: 3 subtasks")
    assert "warning" not in said.out
    assert said.err == ""


def test_check_warns_and_strict_refuses(tmp_path: Path, capsys: Captured) -> None:
    """A warning is printed with exit code 0, and with --strict it is the one line of a refusal."""
    path = written(tmp_path, "late.yaml", WARNED)
    assert run(["check", path]) == 0
    assert "warning: " in capsys.readouterr().out
    assert run(["check", "--strict", path]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert path in said.err
    assert "late" in said.err
    assert said.err.count("\n") == 1


def test_schema_is_json(capsys: Captured) -> None:
    """The schema is a JSON Schema that accepts a task."""
    import jsonschema

    assert run(["schema"]) == 0
    jsonschema.validate(TEA, json.loads(capsys.readouterr().out))


def test_solve_prints_exactly_the_promised_keys(tmp_path: Path, capsys: Captured) -> None:
    """The JSON of a solution: value, bound, proved, kind and the schedule's four keys."""
    assert run(["solve", written(tmp_path, "tea.yaml", TEA), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["value", "bound", "proved", "kind", "schedule"]
    assert (found["value"], found["bound"], found["proved"], found["kind"]) == (10, 10, True, "proved")
    assert all(list(run) == ["subtask", "agents", "start", "end"] for run in found["schedule"])
    assert {run["subtask"] for run in found["schedule"]} == {"boil", "warm", "brew"}


def test_solve_prints_table_and_timeline(tmp_path: Path, capsys: Captured) -> None:
    """For people: the value, a row for each run and a line for each agent."""
    assert run(["solve", written(tmp_path, "tea.yaml", TEA)]) == 0
    said = capsys.readouterr().out
    assert "makespan 10 (proved; bound 10)" in said
    assert "agent 0 ▏" in said
    assert said.splitlines()[-1].endswith("10")


def test_solve_with_a_seed_knows_the_draws(tmp_path: Path, capsys: Captured) -> None:
    """For a random task --seed gives the hindsight value of that seed; values differ between seeds."""
    path = written(tmp_path, "random.yaml", RANDOM)
    found = []
    for seed in range(8):
        assert run(["solve", path, "--seed", str(seed), "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert {solution["kind"] for solution in found} == {"hindsight"}
    assert len({solution["value"] for solution in found}) > 1


def test_solve_takes_an_environment(capsys: Captured) -> None:
    """An environment's id is solved on the task that the seed picks."""
    assert run(["solve", "stratagym/JobShop-v0:instance=ft06", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["value"] == 55


def test_evaluate_prints_a_table_and_leaves_results(tmp_path: Path, capsys: Captured) -> None:
    """A table on standard output, the progress on standard error, rows and a report in the folder."""
    out = tmp_path / "out"
    path = written(tmp_path, "tea.yaml", TEA)
    arguments = ["evaluate", path, "--agent", "greedy", "--episodes", "2", "--out", str(out)]
    assert run(arguments) == 0
    said = capsys.readouterr()
    assert "greedy" in said.out
    assert f"results: {out}" in said.out
    assert {"results.jsonl", "report.md", "summary.json", "pictures"} <= {p.name for p in out.iterdir()}
    assert run([*arguments, "--resume", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((out / "summary.json").read_text())


def test_evaluate_takes_an_agent_of_ones_own(tmp_path: Path) -> None:
    """An agent from another package is named module:factory."""
    code = (
        "import numpy as np\n"
        "class Mine:\n"
        "    def reset(self, seed): self.rng = np.random.default_rng(seed)\n"
        "    def act(self, seen): return np.array([row.argmax() for row in seen.mask])\n"
        "def make(): return Mine()\n"
    )
    (tmp_path / "my_agent.py").write_text(code)
    path, out = written(tmp_path, "tea.yaml", TEA), tmp_path / "out"
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = command(
        "evaluate", path, "--agent", "my_agent:make", "--episodes", "1", "--out", str(out), "--json", env=env
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["environments"][path]["agents"]["my_agent:make"]["success"]["mean"] == 1.0


def test_verify_says_yes_or_no(tmp_path: Path, capsys: Captured) -> None:
    """A true record: exit code 0. A changed one: 1, and where it differs."""
    out = tmp_path / "out"
    path = written(tmp_path, "tea.yaml", RANDOM)
    assert run(["evaluate", path, "--agent", "greedy", "--episodes", "1", "--out", str(out), "--record"]) == 0
    capsys.readouterr()
    record = next((out / "episodes").glob("*greedy*"))
    assert run(["verify", str(record)]) == 0
    assert "agrees" in capsys.readouterr().out
    record.write_text(record.read_text().replace('"kind": "success"', '"kind": "failure"', 1))
    assert run(["verify", str(record)]) == 1
    assert "does not agree: step " in capsys.readouterr().out


def test_list_shows_every_environment(capsys: Captured) -> None:
    """The catalogue names every id with size, tags, whether it is ranked and both figures."""
    import gymnasium

    assert run(["list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    ids = {name for name in gymnasium.registry if name.startswith("stratagym/")}
    assert {row["id"] for row in rows} == ids
    assert {"id", "environment", "summary", "tags", "subtasks", "ranked", "random", "rule"} <= set(rows[0])
    assert run(["list"]) == 0
    assert "stratagym/Cooking-v0" in capsys.readouterr().out


BAD: dict[str, list[str]] = {
    "no command": [],
    "an unknown command": ["dance"],
    "an unknown option": ["check", "x.yaml", "--loudly"],
    "a missing argument": ["check"],
    "a missing file": ["check", "missing.yaml"],
    "a folder": ["check", "."],
    "a broken file": ["check", "broken.yaml"],
    "a task that is refused": ["check", "refused.yaml"],
    "a task of line ends": ["check", "lines.yaml"],
    "solving nothing": ["solve", "nothing"],
    "solving a missing file": ["solve", "missing.yaml"],
    "solving an unknown environment": ["solve", "stratagym/Kooking-v0"],
    "an unknown objective": ["solve", "tea.yaml", "--objective", "fame"],
    "an objective that does not fit": ["solve", "tea.yaml", "--objective", "tardiness"],
    "a seed that is no number": ["solve", "tea.yaml", "--seed", "x"],
    "a negative seed": ["solve", "tea.yaml", "--seed", "-1"],
    "no agent": ["evaluate", "tea.yaml", "--out", "out"],
    "no folder": ["evaluate", "tea.yaml", "--agent", "greedy"],
    "no environment": ["evaluate", "--agent", "greedy", "--out", "out"],
    "an unknown agent": ["evaluate", "tea.yaml", "--agent", "nobody", "--out", "out"],
    "an agent that cannot be imported": ["evaluate", "tea.yaml", "--agent", "no.module:x", "--out", "out"],
    "an unknown suite": ["evaluate", "--suite", "sweets", "--out", "out"],
    "suite and environment": ["evaluate", "tea.yaml", "--suite", "hidden", "--out", "out"],
    "an unknown clock": ["evaluate", "tea.yaml", "--agent", "greedy", "--clock", "sun", "--out", "out"],
    "an unknown knowledge": ["evaluate", "tea.yaml", "--agent", "greedy", "--knowledge", "x", "--out", "out"],
    "an unknown reward": ["evaluate", "tea.yaml", "--agent", "greedy", "--reward", "x", "--out", "out"],
    "no episodes": ["evaluate", "tea.yaml", "--agent", "greedy", "--episodes", "0", "--out", "out"],
    "a file as folder": ["evaluate", "tea.yaml", "--agent", "greedy", "--out", "tea.yaml"],
    "somebody else's environment": ["evaluate", "CartPole-v1", "--agent", "greedy", "--out", "out"],
    "solving somebody else's environment": ["solve", "CartPole-v1"],
    "an unknown option of an environment": ["solve", "stratagym/Cooking-v0:salt=1"],
    "an environment that needs a task": ["solve", "stratagym/Task-v0"],
    "a record that is none": ["verify", "tea.yaml"],
    "a record of a broken task": ["verify", "broken.jsonl"],
    "a missing record": ["verify", "missing.jsonl"],
    "an unknown section": ["bench", "--only", "lunch"],
    "an unknown domain": ["certify", "Kooking"],
    "ranking nothing": ["rank", "stratagym/Kooking-v0", "--out", "catalogue.json"],
}


@pytest.fixture
def kitchen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working folder with sound and broken task files."""
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "tea.yaml", TEA)
    written(tmp_path, "broken.yaml", "subtasks: [")
    header = {
        "record": "stratagym episode",
        "version": 1,
        "task": {},
        "seed": 0,
        "clock": "tick",
        "agents": [],
    }
    written(tmp_path, "broken.jsonl", json.dumps(header))
    written(tmp_path, "refused.yaml", {"subtasks": {"a": {"duration": 0}}})
    written(tmp_path, "lines.yaml", 'subtasks: {"a\\nb\\e[31m": {needs: "c\\nd"}}')
    return tmp_path


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_exit_code_two(kitchen: Path, capsys: Captured, name: str) -> None:
    """Nothing on standard output, one line on standard error, no traceback, nothing left behind."""
    assert run(BAD[name]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("stratagym: ")
    assert "Traceback" not in said.err
    assert "\x1b[31m" not in said.err
    assert 20 < len(lines[0]) < 300
    assert "environment creator" not in lines[0]


@pytest.mark.parametrize("name", ["no command", "an unknown option", "a broken file"])
def test_the_script_ends_with_exit_code_two(kitchen: Path, name: str) -> None:
    """The same through a process of its own: one line, exit code 2."""
    done = command(*BAD[name])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("stratagym: ")
    assert done.stderr.count("\n") == 1


def test_help_needs_no_file(capsys: Captured) -> None:
    """Help is on standard output with exit code 0, for the program and for each command."""
    for arguments in (["--help"], ["evaluate", "--help"], ["solve", "--help"]):
        assert run(arguments) == 0
        assert "Usage: stratagym" in capsys.readouterr().out


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    """Who stops reading ends the program without a complaint."""
    shell = f"{sys.executable} -m stratagym.baselines.cli schema | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False, timeout=120)
    assert done.stderr == ""
    assert done.returncode in (0, 141)


ENDLESS = """
import time
class Agent:
    def reset(self, seed): print("playing", flush=True)
    def act(self, seen): time.sleep(60)
"""


def test_an_interrupt_is_clean(tmp_path: Path) -> None:
    """Ctrl-C ends an evaluation with one word, exit code 130 and no traceback; results can be resumed."""
    (tmp_path / "endless.py").write_text(ENDLESS)
    path, out = written(tmp_path, "tea.yaml", TEA), tmp_path / "out"
    program = [sys.executable, "-m", "stratagym.baselines.cli", "evaluate", path, "--agent", "endless:Agent"]
    with subprocess.Popen(
        [*program, "--episodes", "1", "--out", str(out)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run in the background, interrupts may be ignored; children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "playing\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert complaint.splitlines()[-1] == "stratagym: interrupted"
    assert "Traceback" not in complaint
    assert len((out / "results.jsonl").read_text().splitlines()) == 1


def test_rank_writes_the_catalogue(tmp_path: Path, capsys: Captured) -> None:
    """Ranking an environment writes its figures under its label."""
    out = tmp_path / "catalogue.json"
    path = written(tmp_path, "tea.yaml", TEA)
    assert run(["rank", path, "--episodes", "3", "--out", str(out), "--json"]) == 0
    figures = json.loads(out.read_text())["environments"]
    assert figures == json.loads(capsys.readouterr().out)
    assert list(figures) == [path]
    assert figures[path]["subtasks"] == [3, 3]
    assert figures[path]["random"]["success"] == 1.0
    assert figures[path]["ranked"] is False


def test_bench_measures_the_yardstick(capsys: Captured) -> None:
    """The benchmark's rows are data with medians, runs and ratios, the yardstick first."""
    assert run(["bench", "--quick", "--only", "single", "--only", "limit", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[0]["name"].startswith("CartPole-v1")
    assert rows[0]["ratio"] == 1.0
    assert len(rows) == 5
    assert all(row["steps_per_s"] > 0 and row["ratio"] > 0 for row in rows)


@pytest.mark.parametrize("name", ["bench_task.yaml", "bench_plain.yaml"])
def test_the_benchmark_tasks_are_clean(name: str, capsys: Captured) -> None:
    """Both tasks of the benchmark have 32 subtasks and load without a warning."""
    path = Path(__file__).resolve().parent.parent / "baselines" / name
    assert len(load_task(path).graph.subtasks) == 32
    assert run(["check", "--strict", str(path)]) == 0
    assert "32 subtasks" in capsys.readouterr().out


def test_the_benchmark_task_uses_every_field() -> None:
    """The task that speed is measured on leaves out nothing of the language but the world's durations."""
    path = Path(__file__).resolve().parent.parent / "baselines" / "bench_task.yaml"
    graph = load_task(path).graph
    subtasks = graph.subtasks
    assert {s.duration.kind for s in subtasks} == {"fixed", "uniform", "choice"}
    assert {lag.origin for s in subtasks for lag in s.lags} == {"completion", "start"}
    assert any(lag.maximum is not None for s in subtasks for lag in s.lags)
    for field in ("uses", "consumes", "requires", "produces", "lags"):
        assert any(getattr(s, field) for s in subtasks), field
    for field in ("deadline", "skill", "attempts", "attended"):
        assert any(getattr(s, field) is not None for s in subtasks), field
    assert any(s.release for s in subtasks)
    assert any(s.agents > 1 for s in subtasks)
    assert any(s.success < 1 for s in subtasks)
    assert any(s.repeatable for s in subtasks)
    assert any(s.reward for s in subtasks)
    assert {c.kind for c in graph.compositions} >= {
        "all",
        "sequence",
        "any",
        "choice",
        "k of",
        "repeat",
        "family",
        "modes",
    }
    assert {e.kind for e in graph.events} == {
        "undo", "capacity", "stock", "agent", "duration", "deadline", "appear",
    }  # fmt: skip
    assert {e.known for e in graph.events} == {True, False}
    assert graph.choices
    assert graph.dues
    assert graph.constraints
    assert any(gate.negative for gate in graph.gates)


def blocks(language: str) -> list[str]:
    """Return the code blocks of one language in the README."""
    text = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
    return [part.split("```")[0] for part in text.split(f"```{language}\n")[1:]]


def test_the_examples_of_the_readme_run(tmp_path: Path, capsys: Captured) -> None:
    """Its Python runs, and its task passes every check and has the proved optimum of the text."""
    for code in blocks("python"):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    tasks = blocks("yaml")
    assert tasks
    for text in tasks:
        path = written(tmp_path, "readme.yaml", text)
        assert run(["check", "--strict", path]) == 0
        assert run(["solve", path]) == 0
        assert "proved" in capsys.readouterr().out


def test_the_package_runs_as_a_module() -> None:
    """``python -m stratagym`` is the command line."""
    import subprocess

    done = subprocess.run(
        [sys.executable, "-m", "stratagym", "list", "--help"], capture_output=True, text=True, check=True
    )
    assert "Usage: stratagym list" in done.stdout
