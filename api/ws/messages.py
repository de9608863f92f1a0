"""Messages common to all WebSockets: shared fields, ping and pong, and parsing of client messages."""

from typing import Any

import orjson
from marshmallow import EXCLUDE, Schema, fields, validate

_AT = "2026-01-26T18:25:00.000Z"


def message_type(name: str) -> fields.String:
    """The `type` field of a message."""
    return fields.String(required=True, validate=validate.Equal(name), metadata={"example": name})


def timestamp_field(description: str, example: str, **options: Any) -> fields.AwareDateTime:
    """A timestamp field, in the format of `api.wire.timestamp`."""
    return fields.AwareDateTime(
        format="iso", metadata={"description": description, "example": example}, **options
    )


def access_code_field() -> fields.String:
    """The query parameter `access_code`."""
    return fields.String(
        metadata={
            "description": "The access code of a channel: the seats that are kept back for it are available "
            "to this client",
            "example": "ink-and-paper-2026",
        }
    )


class Ping(Schema):
    """Ask for a pong. Fields other than `type` are ignored."""

    class Meta:
        unknown = EXCLUDE

    type = message_type("ping")


class Pong(Schema):
    """Response to a ping."""

    type = message_type("pong")
    timestamp = timestamp_field("The server's time", _AT, required=True)


class BadMessage(Exception):
    """A client's message is invalid for its endpoint.

    Attributes:
        code: machine-readable; one of the codes in the endpoint's error message schema.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def parsed_message(message: str | bytes) -> dict[str, Any]:
    """Parse a client's message: a JSON object with a string `type`.

    Raises:
        BadMessage: the message is anything else.
    """
    if isinstance(message, bytes):
        raise BadMessage("binary_message", "Invalid message format: JSON text is expected, not binary")
    try:
        parsed = orjson.loads(message)
    except orjson.JSONDecodeError as error:
        raise BadMessage("malformed_json", "Invalid message format") from error
    if not isinstance(parsed, dict) or not isinstance(parsed.get("type"), str):
        raise BadMessage("invalid_message", 'Invalid message format: an object with a "type" is expected')
    return parsed
