"""Seats, layouts, ticket types, screenings, holds and tickets: plain data."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from math import inf
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from engine.sale_rules import NO_RULES, SaleRules
from engine.seat_states import SeatStatus

Derived = TypeVar("Derived")

make = tuple.__new__
"""`make(Hold, (…))` does what `Hold(…)` does in a third of the time. For records that are made per hold."""


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


class Area(NamedTuple):
    """A rectangle in a room: a section or an aisle. The sides are in the units of `Seat.x` and `Seat.y`.

    Attributes:
        top: the side towards the screen.
        name: of a section.
    """

    left: float
    top: float
    right: float
    bottom: float
    name: str = ""

    def has(self, seat: Seat) -> bool:
        """Return whether the centre of a seat is inside the area or on its edge."""
        return self.left <= seat.x <= self.right and self.top <= seat.y <= self.bottom


class Focus(NamedTuple):
    """Defines the best seats of a room: those in the preferred rows, then those nearest to a point.

    Attributes:
        x, y: the point, in the units of `Seat.x` and `Seat.y`.
        rows: labels of the preferred rows; none if distance alone counts.
    """

    x: float
    y: float
    rows: frozenset[str] = frozenset()


class Layout:
    """The seats of a room, immutable and shared by every screening in it.

    Args:
        room_id: the room.
        version: increases whenever the room's seats, sections or aisles change.
        seats: the seats in the order in which clients see them.
        sections: named parts of the room.
        aisles: seats on both sides of one are not next to each other.
        focus: which seats are the best; None for a default.

    Attributes:
        by_id: the seats by id.
        has_all: returns True if it has all seats of some ids.
    """

    __slots__ = (
        "__weakref__",
        "_derived",
        "aisles",
        "by_id",
        "focus",
        "has_all",
        "room_id",
        "seats",
        "sections",
        "version",
    )

    def __init__(
        self,
        room_id: int,
        version: int,
        seats: Iterable[Seat],
        sections: Iterable[Area] = (),
        aisles: Iterable[Area] = (),
        focus: Focus | None = None,
    ) -> None:
        self.room_id = room_id
        self.version = version
        self.seats = tuple(seats)
        self.sections = tuple(sections)
        self.aisles = tuple(aisles)
        self.focus = focus
        self.by_id: Mapping[int, Seat] = {seat.id: seat for seat in self.seats}
        self.has_all: Callable[[Iterable[int]], bool] = frozenset(self.by_id).issuperset
        self._derived: dict[Any, Any] = {}

    def derived(self, make: "Callable[[Layout], Derived]") -> Derived:
        """Return `make(layout)`, which is called once for all screenings of the room."""
        if make not in self._derived:
            self._derived[make] = make(self)
        result: Derived = self._derived[make]
        return result


class TicketType(NamedTuple):
    """A kind of ticket that is sold by quantity, without a choice of places.

    Attributes:
        id: unique over all events.
        price_cents: price of one ticket.
        capacity: number of tickets.
        max_per_order: highest number of tickets in a reservation.
        sales_start: sales open at this time, in seconds since the epoch; None for always.
        sales_end: sales close at this time; None for never.
        closed: True if sales have been closed by hand.
        max_per_user: highest number of tickets that one person may hold and have bought; None for any.
    """

    id: int
    price_cents: int
    capacity: int
    max_per_order: int
    sales_start: float | None = None
    sales_end: float | None = None
    closed: bool = False
    max_per_user: int | None = None


class ScreeningInfo(NamedTuple):
    """The properties of a screening that do not change while it is in memory.

    Attributes:
        starts_at: sales close at this time, in seconds since the epoch.
        ends_at: in seconds since the epoch.
        price_cents: price of a standard seat.
        surcharges_cents: surcharges by seat type.
        ticket_types: what it sells by quantity, by id.
        free_seats: highest number of named seats in a free room; 0 for a room with a layout.
        seated: True if it has a seat map. An event has none: a request for its seats is answered as if it did
            not exist.
        rules: how it is sold.
        moves_until: until then holders may move their tickets, in seconds since the epoch; infinity for the
            start of the screening, minus infinity for never.
    """

    id: int
    starts_at: float
    ends_at: float
    price_cents: int
    surcharges_cents: Mapping[str, int]
    ticket_types: Mapping[int, TicketType] = MappingProxyType({})
    free_seats: int = 0
    seated: bool = True
    rules: SaleRules = NO_RULES
    moves_until: float = inf

    def price_of(self, seat: Seat) -> int:
        """Price of a seat in cents."""
        return self.price_of_type(seat.seat_type)

    def price_of_type(self, seat_type: str) -> int:
        """Price of the seats of a type in cents."""
        return self.price_cents + self.surcharges_cents.get(seat_type, 0)


class Hold(NamedTuple):
    """A time-limited claim on one seat or place. All times are seconds since the epoch.

    Attributes:
        reservation_id: id of the first hold that was made together with this one.
        seat_id: a seat; negative for places and named seats, which no layout has (`engine.places`).
        note: the note of the command; the engine does not interpret it.
        price_cents: the price of the seat or place when it was held, at which it is sold; None if an earlier
            release made the hold.
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
    price_cents: int | None = None


class Block(NamedTuple):
    """Seats or places that an organiser keeps back. All times are seconds since the epoch.

    Attributes:
        label: its name, for organisers.
        kind: "house" for seats that are sold at the counter only; "kill" for seats that nobody can have;
            "channel" for seats of those who have access to a channel.
        seat_ids: its seats or places, also those that somebody holds or has bought; empty after its release.
        created_by: who has made it.
        channel: name of the channel; None for other kinds.
        release_at: when it is released by itself; None for never.
    """

    id: int
    screening_id: int
    label: str
    kind: str
    seat_ids: tuple[int, ...]
    created_at: float
    created_by: str
    channel: str | None = None
    release_at: float | None = None

    @property
    def key(self) -> str | None:
        """Key that a command needs in its `access` to take the seats; None for seats that nobody can have."""
        if self.kind == KILL:
            return None
        return self.kind if self.channel is None else channel_key(self.channel)


HOUSE, KILL, CHANNEL = "house", "kill", "channel"
"""The kinds of blocks."""


def channel_key(channel: str) -> str:
    """The key of the blocks of a channel; see `Block.key`."""
    return f"{CHANNEL}:{channel}"


class StoredReservation(NamedTuple):
    """Places that were held together, as stored. All times are seconds since the epoch.

    Attributes:
        screening_id: the event.
        quantity: number of places.
        status: "active", "expired", "released" or "converted".
        price_cents: of one place, as in `Hold`.
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
    price_cents: int | None


class ReservationStatistics(NamedTuple):
    """Numbers of reservations of places, by state.

    Attributes:
        active: can still be bought.
        overdue: have expired and are about to be released.
        expired: have expired and were released.
        converted: were bought.
        released: were released by their holder.
        next_expiry: when the first active one expires, in seconds since the epoch; None without active ones.
    """

    active: int
    overdue: int
    expired: int
    converted: int
    released: int
    next_expiry: float | None


class TicketStatus(StrEnum):
    """State of a ticket. `PENDING` and `CONFIRMED` tickets are live: they occupy their seat."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"
    LAPSED = "lapsed"


class Ticket(NamedTuple):
    """A sold seat or place, or one whose payment is pending. All times are seconds since the epoch.

    Attributes:
        booking_id: id of the first ticket that was issued together with this one; a ticket that replaces a
            lapsed one has its booking.
        seat_id: as in a hold.
        holder: the owner.
        payment_deadline: when a pending ticket lapses; None once it is confirmed.
        code: identifies it where it is shown; unique over all tickets.
        paper: what is printed on it; the engine does not interpret it.
        held_at: when its seat was held before it was booked; None if it was free.
        sold_by: who has sold it or confirmed its payment, if that was not its holder.
        free_because: why it was given away; None if it was not.
        paid: how many cents of which payments were kept for a ticket that has been moved, oldest first; None
            if it never was, so that `payment_id` has paid its price.
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
    held_at: float | None = None
    sold_by: str | None = None
    free_because: str | None = None
    paid: tuple[tuple[str, int], ...] | None = None


class Arrival(NamedTuple):
    """Seats that their screening keeps for tickets of another screening, for a few seconds.

    Attributes:
        screening_id, epoch, seq: the place of the move in the order of the screening that has the seats.
        tickets: as they are after the move, but for `paid`.
        from_statuses: of the seats.
        converted: the holds that the tickets replace.
    """

    screening_id: int
    epoch: int
    seq: int
    tickets: tuple[Ticket, ...]
    from_statuses: tuple[SeatStatus, ...]
    converted: tuple[Hold, ...] = ()


class Owed(NamedTuple):
    """Amount to be refunded to a payment because a ticket has become cheaper."""

    ticket_id: int
    payment_id: str
    amount_cents: int


class UnusablePayment(NamedTuple):
    """A payment for seats that its payer cannot have.

    Attributes:
        amount_cents: what was paid; 0 if that is not known.
        reason: code of the error that refused it.
        ticket: the ticket that it was to confirm, if there was one.
        vouched_by: who has vouched for the payment; None if only the payer has named it.
        seat_ids: the seats that it was meant for, if there was no ticket.
        currency: of the amount; None for that of all prices.
    """

    payment_id: str
    screening_id: int
    holder: str
    amount_cents: int
    reason: str
    ticket: Ticket | None = None
    vouched_by: str | None = None
    seat_ids: Sequence[int] = ()
    currency: str | None = None


class Refund(NamedTuple):
    """Amount that is owed, or was paid back, for a payment.

    Attributes:
        ticket_id: the ticket it is for; None if the payment has issued no tickets.
        reason: "ticket_cancelled", "ticket_moved" to a cheaper seat, or the code of the error that refused
            the payment.
        booking_id: the booking of the ticket.
        currency: of the amount; None for that of all prices.
    """

    id: int
    payment_id: str
    screening_id: int
    ticket_id: int | None
    holder: str
    amount_cents: int
    reason: str
    booking_id: int | None
    currency: str | None = None


class Paper(NamedTuple):
    """The code of a new ticket, and the text that is printed on it.

    Attributes:
        code: unique over all tickets.
        content: stored as it is; the caller encrypts private content.
    """

    code: str
    content: bytes


class Receipt(NamedTuple):
    """The idempotency key under which the answer to a durable command is stored.

    Attributes:
        scope: the owner of the key, e.g. "user:7".
        key: the caller's key.
        fingerprint: digest of the request; another request with the same key is rejected.
        form: name of the format in which the answer is stored.
    """

    scope: str
    key: str
    fingerprint: bytes
    form: str


class IdempotencyRecord(NamedTuple):
    """A stored answer, which a repeated request gets again."""

    scope: str
    key: str
    fingerprint: bytes
    status: int
    body: bytes
