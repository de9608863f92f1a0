"""Messages of all sockets about the opening and closing of sales, and the cancellation of a screening.

A client that joins gets both times and the server's present time, so that its countdown follows the server's
clock. When the time has come, every watcher gets a message.
"""

from typing import Any

from marshmallow import fields

from api.wire import timestamp_or_none
from api.ws.messages import timestamp_field
from engine.sale_rules import ALWAYS, Window
from engine.sales_windows import SALES_ENDED, SALES_OPENED
from engine.views import SCREENING_CANCELLED

SALES = frozenset((SALES_OPENED, SALES_ENDED, SCREENING_CANCELLED))
"""Causes of changes after which sales are open, closed, or closed for good; also types of messages."""

_NOW, _START, _END = "2026-01-26T17:59:30.000Z", "2026-01-26T18:00:00.000Z", "2026-02-01T12:00:00.000Z"


def window_fields(window: Window, server_time: str) -> dict[str, Any]:
    """Return the fields about sales for the first message to a client; none if sales are always open.

    Args:
        window: when it is on sale.
        server_time: the current time, formatted.
    """
    if window == ALWAYS:
        return {}
    start, end = map(timestamp_or_none, window)
    return {"server_time": server_time, "sales_start": start, "sales_end": end}


def server_time_field() -> fields.AwareDateTime:
    """The server's time, in the first message to a client."""
    return timestamp_field("The server's time; only if sales open or close at some time", _NOW)


def sales_start_field() -> fields.AwareDateTime:
    """Return the field for the time at which sales open, of the first message to a client."""
    return timestamp_field("When sales open; null if they have always been open", _START, allow_none=True)


def sales_end_field() -> fields.AwareDateTime:
    """Return the field for the time at which sales close, of the first message to a client."""
    return timestamp_field("When sales close; null for the start", _END, allow_none=True)
