"""Tells the watchers of a screening or an event when sales open or close, also those of some ticket types.

Selling does not depend on it: every command looks at the clock (`engine.sales_windows`).
"""

from math import inf

from engine.sales_windows import TOLD_SECONDS, moments
from engine.screening_state import ScreeningState
from engine.views import SeatsShown

SALES = "opening or end of sales"
"""The name of the alarm."""


def set_alarm(state: ScreeningState, after: float = -inf) -> None:
    """Set the alarm to the first time, after `after` (seconds since the epoch), when sales open or close."""
    coming = [at for at, _ in moments(state.info) if at > after]
    state.seats.deadlines.set_alarm(SALES, min(coming, default=inf))


def tell(state: ScreeningState, now: float) -> list[SeatsShown]:
    """Tell watchers about sales that have opened or closed since they were last told."""
    since = max(state.sales_told_at, now - TOLD_SECONDS)
    state.sales_told_at = now
    set_alarm(state, now)
    if state.closed:
        return []
    return [state.show(cause, (), now) for at, cause in sorted(moments(state.info)) if since < at <= now]
