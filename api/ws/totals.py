"""Totals for public statistics: sockets, rooms in use, held seats.

Each endpoint counts its own sockets (`SocketCounts`). In a cluster these are the totals of one node, and
`cluster.totals` adds up those of all nodes.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from api.ws.socket_counts import SocketCounts


class OwnRooms(Protocol):
    """The rooms with sockets of this server; `api.rooms.socket.RoomServices` documents them."""

    @property
    def client_count(self) -> int:
        """Number of open sockets."""

    @property
    def occupied(self) -> Collection[int]:
        """Ids of rooms with at least one client."""


class OwnTotals:
    """The totals of this server; see `api.services.Totals`.

    Args:
        screenings: counts the sockets that watch screenings.
        events: counts the sockets of events.
        rooms: the rooms with sockets.
        hold_count: returns the number of active holds.
    """

    def __init__(
        self,
        screenings: SocketCounts,
        events: SocketCounts,
        rooms: OwnRooms,
        hold_count: Callable[[], int],
    ) -> None:
        self._screenings = screenings
        self._events = events
        self._rooms = rooms
        self._hold_count = hold_count

    async def screening_sockets(self) -> Mapping[int, int]:
        return self._screenings.by_screening

    async def event_sockets(self) -> tuple[int, int]:
        return self._events.clients, self._events.subscriptions

    async def rooms(self) -> tuple[int, Collection[int], int]:
        return self._rooms.client_count, self._rooms.occupied, self._hold_count()
