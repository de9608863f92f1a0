"""Adds up the public statistics of all nodes.

Nothing is cached: a client that has just connected counts. Requests that come together share an answer. A
node that does not answer within `WAIT_SECONDS` is left out, so the numbers are too low then.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from itertools import chain
from typing import Protocol

from cluster.everybody import Everybody
from cluster.links import Links
from cluster.rounds import Rounds

SCREENING_SOCKETS, EVENT_SOCKETS, ROOMS = "screening_sockets", "event_sockets", "rooms"
"""Kinds of calls, answered with the totals of one node."""

WAIT_SECONDS = 0.3


class Totals(Protocol):
    """The totals of one node; `api.ws.totals.OwnTotals` documents them."""

    async def screening_sockets(self) -> Mapping[int, int]:
        """Return the number of sockets by screening."""

    async def event_sockets(self) -> tuple[int, int]:
        """Return the numbers of sockets and of subscriptions."""

    async def rooms(self) -> tuple[int, Collection[int], int]:
        """Return the number of sockets, the ids of rooms, and the number of held seats."""


class ClusterTotals:
    """The totals of all nodes; see `api.services.Totals`.

    Args:
        own: of this node.
        links: to the other nodes.
        everybody: asks them.
    """

    def __init__(self, own: Totals, links: Links, everybody: Everybody) -> None:
        self._own = own
        self._everybody = everybody
        self._screening_sockets = Rounds(self._add_screening_sockets)
        self._event_sockets = Rounds(self._add_event_sockets)
        self._rooms = Rounds(self._add_rooms)
        links.on(SCREENING_SOCKETS, lambda *_: own.screening_sockets())
        links.on(EVENT_SOCKETS, lambda *_: own.event_sockets())
        links.on(ROOMS, lambda *_: own.rooms())

    async def screening_sockets(self) -> Mapping[int, int]:
        return await self._screening_sockets.next()

    async def event_sockets(self) -> tuple[int, int]:
        return await self._event_sockets.next()

    async def rooms(self) -> tuple[int, Collection[int], int]:
        return await self._rooms.next()

    async def _add_screening_sockets(self) -> Mapping[int, int]:
        others = await self._everybody.ask(SCREENING_SOCKETS, None, WAIT_SECONDS)
        total: Counter[int] = Counter()
        for counts in (await self._own.screening_sockets(), *others.values()):
            total.update(counts)
        return total

    async def _add_event_sockets(self) -> tuple[int, int]:
        others = await self._everybody.ask(EVENT_SOCKETS, None, WAIT_SECONDS)
        clients, subscriptions = zip(await self._own.event_sockets(), *others.values(), strict=False)
        return sum(clients), sum(subscriptions)

    async def _add_rooms(self) -> tuple[int, Collection[int], int]:
        others = await self._everybody.ask(ROOMS, None, WAIT_SECONDS)
        clients, rooms, holds = zip(await self._own.rooms(), *others.values(), strict=False)
        return sum(clients), frozenset(chain.from_iterable(rooms)), sum(holds)
