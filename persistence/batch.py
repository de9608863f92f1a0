"""Turns journal entries into one statement per table, so that a batch costs one round trip.

What is written depends on the entries alone and may be written twice: rows carry their ids, an insert
that finds its row there brings it up to date or leaves it, and states only move forward. What must
never happen (a seat sold twice, a payment used twice, a cancelled ticket revived) is not checked here:
the schema refuses it.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from engine.events import (
    Event,
    HoldsExpired,
    HoldsExtended,
    HoldsReleased,
    SeatsHeld,
    TicketEvent,
    TicketsIssued,
)
from engine.records import Hold, IdempotencyRecord, Ticket, TicketStatus
from engine.seat_states import SeatStatus
from persistence.columns import numbers, octets, texts


class Block(NamedTuple):
    """How rows of one table are written.

    Attributes:
        sql: a statement with one parameter per column, each an array.
        encoders: makes the array literal of each column.
    """

    sql: str
    encoders: tuple[Callable[[Sequence[Any]], str], ...]


PAYMENTS = Block(
    """
    INSERT INTO payments (payment_id, holder, booking_id, screening_id, created_at)
    SELECT payment_id, holder, booking_id, screening_id, to_timestamp(created_at)
    FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::float8[])
        AS row (payment_id, holder, booking_id, screening_id, created_at)
    ON CONFLICT (payment_id) DO NOTHING;
    """,
    (texts, texts, numbers, numbers, numbers),
)

TICKETS = Block(
    """
    INSERT INTO tickets AS stored (
        id, booking_id, screening_id, seat_id, holder, price, status,
        booked_at, confirmed_at, cancelled_at, payment_id, payment_deadline, code, paper
    )
    SELECT id, booking_id, screening_id, seat_id, holder, price_cents / 100.0, status,
           to_timestamp(booked_at), to_timestamp(confirmed_at), to_timestamp(cancelled_at), payment_id,
           to_timestamp(payment_deadline), code, paper
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::bigint[], %s::text[],
                %s::float8[], %s::float8[], %s::float8[], %s::text[], %s::float8[], %s::text[], %s::bytea[])
        AS row (id, booking_id, screening_id, seat_id, holder, price_cents, status,
                booked_at, confirmed_at, cancelled_at, payment_id, payment_deadline, code, paper)
    ON CONFLICT (screening_id, id) DO UPDATE SET
        status = excluded.status, confirmed_at = excluded.confirmed_at, cancelled_at = excluded.cancelled_at,
        payment_id = excluded.payment_id, payment_deadline = excluded.payment_deadline
    WHERE stored.status <> excluded.status;
    """,
    (
        *(numbers, numbers, numbers, numbers, texts, numbers, texts),
        *(numbers, numbers, numbers, texts, numbers, texts, octets),
    ),
)

HOLDS = Block(
    """
    INSERT INTO holds AS stored (
        id, reservation_id, screening_id, seat_id, holder, reserved_at, expires_at, extensions, note,
        status, closed_at
    )
    SELECT id, reservation_id, screening_id, seat_id, holder, to_timestamp(reserved_at),
           to_timestamp(expires_at), extensions, note, status, to_timestamp(closed_at)
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::float8[],
                %s::float8[], %s::smallint[], %s::text[], %s::text[], %s::float8[])
        AS row (id, reservation_id, screening_id, seat_id, holder, reserved_at, expires_at, extensions, note,
                status, closed_at)
    ON CONFLICT (screening_id, id) DO UPDATE SET
        expires_at = excluded.expires_at, extensions = excluded.extensions,
        status = excluded.status, closed_at = excluded.closed_at
    WHERE stored.status = 'active' AND stored.extensions <= excluded.extensions;
    """,
    (numbers, numbers, numbers, numbers, texts, numbers, numbers, numbers, texts, texts, numbers),
)

ANSWERS = Block(
    """
    INSERT INTO idempotency_keys (scope, key, fingerprint, status, body)
    SELECT * FROM unnest(%s::text[], %s::text[], %s::bytea[], %s::smallint[], %s::bytea[])
    ON CONFLICT (scope, key) DO NOTHING;
    """,
    (texts, texts, octets, numbers, octets),
)

EVENTS = Block(
    """
    INSERT INTO screening_events (
        screening_id, epoch, seq, at, kind, actor, seat_ids, from_statuses, to_status
    )
    SELECT screening_id, epoch, seq, to_timestamp(at), kind, actor,
           seat_ids::bigint[], from_statuses::text[], to_status
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::float8[], %s::text[], %s::text[],
                %s::text[], %s::text[], %s::text[])
        AS row (screening_id, epoch, seq, at, kind, actor, seat_ids, from_statuses, to_status)
    ON CONFLICT (screening_id, epoch, seq) DO NOTHING;
    """,
    (numbers, numbers, numbers, numbers, texts, texts, texts, texts, texts),
)

HOLD_CHANGES: dict[type, tuple[str, SeatStatus, SeatStatus]] = {
    SeatsHeld: ("active", SeatStatus.AVAILABLE, SeatStatus.HELD),
    HoldsExtended: ("active", SeatStatus.HELD, SeatStatus.HELD),
    HoldsReleased: ("released", SeatStatus.HELD, SeatStatus.AVAILABLE),
    HoldsExpired: ("expired", SeatStatus.HELD, SeatStatus.AVAILABLE),
}
"""What an event about holds makes of the hold's row, and of the seat: from, to."""

SEAT_OF_TICKET: dict[TicketStatus, SeatStatus] = {
    TicketStatus.PENDING: SeatStatus.PENDING,
    TicketStatus.CONFIRMED: SeatStatus.BOOKED,
    TicketStatus.CANCELLED: SeatStatus.AVAILABLE,
    TicketStatus.LAPSED: SeatStatus.AVAILABLE,
}
"""What a ticket's state makes of its seat."""

Row = tuple[Any, ...]


class Batch:
    """Rows of some entries, collected table by table.

    A hold that changes several times within the batch is written once, in its last state. Tickets are
    not merged like that, for the schema to see each of their changes.
    """

    def __init__(self) -> None:
        self._payments: dict[str, Row] = {}
        self._tickets: list[Row] = []
        self._holds: dict[tuple[int, int], Row] = {}
        self._answers: list[Row] = []
        self._events: list[Row] = []

    def add_answer(self, record: IdempotencyRecord) -> None:
        """Keep an answer for repeats of its request."""
        self._answers.append(record)

    def add_event(self, event: Event) -> None:
        """Write an event to the log, and what it changes to the tables of holds and tickets."""
        if isinstance(event, TicketEvent):
            for ticket in event.tickets:
                self._add_ticket(ticket, event.at)
            if isinstance(event, TicketsIssued):
                for hold in event.converted:
                    self._add_hold(hold, "converted", event.at)
            seat_ids = [ticket.seat_id for ticket in event.tickets]
            from_statuses = [status.value for status in event.from_statuses]
            to_status = SEAT_OF_TICKET[event.tickets[0].status]
        else:
            hold_status, from_status, to_status = HOLD_CHANGES[type(event)]
            closed_at = None if hold_status == "active" else event.at
            for hold in event.holds:
                self._add_hold(hold, hold_status, closed_at)
            seat_ids = [hold.seat_id for hold in event.holds]
            from_statuses = [from_status.value] * len(seat_ids)
        self._events.append(
            (
                *(event.screening_id, event.epoch, event.seq, event.at, event.kind, event.actor),
                *(numbers(seat_ids), texts(from_statuses), to_status.value),
            )
        )

    def statements(self) -> tuple[str, list[str]]:
        """The statements that write it all, in the order in which the schema needs them."""
        tables: tuple[tuple[Block, Sequence[Row]], ...] = (
            # In one order for all writers, so that two of them cannot wait for each other.
            (PAYMENTS, [self._payments[payment_id] for payment_id in sorted(self._payments)]),
            (TICKETS, self._tickets),
            (HOLDS, list(self._holds.values())),
            (ANSWERS, self._answers),
            (EVENTS, self._events),
        )
        filled = [(block, rows) for block, rows in tables if rows]
        parameters = [
            encode(column)
            for block, rows in filled
            for encode, column in zip(block.encoders, zip(*rows, strict=True), strict=True)
        ]
        return "".join(block.sql for block, _ in filled), parameters

    def _add_ticket(self, ticket: Ticket, at: float) -> None:
        self._tickets.append((*ticket[:6], ticket.status.value, *ticket[7:]))
        if ticket.payment_id is not None:
            payment = (ticket.payment_id, ticket.holder, ticket.booking_id, ticket.screening_id, at)
            self._payments.setdefault(ticket.payment_id, payment)

    def _add_hold(self, hold: Hold, status: str, closed_at: float | None) -> None:
        self._holds[hold.screening_id, hold.id] = (*hold, status, closed_at)
