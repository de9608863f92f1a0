"""FastAPI on asyncpg: every hold and every booking is a transaction that locks the rows of its seats.

Rows are locked in the order of their ids, so requests cannot deadlock. A hold is one statement that locks,
checks and writes: one round trip and one implicit transaction, prepared once per connection. Holds do not
wait for the disk (`synchronous_commit = off`), because Frontrow's do not either; bookings do.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import asyncpg
import orjson
from fastapi import FastAPI, Header, HTTPException, Response
from pydantic import BaseModel, Field

from bench.peers.given import Callers, Given, serve_asgi

HOLD_SECONDS = 300.0
CONNECTIONS = 8
"""Connections for holds, and as many for bookings."""

_LOCKED = """
WITH obtainable AS (
    SELECT seat_id FROM screening_seats
    WHERE screening_id = $1 AND seat_id = ANY ($2::bigint[])
        AND (status = 'available' OR status = 'reserved' AND (user_id = $3 OR expires_at < now()))
    ORDER BY seat_id FOR UPDATE
)"""

_OF_ALL = """
FROM obtainable
WHERE seat.screening_id = $1 AND seat.seat_id = obtainable.seat_id
    AND (SELECT count(*) FROM obtainable) = cardinality($2::bigint[])
"""

_HOLD = f"""{_LOCKED}
UPDATE screening_seats AS seat
SET status = 'reserved', user_id = $3, expires_at = now() + make_interval(secs => $4)
{_OF_ALL} RETURNING seat.expires_at
"""  # noqa: S608 - only the constants above

_BOOK = f"""{_LOCKED}, booked AS (
    UPDATE screening_seats AS seat SET status = 'booked', user_id = $3, expires_at = NULL
    {_OF_ALL} RETURNING seat.seat_id
)
INSERT INTO tickets (screening_id, seat_id, user_id, payment_id)
SELECT $1, seat_id, $3, $4 FROM booked
RETURNING id, seat_id, booked_at
"""  # noqa: S608 - only the constants above

_RELEASE = """
UPDATE screening_seats SET status = 'available', user_id = NULL, expires_at = NULL
WHERE screening_id = $1 AND seat_id = ANY ($2::bigint[]) AND status = 'reserved' AND user_id = $3
"""

_AVAILABILITY = """
SELECT id, room_id, row_label, seat_number, seat_type, user_id, expires_at,
       CASE WHEN status = 'reserved' AND expires_at < now() THEN 'available' ELSE status END AS status
FROM screening_seats JOIN seats ON seats.id = seat_id
WHERE screening_id = $1 ORDER BY id
"""
_SEAT_COLUMNS = ("id", "room_id", "row_label", "seat_number", "seat_type")

Authorization = Annotated[str, Header()]


class SeatSelection(BaseModel):
    """Seats of a screening."""

    screening_id: int = Field(ge=1)
    seat_ids: Annotated[list[int], Field(min_length=1, max_length=100)]


class Booking(SeatSelection):
    """Seats to buy."""

    payment_id: str = Field(min_length=1, max_length=255)


def answer(document: Any, status: int = 200) -> Response:
    """Return JSON written by orjson, which saves FastAPI's own pass over the document."""
    return Response(orjson.dumps(document), status, media_type="application/json")


def _seat(row: asyncpg.Record) -> dict[str, Any]:
    reserved = row["status"] == "reserved"
    return {
        "seat": {name: row[name] for name in _SEAT_COLUMNS},
        "status": row["status"],
        "reserved_by": row["user_id"] if reserved else None,
        "expires_at": row["expires_at"] if reserved else None,
    }


def service(given: Given) -> FastAPI:
    """Return the application."""
    pools: dict[str, asyncpg.Pool] = {}
    callers = Callers(given)

    # As a dependency, FastAPI would run it in a thread, which is several times slower.
    def user(authorization: str) -> int:
        user_id = callers.user_id(authorization)
        if user_id is None:
            raise HTTPException(401, "Not authenticated")
        return user_id

    @asynccontextmanager
    async def connected(app: FastAPI) -> AsyncIterator[None]:
        async with (
            _pool(given.database_url, "off") as pools["holds"],
            _pool(given.database_url, "on") as pools["sales"],
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
        held = {"user_id": user_id, "status": "active", "expires_at": rows[0]["expires_at"]}
        reservations = [{"seat_id": seat_id, **held} for seat_id in selection.seat_ids]
        message = f"Reserved {len(reservations)} seats for 5 minutes"
        return answer({"reservations": reservations, "expires_in_minutes": 5, "message": message}, 201)

    @app.delete("/api/v1/seat-reservations/cancel/{screening_id}")
    async def cancel(screening_id: int, seat_ids: str, authorization: Authorization) -> Response:
        try:
            seats = [int(number) for number in seat_ids.split(",")]
        except ValueError as exc:
            raise HTTPException(422, "seat_ids has to be numbers separated by commas") from exc
        await pools["holds"].execute(_RELEASE, screening_id, seats, user(authorization))
        return Response(status_code=204)

    @app.post("/api/v1/tickets/book")
    async def book(booking: Booking, authorization: Authorization) -> Response:
        user_id = user(authorization)
        rows = await pools["sales"].fetch(
            _BOOK, booking.screening_id, booking.seat_ids, user_id, booking.payment_id
        )
        if not rows:
            return answer({"detail": "Seats are taken"}, 409)
        return answer([{**row, "user_id": user_id, "status": "confirmed"} for row in rows], 201)

    @app.get("/api/v1/seat-reservations/screening/{screening_id}/availability")
    async def availability(screening_id: int) -> Response:
        rows = await pools["holds"].fetch(_AVAILABILITY, screening_id)
        return answer([_seat(row) for row in rows])

    return app


def _pool(database_url: str, synchronous_commit: str) -> asyncpg.pool.Pool:
    settings = {"synchronous_commit": synchronous_commit, "jit": "off"}
    return asyncpg.create_pool(
        database_url, min_size=CONNECTIONS, max_size=CONNECTIONS, server_settings=settings
    )


async def serve(given: Given) -> None:
    """Serve until the process is killed."""
    await serve_asgi(service(given), given)
