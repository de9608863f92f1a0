"""Turns journal entries into columns, so that a batch takes few statements and one round trip.

Events are grouped by kind, and whole groups are transposed by `zip`, so hardly any Python code runs per seat.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, chain, repeat
from typing import Any

import orjson

from engine.causes import Cause
from engine.events import (
    SYSTEM,
    BlockEvent,
    Event,
    HoldsExpired,
    HoldsExtended,
    HoldsReleased,
    PlacesHeld,
    SeatsBlocked,
    SeatsHeld,
    SeatsHeldFor,
    SeatsUnblocked,
    StateStored,
    TicketsCancelled,
    TicketsConfirmed,
    TicketsGivenBack,
    TicketsIssued,
    TicketsLapsed,
    TicketsLeft,
    TicketsMoved,
)
from engine.records import Hold, IdempotencyRecord, Ticket, TicketStatus
from engine.seat_states import SeatStatus
from engine.vouching import vouched_by
from engine.waitlist_records import WaitlistChanged, WaitStatus
from persistence.statements import (
    ANSWERS,
    BLOCKS,
    EVENTS,
    GIVEN_BACK,
    HELD,
    HOLDS,
    MOVES,
    OWNED,
    PAYMENTS,
    RECEIPTS,
    SALES,
    STATE_HASHES,
    TICKETS,
    WAITLIST,
    Block,
    Columns,
)

HoldChange = SeatsHeld | PlacesHeld | SeatsHeldFor | HoldsExtended | HoldsReleased | HoldsExpired
BlockChange = SeatsBlocked | SeatsUnblocked
TicketChange = TicketsIssued | TicketsConfirmed | TicketsCancelled | TicketsGivenBack | TicketsLapsed

HOLD_CHANGES: dict[type[HoldChange], tuple[str, SeatStatus, SeatStatus]] = {
    SeatsHeld: ("active", SeatStatus.AVAILABLE, SeatStatus.HELD),
    PlacesHeld: ("active", SeatStatus.AVAILABLE, SeatStatus.HELD),
    SeatsHeldFor: ("active", SeatStatus.AVAILABLE, SeatStatus.HELD),
    HoldsExtended: ("active", SeatStatus.HELD, SeatStatus.HELD),
    HoldsReleased: ("released", SeatStatus.HELD, SeatStatus.AVAILABLE),
    HoldsExpired: ("expired", SeatStatus.HELD, SeatStatus.AVAILABLE),
}
"""For each event about holds: the status of the hold's row, and the seat's status before and after.

In the order in which they happen to a hold.
"""

TICKET_CHANGES: tuple[type[TicketChange], ...] = (
    TicketsCancelled,
    TicketsGivenBack,
    TicketsLapsed,
    TicketsConfirmed,
    TicketsIssued,
)
"""Events about tickets, in the order of writing: those that free seats come before those that take them."""

MOVE_CHANGES: dict[type[TicketsLeft | TicketsMoved], SeatStatus] = {
    TicketsLeft: SeatStatus.AVAILABLE,
    TicketsMoved: SeatStatus.BOOKED,
}
"""For the two events of a move: the status of the seats after it."""

SEAT_OF_TICKET: dict[TicketStatus, SeatStatus] = {
    TicketStatus.PENDING: SeatStatus.PENDING,
    TicketStatus.CONFIRMED: SeatStatus.BOOKED,
    TicketStatus.CANCELLED: SeatStatus.AVAILABLE,
    TicketStatus.LAPSED: SeatStatus.AVAILABLE,
}
"""The status of a seat by the status of its ticket."""

BLOCK_CHANGES: dict[type[BlockChange], tuple[SeatStatus, SeatStatus]] = {
    SeatsBlocked: (SeatStatus.AVAILABLE, SeatStatus.BLOCKED),
    SeatsUnblocked: (SeatStatus.BLOCKED, SeatStatus.AVAILABLE),
}
"""For each event about blocks: the status of its seats before and after."""

_HEAD = 5
"""Number of fields that all events begin with: screening_id, epoch, seq, at and actor."""


_NO_CAUSES: Mapping[int, Cause] = {}


class TicketChangedTwice(Exception):
    """A batch changes a ticket twice, so the schema could not check each of the changes."""


class Batch:
    """The rows to write for some events and responses.

    Most events are new holds of seats and new bookings. They have special statements that take one row per
    event. For all others there is one row per hold or ticket. A hold that changes several times within the
    batch is written once, in its last state.

    Args:
        events: in the order in which they happened.
        answers: responses to store for repeats of their requests; a key that has a response keeps it.
        causes: the requests that have caused events, by `id(event)`.
        receipts: responses to requests that have caused events, with screening, epoch and seq of the first
            event; none of their keys may have a response.
    """

    def __init__(
        self,
        events: Sequence[Event],
        answers: Sequence[IdempotencyRecord],
        causes: Mapping[int, Cause] = _NO_CAUSES,
        receipts: Sequence[tuple[Any, ...]] = (),
    ) -> None:
        kinds = (*HOLD_CHANGES, *TICKET_CHANGES, *MOVE_CHANGES, *BLOCK_CHANGES, WaitlistChanged, StateStored)
        self._by_kind: dict[type[Event], list[Any]] = {kind: [] for kind in kinds}
        for event in events:
            self._by_kind[type(event)].append(event)
        self._waitlist: list[WaitlistChanged] = self._by_kind.pop(WaitlistChanged)
        self._digests: list[StateStored] = self._by_kind.pop(StateStored)
        self._owned = {event[:2] for event in events}
        self._answers = answers
        self._receipts = receipts
        self._causes = causes
        self._held = self._take_unchanged_holds()
        self._sales = self._take(TicketsIssued, _is_without_papers)

    def statements(self, *, again: bool) -> tuple[str, list[str]]:
        """Return the SQL that writes everything if all epochs are current, and its parameters.

        Args:
            again: parts of the batch may have been written before.

        Raises:
            TicketChangedTwice: the batch has to be split.
            Exception: an entry cannot be encoded.
        """
        filled = [(block, columns) for block, columns in self._tables() if columns]
        parameters = [literal for block, columns in filled for literal in block.literals(columns)]
        return "".join([block.execution(again=again) for block, _ in filled]), parameters

    def _take(self, kind: type[Event], wanted: Callable[[Any], bool]) -> list[Any]:
        """Remove the events that get one row each from those of their kind, and return them."""
        taken: list[Any] = []
        left: list[Any] = []
        for event in self._by_kind[kind]:
            (taken if wanted(event) else left).append(event)
        self._by_kind[kind] = left
        return taken

    def _take_unchanged_holds(self) -> list[SeatsHeld]:
        """Take the new holds that no other event of the batch changes."""
        changed = {
            hold.id
            for kind in (HoldsExtended, HoldsReleased, HoldsExpired)
            for event in self._by_kind[kind]
            for hold in event.holds
        }
        converting = (*self._by_kind[TicketsIssued], *self._by_kind[TicketsMoved])
        changed.update(hold.id for event in converting for hold in event.converted)
        if not changed:
            held, self._by_kind[SeatsHeld] = self._by_kind[SeatsHeld], []
            return held
        return self._take(
            SeatsHeld,
            lambda event: changed.isdisjoint(
                range(event.reservation_id, event.reservation_id + len(event.seat_ids))
            ),
        )

    def _tables(self) -> Iterator[tuple[Block, Columns]]:
        """Yield statements and their columns, in the order that the schema requires."""
        holds, held_seats, hold_ids = self._holds()
        events: Columns = []
        yield OWNED, list(zip(*self._owned, strict=True)) or [(), ()]
        # Before the events, which tell what was written by an earlier attempt.
        yield ANSWERS, list(zip(*self._answers, strict=True))
        yield RECEIPTS, list(zip(*self._receipts, strict=True))
        if any(self._by_kind.values()):
            tickets = self._tickets()
            ticket_seats, ticket_ids = (tickets[3], tickets[0]) if tickets else ((), ())
            moving = [
                ticket for kind in MOVE_CHANGES for event in self._by_kind[kind] for ticket in event.tickets
            ]
            blocked = [seat_id for event in self._of_blocks() for seat_id in event.seat_ids]
            # Blocks have no ids of holds or tickets.
            seat_ids = [*held_seats, *ticket_seats, *[ticket.seat_id for ticket in moving], *blocked]
            ids = [*hold_ids, *ticket_ids, *[ticket.id for ticket in moving], *blocked]
            events = self._events(seat_ids, ids)
            yield PAYMENTS, self._payments()
            yield TICKETS, tickets
            given_back = [ticket.id for event in self._by_kind[TicketsGivenBack] for ticket in event.tickets]
            yield GIVEN_BACK, [given_back] if given_back else []
            yield MOVES, self._moves()
        yield SALES, self._new_bookings()
        yield HOLDS, holds
        yield HELD, self._new_holds()
        yield BLOCKS, self._blocks()
        yield WAITLIST, self._waitlist_entries()
        yield STATE_HASHES, list(zip(*self._digests, strict=True))
        yield EVENTS, events

    def _new_holds(self) -> Columns:
        if not self._held:
            return []
        *head, reservation_ids, seats, deadlines, notes, _, _, _, prices, _, _ = zip(*self._held, strict=True)
        return [
            *(*head, reservation_ids, deadlines, notes, self._request_ids(self._held)),
            *_parts(list(map(len, seats))),
            tuple(chain.from_iterable(seats)),
            tuple(chain.from_iterable(prices)),
        ]

    def _new_bookings(self) -> Columns:
        if not self._sales:
            return []
        *head, bookings, from_statuses, _ = zip(*self._sales, strict=True)
        ids, _, _, seat_ids, _, prices_cents, *_ = zip(*chain.from_iterable(bookings), strict=True)
        # The other columns are the same for all tickets of a booking.
        first_tickets = zip(*[tickets[0] for tickets in bookings], strict=True)
        _, booking_ids, _, _, holders, _, statuses, *moments, held_at, sold_by, reasons, _ = first_tickets
        booked_at, confirmed_at, _, payment_ids, deadlines, _, _ = moments
        return [
            *head,
            ["{" + ",".join(each) + "}" for each in from_statuses],
            [SEAT_OF_TICKET[status] for status in statuses],
            *(booking_ids, holders, statuses, booked_at, confirmed_at, payment_ids, deadlines),
            *(held_at, sold_by, reasons),
            list(map(vouched_by, head[-1], payment_ids)),
            self._request_ids(self._sales),
            self._traces(self._sales),
            *_parts(list(map(len, bookings))),
            *(seat_ids, ids, prices_cents),
        ]

    def _waitlist_entries(self) -> Columns:
        """Return the columns of entries of waiting lists, each in its last state."""
        last = {entry.id: (entry, event) for event in self._waitlist for entry in event.entries}
        news = {entry_id for event in self._waitlist for entry_id in event.news}
        rows = []
        for entry, event in last.values():
            *head, seat_ids, expires_at = entry
            seats = "{" + ",".join(map(str, seat_ids)) + "}"
            is_news = entry.id in news and entry.status in (WaitStatus.OFFERED, WaitStatus.TOLD)
            rows.append((*head, seats, expires_at, event.epoch, event.seq, event.at, is_news))
        events = [event for _, event in last.values()]
        return [*zip(*rows, strict=True), self._request_ids(events), self._traces(events)] if rows else []

    def _payments(self) -> Columns:
        payments: dict[str, tuple[Any, ...]] = {}
        for move in self._by_kind[TicketsMoved]:
            if move.payment_id is not None:
                first = move.tickets[0]
                payments[move.payment_id] = (
                    *(move.payment_id, first.holder, first.booking_id, first.screening_id, move.at),
                    vouched_by(move.actor, move.payment_id),
                )
        for event in self._of_tickets():
            # An actor who cancels a ticket vouches for nothing.
            pays = isinstance(event, TicketsIssued | TicketsConfirmed)
            for ticket in event.tickets:
                payment_id = ticket.payment_id
                voucher = vouched_by(event.actor, payment_id) if pays else None
                if payment_id is not None and (voucher or payment_id not in payments):
                    payments[payment_id] = (
                        *(payment_id, ticket.holder, ticket.booking_id, ticket.screening_id, event.at),
                        voucher,
                    )
        # Sorted, so that two writers cannot wait for each other.
        return list(zip(*[payments[payment_id] for payment_id in sorted(payments)], strict=True))

    def _tickets(self) -> Columns:
        """Return the columns of tickets that are changed, or issued with papers."""
        events = list(self._of_tickets())
        columns: list[Sequence[Any]] = list(
            zip(*chain.from_iterable([event.tickets for event in events]), strict=True)
        )
        if columns:
            ids = [*columns[0], *[ticket.id for event in self._sales for ticket in event.tickets]]
            if len(set(ids)) < len(ids):
                raise TicketChangedTwice
            each = zip(self._request_ids(events), events, strict=True)
            # The last field, a ticket's own list of payments, is written by moves only.
            columns[-1] = list(
                chain.from_iterable([repeat(named, len(event.tickets)) for named, event in each])
            )
        return columns

    def _moves(self) -> Columns:
        moves = self._by_kind[TicketsMoved]
        rows = [
            (
                *(ticket.id, move.screening_id, move.epoch, move.seq, move.at, move.actor, ticket.booking_id),
                *(ticket.seat_id, ticket.price_cents, orjson.dumps(ticket.paid).decode()),
                *(before.screening_id, before.seat_id, before.price_cents, move.payment_id),
                orjson.dumps([owed[1:] for owed in move.owed if owed.ticket_id == ticket.id]).decode(),
                *(request_id, move.by_hand),
            )
            for move, request_id in zip(moves, self._request_ids(moves), strict=True)
            for ticket, before in zip(move.tickets, move.before, strict=True)
        ]
        moved = [row[0] for row in rows]
        changed = [ticket.id for event in self._of_tickets() for ticket in event.tickets]
        if len(set(moved)) < len(moved) or not set(moved).isdisjoint(changed):
            raise TicketChangedTwice
        return list(zip(*rows, strict=True))

    def _holds(self) -> tuple[Columns, Collection[int], Collection[int]]:
        """Return the columns of holds, and the seats and holds of all events about holds, event by event."""
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
        takers = (*self._sales, *self._by_kind[TicketsIssued], *self._by_kind[TicketsMoved])
        sales = [event for event in takers if event.converted]
        add("converted", [event.at for event in sales], [event.converted for event in sales])

        if not holds:
            return [], [], []
        columns = [*zip(*holds, strict=True), statuses, closed_at]
        seats, ids = columns[3][:in_events], columns[0][:in_events]
        if len(set(columns[0])) < len(holds):
            last = {(row[2], row[0]): row for row in zip(*columns, strict=True)}
            columns = list(zip(*last.values(), strict=True))
        return columns, seats, ids

    def _blocks(self) -> Columns:
        """Return the columns of the blocks that have changed, as they are after their last event."""
        last = {event.block.id: event for event in self._of_blocks(in_order=True)}
        if not last:
            return []
        rows = []
        for _, _, _, at, actor, block, *_ in last.values():
            *head, _, created_at, created_by, channel, release_at = block
            end = (None, None) if block.seat_ids else (at, actor)
            rows.append((*head, created_at, created_by, channel, release_at, *end))
        seats = [event.block.seat_ids for event in last.values()]
        parts = _parts(list(map(len, seats)))
        return [*zip(*rows, strict=True), *parts, tuple(chain.from_iterable(seats))]

    def _events(self, seat_ids: Sequence[int], ids: Sequence[int]) -> Columns:
        columns: list[list[Any]] = [[] for _ in range(_HEAD + 8)]
        sizes: list[int] = []
        for hold_kind, (_, from_status, to_status) in HOLD_CHANGES.items():
            if events := self._by_kind[hold_kind]:
                counts = [len(event.seat_ids if hold_kind is SeatsHeld else event.holds) for event in events]
                from_statuses = list(map(_repeated, repeat(from_status.value), counts))
                to_statuses = [to_status.value] * len(events)
                sizes += counts
                holders = [_holder_by_hand(event.actor, event.holds) for event in events]
                self._extend(columns, events, hold_kind.kind, from_statuses, to_statuses, holders)
        for ticket_kind in TICKET_CHANGES:
            if events := self._by_kind[ticket_kind]:
                sizes += [len(event.tickets) for event in events]
                from_statuses = ["{" + ",".join(event.from_statuses) + "}" for event in events]
                to_statuses = [SEAT_OF_TICKET[event.tickets[0].status] for event in events]
                holders = [_holder_by_hand(event.actor, event.tickets) for event in events]
                self._extend(columns, events, ticket_kind.kind, from_statuses, to_statuses, holders)
        for move_kind, status in MOVE_CHANGES.items():
            if events := self._by_kind[move_kind]:
                sizes += [len(event.tickets) for event in events]
                from_statuses = ["{" + ",".join(event.from_statuses) + "}" for event in events]
                holders = [_holder_by_hand(event.actor, event.tickets) for event in events]
                self._extend(columns, events, move_kind.kind, from_statuses, [status] * len(events), holders)
        for block_kind, (from_status, to_status) in BLOCK_CHANGES.items():
            if events := self._by_kind[block_kind]:
                counts = [len(event.seat_ids) for event in events]
                sizes += counts
                from_statuses = list(map(_repeated, repeat(from_status.value), counts))
                to_statuses = [to_status.value] * len(events)
                holders = [None] * len(events)
                self._extend(columns, events, block_kind.kind, from_statuses, to_statuses, holders)
        return [*columns, *_parts(sizes), seat_ids, ids]

    def _extend(
        self,
        columns: Sequence[list[Any]],
        events: Sequence[Event],
        kind: str,
        from_statuses: Sequence[str],
        to_statuses: Sequence[str],
        holders: Sequence[str | None],
    ) -> None:
        head = list(zip(*events, strict=True))[:_HEAD]
        more = [*head, [kind] * len(events), from_statuses, to_statuses, holders]
        more += [self._request_ids(events), self._traces(events), *_blocks_of(events)]
        for column, values in zip(columns, more, strict=True):
            column.extend(values)

    def _request_ids(self, events: Sequence[Event]) -> list[str | None]:
        """Return the ids of the requests that have caused events."""
        if not self._causes:
            return [None] * len(events)
        causes = [self._causes.get(id(event)) for event in events]
        return [None if cause is None else cause.request_id for cause in causes]

    def _traces(self, events: Sequence[Event]) -> list[str | None]:
        """Return the traces of the requests that have caused events."""
        if not self._causes:
            return [None] * len(events)
        causes = [self._causes.get(id(event)) for event in events]
        return [None if cause is None else cause.trace for cause in causes]

    def _of_tickets(self) -> Iterator[TicketChange]:
        return chain.from_iterable([self._by_kind[kind] for kind in TICKET_CHANGES])

    def _of_blocks(self, *, in_order: bool = False) -> Iterable[BlockChange]:
        events = chain.from_iterable([self._by_kind[kind] for kind in BLOCK_CHANGES])
        return sorted(events, key=lambda event: event[:3]) if in_order else events


def _holder_by_hand(actor: str, records: Sequence[Hold | Ticket]) -> str | None:
    """Return the one holder of the seats if somebody else has changed them by hand, else None."""
    holder = records[0].holder
    if holder == actor or actor == SYSTEM:
        return None
    return holder if all(record.holder == holder for record in records) else None


def _blocks_of(events: Sequence[Event]) -> tuple[list[int | None], list[str | None]]:
    """Return the block that each event has changed, and an array literal of all its seats afterwards."""
    blocks = [event.block if isinstance(event, BlockEvent) else None for event in events]
    return (
        [block and block.id for block in blocks],
        [block and "{" + ",".join(map(str, block.seat_ids)) + "}" for block in blocks],
    )


def _parts(sizes: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return the first and the last index of each part of a PostgreSQL array, by the sizes of the parts."""
    last = list(accumulate(sizes))
    return [end - size + 1 for end, size in zip(last, sizes, strict=True)], last


def _is_without_papers(event: TicketsIssued) -> bool:
    first = event.tickets[0]
    return first.code is None and first.paper is None


@lru_cache(maxsize=256)
def _repeated(status: str, count: int) -> str:
    """Return an array literal with `count` times the same status."""
    return "{" + ",".join([status] * count) + "}"
