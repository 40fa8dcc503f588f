"""Registration: tasks and families of one's own, and domains that other packages bring."""

from __future__ import annotations

import importlib.metadata
import warnings
from collections.abc import Iterator
from typing import Any

import gymnasium
import pytest

import stratagym
from contract_cases import TEA
from stratagym.envs import registry
from stratagym.envs.api import check
from stratagym.envs.domains.domain import Domain, TaskSource


def shops(index: int) -> dict[str, Any]:
    """Return one of a family of tiny tasks."""
    return {"subtasks": {"a": {"duration": index + 1}, "b": {"needs": "a"}}, "goal": "b"}


@pytest.fixture
def _clean_registry() -> Iterator[None]:
    """Take out again what a test registers."""
    before = dict(gymnasium.registry)
    yield
    gymnasium.registry.clear()
    gymnasium.registry.update(before)
    registry.find_domains.cache_clear()


@pytest.mark.usefixtures("_clean_registry")
def test_register_a_task() -> None:
    """A registered task makes without arguments, keeps the contract and lasts twice its reference."""
    task = {key: value for key, value in TEA.items() if key != "horizon"}
    task["subtasks"] = {name: {k: v for k, v in s.items() if k not in ("due", "weight")}
                        for name, s in TEA["subtasks"].items()}  # fmt: skip
    stratagym.register("mine/Tea-v0", task=task)
    env = gymnasium.make("mine/Tea-v0").unwrapped
    env.reset(seed=0)
    assert env.task.graph.horizon == 28
    assert env.reference.value == 14
    check.check_environment(lambda **options: gymnasium.make("mine/Tea-v0", **options))


@pytest.mark.usefixtures("_clean_registry")
def test_register_a_family() -> None:
    """A registered family of functions plays all its tasks, each by its index too, and keeps the contract."""
    stratagym.register("mine/Shops-v0", family=shops, count=3)
    env = gymnasium.make("mine/Shops-v0").unwrapped
    seen = set()
    for seed in range(30):
        env.reset(seed=seed)
        seen.add(env.instance)
        assert env.task.graph.subtasks[0].duration.values == (env.instance + 1,)
    assert seen == {0, 1, 2}
    for k in range(3):
        env.reset(seed=0, options={"instance": k})
        assert env.instance == k
        env.reset()
        assert env.instance == k
    with pytest.raises(ValueError, match="instance"):
        env.reset(options={"instance": 3})
    env.reset(options={"instance": None})
    check.check_environment(lambda **options: gymnasium.make("mine/Shops-v0", **options))
    check.check_vector(
        lambda **options: gymnasium.make_vec("mine/Shops-v0", **options),
        lambda **options: gymnasium.make("mine/Shops-v0", **options),
    )


@pytest.mark.usefixtures("_clean_registry")
def test_register_a_local_family() -> None:
    """A family that cannot be imported by name works in its own process."""
    stratagym.register("mine/Local-v0", family=lambda index: shops(index + 3), count=2)
    env = gymnasium.make("mine/Local-v0").unwrapped
    env.reset(seed=0, options={"instance": 1})
    assert env.task.graph.subtasks[0].duration.values == (5,)


@pytest.mark.usefixtures("_clean_registry")
def test_families_of_one_name_are_kept_apart() -> None:
    """Two functions that bear the same name are two families, and the first stays what it was."""
    for k in (3, 7):
        stratagym.register(f"mine/Local{k}-v0", family=lambda index, k=k: shops(k), count=1)
    for k in (3, 7):
        env = gymnasium.make(f"mine/Local{k}-v0").unwrapped
        env.reset(seed=0)
        assert env.task.graph.subtasks[0].duration.values == (k + 1,)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"clok": "tick"}, "did you mean 'clock'"),
        ({"sise": "small"}, "did you mean 'size'"),
        ({"x": 1}, "there are size, split"),
    ],
)
def test_unknown_options_are_told_with_a_likely_fix(options: dict[str, Any], words: str) -> None:
    """An unknown option names the nearest one, of the domain or common to all."""
    with pytest.raises(TypeError, match=words):
        gymnasium.make("stratagym/Cooking-v0", **options)


@pytest.mark.usefixtures("_clean_registry")
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "either task=... or family=..."),
        ({"task": TEA, "family": shops}, "either task=... or family=..."),
        ({"task": {"subtasks": {}, "goals": "a"}}, "goals"),
        ({"family": "no_such_module:tasks"}, "no_such_module:tasks"),
        ({"family": 3}, "family=3 is neither"),
        ({"family": shops, "count": 0}, "count=0"),
        ({"family": shops, "count": "many"}, "count='many'"),
        ({"family": lambda index: None}, "a task is a path or a mapping"),
        ({"family": lambda index: {"subtasks": {"a": {"need": "b"}}}}, "need"),
    ],
)
def test_wrong_registrations(arguments: dict[str, Any], text: str) -> None:
    """What cannot be registered is refused at once, with one clear line."""
    with pytest.raises(ValueError, match=text) as caught:
        stratagym.register("mine/Wrong-v0", **arguments)
    assert "\n" not in str(caught.value)
    assert "mine/Wrong-v0" not in gymnasium.registry


class Point:
    """An entry point of an installed package."""

    name, value = "bakery", "bakery.stratagym:DOMAIN"

    def __init__(self, loaded: Any) -> None:
        self._loaded = loaded

    def load(self) -> Any:
        """Return what the entry point names."""
        return self._loaded


def bakery(size: str = "medium") -> TaskSource:
    """Return the tasks of a domain that another package brings."""
    return TaskSource(f"bakery/{size}", 3, shops, f"bakery/{size}")


def install(monkeypatch: pytest.MonkeyPatch, loaded: Any) -> None:
    """Act as if a package with an entry point were installed."""
    real = importlib.metadata.entry_points

    def found(**query: Any) -> Any:
        return [Point(loaded)] if query.get("group") == registry.GROUP else real(**query)

    monkeypatch.setattr(registry, "entry_points", found)
    registry.find_domains.cache_clear()


@pytest.mark.usefixtures("_clean_registry")
def test_domains_of_other_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A domain that another package brings by entry point is registered like ours."""
    install(monkeypatch, Domain("Bakery", "Bread.", bakery))
    stratagym.envs.registry.register_all()
    env = gymnasium.make("stratagym/Bakery-v0", size="small").unwrapped
    env.reset(seed=0)
    assert env.model.key == "bakery/small"
    check.check_environment(lambda **options: gymnasium.make("stratagym/Bakery-v0", **options))


@pytest.mark.usefixtures("_clean_registry")
@pytest.mark.parametrize(
    ("loaded", "text"),
    [("no domain", "is not a Domain"), (Domain("Cooking", "Twice.", bakery), "'Cooking' is taken")],
)
def test_wrong_entry_points(monkeypatch: pytest.MonkeyPatch, loaded: Any, text: str) -> None:
    """An entry point that brings no domain, or a name that is taken, is refused by name."""
    install(monkeypatch, loaded)
    with pytest.raises(ValueError, match=text):
        registry.find_domains()


@pytest.mark.parametrize("name", ["Crafting", "Graph"])
def test_more_instances_look_the_same(name: str) -> None:
    """Instances beyond the certified ones fit the certified shapes, in every view; others are passed over."""
    small = registry.source_of(name, {"size": "small", "instances": 400})
    known, more = (registry.model_of(domain=name, size="small", instances=count) for count in (None, 400))
    assert more.count == 400
    assert more.dims == known.dims
    whole = [more.loaded(k).name for k in range(400)]
    assert len(set(whole)) == 400
    assert whole[:100] == [known.loaded(k).name for k in range(100)]
    assert whole != [small.mapping(k)["name"] for k in range(400)]
    for view in ("flat", "graph"):
        envs = [
            gymnasium.make(f"stratagym/{name}-v0", size="small", instances=count, view=view)
            for count in (None, 400)
        ]
        assert envs[0].observation_space == envs[1].observation_space
        seen, _ = envs[1].reset(seed=0, options={"instance": 399})
        assert envs[1].observation_space.contains(seen)
    assert more.reference(399).kind == "proved"


@pytest.mark.parametrize(
    "options", [{"task": TEA}, {"family": "x:y"}, {"count": 7}, {"world": {}}, {"default_horizon": False}]
)
def test_an_id_says_what_is_played(options: dict[str, Any]) -> None:
    """No option changes what an id stands for."""
    (name,) = options
    with pytest.raises(TypeError, match=f"unexpected keyword argument {name!r}"):
        gymnasium.make("stratagym/Cooking-v0", **options)
    with pytest.raises(TypeError, match="unexpected keyword argument 'domain'"):
        gymnasium.make("stratagym/Cooking-v0", domain="JobShop")


@pytest.mark.usefixtures("_clean_registry")
def test_an_id_of_ours_is_not_replaced_without_a_word() -> None:
    """Gymnasium warns where a shipped id is overridden; one's own id can be given again."""
    with pytest.warns(UserWarning, match="Overriding environment stratagym/Cooking-v0"):
        stratagym.register("stratagym/Cooking-v0", task=TEA)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stratagym.register("mine/Tea-v0", task=TEA)
        stratagym.register("mine/Tea-v0", task=TEA)
