"""What values of the public door look like: camelCase names, ids as texts, pages with `limit` and `meta`."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from marshmallow import Schema, ValidationError, fields, post_load, validate

from api.rest.fields import LARGEST_ID, RequestSchema
from api.rest.styles import Content, camel_case

USUAL_SIZE = 10
SIZE_LIMIT = 100
# Further than anybody pages; the offset stays far within 64 bits.
PAGE_LIMIT = 1_000_000
SESSION_ID_SHORTEST, SESSION_ID_LONGEST = 8, 128

_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_ID_TEXT_LIMIT = 64


class Named(Schema):
    """A shape whose names are in camelCase on the wire."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Give a field the name that it has on the wire."""
        super().on_bind_field(field_name, field_obj)
        if field_obj.data_key is None:
            field_obj.data_key = camel_case(field_name)


class Input(Named, RequestSchema):
    """The shape of a request of this door."""


class Id(fields.String):
    """An id of ours: a number here, a text on the wire."""

    def _deserialize(  # type: ignore[override]
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any
    ) -> int:
        number = id_of(super()._deserialize(value, attr, data, **options))
        if number is None:
            raise ValidationError("Not an id.")
        return number


def id_of(text: str) -> int | None:
    """The number behind an id on the wire; None if there cannot be one."""
    return int(text) if _ID.fullmatch(text) and int(text) <= LARGEST_ID else None


def identifier(example: str, **options: Any) -> Id:
    """An id in an answer."""
    return Id(required=True, metadata={"example": example}, **options)


def opaque_id(**options: Any) -> fields.String:
    """An id in a request; whatever text it is, it names something or nothing."""
    return fields.String(required=True, validate=validate.Length(1, _ID_TEXT_LIMIT), **options)


def session_id(**options: Any) -> fields.String:
    """The id of a guest's session: a secret of the guest's, as good as a password."""
    return fields.String(
        validate=[
            validate.Length(SESSION_ID_SHORTEST, SESSION_ID_LONGEST),
            _visible,
        ],
        metadata={
            "description": "The guest's session, any visible characters without spaces; may be left out "
            "where there is a token.",
            "example": "9pW0cIhJ3yq1kS5nZ8mAe2VtR7xLbD4f",
        },
        **options,
    )


def _visible(text: str) -> None:
    if not text.isprintable() or " " in text:
        raise ValidationError("Must be visible characters, without spaces.")


class ByGuest(Input):
    """Who asks."""

    session_id = session_id()


class ListQuery(Input):
    """Which part of a list is wanted; handlers get it as `window`."""

    page = fields.Integer(load_default=1, validate=validate.Range(1, PAGE_LIMIT))
    limit = fields.Integer(load_default=USUAL_SIZE, validate=validate.Range(1, SIZE_LIMIT))

    @post_load
    def _as_window(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {"window": Window(data.pop("page"), data.pop("limit")), **data}


class Window(NamedTuple):
    """A part of a list.

    Attributes:
        page: counted from 1.
        limit: entries per page.
    """

    page: int
    limit: int

    @property
    def offset(self) -> int:
        """How many entries precede it."""
        return (self.page - 1) * self.limit

    def content(self, documents: Sequence[Any], total: int) -> Content:
        """The page, with what there is to know of the list.

        Args:
            documents: its entries.
            total: entries over all pages.
        """
        meta = {
            "page": self.page,
            "limit": self.limit,
            "total": total,
            "totalPages": -(-total // self.limit),
        }
        return Content(list(documents), meta=meta)
