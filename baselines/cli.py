"""The command line: ``stratagym COMMAND``.

Owns the commands, what they print and their exit codes: 0 for yes, 1 for no (an
episode that does not agree), 2 for bad input, which is always one line on standard
error. What the commands do is done elsewhere; imports are late, so that each
command pays for what it uses.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from stratagym.baselines import cli_learning, cli_watching
from stratagym.baselines.progress import ProgressBar
from stratagym.baselines.suites import InputError

BAD_INPUT = 2
INTERRUPTED = 130
PIPE_CLOSED = 141
WIDTH = 140
"""Columns of a table that does not go to a terminal."""

app = typer.Typer(
    name="stratagym",
    help="Task graphs with time, resources and several agents; references that can be trusted.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=False,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


class PipeClosedError(Exception):
    """Whoever read our output has gone."""


def say(text: str) -> None:
    """Print to standard output.

    Raises:
        PipeClosedError: if nobody reads it any more.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise PipeClosedError from None


def say_json(value: Any) -> None:
    """Print a value as JSON."""
    say(json.dumps(value, indent=1, ensure_ascii=False))


def render(print_to: Callable[[Any], None]) -> str:
    """Return what is printed to a rich console, as wide as the terminal (``WIDTH`` in a pipe)."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else WIDTH, force_terminal=sys.stdout.isatty())
    with console.capture() as capture:
        print_to(console)
    return capture.get().rstrip("\n")


@app.command()
def check(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A task file, YAML or JSON.")],
    strict: Annotated[bool, typer.Option("--strict", help="Refuse a file with warnings.")] = False,
) -> int:
    """Check a task file: what it holds, and what is suspicious about it."""
    from stratagym.envs.task.spec import load_task, summary, warnings_of

    task = load_task(file)
    warnings = warnings_of(task)
    if strict and warnings:
        more = f" (and {len(warnings) - 1} more)" if len(warnings) > 1 else ""
        raise InputError(f"{file}: {warnings[0]}{more}")
    say("\n".join([summary(task), *(f"warning: {text}" for text in warnings)]))
    return 0


@app.command()
def schema() -> int:
    """Print the JSON Schema of task files, for editors."""
    from stratagym.envs.task.spec import json_schema

    say_json(json_schema())
    return 0


@app.command()
def solve(
    task: Annotated[str, typer.Argument(metavar="TASK|ENV_ID", help="A task file or an environment.")],
    seed: Annotated[int | None, typer.Option(min=0, help="Whose draws and events are known.")] = None,
    objective: Annotated[str | None, typer.Option(help="makespan, reward or tardiness.")] = None,
    time_limit: Annotated[float, typer.Option(min=0.1, help="Seconds for the solver.")] = 60.0,
    as_json: AsJson = False,
) -> int:
    """Find the best schedule of a task, and how good any schedule can be."""
    from stratagym.baselines import listing
    from stratagym.envs.task.optimum import optimum

    if objective not in (None, "makespan", "reward", "tardiness"):
        raise InputError(f"--objective: {objective!r} is not one of makespan, reward, tardiness")
    graph = listing.graph_of(task, seed)
    try:
        found = optimum(graph, objective, seed=seed, time_limit=time_limit)  # type: ignore[arg-type]
    except ValueError as error:
        raise InputError(f"{task}: {error}") from error
    if as_json:
        say_json(listing.solution_data(found))
    else:
        say(render(lambda console: listing.print_solution(console, graph, found)))
    return 0


@app.command()
def evaluate(
    envs: Annotated[list[str] | None, typer.Argument(metavar="ENV_ID|TASK...")] = None,
    agent: Annotated[list[str] | None, typer.Option(help="NAME or module:factory; repeat it.")] = None,
    episodes: Annotated[int | None, typer.Option(min=1, help="Episodes on each environment [20].")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Episode k is reset with seed + k [0].")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the results.")] = None,
    suite: Annotated[str | None, typer.Option(help="A frozen suite instead of environments.")] = None,
    clock: Annotated[str | None, typer.Option(help="decision, tick or event [decision].")] = None,
    knowledge: Annotated[str | None, typer.Option(help="full, structure or none [full].")] = None,
    reward: Annotated[str | None, typer.Option(help="The environments' reward option.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    record: Annotated[bool, typer.Option("--record", help="Write every episode to OUT/episodes.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue what stands in OUT.")] = False,
    as_json: AsJson = False,
) -> int:
    """Play agents on environments, all on the same seeds, and score them against the reference."""
    from stratagym.baselines import report
    from stratagym.baselines.evaluate import evaluate as play
    from stratagym.baselines.suites import load_suite

    frozen = load_suite(suite) if suite is not None else None
    if frozen and envs:
        raise InputError("name environments or a suite, not both")
    if out is None:
        raise InputError("missing option --out DIR: where the results go")
    if not agent and not frozen:
        raise InputError("missing option --agent NAME (repeat it for several)")
    _one_of("--clock", clock, ("decision", "tick", "event"))
    _one_of("--knowledge", knowledge, ("full", "structure", "none"))
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # agents of one's own lie where one works
    chosen = agent or list(frozen.agents if frozen else ())
    with ProgressBar() as bar:
        evaluation = play(
            frozen.environments if frozen else envs or [],
            chosen,
            episodes or (frozen.episodes if frozen else 20),
            seed if seed is not None else (frozen.seed if frozen else 0),
            out,
            clock=clock or (frozen.clock if frozen else "decision"),
            knowledge=knowledge or (frozen.knowledge if frozen else "full"),
            reward=reward,
            record=record,
            resume=resume,
            jobs=jobs,
            progress=bar,
        )
    summary = report.write_report(evaluation)
    if as_json:
        say_json(summary)
    else:
        say(render(lambda console: report.print_table(console, summary)))
        say(f"results: {out}")
    return 0


def _one_of(option: str, value: str | None, choices: Sequence[str]) -> None:
    """Refuse a value that is none of the choices.

    Raises:
        InputError: naming the option.
    """
    if value is not None and value not in choices:
        raise InputError(f"{option}: {value!r} is not one of {', '.join(choices)}")


@app.command()
def verify(file: Annotated[str, typer.Argument(metavar="FILE", help="A recorded episode.")]) -> int:
    """Play a recorded episode again and say whether every event agrees."""
    from stratagym.envs.record import read_record
    from stratagym.envs.record import verify as compare
    from stratagym.envs.task.spec import TaskError

    try:
        verdict = compare(read_record(file))
    except TaskError as error:
        raise InputError(f"{file}, line 1: the task: {error}") from error
    if verdict.agrees:
        say(f"{file}: agrees ({verdict.steps} steps, {verdict.events} events)")
        return 0
    say(f"{file}: does not agree: {verdict.difference}")
    return 1


@app.command("list")
def list_(as_json: AsJson = False) -> int:
    """Show every environment: size, tags, ranked or not and both figures."""
    from stratagym.baselines import listing

    rows = listing.catalogue_rows()
    if as_json:
        say_json(rows)
    else:
        say(render(lambda console: listing.print_catalogue(console, rows)))
    return 0


@app.command()
def rank(
    envs: Annotated[list[str] | None, typer.Argument(metavar="ENV_ID...", help="[all]")] = None,
    episodes: Annotated[int, typer.Option(min=1, help="Seeds for each environment.")] = 100,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Catalogue file to update [the shipped one].")] = None,
    as_json: AsJson = False,
) -> int:
    """Measure whether environments separate agents, and update the catalogue."""
    from stratagym.baselines import ranking

    with ProgressBar() as bar:
        figures = ranking.update_catalogue(envs or [], episodes=episodes, jobs=jobs, path=out, progress=bar)
    if as_json:
        say_json(figures)
    else:
        say(render(lambda console: ranking.print_figures(console, figures)))
    return 0


@app.command()
def certify(
    domains: Annotated[list[str] | None, typer.Argument(metavar="DOMAIN...", help="[all]")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes [one a core].")] = None,
) -> int:
    """Solve every instance of the procedural families and write their certificates again."""
    from stratagym.baselines.certify import certify_all
    from stratagym.envs.registry import find_domains

    known = sorted(find_domains())
    for name in domains or ():
        _one_of("DOMAIN", name, known)
    for line in certify_all(domains or None, jobs):
        say(line)
    return 0


@app.command()
def bench(
    only: Annotated[list[str] | None, typer.Option(help="Only this section; repeat it.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Short runs, which measure nothing.")] = False,
    training: Annotated[bool, typer.Option("--train", help="Of training instead, beside SB3's PPO.")] = False,
    as_json: AsJson = False,
) -> int:
    """Measure the speed, as ratios to a single CartPole-v1 in the same run."""
    from stratagym.baselines import bench as speed

    if training:
        from stratagym.baselines import bench_train

        rows = bench_train.run(quick=quick)
    else:
        rows = speed.run(only or [], quick=quick)
    if as_json:
        say_json(rows)
    else:
        say(render(lambda console: speed.print_rows(console, rows)))
    return 0


cli_learning.add(app)
cli_watching.add(app)


def _complain(text: str) -> None:
    """Print one line to standard error, with nothing in it that could break the line or the terminal."""
    line = " ".join(text.split())
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)
    print(f"stratagym: {safe}", file=sys.stderr)


def _reason(error: OSError) -> str:
    """Return what the system says of a file, in one line."""
    return f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: without the program's name; None takes the process's.
    """
    from stratagym.envs.record import RecordError
    from stratagym.envs.task.spec import TaskError

    try:
        code = app(args=arguments, prog_name="stratagym", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except (PipeClosedError, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except KeyboardInterrupt:
        return INTERRUPTED
    except (InputError, RecordError, TaskError) as error:
        _complain(str(error))
        return BAD_INPUT
    except OSError as error:
        _complain(_reason(error))
        return BAD_INPUT
    except Exception as error:
        # typer's own errors (unknown command, missing argument) derive from click's class or,
        # in later releases, from typer's: both say what is wrong by this method.
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        _complain(f"{message()} (try 'stratagym --help')")
        return BAD_INPUT


def main() -> NoReturn:
    """Run the command line of this process (the ``stratagym`` script)."""
    code = run()
    if code == INTERRUPTED:
        print("stratagym: interrupted", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
