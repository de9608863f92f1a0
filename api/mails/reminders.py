"""Puts reminders into the outbox: payment windows and holds that are about to end.

Nothing happens in the database at that time, so a recurring search finds what ends soon. Each search covers
what has come into reach since the one before, and a bit more, in case a row was written late. All servers
search; the outbox takes each reminder once.
"""

from collections.abc import Callable
from time import monotonic
from typing import Protocol

LOOK_SECONDS = 5.0
_OVERLAP_SECONDS = 30.0


class ReminderRows(Protocol):
    """Writes reminders, as `persistence.mails.MailRows` documents it."""

    async def remind_of_payments(self, from_seconds: float, to_seconds: float) -> None: ...

    async def remind_of_holds(self, from_seconds: float, to_seconds: float) -> None: ...


class Reminders:
    """Searches for what ends soon.

    Args:
        rows: writes the reminders.
        payment_seconds: how long before the end of a payment window to remind; 0 for never.
        hold_seconds: the same for holds.
        now: returns monotonic seconds.
    """

    def __init__(
        self,
        rows: ReminderRows,
        payment_seconds: float,
        hold_seconds: float,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._leads = (
            (rows.remind_of_payments, payment_seconds),
            (rows.remind_of_holds, hold_seconds),
        )
        self._now = now
        self._looked_at: float | None = None

    async def look(self) -> None:
        """Write the reminders that have come due since the last search, or all of them at the first one."""
        now, before = self._now(), self._looked_at
        for remind, lead_seconds in self._leads:
            if lead_seconds:
                known = 0.0 if before is None else lead_seconds - (now - before) - _OVERLAP_SECONDS
                await remind(max(known, 0.0), lead_seconds)
        self._looked_at = now
