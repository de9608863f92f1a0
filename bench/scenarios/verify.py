"""Time and memory of `frontrow verify` for a long event log."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from time import perf_counter

from bench.plan import Contenders, Figures
from bench.stage import Stage
from tests.database import execute

_ROWS, _SEATS_PER_ROW = 10, 25
_EVENTS_PER_SEAT = 4

# Somebody reserves each seat and gives it back; then somebody reserves and books it.
_EVENTS = """
INSERT INTO screening_events (screening_id, epoch, seq, at, kind, actor, seat_ids, from_statuses, to_status)
SELECT screening_id, 1, 4 * seat + step, now(), kind, 'user:' || seat, ARRAY[first_seat_id + seat],
       ARRAY[before], after
FROM unnest(%s::bigint[], %s::bigint[]) AS hall (screening_id, first_seat_id),
     generate_series(0, %s - 1) AS seat,
     (VALUES (1, 'seats_held', 'available', 'held'), (2, 'holds_released', 'held', 'available'),
             (3, 'seats_held', 'available', 'held'), (4, 'tickets_issued', 'held', 'booked'))
         AS steps (step, kind, before, after)
"""

_TICKETS = """
INSERT INTO tickets (screening_id, seat_id, id, booking_id, holder, price, status, booked_at, confirmed_at)
SELECT screening_id, seat_ids[1], number, number, actor, 10, 'confirmed', at, at
FROM (SELECT *, row_number() OVER () AS number FROM screening_events WHERE kind = 'tickets_issued') AS issued
"""


async def prepare(stage: Stage) -> Contenders:
    """Prepare a database with a long log."""
    database_url = stage.database()
    server = await stage.start(database_url=database_url)
    seats = _ROWS * _SEATS_PER_ROW
    number = stage.plan.logged_events // (seats * _EVENTS_PER_SEAT)
    halls = await server.process.seed(number, _ROWS, _SEATS_PER_ROW)
    firsts = [hall.first_seat_id for hall in halls]
    execute(database_url, _EVENTS, [hall.id for hall in halls], firsts, seats)
    execute(database_url, _TICKETS)
    for table in ("screening_events", "tickets"):
        execute(database_url, f"VACUUM ANALYZE {table}")
    return {"verify": partial(_verify, database_url, number * seats * _EVENTS_PER_SEAT)}


async def _verify(database_url: str, events: int) -> Figures:
    seconds, peak_bytes = await asyncio.to_thread(_run, {"FRONTROW_DATABASE_URL": database_url})
    return {"rate": events / seconds, "seconds": seconds, "peak_bytes": peak_bytes}


def _run(settings: Mapping[str, str]) -> tuple[float, float]:
    """Run the command once, as an operator does. Returns seconds and the peak of its memory in bytes."""
    began = perf_counter()
    command = [sys.executable, "-m", "frontrow", "verify"]
    environment = {**os.environ, **settings}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)  # noqa: S603
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"frontrow verify ended with exit status {process.returncode}")
    return perf_counter() - began, used.ru_maxrss * 1024
