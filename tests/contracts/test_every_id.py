"""The shipped contract over everything that is registered; each test states one fact."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from contract_cases import CASES, DOMAIN_IDS, FAMILIES, FILES, Case
from stratagym.envs.api import check

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest.fixture(autouse=True)
def _no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have windows open nowhere."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


@pytest.mark.parametrize("env_id", DOMAIN_IDS)
def test_makes_without_arguments(env_id: str) -> None:
    """Every id but Task-v0 makes, resets and steps without arguments."""
    import gymnasium

    env = gymnasium.make(env_id)
    _, info = env.reset(seed=0)
    # A Box action needs no mask; several agents have a row of it each.
    env.step(info["action_mask"].argmax(axis=-1) if "action_mask" in info else env.action_space.sample())
    assert env.unwrapped.task.graph.horizon is not None


@every_case
def test_gymnasium_accepts(case: Case) -> None:
    """Gymnasium's ``check_env`` passes."""
    check.check_gymnasium(case.make)


@pytest.mark.parametrize("case", [FAMILIES[0], FILES[1]], ids=lambda case: case.name)
def test_gymnasium_accepts_pictures(case: Case) -> None:
    """Gymnasium's ``check_env`` passes with all render modes drawn."""
    from gymnasium.utils.env_checker import check_env

    check_env(case.make().unwrapped)


@every_case
def test_stable_baselines_accepts(case: Case) -> None:
    """Stable-Baselines3's ``check_env`` passes."""
    from stable_baselines3.common.env_checker import check_env

    check_env(case.make().unwrapped, skip_render_check=True)


@every_case
def test_any_action(case: Case) -> None:
    """Sampled actions, illegal ones too, never raise, and every observation lies in its space."""
    check.check_any_action(case.make)


@every_case
def test_info(case: Case) -> None:
    """``info`` has its keys with their types at every step."""
    check.check_info(case.make)


@every_case
def test_fresh_data(case: Case) -> None:
    """No two calls share memory, and writing to what was returned changes nothing."""
    check.check_fresh_data(case.make)


@every_case
def test_observation(case: Case) -> None:
    """The ``Observation`` of agents agrees with ``info``, ``status()`` and ``action_masks()``."""
    check.check_observation(case.make)


@every_case
def test_seeds(case: Case) -> None:
    """One seed gives one course, and the k-th reset after it plays ``mix(seed, k)``."""
    check.check_seeds(case.make)


@every_case
def test_copies(case: Case) -> None:
    """Pickled, cloudpickled and deep-copied in the middle of an episode, it goes on identically."""
    check.check_copies(case.make)


@every_case
def test_spec(case: Case) -> None:
    """The JSON of the spec makes an equal environment."""
    check.check_spec(case.make)


@every_case
def test_state(case: Case) -> None:
    """A saved state goes on exactly, also elsewhere and after a further reset."""
    check.check_state(case.make)


@every_case
def test_executors(case: Case) -> None:
    """Interpreted and compiled are equal in everything."""
    check.check_executors(case.make)


@every_case
def test_rendering(case: Case) -> None:
    """Pictures have their shapes and change no episode."""
    check.check_rendering(case.make)


@every_case
def test_mask(case: Case) -> None:
    """An action is accepted if and only if the mask allows it."""
    check.check_mask(case.make)


@every_case
def test_clocks(case: Case) -> None:
    """The same starts at the same ticks give the same trajectory under all three clocks."""
    check.check_clocks(case.make)


@every_case
def test_rewards(case: Case) -> None:
    """Every reward sums to what it stands for."""
    check.check_rewards(case.make)


@every_case
def test_dead_ends(case: Case) -> None:
    """Nothing succeeds after a dead end, and ``end_on_dead_end`` ends the episode there."""
    check.check_dead_ends(case.make)


@every_case
def test_knowledge(case: Case) -> None:
    """What an agent may know changes what it is told, never what happens."""
    check.check_knowledge(case.make)


BATCHES = [
    {"autoreset_mode": mode, "executor": executor, "threads": threads}
    for mode in ("NextStep", "SameStep", "Disabled")
    for executor, threads in (("compiled", 1), ("compiled", 2), ("interpreted", 1))
]


@every_case
@pytest.mark.parametrize("batch", BATCHES, ids=lambda b: "-".join(str(v) for v in b.values()))
def test_lanes(case: Case, batch: dict[str, Any]) -> None:
    """Lane i of a batch is the single environment seeded with s + i, bit for bit."""
    steps = 60 if batch["executor"] == "interpreted" else 200
    check.check_vector(case.make_vec, case.make, steps=steps, **batch)


@pytest.mark.parametrize("level", ["structure", "none"])
@every_case
def test_lanes_under_less_knowledge(case: Case, level: str) -> None:
    """Lane i is the single environment under less knowledge too, shuffled order included."""
    make, make_vec = (partial(m, knowledge=level) for m in (case.make, case.make_vec))
    check.check_vector(make_vec, make, autoreset_mode="SameStep", steps=60)


@pytest.mark.parametrize("case", [FAMILIES[1], FILES[1], FILES[4]], ids=lambda case: case.name)
def test_graph_view(case: Case) -> None:
    """The whole contract holds under the graph view too, of one environment and of batches."""
    make, make_vec = (partial(m, view="graph") for m in (case.make, case.make_vec))
    check.check_environment(make)
    check.check_vector(make_vec, make, autoreset_mode="SameStep", steps=60)
