"""What a body does of whose world no rule is known: it tries what the mask allows.

Owns the behaviour under ``knowledge="none"``, where no skill can tell what brings a subtask about. It keeps
no state: each draw follows from the seed, the tick and the body.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stratagym.envs.worlds.view import FACINGS, PlacesView, WorldView

STRIDE = 5
"""Ticks for which a body goes on in one direction."""

ATTEMPT, HANDLE = 0.9, 0.15
"""How often a body attempts something where it can, and else takes, puts or turns something."""


def explore(view: WorldView, body: int, seed: int) -> Any:
    """Return an action: an attempt where one is allowed, else a step on, now and then a thing to handle.

    Args:
        view: what is seen.
        body: whose action it is.
        seed: of the draws.
    """
    rng = np.random.default_rng([seed, view.time, body])
    if not view.actions:
        return rng.uniform(-1.0, 1.0, 3).astype(np.float32)
    attempts, handles, moves = ([k for k in kind if view.mask[body, k]] for kind in _kinds(view))
    if attempts and rng.random() < ATTEMPT:
        return int(rng.choice(attempts))
    if handles and (not moves or rng.random() < HANDLE):
        return int(rng.choice(handles))
    if not moves:
        return len(view.actions) - 1
    return int(np.random.default_rng([seed, view.time // STRIDE, body]).choice(moves))


def _kinds(view: WorldView) -> tuple[range, range, range]:
    """Return the numbers of the actions that attempt something, that handle things, and that move."""
    count = len(view.actions) - 1
    if isinstance(view, PlacesView):
        begins = sorted([*view.first.values(), count])
        attempts = view.first["do"]
        handles = begins[begins.index(attempts) + 1]
        talk = min(view.first.get(kind, count) for kind in ("share", "say"))
        return range(attempts, handles), range(handles, talk), range(attempts)
    walks = len(FACINGS)
    verbs = walks + ("carry" in view.actions)
    talk = next((k for k in range(verbs, count) if view.actions[k].startswith(("share ", "say "))), count)
    return range(verbs, talk), range(walks, verbs), range(walks)
