"""Hands out ids from memory, in blocks that are reserved from PostgreSQL sequences in advance.

A sequence increments by a whole block, so one `nextval` reserves a block for this process. The unused rest of
a block is lost when the process ends: ids are unique, but have gaps.
"""

import asyncio
import logging
from collections import deque

from engine.errors import IdsExhausted, StoreUnavailable
from engine.guards import OutageLog
from persistence.connector import Connector
from persistence.errors import DefectiveStatement

logger = logging.getLogger(__name__)

SPARE_BLOCKS = 1
RETRY_SECONDS = 0.5

RESERVE = """
SELECT nextval(sequence), seqincrement
FROM (SELECT %s::regclass AS sequence) AS named JOIN pg_sequence ON seqrelid = sequence
"""


class IdBlocks:
    """Implements `engine.ports.IdSource` with a PostgreSQL sequence.

    Args:
        connector: the database.
        sequence_name: a sequence whose INCREMENT is the block size.
    """

    def __init__(self, connector: Connector, sequence_name: str) -> None:
        self._connector = connector
        self._sequence_name = sequence_name
        # The rest of the block in use.
        self._next = self._end = 0
        self._spare: deque[range] = deque()
        self._reserving: asyncio.Task[None] | None = None
        self._outages = OutageLog(logger, f"reserving ids from {sequence_name}")

    async def start(self) -> None:
        """Reserve the first blocks.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        self._use(await self._reserved())
        self._spare.append(await self._reserved())

    async def stop(self) -> None:
        """Stop reserving blocks."""
        if self._reserving is not None:
            self._reserving.cancel()
            await asyncio.gather(self._reserving, return_exceptions=True)

    def take(self, count: int) -> int:
        """Take `count` consecutive ids and return the first.

        Raises:
            IdsExhausted: none are left and the database is unreachable, or `count` exceeds the block size.
        """
        first = self._next
        if first + count > self._end:
            if not self._spare or count > len(self._spare[0]):
                raise IdsExhausted
            self._use(self._spare.popleft())
            self._reserving = asyncio.create_task(self._fill_up())
            first = self._next
        self._next = first + count
        return first

    def _use(self, block: range) -> None:
        self._next, self._end = block.start, block.stop

    async def _fill_up(self) -> None:
        while len(self._spare) < SPARE_BLOCKS:
            try:
                self._spare.append(await self._reserved())
                self._outages.succeeded()
            except Exception as exc:
                # Retry after any error: without new ids nothing could be sold until a restart.
                expected = isinstance(exc, StoreUnavailable | DefectiveStatement)
                self._outages.failed(exc, defect=not expected)
                await asyncio.sleep(RETRY_SECONDS)

    async def _reserved(self) -> range:
        ((first, size),) = await self._connector.run(RESERVE, (self._sequence_name,))
        return range(first, first + size)
