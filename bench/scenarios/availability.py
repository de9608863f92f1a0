"""The seats of a hall of 300, asked for again and again while three of them change every second."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle

import aiohttp

from bench.load.http import NOT_MODIFIED, OK, request
from bench.peers import seat_tables
from bench.rounds import Contender, Figures
from bench.seats import CANCEL, RESERVE, Repeated, availability_path
from bench.stage import Stage, Target
from tests.acceptance.server_process import SeededScreening

_HALL = (15, 20)
_CHANGED_SEATS = 3
_CHANGE_SECONDS = 1.0


@asynccontextmanager
async def prepare(stage: Stage) -> AsyncIterator[list[Contender]]:
    """Ours, with clients that know what they have and with those that do not, and reading PostgreSQL."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(stage.frontrow())
        (screening,) = await stage.activated(server, await server.process.seed(1, *_HALL))
        contenders = [
            _contender(stage, "frontrow", server.target, screening),
            _contender(stage, "frontrow-etag", server.target, screening, revalidates=True),
        ]
        database_url = stage.database()
        seat_tables.create(database_url)
        seat_tables.fill(database_url, [screening])
        target = await stage.join(stack, "fastapi-postgres", database_url=database_url)
        if target is not None:
            contenders.append(_contender(stage, "fastapi-postgres", target, screening))
        yield contenders


def _contender(
    stage: Stage, name: str, target: Target, screening: SeededScreening, *, revalidates: bool = False
) -> Contender:
    polls = Repeated([request("GET", availability_path(screening.id))])

    async def play() -> Figures:
        async with _changing(target, screening, stage.tokens[0]):
            tally = await stage.closed_loop(target, polls, revalidates=revalidates)
        return {
            **tally.figures(OK, NOT_MODIFIED),
            "bytes_each": tally.received_bytes / tally.answered,
            "not_modified": tally.outcomes[NOT_MODIFIED] / tally.answered,
        }

    return Contender(name, play)


@asynccontextmanager
async def _changing(target: Target, screening: SeededScreening, token: str) -> AsyncIterator[None]:
    """Hold a few seats and give them back, in turns, as long as the block lasts."""
    changing = asyncio.create_task(_change(target, screening, token))
    try:
        yield
    finally:
        changing.cancel()
        await asyncio.wait((changing,))
    if not changing.cancelled():
        changing.result()


async def _change(target: Target, screening: SeededScreening, token: str) -> None:
    seat_ids = list(screening.seat_ids[:_CHANGED_SEATS])
    selection = {"screening_id": screening.id, "seat_ids": seat_ids}
    cancel = f"{CANCEL}/{screening.id}?seat_ids={','.join(map(str, seat_ids))}"
    async with aiohttp.ClientSession(
        f"http://{target.address.host}:{target.address.port}",
        headers={"Authorization": f"Bearer {token}"},
        raise_for_status=True,
    ) as session:
        # What a round that was broken off has left behind.
        await session.delete(cancel)
        for method, path, body in cycle((("POST", RESERVE, selection), ("DELETE", cancel, None))):
            async with session.request(method, path, json=body):
                await asyncio.sleep(_CHANGE_SECONDS)
