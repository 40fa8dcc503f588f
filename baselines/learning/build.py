"""From settings to what learns: lanes, networks, and SB3's algorithms.

Owns which class of SB3 stands behind a method and what it is made with. It knows nothing
of runs, folders and checkpoints.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import torch
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from stratagym.baselines.learning.choices import ChoosingPolicy
from stratagym.baselines.learning.networks import FlatExtractor, GraphPolicy, PlanesExtractor
from stratagym.baselines.learning.rollouts import MaskableTickBuffer, TickBuffer
from stratagym.baselines.learning.vec_env import LanesVecEnv, adapter_of
from stratagym.baselines.methods import Cloning, Dqn, OnPolicy, Recurrent, Settings
from stratagym.baselines.suites import TASK_ID, EnvironmentSpec, InputError, one_line

MASKED = ("maskable_ppo", "hppo", "bc", "skill_ppo")
"""Methods whose policy chooses among the allowed actions only."""


GRAPHS = ("maskable_ppo", "hppo", "bc")
"""Methods that take the graph view."""


def is_masked(method: str, space: spaces.Space[Any]) -> bool:
    """Return whether a method's policy takes masks (what is continuous has none)."""
    return method in MASKED and not isinstance(space, spaces.Box)


def options_for(spec: EnvironmentSpec, settings: Settings, split: str | None = None) -> dict[str, Any]:
    """Return the keyword arguments with which a run makes an environment.

    Args:
        spec: the environment; its own options win, but for the split.
        settings: of the run.
        split: ``train``, ``validation`` or ``test``, where the environment has such; None leaves it.

    Raises:
        InputError: if ``instances`` is set, but the environment has no such option.
    """
    from stratagym.envs.registry import own_options

    options: dict[str, Any] = {
        "clock": settings.clock,
        "knowledge": settings.knowledge,
        "view": settings.view,
    }
    if settings.reward is not None:
        options["reward"] = settings.reward
    if spec.id == TASK_ID:
        options["default_horizon"] = True  # what learns needs an end
    if settings.end_on_dead_end and split == "train":
        options["end_on_dead_end"] = True
    options |= spec.options
    known = gymnasium.registry.get(spec.id)
    domain = known.kwargs.get("content", {}).get("domain") if known is not None else None
    own = () if domain is None else own_options(domain)
    if split is not None and "split" in own:
        options["split"] = split
    if settings.instances is not None and split == "train":
        if "instances" not in own:
            raise InputError(f"instances={settings.instances}: {spec.label} has no such option")
        options["instances"] = settings.instances
    return options


def make_model(
    method: str, settings: Settings, venv: VecEnv, seed: int, device: str = "cpu"
) -> BaseAlgorithm:
    """Make the algorithm of a method over lanes.

    Args:
        method: its name.
        settings: in its own form.
        venv: our adapter, perhaps wrapped.
        seed: of the weights and of every draw.
        device: as PyTorch names it.

    Raises:
        InputError: if the method cannot act in this environment, or see this view.
    """
    _check(method, settings, venv)
    rate = settings.learning_rate
    common: dict[str, Any] = {
        "learning_rate": _falling(rate) if isinstance(rate, str) else rate,
        "gamma": settings.gamma,
        "seed": seed,
        "device": device,
    }
    names: tuple[str, ...]
    if isinstance(settings, Dqn):
        from stable_baselines3 import DQN

        names = (
            "buffer_size", "learning_starts", "batch_size", "train_freq", "gradient_steps",
            "target_update_interval", "exploration_fraction", "exploration_final_eps",
        )  # fmt: skip
        policy = {"net_arch": settings.net, **_extractor(settings)}
        return DQN("MultiInputPolicy", venv, policy_kwargs=policy, **common, **_named(settings, names))
    if isinstance(settings, OnPolicy):
        names = (
            "n_steps", "batch_size", "n_epochs", "gae_lambda", "clip_range", "ent_coef", "vf_coef",
            "max_grad_norm", "target_kl",
        )  # fmt: skip
        common |= _named(settings, names)
    policy = {"net_arch": {"pi": settings.net, "vf": settings.net}, **_extractor(settings)}
    if isinstance(settings, Recurrent):
        from sb3_contrib import RecurrentPPO

        policy["lstm_hidden_size"] = settings.lstm
        return RecurrentPPO("MultiInputLstmPolicy", venv, policy_kwargs=policy, **common)
    buffer: dict[str, Any] = {}
    masked = is_masked(method, venv.action_space)
    if settings.discount == "ticks":
        buffer["rollout_buffer_class"] = MaskableTickBuffer if masked else TickBuffer
        buffer["rollout_buffer_kwargs"] = {"source": adapter_of(venv)}
    if masked:
        from sb3_contrib import MaskablePPO

        kind: Any = ChoosingPolicy
        if settings.view == "graph":
            kind, policy = GraphPolicy, {"first_agent": first_agent(venv)}
        return MaskablePPO(kind, venv, policy_kwargs=policy, **common, **buffer)
    from stable_baselines3 import PPO

    return PPO("MultiInputPolicy", venv, policy_kwargs=policy, **common, **buffer)


def _check(method: str, settings: Settings, venv: VecEnv) -> None:
    """Refuse what a method cannot do.

    Raises:
        InputError: saying what to take instead.
    """
    space = venv.action_space
    if isinstance(space, spaces.Box) and method not in ("ppo", "skill_ppo"):
        raise InputError(f"{method} chooses among actions, but here they are continuous; take ppo")
    if method == "dqn" and not isinstance(space, spaces.Discrete):
        raise InputError("dqn acts for one agent; take maskable_ppo or ppo for several")
    if settings.view == "graph" and method not in GRAPHS:
        raise InputError(f"view='graph' needs a policy over masks: {', '.join(GRAPHS)}; {method} sees 'flat'")
    if isinstance(settings, OnPolicy):
        size = settings.n_steps * venv.num_envs
        if settings.batch_size > size or size % settings.batch_size:
            raise InputError(
                f"batch_size={settings.batch_size} does not divide n_steps x lanes = {settings.n_steps} x "
                f"{venv.num_envs} = {size}"
            )


def _named(settings: Settings, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in names}


def _falling(rate: str) -> Any:
    """Return the schedule that ``lin_RATE`` stands for."""
    first = float(rate.removeprefix("lin_"))
    return lambda left: left * first


def _extractor(settings: Settings) -> dict[str, Any]:
    """Return what of the policy's arguments says how it sees."""
    return {"features_extractor_class": PlanesExtractor if settings.view == "planes" else FlatExtractor}


def first_agent(venv: VecEnv) -> int | None:
    """Return the place of the first agent's node in the graph view of lanes, None if there is none."""
    return first_agent_of(adapter_of(venv).envs)


def first_agent_of(batch: Any) -> int | None:
    """Return the place of the first agent's node in the graph view of a batch, None if there is none."""
    view = getattr(batch.unwrapped, "graph_view", None)
    return None if view is None or "agent" not in view.blocks else int(view.blocks["agent"][0])


def make_venv(batch: Any, settings: Settings, *, training: bool = True) -> VecEnv:
    """Return a batch as SB3 takes it, rewards normalised if the settings say so."""
    # With one task alone its static part is the same at every step.
    without = ("static",) if batch.model.count == 1 and settings.view == "flat" else ()
    venv: VecEnv = LanesVecEnv(batch, bootstrap=settings.bootstrap, without=without)
    if settings.normalize_reward and training:
        venv = VecNormalize(venv, norm_obs=False, gamma=settings.gamma)
    return venv


def is_cloning(settings: Settings) -> bool:
    """Return whether a method learns from demonstrations only."""
    return isinstance(settings, Cloning)


def check_device(name: str) -> None:
    """Refuse a device that is not there: SB3 would quietly take the processor.

    Raises:
        InputError: saying what PyTorch says.
    """
    try:
        torch.zeros(1, device=name).item()
    except (RuntimeError, AssertionError) as error:  # what is unknown, what this PyTorch was not made for
        raise InputError(f"device: {name!r} cannot be used here ({one_line(error)})") from error


def settle_torch() -> None:
    """Have PyTorch work as small networks want it, for this process.

    On one thread: more gain nothing, and sums keep their order. Without its own look at the arguments of
    every distribution, which costs a tenth of a run.
    """
    torch.set_num_threads(1)
    torch.distributions.Distribution.set_default_validate_args(False)
