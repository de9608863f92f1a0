"""One stock, several APIs: a change through one of them shows in all others, in their own formats."""

from typing import Any

import pytest

from tests.contracts.guide_events import (
    BALCONY,
    CAPACITY,
    EVENT,
    FIRST_SEAT,
    INVITED,
    SCREENING,
    SEATS,
    USER,
    EventHall,
    Listener,
)
from tests.contracts.room_client import RoomClient

pytestmark = pytest.mark.gen_test

A1 = FIRST_SEAT
ROOM = f"funcion_{SCREENING}"


async def next_counts(events: Listener) -> tuple[list[str], int]:
    """Read the event socket up to the next counts; return the message types and the available seats."""
    types = []
    while "seat_update" not in types:
        message = await events.next()
        types.append(message["type"])
    return types, message["availableSeats"]


async def seat_message(seats: Listener) -> dict[str, Any]:
    """Return what the screening's socket says about the seat; both of its forms must agree."""
    single, bulk = await seats.next_of(2)
    assert (single["type"], bulk["type"]) == ("seat_update", "bulk_seat_update")
    (update,) = bulk["updates"]
    assert update.items() <= single.items()
    return dict(update)


async def availability(hall: EventHall) -> dict[str, Any]:
    """Return what REST says about A1."""
    seats = (await hall.guest.availability(SCREENING)).json
    return next(seat for seat in seats if seat["seat"]["id"] == A1)


async def left(hall: EventHall) -> dict[str, int]:
    """Return what the public API says about the balcony."""
    return await hall.buyer.left(BALCONY)


async def test_a_seat(hall: EventHall) -> None:
    buyer = hall.user(USER)
    async with (
        hall.socket(SCREENING, INVITED) as events,
        hall.seat_socket(SCREENING, INVITED) as seats,
        RoomClient(hall.base_url, "juan", hall.token(USER)) as juan,
        RoomClient(hall.base_url, "ana") as ana,
    ):
        await events.next_of(2)
        await seats.next()
        for client in (juan, ana):
            assert await client.join(ROOM) == []

        # Held in the room.
        assert await juan.select("A1", ROOM, name="Juan") == juan.about("seat_selected", "A1", ROOM)
        assert await ana.next_message() == juan.about("seat_selected", "A1", ROOM, user_info={"name": "Juan"})
        shown = await availability(hall)
        assert (shown["status"], shown["reserved_by"]) == ("reserved", USER)
        assert await next_counts(events) == (["seat_update"], SEATS - 1)
        received = await seat_message(seats)
        assert (received["seat_id"], received["status"], received["reserved_by"]) == (A1, "reserved", USER)

        # Booked over REST.
        booked = await buyer.book_reservation(SCREENING, [A1], "pay-1")
        assert booked.status == 201
        assert (await availability(hall))["status"] == "booked"
        for client in (juan, ana):
            received = await client.next_message()
            assert (received["type"], received["seat_id"], received["room_id"]) == ("seat_booked", "A1", ROOM)
        assert await next_counts(events) == (["booking_created", "seat_update"], SEATS - 1)
        received = await seat_message(seats)
        assert (received["seat_id"], received["status"], received["booked_by"]) == (A1, "booked", USER)

        # Cancelled over REST.
        assert (await buyer.cancel_ticket(booked.json[0]["id"])).status == 204
        assert (await availability(hall))["status"] == "available"
        for client in (juan, ana):
            received = await client.next_message()
            assert (received["type"], received["seat_id"], received["room_id"]) == (
                "seat_released",
                "A1",
                ROOM,
            )
        assert await next_counts(events) == (["booking_cancelled", "seat_update"], SEATS)
        received = await seat_message(seats)
        assert (received["seat_id"], received["status"]) == (A1, "available")


async def test_a_seat_that_is_held_over_rest_cannot_be_selected_in_the_room(hall: EventHall) -> None:
    async with RoomClient(hall.base_url, "ana") as ana:
        await ana.join(ROOM)
        assert (await hall.user(USER).reserve(SCREENING, [A1])).status == 201
        received = await ana.next_message()
        assert (received["type"], received["seat_id"]) == ("seat_selected", "A1")
        refused = await ana.select("A1", ROOM)
        assert (refused["type"], refused["code"], refused["seat_id"]) == ("error", "seats_unavailable", "A1")
        await hall.user(USER).cancel_reservations(SCREENING)
        assert (await ana.next_message())["type"] == "seat_released"
        assert (await ana.select("A1", ROOM))["type"] == "seat_selected"
        taken = await hall.user(USER).reserve(SCREENING, [A1])
        assert (taken.status, taken.code) == (409, "seats_unavailable")


async def test_a_quantity(hall: EventHall) -> None:
    async with hall.socket(EVENT, INVITED) as events:
        await events.next_of(2)

        reservation = await hall.buyer.reserved(BALCONY, 3)
        assert await left(hall) == {"total": 40, "sold": 0, "reserved": 3, "available": 37}
        assert await next_counts(events) == (["seat_update"], CAPACITY - 3)

        tickets = await hall.buy(reservation, 3)
        assert await left(hall) == {"total": 40, "sold": 3, "reserved": 0, "available": 37}
        assert await next_counts(events) == (["booking_created", "seat_update"], CAPACITY - 3)

        for given_back, ticket in enumerate(tickets, 1):
            await hall.cancel(ticket)
            assert (await left(hall))["available"] == 37 + given_back
            received = await next_counts(events)
            assert received == (["booking_cancelled", "seat_update"], CAPACITY - 3 + given_back)
