"""Limits on rooms, their clients and their selections."""

import pytest

from tests.api.cinema import eventually
from tests.contracts.conftest import OpenCinema
from tests.contracts.guide_cinema import USER, GuideCinema
from tests.contracts.room_client import ROOM
from tests.contracts.shapes import assert_shows
from tests.database import execute

pytestmark = pytest.mark.gen_test


async def test_user_info_is_bounded(cinema: GuideCinema) -> None:
    async with cinema.room_client("juan") as juan:
        for user_info in (
            "Juan",
            [],
            {"name": {"first": "Juan"}},
            {"names": ["Juan"]},
            {"name": "J" * 1025},
            {"n" * 41: "x"},
            {str(number): "x" for number in range(11)},
        ):
            await juan.send("select_seat", room_id=ROOM, seat_id="A1", user_info=user_info)
            assert_shows(await juan.next_message(), {"type": "error", "code": "invalid_user_info"})
        assert await juan.join() == []


async def test_free_rooms_are_created_when_first_named_and_bounded(open_cinema: OpenCinema) -> None:
    cinema = await open_cinema(free_rooms_limit=2, free_room_seats_limit=2, rooms_per_socket_limit=2)
    async with cinema.room_client("juan") as juan:
        for name in ("test_room", "other-room:1"):
            assert await juan.join(name) == []
        await juan.send("join_room", room_id="third")
        assert_shows(await juan.next_message(), {"code": "too_many_rooms", "room_id": "third"})
        assert_shows(await juan.select("A1", "third"), {"code": "room_limit_reached", "seat_id": "A1"})
        for seat in ("A1", "balcony.2"):
            assert (await juan.select(seat, "test_room"))["type"] == "seat_selected"
        assert_shows(await juan.select("A3", "test_room"), {"code": "room_full", "seat_id": "A3"})
        assert (await juan.select("A3", "other-room:1"))["type"] == "seat_selected"


async def test_free_rooms_created_by_one_address_are_bounded(open_cinema: OpenCinema) -> None:
    cinema = await open_cinema(free_rooms_per_address=1)
    async with cinema.room_client("juan") as juan:
        await juan.join("test_room")
        await juan.send("join_room", room_id="another")
        assert_shows(await juan.next_message(), {"code": "too_many_attempts"})
        await juan.join("test_room")
        await juan.join()


async def test_guests_of_one_address_are_bounded(open_cinema: OpenCinema) -> None:
    cinema = await open_cinema(guest_selections_limit=2, sockets_per_address_limit=2)
    async with cinema.room_client("juan") as juan, cinema.room_client("ana") as ana:
        async with cinema.room_client("eva") as eva:
            assert await eva.closed() == (4429, "Too many connections")
        await juan.select("A1")
        assert (await ana.select("A1"))["code"] == "seats_unavailable"
        await ana.select("A2")
        assert_shows(await ana.select("A3"), {"code": "too_many_attempts", "seat_id": "A3"})
        await juan.release("A1")
        assert (await ana.select("A3"))["type"] == "seat_selected"
        async with cinema.room_client("user", USER) as user:
            assert (await user.select("A4"))["type"] == "seat_selected"


async def test_guests_of_one_address_hold_no_more_than_their_share(open_cinema: OpenCinema) -> None:
    cinema = await open_cinema(guest_seats_limit=2)
    async with cinema.room_client("juan") as juan, cinema.room_client("ana") as ana:
        await juan.select("A1")
        await ana.select("A2")
        assert_shows(await ana.select("A3"), {"code": "guest_limit_exceeded", "seat_id": "A3"})
        async with cinema.room_client("user", USER) as user:
            assert (await user.select("A3"))["type"] == "seat_selected"
        await juan.release("A1")
        assert (await ana.select("A4"))["type"] == "seat_selected"


async def test_a_seat_cannot_be_kept_by_repeatedly_releasing_it(open_cinema: OpenCinema) -> None:
    cinema = await open_cinema(hold_seconds=1, hold_life_seconds=1, socket_frames_at_once=1_000_000)
    async with cinema.room_client("juan") as juan:
        answers = [await juan.select("A1")]
        while answers[-1]["type"] == "seat_selected":
            await juan.release("A1")
            answers.append(await juan.select("A1"))
        assert_shows(answers[-1], {"code": "hold_life_spent", "seat_id": "A1"})


async def test_empty_rooms_are_deleted_and_others_are_not(open_cinema: OpenCinema) -> None:
    cinema = await open_cinema(free_room_idle_seconds=1)
    rooms = "SELECT array_agg(name ORDER BY name) FROM free_rooms"
    async with cinema.room_client("juan") as juan, cinema.room_client("ana") as ana:
        await ana.join("watched")
        for room in ("taken", "left"):
            await juan.select("A1", room)
        await juan.release("A1", "left")
        await eventually(lambda: execute(cinema.database_url, rooms) == [(["taken", "watched"],)])
        assert execute(cinema.database_url, "SELECT count(*) FROM holds") == [(1,)]
        assert (await juan.select("A1", "left"))["type"] == "seat_selected"


async def test_the_limits_of_a_socket_are_settings(open_cinema: OpenCinema) -> None:
    cinema = await open_cinema(
        socket_frames_at_once=8, socket_frames_per_second=0.1, user_info_limit_bytes=64
    )
    async with cinema.room_client("juan") as juan:
        assert (await juan.select("A1", name="J" * 50))["type"] == "seat_selected"
        assert (await juan.select("A2", name="J" * 60))["code"] == "invalid_user_info"
        for _ in range(7):
            await juan.send("ping")
        assert await juan.closed() == (1008, "Too many messages")
