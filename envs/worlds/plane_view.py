"""What is seen of a plane: the ``PlaneView`` of a lane.

Owns the way from fixed-point numbers to the view. Nothing is hidden by fog here; without
knowledge of the task the rules, which name subtasks, are left out.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stratagym.envs.task import layout as at
from stratagym.envs.task.graph import TaskGraph
from stratagym.envs.task.starts import idle
from stratagym.envs.worlds import plane_layout as pl
from stratagym.envs.worlds.plane_motion import body_state, node_state, plane_head, stands
from stratagym.envs.worlds.view import (
    BodyView,
    ClipView,
    ObstacleView,
    PlaneRuleView,
    PlaneView,
    SiteView,
)


def look_at(scene: Any, m: at.Memory, graph: TaskGraph, agent: int | None, knowledge: str) -> PlaneView:
    """Return what an agent (None: the controller of all) sees of a lane.

    Args:
        scene: the ``PlaneScene``.
        m: the lane, interpreted.
        graph: its task.
        agent: whose view it is.
        knowledge: under ``none`` the rules are left out.
    """
    spec, state = scene.spec, m.t[at.Q_WORLD]
    count = len(graph.agents)
    holder = m.s[state + pl.HOLDER]
    rows = [body_state(m, a) for a in range(count)]
    positions = _pairs([(m.s[q + pl.X], m.s[q + pl.Y]) for q in rows])
    known = knowledge != "none"
    return PlaneView(
        kind="plane",
        time=m.s[at.CLOCK],
        actions=(),
        mask=np.ones((count, 1), np.int8),
        bodies=tuple(
            BodyView(
                name=graph.agents[a].name,
                at=(float(positions[a, 0]), float(positions[a, 1])),
                hand=int(holder == a) if spec.cable else None,
                ready=bool(idle(m, a)),
            )
            for a in range(count)
        ),
        viewer=agent,
        positions=positions,
        velocities=_pairs([(m.s[q + pl.VX], m.s[q + pl.VY]) for q in rows]),
        runs=tuple(m.s[q + pl.RUN] if known else min(m.s[q + pl.RUN], 0) for q in rows),
        since=tuple(m.s[q + pl.SINCE] for q in rows),
        radii=tuple(b.radius for b in spec.bodies),
        speeds=tuple(b.speed for b in spec.bodies),
        accelerations=tuple(b.acceleration for b in spec.bodies),
        size=spec.size,
        sites=tuple(SiteView(spot.name, spot.at, spot.radius) for spot in scene.spots if spot.length == 0),
        clips=tuple(
            ClipView(
                name=spot.name,
                at=spot.at,
                angle=math.radians(spot.angle),
                radius=spot.radius,
                length=spot.length,
                lane=spot.lane,
                filled=bool(m.s[state + plane_head(m, pl.Q_CLIPS) + k]),
            )
            for k, spot in enumerate(scene.spots)
            if spot.length > 0
        ),
        obstacles=tuple(
            _obstacle(name, o) for k, (name, o) in enumerate(spec.obstacles.items()) if stands(m, k)
        ),
        holder=holder if spec.cable else -1,
        stuck=scene.spots[m.s[state + pl.STUCK]].name if m.s[state + pl.STUCK] >= 0 else None,
        grip=spec.cable.grip if spec.cable else 0.0,
        **_cable(scene, m),
        rules={
            i: (PlaneRuleView(by=by, at=scene.spots[site].name if site >= 0 else None, limit=limit),)
            for i, (by, site, limit) in enumerate(map(scene.rule_of, range(len(graph.subtasks))))
        }
        if known
        else {},
    )


def _pairs(points: list[tuple[int, int]]) -> Any:
    """Return fixed-point pairs in units, ``[points, 2]`` float32."""
    return (np.array(points, np.float64).reshape(-1, 2) / pl.SCALE).astype(np.float32)


def _obstacle(name: str, o: Any) -> ObstacleView:
    ends = o.line if o.line is not None else [o.at, o.at]
    return ObstacleView(name, (ends[0], ends[1]), o.radius)


def _cable(scene: Any, m: at.Memory) -> dict[str, Any]:
    """Return the cable's live stretch, from where it is paid out to its end, and what is laid before it."""
    if scene.spec.cable is None:
        return {"cable": _pairs([]), "laid": _pairs([])}
    nodes = [node_state(m, k) for k in reversed(range(scene.spec.cable.nodes))]
    q = m.t[at.Q_WORLD] + plane_head(m, pl.Q_LAID)
    count = m.s[m.t[at.Q_WORLD] + pl.LAID_COUNT]
    return {
        "cable": _pairs([(m.s[k], m.s[k + 1]) for k in nodes]),
        "laid": _pairs([(m.s[q + 2 * k], m.s[q + 2 * k + 1]) for k in range(count)]),
    }
