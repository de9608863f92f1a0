"""The things the engine keeps: seats, layouts, ticket types, screenings, holds and tickets, as plain data."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

make = tuple.__new__
"""`make(Hold, (…))` is `Hold(…)` at a third of the price: for what is built for every seat of every hold."""


class Seat(NamedTuple):
    """One seat of a room.

    Attributes:
        id: unique over all rooms.
        row_label: e.g. "A".
        seat_number: number within the row.
        seat_type: name of a seat type, e.g. "standard", "vip", "wheelchair".
        x: distance from the left wall, in seat widths.
        y: distance from the screen, in rows.
    """

    id: int
    room_id: int
    row_label: str
    seat_number: int
    seat_type: str
    x: float
    y: float


class Layout:
    """The seats of a room, immutable and shared by every screening in it.

    Args:
        room_id: the room.
        version: grows whenever the room's seats change.
        seats: the seats in the order in which clients see them.

    Attributes:
        by_id: the seats by id.
        has_all: whether all of some ids are ids of its seats.
    """

    __slots__ = ("__weakref__", "by_id", "has_all", "room_id", "seats", "version")

    def __init__(self, room_id: int, version: int, seats: Iterable[Seat]) -> None:
        self.room_id = room_id
        self.version = version
        self.seats = tuple(seats)
        self.by_id: Mapping[int, Seat] = {seat.id: seat for seat in self.seats}
        self.has_all: Callable[[Iterable[int]], bool] = frozenset(self.by_id).issuperset


class TicketType(NamedTuple):
    """A kind of ticket that is sold by quantity: places that nobody chooses between.

    Attributes:
        id: unique over all events.
        price_cents: price of one.
        capacity: how many there are.
        max_per_order: how many one reservation may have.
        sales_start: from when on it is reserved, in seconds since the epoch; None for always.
        sales_end: until when.
        closed: whether nothing more of it is reserved.
    """

    id: int
    price_cents: int
    capacity: int
    max_per_order: int
    sales_start: float | None = None
    sales_end: float | None = None
    closed: bool = False


class ScreeningInfo(NamedTuple):
    """What does not change while a screening sells.

    Attributes:
        starts_at: seconds since the epoch; from then on nothing is sold.
        ends_at: seconds since the epoch.
        price_cents: price of a standard seat.
        surcharges_cents: what a seat type costs beyond it, by seat type.
        ticket_types: what it sells by quantity, by id.
        free_seats: how many seats may be taken that no layout has, each by its name; 0 for a real room.
        seated: whether there are seats that somebody may see and choose. An event has none: whoever asks for
            them is not told that it exists.
    """

    id: int
    starts_at: float
    ends_at: float
    price_cents: int
    surcharges_cents: Mapping[str, int]
    ticket_types: Mapping[int, TicketType] = MappingProxyType({})
    free_seats: int = 0
    seated: bool = True

    def price_of(self, seat: Seat) -> int:
        """Price of a seat in cents."""
        return self.price_cents + self.surcharges_cents.get(seat.seat_type, 0)


class Hold(NamedTuple):
    """A time-limited claim on one seat or place. All times are seconds since the epoch.

    Attributes:
        reservation_id: id of the first hold that was made together with this one.
        seat_id: a seat; below zero what no layout has (`engine.places`).
        note: what its maker wants kept with it; the engine does not look at it.
    """

    id: int
    reservation_id: int
    screening_id: int
    seat_id: int
    holder: str
    reserved_at: float
    expires_at: float
    extensions: int = 0
    note: str | None = None


class StoredReservation(NamedTuple):
    """Places that were held together, as they are stored. All times are seconds since the epoch.

    Attributes:
        screening_id: the event.
        quantity: how many places.
        status: "active", "expired", "released" or "converted".
    """

    screening_id: int
    reservation_id: int
    ticket_type_id: int
    quantity: int
    holder: str
    reserved_at: float
    expires_at: float
    note: str | None
    status: str


class ReservationStatistics(NamedTuple):
    """How many reservations of places there are and were.

    Attributes:
        active: that can still be bought.
        overdue: whose time is over, and which are just about to be released.
        expired: whose time was over.
        converted: that became tickets.
        released: that were given back.
        next_expiry: when the first active one expires, in seconds since the epoch; None if there is none.
    """

    active: int
    overdue: int
    expired: int
    converted: int
    released: int
    next_expiry: float | None


class TicketStatus(StrEnum):
    """State of a ticket. `PENDING` and `CONFIRMED` tickets are live: their seat is taken."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"
    LAPSED = "lapsed"


class Ticket(NamedTuple):
    """A sold seat, or one that is sold as soon as its payment is confirmed.

    Attributes:
        booking_id: id of the first ticket that was issued together with this one.
        seat_id: as in a hold.
        holder: whom it belongs to.
        booked_at: seconds since the epoch, as every other time here.
        payment_deadline: when a pending ticket lapses; None once it is confirmed.
        code: by which it is named where it is shown, unique over all tickets.
        paper: what its seller wants kept with it; the engine does not look at it.
    """

    id: int
    booking_id: int
    screening_id: int
    seat_id: int
    holder: str
    price_cents: int
    status: TicketStatus
    booked_at: float
    confirmed_at: float | None = None
    cancelled_at: float | None = None
    payment_id: str | None = None
    payment_deadline: float | None = None
    code: str | None = None
    paper: bytes | None = None


class Paper(NamedTuple):
    """What a ticket is issued with.

    Attributes:
        code: unique over all tickets.
        content: kept with the ticket as it is; whoever sells encrypts what is private.
    """

    code: str
    content: bytes


class Receipt(NamedTuple):
    """Under which idempotency key the answer to a durable command is to be kept.

    Attributes:
        scope: whose key it is, e.g. "user:7".
        key: the caller's key.
        fingerprint: digest of the request; another request under the same key is refused.
        form: names how the reply is written down for a repeat of the request.
    """

    scope: str
    key: str
    fingerprint: bytes
    form: str


class IdempotencyRecord(NamedTuple):
    """An answer that a repeat of its request gets again."""

    scope: str
    key: str
    fingerprint: bytes
    status: int
    body: bytes
