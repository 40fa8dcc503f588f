"""The commands of the command line for people: ``play`` and ``watch``.

Owns their options and what they print; ``cli`` owns the program and the exit codes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stratagym.baselines.suites import parse_environment

CLOCKS = ("decision", "tick", "event")


def play(
    env: Annotated[str, typer.Argument(metavar="ENV_ID|TASK", help="What is played.")],
    seed: Annotated[int, typer.Option(min=0, help="Of the first episode.")] = 0,
    record: Annotated[Path | None, typer.Option(help="Folder for the records of finished episodes.")] = None,
    clock: Annotated[str, typer.Option(help="decision, tick or event.")] = "decision",
    knowledge: Annotated[str, typer.Option(help="full, structure or none.")] = "full",
    panel: Annotated[bool, typer.Option("--panel", help="Show the task graph and the Gantt chart.")] = False,
) -> int:
    """Play an environment at the keyboard; the keys stand on the screen."""
    from stratagym.baselines import cli
    from stratagym.baselines import play as playing
    from stratagym.baselines.player import Settings

    cli._one_of("--clock", clock, CLOCKS)
    cli._one_of("--knowledge", knowledge, ("full", "structure", "none"))
    settings = Settings(clock=clock, knowledge=knowledge)
    session = playing.Session(parse_environment(env), seed, settings, record, panel)
    playing.play(session)
    for path in session.written:
        cli.say(f"record: {path}")
    return 0


def watch(
    env: Annotated[str, typer.Argument(metavar="ENV_ID|TASK", help="What is played.")],
    agent: Annotated[str, typer.Option(help="NAME or module:factory.")],
    seed: Annotated[int, typer.Option(min=0, help="Of the episode.")] = 0,
    out: Annotated[Path | None, typer.Option(help="A .gif, .png or .mp4 [a window].")] = None,
    fps: Annotated[float, typer.Option(min=0.5, max=60, help="Frames per second.")] = 8,
    frames: Annotated[int, typer.Option(min=2, help="Most frames of a film.")] = 240,
    clock: Annotated[
        str | None, typer.Option(help="decision, tick or event [in a world tick, else decision].")
    ] = None,
    panel: Annotated[bool, typer.Option("--panel", help="Show the task graph and the Gantt chart.")] = False,
) -> int:
    """Watch an agent play one episode, in a window or as a film."""
    from stratagym.baselines import cli
    from stratagym.baselines import watch as watching

    if clock is not None:
        cli._one_of("--clock", clock, CLOCKS)
    spec = parse_environment(env)
    episode = watching.watch(spec, agent, seed, out, fps=fps, panel=panel, clock=clock, most=frames)
    if episode is not None:
        how = "goal reached" if episode.success else episode.end
        where = f"; {out}" if out is not None else ""
        cli.say(f"{how} after {episode.time} ticks, {episode.steps} steps, return {episode.total:.4g}{where}")
    return 0


def add(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(play)
    app.command()(watch)
