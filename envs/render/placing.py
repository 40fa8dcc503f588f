"""Coordinates for a layered diagram: where every node, edge and group lies, in pixels.

Owns sizes and positions; the order of nodes comes from ``layering`` and nothing
is drawn here. Drawings too long for the picture are folded into bands that run
to and fro, like a road with hairpin bends.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from stratagym.envs.render.canvas import Point, curve
from stratagym.envs.render.diagram import Diagram
from stratagym.envs.render.layering import Columns, arrange, layer_sizes, layers

GLYPH = 22
"""Height and least width of a glyph in pixels."""

MOST_GLYPH = 76
"""Greatest width of a glyph; a longer name is cut."""

GAP_WIDE, GAP_NARROW = 34, 20
WAYPOINT = 7
MOST_WIDE, MOST_HIGH = 150, 46
ROW_CHOICES = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 26, 34, 44, 64, 90)


TRIES = 2
"""How many shapes are worked out, for each number of bands, before the best is taken."""

POOR = 0.25
"""Arrows may pass behind boxes only where nothing else scores this."""

MOST_NODES, MOST_EDGES = 160, 420
"""Beyond these a drawing is a mosaic of boxes without arrows."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels."""

    x: float
    y: float
    w: float
    h: float

    @property
    def centre(self) -> Point:
        """The middle of the box."""
        return (self.x + self.w / 2, self.y + self.h / 2)

    def overlaps(self, other: Box) -> bool:
        """Whether the two share any area."""
        return (
            self.x < other.x + other.w
            and other.x < self.x + self.w
            and self.y < other.y + other.h
            and other.y < self.y + self.h
        )


@dataclass(frozen=True, slots=True)
class Placement:
    """A diagram with coordinates.

    Attributes:
        boxes: of every node.
        paths: points of every edge from its source to its target.
        groups: the box around each group, None where it would enclose a stranger.
        mosaic: whether there was no room for arrows; glyphs then have empty boxes.
    """

    boxes: tuple[Box, ...]
    paths: tuple[tuple[Point, ...], ...]
    groups: tuple[Box | None, ...]
    mosaic: bool = False


@dataclass(slots=True)
class _Band:
    """A run of columns from left to right (``way`` 1) or back (-1)."""

    columns: list[int]
    way: int
    top: float = 0.0
    height: float = 0.0


def _shapes(diagram: Diagram, width: float, height: float) -> list[tuple[int, int]]:
    """Return the most promising (rows in a column, bands), judged by the room that they leave for a box."""
    sizes, loose = layer_sizes(diagram)
    narrow = 0.3 if any(node.glyph for node in diagram.nodes) else 0.0
    scored: dict[tuple[int, int], tuple[float, tuple[int, int]]] = {}
    for rows in ROW_CHOICES:
        columns = sum(-(-s // rows) for s in sizes)
        columns += -(-max(0, loose - (columns * rows - sum(sizes))) // rows)
        columns = max(1, columns)
        for bands in range(1, min(columns, 12) + 1):
            pitch = (width - (44 if bands > 1 else 0)) / (-(-columns // bands) * (1 + narrow))
            rise = height / (bands * min(rows, max(*sizes, loose, 1) if sizes else max(loose, 1)))
            score = min(1.0, pitch / 126) * min(1.0, rise / 44) - 0.08 * (bands - 1)
            key = (columns, bands)
            if key not in scored or score > scored[key][0]:
                scored[key] = (score, (rows, bands))
    ranked = sorted(scored.values(), key=lambda s: -s[0])
    each = [[shape for _, shape in ranked if shape[1] == bands][:TRIES] for bands in (1, 2, 3, 4)]
    best = [shape for _, shape in ranked[:TRIES]]
    return best + [shape for shapes in each for shape in shapes if shape not in best]


def _bands(columns: Columns, bands: int) -> list[_Band]:
    """Cut the columns into bands with about equally many wide columns each."""
    total = max(1, sum(columns.wide))
    out = [_Band([], 1)]
    count = 0
    for c, wide in enumerate(columns.wide):
        share = count * bands // total
        if share > len(out) - 1 and out[-1].columns and (wide or not columns.wide[c - 1]):
            out.append(_Band([], -out[-1].way))
        out[-1].columns.append(c)
        count += wide
    for band, later in itertools.pairwise(out):
        while band.columns and not columns.wide[band.columns[-1]]:
            later.columns.insert(0, band.columns.pop())
    return [b for b in out if b.columns]


def _glyph_width(diagram: Diagram, k: int) -> float:
    return min(MOST_GLYPH, max(GLYPH, 8 + 7 * len(diagram.nodes[k].text)))


def _spread(want: list[float], apart: list[float], low: float, high: float) -> list[float]:
    """Return the positions nearest to those wanted that keep their distances and bounds.

    Isotonic regression by pooling neighbours; ``apart[i]`` is the least distance from
    item i - 1 to item i (``apart[0]`` is ignored).
    """
    offset = [0.0]
    for a in apart[1:]:
        offset.append(offset[-1] + a)
    pools: list[tuple[float, int]] = []
    for w, o in zip(want, offset, strict=True):
        value, count = w - o, 1
        while pools and pools[-1][0] >= value:
            other, many = pools.pop()
            value, count = (value * count + other * many) / (count + many), count + many
        pools.append((value, count))
    flat = [min(max(value, low), max(low, high - offset[-1])) for value, count in pools for _ in range(count)]
    return [f + o for f, o in zip(flat, offset, strict=True)]


class _Placer:
    """Holds the sizes of one drawing while its coordinates are worked out."""

    def __init__(self, diagram: Diagram, box: Box, columns: Columns, bands: list[_Band]) -> None:
        self.diagram, self.box, self.columns, self.bands = diagram, box, columns, bands
        self.mate = {k: g for g, group in enumerate(diagram.groups) for k in group.members}
        self.way = {c: band.way for band in bands for c in band.columns}
        self.at = {k: c for c, column in enumerate(columns.columns) for k in column}
        self.labelled = {self.at[k] for e in diagram.edges if e.words for k in (e.target,)}
        self.node_w = self._node_width()
        self.x: dict[int, tuple[float, float]] = {}
        for band in bands:
            self._columns_of(band)
        self.node_h = self._heights()
        self.y: dict[int, float] = {}

    def _width_of(self, c: int) -> float:
        if self.columns.wide[c]:
            return self.node_w
        return max(_glyph_width(self.diagram, k) for k in self.columns.columns[c] if k < self.columns.nodes)

    def _gaps(self, band: _Band) -> list[float]:
        """Return the least gap before each column of the band (0 before the first)."""
        out = [0.0]
        for a, b in zip(band.columns, band.columns[1:], strict=False):
            wide = self.columns.wide[a] and self.columns.wide[b]
            out.append((GAP_WIDE if wide else GAP_NARROW) + (16 if b in self.labelled else 0))
        return out

    def _node_width(self) -> float:
        """Return the width of a box, the same in all bands."""
        self.node_w = 0.0
        best: float = MOST_WIDE
        room = self.box.w - (44 if len(self.bands) > 1 else 0)
        for band in self.bands:
            fixed = sum(self._width_of(c) for c in band.columns if not self.columns.wide[c])
            gaps = sum(self._gaps(band))
            wide = sum(self.columns.wide[c] for c in band.columns)
            if wide:
                best = min(best, max((room - fixed - gaps) / wide, 0.5 * (room - fixed) / wide))
        return max(best, 3.0)

    def _columns_of(self, band: _Band) -> None:
        """Set the left and right edge of each column of a band."""
        widths, gaps = [self._width_of(c) for c in band.columns], self._gaps(band)
        room = self.box.w - (44 if len(self.bands) > 1 else 0)
        spare = room - sum(widths) - sum(gaps)
        if len(widths) > 1:
            most = 70.0 if spare > 0 and len(self.bands) == 1 else 24.0 if spare > 0 else spare
            extra = min(spare / (len(widths) - 1), most)
            gaps = [gaps[0], *(max(2.0, g + extra) for g in gaps[1:])]
        total = sum(widths) + sum(gaps)
        lone = len(self.bands) == 1
        left = self.box.x + ((self.box.w - total) / 2 if lone else 22)
        x = left
        for c, w, g in zip(band.columns, widths, gaps, strict=True):
            x += g
            a, b = x, x + w
            if band.way < 0:
                far = 2 * self.box.x + self.box.w
                a, b = far - b, far - a
            self.x[c] = (a, b)
            x += w

    def _stack(self, column: tuple[int, ...], node_h: float) -> tuple[list[float], list[float]]:
        """Return the height of each item and the least distance of its centre from the one above."""
        gap = min(12.0, max(2.0, node_h * 0.35))
        heights = [
            (node_h if not self.diagram.nodes[k].glyph else GLYPH) if k < self.columns.nodes else WAYPOINT
            for k in column
        ]
        apart = [0.0]
        for (a, ha), (b, hb) in zip(
            zip(column, heights, strict=True), zip(column[1:], heights[1:], strict=False), strict=False
        ):
            between = gap if a < self.columns.nodes or b < self.columns.nodes else 1.0
            if node_h >= 18 and self.mate.get(a) != self.mate.get(b):
                between += 14 * (b in self.mate) + 6 * (a in self.mate)
            apart.append(ha / 2 + hb / 2 + between)
        return heights, apart

    def _need(self, c: int, node_h: float) -> float:
        """Return the height that a column takes."""
        column = self.columns.columns[c]
        heights, apart = self._stack(column, node_h)
        ends = (18 if column[0] in self.mate else 0) + (8 if column[-1] in self.mate else 0)
        return sum(apart) + heights[0] / 2 + heights[-1] / 2 + (ends if node_h >= 18 else 0)

    def _heights(self) -> float:
        """Set the height of each band and return that of a box."""
        gap = 16.0 if len(self.bands) > 1 else 0.0
        room = self.box.h - gap * (len(self.bands) - 1)
        node_h = float(MOST_HIGH)
        while node_h > 3:
            needs = [max(self._need(c, node_h) for c in band.columns) for band in self.bands]
            if sum(needs) <= room:
                break
            node_h -= 0.5 if node_h > 8 else 0.25
        spare = max(0.0, room - sum(needs)) / len(self.bands)
        top = self.box.y
        for band, need in zip(self.bands, needs, strict=True):
            band.top, band.height = top, need + spare
            top += band.height + gap
        return node_h

    def score(self) -> float:
        """Return how well this can be read: large boxes, few bands, few crossings, no arrow behind a box."""
        wide, high = (self.node_w - 30) / 46, (self.node_h - 8) / 20
        size = min(1.0, max(0.0, wide)) * min(1.0, max(0.0, high))
        chains = self.columns.chains
        behind = any(len(c) == 2 and abs(self.at[c[0]] - self.at[c[1]]) > 1 for c in chains)
        tangle = min(0.25, 0.0012 * self.columns.crossed)
        return size - 0.15 * (len(self.bands) - 1) - tangle - (0.45 if behind else 0.0)

    def rows(self) -> None:
        """Give every item a vertical centre, pulled towards what it is linked with."""
        near: dict[int, list[int]] = {}
        home = {c: b for b, band in enumerate(self.bands) for c in band.columns}
        for chain in self.columns.chains:
            for a, b in itertools.pairwise(chain):
                if home[self.at[a]] == home[self.at[b]] and a != b:
                    straight = 4 if a >= self.columns.nodes and b >= self.columns.nodes else 1
                    near.setdefault(a, []).extend([b] * straight)
                    near.setdefault(b, []).extend([a] * straight)
        for band in self.bands:
            for c in band.columns:
                self._settle(band, c, None)
            for sweep in range(10):
                for c in band.columns if sweep % 2 == 0 else reversed(band.columns):
                    self._settle(band, c, near)

    def _settle(self, band: _Band, c: int, near: dict[int, list[int]] | None) -> None:
        column = self.columns.columns[c]
        heights, apart = self._stack(column, self.node_h)
        framed = self.node_h >= 18
        low = band.top + heights[0] / 2 + (18 if framed and column[0] in self.mate else 0)
        high = band.top + band.height - heights[-1] / 2 - (8 if framed and column[-1] in self.mate else 0)
        if near is None:
            loose = max(0.0, high - low - sum(apart)) / (len(column) + 1)
            want, y = [], low
            for a in apart:
                y += a + loose
                want.append(y)
        else:
            want = [
                sum(self.y[m] for m in near[k]) / len(near[k]) if k in near else self.y[k] for k in column
            ]
        for k, y in zip(column, _spread(want, apart, low, high), strict=True):
            self.y[k] = y

    def boxes(self) -> tuple[Box, ...]:
        """Return the box of every node."""
        out = []
        for k in range(self.columns.nodes):
            a, b = self.x[self.at[k]]
            glyph = self.diagram.nodes[k].glyph
            w = _glyph_width(self.diagram, k) if glyph else b - a
            h = min(GLYPH, self.node_h + 4) if glyph else self.node_h
            out.append(Box((a + b) / 2 - w / 2, self.y[k] - h / 2, w, h))
        return tuple(out)

    def paths(self, boxes: tuple[Box, ...]) -> tuple[tuple[Point, ...], ...]:
        """Return the points of every edge."""
        ports = self._ports(boxes)
        return tuple(self._path(e, boxes, ports) for e in range(len(self.diagram.edges)))

    def _ports(self, boxes: tuple[Box, ...]) -> dict[tuple[int, int], float]:
        """Return the height at which each edge touches its (first, last) item, fanned out a little."""
        fans: dict[tuple[int, int], list[tuple[float, int, int]]] = {}
        for e, chain in enumerate(self.columns.chains):
            if chain[0] == chain[-1]:
                continue
            for end, (k, other) in enumerate(((chain[0], chain[1]), (chain[-1], chain[-2]))):
                fans.setdefault((k, end), []).append((self.y[other], e, other))
        out: dict[tuple[int, int], float] = {}
        for (k, end), fan in fans.items():
            others = sorted({(y, other) for y, _, other in fan})
            place = {other: r for r, (_, other) in enumerate(others)}
            room = boxes[k].h * (0.6 if not self.diagram.nodes[k].glyph else 0.5)
            step = min(9.0, room / max(1, len(others)))
            for _, e, other in fan:
                out[e, end] = self.y[k] + (place[other] - (len(others) - 1) / 2) * step
        return out

    def _side(self, k: int, leaving: bool, boxes: tuple[Box, ...]) -> float:
        """Return the x at which a chain leaves (or enters) an item."""
        right = (self.way[self.at[k]] > 0) == leaving
        if k < self.columns.nodes:
            return boxes[k].x + boxes[k].w if right else boxes[k].x
        a, b = self.x[self.at[k]]
        return b if right else a

    def _path(self, e: int, boxes: tuple[Box, ...], ports: dict[tuple[int, int], float]) -> tuple[Point, ...]:
        chain = self.columns.chains[e]
        if chain[0] == chain[-1]:
            box = boxes[chain[0]]
            a, b = box.x + box.w * 0.7, box.x + box.w * 0.9
            return ((a, box.y), (a, box.y - 7), (b, box.y - 7), (b, box.y))
        points: list[Point] = []
        for k, (a, b) in enumerate(itertools.pairwise(chain)):
            y0 = ports[e, 0] if k == 0 else self.y[a]
            y1 = ports[e, 1] if k == len(chain) - 2 else self.y[b]
            start, end = (self._side(a, True, boxes), y0), (self._side(b, False, boxes), y1)
            ways = self.way[self.at[a]], self.way[self.at[b]]
            ahead = (end[0] - start[0]) * ways[0]
            bend = max(8.0, ahead * 0.5) if ways[0] == ways[1] and ahead > 0 else 34.0
            piece = curve(start, end, bend, ways[0], ways[1], 14 if abs(y1 - y0) > 1 else 1)
            points += piece
        return tuple(points[::-1] if self.columns.reversed[e] else points)

    def groups(self, boxes: tuple[Box, ...]) -> tuple[Box | None, ...]:
        """Return the frame of each group, None where it would hold something else or lacks room."""
        out: list[Box | None] = []
        for group in self.diagram.groups:
            held = [boxes[k] for k in group.members]
            x, y = min(b.x for b in held) - 6, min(b.y for b in held) - 16
            frame = Box(x, y, max(b.x + b.w for b in held) + 6 - x, max(b.y + b.h for b in held) + 6 - y)
            strangers = (boxes[k] for k in range(len(boxes)) if k not in group.members)
            others = (f for f in out if f is not None)
            clean = self.node_h >= 18 and not any(frame.overlaps(s) for s in (*strangers, *others))
            out.append(frame if clean else None)
        return tuple(out)


def _mosaic(diagram: Diagram, area: Box) -> Placement:
    """Return boxes in reading order, layer by layer, without arrows: what is left when there are too many."""
    layer = layers(diagram)
    boxes = [k for k, node in enumerate(diagram.nodes) if not node.glyph]
    boxes.sort(key=lambda k: (layer[k], k))

    def size(columns: int) -> float:
        w, h = area.w / columns, area.h / -(-len(boxes) // columns)
        return min(w, 90.0) / 90 * min(h, 30.0) / 30

    columns = max(range(1, len(boxes) + 1), key=size)
    w, h = area.w / columns, min(MOST_HIGH + 8.0, area.h / -(-len(boxes) // columns))
    gap = 6.0 if min(w, h) > 24 else 2.0 if min(w, h) > 6 else 0.5
    out = [Box(area.x, area.y, 0.0, 0.0)] * len(diagram.nodes)
    for r, k in enumerate(boxes):
        x, y = area.x + r % columns * w, area.y + r // columns * h
        out[k] = Box(x + gap / 2, y + gap / 2, max(1.0, w - gap), max(1.0, h - gap))
    return Placement(tuple(out), ((),) * len(diagram.edges), (None,) * len(diagram.groups), True)


def drawable(diagram: Diagram) -> bool:
    """Return whether the diagram is small enough to draw its arrows."""
    return len(diagram.nodes) <= MOST_NODES and len(diagram.edges) <= MOST_EDGES


def place(diagram: Diagram, area: Box) -> Placement:
    """Return coordinates for a diagram within an area of the picture."""
    if not diagram.nodes:
        return Placement((), (), ())
    if not drawable(diagram):
        return _mosaic(diagram, area)
    best: tuple[float, _Placer] | None = None
    for rows, bands in _shapes(diagram, area.w, area.h):
        for around in (True, False) if best is None or best[0] < POOR else (True,):
            columns = arrange(diagram, rows, around)
            placer = _Placer(diagram, area, columns, _bands(columns, bands))
            score = placer.score()
            if best is None or score > best[0]:
                best = (score, placer)
    assert best is not None
    placer = best[1]
    placer.rows()
    boxes = placer.boxes()
    return Placement(boxes, placer.paths(boxes), placer.groups(boxes))
