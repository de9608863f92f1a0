"""When a screening, an event or a ticket type is on sale.

Only the server's clock counts, and it is read when a command is decided. A window is about getting seats:
what somebody holds can be bought and given back outside it. Administrators who sell by hand are not bound by
it.
"""

import math
from typing import NamedTuple

from engine.records import TicketType
from engine.rule_errors import NotOnSale
from engine.sale_rules import SaleRules
from engine.selling_errors import SalesClosed


class _Closed(NamedTuple):
    """Why a window is closed, and how many seconds are left until it opens, if it does."""

    reason: str
    retry_after_seconds: int | None = None


def require_on_sale(rules: SaleRules, now: float) -> None:
    """Raise NotOnSale outside the window of a screening or event."""
    start, end = rules.sales_start, rules.sales_end
    if closed := _closed(start, end, now):
        raise NotOnSale(closed.reason, start, end, closed.retry_after_seconds)


def require_type_on_sale(kind: TicketType, now: float) -> None:
    """Raise SalesClosed outside the window of a ticket type, or if its sales were closed by hand."""
    start, end = kind.sales_start, kind.sales_end
    closed = _Closed("sales have been closed") if kind.closed else _closed(start, end, now)
    if closed:
        raise SalesClosed(kind.id, closed.reason, start, end, closed.retry_after_seconds)


def _closed(start: float | None, end: float | None, now: float) -> _Closed | None:
    if start is not None and now < start:
        return _Closed("sales have not begun", math.ceil(start - now))
    if end is not None and now >= end:
        return _Closed("sales have ended")
    return None
