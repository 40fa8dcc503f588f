"""The bars that long work shows on standard error, and erases where an error takes their place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self


class ProgressBar:
    """A bar on standard error that counts; of episodes it is an ``evaluate.Progress``.

    Args:
        words: what stands beside it at first.
    """

    def __init__(self, words: str = "episodes") -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task(words, total=None)

    def __call__(self, done: int, total: int, row: dict[str, Any] | None) -> None:
        """Show that ``done`` of ``total`` episodes are played."""
        self.show(done, total, f"{row['env']} {row['agent']}" if row else "episodes")

    def show(self, done: int, total: int, words: str) -> None:
        """Show how much is done, and of what."""
        self._bar.update(self._task, completed=done, total=total, description=words)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: object, *problem: object) -> None:
        # A bar that is left standing would be a second line beside that of the error. Where
        # nothing can be erased, the last bar is printed on stopping, so it is kept quiet there.
        if kind is not None:
            self._bar.live.transient = True
            self._bar.console.quiet = not self._bar.console.is_interactive
        self._bar.stop()


class TrainingBar:
    """A bar that counts steps and shows the present success rate; a ``train.Progress``.

    Args:
        bar: shows it.
    """

    def __init__(self, bar: ProgressBar) -> None:
        self._bar = bar

    def __call__(self, done: int, total: int, row: Mapping[str, Any]) -> None:
        """Show how far the run is and how often it succeeds."""
        words = [
            f"{name} {row[key]:.0%}"
            for name, key in (("training", "training"), ("validation", "success"))
            if row.get(key) is not None
        ]
        self._bar.show(min(done, total), total, ", ".join(words) or "training")
