"""Decisions about moving tickets to other seats or places, of the same screening or of another one.

Within a screening it is one durable decision: a pending write has the seats that tickets leave and those that
they go to. Between two screenings, perhaps of two servers, it takes three commands (`engine.movers`):

1. `ReceiveTickets` lets the other screening keep the seats. Nothing is written.
2. `MoveTickets` lets the screening of the tickets decide and write everything, in one transaction that checks
   the epochs of both screenings.
3. `EndArrival` tells the other screening the outcome. If that never comes, it is loaded again: the new epoch
   refuses a transaction that has not been committed by then, and the database has the outcome.

Every function checks everything first and changes the state afterwards. If it raises, nothing has changed.
"""

from collections.abc import Sequence

from engine import events as ev
from engine.catalogue_errors import TicketNotConfirmed
from engine.commands import EndArrival, MoveTickets, ReceiveTickets
from engine.holding import require_orderable
from engine.move_money import settled
from engine.moving_errors import MovesClosed, NothingToPay, PaymentRequired
from engine.places import ticket_type_of
from engine.records import Arrival, Hold, Ticket, TicketStatus
from engine.replies import Moved
from engine.sales_windows import require_on_sale
from engine.screening_state import Decision, ScreeningState
from engine.seat_records import Commitment, PendingWrite
from engine.seat_states import SeatAction, SeatStatus
from engine.selling_errors import (
    BookingInProgress,
    NotEnoughTickets,
    NothingForSale,
    PriceChanged,
    TicketNotFound,
    TicketTypeNotFound,
)
from engine.views import SeatsChanged

ARRIVAL_SECONDS = 10.0
"""Time for which a screening waits for `EndArrival` before it is loaded again."""


def move_tickets(state: ScreeningState, command: MoveTickets, now: float) -> Decision:
    """Move confirmed tickets of a holder, all or none."""
    records = [state.seats.record(seat_id) for seat_id in command.seat_ids]
    if repeated := _repeated(records, command):
        return repeated
    if any(isinstance(record, Commitment) and record.write.holder == command.holder for record in records):
        raise BookingInProgress(command.seat_ids)
    tickets = _own_tickets(records, command)
    _require_movable(state, command.by_hand, now)
    if (arrival := command.arrival) is None:
        arrival, free = _within(state, command, tickets, now)
    elif [_identity(ticket) for ticket in arrival.tickets] != [_identity(ticket) for ticket in tickets]:
        raise TicketNotFound(command.ticket_ids[0])
    else:
        free = ()
    prices_cents = [ticket.price_cents for ticket in arrival.tickets]
    _require_payment(command, sum(prices_cents) - sum(ticket.price_cents for ticket in tickets))
    kept, owed = settled(tickets, prices_cents, command.payment_id)
    moved = tuple(
        ticket._replace(screening_id=there.screening_id, seat_id=there.seat_id, price_cents=price, paid=paid)
        for ticket, there, price, paid in zip(tickets, arrival.tickets, prices_cents, kept, strict=True)
    )
    actor = command.actor or command.holder
    statuses = tuple([SeatStatus.BOOKED] * len(tickets))
    state.seq += 1
    left = ev.TicketsLeft(state.screening_id, state.epoch, state.seq, now, actor, tickets, statuses)
    after: dict[int, Ticket | None] = dict.fromkeys(command.seat_ids)
    if command.arrival is None:
        state.seq += 1
        arrival = arrival._replace(seq=state.seq)
        after |= {ticket.seat_id: ticket for ticket in moved}
    write = _begin(state, command.holder, after, Moved(moved))
    event = ev.TicketsMoved(
        *(*arrival[:3], now, actor, moved, arrival.from_statuses, arrival.converted),
        *(tickets, command.payment_id, owed, command.by_hand),
    )
    return Decision(write.reply, (left, event), _started(state, free, now), write.id)


def receive_tickets(state: ScreeningState, command: ReceiveTickets, now: float) -> Decision:
    """Keep seats for tickets of another screening."""
    if command.to_type_id is None:
        state.require_seats()
    _require_movable(state, command.by_hand, now)
    ordered = None
    if (kind_id := command.to_type_id) is not None:
        wanted = free = _places(state, kind_id, len(command.tickets), command.by_hand, now)
        ordered = {kind_id: len(wanted)}
    else:
        wanted = state.known(command.seat_ids)
        free = state.obtainable(command.holder, wanted)
    if free and not command.by_hand:
        require_on_sale(state.rules, now)
    state.require_within_limits(command.holder, len(free), ordered=ordered, beyond_limit=command.by_hand)
    state.seq += 1
    arrival = _arrival(state, command.tickets, wanted)
    after: dict[int, Ticket | None] = {ticket.seat_id: ticket for ticket in arrival.tickets}
    _begin(state, command.holder, after, arrival)
    return Decision(arrival, changes=_started(state, free, now))


def end_arrival(state: ScreeningState, command: EndArrival, now: float) -> Decision:
    """Let the tickets that were awaited have their seats, or give the seats back."""
    write = state.pending_writes.get(command.seq)
    if write is None or command.epoch != state.epoch or not isinstance(write.reply, Arrival):
        return Decision(Moved(()))
    del state.pending_writes[write.id]
    if command.tickets:
        state.seats.expect(command.tickets)
        state.seats.settle(write)
    else:
        state.seats.abort(write)
    cause = write.cause if command.tickets else "operation_aborted"
    change = state.show(cause, state.seats.shown_of(write.seat_ids), now)
    return Decision(Moved(command.tickets), changes=(change,))


def arrivals(state: ScreeningState) -> set[int]:
    """Return the `seq` of each `Arrival` whose seats still wait for their tickets."""
    return {write.id for write in state.pending_writes.values() if isinstance(write.reply, Arrival)}


def _within(
    state: ScreeningState, command: MoveTickets, tickets: Sequence[Ticket], now: float
) -> tuple[Arrival, tuple[int, ...]]:
    """Return where tickets go within their screening, and which of the seats are free."""
    if (kind_id := command.to_type_id) is not None:
        wanted = free = _places(state, kind_id, len(tickets), command.by_hand, now)
        if not command.by_hand:
            number = len(wanted)
            state.require_for_person(command.holder, number, number, {kind_id: number})
    else:
        wanted = state.known(command.to_seat_ids)
        others = tuple(seat_id for seat_id in wanted if seat_id not in command.seat_ids)
        free = state.obtainable(command.holder, others) if others else ()
    if free and not command.by_hand:
        require_on_sale(state.rules, now)
    # The holder has as many tickets afterwards as before.
    state.require_within_limits(command.holder, len(free), beyond_limit=True)
    return _arrival(state, tickets, wanted), free


def _places(
    state: ScreeningState, ticket_type_id: int, quantity: int, by_hand: bool, now: float
) -> tuple[int, ...]:
    """Return free places of a ticket type.

    Raises:
        TicketTypeNotFound: the event has no such ticket type.
        SalesClosed, OrderLimitExceeded: it is not sold now, or not in such a quantity.
        NotEnoughTickets: there are too few.
    """
    places = state.seats.places.get(ticket_type_id)
    if places is None:
        raise TicketTypeNotFound(ticket_type_id)
    if not by_hand:
        require_orderable(state, ticket_type_id, quantity, now)
    if quantity > places.available:
        raise NotEnoughTickets(ticket_type_id, quantity, places.available)
    return tuple(places.next_free(quantity))


def _arrival(state: ScreeningState, tickets: Sequence[Ticket], seat_ids: Sequence[int]) -> Arrival:
    """Return tickets with other seats of this screening, at the prices of these.

    A seat that one of the tickets leaves costs what was paid for it, one that is held what was agreed.
    """
    records = list(map(state.seats.record, seat_ids))
    held = tuple([record for record in records if isinstance(record, Hold)])
    moved = []
    for ticket, seat_id, record in zip(tickets, seat_ids, records, strict=True):
        price_cents = record.price_cents if isinstance(record, Hold | Ticket) else None
        if price_cents is None:
            price_cents = state.price_of(seat_id)
        moved.append(
            ticket._replace(screening_id=state.screening_id, seat_id=seat_id, price_cents=price_cents)
        )
    statuses = [SeatStatus.HELD if isinstance(record, Hold) else SeatStatus.AVAILABLE for record in records]
    return Arrival(state.screening_id, state.epoch, state.seq, tuple(moved), tuple(statuses), held)


def _begin(
    state: ScreeningState, holder: str, after: dict[int, Ticket | None], reply: Moved | Arrival
) -> PendingWrite:
    """Begin a pending write of seats; its id is the last `seq`."""
    seat_ids = tuple(after)
    write = PendingWrite(state.seq, SeatAction.MOVE, holder, seat_ids, None, ev.TicketsMoved.kind, reply)
    state.pending_writes[write.id] = write
    state.seats.commit(write, after.values())
    return write


def _started(state: ScreeningState, free: tuple[int, ...], now: float) -> tuple[SeatsChanged, ...]:
    return (state.show("booking_started", state.seats.shown_of(free), now),) if free else ()


def _repeated(records: Sequence[object], command: MoveTickets) -> Decision | None:
    """Return the decision for a move that is already being written, if there is one."""
    record = records[0]
    if not isinstance(record, Commitment) or record.write.holder != command.holder:
        return None
    write = record.write
    if not isinstance(write.reply, Moved):
        return None
    places = [(ticket.id, ticket.screening_id, ticket.seat_id) for ticket in write.reply.tickets]
    if command.arrival is None and (kind_id := command.to_type_id) is not None:
        places = [(ticket_id, place[0], ticket_type_of(place[1])) for ticket_id, *place in places]
        there = [(command.screening_id, kind_id)] * len(command.ticket_ids)
    elif command.arrival is None:
        there = [(command.screening_id, seat_id) for seat_id in command.to_seat_ids]
    else:
        there = [(ticket.screening_id, ticket.seat_id) for ticket in command.arrival.tickets]
    wanted = [(ticket_id, *place) for ticket_id, place in zip(command.ticket_ids, there, strict=True)]
    return Decision(write.reply, write_id=write.id) if places == wanted else None


def _own_tickets(records: Sequence[object], command: MoveTickets) -> tuple[Ticket, ...]:
    tickets = []
    for record, ticket_id in zip(records, command.ticket_ids, strict=True):
        if not isinstance(record, Ticket) or record[0] != ticket_id or record.holder != command.holder:
            raise TicketNotFound(ticket_id)
        if record.status is not TicketStatus.CONFIRMED:
            raise TicketNotConfirmed(ticket_id, record.status.value)
        tickets.append(record)
    return tuple(tickets)


def _require_movable(state: ScreeningState, by_hand: bool, now: float) -> None:
    """Raise if tickets cannot be moved from or to this screening now."""
    if state.info.free_seats:
        raise NothingForSale(state.screening_id)
    state.require_open(now, "move tickets")
    if now >= state.info.moves_until and not by_hand:
        raise MovesClosed(state.screening_id)


def _require_payment(command: MoveTickets, due_cents: int) -> None:
    """Raise unless the difference in price is paid, and was expected."""
    expected_cents = command.expected_total_cents
    if expected_cents is not None and expected_cents != max(0, due_cents):
        raise PriceChanged(expected_cents, max(0, due_cents))
    if due_cents <= 0 and command.payment_id is not None:
        raise NothingToPay
    if due_cents > 0 and not command.by_hand and (command.payment_id is None or command.unvouched):
        raise PaymentRequired(due_cents, vouched=command.unvouched)


def _identity(ticket: Ticket) -> tuple[int, str, TicketStatus]:
    return ticket.id, ticket.holder, ticket.status
