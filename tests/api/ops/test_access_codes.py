"""Access codes of channels, in every place where a request may give one."""

import asyncio
import json
import logging
from time import monotonic
from typing import Any
from uuid import uuid4

import pytest
from tornado.ioloop import IOLoop
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.api.caller import Caller, Response
from tests.api.cinema import eventually
from tests.api.ops.conftest import Desk
from tests.box_office import Guest, data, make_event, make_type
from tests.database import execute, locked
from tests.house import House

pytestmark = pytest.mark.gen_test

CODE = "ink-and-paper-2026"
BODY = {"access_code": CODE}

ONE_WAITS = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


async def make_channel(desk: Desk) -> None:
    body = {"name": "press", "code": CODE}
    assert (await desk.house.admin.send("POST", "/api/v1/admin/channels", body)).status == 201


async def keep_back(desk: Desk, *seat_ids: int) -> None:
    body = {"label": "Press", "kind": "channel", "channel": "press", "seat_ids": list(seat_ids)}
    path = f"/api/v1/admin/screenings/{desk.screening_id}/blocks"
    assert (await desk.house.admin.send("POST", path, body)).status == 201


async def states(caller: Caller, path: str) -> dict[int, tuple[str, bool]]:
    answer = await caller.send("GET", path)
    assert answer.status == 200, answer.body
    return {seat["seat"]["id"]: (seat["status"], seat.get("blocked", False)) for seat in answer.json}


async def reserve(desk: Desk, kind: str, **body: Any) -> Response:
    path = f"/api/v1/seat-reservations/{kind}"
    return await desk.ada.send("POST", path, {"screening_id": desk.screening_id, **body})


@pytest.fixture
def press(desk: Desk, io_loop: IOLoop) -> Desk:
    """The first three seats are kept back for the press."""

    async def kept_back() -> Desk:
        await make_channel(desk)
        await keep_back(desk, *desk.seat_ids[:3])
        return desk

    return io_loop.run_sync(kept_back)


async def test_bodies_give_codes(press: Desk) -> None:
    one, two, three, *others = press.seat_ids
    assert (await reserve(press, "reserve", seat_ids=[one])).code == "seats_unavailable"
    assert (await reserve(press, "reserve", seat_ids=[one], **BODY)).status == 201
    toggled = await reserve(press, "toggle", seat_id=two, **BODY)
    assert [seat["seat_id"] for seat in toggled.json["reserved"]] == [two]
    path = "/api/v1/tickets/book"
    bought = await press.bob.send(
        "POST", path, {"screening_id": press.screening_id, "seat_ids": [three], **BODY}
    )
    assert bought.status == 201, bought.body
    await press.ada.cancel_reservations(press.screening_id)
    await keep_back(press, *others)
    assert (await reserve(press, "best-available", quantity=2)).code == "no_adjacent_seats"
    assert (await reserve(press, "best-available", quantity=2, **BODY)).status == 201


async def test_codes_in_queries_show_the_seats_as_available(press: Desk) -> None:
    one = press.seat_ids[0]
    public = f"/api/v1/seat-reservations/screening/{press.screening_id}/availability"
    for caller, path in (
        (press.house.guest, public),
        (press.ada, f"{public}/me"),
        (press.house.guest, f"/api/v1/showtimes/{press.screening_id}/seats"),
    ):
        assert (await states(caller, path))[one] == ("booked", True)
        assert (await states(caller, f"{path}?access_code={CODE}"))[one] == ("available", False)
        assert (await states(caller, path))[one] == ("booked", True)
        wrong = await caller.send("GET", f"{path}?access_code=wrong")
        assert wrong.code == "access_code_refused"
    free = f"/api/v1/screenings/{press.screening_id}/available-seats"
    seen = (await press.house.guest.send("GET", f"{free}?access_code={CODE}")).json
    assert {seat["id"] for seat in seen} == set(press.seat_ids)
    own = f"/api/v1/screenings/{press.screening_id}/channel-seats?access_code={CODE}"
    assert (await press.house.guest.send("GET", own)).json["seat_ids"] == press.seat_ids[:3]


async def test_tickets_move_to_seats_that_were_reserved_with_the_code(press: Desk) -> None:
    one, four = press.seat_ids[0], press.seat_ids[3]
    (ticket,) = (await press.ada.book(press.screening_id, [four])).json
    path = f"/api/v1/tickets/{ticket['id']}/move"
    refused = await press.ada.send("POST", path, {"seat_id": one})
    assert (refused.code, refused.json["blocked"]) == ("seats_unavailable", [one])
    assert refused.json["detail"].endswith("reserve them with the access code first, then move")
    assert (await reserve(press, "reserve", seat_ids=[one], **BODY)).status == 201
    moved = await press.ada.send("POST", path, {"seat_id": one})
    assert (moved.status, moved.json["seat_id"]) == (200, one)


async def test_versions_of_what_is_seen_differ(press: Desk) -> None:
    path = f"/api/v1/seat-reservations/screening/{press.screening_id}/availability"
    plain = await press.house.guest.send("GET", path)
    tag = {"If-None-Match": plain.headers["ETag"]}
    assert (await press.house.guest.send("GET", path, headers=tag)).status == 304
    assert (await press.house.guest.send("GET", f"{path}?access_code={CODE}", headers=tag)).status == 200


async def test_a_token_of_the_channel_sees_its_seats_as_available(press: Desk) -> None:
    token = press.house.tokens.issue(press.ada.user_id, ttl_seconds=3600, channels=["press"])
    path = f"/api/v1/seat-reservations/screening/{press.screening_id}/availability/me"
    seen = await states(Caller(press.house.base_url, token), path)
    assert seen[press.seat_ids[0]] == ("available", False)


async def test_guests_give_codes_for_tickets_by_quantity(desk: Desk) -> None:
    await make_channel(desk)
    event_id = await make_event(desk.house)
    kind = await make_type(desk.house, event_id, capacity=10)
    block = {"label": "Fans", "kind": "channel", "channel": "press"}
    block |= {"ticket_type_id": int(kind), "quantity": 8}
    path = f"/api/v1/admin/screenings/{event_id}/blocks"
    assert (await desk.house.admin.send("POST", path, block)).status == 201
    guest = Guest(desk.house, str(uuid4()))
    shown = f"/api/public/availability/{kind}"
    assert data(await guest.send("GET", shown))["available"] == 2
    assert data(await guest.send("GET", f"{shown}?accessCode={CODE}"))["available"] == 10
    order = {"ticketTypeId": kind, "quantity": 3, "sessionId": guest.session_id}
    assert (await guest.send("POST", "/api/public/reservations", order)).code == "not_enough_tickets"
    held = await guest.send("POST", "/api/public/reservations", {**order, "accessCode": CODE})
    assert held.status == 201, held.body
    assert data(await guest.send("GET", f"{shown}?accessCode={CODE}"))["available"] == 7


async def replaced(desk: Desk) -> Response:
    body = {"code": "another-code-2026"}
    return await desk.house.admin.send("PUT", "/api/v1/admin/channels/press", body)


async def test_a_code_that_is_used_while_it_is_replaced_ends_at_once(press: Desk) -> None:
    url = press.house.database_url
    path = f"/api/v1/seat-reservations/screening/{press.screening_id}/availability?access_code={CODE}"
    with locked(url, "SELECT FROM channels FOR UPDATE"):
        replacing = asyncio.ensure_future(replaced(press))
        await eventually(lambda: bool(execute(url, ONE_WAITS)))
        assert (await states(press.house.guest, path))[press.seat_ids[0]] == ("available", False)
    assert (await replacing).status == 200
    assert (await press.house.guest.send("GET", path)).code == "access_code_refused"


async def test_a_replaced_code_ends_within_seconds_on_other_servers(
    press: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = [0.0]
    monkeypatch.setattr("frontrow.server.monotonic", lambda: monotonic() + ahead[0])
    other = House(press.house.database_url, press.house.data_dir)
    await other.open()
    try:
        path = f"/api/v1/screenings/{press.screening_id}/channel-seats?access_code={CODE}"
        assert (await other.guest.send("GET", path)).json["seat_ids"] == press.seat_ids[:3]
        assert (await replaced(press)).status == 200
        ahead[0] = 5.0
        assert (await other.guest.send("GET", path)).code == "access_code_refused"
        renewed = await other.guest.send("GET", path.replace(CODE, "another-code-2026"))
        assert renewed.json["seat_ids"] == press.seat_ids[:3]
    finally:
        await other.close()


async def test_bad_codes_name_the_field_and_wrong_ones_are_limited(press: Desk) -> None:
    seats = press.seat_ids[:1]
    for code in ("", "x" * 101, 7):
        refused = await reserve(press, "reserve", seat_ids=seats, access_code=code)
        assert (refused.status, list(refused.json["errors"])) == (422, ["access_code"])
    async with asyncio.timeout(60):
        while (refused := await reserve(press, "reserve", seat_ids=seats, access_code="wrong")).status == 403:
            assert refused.code == "access_code_refused"
    assert (refused.status, refused.code) == (429, "too_many_attempts")
    for path in (socket_path(press, press.ada), f"/ws/eva?access_code={CODE}"):
        async with connected(press, path) as socket:
            assert await closing(socket) == (4429, "Too many attempts")


async def test_a_repeat_with_an_idempotency_key_needs_no_code(press: Desk) -> None:
    """No digest of a code is stored: the same request is one with the same seats."""
    key = {"Idempotency-Key": str(uuid4())}
    body = {"screening_id": press.screening_id, "seat_ids": press.seat_ids[:1]}
    path = "/api/v1/seat-reservations/reserve"
    first = await press.ada.send("POST", path, {**body, **BODY}, headers=key)
    again = await press.ada.send("POST", path, {**body, "access_code": "another"}, headers=key)
    assert (first.status, again.status, again.json) == (201, 201, first.json)


def connected(desk: Desk, path: str) -> connect:
    return connect(f"{desk.house.base_url.replace('http', 'ws')}{path}")


def socket_path(desk: Desk, caller: Caller, code: str = CODE, **query: Any) -> str:
    more = "".join(f"&{name}={value}" for name, value in query.items())
    return f"/ws/screenings/{desk.screening_id}?token={caller.token}&updates=bulk&access_code={code}{more}"


async def heard(socket: ClientConnection, *kinds: str) -> dict[str, Any]:
    """The next message of one of these kinds."""
    async with asyncio.timeout(60):
        while (message := json.loads(await socket.recv()))["type"] not in kinds:
            pass
    return message


async def closing(socket: ClientConnection) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as closed:
        async with asyncio.timeout(60):
            while True:
                await socket.recv()
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


async def test_the_socket_of_a_screening_shows_them_as_available(press: Desk) -> None:
    one, _, _, four, *_ = press.seat_ids
    async with connected(press, socket_path(press, press.ada, since=0)) as socket:
        snapshot = await heard(socket, "bulk_seat_update")
        assert {seat["seat_id"]: seat["status"] for seat in snapshot["updates"]}[one] == "available"
        await reserve(press, "reserve", seat_ids=[one], **BODY)
        assert (await heard(socket, "bulk_seat_update"))["updates"][0]["status"] == "reserved"
        await press.ada.cancel_reservations(press.screening_id)
        update = (await heard(socket, "bulk_seat_update"))["updates"][0]
        assert (update["seat_id"], update["status"], "blocked" in update) == (one, "available", False)
        await keep_back(press, four)
        update = (await heard(socket, "bulk_seat_update"))["updates"][0]
        assert (update["seat_id"], update["status"]) == (four, "available")
    async with connected(press, socket_path(press, press.ada, "wrong")) as socket:
        assert await closing(socket) == (4403, "Access code refused")


async def test_guests_select_them_in_rooms(press: Desk) -> None:
    room = f"funcion_{press.screening_id}"
    async with (
        connected(press, f"/ws/eva?access_code={CODE}") as eva,
        connected(press, "/ws/mallory") as mallory,
    ):
        for socket in (eva, mallory):
            await socket.send(json.dumps({"type": "join_room", "room_id": room}))
        assert (await heard(eva, "current_selections"))["selections"] == []
        taken = (await heard(mallory, "current_selections"))["selections"]
        name = taken[0]["seat_id"]
        assert (len(taken), taken[0]["status"], taken[0]["blocked"]) == (3, "booked", True)
        choice = json.dumps({"type": "select_seat", "room_id": room, "seat_id": name})
        await mallory.send(choice)
        refused = await heard(mallory, "error")
        assert refused["code"] == "seats_unavailable"
        assert refused["message"] == f"Seat {name} is kept back by the organiser"
        await eva.send(choice)
        assert (await heard(eva, "seat_selected", "error"))["type"] == "seat_selected"
        assert (await heard(mallory, "seat_selected"))["seat_id"] == name
        await eva.send(json.dumps({"type": "release_seat", "room_id": room, "seat_id": name}))
        assert (await heard(mallory, "seat_booked"))["blocked"]
        await mallory.send(json.dumps({"type": "select_best", "room_id": room, "quantity": 2}))
        await heard(mallory, "best_selected")
    async with connected(press, "/ws/eve?access_code=wrong") as socket:
        assert await closing(socket) == (4403, "Access code refused")


async def test_logs_have_no_codes(press: Desk, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        path = f"/api/v1/seat-reservations/screening/{press.screening_id}/availability?access_code={CODE}"
        assert (await press.house.guest.send("GET", path)).status == 200
        assert (await press.house.guest.send("GET", path.replace(CODE, "secret-but-wrong"))).status == 403
        async with connected(press, socket_path(press, press.ada)) as socket:
            await heard(socket, "connection_confirmed")
        await reserve(press, "reserve", seat_ids=press.seat_ids[:1], **BODY)
    written = " ".join(str(vars(record)) for record in caplog.records if record.name.startswith("frontrow"))
    assert "availability" in written
    assert CODE not in written and "secret-but-wrong" not in written
