"""Requests that only read: seats that change meanwhile, a plain JSON endpoint, and untouched screenings."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import cycle

import aiohttp

from bench.load.http import CREATED, NOT_MODIFIED, OK, framed, head
from bench.peers import seat_tables
from bench.plan import Contenders, Figures
from bench.seats import CANCEL, RESERVE, Each, InTurns, Repeated, SeatPairs, availability
from bench.stage import Server, Stage
from tests.acceptance.seeding import SeededScreening

_HALL = (15, 20)
_CHANGED_SEATS = 3
_CHANGE_SECONDS = 1.0
_LONGEST_SECONDS = 60.0
_LOOKERS = 8
_FREE_PAIRS = 20


async def prepare_availability(stage: Stage) -> Contenders:
    """Prepare reading the seats of one hall: ours with and without `If-None-Match`, and from PostgreSQL."""
    server = await stage.start()
    (screening,) = await stage.activated(server, await server.process.seed(1, *_HALL))
    polls = Repeated([availability(screening.id)])

    async def play(server: Server, *, revalidates: bool = False) -> Figures:
        async with _changing(server, screening, stage.tokens[0]):
            tally = await stage.closed_loop(server, polls, revalidates=revalidates)
        return {
            **tally.figures(OK, NOT_MODIFIED),
            "bytes_each": tally.received_bytes / tally.answered,
            "not_modified": tally.outcomes[NOT_MODIFIED] / tally.answered,
        }

    contenders = {"frontrow": partial(play, server), "frontrow-etag": partial(play, server, revalidates=True)}
    database_url = stage.database()
    seat_tables.create(database_url, [screening])
    if peer := await stage.peer("fastapi-postgres", database_url):
        contenders["fastapi-postgres"] = partial(play, peer)
    return contenders


@asynccontextmanager
async def _changing(server: Server, screening: SeededScreening, token: str) -> AsyncIterator[None]:
    """Hold a few seats and release them, in turns, as long as the block lasts."""
    seat_ids = list(screening.seat_ids[:_CHANGED_SEATS])
    selection = {"screening_id": screening.id, "seat_ids": seat_ids}
    cancel = f"{CANCEL}/{screening.id}?seat_ids={','.join(map(str, seat_ids))}"

    async def change() -> None:
        # The round before may have ended between a hold and its release.
        await session.delete(cancel)
        for method, path, body in cycle((("POST", RESERVE, selection), ("DELETE", cancel, None))):
            async with session.request(method, path, json=body):
                await asyncio.sleep(_CHANGE_SECONDS)

    url, authorization = "http://{}:{}".format(*server.address), {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(url, headers=authorization, raise_for_status=True) as session:
        changing = asyncio.create_task(change())
        try:
            yield
        finally:
            changing.cancel()
            with suppress(asyncio.CancelledError):
                await changing


async def prepare_full_hall(stage: Stage) -> Contenders:
    """Prepare looking at a large hall after every change: an empty one, and one that is nearly full."""
    server, plan = await stage.start(), stage.plan
    seeded = await server.process.seed(2, plan.rows, plan.seats_per_row)
    empty, full = (SeatPairs(stage.tokens, [hall]) for hall in await stage.activated(server, seeded))
    holds = Each([full.reserve(pair) for pair in range(_LOOKERS, len(full) - _FREE_PAIRS)])
    (await stage.closed_loop(server, holds, seconds=_LONGEST_SECONDS)).require(CREATED)

    async def play(pairs: SeatPairs) -> Figures:
        changes = Repeated([pairs.toggle(pair) for pair in range(_LOOKERS)])
        looks = Repeated([availability(pairs.screenings[0].id)])
        visits = InTurns((changes, looks), (0, 1))
        tally = await stage.closed_loop(server, visits, connections=_LOOKERS)
        return tally.figures(OK)

    return {"empty": partial(play, empty), "full": partial(play, full)}


async def prepare_handler(stage: Stage) -> Contenders:
    """Prepare the welcome page, which no route of its own makes fast, on both HTTP layers."""

    async def play(server: Server) -> Figures:
        return (await stage.closed_loop(server, Repeated([head("GET", "/") + framed()]))).figures(OK)

    layers = {"frontrow": "httptools", "frontrow-on-tornado": "tornado"}
    return {name: partial(play, await stage.start(http_layer=layer)) for name, layer in layers.items()}


async def prepare_activation(stage: Stage) -> Contenders:
    """Prepare untouched screenings, whose seats are asked for one by one."""
    each = stage.plan.activations
    server = await stage.start()
    screenings = await server.process.seed(each * (stage.plan.rounds + 1), *_HALL)

    async def play() -> Figures:
        requests = Each([availability(screenings.pop().id) for _ in range(each)])
        tally = await stage.closed_loop(server, requests, connections=1, seconds=_LONGEST_SECONDS)
        return tally.figures(OK)

    return {"frontrow": play}
