"""Decisions about holds that an administrator makes for somebody, such as a customer at the counter.

The events name the administrator as the actor and the customer as the holder. As in selling by hand
(`engine.selling`), the seats need not be on sale to others.
"""

from functools import partial
from itertools import count

from engine import blocks
from engine import events as ev
from engine.commands import HoldSeatsFor
from engine.holding import give_back
from engine.place_orders import places_chosen
from engine.places import ticket_type_of
from engine.records import Hold
from engine.replies import Held
from engine.screening_state import Decision, ScreeningState
from engine.seat_states import SeatStatus

COUNTER_NOTE = "counter"
"""The note of holds that were made at the counter."""


def hold_seats_for(state: ScreeningState, command: HoldSeatsFor, now: float) -> Decision:
    """Hold all seats or none for a customer; holds that are taken over begin anew at the agreed price.

    Nobody else can come between the end of a hold that is taken over and the new one.
    """
    _, holder, seat_ids, actor, taken_from, beyond_limit, access, note, order = command
    state.require_open(now, "reserve seats")
    if order is not None:
        return places_chosen(state, order, access, partial(_hold_places, state, command, now))
    wanted = state.known(seat_ids)
    if access:
        again = partial(hold_seats_for, state, command, now)
        if (decision := blocks.lent(state, access, wanted, again)) is not None:
            return decision
    taken: list[int] = []
    if taken_from is not None and taken_from != holder:
        taken = state.seats.held_by(taken_from, wanted)
    others = tuple([seat_id for seat_id in wanted if seat_id not in set(taken)])
    free = state.divided(holder, others).free
    new = [*free, *taken]
    if new:
        state.require_within_limits(holder, len(new), beyond_limit=beyond_limit, taken=len(taken))
        # The holder's earlier holds do not count for seats that somebody else has held since.
        expires_at = state.lives.expiry(holder, free, now, state.policy.hold_seconds)
        prices = [_price(state, seat_id) for seat_id in new]
        first_id = state.hold_ids.take(len(new))
    events: list[ev.HoldsReleased | ev.SeatsHeldFor] = []
    if taken:
        events.append(give_back(state, actor, taken, now))
        # Seats that belong to a block have returned to it.
        state.seats.lend([seat for seat in taken if state.seats.status(seat) is SeatStatus.BLOCKED])
    if new:
        screening_id = state.screening_id
        holds = tuple(
            Hold(hold_id, first_id, screening_id, seat_id, holder, now, expires_at, 0, note, price_cents)
            for hold_id, seat_id, price_cents in zip(count(first_id), new, prices, strict=False)
        )
        state.seats.hold_each(holds)
        events.append(state.happened(ev.SeatsHeldFor, actor, holds, holds, now))
    held = [record for record in map(state.seats.record, wanted) if isinstance(record, Hold)]
    decision = Decision(Held(tuple(held)), tuple(events), tuple(events))
    if taken and state.waitlist is not None:
        return state.waitlist.serve(state, decision, now)
    return decision


def _hold_places(
    state: ScreeningState, command: HoldSeatsFor, now: float, chosen: tuple[int, ...]
) -> Decision:
    """Hold free places for a customer, as one reservation. Its note would be the metadata of a guest."""
    holder, kind_id, number = command.holder, ticket_type_of(chosen[0]), len(chosen)
    state.require_within_limits(holder, number, ordered={kind_id: number}, beyond_limit=command.beyond_limit)
    expires_at = state.lives.expiry(holder, (-kind_id,), now, state.policy.hold_seconds)
    first_id, price_cents = state.hold_ids.take(number), state.info.ticket_types[kind_id].price_cents
    holds = tuple(
        Hold(
            *(hold_id, first_id, state.screening_id, seat_id, holder, now, expires_at, 0, None),
            price_cents,
        )
        for hold_id, seat_id in enumerate(chosen, first_id)
    )
    state.seats.hold_each(holds)
    event = state.happened(ev.SeatsHeldFor, command.actor, holds, (), now)
    return Decision(Held(holds), (event,), (event,))


def _price(state: ScreeningState, seat_id: int) -> int:
    """Price of a seat in cents: the agreed one if it is held, else the present one."""
    record = state.seats.record(seat_id)
    agreed_cents = record.price_cents if isinstance(record, Hold) else None
    return state.price_of(seat_id) if agreed_cents is None else agreed_cents
