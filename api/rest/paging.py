"""Paged lists: the body is a plain array as in the guides; headers have the total, links and the cursor."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl, urlencode

from marshmallow import ValidationError, fields, post_load, validate

from api.rest.cursors import Key, cursor_field, cursor_of, key_of
from api.rest.endpoint import Answer, Call
from api.rest.fields import RequestSchema

Row = TypeVar("Row")

DEFAULT_SIZE = 100
SIZE_LIMIT = 200
# Bounds the offset, which must stay within 64 bits.
PAGE_LIMIT = 1_000_000
_TOTAL = "X-Total-Count"
_CURSOR = "X-Next-Cursor"

PAGING_HEADERS: Mapping[str, str] = {
    _TOTAL: "Number of entries on all pages; absent if the query has a cursor.",
    _CURSOR: "Cursor of the next page; absent on the last one.",
    "Link": "First, previous, next and last page (RFC 8288); absent if there is only one page.",
}


class Window(NamedTuple):
    """The part of a list that a request asks for.

    Attributes:
        limit: number of entries.
        offset: number of entries before them; 0 if there is a cursor.
        cursor: of the previous page; None for a page number.
    """

    limit: int
    offset: int
    cursor: str | None = None

    def after(self, call: Call, order: str = "") -> Key | None:
        """Return the position of the cursor.

        Args:
            call: the request.
            order: of the list.

        Raises:
            InvalidCursor: it does not belong to this list in this order.
        """
        return None if self.cursor is None else key_of(call, order, self.cursor)

    def before_id(self, call: Call) -> int | None:
        """Return the id of the last entry of the previous page, of a list in the order of ids."""
        key = self.after(call)
        return None if key is None else int(key[0] or 0)


def window_of(page: int, limit: int, cursor: str | None) -> Window:
    """Return the part of a list for the values of a query.

    Raises:
        ValidationError: there are both a page and a cursor.
    """
    if cursor is not None and page != 1:
        raise ValidationError("Give either a page or a cursor.", "cursor")
    return Window(limit, (page - 1) * limit, cursor)


class Page(RequestSchema):
    """Query parameters for a page of a list. Handlers get it as `window`."""

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
    cursor = cursor_field()

    @post_load
    def _as_window(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        window = window_of(data.pop("page"), data.pop("size"), data.pop("cursor", None))
        return {**data, "window": window}


def sorting(*orders: str) -> fields.String:
    """Query parameter for the order of a list: one of `orders`, the first by default; `-` is descending."""
    return fields.String(load_default=orders[0], validate=validate.OneOf(orders))


def cut(rows: Sequence[Row], window: Window, id_of: Callable[[Row], int]) -> tuple[Sequence[Row], Key | None]:
    """Return the entries of a page, and the position of the last one if others follow.

    Args:
        rows: entries in the order of their ids, one more than the page has if there are as many.
        window: the page.
        id_of: returns the id of an entry.
    """
    shown = rows[: window.limit]
    return shown, [str(id_of(shown[-1]))] if len(rows) > window.limit else None


def paged(
    call: Call,
    window: Window,
    documents: Sequence[dict[str, Any]],
    total: int | None,
    last: Key | None,
    order: str = "",
) -> Answer:
    """Return the response with one page of a list.

    Args:
        call: the request.
        window: what it asks for.
        documents: entries of the page.
        total: number of entries on all pages; None if they were not counted.
        last: position of the last entry; None if no entries follow.
        order: of the list.
    """
    headers: dict[str, str] = {}
    cursor = None if last is None else cursor_of(call, order, last)
    if cursor is not None:
        headers[_CURSOR] = cursor
    if window.cursor is None:
        headers[_TOTAL] = str(total)
        links = _neighbours(call.uri, total or 0, window.limit)
    else:
        links = _next(call.uri, cursor)
    if link := ", ".join(f'<{uri}>; rel="{name}"' for name, uri in links):
        headers["Link"] = link
    return Answer.of(documents, headers=headers)


def _next(uri: str, cursor: str | None) -> Iterator[tuple[str, str]]:
    """Yield the link relation and URL of the next page by position."""
    path, _, query = uri.partition("?")
    if cursor is not None:
        yield "next", f"{path}?{urlencode({**dict(parse_qsl(query)), 'cursor': cursor})}"


def _neighbours(uri: str, total: int, size: int) -> Iterator[tuple[str, str]]:
    """Yield link relations and URLs of other pages (RFC 8288), keeping the other query parameters."""
    path, _, query = uri.partition("?")
    arguments = dict(parse_qsl(query, keep_blank_values=True))
    page = int(arguments.get("page", 1))
    last = max(1, -(-total // size))
    numbers = {"first": 1, "prev": page - 1, "next": page + 1, "last": last}
    for name, number in numbers.items():
        if 1 <= number <= last and last > 1:
            yield name, f"{path}?{urlencode({**arguments, 'page': number, 'size': size})}"
