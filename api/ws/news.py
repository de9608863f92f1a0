"""News from the waiting list for sockets: a new offer, or a seat that is free.

The engine announces them as a change without seats (`engine.waitlist_records.WaitlistChanged`). Each
endpoint sends them in its own message format, and only to the sockets of the entry's holder.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from engine.views import SeatsChanged
from engine.waitlist_records import WaitlistChanged, WaitlistEntry


class News(NamedTuple):
    """News of one entry for its holder.

    Attributes:
        at: when it happened, in seconds since the epoch.
    """

    at: float
    entry: WaitlistEntry

    @property
    def remaining_seconds(self) -> int:
        """Time between the message and the end of the offer."""
        return max(0, round((self.entry.expires_at or self.at) - self.at))


_NOTHING: Mapping[str, Sequence[News]] = {}


def news_of(changes: Sequence[SeatsChanged]) -> Mapping[str, Sequence[News]]:
    """Return the news among changes, by holder.

    Args:
        changes: of one screening, oldest first.
    """
    if not any(type(change) is WaitlistChanged for change in changes):
        return _NOTHING
    news: dict[str, list[News]] = {}
    for change in changes:
        if isinstance(change, WaitlistChanged):
            for entry in change.told:
                news.setdefault(entry.holder, []).append(News(change.at, entry))
    return news
