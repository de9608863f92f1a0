"""Measures a server from outside, again and again."""

import asyncio
import os
import time
from collections.abc import Iterable
from pathlib import Path

import aiohttp

from tests.acceptance.server_process import ServerProcess
from tests.database import execute
from tests.soak.slopes import slope_of

GAUGES = {
    "tasks": "frontrow_event_loop_tasks",
    "timers": "frontrow_event_loop_timers",
    "screenings": "frontrow_screenings_active",
    "holds": "frontrow_holds_live",
    "waiting": "frontrow_waitlist_entries",
    "journal": "frontrow_journal_depth",
    "pool": "frontrow_database_pool_connections",
    "sockets": "frontrow_sockets_open",
}
"""Names of the server's own metrics that are read, by the names used here."""

_SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Samples:
    """All measurements of a server over time.

    Args:
        server: the server.
        session: reads its metrics.

    Attributes:
        times: in seconds by the monotonic clock.
        values: by name, one for each time.
    """

    def __init__(self, server: ServerProcess, session: aiohttp.ClientSession) -> None:
        self.times: list[float] = []
        self.values: dict[str, list[float]] = {}
        self._server = server
        self._session = session
        self._used = self._cpu_seconds
        self._used_at = time.monotonic()

    async def take(self) -> None:
        """Measure once."""
        process = Path(f"/proc/{self._server.pid}")
        async with self._session.get(f"{self._server.url}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        ((sessions,),) = await asyncio.to_thread(execute, self._server.database.url, _SESSIONS)
        measured = {
            "memory_mb": self._server.resident_bytes / 1e6,
            "descriptors": len(os.listdir(process / "fd")),
            "threads": len(os.listdir(process / "task")),
            "sessions": sessions,
            **{name: _sum_of(lines, metric) for name, metric in GAUGES.items()},
        }
        self.times.append(time.monotonic())
        for name, value in measured.items():
            self.values.setdefault(name, []).append(value)

    def grown(self, name: str, warm_up: int) -> float:
        """Return how much a value has grown since the warm-up, by its slope.

        Args:
            name: of the value.
            warm_up: number of samples that do not count.
        """
        times, values = self.times[warm_up:], self.values[name][warm_up:]
        return slope_of(times, values) * (times[-1] - times[0])

    def processor_share(self) -> float:
        """Return the share of a core that the server has used since the last call."""
        before, self._used = self._used, self._cpu_seconds
        since, self._used_at = self._used_at, time.monotonic()
        return (self._used - before) / (self._used_at - since)

    @property
    def _cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self._server.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS


def _sum_of(lines: Iterable[str], metric: str) -> float:
    """Return the value of a metric, added up over its labels."""
    found = [line for line in lines if line.startswith((f"{metric} ", f"{metric}{{"))]
    return sum(float(line.rpartition(" ")[2]) for line in found)
