"""The errors of moving tickets. See `engine.errors` for the rules.

EngineError
├── Refused
│   └── MovesClosed, TicketNotMovable, PaymentRequired, NothingToPay
└── Unavailable
    └── MoveInterrupted
"""

from engine.errors import Refused, Unavailable


class MovesClosed(Refused):
    """The organiser does not let holders move tickets of this screening, or not any more."""

    code = "moves_closed"

    def __init__(self, screening_id: int) -> None:
        super().__init__(
            f"Tickets of screening {screening_id} cannot be moved by their holders (any more); "
            "an administrator can move them"
        )
        self.screening_id = screening_id


class TicketNotMovable(Refused):
    """A ticket for a seat cannot become one of a ticket type, nor the other way round."""

    code = "ticket_not_movable"

    def __init__(self, ticket_id: int) -> None:
        super().__init__(
            f"Ticket {ticket_id} cannot be moved there: name a seat_id for a ticket with a seat, and a "
            "ticket_type_id for a ticket of an event"
        )
        self.ticket_id = ticket_id


class PaymentRequired(Refused):
    """The new seats or places cost more than the tickets, and nobody has paid the difference.

    Args:
        amount_cents: the difference.
        vouched: True if only a payment counts for which a provider or a service vouches.
    """

    code = "payment_required"
    amount_cents = 0

    def __init__(self, amount_cents: int, *, vouched: bool = False) -> None:
        who = (
            "its service moves the tickets with the payment_id"
            if vouched
            else "repeat this with its payment_id"
        )
        super().__init__(f"This costs {amount_cents / 100:.2f} more: pay that, then {who}")
        self.amount_cents = amount_cents

    @property
    def amount(self) -> float:
        """In currency units, exact to the cent."""
        return self.amount_cents / 100


class NothingToPay(Refused):
    """A payment was named, but the new seats or places do not cost more than the tickets."""

    code = "nothing_to_pay"
    detail = "This does not cost more than the tickets; repeat it without payment_id"


class MoveInterrupted(Unavailable):
    """The other screening was loaded anew meanwhile, so nothing was moved."""

    code = "move_interrupted"
    detail = "The other screening has changed meanwhile; nothing was moved"
