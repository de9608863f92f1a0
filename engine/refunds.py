"""The rule that a refund is owed only once, for the ledgers that record refunds."""

from collections.abc import Sequence
from typing import NamedTuple

from engine.records import Refund, UnusablePayment
from engine.selling_errors import PaymentAlreadyUsed

SURPLUS = "surplus"
"""Reason of a refund for a payment that has brought more than its tickets cost."""


CURRENCY_MISMATCH = "currency_mismatch"
"""Reason of a refund for a payment in another currency than that of all prices."""


class Claim(NamedTuple):
    """The earlier use of a payment that comes again.

    Attributes:
        holder: who named it.
        booking_id: the booking that it pays for; None if it could not be used.
        has_paid: True if it has confirmed the ticket that it comes for now.
    """

    holder: str
    booking_id: int | None
    has_paid: bool


def earlier_refund(payment: UnusablePayment, claim: Claim, refunds: Sequence[Refund]) -> Refund | None:
    """Return the refund owed already for a payment that comes again; None if its ticket is to be added.

    A payment of several tickets comes once for each of them, and each is owed. Otherwise it is owed once.

    Args:
        payment: the payment.
        claim: what the payment was used for before.
        refunds: all its refunds, oldest first.

    Raises:
        PaymentAlreadyUsed: it has paid for tickets, or is another holder's.
    """
    ticket, booking_id = payment.ticket, claim.booking_id
    if claim.holder != payment.holder or claim.has_paid:
        raise PaymentAlreadyUsed(payment.payment_id)
    if ticket is not None:
        for refund in refunds:
            if refund.ticket_id == ticket.id:
                return refund
        bookings = {refund.booking_id for refund in refunds} or {booking_id}
        if bookings == {ticket.booking_id} and booking_id in (None, ticket.booking_id):
            return None
    if booking_id is not None:
        raise PaymentAlreadyUsed(payment.payment_id)
    return refunds[0]
