"""Changes of a screening in the words of the event socket: how much is left, and that somebody has bought.

Everybody who watches an event gets the same bytes, made once for each update of the feed. Every booking is
told by itself with the count it left; the counts after all changes of a batch end it.
"""

from collections.abc import Iterator, Mapping, Sequence

import orjson

from api.wire import timestamp
from api.ws.feed import Batch, Frames
from api.ws.outbox import text_frame
from engine.events import HoldsExtended, TicketsCancelled, TicketsConfirmed, TicketsIssued, TicketsLapsed
from engine.replies import Stock
from engine.views import SeatsChanged

_BOOKING_TYPES: Mapping[str, str] = {
    TicketsIssued.kind: "booking_created",
    TicketsCancelled.kind: "booking_cancelled",
    TicketsLapsed.kind: "booking_cancelled",
}

_UNCOUNTED = frozenset({HoldsExtended.kind, TicketsConfirmed.kind})
"""Causes of changes that leave as many seats available as there were."""


class EventUpdates:
    """Some changes of an event, as the same frames for everybody. Fits `api.ws.feed.Wording`.

    Args:
        batches: oldest first.
    """

    __slots__ = ("_frames",)

    def __init__(self, batches: Sequence[Batch]) -> None:
        frames = [frame for batch in batches for frame in _told(batch)]
        self._frames = Frames(b"".join(frames), len(frames))

    def frames(self, holder: str) -> Frames:
        """The frames for any watcher."""
        return self._frames


def _told(changes: Batch) -> Iterator[bytes]:
    for change in changes:
        if change.cause in _BOOKING_TYPES:
            yield _booking_frame(change)
    if any(change.cause not in _UNCOUNTED for change in changes):
        yield counts_frame(changes[-1], changes[-1].at)


def counts_frame(counted: SeatsChanged | Stock, at: float) -> bytes:
    """A `seat_update`.

    Args:
        counted: what says how much there is.
        at: since when it is true, in seconds since the epoch.
    """
    message = {
        "type": "seat_update",
        "eventId": counted.screening_id,
        "availableSeats": counted.available,
        "seatCapacity": counted.capacity,
        "timestamp": timestamp(at),
    }
    return text_frame(orjson.dumps(message))


def _booking_frame(change: SeatsChanged) -> bytes:
    message = {
        "type": _BOOKING_TYPES[change.cause],
        "eventId": change.screening_id,
        "availableSeats": change.available,
        "timestamp": timestamp(change.at),
    }
    return text_frame(orjson.dumps(message))
