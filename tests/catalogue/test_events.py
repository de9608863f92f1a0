"""Events and ticket types: managed by administrators, visible to everybody or to invited users."""

from typing import Any

import pytest

from tests.api.caller import Response
from tests.box_office import (
    ADA,
    PUBLIC,
    RESERVATIONS,
    Guest,
    data,
    days_ahead,
    make_event,
    make_type,
    refusal,
)
from tests.house import House

pytestmark = pytest.mark.gen_test

EVENTS, TYPES = "/api/admin/events", "/api/admin/ticket-types"


async def shown(house: House, query: str = "", user: int | None = None) -> list[str]:
    """Return the titles in the public list."""
    caller = house.guest if user is None else house.user(user)
    return [event["title"] for event in data(await caller.send("GET", f"{PUBLIC}/events{query}"))]


async def changed(house: House, path: str, **changes: Any) -> Response:
    return await house.admin.send("PATCH", path, changes)


async def test_an_event_is_created_changed_and_deleted(house: House) -> None:
    event = await make_event(house, description="Loud.", startDate=days_ahead(30))
    path = f"{EVENTS}/{event}"
    made = data(await house.admin.send("GET", path))
    assert (made["title"], made["venue"], made["private"], made["closed"]) == (
        *("Night of the Brass Bands", "Harbour Hall"),
        *(False, False),
    )
    assert made["startDate"] < made["endDate"]
    renamed = data(await changed(house, path, title="Morning of the Brass Bands"))
    assert renamed["title"] == "Morning of the Brass Bands"
    assert renamed["startDate"] == made["startDate"]
    moved = data(await changed(house, path, startDate=days_ahead(31)))
    assert moved["startDate"] > made["startDate"]
    assert moved["endDate"] > made["endDate"]
    listed = await house.admin.send("GET", EVENTS)
    assert [one["id"] for one in data(listed)] == [event]
    assert listed.json["meta"] == {"page": 1, "limit": 10, "total": 1, "totalPages": 1}
    assert data(await house.admin.send("DELETE", path)) == {"id": event}
    assert refusal(await house.admin.send("GET", path)) == (404, "event_not_found")
    for again in (await changed(house, path, title="x"), await house.admin.send("DELETE", path)):
        assert refusal(again) == (404, "event_not_found")


async def test_invalid_fields_are_named(house: House) -> None:
    event = await make_event(house)
    kind = await make_type(house, event, salesEnd=days_ahead(2))
    usual = {"title": "Night", "startDate": days_ahead(3)}
    kept = {"eventId": event, "name": "Seated", "price": 1, "capacity": 1}
    for path, body, field in (
        (EVENTS, {"startDate": days_ahead(3)}, "title"),
        (EVENTS, {**usual, "startDate": days_ahead(-1)}, "startDate"),
        (EVENTS, {**usual, "startDate": days_ahead(6 * 365)}, "startDate"),
        (EVENTS, {**usual, "endDate": days_ahead(2)}, "endDate"),
        (EVENTS, {**usual, "private": "yes"}, "private"),
        (EVENTS, {**usual, "invitedUserIds": [7]}, "invitedUserIds"),
        (TYPES, {**kept, "eventId": "x"}, "eventId"),
        (TYPES, {**kept, "price": -1}, "price"),
        (TYPES, {**kept, "price": 1.001}, "price"),
        (TYPES, {**kept, "capacity": 0}, "capacity"),
        (TYPES, {**kept, "capacity": 2**20}, "capacity"),
        (TYPES, {**kept, "maxPerOrder": 0}, "maxPerOrder"),
        (TYPES, {**kept, "salesStart": days_ahead(2), "salesEnd": days_ahead(1)}, "salesEnd"),
    ):
        refused = await house.admin.send("POST", path, body)
        assert refusal(refused) == (400, "invalid_input"), body
        assert list(refused.json["error"]["errors"]) == [field]
    too_late = await changed(house, f"{TYPES}/{kind}", salesStart=days_ahead(3))
    assert list(too_late.json["error"]["errors"]) == ["salesEnd"]
    unknown = await house.admin.send("POST", TYPES, {**kept, "eventId": "999999"})
    assert refusal(unknown) == (404, "event_not_found")
    twice = await house.admin.send("POST", TYPES, {**kept, "name": "Standing"})
    assert refusal(twice) == (409, "ticket_type_exists")


async def test_the_list_has_future_events_and_can_be_searched(house: House) -> None:
    for days, title, venue in ((9, "Brass", "Harbour Hall"), (3, "Strings", "Town Hall"), (6, "Reeds", "")):
        await make_event(house, title=title, venue=venue, startDate=days_ahead(days))
    for query, expected in (
        ("", ["Strings", "Reeds", "Brass"]),
        ("?search=bras", ["Brass"]),
        ("?search=harbor", ["Brass"]),
        ("?venue=town%20hall", ["Strings"]),
        (f"?from={days_ahead(4)}".replace("+", "%2B"), ["Reeds", "Brass"]),
        (f"?to={days_ahead(4)}".replace("+", "%2B"), ["Strings"]),
        ("?page=2&limit=2", ["Brass"]),
    ):
        assert await shown(house, query) == expected, query
    for bad in ("?page=0", "?limit=101", "?from=soon"):
        assert refusal(await house.guest.send("GET", f"{PUBLIC}/events{bad}")) == (400, "invalid_input")


async def test_an_event_shows_its_available_tickets(house: House) -> None:
    event = await make_event(house)
    kinds = [
        await make_type(house, event, capacity=10),
        await make_type(house, event, "Later", salesStart=days_ahead(1)),
        await make_type(house, event, "Over", salesEnd=days_ahead(-1)),
    ]
    guest = Guest(house, "guest-of-an-event")
    await guest.reserved(kinds[0], 3)
    types = data(await house.guest.send("GET", f"{PUBLIC}/events/{event}"))["ticketTypes"]
    assert [kind["id"] for kind in types] == kinds
    assert [kind["onSale"] for kind in types] == [True, False, False]
    left = {name: types[0][name] for name in ("total", "sold", "reserved", "available")}
    assert left == {"total": 10, "sold": 0, "reserved": 3, "available": 7} == await guest.left(kinds[0])
    assert refusal(await house.guest.send("GET", f"{PUBLIC}/events/999999")) == (404, "event_not_found")


async def test_a_private_event_is_visible_to_invited_users(house: House) -> None:
    event = await make_event(house, private=True, invitedUserIds=["7"])
    kind = await make_type(house, event)
    invited = Guest(house, "session-of-seven", house.token(7))
    for stranger in (Guest(house, "session-of-nobody"), Guest(house, "session-of-eight", house.token(8))):
        for unknown in (
            await stranger.send("GET", f"{PUBLIC}/events/{event}"),
            await stranger.send("GET", f"{PUBLIC}/availability/{kind}"),
            await stranger.reserve(kind),
        ):
            assert unknown.status == 404
        assert data(await stranger.send("GET", f"{PUBLIC}/events")) == []
    assert await shown(house, user=7) == ["Night of the Brass Bands"]
    assert (await house.admin.send("GET", f"{PUBLIC}/events/{event}")).status == 200
    reservation = await invited.reserved(kind)
    # The session still sees its own reservation, but cannot make another one.
    session = Guest(house, "session-of-seven")
    assert data(await session.reservation(reservation))["status"] == "ACTIVE"
    assert refusal(await session.reserve(kind)) == (404, "ticket_type_not_found")
    await changed(house, f"{EVENTS}/{event}", invitedUserIds=["8"])
    assert refusal(await invited.reserve(kind)) == (404, "ticket_type_not_found")
    assert data(await session.reservation(reservation))["status"] == "ACTIVE"


async def test_closed_types_refuse_reservations_but_not_purchases(house: House) -> None:
    event = await make_event(house)
    kind = await make_type(house, event)
    guest = Guest(house, "guest-of-an-event", house.token(7))
    for path in (f"{TYPES}/{kind}", f"{EVENTS}/{event}"):
        reservation = await guest.reserved(kind)
        closed = data(await house.admin.send("POST", f"{path}/close"))
        assert data(await house.admin.send("POST", f"{path}/close"))["closedAt"] == closed["closedAt"]
        assert refusal(await guest.reserve(kind)) == (409, "sales_closed")
        (shown_type,) = data(await guest.send("GET", f"{PUBLIC}/events/{event}"))["ticketTypes"]
        assert shown_type["onSale"] is False
        assert (await guest.purchase(reservation, ADA)).status == 201
        assert data(await house.admin.send("POST", f"{path}/reopen"))["closedAt"] is None
    assert (await guest.reserve(kind)).status == 201


async def test_changes_take_effect_immediately_and_keep_reservations(house: House) -> None:
    event = await make_event(house)
    kind = await make_type(house, event, capacity=5)
    guest = Guest(house, "guest-of-an-event", house.token(7))
    await guest.purchase(await guest.reserved(kind), ADA)
    reservation = await guest.reserved(kind, 2)
    path = f"{TYPES}/{kind}"
    too_few = await changed(house, path, capacity=2)
    assert refusal(too_few) == (409, "capacity_too_low")
    figures = {name: too_few.json["error"][name] for name in ("capacity", "sold", "reserved")}
    assert figures == {"capacity": 2, "sold": 1, "reserved": 2}
    assert data(await changed(house, path, capacity=3, price=30, name="Floor"))["capacity"] == 3
    assert await guest.left(kind) == {"total": 3, "sold": 1, "reserved": 2, "available": 0}
    kept = data(await guest.reservation(reservation))
    assert (kept["ticketType"]["name"], kept["ticketType"]["price"]) == ("Floor", 25.5), "as it was agreed"
    await changed(house, path, capacity=4)
    assert refusal(await guest.reserve(kind, 2)) == (409, "not_enough_tickets")
    assert (await guest.reserve(kind)).status == 201
    elsewhere = await make_event(house, title="Elsewhere")
    moved = await changed(house, path, eventId=elsewhere)
    assert (*refusal(moved), list(moved.json["error"]["errors"])) == (400, "invalid_input", ["eventId"])


async def test_a_misspelt_privacy_field_creates_no_public_event(house: House) -> None:
    wanted = {"title": "Tasting", "startDate": "2099-01-01T20:00:00Z", "visibility": "private"}
    made = await house.admin.send("POST", EVENTS, wanted)
    assert (*refusal(made), list(made.json["error"]["errors"])) == (400, "invalid_input", ["visibility"])
    assert "private" in made.json["message"], "known fields are listed"
    assert data(await house.admin.send("GET", EVENTS)) == []
    listed = await house.guest.send("GET", "/api/public/events?serach=tasting")
    assert refusal(listed) == (400, "invalid_input")
    assert listed.json["error"]["errors"] == {"serach": ['Unknown field "serach"; did you mean "search"?']}


async def test_unknown_fields_of_buyers_and_guests_are_named(house: House) -> None:
    kind = await make_type(house, await make_event(house))
    guest = Guest(house, "guest-of-an-event", house.token(7))
    reservation = await guest.reserved(kind)
    order = {"ticketTypeId": kind, "quantity": 1}
    for refused in (
        await guest.purchase(reservation, {**ADA, "phone": "1"}),
        await guest.send("PATCH", f"{RESERVATIONS}/{reservation}", {"additionalMinutes": 5, "minutes": 5}),
        await guest.reserve_all((kind, 1), reservation=[]),
        await guest.send("POST", RESERVATIONS, {"reservations": [{**order, "count": 2}]}),
    ):
        assert refusal(refused) == (400, "invalid_input")
        assert "Unknown field" in refused.json["message"]


async def test_reserved_or_sold_types_cannot_be_deleted(house: House) -> None:
    event = await make_event(house)
    kind = await make_type(house, event)
    other = await make_type(house, event, "Other")
    guest = Guest(house, "guest-of-an-event", house.token(7))
    reservation = await guest.reserved(kind)
    for path in (f"{TYPES}/{kind}", f"{EVENTS}/{event}"):
        assert refusal(await house.admin.send("DELETE", path)) == (409, "in_use")
    assert (await house.admin.send("DELETE", f"{TYPES}/{other}")).status == 200
    assert refusal(await guest.reserve(other)) == (404, "ticket_type_not_found")
    await guest.purchase(reservation, ADA)
    for path in (f"{TYPES}/{kind}", f"{EVENTS}/{event}"):
        assert refusal(await house.admin.send("DELETE", path)) == (409, "in_use")
    listed = data(await house.admin.send("GET", f"{TYPES}?eventId={event}"))
    assert [one["id"] for one in listed] == [kind]
