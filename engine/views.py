"""A screening as others see it: single seats, the seat map, and changes."""

from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol

from engine.records import Hold, Layout, Ticket, TicketStatus, make
from engine.sale_rules import ALWAYS, Window


class SeatView(NamedTuple):
    """A seat as others see it.

    Attributes:
        status: "available", "reserved" or "booked".
        holder: who has reserved or bought it.
        expires_at: when the reservation ends, in seconds since the epoch, if it does.
        previous_holder: the last holder, whose hold expired or was released; until the seat is next held.
        reserved_at: when it was held, in seconds since the epoch, if it is held.
        note: the note of its hold.
        price_cents: what its holder has agreed to pay, if it is reserved; not for others to see.
        blocked: True for a seat of a block that nobody has; its status is "booked".
        key: of that block (`Block.key`).
    """

    seat_id: int
    status: str
    holder: str | None = None
    expires_at: float | None = None
    previous_holder: str | None = None
    reserved_at: float | None = None
    note: str | None = None
    price_cents: int | None = None
    blocked: bool = False
    key: str | None = None

    def open_to(self, access: Collection[str]) -> bool:
        """Return whether the seat is kept back for somebody who has access to these blocks."""
        return self.blocked and self.key in access


class SeatMap(NamedTuple):
    """All seats of a screening as of (epoch, seq).

    Attributes:
        layout: the seats, shared between screenings.
        views: seats by id; those that are absent are available and had no previous holder. Places of ticket
            types are not included.
        window: when the screening is on sale.
    """

    screening_id: int
    epoch: int
    seq: int
    layout: Layout
    views: Mapping[int, SeatView]
    window: Window = ALWAYS

    def with_access(self, access: Collection[str]) -> "SeatMap":
        """The seats as somebody sees them who has access to blocks; see `view_with`."""
        if not access:
            return self
        seen = {seat_id: view for seat_id, view in self.views.items() if not view.open_to(access)}
        return self._replace(views=seen)


Shown = Hold | Ticket | SeatView
"""Something of which a `SeatView` can be made. Immutable."""


def view_of(shown: Shown) -> SeatView:
    if isinstance(shown, Hold):
        _, _, _, seat_id, holder, reserved_at, expires_at, _, note, price_cents = shown
        row = (seat_id, "reserved", holder, expires_at, None, reserved_at, note, price_cents, False, None)
        return make(SeatView, row)
    if isinstance(shown, SeatView):
        return shown
    if shown.status is TicketStatus.PENDING:
        deadline, price_cents = shown.payment_deadline, shown.price_cents
        return SeatView(shown.seat_id, "reserved", shown.holder, deadline, price_cents=price_cents)
    return SeatView(shown.seat_id, "booked", shown.holder)


def view_of_kept(seat_id: int, key: str | None) -> SeatView:
    """A seat of a block that nobody has, as others see it; `key` is that of the block."""
    return SeatView(seat_id, "booked", blocked=True, key=key)


def view_with(access: Collection[str], view: SeatView) -> SeatView:
    """A seat as somebody sees it who has access to blocks: it is available if it is kept back for them."""
    return SeatView(view.seat_id, "available") if view.open_to(access) else view


class SeatsChanged(Protocol):
    """One decision as watchers see it: a hold event, or `SeatsShown`."""

    @property
    def screening_id(self) -> int: ...

    @property
    def epoch(self) -> int: ...

    @property
    def seq(self) -> int:
        """Increases with every change of an epoch; gaps are normal."""

    @property
    def at(self) -> float:
        """In seconds since the epoch."""

    @property
    def cause(self) -> str:
        """For example "seats_held" or "tickets_issued"."""

    @property
    def views(self) -> tuple[SeatView, ...]:
        """The seats that changed, without places of ticket types.

        Most changes have no watchers, so the views are made on demand, anew every time.
        """

    @property
    def available(self) -> int:
        """Number of seats and places that are free after the change."""

    @property
    def capacity(self) -> int:
        """Number of seats and places."""

    @property
    def origin(self) -> str | None:
        """The `origin` of the command that caused the change, if any."""

    @property
    def ended(self) -> tuple[Hold, ...]:
        """The holds that were released or have expired."""


STATE_HASHED = "state_hashed"
"""The cause of a change that changes nothing: it has the hash of what everybody sees."""


class _StateHashed(NamedTuple):
    screening_id: int
    epoch: int
    seq: int
    at: float
    hash: str
    taken: int
    available: int = 0
    capacity: int = 0


class StateHashed(_StateHashed):
    """The hash of what everybody sees after all changes before; see `SeatsChanged`.

    Attributes:
        hash: `engine.state_hash.picture_hash`.
        taken: number of seats that are reserved or booked.
    """

    __slots__ = ()
    cause = STATE_HASHED
    views: tuple[SeatView, ...] = ()
    origin: str | None = None
    ended: tuple[Hold, ...] = ()


ALL_SEATS_SHOWN = "all_seats_shown"
"""The cause of a change that shows all seats, to watchers that have missed earlier changes."""


STOCK_SHOWN = "stock_shown"
"""The cause of the first change after the screening's seats, times, price or room have changed."""

SCREENING_CANCELLED = "screening_cancelled"
"""The cause of the change after which a screening sells nothing more, because it is cancelled or deleted."""

ALTERING = frozenset((STOCK_SHOWN, ALL_SEATS_SHOWN))
"""Causes after which the screening may have other seats, times, prices or another room than before."""


class SeatsShown(NamedTuple):
    """A change that is no hold event; see `SeatsChanged`.

    Attributes:
        seats: those that changed, as they were then.
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
        """The seats as others see them; computed at each call."""
        return tuple(map(view_of, self.seats))
