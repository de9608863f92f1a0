"""What the messages on all sockets share: their common fields, ping and pong, and how a client's are read."""

from typing import Any

import orjson
from marshmallow import EXCLUDE, Schema, fields, validate

_AT = "2026-01-26T18:25:00.000Z"


def message_type(name: str) -> fields.String:
    """The field that tells messages apart."""
    return fields.String(required=True, validate=validate.Equal(name), metadata={"example": name})


def moment(description: str, example: str, **options: Any) -> fields.AwareDateTime:
    """A timestamp as `api.wire.timestamp` writes it."""
    return fields.AwareDateTime(
        format="iso", metadata={"description": description, "example": example}, **options
    )


class Ping(Schema):
    """The only message that a client sends; other fields are ignored."""

    class Meta:
        unknown = EXCLUDE

    type = message_type("ping")


class Pong(Schema):
    """Answer to a ping."""

    type = message_type("pong")
    timestamp = moment("The server's time", _AT, required=True)


class BadMessage(Exception):
    """A client's message that is not understood at the endpoint where it was sent.

    Attributes:
        code: for machines; one of those that the endpoint's error message lists.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def parsed_message(message: str | bytes) -> dict[str, Any]:
    """What a client sent: an object with a text `type`, known or unknown.

    Raises:
        BadMessage: it is anything else.
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
