"""The errors of holding, booking, confirming and cancelling. See `engine.errors` for the rules.

EngineError
├── NotFound
│   └── ScreeningNotFound, SeatsNotFound, ZoneNotFound, TicketTypeNotFound, TicketNotFound
├── ScreeningStarted, ScreeningCancelled
└── Refused
    ├── RoomFull, ScreeningHasBookings
    ├── SeatsUnavailable, NoAdjacentSeats, NotHeld, ReservationNotHeld
    ├── HoldLimitExceeded, GuestLimitExceeded, HoldLifeSpent
    ├── NotEnoughTickets, OrderLimitExceeded, SalesClosed, NothingForSale
    ├── WrongNumberOfPapers
    ├── ExtensionLimitReached, TicketNotPending, TicketAdmitted
    ├── PriceChanged, PaymentAlreadyUsed, BookingInProgress
    └── RefundRequired, TooManyRefunds, RefundUnvouched, RefundSettled
"""

import math
from collections.abc import Iterable, Sequence

from engine.errors import EngineError, NotFound, Refused
from engine.records import Refund


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


class ZoneNotFound(NotFound):
    """The room has no section of this name.

    Args:
        zone: the name.
        zones: the names of the sections that there are.
    """

    code = "zone_not_found"

    def __init__(self, zone: str, zones: Iterable[str]) -> None:
        self.zones = tuple(sorted(zones))
        known = f"its sections are {', '.join(self.zones)}" if self.zones else "it has no sections"
        EngineError.__init__(self, f'The room has no section "{zone}"; {known}')


class TicketTypeNotFound(NotFound):
    """The screening sells no tickets of this type."""

    code = "ticket_type_not_found"

    def __init__(self, ticket_type_id: int) -> None:
        super().__init__("ticket_type", ticket_type_id)


class TicketNotFound(NotFound):
    """The caller has no such ticket. Somebody else's ticket is treated the same."""

    code = "ticket_not_found"

    def __init__(self, ticket_id: int) -> None:
        super().__init__("ticket", ticket_id)
        self.ticket_id = ticket_id


class ScreeningStarted(EngineError):
    """Sales are closed because the screening has begun.

    Args:
        screening_id: the screening.
        attempt: what the command tried, as in "Cannot reserve seats for past screenings".
    """

    code = "screening_started"

    def __init__(self, screening_id: int, attempt: str) -> None:
        super().__init__(f"Cannot {attempt} for past screenings")
        self.screening_id = screening_id


class ScreeningCancelled(EngineError):
    """The screening has been cancelled."""

    code = "screening_cancelled"

    def __init__(self, screening_id: int) -> None:
        super().__init__(f"Screening {screening_id} has been cancelled")
        self.screening_id = screening_id


class RoomFull(Refused):
    """The room would exceed the limit on its seats."""

    code = "room_full"

    def __init__(self, limit: int) -> None:
        super().__init__(f"A room has at most {limit} seats")
        self.limit = limit


class ScreeningHasBookings(Refused):
    """Tickets have been sold for the screening.

    Args:
        screening_id: the screening.
        remedy: what the caller can do, as the end of the message.
    """

    code = "screening_has_bookings"

    def __init__(self, screening_id: int, remedy: str = "") -> None:
        super().__init__(f"Tickets are sold for screening {screening_id}{remedy}")
        self.screening_id = screening_id


class SeatsUnavailable(Refused):
    """Somebody else has some of the seats; the whole command was rejected.

    Args:
        held: seats reserved by others, ascending.
        booked: seats already sold or kept back, ascending.
        blocked: those of `booked` that are kept back.
        remedy: what the caller can do, as the end of the message.
    """

    code = "seats_unavailable"
    blocked: Sequence[int] = ()

    def __init__(
        self, held: Sequence[int], booked: Sequence[int], blocked: Sequence[int] = (), remedy: str = ""
    ) -> None:
        reasons = []
        if sold := [seat_id for seat_id in booked if seat_id not in blocked]:
            reasons.append(f"Seats {sold} are already booked")
        if blocked:
            reasons.append(f"Seats {list(blocked)} are kept back by the organiser")
            self.blocked = tuple(blocked)
        if held:
            reasons.append(f"Seats {list(held)} are currently reserved by other users")
        super().__init__("; ".join(reasons) + remedy)
        self.held = tuple(held)
        self.booked = tuple(booked)


class NoAdjacentSeats(Refused):
    """A party of this size does not fit.

    Args:
        quantity: number of seats wanted.
        largest: number of seats of the largest party that would fit; 0 for none.
        split: True if two groups in neighbouring rows would have done.
    """

    code = "no_adjacent_seats"

    def __init__(self, quantity: int, largest: int, *, split: bool) -> None:
        if not largest:
            seats = "seat is" if quantity == 1 else "seats are"
            reason = f"No such {seats} free; try other seat types, a higher price or another section"
        elif split:
            reason = f"No {quantity} such seats are free in two neighbouring rows; ask for at most {largest}"
        else:
            reason = (
                f"No {quantity} such seats are free next to each other; ask for at most {largest}, or allow "
                'two neighbouring rows with "allow_split": true'
            )
        super().__init__(reason)
        self.quantity = quantity
        self.largest = largest


class HoldLimitExceeded(Refused):
    """The holder would exceed the limit on held seats per screening."""

    code = "hold_limit_exceeded"

    def __init__(self, limit: int, held: int, requested: int) -> None:
        super().__init__(
            f"Cannot hold more than {limit} seats per screening ({held} held, {requested} requested)"
        )
        self.limit = limit
        self.held = held
        self.requested = requested


class GuestLimitExceeded(Refused):
    """The guests of one address would exceed their limit on held seats per screening."""

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
    """The holder has kept a seat, or tickets of a type, for `Policy.hold_life_seconds`.

    Args:
        what: the seat or tickets, for the message.
        life_seconds: how long a holder may keep it in all.
        retry_after_seconds: when the holder may reserve it again.
    """

    code = "hold_life_spent"

    def __init__(self, what: str, life_seconds: float, retry_after_seconds: float) -> None:
        self.life_seconds = life_seconds
        self.retry_after_seconds = math.ceil(retry_after_seconds)
        super().__init__(self.words(what))

    def words(self, what: str) -> str:
        """The message. `what` names the seat or the tickets as the caller knows them."""
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
    """The reservation has ended or was never the caller's."""

    code = "reservation_not_held"

    def __init__(self, reservation_id: int) -> None:
        super().__init__("This reservation is not yours, or has ended")
        self.reservation_id = reservation_id


class NotEnoughTickets(Refused):
    """Too few tickets of a type are left; the whole command was rejected."""

    code = "not_enough_tickets"

    def __init__(self, ticket_type_id: int, requested: int, available: int) -> None:
        left = f"{available} tickets are" if available != 1 else "1 ticket is"
        super().__init__(f"Not enough tickets: {requested} requested, {left} left")
        self.ticket_type_id = ticket_type_id
        self.requested = requested
        self.available = available


class OrderLimitExceeded(Refused):
    """The reservation would exceed the limit on tickets of a type."""

    code = "order_limit_exceeded"

    def __init__(self, ticket_type_id: int, limit: int, requested: int) -> None:
        super().__init__(f"At most {limit} tickets of this type per reservation ({requested} requested)")
        self.ticket_type_id = ticket_type_id
        self.limit = limit
        self.requested = requested


class SalesClosed(Refused):
    """Tickets of this type are not on sale now.

    Args:
        ticket_type_id: the type.
        reason: why, as the end of the message.
        sales_start, sales_end: when sales open and close, in seconds since the epoch; None for no limit.
        retry_after_seconds: until sales open; None if they do not, or that is not known.
    """

    code = "sales_closed"
    ticket_type_id: int | None = None
    sales_start: float | None = None
    sales_end: float | None = None
    retry_after_seconds: int | None = None

    def __init__(
        self,
        ticket_type_id: int,
        reason: str,
        sales_start: float | None = None,
        sales_end: float | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(f"These tickets are not on sale: {reason}")
        self.ticket_type_id = ticket_type_id
        self.sales_start, self.sales_end = sales_start, sales_end
        self.retry_after_seconds = retry_after_seconds


class NothingForSale(Refused):
    """The seats of a free room can be held but not bought."""

    code = "nothing_for_sale"

    def __init__(self, screening_id: int) -> None:
        super().__init__("The seats of this room are not for sale")
        self.screening_id = screening_id


class WrongNumberOfPapers(Refused):
    """The numbers of tickets and of named ticket holders differ."""

    code = "wrong_number_of_ticket_holders"

    def __init__(self, tickets: int, papers: int) -> None:
        super().__init__(f"The reservation is for {tickets} tickets, and {papers} ticket holders are named")
        self.tickets = tickets
        self.papers = papers


class ExtensionLimitReached(Refused):
    """A hold cannot be extended again, or not by so much."""

    code = "extension_limit_reached"

    def __init__(self, seat_ids: Sequence[int], reason: str) -> None:
        super().__init__(f"Reservation of seats {list(seat_ids)} cannot be extended: {reason}")
        self.seat_ids = tuple(seat_ids)
        self.reason = reason


class TicketNotPending(Refused):
    """The ticket is not awaiting a payment."""

    code = "ticket_not_pending"

    def __init__(self, ticket_id: int, status: str) -> None:
        super().__init__(f"Ticket {ticket_id} is {status}; only a pending ticket can be paid")
        self.ticket_id = ticket_id
        self.status = status


class TicketAdmitted(Refused):
    """Somebody has been admitted with the ticket, so its owner cannot give it back or change it any more.

    Args:
        ticket_id: the ticket.
        admitted_at: when that was, in seconds since the epoch.
    """

    code = "ticket_admitted"

    def __init__(self, ticket_id: int, admitted_at: float) -> None:
        super().__init__(
            f"Ticket {ticket_id} has been used at the door; only the organiser can change it now"
        )
        self.ticket_id = ticket_id
        self.admitted_at = admitted_at


class PriceChanged(Refused):
    """The seats or tickets cost another amount than the caller expected.

    Args:
        expected_cents: what the caller expected to pay in all.
        actual_cents: what they cost.
    """

    code = "price_changed"

    def __init__(self, expected_cents: int, actual_cents: int) -> None:
        self.expected_cents = expected_cents
        self.actual_cents = actual_cents
        super().__init__(
            f"The total is {self.actual:.2f}, not {self.expected:.2f} as expected; "
            f"ask the buyer, then try again with the new total"
        )

    @property
    def expected(self) -> float:
        """In currency units, exact to the cent."""
        return self.expected_cents / 100

    @property
    def actual(self) -> float:
        """In currency units, exact to the cent."""
        return self.actual_cents / 100


class PaymentAlreadyUsed(Refused):
    """The payment was used for another booking."""

    code = "payment_already_used"

    def __init__(self, payment_id: str) -> None:
        super().__init__("This payment has already been used for another booking")
        self.payment_id = payment_id


class RefundRequired(Refused):
    """The payment cannot be used; its refund is recorded as owed.

    Args:
        refund: what is owed.
        refusal: why it cannot be used now.

    Attributes:
        reason: code of the error that refused the payment when it came first.
        amount: what is owed, in units of the currency.
        currency: of the amount; None for that of all prices.
        held, booked: seats that others have now, if that is why.
    """

    code = "refund_required"
    detail = "The payment cannot be used and will be refunded"
    refund_id = 0
    amount = 0.0
    currency: str | None = None
    reason = ""

    def __init__(self, refund: Refund, refusal: EngineError) -> None:
        super().__init__()
        self.refund_id = refund.id
        self.amount = refund.amount_cents / 100
        self.currency = refund.currency
        self.reason = refund.reason
        self.held = refusal.held if isinstance(refusal, SeatsUnavailable) else ()
        self.booked = refusal.booked if isinstance(refusal, SeatsUnavailable) else ()


class TooManyRefunds(Refused):
    """Too many refunds are owed to a user for payments that nobody but the user has named."""

    code = "too_many_refunds"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} refunds are owed to you for payments that nobody has verified; they have to be settled "
            "before there can be more"
        )
        self.limit = limit


class RefundUnvouched(Refused):
    """Nobody but the buyer has named the payment, so settling it has to be confirmed."""

    code = "refund_unvouched"

    def __init__(self, refund_id: int) -> None:
        super().__init__(
            "Only the buyer has named this payment: make sure that it has arrived, then repeat this with "
            '"confirm": true'
        )
        self.refund_id = refund_id


class RefundSettled(Refused):
    """The refund has been settled with another reference."""

    code = "refund_settled"

    def __init__(self, refund_id: int, reference: str) -> None:
        super().__init__(f"Refund {refund_id} has been settled with the reference {reference}")
        self.refund_id = refund_id
        self.reference = reference


class BookingInProgress(Refused):
    """An earlier change of the caller's seats is still being written."""

    code = "booking_in_progress"
    retryable = True

    def __init__(self, seat_ids: Sequence[int]) -> None:
        super().__init__(f"A booking of seats {list(seat_ids)} is still being written")
        self.seat_ids = tuple(seat_ids)
