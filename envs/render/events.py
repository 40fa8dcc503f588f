"""Words for the events of an episode, for pictures and text alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def event_words(event: Mapping[str, Any]) -> str:
    """Return what an event is about in words: the subtask, else the agents that it names."""
    subtask = event.get("subtask")
    if subtask is None:
        return ", ".join(str(a) for a in event.get("agents") or ())
    if isinstance(subtask, str):
        return subtask
    return ", ".join(map(str, subtask)) if isinstance(subtask, Sequence) else str(subtask)
