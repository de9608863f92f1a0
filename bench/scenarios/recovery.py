"""kill -9 while seats are being held, and how soon the server is ready again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.load.http import CREATED, NO_CONTENT
from bench.load.tally import TooManyFailures
from bench.machine import pin
from bench.rounds import Contender, Figures
from bench.seats import SeatPairs, Walk
from bench.stage import Stage

_KILL_AFTER = 0.5
"""Share of a round after which the server is killed."""

_BEGIN_SECONDS = 10.0
"""How long the load may take to hold its first seat."""

_RELEASE_SECONDS = 60.0


@asynccontextmanager
async def prepare(stage: Stage) -> AsyncIterator[list[Contender]]:
    """Ours alone."""
    async with stage.frontrow() as server:
        pairs = SeatPairs(stage.tokens, await stage.seeded(server))

        async def play() -> Figures:
            load = stage.closed_loop(server.target, Walk(pairs, SeatPairs.reserve))
            holding = asyncio.create_task(load)
            await asyncio.sleep(_KILL_AFTER * stage.seconds)
            async with asyncio.timeout(_BEGIN_SECONDS):
                while not await server.client.metric("frontrow_holds_live"):
                    pass
            await server.process.kill()
            tally = await holding
            if not tally.outcomes[CREATED]:
                raise TooManyFailures("the server was killed before it held a seat")
            ready_seconds = await server.process.start()
            pin(server.process.pid, stage.placement.server)
            # What was held in the last moments may be gone, which a release passes over.
            releases = Walk(pairs, SeatPairs.release, steps=tally.sent)
            released = await stage.closed_loop(server.target, releases, seconds=_RELEASE_SECONDS)
            released.require(NO_CONTENT)
            return {"ready_seconds": ready_seconds, "held": float(tally.outcomes[CREATED])}

        yield [Contender("frontrow", play)]
