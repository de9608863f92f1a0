"""Entries of waiting lists, and the event for their changes: plain data.

An entry waits for seats of a screening or for places of a ticket type, or asks to be told when one particular
seat is free. Its place in the order is the number of the event that made it, (epoch, seq), which ascends also
when another server has taken the screening over.
"""

from enum import StrEnum
from typing import NamedTuple

from engine.records import Hold
from engine.views import SeatView


class WaitStatus(StrEnum):
    """State of an entry. Entries that are `WAITING` or `OFFERED` are live; the others have ended.

    `TAKEN`: what was offered was bought. `LAPSED`: it was not, in time. `DECLINED`: its holder released it.
    `TOLD`: the seat was free, and its holder was told. `LEFT`: by its holder or an administrator. `CLOSED`:
    sales ended, or its holder has bought so much meanwhile that the organiser allows no more.
    """

    WAITING = "waiting"
    OFFERED = "offered"
    TAKEN = "taken"
    LAPSED = "lapsed"
    DECLINED = "declined"
    TOLD = "told"
    LEFT = "left"
    CLOSED = "closed"


LIVE = (WaitStatus.WAITING, WaitStatus.OFFERED)
"""The statuses of entries that a screening has in memory."""

WAITLIST = "waitlist"
"""The holder of seats and places that are set aside for those who wait."""


class WaitlistEntry(NamedTuple):
    """Somebody who waits. All times are seconds since the epoch.

    Attributes:
        id: unique over all screenings.
        quantity: number of seats or places.
        epoch, seq: number of the event that made it; the order of entries.
        ticket_type_id: the ticket type that it waits for; None for seats.
        seat_id: the seat whose holder wants to be told when it is free; None for an entry that is offered
            seats.
        together: only adjacent seats will do.
        mail: a mail is sent as well, if an address is known.
        reservation_id: the reservation that was offered.
        seat_ids: the seats or places that were offered and have not been released.
        expires_at: when the offer ends, unless its hold is extended.
    """

    id: int
    screening_id: int
    holder: str
    quantity: int
    joined_at: float
    epoch: int
    seq: int
    ticket_type_id: int | None = None
    seat_id: int | None = None
    together: bool = False
    mail: bool = True
    status: WaitStatus = WaitStatus.WAITING
    reservation_id: int | None = None
    seat_ids: tuple[int, ...] = ()
    expires_at: float | None = None


class _Entries(NamedTuple):
    screening_id: int
    epoch: int
    seq: int
    at: float
    actor: str
    entries: tuple[WaitlistEntry, ...]
    news: tuple[int, ...] = ()
    available: int = 0
    capacity: int = 0
    origin: str | None = None


class WaitlistChanged(_Entries):
    """Entries of the waiting list are new, or have another status. It is also a change that watchers see.

    It must not be shown to others: endpoints tell only the holders of its entries.

    Attributes:
        at: in seconds since the epoch.
        actor: who caused it.
        entries: as they are from now on.
        news: ids of those whose holders are told: of new offers, and of seats that are free.
        available: number of seats and places that are free now.
        capacity: number of seats and places.
        origin: None.
    """

    __slots__ = ()
    kind = cause = "waitlist_changed"
    ended: tuple[Hold, ...] = ()
    views: tuple[SeatView, ...] = ()

    @property
    def told(self) -> tuple[WaitlistEntry, ...]:
        """The entries whose holders are told."""
        return tuple([entry for entry in self.entries if entry.id in self.news])
