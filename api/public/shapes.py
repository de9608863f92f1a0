"""Field and schema types of the public API: camelCase names, ids as strings, pages with `meta`."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate

from api.rest.cursors import Key, cursor_field, cursor_of
from api.rest.endpoint import Call, dump_all
from api.rest.fields import LARGEST_ID, RequestSchema
from api.rest.paging import Window, window_of
from api.rest.styles import Content, camel_case
from api.rows import Record, Rows

USUAL_SIZE = 10
SIZE_LIMIT = 100
# Bounds the offset, which must stay within 64 bits.
PAGE_LIMIT = 1_000_000
SESSION_ID_SHORTEST, SESSION_ID_LONGEST = 8, 128

_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_ID_TEXT_LIMIT = 64


class CamelCaseSchema(Schema):
    """A schema whose field names are camelCase in JSON."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        super().on_bind_field(field_name, field_obj)
        if field_obj.data_key is None:
            field_obj.data_key = camel_case(field_name)


class Input(CamelCaseSchema, RequestSchema):
    """Base of the public API's request schemas."""


class Id(fields.String):
    """An id of this server: a string in JSON, loaded as an integer."""

    def _deserialize(  # type: ignore[override]
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any
    ) -> int:
        number = id_of(super()._deserialize(value, attr, data, **options))
        if number is None:
            raise ValidationError("Not an id.")
        return number


def id_of(text: str) -> int | None:
    """Parse an id sent by a client; None if it is not an id of this server."""
    return int(text) if _ID.fullmatch(text) and int(text) <= LARGEST_ID else None


def identifier(example: str, **options: Any) -> Id:
    """A required id in a response."""
    return Id(required=True, metadata={"example": example}, **options)


def opaque_id(**options: Any) -> fields.String:
    """An id in a request. Any string is accepted; one that is not an id simply matches nothing."""
    return fields.String(required=True, validate=validate.Length(1, _ID_TEXT_LIMIT), **options)


def session_id(**options: Any) -> fields.String:
    """A guest's session id. It is a secret, equivalent to a password."""
    return fields.String(
        validate=[
            validate.Length(SESSION_ID_SHORTEST, SESSION_ID_LONGEST),
            _validate_printable,
        ],
        metadata={
            "description": "Session id of the guest: printable characters without spaces. Optional with a "
            "token.",
            "example": "9pW0cIhJ3yq1kS5nZ8mAe2VtR7xLbD4f",
        },
        **options,
    )


def _validate_printable(text: str) -> None:
    if not text.isprintable() or " " in text:
        raise ValidationError("Must consist of printable characters without spaces.")


class ByGuest(Input):
    """A request that may carry a guest's session id."""

    session_id = session_id()


class ListQuery(Input):
    """Query parameters for a page of a list. Handlers get the page as `window`."""

    page = fields.Integer(load_default=1, validate=validate.Range(1, PAGE_LIMIT))
    limit = fields.Integer(load_default=USUAL_SIZE, validate=validate.Range(1, SIZE_LIMIT))
    cursor = cursor_field()

    @post_load
    def _as_window(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {"window": window_of(data.pop("page"), data.pop("limit"), data.pop("cursor", None)), **data}


async def listed_content(
    call: Call,
    window: Window,
    rows: Rows,
    wanted: Mapping[str, Any],
    shape: type[Schema],
    shown: Callable[[Record], Record] = lambda record: record,
) -> Content:
    """Return a page of the matching records as response content.

    Args:
        call: the request.
        window: the page.
        rows: the records.
        wanted: filter values by name.
        shape: of an entry.
        shown: returns a record as it is shown.
    """
    found = await rows.listed(wanted, limit=window.limit, offset=window.offset, after=window.after(call))
    documents = dump_all(shape, map(shown, found.records))
    return content_of(call, window, documents, found.total or 0, found.last)


def content_of(call: Call, window: Window, documents: Sequence[Any], total: int, last: Key | None) -> Content:
    """Return a page as response content with its `meta` object.

    Args:
        call: the request.
        window: what it asks for.
        documents: entries of the page.
        total: number of entries on all pages.
        last: position of the last entry; None if no entries follow.
    """
    meta: dict[str, Any] = {
        "page": window.offset // window.limit + 1,
        "limit": window.limit,
        "total": total,
        "totalPages": -(-total // window.limit),
    }
    if last is not None:
        meta["nextCursor"] = cursor_of(call, "", last)
    return Content(list(documents), meta=meta)
