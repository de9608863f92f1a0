"""What both FastAPI peers have in common: who calls, what they send, and how they are answered."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import Header, HTTPException, Response
from pydantic import BaseModel, Field

from bench.peers.surroundings import Doorman

HOLD_SECONDS = 300.0

SeatIds = Annotated[list[int], Field(min_length=1, max_length=100)]


class SeatSelection(BaseModel):
    """Seats of a screening."""

    screening_id: int = Field(ge=1)
    seat_ids: SeatIds


class Booking(SeatSelection):
    """Seats to buy."""

    payment_id: str = Field(min_length=1, max_length=255)


def user_of(doorman: Doorman) -> Callable[[str], int]:
    """A dependency that tells the caller's id, or refuses.

    It is a plain function that FastAPI would run in a thread; `fastapi_postgres` and `fastapi_redis` call it
    themselves, which is several times faster.
    """

    def user(authorization: str) -> int:
        identity = doorman.caller(authorization)
        if identity is None:
            raise HTTPException(401, "Not authenticated")
        return identity.user_id

    return user


Authorization = Annotated[str, Header()]


def answer(document: Any, status: int = 200) -> Response:
    """JSON, written by orjson; without FastAPI's own pass over the document."""
    return Response(orjson.dumps(document), status, media_type="application/json")


def reservations(user_id: int, selection: SeatSelection, expires_at: datetime) -> Response:
    """What holding seats is answered with."""
    held = [
        {"seat_id": seat_id, "user_id": user_id, "status": "active", "expires_at": expires_at}
        for seat_id in selection.seat_ids
    ]
    message = f"Reserved {len(held)} seats for 5 minutes"
    return answer({"reservations": held, "expires_in_minutes": 5, "message": message}, 201)


def seat_list(text: str) -> list[int]:
    """Ids from a query, as in `seat_ids=42,43`."""
    try:
        return [int(number) for number in text.split(",")]
    except ValueError as exc:
        raise HTTPException(422, "seat_ids are numbers, separated by commas") from exc
