"""Notices of payment providers, in the form that all providers share.

A provider is a module with a function that verifies a request and returns one of these notices, and an
operation that passes it to `api.payments.effects.take_notice`; see `api.payments.stripe`.
"""

from typing import NamedTuple


class PaidFor(NamedTuple):
    """The purpose of a payment, as the shop has told the provider.

    Attributes:
        user_id: who pays; None if the tickets tell.
        screening_id: whose seats are paid for; None if tickets or reservations are named.
        seat_ids: of the screening.
        ticket_ids: pending tickets.
        hold_ids: the ids of single reservations of seats (`reservation_ids` in the metadata).
        purchase_ids: ids of purchased reservations of event tickets, such as "17-100023".
        expected_total_cents: what was agreed for all of it, if that is named.
    """

    user_id: int | None
    screening_id: int | None
    seat_ids: tuple[int, ...]
    ticket_ids: tuple[int, ...]
    hold_ids: tuple[int, ...]
    purchase_ids: tuple[str, ...]
    expected_total_cents: int | None = None


class PaymentSucceeded(NamedTuple):
    """The money has arrived.

    Attributes:
        received_cents: how much, in hundredths of the currency's unit, without what is for something else.
        currency: of the money, if it is not that of all prices.
    """

    event_id: str
    payment_id: str
    paid_for: PaidFor
    received_cents: int
    currency: str | None = None


class AttemptFailed(NamedTuple):
    """An attempt to pay has failed, such as a declined card. Another one may follow."""

    event_id: str
    payment_id: str


class PaymentCancelled(NamedTuple):
    """The payment will never arrive.

    Attributes:
        created_at: when, in seconds since the epoch.
    """

    event_id: str
    payment_id: str
    paid_for: PaidFor
    created_at: float


class PaymentRefunded(NamedTuple):
    """The money, or a part of it, has been paid back.

    Attributes:
        reference: the provider's id of the refund, or of what was refunded.
        amount_cents: what has been paid back of this payment so far, in hundredths of the currency's unit.
        whole: whether that is everything.
    """

    event_id: str
    payment_id: str
    reference: str
    amount_cents: int
    whole: bool


Notice = PaymentSucceeded | AttemptFailed | PaymentCancelled | PaymentRefunded
