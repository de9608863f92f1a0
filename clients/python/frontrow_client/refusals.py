"""Refusals that have data of their own, or that callers handle in a way of their own.

    ApiError
    ├── InvalidRequest
    │   └── UnknownReference, ScreeningStarted
    ├── NotAuthenticated
    │   └── InvalidCredentials
    ├── NotFound
    │   └── ScreeningNotFound, SeatsNotFound, TicketNotFound, ZoneNotFound
    └── Conflict
        ├── SeatsUnavailable, NoAdjacentSeats, WouldStrandSeat, NotHeld, BookingInProgress
        ├── PersonLimitExceeded, HoldLimitExceeded, GuestLimitExceeded, HoldLifeSpent, ExtensionLimitReached
        ├── SalesClosed
        │   └── SalesNotOpen
        ├── NotEnoughTickets, OrderLimitExceeded, CapacityTooLow
        ├── ReservationEnded
        ├── PriceChanged, PaymentRequired, PaymentAlreadyUsed
        ├── RefundRequired, TooManyRefunds, RefundUnvouched, RefundSettled
        ├── TicketNotPending, TicketNotConfirmed, TicketAdmitted, TicketNotMovable, MovesClosed
        ├── StillAvailable, AlreadyWaiting, WaitlistFull
        ├── ScanRefused
        └── ScreeningCancelled, SeatConflict, SeatsInUse, SeatsTaken, LimitReached

Attributes are filled from the fields of the same names in the refusal, in snake_case. What is missing there
has the value that stands here.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from frontrow_client.errors import Conflict, InvalidRequest, NotAuthenticated, NotFound


class UnknownReference(InvalidRequest, codes="unknown_reference"):
    """A value refers to something that does not exist; `errors` names it."""


class ScreeningStarted(InvalidRequest, codes="screening_started"):
    """The screening has begun."""

    screening_id: int | None = None


class InvalidCredentials(NotAuthenticated, codes="invalid_credentials"):
    """Wrong e-mail address or password."""


class ScreeningNotFound(NotFound, codes="screening_not_found"):
    """There is no such screening."""

    screening_id: int | None = None


class TicketNotFound(NotFound, codes="ticket_not_found"):
    """The caller has no such ticket."""

    ticket_id: int | None = None


class SeatsNotFound(NotFound, codes="seat_not_found"):
    """Some seats are not in the screening's room."""

    seat_ids: Sequence[int] = ()


class ZoneNotFound(NotFound, codes="zone_not_found"):
    """The room has no such section; `zones` lists those that it has."""

    zones: Sequence[str] = ()


class SeatsUnavailable(Conflict, codes="seats_unavailable"):
    """Others have some of the seats, so none was taken.

    Attributes:
        held: seats that are reserved by others and may become free.
        booked: seats that are sold or kept back.
        blocked: those of `booked` that are kept back.
    """

    held: Sequence[int] = ()
    booked: Sequence[int] = ()
    blocked: Sequence[int] = ()


class NoAdjacentSeats(Conflict, codes="no_adjacent_seats"):
    """A party does not fit; `largest` is the size of the largest that does, 0 for none."""

    quantity: int | None = None
    largest: int = 0


class WouldStrandSeat(Conflict, codes="would_strand_seat"):
    """The choice would leave single free seats.

    Attributes:
        stranded: those seats.
        alternatives: up to three choices nearby that are allowed.
    """

    stranded: Sequence[int | str] = ()
    alternatives: Sequence[Sequence[int | str]] = ()


class NotHeld(Conflict, codes="not_held reservation_not_held not_your_reservation"):
    """The caller has not reserved this, or not any more."""

    seat_ids: Sequence[int] = ()


class BookingInProgress(Conflict, codes="booking_in_progress idempotency_key_in_flight"):
    """An earlier request for the same is still being written; ask again shortly."""

    seat_ids: Sequence[int] = ()


class PersonLimitExceeded(Conflict, codes="person_limit_exceeded"):
    """A person would have more than is allowed, over all purchases.

    Attributes:
        limit, held, bought, requested: numbers of seats or tickets.
        ticket_type_id: the ticket type whose limit it is, if not that of the screening or event.
    """

    limit: int = 0
    held: int = 0
    bought: int = 0
    requested: int = 0
    ticket_type_id: int | str | None = None


class HoldLimitExceeded(Conflict, codes="hold_limit_exceeded"):
    """The caller would hold too much at a time."""

    limit: int = 0
    held: int = 0
    requested: int = 0


class GuestLimitExceeded(HoldLimitExceeded, codes="guest_limit_exceeded"):
    """The guests of one network would hold too much at a time."""


class HoldLifeSpent(Conflict, codes="hold_life_spent"):
    """The caller has kept this for as long as is allowed; see `retry_after_seconds`."""


class ExtensionLimitReached(Conflict, codes="extension_limit_reached"):
    """The reservation cannot be extended again, or not by so much."""

    seat_ids: Sequence[int] = ()


class SalesClosed(Conflict, codes="sales_closed"):
    """Nothing is on sale now.

    Attributes:
        sales_start, sales_end: when sales open and close; None for no limit.
        ticket_type_id: the ticket type that is not on sale, if it is about one.
    """

    sales_start: datetime | None = None
    sales_end: datetime | None = None
    ticket_type_id: int | str | None = None


class SalesNotOpen(SalesClosed):
    """Sales have not begun. `retry_after_seconds` says, by the server's clock, how long that takes."""

    @property
    def opens_at(self) -> datetime | None:
        """Time at which sales open."""
        return self.sales_start


class NotEnoughTickets(Conflict, codes="not_enough_tickets"):
    """Fewer tickets are left than requested."""

    requested: int = 0
    available: int = 0
    ticket_type_id: int | str | None = None


class OrderLimitExceeded(Conflict, codes="order_limit_exceeded"):
    """A reservation has at most `limit` tickets of this type."""

    limit: int = 0
    requested: int = 0
    ticket_type_id: int | str | None = None


class CapacityTooLow(Conflict, codes="capacity_too_low"):
    """More is sold and reserved than the new capacity."""

    capacity: int = 0
    sold: int = 0
    reserved: int = 0
    ticket_type_id: int | str | None = None


class ReservationEnded(Conflict, codes="reservation_expired reservation_converted reservation_cancelled"):
    """The reservation has expired, was bought or was cancelled: see `code`."""


class PriceChanged(Conflict, codes="price_changed"):
    """The total is not what the caller expected to pay; nothing was booked."""

    expected: float = 0.0
    actual: float = 0.0


class PaymentRequired(Conflict, codes="payment_required"):
    """The new seats cost `amount` more, which has to be paid first."""

    amount: float = 0.0


class PaymentAlreadyUsed(Conflict, codes="payment_already_used"):
    """The payment was used for another booking."""

    payment_id: str | None = None


class RefundRequired(Conflict, codes="refund_required"):
    """The payment cannot be used, and the server has recorded that it is owed to the buyer.

    Attributes:
        refund_id: the record of what is owed.
        amount: in units of the currency.
        currency: of the amount; None for that of all prices.
        reason: code of the error that prevents the booking.
        held, booked: seats that others have, if that is why.
    """

    refund_id: int = 0
    amount: float = 0.0
    currency: str | None = None
    reason: str = ""
    held: Sequence[int] = ()
    booked: Sequence[int] = ()


class TooManyRefunds(Conflict, codes="too_many_refunds"):
    """Too many refunds that nobody has verified are owed to the user."""

    limit: int = 0


class RefundUnvouched(Conflict, codes="refund_unvouched"):
    """Only the buyer has named the payment: settle with `confirm=True` once it is known to have arrived."""

    refund_id: int = 0


class RefundSettled(Conflict, codes="refund_settled"):
    """The refund was settled with another reference."""

    refund_id: int = 0
    reference: str = ""


class TicketNotPending(Conflict, codes="ticket_not_pending"):
    """The ticket does not await a payment."""

    ticket_id: int | None = None

    @property
    def ticket_status(self) -> str:
        """The status of the ticket."""
        return str(self.data.get("status", ""))


class TicketNotConfirmed(TicketNotPending, codes="ticket_not_confirmed illegal_transition"):
    """The ticket's status does not allow this."""


class TicketAdmitted(Conflict, codes="ticket_admitted"):
    """The ticket was used at the door."""

    ticket_id: int | None = None


class TicketNotMovable(Conflict, codes="ticket_not_movable"):
    """The ticket has no seat."""

    ticket_id: int | None = None


class MovesClosed(Conflict, codes="moves_closed"):
    """Holders may not move tickets of this screening, or not any more."""

    screening_id: int | None = None


class StillAvailable(Conflict, codes="still_available"):
    """Enough is free to reserve it: there is nothing to wait for."""

    available: int = 0


class AlreadyWaiting(Conflict, codes="already_waiting"):
    """The caller is in this line; `entry_id` is its entry."""

    entry_id: int | None = None


class WaitlistFull(Conflict, codes="waitlist_full too_many_watches"):
    """The line, or the number of watched seats, has reached its limit."""

    limit: int = 0


class ScanRefused(
    Conflict,
    codes="already_admitted ticket_unpaid ticket_cancelled wrong_screening too_early screening_over "
    "not_admitted not_inside reentry_not_allowed",
):
    """The ticket is not admitted: see `code`. `data` has all that is known of the ticket.

    Attributes:
        ticket_id, title, place, holder: of the ticket.
        admitted_at, gate: when and where somebody was admitted with it.
        starts_at: when what it is for begins.
    """

    ticket_id: int | None = None
    title: str = ""
    place: str | None = None
    holder: str | None = None
    admitted_at: datetime | None = None
    gate: str | None = None
    starts_at: datetime | None = None


class ScreeningCancelled(Conflict, codes="screening_cancelled"):
    """The screening was cancelled."""

    screening_id: int | None = None


class SeatConflict(Conflict, codes="seat_conflict"):
    """New seats would overlap existing ones, which `conflicts` lists."""

    conflicts: Sequence[Mapping[str, Any]] = ()


class SeatsInUse(Conflict, codes="seats_in_use"):
    """The new room lacks seats that are sold or reserved."""

    seat_ids: Sequence[int] = ()


class SeatsTaken(Conflict, codes="seats_taken"):
    """The layout lacks seats that somebody has, which `obstacles` lists."""

    obstacles: Sequence[Mapping[str, Any]] = ()


class LimitReached(Conflict, codes="block_limit_reached room_full room_limit_reached webhook_limit_reached"):
    """There are as many of the kind already as the server allows."""

    limit: int | None = None
