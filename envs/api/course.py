"""Random courses of play, and where two of them differ: what the contract is checked with.

Owns playing an environment at random by its mask and comparing what it returned, exactly.
It states no fact; ``check`` does.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium import spaces

Env = gymnasium.Env[Any, Any]
Mask = np.ndarray[Any, Any]
Guide = Any
"""What actions are chosen by: a mask, or the space of actions that need none (a ``Box``)."""

STEPS = 40
"""Steps of a comparison; few are enough, since what differs tends to differ at once."""
LONGEST_EPISODE = 20_000
"""Steps after which an episode counts as one that never ends."""


class Moment(NamedTuple):
    """What a call of ``reset`` or ``step`` returned; of a reset, reward and end are empty."""

    obs: Any
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]

    @property
    def over(self) -> bool:
        """Whether the episode has ended."""
        return self.terminated or self.truncated


# ------------------------------------------------------------------ comparing


def demand(holds: bool, text: str) -> None:
    """Demand that something holds.

    Raises:
        AssertionError: with the text, if it does not.
    """
    if not holds:
        raise AssertionError(text)


def difference(a: Any, b: Any, path: str = "") -> str | None:
    """Return where two values differ, in words; None if they are exactly equal, types included."""
    if type(a) is not type(b):
        return f"{path}: {type(a).__name__} {a!r} against {type(b).__name__} {b!r}"
    if isinstance(a, dict):
        if a.keys() != b.keys():
            return f"{path}: keys {sorted(a)} against {sorted(b)}"
        return next((d for k in a if (d := difference(a[k], b[k], f"{path}[{k!r}]"))), None)
    if isinstance(a, list | tuple):
        if len(a) != len(b):
            return f"{path}: {a!r} against {b!r}"
        pairs = enumerate(zip(a, b, strict=True))
        return next((d for k, (x, y) in pairs if (d := difference(x, y, f"{path}[{k}]"))), None)
    if isinstance(a, np.ndarray):
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"{path}: {a.dtype}{list(a.shape)} against {b.dtype}{list(b.shape)}"
        for place in np.argwhere(a != b)[:1]:
            return f"{path}{place.tolist()}: {a[tuple(place)]} against {b[tuple(place)]}"
        return None
    return None if a == b else f"{path}: {a!r} against {b!r}"


def demand_equal(a: Sequence[Moment], b: Sequence[Moment], fact: str) -> None:
    """Demand that two courses are exactly equal.

    Raises:
        AssertionError: naming the fact, the step and the place.
    """
    for k, (x, y) in enumerate(zip(a, b, strict=False)):
        for name, one, other in zip(Moment._fields, x, y, strict=True):
            found = difference(one, other, name)
            demand(found is None, f"{fact}: step {k}: {found}")
    demand(len(a) == len(b), f"{fact}: {len(a)} steps against {len(b)}")


# ------------------------------------------------------------------ playing


def begin(env: Env, **reset: Any) -> Moment:
    """Reset an environment."""
    obs, info = env.reset(**reset)
    return Moment(obs, 0.0, False, False, info)


def take(env: Env, action: Any) -> Moment:
    """Step an environment."""
    obs, reward, terminated, truncated, info = env.step(action)
    return Moment(obs, float(reward), terminated, truncated, info)


def guide_of(env: Any, moment: Moment) -> Guide:
    """Return what the next actions are chosen by: the mask, or the space where there is none."""
    mask = moment.info.get("action_mask")
    return env.action_space if mask is None else np.array(mask)


def choose(guide: Guide, rng: np.random.Generator, illegal: float = 0.2, wait: float = 0.1) -> Any:
    """Return random actions.

    Args:
        guide: a mask ``[n + 1]``, or ``[agents, n + 1]`` for several agents; or a box.
        rng: where they are drawn from.
        illegal: share of actions that are drawn whatever the mask says.
        wait: chance to wait although something can be started; of a box, to change nothing.

    Returns:
        An int, or ``[agents]`` for several agents, or a vector of the box.
    """
    if isinstance(guide, spaces.Box):
        return waiting(guide) if rng.random() < wait else _drawn(guide, rng)
    mask, chosen = guide, []
    for row in np.atleast_2d(mask):
        legal = np.flatnonzero(row[:-1])
        if rng.random() < illegal:
            chosen.append(int(rng.integers(len(row))))
        elif len(legal) == 0 or rng.random() < wait:
            chosen.append(len(row) - 1)
        else:
            chosen.append(int(rng.choice(legal)))
    return chosen[0] if mask.ndim == 1 else np.array(chosen)


def _drawn(box: spaces.Box, rng: np.random.Generator) -> Any:
    """Return a vector of a box, its bounds as likely as what lies between them."""
    share = np.clip(rng.uniform(-0.5, 1.5, box.shape), 0.0, 1.0)
    return (box.low + share * (box.high - box.low)).astype(box.dtype)


def waiting(guide: Guide) -> Any:
    """Return the action by which everybody waits: the last number, or the vector nearest to 0."""
    if isinstance(guide, spaces.Box):
        return np.clip(np.zeros_like(guide.low), guide.low, guide.high)
    n = guide.shape[-1] - 1
    return n if guide.ndim == 1 else np.full(len(guide), n)


def go_on(
    env: Env, guide: Guide, seed: int, steps: int = STEPS, touch: Callable[[Moment], object] | None = None
) -> list[Moment]:
    """Play on at random, through the ends of episodes.

    Args:
        env: in the middle of an episode.
        guide: what actions are chosen by there.
        seed: of the choices; equal environments have equal courses.
        steps: how many.
        touch: gets what the environment returned, each time.

    Returns:
        Copies of what it returned.
    """
    rng = np.random.default_rng(seed)
    course: list[Moment] = []
    for _ in range(steps):
        over = bool(course) and course[-1].over
        moment = begin(env) if over else take(env, choose(guide, rng))
        course.append(copy.deepcopy(moment))
        guide = guide_of(env, course[-1])
        if touch is not None:
            touch(moment)
    return course


def until_over(course: list[Moment]) -> list[Moment]:
    """Return a course up to the first end of an episode, that moment included."""
    for k, moment in enumerate(course):
        if moment.over:
            return course[: k + 1]
    return course


def play(
    env: Env, seed: int, steps: int = STEPS, touch: Callable[[Moment], object] | None = None
) -> list[Moment]:
    """Return a random course from a seeded reset on; see ``go_on``."""
    moment = begin(env, seed=seed)
    first = copy.deepcopy(moment)
    if touch is not None:
        touch(moment)
    return [first, *go_on(env, guide_of(env, first), seed, steps, touch)]


def episode(env: Env, seed: int, illegal: float = 0.0, wait: float = 0.1) -> Iterator[Moment]:
    """Yield the moments of one random episode, the reset first.

    Raises:
        AssertionError: if it does not end; registered environments have finite horizons.
    """
    rng = np.random.default_rng(seed)
    moment = begin(env, seed=seed)
    yield moment
    for _ in range(LONGEST_EPISODE):
        moment = take(env, choose(guide_of(env, moment), rng, illegal, wait))
        yield moment
        if moment.over:
            return
    raise AssertionError(f"an episode has not ended after {LONGEST_EPISODE} steps: give the task a horizon")


def middle(env: Env, seed: int = 3, steps: int = 7) -> Guide:
    """Play to the middle of an episode and return what actions are chosen by there."""
    course = play(env, seed, steps)
    last = begin(env) if course[-1].over else course[-1]
    return guide_of(env, last)
