"""Domains: families that are what they say, and the facts of the literature."""

from __future__ import annotations

import inspect
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reference import Reference
from replaying import replay
from stratagym.envs.domains import cooking, crafting, graph, household, job_shop, laboratory, project
from stratagym.envs.domains.domain import SIZES, SPLITS, Domain
from stratagym.envs.domains.draft import Draft
from stratagym.envs.task.optimum import optimum
from stratagym.envs.task.spec import load_task

MODULES = (graph, cooking, household, laboratory, job_shop, project, crafting)
DOMAINS = [module.DOMAIN for module in MODULES]
DRAFTED = [module.DOMAIN for module in MODULES if module is not graph]

# Exact optima under the environment's rules of the 60 published combinations, in the order (1, 2), (2, 3),
# ..., (10, 1), then (1, 2, 3), ..., (10, 1, 2); of the single tasks the mean is published.
COMBINED = {
    "Cooking": ([37, 37, 37, 40, 41, 37, 29, 29, 31, 32], [53, 58, 56, 62, 56, 51, 44, 45, 47, 53]),
    "Household": ([25, 26, 21, 21, 23, 23, 24, 24, 25, 24], [37, 35, 33, 32, 35, 35, 36, 37, 36, 38]),
    "Laboratory": ([24, 26, 24, 27, 24, 26, 26, 25, 24, 18], [35, 39, 34, 37, 36, 36, 37, 31, 30, 32]),
}
SINGLE_MEANS = {"Cooking": 18.9, "Household": 13.2, "Laboratory": 16.1}
SERIAL_MEANS = {"Cooking": 26.3, "Household": 16.7, "Laboratory": 17.9}
SUITES = {domain.name: domain for domain in (cooking.DOMAIN, household.DOMAIN, laboratory.DOMAIN)}


def makespan(mapping: Any) -> float | None:
    """Return the proved optimal makespan of a task."""
    found = optimum(load_task(mapping).graph)
    assert found.proved
    return found.value


@pytest.fixture
def drafts(monkeypatch: pytest.MonkeyPatch) -> list[Draft]:
    """Collect the drafts that are finished, for the sake of their witnesses."""
    found: list[Draft] = []
    finish = Draft.finish

    def keep(self: Draft, *args: Any) -> dict[str, Any]:
        found.append(self)
        return finish(self, *args)

    monkeypatch.setattr(Draft, "finish", keep)
    return found


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda d: d.name)
def test_every_option_of_a_domain_has_a_default(domain: Domain) -> None:
    """A source is made without arguments, is medium, training and 100 instances long."""
    assert all(p.default is not p.empty for p in inspect.signature(domain.source).parameters.values())
    found = domain.source()
    assert found.count == 100
    assert found.key == f"{found.family}/train"
    assert found.family.endswith("/medium")


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda d: d.name)
@pytest.mark.parametrize("size", SIZES)
def test_sizes_are_about_8_16_and_32_subtasks(domain: Domain, size: str) -> None:
    """The mean count of subtasks and modes is within a fifth of 8, 16 or 32, the largest below 1.3x."""
    wanted = {"small": 8, "medium": 16, "large": 32}[size]
    found = domain.source(size=size)
    counts = [len(load_task(found.mapping(k)).graph.subtasks) for k in range(12)]
    assert 0.8 * wanted <= sum(counts) / len(counts) <= 1.2 * wanted
    assert max(counts) <= 1.3 * wanted


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda d: d.name)
def test_splits_share_no_instance(domain: Domain) -> None:
    """The same index gives the same task in a split, and another in every other split."""
    tasks = [domain.source(split=split).mapping(index) for split in SPLITS for index in range(4)]
    assert all(a != b for i, a in enumerate(tasks) for b in tasks[:i])
    assert domain.source().mapping(3) == tasks[3]


@pytest.mark.parametrize("domain", DRAFTED, ids=lambda d: d.name)
def test_the_witness_of_every_family_reaches_the_goal(domain: Domain, drafts: list[Draft]) -> None:
    """For small, medium and large instances the schedule drawn first is accepted and ends at the goal."""
    for size, count in (("small", 8), ("medium", 8), ("large", 3)):
        for index in range(count):
            task = dict(domain.source(size=size).mapping(index))
            witness = drafts[-1].witness
            sim = replay(task, witness)
            assert sim.success
            assert sim.time == max(run.end for run in witness)


@pytest.mark.parametrize("domain", DRAFTED, ids=lambda d: d.name)
def test_medium_instances_are_proved_no_worse_than_their_witness(domain: Domain, drafts: list[Draft]) -> None:
    """The exact solver proves three medium instances, none later than the schedule they were drawn around."""
    for index in range(3):
        best = makespan(domain.source().mapping(index))
        assert best is not None
        assert best <= max(run.end for run in drafts[-1].witness)


def test_families_have_what_makes_them_hard() -> None:
    """Spoiling, deadlines, alternatives and scarce items occur where the domain promises them."""
    promised = {
        cooking: {"lags", "deadline", "modes", "uses"},
        household: {"lags", "deadline", "modes", "uses"},
        laboratory: {"lags", "deadline", "modes", "uses"},
        job_shop: {"lags", "modes", "uses"},
        project: {"lags", "modes"},
        crafting: {"consumes", "produces", "requires", "modes", "attempts", "deadline"},
        graph: {"lags", "deadline", "modes", "uses"},
    }
    for module, wanted in promised.items():
        found = module.DOMAIN.source()
        tasks = [found.mapping(index) for index in range(15)]
        assert wanted <= {key for task in tasks for fields in task["subtasks"].values() for key in fields}


def test_more_agents_share_the_work() -> None:
    """With agents=2 the families and the replication suites have two, and it shows in the optimum."""
    for domain in (cooking.DOMAIN, household.DOMAIN, laboratory.DOMAIN, crafting.DOMAIN):
        assert domain.source(agents=2).mapping(0)["agents"] == 2
    assert makespan(cooking.DOMAIN.source(tasks=(1,), agents=2).mapping(0)) < 16  # type: ignore[operator]


@pytest.mark.parametrize("name", list(SUITES))
def test_single_replicated_tasks_have_the_published_optima(name: str) -> None:
    """Means of optimum and of serial time over a scenario's ten tasks are as measured on the original."""
    tasks = [SUITES[name].source(tasks=(k,)).mapping(0) for k in range(1, 11)]
    assert sum(makespan(task) or 0 for task in tasks) / 10 == pytest.approx(SINGLE_MEANS[name])
    serial = [sum(f["duration"] for f in task["subtasks"].values()) for task in tasks]
    assert sum(serial) / 10 == pytest.approx(SERIAL_MEANS[name])
    assert {task["horizon"] for task in tasks} == {40}


def combination(name: str, first: int, count: int, **options: Any) -> Any:
    """Return the published combination of ``count`` tasks that begins with number ``first``."""
    numbers = tuple((first - 1 + k) % 10 + 1 for k in range(count))
    return SUITES[name].source(tasks=numbers, **options).mapping(0)


@pytest.mark.parametrize("name", list(SUITES))
@pytest.mark.parametrize("first", [3, 8, 10])
def test_some_combined_tasks_have_the_published_optima(name: str, first: int) -> None:
    """Three pairs of each scenario are proved to the exact optimum, with some that were once unsolvable."""
    task = combination(name, first, 2)
    assert task["horizon"] == 80
    assert makespan(task) == COMBINED[name][0][first - 1]


@pytest.mark.parametrize("name", list(SUITES))
@pytest.mark.parametrize("count", [2, 3])
def test_all_combined_tasks_have_the_published_optima(name: str, count: int) -> None:
    """All twenty pairs and triples of a scenario are proved to the exact optimum."""
    tasks = [combination(name, first, count) for first in range(1, 11)]
    assert {task["horizon"] for task in tasks} == {40 * count}
    assert [makespan(task) for task in tasks] == COMBINED[name][count - 2]


def test_one_pot_slows_one_task_alone() -> None:
    """With a single pot, fryer and oven the seventh cooking task takes 18 minutes, else 15."""
    assert makespan(combination("Cooking", 7, 1)) == 15
    assert makespan(combination("Cooking", 7, 1, pots=1)) == 18
    assert combination("Cooking", 7, 2)["resources"]["fryer"] == 3
    assert combination("Cooking", 7, 2, pots=1)["resources"]["fryer"] == 1


def test_rewards_of_a_replicated_task_are_shares_of_the_work() -> None:
    """The rewards of a task sum to 100, as the original's score does."""
    for name in SUITES:
        task = combination(name, 9, 3)
        assert sum(f["reward"] for f in task["subtasks"].values()) == pytest.approx(100, abs=0.2)


@pytest.mark.parametrize(("name", "value"), [("ft06", 55), ("la01", 666), ("la05", 593)])
def test_shipped_job_shops_have_their_known_optima(name: str, value: int) -> None:
    """The exact solver proves the makespan that the literature states."""
    assert job_shop.KNOWN_OPTIMA[name] == value
    assert makespan(job_shop.DOMAIN.source(instance=name).mapping(0)) == value


@pytest.mark.parametrize(("name", "jobs", "machines"), [("ft06", 6, 6), ("ft10", 10, 10), ("la03", 10, 5)])
def test_shipped_job_shops_have_their_shape(name: str, jobs: int, machines: int) -> None:
    """Each job visits every machine once, and the horizon is twice the known optimum."""
    task = job_shop.DOMAIN.source(instance=name).mapping(0)
    assert len(task["resources"]) == machines
    assert len(task["subtasks"]) == jobs * machines
    assert task["horizon"] == 2 * job_shop.KNOWN_OPTIMA[name]


def test_a_job_shop_is_read_with_comments_and_by_name() -> None:
    """Words are skipped, the named instance is found, and machines and durations pair up."""
    text = "# a title\ninstance one\n1 2\n 0 3 1 4\n\ninstance two\n2 1\n0 5\n0 6\n"
    assert job_shop.read_job_shop(text) == (((0, 3), (1, 4)),)
    assert job_shop.read_job_shop(text, "two") == (((0, 5),), ((0, 6),))
    task = job_shop.job_shop("two", job_shop.read_job_shop(text, "two"))
    assert makespan(task) == 11


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nothing here", "no job shop in the text"),
        ("2 1\n0 5\n", "2 jobs are announced, but 1"),
        ("1 1\n0 5 0\n", "job 1: 3 numbers"),
        ("1 1\n1 5\n", "job 1: machines are numbered 0 to 0"),
        ("1 1\n0 0\n", "job 1: durations"),
    ],
)
def test_a_broken_job_shop_is_refused_with_its_line(text: str, words: str) -> None:
    """Numbers that do not fit together raise ValueError that says which."""
    with pytest.raises(ValueError, match=words):
        job_shop.read_job_shop(text)


def test_single_mode_projects_are_read_without_source_and_sink() -> None:
    """The shipped .sm file has ten activities, two crews, its precedence, and the optimum 20."""
    task = project.DOMAIN.source(instance="garden").mapping(0)
    assert list(task["subtasks"]) == [f"activity {k}" for k in range(2, 12)]
    assert task["resources"] == {"R1": 4, "R2": 3}
    assert task["subtasks"]["activity 6"]["needs"] == "activity 2 & activity 4"
    assert "needs" not in task["subtasks"]["activity 3"]
    assert task["subtasks"]["activity 5"] == {
        "attended": 0,
        "needs": "activity 2",
        "duration": 5,
        "uses": {"R2": 2},
    }
    assert makespan(task) == 20


def test_multi_mode_projects_spend_what_does_not_renew() -> None:
    """The shipped .mm file has modes, a stock, and an optimum that not every fast mode can be part of."""
    task = project.DOMAIN.source(instance="fair").mapping(0)
    assert task["items"] == {"N1": 25}
    assert task["subtasks"]["activity 2"]["modes"]["mode 2"] == {
        "duration": 7,
        "uses": {"R1": 1},
        "consumes": {"N1": 2},
    }
    assert makespan(task) == 16


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("REQUESTS/DURATIONS", "REQUESTS", "REQUESTS/DURATIONS: there is no such section"),
        (
            "   2        1          2           5   6",
            "   2        1          3           5   6",
            "job 2 does not list",
        ),
        ("  2      1     4       2    0", "  2      1     4       2", "jobs without a mode"),
        ("    4    3\n", "    4\n", "RESOURCEAVAILABILITIES: 2 numbers"),
        ("  R 1  R 2\n---", "  D 1  R 2\n---", "doubly constrained"),
        ("   9        1          1          12", "   9        1          1          99", r"\[99\]"),
    ],
)
def test_a_broken_project_is_refused_with_its_section(old: str, new: str, words: str, tmp_path: Path) -> None:
    """A damaged file raises ValueError that names the section or the job."""
    text = (Path(project.__file__).parent / project.SHIPPED["garden"]).read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "broken.sm"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=words):
        project.DOMAIN.source(file=str(path))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("depth", range(1, 7))
def test_crafting_is_as_deep_as_asked(size: str, depth: int) -> None:
    """The longest chain of recipes below the thing to deliver has the depth that was asked for."""
    found = crafting.DOMAIN.source(size=size, depth=depth)
    for index in range(5):
        task = found.mapping(index)
        makes = {item: f for f in task["subtasks"].values() for item in f.get("produces", {})}

        def deep(item: str, makes: dict[str, Any] = makes) -> int:
            fields = makes[item]
            taken = fields.get("consumes") or next(iter(fields.get("modes", {"": {}}).values())).get(
                "consumes", {}
            )
            return 1 + max(map(deep, taken)) if taken else 0

        (wanted,) = task["subtasks"][task["goal"]]["consumes"]
        assert deep(wanted) == depth


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda d: d.name)
def test_uniform_play_that_never_idles_falls_behind(domain: Domain) -> None:
    """Of 12 medium instances it fails half within twice the optimum, or needs 1.25 times that in the mean."""
    ratios = []
    for index in range(12):
        task = dict(domain.source().mapping(index))
        best = makespan(task) or 0.0
        sim = Reference({**task, "horizon": int(2 * best)}, index)
        rng = np.random.default_rng(index)
        while not (sim.terminated or sim.truncated):
            allowed = [k for k, free in enumerate(sim.mask()[0][:-1]) if free]
            sim.step([int(rng.choice(allowed)) if allowed else len(sim.names)])
        ratios.append(sim.time / best if sim.success else math.inf)
    reached = [ratio for ratio in ratios if ratio < math.inf]
    assert len(reached) <= 6 or np.mean([min(ratio, 2.0) for ratio in ratios]) >= 1.25


@pytest.mark.parametrize(
    ("module", "options", "words"),
    [
        (cooking, {"size": "huge"}, "size: 'huge' is not one of small, medium, large"),
        (household, {"split": "dev"}, "split: 'dev' is not one of train, validation, test"),
        (laboratory, {"instances": 0}, "instances: 0 is not an integer of at least 1"),
        (laboratory, {"instances": 10**9}, "more than the 1000000 that a split holds"),
        (cooking, {"tasks": (1, 1)}, "tasks: "),
        (cooking, {"tasks": (0,)}, "tasks: "),
        (cooking, {"tasks": (1, 2, 3, 4)}, "tasks: "),
        (cooking, {"pots": 1}, "pots: only with tasks"),
        (cooking, {"agents": 0}, "agents: 0"),
        (job_shop, {"instance": "ft07"}, "instance: 'ft07' is not one of ft06"),
        (job_shop, {"instance": "ft06", "file": "x"}, "not both"),
        (job_shop, {"file": "/nowhere/x.txt"}, "cannot be read"),
        (project, {"instance": "house"}, "instance: 'house' is not one of garden, fair"),
        (project, {"file": "/nowhere/x.sm"}, "cannot be read"),
        (crafting, {"depth": 7}, "depth: 7 is not one of 1, 2"),
        (graph, {"set": "D5"}, "set: 'D5' is not one of D1"),
        (graph, {"knobs": {"deep": 3}}, "knobs: 'deep' is not one of number"),
        (graph, {"knobs": {"depth": 30}}, "number: depth 30"),
        (graph, {"set": "D1", "knobs": {"depth": 3}}, "knobs: a published set has none"),
        (graph, {"costs": "drawn"}, "costs: only with set"),
    ],
)
def test_wrong_options_are_refused_by_name(module: Any, options: dict[str, Any], words: str) -> None:
    """A wrong value raises ValueError with the option and its choices."""
    with pytest.raises(ValueError, match=words):
        module.DOMAIN.source(**options)
