"""Waits until everything that any node has acknowledged can be read from PostgreSQL.

Each node writes behind, so a client that got an answer from one node and reads from another would not find
what it has just done. Before such a read all nodes are asked to write what they have acknowledged.
"""

import asyncio
from functools import partial
from typing import Any

from cluster.everybody import Everybody
from cluster.links import Links
from cluster.rounds import Rounds
from engine.errors import EngineError, StoreUnavailable
from engine.ports import Flushing

FLUSH = "flush"
"""Kind of calls: answered once everything acknowledged before, of one screening or of all, is written."""


class ClusterFlushing:
    """Flushes the journals of all nodes.

    Args:
        journal: of this node.
        links: to the other nodes.
        everybody: asks them.
        seconds: time limit for one flush.
    """

    def __init__(self, journal: Flushing, links: Links, everybody: Everybody, seconds: float) -> None:
        self._journal = journal
        self._everybody = everybody
        self._seconds = seconds
        self._rounds = Rounds(partial(self._flush, None))
        links.on(FLUSH, self._asked)

    async def flushed(self, screening_id: int | None = None) -> None:
        """Return when everything that any node acknowledged before this call is settled.

        Args:
            screening_id: if given, delayed entries of other screenings are not waited for.

        Raises:
            StoreUnavailable: a node that is not gone did not do so in time.
        """
        if not await (self._rounds.next() if screening_id is None else self._flush(screening_id)):
            raise StoreUnavailable("Not every server has written its changes in time")

    async def _flush(self, screening_id: int | None) -> bool:
        others = asyncio.create_task(self._everybody.ask_all(FLUSH, screening_id, self._seconds))
        try:
            async with asyncio.timeout(self._seconds):
                await self._journal.flushed(screening_id)
                await others
        except (EngineError, TimeoutError):
            return False
        finally:
            others.cancel()
        return True

    async def _asked(self, _: str, screening_id: Any) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await self._journal.flushed(screening_id)
        except TimeoutError:
            raise StoreUnavailable from None
