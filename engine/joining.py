"""Decisions of those who wait: joining a waiting list, asking for a seat, and leaving.

Every function checks everything first and changes the state afterwards. If it raises, nothing has changed.
`engine.offering` decides who gets what is freed.
"""

from engine.commands import JoinWaitlist, LeaveWaitlist, WatchSeat
from engine.holding import give_back, require_orderable
from engine.line_stock import free_in_a_row, free_seats
from engine.offering import record, served
from engine.replies import Waiting
from engine.rows import rows_of
from engine.sales_windows import require_on_sale
from engine.screening_state import Decision, ScreeningState
from engine.selling_errors import (
    BookingInProgress,
    HoldLimitExceeded,
    NoAdjacentSeats,
    NothingForSale,
    RoomFull,
    SeatsUnavailable,
)
from engine.waiting_list import WaitingList
from engine.waitlist_errors import (
    AlreadyWaiting,
    NotWaiting,
    StillAvailable,
    TooManyWatches,
    WaitlistFull,
)
from engine.waitlist_records import WaitlistEntry, WaitStatus


def join_waitlist(state: ScreeningState, command: JoinWaitlist, now: float) -> Decision:
    """Add an entry at the end of the line for seats or for a ticket type."""
    _, holder, quantity, ticket_type_id, together = command
    if ticket_type_id is None:
        _require_hall(state)
    state.require_open(now, "join the waiting list")
    require_on_sale(state.rules, now)
    if ticket_type_id is None:
        if quantity > state.seats.capacity:
            raise RoomFull(state.seats.capacity)
    else:
        require_orderable(state, ticket_type_id, quantity, now)
    if quantity > state.policy.held_seats_limit:
        raise HoldLimitExceeded(state.policy.held_seats_limit, 0, quantity)
    for entry in _of_holder(state, holder):
        if entry.seat_id is None and entry.ticket_type_id == ticket_type_id:
            raise AlreadyWaiting(entry.id)
    ordered = None if ticket_type_id is None else {ticket_type_id: quantity}
    state.require_for_person(holder, quantity, ordered=ordered)
    if together and (longest := max(map(len, rows_of(state.seats.layout).runs))) < quantity:
        raise NoAdjacentSeats(quantity, longest, split=False)
    available = _available(state, quantity, ticket_type_id, together=together)
    if available >= quantity:
        raise StillAvailable(available)
    return _joined(state, holder, now, quantity, ticket_type_id=ticket_type_id, together=together)


def watch_seat(state: ScreeningState, command: WatchSeat, now: float) -> Decision:
    """Remember who wants to be told when a seat is free."""
    _, holder, seat_id, mail = command
    _require_hall(state)
    state.require_open(now, "wait for a seat")
    require_on_sale(state.rules, now)
    state.known((seat_id,))
    kept = state.seats.kept.by_seat.get(seat_id)
    if kept is not None and kept.key is None:  # nobody can have it
        raise SeatsUnavailable((), (seat_id,), (seat_id,))
    if state.seats.are_free((seat_id,)):
        raise StillAvailable(1)
    watches = [entry for entry in _of_holder(state, holder) if entry.seat_id is not None]
    for entry in watches:
        if entry.seat_id == seat_id:
            raise AlreadyWaiting(entry.id)
    if len(watches) >= state.policy.seat_watches_limit:
        raise TooManyWatches(state.policy.seat_watches_limit)
    return _joined(state, holder, now, 1, seat_id=seat_id, mail=mail)


def leave_waitlist(state: ScreeningState, command: LeaveWaitlist, now: float) -> Decision:
    """End an entry. Seats that were offered to it go on to the next one."""
    _, holder, entry_id, actor = command
    waitlist = state.waitlist
    entry = None if waitlist is None else waitlist.entries.get(entry_id)
    if waitlist is None or entry is None or entry.holder != holder:
        raise NotWaiting(entry_id)
    if entry.status is WaitStatus.OFFERED:
        if not (held := state.seats.held_by(holder, entry.seat_ids)):
            raise BookingInProgress(entry.seat_ids)
        reply = Waiting(entry._replace(status=WaitStatus.DECLINED), 0)
        released = give_back(state, actor or holder, held, now)
        return served(state, Decision(reply, (released,), (released,)), now)
    left = entry._replace(status=WaitStatus.LEFT)
    waitlist.put(left)
    waitlist.late.append(left)
    return served(state, Decision(Waiting(left, 0)), now)


def _joined(
    state: ScreeningState, holder: str, now: float, quantity: int, **wanted: int | bool | None
) -> Decision:
    waitlist, limit = state.waitlist or WaitingList(served), state.policy.waitlist_limit
    if len(waitlist) >= limit:
        raise WaitlistFull(limit)
    entry_id = state.hold_ids.take(1)
    entry = WaitlistEntry(
        *(entry_id, state.screening_id, holder, quantity, now, state.epoch, state.seq + 1),
        **wanted,  # type: ignore[arg-type]
    )
    waitlist.put(entry)
    state.waitlist = waitlist
    reply = Waiting(entry, waitlist.length(entry))
    return served(state, Decision(reply, (record(state, [entry], holder, now),)), now)


def _require_hall(state: ScreeningState) -> None:
    """Raise NothingForSale or ScreeningNotFound if the screening sells no seats of a layout."""
    state.require_seats()
    if state.info.free_seats:
        raise NothingForSale(state.screening_id)


def _of_holder(state: ScreeningState, holder: str) -> list[WaitlistEntry]:
    return [] if state.waitlist is None else state.waitlist.of_holder(holder)


def _available(state: ScreeningState, quantity: int, ticket_type_id: int | None, *, together: bool) -> int:
    """Number of wanted seats or places that can be reserved now; not exact if there are fewer than wanted."""
    if ticket_type_id is not None:
        return state.seats.places[ticket_type_id].available
    if state.seats.available < quantity:
        return state.seats.available
    if together:
        return len(free_in_a_row(state, quantity, state.seats.layout.by_id))
    return len(free_seats(state))
