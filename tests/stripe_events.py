"""Events as Stripe sends them, signed by hand, so that the library under test is not used to test itself."""

import hashlib
import hmac
import json
import time
from itertools import count
from typing import Any

from tests.api.caller import Caller, Response

SECRET = "whsec_of_the_tests"
PATH = "/api/v1/payments/stripe"

_numbers = count(1)


def signed(body: bytes, secret: str = SECRET, at: float | None = None) -> str:
    """Return the `Stripe-Signature` header for a body."""
    moment = int(time.time() if at is None else at)
    code = hmac.new(secret.encode(), b"%d." % moment + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={code}"


def event(kind: str, subject: dict[str, Any], created: float | None = None) -> dict[str, Any]:
    """Return an event about an object, with an id of its own."""
    return {
        "id": f"evt_{next(_numbers)}",
        "object": "event",
        "type": kind,
        "created": int(time.time() if created is None else created),
        "data": {"object": subject},
    }


def intent(
    payment_id: str,
    status: str = "succeeded",
    *,
    received: int = 2500,
    currency: str = "eur",
    **metadata: object,
) -> dict[str, Any]:
    """Return an event about a PaymentIntent; Stripe's metadata are texts."""
    texts = {name: str(value) for name, value in metadata.items()}
    subject = {
        "id": payment_id,
        "object": "payment_intent",
        "amount": received,
        "amount_received": received if status == "succeeded" else 0,
        "currency": currency,
        "metadata": texts,
    }
    return event(f"payment_intent.{status}", subject)


def refunded(payment_id: str, amount: int, *, whole: bool = False, reference: str = "") -> dict[str, Any]:
    """Return an event about a charge that was refunded.

    Args:
        payment_id: of the PaymentIntent.
        amount: refunded so far, in cents.
        whole: whether that is everything.
        reference: id of the refund; by default it is not listed.
    """
    subject = {
        "id": f"ch_of_{payment_id}",
        "object": "charge",
        "payment_intent": payment_id,
        "amount_refunded": amount,
        "currency": "eur",
        "refunded": whole,
    }
    if reference:
        subject["refunds"] = {"data": [{"id": reference, "object": "refund"}]}
    return event("charge.refunded", subject)


async def deliver(
    caller: Caller, sent: object, *, secret: str = SECRET, at: float | None = None, header: str | None = None
) -> Response:
    """Send an event, as Stripe does; `at` is the time of its signature."""
    body = sent if isinstance(sent, bytes) else json.dumps(sent, indent=2).encode()
    given = signed(body, secret, at) if header is None else header
    return await caller.send("POST", PATH, raw=body, headers={"Stripe-Signature": given})
