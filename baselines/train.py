"""A training run: from a method and an environment to a folder that holds an evaluated agent.

Owns the course of a run: what is measured and kept on the way, how it is taken up again after
a kill, and the final evaluation. A run that was killed and resumed ends with the weights of one
that was not (on a CPU). What learns is made in ``learning.build``; the methods are in
``methods``.

The folder: ``run.json`` (what was asked for), ``train.jsonl`` (one row a measurement),
``tensorboard/``, ``checkpoints/step-N/``, ``first/``, ``best/`` and ``final/`` (agents), ``results.jsonl``
with its report, in the format of ``stratagym evaluate``, and ``done.json`` when all is done.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from stratagym.baselines.methods import Options, Settings, Skills, check_method, load_settings
from stratagym.baselines.suites import EnvironmentSpec, InputError, one_line, parse_environment

SCHEMA = 1
RUN, ROWS, DONE = "run.json", "train.jsonl", "done.json"
FIRST = "first"
"""Folder of the agent before it has learned anything: what training is worth is measured against it."""
VALIDATION_SEED = 1_000_000
"""Seed of the first validation episode (in environments without splits, far from those of training)."""
TEST_SEED = 0
KEPT = 2
"""How many checkpoints are kept, the newest."""

Progress = Callable[[int, int, Mapping[str, Any]], None]
"""Told how many steps are done, of how many, and what was measured last."""


def need_extra() -> None:
    """Refuse to train without the packages that it takes.

    Raises:
        InputError: saying what to install.
    """
    lacking = [name for name in ("torch", "stable_baselines3", "sb3_contrib") if find_spec(name) is None]
    if lacking:
        raise InputError(f"training needs {', '.join(lacking)}: pip install 'stratagym[train]'")


@dataclass
class Run:
    """What a run was asked for.

    Attributes:
        method: its name.
        spec: the environment.
        settings: of the method.
        seed: of the weights, the lanes and every draw.
        device: as PyTorch names it.
        held_out: what is evaluated at the end; None for the test split of the same.
        start: folder of an agent whose weights the run begins with, None for fresh ones.
    """

    method: str
    spec: EnvironmentSpec
    settings: Settings
    seed: int = 0
    device: str = "cpu"
    held_out: EnvironmentSpec | None = None
    start: str | None = None

    def written(self) -> dict[str, Any]:
        """Return the run as ``run.json`` holds it."""
        from stratagym.baselines.rows import git_revision, plain, versions

        return {
            "schema": SCHEMA,
            "method": self.method,
            "env": {"id": self.spec.id, "options": plain(self.spec.options), "label": self.spec.label},
            "settings": self.settings.model_dump(),
            "seed": self.seed,
            "device": self.device,
            "held_out": None if self.held_out is None else self.held_out.label,
            "start": self.start,
            "versions": versions(),
            "git": git_revision(),
        }


SAME = ("method", "env", "settings", "seed", "device", "held_out", "start")
"""What must not change when a run is resumed (but for ``settings.total_steps``)."""


def train(
    method: str,
    env: str | EnvironmentSpec,
    out: str | Path,
    *,
    seed: int = 0,
    device: str = "cpu",
    changes: Mapping[str, Any] | None = None,
    held_out: str | EnvironmentSpec | None = None,
    start: str | None = None,
    resume: bool = False,
    test_episodes: int = 100,
    against: tuple[str, ...] = ("random",),
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train an agent and evaluate it.

    Args:
        method: one of ``methods.METHODS``.
        env: an id (``stratagym/Cooking-v0:size=small``), a task file, a folder of task files.
        out: folder of the run.
        seed: of the weights, the lanes and every draw.
        device: as PyTorch names it.
        changes: settings that differ from the method's file.
        held_out: what is evaluated at the end; None for the test split of ``env``.
        start: folder of a trained agent to begin with (behaviour cloning, say).
        resume: whether a run that stands in ``out`` goes on.
        test_episodes: of the final evaluation; 0 leaves it out.
        against: agents that are evaluated beside it.
        progress: told of each measurement.

    Returns:
        The last measurement, over it what ``done.json`` holds (``validation`` is the success on validation
        seeds, ``success`` that on test seeds, None without a test), and the folder.

    Raises:
        InputError: if an argument, or what stands in the folder, cannot be used.
    """
    check_method(method)
    need_extra()
    spec = parse_environment(env) if isinstance(env, str) else env
    other = parse_environment(held_out) if isinstance(held_out, str) else held_out
    settings = load_settings(method, spec.label, changes)
    run = Run(method, spec, settings, seed, device, other, start)
    folder = Path(out)
    check_folder(folder, run, resume=resume)
    from stratagym.baselines.learning import build
    from stratagym.baselines.learning.checkpoint import write_json

    build.settle_torch()
    build.check_device(device)
    if test_episodes:
        check_test(run, test_episodes, against)
    if build.is_cloning(settings):
        from stratagym.baselines.learning.cloning import clone

        last = clone(folder, run, progress)
    else:
        last = learn(folder, run, progress)
    (folder / DONE).unlink(missing_ok=True)
    tested = test(folder, run, test_episodes, against) if test_episodes else {}
    done = {"method": method, "env": spec.label, "seed": seed, **_end(last), **tested}
    write_json(folder / DONE, done)
    return {**last, **done, "folder": str(folder)}


def _end(last: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``done.json`` says of the last measurement."""
    return {
        "steps": last.get("step"),
        "validation": last.get("success"),
        "cpu_seconds": round(float(last.get("cpu", 0.0)), 1),
        "success": None,
        "score": None,
    }


def check_folder(folder: Path, run: Run, *, resume: bool) -> None:
    """Check that a run that stands in a folder is the same, and to be resumed.

    A folder without a run in it is of one that was killed before it began: it begins now.

    Raises:
        InputError: if it is not, or none stands there that could be.
    """
    from stratagym.baselines.learning.checkpoint import read_json

    path = folder / RUN
    if resume and not folder.is_dir():
        raise InputError(f"{folder}: there is no run to resume; leave out --resume to begin one")
    if not path.is_file():
        return
    if not resume:
        raise InputError(f"{folder} holds a run already: --resume continues it, or choose another folder")
    known, asked = read_json(path), json.loads(json.dumps(run.written()))
    for name in SAME:
        mine, its = asked[name], known.get(name)
        if name == "settings" and isinstance(its, dict):
            for key, value in mine.items():
                if key != "total_steps" and its.get(key) != value:
                    raise InputError(f"{folder}: this run has {key}={its.get(key)!r}, not {value!r}")
        elif mine != its:
            raise InputError(f"{folder}: this run has {name}={_short(its)}, not {_short(mine)}")


def open_folder(folder: Path, run: Run) -> None:
    """Make the folder of a run that can begin; what it was asked for first stays.

    Raises:
        InputError: if the folder cannot be written to.
    """
    from stratagym.baselines.learning.checkpoint import write_json

    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / RUN).is_file():
            write_json(folder / RUN, run.written())
    except OSError as error:
        raise InputError(f"{folder}: cannot be written to ({error.strerror})") from error


def _short(value: Any) -> str:
    return repr(value["label"] if isinstance(value, dict) and "label" in value else value)


# ------------------------------------------------------------------ learning by reward


def learn(folder: Path, run: Run, progress: Progress | None) -> dict[str, Any]:
    """Train by reward, from the newest checkpoint on if there is one."""
    from stable_baselines3.common.logger import Logger

    from stratagym.baselines.learning import build, checkpoint
    from stratagym.baselines.learning.course import Board, Course

    settings = run.settings
    with warnings.catch_warnings():
        # The lanes are ours: SB3 cannot know that statistics come without its Monitor.
        warnings.simplefilter("ignore", UserWarning)
        batch = lanes_of(run, "train", settings.lanes)
        venv = build.make_venv(batch, settings)
        model = build.make_model(run.method, settings, venv, run.seed, run.device)
    about = describe(run, batch, model.observation_space, model.action_space, model)
    known = sorted((folder / "checkpoints").glob("step-*"))
    more: dict[str, Any] = {}
    if known:
        more = checkpoint.load_run(known[-1], model)
    elif run.start is not None:
        start_from(run.start, model)
    open_folder(folder, run)
    cut_rows(folder / ROWS, model.num_timesteps if known else -1)
    course = Course(folder, run, about, model, more, progress)
    outputs: list[Any] = (
        [Board(folder / "tensorboard", model.num_timesteps)] if find_spec("tensorboard") else []
    )
    model.set_logger(Logger(str(folder), outputs))
    try:
        left = settings.total_steps - model.num_timesteps
        if left > 0:
            model.learn(left, callback=course, reset_num_timesteps=False)
        course.finish()
    finally:
        model.logger.close()
        venv.close()
    return course.last


def lanes_of(run: Run, split: str, count: int, mode: str = "SameStep") -> Any:
    """Return a batch of what the run's policy acts in: the environment, its SMDP, or one skill of it.

    Raises:
        InputError: if an option is wrong, or the method does not fit the environment.
    """
    from stratagym.baselines.learning import build, skills

    settings = run.settings
    options = build.options_for(run.spec, settings, split)
    whole = EnvironmentSpec(run.spec.id, options, run.spec.label)
    if isinstance(settings, Options):
        return skills.smdp(whole, count, settings, mode)
    if isinstance(settings, Skills):
        return skills.practice(whole, count, settings, mode)
    return whole.make_batch(count, mode, events=False)


def validation_of(run: Run) -> Any:
    """Return the batch in which a run is measured."""
    lanes = isinstance(run.settings, Options | Skills)
    return lanes_of(run, "validation", run.settings.eval_episodes, "SameStep" if lanes else "Disabled")


def describe(run: Run, batch: Any, observations: Any, actions: Any, model: Any = None) -> dict[str, Any]:
    """Return what ``agent.json`` says of the run's agent."""
    from stratagym.baselines.learning import build, trained

    settings, scene = run.settings, batch.model.scene(0)
    return {
        "method": run.method,
        "env": {"id": run.spec.id, "label": run.spec.label},
        "world": None if scene is None else scene.kind,
        "seed": run.seed,
        "eyes": trained.describe_eyes(batch),
        "observations": trained.describe_space(observations),
        "actions": trained.describe_space(actions),
        "net": settings.net,
        "lstm": getattr(settings, "lstm", None),
        "masked": build.is_masked(run.method, actions),
        "skills": getattr(settings, "skills", None),
        "planner": getattr(settings, "planner", None),
        "first_agent": build.first_agent(model.env) if model is not None else build.first_agent_of(batch),
        "clock": settings.clock,
    }


def start_from(path: str, model: Any) -> None:
    """Begin with the weights of a trained agent.

    Raises:
        InputError: if they do not fit.
    """
    from stratagym.baselines.learning import trained

    agent = trained.load(path)
    try:
        model.policy.load_state_dict(agent.weights)
    except (RuntimeError, KeyError) as error:
        raise InputError(f"{path}: its weights do not fit this policy ({one_line(error)})") from error


def cut_rows(path: Path, step: int) -> None:
    """Drop the rows that were measured after a step: they will be measured again."""
    from stratagym.baselines.report import write_text

    if not path.is_file():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            break  # what a kill leaves of a last line
        if row.get("step", 0) <= step:
            kept.append(line)
    write_text(path, "".join(f"{line}\n" for line in kept))


def last_row(folder: Path) -> dict[str, Any]:
    """Return the latest measurement among a run's rows; nothing before the first."""
    path = folder / ROWS
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    row: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    return row


def append_row(folder: Path, row: Mapping[str, Any]) -> None:
    """Append one measurement to a run's rows; it is on the disk when this returns."""
    with open(folder / ROWS, "a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
        file.flush()
        os.fsync(file.fileno())


def validate(policy: Any, batch: Any, *, masked: bool, recurrent: bool = False) -> dict[str, float]:
    """Play one episode in every lane, each step the likeliest action, and return the means.

    Args:
        policy: of SB3.
        batch: with autoreset disabled or in the same step, its options those of the run.
        masked: whether the policy takes masks.
        recurrent: whether it has a memory.

    Returns:
        ``success``, ``return``, ``ticks`` and ``steps`` (means).
    """
    policy.set_training_mode(False)
    shown, info = batch.reset(seed=VALIDATION_SEED)
    count = batch.num_envs
    over, success = np.zeros(count, bool), np.zeros(count, bool)
    returns, steps, ticks = np.zeros(count), np.zeros(count), np.zeros(count)
    memory: Any = None
    starts = np.ones(count, bool)
    while not over.all():
        more: dict[str, Any] = {}
        if masked:
            more["action_masks"] = np.asarray(info["action_mask"]).reshape(count, -1).astype(bool)
        if recurrent:
            more |= {"state": memory, "episode_start": starts}
        seen = {key: shown[key] for key in policy.observation_space.spaces}
        actions, memory = policy.predict(seen, deterministic=True, **more)
        shown, rewards, terminated, truncated, info = batch.step(actions)
        starts = np.zeros(count, bool)
        returns += np.where(over, 0.0, rewards)
        steps += ~over
        ended = (terminated | truncated) & ~over
        told = info.get("final_info", info)
        success[ended] = np.asarray(told["success"])[ended]
        ticks[ended] = np.asarray(told["time"])[ended]
        over |= ended
    return {
        "success": float(success.mean()),
        "return": float(returns.mean()),
        "ticks": float(ticks.mean()),
        "steps": float(steps.mean()),
    }


# ------------------------------------------------------------------ the end


def check_test(run: Run, episodes: int, against: tuple[str, ...]) -> None:
    """Refuse before hours of training what could not be tested after them.

    Raises:
        InputError: if an opponent or the environment cannot be made, or a task that is held out does not fit
            how the agent sees.
    """
    from stratagym.baselines.learning import trained
    from stratagym.baselines.player import load_agent

    for name in against:
        load_agent(name)
    spec = tested_in(run)
    env = spec.make(**test_settings(run).options(spec))
    if run.held_out is not None:
        batch = lanes_of(run, "train", 1)
        eyes = trained.Eyes(trained.describe_eyes(batch))
        batch.close()
        for seed in range(TEST_SEED, TEST_SEED + episodes):
            env.reset(seed=seed)
            try:
                eyes.see(env.unwrapped)
            except InputError as error:
                raise InputError(f"{spec.label} cannot be tested, seed {seed}: {error}") from error
    env.close()


def tested_in(run: Run) -> EnvironmentSpec:
    """Return the environment in which a run is tested: what is held out, or the test split of its own."""
    from stratagym.baselines.learning import build

    spec = run.held_out or run.spec
    options = build.options_for(spec, run.settings, None if run.held_out else "test")
    for name in ("clock", "knowledge", "view", "reward"):
        options.pop(name, None)
    return EnvironmentSpec(spec.id, {**spec.options, **options})


def test_settings(run: Run) -> Any:
    """Return the settings of the test, as of every evaluation."""
    from stratagym.baselines.player import Settings as Playing

    settings = run.settings
    return Playing(TEST_SEED, settings.clock, settings.knowledge, settings.reward)


def test(folder: Path, run: Run, episodes: int, against: tuple[str, ...]) -> dict[str, Any]:
    """Evaluate the trained agent on test seeds; rows and report go to the run's folder.

    Returns:
        Its ``success`` and ``score``.
    """
    from stratagym.baselines import report
    from stratagym.baselines.evaluate import evaluate

    tested, settings = tested_in(run), test_settings(run)
    for name in ("results.jsonl", "report.md"):
        (folder / name).unlink(missing_ok=True)
    name = str(folder)
    first = [str(folder / FIRST)] if (folder / FIRST).is_dir() else []
    found = evaluate(
        [tested], [name, *first, *against], episodes, TEST_SEED, folder,
        clock=settings.clock, knowledge=settings.knowledge, reward=settings.reward,
    )  # fmt: skip
    summary = report.write_report(found)
    agents = summary["environments"][tested.label]["agents"]
    before = agents[first[0]]["success"]["mean"] if first else None
    own = agents[name]
    return {"success": own["success"]["mean"], "score": own["score"]["mean"], "untrained": before}


def drop_checkpoints(folder: Path) -> None:
    """Remove all but the newest checkpoints."""
    for old in sorted((folder / "checkpoints").glob("step-*"))[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def default_folder(method: str, label: str, seed: int) -> Path:
    """Return where a run goes unless told otherwise."""
    from stratagym.baselines.suites import slug

    return Path("results") / "train" / f"{method}--{slug(label)}--{seed}"


def path_on() -> None:
    """Let factories of one's own be found where one works."""
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
