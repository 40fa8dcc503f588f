"""Certificates: what is known of the procedural families before anyone plays them.

Owns the reading of the files that ``stratagym certify`` writes: padded shapes, which
numbers of the views differ, and the reference of every instance. Nothing is executed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, cast

from stratagym.envs.domains.domain import TaskSource
from stratagym.envs.step import Certificate, Moving
from stratagym.envs.task.compile import dims_of
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.layout import Dims, fixed_lengths
from stratagym.envs.task.reference import Reference
from stratagym.envs.task.spec import load_task
from stratagym.envs.task.view import KNOWLEDGE

FOLDER = Path(__file__).with_name("domains") / "certificates"


def file_of(family: str) -> Path:
    """Return the file that holds a family's certificate."""
    return FOLDER / (family.replace("/", "-").replace("=", "-") + ".json")


@cache
def _read(family: str) -> dict[str, Any] | None:
    """Return the content of a family's file, None if there is none."""
    path = file_of(family)
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def certificate_of(source: TaskSource) -> Certificate | None:
    """Return what is known of a source's family; its references end with the instances that are certified.

    None if nothing is, or in a world if not all of its instances are.
    """
    content = _read(source.family)
    if content is None:
        return None
    split = source.key.removeprefix(source.family).strip("/") or "all"
    rows = content["splits"].get(split, ())
    if not rows or (source.scene is not None and len(rows) < source.count):
        return None
    return Certificate(
        dims=unpack_dims(content["dims"]),
        moves={clock: Moving(*map(tuple, parts)) for clock, parts in content["moves"].items()},
        shapes={level: {k: tuple(v) for k, v in parts.items()} for level, parts in content["shapes"].items()},
        kept={level: _unpack(runs) for level, runs in content["kept"].items()},
        references=tuple(
            Reference(content["objective"], value, bound, kind) for _, value, bound, kind in rows
        ),
        sizes=tuple(content["sizes"]) if "sizes" in content else None,
    )


def within(source: TaskSource, known: Certificate) -> TaskSource:
    """Return a source whose instances beyond the certified ones all have room in the certified shapes.

    What has not is passed over, and the next takes its place: so a training set of any size looks like
    the certified one, and what was trained on it plays the other splits.
    """
    first = len(known.references)
    if source.count <= first:
        return source
    places, index = list(range(first)), first
    while len(places) < source.count:
        if _has_room(load_task(source.mapping(index)).graph, known):
            places.append(index)
        index += 1
    return replace(source, mapping=lambda k: source.mapping(places[k]))


def _has_room(graph: TaskGraph, known: Certificate) -> bool:
    """Return whether a task has room in the shapes of a certificate."""
    from stratagym.envs.views.flat import static_shapes
    from stratagym.envs.views.graph_facts import facts_of

    if any(own > most for own, most in zip(dims_of([graph]), known.dims, strict=True)):
        return False
    shapes = cast("Mapping[str, Mapping[str, tuple[int, ...]]]", known.shapes)
    for level in KNOWLEDGE:
        graphs = {name: (size,) for name, size in facts_of([graph], level).sizes.items()}
        for key, own_shapes in ((level, static_shapes([graph], level)), (f"graph/{level}", graphs)):
            for name, shape in own_shapes.items():
                most_shape = shapes[key].get(name, (0,) * len(shape))
                if any(a > b for a, b in zip(shape, most_shape, strict=True)):
                    return False
    return True


def pack_dims(dims: Dims) -> dict[str, int]:
    """Return a padded shape as it is written.

    Of the lengths of rows only that of the lists of a task (``lists``, ``sets``) stands in the file:
    what the layout puts before them, and what a world adds, follows from the rest.
    """
    numbers, rows = fixed_lengths(dims.subtasks)
    sizes = {name: value for name, value in dims._asdict().items() if name not in _LENGTHS}
    return {**sizes, "lists": dims.ints - numbers, "sets": dims.rows - rows}


def unpack_dims(written: dict[str, int]) -> Dims:
    """Return the padded shape that ``pack_dims`` has written, for the present layout."""
    numbers, rows = fixed_lengths(written["subtasks"])
    sizes = {name: value for name, value in written.items() if name not in ("lists", "sets")}
    return Dims(**sizes, ints=numbers + written["lists"], rows=rows + written["sets"])


_LENGTHS = ("ints", "rows", "world_ints", "world_state", "world_rows")


def _unpack(runs: list[list[int]]) -> tuple[int, ...]:
    """Return the positions that runs of ``[first, count]`` stand for."""
    return tuple(k for first, count in runs for k in range(first, first + count))


def pack(positions: list[int]) -> list[list[int]]:
    """Return ascending positions as runs of ``[first, count]``."""
    runs: list[list[int]] = []
    for k in positions:
        if runs and runs[-1][0] + runs[-1][1] == k:
            runs[-1][1] += 1
        else:
            runs.append([k, 1])
    return runs
