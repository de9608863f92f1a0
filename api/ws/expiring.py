"""Warnings on sockets to holders whose holds will expire soon.

The engine announces each deadline once (`engine.events.HoldsExpiring`), as a change without seats. Each
endpoint sends it in its own message format, and only to the holder's sockets.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from engine.events import HoldsExpiring
from engine.records import Hold
from engine.views import SeatsChanged


class Expiring(NamedTuple):
    """Holds of one holder with the same deadline.

    Attributes:
        at: when the holder was warned, in seconds since the epoch.
        expires_at: the deadline, in seconds since the epoch.
    """

    at: float
    expires_at: float
    holds: Sequence[Hold]

    @property
    def remaining_seconds(self) -> int:
        """Time between the warning and the deadline."""
        return max(0, round(self.expires_at - self.at))


_NOBODY: Mapping[str, Sequence[Expiring]] = {}


def expiring_holds(changes: Sequence[SeatsChanged]) -> Mapping[str, Sequence[Expiring]]:
    """Return the warnings among changes, by holder; without those for seats that have changed afterwards.

    Args:
        changes: of one screening, oldest first.
    """
    if not any(type(change) is HoldsExpiring for change in changes):
        return _NOBODY
    announced: dict[int, tuple[float, Hold]] = {}
    for change in changes:
        if isinstance(change, HoldsExpiring):
            announced.update((hold.seat_id, (change.at, hold)) for hold in change.holds)
        elif announced:
            for seat_id in (
                *(view.seat_id for view in change.views),
                *(hold.seat_id for hold in change.ended),
            ):
                announced.pop(seat_id, None)
    together: dict[tuple[str, float, float], list[Hold]] = {}
    for at, hold in announced.values():
        together.setdefault((hold.holder, at, hold.expires_at), []).append(hold)
    warnings: dict[str, list[Expiring]] = {}
    for (holder, at, expires_at), holds in together.items():
        warnings.setdefault(holder, []).append(Expiring(at, expires_at, holds))
    return warnings
