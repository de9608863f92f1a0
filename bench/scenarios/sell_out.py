"""A hall is sold out: several buyers want each pair of seats, in an order that nobody knows.

Most requests are refused, as on such a day. What counts is that every pair is sold exactly once, and how
soon the last one is.
"""

import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from bench.load.http import CONFLICT, CREATED
from bench.load.tally import TooManyFailures
from bench.peers import seat_tables
from bench.rounds import Contender, Figures
from bench.seats import SeatPairs
from bench.stage import Frontrow, Stage, Target
from tests.acceptance.server_process import SeededScreening

_SEATS_PER_ROW = 20
_RIVALS = 4
"""How often each pair is wanted; now and then twice by the same buyer."""

_LONGEST_FACTOR = 20
"""A hall must be sold out within so many times the usual round."""


@dataclass(frozen=True)
class Rush:
    """Each connection is a buyer, who wants a share of all pairs."""

    pairs: SeatPairs

    def of(self, connection: int, connections: int) -> Iterator[bytes]:
        """The requests of one buyer."""
        wanted = [*range(len(self.pairs))] * _RIVALS
        random.Random(len(wanted)).shuffle(wanted)
        for payment in range(connection, len(wanted), connections):
            yield self.pairs.book(wanted[payment], connection, payment)


async def play(
    stage: Stage, opened: Callable[[SeededScreening], None], server: Frontrow, target: Target
) -> Figures:
    """One round: a new screening, until it is sold out and everybody knows.

    Args:
        opened: tells the target's database of the screening.
        server: makes the screening.
        target: sells it.
    """
    screenings = await server.process.seed(1, stage.sizes.sold_out_rows, _SEATS_PER_ROW)
    opened(screenings[0])
    await server.client.release_all(screenings[0].id)
    pairs = SeatPairs(stage.tokens, screenings, run=f"sale-{screenings[0].id}")
    tally = await stage.closed_loop(target, Rush(pairs), seconds=_LONGEST_FACTOR * stage.seconds)
    if tally.outcomes[CREATED] != len(pairs):
        raise TooManyFailures(f"{tally.outcomes[CREATED]} sales of {len(pairs)} pairs")
    return {**tally.figures(CREATED, CONFLICT), "sold_out_seconds": tally.seconds}


@asynccontextmanager
async def prepare(stage: Stage) -> AsyncIterator[list[Contender]]:
    """Ours, and PostgreSQL with row locks."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(stage.frontrow())
        ours = partial(play, stage, lambda screening: None, server, server.target)
        contenders = [Contender("frontrow", ours)]
        database_url = stage.database()
        seat_tables.create(database_url)
        target = await stage.join(stack, "fastapi-postgres", database_url=database_url)
        if target is not None:
            opened = partial(_fill_one, database_url)
            contenders.append(Contender("fastapi-postgres", partial(play, stage, opened, server, target)))
        yield contenders


def _fill_one(database_url: str, screening: SeededScreening) -> None:
    seat_tables.fill(database_url, [screening])
