"""Refusals of webhooks of payment providers.

ApiError
└── StripeDisabled 403, SignatureRefused 400, EventRefused 400
"""

from api.errors import ApiError


class StripeDisabled(ApiError):
    """No secret is set for Stripe's webhooks."""

    status, code = 403, "stripe_disabled"
    detail = "This endpoint is disabled; set FRONTROW_STRIPE_WEBHOOK_SECRET to enable it"


class SignatureRefused(ApiError):
    """Stripe has not signed this body, or too long ago."""

    status, code = 400, "signature_refused"
    detail = (
        "The Stripe-Signature header does not fit the body and FRONTROW_STRIPE_WEBHOOK_SECRET, or is too old"
    )


class EventRefused(ApiError):
    """An id in a signed event cannot be one of Stripe."""

    status, code = 400, "event_refused"
    detail = "An id in the event is empty, too long or not printable; look at the event in Stripe's dashboard"
