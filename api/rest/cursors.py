"""Cursors: where a reader of a list has got to, in a form that only this service can read.

A cursor is the position of the last entry (`persistence.keysets`), encrypted for its list and its order. So
clients cannot take it apart, and a cursor that was changed, made up or sent to another list is rejected
before it reaches the database.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

import orjson
from marshmallow import fields

from api.papers.cipher import DecryptionFailed
from api.rest.endpoint import Call
from api.rest.errors import InvalidCursor

Key = Sequence[str | None]


def cursor_field() -> fields.String:
    """The query parameter of a list."""
    return fields.String(
        metadata={
            "description": "The cursor from the previous page, instead of a page number: the entries that "
            "follow it, however many others have come or gone since."
        },
    )


def cursor_of(call: Call, order: str, key: Key) -> str:
    """Return the cursor for a position.

    Args:
        call: the request.
        order: of the list.
        key: the position.
    """
    encrypted = call.services.cipher.encrypt(orjson.dumps(key), _context(call, order))
    return urlsafe_b64encode(encrypted).decode().rstrip("=")


def key_of(call: Call, order: str, cursor: str) -> Key:
    """Return the position of a cursor; see `cursor_of`.

    Raises:
        InvalidCursor: the cursor does not belong to this list in this order.
    """
    try:
        encrypted = urlsafe_b64decode(cursor.encode("ascii") + b"==")
        key: Key = orjson.loads(call.services.cipher.decrypt(encrypted, _context(call, order)))
    except (binascii.Error, UnicodeEncodeError, DecryptionFailed) as error:
        raise InvalidCursor from error
    return key


def _context(call: Call, order: str) -> bytes:
    return f"cursor {call.uri.partition('?')[0].rstrip('/')} {order}".encode()
