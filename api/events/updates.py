"""Encodes changes for the event socket: availability, bookings and cancellations.

All watchers of an event get the same bytes, encoded once per update of the feed. Every booking has its own
message with the count after it; a batch ends with the counts after all its changes.
"""

from collections.abc import Iterator, Mapping, Sequence

import orjson

from api.wire import timestamp
from api.ws.feed import Changes, Frames
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
"""Causes of changes that do not affect availability."""


class EventUpdates:
    """Changes of an event, encoded the same for all watchers. Implements `api.ws.feed.Encoder`.

    Args:
        batches: the changes, oldest first.
    """

    __slots__ = ("_frames",)

    def __init__(self, batches: Sequence[Changes]) -> None:
        frames = [frame for batch in batches for frame in _frames_of(batch)]
        self._frames = Frames(b"".join(frames), len(frames))

    def frames(self, holder: str) -> Frames:
        """Return the frames, the same for every watcher."""
        return self._frames


def _frames_of(changes: Changes) -> Iterator[bytes]:
    for change in changes:
        if change.cause in _BOOKING_TYPES:
            yield _booking_frame(change)
    if any(change.cause not in _UNCOUNTED for change in changes):
        yield counts_frame(changes[-1], changes[-1].at)


def counts_frame(counted: SeatsChanged | Stock, at: float) -> bytes:
    """Encode a `seat_update`.

    Args:
        counted: has the counts.
        at: time of the counts, in seconds since the epoch.
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
