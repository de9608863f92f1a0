"""The cinema guide (Cinema Seat Selection API), section by section, with the real server."""

import asyncio
from collections.abc import Awaitable

import pytest
from websockets.exceptions import ConnectionClosed

from tests.api.caller import Caller, Response
from tests.contracts.conftest import OpenCinema
from tests.contracts.guide_cinema import (
    FIRST_SEAT,
    LAST_SEAT,
    PAST_SCREENING,
    SCREENING,
    USER,
    VIP_SEAT,
    GuideCinema,
)
from tests.contracts.shapes import assert_shows, integer, iso_utc, number, text
from tests.database import execute

pytestmark = pytest.mark.gen_test

PAYMENT = "stripe_pi_1234567890"

_LAPSED_WHILE_DOWN = f"""
INSERT INTO holds
    (screening_id, id, reservation_id, seat_id, holder, reserved_at, expires_at, status, extensions)
SELECT {SCREENING}, n, n, 41 + n, 'user:{USER}', lapsed - interval '5 minutes', lapsed, 'active', 0
FROM generate_series(1, 5) AS n, (SELECT now() - interval '1 minute') AS times (lapsed)
"""  # noqa: S608 - its only parts are the numbers above


async def test_1_get_seat_availability(cinema: GuideCinema) -> None:
    await cinema.user(8).reserve(SCREENING, [43])
    response = await cinema.guest.availability(SCREENING)
    assert response.status == 200
    seats = {seat["seat"]["id"]: seat for seat in response.json}
    assert list(seats) == list(range(FIRST_SEAT, LAST_SEAT + 1))
    assert seats[42] == {
        "seat": {"id": 42, "room_id": 1, "row_label": "A", "seat_number": 5, "seat_type": "standard"},
        "status": "available",
        "reserved_by": None,
        "expires_at": None,
    }
    assert_shows(seats[43], {"status": "reserved", "reserved_by": 8, "expires_at": iso_utc})


async def test_2_reserve_seats(cinema: GuideCinema) -> None:
    response = await cinema.user().reserve(SCREENING, [42, 43, 44])
    assert response.status == 201
    assert_shows(response.json, {"expires_in_minutes": 5, "message": "Reserved 3 seats for 5 minutes"})
    assert [held["seat_id"] for held in response.json["reservations"]] == [42, 43, 44]
    for held in response.json["reservations"]:
        shown = {"id": integer, "screening_id": SCREENING, "user_id": USER, "status": "active"}
        assert_shows(held, {**shown, "reserved_at": iso_utc, "expires_at": iso_utc})


async def test_2_reserve_seats_refusals(cinema: GuideCinema) -> None:
    other = cinema.user(8)
    await other.reserve(SCREENING, [42, 43])
    await other.book(SCREENING, [44])
    for screening, seats, status, detail in (
        (SCREENING, [42, 43], 409, "Seats [42, 43] are currently reserved by other users"),
        (SCREENING, [44], 409, "Seats [44] are already booked"),
        (PAST_SCREENING, [42], 400, "Cannot reserve seats for past screenings"),
    ):
        response = await cinema.user().reserve(screening, seats)
        assert response.status == status
        assert_shows(response.json, {"detail": detail, "code": text, "retryable": False})


async def test_3_extend_reservation(cinema: GuideCinema) -> None:
    user = cinema.user()
    reserved = (await user.reserve(SCREENING, [42, 43, 44])).json["reservations"]
    response = await user.extend(SCREENING, [42, 43, 44])
    assert response.status == 200
    assert_shows(
        response.json,
        {"expires_in_minutes": 5, "message": "Extended reservation for 3 seats by 5 minutes"},
    )
    for before, after in zip(reserved, response.json["reservations"], strict=True):
        assert_shows(after, {"id": before["id"], "expires_at": iso_utc, "status": "active"})
        assert after["expires_at"] > before["expires_at"]
    two = await user.extend(SCREENING, [42], "?additional_minutes=2")
    assert two.json["message"] == "Extended reservation for 1 seat by 2 minutes"


async def test_4_cancel_reservations(cinema: GuideCinema) -> None:
    user = cinema.user()
    await user.reserve(SCREENING, [42, 43, 44, 45])
    some = await user.cancel_reservations(SCREENING, "?seat_ids=42,43,44")
    assert (some.status, some.body) == (204, b"")
    assert [held["seat_id"] for held in (await user.my_reservations()).json] == [45]
    assert (await user.cancel_reservations(SCREENING)).status == 204
    assert (await user.my_reservations()).json == []


async def test_5_my_active_reservations(cinema: GuideCinema) -> None:
    user = cinema.user()
    await user.reserve(SCREENING, [42])
    await user.reserve(SCREENING, [43])
    await user.cancel_reservations(SCREENING, "?seat_ids=43")
    (held,) = (await user.my_reservations()).json
    shown = {"id": integer, "screening_id": SCREENING, "seat_id": 42, "status": "active"}
    assert_shows(held, {**shown, "reserved_at": iso_utc, "expires_at": iso_utc})
    every = (await user.my_reservations("?include_expired=true")).json
    assert {held["seat_id"]: held["status"] for held in every} == {42: "active", 43: "released"}


async def test_6_quick_book(cinema: GuideCinema) -> None:
    user = cinema.user()
    response = await user.book(SCREENING, [42, 43, VIP_SEAT], payment_id=PAYMENT)
    assert response.status == 201
    shown = {"id": integer, "user_id": USER, "screening_id": SCREENING, "status": "confirmed"}
    for ticket in response.json:
        assert_shows(ticket, {**shown, "booked_at": iso_utc, "confirmed_at": iso_utc, "payment_id": PAYMENT})
    assert [ticket["price"] for ticket in response.json] == [15.99, 15.99, 20.99]
    assert (await user.book(SCREENING, [42, 43, VIP_SEAT], payment_id=PAYMENT)).body == response.body


async def test_7_book_from_reservations(cinema: GuideCinema) -> None:
    user = cinema.user()
    await user.reserve(SCREENING, [42, 43, 44])
    response = await user.book_reservation(SCREENING, [42, 43, 44], PAYMENT)
    assert response.status == 201
    for ticket in response.json:
        assert_shows(ticket, {"id": integer, "status": "confirmed", "confirmed_at": iso_utc})
    again = await user.book_reservation(SCREENING, [42, 43, 44], PAYMENT)
    assert (again.status, again.body) == (201, response.body)
    assert (await user.my_reservations()).json == []
    nothing = await user.send(
        "POST", "/api/v1/tickets/book-from-reservation", {"screening_id": SCREENING, "seat_ids": [45]}
    )
    assert (nothing.status, list(nothing.json["errors"])) == (422, ["payment_id"])


async def test_8_to_10_tickets(cinema: GuideCinema) -> None:
    user, other = cinema.user(), cinema.user(8)
    booked = (await user.book(SCREENING, [42, 43])).json
    listed, shown = (await user.my_tickets()).json, (await user.ticket(booked[0]["id"])).json
    assert [ticket | sold for ticket, sold in zip(listed, booked[::-1], strict=True)] == listed
    assert shown | booked[0] == shown
    assert (await other.ticket(booked[0]["id"])).status == 404
    assert (await other.cancel_ticket(booked[0]["id"])).status == 404
    for _ in range(2):
        assert (await user.cancel_ticket(booked[0]["id"])).status == 204
    assert (await user.ticket(booked[0]["id"])).json["status"] == "cancelled"
    assert (await other.reserve(SCREENING, [42])).status == 201


async def test_pending_tickets_are_confirmed_by_their_payment(cinema: GuideCinema) -> None:
    user = cinema.user()
    (ticket,) = (await user.book(SCREENING, [42], payment_pending=True)).json
    assert_shows(ticket, {"status": "pending", "confirmed_at": None, "payment_deadline": iso_utc})
    confirmed = await user.confirm_payment(ticket["id"], PAYMENT)
    assert confirmed.status == 200
    assert_shows(confirmed.json, {"id": ticket["id"], "status": "confirmed", "payment_id": PAYMENT})
    assert (await user.confirm_payment(ticket["id"], PAYMENT)).body == confirmed.body


async def test_11_manual_cleanup(open_cinema: OpenCinema) -> None:
    cinema = await open_cinema(sweep_seconds=3600)
    # The server sweeps at start; holds that expire later are left to the test.
    assert (await cinema.guest.clean_up()).json["message"] == "Cleaned up 0 expired reservations"
    execute(cinema.database_url, _LAPSED_WHILE_DOWN)
    response = await cinema.guest.clean_up()
    assert response.status == 200
    shown = {"message": "Cleaned up 5 expired reservations"}
    assert_shows(response.json, {**shown, "timestamp": iso_utc, "duration_seconds": number})
    every = (await cinema.user().my_reservations("?include_expired=true")).json
    assert [held["status"] for held in every] == ["expired"] * 5
    assert (await cinema.guest.clean_up()).json["message"] == "Cleaned up 0 expired reservations"


async def test_12_websocket_statistics(cinema: GuideCinema) -> None:
    async with cinema.watch(7), cinema.watch(8):
        assert (await cinema.guest.send("GET", "/ws/stats")).json == {
            "total_connections": 2,
            "active_screenings": [SCREENING],
            "screening_details": {str(SCREENING): 2},
        }


async def test_keys_outlive_the_server(cinema: GuideCinema) -> None:
    def requests(user: Caller) -> list[Awaitable[Response]]:
        return [
            user.book(SCREENING, [42, 43], key="booking"),
            user.toggle(SCREENING, 50, key="toggle"),
            user.reserve(SCREENING, [42], key="refused"),
        ]

    first = [await request for request in requests(cinema.user())]
    assert [answer.status for answer in first] == [201, 200, 409]
    for _ in range(2):
        for before, request in zip(first, requests(cinema.user()), strict=True):
            again = await request
            assert (again.status, again.body) == (before.status, before.body)
            assert again.headers["Idempotency-Replayed"] == "true"
        await cinema.restart()
    assert len((await cinema.user().my_tickets()).json) == 2
    assert [held["seat_id"] for held in (await cinema.user().my_reservations()).json] == [50]


async def test_scenario_1_basic_flow(cinema: GuideCinema) -> None:
    user = cinema.user()
    async with cinema.watch() as mine, cinema.watch(8) as other:
        seats = (await cinema.guest.availability(SCREENING)).json
        assert {seat["status"] for seat in seats} == {"available"}
        assert (await user.reserve(SCREENING, [42, 43])).status == 201
        for socket in (mine, other):
            await socket.until(seat_42="reserved", seat_43="reserved")
        assert (await user.book_reservation(SCREENING, [42, 43], "test_payment_123")).status == 201
        for socket in (mine, other):
            await socket.until(seat_42="booked", seat_43="booked")
        assert mine.picture[42]["is_mine"]
        assert not other.picture[42]["is_mine"]


async def test_scenario_2_concurrency(cinema: GuideCinema) -> None:
    answers = await asyncio.gather(*(cinema.user(n).reserve(SCREENING, [42]) for n in range(1, 41)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 39
    (winner,) = [n for n, answer in enumerate(answers, 1) if answer.status == 201]
    seats = {seat["seat"]["id"]: seat for seat in (await cinema.guest.availability(SCREENING)).json}
    assert seats[42]["reserved_by"] == winner


async def test_scenario_3_idempotency(cinema: GuideCinema) -> None:
    user = cinema.user()
    await user.reserve(SCREENING, [42, 43])
    answers = await asyncio.gather(
        *(user.book_reservation(SCREENING, [42, 43], "test_payment_123") for _ in range(5))
    )
    done = [answer for answer in answers if answer.status == 201]
    assert len({answer.body for answer in done}) == 1
    assert {answer.code for answer in answers if answer.status != 201} <= {"booking_in_progress"}
    assert len((await user.my_tickets()).json) == 2


async def test_scenario_4_expiration(open_cinema: OpenCinema) -> None:
    cinema = await open_cinema(hold_seconds=1)
    user, other = cinema.user(), cinema.user(8)
    async with cinema.watch() as socket:
        await user.reserve(SCREENING, [42])
        await socket.until(seat_42="reserved")
        await socket.until(seat_42="available")
        assert socket.picture[42]["previously_reserved_by"] == USER
    assert (await other.book(SCREENING, [42])).status == 201
    late = await user.book_reservation(SCREENING, [42], "test_payment_123")
    assert (late.status, late.code) == (409, "refund_required")


async def test_the_guides_functions_work_as_written(cinema: GuideCinema) -> None:
    await cinema.user(8).reserve(SCREENING, [50])
    await cinema.user(8).book(SCREENING, [51])
    report = await cinema.run_script("cinema_guide.mjs", seatIds=[42, 43], takenSeatId=50)
    assert report["map"]["seat-42"] == {"className": "seat available", "disabled": False}
    assert report["map"]["seat-50"]["className"] == "seat reserved"
    assert report["map"]["seat-50"]["disabled"]
    assert report["map"]["seat-50"]["title"].startswith("Reserved until ")
    assert report["map"]["seat-51"] == {"className": "seat booked", "disabled": True}
    assert [held["seat_id"] for held in report["reserved"]] == [42, 43]
    assert report["countdown"] == report["reserved"][0]["expires_at"]
    assert report["refused"] is None
    assert report["errors"] == ["Seats [50] are currently reserved by other users"]
    first, second = report["bookings"]
    assert [ticket["status"] for ticket in first] == ["confirmed", "confirmed"]
    assert first == second, "the guide's third scenario"
    assert report["messages"] == [
        "Seats reserved! You have 5 minutes to complete payment.",
        "Booking confirmed! Check your email for tickets.",
        "Booking confirmed! Check your email for tickets.",
    ]


async def test_the_sockets_of_one_user_are_bounded_by_a_setting(open_cinema: OpenCinema) -> None:
    cinema = await open_cinema(sockets_per_user_limit=1)
    async with cinema.watch(7), cinema.watch(8):
        with pytest.raises(ConnectionClosed) as closed:
            await cinema.watch(7).__aenter__()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4429
