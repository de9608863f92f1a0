"""How long a hold takes when users arrive at a fixed rate, half of what the server can do.

Each server's capacity is found first, by a closed loop; then requests begin at fixed moments, and latency
counts from these.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from bench.load.http import CREATED, NO_CONTENT
from bench.load.open_loop import OpenLoop
from bench.load.tally import Tally
from bench.rounds import Contender, Figures
from bench.seats import SeatPairs, Walk
from bench.stage import Stage, Target

_SHARE = 0.5
_RELEASE_FACTOR = 10


class Queue:
    """One server's users.

    Args:
        stage: where it is measured.
        pairs: what they hold.
        target: the server.
    """

    def __init__(self, stage: Stage, pairs: SeatPairs, target: Target) -> None:
        self._stage = stage
        self._pairs = pairs
        self._target = target
        self._capacity = 0.0

    async def find_capacity(self) -> None:
        """See how many holds a second the server can do."""
        tally = await self._stage.closed_loop(self._target, Walk(self._pairs, SeatPairs.reserve))
        tally.require(CREATED)
        self._capacity = tally.per_second
        await self._release(tally)

    async def play(self) -> Figures:
        """One round."""
        stage, rate = self._stage, _SHARE * self._capacity
        requests = Walk(self._pairs, SeatPairs.reserve)
        load = OpenLoop(*self._target, requests, stage.sizes.connections, rate, stage.seconds)
        tally = await stage.load.run(load)
        await self._release(tally)
        return {**tally.figures(CREATED), "capacity": self._capacity, "arrivals": rate}

    async def _release(self, held: Tally) -> None:
        requests = Walk(self._pairs, SeatPairs.release, steps=held.sent)
        seconds = _RELEASE_FACTOR * self._stage.seconds
        (await self._stage.closed_loop(self._target, requests, seconds=seconds)).require(NO_CONTENT)


async def _then(play: Callable[[], Awaitable[Figures]], after: Callable[[], Awaitable[object]]) -> Figures:
    figures = await play()
    await after()
    return figures


@asynccontextmanager
async def prepare(stage: Stage) -> AsyncIterator[list[Contender]]:
    """Ours, and Tornado doing nothing."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(stage.frontrow())
        pairs = SeatPairs(stage.tokens, await stage.seeded(server))
        ours = Queue(stage, pairs, server.target)
        await ours.find_capacity()
        await server.flushed()
        contenders = [Contender("frontrow", partial(_then, ours.play, server.flushed))]
        target = await stage.join(stack, "tornado-noop")
        if target is not None:
            queue = Queue(stage, pairs, target)
            await queue.find_capacity()
            contenders.append(Contender("tornado-noop", queue.play))
        yield contenders
