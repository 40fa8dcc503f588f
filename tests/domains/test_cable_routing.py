"""CableRouting: what is drawn, what the scripted agent makes of it, and what slipping costs."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest

from stratagym.agents.hierarchy import HierarchicalAgent
from stratagym.agents.zoo import in_world, make_agent
from stratagym.baselines.claims.cable_routing import chain, clips_of, compare, sequencer
from stratagym.baselines.claims.trials import Trial, trials
from stratagym.baselines.rollout import play
from stratagym.envs.api.options import Options
from stratagym.envs.api.single import TaskEnv
from stratagym.envs.domains.cable_routing import DOMAIN, layout, scene_of, source, task_of
from stratagym.envs.domains.domain import SIZES, SPLITS, Size, instance_seed
from stratagym.envs.step import Model
from stratagym.envs.task.spec import load_task
from stratagym.envs.worlds.plane_spec import exit_of, gate_of
from stratagym.envs.worlds.scene import load_scene

TICKS = 90
"""Ticks a clip, and as many before the first, that every table here is given: twice what is needed."""


def tables(size: Size, count: int, slip: float, out: float = 0.0) -> Model:
    """Return test tables with a horizon, which are not certified."""

    def task(k: int) -> dict[str, Any]:
        table = layout(instance_seed("test", k), size)
        return {**task_of(table, slip, out), "horizon": TICKS * (1 + len(table.clips))}

    return Model(
        f"tables/{size}/{slip}/{out}",
        count,
        task,
        scene=lambda k: scene_of(layout(instance_seed("test", k), size)),
    )


def played(model: Model, make: Any, seeds: range) -> list[Trial]:
    """Play an agent on the tables that seeds pick."""
    env = TaskEnv(model, Options(reward="task", executor="interpreted"))
    return [Trial(seed, e.success, e.time) for seed in seeds for e in [play(env, in_world(make()), seed)]]


@pytest.mark.parametrize("size", SIZES)
def test_tables_are_what_the_data_file_says(size: Size) -> None:
    """Clips, order and obstacles are in their ranges, order has no cycle, lanes keep apart; no two alike."""
    clips = {"small": (1, 2), "medium": (3, 3), "large": (4, 5)}[size]
    digests = set()
    for split in SPLITS:
        found = source(size, split)
        assert found.scene is not None
        for k in range(20):
            table = layout(instance_seed(split, k), size)
            assert clips[0] <= len(table.clips) <= clips[1]
            ranks: dict[int, int] = {}
            for _ in table.clips:
                for a, b in table.order:
                    ranks[b] = max(ranks.get(b, 0), ranks.get(a, 0) + 1)
            assert max(ranks.values(), default=0) < len(table.clips)
            gates = [(gate_of(c), c.at, exit_of(c)) for c in table.clips]
            for i, lane in enumerate(gates):
                assert all(math.dist(p, q) >= 1.9 for other in gates[:i] for p in lane for q in other)
            task = load_task(found.mapping(k))
            scene = load_scene(found.scene(k), task)
            digests.add((task.digest, scene.digest))
            assert found.scene(k) == found.scene(k)
    assert len(digests) == 60


def test_options_are_checked_and_make_families_of_their_own() -> None:
    """A slip that is no probability is refused; other slips are other families; certified is the default."""
    assert DOMAIN.source().family == "cable_routing/medium"
    assert DOMAIN.source(slip=0.1, out=0.5).family == "cable_routing/medium/slip=0.1-out=0.5"
    for option in ({"slip": 1.2}, {"slip": True}, {"out": -0.1}):
        with pytest.raises(ValueError, match="is not a probability"):
            DOMAIN.source(**option)


@pytest.mark.parametrize("size", SIZES)
def test_the_witness_threads_every_clip(size: Size) -> None:
    """Without slips the scripted agent succeeds on every table, whichever planner orders the clips."""
    for planner in ("tours", "greedy"):
        rows = played(tables(size, 12, 0.0), partial(make_agent, planner), range(8))
        assert [row.seed for row in rows if not row.success] == []


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_the_witness_threads_every_clip_of_200_tables(size: Size) -> None:
    """The same on 200 seeds, and the order of the tour is worth something where there are many clips."""
    model = tables(size, 100, 0.0)
    tours, greedy = (played(model, partial(make_agent, name), range(200)) for name in ("tours", "greedy"))
    assert all(row.success for row in tours)
    assert all(row.success for row in greedy)
    ratio = sum(row.ticks for row in greedy) / sum(row.ticks for row in tours)
    assert ratio >= {"small": 1.0, "medium": 1.05, "large": 1.1}[size]


def test_a_chain_breaks_where_a_sequencer_recovers() -> None:
    """With one primitive in five slipping, three clips in a chain succeed in about half, recovered in all.

    Where nothing slips, the chain is as good.
    """
    seeds = range(48)
    model = tables("medium", 100, 0.2)
    found = compare(played(model, chain, seeds), played(model, sequencer, seeds), 0.2, 3)
    assert abs(found["chained"].mean - 0.8**3) <= 0.18
    assert found["recovering"].mean >= 0.95
    assert found["gain"].low >= 0.25
    calm = tables("medium", 12, 0.0)
    twins = [played(calm, make, range(12)) for make in (chain, sequencer)]
    assert twins[0] == twins[1]
    assert all(row.success for row in twins[0])


def test_the_claim_counts_clips_by_the_table_that_is_played() -> None:
    """A seed's number of clips is that of the instance which a reset picks."""
    import gymnasium

    env = gymnasium.make("stratagym/CableRouting-v0", size="large", split="test", reward="task")
    for seed in range(5):
        env.reset(seed=seed)
        inserts = [n for n in env.unwrapped.task.graph.names if n.startswith("insert")]  # type: ignore[attr-defined]
        assert clips_of("large", seed) == len(inserts)


def test_what_is_torn_out_is_threaded_again() -> None:
    """Where clips are torn at, the cable comes out of some, and the agent threads them once more."""
    model = tables("medium", 20, 0.0, out=1.0)
    env = TaskEnv(model, Options(reward="task", executor="interpreted"))
    undone, success = 0, 0
    for seed in range(12):
        episode = play(env, HierarchicalAgent("greedy"), seed)
        undone += sum(e["kind"] == "undo" for e in episode.events)
        success += episode.success
    assert undone >= 3
    assert success >= 11


def test_the_cable_is_stuck_half_the_time_that_it_slips_and_is_loosened() -> None:
    """After a slip only the plane says whether to loosen first; both happen, and both are mended."""
    env = TaskEnv(tables("medium", 20, 0.5), Options(reward="task", executor="interpreted"))
    slips, loosened = 0, 0
    for seed in range(10):
        episode = play(env, HierarchicalAgent("greedy"), seed)
        slips += sum(e["kind"] == "slip" for e in episode.events)
        loosened += sum(e["kind"] == "success" and e["subtask"] == "perturb" for e in episode.events)
    assert slips >= 15
    assert 0.2 * slips <= loosened <= 0.8 * slips


def test_the_witness_keeps_its_stated_rate_where_inserting_slips() -> None:
    """As registered, one insertion in five slips: within the horizon the witness mends nearly all."""
    options = {"size": "medium", "split": "test", "executor": "interpreted"}
    rows = trials("stratagym/CableRouting-v0", options, partial(make_agent, "tours"), range(40))
    assert sum(row.success for row in rows) / len(rows) >= 0.9
