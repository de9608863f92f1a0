"""All scenarios: what is measured, and by whom it is prepared."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from bench.plan import Contenders
from bench.scenarios import (
    best,
    check_ins,
    cluster,
    contention,
    engine_alone,
    forwarding,
    funnel,
    growth,
    holds,
    overload,
    reads,
    rules,
    sockets,
    storms,
    verify,
)
from bench.stage import Stage


class Scenario(NamedTuple):
    """Something that is measured.

    Attributes:
        summary: what happens, in one line.
        figure: the figure that counts.
        unit: of that figure.
        prepare: starts all that the contenders need.
        uncounted: rounds that do not count, to warm up; none where each round has a new server.
        rounds_factor: how many times as many rounds are played as in other scenarios.
    """

    summary: str
    figure: str
    unit: str
    prepare: Callable[[Stage], Awaitable[Contenders]]
    uncounted: int = 1
    rounds_factor: int = 1


SCENARIOS: Mapping[str, Scenario] = {
    "hold": Scenario("two seats held over REST", "rate", "holds/s", holds.prepare_holds),
    "rules": Scenario(
        "two seats held over REST, with all rules and with none", "rate", "holds/s", rules.prepare
    ),
    "booking": Scenario(
        "two seats booked, answered after COMMIT", "rate", "bookings/s", holds.prepare_bookings
    ),
    "check-in": Scenario("tickets admitted, answered after COMMIT", "rate", "scans/s", check_ins.prepare),
    "sell-out": Scenario("a hall sold out", "rate", "requests/s", contention.prepare_sell_out),
    "hot-seat": Scenario(
        "one pair that everybody toggles", "rate", "requests/s", contention.prepare_hot_seat
    ),
    # A 99th percentile differs much from round to round.
    "arrivals": Scenario(
        "holds at half of capacity, open loop", "p99_ms", "ms", holds.prepare_arrivals, rounds_factor=2
    ),
    "fan-out": Scenario("changes to many sockets", "rate", "deliveries/s", sockets.prepare_fan_out),
    "socket-commands": Scenario("seats selected, released", "rate", "commands/s", sockets.prepare_commands),
    "availability": Scenario(
        "300 seats, 1 % changing per second", "rate", "answers/s", reads.prepare_availability
    ),
    "full-hall": Scenario(
        "2,500 seats looked at after every change", "rate", "requests/s", reads.prepare_full_hall
    ),
    "handler": Scenario("a JSON endpoint on both HTTP layers", "rate", "answers/s", reads.prepare_handler),
    "activation": Scenario("untouched screenings opened", "p50_ms", "ms", reads.prepare_activation),
    "idle-sockets": Scenario(
        "memory of a silent WebSocket", "bytes_each", "bytes", growth.prepare_sockets, uncounted=0
    ),
    "active-screenings": Scenario(
        "memory of a screening", "bytes_each", "bytes", growth.prepare_screenings, uncounted=0
    ),
    "recovery": Scenario("ready again after kill -9", "ready_seconds", "s", growth.prepare_recovery),
    "scale": Scenario("toggles beside much else", "rate", "toggles/s", growth.prepare_scale),
    "cluster": Scenario(
        "holds at one node, in its own screenings and another's",
        "servers_us",
        "µs/hold",
        cluster.prepare_cluster,
    ),
    "forwarding": Scenario(
        "holds at another node, without HTTP and PostgreSQL", "cpu_us", "µs/hold", forwarding.prepare
    ),
    "hot-hall": Scenario("one screening behind gateways", "rate", "toggles/s", cluster.prepare_hot_hall),
    "workers": Scenario("two workers and one", "rate_alone", "holds/s", cluster.prepare_workers),
    "overload": Scenario(
        "three times as many requests as can be answered", "goodput", "of the capacity", overload.prepare, 0
    ),
    "storms": Scenario(
        "beside clients that do not read, do not finish, or all come back", "p99_ms", "ms", storms.prepare, 0
    ),
    "funnel": Scenario("what sells, of a million reservations", "p50_ms", "ms", funnel.prepare),
    "verify": Scenario(
        "a database checked by a log of a million events", "rate", "events/s", verify.prepare, uncounted=0
    ),
    "engine": Scenario("the engine without I/O", "rate", "holds/s", engine_alone.prepare),
    "best": Scenario("the best seats of half full halls, without I/O", "p99_ms", "ms", best.prepare),
}
"""All scenarios by name, in the order in which they run."""
