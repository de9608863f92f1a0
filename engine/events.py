"""Domain events of a screening, as the journal writes them.

`seq` numbers the events and visible changes of a screening within an epoch. An event about holds takes effect
immediately, and watchers see it under its own number. An event about tickets takes effect when it is
committed; watchers then see the change of the seats under a later number. So (epoch, seq) orders both the log
and what clients see, and gaps are normal.
"""

from itertools import count, repeat
from typing import NamedTuple

from engine.records import Block, Hold, Owed, Ticket, make
from engine.seat_states import SeatStatus
from engine.views import SeatView, Shown, view_of, view_of_kept
from engine.waitlist_records import WaitlistChanged

SYSTEM = "system"
"""The actor of events without a caller, such as the expiry of a hold."""

_UNKNOWN = repeat(None)


class _HeldTogether(NamedTuple):
    screening_id: int
    epoch: int
    seq: int
    at: float
    actor: str
    reservation_id: int
    seat_ids: tuple[int, ...]
    expires_at: float
    note: str | None = None
    origin: str | None = None
    available: int = 0
    capacity: int = 0
    prices_cents: tuple[int, ...] = ()
    stranded: tuple[int, ...] = ()
    alternatives: tuple[tuple[int, ...], ...] = ()


class SeatsHeld(_HeldTogether):
    """Free seats are now held by `actor`: one record for all of them.

    The event is also the caller's reply, the change that watchers see, and the record of the seats until
    their next change. The `Hold` of a seat is made on demand.

    Attributes:
        at: in seconds since the epoch.
        actor: the holder.
        reservation_id: id of the first seat's hold; the other seats have the ids that follow.
        expires_at: in seconds since the epoch.
        note: kept with the holds.
        origin: the command's `origin`.
        available: number of seats and places that are free now.
        capacity: number of seats and places.
        prices_cents: what the seats cost, in their order; empty if a node of an earlier release sent it.
        stranded: seats that they leave alone, if the screening warns of that.
        alternatives: up to three choices that would not, each for all seats of the command.
    """

    __slots__ = ()
    kind = cause = "seats_held"
    ended: tuple[Hold, ...] = ()

    @property
    def holds(self) -> tuple[Hold, ...]:
        """The holds of all seats, made anew every time."""
        screening_id, _, _, at, holder, first_id, seat_ids, expires_at, note, _, _, _, prices, _, _ = self
        each = zip(count(first_id), seat_ids, prices or _UNKNOWN, strict=False)
        return tuple(
            [
                make(
                    Hold,
                    (hold_id, first_id, screening_id, seat_id, holder, at, expires_at, 0, note, price),
                )
                for hold_id, seat_id, price in each
            ]
        )

    def hold_of(self, seat_id: int) -> Hold:
        """Return the hold of one of the seats."""
        screening_id, _, _, at, holder, first_id, seat_ids, expires_at, note, _, _, _, prices, _, _ = self
        place = seat_ids.index(seat_id)
        hold_id, price = first_id + place, prices[place] if prices else None
        return make(Hold, (hold_id, first_id, screening_id, seat_id, holder, at, expires_at, 0, note, price))

    @property
    def views(self) -> tuple[SeatView, ...]:
        """The seats as others see them; computed at each call."""
        return tuple(map(view_of, self.holds))


class HoldEvent(NamedTuple):
    """An event with a list of holds. It is also the change that watchers see.

    Attributes:
        at: in seconds since the epoch.
        actor: who caused it.
        holds: as they are from now on, or as they were when they ended.
        seats: what others see of their seats now, without places of ticket types.
        available: number of seats and places that are free now.
        capacity: number of seats and places.
        origin: the command's `origin`.
    """

    screening_id: int
    epoch: int
    seq: int
    at: float
    actor: str
    holds: tuple[Hold, ...]
    seats: tuple[Shown, ...] = ()
    available: int = 0
    capacity: int = 0
    origin: str | None = None

    @property
    def views(self) -> tuple[SeatView, ...]:
        """The seats as others see them; computed at each call."""
        return tuple(map(view_of, self.seats))


class PlacesHeld(HoldEvent):
    """Free places of ticket types are now held by `actor`."""

    __slots__ = ()
    kind = cause = SeatsHeld.kind
    ended: tuple[Hold, ...] = ()


class SeatsHeldFor(HoldEvent):
    """`actor` has had free seats held for somebody else."""

    __slots__ = ()
    kind = cause = SeatsHeld.kind
    ended: tuple[Hold, ...] = ()


class HoldsExtended(HoldEvent):
    """Holds have later deadlines."""

    __slots__ = ()
    kind = cause = "holds_extended"
    ended: tuple[Hold, ...] = ()


class HoldsReleased(HoldEvent):
    """Holds were given back; the seats are free."""

    __slots__ = ()
    kind = cause = "holds_released"

    @property
    def ended(self) -> tuple[Hold, ...]:
        return self.holds


class HoldsExpired(HoldEvent):
    """Holds lapsed; the seats are free."""

    __slots__ = ()
    kind = cause = "holds_expired"

    @property
    def ended(self) -> tuple[Hold, ...]:
        return self.holds


class HoldsExpiring(HoldEvent):
    """Holds will expire soon: a warning for their holders. Nothing changes, and nothing is stored."""

    __slots__ = ()
    kind = cause = "holds_expiring"
    ended: tuple[Hold, ...] = ()


class TicketEvent(NamedTuple):
    """An event with a list of tickets. It takes effect when it is committed.

    Attributes:
        at: when it was decided, in seconds since the epoch.
        actor: who caused it.
        tickets: as they are after the commit.
        from_statuses: the previous state of each ticket's seat.
        converted: the holds that became tickets.
    """

    screening_id: int
    epoch: int
    seq: int
    at: float
    actor: str
    tickets: tuple[Ticket, ...]
    from_statuses: tuple[SeatStatus, ...]
    converted: tuple[Hold, ...] = ()


class TicketsIssued(TicketEvent):
    """Seats were booked, whether paid or not: one booking."""

    __slots__ = ()
    kind = "tickets_issued"


class TicketsConfirmed(TicketEvent):
    """Pending tickets were paid for."""

    __slots__ = ()
    kind = "tickets_confirmed"


class TicketsCancelled(TicketEvent):
    """Live tickets were cancelled; their seats are free."""

    __slots__ = ()
    kind = "tickets_cancelled"


class TicketsGivenBack(TicketsCancelled):
    """Their holder has cancelled live tickets, which is refused if one of them was admitted meanwhile."""

    __slots__ = ()


class TicketsLapsed(TicketEvent):
    """Pending tickets were not paid for in time; their seats are free."""

    __slots__ = ()
    kind = "tickets_lapsed"


class BlockEvent(NamedTuple):
    """A block has changed. It is also the change that watchers see.

    Attributes:
        at: in seconds since the epoch.
        actor: who caused it.
        block: as it is from now on.
        seat_ids: the seats and places that others see differently now.
        available: number of seats and places that are free now.
        capacity: number of seats and places.
        origin: None.
    """

    screening_id: int
    epoch: int
    seq: int
    at: float
    actor: str
    block: Block
    seat_ids: tuple[int, ...]
    available: int = 0
    capacity: int = 0
    origin: str | None = None


class SeatsBlocked(BlockEvent):
    """Free seats or places are kept back."""

    __slots__ = ()
    kind = cause = "seats_blocked"
    ended: tuple[Hold, ...] = ()

    @property
    def views(self) -> tuple[SeatView, ...]:
        """The seats as others see them; computed at each call."""
        key = self.block.key
        return tuple([view_of_kept(seat_id, key) for seat_id in self.seat_ids if seat_id > 0])


class SeatsUnblocked(BlockEvent):
    """Seats or places are not kept back any more; those that nobody has are free."""

    __slots__ = ()
    kind = cause = "seats_unblocked"
    ended: tuple[Hold, ...] = ()

    @property
    def views(self) -> tuple[SeatView, ...]:
        """The seats as others see them; computed at each call."""
        return tuple([SeatView(seat_id, "available") for seat_id in self.seat_ids if seat_id > 0])


class TicketsLeft(TicketEvent):
    """Tickets have left their seats for others, which are free. `tickets` are as they were."""

    __slots__ = ()
    kind = "tickets_left"


class _TicketsMoved(NamedTuple):
    screening_id: int
    epoch: int
    seq: int
    at: float
    actor: str
    tickets: tuple[Ticket, ...]
    from_statuses: tuple[SeatStatus, ...]
    converted: tuple[Hold, ...]
    before: tuple[Ticket, ...]
    payment_id: str | None = None
    owed: tuple[Owed, ...] = ()
    by_hand: bool = False


class TicketsMoved(_TicketsMoved):
    """Tickets have other seats: part of the same decision as `TicketsLeft`. It takes effect when it is
    committed.

    Attributes:
        screening_id, epoch, seq: of the screening that has the seats.
        tickets: as they are after the commit.
        from_statuses: the previous state of their seats.
        converted: the holds that they replace.
        before: the tickets as they were, in the same order, perhaps in another screening.
        payment_id: the payment of the difference.
        owed: what is owed because tickets have become cheaper.
        by_hand: an administrator has moved them, which is possible after their admission too.
    """

    __slots__ = ()
    kind = "tickets_moved"


class StateStored(NamedTuple):
    """A hash of the owner's memory after an event: not an event of its own, so it has the number of that one.

    Attributes:
        seats: number of seats and places that somebody has.
        digest: `engine.state_hash.state_digest` of them.
    """

    screening_id: int
    epoch: int
    seq: int
    at: float
    seats: int
    digest: int


Event = (
    SeatsHeld
    | PlacesHeld
    | SeatsHeldFor
    | HoldsExtended
    | HoldsReleased
    | HoldsExpired
    | TicketsIssued
    | TicketsConfirmed
    | TicketsCancelled
    | TicketsGivenBack
    | TicketsLapsed
    | SeatsBlocked
    | SeatsUnblocked
    | WaitlistChanged
    | TicketsLeft
    | TicketsMoved
    | StateStored
)
"""All that the journal writes. The class attribute `kind` names an event in the log and as the `cause` of
what others see; only `StateStored` has none."""
