"""Buys seats with the models of datamodel-code-generator. Arguments: base URL, e-mail address, password."""

import json
import sys
from typing import Any

import httpx
from frontrow_models import (
    Booking,
    PasswordLogin,
    Profile,
    Registration,
    ReservationsMade,
    SeatAvailability,
    SeatSelection,
    Ticket,
    Tokens,
)
from pydantic import BaseModel, SecretStr, TypeAdapter

base_url, email, password = sys.argv[1:]


def post(client: httpx.Client, path: str, body: BaseModel, answer: Any) -> Any:
    written = json.dumps(body.model_dump(exclude_unset=True), default=SecretStr.get_secret_value)
    response = client.post(path, content=written).raise_for_status()
    return TypeAdapter(answer).validate_json(response.content)


with httpx.Client(base_url=base_url, headers={"Content-Type": "application/json"}) as client:
    post(client, "/api/v1/auth/register", Registration(email=email, password=password), Profile)
    tokens = post(client, "/api/v1/auth/login", PasswordLogin(email=email, password=password), Tokens)
    client.headers["Authorization"] = f"Bearer {tokens.access_token}"
    shown = client.get("/api/v1/seat-reservations/screening/123/availability").raise_for_status()
    seats = TypeAdapter(list[SeatAvailability]).validate_json(shown.content)
    free = [entry.seat.id for entry in seats if entry.status == "available"][:2]
    selection = SeatSelection(screening_id=123, seat_ids=free)
    held = post(client, "/api/v1/seat-reservations/reserve", selection, ReservationsMade)
    booking = Booking(screening_id=123, seat_ids=[reservation.seat_id for reservation in held.reservations])
    tickets = post(client, "/api/v1/tickets/book", booking, list[Ticket])
print(json.dumps([[ticket.seat_id, ticket.status] for ticket in tickets]))
