"""What a load has come to: the one shape in which every kind of load reports."""

import math
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from bench.load.latency import Latencies

FEWEST_SUCCESSES = 0.99

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class TooManyFailures(Exception):
    """Requests failed, so that their rate says nothing."""


@dataclass
class Tally:
    """Counts of one run. What is counted depends on the load: answers, frames, sockets.

    Attributes:
        outcomes: how often each outcome was met: statuses of HTTP, or kinds of frames.
        latencies: of what was answered.
        unanswered: what was sent and had no answer at the end.
        received_bytes: over all connections.
        seconds: how long the load lasted.
        sent: how many requests each connection has sent.
        load_cpu: share of one core that the generator used; near 1 it was the generator that was measured.
        server_cpu: share of one core that the server used.
    """

    outcomes: Counter[int] = field(default_factory=Counter)
    latencies: Latencies = field(default_factory=Latencies)
    unanswered: int = 0
    received_bytes: int = 0
    seconds: float = 0.0
    sent: tuple[int, ...] = ()
    load_cpu: float = 0.0
    server_cpu: float = 0.0

    @property
    def answered(self) -> int:
        """All outcomes."""
        return self.outcomes.total()

    @property
    def per_second(self) -> float:
        """Outcomes per second."""
        return self.answered / self.seconds if self.seconds else 0.0

    def require(self, *expected: int) -> float:
        """See that the run says something.

        Args:
            expected: outcomes that count as success.

        Returns:
            The share of everything asked that had one of them.

        Raises:
            TooManyFailures: it is too small.
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
        """What is kept of a round.

        Args:
            expected: outcomes that count as success.

        Raises:
            TooManyFailures: too few of them.
        """
        median, high, extreme = self.latencies.percentiles_ms(50, 99, 100)
        return {
            "rate": self.per_second,
            "success": self.require(*expected),
            "p50_ms": median,
            "p99_ms": high,
            "max_ms": extreme,
            "server_cpu": self.server_cpu,
            "load_cpu": self.load_cpu,
        }


class Stopwatch:
    """Measures a run and what it takes of the processors, and writes both into a tally.

    Args:
        tally: where it is noted.
        server_pid: whose processor time counts beside one's own.
    """

    def __init__(self, tally: Tally, server_pid: int) -> None:
        self._tally = tally
        self._server_pid = server_pid
        self.started_at = time.perf_counter()
        self._own_seconds = time.process_time()
        self._server_seconds = cpu_seconds(server_pid)

    def stop(self) -> None:
        """The run is over."""
        elapsed = max(time.perf_counter() - self.started_at, 1e-9)
        self._tally.seconds = elapsed
        self._tally.load_cpu = (time.process_time() - self._own_seconds) / elapsed
        self._tally.server_cpu = (cpu_seconds(self._server_pid) - self._server_seconds) / elapsed


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used so far, all its threads together (proc_pid_stat(5)).

    Returns:
        Seconds; not a number if the process has gone.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return math.nan
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND
