"""Seats and tickets that an organiser keeps back, over HTTP and on the sockets."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.api.caller import Caller, Response
from tests.api.ops.conftest import Desk
from tests.box_office import Guest, data, make_event, make_type

pytestmark = pytest.mark.gen_test

CHANNELS = "/api/v1/admin/channels"
CODE = "ink-and-paper-2026"


def blocks_of(screening_id: int) -> str:
    return f"/api/v1/admin/screenings/{screening_id}/blocks"


async def block(desk: Desk, *seat_ids: int, kind: str = "house", **more: Any) -> Response:
    body = {"label": "Some", "kind": kind, "seat_ids": list(seat_ids), **more}
    return await desk.house.admin.send("POST", blocks_of(desk.screening_id), body)


async def blocked(desk: Desk, *seat_ids: int, kind: str = "house", **more: Any) -> int:
    """Keep seats back, and return the id of the block."""
    made = await block(desk, *seat_ids, kind=kind, **more)
    assert made.status == 201, made.body
    return made.json["id"]


async def make_channel(desk: Desk, name: str = "press", code: str | None = CODE) -> None:
    made = await desk.house.admin.send("POST", CHANNELS, {"name": name, "code": code})
    assert made.status == 201, made.body


async def states(desk: Desk, caller: Caller | None = None) -> dict[int, tuple[str, bool]]:
    """Status of each seat, and whether it is kept back."""
    answer = await (caller or desk.house.guest).availability(desk.screening_id)
    return {seat["seat"]["id"]: (seat["status"], seat.get("blocked", False)) for seat in answer.json}


async def shown_on(socket: ClientConnection, seat_id: int) -> dict[str, Any]:
    """The next update of a seat."""
    async with asyncio.timeout(60):
        while True:
            message = json.loads(await socket.recv())
            for seat in message.get("updates", [message]):
                if seat.get("seat_id") == seat_id:
                    return seat


def watching(desk: Desk) -> connect:
    address = f"{desk.house.base_url.replace('http', 'ws')}/ws/screenings/{desk.screening_id}"
    return connect(f"{address}?token={desk.bob.token}&updates=bulk")


async def test_seats_are_kept_back_shown_and_released(desk: Desk) -> None:
    one, two, three, *_ = desk.seat_ids
    async with watching(desk) as socket:
        made = await block(desk, one, two, label="  Press, front row ", kind="house")
        assert made.status == 201
        block_id = made.json.pop("id")
        assert made.json | {"created_at": "", "id": block_id} == {
            "id": block_id,
            "label": "Press, front row",
            "kind": "house",
            "channel": None,
            "seat_ids": [one, two],
            "ticket_type_id": None,
            "quantity": 2,
            "kept": 2,
            "sold": 0,
            "release_at": None,
            "created_at": "",
            "created_by": "user:1",
        }
        seat = await shown_on(socket, one)
        assert (seat["status"], seat["blocked"], seat["is_mine"]) == ("booked", True, False)
        assert (await states(desk))[two] == ("booked", True)
        free = await desk.house.guest.send("GET", f"/api/v1/screenings/{desk.screening_id}/available-seats")
        assert one not in [seat["id"] for seat in free.json] or free.status == 404
        refused = await desk.ada.reserve(desk.screening_id, [two, three])
        assert (refused.status, refused.code) == (409, "seats_unavailable")
        assert (refused.json["booked"], refused.json["blocked"]) == ([two], [two])
        path = f"{blocks_of(desk.screening_id)}/{block_id}"
        assert (await desk.house.admin.send("DELETE", f"{path}?seat_ids={two}")).status == 204
        assert (await states(desk))[two] == ("available", False)
        assert (await desk.house.admin.send("DELETE", path)).status == 204
        seat = await shown_on(socket, one)
        assert (seat["status"], "blocked" in seat) == ("available", False)
    gone = await desk.house.admin.send("DELETE", path)
    assert (gone.status, gone.code) == (404, "block_not_found")
    assert (await desk.house.admin.send("GET", blocks_of(desk.screening_id))).json == []
    kinds = [kind for kind, _, _ in await desk.log_of(two)]
    assert kinds == ["seats_blocked", "seats_unblocked"]


async def test_the_log_says_which_seats_return_to_a_block(desk: Desk) -> None:
    one, two, *_ = desk.seat_ids
    block_id = await blocked(desk, one, two)
    held = await desk.act("/reservations", {"seat_ids": [one], "user_id": desk.ada.user_id})
    assert held.status == 201, held.body
    await desk.ada.cancel_reservations(desk.screening_id)
    assert (await states(desk))[one] == ("booked", True)
    path = f"{blocks_of(desk.screening_id)}/{block_id}"
    assert (await desk.house.admin.send("DELETE", f"{path}?seat_ids={two}")).status == 204
    events = (await desk.get(f"/screenings/{desk.screening_id}/events"))["events"]
    assert [(e["kind"], e["to_status"], e.get("block_id"), e.get("block_seat_ids")) for e in events] == [
        ("seats_blocked", "blocked", block_id, [one, two]),
        ("seats_held", "held", None, None),
        ("holds_released", "available", None, None),
        ("seats_unblocked", "available", block_id, [one]),
    ]


async def test_what_somebody_has_is_never_kept_back(desk: Desk) -> None:
    one, two, three, four, *_ = desk.seat_ids
    await desk.ada.reserve(desk.screening_id, [one])
    await desk.bob.book(desk.screening_id, [two])
    await blocked(desk, three)
    refused = await block(desk, one, two, three, four, kind="kill")
    assert (refused.status, refused.code) == (409, "seats_unavailable")
    named = [refused.json[name] for name in ("held", "booked", "blocked")]
    assert named == [[one], [two, three], [three]]
    assert (await states(desk))[four] == ("available", False)


async def test_nobody_waits_for_a_seat_that_nobody_can_have(desk: Desk) -> None:
    one, two, *_ = desk.seat_ids
    await blocked(desk, one, kind="kill")
    await blocked(desk, two)
    asked = [
        await desk.ada.send(
            "POST",
            "/api/v1/seat-reservations/notify-when-free",
            {"screening_id": desk.screening_id, "seat_id": seat_id},
        )
        for seat_id in (one, two)
    ]
    assert [(answer.status, answer.json.get("blocked")) for answer in asked] == [(409, [one]), (201, None)]


async def test_bad_requests_are_explained(desk: Desk) -> None:
    one = desk.seat_ids[0]
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    for more, field in (
        ({"kind": "channel"}, "channel"),
        ({"channel": "press"}, "channel"),
        ({"kind": "vip"}, "kind"),
        ({"label": ""}, "label"),
        ({"release_at": yesterday}, "release_at"),
        ({"kind": "channel", "channel": "press"}, "channel"),
        ({"seat_ids": []}, "seat_ids"),
        ({"ticket_type_id": 5, "quantity": 1}, "seat_ids"),
        ({"quantity": 1}, "quantity"),
    ):
        refused = await block(desk, one, **more)
        assert refused.status == 422, refused.body
        assert field in refused.json["errors"], refused.body
    unknown = await block(desk, 10**9)
    assert (unknown.status, unknown.code) == (404, "seat_not_found")
    for method, path in (
        ("POST", blocks_of(10**9)),
        ("GET", blocks_of(10**9)),
        ("DELETE", f"{blocks_of(10**9)}/1"),
    ):
        body = {"label": "a", "kind": "kill", "seat_ids": [one]} if method == "POST" else None
        missing = await desk.house.admin.send(method, path, body)
        assert (missing.status, missing.code) == (404, "screening_not_found")
    for caller, status in ((desk.ada, 403), (desk.house.guest, 401)):
        for path in (blocks_of(desk.screening_id), CHANNELS):
            assert (await caller.send("GET", path)).status == status


async def test_whoever_knows_the_access_code_holds_and_buys(desk: Desk) -> None:
    await make_channel(desk)
    one, two, three, four, *_ = desk.seat_ids
    await blocked(desk, one, two, three, kind="channel", channel="press")
    await blocked(desk, four, kind="kill")
    code = {"X-Access-Code": CODE}
    own = await desk.house.guest.send(
        "GET", f"/api/v1/screenings/{desk.screening_id}/channel-seats", headers=code
    )
    assert own.json == {"channels": ["press"], "seat_ids": [one, two, three], "ticket_types": []}
    none = await desk.house.guest.send("GET", f"/api/v1/screenings/{desk.screening_id}/channel-seats")
    assert none.json["seat_ids"] == []

    assert (await desk.ada.reserve(desk.screening_id, [one])).code == "seats_unavailable"
    held = await desk.ada.reserve(desk.screening_id, [one, two], headers=code)
    assert held.status == 201, held.body
    assert (await desk.ada.reserve(desk.screening_id, [four], headers=code)).code == "seats_unavailable"
    assert (await states(desk))[one] == ("reserved", False)
    await desk.ada.cancel_reservations(desk.screening_id, f"?seat_ids={two}")
    assert (await states(desk))[two] == ("booked", True)
    paid = await desk.ada.book_reservation(desk.screening_id, [one], "pay-1")
    assert paid.status == 201, paid.body
    assert (await states(desk))[one] == ("booked", False)
    toggled = await desk.ada.toggle(desk.screening_id, two, headers=code)
    assert toggled.json["reserved"], toggled.body
    listed = (await desk.house.admin.send("GET", blocks_of(desk.screening_id))).json
    assert [(each["kind"], each["kept"], each["sold"]) for each in listed] == [
        ("channel", 1, 1),
        ("kill", 1, 0),
    ]
    await desk.ada.cancel_ticket(paid.json[0]["id"])
    assert (await states(desk))[one] == ("booked", True)
    body = {"screening_id": desk.screening_id, "seat_ids": [one]}
    bought = await desk.bob.send("POST", "/api/v1/tickets/book", body, headers=code)
    assert bought.status == 201, bought.body


async def test_a_token_with_the_channel_needs_no_code(desk: Desk) -> None:
    await make_channel(desk, code=None)
    one, two, *_ = desk.seat_ids
    await blocked(desk, one, two, kind="channel", channel="press")
    house = desk.house
    token = house.tokens.issue(desk.ada.user_id, ttl_seconds=3600, channels=["press", "unknown"])
    holder = Caller(house.base_url, token)
    for seat_id in (one, two):  # the second request takes the fast path
        assert (await holder.reserve(desk.screening_id, [seat_id])).status == 201
    other = Caller(house.base_url, house.tokens.issue(desk.bob.user_id, ttl_seconds=3600, channels=["fans"]))
    await desk.ada.cancel_reservations(desk.screening_id)
    assert (await other.reserve(desk.screening_id, [one])).code == "seats_unavailable"


async def test_wrong_codes_are_refused_and_limited(desk: Desk) -> None:
    await make_channel(desk)
    await blocked(desk, desk.seat_ids[0], kind="channel", channel="press")

    async def attempt(code: str) -> Response:
        return await desk.ada.reserve(desk.screening_id, desk.seat_ids[:1], headers={"X-Access-Code": code})

    wrong = await attempt("ink-and-paper-2025")
    assert (wrong.status, wrong.code) == (403, "access_code_refused")
    async with asyncio.timeout(60):
        while (refused := await attempt("ink-and-paper-2024")).status == 403:
            pass
    assert (refused.status, refused.code) == (429, "too_many_attempts")
    # Who has used the right code just before is not affected.
    assert int(refused.headers["Retry-After"]) >= 1


async def test_codes_are_replaced_and_channels_deleted(desk: Desk) -> None:
    await make_channel(desk)
    admin = desk.house.admin
    again = await admin.send("POST", CHANNELS, {"name": "press", "code": "another-code"})
    assert (again.status, again.code) == (409, "channel_exists")
    same = await admin.send("POST", CHANNELS, {"name": "fans", "code": CODE})
    assert (same.status, same.code) == (409, "channel_exists")
    await make_channel(desk, "fans", None)
    assert [(one["name"], one["has_code"]) for one in (await admin.send("GET", CHANNELS)).json] == [
        ("fans", False),
        ("press", True),
    ]
    block_id = await blocked(desk, desk.seat_ids[0], kind="channel", channel="press")
    changed = await admin.send("PUT", f"{CHANNELS}/press", {"code": "another-code"})
    assert (changed.status, changed.json["has_code"]) == (200, True)
    old = await desk.ada.reserve(desk.screening_id, desk.seat_ids[:1], headers={"X-Access-Code": CODE})
    assert old.code == "access_code_refused"
    used = await admin.send("DELETE", f"{CHANNELS}/press")
    assert (used.status, used.code) == (409, "in_use")
    await admin.send("DELETE", f"{blocks_of(desk.screening_id)}/{block_id}")
    assert (await admin.send("DELETE", f"{CHANNELS}/press")).status == 204
    assert (await admin.send("DELETE", f"{CHANNELS}/press")).code == "channel_not_found"
    assert (await admin.send("PUT", f"{CHANNELS}/press", {"code": None})).code == "channel_not_found"
    for name in ("", "Press", "a b", "x" * 41):
        assert (await admin.send("POST", CHANNELS, {"name": name})).status == 422


async def test_tickets_of_an_event_are_kept_back(desk: Desk) -> None:
    await make_channel(desk)
    event_id = await make_event(desk.house)
    kind = await make_type(desk.house, event_id, capacity=10)
    body = {
        "label": "Fans",
        "kind": "channel",
        "channel": "press",
        "ticket_type_id": int(kind),
        "quantity": 8,
    }
    made = await desk.house.admin.send("POST", blocks_of(int(event_id)), body)
    assert (made.status, made.json["quantity"], made.json["ticket_type_id"]) == (201, 8, int(kind))
    guest = Guest(desk.house, str(uuid4()))
    assert await guest.left(kind) == {"total": 10, "sold": 0, "reserved": 0, "available": 2}
    refused = await guest.reserve(kind, 3)
    assert refused.code == "not_enough_tickets"
    order = {"ticketTypeId": kind, "quantity": 3, "sessionId": guest.session_id}
    held = await guest.send("POST", "/api/public/reservations", order, headers={"X-Access-Code": CODE})
    assert held.status == 201, held.body
    assert await guest.left(kind) == {"total": 10, "sold": 0, "reserved": 3, "available": 2}
    await guest.cancel(data(held)["reservation"]["id"])
    shown = data(await guest.send("GET", f"/api/public/availability/{kind}"))
    assert (shown["reserved"], shown["blocked"]) == (0, 8)
    smaller = await desk.house.admin.send("PATCH", f"/api/admin/ticket-types/{kind}", {"capacity": 7})
    assert smaller.code == "capacity_too_low"
    deleted = await desk.house.admin.send("DELETE", f"/api/admin/ticket-types/{kind}")
    assert deleted.code == "in_use"
    path = f"{blocks_of(int(event_id))}/{made.json['id']}"
    assert (await desk.house.admin.send("DELETE", path)).status == 204
    assert await guest.left(kind) == {"total": 10, "sold": 0, "reserved": 0, "available": 10}


async def test_blocks_survive_a_restart_and_are_released_in_time(desk: Desk) -> None:
    one, two, three, *_ = desk.seat_ids
    status = 422
    while status == 422:  # while the server has taken longer
        soon = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
        status = (await block(desk, one, release_at=soon)).status
    assert status == 201
    kept_id = await blocked(desk, two, three)
    await desk.house.restart()
    async with asyncio.timeout(60):
        while (await states(desk))[one] != ("available", False):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert (await states(desk))[two] == ("booked", True)
    listed = (await desk.house.admin.send("GET", blocks_of(desk.screening_id))).json
    assert [(each["id"], each["kept"]) for each in listed] == [(kept_id, 2)]
    assert (await desk.log_of(one))[-1][:2] == ("seats_unblocked", "system")


async def test_the_figures_and_the_hall_of_operators_agree(desk: Desk) -> None:
    one, two, three, *_ = desk.seat_ids
    await blocked(desk, one, two)
    await desk.ada.reserve(desk.screening_id, [three])
    assert await desk.taken() == {
        one: ("blocked", None),
        two: ("blocked", None),
        three: ("held", f"user:{desk.ada.user_id}"),
    }
    async with asyncio.timeout(60):
        while True:  # figures may be half a second old
            overview = await desk.get("/overview")
            (screening,) = [each for each in overview["screenings"] if each["id"] == desk.screening_id]
            counts = [screening[name] for name in ("available", "held", "blocked", "sold")]
            if counts == [3, 1, 2, 0]:
                break
            await asyncio.sleep(0.05)
