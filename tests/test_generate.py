"""Random tasks: what was asked is what comes out, and every goal can be reached."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from replaying import replay
from stratagym.envs.domains import mining, playground
from stratagym.envs.domains.graph import SETS, source
from stratagym.envs.domains.sources import data_beside
from stratagym.envs.task.extend import depth_width, extend_depth, extend_width, levels, predecessors
from stratagym.envs.task.generate import generate, generate_with_witness
from stratagym.envs.task.knobs import Knobs
from stratagym.envs.task.spec import load_task
from stratagym.envs.task.witness import Job, Placed, schedule

EVERYTHING: dict[str, Any] = {
    "min_lags": 0.3, "max_lags": 0.4, "releases": 0.3, "deadlines": 0.4, "dues": 0.3, "items": 3,
    "agents": 3, "skills": 2, "joint": 0.3, "modes": 0.3, "drawn": 0.3, "dispatched": 0.4,
    "distractors": 3, "not_share": 0.5, "events": 6, "constraints": 2,
}  # fmt: skip
PLAYGROUND, MINING = data_beside(playground.__file__), data_beside(mining.__file__)


def test_a_task_is_a_function_of_knobs_and_seed() -> None:
    """The same knobs and seed give the same task, whatever the global random state is."""
    first = generate(Knobs(**EVERYTHING), 5)
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    assert generate(Knobs(**EVERYTHING), 5) == first
    assert generate(Knobs(**EVERYTHING), 6) != first


@pytest.mark.parametrize(
    ("number", "depth", "width"),
    [(1, 1, 1), (5, 1, 5), (6, 6, 1), (8, 3, 4), (16, 5, 5), (32, 7, 8), (60, 12, 9)],
)
def test_depth_and_width_are_what_was_asked(number: int, depth: int, width: int) -> None:
    """Number, depth and width of 20 tasks each are exactly those of the knobs."""
    knobs = Knobs(number=number, depth=depth, width=width, distractors=min(2, number - depth), modes=0.2)
    for seed in range(20):
        task = generate(knobs, seed)
        assert (len(task["subtasks"]), *depth_width(task)) == (number, depth, width)


def test_depth_and_width_of_a_task_worked_by_hand() -> None:
    """Lags, sequences and positive literals count towards depth; negations and the goal do not."""
    task = {
        "subtasks": {
            "a": None,
            "b": {"needs": "~a"},
            "c": {"needs": "2 of (a, b, d)"},
            "d": {"lags": {"a": {"max": 2}}},
            "e": {"needs": "(a | b) & ~(~c | d)"},
            "f": {},
        },
        "tasks": {"last": {"sequence": ["e", "f"]}},
        "goal": "last",
    }
    assert predecessors(task)["e"] == ["a", "b", "c"]
    assert levels(task) == {"a": 0, "b": 0, "d": 1, "c": 2, "e": 3, "f": 4}
    assert depth_width(task) == (5, 2)


def test_a_cycle_of_needs_has_no_depth() -> None:
    """Measuring a cycle is refused with the names of its members."""
    with pytest.raises(ValueError, match="cycle among a, b"):
        depth_width({"subtasks": {"a": {"needs": "b"}, "b": {"needs": "a"}, "c": {}}})


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"number": 4}, "number: depth 5 and width 5 take 9 to 25"),
        ({"number": 26}, "number: depth 5 and width 5 take 9 to 25"),
        ({"depth": 0}, "depth: 0"),
        ({"and_share": 1.2}, "and_share: 1.2"),
        ({"and_share": 0.6, "or_share": 0.5}, "together more than 1"),
        ({"distractors": 12}, "distractors: 12"),
        ({"events": -1}, "events: -1"),
        ({"duration": (0, 3)}, r"duration: \[0, 3\]"),
        ({"capacity": (3, 2)}, r"capacity: \[3, 2\]"),
        ({"keeps": (3, 2)}, r"keeps: \[3, 2\]"),
        ({"success": 0.0}, "success: 0"),
        ({"horizon": 0.5}, "horizon: 0.5"),
        ({"horizon": None, "dues": 0.5}, "dues: "),
    ],
)
def test_contradictory_knobs_are_refused_by_name(knobs: dict[str, Any], words: str) -> None:
    """A knob out of its range raises ValueError that names the knob."""
    with pytest.raises(ValueError, match=words):
        Knobs(**knobs)


def test_the_witness_reaches_the_goal_of_every_task() -> None:
    """Of 40 tasks that use every knob, every start of the witness is accepted, and the goal holds."""
    seen: set[str] = set()
    for seed in range(40):
        task, witness = generate_with_witness(Knobs(**EVERYTHING), seed)
        seen |= {key for fields in task["subtasks"].values() for key in fields}
        seen |= {key for event in task["events"] for key in event}
        sim = replay(task, witness, seed)
        assert sim.terminated
        assert sim.success
        assert sim.time <= max(run.end for run in witness)
    fields = "lags release deadline due uses consumes produces agents skill modes attended needs reward"
    events = "undo capacity agent duration appear stock"
    assert {*fields.split(), *events.split()} <= seen


def test_every_task_is_valid_and_its_horizon_finite() -> None:
    """100 tasks load, and the default horizon is twice the witness's makespan."""
    for seed in range(100):
        task, witness = generate_with_witness(Knobs(**EVERYTHING, chance=0.2), seed)
        assert load_task(task).graph.horizon == 2 * max(run.end for run in witness)


def test_negations_and_distractors_follow_their_knobs() -> None:
    """Distractors are asked for by nothing, and as many subtasks carry a negation as asked."""
    knobs = Knobs(distractors=4, not_share=0.5)
    for seed in range(20):
        task = generate(knobs, seed)
        asked = {k for before in predecessors(task).values() for k in before}
        goal = set(task["goal"].split(" & "))
        assert sum(k not in asked | goal for k in task["subtasks"]) == 4
        later = sum(level > 0 for k, level in levels(task).items() if k in asked | goal)
        negated = sum("~" in fields.get("needs", "") for fields in task["subtasks"].values())
        assert negated <= round(0.5 * later)
        assert negated >= 1


def test_a_share_of_zero_leaves_a_field_out() -> None:
    """With all shares at 0, a task has fixed durations and plain needs and nothing else."""
    plain = Knobs(
        and_share=0,
        or_share=0,
        k_of_share=0,
        not_share=0,
        distractors=0,
        attended=1.0,
        resources=0,
        use_share=0,
    )
    fields = {key for seed in range(10) for f in generate(plain, seed)["subtasks"].values() for key in f}
    assert fields == {"needs", "duration", "reward"}


@pytest.mark.parametrize("seed", range(15))
def test_depth_extension_adds_one_level_and_keeps_the_goal_reachable(seed: int) -> None:
    """The task is deeper by one, and the witness, moved behind the new subtask, still reaches the goal."""
    task, witness = generate_with_witness(Knobs(**EVERYTHING), seed)
    longer = extend_depth(task, seed)
    name, fields = next(iter(longer["subtasks"].items()))
    assert depth_width(longer)[0] == depth_width(task)[0] + 1
    assert extend_depth(task, seed) == longer
    moved = [run._replace(start=run.start + fields["duration"]) for run in witness]
    assert replay(longer, [Placed(name, 0, fields["duration"], (0,)), *moved], seed).success


@pytest.mark.parametrize("seed", range(15))
def test_width_extension_adds_one_beside_and_keeps_the_goal_reachable(seed: int) -> None:
    """The extended task is wider by one, and the witness, the new subtask behind it, reaches the goal."""
    plain = {"or_share": 0.0, "k_of_share": 0.0, "events": 0, "constraints": 0}
    task, witness = generate_with_witness(Knobs(**{**EVERYTHING, **plain}), seed)
    wider = extend_width(task, seed)
    assert depth_width(wider) == (depth_width(task)[0], depth_width(task)[1] + 1)
    end = max(run.end for run in witness)
    assert replay(wider, [*witness, Placed("extra 1", end, end, (0,))], seed).success


def test_width_extension_merges_two_tasks() -> None:
    """A task merged with another holds both, each prefixed, and is as wide as their levels together."""
    knobs = Knobs(resources=0, use_share=0)
    first, second = generate(knobs, 1), generate(knobs, 2)
    merged = extend_width(first, second)
    assert len(merged["subtasks"]) == len(first["subtasks"]) + len(second["subtasks"])
    assert depth_width(merged)[0] == 5
    assert depth_width(merged)[1] > 5


def test_extension_refuses_what_it_cannot_measure() -> None:
    """Families and repeats are refused by name."""
    with pytest.raises(ValueError, match="foreach"):
        extend_depth({"subtasks": {"wash {x}": {"foreach": {"x": [1, 2]}}}}, 0)
    with pytest.raises(ValueError, match="repeat"):
        extend_width({"subtasks": {"a": {}}, "tasks": {"b": {"repeat": "a", "times": 2}}}, 0)


def test_the_list_scheduler_respects_capacity_agents_and_order() -> None:
    """In 50 random shops no tick holds more than there is, and nothing starts before it may."""
    rng = np.random.default_rng(3)
    for _ in range(50):
        jobs: list[Job] = []
        for i in range(12):
            after = tuple((int(j), int(rng.integers(0, 3))) for j in rng.permutation(i)[:2])
            length = int(rng.integers(1, 6))
            uses = {"r": int(rng.integers(0, 3))}
            jobs.append(Job(f"j{i}", length, int(rng.integers(0, length + 1)), after, uses))
        placed = schedule(jobs, [frozenset(), frozenset()], {"r": 2}, rng)
        for tick in range(max(run.end for run in placed)):
            here = [(job, run) for job, run in zip(jobs, placed, strict=True) if run.start <= tick < run.end]
            assert sum(job.uses["r"] for job, _ in here) <= 2
            busy = [a for job, run in here if tick < run.start + job.attended for a in run.agents]
            assert len(busy) == len(set(busy))
        for job, run in zip(jobs, placed, strict=True):
            assert all(run.start >= placed[j].end + lag for j, lag in job.after)


@pytest.mark.parametrize("name", ["D1", "D2", "D3", "D4"])
def test_playground_graphs_follow_the_published_numbers(name: str) -> None:
    """Layer sizes, rewards, distractors, attempts and budget of 40 graphs are the published ones."""
    numbers = PLAYGROUND["sets"][name]
    sizes = [a + b for a, b in zip(numbers["subtasks"], numbers["distractors"], strict=True)]
    false = sum(numbers["distractors"])
    for index in range(40):
        task = source(set=name).mapping(index)
        level = levels(task)
        assert [list(level.values()).count(k) for k in range(len(sizes))] == sizes
        asked = {k for before in predecessors(task).values() for k in before}
        for key, fields in task["subtasks"].items():
            low, high = numbers["rewards"][level[key]]
            assert low <= fields["reward"] <= high
            assert fields["attempts"] == 1
        assert sum(k not in asked for k in task["subtasks"] if level[k] < len(sizes) - 1) >= false
        assert task["horizon"] == numbers["budget"]
        assert "goal" not in task


def test_playground_rewards_sum_as_measured_on_the_authors_files() -> None:
    """The mean sum of rewards of 300 graphs is within 1 percent of that of the stored evaluation graphs."""
    for name, measured in {"D1": 5.81, "D2": 6.31, "D3": 9.06, "D4": 12.41}.items():
        tasks = [source(set=name, instances=300).mapping(i) for i in range(300)]
        mean = np.mean([sum(f["reward"] for f in task["subtasks"].values()) for task in tasks])
        assert mean == pytest.approx(measured, rel=0.01)


def test_stored_like_graphs_have_as_many_negations_as_the_stored_ones() -> None:
    """D4 has no distractors; its stored graphs have 2.35 negations in the mean, the like of them 2 to 3.5."""
    tasks = [source(set="D4 stored", instances=200).mapping(i) for i in range(200)]
    negations = [str(task["subtasks"]).count("~") for task in tasks]
    assert 2.0 < np.mean(negations) < 3.5
    assert {task["horizon"] for task in tasks} <= set(range(56, 85))


def test_mining_graphs_hold_each_subtask_as_often_as_the_stored_ones() -> None:
    """Over 1,000 sub-graphs each frequency is within 5 percent points; the whole has 26, the mean 19."""
    table = MINING["subtasks"]
    tasks = [source(set="mining", instances=1000).mapping(i) for i in range(1000)]
    for name, facts in table.items():
        share = np.mean([name in task["subtasks"] for task in tasks])
        assert share == pytest.approx(facts["in"] / 440, abs=0.05)
    assert np.mean([len(task["subtasks"]) for task in tasks]) == pytest.approx(19.0, abs=0.3)
    assert len(source(set="mining whole").mapping(0)["subtasks"]) == 26


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("costs", ["fixed", "drawn"])
def test_published_sets_are_valid_tasks(name: str, costs: str) -> None:
    """Five graphs of each set load under both kinds of costs."""
    found = source(set=name, costs=costs)  # type: ignore[arg-type]
    for index in range(5):
        assert load_task(found.mapping(index)).graph.goal is None
