"""Encodes changes for the event socket: availability, bookings and cancellations.

All watchers of an event get the same bytes, encoded once per update of the feed; holders are also warned
before their holds expire, and told of offers of the waiting list. Every booking has its own message with the
count after it; a batch ends with the counts after all its changes.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

import orjson

from api.wire import timestamp, timestamp_or_none
from api.ws.expiring import Expiring, expiring_holds
from api.ws.feed import Changes, Frames
from api.ws.news import News, news_of
from api.ws.outbox import text_frame
from api.ws.sales import SALES
from engine.events import (
    HoldsExpiring,
    HoldsExtended,
    TicketsCancelled,
    TicketsConfirmed,
    TicketsIssued,
    TicketsLapsed,
)
from engine.replies import Stock
from engine.views import STATE_HASHED, SeatsChanged
from engine.waitlist_records import WaitlistChanged

_BOOKING_TYPES: Mapping[str, str] = {
    TicketsIssued.kind: "booking_created",
    TicketsCancelled.kind: "booking_cancelled",
    TicketsLapsed.kind: "booking_cancelled",
}

_UNCOUNTED = {HoldsExtended.kind, HoldsExpiring.kind, TicketsConfirmed.kind}
_UNCOUNTED |= {WaitlistChanged.kind, STATE_HASHED, *SALES}
"""Causes of changes that do not affect availability."""


class EventUpdates:
    """Changes of an event. Implements `api.ws.feed.Encoder`.

    Args:
        batches: the changes, oldest first.
    """

    __slots__ = ("_event_id", "_expiring", "_frames", "_news")

    def __init__(self, batches: Sequence[Changes]) -> None:
        frames = [frame for batch in batches for frame in _frames_of(batch)]
        self._frames = Frames(b"".join(frames), len(frames))
        changes = [change for batch in batches for change in batch]
        self._expiring, self._news = expiring_holds(changes), news_of(changes)
        self._event_id = batches[0][0].screening_id

    def frames(self, holder: Collection[str]) -> Frames:
        """Return the frames for a watcher. All watchers without expiring holds and news share the same ones.

        Args:
            holder: the watcher as a user, as a guest's session, or as both.
        """
        if not self._expiring and not self._news:
            return self._frames
        own = [
            *(_expiring_frame(self._event_id, one) for who in holder for one in self._expiring.get(who, ())),
            *(_offered_frame(one) for who in holder for one in self._news.get(who, ())),
        ]
        if not own:
            return self._frames
        return Frames.joined([self._frames, Frames(b"".join(own), len(own))])


def _frames_of(changes: Changes) -> Iterator[bytes]:
    for change in changes:
        if change.cause in _BOOKING_TYPES:
            yield _booking_frame(change)
        elif change.cause in SALES:
            yield _sales_frame(change)
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


def _expiring_frame(event_id: int, expiring: Expiring) -> bytes:
    """Encode the message that some of the receiver's holds will expire soon."""
    reservations = sorted({hold.reservation_id for hold in expiring.holds})
    message = {
        "type": "hold_expiring",
        "eventId": event_id,
        "reservationIds": [f"{event_id}-{reservation_id}" for reservation_id in reservations],
        "quantity": len(expiring.holds),
        "expiresAt": timestamp(expiring.expires_at),
        "remainingSeconds": expiring.remaining_seconds,
        "timestamp": timestamp(expiring.at),
    }
    return text_frame(orjson.dumps(message))


def _sales_frame(change: SeatsChanged) -> bytes:
    """Encode the message that sales have opened or closed."""
    message = {"type": change.cause, "eventId": change.screening_id, "timestamp": timestamp(change.at)}
    return text_frame(orjson.dumps(message))


def _offered_frame(news: News) -> bytes:
    """Encode the message that tickets are reserved for the receiver, who has waited for them."""
    entry = news.entry
    message = {
        "type": "waitlist_offered",
        "eventId": entry.screening_id,
        "id": entry.id,
        "reservationId": f"{entry.screening_id}-{entry.reservation_id}",
        "quantity": len(entry.seat_ids),
        "expiresAt": timestamp_or_none(entry.expires_at),
        "remainingSeconds": news.remaining_seconds,
        "timestamp": timestamp(news.at),
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
