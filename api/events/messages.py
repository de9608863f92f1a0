"""Schemas of the messages on the events WebSocket, for the AsyncAPI document and for tests.

Messages and fields are those of the event booking guide, plus `code` and `eventId` in errors. They contain
counts only: clients never learn who holds or has bought what. How many were admitted at the door is told to
administrators and scanners that ask for it. `api.events.updates` and `api.events.socket`
build the outgoing messages.
"""

import re
from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from api.rest.fields import LARGEST_ID
from api.sales.admissions import AdmissionCounts
from api.ws.messages import BadMessage, Ping, Pong, message_type, timestamp_field
from api.ws.sales import sales_end_field, sales_start_field, server_time_field

_EVENT, _AT = 123, "2024-11-11T10:30:00.000Z"
_DECIMAL_ID = re.compile(r"[0-9]{1,19}", re.ASCII)


def _event_id(**options: Any) -> fields.Integer:
    return fields.Integer(
        strict=True,
        validate=validate.Range(1, LARGEST_ID),
        metadata={"description": "Id of an event or a screening", "example": _EVENT},
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
    return _count("Seats or tickets neither reserved nor sold", 45)


class _ServerMessage(Schema):
    timestamp = timestamp_field("When it happened, in UTC", _AT, required=True)


class _WithSales(_ServerMessage):
    serverTime = server_time_field()
    salesStart = sales_start_field()
    salesEnd = sales_end_field()


class EventConnectionEstablished(_WithSales):
    """First message: the client is authenticated."""

    type = message_type("connection_established")
    clientId = fields.String(
        required=True,
        validate=validate.Regexp(r"ws_[0-9]{13}_[a-z0-9]{6}\Z"),
        metadata={"description": "Id of this connection", "example": "ws_1699123456789_abc123"},
    )
    eventId = _event_id()


class _OfEvent(_ServerMessage):
    eventId = _event_id(required=True)


class EventSubscribed(_OfEvent, _WithSales):
    """The client is subscribed to an event; the current counts follow immediately."""

    type = message_type("subscribed")


class EventUnsubscribed(_OfEvent):
    """The client is no longer subscribed to an event."""

    type = message_type("unsubscribed")


class EventSeatUpdate(_OfEvent):
    """The availability of an event."""

    type = message_type("seat_update")
    availableSeats = _available()
    seatCapacity = _count("Total number of seats or tickets", 100)


class EventBookingCreated(_OfEvent):
    """A booking was made. A `seat_update` follows."""

    type = message_type("booking_created")
    availableSeats = _available()


class EventBookingCancelled(_OfEvent):
    """Tickets were cancelled, or lapsed unpaid. A `seat_update` follows."""

    type = message_type("booking_cancelled")
    availableSeats = _available()


class EventSalesOpened(_OfEvent):
    """Sales of the event, or of some of its ticket types, have opened."""

    type = message_type("sales_opened")


class EventSalesEnded(_OfEvent):
    """Sales of the event, or of some of its ticket types, have closed."""

    type = message_type("sales_ended")


class EventCancelled(_OfEvent):
    """The venue has cancelled or deleted the screening. Reservations have ended, tickets are cancelled."""

    type = message_type("screening_cancelled")


class EventHoldExpiring(_OfEvent):
    """Some of the receiver's reservations expire soon. Sent once for every deadline, to the holder alone."""

    type = message_type("hold_expiring")
    reservationIds = fields.List(
        fields.String(metadata={"example": "123-1041"}),
        required=True,
        metadata={"description": "Ids of the reservations in the public API"},
    )
    quantity = _count("Number of reserved seats or tickets", 2)
    expiresAt = timestamp_field("When the reservations expire", "2024-11-11T10:31:00.000Z", required=True)
    remainingSeconds = _count("Time between `timestamp` and `expiresAt`", 60)


class EventWaitlistOffered(_OfEvent):
    """Tickets are reserved for the receiver, who has waited for them. Sent to that person alone."""

    type = message_type("waitlist_offered")
    id = _count("The entry of the waiting list", 100020)
    reservationId = fields.String(
        required=True,
        metadata={"description": "Id of the reservation in the public API", "example": "123-1041"},
    )
    quantity = _count("Number of reserved tickets", 2)
    expiresAt = timestamp_field("When the reservation expires", "2024-11-11T10:40:00.000Z", required=True)
    remainingSeconds = _count("Time between `timestamp` and `expiresAt`", 600)


class EventCheckIns(AdmissionCounts, _OfEvent):
    """How many were admitted at the door. Sent after `subscribe_check_ins` and after every change."""

    type = message_type("check_ins")


class EventStatistics(_ServerMessage):
    """Numbers of clients and subscriptions."""

    class Numbers(Schema):
        totalClients = _count("Open event sockets", 15)
        eventSubscriptions = _count("Subscriptions of all event sockets", 8)

    type = message_type("stats")
    data = fields.Nested(Numbers, required=True)


class EventError(_ServerMessage):
    """A message of the client had no effect."""

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
                "not_allowed",
                "unavailable",
            ]
        ),
        metadata={"description": "Stable and machine-readable", "example": "malformed_json"},
    )
    message = fields.String(required=True, metadata={"example": "Invalid message format"})
    eventId = _event_id()


class _ClientMessage(Schema):
    """Base of client messages; unknown fields are ignored."""

    class Meta:
        unknown = EXCLUDE


class _ToEvent(_ClientMessage):
    eventId = _event_id(required=True)


class SubscribeEvent(_ToEvent):
    """Subscribe to an event."""

    type = message_type("subscribe_event")


class SubscribeCheckIns(_ToEvent):
    """Follow how many are admitted at the door; for administrators and tokens of the service `check-in`."""

    type = message_type("subscribe_check_ins")


class UnsubscribeEvent(_ToEvent):
    """Unsubscribe from an event, and from how many are admitted to it."""

    type = message_type("unsubscribe_event")


class GetStatistics(_ClientMessage):
    """Ask for the numbers of clients and subscriptions."""

    type = message_type("get_stats")


class EventQuery(_ClientMessage):
    """Query parameters of the event sockets: a token, the session of a guest, or both."""

    token = fields.String(metadata={"description": "JSON Web Token of the user"})
    sessionId = fields.String(
        metadata={"description": "Session of a guest of the public API, to be warned before its holds expire"}
    )


EVENT_SERVER_MESSAGES: tuple[type[Schema], ...] = (
    EventConnectionEstablished,
    EventSubscribed,
    EventUnsubscribed,
    EventSeatUpdate,
    EventBookingCreated,
    EventBookingCancelled,
    EventSalesOpened,
    EventSalesEnded,
    EventCancelled,
    EventHoldExpiring,
    EventWaitlistOffered,
    EventCheckIns,
    EventStatistics,
    EventError,
    Pong,
)
EVENT_CLIENT_MESSAGES: tuple[type[Schema], ...] = (
    SubscribeEvent,
    SubscribeCheckIns,
    UnsubscribeEvent,
    Ping,
    GetStatistics,
)


def event_id_of(message: dict[str, Any]) -> int:
    """Return the `eventId` of a client's message.

    Web pages often have the id as a string, from a URL or a form, so a string of decimal digits is accepted
    too.

    Raises:
        BadMessage: the field is missing or not an id.
    """
    named = message.get("eventId")
    if named is None:
        raise BadMessage("missing_field", "Missing required field: eventId")
    if isinstance(named, str) and _DECIMAL_ID.fullmatch(named):
        named = int(named)
    if type(named) is not int or not 1 <= named <= LARGEST_ID:
        raise BadMessage("invalid_event_id", "Invalid eventId: send the id of an event, a positive integer")
    return named
