"""What an agent remembers of its world: one memory for each kind of world.

Owns the table ``MEMORIES``. A memory takes in each observation and completes what fog
hides by what was seen before; skills and planners read it and nothing else.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from stratagym.agents.base import Memory

MEMORIES: Mapping[str, str] = {
    "grid": "stratagym.agents.memories.grid:GridMemory",
    "places": "stratagym.agents.memories.places:PlacesMemory",
}
"""Kind of world -> where its memory is; any other world keeps the latest observation only."""


def make_memory(kind: str) -> Memory:
    """Return an empty memory for a kind of world."""
    path, _, name = MEMORIES.get(kind, "stratagym.agents.memories.latest:LatestMemory").partition(":")
    made: Memory = getattr(importlib.import_module(path), name)()
    return made
