"""Holding two seats over REST, and giving them back: ours, the same service built otherwise, and no-ops.

Every request names seats that nobody has, so all must succeed. A round holds for its time and then releases
each hold by a request of its own, which is measured beside.

The contenders called distinct get requests as a gateway passes them on: each has a `traceparent` and an
`X-Request-ID` of its own, and the callers are so many that a server meets most of them for the first time.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from bench.load.http import CREATED, NO_CONTENT
from bench.peers import seat_tables
from bench.rounds import Contender, Figures
from bench.seats import SeatPairs, Walk
from bench.stage import Frontrow, Stage, Target

_RELEASE_FACTOR = 10
"""Releasing may take so many times as long as holding before it is broken off."""


class Holding:
    """Holds at one server, round after round.

    Args:
        stage: where it is measured.
        pairs: what is held. Each round begins with the users that come after those of the round before.
        server: a peer or one of ours, whose journal has to be empty after a round.
    """

    def __init__(self, stage: Stage, pairs: SeatPairs, server: Target | Frontrow) -> None:
        self._stage = stage
        self._pairs = pairs
        self._server = server

    async def play(self) -> Figures:
        """One round."""
        stage, pairs, server = self._stage, self._pairs, self._server
        target = server.target if isinstance(server, Frontrow) else server
        held = await stage.closed_loop(target, Walk(pairs, SeatPairs.reserve))
        released = await stage.closed_loop(
            target, Walk(pairs, SeatPairs.release, steps=held.sent), seconds=_RELEASE_FACTOR * stage.seconds
        )
        released.require(NO_CONTENT)
        self._pairs = replace(pairs, first_user=pairs.first_user + sum(held.sent))
        figures = {**held.figures(CREATED), "releases": released.per_second}
        if isinstance(server, Frontrow):
            figures["flush_seconds"] = await server.flushed()
        return figures


@asynccontextmanager
async def prepare(stage: Stage) -> AsyncIterator[list[Contender]]:
    """Ours, and everybody who answers the same requests."""
    async with AsyncExitStack() as stack:
        servers = await stage.generations(stack)
        # A server of its own, so that one kind of callers does not drive the other from its memory.
        servers["frontrow-distinct"] = await stack.enter_async_context(stage.frontrow())
        contenders = []
        for name, server in servers.items():
            pairs = SeatPairs(stage.tokens, await stage.seeded(server))
            distinct = replace(pairs, tokens=stage.callers, traced=True)
            chosen = distinct if name == "frontrow-distinct" else pairs
            contenders.append(Contender(name, Holding(stage, chosen, server).play))
        database_url = stage.database()
        seat_tables.create(database_url)
        seat_tables.fill(database_url, pairs.screenings)
        for name in ("fastapi-postgres", "tornado-noop", "asgi-noop"):
            target = await stage.join(stack, name, database_url=database_url)
            if target is not None:
                contenders.append(Contender(name, Holding(stage, pairs, target).play))
                if name == "asgi-noop":
                    contenders.append(Contender("asgi-noop-distinct", Holding(stage, distinct, target).play))
        yield contenders
