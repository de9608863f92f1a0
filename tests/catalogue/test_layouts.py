"""Layouts of rooms: read, exchanged, checked, and published while seats are held and sold."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from secrets import token_hex
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from api.catalogue.layout_rules import FAULTS_SHOWN
from api.catalogue.seats import SEATS_PER_PAGE
from tests.api.caller import TICKETS, Response
from tests.catalogue.programme import add_seats, make, make_room, make_screening, open_house
from tests.durable_requests import DurableRequest, is_passing
from tests.house import House

gen_test = pytest.mark.gen_test


def seat(row: str, number: int, **more: object) -> dict[str, Any]:
    return {"row_label": row, "seat_number": number, **more}


def path(room_id: int, query: str = "") -> str:
    return f"/api/v1/rooms/{room_id}/layout{query}"


async def read(house: House, room_id: int) -> dict[str, Any]:
    answer = await house.guest.send("GET", path(room_id))
    assert answer.status == 200, answer.body
    return answer.json


async def room_of(house: House, screening: int) -> int:
    return (await house.guest.send("GET", f"/api/v1/screenings/{screening}")).json["room_id"]


async def publish(house: House, room_id: int, *seats: object, query: str = "", **more: object) -> Response:
    """Publish some seats, based on the present version unless one is given. Patient with a busy machine."""
    version = more.pop("version", None) or (await read(house, room_id))["version"]
    body = {"version": version, "seats": seats, **more}
    return await DurableRequest(house.admin, "PUT", path(room_id, query), body).send(token_hex(8))


@asynccontextmanager
async def watching(house: House, screening: int, query: str = "") -> AsyncIterator[ClientConnection]:
    address = f"{house.base_url.replace('http', 'ws')}/ws/screenings/{screening}"
    async with connect(f"{address}?updates=bulk&token={house.token(9)}{query}") as socket:
        assert json.loads(await socket.recv())["type"] == "connection_confirmed"
        yield socket


async def next_message(socket: ClientConnection, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while (message := json.loads(await socket.recv()))["type"] != kind:
            pass
    return message


def names(layout: dict[str, Any]) -> list[str]:
    return [f"{seat['row_label']}{seat['seat_number']}" for seat in layout["seats"]]


@gen_test
async def test_a_layout_is_read_as_it_was_published_and_published_as_it_was_read(house: House) -> None:
    room_id = await make_room(house)
    around = {
        "screen": {"x": 1, "y": 0, "width": 9.5},
        "sections": [{"name": "Balcony", "x": 0, "y": 1.5, "width": 9, "height": 2}],
        "aisles": [{"x": 3, "y": 0, "width": 1, "height": 4}],
        "focus": {"x": 2.5, "y": 1, "rows": ["B"]},
    }
    plan = [seat("B", 2, seat_type="vip", x=2.501, y=2), seat("A", 1, seat_type="wheelchair")]
    published = await publish(house, room_id, *plan, **around)
    assert published.status == 200, published.body
    assert {"added": 2, "removed": 0, "moved": 0, "retyped": 0, "taken": 0, "obstacles": []}.items() <= (
        published.json.items()
    )
    layout = await read(house, room_id)
    first, second = layout["seats"]
    assert first == seat("A", 1, seat_type="wheelchair", x=1, y=1, id=first["id"])
    assert second == seat("B", 2, seat_type="vip", x=2.5, y=2, id=second["id"])
    assert {name: layout[name] for name in around} == around
    again = await house.admin.send("PUT", path(room_id), layout)
    assert (again.status, again.json["version"], again.json["moved"]) == (200, layout["version"], 0)
    assert await read(house, room_id) == layout


@gen_test
async def test_an_empty_room_has_an_empty_layout_and_a_missing_room_has_none(house: House) -> None:
    room_id = await make_room(house)
    empty = await read(house, room_id)
    around = {"screen": None, "sections": [], "aisles": [], "focus": None}
    assert empty == {"version": 1, **around, "seats": []}
    for caller, method in ((house.guest, "GET"), (house.admin, "PUT")):
        missing = await caller.send(method, path(99), empty if method == "PUT" else None)
        assert (missing.status, missing.code) == (404, "room_not_found")


@gen_test
async def test_sections_aisles_and_the_focal_point_decide_which_seats_are_the_best(house: House) -> None:
    room_id = await make_room(house)
    screening = await make_screening(house, room_id)
    plan = [seat(row, number) for row in "AB" for number in range(1, 7)]
    around = {
        "sections": [{"name": "Balcony", "x": 0, "y": 1.5, "width": 9, "height": 1}],
        "aisles": [{"x": 4.4, "y": 0, "width": 0.2, "height": 3}],
        "focus": {"x": 6, "y": 1, "rows": []},
    }

    async def best(quantity: int, **wishes: object) -> list[str] | str:
        body = {"screening_id": screening, "quantity": quantity, **wishes}
        answer = await house.user().send("POST", "/api/v1/seat-reservations/best-available", body)
        if answer.status != 201:
            return answer.code
        names = {seat["id"]: seat["row_label"] + str(seat["seat_number"]) for seat in layout["seats"]}
        return [names[held["seat_id"]] for held in answer.json["reservations"]]

    assert (await publish(house, room_id, *plan, **around)).status == 200
    layout = await read(house, room_id)
    assert await best(2) == ["A5", "A6"]
    assert await best(2, zone="Balcony") == ["B5", "B6"]
    assert await best(5) == "no_adjacent_seats"
    # Without the aisle, and with a row that is preferred.
    focus = {"x": 1, "y": 1, "rows": ["B"]}
    assert (await publish(house, room_id, *plan, focus=focus)).status == 200
    assert await best(2) == ["B1", "B2"]
    assert await best(2, zone="Balcony") == "zone_not_found"
    unknown = await publish(house, room_id, *plan, focus={**focus, "rows": ["B", "Z"]})
    assert (unknown.status, unknown.json["errors"]) == (422, {"focus": ["There is no row Z."]})


@gen_test
async def test_a_reader_that_has_the_version_gets_nothing_again(house: House) -> None:
    room_id = await make_room(house)
    await add_seats(house, room_id)
    first = await house.guest.send("GET", path(room_id))
    known = {"If-None-Match": first.headers["ETag"]}
    assert (await house.guest.send("GET", path(room_id), headers=known)).status == 304
    assert (await publish(house, room_id, seat("A", 1))).status == 200
    newer = await house.guest.send("GET", path(room_id), headers=known)
    assert (newer.status, names(newer.json)) == (200, ["A1"])
    # Also a change that is not made by publishing.
    await add_seats(house, room_id, rows="C", seats_per_row=1)
    assert names(await read(house, room_id)) == ["A1", "C1"]


@gen_test
async def test_only_administrators_publish(house: House) -> None:
    room_id = await make_room(house)
    body = {"version": 1, "seats": [seat("A", 1)]}
    for caller, status in ((house.guest, 401), (house.user(), 403)):
        assert (await caller.send("PUT", path(room_id), body)).status == status
        answer = await caller.send("PUT", path(room_id, ".csv?version=1"), raw=b"row,number\nA,1\n")
        assert answer.status == status
    assert names(await read(house, room_id)) == []


AREA = {"x": 0.5, "y": 0, "width": 1, "height": 9}
TWICE = "Row A, seat 1 is there twice; give one of them another number."


BAD_LAYOUTS: Sequence[tuple[dict[str, Any], str, str]] = (
    ({"seats": None}, "seats", "null"),
    ({"seats": "A1"}, "seats", "Not a valid list."),
    ({"seats": [7]}, "seats", "Seat 1 of the list must be an object"),
    ({"seats": [{}]}, "seats", "Seat 1 of the list: row_label must be 1 to 4 characters"),
    ({"seats": [seat("ABCDE", 1)]}, "seats", "row_label must be 1 to 4 characters"),
    ({"seats": [seat(" A", 1)]}, "seats", "without spaces around them"),
    ({"seats": [seat("A\x00", 1)]}, "seats", "row_label must be 1 to 4 characters"),
    ({"seats": [seat("A", 0)]}, "seats", "Seat 1 of the list (row A): seat_number must be an integer"),
    ({"seats": [seat("A", True)]}, "seats", "seat_number must be an integer from 1 to 9999"),
    ({"seats": [seat("A", 1.5)]}, "seats", "seat_number must be an integer from 1 to 9999"),
    ({"seats": [seat("A", 1, x=-0.1)]}, "seats", "Row A, seat 1: x must be a number from 0 to 10000."),
    ({"seats": [seat("A", 1, y=1e9)]}, "seats", "Row A, seat 1: y must be a number from 0 to 10000."),
    ({"seats": [seat("A", 1, x="2")]}, "seats", "Row A, seat 1: x must be a number from 0 to 10000."),
    ({"seats": [seat("A", 1, x=None)]}, "seats", "Row A, seat 1: x must be a number from 0 to 10000."),
    (
        {"seats": [seat("A", 1, seat_type="throne")]},
        "seats",
        'Row A, seat 1: there is no seat type "throne"',
    ),
    ({"seats": [seat("A", 1, seat_type=[])]}, "seats", "Row A, seat 1: there is no seat type"),
    ({"seats": [seat("A", 1, colour="red")]}, "seats", 'Row A, seat 1: unknown field "colour"'),
    ({"seats": [seat("A", 1), seat("A", 1, x=5)]}, "seats", TWICE),
    (
        {"seats": [seat("A", 1), seat("B", 1, x=1.4, y=1.4)]},
        "seats",
        "Row A, seat 1 and row B, seat 1 overlap",
    ),
    (
        {"seats": [seat("A", 1), seat("B", 1, y=1.6)]},
        "seats",
        "Row B, seat 1 cannot be reached: leave 0.75 rows of room in front",
    ),
    (
        {"seats": [seat("A", 1)], "aisles": [AREA]},
        "seats",
        "Row A, seat 1 stands in an aisle",
    ),
    (
        {"seats": [seat("A", number, x=1, y=1) for number in range(1, 9_999)]},
        "seats",
        "Faults that are not shown: 9947.",
    ),
    ({"seats": [seat("A", 1)] * (SEATS_PER_PAGE + 1)}, "seats", "A room has at most 10000 seats."),
    ({"seats": [], "screen": {"x": 1, "y": 0}}, "screen", "Missing data"),
    ({"seats": [], "screen": {"x": 1, "y": 0, "width": -1}}, "screen", "Must be greater than"),
    (
        {"seats": [], "sections": [{"name": "", "x": 1, "y": 0, "width": 1, "height": 1}]},
        "sections",
        "Length",
    ),
    (
        {"seats": [], "sections": [{**AREA, "name": "Balcony"}] * 51},
        "sections",
        "Longer than maximum length 50.",
    ),
    ({"seats": [], "aisles": [[]]}, "aisles", "Invalid input type."),
    ({"seats": [], "aisle": []}, "aisle", "did you mean"),
    ({"seats": [], "version": "1"}, "version", "Not a valid integer."),
    ({"seats": [], "version": None}, "version", "null"),
)


@gen_test(timeout=60)
async def test_bad_layouts_are_refused_by_row_and_seat(house: House) -> None:
    room_id = await make_room(house)
    for change, field, message in BAD_LAYOUTS:
        refused = await house.admin.send("PUT", path(room_id), {"version": 1, **change})
        assert refused.status == 422, (change, refused.body)
        assert message in " ".join(refused.json["errors"][field]), change
    assert names(await read(house, room_id)) == []


@gen_test
async def test_bodies_that_are_no_layout_are_refused(house: House) -> None:
    room_id = await make_room(house)
    for raw, status in (
        (b"", 400),
        (b"{", 400),
        (b"[]", 422),
        (b'{"version":1,"seats":[{"row_label":"A","seat_number":1,"x":NaN}]}', 400),
        (b'{"version":1,"seats":[{"row_label":"A","seat_number":' + b"9" * 400 + b"}]}", 400),
        (b" " * 2_500_000, 413),
    ):
        refused = await house.admin.send("PUT", path(room_id), raw=raw)
        assert refused.status == status, (raw[:40], refused.body)
    missing = await house.admin.send("PUT", path(room_id), {"seats": []})
    assert (missing.status, list(missing.json["errors"])) == (422, ["version"])


@gen_test
async def test_the_number_of_faults_is_bounded(house: House) -> None:
    room_id = await make_room(house)
    plan = [seat("A", 1, x=n) for n in range(1, 9)] + [seat("", n) for n in range(FAULTS_SHOWN)]
    faults = (await publish(house, room_id, *plan)).json["errors"]["seats"]
    assert (faults[0], faults[-1]) == (TWICE, "Faults that are not shown: 1.")
    assert len(faults) == FAULTS_SHOWN + 1


@gen_test
async def test_a_row_is_reached_from_its_ends_and_gaps(house: House) -> None:
    room_id = await make_room(house)
    row = [seat("B", n) for n in range(1, 8)]
    # One is passed on either side; two of them enclose the seats between.
    assert (
        await publish(house, room_id, *[s for s in row if s["seat_number"] != 4], seat("A", 4, y=1.4))
    ).status == 200
    posts = [seat("A", 3, y=1.4), seat("A", 6, y=1.4)]
    refused = await publish(house, room_id, *row, *posts)
    hidden = [fault.partition(" cannot")[0] for fault in refused.json["errors"]["seats"]]
    assert hidden == [f"Row B, seat {n}" for n in (3, 4, 5, 6)]
    curved = [seat("C", n, x=n, y=5 + 0.05 * (n - 10) ** 2) for n in range(1, 20)]
    curved += [seat("D", n, x=n, y=6 + 0.05 * (n - 10) ** 2) for n in range(1, 20)]
    assert (await publish(house, room_id, *curved)).status == 200


@gen_test
async def test_another_version_is_not_overwritten(house: House) -> None:
    room_id = await make_room(house)
    await add_seats(house, room_id)
    for query in ("", "?dry_run=true"):
        refused = await publish(house, room_id, seat("Z", 1), version=1, query=query)
        assert (refused.status, refused.code) == (409, "layout_changed")
        assert refused.json["version"] == (await read(house, room_id))["version"]
    version = (await read(house, room_id))["version"]
    rivals = [publish(house, room_id, seat(row, 1), version=version) for row in "PQRSTU"]
    statuses = [answer.status for answer in await asyncio.gather(*rivals)]
    assert sorted(statuses) == [200, *[409] * 5]
    assert len(names(await read(house, room_id))) == 1


@gen_test
async def test_a_dry_run_counts_and_changes_nothing(house: House) -> None:
    room_id = await make_room(house)
    await add_seats(house, room_id)
    await make_screening(house, room_id)
    before = await read(house, room_id)
    tried = await publish(
        house,
        room_id,
        seat("A", 1),
        seat("A", 2, x=9),
        seat("A", 3, seat_type="vip"),
        seat("C", 1),
        query="?dry_run=true",
    )
    assert (tried.status, tried.json) == (
        200,
        {
            "version": before["version"],
            "added": 1,
            "removed": 3,
            "moved": 1,
            "retyped": 1,
            "screenings": 1,
            "taken": 0,
            "obstacles": [],
        },
    )
    assert await read(house, room_id) == before


@gen_test
async def test_seats_that_are_kept_back_for_somebody_may_not_vanish(house: House) -> None:
    screening, (a1, a2, *_) = await open_house(house)
    room_id = await room_of(house, screening)
    blocks = f"/api/v1/admin/screenings/{screening}/blocks"
    broken = {"label": "Broken", "kind": "kill", "seat_ids": [a1]}
    kept = await make(house, blocks, {"label": "House", "kind": "house", "seat_ids": [a2]})
    await make(house, blocks, broken)
    refused = await publish(house, room_id, seat("A", 3))
    assert (refused.status, refused.code, refused.json["number"]) == (409, "seats_taken", 1)
    (obstacle,) = refused.json["obstacles"]
    assert obstacle["seats"] == [{"row_label": "A", "seat_number": 2, "status": "blocked"}]
    assert (await house.admin.send("DELETE", f"{blocks}/{kept['id']}")).status == 204
    assert (await publish(house, room_id, seat("A", 3))).status == 200
    # The seat that nobody could have returns with its block.
    assert (await publish(house, room_id, seat("A", 1), seat("A", 3))).status == 200
    shown = {s["seat"]["id"]: s.get("blocked") for s in (await house.guest.availability(screening)).json}
    assert shown[a1] is True


@gen_test
async def test_sold_and_held_seats_may_move_but_not_vanish(house: House) -> None:
    screening, (a1, a2, _, *row_b) = await open_house(house)
    room_id = await room_of(house, screening)
    later = await make_screening(house, room_id, 21)
    assert (await house.user(7).book(screening, [a1])).status == 201
    assert (await house.user(7).reserve(screening, [a2])).status == 201
    assert (await house.user(8).reserve(later, [a1])).status == 201
    before = await read(house, room_id)
    tried = await publish(house, room_id, seat("A", 3), query="?dry_run=true")
    assert (tried.status, tried.json["taken"]) == (200, 3)
    refused = await publish(house, room_id, seat("A", 3))
    assert (refused.status, refused.code, refused.json["number"]) == (409, "seats_taken", 3)
    assert refused.json["obstacles"] == tried.json["obstacles"]
    assert [
        (
            obstacle["screening_id"],
            [(s["row_label"], s["seat_number"], s["status"]) for s in obstacle["seats"]],
        )
        for obstacle in refused.json["obstacles"]
    ] == [(screening, [("A", 1, "booked"), ("A", 2, "reserved")]), (later, [("A", 1, "reserved")])]
    assert "row A, seat 1" in refused.json["detail"]
    assert await read(house, room_id) == before

    moved = await publish(house, room_id, seat("A", 1, x=20), seat("A", 2, x=21, seat_type="vip"))
    assert (moved.status, moved.json["removed"], moved.json["moved"]) == (200, 4, 2)
    states = {s["seat"]["id"]: s["status"] for s in (await house.guest.availability(screening)).json}
    assert states == {a1: "booked", a2: "reserved"}
    gone = await house.user(9).reserve(screening, [row_b[0]])
    assert gone.code == "seat_not_found"
    assert (await house.user(7).book(screening, [a2])).status == 201


@gen_test
async def test_a_seat_that_returns_is_the_same_and_its_old_tickets_stay(house: House) -> None:
    screening, (a1, *_) = await open_house(house)
    room_id = await room_of(house, screening)
    ticket = (await house.user(7).book(screening, [a1])).json[0]["id"]
    assert (await house.user(7).send("DELETE", f"/api/v1/tickets/{ticket}")).status == 204
    assert (await publish(house, room_id, seat("B", 1))).status == 200
    assert (await house.guest.send("GET", f"/api/v1/rooms/{room_id}")).json["seat_count"] == 1
    listed = await house.guest.send("GET", f"/api/v1/rooms/{room_id}/seats/")
    assert [entry["row_label"] for entry in listed.json] == ["B"]
    recent = await house.admin.send("GET", "/api/v1/admin/stats/bookings/recent")
    assert [(entry["row_label"], entry["seat_number"]) for entry in recent.json] == [("A", 1)]
    # Whichever way it returns.
    assert await add_seats(house, room_id, rows="A", seats_per_row=1) == [a1]
    assert (await publish(house, room_id, seat("B", 1))).json["removed"] == 1
    assert (await publish(house, room_id, seat("A", 1, seat_type="vip"))).json["added"] == 1
    (only,) = (await read(house, room_id))["seats"]
    assert (only["id"], only["seat_type"]) == (a1, "vip")


@gen_test
async def test_no_hold_or_sale_is_lost_while_layouts_are_published(house: House) -> None:
    """Every seat that somebody was told to have is in the room afterwards."""
    screening, seat_ids = await open_house(house)
    room_id = await room_of(house, screening)
    whole = (await read(house, room_id))["seats"]
    rounds = 6

    async def buy(user: int, seat_id: int) -> None:
        """Hold and sell, or only hold, the same seat again and again."""
        for number in range(rounds):
            held = await house.user(user).reserve(screening, [seat_id])
            if held.status == 404 or is_passing(held):
                continue  # the seat is not in the room just now, or the machine is busy
            assert held.status == 201, held.body
            layout = await read(house, room_id)
            assert seat_id in [entry["id"] for entry in layout["seats"]]
            if number % 2:
                body = {"screening_id": screening, "seat_ids": [seat_id]}
                booking = DurableRequest(house.user(user), "POST", f"{TICKETS}/book", body)
                sold = await booking.send(token_hex(8))
                assert sold.status == 201, sold.body
                ticket = f"{TICKETS}/{sold.json[0]['id']}"
                cancelled = await DurableRequest(house.user(user), "DELETE", ticket).send(token_hex(8))
                assert cancelled.status == 204, cancelled.body
            else:
                await house.user(user).cancel_reservations(screening)

    async def rebuild() -> list[int]:
        statuses = []
        for number in range(2 * rounds):
            kept = whole[: 3 if number % 2 else 6]
            statuses.append((await publish(house, room_id, *kept)).status)
        return statuses

    statuses, *_ = await asyncio.gather(
        rebuild(), *(buy(user, seat_id) for user, seat_id in enumerate(seat_ids, 10))
    )
    assert set(statuses) <= {200, 409}
    assert 200 in statuses


@gen_test
async def test_watchers_are_told_and_find_the_new_seats(house: House) -> None:
    screening, (a1, *_) = await open_house(house)
    room_id = await room_of(house, screening)
    idle = await make_screening(house, room_id, 21)
    assert (await house.user(7).reserve(screening, [a1])).status == 201
    async with watching(house, screening) as busy, watching(house, idle) as quiet:
        assert (await publish(house, room_id, seat("A", 1), seat("C", 1))).status == 200
        for socket, available in ((busy, 1), (quiet, 2)):
            told = await next_message(socket, "screening_changed")
            assert (told["seats"], told["available"]) == (2, available)
    ids = {s["seat"]["row_label"]: s["seat"]["id"] for s in (await house.guest.availability(idle)).json}
    async with watching(house, screening, "&since=0&epoch=0") as socket:
        snapshot = await next_message(socket, "bulk_seat_update")
    assert {state["seat_id"] for state in snapshot["updates"]} == set(ids.values())


@gen_test
async def test_csv_goes_out_and_comes_back(house: House) -> None:
    room_id = await make_room(house)
    around = {"screen": {"x": 1, "y": 0, "width": 9}}
    plan = [seat("A", 1, seat_type="vip"), seat("B", 2, x=2.25, y=3)]
    assert (await publish(house, room_id, *plan, **around)).status == 200
    layout = await read(house, room_id)
    exported = await house.guest.send("GET", path(room_id, ".csv"))
    assert exported.headers["Content-Type"].startswith("text/csv")
    assert "attachment" in exported.headers["Content-Disposition"]
    assert exported.body == b"row,number,type,x,y\r\nA,1,vip,1.0,1.0\r\nB,2,standard,2.25,3.0\r\n"

    async def put(content: bytes, query: str = "", version: int | None = None) -> Response:
        version = version or (await read(house, room_id))["version"]
        return await house.admin.send(
            "PUT",
            path(room_id, f".csv?version={version}{query}"),
            raw=content,
            headers={"Content-Type": "text/csv"},
        )

    again = await put(exported.body)
    assert (again.status, again.json["version"]) == (200, layout["version"])
    # As spreadsheets write it, and without what has a default.
    tried = await put(b"\xef\xbb\xbfNumber;ROW;x\n1;A;\n2;B;2.25\n\n3;C;\n", "&dry_run=true")
    assert (tried.status, tried.json["added"], tried.json["retyped"], tried.json["removed"]) == (200, 1, 1, 0)
    assert (await read(house, room_id)) == layout
    assert (await put(exported.body, version=1)).code == "layout_changed"
    for content, field, message in (
        (b"", "file", "Missing data"),
        (b"seat,row\n1,A\n", "file", "The first line must name the columns: row,number,type,x,y."),
        (b"row,number\nA,one\n", "file", 'Line 2: number must be a number, not "one".'),
        (b"row,number,x\nA,1,inf\n", "seats", "Row A, seat 1: x must be a number from 0 to 10000."),
        (b"row,number\nA,1,7\n", "file", "Line 2 has more values than there are columns."),
        (b"row,number\nA,1\nA,1\n", "seats", TWICE),
        (b"row,number\n\xff,1\n", "file", "The file must be CSV in UTF-8."),
        (b"row,number\n" + b"A,1\n" * (SEATS_PER_PAGE + 1), "file", "A room has at most 10000 seats."),
    ):
        refused = await put(content)
        assert refused.status == 422, (content[:30], refused.body)
        assert message in " ".join(refused.json["errors"][field])
    assert await read(house, room_id) == layout


@gen_test(timeout=60)
async def test_the_largest_room_is_published(house: House) -> None:
    room_id = await make_room(house)
    plan = [seat(f"R{row}", n, x=n, y=row) for row in range(1, 101) for n in range(1, 101)]
    published = await publish(house, room_id, *plan)
    assert (published.status, published.json["added"]) == (200, SEATS_PER_PAGE), published.body[:300]
    layout = await read(house, room_id)
    assert (len(layout["seats"]), names(layout)[-1]) == (SEATS_PER_PAGE, "R100100")


@gen_test
async def test_seat_types_are_listed(house: House) -> None:
    listed = await house.guest.send("GET", "/api/v1/seat-types")
    assert listed.json[-1] == {"name": "vip", "surcharge": 5.0}
    assert {kind["name"] for kind in listed.json} == {"standard", "wheelchair", "vip"}


@gen_test
async def test_guests_in_the_room_are_told_and_choose_new_seats(house: House) -> None:
    screening, _ = await open_house(house)
    room_id = await room_of(house, screening)
    room = f"funcion_{screening}"
    async with connect(f"{house.base_url.replace('http', 'ws')}/ws/guest_1234567890") as socket:
        await socket.send(json.dumps({"type": "join_room", "room_id": room}))
        await next_message(socket, "current_selections")
        assert (await publish(house, room_id, seat("C", 1))).status == 200
        assert await next_message(socket, "room_changed") == {"type": "room_changed", "room_id": room}
        await socket.send(json.dumps({"type": "join_room", "room_id": room}))
        await next_message(socket, "current_selections")
        await socket.send(json.dumps({"type": "select_seat", "room_id": room, "seat_id": "C1"}))
        assert (await next_message(socket, "seat_selected"))["seat_id"] == "C1"
