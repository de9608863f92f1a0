"""A payment that comes again is not owed a second time."""

import pytest

from engine.records import Refund, Ticket, TicketStatus, UnusablePayment
from engine.refunds import Claim, earlier_refund
from engine.selling_errors import PaymentAlreadyUsed
from tests.engine.conftest import NOW

ADA, GRACE = "user:7", "user:8"


def refund(number: int, ticket_id: int | None = None, booking_id: int | None = None) -> Refund:
    return Refund(number, "payment", 1, ticket_id, ADA, 1250, "ticket_cancelled", booking_id)


def payment(ticket_id: int | None = None, booking_id: int = 10) -> UnusablePayment:
    """A payment of Ada's, for a ticket if one is named."""
    ticket = ticket_id and Ticket(ticket_id, booking_id, 1, 1, ADA, 1250, TicketStatus.CANCELLED, NOW)
    return UnusablePayment("payment", 1, ADA, 1250, "seats_unavailable", ticket or None)


@pytest.mark.parametrize(
    ("come", "booking_id", "refunds", "owed"),
    [
        (payment(), None, [refund(1), refund(2), refund(3)], refund(1)),
        (payment(11), None, [refund(1, 10, 10), refund(2, 11, 10)], refund(2, 11, 10)),
        (payment(11), 10, [refund(1, 10, 10), refund(2, 11, 10)], refund(2, 11, 10)),
        # Another ticket of the booking for which it is owed, or which it has paid.
        (payment(12), None, [refund(1, 10, 10), refund(2, 11, 10)], None),
        (payment(12), 10, [refund(1, 10, 10)], None),
        (payment(12), 10, [], None),
        # It is owed for another booking.
        (payment(12), None, [refund(1, 20, 20), refund(2, 21, 20)], refund(1, 20, 20)),
        (payment(12), None, [refund(1, 20, 20), refund(2, 10, 10)], refund(1, 20, 20)),
        (payment(12), None, [refund(1)], refund(1)),
    ],
)
def test_a_payment_is_owed_once_for_each_ticket(
    come: UnusablePayment, booking_id: int | None, refunds: list[Refund], owed: Refund | None
) -> None:
    assert earlier_refund(come, Claim(ADA, booking_id, False), refunds) == owed


@pytest.mark.parametrize(
    ("come", "claim", "refunds"),
    [
        (payment(), Claim(GRACE, None, False), [refund(1)]),
        (payment(12), Claim(GRACE, 10, False), []),
        (payment(12), Claim(ADA, 10, True), []),
        (payment(), Claim(ADA, 10, False), []),
        (payment(12), Claim(ADA, 20, False), []),
        (payment(12), Claim(ADA, 20, False), [refund(1, 10, 10)]),
        (payment(12), Claim(ADA, 10, False), [refund(1, 20, 20)]),
    ],
)
def test_a_payment_that_has_paid_or_is_of_somebody_else_is_not_owed(
    come: UnusablePayment, claim: Claim, refunds: list[Refund]
) -> None:
    with pytest.raises(PaymentAlreadyUsed) as refusal:
        earlier_refund(come, claim, refunds)
    assert refusal.value.payment_id == "payment"
