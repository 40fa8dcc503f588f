"""Does work that is killed at random moments end as work that was not?

Owns the proof: a command of the command line runs once to its end; then the same command is killed with
signal 9 at random moments, begun again with ``--resume`` each time, until it has been killed often
enough and has ended. What both leave is compared file by file: weights, rows, figures. Only what must differ
is left out (processor time, the logs of TensorBoard, pictures, the folder's own name).

Use: ``python -m stratagym.baselines.claims.kills``.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stratagym.baselines.claims.trials import publish

KILLS = 20

TRAINING = ("--test-episodes", "10", "--set", "eval_episodes=10", "--set", "net=[64,64]")
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "train maskable_ppo": (
        "train", "maskable_ppo", "stratagym/Cooking-v0:size=small", "--total-steps", "200000",
        "--set", "save_every=8192", "--set", "eval_every=16384", *TRAINING,
    ),
    "train hppo": (
        "train", "hppo", "stratagym/Mining-v0:size=small", "--total-steps", "20480",
        "--set", "save_every=1024", "--set", "eval_every=4096", *TRAINING,
    ),
    "suite run smoke": ("suite", "run", "smoke", "--jobs", "2"),
    "evaluate": (
        "evaluate", "stratagym/Cooking-v0:split=test", "stratagym/Mining-v0:split=test", "--agent", "greedy",
        "--agent", "beam", "--episodes", "60", "--jobs", "2",
    ),
}  # fmt: skip
"""What is killed: the command, without its folder."""

VARIES = ("cpu_seconds", "cpu", "cpu_hours", "git", "versions", "seconds")
"""Fields that differ between any two runs of one command."""
LEFT_OUT = ("tensorboard", "pictures", "checkpoints")
"""Folders that are not compared; what checkpoints hold shows in the weights that come of them."""


@dataclass(frozen=True)
class Killed:
    """What killing a command has shown.

    Attributes:
        kills: how often it was killed.
        during: how many of them fell after it had begun to write (the others while it was starting).
        ended: how many broken runs came to their end.
        files: how many files of each were compared.
        different: those that were not the same.
        orphans: how many of the kills have left a worker that did not end by itself.
        rows: of the unbroken run.
    """

    kills: int
    during: int
    ended: int
    files: int
    different: tuple[str, ...]
    orphans: int
    rows: int


def prove(arguments: Sequence[str], kills: int, folder: Path, seed: int = 0) -> Killed:
    """Run a command unbroken, then kill it at random moments, and compare what is left.

    Args:
        arguments: of the program, but for the folder.
        kills: how often it is killed; a broken run that ends earlier is followed by another.
        folder: where everything goes.
        seed: of the moments.

    Raises:
        RuntimeError: if the command fails by itself.
    """
    whole = folder / "whole"
    command = _start(arguments, whole)
    _until_it_writes(command)
    begun = time.monotonic()
    _end(command)
    length = time.monotonic() - begun
    wanted = contents(whole)
    rng = np.random.default_rng(seed)
    killed = during = ended = 0
    groups: list[int] = []
    different: set[str] = set()
    while killed < kills or not ended:
        broken = folder / f"broken-{ended}"
        command = _start(arguments, broken)
        # Every second one dies at a moment of its work, so that together they are spread over all of
        # it; the others at any moment since they were begun.
        if killed % 2 == 0:
            _until_it_writes(command)
        try:
            command.process.wait(float(rng.uniform(0.0, 4 * length / kills)) if killed < kills else None)
        except subprocess.TimeoutExpired:
            during += _stamps(broken) != command.found
            os.kill(command.process.pid, signal.SIGKILL)
            command.process.wait()
            groups.append(command.process.pid)
            killed += 1
            continue
        _end(command)
        ended += 1
        found = contents(broken)
        different |= {name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)}
        shutil.rmtree(broken)
    rows = sum(len(part) for name, part in wanted.items() if name.endswith(".jsonl"))
    return Killed(killed, during, ended, len(wanted), tuple(sorted(different)), _orphans(groups), rows)


@dataclass(frozen=True)
class _Command:
    """A command that was started.

    Attributes:
        process: that runs it.
        out: its folder.
        found: what stood there when it began.
    """

    process: subprocess.Popen[bytes]
    out: Path
    found: frozenset[tuple[str, int]]


def _start(arguments: Sequence[str], out: Path) -> _Command:
    command = [sys.executable, "-m", "stratagym", *arguments, "--out", str(out)]
    if out.is_dir():
        command.append("--resume")
    found = _stamps(out)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, process_group=0)
    return _Command(process, out, found)


def _orphans(groups: Sequence[int], patience: float = 10.0) -> int:
    """Return how many groups of processes have members left; those are ended."""
    until, left = time.monotonic() + patience, list(groups)
    while left:
        left = [group for group in left if _lives(group)]
        if time.monotonic() > until:
            break
        time.sleep(0.2)
    for group in left:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    return len(left)


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _stamps(folder: Path) -> frozenset[tuple[str, int]]:
    """Return which files there are, each with the time of its last change."""
    found = set()
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # a folder that is just being replaced
            found.add((str(path), path.stat().st_mtime_ns))
    return frozenset(found)


def _until_it_writes(command: _Command) -> None:
    """Wait until a command has begun to work: it has written something."""
    while command.process.poll() is None and _stamps(command.out) == command.found:
        time.sleep(0.05)


def _end(command: _Command) -> None:
    """Wait for a command's end.

    Raises:
        RuntimeError: if it has failed.
    """
    _, said = command.process.communicate()
    code = command.process.returncode
    if code:
        raise RuntimeError(
            f"{command.process.args!r} ended with {code}: {said.decode(errors='replace')[-2000:]}"
        )


def contents(folder: Path) -> dict[str, Any]:
    """Return what a command has left, by the path of each file: what must be the same of two runs.

    Rows are lists, sorted (two processes finish them in any order), so that a lost or doubled one shows.
    """
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_dir() or set(name.parts) & set(LEFT_OUT):
            continue
        if path.suffix == ".pt":
            found[str(name)] = _weights(path)
        elif path.suffix in (".jsonl", ".json"):
            text = path.read_text(encoding="utf-8").replace(str(folder), ".")
            parts = text.splitlines() if path.suffix == ".jsonl" else [text]
            found[str(name)] = sorted(json.dumps(_same(json.loads(part)), sort_keys=True) for part in parts)
        elif path.suffix not in (".md", ".png"):  # pages are made of what is compared
            found[str(name)] = path.read_bytes()
    return found


def _weights(path: Path) -> dict[str, bytes]:
    from stratagym.baselines.learning.checkpoint import load_tensors

    return {name: part.numpy().tobytes() for name, part in load_tensors(path).items()}


def _same(value: Any) -> Any:
    """Return plain data without the fields that differ between any two runs."""
    if isinstance(value, dict):
        return {key: _same(part) for key, part in value.items() if key not in VARIES}
    return [_same(part) for part in value] if isinstance(value, list) else value


def main() -> None:
    """Kill every command and write the result."""
    begun = os.times()
    figures: dict[str, Any] = {}
    for name, arguments in COMMANDS.items():
        with tempfile.TemporaryDirectory() as folder:
            found = prove(arguments, KILLS, Path(folder))
        figures[name] = {
            "kills": found.kills, "while working": found.during, "broken runs": found.ended,
            "files compared": found.files, "rows": found.rows, "different": list(found.different),
            "orphans": found.orphans,
        }  # fmt: skip
        print(name, figures[name], flush=True)
    ended = os.times()
    spent = ended.children_user + ended.children_system - begun.children_user - begun.children_system
    figures["cpu_hours"] = spent / 3600
    publish("kills", figures, "python -m stratagym.baselines.claims.kills")


if __name__ == "__main__":
    main()
