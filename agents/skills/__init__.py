"""What bodies can do: options with a start condition, a policy and a stop condition.

Owns the table ``SKILLS``. A skill sees what its memory holds of a ``WorldView`` and nothing
else; which goal is pursued, and when it is given up, is the hierarchy's to say.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from stratagym.agents.base import Skill

SKILLS: Mapping[str, str] = {
    "grid": "stratagym.agents.skills.grid:GridSkill",
    "places": "stratagym.agents.skills.places:PlacesSkill",
    "plane": "stratagym.agents.skills.plane:PlaneSkill",
}
"""Kind of world -> its scripted skill."""


def make_skill(kind: str) -> Skill:
    """Return the scripted skill for a kind of world.

    Raises:
        ValueError: if there is none.
    """
    if kind not in SKILLS:
        raise ValueError(f"there is no scripted skill for a world of kind {kind!r} ({', '.join(SKILLS)})")
    path, _, name = SKILLS[kind].partition(":")
    made: Skill = getattr(importlib.import_module(path), name)()
    return made
