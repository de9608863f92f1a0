"""The messages on the sockets of events, as schemas: what AsyncAPI shows and what tests hold us to.

Names, fields and their meaning are those of the guide to the event booking socket, and there is nothing
beside them but `code` and `eventId` in errors: whoever watches an event learns how many seats are left, never
whose they are. Outgoing messages are made in `api.events.updates` and `api.events.socket`.
"""

import re
from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from api.rest.fields import LARGEST_ID
from api.ws.messages import BadMessage, Ping, Pong, message_type, moment

_EVENT, _AT = 123, "2024-11-11T10:30:00.000Z"
_DECIMAL_ID = re.compile(r"[0-9]{1,19}", re.ASCII)


def _event_id(**options: Any) -> fields.Integer:
    return fields.Integer(
        strict=True,
        validate=validate.Range(1, LARGEST_ID),
        metadata={"description": "The event, or the screening", "example": _EVENT},
        **options,
    )


def _count(description: str, example: int) -> fields.Integer:
    return fields.Integer(
        required=True,
        strict=True,
        validate=validate.Range(0),
        metadata={"description": description, "example": example},
    )


def _available() -> fields.Integer:
    return _count("Seats and places that nobody has reserved or bought", 45)


class _Told(Schema):
    """What all messages of the server have."""

    timestamp = moment("When it took place, in UTC", _AT, required=True)


class EventConnectionEstablished(_Told):
    """First message: the client is known."""

    type = message_type("connection_established")
    clientId = fields.String(
        required=True,
        validate=validate.Regexp(r"ws_[0-9]{13}_[a-z0-9]{6}\Z"),
        metadata={"description": "Name of this connection", "example": "ws_1699123456789_abc123"},
    )
    eventId = _event_id()


class EventSubscribed(_Told):
    """The client watches an event; its counts follow at once."""

    type = message_type("subscribed")
    eventId = _event_id(required=True)


class EventUnsubscribed(_Told):
    """The client watches an event no more."""

    type = message_type("unsubscribed")
    eventId = _event_id(required=True)


class EventSeatUpdate(_Told):
    """How much is left of an event."""

    type = message_type("seat_update")
    eventId = _event_id(required=True)
    availableSeats = _available()
    seatCapacity = _count("Seats and places that there are", 100)


class EventBookingCreated(_Told):
    """Tickets have been sold together. The counts follow."""

    type = message_type("booking_created")
    eventId = _event_id(required=True)
    availableSeats = _available()


class EventBookingCancelled(_Told):
    """Tickets have been cancelled, or have lapsed unpaid. The counts follow."""

    type = message_type("booking_cancelled")
    eventId = _event_id(required=True)
    availableSeats = _available()


class EventStatistics(_Told):
    """Who uses the sockets of events."""

    class Numbers(Schema):
        """How many there are now."""

        totalClients = _count("Clients of the sockets of events", 15)
        eventSubscriptions = _count("Subscriptions that they have in all", 8)

    type = message_type("stats")
    data = fields.Nested(Numbers, required=True)


class EventError(_Told):
    """A message of the client has had no effect."""

    type = message_type("error")
    code = fields.String(
        required=True,
        validate=validate.OneOf(
            [
                "malformed_json",
                "binary_message",
                "invalid_message",
                "unknown_type",
                "missing_field",
                "invalid_event_id",
                "event_not_found",
                "too_many_subscriptions",
                "not_subscribed",
                "unavailable",
            ]
        ),
        metadata={"description": "Stable, for machines", "example": "malformed_json"},
    )
    message = fields.String(required=True, metadata={"example": "Invalid message format"})
    eventId = _event_id()


class _Asked(Schema):
    """Other fields of a client's message are ignored."""

    class Meta:
        unknown = EXCLUDE


class SubscribeEvent(_Asked):
    """Watch an event."""

    type = message_type("subscribe_event")
    eventId = _event_id(required=True)


class UnsubscribeEvent(_Asked):
    """Watch an event no more."""

    type = message_type("unsubscribe_event")
    eventId = _event_id(required=True)


class GetStatistics(_Asked):
    """Ask who uses the sockets of events."""

    type = message_type("get_stats")


class EventQuery(_Asked):
    """Query of the sockets of events."""

    token = fields.String(required=True, metadata={"description": "JSON Web Token of the user"})


EVENT_SERVER_MESSAGES: tuple[type[Schema], ...] = (
    EventConnectionEstablished,
    EventSubscribed,
    EventUnsubscribed,
    EventSeatUpdate,
    EventBookingCreated,
    EventBookingCancelled,
    EventStatistics,
    EventError,
    Pong,
)
EVENT_CLIENT_MESSAGES: tuple[type[Schema], ...] = (SubscribeEvent, UnsubscribeEvent, Ping, GetStatistics)


def event_id_of(message: dict[str, Any]) -> int:
    """The event that a client's message names.

    Pages often have an id as text, from an address or a form, so its decimal digits are taken as well.

    Raises:
        BadMessage: it names none, or what cannot be one.
    """
    named = message.get("eventId")
    if named is None:
        raise BadMessage("missing_field", "Missing required field: eventId")
    if isinstance(named, str) and _DECIMAL_ID.fullmatch(named):
        named = int(named)
    if type(named) is not int or not 1 <= named <= LARGEST_ID:
        raise BadMessage("invalid_event_id", "Invalid eventId: the number of an event is expected")
    return named
