"""One seat that everybody wants: a crowd toggles one pair of seats, or each its own.

On the hot pair whoever has it gives it back with the next request, and the others are told 409 meanwhile.
Both sides have the same clients, connections and kind of request, on one server.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.load.http import CONFLICT, OK
from bench.load.tally import TooManyFailures
from bench.rounds import Contender, Figures
from bench.seats import Repeated, SeatPairs
from bench.stage import Frontrow, Stage


@asynccontextmanager
async def prepare(stage: Stage) -> AsyncIterator[list[Contender]]:
    """The hot seat, and what the same clients do without quarrel."""
    async with stage.frontrow() as server:
        pairs = SeatPairs(stage.tokens, await stage.seeded(server))
        crowd = range(stage.sizes.crowd)
        hot = Repeated([pairs.toggle(len(pairs) - 1, user) for user in crowd])
        own = Repeated([pairs.toggle(user, user) for user in crowd])

        async def play_hot() -> Figures:
            return await _play(stage, server, hot, OK, CONFLICT)

        async def play_uncontended() -> Figures:
            return await _play(stage, server, own, OK)

        yield [Contender("hot", play_hot), Contender("uncontended", play_uncontended)]


async def _play(stage: Stage, server: Frontrow, requests: Repeated, *expected: int) -> Figures:
    tally = await stage.closed_loop(server.target, requests, connections=stage.sizes.crowd)
    if not tally.outcomes[OK]:
        raise TooManyFailures("nobody got a seat")
    return {**tally.figures(*expected), "flush_seconds": await server.flushed()}
