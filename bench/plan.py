"""The plan of a run: how long it measures, how often, against which revision, and the sizes of everything."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from bench.revision import BASELINE

Figures = Mapping[str, float]

Contenders = Mapping[str, Callable[[], Awaitable[Figures]]]
"""Functions that play one round, by the name of the contender."""

Samples = dict[str, dict[str, list[float]]]
"""Figures of all rounds, by contender and figure."""


@dataclass(frozen=True)
class Plan:
    """Sizes and durations of a run, the same for all contenders; by default those of the published runs.

    Attributes:
        rounds: how many rounds count.
        seconds: length of a round.
        revision: the revision that Frontrow is compared with.
        connections: number of HTTP connections.
        users: users with a token. Prime, so that every user meets every screening.
        callers: users of whom each sends a request or two per round; prime for the same reason.
        screenings: screenings in which seats are held and booked.
        rows, seats_per_row: of their halls.
        crowd: clients that want one seat.
        sockets: sockets that receive changes, or send commands.
        surge_connections: HTTP connections while more requests come than can be answered.
        readers: sockets that watch a screening while a tenth of them stops reading.
        slow_heads: connections that do not finish their handshakes.
        storm_clients: clients that come back after a restart.
        storm_seconds: time after a restart in which nobody is measured but those who come back.
        commands_depth: commands in flight on each socket.
        idle_sockets: silent sockets.
        active_screenings: screenings in memory, in halls of 300 seats.
        large_hall: rows and seats per row of the large hall.
        sold_out_rows: rows of 20 seats in the hall that is sold out.
        activations: untouched screenings that are opened per round.
        engine_holds: holds per round of the engine alone.
        best_halls: numbers of seats of the halls in which parties ask for the best seats.
        parties: how many of them ask per round and hall.
        reservations: reservations whose funnel is looked at.
        logged_events: events of the log that is verified, a thousand for each screening.
    """

    rounds: int = 5
    seconds: float = 3.0
    revision: str = BASELINE
    connections: int = 64
    users: int = 1009
    callers: int = 100_003
    screenings: int = 100
    rows: int = 50
    seats_per_row: int = 50
    crowd: int = 1000
    sockets: int = 1000
    surge_connections: int = 2000
    readers: int = 5000
    slow_heads: int = 20_000
    storm_clients: int = 20_000
    storm_seconds: float = 5.0
    commands_depth: int = 16
    idle_sockets: int = 10_000
    active_screenings: int = 10_000
    large_hall: tuple[int, int] = (250, 200)
    sold_out_rows: int = 100
    activations: int = 200
    engine_holds: int = 100_000
    best_halls: tuple[int, ...] = (5_000, 50_000)
    parties: int = 1000
    reservations: int = 1_000_000
    logged_events: int = 1_000_000


SMALL = Plan(
    connections=4,
    users=101,
    callers=503,
    screenings=20,
    rows=10,
    crowd=10,
    sockets=10,
    surge_connections=20,
    readers=100,
    slow_heads=200,
    storm_clients=200,
    storm_seconds=0.5,
    commands_depth=4,
    idle_sockets=50,
    active_screenings=20,
    large_hall=(20, 50),
    sold_out_rows=2,
    activations=5,
    engine_holds=2000,
    best_halls=(500, 1000),
    parties=50,
    reservations=1000,
    logged_events=5000,
)
"""The plan for checking that the harness works; its figures mean nothing."""
