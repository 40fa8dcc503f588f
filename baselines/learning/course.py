"""The course of a run: what happens between two rollouts.

Owns the measurements (validation, rows, the progress bar's numbers, TensorBoard) and the
moments of checkpoints. All of it happens where SB3 is about to collect: there the state of a
run is small and whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import KVWriter, filter_excluded_keys

from stratagym.baselines import train
from stratagym.baselines.learning import checkpoint
from stratagym.baselines.learning.vec_env import adapter_of


class Board(KVWriter):
    """Writes numbers for TensorBoard; on resuming, those after the checkpoint count no more.

    Args:
        folder: of the event files.
        step: of the checkpoint.
    """

    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=step + 1 if step else None)

    def write(
        self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0
    ) -> None:
        """Write numbers; see SB3's ``KVWriter``."""
        for key, value in filter_excluded_keys(key_values, key_excluded, "tensorboard").items():
            if isinstance(value, (int, float, np.number)):
                self._writer.add_scalar(key, value, step)
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()


class Course(BaseCallback):
    """What a run does beside learning.

    Args:
        folder: of the run.
        run: what was asked for.
        about: content of ``agent.json``.
        model: what learns.
        more: what the checkpoint has kept of an earlier part; empty at first.
        progress: told of each measurement.

    Attributes:
        last: the latest measurement.
    """

    def __init__(
        self,
        folder: Path,
        run: train.Run,
        about: Mapping[str, Any],
        model: Any,
        more: Mapping[str, Any],
        progress: Callable[[int, int, Mapping[str, Any]], None] | None,
    ) -> None:
        super().__init__()
        self.folder, self.run, self.about, self.progress = folder, run, about, progress
        self.model = model
        settings = run.settings
        self._next_eval = int(more.get("next_eval", 0))
        self._next_save = int(more.get("next_save", settings.save_every))
        self._best = tuple(more.get("best", (-1.0, -np.inf)))
        self.last: dict[str, Any] = dict(more.get("last", {}))
        self._batch: Any = None
        # CPU seconds of earlier parts; what a kill has lost is counted twice.
        self._spent = float(more.get("cpu", 0.0)) - time.process_time()

    # -------------------------------------------------------------- SB3's hooks

    def _on_rollout_start(self) -> None:
        steps = self.num_timesteps = self.model.num_timesteps
        if steps == 0:
            checkpoint.write_folder(self.folder / train.FIRST, lambda part: self._keep(part, steps))
        if steps >= self._next_eval:
            every = self.run.settings.eval_every
            self._next_eval = (steps // every + 1) * every
            self._measure(steps)
        if steps >= self._next_save:
            every = self.run.settings.save_every
            self._next_save = (steps // every + 1) * every
            self._save(steps)

    def _on_step(self) -> bool:
        if self.progress is not None and self.n_calls % 16 == 0:
            self.progress(self.num_timesteps, self.run.settings.whole_steps, self._now())
        return True

    # -------------------------------------------------------------- what is done

    def _now(self) -> dict[str, Any]:
        """Return the present success rate of training, beside the latest validation."""
        return {**self.last, "training": self._recent()}

    def _recent(self) -> float | None:
        """Return the share of the latest training episodes that succeeded, None before the first."""
        recent = self.model.ep_success_buffer
        return float(np.mean(recent)) if recent else None

    def _measure(self, steps: int) -> None:
        """Play the validation episodes; keep the agent if none was better."""
        settings = self.run.settings
        if self._batch is None:
            self._batch = train.validation_of(self.run)
        found = train.validate(
            self.model.policy, self._batch,
            masked=bool(self.about["masked"]), recurrent=self.run.method == "recurrent_ppo",
        )  # fmt: skip
        self.last = {
            "step": steps,
            "played": adapter_of(self.model.env).ticks,
            "training": self._recent(),
            **found,
        }
        train.append_row(self.folder, {"kind": "validation", **self.last})
        for name, value in found.items():
            self.model.logger.record(f"validation/{name}", value)
        self.model.logger.dump(steps)
        if (found["success"], found["return"]) > self._best:
            self._best = (found["success"], found["return"])
            checkpoint.write_folder(
                self.folder / "best",
                lambda part: self._keep(part, steps),
            )
        if self.progress is not None:
            self.progress(steps, settings.whole_steps, self._now())

    def _keep(self, folder: Path, steps: int) -> None:
        """Write the present agent."""
        checkpoint.save_agent(folder, {**self.about, "step": steps}, self.model.policy)

    def _save(self, steps: int) -> None:
        more = {
            "next_eval": self._next_eval,
            "next_save": self._next_save,
            "best": list(self._best),
            "last": self.last,
            "cpu": self._cpu(),
        }
        checkpoint.save_run(
            self.folder / "checkpoints" / f"step-{steps:012d}",
            {**self.about, "step": steps},
            self.model,
            more,
        )
        train.drop_checkpoints(self.folder)

    def _cpu(self) -> float:
        """Return the CPU seconds that the run has taken so far."""
        return self._spent + time.process_time()

    def finish(self) -> None:
        """Measure and keep the last state of the run."""
        steps = self.model.num_timesteps
        if self.last.get("step") != steps:
            self._measure(steps)
        self._save(steps)
        checkpoint.write_folder(
            self.folder / "final",
            lambda part: self._keep(part, steps),
        )
        self.last["cpu"] = self._cpu()
        if self._batch is not None:
            self._batch.close()
