"""The seat guide (Seat Reservation API Guide) with the real server."""

import pytest

from tests.contracts.conftest import OpenCinema
from tests.contracts.guide_cinema import SCREENING, USER, GuideCinema
from tests.contracts.shapes import assert_shows, integer, iso_utc

pytestmark = pytest.mark.gen_test


async def test_toggle_reserves_and_unreserves(cinema: GuideCinema) -> None:
    user = cinema.user()
    one = await user.toggle(SCREENING, 42)
    assert one.status == 200
    (held,) = one.json["reserved"]
    shown = {"id": integer, "screening_id": SCREENING, "seat_id": 42, "user_id": USER, "status": "active"}
    assert_shows(held, {**shown, "reserved_at": iso_utc, "expires_at": iso_utc})
    several = await user.toggle(SCREENING, 42, 43)
    assert [held["seat_id"] for held in several.json["reserved"]] == [43]
    assert [held["seat_id"] for held in several.json["released"]] == [42]


async def test_availability_for_a_user(cinema: GuideCinema) -> None:
    user = cinema.user()
    await user.toggle(SCREENING, 42)
    await cinema.user(8).toggle(SCREENING, 43)
    await cinema.user(8).book(SCREENING, [44])
    response = await user.own_availability(SCREENING)
    assert response.status == 200
    seats = {seat["seat"]["id"]: seat for seat in response.json}
    for seat_id, shown in {
        41: {"status": "available", "is_mine": False, "expires_at": None},
        42: {"status": "reserved_by_me", "is_mine": True, "expires_at": iso_utc},
        43: {"status": "reserved", "is_mine": False, "expires_at": iso_utc},
        44: {"status": "booked", "is_mine": False, "expires_at": None},
    }.items():
        assert_shows(seats[seat_id], shown)


async def test_cancelling_all_reservations(cinema: GuideCinema) -> None:
    user = cinema.user()
    await user.toggle(SCREENING, 42, 43)
    assert (await user.cancel_reservations(SCREENING)).status == 204
    seats = {seat["seat"]["id"]: seat for seat in (await user.own_availability(SCREENING)).json}
    assert (seats[42]["status"], seats[42]["previously_reserved_by"]) == ("available", USER)


async def test_the_socket_shows_what_is_mine(cinema: GuideCinema) -> None:
    async with cinema.watch() as mine, cinema.watch(8) as other:
        await cinema.user().toggle(SCREENING, 42, 43)
        for socket, is_mine in ((mine, True), (other, False)):
            await socket.until(seat_42="reserved", seat_43="reserved")
            assert_shows(socket.picture[42], {"is_mine": is_mine, "expires_at": iso_utc})


async def test_previously_reserved_by_names_holders_of_expired_reservations(
    open_cinema: OpenCinema,
) -> None:
    cinema = await open_cinema(hold_seconds=1)
    async with cinema.watch(8) as socket:
        await cinema.user().toggle(SCREENING, 42)
        await socket.until(seat_42="reserved")
        await socket.until(seat_42="available")
        assert socket.picture[42]["previously_reserved_by"] == USER
    seats = {seat["seat"]["id"]: seat for seat in (await cinema.guest.availability(SCREENING)).json}
    assert seats[42]["previously_reserved_by"] == USER


async def test_error_handling(cinema: GuideCinema) -> None:
    user = cinema.user()
    await cinema.user(8).toggle(SCREENING, 42)
    assert (await user.toggle(SCREENING, 42)).status == 409
    assert (await user.toggle(999, 42)).status == 404
    assert (await user.toggle(SCREENING, 4242)).status == 404
    assert (await user.send("POST", "/api/v1/seat-reservations/toggle", {"seat_id": 42})).status == 422


async def test_the_guides_service_works_as_written(cinema: GuideCinema) -> None:
    await cinema.user(8).reserve(SCREENING, [50])
    await cinema.user(8).book(SCREENING, [51])
    report = await cinema.run_script("seat_guide.mjs", mySeatId=42, othersSeatId=50, soldSeatId=51)
    free = {"status": "available", "is_mine": False, "expires": False}
    mine = {"status": "reserved_by_me", "is_mine": True, "expires": True}
    assert report["seen"] == [free, mine, free, free]
    assert report["calls"] == 3, "the guide's client does not request seats of others"
    assert report["refused"]["status"] == 409
    assert report["refused"]["error"]["held"] == [50]
    assert report["cancelled"] is None
