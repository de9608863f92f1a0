"""Events that are sent, their content, and their order."""

import re

import pytest

from persistence.webhook_feed import _PUBLISHING
from tests.api.caller import Caller
from tests.api.webhooks.conftest import Integration
from tests.box_office import Guest, make_event, make_type
from tests.catalogue.programme import hour, make_screening
from tests.database import execute, locked

pytestmark = pytest.mark.gen_test(timeout=120)


async def test_a_booking_is_sent_signed(integration: Integration) -> None:
    webhook = await integration.add("booking.created")
    first, second = integration.seat_ids[:2]
    tickets = await integration.buy(first, second, payment_id="pay-1")

    receiver = integration.receiver
    await receiver.until(lambda: receiver.of("booking.created"))
    (got,) = receiver.got
    message = got.verified_with(webhook["secret"])
    assert message["type"] == "booking.created"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", message["timestamp"])
    details = dict(message["data"])
    assert details.pop("epoch") >= 1
    assert details.pop("seq") >= 1
    assert details == {
        "screening_id": integration.screening_id,
        "booking_id": tickets[0]["id"],
        "status": "confirmed",
        "payment_id": "pay-1",
        "vouched_by": None,
        "amount": 25.0,
        "ticket_ids": [ticket["id"] for ticket in tickets],
        "seat_ids": [first, second],
        "ticket_types": [],
    }
    assert got.headers["content-type"] == "application/json"
    assert "user:7" not in got.body


async def test_all_that_happens_to_a_screening_is_sent_in_order(integration: Integration) -> None:
    await integration.add()
    user, screening, seats = integration.house.user(), integration.screening_id, integration.seat_ids
    pending = (await user.book(screening, seats[:1], payment_pending=True)).json
    assert (await user.confirm_payment(pending[0]["id"], "pay-1")).status == 200
    bought = await integration.buy(*seats[1:], payment_id="pay-2")
    assert (await user.cancel_ticket(bought[0]["id"])).status == 204
    later = {"starts_at": hour(19)}
    changed = await integration.house.admin.send("PUT", f"/api/v1/screenings/{screening}", later)
    assert changed.status == 200, changed.body
    gone = await integration.house.admin.send(
        "DELETE", f"/api/v1/screenings/{screening}?cancel_bookings=true"
    )
    assert gone.status == 204, gone.body

    receiver = integration.receiver
    await receiver.until(lambda: receiver.of("screening.cancelled") and len(receiver.of("refund.owed")) == 6)
    kinds = [got.type for got in receiver.got]
    assert [kind for kind in kinds if kind != "refund.owed"] == [
        "booking.created",
        "booking.confirmed",
        "booking.created",
        "screening.sold_out",
        "booking.cancelled",
        "screening.changed",
        "booking.cancelled",
        "booking.cancelled",
        "screening.cancelled",
    ]
    places = [got.place for got in receiver.got]
    assert places == sorted(places)
    assert len({got.id for got in receiver.got}) == len(receiver.got)
    change = receiver.of("screening.changed")[0].data
    assert change["changed"] == ["ends_at", "starts_at"]
    assert change["starts_at"] == hour(19)
    assert receiver.of("booking.created")[0].data["status"] == "pending"
    (owed, *_) = receiver.of("refund.owed")
    assert (owed.data["payment_id"], owed.data["amount"]) == ("pay-2", 12.5)


async def test_payments_have_the_ids_of_their_provider_and_a_voucher(integration: Integration) -> None:
    await integration.add("booking.created", "refund.owed")
    house, receiver = integration.house, integration.receiver
    mine, theirs = integration.seat_ids[:2]
    await integration.buy(theirs, payment_id="pi_1", user_id=8)
    assert (await house.user(7).reserve(integration.screening_id, [mine])).status == 201
    service = Caller(house.base_url, house.tokens.issue_to_service("payments", ttl_seconds=3600))
    booked = await service.book(integration.screening_id, [mine], payment_id="pi_1", user_id=7)
    assert booked.status == 201, booked.body
    assert (await service.cancel_ticket(booked.json[0]["id"])).status == 204
    await receiver.until(lambda: receiver.of("refund.owed"))
    bookings = [event.data for event in receiver.of("booking.created")]
    assert [one["payment_id"] for one in bookings] == ["pi_1", "pi_1"]
    assert [one["vouched_by"] for one in bookings] == [None, "service"]
    (owed,) = receiver.of("refund.owed")
    assert (owed.data["payment_id"], owed.data["vouched_by"]) == ("pi_1", "service")


async def test_an_offer_of_the_waiting_list_is_sent(integration: Integration) -> None:
    await integration.add("waitlist.offered")
    first, waiting = integration.house.user(7), integration.house.user(8)
    screening, seats = integration.screening_id, integration.seat_ids
    tickets = await integration.buy(*seats)
    joined = await waiting.send("POST", "/api/v1/waitlist", {"screening_id": screening, "quantity": 2})
    assert joined.status == 201, joined.body
    for ticket in tickets[:2]:
        assert (await first.cancel_ticket(ticket["id"])).status == 204

    receiver = integration.receiver
    await receiver.until(lambda: receiver.got)
    (got,) = receiver.got
    assert got.type == "waitlist.offered"
    assert (got.data["waitlist_id"], got.data["seat_ids"]) == (joined.json["id"], list(seats[:2]))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", got.data["expires_at"])
    assert "user:8" not in got.body


async def test_holds_that_lapse_are_sent(integration: Integration) -> None:
    await integration.add("hold.expired")
    held = await integration.house.user().reserve(integration.screening_id, integration.seat_ids[:2])
    assert held.status in (200, 201), held.body
    receiver = integration.receiver
    await receiver.until(lambda: receiver.got)
    (got,) = receiver.got
    assert got.type == "hold.expired"
    assert got.data["seat_ids"] == list(integration.seat_ids[:2])
    assert len(got.data["reservation_ids"]) == 2


async def test_places_of_an_event_are_sent_as_quantities(integration: Integration) -> None:
    await integration.add("booking.created", "hold.expired", "screening.sold_out", "screening.changed")
    house, receiver = integration.house, integration.receiver
    event = await make_event(house)
    kind = int(await make_type(house, event, capacity=3))
    guest = Guest(house, "session-1")
    await guest.reserved(str(kind), 1)
    await receiver.until(lambda: receiver.of("hold.expired"))
    (lapsed,) = receiver.of("hold.expired")
    assert lapsed.data["ticket_types"] == [{"ticket_type_id": kind, "quantity": 1}]
    assert (lapsed.data["seat_ids"], lapsed.data["reservation_ids"]) == ([], [])
    renamed = await house.admin.send("PATCH", f"/api/admin/events/{event}", {"title": "Brass Night"})
    assert renamed.status == 200, renamed.body
    await receiver.until(lambda: receiver.of("screening.changed"))
    (change,) = receiver.of("screening.changed")
    assert (change.data["screening_id"], change.data["changed"]) == (int(event), ["title"])
    assert change.data["title"] == "Brass Night"


async def test_without_webhooks_nothing_is_written(integration: Integration) -> None:
    await integration.buy(integration.seat_ids[0])
    await integration.house.admin.send("PUT", f"/api/v1/screenings/{integration.screening_id}", {"price": 9})
    url = integration.house.database_url
    assert execute(url, "SELECT count(*) FROM webhook_causes") == [(0,)]
    assert execute(url, "SELECT count(*) FROM webhook_events") == [(0,)]


async def test_sold_out_is_sent_each_time_however_late_it_is_published(integration: Integration) -> None:
    """Both times are found, although nobody looks before the second one is over."""
    webhook = await integration.add("screening.sold_out", "hold.expired")
    url, user = integration.house.database_url, integration.house.user()
    with locked(url, "SELECT pg_advisory_xact_lock(%s)", _PUBLISHING):
        for time in range(2):
            for ticket in await integration.buy(*integration.seat_ids, payment_id=f"pay-{time}"):
                assert (await user.cancel_ticket(ticket["id"])).status == 204
    receiver = integration.receiver
    await receiver.until(lambda: len(receiver.accepted) == 2)
    first, second = receiver.accepted
    assert first.type == second.type == "screening.sold_out"
    assert first.place < second.place
    assert first.data["capacity"] == 6
    assert webhook["events"] == ["hold.expired", "screening.sold_out"]


async def test_sold_out_is_not_sent_while_a_seat_is_held_or_was_given_back(integration: Integration) -> None:
    house, screening, (last, *others) = integration.house, integration.screening_id, integration.seat_ids
    await house.restart(hold_seconds=600.0, hold_life_seconds=600.0)
    await integration.add("screening.sold_out", "booking.created", "booking.cancelled")
    receiver = integration.receiver

    async def told(*kinds: str) -> None:
        await receiver.until(lambda: len(receiver.accepted) >= len(kinds))
        assert tuple([got.type for got in receiver.accepted]) == kinds

    assert (await house.user(8).reserve(screening, [last])).status == 201
    ticket, *_ = await integration.buy(*others)
    await told("booking.created")
    assert (await house.user().cancel_ticket(ticket["id"])).status == 204
    await integration.buy(last, user_id=8)
    before = ("booking.created", "booking.cancelled", "booking.created")
    await told(*before)
    await integration.buy(ticket["seat_id"])
    await told(*before, "booking.created", "screening.sold_out")


async def test_a_settled_refund_is_sent(integration: Integration) -> None:
    await integration.add("refund.owed", "refund.settled")
    (ticket,) = await integration.buy(integration.seat_ids[0], payment_id="pay-1")
    assert (await integration.house.user().cancel_ticket(ticket["id"])).status == 204
    receiver = integration.receiver
    await receiver.until(lambda: receiver.of("refund.owed"))
    (owed,) = receiver.of("refund.owed")
    assert owed.data["status"] == "owed"
    url = integration.house.database_url
    execute(url, "UPDATE refunds SET status = 'settled', settled_at = now(), reference = 're_1'")
    await receiver.until(lambda: receiver.of("refund.settled"))
    (settled,) = receiver.of("refund.settled")
    assert settled.data["status"] == "settled"
    assert (settled.data["reference"], settled.data["refund_id"]) == ("re_1", owed.data["refund_id"])
    assert settled.place >= owed.place


async def test_a_move_is_sent_with_the_seats_that_are_left_and_those_that_are_taken(
    integration: Integration,
) -> None:
    await integration.add("booking.moved")
    house, seats = integration.house, integration.seat_ids
    user, first = house.user(), integration.screening_id
    room = (await house.guest.send("GET", f"/api/v1/screenings/{first}")).json["room_id"]
    second = await make_screening(house, room, 23)
    tickets = await integration.buy(*seats[:2], payment_id="pay-1")
    ids = [ticket["id"] for ticket in tickets]
    for body in ({"seat_ids": seats[2:4]}, {"screening_id": second}):
        moved = await user.send("POST", "/api/v1/tickets/move", {"ticket_ids": ids, **body})
        assert moved.status == 200, moved.body
    receiver = integration.receiver
    await receiver.until(lambda: len(receiver.got) == 4)
    told = [
        (got.data["screening_id"], got.data["status"], tuple(got.data["seat_ids"])) for got in receiver.got
    ]
    # Events of one screening come in their order, those of two screenings in any.
    assert [one for one in told if one[0] == first] == [
        (first, "left", tuple(seats[:2])),
        (first, "confirmed", tuple(seats[2:4])),
        (first, "left", tuple(seats[2:4])),
    ]
    assert [one for one in told if one[0] == second] == [(second, "confirmed", tuple(seats[2:4]))]
    for got in receiver.got:
        assert got.type == "booking.moved"
        assert (got.data["booking_id"], got.data["ticket_ids"]) == (tickets[0]["booking_id"], ids)
        assert "user:7" not in got.body


async def test_a_transfer_is_sent_without_names_and_says_which_codes_are_void(
    integration: Integration,
) -> None:
    await integration.add("ticket.transferred")
    house, receiver = integration.house, integration.receiver
    first, second = await integration.buy(*integration.seat_ids[:2], payment_id="pay-1")
    given = []
    for ticket in (first, second, first):
        body = {"holder_name": f"Grace Hopper {len(given)}"}
        given.append(await house.user().send("PATCH", f"/api/v1/tickets/{ticket['id']}", body))
        assert given[-1].status == 200, given[-1].body
    refused = await house.user(8).send("PATCH", f"/api/v1/tickets/{first['id']}", body)
    assert refused.status == 404
    await receiver.until(lambda: len(receiver.got) == 3)
    assert [(got.type, got.data["ticket_ids"], got.data["issue"]) for got in receiver.got] == [
        ("ticket.transferred", [first["id"]], 1),
        ("ticket.transferred", [second["id"]], 1),
        ("ticket.transferred", [first["id"]], 2),
    ]
    for got, answer in zip(receiver.got, given, strict=True):
        assert got.data["booking_id"] == first["booking_id"]
        paid = (got.data["status"], got.data["payment_id"], got.data["amount"])
        assert paid == ("confirmed", "pay-1", 12.5)
        assert len(got.data["seat_ids"]) == 1
        assert got.message["request_id"] == answer.headers["X-Request-ID"]
        assert "Grace" not in got.body and answer.json["code"] not in got.body
