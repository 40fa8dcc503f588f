"""The contract of batches: every lane is the single environment, bit for bit.

Owns ``check_vector``, which can be run over any id with a native batch (see ``check``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from stratagym.envs.api.course import Env, Moment, begin, choose, demand, difference, guide_of, take
from stratagym.envs.task import layout as at


def check_vector(
    make_vec: Callable[..., Any],
    make: Callable[..., Env],
    *,
    autoreset_mode: str = "NextStep",
    lanes: int = 3,
    steps: int = 200,
    seed: int = 0,
    **batch: Any,
) -> None:
    """Hold a batch to its single environment: lane ``i`` is the one seeded with ``seed + i``.

    Observation, reward, ends and ``info`` (events too) are compared at every step, through the
    ends of episodes.

    Args:
        make_vec: makes the batch; takes ``num_envs`` and the options of a batch.
        make: makes the single environment.
        autoreset_mode: ``NextStep``, ``SameStep`` or ``Disabled`` (then ``reset_mask`` is used).
        lanes: how many.
        steps: how many.
        seed: of the first lane, and of the choices.
        **batch: further options of the batch alone, ``threads`` or ``executor`` for example.

    Raises:
        AssertionError: naming the step, the lane and the place of the first difference.
    """
    vec = make_vec(num_envs=lanes, autoreset_mode=autoreset_mode, **batch)
    pair = _Pair(vec, [make().unwrapped for _ in range(lanes)])
    for name in ("observation_space", "action_space"):
        one, other = getattr(vec, f"single_{name}"), getattr(pair.singles[0], name)
        demand(one == other, f"{name}: {one} against {other}")
    pair.compare(
        _first(*vec.reset(seed=seed)), [begin(env, seed=seed + k) for k, env in enumerate(pair.singles)]
    )
    rng = np.random.default_rng(seed)
    for step in range(steps):
        pair.where = f"{autoreset_mode}, step {step}"
        actions = np.array([choose(guide, rng) for guide in pair.guides])
        if autoreset_mode == "Disabled" and pair.over.any():
            pair.reset_some()
        elif autoreset_mode == "SameStep":
            pair.same_step(actions)
        else:
            moments = [
                begin(env) if over else take(env, action)
                for env, over, action in zip(pair.singles, pair.over, actions, strict=True)
            ]
            pair.compare(Moment(*vec.step(actions)), moments)
    vec.close()


def _first(obs: Any, info: dict[str, Any]) -> Moment:
    """Return what a batch's reset returned in the shape of a step."""
    lanes = len(info["time"])
    return Moment(obs, np.zeros(lanes), np.zeros(lanes, bool), np.zeros(lanes, bool), info)  # type: ignore[arg-type]


class _Pair:
    """A batch and its single environments, side by side."""

    def __init__(self, vec: Any, singles: Sequence[Any]) -> None:
        self.vec, self.singles = vec, list(singles)
        self.where = "reset"
        self.over = np.zeros(len(self.singles), bool)
        self.guides: list[Any] = []

    def compare(self, batched: Moment, moments: Sequence[Moment], only: Any = None) -> None:
        """Compare the lanes (or only some) and remember where they stand."""
        for lane, moment in enumerate(moments):
            if only is not None and not only[lane]:
                continue
            where = f"{self.where}, lane {lane}"
            found = difference({key: part[lane] for key, part in batched.obs.items()}, moment.obs, "obs")
            demand(found is None, f"{where}: {found}")
            columns: tuple[Any, ...] = batched[1:4]
            ends = tuple(part[lane] for part in columns)
            demand(ends == moment[1:4], f"{where}: reward and ends {ends} against {moment[1:4]}")
            found = difference(self._words(batched.info, lane), _plain(moment.info), "info")
            demand(found is None, f"{where}: {found}")
        if only is None:
            self.over = np.array([m.over for m in moments])
            self.guides = [guide_of(env, m) for env, m in zip(self.singles, moments, strict=True)]

    def reset_some(self) -> None:
        """Reset the lanes that have ended by ``reset_mask``; the others stay as they are."""
        over = self.over.copy()
        batched = _first(*self.vec.reset(options={"reset_mask": over}))
        moments = [begin(env) if done else None for env, done in zip(self.singles, over, strict=True)]
        for lane, moment in enumerate(moments):
            if moment is None:
                found = "action_mask" in batched.info and difference(
                    batched.info["action_mask"][lane], self.guides[lane], "mask"
                )
                demand(not found, f"{self.where}: the reset of others touched lane {lane}: {found}")
            else:
                self.guides[lane] = guide_of(self.singles[lane], moment)
        self.compare(batched, [m or _NOTHING for m in moments], over)
        self.over[:] = False

    def same_step(self, actions: Any) -> None:
        """Step; lanes that end begin their next episode at once, their last moment is in ``info``."""
        batched = Moment(*self.vec.step(actions))
        moments = [take(env, action) for env, action in zip(self.singles, actions, strict=True)]
        over = np.array([m.over for m in moments])
        demand(
            bool(over.any()) == ("final_obs" in batched.info), f"{self.where}: final_obs at the wrong time"
        )
        if over.any():
            for key in ("_final_obs", "_final_info"):
                found = difference(batched.info[key], over, key)
                demand(found is None, f"{self.where}: {found}")
            final = Moment(batched.info["final_obs"], *batched[1:4], batched.info["final_info"])
            where, self.where = self.where, f"{self.where}, final"
            self.compare(final, moments, over)
            self.where = where
        for lane in np.flatnonzero(over):
            fresh = begin(self.singles[lane])
            moments[lane] = Moment(fresh.obs, *moments[lane][1:4], fresh.info)
        self.compare(batched, moments)

    def _words(self, info: dict[str, Any], lane: int) -> dict[str, Any]:
        """Return a lane's part of the batch's ``info`` in the words of the single environment."""
        codes = np.atleast_1d(info["refusal"][lane])
        reasons = [self.vec.refusal_names[code - 1] if code else None for code in codes]
        mask = {"action_mask": np.array(info["action_mask"][lane])} if "action_mask" in info else {}
        return {
            "time": int(info["time"][lane]),
            "elapsed": int(info["elapsed"][lane]),
            **mask,
            "refusal": reasons,
            "events": self._events(info["events"], lane),
            "success": bool(info["success"][lane]),
            "dead_end": bool(info["dead_end"][lane]) if "dead_end" in info else None,
            "tardiness": float(info["tardiness"][lane]),
        }

    def _events(self, rows: Any, lane: int) -> list[tuple[Any, ...]]:
        """Return a lane's events as tick, kind and name."""
        env = self.singles[lane]
        graph = env.task.graph
        found = []
        for _, tick, code, subject, _ in (row for row in rows.tolist() if row[0] == lane):
            kind = self.vec.event_names[code]
            if kind == "capacity":
                name = graph.resources[subject].name
            elif kind == "stock":
                name = graph.items[subject - env.model.dims.resources].name
            elif kind == "agent":
                name = graph.agents[subject].name
            elif code >= at.E_MOVE:
                name = env.scene.names(kind)[subject]
            else:
                name = env.subtask_names[subject]
            if kind != "join":
                found.append((tick, kind, name))
        return found


_NOTHING = Moment({}, 0.0, False, False, {})


def _plain(info: dict[str, Any]) -> dict[str, Any]:
    """Return a single environment's ``info`` in a form that a batch's can be brought to."""
    reasons = info["refusal"] if isinstance(info["refusal"], list) else [info["refusal"]]
    return {
        **info,
        "refusal": reasons,
        "events": [(e["tick"], e["kind"], e["subtask"]) for e in info["events"]],
    }
