"""Turns journal entries into columns, so that a batch is one statement per table and one round trip.

Events are gathered by kind, and records are transposed as a whole: what Python code runs here runs once per
batch or once per event, hardly anything once per seat.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
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
from persistence.statements import (
    ANSWERS,
    EVENTS,
    HELD,
    HOLDS,
    OWNED,
    PAYMENTS,
    SALES,
    TICKETS,
    Block,
    Columns,
)

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


class TicketChangedTwice(Exception):
    """A batch may change a ticket once only, for the schema to see each of its changes."""


class Batch:
    """Rows of some entries, table by table.

    New holds of seats and new bookings are nearly all there is to write. They have statements of their own,
    in which an event is one row. Everything else is written hold by hold and ticket by ticket. A hold that
    changes several times within the batch is written once, in its last state.

    Args:
        events: to be written to the log, and what they change to the tables of holds and tickets.
        answers: to be kept for repeats of their requests.
    """

    def __init__(self, events: Sequence[Event], answers: Sequence[IdempotencyRecord]) -> None:
        self._by_kind: dict[type[Event], list[Any]] = {kind: [] for kind in (*HOLD_CHANGES, *TICKET_CHANGES)}
        for event in events:
            self._by_kind[type(event)].append(event)
        self._owned = {event[:2] for event in events}
        self._answers = answers
        self._held = self._take(SeatsHeld, self._is_unchanged())
        self._sales = self._take(TicketsIssued, _is_without_papers)

    def statements(self, *, again: bool) -> tuple[str, list[str]]:
        """What writes it all if every epoch is current, and with which parameters.

        Args:
            again: parts of it may have been written before.

        Raises:
            TicketChangedTwice: it must not be written at once.
            Exception: an entry cannot be written down.
        """
        filled = [(block, columns) for block, columns in self._tables() if columns]
        parameters = [literal for block, columns in filled for literal in block.literals(columns)]
        return "".join([block.execution(again=again) for block, _ in filled]), parameters

    def _take(self, kind: type[Event], wanted: Callable[[Any], bool]) -> list[Any]:
        """The events of a kind that are written a row for each; the others are left."""
        taken: list[Any] = []
        left: list[Any] = []
        for event in self._by_kind[kind]:
            (taken if wanted(event) else left).append(event)
        self._by_kind[kind] = left
        return taken

    def _is_unchanged(self) -> Callable[[SeatsHeld], bool]:
        """Whether nothing else happens to any of the holds within the batch."""
        changed = {
            hold.id
            for kind in (HoldsExtended, HoldsReleased, HoldsExpired)
            for event in self._by_kind[kind]
            for hold in event.holds
        }
        changed.update(hold.id for event in self._by_kind[TicketsIssued] for hold in event.converted)
        if not changed:
            return lambda event: True
        return lambda event: changed.isdisjoint(
            range(event.reservation_id, event.reservation_id + len(event.seat_ids))
        )

    def _tables(self) -> Iterator[tuple[Block, Columns]]:
        """Blocks and their columns, in the order in which the schema needs them."""
        holds, held_seats = self._holds()
        tickets = self._tickets()
        events = self._events([*held_seats, *(tickets[3] if tickets else ())])
        yield OWNED, list(zip(*self._owned, strict=True)) or [(), ()]
        yield PAYMENTS, self._payments()
        yield TICKETS, tickets
        yield SALES, self._new_bookings()
        yield HOLDS, holds
        yield HELD, self._new_holds()
        yield ANSWERS, list(zip(*self._answers, strict=True))
        yield EVENTS, events if events[0] else []

    def _new_holds(self) -> Columns:
        if not self._held:
            return []
        screening_ids, epochs, seqs, moments, holders, reservation_ids, seats, deadlines, notes, *_ = zip(
            *self._held, strict=True
        )
        return [
            *(screening_ids, epochs, seqs, moments, holders, reservation_ids, deadlines, notes),
            *_parts(list(map(len, seats))),
            tuple(chain.from_iterable(seats)),
        ]

    def _new_bookings(self) -> Columns:
        if not self._sales:
            return []
        *head, bookings, from_statuses, _ = zip(*self._sales, strict=True)
        ids, _, _, seat_ids, _, prices_cents, *_ = zip(*chain.from_iterable(bookings), strict=True)
        # The other columns are the same for all tickets of a booking.
        first_tickets = zip(*[tickets[0] for tickets in bookings], strict=True)
        _, booking_ids, _, _, holders, _, statuses, *moments, payment_ids, deadlines, _, _ = first_tickets
        booked_at, confirmed_at, _ = moments
        return [
            *head,
            ["{" + ",".join(each) + "}" for each in from_statuses],
            [SEAT_OF_TICKET[status] for status in statuses],
            *(booking_ids, holders, statuses, booked_at, confirmed_at, payment_ids, deadlines),
            *_parts(list(map(len, bookings))),
            *(seat_ids, ids, prices_cents),
        ]

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

    def _tickets(self) -> Columns:
        """Columns of tickets that are changed, or issued with papers."""
        tickets = chain.from_iterable([event.tickets for event in self._of_tickets()])
        columns = list(zip(*tickets, strict=True))
        if columns:
            ids = [*columns[0], *[ticket.id for event in self._sales for ticket in event.tickets]]
            if len(set(ids)) < len(ids):
                raise TicketChangedTwice
        return columns

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
        sales = [event for event in (*self._sales, *self._by_kind[TicketsIssued]) if event.converted]
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
        return [*columns, *_parts(sizes), seat_ids]

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


def _parts(sizes: Sequence[int]) -> tuple[list[int], list[int]]:
    """The first and the last index of each part of an array, counted from 1, by the sizes of the parts."""
    last = list(accumulate(sizes))
    return [end - size + 1 for end, size in zip(last, sizes, strict=True)], last


def _is_without_papers(event: TicketsIssued) -> bool:
    first = event.tickets[0]
    return first.code is None and first.paper is None


@lru_cache(maxsize=256)
def _repeated(status: str, count: int) -> str:
    """An array literal of the same status many times."""
    return "{" + ",".join([status] * count) + "}"
