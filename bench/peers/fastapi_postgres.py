"""FastAPI on asyncpg: every hold and every booking is a transaction that locks its seats' rows.

Rows are locked in the order of their ids, so two requests never wait for each other in a circle. A hold is
one statement that locks, checks and writes, hence one round trip and one implicit transaction. Holds do
not wait for the disk (`synchronous_commit` off), since they promise no more than Frontrow's do; bookings
do. asyncpg prepares each statement once per connection.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
from fastapi import FastAPI, Response

from bench.peers.fastapi_service import (
    HOLD_SECONDS,
    Authorization,
    Booking,
    SeatSelection,
    answer,
    reservations,
    seat_list,
    user_of,
)
from bench.peers.surroundings import Surroundings
from bench.peers.uvicorn_server import serve_application

POOL = 16

_HOLD = """
WITH obtainable AS (
    SELECT seat_id FROM screening_seats
    WHERE screening_id = $1 AND seat_id = ANY ($2::bigint[])
        AND (status = 'available' OR status = 'reserved' AND (user_id = $3 OR expires_at < now()))
    ORDER BY seat_id FOR UPDATE
)
UPDATE screening_seats AS seat
SET status = 'reserved', user_id = $3, expires_at = now() + make_interval(secs => $4)
FROM obtainable
WHERE seat.screening_id = $1 AND seat.seat_id = obtainable.seat_id
    AND (SELECT count(*) FROM obtainable) = cardinality($2::bigint[])
RETURNING seat.expires_at
"""

_RELEASE = """
UPDATE screening_seats SET status = 'available', user_id = NULL, expires_at = NULL
WHERE screening_id = $1 AND seat_id = ANY ($2::bigint[]) AND status = 'reserved' AND user_id = $3
"""

_BOOK = """
WITH obtainable AS (
    SELECT seat_id FROM screening_seats
    WHERE screening_id = $1 AND seat_id = ANY ($2::bigint[])
        AND (status = 'available' OR status = 'reserved' AND (user_id = $3 OR expires_at < now()))
    ORDER BY seat_id FOR UPDATE
), booked AS (
    UPDATE screening_seats AS seat SET status = 'booked', user_id = $3, expires_at = NULL
    FROM obtainable
    WHERE seat.screening_id = $1 AND seat.seat_id = obtainable.seat_id
        AND (SELECT count(*) FROM obtainable) = cardinality($2::bigint[])
    RETURNING seat.seat_id
)
INSERT INTO tickets (screening_id, seat_id, user_id, payment_id)
SELECT $1, seat_id, $3, $4 FROM booked
RETURNING id, seat_id, booked_at
"""

_AVAILABILITY = """
SELECT id, room_id, row_label, seat_number, seat_type, user_id, expires_at,
       CASE WHEN status = 'reserved' AND expires_at < now() THEN 'available' ELSE status END AS status
FROM screening_seats JOIN seats ON seats.id = seat_id
WHERE screening_id = $1 ORDER BY id
"""


def _seat(row: asyncpg.Record) -> dict[str, Any]:
    reserved = row["status"] == "reserved"
    return {
        "seat": {
            "id": row["id"],
            "room_id": row["room_id"],
            "row_label": row["row_label"],
            "seat_number": row["seat_number"],
            "seat_type": row["seat_type"],
        },
        "status": row["status"],
        "reserved_by": row["user_id"] if reserved else None,
        "expires_at": row["expires_at"] if reserved else None,
    }


def service(surroundings: Surroundings) -> FastAPI:
    """The application."""
    pools: dict[str, asyncpg.Pool] = {}
    user = user_of(surroundings.doorman)

    @asynccontextmanager
    async def connected(app: FastAPI) -> AsyncIterator[None]:
        async with (
            _pool(surroundings.database_url, "off") as pools["holds"],
            _pool(surroundings.database_url, "on") as pools["sales"],
        ):
            yield

    app = FastAPI(lifespan=connected, openapi_url=None)

    @app.post("/api/v1/seat-reservations/reserve")
    async def reserve(selection: SeatSelection, authorization: Authorization) -> Response:
        user_id = user(authorization)
        rows = await pools["holds"].fetch(
            _HOLD, selection.screening_id, selection.seat_ids, user_id, HOLD_SECONDS
        )
        if not rows:
            return answer({"detail": "Seats are taken"}, 409)
        return reservations(user_id, selection, rows[0]["expires_at"])

    @app.delete("/api/v1/seat-reservations/cancel/{screening_id}")
    async def cancel(screening_id: int, seat_ids: str, authorization: Authorization) -> Response:
        await pools["holds"].execute(_RELEASE, screening_id, seat_list(seat_ids), user(authorization))
        return Response(status_code=204)

    @app.post("/api/v1/tickets/book")
    async def book(booking: Booking, authorization: Authorization) -> Response:
        user_id = user(authorization)
        rows = await pools["sales"].fetch(
            _BOOK, booking.screening_id, booking.seat_ids, user_id, booking.payment_id
        )
        if not rows:
            return answer({"detail": "Seats are taken"}, 409)
        tickets = [{**row, "user_id": user_id, "status": "confirmed"} for row in rows]
        return answer(tickets, 201)

    @app.get("/api/v1/seat-reservations/screening/{screening_id}/availability")
    async def availability(screening_id: int) -> Response:
        rows = await pools["holds"].fetch(_AVAILABILITY, screening_id)
        return answer([_seat(row) for row in rows])

    @app.get("/readyz")
    async def ready() -> Response:
        return answer({"status": "ready", "time": datetime.now(UTC)})

    return app


def _pool(database_url: str, synchronous_commit: str) -> asyncpg.pool.Pool:
    return asyncpg.create_pool(
        database_url,
        min_size=POOL // 2,
        max_size=POOL // 2,
        server_settings={"synchronous_commit": synchronous_commit, "jit": "off"},
    )


async def serve(surroundings: Surroundings) -> None:
    """Run until SIGTERM."""
    await serve_application(service(surroundings), surroundings)
