"""Learned levels: skills under planners, planners over learned skills, each by the path of its run."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stratagym.agents.zoo import make_agent
from stratagym.baselines import train
from stratagym.baselines.evaluate import evaluate
from stratagym.baselines.learning import skills, trained
from training_settings import SHORT

HOUSE = "stratagym/House-v0:size=small"
COOKING = "stratagym/Cooking-v0:size=small"
QUICK: dict[str, Any] = {
    **SHORT, "total_steps": 128, "eval_every": 128, "save_every": 128, "eval_episodes": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def skill(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run of a skill that was learned for a moment, in a house."""
    folder = tmp_path_factory.mktemp("skill") / "run"
    train.train("skill_ppo", HOUSE, folder, changes=QUICK, test_episodes=0)
    return folder


@pytest.fixture(scope="module")
def over(skill: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run of a planner that was learned over that skill."""
    folder = tmp_path_factory.mktemp("planner") / "run"
    train.train("hppo", HOUSE, folder, changes={**QUICK, "skills": str(skill)}, test_episodes=0)
    return folder


def test_the_skills_under_a_planner_are_kept_with_it(over: Path, skill: Path) -> None:
    """A planner's folders hold the learned skill as it was; the pair plays as one agent."""
    (newest,) = sorted((over / "checkpoints").iterdir())[-1:]
    for place in (train.FIRST, "best", "final", newest):
        kept = trained.load(over / place / skills.FOLDER).weights
        own = trained.load(skill).weights
        assert all(np.array_equal(kept[name], own[name]) for name in own)
    found = evaluate([HOUSE], [str(over)], 2)
    assert {row["agent"] for row in found.rows} == {str(over), "random"}


def test_any_planner_goes_over_any_skill(over: Path, skill: Path) -> None:
    """Planners and skills are swapped by their names, scripted or learned; what is neither is refused."""
    ways = {
        f"{planner} over {skills_}": partial(make_agent, "hierarchical", planner=planner, skill=skills_)
        for planner in ("greedy", str(over))
        for skills_ in ("scripted", str(skill))
    }
    played = evaluate([HOUSE], ways, 1)
    assert {row["agent"] for row in played.rows} == {"random", *ways}
    for options, words in (
        ({"planner": str(skill)}, "moves bodies itself"),
        ({"skill": str(over)}, "trained by hppo, which learns no skill"),
        ({"planner": str(over.parent)}, "no trained agent there"),
    ):
        with pytest.raises(ValueError, match=words):
            make_agent("hierarchical", **options)


def test_what_was_trained_without_a_place_plans_in_one(tmp_path: Path) -> None:
    """A graph network that has learned tasks names subtasks in worlds, too, over scripted skills."""
    run = tmp_path / "run"
    train.train("maskable_ppo", COOKING, run, changes={**QUICK, "view": "graph"}, test_episodes=0)
    (row,) = (r for r in evaluate([HOUSE], [str(run)], 1).rows if r["agent"] == str(run))
    assert row["time"] > 0
    assert not trained.load(run).primitive


def test_a_learner_over_learned_skills_meets_them(skill: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an environment made of learned skills it is the network that moves the body."""
    from stratagym.baselines.skill_env import SkillEnv

    asked = 0
    choose = trained.TrainedAgent.choose

    def counted(self: Any, shown: Any, mask: Any) -> Any:
        nonlocal asked
        asked += 1
        return choose(self, shown, mask)

    monkeypatch.setattr(trained.TrainedAgent, "choose", counted)
    env = SkillEnv("stratagym/House-v0", skills.load_skill(skill), size="small")
    _, info = env.reset(seed=0)
    for _ in range(3):
        *_, info = env.step(np.flatnonzero(info["action_mask"])[0])
    assert asked > 3


def test_a_skill_learned_on_the_plane_plays(tmp_path: Path) -> None:
    """The plane's scripted skill has no estimates of ways; one learned there does without them, too."""
    env = "stratagym/CableRouting-v0:size=small"
    train.train("skill_ppo", env, tmp_path / "run", changes=QUICK, test_episodes=1)
    assert (tmp_path / "run" / "report.md").is_file()


def test_what_a_run_saw_as_maps_it_sees_so_elsewhere(tmp_path: Path) -> None:
    """A planner that was trained on maps is evaluated where the environment itself shows another view."""
    env = "stratagym/Mining-v0:size=small"
    train.train("hppo", env, tmp_path / "run", changes={**QUICK, "view": "planes"}, test_episodes=1)
    assert (tmp_path / "run" / "report.md").is_file()


def test_an_agent_is_not_shown_less_than_it_was_trained_to_see(tmp_path: Path) -> None:
    """Trained with all knowledge it is refused where there is less; trained with less it plays with more."""
    from stratagym.baselines.suites import InputError

    for knowledge in ("full", "structure"):
        changes = {**QUICK, "knowledge": knowledge}
        train.train("maskable_ppo", COOKING, tmp_path / knowledge, changes=changes, test_episodes=0)
    for knowledge in ("structure", "none"):
        with pytest.raises(InputError, match="trained to see knowledge='full'"):
            evaluate([COOKING], [str(tmp_path / "full")], 1, knowledge=knowledge)
    for knowledge in ("full", "structure"):
        assert len(evaluate([COOKING], [str(tmp_path / "structure")], 1, knowledge=knowledge).rows) == 2
