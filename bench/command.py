"""`frontrow bench`: measures Frontrow and other servers on this machine, in one run.

It uses only the loopback interface, ends by itself, and leaves nothing but the files it is asked for.
docs/performance.md explains the scenarios.
"""

import asyncio
import os
import signal
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from bench.machine import describe, placement_of
from bench.plan import SMALL, Plan
from bench.plot import FORMATS, draw
from bench.report import Report
from bench.revision import BASELINE, NoSuchRevision, require_revision
from bench.runner import run
from bench.scenarios import SCENARIOS
from bench.tables import tables

_LISTED = "\n".join(f"  {name:<18} {scenario.summary}" for name, scenario in SCENARIOS.items())


def _known(context: click.Context, option: click.Parameter, revision: str | None) -> str:
    """Return the revision, or the default, which git need not have."""
    if revision is None:
        return BASELINE
    try:
        require_revision(revision)
    except NoSuchRevision as exc:
        raise click.BadParameter(str(exc)) from exc
    return revision


_file = click.Path(dir_okay=False, path_type=Path)


@click.command(
    "bench",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"\b\nScenarios; all of them if none is named:\n{_LISTED}",
)
@click.argument("scenarios", nargs=-1, type=click.Choice(list(SCENARIOS)), metavar="[SCENARIO]...")
@click.option("--rounds", type=click.IntRange(1, 1000), default=5, show_default=True, help="Rounds counted.")
@click.option(
    "--seconds", type=click.FloatRange(0.05, 600), default=3.0, show_default=True, help="Length of a round."
)
@click.option(
    "--revision",
    callback=_known,
    help=f"Compare with Frontrow at this git revision; only {BASELINE}, the default, has thresholds.",
)
@click.option("--output", type=_file, help="Store all samples in this file, as JSON.")
@click.option("--plot", type=_file, help="Draw results into this file, .png or .svg.")
@click.option("--thresholds", is_flag=True, help="Exit with status 1 unless all thresholds are reached.")
@click.option("--small", is_flag=True, help="Tiny sizes, to try the harness; the figures mean nothing.")
@click.option(
    "--data-dir",
    type=click.Path(exists=True, file_okay=False, writable=True, path_type=Path),
    help="Where temporary databases are made: durable writes are those of its disk. [the system's]",
)
def bench(
    scenarios: tuple[str, ...],
    rounds: int,
    seconds: float,
    revision: str,
    output: Path | None,
    plot: Path | None,
    thresholds: bool,
    small: bool,
    data_dir: Path | None,
) -> None:
    """Measure Frontrow beside other servers, in turns, on this machine.

    Prints medians and ratios. Servers are confined to one core, the load and the databases to others. Exit
    status 1 if a scenario could not be measured.
    """
    if plot is not None and plot.suffix not in FORMATS:
        raise click.BadParameter(f"it must end in {' or '.join(FORMATS)}", param_hint="--plot")
    if plot is not None and find_spec("matplotlib") is None:
        raise click.UsageError("plots need matplotlib: make bench")
    placement = placement_of(frozenset(os.sched_getaffinity(0)))
    compared = f" --revision {revision}" if revision != BASELINE else ""
    options = f"--rounds {rounds} --seconds {seconds:g}{compared}{' --small' if small else ''}"
    command = " ".join(("frontrow bench", *scenarios, options))
    plan = replace(SMALL if small else Plan(), rounds=rounds, seconds=seconds, revision=revision)
    report = Report(command, describe(placement), plan)
    names = scenarios or tuple(SCENARIOS)
    # SIGTERM ends the run as Ctrl-C does, so that servers and databases are ended.
    # Shells start programs in the background with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))
    with TemporaryDirectory(prefix="frontrow-bench-", dir=data_dir) as path:
        asyncio.run(run(report, names, Path(path), placement))
    click.echo("\n".join(tables(report.document)))
    try:
        if output is not None:
            report.write(output)
        if plot is not None and report.results:
            draw(report, plot)
    except OSError as exc:
        raise click.ClickException(str(exc)) from exc
    if report.failures or (thresholds and not report.all_reached):
        sys.exit(1)
