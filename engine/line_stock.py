"""The stock that a line of the waiting list can be given: seats of a layout, or places of a ticket type.

Seats and places that are set aside for a line are held by `WAITLIST`. These holds are stored and lapse as all
others do, so they survive a restart, and nobody else can get their seats. Seats that have been set aside in
vain are *stale*: they are not set aside again. Wheelchair places are not for the line.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from engine import events as ev
from engine.holding import take
from engine.places import ticket_type_of
from engine.records import Hold
from engine.rows import WHEELCHAIR, rows_of
from engine.screening_state import ScreeningState
from engine.waiting_list import SEATS
from engine.waitlist_records import WAITLIST, WaitlistEntry

HoldEvents = tuple[ev.SeatsHeld | ev.PlacesHeld | ev.HoldsReleased, ...]


class Stock(Protocol):
    """The seats or places that one line can be given in one step.

    Attributes:
        has_stale: True while some are left that have been set aside in vain. After `set_aside` they are all
            that is left, beside seats that are free for everybody.
    """

    @property
    def has_stale(self) -> bool: ...

    def has(self, entry: WaitlistEntry) -> bool:
        """True if there is enough for an entry."""

    def give(self, entry: WaitlistEntry, now: float, expires_at: float) -> HoldEvents:
        """Hold for an entry the seats or places that `has` has found. The last event is that of its hold.

        Raises:
            IdsExhausted: nothing has changed.
        """

    def set_aside(self, now: float, until: float) -> HoldEvents:
        """Hold for the line all freed seats or places that are not stale and were not given to anybody.

        Raises:
            IdsExhausted: nothing has changed.
        """

    def let_go(self, now: float) -> HoldEvents:
        """Let everybody have all seats and places that are set aside."""


class SeatStock:
    """Implements `Stock` for seats.

    Args:
        state: of the screening.
        freed: free seats that others may not get before the line.
        aside: seats that are set aside.
        stale: seats that have been set aside in vain.
        searched: the first entry has been found to want more than there was before `freed`.
    """

    def __init__(
        self,
        state: ScreeningState,
        freed: Sequence[int],
        aside: Sequence[int],
        stale: frozenset[int],
        *,
        searched: bool,
    ) -> None:
        self._state = state
        self._freed = [seat_id for seat_id in freed if not is_wheelchair_place(state, seat_id)]
        self._aside = list(aside)
        self._stale = stale
        self._searched = searched
        self._chosen: tuple[int, ...] = ()

    @property
    def has_stale(self) -> bool:
        return not self._stale.isdisjoint(self._freed)

    def has(self, entry: WaitlistEntry) -> bool:
        state, quantity = self._state, entry.quantity
        ready = [*self._aside, *self._freed]
        # Seats that anybody may reserve complete what is there for the line.
        spare = state.seats.available - len(self._freed)
        if len(ready) + spare < quantity:
            return False
        if entry.together:
            near = self._freed if self._searched else state.seats.layout.by_id
            chosen = free_in_a_row(state, quantity, near, frozenset(self._aside))
        else:
            if len(ready) < quantity:
                ready += [seat_id for seat_id in free_seats(state) if seat_id not in self._freed]
            chosen = tuple(ready[:quantity])
        self._chosen = chosen
        return len(chosen) == quantity

    def give(self, entry: WaitlistEntry, now: float, expires_at: float) -> HoldEvents:
        chosen = self._chosen
        first_id = self._state.hold_ids.take(len(chosen))
        aside = [seat_id for seat_id in self._aside if seat_id in chosen]
        released = _released(self._state, aside, now)
        held = take(self._state, entry.holder, chosen, first_id, now, expires_at)
        self._aside = [seat_id for seat_id in self._aside if seat_id not in chosen]
        self._freed = [seat_id for seat_id in self._freed if seat_id not in chosen]
        self._searched = False
        return (*released, held)

    def set_aside(self, now: float, until: float) -> HoldEvents:
        fresh = tuple([seat_id for seat_id in self._freed if seat_id not in self._stale])
        self._freed = [seat_id for seat_id in self._freed if seat_id in self._stale]
        self._aside, self._searched = [], True
        if not fresh:
            return ()
        return (take(self._state, WAITLIST, fresh, self._state.hold_ids.take(len(fresh)), now, until),)

    def let_go(self, now: float) -> HoldEvents:
        return _released(self._state, self._aside, now)


class PlaceStock:
    """Implements `Stock` for places of a ticket type, which are interchangeable.

    Args:
        state: of the event.
        ticket_type_id: the type.
        freed: free places that others may not get before the line.
        aside: places that are set aside.
        stale: places that have been set aside in vain.
    """

    def __init__(
        self,
        state: ScreeningState,
        ticket_type_id: int,
        freed: Sequence[int],
        aside: Sequence[int],
        stale: frozenset[int],
    ) -> None:
        self._state = state
        self._ticket_type_id = ticket_type_id
        self._places = state.seats.places[ticket_type_id]
        self._freed = min(len(freed), max(0, self._places.available))
        self._stale = min(self._freed, len(stale.intersection(freed)))
        self._aside = list(aside)

    @property
    def has_stale(self) -> bool:
        return self._stale > 0

    def has(self, entry: WaitlistEntry) -> bool:
        return len(self._aside) + self._places.available >= entry.quantity

    def give(self, entry: WaitlistEntry, now: float, expires_at: float) -> HoldEvents:
        quantity = entry.quantity
        first_id = self._state.hold_ids.take(quantity)
        from_freed = min(self._freed, quantity)
        from_aside = min(len(self._aside), quantity - from_freed)
        released = _released(self._state, self._aside[:from_aside], now)
        del self._aside[:from_aside]
        self._freed -= from_freed
        self._stale = min(self._stale, self._freed)
        return (*released, self._held(entry.holder, quantity, first_id, now, expires_at))

    def set_aside(self, now: float, until: float) -> HoldEvents:
        fresh = self._freed - self._stale
        self._freed, self._aside = self._stale, []
        if not fresh:
            return ()
        return (self._held(WAITLIST, fresh, self._state.hold_ids.take(fresh), now, until),)

    def let_go(self, now: float) -> HoldEvents:
        return _released(self._state, self._aside, now)

    def _held(
        self, holder: str, quantity: int, first_id: int, now: float, expires_at: float
    ) -> ev.PlacesHeld:
        state, price_cents = self._state, self._state.info.ticket_types[self._ticket_type_id].price_cents
        first = Hold(first_id, first_id, state.screening_id, 0, holder, now, expires_at)
        holds = tuple(
            first._replace(id=hold_id, seat_id=seat_id, price_cents=price_cents)
            for hold_id, seat_id in enumerate(self._places.choose(quantity), first_id)
        )
        state.seats.hold_each(holds)
        return state.happened(ev.PlacesHeld, holder, holds, (), now)


def stock_of(
    state: ScreeningState,
    line: int,
    freed: Sequence[int],
    aside: Sequence[int],
    stale: frozenset[int],
    *,
    searched: bool,
) -> Stock:
    """Return the stock of a line; see `SeatStock` and `PlaceStock`."""
    if line == SEATS:
        return SeatStock(state, freed, aside, stale, searched=searched)
    return PlaceStock(state, line, freed, aside, stale)


def line_of(seat_id: int) -> int:
    """The line that a seat or place is for."""
    return SEATS if seat_id > 0 else ticket_type_of(seat_id)


def is_wheelchair_place(state: ScreeningState, seat_id: int) -> bool:
    """True if a seat is a place for a wheelchair."""
    return state.seats.layout.by_id[seat_id].seat_type == WHEELCHAIR


def free_seats(state: ScreeningState) -> list[int]:
    """Return the free seats that are no wheelchair places. The time grows with the size of the hall."""
    is_free = state.seats.are_free
    return [
        seat.id for seat in state.seats.layout.seats if seat.seat_type != WHEELCHAIR and is_free((seat.id,))
    ]


def free_in_a_row(
    state: ScreeningState, quantity: int, near: Iterable[int], aside: Collection[int] = ()
) -> tuple[int, ...]:
    """Return so many adjacent free seats; none if there are not so many.

    Args:
        state: of the screening.
        quantity: number of seats.
        near: only rows with one of these seats are searched.
        aside: seats that count as free too.
    """
    rows, is_free = rows_of(state.seats.layout), state.seats.are_free
    for number in dict.fromkeys(rows.place_of[seat_id][0] for seat_id in near):
        found: list[int] = []
        for seat_id in rows.runs[number]:
            if seat_id in aside or (is_free((seat_id,)) and seat_id not in rows.wheelchairs):
                found.append(seat_id)
            else:
                found = []
            if len(found) == quantity:
                return tuple(found)
    return ()


def _released(state: ScreeningState, seat_ids: Collection[int], now: float) -> HoldEvents:
    if not seat_ids:
        return ()
    holds, seats = state.seats.release(seat_ids)
    return (state.happened(ev.HoldsReleased, ev.SYSTEM, holds, seats, now),)
