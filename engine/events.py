"""What happened to a screening: domain events, past tense, as they go to the journal.

One counter per screening, `seq`, numbers everything that happens to it within an epoch. An event
about holds is true at once, and others see it under its own number. An event about tickets is true
when its batch has committed; the change of the seats is then shown under a later number of the
same counter. So (epoch, seq) orders both the log and what clients see, and gaps are normal.
"""

from typing import NamedTuple

from engine.records import Hold, Ticket, make
from engine.seat_states import SeatStatus
from engine.views import SeatView, Shown, view_of

SYSTEM = "system"
"""The actor of what happens by itself, such as a hold that lapses."""


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


class SeatsHeld(_HeldTogether):
    """Free seats are now held by `actor`: one record for all of them.

    The event is what the journal writes, what the caller is answered and what others see, and it stays with
    the seats as their record until something else happens to them. The hold of one seat is made when it is
    asked for.

    Attributes:
        at: when, in seconds since the epoch.
        actor: who holds them.
        reservation_id: id of the first seat's hold; those of the other seats follow.
        expires_at: in seconds since the epoch.
        note: kept with the holds.
        origin: the mark of the command, if it had one.
        available: seats and places that are free now.
        capacity: seats and places in all.
    """

    __slots__ = ()
    kind = cause = "seats_held"
    ended: tuple[Hold, ...] = ()

    @property
    def holds(self) -> tuple[Hold, ...]:
        """The holds of all seats."""
        screening_id, _, _, at, holder, reservation_id, seat_ids, expires_at, note, _, _, _ = self
        return tuple(
            [
                make(Hold, (hold_id, reservation_id, screening_id, seat_id, holder, at, expires_at, 0, note))
                for hold_id, seat_id in enumerate(seat_ids, reservation_id)
            ]
        )

    def hold_of(self, seat_id: int) -> Hold:
        """The hold of one of the seats."""
        screening_id, _, _, at, holder, reservation_id, seat_ids, expires_at, note, _, _, _ = self
        hold_id = reservation_id + seat_ids.index(seat_id)
        return make(Hold, (hold_id, reservation_id, screening_id, seat_id, holder, at, expires_at, 0, note))

    @property
    def views(self) -> tuple[SeatView, ...]:
        """The seats as others may see them; made anew every time."""
        return tuple(map(view_of, self.holds))


class HoldEvent(NamedTuple):
    """What happened to holds, one by one.

    Attributes:
        at: when, in seconds since the epoch.
        actor: who did it.
        holds: as they are from now on, or as they were when they ended.
        seats: what others see of them now, without places of ticket types.
        available: seats and places that are free now.
        capacity: seats and places in all.
        origin: the mark of the command, if it had one.
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
        """The seats as others may see them; made anew every time."""
        return tuple(map(view_of, self.seats))


class PlacesHeld(HoldEvent):
    """Free places of ticket types are now held by `actor`."""

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
        """The holds."""
        return self.holds


class HoldsExpired(HoldEvent):
    """Holds lapsed; the seats are free."""

    __slots__ = ()
    kind = cause = "holds_expired"

    @property
    def ended(self) -> tuple[Hold, ...]:
        """The holds."""
        return self.holds


class TicketEvent(NamedTuple):
    """What happened to tickets, as of the commit.

    Attributes:
        at: when it was decided, in seconds since the epoch.
        actor: who did it.
        tickets: as they are from the commit on.
        from_statuses: what each seat was before, parallel to `tickets`.
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
    """Seats were sold, or are to be paid for: one booking."""

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


class TicketsLapsed(TicketEvent):
    """Pending tickets were not paid for in time; their seats are free."""

    __slots__ = ()
    kind = "tickets_lapsed"


Event = (
    SeatsHeld
    | PlacesHeld
    | HoldsExtended
    | HoldsReleased
    | HoldsExpired
    | TicketsIssued
    | TicketsConfirmed
    | TicketsCancelled
    | TicketsLapsed
)
"""Every event. Its class attribute `kind` names it in the log and as the `cause` of what others see."""
