"""Schemas of the messages on a screening's WebSocket, for the AsyncAPI document and for tests.

Outgoing messages are assembled from bytes on the hot path (`api.seats.updates`), not by these schemas; a test
loads every kind of frame through its schema instead. Fields come from the two seat guides, except `seq`,
`epoch`, `snapshot` and `more` (docs/websocket.md).
"""

from enum import StrEnum
from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from api.rest.fields import LARGEST_ID
from api.sales.seat_maps import blocked_field
from api.ws.messages import BadMessage, Ping, Pong, access_code_field, message_type, timestamp_field
from api.ws.sales import sales_end_field, sales_start_field, server_time_field

_SCREENING, _SEAT, _USER, _SEQ, _EPOCH = 123, 42, 7, 1041, 3
_RESERVED_AT, _EXPIRES_AT = "2026-01-26T18:25:00.000Z", "2026-01-26T18:30:00.000Z"


class UpdateForm(StrEnum):
    """The message format of updates. The guides differ, so by default a client gets both formats."""

    BOTH = "both"
    BULK = "bulk"
    SINGLE = "single"


def _id(description: str, example: int, **options: Any) -> fields.Integer:
    return fields.Integer(
        validate=validate.Range(0, LARGEST_ID),
        metadata={"description": description, "example": example},
        **options,
    )


def _seq(**options: Any) -> fields.Integer:
    return _id("Number of the change within its epoch; pass it as `since` to resume", _SEQ, **options)


def _epoch() -> fields.Integer:
    return _id("Ownership period of the screening; `seq` counts within it", _EPOCH, required=True)


def _flag(description: str) -> fields.Boolean:
    return fields.Boolean(metadata={"description": description, "example": True})


class SeatState(Schema):
    """The new state of one seat."""

    seat_id = _id("The seat", _SEAT, required=True)
    status = fields.String(
        required=True,
        validate=validate.OneOf(["available", "reserved", "booked"]),
        metadata={"example": "reserved"},
    )
    blocked = blocked_field()
    is_mine = fields.Boolean(
        required=True,
        metadata={"description": "Whether the receiver has reserved or bought the seat", "example": False},
    )
    reserved_by = _id("User id, if a user has reserved the seat", _USER)
    booked_by = _id("User id, if a user has bought the seat", _USER)
    holder = fields.String(
        metadata={
            "description": "`user:` and the id of whoever has the seat, only if JavaScript cannot represent "
            "the id as a number: that of a guest with a token",
            "example": "user:4611686018427387905",
        }
    )
    expires_at = timestamp_field("When the reservation expires", _EXPIRES_AT)
    price = fields.Float(
        metadata={"description": "Agreed with the receiver, if it has reserved the seat", "example": 15.99}
    )
    previously_reserved_by = _id("User id, if a user's reservation has just expired or been released", _USER)


class ConnectionConfirmed(Schema):
    """First message on every socket. All changes after (epoch, seq) follow."""

    type = message_type("connection_confirmed")
    screening_id = _id("The screening", _SCREENING, required=True)
    message = fields.String(required=True, metadata={"example": "Connected to real-time seat updates"})
    seq = _seq(required=True)
    epoch = _epoch()
    server_time = server_time_field()
    sales_start = sales_start_field()
    sales_end = sales_end_field()


class SeatUpdate(SeatState):
    """One seat changed."""

    type = message_type("seat_update")
    timestamp = timestamp_field("Time of the change", _RESERVED_AT, required=True)
    seq = _seq()
    epoch = _epoch()
    more = _flag("Another message of the same update follows; only the last one has `seq`")


class BulkSeatUpdate(Schema):
    """Several seats changed, or a part of a snapshot."""

    type = message_type("bulk_seat_update")
    updates = fields.List(fields.Nested(SeatState), required=True)
    timestamp = timestamp_field("Time of the last change", _RESERVED_AT, required=True)
    seq = _seq()
    epoch = _epoch()
    snapshot = _flag("This message is part of a snapshot of all seats")
    more = _flag("Another message of the same update follows; only the last one has `seq`")


class ScreeningChanged(Schema):
    """The screening's seats, times, price or room have changed: load again what is shown of them."""

    type = message_type("screening_changed")
    screening_id = _id("The screening", _SCREENING, required=True)
    seats = fields.Integer(required=True, metadata={"description": "Number of seats", "example": 300})
    available = fields.Integer(
        required=True, metadata={"description": "Number of available seats", "example": 290}
    )
    timestamp = timestamp_field("Time of the change", _RESERVED_AT, required=True)
    epoch = _epoch()


class _SalesChanged(Schema):
    screening_id = _id("The screening", _SCREENING, required=True)
    timestamp = timestamp_field("The server's time", _RESERVED_AT, required=True)
    seq = _seq(required=True)
    epoch = _epoch()


class SalesOpened(_SalesChanged):
    """Sales have opened."""

    type = message_type("sales_opened")


class SalesEnded(_SalesChanged):
    """Sales have closed. Reserved seats can still be bought."""

    type = message_type("sales_ended")


class ScreeningCancelled(_SalesChanged):
    """The venue has cancelled or deleted the screening. Reservations have ended, tickets are cancelled."""

    type = message_type("screening_cancelled")


class HoldExpiring(Schema):
    """Some of the receiver's reservations expire soon. Sent once for every deadline, to the holder alone."""

    type = message_type("hold_expiring")
    screening_id = _id("The screening", _SCREENING, required=True)
    seat_ids = fields.List(_id("A reserved seat", _SEAT), required=True)
    expires_at = timestamp_field("When the reservation expires", _EXPIRES_AT, required=True)
    remaining_seconds = fields.Integer(
        required=True, metadata={"description": "Time between `timestamp` and `expires_at`", "example": 60}
    )
    timestamp = timestamp_field("Time of the warning", _RESERVED_AT, required=True)
    seq = _seq(required=True)
    epoch = _epoch()


class WaitlistOffered(Schema):
    """Seats are reserved for the receiver, who has waited for them. Sent to that person alone."""

    type = message_type("waitlist_offered")
    screening_id = _id("The screening", _SCREENING, required=True)
    id = _id("The entry of the waiting list", 100020, required=True)
    seat_ids = fields.List(_id("A reserved seat", _SEAT), required=True)
    reservation_id = _id("The reservation", 100023, required=True)
    expires_at = timestamp_field("When the reservation expires", _EXPIRES_AT, required=True)
    remaining_seconds = fields.Integer(
        required=True, metadata={"description": "Time between `timestamp` and `expires_at`", "example": 600}
    )
    timestamp = timestamp_field("Time of the offer", _RESERVED_AT, required=True)
    seq = _seq(required=True)
    epoch = _epoch()


class SeatFree(Schema):
    """A seat is free about which the receiver wanted to be told. Sent to that person alone."""

    type = message_type("seat_free")
    screening_id = _id("The screening", _SCREENING, required=True)
    id = _id("The request", 100020, required=True)
    seat_id = _id("The seat", _SEAT, required=True)
    timestamp = timestamp_field("When it became free", _RESERVED_AT, required=True)
    seq = _seq(required=True)
    epoch = _epoch()


class StateHash(Schema):
    """The hash of the seats as the receiver should see them. Sent only if the query asks for it."""

    type = message_type("state_hash")
    screening_id = _id("The screening", _SCREENING, required=True)
    hash = fields.String(
        required=True,
        validate=validate.Regexp("^[0-9a-f]{8}$"),
        metadata={"description": "docs/websocket.md says how it is computed", "example": "bb704eb1"},
    )
    taken = _id("Number of seats that are reserved, or booked and not kept back", 12, required=True)
    timestamp = timestamp_field("The server's time", _RESERVED_AT, required=True)
    seq = _seq(required=True)
    epoch = _epoch()


class SocketError(Schema):
    """A message from the client was invalid."""

    type = message_type("error")
    code = fields.String(
        required=True,
        validate=validate.OneOf(["malformed_json", "binary_message", "invalid_message", "unknown_type"]),
        metadata={"example": "unknown_type"},
    )
    message = fields.String(required=True, metadata={"example": "Unknown message type"})
    timestamp = timestamp_field("The server's time", _RESERVED_AT, required=True)


class WatchQuery(Schema):
    """Query parameters of `/ws/screenings/{screening_id}`."""

    class Meta:
        unknown = EXCLUDE

    token = fields.String(metadata={"description": "JSON Web Token of the user"})
    access_code = access_code_field()
    since = _id("Resume after this `seq`", _SEQ)
    epoch = _id("The epoch that `since` belongs to", _EPOCH, load_default=0)
    updates = fields.Enum(
        UpdateForm,
        by_value=True,
        load_default=UpdateForm.BOTH,
        metadata={"description": "Message format of the updates", "example": "bulk"},
    )
    state_hash = fields.Boolean(
        load_default=False,
        metadata={"description": "Also send `state_hash` now and then", "example": True},
    )


SERVER_MESSAGES: tuple[type[Schema], ...] = (
    ConnectionConfirmed,
    SeatUpdate,
    BulkSeatUpdate,
    ScreeningChanged,
    SalesOpened,
    SalesEnded,
    ScreeningCancelled,
    HoldExpiring,
    WaitlistOffered,
    SeatFree,
    StateHash,
    Pong,
    SocketError,
)
CLIENT_MESSAGES: tuple[type[Schema], ...] = (Ping,)


def require_ping(message: dict[str, Any]) -> None:
    """Raise BadMessage if a client's message is not a ping."""
    if message["type"] != "ping":
        raise BadMessage("unknown_type", "Unknown message type; only ping is understood")
