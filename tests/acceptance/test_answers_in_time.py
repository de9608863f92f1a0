"""While PostgreSQL is frozen, or every table is locked, every request of every route is answered in time.

The time limit is `FRONTROW_ASK_TIMEOUT_SECONDS`. Unlike measurements this is a guarantee, so it is asserted,
but with a wide margin: it only has to be distinguishable from the statement timeout, which is set much
longer.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import orjson
import pytest

from tests.acceptance.figures import Figures
from tests.acceptance.sample_requests import SampleRequest, sample_requests
from tests.acceptance.server_process import ServerProcess
from tests.database import connect, execute
from tests.topology import topology

BOUND_SECONDS = 1.0
LATEST_SECONDS = 10.0
STATEMENT_SECONDS = 40.0
GIVE_UP_SECONDS = 60.0
RECOVERED_SECONDS = 120.0
POOL_SIZE = 4

NOBODY = 9_000_000
"""A user and an id that nothing else uses, for requests that continue when the database is back."""

ALL_TABLES = (
    "SELECT string_agg(format('%I', tablename), ', ') FROM pg_tables WHERE schemaname = 'public' "
    "AND tablename <> 'alembic_version'"
)


class Outcome(NamedTuple):
    route: str
    status: int
    seconds: float
    retry_after: str | None


@contextmanager
def frozen(server: ServerProcess) -> Iterator[None]:
    server.database.freeze()
    try:
        yield
    finally:
        server.database.thaw()


@contextmanager
def locked(server: ServerProcess) -> Iterator[None]:
    ((tables,),) = execute(server.database.url, ALL_TABLES)
    locker = connect(server.database.url)
    locker.cursor().execute(f"BEGIN; LOCK TABLE {tables}")
    try:
        yield
    finally:
        locker.close()


async def answered(session: aiohttp.ClientSession, request: SampleRequest, token: str) -> Outcome:
    asked = time.monotonic()
    payload = None if request.body is None else orjson.dumps(request.body)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    async with session.request(request.method, request.path, data=payload, headers=headers) as answer:
        await answer.read()
        seconds = time.monotonic() - asked
        return Outcome(request.route, answer.status, seconds, answer.headers.get("Retry-After"))


async def heard(session: aiohttp.ClientSession, path: str, *messages: dict[str, Any]) -> Outcome:
    """Return how long it takes until a new socket is admitted or closed and its last message is answered."""
    asked = time.monotonic()
    async with session.ws_connect(path) as socket:
        for message in messages:
            await socket.send_json(message)
        said = await socket.receive()
        status = 101 if said.type is aiohttp.WSMsgType.TEXT else socket.close_code or 0
    return Outcome(path.partition("?")[0], status, time.monotonic() - asked, None)


@pytest.mark.gen_test(timeout=510)
@pytest.mark.parametrize("away", [frozen, locked])
async def test_every_request_is_answered_in_time(data_directory: Path, figures: Figures, away: Any) -> None:
    async with (
        ServerProcess(
            data_directory,
            ask_timeout_seconds=BOUND_SECONDS,
            database_pool_size=POOL_SIZE,
            statement_timeout_seconds=STATEMENT_SECONDS,
            cron_secret="C" * 40,
        ) as server,
        aiohttp.ClientSession(
            server.url,
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=GIVE_UP_SECONDS),
        ) as session,
    ):
        halls = await server.seed(screenings=4, rows=2, seats_per_row=5)
        token, admin = server.token(NOBODY), server.token(NOBODY, admin=True)
        async with session.get("/openapi.json") as answer:
            document = await answer.json()
        cold = {"screening_id": halls[0].id, "seat_ids": [halls[0].first_seat_id]}
        requests = [
            *sample_requests(document, NOBODY),
            *(one for one in sample_requests(document, halls[1].id) if one.method == "GET"),
            SampleRequest("a cold hold", "POST", "/api/v1/seat-reservations/reserve", cold),
        ]
        with away(server):
            outcomes = await asyncio.gather(
                *(
                    answered(session, request, "C" * 40 if "/cron/" in request.path else admin)
                    for request in requests
                ),
                heard(session, f"/ws/screenings/{halls[2].id}?token={token}"),
                heard(session, f"/ws/events/{halls[2].id}?token={token}"),
                heard(session, "/ws/guest-1", {"type": "join_room", "room_id": f"funcion_{halls[3].id}"}),
            )
            (ready,) = await asyncio.gather(
                answered(session, SampleRequest("readiness", "GET", "/readyz", None), token)
            )
        # /healthz depends on nothing, so its time shows how busy the machine is.
        busy_seconds = max(outcome.seconds for outcome in outcomes if outcome.route == "GET /healthz")
        late = [outcome for outcome in (*outcomes, ready) if outcome.seconds - busy_seconds > LATEST_SECONDS]
        told_to_wait = [outcome for outcome in outcomes if outcome.status in (503, 1013)]
        figures(
            requests=len(outcomes),
            told_to_wait=len(told_to_wait),
            slowest_seconds=max(outcome.seconds for outcome in outcomes),
        )
        assert late == []
        assert [outcome for outcome in outcomes if outcome.status in (500, 502, 504, 1011)] == []
        assert [
            outcome for outcome in told_to_wait if outcome.status == 503 and not outcome.retry_after
        ] == []
        assert len(told_to_wait) > len(requests) / 3, "most requests did not reach the database"
        await _recovers(session, server, requests)


async def _recovers(
    session: aiohttp.ClientSession, server: ServerProcess, requests: list[SampleRequest]
) -> None:
    """Check that everything works afterwards, and that the pool has neither lost nor leaked a connection."""
    token = server.token(NOBODY + 1, admin=True)
    reading = [request for request in requests if request.method == "GET" and "/cron/" not in request.path]
    ready = SampleRequest("readiness", "GET", "/readyz", None)
    async with asyncio.timeout(RECOVERED_SECONDS):
        while (await answered(session, ready, token)).status != 200:  # noqa: ASYNC110 - there is nothing to wait for
            await asyncio.sleep(0.1)
        while refused := [
            outcome
            for outcome in await asyncio.gather(*(answered(session, one, token) for one in reading))
            if outcome.status >= 500
        ]:
            assert all(outcome.status == 503 for outcome in refused)
            await asyncio.sleep(0.2)
        hold = next(request for request in requests if request.route == "a cold hold")
        assert (await answered(session, hold, token)).status in (200, 201, 409)
        clients = (
            "SELECT count(*), count(*) FILTER (WHERE state <> 'idle') FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        workers, nodes = topology()
        processes = workers * nodes
        while True:
            ((connections, busy),) = execute(server.database.url, clients)
            # The pool, the journal, and the reservation of ids; and what a supervisor needs itself.
            if connections <= processes * (POOL_SIZE + 4) + 2 * (workers > 1) and not busy:
                return
            await asyncio.sleep(0.2)
