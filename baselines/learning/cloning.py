"""Behaviour cloning: a policy that does what another agent has done.

Owns the course of such a run: demonstrations on training tasks, epochs of supervised learning,
validation. The policy is that of ``maskable_ppo``, which may go on from it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stratagym.baselines import train
from stratagym.baselines.learning import build, checkpoint, demonstrations
from stratagym.baselines.learning.demonstrations import Demonstrations
from stratagym.baselines.methods import Cloning, OnPolicy
from stratagym.baselines.suites import EnvironmentSpec

DEMOS, STATE = "demonstrations.npz", "clone.pt"
Progress = Callable[[int, int, Mapping[str, Any]], None]


def clone(folder: Path, run: train.Run, progress: Progress | None) -> dict[str, Any]:
    """Collect demonstrations and learn from them, from the last finished epoch on.

    Args:
        folder: of the run.
        run: what was asked for; ``settings.teacher`` is an agent's name, or a file of demonstrations.
        progress: told of every epoch.

    Returns:
        The last measurement.
    """
    settings = run.settings
    assert isinstance(settings, Cloning)
    begun = time.process_time()
    batch = train.lanes_of(run, "train", 1)
    venv = build.make_venv(batch, settings, training=False)
    # Only the policy of this model is used.
    shape = OnPolicy(
        **{
            **settings.model_dump(include=set(OnPolicy.model_fields)),
            "n_steps": 2,
            "batch_size": 2,
            "lanes": 1,
        }
    )
    policy = build.make_model("maskable_ppo", shape, venv, run.seed, run.device).policy
    demos = _demonstrations(folder, run, settings)
    demonstrations.check_fit(demos, policy.observation_space, policy.action_space, settings.teacher)
    train.open_folder(folder, run)
    about = train.describe(run, batch, policy.observation_space, policy.action_space)
    optimizer = torch.optim.Adam(
        policy.parameters(), lr=float(str(settings.learning_rate).removeprefix("lin_")),
        weight_decay=settings.weight_decay,
    )  # fmt: skip
    first, best = _taken_up(folder, policy, optimizer)
    if first == 0 and run.start is not None:
        from stratagym.baselines.learning import trained

        policy.load_state_dict(trained.load(run.start).weights)
    train.cut_rows(folder / train.ROWS, first)
    seeing = train.validation_of(run)
    last = train.last_row(folder)  # where nothing is left to learn
    for epoch in range(first, settings.epochs):
        loss, agreement = _epoch(policy, optimizer, demos, settings.batch_size, run.seed + epoch)
        last = {"step": epoch + 1, "loss": loss, "agreement": agreement}
        if (epoch + 1) % 10 == 0 or epoch + 1 == settings.epochs:
            last |= train.validate(policy, seeing, masked=True)
            if (last["success"], last["return"]) > best:
                best = (last["success"], last["return"])
                _keep(folder / "best", about, policy, epoch + 1)
            train.append_row(folder, {"kind": "validation", **last})
            state = {"policy": policy.state_dict(), "optimizer": optimizer.state_dict()}
            numbers = torch.tensor([epoch + 1, *best], dtype=torch.float64)
            checkpoint.write_folder(
                folder / "checkpoints" / f"step-{epoch + 1:012d}",
                lambda part, state=state, numbers=numbers, step=epoch + 1: _fill(
                    part, about, policy, state, numbers, step
                ),  # type: ignore[misc]
            )
            train.drop_checkpoints(folder)
        if progress is not None:
            progress(epoch + 1, settings.epochs, last)
    _keep(folder / "final", about, policy, settings.epochs)
    seeing.close()
    venv.close()
    return {**last, "cpu": time.process_time() - begun}


def _fill(folder: Path, about: Any, policy: Any, state: Any, numbers: Any, step: int) -> None:
    checkpoint.save_agent(folder, {**about, "step": step}, policy)
    torch.save({**state, "numbers": numbers}, folder / STATE)


def _keep(folder: Path, about: Any, policy: Any, step: int) -> None:
    checkpoint.write_folder(folder, lambda part: checkpoint.save_agent(part, {**about, "step": step}, policy))


def _taken_up(folder: Path, policy: Any, optimizer: Any) -> tuple[int, tuple[float, float]]:
    """Go on from the newest checkpoint; return the epochs that are done and the best so far."""
    known = sorted((folder / "checkpoints").glob("step-*"))
    if not known:
        return 0, (-1.0, -np.inf)
    state = checkpoint.load_tensors(known[-1] / STATE)
    policy.load_state_dict(state["policy"])
    optimizer.load_state_dict(state["optimizer"])
    done, success, value = state["numbers"].tolist()
    return int(done), (success, value)


def _demonstrations(folder: Path, run: train.Run, settings: Cloning) -> Demonstrations:
    """Return the demonstrations: of a file, those that the run has kept, or new ones."""
    if settings.teacher.endswith(".npz"):
        return demonstrations.load(settings.teacher)
    path = folder / DEMOS
    if path.is_file():
        return demonstrations.load(path)
    from stratagym.baselines.player import load_agent

    teacher = load_agent(settings.teacher)
    train.open_folder(folder, run)
    env = EnvironmentSpec(run.spec.id, build.options_for(run.spec, settings, "train"), run.spec.label).make()
    seeds = range(run.seed * settings.episodes, (run.seed + 1) * settings.episodes)
    demos = demonstrations.collect(env, teacher, seeds)
    demonstrations.save(path, demos)
    env.close()
    return demos


def _epoch(policy: Any, optimizer: Any, demos: Demonstrations, size: int, seed: int) -> tuple[float, float]:
    """Learn from all steps once; return the mean loss and the share of choices that agree."""
    policy.set_training_mode(True)
    losses, agreed = [], 0
    for chosen in demonstrations.batches(len(demos), size, np.random.default_rng(seed)):
        keys = policy.observation_space.spaces
        shown = {key: torch.as_tensor(demos.shown[key][chosen]) for key in keys}
        actions = torch.as_tensor(demos.actions[chosen])
        if actions.shape[1] == 1:
            actions = actions[:, 0]
        _, likelihood, _ = policy.evaluate_actions(shown, actions, action_masks=demos.masks[chosen])
        loss = -likelihood.mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 0.5)
        optimizer.step()
        losses.append(float(loss.detach()) * len(chosen))
        with torch.no_grad():
            mode = policy.get_distribution(shown, action_masks=demos.masks[chosen]).get_actions(
                deterministic=True
            )
            agreed += int((mode == actions).reshape(len(chosen), -1).all(dim=1).sum())
    policy.set_training_mode(False)
    return sum(losses) / len(demos), agreed / len(demos)
