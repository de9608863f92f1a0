"""Decisions about tickets. They are durable, so each begins a pending write.

Every function checks everything first and changes the state afterwards. If it raises, nothing has changed.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from math import inf
from typing import cast

from engine import blocks
from engine import events as ev
from engine.commands import (
    BookSeats,
    CancelScreening,
    CancelTicket,
    CancelTickets,
    ConfirmTicket,
    ConfirmTickets,
    SellSeats,
)
from engine.holding import give_back, held_until
from engine.place_orders import places_chosen
from engine.places import ticket_type_of
from engine.records import Hold, Ticket, TicketStatus
from engine.replies import Booked, Cancelled, Cleared
from engine.sales_windows import require_on_sale
from engine.screening_state import Decision, ScreeningState
from engine.seat_records import Commitment, PendingWrite
from engine.seat_states import SeatAction
from engine.selling_errors import (
    BookingInProgress,
    NotHeld,
    NothingForSale,
    PaymentAlreadyUsed,
    PriceChanged,
    ScreeningHasBookings,
    TicketNotFound,
    TicketNotPending,
    WrongNumberOfPapers,
)
from engine.views import SCREENING_CANCELLED, SeatsChanged


def book_seats(
    state: ScreeningState,
    command: BookSeats,
    now: float,
    actor: str | None = None,
    *,
    beyond_limit: bool = False,
    chosen: tuple[int, ...] = (),
) -> Decision:
    """Issue tickets for seats that are free or held by the holder.

    Args:
        state: of the screening.
        command: the booking.
        now: seconds since the epoch.
        actor: who sells by hand; None if the holder buys.
        beyond_limit: as in `SellSeats`.
        chosen: free places to sell; empty for the seats that the command names.
    """
    seller = actor or command.actor
    if state.info.free_seats:
        raise NothingForSale(state.screening_id)
    wanted = chosen or state.named(command)
    if command.payment_id is not None and (repeat := _repeated(state, command, wanted)):
        return repeat
    state.require_open(now, "book seats")
    if command.access:
        again = partial(book_seats, state, command, now, actor, beyond_limit=beyond_limit)
        if (decision := blocks.lent(state, command.access, wanted, again)) is not None:
            return decision
    free = state.obtainable(command.holder, wanted)
    if free and command.held_only:
        raise NotHeld(free)
    if free and actor is None:
        require_on_sale(state.rules, now, command.access)
    owner = command.owner or command.holder
    passes_on = owner != command.holder
    ordered = {ticket_type_of(chosen[0]): len(chosen)} if chosen else None
    state.require_within_limits(
        command.holder, len(free), ordered=ordered, beyond_limit=beyond_limit or passes_on
    )
    if passes_on and not beyond_limit:
        ordered = dict(Counter(ticket_type_of(seat_id) for seat_id in wanted if seat_id < 0))
        state.require_for_person(owner, len(wanted), ordered=ordered)
    if state.orphans is not None and not (command.late or command.actor or actor):
        state.orphans.judge(wanted, free)
    converted = tuple(h for h in map(state.seats.record, wanted) if isinstance(h, Hold))
    prices = _prices(state, wanted, converted)
    if command.free_because is not None:
        prices = [0] * len(wanted)
    if command.unvouched and any(prices):
        command = command._replace(payment_pending=True)
    if command.payment_pending:
        state.lives.expiry(command.holder, free, now, state.policy.payment_window_seconds)
    if command.papers and len(command.papers) != len(wanted):
        raise WrongNumberOfPapers(len(wanted), len(command.papers))
    if command.expected_total_cents is not None:
        _require_total(command.expected_total_cents, sum(prices))
    first_id = state.ticket_ids.take(len(wanted))
    held_at = min([hold.reserved_at for hold in converted], default=None)
    tickets = tuple(
        _ticket(state, command, first_id, number, seat_id, price_cents, now, held_at, seller)
        for number, (seat_id, price_cents) in enumerate(zip(wanted, prices, strict=True))
    )
    reply = Booked(tickets)
    event = state.begin(
        SeatAction.ISSUE,
        ev.TicketsIssued,
        tickets,
        reply,
        now,
        command.holder,
        actor=seller,
        payment_id=command.payment_id,
        converted=converted,
    )
    changes = (state.show("booking_started", state.seats.shown_of(free), now),) if free else ()
    return Decision(reply, (event,), changes, event.seq)


def sell_seats(state: ScreeningState, command: SellSeats, now: float) -> Decision:
    """Issue paid tickets by hand."""
    screening_id, holder, seat_ids, actor, payment_id, _, beyond_limit, access, free_because = command[:9]
    booking = BookSeats(screening_id, holder, seat_ids, payment_id, access=access, free_because=free_because)
    taken_from, order = command.taken_from, command.order
    if order is not None:
        booking = booking._replace(access=(), papers=command.papers)
        sell = partial(book_seats, state, booking, now, actor, beyond_limit=beyond_limit)
        return places_chosen(state, order, access, lambda chosen: sell(chosen=chosen))
    if taken_from is not None:
        booking = booking._replace(holder=taken_from, owner=holder)
    return book_seats(state, booking, now, actor, beyond_limit=beyond_limit)


def confirm_ticket(state: ScreeningState, command: ConfirmTicket, now: float) -> Decision:
    """Confirm a pending ticket."""
    screening_id, holder, ticket_id, seat_id, payment_id, receipt, actor, total_cents = command
    return confirm_tickets(
        state,
        ConfirmTickets(
            screening_id, holder, (ticket_id,), (seat_id,), payment_id, receipt, actor, total_cents
        ),
        now,
    )


def confirm_tickets(state: ScreeningState, command: ConfirmTickets, now: float) -> Decision:
    """Confirm pending tickets, all or none."""
    records = [state.seats.record(seat_id) for seat_id in command.seat_ids]
    write = _common_write(records, command.seat_ids)
    if write and write.action is SeatAction.CONFIRM and write.payment_id == command.payment_id:
        return Decision(write.reply, write_id=write.id)
    if any(isinstance(record, Commitment) for record in records):
        raise BookingInProgress(command.seat_ids)
    tickets = _own_tickets(records, command.holder, command.ticket_ids)
    pending = []
    for ticket in tickets:
        if ticket.status is TicketStatus.PENDING:
            pending.append(ticket.id)
        elif ticket.payment_id != command.payment_id:
            raise TicketNotPending(ticket.id, ticket.status.value)
    if not pending:
        return Decision(Booked(tickets))
    state.require_open(now, "confirm payments")
    if command.expected_total_cents is not None:
        _require_total(command.expected_total_cents, sum(ticket.price_cents for ticket in tickets))
    paid = tuple(
        ticket._replace(
            status=TicketStatus.CONFIRMED,
            confirmed_at=now,
            payment_id=command.payment_id,
            payment_deadline=None,
            sold_by=command.actor or ticket.sold_by,
        )
        if ticket.id in pending
        else ticket
        for ticket in tickets
    )
    reply = Booked(paid)
    event = state.begin(
        SeatAction.CONFIRM,
        ev.TicketsConfirmed,
        tuple(ticket for ticket in paid if ticket.id in pending),
        reply,
        now,
        command.holder,
        actor=command.actor,
        payment_id=command.payment_id,
    )
    return Decision(reply, (event,), (), event.seq)


def cancel_ticket(state: ScreeningState, command: CancelTicket, now: float) -> Decision:
    """Cancel a live ticket."""
    _, holder, ticket_id, seat_id, actor = command
    return _cancel(state, holder, (ticket_id,), (seat_id,), actor, now)


def cancel_tickets(state: ScreeningState, command: CancelTickets, now: float) -> Decision:
    """Cancel several live tickets, all or none."""
    _, holder, ticket_ids, seat_ids, actor = command
    return _cancel(state, holder, ticket_ids, seat_ids, actor, now)


def _cancel(
    state: ScreeningState,
    holder: str,
    ticket_ids: tuple[int, ...],
    seat_ids: tuple[int, ...],
    actor: str | None,
    now: float,
) -> Decision:
    records = [state.seats.record(seat_id) for seat_id in seat_ids]
    write = _common_write(records, seat_ids)
    if write and write.holder == holder and write.action is SeatAction.CANCEL:
        return Decision(write.reply, write_id=write.id)
    if any(isinstance(record, Commitment) and record.write.holder == holder for record in records):
        raise BookingInProgress(seat_ids)
    tickets = _own_tickets(records, holder, ticket_ids)
    state.require_open(now, "cancel tickets")
    cancelled = tuple(_cancelled(ticket, now) for ticket in tickets)
    if pending := [ticket for ticket in tickets if ticket.status is TicketStatus.PENDING]:
        state.lives.ended([held_until(ticket, now) for ticket in pending], now)
    reply = Cancelled(cancelled[0]) if len(cancelled) == 1 else Cleared(cancelled, ())
    kind = ev.TicketsGivenBack if actor is None else ev.TicketsCancelled
    event = state.begin(SeatAction.CANCEL, kind, cancelled, reply, now, holder, actor=actor)
    return Decision(reply, (event,), (), event.seq)


def cancel_screening(state: ScreeningState, command: CancelScreening, now: float) -> Decision:
    """Release all holds, cancel all live tickets, and close sales."""
    if state.pending_writes:
        raise BookingInProgress(
            [seat_id for write in state.pending_writes.values() for seat_id in write.seat_ids]
        )
    if command.unsold_only and state.seats.tickets():
        raise ScreeningHasBookings(state.screening_id)
    state.closed, state.open_until = True, -inf
    events: list[ev.Event] = []
    changes: list[SeatsChanged] = []
    write_id = None
    holds, tickets = tuple(state.seats.holds()), state.seats.tickets()
    cancelled = tuple(_cancelled(ticket, now) for ticket in tickets)
    reply = Cleared(cancelled, holds)
    if holds:
        event = give_back(state, command.actor, [hold.seat_id for hold in holds], now)
        events.append(event)
        changes.append(event)
    if cancelled:
        cancellation = state.begin(
            SeatAction.CANCEL, ev.TicketsCancelled, cancelled, reply, now, command.actor
        )
        events.append(cancellation)
        write_id = cancellation.seq
    for block in tuple(state.seats.kept.blocks.values()):
        released = blocks.unblock(state, block, block.seat_ids, command.actor, now)
        events.append(released)
        changes.append(released)
    changes.append(state.show(SCREENING_CANCELLED, (), now))
    decision = Decision(reply, tuple(events), tuple(changes), write_id)
    return decision if state.waitlist is None else state.waitlist.serve(state, decision, now)


def _prices(state: ScreeningState, seat_ids: Sequence[int], held: Sequence[Hold]) -> list[int]:
    """Return what seats cost: held ones as agreed when they were held, free ones as of now."""
    agreed = {hold.seat_id: hold.price_cents for hold in held}
    prices = map(agreed.get, seat_ids)
    return [
        state.price_of(seat_id) if price_cents is None else price_cents
        for seat_id, price_cents in zip(seat_ids, prices, strict=True)
    ]


def _require_total(expected_cents: int, actual_cents: int) -> None:
    if expected_cents != actual_cents:
        raise PriceChanged(expected_cents, actual_cents)


def _ticket(
    state: ScreeningState,
    command: BookSeats,
    first_id: int,
    number: int,
    seat_id: int,
    price_cents: int,
    now: float,
    held_at: float | None,
    seller: str | None,
) -> Ticket:
    pending = command.payment_pending
    code, paper = command.papers[number] if command.papers else (None, None)
    return Ticket(
        id=first_id + number,
        booking_id=command.booking_id or first_id,
        screening_id=state.screening_id,
        seat_id=seat_id,
        holder=command.owner or command.holder,
        price_cents=price_cents,
        status=TicketStatus.PENDING if pending else TicketStatus.CONFIRMED,
        booked_at=now,
        confirmed_at=None if pending else now,
        payment_id=command.payment_id,
        payment_deadline=now + state.policy.payment_window_seconds if pending else None,
        code=code,
        paper=paper,
        held_at=held_at,
        sold_by=seller,
        free_because=command.free_because,
    )


def _cancelled(ticket: Ticket, now: float) -> Ticket:
    return ticket._replace(status=TicketStatus.CANCELLED, cancelled_at=now, payment_deadline=None)


def _repeated(state: ScreeningState, command: BookSeats, wanted: tuple[int, ...]) -> Decision | None:
    """Return the decision for a payment that is already booking the first seat, if there is one."""
    record = state.seats.record(wanted[0])
    if isinstance(record, Commitment):
        write = record.write
        if write.payment_id != command.payment_id or write.action is not SeatAction.ISSUE:
            return None
        owners = {ticket.holder for ticket in cast(Booked, write.reply).tickets}
        same = write.holder == command.holder and owners == {command.owner or command.holder}
        if not same or set(write.seat_ids) != set(wanted):
            raise PaymentAlreadyUsed(write.payment_id or "")
        return Decision(write.reply, write_id=write.id)
    if not isinstance(record, Ticket) or record.payment_id != command.payment_id:
        return None
    # The ledger has the whole booking; here it is enough to know that this is not a new one.
    raise PaymentAlreadyUsed(record.payment_id or "")


def _common_write(records: Sequence[object], seat_ids: tuple[int, ...]) -> PendingWrite | None:
    """The pending write of exactly these seats, if there is one."""
    record = records[0]
    if isinstance(record, Commitment) and set(record.write.seat_ids) == set(seat_ids):
        return record.write
    return None


def _own_tickets(records: Sequence[object], holder: str, ticket_ids: tuple[int, ...]) -> tuple[Ticket, ...]:
    tickets = []
    for record, ticket_id in zip(records, ticket_ids, strict=True):
        if not isinstance(record, Ticket) or record.id != ticket_id or record.holder != holder:
            raise TicketNotFound(ticket_id)
        tickets.append(record)
    return tuple(tickets)
