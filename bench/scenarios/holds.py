"""Holding and buying two seats over REST: ours, ours at an earlier revision, and peers.

Every request names seats that nobody has, so all must succeed.
"""

from dataclasses import replace

from bench.load.http import CREATED, NO_CONTENT
from bench.load.open_loop import OpenLoop
from bench.load.tally import Tally
from bench.peers import seat_tables
from bench.plan import Contenders, Figures
from bench.seats import Each, SeatPairs, Walk, release_all
from bench.stage import ACTIVATION_SECONDS, Server, Stage

_RELEASE_FACTOR = 10
"""Multiple of the time for holding that releasing may take."""

_SHARE = 0.5
"""Share of the server's capacity at which requests arrive."""

_MORE_SCREENINGS = 3
"""Multiple of the usual screenings that sales need, since sold seats do not come back."""


class Buyers:
    """The buyers at one server, round after round.

    Args:
        stage: the surroundings.
        pairs: the seats. Each round of holds begins with the users that follow those of the round before.
        server: the server.
    """

    def __init__(self, stage: Stage, pairs: SeatPairs, server: Server) -> None:
        self._stage = stage
        self._pairs = pairs
        self._server = server
        self._capacity = 0.0
        self._sold = 0

    async def hold(self) -> Figures:
        """Hold as fast as the server answers, then release each hold by a request of its own."""
        held = await self._stage.closed_loop(self._server, Walk(self._pairs, SeatPairs.reserve))
        released = await self._release(held)
        figures = {**held.figures(CREATED), "releases": released.per_second}
        return {**figures, **await self._server.flushed()}

    async def find_capacity(self) -> None:
        """Find the holds per second for `arrive`; a round before warms the server up."""
        for _ in range(2):
            self._capacity = (await self.hold())["rate"]

    async def arrive(self) -> Figures:
        """Hold at a fixed rate, a share of the capacity. Latency counts from the time a request was due."""
        stage, server, rate = self._stage, self._server, _SHARE * self._capacity
        requests = Walk(self._pairs, SeatPairs.reserve)
        load = OpenLoop(
            server.address, server.pid, requests, stage.plan.connections, rate, stage.plan.seconds
        )
        tally = await stage.load.run(load)
        await self._release(tally)
        await server.flushed()
        return {**tally.figures(CREATED), "capacity": self._capacity, "arrivals": rate}

    async def buy(self) -> Figures:
        """Buy seats that no round before has bought."""
        tally = await self._stage.closed_loop(self._server, Walk(self._pairs, SeatPairs.book, self._sold))
        self._sold += max(tally.sent) * len(tally.sent)
        return tally.figures(CREATED)

    async def _release(self, held: Tally) -> Tally:
        requests = Walk(self._pairs, SeatPairs.release, steps=held.sent)
        seconds = _RELEASE_FACTOR * self._stage.plan.seconds
        released = await self._stage.closed_loop(self._server, requests, seconds=seconds)
        released.require(NO_CONTENT)
        self._pairs = replace(self._pairs, first_user=self._pairs.first_user + sum(held.sent))
        return released


async def prepare_holds(stage: Stage) -> Contenders:
    """Prepare ours, and everybody who answers the same requests.

    The contenders called distinct get requests as a gateway forwards them: each has a `traceparent` and an
    `X-Request-ID` of its own, from 100,000 callers. All of them have sent a request before, as callers do who
    have looked at the seats, so their tokens have been verified once.
    """
    servers = await stage.generations()
    # A server of its own, so that these callers do not push the others out of its caches.
    servers["frontrow-distinct"] = await stage.start()
    contenders = {}
    for name, server in servers.items():
        screenings = await stage.seeded(server)
        pairs = SeatPairs(stage.tokens, screenings)
        if name == "frontrow-distinct":
            visits = Each([release_all(token, screenings[0].id) for token in stage.callers])
            visited = await stage.closed_loop(server, visits, seconds=ACTIVATION_SECONDS)
            visited.require(NO_CONTENT)
        distinct = replace(pairs, tokens=stage.callers, traced=True)
        chosen = distinct if name == "frontrow-distinct" else pairs
        contenders[name] = Buyers(stage, chosen, server).hold
    database_url = stage.database()
    seat_tables.create(database_url, pairs.screenings)
    for name in ("fastapi-postgres", "tornado-noop", "asgi-noop"):
        if peer := await stage.peer(name, database_url):
            contenders[name] = Buyers(stage, pairs, peer).hold
            if name == "asgi-noop":
                contenders["asgi-noop-distinct"] = Buyers(stage, distinct, peer).hold
    return contenders


async def prepare_bookings(stage: Stage) -> Contenders:
    """Prepare ours, and PostgreSQL with row locks; both answer after COMMIT, with fsync on."""
    contenders = {}
    for name, server in (await stage.generations()).items():
        pairs = SeatPairs(stage.tokens, await stage.seeded(server, _MORE_SCREENINGS))
        contenders[name] = Buyers(stage, pairs, server).buy
    database_url = stage.database()
    seat_tables.create(database_url, pairs.screenings)
    if peer := await stage.peer("fastapi-postgres", database_url):
        contenders["fastapi-postgres"] = Buyers(stage, pairs, peer).buy
    return contenders


async def prepare_arrivals(stage: Stage) -> Contenders:
    """Prepare ours and the Tornado no-op, and find the capacity of each."""
    buyers = {}
    for name, server in (await stage.generations()).items():
        pairs = SeatPairs(stage.tokens, await stage.seeded(server))
        buyers[name] = Buyers(stage, pairs, server)
    if peer := await stage.peer("tornado-noop"):
        buyers["tornado-noop"] = Buyers(stage, pairs, peer)
    for each in buyers.values():
        await each.find_capacity()
    return {name: each.arrive for name, each in buyers.items()}
