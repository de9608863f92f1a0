"""The times in which screenings, events and ticket types are on sale.

Only the server's clock counts, and it is read when a command is decided. A window is about getting seats:
held seats can be bought and given back outside it. Administrators who sell by hand are not bound by it.
"""

import math
from collections.abc import Collection, Mapping
from typing import NamedTuple

from engine.records import ScreeningInfo, TicketType, channel_key
from engine.rule_errors import NotOnSale
from engine.sale_rules import ALWAYS, NO_WINDOWS, SaleRules, Window
from engine.selling_errors import SalesClosed

SALES_OPENED, SALES_ENDED = "sales_opened", "sales_ended"
"""Causes of the changes by which watchers learn that sales have opened or closed."""

TOLD_SECONDS = 60.0
"""A screening is loaded this long before sales open or close, so that watchers learn of it in time
(`Store.overdue`); if that fails, they learn of it at most so much later.
"""


class _Closed(NamedTuple):
    """The reason why a window is closed, and the seconds until it opens, if it does."""

    reason: str
    retry_after_seconds: int | None = None


def require_on_sale(rules: SaleRules, now: float, access: Collection[str] = ()) -> None:
    """Raise NotOnSale outside the window of a screening or event.

    Args:
        rules: of the screening or event.
        now: seconds since the epoch.
        access: of the command; a channel among it may have a presale.
    """
    start, end = rules.sales_start, rules.sales_end
    if access and start is not None:
        presales = (each.sales_start for each in rules.presales if channel_key(each.channel) in access)
        start = min((start, *presales))
    if closed := _closed(start, end, now):
        raise NotOnSale(closed.reason, start, end, closed.retry_after_seconds)


def require_type_on_sale(kind: TicketType, now: float) -> None:
    """Raise SalesClosed outside the window of a ticket type, or if its sales were closed by hand."""
    start, end = kind.sales_start, kind.sales_end
    closed = _Closed("sales have been closed") if kind.closed else _closed(start, end, now)
    if closed:
        raise SalesClosed(kind.id, closed.reason, start, end, closed.retry_after_seconds)


def type_windows(info: ScreeningInfo) -> Mapping[int, Window]:
    """Windows of the ticket types of an event, by id, without those that are always on sale."""
    event = info.rules.window
    windows = {
        kind.id: Window(kind.sales_start, kind.sales_end).within(event) for kind in info.ticket_types.values()
    }
    return {kind_id: window for kind_id, window in windows.items() if window != ALWAYS} or NO_WINDOWS


def whole_window(info: ScreeningInfo, windows: Mapping[int, Window]) -> Window:
    """The window that encloses all windows of a screening or event.

    Args:
        info: the screening or event.
        windows: its `type_windows`.
    """
    if not info.ticket_types:
        return info.rules.window
    each = [windows.get(kind_id, ALWAYS) for kind_id in info.ticket_types]
    starts = [window.sales_start for window in each if window.sales_start is not None]
    ends = [window.sales_end for window in each if window.sales_end is not None]
    number = len(each)
    return Window(min(starts) if len(starts) == number else None, max(ends) if len(ends) == number else None)


def moments(info: ScreeningInfo) -> set[tuple[float, str]]:
    """Times at which sales open or close, also those of ticket types, with the causes of the changes."""
    windows = type_windows(info).values() if info.ticket_types else (info.rules.window,)
    starts = {(start, SALES_OPENED) for start, _ in windows if start is not None}
    return starts | {(end, SALES_ENDED) for _, end in windows if end is not None}


def _closed(start: float | None, end: float | None, now: float) -> _Closed | None:
    if start is not None and now < start:
        return _Closed("sales have not begun", math.ceil(start - now))
    if end is not None and now >= end:
        return _Closed("sales have ended")
    return None
