"""Sockets that watch: the seats of a screening, and how much events have left."""

from collections.abc import Iterable, Mapping
from typing import Any

from frontrow_client._async.base import AsyncBase, given
from frontrow_client._async.connection import AsyncLiveSocket
from frontrow_client._async.io import sleep
from frontrow_client.answers import refusal_of
from frontrow_client.live import SUBSCRIPTIONS_LIMIT, SeatPicture, converted
from frontrow_client.retries import Backoff
from frontrow_client.updates import (
    CheckInsChanged,
    EventSalesChanged,
    EventUpdate,
    LiveSeat,
    NotWatched,
    SeatUpdate,
    TicketsCancelled,
    TicketsExpiring,
    TicketsLeft,
    TicketsOffered,
    TicketsSold,
)


class AsyncSeatWatch(AsyncLiveSocket[SeatUpdate]):
    """The seats of a screening, kept up to date. After a lost connection it resumes where it was.

    Args:
        client: whose socket it is; it needs a token.
        screening_id: the screening.
        give_up_seconds: see `AsyncLiveSocket`.
    """

    def __init__(self, client: AsyncBase, screening_id: int, give_up_seconds: float | None = None) -> None:
        super().__init__(client, f"/ws/screenings/{screening_id}", give_up_seconds)
        self._picture = SeatPicture()

    @property
    def seats(self) -> Mapping[int, LiveSeat]:
        """All seats by id, as of the last update that was iterated over or has arrived since."""
        return self._picture.seats

    @property
    def position(self) -> tuple[int, int]:
        """Epoch and sequence number of the last complete update."""
        return self._picture.epoch, self._picture.seq

    @property
    def mismatches(self) -> int:
        """Number of times that the server's hash showed a difference, so that the seats were loaded again."""
        return self._picture.mismatches

    def _query(self) -> Mapping[str, Any]:
        position = {"since": self._picture.seq, "epoch": self._picture.epoch}
        return {"updates": "bulk", "state_hash": "true", **position}

    async def _take(self, message: Mapping[str, Any]) -> Iterable[SeatUpdate]:
        if message.get("type") == "connection_confirmed":
            self._picture.begin()
        return self._picture.take(message)


_TOLD: Mapping[str, type[EventUpdate]] = {
    "booking_created": TicketsSold,
    "booking_cancelled": TicketsCancelled,
    "hold_expiring": TicketsExpiring,
    "waitlist_offered": TicketsOffered,
    "check_ins": CheckInsChanged,
}


class AsyncEventWatch(AsyncLiveSocket[EventUpdate]):
    """Seats or tickets that events have left. After a lost connection it subscribes to all of them again.

    Args:
        client: whose socket it is; it needs a token, or a session.
        event_ids: what to watch at first.
        session: session of a guest, whose own reservations are warned of as well.
        give_up_seconds: see `AsyncLiveSocket`.

    Attributes:
        counts: the latest counts by event.
    """

    def __init__(
        self,
        client: AsyncBase,
        event_ids: Iterable[int | str] = (),
        session: str | None = None,
        give_up_seconds: float | None = None,
    ) -> None:
        super().__init__(client, "/ws", give_up_seconds)
        self.counts: dict[int, TicketsLeft] = {}
        self._session = session
        self._wanted: dict[int, set[str]] = {}
        self._retries = Backoff()
        for event_id in event_ids:
            self._want(int(event_id), "subscribe_event")

    async def subscribe(self, event_id: int, *, check_ins: bool = False) -> None:
        """Watch how many tickets of an event are left, or, with `check_ins`, how many were admitted.

        May be called before the socket is connected. An event that may not be watched is answered by
        `NotWatched`.

        Raises:
            ValueError: the socket watches too many events.
        """
        request = "subscribe_check_ins" if check_ins else "subscribe_event"
        self._want(event_id, request)
        if self.is_live:
            await self._send({"type": request, "eventId": event_id})

    async def unsubscribe(self, event_id: int) -> None:
        """Stop watching an event."""
        self._forget(event_id)
        await self._send({"type": "unsubscribe_event", "eventId": event_id})

    def _want(self, event_id: int, request: str) -> None:
        if event_id not in self._wanted and len(self._wanted) >= SUBSCRIPTIONS_LIMIT:
            raise ValueError(f"At most {SUBSCRIPTIONS_LIMIT} events can be watched")
        self._wanted.setdefault(event_id, set()).add(request)

    def _forget(self, event_id: int) -> None:
        self._wanted.pop(event_id, None)
        self.counts.pop(event_id, None)

    def _query(self) -> Mapping[str, Any]:
        return given(sessionId=self._session)

    async def _subscribe_to(self, event_id: int) -> None:
        for request in self._wanted[event_id]:
            await self._send({"type": request, "eventId": event_id})

    async def _take(self, message: Mapping[str, Any]) -> Iterable[EventUpdate]:
        kind, event_id = str(message.get("type")), message.get("eventId")
        if kind == "connection_established":
            for wanted in list(self._wanted):
                await self._subscribe_to(wanted)
        # The server may have sent it before it received an unsubscription.
        if not isinstance(event_id, int) or event_id not in self._wanted:
            return ()
        if kind == "subscribed":
            self._retries.reset()
        elif kind == "seat_update":
            self.counts[event_id] = counts = converted(message, TicketsLeft)
            return (counts,)
        elif kind in ("sales_opened", "sales_ended"):
            return (EventSalesChanged(event_id=event_id, is_open=kind == "sales_opened"),)
        elif kind in _TOLD:
            return (converted(message, _TOLD[kind]),)
        elif kind == "error":
            return await self._refused(event_id, message)
        return ()

    async def _refused(self, event_id: int, message: Mapping[str, Any]) -> Iterable[EventUpdate]:
        error = refusal_of(message)
        if error.code == "unavailable":  # for the moment
            await sleep(self._retries.pause_seconds())
            await self._subscribe_to(event_id)
            return ()
        self._forget(event_id)
        return (NotWatched(event_id=event_id, error=error),)
