"""What bodies can do: options with a start condition, a policy and a stop condition.

Owns the table ``SKILLS``. A skill sees what its memory holds of a ``WorldView`` and nothing
else; which goal is pursued, and when it is given up, is the hierarchy's to say.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from stratagym.agents import names
from stratagym.agents.base import Skill

SKILLS: Mapping[str, str] = {
    "grid": "stratagym.agents.skills.grid:GridSkill",
    "places": "stratagym.agents.skills.places:PlacesSkill",
    "plane": "stratagym.agents.skills.plane:PlaneSkill",
}
"""Kind of world -> its scripted skill."""

SCRIPTED = "scripted"
"""The name of the skills in the table, whatever the kind of world."""


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


def skill_of(skill: str | Skill | None) -> Skill | None:
    """Return the skill that is meant; None for the scripted one of each world.

    Args:
        skill: ``scripted`` (or None), the folder of a run that has learned one, ``package.module:factory``,
            or the thing itself.

    Raises:
        ValueError: one line that says what is wrong.
    """
    if skill is None or skill == SCRIPTED:
        return None
    meant: Any = skill
    if isinstance(skill, str):
        make = names.found(skill, "skill")
        if make is None:
            raise ValueError(
                f"there is no skill {skill!r}{names.nearest(skill, (SCRIPTED,))}; your own: "
                "package.module:factory, a learned one: the folder of its run"
            )
        meant = make()
    missing = names.lacking(meant, ("start", "act"))
    if missing:
        raise ValueError(f"skill: {type(meant).__name__} is no skill, it has no {missing} method")
    found: Skill = meant
    return found
