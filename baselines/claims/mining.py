"""What does a random body earn on the Mining graphs?

Owns the replication of a number that the light version of the published environment states: a
uniform choice among the ten primitive actions earns about 0.045 in 70 steps (mean of 32
episodes on each of 100 graphs, the map drawn anew for each). Here a graph comes with its map, so that
every episode is played on another graph: with few maps the mean would depend on them. It
is played by the published rules, where an attempt at what is not possible yet loses the chance for
good (to refuse it changes nothing: hardly more than the first gatherings is ever paid), and, as a
comparison, without the further objects that the light version adds.

Use: ``python -m stratagym.baselines.claims.mining``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from stratagym.baselines.claims.trials import mean_of, publish
from stratagym.baselines.metrics import Interval

GRAPHS, EPISODES, LANES = 20_000, 3000, 64
STATED = 0.0455

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "published": {"attempts": "lost", "spare": True},
    "published, one object a subtask": {"attempts": "lost", "spare": False},
}


def returns(graphs: int, episodes: int, options: Mapping[str, Any]) -> tuple[Interval, float]:
    """Return the mean return of uniform primitive play and the mean length of an episode.

    Args:
        graphs: how many.
        episodes: how many over all graphs, each drawn by its seed.
        options: of the environment.
    """
    import gymnasium

    import stratagym  # noqa: F401  (registers the ids)

    envs = gymnasium.make_vec(
        "stratagym/Mining-v0",
        num_envs=LANES,
        set="stored",
        reward="task",
        instances=graphs,
        autoreset_mode="SameStep",
        **options,
    )
    rng = np.random.default_rng(0)
    envs.reset(seed=0)
    choices = int(envs.single_action_space.n) - 1  # type: ignore[attr-defined]
    earned, steps = np.zeros(LANES), np.zeros(LANES)
    found: list[float] = []
    lengths: list[float] = []
    while len(found) < episodes:
        _, reward, terminated, truncated, _ = envs.step(rng.integers(choices, size=LANES))
        earned, steps = earned + reward, steps + 1
        over = terminated | truncated
        found += list(earned[over])
        lengths += list(steps[over])
        earned[over], steps[over] = 0.0, 0.0
    envs.close()
    return mean_of(found), float(np.mean(lengths))


def main() -> None:
    """Measure the claim and write its result."""
    figures: dict[str, Any] = {"stated": STATED, "graphs": GRAPHS, "episodes": EPISODES}
    for name, options in VARIANTS.items():
        mean, length = returns(GRAPHS, EPISODES, options)
        figures[name] = {"return": mean, "steps": length}
    print(publish("mining", figures, "python -m stratagym.baselines.claims.mining"))


if __name__ == "__main__":
    main()
