"""Why a screening refuses to hold, book, confirm or cancel. See `engine.errors` for the rules.

EngineError
├── NotFound
│   └── ScreeningNotFound, SeatsNotFound, TicketTypeNotFound, TicketNotFound
├── ScreeningStarted, ScreeningCancelled
└── Refused
    ├── RoomFull, ScreeningHasBookings
    ├── SeatsUnavailable, NotHeld, ReservationNotHeld
    ├── HoldLimitExceeded, GuestLimitExceeded, HoldLifeSpent
    ├── NotEnoughTickets, OrderLimitExceeded, SalesClosed, NothingForSale
    ├── WrongNumberOfPapers
    ├── ExtensionLimitReached, TicketNotPending
    └── PaymentAlreadyUsed, RefundRequired, BookingInProgress
"""

import math
from collections.abc import Sequence

from engine.errors import EngineError, NotFound, Refused


class ScreeningNotFound(NotFound):
    """No screening has this id."""

    code = "screening_not_found"

    def __init__(self, screening_id: int) -> None:
        super().__init__("screening", screening_id)
        self.screening_id = screening_id


class SeatsNotFound(NotFound):
    """Some of the named seats are not in the screening's room."""

    code = "seat_not_found"

    def __init__(self, seat_ids: Sequence[int]) -> None:
        EngineError.__init__(self, f"Seats {list(seat_ids)} not found in this screening")
        self.seat_ids = tuple(seat_ids)


class TicketTypeNotFound(NotFound):
    """The screening sells no tickets of this type."""

    code = "ticket_type_not_found"

    def __init__(self, ticket_type_id: int) -> None:
        super().__init__("ticket_type", ticket_type_id)


class TicketNotFound(NotFound):
    """The caller has no such ticket (it may be somebody else's, which is not told)."""

    code = "ticket_not_found"

    def __init__(self, ticket_id: int) -> None:
        super().__init__("ticket", ticket_id)
        self.ticket_id = ticket_id


class ScreeningStarted(EngineError):
    """The screening has begun, so its stock no longer changes hands.

    Args:
        screening_id: the screening.
        attempt: what was tried, as in "Cannot reserve seats for past screenings".
    """

    code = "screening_started"

    def __init__(self, screening_id: int, attempt: str) -> None:
        super().__init__(f"Cannot {attempt} for past screenings")
        self.screening_id = screening_id


class ScreeningCancelled(EngineError):
    """The screening does not take place."""

    code = "screening_cancelled"

    def __init__(self, screening_id: int) -> None:
        super().__init__(f"Screening {screening_id} has been cancelled")
        self.screening_id = screening_id


class RoomFull(Refused):
    """The room would have more seats than a room may have."""

    code = "room_full"

    def __init__(self, limit: int) -> None:
        super().__init__(f"A room has at most {limit} seats")
        self.limit = limit


class ScreeningHasBookings(Refused):
    """Tickets are sold for the screening."""

    code = "screening_has_bookings"

    def __init__(self, screening_id: int) -> None:
        super().__init__(f"Tickets are sold for screening {screening_id}")
        self.screening_id = screening_id


class SeatsUnavailable(Refused):
    """Seats belong to somebody else. Nothing of the command was carried out.

    Args:
        held: seats reserved by others, ascending.
        booked: seats already sold, ascending.
    """

    code = "seats_unavailable"

    def __init__(self, held: Sequence[int], booked: Sequence[int]) -> None:
        reasons = []
        if booked:
            reasons.append(f"Seats {list(booked)} are already booked")
        if held:
            reasons.append(f"Seats {list(held)} are currently reserved by other users")
        super().__init__("; ".join(reasons))
        self.held = tuple(held)
        self.booked = tuple(booked)


class HoldLimitExceeded(Refused):
    """The holder would hold more seats of this screening than anybody may."""

    code = "hold_limit_exceeded"

    def __init__(self, limit: int, held: int, requested: int) -> None:
        super().__init__(
            f"Cannot hold more than {limit} seats per screening ({held} held, {requested} requested)"
        )
        self.limit = limit
        self.held = held
        self.requested = requested


class GuestLimitExceeded(Refused):
    """Guests of one address would hold more seats of this screening than one address may."""

    code = "guest_limit_exceeded"

    def __init__(self, limit: int, held: int, requested: int) -> None:
        super().__init__(
            f"Guests of one address cannot hold more than {limit} seats or tickets of a screening at a time "
            f"({held} held, {requested} requested); buy or release some first, or log in"
        )
        self.limit = limit
        self.held = held
        self.requested = requested


class HoldLifeSpent(Refused):
    """The holder has kept a seat, or tickets of a type, for as long as `Policy.hold_life_seconds` allows.

    Args:
        what: names it.
        life_seconds: how long one holder may keep it in all.
        retry_after_seconds: when the holder may have it again.
    """

    code = "hold_life_spent"

    def __init__(self, what: str, life_seconds: float, retry_after_seconds: float) -> None:
        self.life_seconds = life_seconds
        self.retry_after_seconds = math.ceil(retry_after_seconds)
        super().__init__(self.words(what))

    def words(self, what: str) -> str:
        """The message for people. `what` names the seat or the tickets, as the caller knows them."""
        return (
            f"{what} has been reserved by you for {self.life_seconds / 60:g} minutes in all; "
            f"you can reserve it again in {math.ceil(self.retry_after_seconds / 60)} minutes"
        )


class NotHeld(Refused):
    """The caller has no live hold on these seats."""

    code = "not_held"

    def __init__(self, seat_ids: Sequence[int]) -> None:
        super().__init__(f"Seats {list(seat_ids)} are not reserved by you")
        self.seat_ids = tuple(seat_ids)


class ReservationNotHeld(Refused):
    """The caller has no live hold under this reservation: it is over, or it never was the caller's."""

    code = "reservation_not_held"

    def __init__(self, reservation_id: int) -> None:
        super().__init__("This reservation is not, or no longer, yours")
        self.reservation_id = reservation_id


class NotEnoughTickets(Refused):
    """Fewer tickets of a type are left than were asked for. Nothing of the command was carried out."""

    code = "not_enough_tickets"

    def __init__(self, ticket_type_id: int, requested: int, available: int) -> None:
        left = f"{available} tickets are" if available != 1 else "1 ticket is"
        super().__init__(f"Not enough tickets: {requested} requested, {left} left")
        self.ticket_type_id = ticket_type_id
        self.requested = requested
        self.available = available


class OrderLimitExceeded(Refused):
    """One reservation cannot have so many tickets of a type."""

    code = "order_limit_exceeded"

    def __init__(self, ticket_type_id: int, limit: int, requested: int) -> None:
        super().__init__(f"At most {limit} tickets of this type per reservation ({requested} requested)")
        self.ticket_type_id = ticket_type_id
        self.limit = limit
        self.requested = requested


class SalesClosed(Refused):
    """Tickets of this type are not on sale now."""

    code = "sales_closed"

    def __init__(self, ticket_type_id: int, reason: str) -> None:
        super().__init__(f"These tickets are not on sale: {reason}")
        self.ticket_type_id = ticket_type_id


class NothingForSale(Refused):
    """The seats of a free room can be held, and never bought."""

    code = "nothing_for_sale"

    def __init__(self, screening_id: int) -> None:
        super().__init__("The seats of this room are not for sale")
        self.screening_id = screening_id


class WrongNumberOfPapers(Refused):
    """There are more or fewer ticket holders than tickets."""

    code = "wrong_number_of_ticket_holders"

    def __init__(self, tickets: int, papers: int) -> None:
        super().__init__(f"The reservation is for {tickets} tickets, and {papers} ticket holders are named")
        self.tickets = tickets
        self.papers = papers


class ExtensionLimitReached(Refused):
    """A hold cannot be extended again, or not that far."""

    code = "extension_limit_reached"

    def __init__(self, seat_ids: Sequence[int], reason: str) -> None:
        super().__init__(f"Reservation of seats {list(seat_ids)} cannot be extended: {reason}")
        self.seat_ids = tuple(seat_ids)
        self.reason = reason


class TicketNotPending(Refused):
    """The ticket is not awaiting a payment."""

    code = "ticket_not_pending"

    def __init__(self, ticket_id: int, status: str) -> None:
        super().__init__(f"Ticket {ticket_id} is {status} and awaits no payment")
        self.ticket_id = ticket_id
        self.status = status


class PaymentAlreadyUsed(Refused):
    """The payment has paid for another booking."""

    code = "payment_already_used"

    def __init__(self, payment_id: str) -> None:
        super().__init__("This payment has already been used for another booking")
        self.payment_id = payment_id


class RefundRequired(Refused):
    """A payment arrived for seats that its payer no longer holds and cannot have any more."""

    code = "refund_required"

    def __init__(self, unavailable: SeatsUnavailable) -> None:
        super().__init__(f"{unavailable}; the payment has to be refunded")
        self.held = unavailable.held
        self.booked = unavailable.booked


class BookingInProgress(Refused):
    """An earlier change of the caller's own seats is still on its way to the database."""

    code = "booking_in_progress"
    retryable = True

    def __init__(self, seat_ids: Sequence[int]) -> None:
        super().__init__(f"A booking of seats {list(seat_ids)} is still being written")
        self.seat_ids = tuple(seat_ids)
