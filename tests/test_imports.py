"""Which room may import which, read from the sources; and what `import stratagym` costs."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("envs", "agents", "baselines")

LEVEL = {
    "rng": 0,
    "task": 1,
    "worlds": 2,
    "step": 3,
    "rewards": 4,
    "views": 4,
    "render": 4,
    "domains": 5,
    "certificates": 6,
    "registry": 7,
    "api": 8,
    "record": 9,
    "overlays": 9,
}
"""The order of the rooms in envs; a room imports only lower ones and itself."""

HEAVY = ("torch", "ortools", "pygame", "matplotlib", "numba", "stable_baselines3")


def sources() -> list[Path]:
    """Return every source file of the package."""
    return sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each module that a file imports, wherever in it, with the line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield module, node.lineno
            for alias in node.names:
                yield f"{module}.{alias.name}", node.lineno


def own(name: str) -> tuple[str, ...] | None:
    """Return the parts of a module's name below ``stratagym``, None for a foreign one."""
    parts = name.split(".")
    return tuple(parts[1:]) if parts[0] == "stratagym" and len(parts) > 1 else None


def test_there_are_sources() -> None:
    """The files that these tests are about are found."""
    assert len(sources()) > 20


def test_rooms_import_downwards_only() -> None:
    """Rng < task < worlds < step < {rewards, views, render} < domains < registry < api."""
    wrong = []
    for path in sorted((ROOT / "envs").rglob("*.py")):
        room = path.relative_to(ROOT / "envs").parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        assert room in LEVEL, f"{path}: no level is set for this room"
        for name, line in imported(path):
            parts = own(name)
            if parts is None or parts[0] != "envs" or len(parts) < 2 or parts[1] == room:
                continue
            if LEVEL.get(parts[1], 99) >= LEVEL[room]:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    assert wrong == []


def test_envs_import_neither_agents_nor_baselines() -> None:
    """Environments know nobody who plays them."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in (ROOT / "envs").rglob("*.py")
        for name, line in imported(path)
        if (own(name) or ("",))[0] in ("agents", "baselines")
    ]
    assert wrong == []


def test_agents_see_only_task_view_and_rng() -> None:
    """An agent gets an observation: it imports the task room, the world's view and the draws."""
    allowed = (("envs", "task"), ("envs", "worlds", "view"), ("envs", "rng"))
    wrong = []
    for path in (ROOT / "agents").rglob("*.py"):
        for name, line in imported(path):
            parts = own(name)
            if parts is None or parts[0] == "agents":
                continue
            # "from stratagym.envs.task import x" names the allowed module and the thing in it.
            if not any(parts[: len(a)] == a for a in allowed):
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    assert wrong == []


def test_imports_are_absolute_and_under_one_name() -> None:
    """No module is imported relatively, nor as ``envs``, ``agents`` or ``baselines`` alone."""
    files = [*sources(), *(ROOT / "tests").rglob("*.py"), *(ROOT / "src" / "stratagym").glob("*.py")]
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in files
        for name, line in imported(path)
        if name.startswith(".") or name.split(".")[0] in ROOMS
    ]
    assert wrong == []


def fresh(code: str) -> str:
    """Run a program in a fresh interpreter and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout


def test_import_pulls_in_nothing_heavy() -> None:
    """``import stratagym`` loads neither torch, ortools, pygame, matplotlib nor numba."""
    loaded = json.loads(fresh("import json, sys, stratagym; print(json.dumps(sorted(sys.modules)))"))
    assert "stratagym" in loaded
    assert [name for name in HEAVY if name in loaded] == []


@pytest.mark.parametrize("module", ["stratagym.baselines.cli", "stratagym.agents.zoo"])
def test_the_command_line_starts_light(module: str) -> None:
    """Neither the command line nor the agents load a solver, a compiler or a drawing library at import."""
    loaded = json.loads(fresh(f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"))
    assert [name for name in HEAVY if name in loaded] == []


def test_import_is_fast() -> None:
    """``import stratagym`` takes at most 0.5 s of CPU time, or 2.5 times that of ``import gymnasium``.

    CPU time, and a ratio where the machine is slow, since tests run beside other work.
    """
    clock = "import time; t = time.process_time(); import {}; print(time.process_time() - t)"
    times = {
        name: min(float(fresh(clock.format(name))) for _ in range(5)) for name in ("gymnasium", "stratagym")
    }
    assert times["stratagym"] <= max(0.5, 2.5 * times["gymnasium"])
