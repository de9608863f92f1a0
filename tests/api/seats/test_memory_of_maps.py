"""The memory that cached seat maps and snapshots take per seat, measured as growth of a process."""

import subprocess
import sys

SEATS = 10_000
MOST_BYTES = 2000
"""Per seat. Bytes that `orjson` has made take about 4,000, of which a seat needs a hundred."""

PROGRAM = f"""
from pathlib import Path
from api.sales.seat_maps import SeatMapEncoder
from api.seats.snapshots import Snapshots
from engine.records import Layout, Seat
from engine.views import SeatMap, SeatView

def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

layout = Layout(1, 1, [Seat(n, 1, "A", n, "standard", float(n), 1.0) for n in range(1, {SEATS} + 1)])
views = {{seat.id: SeatView(seat.id, "reserved", f"user:{{seat.id}}") for seat in layout.seats}}
seats = SeatMap(1, 1, 1, layout, views)
before = resident_bytes()
encoder, snapshots = SeatMapEncoder(), Snapshots()
KEEP
print((resident_bytes() - before) / {SEATS})
"""


def bytes_per_seat(keep: str) -> float:
    """Return how much a process has grown by what a statement makes it keep, per seat."""
    program = PROGRAM.replace("KEEP", keep)
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own
    return float(run.stdout)


def test_seat_maps() -> None:
    # Three encoded forms of each available seat, and two of each taken one.
    assert bytes_per_seat('body = encoder.personal(seats, "user:0")') < 5 * MOST_BYTES / 2


def test_snapshots() -> None:
    assert bytes_per_seat('frames = list(snapshots.frames(seats, "user:0", 0.0))') < MOST_BYTES
