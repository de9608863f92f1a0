"""Screenings that nobody has touched are opened, one by one: the seats of each are asked for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.load.http import OK, request
from bench.rounds import Contender, Figures
from bench.seats import Each, availability_path
from bench.stage import Stage

_HALL = (15, 20)
_LONGEST_SECONDS = 60.0


@asynccontextmanager
async def prepare(stage: Stage) -> AsyncIterator[list[Contender]]:
    """Ours alone."""
    each = stage.sizes.activations
    async with stage.frontrow() as server:
        screenings = await server.process.seed(each * (stage.rounds + 1), *_HALL)
        paths = [request("GET", availability_path(screening.id)) for screening in screenings]
        untouched = [paths[first : first + each] for first in range(0, len(paths), each)]

        async def play() -> Figures:
            requests = Each(untouched.pop())
            tally = await stage.closed_loop(server.target, requests, connections=1, seconds=_LONGEST_SECONDS)
            return tally.figures(OK)

        yield [Contender("frontrow", play)]
