"""What a server's memory grows by for each silent socket, and for each screening that is in memory.

Every round is a server of its own: memory that was freed once would hide what is taken next. Resident memory
counts, so what Python and the allocator lose is in it; what the kernel keeps for a connection is not.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from bench.load.crowd import crowd
from bench.rounds import Contender, Figures
from bench.scenarios.fan_out import GREETING, watching_paths
from bench.stage import Stage
from frontrow.seeding import SCREENINGS_PER_ROOM

_HALL = (15, 20)


@asynccontextmanager
async def prepare_sockets(stage: Stage) -> AsyncIterator[list[Contender]]:
    """Silent sockets."""
    yield [Contender("frontrow", partial(_weigh_sockets, stage))]


@asynccontextmanager
async def prepare_screenings(stage: Stage) -> AsyncIterator[list[Contender]]:
    """Active screenings."""
    yield [Contender("frontrow", partial(_weigh_screenings, stage))]


async def _weigh_sockets(stage: Stage) -> Figures:
    number = stage.sizes.idle_sockets
    async with stage.frontrow() as server:
        (screening,) = await stage.activated(server, await server.process.seed(1, *_HALL))
        # The first socket makes what all of them share.
        with crowd(
            server.target.address,
            watching_paths(stage.tokens, screening.id, 1),
            GREETING,
            stage.placement.load,
        ):
            before_bytes = server.process.resident_bytes
        paths = watching_paths(stage.tokens, screening.id, number)
        with crowd(server.target.address, paths, GREETING, stage.placement.load):
            return {"bytes_each": (server.process.resident_bytes - before_bytes) / number}


async def _weigh_screenings(stage: Stage) -> Figures:
    async with stage.frontrow() as server:
        number = stage.sizes.active_screenings
        screenings = await server.process.seed(2 * number, *_HALL)
        # Layouts belong to rooms and are shared: one screening of each room brings them into memory. And the
        # server remembers some thousand heads of requests, which differ here from screening to screening.
        firsts, others = (
            set(screenings[::SCREENINGS_PER_ROOM]) | set(screenings[:number]),
            screenings[number:],
        )
        await stage.activated(server, sorted(firsts))
        counted = [screening for screening in others if screening not in firsts]
        before_bytes = server.process.resident_bytes
        await stage.activated(server, counted)
        return {"bytes_each": (server.process.resident_bytes - before_bytes) / len(counted)}
