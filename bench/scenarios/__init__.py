"""The scenarios, one module each, and the table of them."""

from collections.abc import Mapping

from bench.scenarios import (
    activation,
    arrivals,
    availability,
    bookings,
    engine_alone,
    fan_out,
    handler,
    holds,
    hot_seat,
    memory,
    recovery,
    scale,
    sell_out,
    socket_commands,
)
from bench.scenarios.scenario import Scenario

_TABLE = (
    ("hold", "two seats held over REST", "rate", "holds/s", holds.prepare),
    ("booking", "two seats booked, answered after COMMIT", "rate", "bookings/s", bookings.prepare),
    ("sell-out", "a hall sold out to buyers who want any seats", "rate", "requests/s", sell_out.prepare),
    ("hot-seat", "one pair of seats that everybody toggles", "rate", "requests/s", hot_seat.prepare),
    ("arrivals", "holds at half of capacity, open loop", "p99_ms", "ms", arrivals.prepare, True, 2),
    ("fan-out", "one change to many sockets", "rate", "deliveries/s", fan_out.prepare),
    ("socket-commands", "seats selected, released", "rate", "commands/s", socket_commands.prepare),
    ("availability", "300 seats, 1 % changing per second", "rate", "answers/s", availability.prepare),
    ("handler", "a JSON endpoint on both connection layers", "rate", "answers/s", handler.prepare),
    ("activation", "untouched screenings opened one by one", "p50_ms", "ms", activation.prepare),
    ("idle-sockets", "memory of a silent WebSocket", "bytes_each", "bytes", memory.prepare_sockets, False),
    ("active-screenings", "memory of a screening", "bytes_each", "bytes", memory.prepare_screenings, False),
    ("recovery", "ready again after kill -9 under load", "ready_seconds", "s", recovery.prepare),
    ("scale", "holds beside much else", "rate", "toggles/s", scale.prepare),
    ("engine", "the engine without I/O", "rate", "holds/s", engine_alone.prepare),
)

SCENARIOS: Mapping[str, Scenario] = {row[0]: Scenario(*row) for row in _TABLE}
"""All scenarios by name, in the order in which they are run."""
