"""The entry points behind every id: from options to a single or a vector environment.

Owns the split of keyword arguments into those that every environment takes and the
domain's own.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from stratagym.envs.api.options import Options
from stratagym.envs.api.single import TaskEnv
from stratagym.envs.registry import model_of

_COMMON = tuple(field.name for field in fields(Options))


def split_options(kwargs: dict[str, Any]) -> tuple[Options, dict[str, Any]]:
    """Return the common options, and the rest, which are the domain's own."""
    common = {name: kwargs.pop(name) for name in _COMMON if name in kwargs}
    return Options(**common), kwargs


def single(render_mode: str | None = None, **kwargs: Any) -> TaskEnv:
    """Make one environment; see ``Options`` and the domain for the keyword arguments.

    Raises:
        OptionError: if a common option is wrong.
        TypeError: if an option is unknown.
        ValueError: if an option of the domain has a wrong value.
    """
    options, own = split_options(dict(kwargs))
    return TaskEnv(model_of(**own), options, render_mode)


def vector(
    num_envs: int = 1,
    max_episode_steps: int | None = None,
    render_mode: str | None = None,
    **kwargs: Any,
) -> Any:
    """Make a native batch of environments; see ``TaskVectorEnv``.

    Raises:
        OptionError: if a common option is wrong.
        TypeError: if an option is unknown.
        ValueError: if another value is wrong.
    """
    from stratagym.envs.api.vector import TaskVectorEnv

    options, own = split_options(dict(kwargs))
    batch = {name: own.pop(name) for name in ("autoreset_mode", "threads", "copy", "events") if name in own}
    return TaskVectorEnv(num_envs, model_of(**own), options, max_episode_steps, render_mode, **batch)
