"""The part of the contract that is about the rules: masks, clocks, rewards, dead ends, knowledge.

Owns facts that hold whatever the task; ``check`` runs them with the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces

from stratagym.envs.api.course import (
    LONGEST_EPISODE,
    Env,
    Mask,
    Moment,
    begin,
    choose,
    demand,
    difference,
    episode,
    guide_of,
    take,
    waiting,
)
from stratagym.envs.rewards import REWARDS, progress

Make = Callable[..., Env]

PLAIN_REFUSALS = {None, "unknown", "busy", "finished", "world", "refused"}
"""Reasons that may be told where the graph is hidden."""
REWARD_SEEDS = (0, 1, 4)
"""Episodes over which every reward is summed."""


def check_mask(make: Make) -> None:
    """The mask is exact: with its agent served first, an action is accepted if and only if it allows it.

    For a joint subtask just as many idle agents with the skill join as it needs; in a world the
    others would have to be there, so that their absence may be the reason. A box needs no mask.
    """
    env: Any = make(clock="tick").unwrapped
    if isinstance(env.action_space, spaces.Box):
        return
    excused = {None} if env.scene is None else {None, "agents"}
    for k, moment in enumerate(episode(env, 2)):
        if moment.over or k > 60:
            break
        if k % 6:
            continue
        mask, state = np.atleast_2d(moment.info["action_mask"]), env.get_state()
        for agent, action in np.ndindex(mask.shape):
            take(env, _served_first(env, agent, action, moment.info["action_mask"]))
            reason = env.refusals[agent]
            env.set_state(state)
            where = f"step {k}: agent {agent}, action {env.action_names[action]!r}"
            allowed = bool(mask[agent, action])
            demand(allowed == (reason in excused), f"{where}: mask {allowed}, refusal {reason!r}")


def _served_first(env: Any, agent: int, action: int, mask: Mask) -> Any:
    """Return actions in which one agent acts, joined by just enough others where it needs them."""
    if mask.ndim == 1:
        return action
    graph = env.task.graph
    actions = waiting(mask)
    actions[agent] = action
    if env.scene is None and action < len(graph.subtasks) and graph.subtasks[action].agents > 1:
        subtask = graph.subtasks[action]
        skill = None if subtask.skill is None else graph.skills[subtask.skill]
        able = [
            a
            for a, seen in enumerate(env.observation().task.agents)
            if a != agent and seen.idle and (skill is None or skill in seen.skills)
        ]
        actions[able[: subtask.agents - 1]] = action
    return actions


def check_clocks(make: Make) -> None:
    """The same starts at the same ticks give the same trajectory under all three clocks."""
    for clock in ("decision", "event"):
        for seed in (0, 1):
            coarse: Any = make(clock=clock).unwrapped
            rng = np.random.default_rng(seed)
            moments, actions = [begin(coarse, seed=seed)], []
            while not moments[-1].over:
                actions.append(choose(guide_of(coarse, moments[-1]), rng, 0.1))
                moments.append(take(coarse, actions[-1]))
                demand(len(moments) < LONGEST_EPISODE, "an episode does not end: give the task a horizon")
            _replay_by_tick(
                make(clock="tick").unwrapped, seed, moments, actions, f"{clock} clock, seed {seed}"
            )


def _replay_by_tick(env: Any, seed: int, moments: list[Moment], actions: list[Any], where: str) -> None:
    """Replay a course under the tick clock and demand the same moments at its decisions."""
    fine = [begin(env, seed=seed)]
    k = 0
    while not fine[-1].over:
        now = fine[-1]
        if k < len(actions) and moments[k].info["time"] == now.info["time"]:
            mine, theirs = _shared(now.obs, moments[k].obs)
            found = difference(mine, theirs, "obs")
            one, other = (moment.info.get("action_mask") for moment in (now, moments[k]))
            found = found or difference(one, other, "mask")
            demand(found is None, f"{where}, tick {now.info['time']}: tick by tick {found}")
            fine.append(take(env, actions[k]))
            k += 1
        else:
            fine.append(take(env, waiting(guide_of(env, now))))
    demand(k == len(actions), f"{where}: tick by tick it ended at {fine[-1].info['time']}, {k} actions in")
    for name, one, other in zip(Moment._fields, fine[-1], moments[-1], strict=True):
        if name in ("obs", "terminated", "truncated"):
            mine, theirs = _shared(one, other) if name == "obs" else (one, other)
            found = difference(mine, theirs, name)
            demand(found is None, f"{where}, at the end: tick by tick {found}")
    told = [[e for m in course for e in m.info["events"]] for course in (fine, moments)]
    demand(told[0] == told[1], f"{where}: the events differ: {told[0]} against {told[1]}")
    paid = [sum(m.reward for m in course) for course in (fine, moments)]
    demand(math.isclose(*paid, abs_tol=1e-9), f"{where}: the returns are {paid}")
    for key in ("time", "success", "tardiness", "dead_end"):
        found = difference(fine[-1].info[key], moments[-1].info[key], key)
        demand(found is None, f"{where}, at the end: tick by tick {found}")


def _shared(one: dict[str, Any], other: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parts of two observations that have the same shape.

    A view may leave out, under each clock, what never moves under it.
    """
    same = [key for key in one if key in other and np.shape(one[key]) == np.shape(other[key])]
    return {key: one[key] for key in same}, {key: other[key] for key in same}


def check_rewards(make: Make) -> None:
    """Every reward sums to what it stands for, whatever the course."""
    for kind in REWARDS:
        env: Any = make(reward=kind).unwrapped
        for seed in REWARD_SEEDS:
            total, paid, groups = 0.0, 0.0, set()
            for moment in episode(env, seed, illegal=0.1, wait=0.02):
                total += moment.reward
                for h in env.happened:
                    if h.kind != "success":
                        continue
                    subtask = env.task.graph.subtasks[h.subject]
                    if subtask.repeatable or subtask.pay_group not in groups:
                        paid += subtask.reward
                    groups.add(subtask.pay_group)
            expected = _return(env, kind, moment, paid)
            demand(
                math.isclose(total, expected, abs_tol=1e-9), f"{kind}, seed {seed}: {total}, not {expected}"
            )


def _return(env: Any, kind: str, last: Moment, paid: float) -> float:
    """Return what the rewards of an episode must sum to."""
    graph, time = env.task.graph, last.info["time"]
    share = min(1.0, env.reference.figure / max(1, time)) if last.info["success"] else 0.0
    if kind == "task":
        return paid
    if kind == "sparse":
        return share
    if kind == "dense":
        return share + progress(env.memory())
    if kind == "makespan":
        failed = graph.goal is not None and not last.info["success"]
        return -float(graph.horizon if failed and graph.horizon is not None else time)
    return -float(last.info["tardiness"])


def check_dead_ends(make: Make) -> None:
    """After a reported dead end nothing succeeds; ``end_on_dead_end`` ends the episode there."""
    env, ending = make().unwrapped, make(end_on_dead_end=True).unwrapped
    for seed in range(3):
        dead = False
        for moment in episode(env, seed, wait=0.3):
            dead = dead or moment.info["dead_end"]
            demand(not (dead and moment.info["success"]), f"seed {seed}: success after a dead end")
        for moment in episode(ending, seed, wait=0.3):
            ended = moment.terminated or moment.truncated or not moment.info["dead_end"]
            # A reset cannot end an episode, so a dead end there is left to the first step.
            demand(ended or moment.info["time"] == 0, f"seed {seed}: a dead end does not end the episode")


def check_knowledge(make: Make) -> None:
    """What an agent may know changes what it is told, never what happens."""
    for level in ("structure", "none"):
        full, less = make().unwrapped, make(knowledge=level).unwrapped
        for seed in (0, 1):
            rng = np.random.default_rng(seed)
            one, other = begin(full, seed=seed), begin(less, seed=seed)
            while not other.over:
                _compare_knowledge(full, less, one, other, f"knowledge={level!r}, seed {seed}")
                action = choose(guide_of(less, other), rng)
                other = take(less, action)
                one = take(full, _same_action(less, full, action))
            _compare_knowledge(full, less, one, other, f"knowledge={level!r}, seed {seed}")


def _same_action(env: Any, other: Any, action: Any) -> Any:
    """Return an action of one environment as another one numbers it."""
    if isinstance(env.action_space, spaces.Box):
        return action
    names = np.atleast_1d(np.array(env.action_names)[action])
    places = [other.action_names.index(name) for name in names]
    return places[0] if np.ndim(action) == 0 else np.array(places)


def _compare_knowledge(full: Any, less: Any, one: Moment, other: Moment, where: str) -> None:
    """Demand that two moments are one, and that only what is granted is told."""
    where = f"{where}, tick {one.info['time']}"
    demand(other.obs in less.observation_space, f"{where}: the observation is not in its space")
    told = None if less.options.knowledge == "none" else one.info["dead_end"]
    demand(other.info["dead_end"] == told, f"{where}: of a dead end is told {other.info['dead_end']}")
    if "action_mask" in one.info:
        order = [full.action_names.index(name) for name in less.action_names]
        found = difference(one.info["action_mask"][..., order], other.info["action_mask"], "mask")
        demand(found is None, f"{where}: {found}")
    for name in ("time", "elapsed", "success"):
        demand(
            one.info[name] == other.info[name], f"{where}: {name}={other.info[name]}, not {one.info[name]}"
        )
    demand(one[1:4] == other[1:4], f"{where}: {other[1:4]}, not {one[1:4]}")
    told = other.info["refusal"] if isinstance(other.info["refusal"], list) else [other.info["refusal"]]
    if less.options.knowledge == "none":
        demand(set(told) <= PLAIN_REFUSALS, f"{where}: a refusal tells of the graph: {told}")
