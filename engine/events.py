"""What happened to a screening: domain events, past tense, as they go to the journal.

One counter per screening, `seq`, numbers everything that happens to it within an epoch. An event
about holds is true at once, and others see it under its own number. An event about tickets is true
when its batch has committed; the change of the seats is then shown under a later number of the
same counter. So (epoch, seq) orders both the log and what clients see, and gaps are normal.
"""

from typing import NamedTuple

from engine.records import Hold, Ticket
from engine.seat_states import SeatStatus

SYSTEM = "system"
"""The actor of what happens by itself, such as a hold that lapses."""


class HoldEvent(NamedTuple):
    """What happened to holds.

    Attributes:
        at: when, in seconds since the epoch.
        actor: who did it.
        holds: as they are from now on, or as they were when they ended.
    """

    screening_id: int
    epoch: int
    seq: int
    at: float
    actor: str
    holds: tuple[Hold, ...]


class SeatsHeld(HoldEvent):
    """Free seats are now held by `actor`."""

    __slots__ = ()
    kind = "seats_held"


class HoldsExtended(HoldEvent):
    """Holds have later deadlines."""

    __slots__ = ()
    kind = "holds_extended"


class HoldsReleased(HoldEvent):
    """Holds were given back; the seats are free."""

    __slots__ = ()
    kind = "holds_released"


class HoldsExpired(HoldEvent):
    """Holds lapsed; the seats are free."""

    __slots__ = ()
    kind = "holds_expired"


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
    | HoldsExtended
    | HoldsReleased
    | HoldsExpired
    | TicketsIssued
    | TicketsConfirmed
    | TicketsCancelled
    | TicketsLapsed
)
"""Every event. Its class attribute `kind` names it in the log and as the `cause` of what others see."""
