"""Whether a hold costs the same in a large hall, beside many active screenings, and beside many sockets.

Four servers take turns. The clients are the same everywhere, few enough for the small hall: each toggles a
pair of its own.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bench.load.crowd import crowd
from bench.load.http import OK
from bench.rounds import Contender, Figures
from bench.scenarios.fan_out import GREETING, watching_paths
from bench.seats import Repeated, SeatPairs
from bench.stage import Frontrow, Stage

_SMALL_HALL, _USUAL_HALL = (10, 10), (15, 20)


@asynccontextmanager
async def prepare(stage: Stage) -> AsyncIterator[list[Contender]]:
    """A server with next to nothing, and three with much of one thing."""
    sizes = stage.sizes
    async with AsyncExitStack() as stack:

        async def server(screenings: int, rows: int, seats_per_row: int) -> tuple[Frontrow, SeatPairs]:
            made = await stack.enter_async_context(stage.frontrow())
            seeded = await made.process.seed(screenings, rows, seats_per_row)
            return made, SeatPairs(stage.tokens, await stage.activated(made, seeded))

        plain = await server(1, *_SMALL_HALL)
        large = await server(1, sizes.large_rows, sizes.large_seats_per_row)
        active = await server(sizes.active_screenings, *_USUAL_HALL)
        watched = await server(2, *_SMALL_HALL)
        paths = watching_paths(stage.tokens, watched[1].screenings[1].id, sizes.idle_sockets)
        stack.enter_context(crowd(watched[0].target.address, paths, GREETING, stage.placement.load))
        # One of its two screenings is for the sockets, which keep silent.
        watched = (watched[0], SeatPairs(stage.tokens, watched[1].screenings[:1]))
        clients = min(sizes.connections, len(plain[1]))
        yield [
            _contender(stage, name, clients, *contender)
            for name, contender in (
                ("plain", plain),
                ("large-hall", large),
                ("active-screenings", active),
                ("idle-sockets", watched),
            )
        ]


def _contender(stage: Stage, name: str, clients: int, server: Frontrow, pairs: SeatPairs) -> Contender:
    apart = len(pairs) // clients
    toggles = Repeated([pairs.toggle(client * apart) for client in range(clients)])

    async def play() -> Figures:
        tally = await stage.closed_loop(server.target, toggles, connections=clients)
        return {**tally.figures(OK), "flush_seconds": await server.flushed()}

    return Contender(name, play)
