"""`POST /api/v1/payments/stripe`: webhooks of Stripe.

Stripe's library verifies the signature over the raw body; nothing is ever sent to Stripe. The metadata of a
PaymentIntent say what it is for, in the words of the API: `user_id`, and `screening_id` with `seat_ids`, or
`ticket_ids`, or `reservation_ids`; `expected_total`, if that is to be checked; and `other_total`, the part
that is for something else. Lists are separated by commas. Events of other kinds, and payments without such
metadata, are none of ours and only acknowledged.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from importlib import import_module
from typing import Any

import orjson
from marshmallow import Schema, ValidationError, fields, validate

from api.errors import InvalidInput
from api.payments.effects import OUTCOMES, take_notice
from api.payments.errors import EventRefused, SignatureRefused, StripeDisabled
from api.payments.notices import (
    AttemptFailed,
    Notice,
    PaidFor,
    PaymentCancelled,
    PaymentRefunded,
    PaymentSucceeded,
)
from api.rest.endpoint import Access, Call, Document, Resource
from api.rest.fields import LARGEST_ID
from api.sales.selling import validate_payment_id
from api.wire import cents_or_none
from engine import selling_errors as errors

STRIPE = "stripe"

stripe_webhooks = Resource("/api/v1/payments", tag="Payments")

_EXAMPLE = {
    "id": "evt_1234567890",
    "object": "event",
    "type": "payment_intent.succeeded",
    "created": 1769451900,
    "data": {
        "object": {
            "id": "pi_1234567890",
            "object": "payment_intent",
            "amount_received": 3198,
            "currency": "eur",
            "metadata": {"user_id": "7", "screening_id": "123", "seat_ids": "42,43"},
        }
    },
}
_SIGNATURE = "Stripe-Signature"
_BODY_LIMIT_BYTES = 256 * 1024
_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_PURCHASE_ID = re.compile(r"[1-9][0-9]{0,18}-[1-9][0-9]{0,18}", re.ASCII)
_DECIMALS = dict.fromkeys("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split(), 0)
_DECIMALS |= dict.fromkeys("BHD JOD KWD OMR TND".split(), 3)
"""Decimals in which Stripe counts, where they are not two; for UGX and RSD they are, unlike in ISO 4217."""

_NAMES = ("screening_id", "seat_ids", "ticket_ids", "reservation_ids")


class StripeSignatures:
    """Verifies signatures.

    Args:
        secrets: of the endpoint in Stripe's dashboard; several while they are rotated, none to refuse all.
        tolerance_seconds: how old a signature may be.
    """

    def __init__(self, secrets: Sequence[str], tolerance_seconds: float) -> None:
        self._secrets = secrets
        self._tolerance_seconds = tolerance_seconds
        # Importing it takes 20 MB and half a second, so only those who use it do.
        self._library: Any = import_module("stripe") if secrets else None

    def verify(self, body: bytes, signature: str | None) -> None:
        """Check that Stripe has sent a body.

        Raises:
            StripeDisabled: there is no secret.
            SignatureRefused: it was signed with none of the secrets, or too long ago.
        """
        if not self._secrets:
            raise StripeDisabled
        for secret in self._secrets:
            try:
                self._library.WebhookSignature.verify_header(body, signature, secret, self._tolerance_seconds)
                return
            except (self._library.SignatureVerificationError, ValueError):
                pass  # The next secret may fit. A ValueError means that the body is not UTF-8.
        raise SignatureRefused


class Received(Schema):
    received = fields.Boolean(required=True)
    outcome = fields.String(required=True, validate=validate.OneOf(OUTCOMES))


@stripe_webhooks.post(
    "/stripe",
    access=Access.PUBLIC,
    raw_body=_EXAMPLE,
    body_limit_bytes=_BODY_LIMIT_BYTES,
    secret=True,
    answers=Received,
    refusals=(
        StripeDisabled,
        SignatureRefused,
        EventRefused,
        InvalidInput,
        errors.ScreeningNotFound,
        errors.SeatsNotFound,
        errors.TicketNotFound,
        errors.PaymentAlreadyUsed,
        errors.BookingInProgress,
    ),
    durable=True,
)
async def take_stripe_event(call: Call, body: bytes) -> Document:
    """Take an event of Stripe.

    `payment_intent.succeeded` books or confirms what the metadata names, if `amount_received` is enough for
    it; a payment that cannot be used, and what is too much, is recorded as owed. Stripe lets buyers try again
    after `payment_intent.payment_failed`, so that keeps everything; `payment_intent.canceled` releases it.
    `charge.refunded` settles what is owed, and cancels the tickets of a payment that was refunded as a whole.
    Each event takes effect once.
    """
    call.services.stripe.verify(body, call.headers.get(_SIGNATURE))
    notice = notice_of(body, call.services.currency)
    outcome = "ignored" if notice is None else await take_notice(call, STRIPE, notice)
    return {"received": True, "outcome": outcome}


def notice_of(body: bytes, currency: str) -> Notice | None:
    """Read an event that has been verified; None if it is none of ours.

    Args:
        body: the event.
        currency: of all prices.

    Raises:
        InvalidInput: the metadata cannot be read.
        EventRefused: an id is empty, too long or not printable.
    """
    try:
        event = orjson.loads(body)
        event_id, kind, subject = _id(event["id"]), event["type"], event["data"]["object"]
        if kind == "payment_intent.succeeded":
            paid_for = _paid_for(subject.get("metadata"))
            if paid_for is None:
                return None
            given = subject["currency"].upper()
            received_cents = _cents(subject["amount_received"], given) - _for_others(subject["metadata"])
            foreign = None if given == currency else given
            payment_id = _id(subject["id"])
            return PaymentSucceeded(event_id, payment_id, paid_for, max(0, received_cents), foreign)
        if kind == "payment_intent.payment_failed":
            paid_for = _paid_for(subject.get("metadata"))
            return paid_for and AttemptFailed(event_id, _id(subject["id"]))
        if kind == "payment_intent.canceled":
            paid_for = _paid_for(subject.get("metadata"))
            return paid_for and PaymentCancelled(event_id, _id(subject["id"]), paid_for, event["created"])
        if kind == "charge.refunded" and subject.get("payment_intent"):
            return PaymentRefunded(
                event_id,
                _id(subject["payment_intent"]),
                _reference(subject),
                # The amount of a refund of everything does not matter.
                0 if subject["refunded"] else _cents(subject["amount_refunded"], subject["currency"].upper()),
                subject["refunded"],
            )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        fault = "Must be an event of Stripe; a field is missing or has another type."
        raise InvalidInput({"body": [fault]}) from error
    return None


def _id(given: str) -> str:
    """Check an id, which is stored as it is. Raises EventRefused."""
    try:
        validate_payment_id(given)
    except ValidationError as error:
        raise EventRefused from error
    return given


def _reference(charge: Mapping[str, Any]) -> str:
    """The id of the latest refund, if the charge lists its refunds; else that of the charge."""
    refunds = (charge.get("refunds") or {}).get("data") or [charge]
    return _id(refunds[0]["id"])


def _cents(amount: int, currency: str) -> int:
    """Return an amount of a payment in hundredths of its currency's unit; fractions of them are dropped."""
    if amount < 0:
        raise ValueError
    cents: int = int(amount) * 100 // 10 ** _DECIMALS.get(currency, 2)
    return cents


def _for_others(metadata: Mapping[str, str]) -> int:
    """Return what a payment has brought for something else than tickets, in cents. Raises InvalidInput."""
    return _amount(metadata, "other_total") or 0


def _amount(metadata: Mapping[str, str], name: str) -> int | None:
    """Return an amount among the metadata in cents, if it is there. Raises InvalidInput."""
    if name not in metadata:
        return None
    try:
        return cents_or_none(Decimal(metadata[name]))
    except (InvalidOperation, ValueError) as error:
        raise InvalidInput({f"metadata.{name}": ["Must be an amount, such as 25.50."]}) from error


def _paid_for(metadata: Mapping[str, str] | None) -> PaidFor | None:
    if not metadata or not any(name in metadata for name in _NAMES):
        return None
    faults: dict[str, list[str]] = {}

    def ids(name: str, pattern: re.Pattern[str] = _ID) -> list[str]:
        words = re.findall(r"[^\s,;\[\]\"]+", metadata.get(name, ""))
        if not all(pattern.fullmatch(word) for word in words):
            faults[f"metadata.{name}"] = ["Must be ids separated by commas."]
        return list(dict.fromkeys(words))

    def numbers(name: str) -> tuple[int, ...]:
        return tuple(min(int(word), LARGEST_ID) for word in ids(name) if _ID.fullmatch(word))

    total_cents = _amount(metadata, "expected_total")
    users, screenings = numbers("user_id"), numbers("screening_id")
    reservations = ids("reservation_ids", re.compile(f"{_ID.pattern}|{_PURCHASE_ID.pattern}", re.ASCII))
    paid_for = PaidFor(
        users[0] if users else None,
        screenings[0] if screenings else None,
        numbers("seat_ids"),
        numbers("ticket_ids"),
        tuple(int(word) for word in reservations if _ID.fullmatch(word)),
        tuple(word for word in reservations if _PURCHASE_ID.fullmatch(word)),
        total_cents,
    )
    if paid_for.user_id is None and (paid_for.seat_ids or paid_for.hold_ids):
        faults["metadata.user_id"] = ["Name the user who pays."]
    if paid_for.seat_ids and paid_for.screening_id is None:
        faults["metadata.screening_id"] = ["Name the screening of the seats."]
    if not any(paid_for[2:6]):
        faults["metadata"] = ["Name seat_ids, ticket_ids or reservation_ids."]
    if faults:
        raise InvalidInput(faults)
    return paid_for
