"""What is known among places: receptacles as they were seen last.

Owns what fog leaves of them, so that what was seen in the kitchen is still known in the hall. What
a body carried off since is not known to have gone until somebody looks again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stratagym.agents.memories.latest import LatestMemory
from stratagym.envs.task.view import Observation
from stratagym.envs.worlds.view import UNKNOWN, PlacesView, ReceptacleView


class PlacesMemory(LatestMemory):
    """The latest observation, its receptacles completed by what was seen before.

    Attributes:
        kept: what skills have worked out of the ways and the fixtures alone; it lasts until these change.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[int, ReceptacleView] = {}
        self.kept: dict[Any, Any] = {}
        self._ground: Any = None

    def reset(self, seed: int) -> None:
        """Forget the episode."""
        super().reset(seed)
        self._seen = {}
        self.kept = {}
        self._ground = None

    def update(self, observation: Observation) -> None:
        """Take in what is seen now."""
        view = observation.world
        assert isinstance(view, PlacesView)
        if view.fog:
            receptacles = tuple(self._recall(k, found) for k, found in enumerate(view.receptacles))
            view = replace(view, receptacles=receptacles)
            observation = replace(observation, world=view)
        ground = view.travel.tobytes(), tuple(found.fixture for found in view.receptacles), len(view.rules)
        if ground != self._ground:
            self._ground, self.kept = ground, {}
        super().update(observation)

    def save(self) -> dict[str, Any]:
        """Return the receptacles as they were last seen."""
        return {
            "seen": {
                str(k): [
                    found.fixture,
                    None if found.things is None else [[code, n] for code, n in found.things.items()],
                ]
                for k, found in self._seen.items()
            }
        }

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take back what ``save`` has returned; ``update`` comes next."""
        self._seen = {
            int(k): ReceptacleView("", -1, fixture, None if things is None else dict(things))
            for k, (fixture, things) in saved["seen"].items()
        }

    def _recall(self, k: int, found: ReceptacleView) -> ReceptacleView:
        """Return a receptacle with what was last known of it, and remember it."""
        old = self._seen.get(k, found)
        if found.fixture == UNKNOWN:
            found = replace(found, fixture=old.fixture, things=old.things)
        elif found.things is None:
            # It is shut: what was in it when it was last open is there still, for all that is known.
            found = replace(found, things=old.things)
        self._seen[k] = found
        return found
