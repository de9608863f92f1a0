"""Models of screenings, seats and tickets, as the server returns them.

All models are immutable. Fields that a newer server adds are ignored. Values of enumerations are plain
strings, so that a new one is no error; comments name the present ones. Times have a time zone.
"""

from datetime import date, datetime

import msgspec


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all models."""


class Tokens(Model, frozen=True, kw_only=True):
    """A log-in. `expires_in` is the life of the access token in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int


class Profile(Model, frozen=True, kw_only=True):
    """The account of the caller."""

    id: int
    email: str
    full_name: str
    phone: str
    is_admin: bool
    picture_url: str | None
    created_at: datetime
    updated_at: datetime


class Cinema(Model, frozen=True, kw_only=True):
    """A cinema. `time_zone` is that of its screenings."""

    id: int
    name: str
    created_at: datetime
    updated_at: datetime
    city: str = ""
    address: str = ""
    description: str = ""
    phone: str = ""
    amenities: list[str] = []
    latitude: float | None = None
    longitude: float | None = None
    time_zone: str = "UTC"


class Movie(Model, frozen=True, kw_only=True):
    """A film."""

    id: int
    title: str
    average_rating: float | None
    review_count: int
    created_at: datetime
    updated_at: datetime
    description: str = ""
    genre: str = ""
    language: str = ""
    director: str = ""
    rating: str = ""
    imdb_rating: float | None = None
    duration_minutes: int | None = None
    release_date: date | None = None
    poster_url: str | None = None
    trailer_url: str | None = None


class Room(Model, frozen=True, kw_only=True):
    """A room of a cinema. `layout_version` is what a new layout of it is based on."""

    id: int
    cinema_id: int
    name: str
    seat_count: int
    layout_version: int
    created_at: datetime


class Seat(Model, frozen=True, kw_only=True):
    """A seat of a room."""

    id: int
    room_id: int
    row_label: str
    seat_number: int
    seat_type: str = "standard"


class PlacedSeat(Seat, frozen=True, kw_only=True):
    """A seat with its place on the plan of the room, in seat widths."""

    x: float = 0.0
    y: float = 0.0


class SeatPrice(Model, frozen=True, kw_only=True):
    """The price of a type of seats in a screening."""

    seat_type: str
    price: float


class Presale(Model, frozen=True, kw_only=True):
    """The opening of sales for the buyers of a channel."""

    channel: str
    sales_start: datetime


class Showing(Model, frozen=True, kw_only=True):
    """Base of screenings and showtimes.

    `starts_at_local` is the time on the clock of the cinema.
    """

    id: int
    title: str
    movie_id: int | None
    cinema_id: int
    cinema_name: str
    room_id: int
    room_name: str
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    starts_at_local: datetime
    ends_at_local: datetime
    price: float
    language: str
    format: str
    sales_start: datetime | None
    sales_end: datetime | None
    max_per_user: int | None
    presales: list[Presale] = []


class Screening(Showing, frozen=True, kw_only=True):
    """A screening of a film in a room."""

    cancelled_at: datetime | None
    created_at: datetime
    updated_at: datetime
    orphan_rule: str = "off"  # off, warn, enforce
    orphan_share: float = 0.0
    reentry: bool = False
    moves_allowed: bool = True
    moves_until: datetime | None = None


class Showtime(Showing, frozen=True, kw_only=True):
    """A screening as visitors choose it, with the number of seats."""

    city: str
    duration_minutes: int | None
    poster_url: str | None
    total_seats: int
    available_seats: int


class SeatState(Model, frozen=True, kw_only=True):
    """A seat of a screening.

    `status` is available, reserved, reserved_by_me or booked; a seat that is `blocked` is not sold but kept
    back. `price` is what the caller has agreed to pay, for a seat that is reserved by the caller.
    """

    seat: Seat
    status: str
    reserved_by: int | None
    expires_at: datetime | None
    is_mine: bool = False
    blocked: bool = False
    price: float | None = None

    @property
    def is_available(self) -> bool:
        """True if anybody can reserve it."""
        return self.status == "available"


class Scarcity(Model, frozen=True, kw_only=True):
    """Numbers of seats or places of a screening or event that are left, held and waited for.

    `lapsing` says how many of the held ones are free again within "60", "120" and "300" seconds unless they
    are bought.
    """

    screening_id: int
    capacity: int
    available: int
    held: int
    lapsing: dict[str, int]
    waiting: int
    server_time: datetime


class Reservation(Model, frozen=True, kw_only=True):
    """A seat that is reserved until `expires_at`, for `price`."""

    id: int
    screening_id: int
    seat_id: int
    user_id: int
    reserved_at: datetime
    expires_at: datetime
    status: str  # active, expired, released, converted
    price: float | None


class Reserved(Model, frozen=True, kw_only=True):
    """The answer to a reservation.

    `stranded` names seats that are left alone by it, where that is only warned of.
    """

    reservations: list[Reservation]
    expires_in_minutes: int
    message: str
    stranded: list[int] = []

    @property
    def seat_ids(self) -> list[int]:
        """The seats."""
        return [reservation.seat_id for reservation in self.reservations]

    @property
    def total(self) -> float:
        """Total price of the seats."""
        return round(sum(reservation.price or 0.0 for reservation in self.reservations), 2)


class Toggled(Model, frozen=True, kw_only=True):
    """The seats that a toggle has reserved and released."""

    reserved: list[Reservation]
    released: list[Reservation]
    expires_in_minutes: int | None
    message: str
    stranded: list[int] = []


class Ticket(Model, frozen=True, kw_only=True):
    """A ticket for a seat, or for an event: then it has an `event_id` and a `code`."""

    id: int
    booking_id: int
    user_id: int
    screening_id: int
    price: float
    status: str  # pending, confirmed, cancelled, lapsed
    booked_at: datetime
    confirmed_at: datetime | None
    payment_id: str | None
    seat_id: int | None = None
    event_id: int | None = None
    ticket_type_id: int | None = None
    code: str | None = None
    payment_deadline: datetime | None = None
    admitted_at: datetime | None = None


class TicketRecord(Model, frozen=True, kw_only=True):
    """A ticket as administrators see it."""

    id: int
    booking_id: int
    user_id: int | None
    holder: str
    screening_id: int
    price: float
    status: str
    booked_at: datetime
    confirmed_at: datetime | None
    cancelled_at: datetime | None
    payment_deadline: datetime | None
    admitted_at: datetime | None
    payment_id: str | None
    vouched_by: str | None
    sold_by: str | None
    reason: str | None
    seat_id: int | None = None
    event_id: int | None = None
    ticket_type_id: int | None = None
    code: str | None = None


class _AnyRefund(Model, frozen=True, kw_only=True):
    """Base of refunds: the fields that everybody sees."""

    id: int
    payment_id: str
    vouched_by: str | None
    amount: float
    currency: str
    reason: str
    status: str  # owed, settled
    screening_id: int
    booking_id: int | None
    ticket_id: int | None
    owed_at: datetime
    settled_at: datetime | None
    reference: str | None


class OwnRefund(_AnyRefund, frozen=True, kw_only=True):
    """Money owed or paid back to the caller, with the screening or event that it was for."""

    title: str
    place: str | None
    starts_at: datetime | None
    time_zone: str
    starts_at_local: datetime | None


class Refund(_AnyRefund, frozen=True, kw_only=True):
    """Money owed to a buyer, until it is settled with a `reference`."""

    holder: str
    user_id: int | None
    email: str | None


class Offer(Model, frozen=True, kw_only=True):
    """Seats or tickets that are reserved for somebody who has waited for them."""

    reservation_id: int
    ticket_reservation_id: str | None
    seat_ids: list[int]
    expires_at: datetime
    remaining_seconds: int


class WaitlistEntry(Model, frozen=True, kw_only=True):
    """A place in a line. `position` counts from 1; with `seat_id` it waits for news of one seat."""

    id: int
    screening_id: int
    title: str
    starts_at: datetime | None
    ticket_type_id: int | None
    seat_id: int | None
    quantity: int
    together: bool
    status: str  # waiting, offered, taken, lapsed, declined, told, left, closed
    position: int | None
    joined_at: datetime
    offer: Offer | None
