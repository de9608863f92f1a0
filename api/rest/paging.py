"""Paged lists: the body is the array that the guides show, and the headers have total and links."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from marshmallow import fields, post_load, validate

from api.rest.endpoint import Answer, Call
from api.rest.fields import RequestSchema

DEFAULT_SIZE = 100
SIZE_LIMIT = 200
# More than anybody needs; the offset stays far within 64 bits.
PAGE_LIMIT = 1_000_000
_TOTAL = "X-Total-Count"

PAGING_HEADERS: Mapping[str, str] = {
    _TOTAL: "Entries over all pages.",
    "Link": "First, previous, next and last page (RFC 8288), where there are several.",
}


class Page(RequestSchema):
    """Which part of a list is wanted; handlers get it as `limit` and `offset`."""

    page = fields.Integer(
        load_default=1, validate=validate.Range(1, PAGE_LIMIT), metadata={"description": "Counted from 1."}
    )
    size = fields.Integer(
        load_default=DEFAULT_SIZE,
        validate=validate.Range(1, SIZE_LIMIT),
        metadata={"description": "Entries per page."},
    )

    @post_load
    def _as_window(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        page, size = data.pop("page"), data.pop("size")
        return {**data, "limit": size, "offset": (page - 1) * size}


def sorting(*orders: str) -> fields.String:
    """The query field for the order of a list: one of these names, the first by default; `-` reverses it."""
    return fields.String(load_default=orders[0], validate=validate.OneOf(orders))


def paged(call: Call, documents: Sequence[dict[str, Any]], total: int, size: int = DEFAULT_SIZE) -> Answer:
    """A page of a list.

    Args:
        call: the request.
        documents: the entries of the page.
        total: entries on all pages.
        size: entries per page, if the query has no `size`.
    """
    headers = {_TOTAL: str(total)}
    if links := ", ".join(f'<{uri}>; rel="{name}"' for name, uri in _neighbours(call.uri, total, size)):
        headers["Link"] = links
    return Answer.of(documents, headers=headers)


def _neighbours(uri: str, total: int, usual_size: int) -> Iterator[tuple[str, str]]:
    """Link relations and addresses of other pages (RFC 8288); the rest of the query is kept."""
    path, _, query = uri.partition("?")
    arguments = dict(parse_qsl(query, keep_blank_values=True))
    page, size = int(arguments.get("page", 1)), int(arguments.get("size", usual_size))
    last = max(1, -(-total // size))
    numbers = {"first": 1, "prev": page - 1, "next": page + 1, "last": last}
    for name, number in numbers.items():
        if 1 <= number <= last and last > 1:
            yield name, f"{path}?{urlencode({**arguments, 'page': number, 'size': size})}"
