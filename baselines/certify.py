"""Certify the procedural families: solve every instance, note shapes, write the files that ship.

Owns the making of ``envs/domains/certificates``; ``stratagym.envs.certificates`` reads
them. In the abstract world the solver gives value and bound; in another one it gives the
bound, and the value is a witness's: the makespan of a stated agent, played there. The solver
works by deterministic effort, so a second run writes the same files.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from stratagym.baselines.rollout import Episode, Step
from stratagym.envs.api.options import Options, flat_view
from stratagym.envs.certificates import FOLDER, file_of, pack, pack_dims
from stratagym.envs.domains.domain import SPLITS, TaskSource
from stratagym.envs.registry import find_domains, source_of
from stratagym.envs.step import Certificate, Model
from stratagym.envs.task.compile import dims_of
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.reference import Reference, reference_of
from stratagym.envs.task.simulate import CLOCKS
from stratagym.envs.task.spec import Task, load_task
from stratagym.envs.task.view import KNOWLEDGE, Knowledge
from stratagym.envs.worlds.base import Room, Scene
from stratagym.envs.worlds.scene import load_scene

EFFORT = 6.0
"""Deterministic time for one instance."""

EFFORT_IN_PLACE = 1.0
"""The same where the abstract optimum is only a bound, since the ways count for more."""

WITNESSES = {"grid": ("errands", "hierarchical"), "places": ("rounds",), "plane": ("tours",)}
"""By kind of world agents by name, of which the best is the witness; whoever is slower than those before
it is stopped there. Where each of several bodies keeps its own stock and can make everything itself the
solver takes long over what is the same for it whoever does it: there the first alone is asked. On a map
walks often cost more than work, which errands count exactly and the optimum planner estimates. Among
places ways and hours are known as a table, and on a plane an order of clips is a tour: those planners
count them exactly."""

WITNESS_SEEDS = (0, 1)
"""Episodes that a witness plays where something is drawn, the longer counts; else the first."""

SHOWN = 12
"""Instances whose witness shows, beside random play, what moves in a world."""

PLAYED = 300
"""Random steps of every lane by which it is found out what moves."""


def families(names: Sequence[str] | None = None) -> list[tuple[str, dict[str, Any]]]:
    """Return (domain, options) of the procedural families."""
    known = find_domains()
    return [(name, o) for name in known if names is None or name in names for o in known[name].families]


Row = tuple[str, float | None, float, str]
"""Digest, value, bound and kind of one instance."""


def solve(work: tuple[str, Mapping[str, Any], str, int, Row | None]) -> Row:
    """Solve one instance (in a process of its own), unless the row that is known is of the same task."""
    domain, family, split, index, known = work
    source = source_of(domain, {**family, "split": split})
    task = load_task(source.mapping(index))
    scene = None if source.scene is None else load_scene(source.scene(index), task)
    digest = task.digest if scene is None else f"{task.digest} {scene.digest}"
    if known is not None and known[0] == digest:
        return known
    if scene is None:
        found: Reference = reference_of(task.graph, effort=EFFORT)
        return digest, found.value, found.bound, found.kind
    bound = reference_of(task.graph, effort=EFFORT_IN_PLACE).bound
    value = witnessed(task, scene)
    if value is not None and value < bound:
        raise ValueError(f"{source.key} {index}: done in {value}, yet no agent can beat {bound}")
    return digest, value, bound, "bound" if value is None else "best known"


def witnessed(task: Task, scene: Scene) -> float | None:
    """Return the makespan of the best witness, None if none succeeds."""
    model = Model("witness", 1, lambda index: task, scene=lambda index: scene)
    seeds = WITNESS_SEEDS if task.graph.random or _draws(scene.to_dict()) else WITNESS_SEEDS[:1]
    best: float | None = None
    alike = len(task.graph.agents) > 1 and bool(getattr(scene, "inventory", False))
    for name in WITNESSES[scene.kind][: 1 if alike else None]:
        try:
            episodes = [_play(model, name, seed, best) for seed in seeds]
        except _Slower:
            continue
        times = [episode.time for episode in episodes if episode.success]
        if times:
            best = float(max(times))
    return best


class _Slower(Exception):
    """A witness takes longer than another one did."""


def _play(model: Model, name: str, seed: int, best: float | None) -> Episode:
    """Play one episode of an agent by name; a planner gets the scripted skills of the world.

    Args:
        model: the task and its scene.
        name: of the agent.
        seed: of the reset.
        best: the makespan of another witness, None if there is none.

    Raises:
        _Slower: as soon as the episode is longer than that.
    """
    from stratagym.agents.zoo import in_world
    from stratagym.baselines.player import load_agent
    from stratagym.baselines.rollout import play
    from stratagym.envs.api.single import TaskEnv

    def watch(step: Step) -> None:
        if best is not None and step.time + step.elapsed > best:
            raise _Slower

    env = TaskEnv(model, Options(reward="task", executor="interpreted", end_on_dead_end=True))
    return play(env, in_world(load_agent(name)), seed, watch)


def _draws(scene: Any) -> bool:
    """Return whether a scene, as data, holds anything that is drawn in an episode."""
    if isinstance(scene, dict):
        return bool({"uniform", "choice", "moves", "slip", "slips"} & set(scene)) or any(
            map(_draws, scene.values())
        )
    return isinstance(scene, list | tuple) and any(map(_draws, scene))


def certify(
    domain: str,
    family: Mapping[str, Any],
    pool: ProcessPoolExecutor,
    advance: Callable[[int], None] = lambda done: None,
    *,
    fresh: bool = False,
) -> dict[str, Any]:
    """Return the certificate of one family as plain data.

    Args:
        domain: its domain.
        family: its options, ``split`` left out.
        pool: where instances are solved.
        advance: is told how many instances are done.
        fresh: whether instances are solved again that stand in the file and have not changed.
    """
    sources = {split: source_of(domain, {**family, "split": split}) for split in SPLITS}
    path = file_of(sources["train"].family)
    known: dict[str, list[Row]] = {}
    if path.is_file() and not fresh:
        rows_of = json.loads(path.read_text(encoding="utf-8"))["splits"]
        known = {split: [tuple(row) for row in rows] for split, rows in rows_of.items()}
    splits: dict[str, list[list[Any]]] = {}
    graphs: list[TaskGraph] = []
    for split, source in sources.items():
        old = dict(enumerate(known.get(split, ())))
        work = [(domain, family, split, k, old.get(k)) for k in range(source.count)]
        rows = []
        for row in pool.map(solve, work, chunksize=1):
            rows.append(list(row))
            advance(1)
        splits[split] = rows
    dims = dims_of(load_task(s.mapping(k)).graph for s in sources.values() for k in range(s.count))
    sizes = _common_sizes(sources.values())
    models = {}
    for split, source in sources.items():
        references = tuple(Reference("makespan", *row[1:]) for row in splits[split])
        blank = Certificate(dims, {}, {}, {}, references, sizes)
        models[split] = Model(source.key, source.count, source.mapping, blank, scene=source.scene)
        graphs += [models[split].graph(k) for k in range(source.count)]
    if sizes is None:
        moves = {clock: what_moves([models["train"]], clock) for clock in CLOCKS}
    else:
        moves = {clock: what_moves(list(models.values()), clock) for clock in ("tick", "decision")}
        moves["event"] = moves["decision"]  # in a world the two are one
    facts = {level: view_facts(graphs, level, dims) for level in KNOWLEDGE}
    shapes: dict[str, Any] = {level: facts[level]["shapes"] for level in KNOWLEDGE}
    kept = {str(level): pack(facts[level]["kept"]) for level in KNOWLEDGE}
    for level in KNOWLEDGE:
        shapes[f"graph/{level}"], columns = graph_facts(graphs, level)
        kept[f"graph/{level}"] = pack(columns)
    return {
        "family": sources["train"].family,
        "objective": "makespan",
        "dims": pack_dims(dims),
        **({} if sizes is None else {"sizes": list(sizes)}),
        "moves": moves,
        "shapes": shapes,
        "kept": kept,
        "splits": splits,
    }


def _common_sizes(sources: Iterable[TaskSource]) -> tuple[int, ...] | None:
    """Return the padded sizes of all scenes, None in the abstract world."""
    sizes = []
    for source in sources:
        if source.scene is None:
            return None
        sizes += [
            load_scene(source.scene(k), load_task(source.mapping(k))).sizes() for k in range(source.count)
        ]
    return tuple(max(column) for column in zip(*sizes, strict=True))


def what_moves(models: Sequence[Model], clock: Any) -> list[list[Any]]:
    """Return what moves under a clock: features, positions of the state and, in a world, of its part.

    It is found out by random play in all instances, and in a world by the witness in some, too.
    """
    from stratagym.envs.views.flat import FEATURES

    options = Options(clock=clock, reward="task")
    spans: dict[str, list[Any]] = {}
    for model in models:
        for obs in random_play(model, options):
            _widen(spans, {key: (part.min(axis=0), part.max(axis=0)) for key, part in obs.items()})
        if model.kernel is not None and model is models[0]:
            for obs in witness_play(model, options):
                _widen(spans, {key: (part, part) for key, part in obs.items()})
    moving = {key: low < high for key, (low, high) in spans.items()}
    view = flat_view(models[0], options)
    rows = _differ(*spans["subtasks"])
    found: list[list[Any]] = [
        [FEATURES[k] for k, moves in zip(view.features, rows, strict=True) if moves],
        [int(k) for k in np.flatnonzero(moving["state"])],
    ]
    if models[0].room is not None:
        found.append(_alike(moving["world"], models[0].room, models[0].agents, 2 if view.fine else 1))
    return found


def _differ(low: Any, high: Any) -> Any:
    """Return of each feature whether it differs between subtasks."""
    return low.min(axis=1) < high.max(axis=1)


def _widen(spans: dict[str, list[Any]], seen: dict[str, tuple[Any, Any]]) -> None:
    """Take in the least and the greatest of what was seen."""
    for key, (low, high) in seen.items():
        old = spans.setdefault(key, [low.copy(), high.copy()])
        np.minimum(old[0], low, out=old[0])
        np.maximum(old[1], high, out=old[1])


def _alike(moving: Any, room: Room, agents: int, width: int) -> list[int]:
    """Return the positions that move, those of each agent's own block alike."""
    own = room.own // width
    common = len(moving) - agents * own
    blocks = moving[common:].reshape(agents, own) if own else np.zeros((agents, 0), bool)
    return [int(k) for k in np.flatnonzero([*moving[:common], *np.tile(blocks.any(axis=0), agents)])]


def random_play(model: Model, options: Options) -> Iterator[dict[str, Any]]:
    """Yield what a lane on each task shows in random play, ``[count, ...]``."""
    from stratagym.envs.api.course import choose
    from stratagym.envs.api.vector import TaskVectorEnv

    lanes = TaskVectorEnv(model.count, model, options)
    rng = np.random.default_rng(0)
    wait = np.linspace(0.0, 0.7, model.count)[:, None]
    obs, info = lanes.reset(seed=0)
    yield _arrays(obs)
    for _ in range(PLAYED):
        if lanes.acting.boxed:
            actions = np.stack([choose(lanes.single_action_space, rng) for _ in range(model.count)])
        else:
            mask = info["action_mask"].reshape(model.count, -1, info["action_mask"].shape[-1])
            taste = mask * rng.random(mask.shape)
            taste[..., -1] = rng.random(taste.shape[:2]) < wait
            actions = taste.argmax(axis=-1)
        obs, _, _, _, info = lanes.step(actions if model.agents > 1 or lanes.acting.boxed else actions[:, 0])
        yield _arrays(obs)


def witness_play(model: Model, options: Options) -> Iterator[dict[str, Any]]:
    """Yield what the first tasks show while the witness plays them."""
    from stratagym.agents.zoo import in_world
    from stratagym.baselines.player import load_agent
    from stratagym.baselines.rollout import ask, for_space, see
    from stratagym.envs.api.single import TaskEnv

    scene = model.scene(0)
    assert scene is not None
    env, agent = TaskEnv(model, options), in_world(load_agent(WITNESSES[scene.kind][0]))
    for k in range(min(SHOWN, model.count)):
        obs, _ = env.reset(seed=0, options={"instance": k})
        agent.reset(0)
        over = False
        while not over:
            yield _arrays(obs)
            observation = see(env, agent)
            action = for_space(env.action_space, ask(agent, observation), observation)
            obs, _, terminated, truncated, _ = env.step(action)
            over = terminated or truncated


def _arrays(obs: dict[str, Any]) -> dict[str, Any]:
    return {key: part for key, part in obs.items() if key in ("subtasks", "state", "world")}


def view_facts(graphs: Sequence[TaskGraph], level: Knowledge, dims: Any) -> dict[str, Any]:
    """Return what the flat view needs to know of a family at one level of knowledge."""
    from stratagym.envs.views.flat import FlatView, static_shapes, uses_of, varying

    shapes = static_shapes(graphs, level)
    uses = sorted({name for graph in graphs for name in uses_of(graph)})
    view = FlatView(dims, uses, shapes, level)
    kept = varying(view, graphs) if view.static_size else []
    return {"shapes": {name: list(shape) for name, shape in shapes.items()}, "kept": kept}


def graph_facts(graphs: Sequence[TaskGraph], level: Knowledge) -> tuple[dict[str, list[int]], list[int]]:
    """Return the padded sizes of the graph view and the columns that it keeps, at one level of knowledge."""
    from stratagym.envs.views.graph_facts import KEEPABLE, facts_of

    facts = facts_of(graphs, level)
    return {name: [size] for name, size in facts.sizes.items()}, sorted(map(KEEPABLE.index, facts.kept))


def write(content: dict[str, Any]) -> None:
    """Write one certificate, whole or not at all."""
    FOLDER.mkdir(exist_ok=True)
    path = file_of(content["family"])
    rows = {split: [json.dumps(row) for row in part] for split, part in content["splits"].items()}
    body = {key: value for key, value in content.items() if key != "splits"}
    text = json.dumps(body)[:-1] + ',\n"splits": {\n'
    text += ",\n".join(f'"{split}": [\n' + ",\n".join(part) + "\n]" for split, part in rows.items())
    path.with_suffix(".part").write_text(text + "\n}}\n", encoding="utf-8")
    os.replace(path.with_suffix(".part"), path)


def certify_all(
    names: Sequence[str] | None = None, jobs: int | None = None, *, fresh: bool = False
) -> Iterable[str]:
    """Certify all (or the named) domains, with a progress bar; yield a line for each family."""
    from rich.progress import Progress

    chosen = families(names)
    total = sum(source_of(d, {**o, "split": p}).count for d, o in chosen for p in SPLITS)
    with Progress() as bar, ProcessPoolExecutor(jobs or os.cpu_count()) as pool:
        line = bar.add_task("certify", total=total)
        for domain, family in chosen:
            content = certify(domain, family, pool, lambda done: bar.advance(line, done), fresh=fresh)
            write(content)
            rows = [row for part in content["splits"].values() for row in part]
            kinds = Counter(row[3] for row in rows)
            yield f"{content['family']}: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items())


if __name__ == "__main__":
    import sys

    for line in certify_all(sys.argv[1:] or None):
        print(line)
