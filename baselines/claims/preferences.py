"""Does a preference change what counts as tidy?

Owns the measurement of a claim about household rearrangement: with another preference vector
other objects of the same house are out of place, and what tidies a house under one vector leaves
it untidy under another. The agent's own actions under the first vector are taken again, step by
step, under the other; nothing in these houses is drawn, so under the same vector they succeed.

Use: ``python -m stratagym.baselines.claims.preferences``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stratagym.agents.zoo import in_world, make_agent
from stratagym.baselines.claims.trials import environment, mean_of, publish
from stratagym.baselines.rollout import agent_seed
from stratagym.envs.api.single import TaskEnv
from stratagym.envs.domains import rearrangement
from stratagym.envs.domains.draft import generator, pick
from stratagym.envs.domains.tidying import Preference, catalogue

HOUSES = 200
SIZE = "small"
HORIZON = 600


def house(seed: int, preference: Preference) -> TaskEnv:
    """Return the environment of one house under a vector, with time enough."""
    return environment(f"house {seed}", *rearrangement.morning(seed, SIZE, preference=preference), HORIZON)


def actions_of(env: TaskEnv) -> tuple[bool, list[int]]:
    """Play a house with the scripted agent; return whether it is tidy then, and the actions."""
    agent = in_world(make_agent("optimal"))
    agent.reset(agent_seed(0))
    env.reset(seed=0)
    taken: list[int] = []
    while True:
        taken.append(int(agent.act(env.observation())[0]))
        *_, done, cut, info = env.step(taken[-1])
        if done or cut:
            return bool(info["success"]), taken


def repeated(env: TaskEnv, actions: Sequence[int]) -> bool:
    """Return whether given actions tidy a house."""
    env.reset(seed=0)
    for action in actions:
        *_, done, cut, info = env.step(action)
        if done or cut:
            return bool(info["success"])
    return False


def other_vector(seed: int, own: Preference) -> dict[str, str]:
    """Draw a vector that wants every kind elsewhere, and under which the house has room for everything."""
    rng = generator(seed, 0x0713)
    kinds = catalogue()["kinds"]
    while True:
        vector = {k: pick(rng, [p for p in kinds[k]["fits"] if p != own[k]], 1)[0] for k in kinds}
        try:
            rearrangement.morning(seed, SIZE, preference=vector)
        except ValueError:
            continue
        return vector


def measure(houses: Sequence[int]) -> dict[str, Any]:
    """Return in how many houses (percent) what is misplaced differs, and who succeeds where."""
    rows: list[tuple[bool, bool, bool, bool]] = []
    for seed in houses:
        home = rearrangement.house(seed, SIZE)
        own, other = home.preference, other_vector(seed, home.preference)
        success, actions = actions_of(house(seed, own))
        rows.append(
            (
                set(home.misplaced(own)) != set(home.misplaced(other)),
                success,
                repeated(house(seed, own), actions),
                repeated(house(seed, other), actions),
            )
        )
    names = ("other objects misplaced", "success", "repeated under the same vector", "repeated under another")
    return {
        "houses": len(rows),
        **{
            name: mean_of([100.0 * v for v in column])
            for name, column in zip(names, zip(*rows, strict=True), strict=True)
        },
    }


def main() -> None:
    """Measure and write ``docs/results/preferences.json``."""
    figures = {
        "claim": "another vector makes other objects misplaced, and the agent of one fails under another",
        "size": SIZE,
        **measure(range(HOUSES)),
    }
    publish("preferences", figures, "python -m stratagym.baselines.claims.preferences")


if __name__ == "__main__":
    main()
