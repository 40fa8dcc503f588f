"""What are skills worth to a learner, and where are they worth nothing?

Owns the comparison of ``hppo`` (PPO over scripted skills) with a flat MaskablePPO of the world's own actions,
both by the dense reward, by the ticks that each has played until it succeeds as often as the flat one ever
does: in two families on maps whose tasks are deep, and at a bench with eight tools, where a task is one
step of depth 1 and nothing has to be reached (the negative twin).

With skills that are learned first (``Learned``) their training is counted in.

Use: ``python -m stratagym.baselines.claims.skills Mining`` (or ``Kitchen``, ``Bench``, ``Learned``).
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import stratagym
from stratagym.baselines import train
from stratagym.baselines.claims.trials import mean_of, publish

TOOLS = 8
BENCH = "claims/Bench-v0"


def errand(tool: int) -> dict[str, Any]:
    """Return a task at the bench: one of its tools is to be used, at the first attempt."""
    names = [f"use tool {k}" for k in range(TOOLS)]
    return {
        "name": f"errand {tool}",
        "horizon": 1,
        "subtasks": {name: {} for name in names},
        "goal": names[tool],
    }


def bench() -> dict[str, Any]:
    """Return the place: a body that faces the bench, and walls around it."""
    verbs = [f"use {k}" for k in range(TOOLS)]
    return {
        "world": "grid",
        "map": ["###", "#A#", "#b#"],
        "legend": {"#": "wall", "A": {"fixture": "floor", "body": 0}, "b": "bench"},
        "fixtures": {"bench": {"solid": True}},
        "verbs": verbs,
        "bodies": [{"facing": "down"}],
        "rules": {f"use tool {k}": {"verb": verb, "at": "bench"} for k, verb in enumerate(verbs)},
    }


@dataclass(frozen=True)
class World:
    """Where is learned.

    Attributes:
        env: as ``stratagym train`` takes it.
        settings: of each method, beyond those of its file.
        seeds: how many runs of each method.
        test_episodes: in which the best agents are tested at the end.
    """

    env: str
    settings: Mapping[str, Mapping[str, Any]]
    seeds: int = 3
    test_episodes: int = 48


METHODS = ("maskable_ppo", "hppo")
MEASURED: Mapping[str, Any] = {"eval_episodes": 48, "save_every": 10**9}
"""Each measurement plays the 48 validation maps of a family once."""
FLAT: Mapping[str, Any] = {
    **MEASURED, "total_steps": 400_000, "eval_every": 25_000, "net": [128, 128], "n_epochs": 4,
}  # fmt: skip
OVER_SKILLS: Mapping[str, Any] = {**MEASURED, "total_steps": 6_144, "eval_every": 1_024}
LONGER: Mapping[str, Any] = {**OVER_SKILLS, "total_steps": 40_960, "eval_every": 5_120}
ALIKE: Mapping[str, Any] = {
    "lanes": 8, "n_steps": 8, "batch_size": 64, "n_epochs": 4, "learning_rate": 1e-3, "net": [64, 64],
    "total_steps": 4_096, "eval_every": 64, "eval_episodes": 1, "save_every": 10**9,
}  # fmt: skip
"""At the bench both methods have the same settings."""

WORLDS: Mapping[str, World] = {
    "Mining": World("stratagym/Mining-v0:size=small", {"maskable_ppo": FLAT, "hppo": OVER_SKILLS}),
    "Kitchen": World("stratagym/Kitchen-v0:size=small", {"maskable_ppo": FLAT, "hppo": LONGER}),
    "Bench": World(BENCH, {"maskable_ppo": ALIKE, "hppo": ALIKE}, 5, 0),
}

SKILL: Mapping[str, Any] = {
    **MEASURED, "view": "planes", "total_steps": 61_440, "eval_every": 15_360, "lanes": 16, "n_steps": 64,
    "batch_size": 256, "n_epochs": 4, "net": [128, 128],
}  # fmt: skip
OVER_LEARNED: Mapping[str, Any] = {**MEASURED, "total_steps": 3_072, "eval_every": 1_024, "eval_episodes": 24}

WAYS = ("success", "training", "value")
"""What is compared: success on validation maps, of the latest training episodes, and return on the former."""
MASTERED = 0.95


@dataclass(frozen=True)
class Curve:
    """What one run has measured.

    Attributes:
        played: ticks of training before each measurement.
        success: on validation maps (the likeliest actions), at each measurement.
        training: success of the latest 100 training episodes (drawn actions).
        value: mean return on validation maps.
        tested: success on test maps of the best agent, None if it was not asked for.
    """

    played: tuple[int, ...]
    success: tuple[float, ...]
    training: tuple[float, ...]
    value: tuple[float, ...]
    tested: float | None = None


def learn(world: World, method: str, seed: int, folder: Path) -> Curve:
    """Train one agent and return what was measured on the way."""
    if world.env == BENCH:
        stratagym.register(BENCH, task=errand(seed % TOOLS), world=bench())
    done = train.train(
        method, world.env, folder, seed=seed, changes=world.settings[method],
        test_episodes=world.test_episodes, against=(),
    )  # fmt: skip
    rows = [json.loads(line) for line in (folder / train.ROWS).read_text(encoding="utf-8").splitlines()]
    return Curve(
        tuple(row["played"] for row in rows),
        tuple(row["success"] for row in rows),
        tuple(row["training"] or 0.0 for row in rows),
        tuple(row["return"] for row in rows),
        done["success"],
    )


def reached(curve: Curve, level: float, of: str) -> int | None:
    """Return the ticks after which a curve is first at a level, and at least there on average ever after."""
    values = np.array(getattr(curve, of))
    for k, value in enumerate(values):
        if value >= level and values[k:].mean() >= level:
            return curve.played[k]
    return None


def compare(flat: Sequence[Curve], over: Sequence[Curve]) -> dict[str, Any]:
    """Return the figures of one world.

    For each pair of runs: what the flat one reaches at best, after how many ticks, and when the other is
    there.
    A curve that is there at its first measurement, before anything was played, is there after 0 ticks.
    """
    figures: dict[str, Any] = {}
    for of in WAYS:
        pairs = []
        for mine, its in zip(flat, over, strict=True):
            values = getattr(mine, of)
            best = max(values)
            ticks, there = mine.played[values.index(best)], reached(its, best, of)
            pairs.append({"best": best, "flat": ticks, "over skills": there})
        figures[of] = pairs
    figures["mastered"] = {
        name: [reached(curve, MASTERED, "training") for curve in curves]
        for name, curves in zip(METHODS, (flat, over), strict=True)
    }
    for name, curves in zip(METHODS, (flat, over), strict=True):
        figures[name] = {
            "played": mean_of([float(curve.played[-1]) for curve in curves]),
            "best on validation maps": mean_of([max(curve.success) for curve in curves]),
            "best of training": mean_of([max(curve.training) for curve in curves]),
        }
        if all(curve.tested is not None for curve in curves):
            figures[name]["on test maps"] = mean_of([float(curve.tested or 0.0) for curve in curves])
    # Where the flat one never masters the task, what it has played is a lower bound of what it would take.
    factors = [
        (mine or curve.played[-1]) / its
        for mine, its, curve in zip(*figures["mastered"].values(), flat, strict=True)
        if its
    ]
    if len(factors) == len(flat):
        figures["factor"] = mean_of(factors)
        figures["factor is a lower bound"] = None in figures["mastered"][METHODS[0]]
    return figures


def pairs(world: World) -> Iterator[dict[str, list[Curve]]]:
    """Train both methods, seed after seed; yield all curves so far after each."""
    curves: dict[str, list[Curve]] = {method: [] for method in METHODS}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(world.seeds):
            for method in reversed(METHODS):
                curves[method].append(learn(world, method, seed, Path(folder) / f"{method}-{seed}"))
                print(world.env, method, seed, curves[method][-1], flush=True)
            yield curves


def learned(seed: int, folder: Path) -> dict[str, Any]:
    """Learn the skill of the mines, then a planner over it, and return what both took and reach.

    The skill's own ticks count; those of the scripted play that leads to its start states do not.
    """
    env = WORLDS["Mining"].env
    skill = learn(World(env, {"skill_ppo": SKILL}), "skill_ppo", seed, folder / "skill")
    changes = {**OVER_LEARNED, "skills": str(folder / "skill")}
    over = learn(World(env, {"hppo": changes}), "hppo", seed, folder / "planner")
    there = reached(over, MASTERED, "training")
    return {
        "env": env,
        "settings": {"skill_ppo": SKILL, "hppo": OVER_LEARNED},
        "skill": {
            "played": skill.played,
            "goals reached": skill.success,
            "under critical_path": skill.tested,
        },
        "planner": {"played": over.played, "success": over.success, "training": over.training},
        "planner on test maps": over.tested,
        "ticks to mastery": None if there is None else skill.played[-1] + there,
    }


def main() -> None:
    """Measure the worlds that are named and write their results, after every seed."""
    for name in sys.argv[1:]:
        command = f"python -m stratagym.baselines.claims.skills {name}"
        if name == "Learned":
            with tempfile.TemporaryDirectory() as folder:
                publish("skills-learned", learned(0, Path(folder)), command)
            continue
        world = WORLDS[name]
        for curves in pairs(world):
            figures = {"env": world.env, "settings": world.settings, "seeds": len(curves[METHODS[0]])}
            publish(
                f"skills-{name.lower()}",
                {**figures, **compare(*(curves[method] for method in METHODS))},
                command,
            )


if __name__ == "__main__":
    main()
