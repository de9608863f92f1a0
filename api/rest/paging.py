"""Paged lists: the body is a plain array as in the guides; headers contain the total and links."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from marshmallow import fields, post_load, validate

from api.rest.endpoint import Answer, Call
from api.rest.fields import RequestSchema

DEFAULT_SIZE = 100
SIZE_LIMIT = 200
# Bounds the offset, which must stay within 64 bits.
PAGE_LIMIT = 1_000_000
_TOTAL = "X-Total-Count"

PAGING_HEADERS: Mapping[str, str] = {
    _TOTAL: "Number of entries on all pages.",
    "Link": "First, previous, next and last page (RFC 8288); absent if there is only one page.",
}


class Page(RequestSchema):
    """Query parameters for a page of a list. Handlers get `limit` and `offset`."""

    page = fields.Integer(
        load_default=1,
        validate=validate.Range(1, PAGE_LIMIT),
        metadata={"description": "Page number, from 1."},
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
    """Query parameter for the order of a list: one of `orders`, the first by default; `-` is descending."""
    return fields.String(load_default=orders[0], validate=validate.OneOf(orders))


def paged(call: Call, documents: Sequence[dict[str, Any]], total: int, size: int = DEFAULT_SIZE) -> Answer:
    """Return the response with one page of a list.

    Args:
        call: the request.
        documents: entries of the page.
        total: number of entries on all pages.
        size: entries per page, if the query has no `size`.
    """
    headers = {_TOTAL: str(total)}
    if links := ", ".join(f'<{uri}>; rel="{name}"' for name, uri in _neighbours(call.uri, total, size)):
        headers["Link"] = links
    return Answer.of(documents, headers=headers)


def _neighbours(uri: str, total: int, usual_size: int) -> Iterator[tuple[str, str]]:
    """Yield link relations and URLs of other pages (RFC 8288), keeping the other query parameters."""
    path, _, query = uri.partition("?")
    arguments = dict(parse_qsl(query, keep_blank_values=True))
    page, size = int(arguments.get("page", 1)), int(arguments.get("size", usual_size))
    last = max(1, -(-total // size))
    numbers = {"first": 1, "prev": page - 1, "next": page + 1, "last": last}
    for name, number in numbers.items():
        if 1 <= number <= last and last > 1:
            yield name, f"{path}?{urlencode({**arguments, 'page': number, 'size': size})}"
