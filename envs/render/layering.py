"""Columns and rows for a diagram: which node stands in which column, in which order.

Owns the combinatorial half of a layered drawing: longest-path layers, glyphs
just before what they feed, long edges cut into pieces, few crossings by
barycentres (Sugiyama, Tagawa and Toda, 1981). Pixels are the business of
``placing``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from stratagym.envs.render.diagram import Diagram

WAYPOINTS = 400
"""Long edges are led around nodes only while they need no more pieces than this."""

SWEEPS = 14


@dataclass(frozen=True, slots=True)
class Columns:
    """The drawing before it has coordinates.

    Attributes:
        columns: items from top to bottom by column. Items below ``nodes`` are nodes,
            the others waypoints of long edges.
        wide: whether the column holds boxes (else only glyphs).
        chains: items that each edge runs through, from the earlier column to the later.
        reversed: whether the edge points against its chain.
        nodes: number of nodes.
        crossed: how many pieces of edges cross (0 where there are too many to count).
    """

    columns: tuple[tuple[int, ...], ...]
    wide: tuple[bool, ...]
    chains: tuple[tuple[int, ...], ...]
    reversed: tuple[bool, ...]
    nodes: int
    crossed: int


def _forward(diagram: Diagram) -> tuple[list[int], set[tuple[int, int]]]:
    """Return the nodes, every one after what it depends on, and the edges that break this (cycles)."""
    out: list[list[int]] = [[] for _ in diagram.nodes]
    entered = [0] * len(diagram.nodes)
    for e in diagram.edges:
        if e.source != e.target:
            out[e.source].append(e.target)
            entered[e.target] += 1
    colour = [0] * len(out)
    order: list[int] = []
    back: set[tuple[int, int]] = set()
    for root in sorted(range(len(out)), key=lambda k: (entered[k] > 0, k)):
        if colour[root]:
            continue
        stack = [(root, 0)]
        colour[root] = 1
        while stack:
            node, k = stack.pop()
            if k == len(out[node]):
                colour[node] = 2
                order.append(node)
                continue
            stack.append((node, k + 1))
            child = out[node][k]
            if colour[child] == 1:
                back.add((node, child))
            elif colour[child] == 0:
                colour[child] = 1
                stack.append((child, 0))
    return order[::-1], back


def layers(diagram: Diagram) -> list[int]:
    """Return the layer of every box by longest paths, and of glyphs that of the box they feed first."""
    order, back = _forward(diagram)
    n = len(diagram.nodes)
    before: list[list[int]] = [[] for _ in range(n)]
    after: list[list[int]] = [[] for _ in range(n)]
    for e in diagram.edges:
        if e.source != e.target and (e.source, e.target) not in back:
            before[e.target].append(e.source)
            after[e.source].append(e.target)
    is_glyph = [node.glyph for node in diagram.nodes]
    layer = [0] * n
    for v in order:
        top = max((layer[u] for u in before[v]), default=-1)
        layer[v] = top if is_glyph[v] else top + 1
    first = [0] * n
    for v in reversed(order):
        first[v] = min((first[w] if is_glyph[w] else layer[w] for w in after[v]), default=layer[v] + 1)
        if not before[v] and after[v] and not is_glyph[v]:
            layer[v] = max(0, first[v] - 1)
    return [max(0, first[v]) if is_glyph[v] else layer[v] for v in range(n)]


def layer_sizes(diagram: Diagram) -> tuple[list[int], int]:
    """Return the number of boxes in each layer, and how many boxes have no edge at all."""
    linked = {k for e in diagram.edges if e.source != e.target for k in (e.source, e.target)}
    layer = layers(diagram)
    boxes = [k for k, node in enumerate(diagram.nodes) if not node.glyph]
    held = [layer[k] for k in boxes if k in linked]
    sizes = [0] * (max(held, default=-1) + 1)
    for at in held:
        sizes[at] += 1
    return sizes, len(boxes) - len(held)


def _box_columns(diagram: Diagram, layer: list[int], rows: int) -> list[list[int]]:
    """Return the boxes by column, at most about ``rows`` in each; boxes without edges fill the gaps."""
    linked = {k for e in diagram.edges if e.source != e.target for k in (e.source, e.target)}
    boxes = [k for k, node in enumerate(diagram.nodes) if not node.glyph]
    mate = {k: g for g, group in enumerate(diagram.groups) for k in group.members}
    columns: list[list[int]] = []
    for at in sorted({layer[k] for k in boxes if k in linked}):
        held = sorted(
            (k for k in boxes if k in linked and layer[k] == at), key=lambda k: (mate.get(k, -1), k)
        )
        pieces = -(-len(held) // rows)
        size = -(-len(held) // pieces)
        columns += [held[i : i + size] for i in range(0, len(held), size)]
    loose = [k for k in boxes if k not in linked]
    while loose and rows * len(columns) - sum(map(len, columns)) < len(loose):
        columns.append([])
    for k in loose:
        least = min(range(len(columns)), key=lambda c: (len(columns[c]), c))
        columns[least].append(k)
    return [sorted(c) for c in columns if c]


def _with_glyphs(
    diagram: Diagram, layer: list[int], boxes: list[list[int]]
) -> tuple[list[list[int]], list[bool]]:
    """Put the glyphs into narrow columns just before the first box that they feed."""
    at = {k: c for c, column in enumerate(boxes) for k in column}
    feeds: dict[int, list[int]] = {}
    for e in diagram.edges:
        feeds.setdefault(e.source, []).append(e.target)
    key: dict[int, tuple[int, int]] = {}

    def locate(glyph: int) -> tuple[int, int]:
        if glyph not in key:
            later = [locate(t) if diagram.nodes[t].glyph else (at[t], 0) for t in feeds.get(glyph, [])]
            ahead = [k for k in later if k[0] >= min(layer[glyph], len(boxes))] or later or [(len(boxes), 0)]
            column = min(k[0] for k in ahead)
            depth = max(-k[1] for k in ahead if k[0] == column) + 1
            key[glyph] = (column, -depth)
        return key[glyph]

    for k, node in enumerate(diagram.nodes):
        if node.glyph:
            locate(k)
    slots: dict[tuple[int, int], list[int]] = {(c, 0): column for c, column in enumerate(boxes)}
    for glyph, slot in key.items():
        slots.setdefault(slot, []).append(glyph)
    order = sorted(slots)
    return [slots[s] for s in order], [s[1] == 0 for s in order]


def _chains(
    diagram: Diagram, columns: list[list[int]], around: bool
) -> tuple[list[list[int]], list[list[int]], list[bool]]:
    """Cut long edges into pieces from column to column, if asked for and unless that takes too many."""
    at = {k: c for c, column in enumerate(columns) for k in column}
    spans = [abs(at[e.source] - at[e.target]) for e in diagram.edges]
    around = around and sum(max(0, s - 1) for s in spans) <= WAYPOINTS
    columns = [list(c) for c in columns]
    fresh = len(diagram.nodes)
    chains, flipped = [], []
    shared: dict[tuple[int, int, bool], int] = {}
    for e in diagram.edges:
        flip = at[e.source] > at[e.target]
        low, high = (e.target, e.source) if flip else (e.source, e.target)
        chain = [low]
        for c in range(at[low] + 1, at[high]) if around else ():
            key = (e.source, c, e.negative or bool(e.words) or not e.needed or flip)
            if key not in shared or key[2]:
                shared[key] = fresh
                columns[c].append(fresh)
                fresh += 1
            chain.append(shared[key])
        chains.append([*chain, high])
        flipped.append(flip)
    return columns, chains, flipped


def crossings(columns: Iterable[Iterable[int]], links: Iterable[tuple[int, int]]) -> int:
    """Return how many pairs of links between neighbouring columns cross."""
    row = {k: (c, r) for c, column in enumerate(columns) for r, k in enumerate(column)}
    by_gap: dict[int, list[tuple[int, int]]] = {}
    for a, b in links:
        (ca, ra), (cb, rb) = sorted((row[a], row[b]))
        if cb == ca + 1:
            by_gap.setdefault(ca, []).append((ra, rb))
    total = 0
    for pairs in by_gap.values():
        pairs.sort()
        seen: list[int] = []
        for _, b in pairs:
            total += sum(1 for s in seen if s > b)
            seen.append(b)
    return total


def _reorder(
    columns: list[list[int]], links: set[tuple[int, int]], mate: dict[int, int]
) -> tuple[list[list[int]], int]:
    """Sort every column so that links cross little; members of a group stay together."""
    at = {k: c for c, column in enumerate(columns) for k in column}
    sides: tuple[dict[int, list[int]], dict[int, list[int]]] = ({}, {})
    for a, b in links:
        low, high = (a, b) if at[a] <= at[b] else (b, a)
        sides[0].setdefault(high, []).append(low)
        sides[1].setdefault(low, []).append(high)
    small = len(links) <= 1500
    best, least = [list(c) for c in columns], crossings(columns, links) if small else 0
    now = [list(c) for c in columns]
    for sweep in range(SWEEPS if small else 4):
        onward = sweep % 2 == 0
        neighbours = sides[0 if onward else 1]
        place = {k: r / max(1, len(c) - 1) if len(c) > 1 else 0.5 for c in now for r, k in enumerate(c)}
        for c in range(len(now)) if onward else range(len(now) - 1, -1, -1):
            now[c] = _sorted_column(now[c], neighbours, place, mate)
            for r, k in enumerate(now[c]):
                place[k] = r / (len(now[c]) - 1) if len(now[c]) > 1 else 0.5
        if small and (count := crossings(now, links)) < least:
            best, least = [list(c) for c in now], count
    return (best, least) if small else (now, 0)


def _sorted_column(
    column: list[int], neighbours: dict[int, list[int]], place: dict[int, float], mate: dict[int, int]
) -> list[int]:
    """Sort one column by the mean place of the neighbours."""
    centre = {
        k: sum(place[m] for m in near) / len(near) if (near := neighbours.get(k)) else place[k]
        for k in column
    }
    held: dict[int, list[float]] = {}
    for k in column:
        held.setdefault(mate.get(k, -1 - k), []).append(centre[k])
    block = {g: sum(v) / len(v) for g, v in held.items()}
    return sorted(column, key=lambda k: (block[mate.get(k, -1 - k)], mate.get(k, -1), centre[k], place[k]))


def arrange(diagram: Diagram, rows: int, around: bool = True) -> Columns:
    """Return columns with at most about ``rows`` boxes each, ordered for few crossings.

    Args:
        diagram: what is drawn.
        rows: boxes in a column.
        around: whether long edges are led around the boxes between.
    """
    layer = layers(diagram)
    columns, wide = _with_glyphs(diagram, layer, _box_columns(diagram, layer, rows))
    columns, chains, flipped = _chains(diagram, columns, around)
    links = {(a, b) for chain in chains for a, b in itertools.pairwise(chain) if a != b}
    mate: dict[int, int] = {}
    for g, group in enumerate(diagram.groups):
        for k in group.members:
            mate.setdefault(k, g)
    columns, crossed = _reorder(columns, links, mate)
    return Columns(
        columns=tuple(map(tuple, columns)),
        wide=tuple(wide),
        chains=tuple(map(tuple, chains)),
        reversed=tuple(flipped),
        nodes=len(diagram.nodes),
        crossed=crossed,
    )
