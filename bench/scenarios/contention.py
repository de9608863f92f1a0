"""Many buyers who want the same seats: one hot pair, and a hall that is sold out."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from bench.load.http import CONFLICT, CREATED, OK
from bench.load.tally import TooManyFailures
from bench.peers import seat_tables
from bench.plan import Contenders, Figures
from bench.seats import Repeated, SeatPairs
from bench.stage import Frontrow, Server, Stage

_SEATS_PER_ROW = 20
_RIVALS = 4
"""Requests for each pair, of which one can succeed."""

_LONGEST_FACTOR = 20
"""Multiple of the usual round within which a hall must be sold out."""


async def prepare_hot_seat(stage: Stage) -> Contenders:
    """Prepare a crowd that toggles one pair of seats, and the same crowd with a pair each.

    The holder of the hot pair releases it with the next request; the others get 409 meanwhile.
    """
    server = await stage.start()
    pairs = SeatPairs(stage.tokens, await stage.seeded(server))
    crowd = range(stage.plan.crowd)

    async def play(requests: Repeated, *expected: int) -> Figures:
        tally = await stage.closed_loop(server, requests, connections=len(crowd))
        if not tally.outcomes[OK]:
            raise TooManyFailures("nobody got a seat")
        return {**tally.figures(*expected), **await server.flushed()}

    hot = Repeated([pairs.toggle(len(pairs) - 1, user) for user in crowd])
    own = Repeated([pairs.toggle(user, user) for user in crowd])
    return {"hot": partial(play, hot, OK, CONFLICT), "uncontended": partial(play, own, OK)}


@dataclass(frozen=True)
class Rush:
    """Requests for all pairs in random order; each connection is a buyer, who wants a share of them."""

    pairs: SeatPairs

    def of(self, connection: int, connections: int) -> Iterator[bytes]:
        """Yield the requests of one buyer."""
        wanted = [*range(len(self.pairs))] * _RIVALS
        random.Random(len(wanted)).shuffle(wanted)
        for payment in range(connection, len(wanted), connections):
            yield self.pairs.book(wanted[payment], connection, payment)


async def prepare_sell_out(stage: Stage) -> Contenders:
    """Prepare ours, and PostgreSQL with row locks. Every pair must be sold exactly once."""
    ours: Frontrow = await stage.start()
    database_url = stage.database()
    seat_tables.create(database_url)

    async def play(server: Server) -> Figures:
        screenings = await ours.process.seed(1, stage.plan.sold_out_rows, _SEATS_PER_ROW)
        if server is ours:
            await stage.activated(ours, screenings)
        else:
            seat_tables.fill(database_url, screenings)
        pairs = SeatPairs(stage.tokens, screenings, run=f"sale-{screenings[0].id}")
        tally = await stage.closed_loop(server, Rush(pairs), seconds=_LONGEST_FACTOR * stage.plan.seconds)
        if tally.outcomes[CREATED] != len(pairs):
            raise TooManyFailures(f"{tally.outcomes[CREATED]} sales of {len(pairs)} pairs")
        return {**tally.figures(CREATED, CONFLICT), "sold_out_seconds": tally.seconds}

    contenders = {"frontrow": partial(play, ours)}
    if peer := await stage.peer("fastapi-postgres", database_url):
        contenders["fastapi-postgres"] = partial(play, peer)
    return contenders
