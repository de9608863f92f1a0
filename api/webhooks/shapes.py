"""Schemas of webhooks and their deliveries in requests and responses."""

from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from api.rest.fields import LARGEST_ID, Flag, RequestSchema, Timestamp, optional_text, text
from api.rest.paging import Page
from api.webhooks.addresses import URL_LIMIT

EVENT_TYPES = (
    "booking.created",
    "booking.confirmed",
    "booking.cancelled",
    "booking.moved",
    "ticket.transferred",
    "hold.expired",
    "screening.changed",
    "screening.cancelled",
    "screening.sold_out",
    "refund.owed",
    "refund.settled",
    "waitlist.offered",
)
STATUSES = ("delivered", "failing", "dead")

_EVENTS = {"description": "The types of events to send. By default all.", "example": ["booking.created"]}


def _url(**options: Any) -> fields.String:
    return text(
        URL_LIMIT,
        metadata={
            "description": "An https or http URL with a public address, without user and password. Port 80, "
            "443, or 1024 and higher.",
            "format": "uri",
            "example": "https://shop.example/hooks/frontrow",
        },
        **options,
    )


class WebhookDetails(RequestSchema):
    url = _url(required=True)
    events = fields.List(
        fields.String(validate=validate.OneOf(EVENT_TYPES)),
        validate=validate.Length(1, len(EVENT_TYPES)),
        metadata=_EVENTS,
    )
    description = optional_text(200)


class WebhookChanges(WebhookDetails):
    url = _url()
    enabled = Flag(
        metadata={
            "description": "false stops sending, and events wait. true sends again, beginning with them."
        }
    )


class WebhookView(Schema):
    """A webhook."""

    id = fields.Integer(required=True)
    url = fields.String(required=True)
    events = fields.List(fields.String(), required=True)
    description = fields.String(required=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)
    waiting_since = Timestamp(
        required=True, allow_none=True, metadata={"description": "Age of the oldest event that waits."}
    )
    failing_since = Timestamp(
        required=True,
        allow_none=True,
        metadata={"description": "The first failed attempt after the last successful one."},
    )
    disabled_at = Timestamp(required=True, allow_none=True)
    disabled_because = fields.String(required=True, allow_none=True)
    old_secret_until = Timestamp(
        required=True, allow_none=True, metadata={"description": "Until then the previous secret signs too."}
    )


class WebhookSecret(WebhookView):
    """A webhook with its secret, which is shown only once."""

    secret = fields.String(
        required=True,
        metadata={
            "description": "Verifies signatures; as in Standard Webhooks.",
            "example": "whsec_C2FVsBQI",
        },
    )


class AttemptView(Schema):
    """An attempt to send an event."""

    at = fields.String(required=True)
    duration_ms = fields.Integer(required=True)
    status = fields.Integer(
        required=True, allow_none=True, metadata={"description": "HTTP status; null without a response."}
    )
    response = fields.String(required=True, metadata={"description": "The first 1024 bytes of the response."})
    error = fields.String(
        required=True, allow_none=True, metadata={"description": "Why it failed; null if it was delivered."}
    )


class Sent(AttemptView):
    """The result of sending an event out of turn."""

    position = fields.Integer(required=True)
    message_id = fields.String(required=True)
    delivered = fields.Boolean(required=True)


class Delivery(Schema):
    """An event in the log of deliveries."""

    position = fields.Integer(required=True, metadata={"description": "Place in the order of all events."})
    message_id = fields.String(required=True, metadata={"description": "The header `webhook-id`."})
    type = fields.String(required=True, metadata={"example": "booking.created"})
    screening_id = fields.Integer(required=True, allow_none=True)
    epoch = fields.Integer(required=True, allow_none=True)
    seq = fields.Integer(required=True, allow_none=True)
    published_at = Timestamp(required=True)
    status = fields.String(
        required=True,
        validate=validate.OneOf(STATUSES),
        metadata={"description": "`failing` events are tried again; `dead` ones were given up."},
    )
    attempt_count = fields.Integer(required=True)
    attempts = fields.List(
        fields.Nested(AttemptView), required=True, metadata={"description": "The last 20, oldest first."}
    )
    first_attempt_at = Timestamp(required=True)
    last_attempt_at = Timestamp(required=True)


class DeliveryList(Page):
    status = fields.String(load_default=None, validate=validate.OneOf(STATUSES))


class Place(fields.Field[Any]):
    """The position of an event, or a timestamp."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> int | datetime:
        if type(value) is int and 0 <= value <= LARGEST_ID:
            return value
        if isinstance(value, str):
            return Timestamp().deserialize(value).astimezone(UTC)
        raise ValidationError("Must be the position of an event, or a timestamp with a time zone.")


class Replay(RequestSchema):
    from_ = Place(
        required=True,
        data_key="from",
        attribute="start",
        metadata={
            "oneOf": [{"type": "integer", "minimum": 0}, {"type": "string", "format": "date-time"}],
            "description": "Position of the first event, or when it was published.",
            "example": 1024,
        },
    )


class Replayed(Schema):
    events = fields.Integer(required=True, metadata={"description": "Number of events that are sent again."})
