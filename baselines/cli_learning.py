"""The commands of the command line that learn: ``train``, ``demos``, ``suite`` and ``plot``.

Owns their options and what they print; ``cli`` owns the program and the exit codes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stratagym.baselines.progress import ProgressBar, TrainingBar
from stratagym.baselines.suites import InputError


def train(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="ppo, maskable_ppo, dqn, ...")],
    env: Annotated[str, typer.Argument(metavar="ENV_ID|TASK|FOLDER", help="What is learned.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the run [results/train/...].")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the weights, the lanes and every draw.")] = 0,
    total_steps: Annotated[int | None, typer.Option(min=1, help="Transitions, whole rollouts.")] = None,
    lanes: Annotated[int | None, typer.Option(min=1, help="Environments side by side.")] = None,
    device: Annotated[str, typer.Option(help="As PyTorch names it.")] = "cpu",
    knowledge: Annotated[str | None, typer.Option(help="full, structure or none.")] = None,
    reward: Annotated[str | None, typer.Option(help="The environment's reward option.")] = None,
    view: Annotated[str | None, typer.Option(help="flat, graph or planes.")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Repeat it.")
    ] = None,
    held_out: Annotated[str | None, typer.Option("--eval", help="What is evaluated at the end.")] = None,
    start: Annotated[str | None, typer.Option(help="A trained agent to begin with.")] = None,
    test_episodes: Annotated[int, typer.Option(min=0, help="Of the evaluation at the end.")] = 100,
    against: Annotated[list[str] | None, typer.Option(help="Agents evaluated beside it [random].")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in OUT.")] = False,
) -> int:
    """Train an agent, keep it, and evaluate it against the reference."""
    from stratagym.baselines import cli, methods
    from stratagym.baselines import train as course
    from stratagym.baselines.suites import parse_environment

    methods.check_method(method)
    spec = parse_environment(env)
    asked = methods.parse_changes(changes or [])
    given = {
        "total_steps": total_steps, "lanes": lanes, "knowledge": knowledge, "reward": reward, "view": view,
    }  # fmt: skip
    asked |= {name: value for name, value in given.items() if value is not None}
    folder = out or course.default_folder(method, spec.label, seed)
    course.path_on()
    with ProgressBar("starting") as bar:
        last = course.train(
            method, spec, folder, seed=seed, device=device, changes=asked, held_out=held_out, start=start,
            resume=resume, test_episodes=test_episodes, against=tuple(against or ("random",)),
            progress=TrainingBar(bar),
        )  # fmt: skip
    said = f"{folder}: {last['validation']:.0%} of the validation episodes succeed"
    if test_episodes:
        said += f", {last['success']:.0%} of the test episodes; see {folder / 'report.md'}"
    cli.say(said)
    return 0


def demos(
    env: Annotated[str, typer.Argument(metavar="ENV_ID|TASK", help="Where is played.")],
    out: Annotated[Path, typer.Option(help="File to write, .npz.")],
    agent: Annotated[str | None, typer.Option(help="Who plays [optimal].")] = None,
    episodes: Annotated[int, typer.Option(min=1, help="How many.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Episode k is reset with seed + k.")] = 0,
    view: Annotated[str, typer.Option(help="flat, graph or planes.")] = "flat",
    knowledge: Annotated[str, typer.Option(help="full, structure or none.")] = "full",
    clock: Annotated[str | None, typer.Option(help="[decision; that of the records].")] = None,
    records: Annotated[Path | None, typer.Option(help="Folder of recorded episodes instead.")] = None,
) -> int:
    """Keep what an agent, or a person who played, saw and did: `bc` learns from it."""
    from stratagym.baselines import cli
    from stratagym.baselines import train as course
    from stratagym.baselines.learning import demonstrations
    from stratagym.baselines.player import load_agent
    from stratagym.baselines.suites import parse_environment

    if out.suffix != ".npz":
        raise InputError(f"--out: {out} does not end in .npz")
    course.path_on()
    if records is not None and agent is not None:
        raise InputError("--agent and --records: episodes come from one of them")
    paths = [] if records is None else sorted(records.glob("*.jsonl")) if records.is_dir() else [records]
    if records is not None and not paths:
        raise InputError(f"--records: there is no recorded episode in {records}")
    clock = clock or (demonstrations.clock_of(paths[0]) if paths else "decision")
    made = parse_environment(env).make(view=view, knowledge=knowledge, clock=clock)
    if paths:
        found = demonstrations.from_records(made, paths)
    else:
        found = demonstrations.collect(made, load_agent(agent or "optimal"), range(seed, seed + episodes))
    demonstrations.save(out, found)
    cli.say(
        f"{out}: {len(found)} steps of {len(found.success)} episodes, {found.success.mean():.0%} successful"
    )
    return 0


suite_app = typer.Typer(help="Studies: methods on environments, many seeds.", no_args_is_help=False)


@suite_app.command("run")
def suite_run(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A frozen study.")],
    methods: Annotated[list[str] | None, typer.Option(help="Only these; repeat it.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="How many of each.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Folder [results/suites/NAME].")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the study in OUT.")] = False,
) -> int:
    """Run methods x environments x seeds and write one page of results."""
    from dataclasses import replace

    from stratagym.baselines import cli, study
    from stratagym.baselines.methods import check_method

    chosen = study.load_study(name)
    for method in methods or ():
        check_method(method)
    chosen = replace(chosen, methods=tuple(methods or chosen.methods), seeds=seeds or chosen.seeds)
    folder = out or Path("results") / "suites" / name
    with ProgressBar() as bar:
        study.run_study(
            chosen, folder, jobs=jobs, resume=resume,
            progress=lambda done, total, last: bar.show(done, total, last or "runs"),
        )  # fmt: skip
    cli.say(f"{folder / 'page.md'}")
    return 0


@suite_app.command("list")
def suite_list() -> int:
    """Show every study in one line."""
    from stratagym.baselines import cli, study

    for name in study.study_names():
        cli.say(f"{name}: {study.load_study(name).summary}")
    return 0


def plot(
    results: Annotated[list[Path], typer.Argument(metavar="RESULTS...", help="Runs, or studies.")],
    out: Annotated[Path, typer.Option(help="Picture of the learning curves, .png.")] = Path("curves.png"),
    scores: Annotated[Path | None, typer.Option(help="Picture of the final scores, .png.")] = None,
) -> int:
    """Draw learning curves and final scores of runs or whole studies."""
    from stratagym.baselines import cli, plots, study, study_page, train

    runs: list[Path] = []
    for path in results:
        within = sorted(run.parent for run in path.glob(f"{study.RUNS}/*/{train.RUN}"))
        runs += within or [path]
    for name, picture in (("--out", out), ("--scores", scores)):
        if picture is not None and picture.suffix != ".png":
            raise InputError(f"{name}: {picture} does not end in .png")
    plots.learning_curves(runs, out)
    cli.say(str(out))
    if scores is not None:
        done = [study.read_done(run) for run in runs if (run / train.DONE).is_file()]
        if not done:
            raise InputError("no run is finished yet, so there are no final scores")
        plots.final_scores(study_page.summarise(done), scores)
        cli.say(str(scores))
    return 0


def add(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(train)
    app.command()(demos)
    app.command()(plot)
    app.add_typer(suite_app, name="suite")
