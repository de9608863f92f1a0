"""How large everything is that is measured: the sizes of the published figures, and tiny ones to try."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Bounds of every scenario. Where systems are compared, both have the same.

    Attributes:
        connections: over which requests are sent.
        depth: requests on their way per connection (HTTP pipelining); 1 as browsers do it.
        users: whose tokens are used. Prime, so that they meet every screening.
        callers: users of whom each sends a request or two in a round; prime for the same reason.
        screenings: that seats are held and booked in.
        rows, seats_per_row: of their halls.
        crowd: clients on one hot seat.
        sockets: that changes fan out to, or that send commands.
        commands_depth: commands on their way per socket.
        idle_sockets: that are open and silent.
        active_screenings: that are in memory, in halls of 300 seats.
        large_rows, large_seats_per_row: of the large hall.
        sold_out_rows: of the hall that is sold out, with 20 seats each.
        activations: of untouched screenings in a round.
        engine_holds: in a round of the engine alone.
    """

    connections: int = 64
    depth: int = 1
    users: int = 1009
    callers: int = 100_003
    screenings: int = 100
    rows: int = 50
    seats_per_row: int = 50
    crowd: int = 1000
    sockets: int = 1000
    commands_depth: int = 16
    idle_sockets: int = 10_000
    active_screenings: int = 10_000
    large_rows: int = 250
    large_seats_per_row: int = 200
    sold_out_rows: int = 100
    activations: int = 200
    engine_holds: int = 100_000


SMALL = Sizes(
    connections=4,
    users=101,
    callers=503,
    screenings=20,
    rows=10,
    seats_per_row=50,
    crowd=10,
    sockets=10,
    commands_depth=4,
    idle_sockets=50,
    active_screenings=20,
    large_rows=20,
    large_seats_per_row=50,
    sold_out_rows=2,
    activations=5,
    engine_holds=2000,
)
"""To see that the harness works; what it measures then means nothing."""
