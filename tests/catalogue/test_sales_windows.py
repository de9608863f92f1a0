"""Sales windows: nobody gets in early, and everybody can tell how long it will be."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.api.caller import Caller, Response
from tests.api.cinema import receive
from tests.api.rooms.test_socket import room_message
from tests.box_office import Guest, data, make_event, make_type
from tests.catalogue.members import member
from tests.catalogue.programme import add_seats, make_room, make_screening, schedule, set_soon
from tests.house import House

pytestmark = pytest.mark.gen_test(timeout=120)

HOUR = timedelta(hours=1)


def after(wait: timedelta) -> str:
    """A time some time from now, in the API's format."""
    at = datetime.now(UTC) + wait
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def time_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def show(house: House, **window: str) -> tuple[int, list[int]]:
    """A screening with a sales window. Returns its id and those of its seats."""
    room = await make_room(house)
    seats = await add_seats(house, room)
    return await make_screening(house, room, **window), seats


def closed(response: Response, start: str | None, end: str | None) -> None:
    """Check the refusal of a request outside the window, in either style."""
    assert (response.status, response.code) == (409, "sales_closed"), response.body
    error = response.json.get("error", response.json)
    names = ("salesStart", "salesEnd") if "error" in response.json else ("sales_start", "sales_end")
    assert [error[name] for name in names] == [start, end]


def socket_url(house: House, path: str, user: int | None = 7) -> str:
    token = "" if user is None else f"?token={house.token(user)}"
    return f"{house.base_url.replace('http', 'ws')}{path}{token}"


async def first_of(house: House, path: str) -> dict[str, Any]:
    """The first message of a socket."""
    async with connect(socket_url(house, path), proxy=None) as socket:
        return await receive(socket)


async def test_nothing_is_sold_before_and_everybody_sees_when(house: House) -> None:
    start, end = after(HOUR), after(2 * HOUR)
    screening, seats = await show(house, sales_start=start, sales_end=end)
    user = house.user(7)
    refusals = [
        await user.reserve(screening, seats[:1]),
        await user.toggle(screening, seats[0]),
        await user.book(screening, seats[:1]),
    ]
    for refused in refusals:
        closed(refused, start, end)
        assert 3000 < int(refused.headers["Retry-After"]) <= 3600
    refused = await user.book(screening, seats[:1], payment_id="pay-1")
    assert (refused.code, refused.json["reason"]) == ("refund_required", "sales_closed")

    shown = await house.guest.availability(screening)
    own = await user.own_availability(screening)
    for answer in (shown, own):
        assert (answer.headers["X-Sales-Start"], answer.headers["X-Sales-End"]) == (start, end)
        assert HOUR / 2 < time_of(start) - time_of(answer.headers["X-Server-Time"]) <= HOUR
    unchanged = await house.guest.availability(screening, headers={"If-None-Match": shown.headers["ETag"]})
    assert (unchanged.status, unchanged.headers["X-Sales-Start"]) == (304, start)

    confirmed = await first_of(house, f"/ws/screenings/{screening}")
    followed = await first_of(house, f"/ws/events/{screening}")
    assert (confirmed["sales_start"], confirmed["sales_end"]) == (start, end)
    assert (followed["salesStart"], followed["salesEnd"]) == (start, end)
    async with connect(socket_url(house, "/ws/tab", None), proxy=None) as tab:
        room = f"funcion_{screening}"
        await tab.send(room_message("join_room", room=room))
        joined = await receive(tab)
        await receive(tab)
        await tab.send(room_message("select_seat", "A1", room=room))
        refused_seat = await receive(tab)
    assert (joined["sales_start"], joined["sales_end"]) == (start, end)
    for time in (confirmed["server_time"], followed["serverTime"], joined["server_time"]):
        assert HOUR / 2 < time_of(start) - time_of(time) <= HOUR
    assert (refused_seat["code"], refused_seat["sales_start"]) == ("sales_closed", start)


@pytest.mark.parametrize(("opens", "closes"), [(HOUR, 2 * HOUR), (-2 * HOUR, -HOUR)])
async def test_nobody_waits_outside_the_window(house: House, opens: timedelta, closes: timedelta) -> None:
    start, end = after(opens), after(closes)
    screening, seats = await show(house)
    assert (await house.user(8).reserve(screening, seats[:1])).status == 201
    window = {"sales_start": start, "sales_end": end}
    changed = await house.admin.send("PUT", f"/api/v1/screenings/{screening}", window)
    assert changed.status == 200, changed.body
    event = await make_event(house)
    kind = await make_type(house, event, capacity=1, salesStart=start, salesEnd=end)
    for path, body in (
        ("waitlist", {"screening_id": screening, "quantity": 1}),
        ("waitlist", {"screening_id": screening, "quantity": len(seats)}),
        ("waitlist", {"ticketTypeId": kind, "quantity": 1}),
        ("seat-reservations/notify-when-free", {"screening_id": screening, "seat_id": seats[0]}),
    ):
        closed(await house.user(7).send("POST", f"/api/v1/{path}", body), start, end)


async def test_a_screening_without_a_window_says_nothing_of_it(house: House) -> None:
    screening, _ = await show(house)
    headers = (await house.guest.availability(screening)).headers
    assert not {"X-Sales-Start", "X-Sales-End", "X-Server-Time"} & set(headers)
    assert "server_time" not in await first_of(house, f"/ws/screenings/{screening}")


async def test_after_the_end_only_what_is_held_can_be_bought(house: House) -> None:
    screening, seats = await show(house)
    await house.user(7).reserve(screening, seats[:2])
    over = after(-HOUR)
    changed = await house.admin.send("PUT", f"/api/v1/screenings/{screening}", {"sales_end": over})
    assert changed.json["sales_end"] == over
    refused = await house.user(7).reserve(screening, seats[2:3])
    closed(refused, None, over)
    assert "Retry-After" not in refused.headers
    assert (await house.user(7).book(screening, seats[:1])).status == 201
    assert (await house.user(7).toggle(screening, seats[1])).status == 200


async def test_an_administrator_sells_by_hand_before_sales_open(house: House) -> None:
    screening, seats = await show(house, sales_start=after(HOUR))
    user = (await member(house)).user_id
    sales = f"/api/v1/ops/screenings/{screening}/sales"
    assert (await house.admin.send("POST", sales, {"seat_ids": seats[:1], "user_id": user})).status == 201


async def test_nobody_gets_in_early_at_the_opening(house: House) -> None:
    """Many ask all the time; what was reserved was reserved after the opening."""
    wait = timedelta(seconds=2)
    screening, seats = await show(house)
    start = after(wait)
    changed = await house.admin.send("PUT", f"/api/v1/screenings/{screening}", {"sales_start": start})
    assert changed.status == 200
    user, seat = house.user(7), seats[0]
    while (answer := await user.reserve(screening, [seat])).status == 409:
        closed(answer, start, None)
    assert answer.status == 201
    assert time_of(answer.json["reservations"][0]["reserved_at"]) >= time_of(start)


class TestEvents:
    async def test_the_event_and_the_type_must_be_on_sale(self, house: House) -> None:
        start, later, end = after(HOUR), after(2 * HOUR), after(3 * HOUR)
        event = await make_event(house, salesStart=start, salesEnd=end)
        early, late = await make_type(house, event), await make_type(house, event, "Late", salesStart=later)
        guest = Guest(house, "session-of-ada")
        for kind in (early, late):
            closed(await guest.reserve(kind), start, end)
        for kind, opening in ((early, start), (late, later)):
            left: Any = data(await guest.send("GET", f"/api/public/availability/{kind}"))
            assert (left["salesStart"], left["salesEnd"], left["available"]) == (opening, end, 20)
            assert timedelta() < time_of(opening) - time_of(left["serverTime"]) <= 2 * HOUR
        shown = data(await Caller(house.base_url).send("GET", f"/api/public/events/{event}"))
        assert (shown["salesStart"], shown["salesEnd"]) == (start, end)
        assert "serverTime" in shown
        assert [kind["onSale"] for kind in shown["ticketTypes"]] == [False, False]
        followed = await first_of(house, f"/ws/events/{event}")
        assert (followed["salesStart"], followed["salesEnd"]) == (start, end)

    async def test_a_type_of_an_open_event_opens_later(self, house: House) -> None:
        start = after(HOUR)
        event = await make_event(house, salesStart=after(-HOUR))
        kind = await make_type(house, event, salesStart=start)
        refused = await Guest(house, "session-of-ada").reserve(kind)
        closed(refused, start, None)
        assert refused.json["error"]["ticketTypeId"] == kind
        assert 3000 < int(refused.headers["Retry-After"]) <= 3600


async def until_type(socket: ClientConnection, kind: str) -> dict[str, Any]:
    """Receive messages until one of a type comes."""
    async with asyncio.timeout(60):
        while (message := json.loads(await socket.recv()))["type"] != kind:
            pass
    return message


async def opening(socket: ClientConnection, start: datetime) -> dict[str, Any]:
    """Receive messages until it is told that sales have opened at this time, or later."""
    while time_of((message := await until_type(socket, "sales_opened"))["timestamp"]) < start:
        pass
    return message


async def test_every_socket_is_told_when_sales_open(house: House) -> None:
    screening, _ = await show(house)
    async with (
        connect(socket_url(house, f"/ws/screenings/{screening}"), proxy=None) as seats,
        connect(socket_url(house, f"/ws/events/{screening}"), proxy=None) as counts,
        connect(socket_url(house, "/ws/tab", None), proxy=None) as tab,
    ):
        room = f"funcion_{screening}"
        await tab.send(room_message("join_room", room=room))
        await until_type(tab, "current_selections")
        await until_type(counts, "seat_update")
        await until_type(seats, "connection_confirmed")

        async def open_at(start: datetime) -> None:
            body = {"sales_start": start.isoformat()}
            changed = await house.admin.send("PUT", f"/api/v1/screenings/{screening}", body)
            assert changed.status == 200, changed.body

        start = await set_soon(open_at)
        told = [await opening(socket, start) for socket in (seats, counts, tab)]
        assert (told[0]["screening_id"], told[1]["eventId"], told[2]["room_id"]) == (
            screening,
            screening,
            room,
        )


CHANNELS = "/api/v1/admin/channels"


async def test_whoever_has_access_to_a_channel_gets_in_earlier(house: House) -> None:
    start = after(HOUR)
    presales = [{"channel": "fans", "sales_start": after(-HOUR)}]
    room = await make_room(house)
    seats = await add_seats(house, room)
    unknown = await schedule(house, room, sales_start=start, presales=presales)
    assert (unknown.status, unknown.json["errors"]) == (422, {"presales": ["There is no channel fans."]})
    made = await house.admin.send("POST", CHANNELS, {"name": "fans", "code": "brass-and-thunder"})
    assert made.status == 201, made.body
    late = [{"channel": "fans", "sales_start": start}]
    assert (await schedule(house, room, sales_start=start, presales=late)).status == 422
    screening = await make_screening(house, room, sales_start=start, presales=presales)
    shown = (await house.guest.send("GET", f"/api/v1/screenings/{screening}")).json
    assert shown["presales"] == presales
    user, code = house.user(7), {"X-Access-Code": "brass-and-thunder"}
    closed(await user.reserve(screening, seats[:1]), start, None)
    assert (await user.reserve(screening, seats[:1], headers=code)).status == 201
    assert (await user.book(screening, seats[:1])).status == 201
    changed = await house.admin.send("PUT", f"/api/v1/screenings/{screening}", {"presales": []})
    assert changed.json["presales"] == []
    closed(await user.reserve(screening, seats[1:2], headers=code), start, None)


async def test_an_event_has_presales_too(house: House) -> None:
    await house.admin.send("POST", CHANNELS, {"name": "fans", "code": "brass-and-thunder"})
    presales = [{"channel": "fans", "salesStart": after(-HOUR)}]
    event = await make_event(house, salesStart=after(HOUR), presales=presales)
    kind = await make_type(house, event)
    shown = data(await house.guest.send("GET", f"/api/public/events/{event}"))
    assert shown["presales"] == presales
    order = {"ticketTypeId": kind, "quantity": 1, "sessionId": "session-of-ada"}
    assert (await house.guest.send("POST", "/api/public/reservations", order)).status == 409
    code = {"X-Access-Code": "brass-and-thunder"}
    assert (await house.guest.send("POST", "/api/public/reservations", order, headers=code)).status == 201
