"""The entry points behind every id: from options to a single or a vector environment.

Owns the split of keyword arguments into those that every environment takes and those of
what is played: an id says by ``content`` what that is, and the rest is the domain's own.
"""

from __future__ import annotations

import difflib
from dataclasses import fields
from typing import Any

from stratagym.envs.api.options import Options
from stratagym.envs.api.single import TaskEnv
from stratagym.envs.registry import model_of, own_options

_COMMON = tuple(field.name for field in fields(Options))


_BATCH = ("autoreset_mode", "threads", "copy")
_ANY_TASK = ("default_horizon",)
"""What ``stratagym/Task-v0`` takes for those who know; see ``registry.model_of``."""


def split_options(kwargs: dict[str, Any], also: tuple[str, ...] = ()) -> tuple[Options, dict[str, Any]]:
    """Return the common options, and the rest, which say what is played.

    Args:
        kwargs: of the entry point; the common ones are taken out, ``content`` is spread.
        also: further names that may stand in the rest.

    Raises:
        OptionError: if a common option is wrong.
        TypeError: if an option is unknown; with the nearest that exists, or all of them.
    """
    common = {name: kwargs.pop(name) for name in _COMMON if name in kwargs}
    content = kwargs.pop("content", {})
    domain = content.get("domain")
    known = (*(own_options(domain) if domain or not content else ()), *_COMMON, *also)
    for name in kwargs:
        if name not in known and (content or name not in _ANY_TASK):
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            place = f"{domain}: " if domain else ""
            # Python's own words: some trainers look for them to learn which arguments they may pass.
            raise TypeError(f"{place}unexpected keyword argument {name!r}; {hint}")
    return Options(**common), {**content, **kwargs}


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

    options, own = split_options(dict(kwargs), _BATCH)
    batch = {name: own.pop(name) for name in _BATCH if name in own}
    return TaskVectorEnv(num_envs, model_of(**own), options, max_episode_steps, render_mode, **batch)
