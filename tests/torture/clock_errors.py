"""Difference allowed between the promised and the real end of a hold: small, unless a clock was changed.

A hold ends at its deadline: whoever is asked later sees the seat free, however busy the machine is, because
expired holds are released before a command is decided (docs/consistency.md). Only clocks can move that:

* If the wall clock of a server is stepped, its holds move along within a second, so none ends more than a
  second early or two seconds late.
* Deadlines are stored as times of the owner's clock. If a screening moves to a node whose clock differs, its
  holds end earlier or later by the difference.
"""

from collections import defaultdict
from collections.abc import Sequence

from tests.torture.history import Fault, Settings

NOTICED_SECONDS = 3.0
"""Longest time that a changed or mended clock may go unnoticed: the server looks every second, and the
program that changes clocks reads their times once a second."""

SLEWED_SECONDS = 50.0
"""Less than half a second is not corrected at once, but by 10 ms a second."""


class ClockErrors:
    """Effect that differences of clocks may have on holds.

    Args:
        faults: all faults; those without `clock_seconds` are of no interest.
        settings: what was promised.
    """

    def __init__(self, faults: Sequence[Fault], settings: Settings) -> None:
        self._changes = [fault for fault in faults if fault.clock_seconds]
        self._exact = settings.early_seconds, settings.late_seconds
        self._stepped = settings.stepped_early_seconds, settings.stepped_late_seconds

    def around(self, since: float, now: float) -> tuple[float, float]:
        """Return how many seconds early and late a hold may end.

        Args:
            since: when it was requested.
            now: when it may have ended.
        """
        if not self._changes:
            return self._exact
        apart: dict[str, float] = defaultdict(float)
        is_slewed = False
        for change in self._changes:
            if change.begins_at <= now and since <= change.ends_at + NOTICED_SECONDS:
                apart[change.target] = max(apart[change.target], change.clock_seconds)
            is_slewed |= change.begins_at <= now and since <= change.ends_at + SLEWED_SECONDS
        if not is_slewed:
            return self._exact
        # Two clocks may be changed in opposite directions.
        spread = sum(sorted(apart.values())[-2:])
        early, late = self._stepped
        return early + spread, late + spread
