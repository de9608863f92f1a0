"""The actors that vouch for payments, since they have seen the money, and the names that are recorded.

A buyer can name any payment, also one that somebody else has made. So a payment that somebody vouches for is
never lost to a buyer who has named it before: it goes on under an id that buyers cannot name.
"""

PAYMENTS_SERVICE = "service:payments"
"""Holder name of a service's tokens; see `api.identity.tokens`."""

VOUCHERS = {PAYMENTS_SERVICE: "service", "provider:stripe": "stripe"}
"""Values of `vouched_by`, by actor."""

VOUCHED_PAYMENT = "vouched:"
"""Prefix of the payment ids that buyers cannot name."""

COUNTER_PAYMENT = "counter:"
"""Prefix of the ids of payments that administrators have taken at the counter. Callers must not use it."""


def provider_actor(provider: str) -> str:
    """The actor of commands that a payment provider's notice causes."""
    return f"provider:{provider}"


def vouched_by(actor: str | None, payment_id: str | None) -> str | None:
    """Value of `vouched_by` for a payment that this actor confirms; None for buyers and others."""
    if payment_id is not None and payment_id.startswith(COUNTER_PAYMENT):
        return "counter"
    return VOUCHERS.get(actor or "")


def providers_id(payment_id: str) -> str:
    """The id of a payment as its provider knows it."""
    return payment_id.removeprefix(VOUCHED_PAYMENT)


def vouched_payment(payment_id: str) -> str:
    """The id of a payment whose own id another buyer has named."""
    return payment_id if payment_id.startswith(VOUCHED_PAYMENT) else f"{VOUCHED_PAYMENT}{payment_id}"
