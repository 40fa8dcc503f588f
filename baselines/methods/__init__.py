"""The learning methods: their names, and their settings as data.

Owns the reading and checking of the files ``METHOD.yaml``: a block ``default`` and one for
each environment id that needs something else, the longest matching key last.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stratagym.baselines.suites import InputError

FOLDER = Path(__file__).parent

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Rate = Annotated[float, Field(gt=0.0, le=1.0)]


class Settings(BaseModel):
    """What every method can be told.

    Attributes:
        total_steps: transitions of all lanes together, rounded up to whole rollouts.
        lanes: environments side by side.
        reward: the environment's option; None for its default.
        clock: the environment's option.
        knowledge: the environment's option.
        view: the environment's option; ``graph`` brings the graph network with it.
        gamma: discount of a step, or with ``discount: ticks`` of a tick.
        discount: whether the future is discounted by ticks (a semi-Markov process) or steps.
        bootstrap: whether the value of the last state is added where the horizon ends an
            episode. The horizon belongs to the task and is observed, so it is not.
        learning_rate: of Adam, ``lin_`` before it lets it fall to 0.
        net: widths of the hidden layers, the same for policy and value.
        normalize_reward: whether rewards are divided by the running deviation of returns.
        eval_every: steps between evaluations on validation seeds.
        eval_episodes: how many episodes each of them plays.
        save_every: steps between checkpoints.
        instances: how many tasks the training split has; None for as many as are certified. Who sees few
            learns them by heart.
        end_on_dead_end: whether training begins anew as soon as it is proved that the goal is out of reach:
            what follows teaches nothing. Evaluation plays on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    total_steps: Positive = 300_000
    lanes: Positive = 64
    reward: Literal["task", "sparse", "dense", "makespan", "tardiness"] | None = "dense"
    clock: Literal["decision", "tick", "event"] = "decision"
    knowledge: Literal["full", "structure", "none"] = "full"
    view: Literal["flat", "graph", "planes"] = "flat"
    gamma: Rate = 0.99
    discount: Literal["steps", "ticks"] = "steps"
    bootstrap: bool = False
    learning_rate: (
        Annotated[float, Field(gt=0.0)] | Annotated[str, Field(pattern=r"^lin_[0-9.]+(e-?[0-9]+)?$")]
    ) = 3e-4
    net: Annotated[list[Positive], Field(min_length=1)] = [256, 256]
    normalize_reward: bool = False
    eval_every: Positive = 50_000
    eval_episodes: Positive = 50
    save_every: Positive = 25_000
    instances: Positive | None = None
    end_on_dead_end: bool = False

    @property
    def rollout(self) -> int:
        """Transitions that are played between two updates; a run ends with a whole rollout."""
        return 1

    @property
    def whole_steps(self) -> int:
        """``total_steps``, rounded up to whole rollouts: what is played."""
        return -(-self.total_steps // self.rollout) * self.rollout


class OnPolicy(Settings):
    """Settings of the PPO kind; names and meanings are those of Stable-Baselines3."""

    @property
    def rollout(self) -> int:
        """Every lane plays ``n_steps``."""
        return self.n_steps * self.lanes

    n_steps: Positive = 128
    batch_size: Positive = 2048
    n_epochs: Positive = 6
    gae_lambda: Share = 0.95
    clip_range: Rate = 0.2
    ent_coef: Annotated[float, Field(ge=0.0)] = 0.01
    vf_coef: Annotated[float, Field(ge=0.0)] = 0.5
    max_grad_norm: Annotated[float, Field(gt=0.0)] = 0.5
    target_kl: Annotated[float, Field(gt=0.0)] | None = None


class Recurrent(OnPolicy):
    """PPO with a memory of its own."""

    lstm: Positive = 128


class Dqn(Settings):
    """Settings of DQN; names and meanings are those of Stable-Baselines3."""

    buffer_size: Positive = 50_000
    learning_starts: Positive = 2_000
    batch_size: Positive = 128
    train_freq: Positive = 4
    gradient_steps: Positive = 4
    target_update_interval: Positive = 2_000
    exploration_fraction: Rate = 0.3
    exploration_final_eps: Share = 0.05

    @property
    def rollout(self) -> int:
        """Every lane plays ``train_freq`` steps."""
        return self.train_freq * self.lanes


class Cloning(Settings):
    """Settings of behaviour cloning."""

    teacher: str = "optimal"
    episodes: Positive = 100
    epochs: Positive = 60
    batch_size: Positive = 256
    weight_decay: Annotated[float, Field(ge=0.0)] = 1e-4


class Options(OnPolicy):
    """PPO over skills: a step is a whole skill, discounted by the ticks that it took.

    Attributes:
        skills: ``scripted``, or the folder of a run of ``skill_ppo``.
    """

    skills: str = "scripted"
    discount: Literal["steps", "ticks"] = "ticks"


class Skills(OnPolicy):
    """PPO of a goal-conditioned skill, in the environment that trains one.

    Attributes:
        planner: who chooses the goals when the skill is played.
        shaping: how much coming nearer pays.
    """

    planner: str = "critical_path"
    shaping: Annotated[float, Field(ge=0.0)] = 0.05


MODELS: dict[str, type[Settings]] = {
    "ppo": OnPolicy,
    "maskable_ppo": OnPolicy,
    "dqn": Dqn,
    "recurrent_ppo": Recurrent,
    "hppo": Options,
    "skill_ppo": Skills,
    "bc": Cloning,
}
"""Method -> the form of its settings."""

METHODS = tuple(MODELS)


def check_method(method: str) -> None:
    """Refuse a method that does not exist.

    Raises:
        InputError: naming the nearest.
    """
    if method not in MODELS:
        near = difflib.get_close_matches(method, METHODS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(METHODS)}"
        raise InputError(f"no method is called {method!r}; {hint}")


@cache
def _file(method: str) -> dict[str, Any]:
    """Return the blocks of a method's file."""
    blocks: dict[str, Any] = yaml.safe_load((FOLDER / f"{method}.yaml").read_text(encoding="utf-8"))
    return blocks


def load_settings(method: str, env: str, changes: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings of a method on an environment.

    Args:
        method: one of ``METHODS``.
        env: the environment as results name it (``stratagym/Cooking-v0:size=small``); a block
            whose key begins this name holds for it, the longest key last.
        changes: what the user sets; it wins.

    Raises:
        InputError: if a setting is unknown or its value wrong; with the nearest name or the
            values that it may have.
    """
    check_method(method)
    blocks = _file(method)
    found: dict[str, Any] = dict(blocks.get("default") or {})
    for key in sorted((k for k in blocks if k != "default" and env.startswith(k)), key=len):
        found |= blocks[key]
    form = MODELS[method]
    for name in changes or {}:
        if name not in form.model_fields:
            near = difflib.get_close_matches(name, form.model_fields, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(form.model_fields)}"
            raise InputError(f"{method}: no setting is called {name!r}; {hint}")
    found |= changes or {}
    try:
        return form(**found)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][:1])
        raise InputError(f"{method}: {place}={found.get(place)!r}: {first['msg'].lower()}") from error


def parse_changes(texts: Sequence[str]) -> dict[str, Any]:
    """Return the changes of ``--set key=value``, values read as YAML.

    Raises:
        InputError: if a text is not of that form.
    """
    changes: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise InputError(f"--set: {text!r} is not key=value")
        try:
            changes[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f"--set: {text!r}: the value cannot be read") from error
    return changes
