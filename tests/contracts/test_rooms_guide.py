"""The rooms guide (Guía de Uso del Servicio WebSocket), from top to bottom, with the real server."""

import json

import pytest
from tornado.testing import bind_unused_port

from tests.api.caller import Caller
from tests.contracts.conftest import OpenCinema
from tests.contracts.guide_cinema import SCREENING, USER, GuideCinema
from tests.contracts.room_client import ROOM, RoomClient
from tests.contracts.shapes import assert_shows, iso_utc
from tests.database import execute

pytestmark = pytest.mark.gen_test

JUAN = {"name": "Juan Pérez", "email": "juan@example.com"}
SELECTION = {"client_id", "seat_id", "room_id", "user_info", "timestamp", "expires_at"}


async def test_http_endpoints(cinema: GuideCinema) -> None:
    health = await cinema.guest.send("GET", "/health")
    assert health.status == 200
    assert_shows(health.json, {"status": "healthy", "timestamp": iso_utc})
    async with cinema.room_client("ana") as ana, cinema.room_client("eva") as eva:
        await ana.join()
        await eva.join()
        await ana.select("A1", **JUAN)
        stats = await cinema.guest.send("GET", "/stats")
        assert_shows(stats.json, {"connections": 2, "rooms": 1, "selections": 1, "timestamp": iso_utc})
        listed = (await cinema.guest.send("GET", f"/room/{ROOM}/selections")).json
        shown = {"client_id": "ana", "seat_id": "A1", "room_id": ROOM, "user_info": JUAN}
        assert listed["room_id"] == ROOM
        assert_shows(listed["selections"][0], {**shown, "timestamp": iso_utc, "expires_at": iso_utc})


async def test_reading_an_unknown_room_does_not_create_it(cinema: GuideCinema) -> None:
    for room in ("nobody_made_it", "funcion_999"):
        answer = await cinema.guest.send("GET", f"/room/{room}/selections")
        assert (answer.status, answer.json) == (200, {"room_id": room, "selections": []})
    for no_name in ("funcion_0", "%3Cb%3E", "f" * 65, "f" * 300):
        assert (await cinema.guest.send("GET", f"/room/{no_name}/selections")).status == 404
    assert execute(cinema.database_url, "SELECT count(*) FROM free_rooms") == [(0,)]


async def test_joining_and_leaving(cinema: GuideCinema) -> None:
    async with cinema.room_client("user_1234567890") as client:
        await client.send("join_room", room_id=ROOM)
        here = {"room_id": ROOM, "client_id": "user_1234567890"}
        assert await client.next_message() == {"type": "room_joined", **here}
        assert await client.next_message() == {"type": "current_selections", "selections": []}
        await client.send("leave_room", room_id=ROOM)
        assert await client.next_message() == {"type": "room_left", **here}
        await client.send("leave_room", room_id=ROOM)
        assert_shows(await client.next_message(), {"type": "error", "code": "not_in_room", "room_id": ROOM})


@pytest.mark.parametrize("name", ["stats", "screenings", "events"])
async def test_a_client_id_may_be_a_word_of_another_path(cinema: GuideCinema, name: str) -> None:
    async with cinema.room_client(name) as client:
        await client.join()
        assert await client.select("A1") == client.about("seat_selected", "A1")
        assert (await cinema.guest.send("GET", "/ws/stats")).json["total_connections"] == 0


async def test_user_info_is_safe_in_a_page(cinema: GuideCinema) -> None:
    async with cinema.room_client("juan") as juan, cinema.room_client("ana") as ana:
        await ana.join()
        await juan.select("A1", name="Miles O'Brien", note='"><img src=x onerror=alert(1)>', sign="`a`")
        info = (await ana.next_message())["user_info"]
        assert info["name"] == "Miles O\N{RIGHT SINGLE QUOTATION MARK}Brien"
        for value in info.values():
            assert not set(value) & set("<>\"'`")


async def test_selecting_and_releasing(cinema: GuideCinema) -> None:
    async with cinema.room_client("juan") as juan, cinema.room_client("ana") as ana:
        await juan.join()
        await ana.join()
        assert await juan.select("A1", **JUAN) == juan.about("seat_selected", "A1")
        assert await ana.next_message() == juan.about("seat_selected", "A1", user_info=JUAN)
        assert await juan.release("A1") == juan.about("seat_released", "A1")
        assert await ana.next_message() == juan.about("seat_released", "A1")
        assert await juan.has_no_messages()


async def test_ping(cinema: GuideCinema) -> None:
    async with cinema.room_client("juan") as juan:
        await juan.send("ping")
        pong = await juan.next_message()
        assert set(pong) == {"type", "timestamp"}
        assert_shows(pong, {"type": "pong", "timestamp": iso_utc})


async def test_current_selections(cinema: GuideCinema) -> None:
    async with cinema.room_client("juan") as juan, cinema.room_client("ana") as ana:
        await juan.select("A3", **JUAN)
        await juan.select("A4")
        first, second = await ana.join()
        assert set(first) == SELECTION
        shown = {"client_id": "juan", "seat_id": "A3", "room_id": ROOM, "user_info": JUAN}
        assert_shows(first, {**shown, "timestamp": iso_utc, "expires_at": iso_utc})
        assert_shows(second, {"seat_id": "A4", "user_info": {}})
        assert [entry["seat_id"] for entry in await ana.join()] == ["A3", "A4"]


async def test_a_refused_selection_is_only_sent_to_its_client(
    cinema: GuideCinema,
) -> None:
    async with cinema.room_client("juan") as juan, cinema.room_client("ana") as ana:
        await juan.join()
        await juan.select("A1")
        error = await ana.select("A1")
        assert_shows(error, {"type": "error", "code": "seats_unavailable", "seat_id": "A1", "room_id": ROOM})
        assert "A1" in error["message"]
        assert_shows(await ana.release("A1"), {"type": "error", "code": "not_held", "seat_id": "A1"})
        assert await juan.has_no_messages()


async def test_ones_own_seat_may_be_selected_again(cinema: GuideCinema) -> None:
    async with cinema.room_client("juan") as juan, cinema.room_client("ana") as ana:
        await ana.join()
        await juan.select("A1", **JUAN)
        await ana.next_message()
        assert await juan.select("A1") == juan.about("seat_selected", "A1")
        assert await ana.has_no_messages()


async def test_selections_expire_for_everybody_in_the_room(open_cinema: OpenCinema) -> None:
    cinema = await open_cinema(hold_seconds=1)
    async with cinema.room_client("juan") as juan, cinema.room_client("ana") as ana:
        await juan.join("test_room")
        await ana.join("test_room")
        await juan.select("B7", "test_room")
        await ana.next_message()
        for client in (juan, ana):
            assert await client.next_message() == juan.about("seat_released", "B7", "test_room")


async def test_a_client_that_reconnects_finds_its_seats(cinema: GuideCinema) -> None:
    async with cinema.room_client("juan") as juan:
        await juan.select("A1", **JUAN)
    async with cinema.room_client("juan") as juan:
        (selection,) = await juan.join()
        assert_shows(selection, {"client_id": "juan", "seat_id": "A1", "user_info": JUAN})
        assert await juan.release("A1") == juan.about("seat_released", "A1")


async def test_two_sockets_cannot_have_one_client_id(cinema: GuideCinema) -> None:
    async with cinema.room_client("juan") as juan:
        await juan.join()  # the handshake alone does not tell whether the id was free
        for user_id in (None, USER):
            async with cinema.room_client("juan", user_id) as other:
                assert await other.closed() == (4409, "Client id in use")
        assert await juan.has_no_messages()
    async with cinema.room_client("juan", USER) as back:
        assert await back.has_no_messages(), "a client that logs in keeps its id"


async def test_with_a_token_the_seats_belong_to_the_user(cinema: GuideCinema) -> None:
    async with cinema.room_client("phone", USER) as phone, cinema.room_client("laptop", USER) as laptop:
        await laptop.join()
        await phone.select("A5")
        assert await laptop.next_message() == phone.about("seat_selected", "A5", user_info={})
        (held,) = (await cinema.user().my_reservations()).json
        assert held["seat_id"] == 42
        assert await laptop.release("A5") == laptop.about("seat_released", "A5")
        assert (await cinema.user().my_reservations()).json == []


async def test_a_release_over_rest_is_sent_to_the_users_room_client(cinema: GuideCinema) -> None:
    async with cinema.room_client("phone", USER) as phone:
        await phone.join()
        await phone.select("A5")
        await cinema.user().cancel_reservations(SCREENING)
        assert await phone.next_message() == phone.about("seat_released", "A5")


async def test_a_bad_token_or_a_bad_client_id_is_refused(cinema: GuideCinema) -> None:
    for token, reason in (("nonsense", "Invalid token"), ("", "Authentication required")):
        async with RoomClient(cinema.base_url, "juan", token) as client:
            assert await client.closed() == (1008, reason)
    for client_id in ("a" * 65, "a%20b", "%3Cscript%3E", "~alias"):
        async with cinema.room_client(client_id) as client:
            assert await client.closed() == (1008, "Invalid client id")


async def test_changes_through_other_apis_are_anonymous(cinema: GuideCinema) -> None:
    user = cinema.user()
    async with cinema.room_client("ana") as ana:
        await ana.join()
        await user.reserve(SCREENING, [38])
        selected = await ana.next_message()
        alias = selected["client_id"]
        assert selected == {
            "type": "seat_selected",
            "seat_id": "A1",
            "room_id": ROOM,
            "client_id": alias,
            "user_info": {},
        }
        assert alias.startswith("~")
        (ticket, other) = (await user.book(SCREENING, [38, 39])).json
        received = [await ana.next_message() for _ in range(3)]
        assert [(message["type"], message["seat_id"]) for message in received] == [
            ("seat_selected", "A2"),
            ("seat_booked", "A1"),
            ("seat_booked", "A2"),
        ]
        assert {message["client_id"] for message in received} == {alias}
        assert_shows(await ana.select("A1"), {"code": "seats_unavailable", "message": "Seat A1 is booked"})
        await user.cancel_ticket(ticket["id"])
        assert_shows(await ana.next_message(), {"type": "seat_released", "seat_id": "A1"})
        (selection,) = await ana.join()
        assert selection == {
            "client_id": alias,
            "seat_id": "A2",
            "room_id": ROOM,
            "user_info": {},
            "timestamp": None,
            "expires_at": None,
            "status": "booked",
        }
        await user.cancel_ticket(other["id"])


async def test_a_seat_selected_in_a_room_is_reserved_for_everybody(cinema: GuideCinema) -> None:
    async with cinema.room_client("ana") as ana, cinema.watch() as watching:
        await ana.select("A5")
        await watching.until(seat_42="reserved")
        seats = {seat["seat"]["id"]: seat for seat in (await cinema.guest.availability(SCREENING)).json}
        assert_shows(seats[42], {"status": "reserved", "reserved_by": None, "expires_at": iso_utc})
        assert (await cinema.user().reserve(SCREENING, [42])).code == "seats_unavailable"
        await ana.release("A5")
        await watching.until(seat_42="available")


async def test_refused_selections_have_codes(cinema: GuideCinema) -> None:
    async with cinema.room_client("ana") as ana:
        for room, seat, code in (
            (ROOM, "Z99", "seat_not_found"),
            ("funcion_999", "A1", "room_not_found"),
            ("funcion_007", "A1", "room_not_found"),
            ("funcion_100", "A1", "screening_started"),
            ("test_room", "A 1", "seat_not_found"),
            ("two words", "A1", "invalid_message"),
            (ROOM, "<b>", "invalid_message"),
            (ROOM, "A" * 21, "invalid_message"),
            (ROOM, 1, "invalid_message"),
            (None, "A1", "invalid_message"),
        ):
            await ana.send("select_seat", room_id=room, seat_id=seat)
            assert_shows(await ana.next_message(), {"type": "error", "code": code})
        await ana.send("join_room", room_id="funcion_999")
        assert_shows(await ana.next_message(), {"code": "room_not_found", "room_id": "funcion_999"})
        assert_shows(await ana.release("A1", "nobody_made_it"), {"code": "not_held"})
        assert await ana.has_no_messages()


async def test_user_info_is_sanitised(cinema: GuideCinema) -> None:
    async with cinema.room_client("juan") as juan, cinema.room_client("ana") as ana:
        await ana.join()
        hostile = {
            "name": "<img src=x onerror=alert(1)>Ma<b>ría</b> <<i>script>O'Hara & Co",
            "nota": "a\u0000b\u202ec\x1b[31m",
            "<b>key</b>": "x",
            "age": 33,
        }
        await juan.select("A1", **hostile)
        assert (await ana.next_message())["user_info"] == {
            "name": "María scriptO\N{RIGHT SINGLE QUOTATION MARK}Hara & Co",
            "nota": "abc[31m",
            "key": "x",
            "age": 33,
        }


async def test_selections_of_a_free_room_survive_a_restart(cinema: GuideCinema) -> None:
    async with cinema.room_client("juan") as juan:
        await juan.select("A1", "test_room", **JUAN)
        before = (await cinema.guest.send("GET", "/room/test_room/selections")).json
    await cinema.restart()
    assert (await cinema.guest.send("GET", "/room/test_room/selections")).json == before
    async with cinema.room_client("juan") as juan, cinema.room_client("ana") as ana:
        (selection,) = await ana.join("test_room")
        assert_shows(selection, {"client_id": "juan", "seat_id": "A1", "user_info": JUAN})
        assert await juan.release("A1", "test_room") == juan.about("seat_released", "A1", "test_room")
        assert await ana.next_message() == juan.about("seat_released", "A1", "test_room")


async def test_frames_above_a_configured_size_are_compressed(open_cinema: OpenCinema) -> None:
    cinema = await open_cinema(socket_deflate_from_bytes=1024)
    async with cinema.room_client("juan") as juan, cinema.room_client("ana") as ana:
        assert await juan.join() == []
        for number in range(1, 11):
            await juan.select(f"A{number}", **JUAN)
        assert [entry["seat_id"] for entry in await ana.join()] == [f"A{n}" for n in range(1, 11)]
        assert (juan.compressed, ana.compressed) == (0, 1)


async def test_everything_is_served_on_extra_ports_too(open_cinema: OpenCinema) -> None:
    unused, port = bind_unused_port()
    unused.close()
    cinema = await open_cinema(extra_ports=(port,))
    extra = f"http://127.0.0.1:{port}"
    async with RoomClient(extra, "juan") as juan, cinema.room_client("ana") as ana:
        await juan.join()
        await ana.select("A1")
        assert_shows(await juan.next_message(), {"type": "seat_selected", "client_id": "ana"})
    for path in ("/health", "/stats", "/api/v1/cinemas"):
        assert (await Caller(extra).send("GET", path)).status == 200


async def test_the_guides_client_works_as_written(cinema: GuideCinema) -> None:
    url = cinema.base_url.replace("http", "ws")
    report = await cinema.run_script("rooms_guide.mjs", serverUrl=url, roomId=ROOM, seatId="A1")
    first, second = report["ids"]
    ada = {"name": "Ada", "email": "ada@home.example"}

    def about(kind: str, client_id: str, **more: object) -> dict[str, object]:
        return {"type": kind, "seat_id": "A1", "room_id": ROOM, "client_id": client_id, **more}

    joined, nothing = (
        {"type": "room_joined", "room_id": ROOM},
        {"type": "current_selections", "selections": []},
    )
    pong = report["first"].pop(5)
    error = report["second"].pop(3)
    assert report["first"] == [
        {**joined, "client_id": first},
        nothing,
        about("seat_selected", first),
        about("seat_released", first),
        about("seat_selected", second, user_info={}),
        {"type": "room_left", "room_id": ROOM, "client_id": first},
    ]
    assert report["second"] == [
        {**joined, "client_id": second},
        nothing,
        about("seat_selected", first, user_info=ada),
        about("seat_released", first),
        about("seat_selected", second),
        about("seat_released", second),
    ]
    assert_shows(pong, {"type": "pong", "timestamp": iso_utc})
    assert_shows(error, {"type": "error", "code": "seats_unavailable", "seat_id": "A1", "room_id": ROOM})
    assert report["refusal"] == "WebSocket no está conectado o no hay sala activa"
    assert report["closed"] == ["first", "second"]


async def test_the_guides_react_component_shows_received_messages(cinema: GuideCinema) -> None:
    url = cinema.base_url.replace("http", "ws")
    async with cinema.room_client("juan") as juan:
        await juan.select("A2", **JUAN)
        script = cinema.start_script("rooms_react.mjs", serverUrl=url, seatId="A1", otherSeatId="A2")
        async with script as page:
            await juan.join()
            assert json.loads(await page.readline()) == {"ready": True}
            selected = await juan.next_message()
            assert_shows(selected, {"type": "seat_selected", "seat_id": "A1"})
            assert selected["user_info"] == {"name": "Usuario Actual", "email": "usuario@example.com"}
            await juan.release("A2")
            report = json.loads(await page.readline())
    assert report["faults"] == ["WebSocket no está conectado"], "the guide joins before it is connected"
    assert report["clientId"] == selected["client_id"]
    assert report["mine"] is False, "one's own seat must not show as another client's"
    assert report["seen"][0]["type"] == "seat_selected"
