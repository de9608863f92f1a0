"""What a screening answers and what it lets others see: plain data."""

from collections.abc import Mapping
from typing import NamedTuple

from engine.records import Hold, Layout, Ticket, TicketStatus, make


class Held(NamedTuple):
    """The caller's holds on the seats that were named, in the order in which they were named."""

    holds: tuple[Hold, ...]


class Reserved(NamedTuple):
    """The holds of each reservation, in the order of the orders."""

    reservations: tuple[tuple[Hold, ...], ...]


class Toggled(NamedTuple):
    """What a toggle has held and what it has released."""

    held: tuple[Hold, ...]
    released: tuple[Hold, ...]


class Released(NamedTuple):
    """The holds that were given back."""

    holds: tuple[Hold, ...]


class Booked(NamedTuple):
    """The tickets, committed, in the order in which their seats were named."""

    tickets: tuple[Ticket, ...]


class Cancelled(NamedTuple):
    """The ticket, cancelled and committed."""

    ticket: Ticket


class Cleared(NamedTuple):
    """What a cancelled screening had sold and held: the tickets are cancelled and committed."""

    tickets: tuple[Ticket, ...]
    holds: tuple[Hold, ...]


class Lapsed(NamedTuple):
    """How many holds and pending tickets lapsed."""

    number: int


class SeatView(NamedTuple):
    """A seat as others may see it.

    Attributes:
        status: "available", "reserved" or "booked".
        holder: whom it is reserved for or sold to.
        expires_at: when the reservation ends, in seconds since the epoch; None if it does not.
        previous_holder: whose hold lapsed or was released, until the seat is next held.
        reserved_at: since when it is reserved, in seconds since the epoch; None if it is not held.
        note: what was to be kept with its hold.
    """

    seat_id: int
    status: str
    holder: str | None = None
    expires_at: float | None = None
    previous_holder: str | None = None
    reserved_at: float | None = None
    note: str | None = None


class SeatMap(NamedTuple):
    """All seats of a screening as of (epoch, seq).

    Attributes:
        layout: the seats, shared between screenings.
        views: what is to be said about seats by id; a seat that is not in it is simply available. Places
            of ticket types are not seen one by one.
    """

    screening_id: int
    epoch: int
    seq: int
    layout: Layout
    views: Mapping[int, SeatView]


Shown = Hold | Ticket | SeatView
"""What there is to be seen of a seat: its hold or ticket speaks for itself. Immutable."""


def view_of(shown: Shown) -> SeatView:
    """A seat as others may see it."""
    if isinstance(shown, Hold):
        _, _, _, seat_id, holder, reserved_at, expires_at, _, note = shown
        return make(SeatView, (seat_id, "reserved", holder, expires_at, None, reserved_at, note))
    if isinstance(shown, SeatView):
        return shown
    if shown.status is TicketStatus.PENDING:
        return SeatView(shown.seat_id, "reserved", shown.holder, shown.payment_deadline)
    return SeatView(shown.seat_id, "booked", shown.holder)


class SeatsChanged(NamedTuple):
    """What one decision made visible. `seq` grows with every one; gaps are normal.

    Most changes are seen by nobody, so the views are made only for whoever asks; what they are made of does
    not change any more, so they show the seats as they were then.

    Attributes:
        at: when, in seconds since the epoch.
        cause: name of what happened, e.g. "seats_held", "tickets_issued".
        seats: those that changed, as they are from then on, places of ticket types apart.
        available: seats and places that are free now.
        capacity: seats and places that there are.
        origin: the mark of the command that caused it, if it had one.
        ended: holds that were given back or lapsed by it.
    """

    screening_id: int
    epoch: int
    seq: int
    at: float
    cause: str
    seats: tuple[Shown, ...]
    available: int = 0
    capacity: int = 0
    origin: str | None = None
    ended: tuple[Hold, ...] = ()

    @property
    def views(self) -> tuple[SeatView, ...]:
        """The seats as others may see them; made anew every time."""
        return tuple(map(view_of, self.seats))


class StockLevel(NamedTuple):
    """How much there is of something.

    Attributes:
        total: how many there are.
        sold: how many are sold.
        reserved: how many are held, or on their way to being sold.
    """

    total: int
    sold: int
    reserved: int

    @property
    def available(self) -> int:
        """How many are free."""
        return self.total - self.sold - self.reserved


class Stock(NamedTuple):
    """How much of everything a screening has, as of (epoch, seq).

    Attributes:
        available: seats and places that are free.
        capacity: seats and places that there are.
        ticket_types: by id.
    """

    screening_id: int
    epoch: int
    seq: int
    available: int
    capacity: int
    ticket_types: Mapping[int, StockLevel]


class Changes(NamedTuple):
    """Answer to `ReadChanges`.

    Attributes:
        seq: the screening's last visible change at that moment.
        missed: all changes after the one asked for, oldest first, or None where they are no longer
            known (or of another epoch): then only a whole `SeatMap` helps.
    """

    epoch: int
    seq: int
    missed: tuple[SeatsChanged, ...] | None


Reply = (
    Held | Reserved | Toggled | Released | Booked | Cancelled | Cleared | Lapsed | SeatMap | Stock | Changes
)
