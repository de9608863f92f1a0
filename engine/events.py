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


class SeatsHeld(NamedTuple):
    """Free seats are now held by `actor`."""

    screening_id: int
    epoch: int
    seq: int
    at: float
    actor: str
    holds: tuple[Hold, ...]


class HoldsExtended(NamedTuple):
    """Holds have later deadlines."""

    screening_id: int
    epoch: int
    seq: int
    at: float
    actor: str
    holds: tuple[Hold, ...]


class HoldsReleased(NamedTuple):
    """Their holder gave holds back; the seats are free."""

    screening_id: int
    epoch: int
    seq: int
    at: float
    actor: str
    holds: tuple[Hold, ...]


class HoldsExpired(NamedTuple):
    """Holds lapsed; the seats are free."""

    screening_id: int
    epoch: int
    seq: int
    at: float
    actor: str
    holds: tuple[Hold, ...]


class TicketsIssued(NamedTuple):
    """Seats were sold, or are to be paid for: one booking.

    Attributes:
        tickets: with the status they have from the commit on.
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
    converted: tuple[Hold, ...]


class TicketsConfirmed(NamedTuple):
    """Pending tickets were paid for."""

    screening_id: int
    epoch: int
    seq: int
    at: float
    actor: str
    tickets: tuple[Ticket, ...]
    from_statuses: tuple[SeatStatus, ...]


class TicketsCancelled(NamedTuple):
    """Live tickets were cancelled; their seats are free."""

    screening_id: int
    epoch: int
    seq: int
    at: float
    actor: str
    tickets: tuple[Ticket, ...]
    from_statuses: tuple[SeatStatus, ...]


class TicketsLapsed(NamedTuple):
    """Pending tickets were not paid for in time; their seats are free."""

    screening_id: int
    epoch: int
    seq: int
    at: float
    actor: str
    tickets: tuple[Ticket, ...]
    from_statuses: tuple[SeatStatus, ...]


HoldEvent = SeatsHeld | HoldsExtended | HoldsReleased | HoldsExpired
TicketEvent = TicketsIssued | TicketsConfirmed | TicketsCancelled | TicketsLapsed
Event = HoldEvent | TicketEvent

KINDS: dict[type, str] = {
    SeatsHeld: "seats_held",
    HoldsExtended: "holds_extended",
    HoldsReleased: "holds_released",
    HoldsExpired: "holds_expired",
    TicketsIssued: "tickets_issued",
    TicketsConfirmed: "tickets_confirmed",
    TicketsCancelled: "tickets_cancelled",
    TicketsLapsed: "tickets_lapsed",
}
"""Names of the events, in the log and as the `cause` of what clients see."""
