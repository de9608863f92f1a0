"""What others see of a screening: its seats one by one, all of them at one moment, and changes of them."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from engine.records import Hold, Layout, Ticket, TicketStatus, make


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


class SeatsChanged(Protocol):
    """What one decision made visible: a hold event, or `SeatsShown`."""

    @property
    def screening_id(self) -> int:
        """The screening."""

    @property
    def epoch(self) -> int:
        """The ownership period of the screening."""

    @property
    def seq(self) -> int:
        """Grows with every change of an epoch; gaps are normal."""

    @property
    def at(self) -> float:
        """When, in seconds since the epoch."""

    @property
    def cause(self) -> str:
        """Name of what happened, e.g. "seats_held", "tickets_issued"."""

    @property
    def views(self) -> tuple[SeatView, ...]:
        """The seats that changed, as they are from then on, without places of ticket types.

        Most changes are seen by nobody, so the views are made anew whenever they are asked for.
        """

    @property
    def available(self) -> int:
        """Seats and places that are free now."""

    @property
    def capacity(self) -> int:
        """Seats and places in all."""

    @property
    def origin(self) -> str | None:
        """The mark of the command that caused the change, if it had one."""

    @property
    def ended(self) -> tuple[Hold, ...]:
        """Holds that were released or expired by it."""


class SeatsShown(NamedTuple):
    """A change that is no hold event, as `SeatsChanged` describes it.

    Attributes:
        seats: those that changed. They are immutable, so they show the seats as they were then.
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
