"""FastAPI on Redis: a Lua script holds all seats or none, and Redis lets holds lapse.

Redis writes its log to disk once a second, much as Frontrow's journal follows behind.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from fastapi import FastAPI, Response
from redis.asyncio import Redis

from bench.peers.fastapi_service import (
    HOLD_SECONDS,
    Authorization,
    SeatSelection,
    answer,
    reservations,
    seat_list,
    user_of,
)
from bench.peers.surroundings import Surroundings
from bench.peers.uvicorn_server import serve_application

_HOLD = """
for _, seat in ipairs(KEYS) do
    local holder = redis.call('GET', seat)
    if holder and holder ~= ARGV[1] then return 0 end
end
for _, seat in ipairs(KEYS) do redis.call('SET', seat, ARGV[1], 'PX', ARGV[2]) end
return 1
"""

_RELEASE = """
for _, seat in ipairs(KEYS) do
    if redis.call('GET', seat) == ARGV[1] then redis.call('DEL', seat) end
end
return 1
"""


def _keys(screening_id: int, seat_ids: list[int]) -> list[str]:
    return [f"seat:{screening_id}:{seat_id}" for seat_id in seat_ids]


def service(surroundings: Surroundings) -> FastAPI:
    """The application."""
    redis = Redis(unix_socket_path=surroundings.redis_path)
    hold, release = redis.register_script(_HOLD), redis.register_script(_RELEASE)
    user = user_of(surroundings.doorman)

    @asynccontextmanager
    async def connected(app: FastAPI) -> AsyncIterator[None]:
        async with redis:
            yield

    app = FastAPI(lifespan=connected, openapi_url=None)

    @app.post("/api/v1/seat-reservations/reserve")
    async def reserve(selection: SeatSelection, authorization: Authorization) -> Response:
        user_id = user(authorization)
        keys = _keys(selection.screening_id, selection.seat_ids)
        if not await hold(keys, [user_id, int(HOLD_SECONDS * 1000)]):
            return answer({"detail": "Seats are taken"}, 409)
        return reservations(user_id, selection, datetime.now(UTC) + timedelta(seconds=HOLD_SECONDS))

    @app.delete("/api/v1/seat-reservations/cancel/{screening_id}")
    async def cancel(screening_id: int, seat_ids: str, authorization: Authorization) -> Response:
        await release(_keys(screening_id, seat_list(seat_ids)), [user(authorization)])
        return Response(status_code=204)

    @app.get("/readyz")
    async def ready() -> Response:
        return answer({"status": "ready" if await redis.ping() else "unavailable"})

    return app


async def serve(surroundings: Surroundings) -> None:
    """Run until SIGTERM."""
    await serve_application(service(surroundings), surroundings)
