"""Settings of the methods are data: read, overridden by environment, checked."""

from __future__ import annotations

import pytest

from stratagym.baselines import methods
from stratagym.baselines.learning import build
from stratagym.baselines.suites import EnvironmentSpec, InputError, parse_environment
from stratagym.envs.domains.domain import SPLITS


@pytest.mark.parametrize("method", methods.METHODS)
def test_every_method_has_settings(method: str) -> None:
    """Every method's file holds settings of its form."""
    settings = methods.load_settings(method, "stratagym/Cooking-v0")
    assert isinstance(settings, methods.MODELS[method])
    assert settings.total_steps >= 1


def test_the_longest_key_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks hold for environments that begin with their key, the longest last; the user wins."""
    blocks = {
        "default": {"lanes": 1, "gamma": 0.5},
        "stratagym/A-v0": {"lanes": 2},
        "stratagym/A-v0:size=small": {"lanes": 3},
    }
    monkeypatch.setattr(methods, "_file", lambda method: blocks)
    assert methods.load_settings("ppo", "stratagym/B-v0").lanes == 1
    assert methods.load_settings("ppo", "stratagym/A-v0").lanes == 2
    assert methods.load_settings("ppo", "stratagym/A-v0:size=small").lanes == 3
    assert methods.load_settings("ppo", "stratagym/A-v0:size=small", {"lanes": 4}).lanes == 4


@pytest.mark.parametrize(
    ("method", "changes", "words"),
    [
        ("pppo", {}, "did you mean 'ppo'"),
        ("sarsa", {}, "there are ppo, maskable_ppo"),
        ("ppo", {"gama": 0.9}, "did you mean 'gamma'"),
        ("ppo", {"gamma": 1.5}, "gamma=1.5"),
        ("ppo", {"clock": "tock"}, "clock='tock'"),
        ("ppo", {"learning_rate": "log_3"}, "learning_rate"),
        ("dqn", {"n_steps": 5}, "no setting is called 'n_steps'"),
        ("bc", {"episodes": 0}, "episodes=0"),
    ],
)
def test_wrong_settings_are_named(method: str, changes: dict[str, object], words: str) -> None:
    """A wrong method, setting or value is refused in one line that names it."""
    with pytest.raises(InputError, match=words) as error:
        methods.load_settings(method, "stratagym/Cooking-v0", changes)
    assert "\n" not in str(error.value)


def test_changes_are_read_as_yaml() -> None:
    """``--set`` takes YAML values and refuses what is not key=value."""
    assert methods.parse_changes(["net=[64, 64]", "reward=null", "lanes=8"]) == {
        "net": [64, 64],
        "reward": None,
        "lanes": 8,
    }
    with pytest.raises(InputError, match="not key=value"):
        methods.parse_changes(["lanes"])


def test_what_makes_training_easier_is_not_in_evaluation() -> None:
    """``instances`` and ``end_on_dead_end`` change the training split alone; a lacking option is refused."""
    few = methods.load_settings("ppo", "stratagym/Cooking-v0", {"instances": 7})
    spec = parse_environment("stratagym/Cooking-v0:size=small")
    asked = {split: build.options_for(spec, few, split).get("instances") for split in SPLITS}
    assert asked == {"train": 7, "validation": None, "test": None}
    short = methods.load_settings("ppo", "stratagym/Cooking-v0", {"end_on_dead_end": True})
    assert {split: "end_on_dead_end" in build.options_for(spec, short, split) for split in SPLITS} == {
        "train": True, "validation": False, "test": False,
    }  # fmt: skip
    with pytest.raises(InputError, match="instances=7"):
        build.options_for(EnvironmentSpec("stratagym/Task-v0", {"task": "tea.yaml"}), few, "train")
