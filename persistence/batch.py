"""Turns journal entries into columns, so that a batch is one statement per table and one round trip.

Events are gathered by kind, and records are transposed as a whole: what Python code runs here runs once per
batch or once per event, hardly anything once per seat.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, chain, repeat
from typing import Any

from engine.events import (
    Event,
    HoldsExpired,
    HoldsExtended,
    HoldsReleased,
    PlacesHeld,
    SeatsHeld,
    TicketsCancelled,
    TicketsConfirmed,
    TicketsIssued,
    TicketsLapsed,
)
from engine.records import Hold, IdempotencyRecord, TicketStatus
from engine.seat_states import SeatStatus
from persistence.statements import ANSWERS, EVENTS, HOLDS, OWNED, PAYMENTS, TICKETS, Block, Columns

HoldChange = SeatsHeld | PlacesHeld | HoldsExtended | HoldsReleased | HoldsExpired
TicketChange = TicketsIssued | TicketsConfirmed | TicketsCancelled | TicketsLapsed

HOLD_CHANGES: dict[type[HoldChange], tuple[str, SeatStatus, SeatStatus]] = {
    SeatsHeld: ("active", SeatStatus.AVAILABLE, SeatStatus.HELD),
    PlacesHeld: ("active", SeatStatus.AVAILABLE, SeatStatus.HELD),
    HoldsExtended: ("active", SeatStatus.HELD, SeatStatus.HELD),
    HoldsReleased: ("released", SeatStatus.HELD, SeatStatus.AVAILABLE),
    HoldsExpired: ("expired", SeatStatus.HELD, SeatStatus.AVAILABLE),
}
"""What an event about holds makes of the hold's row, and of the seat: from, to. In the order of a life."""

TICKET_CHANGES: tuple[type[TicketChange], ...] = (
    TicketsCancelled,
    TicketsLapsed,
    TicketsConfirmed,
    TicketsIssued,
)
"""What may happen to tickets. What frees a seat stands before what takes one."""

SEAT_OF_TICKET: dict[TicketStatus, SeatStatus] = {
    TicketStatus.PENDING: SeatStatus.PENDING,
    TicketStatus.CONFIRMED: SeatStatus.BOOKED,
    TicketStatus.CANCELLED: SeatStatus.AVAILABLE,
    TicketStatus.LAPSED: SeatStatus.AVAILABLE,
}
"""What a ticket's state makes of its seat."""

_HEAD = 5
"""Fields that all events begin with: screening, epoch, seq, moment and actor."""


class Batch:
    """Rows of some entries, table by table.

    A hold that changes several times within the batch is written once, in its last state. Tickets are
    not merged like that, for the schema to see each of their changes.

    Args:
        events: to be written to the log, and what they change to the tables of holds and tickets.
        answers: to be kept for repeats of their requests.
    """

    def __init__(self, events: Iterable[Event], answers: Sequence[IdempotencyRecord]) -> None:
        self._by_kind: dict[type[Event], list[Any]] = {kind: [] for kind in (*HOLD_CHANGES, *TICKET_CHANGES)}
        for event in events:
            self._by_kind[type(event)].append(event)
        self._answers = answers

    def statements(self) -> tuple[str, list[str]]:
        """What writes it all if every epoch is current, and with which parameters.

        Raises:
            Exception: an entry cannot be written down.
        """
        filled = [(block, columns) for block, columns in self._tables() if columns]
        parameters = [literal for block, columns in filled for literal in block.literals(columns)]
        return "".join([block.execution for block, _ in filled]), parameters

    def _tables(self) -> Iterator[tuple[Block, Columns]]:
        """Blocks and their columns, in the order in which the schema needs them."""
        holds, held_seats = self._holds()
        tickets = list(zip(*self._tickets(), strict=True))
        events = self._events([*held_seats, *(tickets[3] if tickets else ())])
        yield OWNED, list(zip(*set(zip(events[0], events[1], strict=True)), strict=True)) or [(), ()]
        yield PAYMENTS, self._payments()
        yield TICKETS, tickets
        yield HOLDS, holds
        yield ANSWERS, list(zip(*self._answers, strict=True))
        yield EVENTS, events if events[0] else []

    def _payments(self) -> Columns:
        payments: dict[str, tuple[Any, ...]] = {}
        for event in self._of_tickets():
            for ticket in event.tickets:
                payment_id = ticket.payment_id
                if payment_id is not None and payment_id not in payments:
                    payments[payment_id] = (
                        *(payment_id, ticket.holder, ticket.booking_id, ticket.screening_id, event.at),
                    )
        # In one order for all writers, so that two of them cannot wait for each other.
        return list(zip(*[payments[payment_id] for payment_id in sorted(payments)], strict=True))

    def _tickets(self) -> Iterator[tuple[Any, ...]]:
        return chain.from_iterable([event.tickets for event in self._of_tickets()])

    def _holds(self) -> tuple[Columns, Collection[int]]:
        """Columns of holds, and the seats of all events about holds, one event after the other."""
        holds: list[Hold] = []
        statuses: list[str] = []
        closed_at: list[float | None] = []

        def add(status: str, moments: Iterable[float | None], parts: Sequence[tuple[Hold, ...]]) -> None:
            before = len(holds)
            holds.extend(chain.from_iterable(parts))
            statuses.extend(repeat(status, len(holds) - before))
            closed_at.extend(chain.from_iterable(map(repeat, moments, map(len, parts))))

        for kind, (status, _, _) in HOLD_CHANGES.items():
            if events := self._by_kind[kind]:
                moments = repeat(None) if status == "active" else [event.at for event in events]
                add(status, moments, [event.holds for event in events])
        in_events = len(holds)
        sales = [event for event in self._by_kind[TicketsIssued] if event.converted]
        add("converted", [event.at for event in sales], [event.converted for event in sales])

        if not holds:
            return [], []
        columns = [*zip(*holds, strict=True), statuses, closed_at]
        seats = columns[3][:in_events]
        if len(set(columns[0])) < len(holds):
            last = {(row[2], row[0]): row for row in zip(*columns, strict=True)}
            columns = list(zip(*last.values(), strict=True))
        return columns, seats

    def _events(self, seat_ids: Sequence[int]) -> Columns:
        columns: list[list[Any]] = [[] for _ in range(_HEAD + 3)]
        sizes: list[int] = []
        for hold_kind, (_, from_status, to_status) in HOLD_CHANGES.items():
            if events := self._by_kind[hold_kind]:
                counts = [len(event.seat_ids if hold_kind is SeatsHeld else event.holds) for event in events]
                from_statuses = list(map(_repeated, repeat(from_status.value), counts))
                to_statuses = [to_status.value] * len(events)
                sizes += counts
                _extend(columns, events, hold_kind.kind, from_statuses, to_statuses)
        for ticket_kind in TICKET_CHANGES:
            if events := self._by_kind[ticket_kind]:
                sizes += [len(event.tickets) for event in events]
                from_statuses = ["{" + ",".join(event.from_statuses) + "}" for event in events]
                to_statuses = [SEAT_OF_TICKET[event.tickets[0].status] for event in events]
                _extend(columns, events, ticket_kind.kind, from_statuses, to_statuses)
        last_seats = list(accumulate(sizes))
        first_seats = [last - size + 1 for last, size in zip(last_seats, sizes, strict=True)]
        return [*columns, first_seats, last_seats, seat_ids]

    def _of_tickets(self) -> Iterator[TicketChange]:
        return chain.from_iterable([self._by_kind[kind] for kind in TICKET_CHANGES])


def _extend(
    columns: Sequence[list[Any]],
    events: Sequence[Event],
    kind: str,
    from_statuses: Sequence[str],
    to_statuses: Sequence[str],
) -> None:
    head = list(zip(*events, strict=True))[:_HEAD]
    more = [*head, [kind] * len(events), from_statuses, to_statuses]
    for column, values in zip(columns, more, strict=True):
        column.extend(values)


@lru_cache(maxsize=256)
def _repeated(status: str, count: int) -> str:
    """An array literal of the same status many times."""
    return "{" + ",".join([status] * count) + "}"
