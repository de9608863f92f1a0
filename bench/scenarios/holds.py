"""Holding two seats over REST, and giving them back: ours, the same service built otherwise, and no-ops.

Every request names seats that nobody has, by one of many users, so all must succeed. A round holds for its
time and then releases each hold by a request of its own, which is measured beside.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from bench.load.http import CREATED, NO_CONTENT
from bench.peers import seat_tables
from bench.rounds import Contender, Figures
from bench.seats import SeatPairs, Walk
from bench.stage import Frontrow, Stage, Target

_RELEASE_FACTOR = 10
"""Releasing may take so many times as long as holding before it is broken off."""


async def play(stage: Stage, pairs: SeatPairs, target: Target) -> Figures:
    """One round."""
    held = await stage.closed_loop(target, Walk(pairs, SeatPairs.reserve))
    released = await stage.closed_loop(
        target, Walk(pairs, SeatPairs.release, steps=held.sent), seconds=_RELEASE_FACTOR * stage.seconds
    )
    released.require(NO_CONTENT)
    return {**held.figures(CREATED), "releases": released.per_second}


async def play_ours(stage: Stage, pairs: SeatPairs, server: Frontrow) -> Figures:
    """One round, and how long the journal then takes until it has written all of it."""
    figures = await play(stage, pairs, server.target)
    return {**figures, "flush_seconds": await server.flushed()}


@asynccontextmanager
async def prepare(stage: Stage) -> AsyncIterator[list[Contender]]:
    """Ours, and everybody who answers the same requests."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(stage.frontrow())
        screenings = await stage.seeded(server)
        pairs = SeatPairs(stage.tokens, screenings)
        contenders = [Contender("frontrow", partial(play_ours, stage, pairs, server))]
        database_url = stage.database()
        seat_tables.create(database_url)
        seat_tables.fill(database_url, screenings)
        for name in ("fastapi-postgres", "fastapi-redis", "tornado-noop", "asgi-noop"):
            target = await stage.join(stack, name, database_url=database_url)
            if target is not None:
                contenders.append(Contender(name, partial(play, stage, pairs, target)))
        yield contenders
