"""Caches forget clients that have left: the growth of a process shows it."""

import subprocess
import sys

import pytest

MOST_BYTES = 4_000_000
"""Entries of the last one to ten minutes, and noise of the measurement."""

START = """
from pathlib import Path
from api.identity.tokens import Tokens
from api.sales.seat_maps import SeatMapEncoder
from api.seats.snapshots import Snapshots
from engine.memory import ManualClock
from engine.records import Layout, Seat
from engine.views import SeatMap, SeatView

def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

clock = ManualClock()
seats = [Seat(n, 1, "A", n, "standard", float(n), 1.0) for n in range(1, 41)]
layout = Layout(1, 1, seats)

def seat_map(number):
    views = {seat.id: SeatView(seat.id, "booked", f"user:{number + seat.id}") for seat in seats}
    return SeatMap(number, 1, 1, layout, views)
"""

MEASURE = """
for number in range(1, 1001):
    use(number)
    clock.advance(1.0)
before = resident_bytes()
for number in range(1001, 6001):
    use(number)
    clock.advance(1.0)
print(resident_bytes() - before)
"""

USES = {
    "verified tokens": """
tokens = Tokens("0123456789abcdef" * 2, clock=clock.now, now=clock.now)
def use(number):
    for user_id in range(2 * number, 2 * number + 2):
        tokens.verify(tokens.issue(user_id, ttl_seconds=86_400))
""",
    "seat maps": """
encoder = SeatMapEncoder(now=clock.now)
def use(number):
    encoder.personal(seat_map(number), "user:0")
""",
    "snapshots": """
snapshots = Snapshots()
def use(number):
    list(snapshots.frames(seat_map(number), "user:0", clock.now()))
""",
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_cache_forgets(use: str) -> None:
    program = START + use + MEASURE
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own
    assert int(run.stdout) < MOST_BYTES
