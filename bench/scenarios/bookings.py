"""Buying two seats over REST: answered after COMMIT, with fsync on, by ours and by one transaction each.

Every request buys seats that nobody has bought, in all rounds, so all must succeed.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bench.load.http import CREATED
from bench.peers import seat_tables
from bench.rounds import Contender, Figures
from bench.seats import SeatPairs, Walk
from bench.stage import Stage, Target

_MORE_SCREENINGS = 3
"""Sold seats do not come back, so there are so many times the usual screenings."""


class Sale:
    """One server's sale, which goes on from round to round."""

    def __init__(self, stage: Stage, pairs: SeatPairs, target: Target) -> None:
        self._stage = stage
        self._pairs = pairs
        self._target = target
        self._sold = 0

    async def play(self) -> Figures:
        """One round."""
        tally = await self._stage.closed_loop(self._target, Walk(self._pairs, SeatPairs.book, self._sold))
        self._sold += max(tally.sent) * len(tally.sent)
        return tally.figures(CREATED)


@asynccontextmanager
async def prepare(stage: Stage) -> AsyncIterator[list[Contender]]:
    """Ours, and PostgreSQL with row locks."""
    async with AsyncExitStack() as stack:
        contenders = []
        for name, server in (await stage.generations(stack)).items():
            screenings = await stage.seeded(server, _MORE_SCREENINGS * stage.sizes.screenings)
            pairs = SeatPairs(stage.tokens, screenings)
            contenders.append(Contender(name, Sale(stage, pairs, server.target).play))
        database_url = stage.database()
        seat_tables.create(database_url)
        seat_tables.fill(database_url, screenings)
        target = await stage.join(stack, "fastapi-postgres", database_url=database_url)
        if target is not None:
            contenders.append(Contender("fastapi-postgres", Sale(stage, pairs, target).play))
        yield contenders
