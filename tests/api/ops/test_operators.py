"""Views and actions of operators over HTTP, which nobody else has."""

import asyncio
import logging

import pytest

from api.application import RESOURCES
from api.rest.endpoint import Access
from tests.api.ops.conftest import OPS, Desk
from tests.box_office import Guest, data, make_event, make_type

pytestmark = pytest.mark.gen_test

OPERATIONS = [
    endpoint for resource in RESOURCES if resource.prefix.startswith(OPS) for endpoint in resource.endpoints
]


async def test_only_administrators_may_use_any_of_it(desk: Desk) -> None:
    assert len(OPERATIONS) == 11
    assert {endpoint.access for endpoint in OPERATIONS} == {Access.ADMIN}
    ids = {"screening_id": desk.screening_id, "seat_id": desk.seat_ids[0], "mark": "any"}
    for endpoint in OPERATIONS:
        path = endpoint.path.format(**ids)
        anonymous = await desk.house.guest.send(endpoint.method, path, {})
        customer = await desk.ada.send(endpoint.method, path, {})
        assert (anonymous.status, anonymous.code) == (401, "not_authenticated"), path
        assert (customer.status, customer.code) == (403, "admin_required"), path
        for seen in (anonymous, customer):
            assert b"Brass" not in seen.body


async def test_the_overview_shows_what_is_in_memory(desk: Desk) -> None:
    await desk.ada.reserve(desk.screening_id, desk.seat_ids[:2])
    await desk.bob.book(desk.screening_id, desk.seat_ids[2:3])
    ada_again = await desk.ada.reserve(desk.screening_id, desk.seat_ids[2:3])
    assert ada_again.code == "seats_unavailable"

    async def shown() -> dict[str, object]:
        overview = await desk.get("/overview")
        (screening,) = [one for one in overview["screenings"] if one["id"] == desk.screening_id]
        return screening

    # Figures may be half a second old.
    while (screening := await shown())["sold"] != 1:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert (screening["capacity"], screening["available"], screening["held"]) == (6, 3, 2)
    assert (screening["queue"], screening["sockets"]) == (0, 0)
    servers = {server["mark"]: server for server in (await desk.get("/overview"))["servers"]}
    owner = servers[screening["server"]]
    assert owner["state"] == "serving"
    assert owner["screenings"] >= 1
    assert owner["journal_lag_seconds"] >= 0


async def test_a_list_finds_screenings_and_events(desk: Desk) -> None:
    event_id = int(await make_event(desk.house))
    await make_type(desk.house, str(event_id))
    await desk.ada.book(desk.screening_id, desk.seat_ids[:1])
    both = {one["id"]: one for one in await desk.get("/screenings/")}
    assert set(both) == {desk.screening_id, event_id}
    screening, event = both[desk.screening_id], both[event_id]
    assert (screening["kind"], screening["title"], screening["place"]) == (
        "screening",
        "Brass and Thunder",
        "Odeon, Great Hall",
    )
    assert (screening["capacity"], screening["sold"], screening["held"]) == (6, 1, 0)
    assert (event["kind"], event["capacity"], event["room_id"]) == ("event", 20, None)
    for query, expected in (("thunder", 1), ("great HALL", 1), (str(event_id), 1), ("100%", 0)):
        found = await desk.get(f"/screenings/?q={query.replace(' ', '%20').replace('100%', '100%25')}")
        assert len(found) == expected, query
    assert await desk.get("/screenings/?past=true") == []
    for path in ("", "/events", "/seats/1/log", "/hall"):
        unknown = await desk.house.admin.send("GET", f"{OPS}/screenings/99999999{path}")
        assert (unknown.status, unknown.code) == (404, "screening_not_found"), path


async def test_the_log_of_a_seat_that_does_not_exist_is_not_found(desk: Desk) -> None:
    assert (await desk.get(f"/screenings/{desk.screening_id}/seats/{desk.seat_ids[0]}/log"))["events"] == []
    event_id = int(await make_event(desk.house))
    for screening_id in (desk.screening_id, event_id):
        unknown = await desk.house.admin.send("GET", f"{OPS}/screenings/{screening_id}/seats/999999/log")
        assert (unknown.status, unknown.code) == (404, "seat_not_found")


async def test_the_hall_tells_who_has_each_seat(desk: Desk) -> None:
    await desk.ada.reserve(desk.screening_id, desk.seat_ids[:1])
    await desk.bob.book(desk.screening_id, desk.seat_ids[1:2])
    await desk.bob.book(desk.screening_id, desk.seat_ids[2:3], payment_pending=True)
    hall = await desk.hall()
    taken = {seat["seat_id"]: seat for seat in hall["taken"]}
    held, booked, pending = [taken[seat_id] for seat_id in desk.seat_ids[:3]]
    ada, bob = f"user:{desk.ada.user_id}", f"user:{desk.bob.user_id}"
    assert (held["status"], held["holder"], held["ticket_id"]) == ("held", ada, None)
    assert (booked["status"], booked["holder"], booked["price"]) == ("booked", bob, 12.5)
    assert (pending["status"], pending["holder"]) == ("pending", bob)
    assert held["since"] <= held["expires_at"]
    assert pending["since"] <= pending["expires_at"]
    assert booked["since"] <= hall["at"]
    assert {person["full_name"] for person in hall["people"]} >= {"Ada Byron"}
    assert len(hall["people"]) == 2


async def test_a_hold_is_released_by_hand_and_the_log_says_by_whom(desk: Desk) -> None:
    seat_id = desk.seat_ids[0]
    ada, admin = f"user:{desk.ada.user_id}", "user:1"
    await desk.ada.reserve(desk.screening_id, [seat_id])
    released = await desk.act("/release", {"seat_ids": [seat_id], "holder": ada})
    assert [hold["seat_id"] for hold in released.json["released"]] == [seat_id]
    assert await desk.taken() == {}
    assert await desk.log_of(seat_id) == [("seats_held", ada, ada), ("holds_released", admin, ada)]


async def test_releasing_takes_nothing_from_anybody_else(desk: Desk) -> None:
    seat_id = desk.seat_ids[0]
    await desk.bob.reserve(desk.screening_id, [seat_id])
    late = await desk.act("/release", {"seat_ids": [seat_id], "holder": f"user:{desk.ada.user_id}"})
    assert (late.status, late.json) == (200, {"released": []})
    assert await desk.taken() == {seat_id: ("held", f"user:{desk.bob.user_id}")}
    unknown = await desk.act("/release", {"seat_ids": [99999999], "holder": "user:1"})
    assert (unknown.status, unknown.code) == (404, "seat_not_found")


async def test_a_booking_is_cancelled_by_hand_and_the_log_says_by_whom(desk: Desk) -> None:
    seat_id = desk.seat_ids[0]
    booked = await desk.bob.book(desk.screening_id, [seat_id])
    cancelled = await desk.house.admin.send(
        "PUT", f"/api/v1/tickets/{booked.json[0]['id']}/status", {"status": "cancelled"}
    )
    assert cancelled.status == 200
    bob = f"user:{desk.bob.user_id}"
    assert await desk.log_of(seat_id) == [
        ("tickets_issued", bob, bob),
        ("tickets_cancelled", "user:1", bob),
    ]


async def test_seats_are_sold_by_hand_to_an_account(desk: Desk) -> None:
    free, held = desk.seat_ids[:2]
    await desk.ada.reserve(desk.screening_id, [held])
    sale = {"seat_ids": [free, held], "user_id": desk.ada.user_id}
    sold = await desk.act("/sales", sale, key="sale-1")
    assert sold.status == 201, sold.body
    assert {ticket["status"] for ticket in sold.json} == {"confirmed"}
    assert {ticket["user_id"] for ticket in sold.json} == {desk.ada.user_id}
    again = await desk.act("/sales", sale, key="sale-1")
    assert again.body == sold.body
    ada = f"user:{desk.ada.user_id}"
    assert await desk.log_of(free) == [("tickets_issued", "user:1", ada)]
    assert await desk.log_of(held) == [("seats_held", ada, ada), ("tickets_issued", "user:1", ada)]
    owned = await desk.ada.send("GET", "/api/v1/tickets/my-tickets")
    assert {ticket["seat_id"] for ticket in owned.json} == {free, held}


async def test_what_cannot_be_sold_by_hand_is_refused(desk: Desk) -> None:
    seat_id, other = desk.seat_ids[:2]
    await desk.bob.reserve(desk.screening_id, [seat_id])
    for body, expected in (
        ({"seat_ids": [seat_id], "user_id": desk.ada.user_id}, (409, "seats_unavailable")),
        ({"seat_ids": [other], "user_id": 99999999}, (404, "user_not_found")),
        ({"seat_ids": [99999999], "user_id": desk.ada.user_id}, (404, "seat_not_found")),
        ({"seat_ids": [], "user_id": desk.ada.user_id}, (422, "invalid_input")),
    ):
        refused = await desk.act("/sales", body)
        assert (refused.status, refused.code) == expected, body
    paid = {"seat_ids": [other], "user_id": desk.ada.user_id, "payment_id": "cash-17"}
    first, repeated = await desk.act("/sales", paid), await desk.act("/sales", paid)
    assert first.json == repeated.json


async def test_guests_are_shown_by_an_alias(desk: Desk) -> None:
    event_id = int(await make_event(desk.house))
    ticket_type = await make_type(desk.house, str(event_id))
    session = data(await desk.house.guest.send("POST", "/api/public/sessions"))
    guest = Guest(desk.house, session["sessionId"])
    await guest.reserved(ticket_type)
    events = (await desk.get(f"/screenings/{event_id}/events"))["events"]
    assert [event["kind"] for event in events] == ["seats_held"]
    assert events[0]["actor"].startswith("~")
    assert session["sessionId"] not in str(events)


async def test_the_log_of_a_screening_replays_its_history(desk: Desk) -> None:
    """The states at every position follow from the events, forwards and backwards."""
    first, second, third, *_ = desk.seat_ids
    await desk.ada.reserve(desk.screening_id, [first, second])
    await desk.bob.book(desk.screening_id, [third])
    await desk.act("/sales", {"seat_ids": [first], "user_id": desk.ada.user_id})
    await desk.house.restart()  # begins another epoch
    await desk.act("/release", {"seat_ids": [second], "holder": f"user:{desk.ada.user_id}"})
    events, page = [], {"epoch": 0, "seq": 0}
    while page:
        answer = await desk.get(
            f"/screenings/{desk.screening_id}/events"
            f"?limit=2&after_epoch={page['epoch']}&after_seq={page['seq']}"
        )
        assert len(answer["events"]) <= 2
        events += answer["events"]
        page = answer["next"]
    assert [event["kind"] for event in events] == [
        *("seats_held", "tickets_issued", "tickets_issued", "holds_released")
    ]
    ada, bob = f"user:{desk.ada.user_id}", f"user:{desk.bob.user_id}"
    assert [(event["actor"], event["holder"]) for event in events] == [
        *((ada, ada), (bob, bob), ("user:1", ada), ("user:1", None))
    ]
    assert len({event["epoch"] for event in events}) == 2
    states: dict[int, str] = {}
    seen = [dict(states)]
    for event in events:
        for seat_id, before in zip(event["seat_ids"], event["from_statuses"], strict=True):
            assert states.get(seat_id, "available") == before
            states[seat_id] = event["to_status"]
        seen.append(dict(states))
    assert states == {first: "booked", second: "available", third: "booked"}
    assert {seat for seat, status in states.items() if status != "available"} == set(await desk.taken())
    for event, before in zip(reversed(events), reversed(seen[:-1]), strict=True):
        states.update(zip(event["seat_ids"], event["from_statuses"], strict=True))
        assert {**before, **dict.fromkeys(states.keys() - before.keys(), "available")} == states
    extent = await desk.get(f"/screenings/{desk.screening_id}")
    assert extent["events"] == 4
    assert extent["first_event_at"] == events[0]["at"]
    assert extent["last_event_at"] == events[-1]["at"]


async def test_an_account_is_found_by_id_and_by_address(desk: Desk) -> None:
    by_id = await desk.get(f"/people/find?who={desk.ada.user_id}")
    assert by_id == await desk.get("/people/find?who=ADA@home.example")
    assert (by_id["full_name"], by_id["email"]) == ("Ada Byron", "ada@home.example")
    for who in ("nobody@home.example", "99999999"):
        unknown = await desk.house.admin.send("GET", f"{OPS}/people/find?who={who}")
        assert (unknown.status, unknown.code) == (404, "user_not_found")


async def test_the_log_level_is_changed_and_the_log_says_by_whom(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    root = logging.getLogger()
    usual = root.level
    server, *_ = (await desk.get("/overview"))["servers"]
    path = f"{OPS}/servers/{server['mark']}/log-level"
    try:
        changed = await desk.house.admin.send("PUT", path, {"level": "error"})
        assert changed.status == 204
        assert root.level == logging.ERROR
        (line,) = [record for record in caplog.records if record.message == "the log level was changed"]
        assert line.fields["to"] == "error"  # type: ignore[attr-defined]
        assert line.fields["by"] == "user:1"  # type: ignore[attr-defined]

        # Figures may be half a second old.
        while (await desk.get("/overview"))["servers"][0]["log_level"] != "error":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        unknown = await desk.house.admin.send("PUT", f"{OPS}/servers/nobody/log-level", {"level": "info"})
        assert (unknown.status, unknown.code) == (404, "server_not_found")
        wrong = await desk.house.admin.send("PUT", path, {"level": "loud"})
        assert wrong.status == 422
    finally:
        root.setLevel(usual)
