"""Plan of a history, as data: the steps of clients, watchers and faults, made from a seed.

A plan is a list, so a smaller plan is a plan as well (`tests.simulation.shrink`).
"""

import random
from typing import NamedTuple

from engine.records import Layout, ScreeningInfo, TicketType
from tests.engine.conftest import make_info, make_layout

NODES = ("a", "b", "c")
SCREENINGS = (1, 2)
SEATS = 8
"""Seats that clients want; a screening has more, which prove at the end that it is on sale."""

PRICES_CENTS = {1: 1250, 2: 1500, 4: 1000}
"""Prices of the seats that clients want, by screening."""

EVENT = 3
TICKET_TYPES = {31: TicketType(31, 500, 4, max_per_order=2), 32: TicketType(32, 800, 3, max_per_order=2)}
"""Ticket types that the event sells by quantity."""

HALL, HALL_SEATS = 4, 2
"""A hall with a waiting list and blocks (`tests.simulation.hall`), and how few seats it has.

An administrator may publish a layout with one more.
"""

CLIENTS = 4
ACTIONS = {
    **{"hold": 8, "toggle": 2, "release": 2, "extend": 2},
    **{"book_held": 6, "book": 4, "cancel": 1, "look": 4},
    **{"pay_twice": 1, "reuse": 1},
}
"""Actions of clients, with their relative frequencies."""

OF_EVENTS = {"order": 6, "buy": 5, "give_back": 1, "cancel_place": 1, "count": 3}
"""Further actions in half of the plans, with their relative frequencies."""

MOVES = {"move": 20}
"""Moves of tickets to other seats and screenings, in half of the plans."""

IN_HALL = {
    **{"take": 6, "buy": 4, "give": 4, "return": 4},
    **{"join": 9, "quit": 1, "block": 3, "unblock": 3, "rebuild": 2, "vouch": 3, "claim": 3},
}
"""Their steps in the hall."""

HALL_SHARE, HALL_STEPS = 0.3, 0.8
"""Share of the plans with a hall, and of their steps that are there."""

BUSY_SECONDS = 12.0
FIRST_SECONDS = 3.0
"""Time of the first step: all nodes serve by then."""

TAKEOVER_SECONDS = 4.0
"""After that others answer for what a node has owned that they do not hear."""


class Step(NamedTuple):
    """One thing that happens.

    Attributes:
        at: when, in virtual seconds.
        kind: a method of `tests.simulation.clients.Clients`, `tests.simulation.watchers.Watchers` or
            `tests.simulation.faults.Faults`.
        arguments: of the method.
    """

    at: float
    kind: str
    arguments: tuple[float | int | str, ...]

    def __str__(self) -> str:
        return f"{self.at:7.3f} {self.kind} {' '.join(map(str, self.arguments))}"


def on_sale(starts_at: float) -> dict[int, tuple[ScreeningInfo, Layout]]:
    """Return the screenings and the event, which start then, and the seats of their rooms."""
    layout = make_layout(SEATS + len(NODES))
    sold: dict[int, tuple[ScreeningInfo, Layout]] = {
        each: (make_info(each, starts_at)._replace(price_cents=PRICES_CENTS[each]), layout)
        for each in SCREENINGS
    }
    event = make_info(EVENT, starts_at, ticket_types=TICKET_TYPES, seated=False)
    hall = make_info(HALL, starts_at)._replace(price_cents=PRICES_CENTS[HALL])
    sold[HALL] = (hall, make_layout(HALL_SEATS, room_id=3))
    return sold | {EVENT: (event, make_layout(0, room_id=2))}


def plan_of(seed: int) -> list[Step]:
    """Return the plan of a seed. In most plans clients are busy while something is broken."""
    rng = random.Random(seed)
    faults = [_fault(rng) for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 4)))]
    actions = ACTIONS | OF_EVENTS if rng.random() < 0.5 else ACTIONS
    if rng.random() < 0.5:
        actions = actions | MOVES
    troubled = [at for fault in faults for at in _turning_points(fault)] if rng.random() < 0.7 else []
    # Other plans stay as they were before there was a hall.
    other_rng = random.Random(f"hall {seed}")
    in_hall = other_rng.random() < HALL_SHARE
    steps = list(faults)
    for number in range(rng.randint(20, 50)):
        at = _time(rng)
        if troubled and rng.random() < 0.7:
            at = round(max(FIRST_SECONDS, rng.choice(troubled) + rng.gauss(0.5, 1.5)), 3)
        where, client = rng.choice(NODES), rng.randrange(CLIENTS)
        screening, draw = rng.choice(SCREENINGS), rng.randrange(1 << 30)
        action = rng.choices(tuple(actions), tuple(actions.values()))[0]
        patience = rng.choice((0.05, 3.0, 3.0, 3.0))
        if in_hall and other_rng.random() < HALL_STEPS:
            screening, action = HALL, other_rng.choices(tuple(IN_HALL), tuple(IN_HALL.values()))[0]
        steps.append(Step(at, "act", (where, client, action, screening, draw, patience, number)))
    for number in range(rng.randint(2, 5)):
        begins_at = FIRST_SECONDS if rng.random() < 0.7 else _time(rng)
        steps.append(Step(begins_at, "watch", (rng.choice(NODES), rng.choice(SCREENINGS), number)))
    return sorted(steps)


def _turning_points(fault: Step) -> tuple[float, ...]:
    """Return the times when a fault begins and, if it is long enough for a takeover, when it ends, since two
    nodes may believe then that they own the same screening."""
    seconds = fault.arguments[-1] if fault.arguments else 0.0
    long = isinstance(seconds, float) and seconds > TAKEOVER_SECONDS
    return (fault.at, fault.at + seconds) if long else (fault.at,)


def _time(rng: random.Random) -> float:
    return round(rng.uniform(FIRST_SECONDS, FIRST_SECONDS + BUSY_SECONDS), 3)


def _fault(rng: random.Random) -> Step:
    at = _time(rng)
    seconds = round(rng.uniform(*rng.choice(((0.1, 1.5), (1.5, 7.0), (3.5, 6.0)))), 3)
    where = rng.choice(NODES)
    direction = rng.choice(("both", "both", "out", "back"))
    kind, arguments = rng.choice(
        (
            ("crash", (where, seconds)),
            ("crash", (where, seconds)),
            ("restart", (where,)),
            *[("leave", (where, seconds))] * 2,
            *[("pause", (where, seconds))] * 3,
            ("cut_nats", (where, direction, seconds)),
            ("cut_nats", (where, direction, seconds)),
            ("cut_database", (where, direction, seconds)),
            *[("cut_off", (where, 0.0, seconds))] * 3,
            *[("cut_off", (where, round(seconds / 2, 3), round(seconds / 2 + TAKEOVER_SECONDS, 3)))] * 2,
            ("slow_nats", (where, direction, seconds)),
            ("slow_database", (where, direction, seconds)),
            ("reset_nats", (where, seconds)),
            ("kill_nats", (seconds,)),
            ("lose_changes", (0.5, 2 * seconds)),
            ("lose_changes", (0.5, 2 * seconds)),
            ("freeze_postgres", (seconds,)),
            ("kill_postgres", (seconds,)),
            ("delay_postgres", (round(seconds / 4, 3), seconds)),
            ("break_statements", (0.3, seconds)),
            ("end_sessions", ()),
            ("lock_screening", (rng.choice((*SCREENINGS, EVENT)), seconds)),
        )
    )
    return Step(at, kind, arguments)
