"""`/ws/screenings/{id}`: the WebSocket on which a user watches the seats of a screening.

After admission the client catches up at its own pace: it gets the changes it missed, or a snapshot of all
seats. From then on the feed (`api.ws.feed`) writes updates into its outbox; the socket only answers pings.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from marshmallow import ValidationError

from api.looks import SOCKET
from api.rest.fields import LARGEST_ID
from api.seats.messages import UpdateForm, WatchQuery, require_ping
from api.seats.snapshots import Snapshots
from api.seats.updates import SeatUpdates, seat_encoder
from api.wire import holder_of
from api.ws.feed import Frames, Position, Watcher
from api.ws.frames import POLICY_VIOLATION
from api.ws.sales import window_fields
from api.ws.socket import REFUSALS, ClientSocket, CloseReason, HandshakeRequest, SocketServices
from api.ws.socket_counts import SocketCounts
from engine.commands import ReadChanges, ReadSeats
from engine.replies import Changes
from engine.sale_rules import Window
from engine.selling_errors import ScreeningNotFound
from engine.views import SeatMap

_QUERY = WatchQuery()


class ScreeningSocket(ClientSocket):
    """A client that watches one screening.

    Args:
        services: collaborators of all sockets.
        counts: counts the sockets per screening.
        snapshots: encodes them for all sockets.
    """

    route = "/ws/screenings/{screening_id}"
    endpoint = "screenings"
    refusals = (
        (ValidationError, CloseReason(POLICY_VIOLATION, "Invalid query")),
        (ScreeningNotFound, CloseReason(4404, "Screening not found")),
        *REFUSALS,
    )

    __slots__ = ("_access", "_counts", "_snapshots", "_watcher")

    def __init__(self, services: SocketServices, counts: SocketCounts, snapshots: Snapshots) -> None:
        super().__init__(services)
        self._counts = counts
        self._snapshots = snapshots
        self._watcher: Watcher | None = None
        self._access: tuple[str, ...] = ()

    async def enter(self, handshake: HandshakeRequest) -> None:
        """Admit the client and send what it missed."""
        screening_id = int(handshake.path[0])
        query: dict[str, Any] = _QUERY.load(handshake.query)
        identity = self.authenticate(handshake)
        if screening_id > LARGEST_ID:
            raise ScreeningNotFound(screening_id)
        holder, form, hashed = holder_of(identity.user_id), query["updates"], query["state_hash"]
        access = self._access = await self.access_of(handshake, identity)
        await self.admit(holder, identity)
        encoder = seat_encoder(form, access, hashed)
        watcher = self._watcher = self.watcher(screening_id, holder, encoder)
        watcher.hashed = hashed
        self.services.feed.join(watcher)
        self._counts.add(screening_id)
        self.services.looks.count(screening_id, SOCKET)
        since = query.get("since")
        await self._catch_up(watcher, form, None if since is None else Position(query["epoch"], since))

    def receive(self, message: dict[str, Any]) -> None:
        """Answer a ping, the only message that clients may send."""
        require_ping(message)
        self.send_message(type="pong", timestamp=self.timestamp())

    def depart(self) -> None:
        """Leave the feed. Idempotent."""
        if self._watcher is not None:
            self.services.feed.leave(self._watcher)
            self._counts.remove(self._watcher.screening_id)
            self._watcher = None

    async def _catch_up(self, watcher: Watcher, form: UpdateForm, known: Position | None) -> None:
        """Send the confirmation and the missed changes, then start live updates.

        Args:
            watcher: the client's place in the feed.
            form: message format of the updates.
            known: last position the client has seen; None if it asked for live updates only.
        """
        screening_id = watcher.screening_id
        watcher.buffer()
        changes = await self.in_time(
            self.services.screenings.ask(ReadChanges(screening_id, *(known or Position(0, 0))))
        )
        if known is None:
            self._confirm(screening_id, Position(changes.epoch, changes.seq), changes.window)
        else:
            # If the client's position is too old to replay, it gets a snapshot, as if it had no position.
            self._confirm(screening_id, Position(0, 0) if changes.missed is None else known, changes.window)
            changes = await self._send_missed(watcher, form, changes)
        self.services.observer.frames_sent(watcher.follow(Position(changes.epoch, changes.seq)))

    async def _send_missed(self, watcher: Watcher, form: UpdateForm, changes: Changes) -> Changes:
        """Send the missed changes, preceded by snapshots as long as they cannot be replayed.

        Returns:
            The engine's last reply; the client now knows everything up to it.
        """
        screenings, screening_id = self.services.screenings, watcher.screening_id
        while changes.missed is None:
            watcher.pause()
            seat_map: SeatMap = await self.in_time(screenings.ask(ReadSeats(screening_id)))
            seen, now = seat_map.with_access(self._access), self.services.clock.now()
            await self._send_paced(self._snapshots.frames(seen, watcher.holder, now))
            watcher.buffer()
            changes = await self.in_time(
                screenings.ask(ReadChanges(screening_id, seat_map.epoch, seat_map.seq))
            )
        if changes.missed:
            missed = SeatUpdates(form, changes.missed, self._access).parts(watcher.holder)
            await self._send_paced(Frames(part, 1) for part in missed)
        return changes

    def _confirm(self, screening_id: int, position: Position, window: Window) -> None:
        self.send_message(
            type="connection_confirmed",
            screening_id=screening_id,
            message="Connected to real-time seat updates",
            seq=position.seq,
            epoch=position.epoch,
            **window_fields(window, self.timestamp()),
        )

    async def _send_paced(self, several: Iterable[Frames]) -> None:
        """Send frames no faster than the client reads them, yielding to the event loop after each."""
        for frames in several:
            self.send_frames(frames)
            await self.outbox.drained()
            await asyncio.sleep(0)
