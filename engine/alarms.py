"""Actions that a screening takes by itself at a certain time, beside letting holds and tickets lapse.

The next alarm counts as a deadline (`Deadlines.set_alarm`), so the actor's timer fires for it. If the
screening is not in memory then, `Store.overdue` finds it. A late alarm does what it would have done in time.
"""

from collections.abc import Callable, Mapping, Sequence

from engine import blocks, sales_alarms
from engine.events import SeatsUnblocked
from engine.screening_state import ScreeningState
from engine.views import SeatsShown
from engine.waitlist_records import WAITLIST

Rung = SeatsUnblocked | SeatsShown
"""The changes that others see of an alarm; all but `SeatsShown` are also events for the journal."""

ALARMS: Mapping[str, Callable[[ScreeningState, float], Sequence[Rung]]] = {
    blocks.RELEASE: blocks.unblock_due,
    WAITLIST: lambda state, now: (),  # whoever waits is served after everything else (`engine.offering`)
    sales_alarms.SALES: sales_alarms.tell,
}
"""The function to call for each alarm, by name. It also sets the alarm again."""


def set_all(state: ScreeningState) -> None:
    """Set the alarms of a screening that has been loaded."""
    blocks.set_alarm(state)
    sales_alarms.set_alarm(state)


def ring(state: ScreeningState, now: float) -> list[Rung]:
    """Carry out the alarms that are due. Returns the changes that others see."""
    due = state.seats.deadlines.pop_alarms(now)
    return [event for name in due for event in ALARMS[name](state, now)]
