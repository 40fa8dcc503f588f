"""Speed: what a step, a start and a proof cost, as ratios to a single CartPole-v1 in the same run.

Owns the method and the table. Steps are timed by repetition: the actions are
chosen beforehand, in a rehearsal, from the masks that the environment shows; the
timed run resets to the same seed and repeats them, so that they are legal and
choosing them costs nothing. Episodes end and start again inside the timing.
Every row is the median of several runs; wall time and CPU time are both given,
since only the second is robust on a machine that others use too.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from stratagym.baselines.suites import TASK_ID, InputError

HERE = Path(__file__).parent
FULL_TASK = HERE / "bench_task.yaml"
PLAIN_TASK = HERE / "bench_plain.yaml"
GRID = HERE / "bench_grid.yaml"
COOKS: dict[str, Any] = {"size": "small", "layout": "team", "agents": 2}
LANES = 4096
REHEARSED = 256
"""Steps in one timed repetition: longer than an episode of either task."""

Row = dict[str, Any]
Chunk = Callable[[], tuple[int, float, float]]
"""Does some steps; returns how many, and the wall and CPU seconds that they took."""


@dataclass(frozen=True, slots=True)
class Length:
    """How long to measure: seconds of one run, and how many runs."""

    seconds: float = 1.5
    runs: int = 5
    tasks: int = 10


QUICK = Length(0.05, 1, 2)


def measure(chunk: Chunk, length: Length) -> tuple[list[float], list[float]]:
    """Run a chunk over and over.

    Returns:
        Steps per wall second and per CPU second, one of each a run.
    """
    chunk()
    wall_rates, cpu_rates = [], []
    for _ in range(length.runs):
        steps, wall, cpu = 0, 0.0, 0.0
        while wall < length.seconds:
            more = chunk()
            steps, wall, cpu = steps + more[0], wall + more[1], cpu + more[2]
        wall_rates.append(steps / wall)
        cpu_rates.append(steps / max(cpu, 1e-9))
    return wall_rates, cpu_rates


def rate_row(name: str, chunk: Chunk, length: Length, base: Row | None, target: float | None = None) -> Row:
    """Measure a chunk and return its row; ratios are to ``base``."""
    wall, cpu = measure(chunk, length)
    row: Row = {
        "name": name,
        "steps_per_s": statistics.median(wall),
        "steps_per_cpu_s": statistics.median(cpu),
        "runs": wall,
    }
    if base is not None:
        row["ratio"] = row["steps_per_s"] / base["steps_per_s"]
        row["ratio_cpu"] = row["steps_per_cpu_s"] / base["steps_per_cpu_s"]
    if target is not None:
        row["target"] = f">= {target:g}x"
    return row


def seconds_row(name: str, runs: Sequence[float], target: float | None = None) -> Row:
    """Return the row of something that is measured in seconds."""
    row: Row = {"name": name, "seconds": statistics.median(runs), "runs": list(runs)}
    if target is not None:
        row["target"] = f"<= {target:g} s"
    return row


def single_chunk(env: Any, actions: Sequence[Any]) -> Chunk:
    """Return the timed repetition of rehearsed actions in a single environment, resets included."""

    def chunk() -> tuple[int, float, float]:
        env.reset(seed=0)
        step, reset = env.step, env.reset
        wall, cpu = time.perf_counter(), time.process_time()
        for action in actions:
            _, _, terminated, truncated, _ = step(action)
            if terminated or truncated:
                reset()
        return len(actions), time.perf_counter() - wall, time.process_time() - cpu

    return chunk


def vector_chunk(envs: Any, actions: Any) -> Chunk:
    """Return the timed repetition of rehearsed actions ``[steps, lanes, ...]`` in a vector environment."""

    def chunk() -> tuple[int, float, float]:
        envs.reset(seed=0)
        step = envs.step
        wall, cpu = time.perf_counter(), time.process_time()
        for action in actions:
            step(action)
        return len(actions) * envs.num_envs, time.perf_counter() - wall, time.process_time() - cpu

    return chunk


def cartpole(length: Length) -> Row:
    """Measure the yardstick: ``gymnasium.make("CartPole-v1")``, random actions sampled beforehand."""
    import gymnasium

    env = gymnasium.make("CartPole-v1")
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(1024)]
    row = rate_row("CartPole-v1, single", single_chunk(env, actions), length, None)
    env.close()
    return {**row, "ratio": 1.0, "ratio_cpu": 1.0}


def pick_legal(mask: Any, joint: Any, rng: np.random.Generator) -> Any:
    """Draw a legal action for every agent of every lane.

    Agents choose in index order; one does not name what an earlier one has taken,
    unless it is a joint subtask, which those who may join do join.

    Args:
        mask: ``[lanes, agents, n + 1]`` int8.
        joint: ``[n + 1]`` bool, which subtasks need several agents.
        rng: draws the preference.

    Returns:
        ``[lanes, agents]`` int64.
    """
    mask = mask.astype(bool)
    lanes, agents, width = mask.shape
    rows = np.arange(lanes)
    taken = np.zeros((lanes, width), dtype=bool)
    joined = np.full(lanes, width - 1)
    chosen = np.empty((lanes, agents), dtype=np.int64)
    for a in range(agents):
        free = mask[:, a] & ~taken
        free[:, :-1] &= ~joint[:-1] | (a == 0)
        action = (free * (1 + rng.random((lanes, width)))).argmax(axis=1)
        follows = mask[rows, a, joined] & (joined < width - 1)
        action = np.where(follows, joined, action)
        joined = np.where((action < width - 1) & joint[action], action, joined)
        taken[rows, action] = True
        taken[:, -1] = False
        chosen[:, a] = action
    return chosen


def joint_subtasks(env: Any) -> Any:
    """Return ``[n + 1]`` bool: which actions of an environment name a subtask for several agents."""
    if env.model.kernel is not None:
        return np.zeros(env.acting.columns, bool)
    return np.array([s.agents > 1 for s in env.task.graph.subtasks] + [False])


def rehearse_single(env: Any) -> list[Any]:
    """Choose legal actions for the timed repetition of a single environment."""
    rng = np.random.default_rng(0)
    joint = joint_subtasks(env.unwrapped)
    _, info = env.reset(seed=0)
    actions: list[Any] = []
    for _ in range(REHEARSED * 4):
        mask = np.atleast_2d(info["action_mask"])
        picked = pick_legal(mask[None], joint, rng)[0]
        action = int(picked[0]) if len(picked) == 1 else picked
        actions.append(action)
        _, _, terminated, truncated, info = env.step(action)
        if terminated or truncated:
            _, info = env.reset()
    return actions


def rehearse_vector(envs: Any, joint: Any) -> Any:
    """Choose legal actions ``[steps, lanes, ...]`` for the timed repetition of a vector environment."""
    rng = np.random.default_rng(0)
    _, info = envs.reset(seed=0)
    actions = []
    for _ in range(REHEARSED):
        mask = np.asarray(info["action_mask"])
        single = mask.ndim == 2
        picked = pick_legal(mask[:, None] if single else mask, joint, rng)
        action = picked[:, 0] if single else picked
        actions.append(action)
        _, _, _, _, info = envs.step(action)
    return np.stack(actions)


def single(length: Length, base: Row) -> list[Row]:
    """Measure one environment with the flat view and the mask."""
    import gymnasium

    import stratagym  # noqa: F401 - registers the environments

    rows = []
    for name, task, target in (
        ("32 subtasks, every field", FULL_TASK, 0.5),
        ("needs and durations", PLAIN_TASK, None),
    ):
        env = gymnasium.make(TASK_ID, task=str(task))
        chunk = single_chunk(env, rehearse_single(env))
        rows.append(rate_row(f"one environment: {name}", chunk, length, base, target))
        env.close()
    return rows


def vector(length: Length, base: Row) -> list[Row]:
    """Measure batches of 4,096 lanes on one and on two threads, autoreset on."""
    import gymnasium

    import stratagym  # noqa: F401 - registers the environments

    rows = []
    cores = os.cpu_count() or 1
    for name, task, targets in (
        ("32 subtasks, every field", FULL_TASK, {1: 80.0, 2: 150.0}),
        ("needs and durations", PLAIN_TASK, {}),
    ):
        actions = None
        for threads in (1, 2):
            envs = gymnasium.make_vec(TASK_ID, num_envs=LANES, task=str(task), threads=threads)
            if actions is None:
                actions = rehearse_vector(envs, joint_subtasks(envs.unwrapped))
            label = f"{LANES} lanes, {threads} thread{'s' if threads > 1 else ''}: {name}"
            row = rate_row(label, vector_chunk(envs, actions), length, base, targets.get(threads))
            if threads > cores:
                row["note"] = f"this machine has {cores} core(s)"
            rows.append(row)
            envs.close()
    return rows


def limit(length: Length, base: Row) -> list[Row]:
    """Measure the least that a kernel could do: start, count down, write 96 values and a mask."""
    from stratagym.baselines import bench_limit

    return [
        rate_row(f"bare numba kernel, {threads} thread{'s' if threads > 1 else ''}", chunk, length, base)
        for threads, chunk in bench_limit.chunks(LANES)
    ]


def _python(code: str, **variables: str) -> float:
    """Run a program in a fresh interpreter and return the number that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    if done.returncode:
        raise InputError(
            f"bench: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'no output'}"
        )
    return float(done.stdout.split()[-1])


_CLOCK = "import time; t = time.perf_counter(); "
_IMPORT = _CLOCK + "import {module}; print(time.perf_counter() - t)"
_FIRST = (
    "import time, gymnasium, stratagym; t = time.perf_counter(); "
    f"env = gymnasium.make({TASK_ID!r}, task={{task!r}}); env.reset(seed=0); print(time.perf_counter() - t)"
)
_COMPILE = (
    "import time, gymnasium, stratagym; t = time.perf_counter(); "
    f"envs = gymnasium.make_vec({TASK_ID!r}, num_envs=8, task={{task!r}}); "
    "envs.reset(seed=0); envs.step(envs.action_space.sample()); print(time.perf_counter() - t)"
)


def start(length: Length, base: Row) -> list[Row]:
    """Measure import, first make and reset, and the first compiled step without and with a cache."""
    task = str(FULL_TASK)
    rows = [
        seconds_row(
            f"import {module}", [_python(_IMPORT.format(module=module)) for _ in range(length.runs)], target
        )
        for module, target in (("gymnasium", None), ("stratagym", 0.5))
    ]
    rows.append(
        seconds_row(
            "first make and reset", [_python(_FIRST.format(task=task)) for _ in range(length.runs)], 1.0
        )
    )
    with tempfile.TemporaryDirectory() as cache:
        cold = _python(_COMPILE.format(task=task), STRATAGYM_CACHE=cache)
        warm = [_python(_COMPILE.format(task=task), STRATAGYM_CACHE=cache) for _ in range(length.runs)]
    rows.append(seconds_row("first compiled step, empty cache", [cold], 20.0))
    rows.append(seconds_row("first compiled step, from the cache", warm, 2.0))
    return rows


def proofs(length: Length, base: Row) -> list[Row]:
    """Measure how long the solver takes to prove the optimum of 30-subtask tasks."""
    from stratagym.envs.task.generate import generate
    from stratagym.envs.task.knobs import Knobs
    from stratagym.envs.task.optimum import optimum
    from stratagym.envs.task.spec import load_task

    knobs = Knobs(number=30, depth=7, width=6, min_lags=0.2, max_lags=0.1, deadlines=0.1, items=1)
    seconds, proved = [], 0
    for seed in range(length.tasks):
        graph = load_task(generate(knobs, seed)).graph
        begin = time.perf_counter()
        found = optimum(graph, time_limit=30.0)
        seconds.append(time.perf_counter() - begin)
        proved += found.proved
    row = seconds_row("optimum of a 30-subtask task", seconds, 2.0)
    return [{**row, "note": f"{proved} of {len(seconds)} proved"}]


def worlds(length: Length, base: Row) -> list[Row]:
    """Measure a grid alone and in a batch, a kitchen of two cooks, and the reset of a large land."""
    import gymnasium
    import yaml

    import stratagym  # noqa: F401 - registers the environments

    grid = yaml.safe_load(GRID.read_text(encoding="utf-8"))
    env = gymnasium.make(TASK_ID, **grid)
    rows = [
        rate_row("one environment: grid of 10x10", single_chunk(env, rehearse_single(env)), length, base, 0.3)
    ]
    env.close()
    for name, (env_id, options), target in (
        ("grid of 10x10", (TASK_ID, grid), 25.0),
        ("a kitchen with two cooks", ("stratagym/Kitchen-v0", COOKS), 10.0),
    ):
        envs = gymnasium.make_vec(env_id, num_envs=LANES, **options)
        actions = rehearse_vector(envs, joint_subtasks(envs.unwrapped))
        rows.append(
            rate_row(f"{LANES} lanes, 1 thread: {name}", vector_chunk(envs, actions), length, base, target)
        )
        envs.close()
    return [*rows, seconds_row("Wilderness: a new land of 64x64, until reset", new_lands(length), 0.05)]


def _kth(function: Any, k: int, index: int) -> Any:
    """Return what a source has at ``k``, whatever the index."""
    return function(k)


def new_lands(length: Length) -> list[float]:
    """Return how long it takes to draw, check, compile and reset lands that were never played."""
    from stratagym.envs.api.options import Options
    from stratagym.envs.api.single import TaskEnv
    from stratagym.envs.registry import source_of
    from stratagym.envs.step import Model

    source = source_of("Wilderness", {"size": "large"})
    seconds = []
    for k in range(1 + length.tasks):
        begin = time.perf_counter()
        model = Model(source.key, 1, partial(_kth, source.mapping, k), scene=partial(_kth, source.scene, k))
        TaskEnv(model, Options(executor="interpreted")).reset(seed=0)
        seconds.append(time.perf_counter() - begin)
    return seconds[1:]  # the first imports what the others find


SECTIONS: dict[str, Callable[[Length, Row], list[Row]]] = {
    "single": single,
    "vector": vector,
    "limit": limit,
    "worlds": worlds,
    "start": start,
    "proofs": proofs,
}


def run(only: Sequence[str] = (), *, quick: bool = False) -> list[Row]:
    """Measure the sections and return their rows, the yardstick first.

    Args:
        only: names of ``SECTIONS``; empty for all.
        quick: runs too short to mean anything.

    Raises:
        InputError: if a section is unknown.
    """
    unknown = [name for name in only if name not in SECTIONS]
    if unknown:
        raise InputError(f"bench: {unknown[0]!r} is not one of {', '.join(SECTIONS)}")
    length = QUICK if quick else Length()
    base = cartpole(length)
    rows = [base]
    for name, section in SECTIONS.items():
        if not only or name in only:
            rows += section(length, base)
    return rows


def print_rows(console: Any, rows: Sequence[Row]) -> None:
    """Print the table to a rich console."""
    from rich.table import Table

    table = Table("measured", "median", "x CartPole", "by CPU time", "goal", "")
    for row in rows:
        rate = "steps_per_s" in row
        table.add_row(
            row["name"],
            f"{row['steps_per_s']:,.0f} steps/s" if rate else f"{row['seconds']:.2f} s",
            f"{row['ratio']:.2f}" if rate else "",
            f"{row['ratio_cpu']:.2f}" if rate else "",
            row.get("target", ""),
            row.get("note", ""),
        )
    console.print(table)
