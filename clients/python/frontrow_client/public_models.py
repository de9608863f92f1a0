"""Models of events, tickets by quantity, and tickets at the door, as the server returns them.

In the JSON of the public API names are in camelCase; here they are in snake_case like all others.
"""

from datetime import datetime
from typing import Any

import msgspec

from frontrow_client.models import Model


class PublicModel(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of the models of the public API."""


class EventPresale(PublicModel, frozen=True, kw_only=True, rename="camel"):
    """The opening of sales for the buyers of a channel."""

    channel: str
    sales_start: datetime


class TicketCounts(PublicModel, frozen=True, kw_only=True, rename="camel"):
    """Numbers of tickets. `lapsing` has, by seconds, how many reserved ones are free again by then."""

    total: int
    sold: int
    reserved: int
    available: int
    lapsing: dict[str, int]
    blocked: int = 0
    sales_start: datetime | None = None
    sales_end: datetime | None = None


class TicketAvailability(TicketCounts, frozen=True, kw_only=True, rename="camel"):
    """Numbers of tickets of a type, at the time of the server's clock."""

    server_time: datetime


class TicketType(TicketCounts, frozen=True, kw_only=True, rename="camel"):
    """A type of tickets of an event."""

    id: str
    name: str
    price: float
    on_sale: bool
    description: str = ""
    max_per_order: int | None = None
    max_per_user: int | None = None


class Event(PublicModel, frozen=True, kw_only=True, rename="camel"):
    """An event with tickets by quantity.

    Only a single event has `ticket_types`, and administrators see `private`.
    """

    id: str
    title: str
    description: str
    venue: str
    start_date: datetime
    end_date: datetime
    time_zone: str
    closed: bool
    sales_start: datetime | None = None
    sales_end: datetime | None = None
    presales: list[EventPresale] = []
    max_per_user: int | None = None
    ticket_types: list[TicketType] = []
    private: bool = False
    invited_user_ids: list[str] = []


class TicketTypeRecord(PublicModel, frozen=True, kw_only=True, rename="camel"):
    """A type of tickets as administrators see it."""

    id: str
    event_id: str
    name: str
    description: str
    price: float
    capacity: int
    max_per_order: int
    max_per_user: int | None
    sales_start: datetime | None
    sales_end: datetime | None
    closed_at: datetime | None


class ReservedTicketType(PublicModel, frozen=True, kw_only=True, rename="camel"):
    """The type of reserved tickets, at the agreed price."""

    id: str
    name: str
    price: float


class TicketReservation(PublicModel, frozen=True, kw_only=True, rename="camel"):
    """Tickets that are reserved until `expires_at`; base countdowns on `remaining_seconds`."""

    id: str
    code: str
    ticket_type_id: str
    quantity: int
    reserved_at: datetime
    expires_at: datetime
    remaining_seconds: int
    status: str  # ACTIVE, EXPIRED, CONVERTED, CANCELLED
    price: float
    total_price: float
    ticket_type: ReservedTicketType
    metadata: dict[str, Any] | None = None


class TicketReservations(PublicModel, frozen=True, kw_only=True, rename="camel"):
    """The answer to one or several orders."""

    expires_at: datetime
    remaining_seconds: int
    reservation: TicketReservation | None = None
    reservations: list[TicketReservation] = []

    @property
    def all(self) -> list[TicketReservation]:
        """The reservations, in the order of the orders."""
        return self.reservations if self.reservation is None else [self.reservation]


class Person(PublicModel, frozen=True, kw_only=True, rename="camel"):
    """A buyer or ticket holder. `whatsapp` is a telephone number with its country code."""

    full_name: str
    identity_type: str
    identity_number: str
    email: str
    whatsapp: str


class PurchasedTicket(PublicModel, frozen=True, kw_only=True, rename="camel"):
    """A bought ticket.

    `qr_code` is the text of its QR code, `qr_code_svg` and `qr_code_png` are pictures of it.
    """

    id: str
    code: str
    ticket_type_id: str
    status: str  # PENDING, CONFIRMED, CANCELLED, LAPSED
    price: float
    booked_at: datetime
    payment_deadline: datetime | None = None
    qr_code: str | None = None
    qr_code_png: str | None = None
    qr_code_svg: str | None = None


class Purchase(PublicModel, frozen=True, kw_only=True, rename="camel"):
    """A purchase, which may be repeated and then returns the same tickets."""

    reservation: TicketReservation
    tickets: list[PurchasedTicket]
    total_price: float


class ShownTicket(PublicModel, frozen=True, kw_only=True, rename="camel"):
    """A ticket as its owner sees it, for a seat (`screening_id`) or an event (`event_id`)."""

    id: str
    booking_id: str
    status: str  # pending, confirmed, cancelled, lapsed
    title: str
    place: str | None
    room: str | None
    venue: str | None
    address: str
    starts_at: datetime | None
    ends_at: datetime | None
    time_zone: str
    price: float
    code: str
    payment_deadline: datetime | None
    admitted_at: datetime | None
    screening_id: str | None
    event_id: str | None


class Guest(PublicModel, frozen=True, kw_only=True, rename="camel"):
    """Name and address of a guest."""

    email: str
    full_name: str


class GuestToken(PublicModel, frozen=True, kw_only=True, rename="camel"):
    """The token of a guest. `expires_in` is its life in seconds."""

    access_token: str
    expires_in: int


class ScannedTicket(Model, frozen=True, kw_only=True):
    """A ticket at the door. `inside` says whether its holder is inside now."""

    ticket_id: int
    screening_id: int
    title: str
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    place: str | None
    seat_id: int | None
    row_label: str | None
    seat_number: int | None
    ticket_type: str | None
    holder: str | None
    admitted_at: datetime | None
    gate: str | None
    inside: bool
    entries: int


class Admission(ScannedTicket, frozen=True, kw_only=True):
    """The answer to a scan."""

    result: str  # admitted, left, undone


class OfflineScan(Model, frozen=True, kw_only=True):
    """A scan that was made without a connection. `scan_id` is different for each scan of a scanner."""

    scan_id: str
    code: str
    gate: str
    scanned_at: datetime
    direction: str = "in"
    screening_id: int | None = None


class ScanResult(Model, frozen=True, kw_only=True):
    """The result of a scan that was reported later: see `docs/tickets.md`."""

    scan_id: str
    result: str
    repeated: bool
    other_at: datetime | None
    other_gate: str | None
    ticket: ScannedTicket | None


class GateCount(Model, frozen=True, kw_only=True):
    """Number of those who were admitted at a gate."""

    gate: str
    admitted: int


class AdmissionCounts(Model, frozen=True, kw_only=True):
    """Numbers of those who are expected, were admitted and are inside."""

    expected: int
    admitted: int
    inside: int
    conflicts: int
    gates: list[GateCount]


class ExpectedTicket(Model, frozen=True, kw_only=True):
    """A ticket that scanners have to expect, without the data of its holder."""

    ticket_id: int
    place: str | None
    code_sha256: str
    admitted_at: datetime | None
    gate: str | None
