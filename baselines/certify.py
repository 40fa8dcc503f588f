"""Certify the procedural families: solve every instance, note shapes, write the files that ship.

Owns the making of ``envs/domains/certificates``; ``stratagym.envs.certificates`` reads
them. The solver works by deterministic effort, so a second run writes the same files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from stratagym.envs.certificates import FOLDER, file_of, pack, pack_dims
from stratagym.envs.domains.domain import SIZES, SPLITS
from stratagym.envs.registry import find_domains, source_of
from stratagym.envs.task.compile import dims_of
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.reference import Reference, reference_of
from stratagym.envs.task.simulate import CLOCKS
from stratagym.envs.task.spec import load_task
from stratagym.envs.task.view import KNOWLEDGE, Knowledge

EFFORT = 6.0
"""Deterministic time for one instance."""

PLAYED = 300
"""Random steps of every lane by which it is found out what moves."""


def families(names: Sequence[str] | None = None) -> list[tuple[str, str]]:
    """Return the (domain, size) pairs of the procedural families."""
    found = [name for name, domain in find_domains().items() if domain.procedural]
    return [(name, size) for name in found if names is None or name in names for size in SIZES]


Row = tuple[str, float | None, float, str]
"""Digest, value, bound and kind of one instance."""


def solve(work: tuple[str, str, str, int, Row | None]) -> Row:
    """Solve one instance (in a process of its own), unless the row that is known is of the same task."""
    domain, size, split, index, known = work
    task = load_task(source_of(domain, {"size": size, "split": split}).mapping(index))
    if known is not None and known[0] == task.digest:
        return known
    found: Reference = reference_of(task.graph, effort=EFFORT)
    return task.digest, found.value, found.bound, found.kind


def certify(
    domain: str,
    size: str,
    pool: ProcessPoolExecutor,
    advance: Callable[[int], None] = lambda done: None,
    *,
    fresh: bool = False,
) -> dict[str, Any]:
    """Return the certificate of one family as plain data.

    Args:
        domain: its domain.
        size: its size.
        pool: where instances are solved.
        advance: is told how many instances are done.
        fresh: whether instances are solved again that stand in the file and have not changed.
    """
    from stratagym.envs.step import Certificate, Model

    sources = {split: source_of(domain, {"size": size, "split": split}) for split in SPLITS}
    path = file_of(sources["train"].family)
    known: dict[str, list[Row]] = {}
    if path.is_file() and not fresh:
        rows_of = json.loads(path.read_text(encoding="utf-8"))["splits"]
        known = {split: [tuple(row) for row in rows] for split, rows in rows_of.items()}
    splits: dict[str, list[list[Any]]] = {}
    graphs: list[TaskGraph] = []
    for split, source in sources.items():
        old = dict(enumerate(known.get(split, ())))
        work = [(domain, size, split, k, old.get(k)) for k in range(source.count)]
        rows = []
        for row in pool.map(solve, work, chunksize=1):
            rows.append(list(row))
            advance(1)
        splits[split] = rows
    dims = dims_of(load_task(s.mapping(k)).graph for s in sources.values() for k in range(s.count))
    for split, source in sources.items():
        references = tuple(
            Reference("makespan", value, bound, kind) for _, value, bound, kind in splits[split]
        )
        blank = Certificate(dims, {}, {}, {}, references)
        model = Model(source.key, source.count, source.mapping, blank)
        graphs += [model.graph(k) for k in range(source.count)]
    source = sources["train"]
    model = Model(
        source.key, source.count, source.mapping,
        Certificate(dims, {}, {}, {}, tuple(Reference("makespan", *row[1:]) for row in splits["train"])),
    )  # fmt: skip
    moves = {clock: what_moves(model, clock) for clock in CLOCKS}
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
        "moves": moves,
        "shapes": shapes,
        "kept": kept,
        "splits": splits,
    }


def what_moves(model: Any, clock: Any) -> tuple[list[str], list[int]]:
    """Return the features and the positions of the state that move under a clock, by playing at random."""
    from stratagym.envs.api.options import Options
    from stratagym.envs.api.vector import TaskVectorEnv
    from stratagym.envs.views.flat import FEATURES

    lanes = TaskVectorEnv(model.count, model, Options(clock=clock, reward="task"))
    rng = np.random.default_rng(0)
    wait = np.linspace(0.0, 0.7, model.count)[:, None]
    obs, info = lanes.reset(seed=0)
    seen = {key: [obs[key], obs[key]] for key in ("subtasks", "state")}
    for _ in range(PLAYED):
        mask = info["action_mask"].reshape(model.count, -1, info["action_mask"].shape[-1])
        taste = mask * rng.random(mask.shape)
        taste[..., -1] = rng.random(taste.shape[:2]) < wait
        actions = taste.argmax(axis=-1)
        obs, _, _, _, info = lanes.step(actions if actions.shape[1] > 1 else actions[:, 0])
        for key, (low, high) in seen.items():
            seen[key] = [np.minimum(low, obs[key]), np.maximum(high, obs[key])]
    low, high = seen["subtasks"]
    rows = low.min(axis=(0, 2)) < high.max(axis=(0, 2))
    features = [FEATURES[k] for k, moving in zip(lanes.view.features, rows, strict=True) if moving]
    low, high = seen["state"]
    return features, [int(k) for k in np.flatnonzero(low.min(axis=0) < high.max(axis=0))]


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
    total = sum(source_of(d, {"size": s, "split": p}).count for d, s in chosen for p in SPLITS)
    with Progress() as bar, ProcessPoolExecutor(jobs or os.cpu_count()) as pool:
        line = bar.add_task("certify", total=total)
        for domain, size in chosen:
            content = certify(domain, size, pool, lambda done: bar.advance(line, done), fresh=fresh)
            write(content)
            rows = [row for part in content["splits"].values() for row in part]
            proved = sum(row[3] == "proved" for row in rows)
            yield f"{domain} {size}: {proved} of {len(rows)} proved"


if __name__ == "__main__":
    import sys

    for line in certify_all(sys.argv[1:] or None):
        print(line)
