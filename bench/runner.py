"""Runs scenarios one after the other and writes down what came of each."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from bench.load.http import BadAnswer
from bench.load.sockets import SocketRefused
from bench.load.tally import TooManyFailures
from bench.machine import Placement
from bench.peers.process import PeerFailed
from bench.report import Report
from bench.rounds import Samples, alternate
from bench.scenarios import SCENARIOS
from bench.scenarios.scenario import Scenario
from bench.stage import Stage
from bench.thresholds import read_thresholds
from persistence.embedded import EmbeddedPostgresFailed

SCENARIO_SECONDS = 1800.0
"""How long one scenario may take in all, whatever goes wrong in it."""

Played = Callable[[], None]
Progress = Callable[[str, int], AbstractContextManager[Played]]
"""Shows how far a scenario is, by its name and how many turns it has; it is told after each."""

# Servers that do not start, and what their process reports, are assertions of tests/acceptance.
_FAILURES = (
    AssertionError,
    BadAnswer,
    EmbeddedPostgresFailed,
    OSError,
    PeerFailed,
    SocketRefused,
    TimeoutError,
    TooManyFailures,
)


async def run(
    report: Report,
    names: Sequence[str],
    directory: Path,
    placement: Placement,
    revision: str,
    progress: Progress,
) -> None:
    """Measure.

    Args:
        report: says how, and gets the results. A scenario that fails is noted, and the others go on.
        names: of scenarios.
        directory: an empty one, for databases and logs.
        placement: who runs on which core.
        revision: of Frontrow, to compare with.
        progress: shows how far it is.
    """
    stage = Stage(
        directory,
        placement,
        report.sizes,
        seconds=report.seconds,
        rounds=report.rounds,
        revision=revision,
    )
    async with stage:
        for name in names:
            try:
                async with asyncio.timeout(SCENARIO_SECONDS):
                    report.results[name] = await _measured(SCENARIOS[name], stage, progress)
            except _FAILURES as failure:
                report.failures[name] = _in_words(failure)
    report.notices = sorted(set(stage.notices))
    report.conclude([line for line in read_thresholds() if line.scenario in names])


async def _measured(scenario: Scenario, stage: Stage, progress: Progress) -> Samples:
    uncounted = int(scenario.warms_up)
    rounds = stage.rounds * scenario.rounds_factor
    async with scenario.prepare(stage) as contenders:
        with progress(scenario.name, (uncounted + rounds) * len(contenders)) as played:
            return await alternate(contenders, rounds, uncounted, played)


def _in_words(failure: BaseException) -> str:
    """The failure, and what servers had to say, if anything."""
    notes = [note for note in getattr(failure, "__notes__", ()) if not note.rstrip().endswith(":")]
    return "\n".join([f"{type(failure).__name__}: {failure}", *notes])
