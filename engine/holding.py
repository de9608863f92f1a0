"""Decisions about holds.

Every function checks everything first and changes the state afterwards. If it raises, nothing has changed.
"""

from collections.abc import Iterable, Sequence
from functools import partial

from engine import alarms, blocks
from engine import events as ev
from engine.commands import (
    ExtendHolds,
    HoldPlaces,
    HoldSeats,
    ReadReservation,
    ReleaseHolds,
    ReleaseLapsed,
    RevokeHolds,
    ToggleSeats,
)
from engine.orphans import NOTHING_STRANDED, Stranding
from engine.records import Hold, Ticket, TicketStatus, make
from engine.replies import Held, Lapsed, Released, Reserved, Toggled
from engine.sales_windows import require_on_sale, require_type_on_sale
from engine.screening_state import Decision, ScreeningState
from engine.seat_records import moved_by
from engine.seat_states import SeatAction
from engine.selling_errors import (
    ExtensionLimitReached,
    NotEnoughTickets,
    NotHeld,
    OrderLimitExceeded,
    TicketTypeNotFound,
)
from engine.views import SeatsChanged, SeatsShown


def hold_seats(state: ScreeningState, command: HoldSeats, now: float) -> Decision:
    """Hold all seats or none; seats that the holder already holds stay as they are.

    This is the most frequent command, so each check is called only if a cheap comparison says that it may
    matter.
    """
    _, holder, seat_ids, note, origin, network, access = command
    is_closed = now >= state.open_until or now < state.open_from
    if is_closed:
        state.require_seats()
        state.require_open(now, "reserve seats")
    seats = state.seats
    wanted = state.known(seat_ids)
    if seats.are_free(wanted):
        free = wanted
    else:
        if access:
            again = partial(hold_seats, state, command, now)
            if (decision := blocks.lent(state, access, wanted, again)) is not None:
                return decision
        free = tuple(state.divided(holder, wanted).free)
        if not free:
            return Decision(Held(_holds_on(state, wanted)))
    number = len(free)
    stranding = NOTHING_STRANDED
    if holder in seats.unpaid or network is not None or number > state.unchecked_seats:
        if is_closed:
            require_on_sale(state.rules, now, access)
        state.require_within_limits(holder, number, network=network)
        if state.orphans is not None:
            stranding = state.orphans.judge(wanted, free)
    if state.lives.by_stock:
        expires_at = state.lives.expiry(holder, free, now, state.policy.hold_seconds)
    else:
        expires_at = now + state.hold_seconds
    first_id = state.hold_ids.take(number)
    event = take(state, holder, free, first_id, now, expires_at, note, origin, stranding)
    if network is not None:
        seats.unpaid.come_from(holder, network)
    reply = event if number == len(wanted) else Held(_holds_on(state, wanted), *stranding)
    events = (event,)
    return make(Decision, (reply, events, events, None))


def hold_places(state: ScreeningState, command: HoldPlaces, now: float) -> Decision:
    """Hold places of ticket types for all orders or none; each order becomes a reservation."""
    decide = partial(_hold_places, state, command, now)
    kept = blocks.places_for(state, command.orders, command.access)
    return blocks.lent(state, command.access, kept, decide) or decide()


def _hold_places(state: ScreeningState, command: HoldPlaces, now: float) -> Decision:
    state.require_open(now, "reserve tickets")
    require_on_sale(state.rules, now, command.access)
    ordered: dict[int, int] = {}
    for kind_id, quantity in command.orders:
        ordered[kind_id] = ordered.get(kind_id, 0) + quantity
    for kind_id, quantity in ordered.items():
        require_orderable(state, kind_id, quantity, now)
        available = state.seats.places[kind_id].available
        if quantity > available:
            raise NotEnoughTickets(kind_id, quantity, available)
    total = sum(ordered.values())
    state.require_within_limits(command.holder, total, network=command.guest_network, ordered=ordered)
    expires_at = state.lives.expiry(
        command.holder, tuple([-kind_id for kind_id in ordered]), now, command.hold_seconds
    )
    next_id = state.hold_ids.take(total)
    reservations: list[tuple[Hold, ...]] = []
    for kind_id, quantity in command.orders:
        price_cents = state.info.ticket_types[kind_id].price_cents
        first = Hold(
            *(next_id, next_id, state.screening_id, 0, command.holder, now, expires_at, 0, command.note),
            price_cents,
        )
        seat_ids = tuple(state.seats.places[kind_id].choose(quantity))
        reservation = tuple(
            first._replace(id=hold_id, seat_id=seat_id) for hold_id, seat_id in enumerate(seat_ids, next_id)
        )
        state.seats.hold_each(reservation)
        reservations.append(reservation)
        next_id += quantity
    if command.guest_network is not None:
        state.seats.unpaid.come_from(command.holder, command.guest_network)
    holds = tuple(hold for reservation in reservations for hold in reservation)
    event = state.happened(ev.PlacesHeld, command.holder, holds, (), now)
    return Decision(Reserved(tuple(reservations)), (event,), (event,))


def read_reservation(state: ScreeningState, command: ReadReservation, now: float) -> Decision:
    return Decision(Held(_holds_on(state, state.seats.reserved_as(command.holder, command.reservation_id))))


def toggle_seats(state: ScreeningState, command: ToggleSeats, now: float) -> Decision:
    """Hold the free seats and release the holder's own."""
    _, holder, seat_ids, network, access = command
    is_closed = now >= state.open_until or now < state.open_from
    if is_closed:
        state.require_seats()
        state.require_open(now, "reserve seats")
    free, own = state.known(seat_ids), []
    if not state.seats.are_free(free):
        if access:
            again = partial(toggle_seats, state, command, now)
            if (decision := blocks.lent(state, access, free, again)) is not None:
                return decision
        availability = state.divided(holder, free)
        free, own = tuple(availability.free), availability.own
    released = held = None
    stranding = NOTHING_STRANDED
    if free:
        number = len(free)
        if holder in state.seats.unpaid or network is not None or number > state.unchecked_seats:
            if is_closed:
                require_on_sale(state.rules, now, access)
            state.require_within_limits(holder, number, len(own), network)
            if state.orphans is not None:
                stranding = state.orphans.judge((*own, *free), free, own)
        expires_at = state.lives.expiry(holder, free, now, state.policy.hold_seconds)
        first_id = state.hold_ids.take(number)
    if own:
        released = give_back(state, holder, own, now)
    if free:
        held = take(state, holder, free, first_id, now, expires_at, stranding=stranding)
        if network is not None:
            state.seats.unpaid.come_from(holder, network)
    events = tuple([event for event in (released, held) if event])
    decision = make(Decision, (make(Toggled, (held, released)), events, events, None))
    return _served(state, decision, own, now) if released else decision


def extend_holds(state: ScreeningState, command: ExtendHolds, now: float) -> Decision:
    """Move deadlines, within the limits on extensions and on the total time."""
    if command.reservation_id is None:
        state.require_seats()
    state.require_open(now, "extend reservations")
    wanted = state.named(command)
    own = set(state.seats.held_by(command.holder, wanted))
    if missing := [seat_id for seat_id in wanted if seat_id not in own]:
        raise NotHeld(missing)
    holds = _holds_on(state, wanted)
    limit, life = state.policy.hold_extension_limit, state.policy.hold_life_seconds
    if spent := [hold.seat_id for hold in holds if hold.extensions >= limit]:
        raise ExtensionLimitReached(spent, f"it has been extended {limit} times")
    extra = command.extra_seconds
    if late := [hold.seat_id for hold in holds if hold.expires_at + extra > state.lives.end_of(hold)]:
        raise ExtensionLimitReached(late, f"it may last {life / 60:g} minutes in all")
    extended = tuple(
        hold._replace(expires_at=hold.expires_at + extra, extensions=hold.extensions + 1) for hold in holds
    )
    state.seats.extend(extended)
    event = state.happened(ev.HoldsExtended, command.holder, extended, state.seats.shown_of(wanted), now)
    return Decision(event, (event,), (event,))


def release_holds(state: ScreeningState, command: ReleaseHolds, now: float) -> Decision:
    """Release the holder's holds, all or those of the named seats."""
    if command.seat_ids is None and command.reservation_id is None:
        state.require_seats()
        candidates = state.seats.unpaid.get(command.holder, ())
    else:
        candidates = state.named(command)
    own = state.seats.held_by(command.holder, candidates)
    return _given_back(state, command.holder, own, now, command.origin)


def revoke_holds(state: ScreeningState, command: RevokeHolds, now: float) -> Decision:
    """Release a holder's holds of the named seats by hand."""
    own = state.seats.held_by(command.holder, state.known(command.seat_ids))
    return _given_back(state, command.actor, own, now)


def release_lapsed(state: ScreeningState, command: ReleaseLapsed, now: float) -> Decision:
    """Release what has lapsed: holds immediately, pending tickets after the commit. Then ring the alarms."""
    holds, tickets = state.seats.pop_due(now)
    events: list[ev.Event] = []
    changes: list[SeatsChanged] = []
    write_id = None
    reply = Lapsed(len(holds) + len(tickets))
    if holds:
        ended, seats = state.seats.release([hold.seat_id for hold in holds], SeatAction.LAPSE)
        for hold in ended:
            state.lives.ended((hold,), hold.expires_at)
        expired = state.happened(ev.HoldsExpired, ev.SYSTEM, ended, seats, now)
        events.append(expired)
        changes.append(expired)
    if tickets:
        lapsed = tuple(t._replace(status=TicketStatus.LAPSED, cancelled_at=now) for t in tickets)
        for ticket in tickets:
            state.lives.ended((held_until(ticket, now),), now)
        event = state.begin(SeatAction.LAPSE, ev.TicketsLapsed, lapsed, reply, now, ev.SYSTEM)
        events.append(event)
        write_id = event.seq
    if state.seats.deadlines.alarm_at <= now:
        rung = alarms.ring(state, now)
        events += [each for each in rung if not isinstance(each, SeatsShown)]
        changes += rung
    decision = Decision(reply, tuple(events), tuple(changes), write_id)
    return decision if state.waitlist is None else state.waitlist.serve(state, decision, now)


def warn_expiring(state: ScreeningState, now: float) -> Decision:
    """Tell the holders whose holds will expire soon."""
    holds = tuple(state.seats.take_expiring(now))
    if not holds:
        return Decision(Held(()))
    return Decision(Held(holds), changes=(state.happened(ev.HoldsExpiring, ev.SYSTEM, holds, (), now),))


def move_deadlines(state: ScreeningState, seconds: float, now: float) -> Decision:
    """Move the deadlines of all holds and pending tickets by a step of the wall clock.

    Those of holds are stored; those of pending tickets are moved in memory only.
    """
    state.lives.move(seconds)
    holds = tuple(moved_by(hold, seconds) for hold in state.seats.holds())
    state.seats.move(holds, seconds)
    state.forget_map()  # no change shows the new deadlines of pending tickets
    if not holds:
        return Decision(Held(()))
    seats = state.seats.shown_of([hold.seat_id for hold in holds])
    event = state.happened(ev.HoldsExtended, ev.SYSTEM, holds, seats, now)
    return Decision(event, (event,), (event,))


def held_until(ticket: Ticket, at: float) -> Hold:
    """Return a pending ticket as the hold that it counts as in `HoldLives`."""
    return Hold(
        ticket.id, ticket.id, ticket.screening_id, ticket.seat_id, ticket.holder, ticket.booked_at, at
    )


def give_back(
    state: ScreeningState, actor: str, seat_ids: Sequence[int], now: float, origin: str | None = None
) -> ev.HoldsReleased:
    """Release held seats; `actor` is who causes it."""
    holds, seats = state.seats.release(seat_ids)
    state.lives.ended(holds, now)
    return state.happened(ev.HoldsReleased, actor, holds, seats, now, origin)


def _given_back(
    state: ScreeningState, actor: str, seat_ids: Sequence[int], now: float, origin: str | None = None
) -> Decision:
    if not seat_ids:
        return Decision(Released(()))
    event = give_back(state, actor, seat_ids, now, origin)
    events = (event,)
    return _served(state, make(Decision, (event, events, events, None)), seat_ids, now)


def _served(state: ScreeningState, decision: Decision, given_back: Sequence[int], now: float) -> Decision:
    """Offer seats that a decision has given back to those who wait for them."""
    waitlist = state.waitlist
    if waitlist is None or not waitlist.may_want(given_back):
        return decision
    return waitlist.serve(state, decision, now)


def take(
    state: ScreeningState,
    holder: str,
    seat_ids: tuple[int, ...],
    first_id: int,
    now: float,
    expires_at: float,
    note: str | None = None,
    origin: str | None = None,
    stranding: Stranding = NOTHING_STRANDED,
) -> ev.SeatsHeld:
    """Hold free seats; all checks have passed."""
    seats, screening_id, epoch, seq = state.seats, state.screening_id, state.epoch, state.seq + 1
    free, total = seats.available - len(seat_ids), seats.capacity
    event = make(
        ev.SeatsHeld,
        (
            screening_id,
            epoch,
            seq,
            now,
            holder,
            first_id,
            seat_ids,
            expires_at,
            note,
            origin,
            free,
            total,
            tuple(map(state.price_of, seat_ids)),
            *stranding,
        ),
    )
    seats.hold(event)
    state.remember(event)
    return event


def require_orderable(state: ScreeningState, ticket_type_id: int, quantity: int, now: float) -> None:
    """Raise if a ticket type is not sold now, or not in such a quantity."""
    kind = state.info.ticket_types.get(ticket_type_id)
    if kind is None:
        raise TicketTypeNotFound(ticket_type_id)
    require_type_on_sale(kind, now)
    if quantity > kind.max_per_order:
        raise OrderLimitExceeded(ticket_type_id, kind.max_per_order, quantity)


def _holds_on(state: ScreeningState, seat_ids: Iterable[int]) -> tuple[Hold, ...]:
    return tuple(h for h in map(state.seats.record, seat_ids) if isinstance(h, Hold))
