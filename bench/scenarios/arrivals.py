"""How long a hold takes when users arrive at a fixed rate, half of what the server can do.

Each server's capacity is found first, by a closed loop; then requests begin at fixed times, and latency
counts from these. A 99th percentile differs much from round to round, so twice as many rounds are played as
in other scenarios.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bench.load.http import CREATED, NO_CONTENT
from bench.load.open_loop import OpenLoop
from bench.load.tally import Tally
from bench.rounds import Contender, Figures
from bench.seats import SeatPairs, Walk
from bench.stage import Frontrow, Stage, Target

_SHARE = 0.5
_RELEASE_FACTOR = 10


class Arrivals:
    """One server's users.

    Args:
        stage: where it is measured.
        pairs: what they hold.
        server: a peer or one of ours, whose journal has to be empty before a round begins.
    """

    def __init__(self, stage: Stage, pairs: SeatPairs, server: Target | Frontrow) -> None:
        self._stage = stage
        self._pairs = pairs
        self._server = server
        self._target = server.target if isinstance(server, Frontrow) else server
        self._capacity = 0.0

    async def find_capacity(self) -> None:
        """See how many holds per second the server can do; a first round warms it up."""
        for _ in range(2):
            tally = await self._stage.closed_loop(self._target, Walk(self._pairs, SeatPairs.reserve))
            tally.require(CREATED)
            self._capacity = tally.per_second
            await self._clean_up(tally)

    async def play(self) -> Figures:
        """One round."""
        stage, rate = self._stage, _SHARE * self._capacity
        requests = Walk(self._pairs, SeatPairs.reserve)
        load = OpenLoop(*self._target, requests, stage.sizes.connections, rate, stage.seconds)
        tally = await stage.load.run(load)
        await self._clean_up(tally)
        return {**tally.figures(CREATED), "capacity": self._capacity, "arrivals": rate}

    async def _clean_up(self, held: Tally) -> None:
        requests = Walk(self._pairs, SeatPairs.release, steps=held.sent)
        seconds = _RELEASE_FACTOR * self._stage.seconds
        (await self._stage.closed_loop(self._target, requests, seconds=seconds)).require(NO_CONTENT)
        if isinstance(self._server, Frontrow):
            await self._server.flushed()


@asynccontextmanager
async def prepare(stage: Stage) -> AsyncIterator[list[Contender]]:
    """Ours, and Tornado doing nothing."""
    async with AsyncExitStack() as stack:
        queues = {}
        for name, server in (await stage.generations(stack)).items():
            pairs = SeatPairs(stage.tokens, await stage.seeded(server))
            queues[name] = Arrivals(stage, pairs, server)
        target = await stage.join(stack, "tornado-noop")
        if target is not None:
            queues["tornado-noop"] = Arrivals(stage, pairs, target)
        for queue in queues.values():
            await queue.find_capacity()
        yield [Contender(name, queue.play) for name, queue in queues.items()]
