"""Runs scenarios one after the other and stores their results in a report."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from bench.load import MeasurementFailed
from bench.machine import Placement
from bench.plan import Contenders, Samples
from bench.report import Report
from bench.scenarios import SCENARIOS
from bench.stage import Stage
from persistence.embedded import EmbeddedPostgresFailed

SCENARIO_SECONDS = 1800.0
"""Time limit of one scenario in all."""

# A server that does not start is an AssertionError of tests/acceptance.
_FAILURES = (AssertionError, EmbeddedPostgresFailed, MeasurementFailed, OSError)


async def run(report: Report, names: Sequence[str], directory: Path, placement: Placement) -> None:
    """Measure scenarios as the report plans, and store the results in it.

    A scenario that fails is noted, and the others go on. The directory is empty, for databases and logs.
    """
    stage = Stage(directory, placement, report.plan)
    async with stage.opened():
        for name in names:
            scenario = SCENARIOS[name]
            rounds = report.plan.rounds * scenario.rounds_factor
            try:
                async with asyncio.timeout(SCENARIO_SECONDS), stage.scenario():
                    contenders = await scenario.prepare(stage)
                    turns = (scenario.uncounted + rounds) * len(contenders)
                    with click.progressbar(length=turns, label=f"{name:<18}", file=sys.stderr) as bar:
                        await _alternate(contenders, scenario.uncounted, bar.update)
                        report.results[name] = await _alternate(contenders, rounds, bar.update)
            except _FAILURES as failure:
                notes = [
                    note for note in getattr(failure, "__notes__", ()) if not note.rstrip().endswith(":")
                ]
                report.failures[name] = "\n".join([f"{type(failure).__name__}: {failure}", *notes])
    report.conclude(names, stage.notices)


async def _alternate(contenders: Contenders, rounds: int, played: Callable[[int], None]) -> Samples:
    """Let contenders play in turns, so that other work on the machine affects all of them alike."""
    samples: Samples = {name: {} for name in contenders}
    for _ in range(rounds):
        for name, play in contenders.items():
            for figure, value in (await play()).items():
                samples[name].setdefault(figure, []).append(value)
            played(1)
    return samples
