"""What a screening does at a time by itself, other than letting holds and pending tickets lapse.

The next alarm counts as a deadline (`Deadlines.set_alarm`), so the actor's timer fires for it. If the
screening is not in memory then, `Store.overdue` finds it. A late alarm does what it would have done in time.
"""

from collections.abc import Callable, Mapping, Sequence

from engine import blocks
from engine.events import SeatsUnblocked
from engine.screening_state import ScreeningState
from engine.waitlist_records import WAITLIST

ALARMS: Mapping[str, Callable[[ScreeningState, float], Sequence[SeatsUnblocked]]] = {
    blocks.RELEASE: blocks.unblock_due,
    WAITLIST: lambda state, now: (),  # whoever waits is served after everything else (`engine.offering`)
}
"""For each name of an alarm: what it does, and sets the alarm again. Its events are also what others see."""


def ring(state: ScreeningState, now: float) -> list[SeatsUnblocked]:
    """Do what is due. Returns the events."""
    due = state.seats.deadlines.pop_alarms(now)
    return [event for name in due for event in ALARMS[name](state, now)]
