"""The counts and times of one load: every kind of load reports in this form."""

import math
import os
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.load import MeasurementFailed

FEWEST_SUCCESSES = 0.99

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class TooManyFailures(MeasurementFailed):
    """So many requests failed that their rate means nothing."""


@dataclass
class Tally:
    """The result of one load.

    Attributes:
        outcomes: number of responses by status, or of frames by kind.
        latencies: seconds of each response. A load is bounded, so all are kept and percentiles are exact.
        unanswered: requests without a response at the end.
        received_bytes: over all connections.
        seconds: duration of the load.
        sent: number of requests that each connection sent.
        load_cpu, server_cpu: share of one core that the load process and the server used.
    """

    outcomes: Counter[int] = field(default_factory=Counter)
    latencies: "array[float]" = field(default_factory=lambda: array("d"))
    unanswered: int = 0
    received_bytes: int = 0
    seconds: float = 0.0
    sent: tuple[int, ...] = ()
    load_cpu: float = 0.0
    server_cpu: float = 0.0

    @property
    def answered(self) -> int:
        """Number of all outcomes."""
        return self.outcomes.total()

    @property
    def per_second(self) -> float:
        """Outcomes per second."""
        return self.answered / self.seconds if self.seconds else 0.0

    def percentiles_ms(self, *percents: float) -> list[float]:
        """Return percentiles of the latencies by nearest rank, in milliseconds; NaN if there are none."""
        ascending = sorted(self.latencies)
        if not ascending:
            return [math.nan] * len(percents)
        return [ascending[math.ceil(len(ascending) * percent / 100) - 1] * 1e3 for percent in percents]

    def require(self, *expected: int) -> float:
        """Return the share of all requests that had one of the expected outcomes.

        Raises:
            TooManyFailures: the share is below `FEWEST_SUCCESSES`.
        """
        asked = self.answered + self.unanswered
        share = sum(self.outcomes[outcome] for outcome in expected) / asked if asked else 0.0
        if share < FEWEST_SUCCESSES:
            outcomes = ", ".join(f"{number} x {outcome}" for outcome, number in self.outcomes.items())
            raise TooManyFailures(
                f"{share:.1%} of {asked} requests succeeded: {outcomes or 'none'}; "
                f"{self.unanswered} were not answered"
            )
        return share

    def figures(self, *expected: int) -> dict[str, float]:
        """Return the figures of a round, in which the expected outcomes count as success.

        Raises:
            TooManyFailures: too few requests had an expected outcome.
        """
        median, high, highest = self.percentiles_ms(50, 99, 100)
        return {
            "rate": self.per_second,
            "success": self.require(*expected),
            "p50_ms": median,
            "p99_ms": high,
            "max_ms": highest,
            "server_cpu": self.server_cpu,
            "load_cpu": self.load_cpu,
        }


@contextmanager
def measured(tally: Tally, server_pid: int) -> Iterator[None]:
    """Store in a tally how long the block takes, and the processor time that is used meanwhile."""
    started_at, own, server = time.perf_counter(), time.process_time(), cpu_seconds(server_pid)
    yield
    tally.seconds = max(time.perf_counter() - started_at, 1e-9)
    tally.load_cpu = (time.process_time() - own) / tally.seconds
    tally.server_cpu = (cpu_seconds(server_pid) - server) / tally.seconds


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process with all threads (proc_pid_stat(5)); NaN if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return math.nan
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND
