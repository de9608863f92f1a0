"""A payment service books, confirms and cancels for a user whom it names, and can do nothing else."""

from typing import Any

import jwt
import pytest

from tests.api.caller import TICKETS, Caller, Response
from tests.api.venue import SCREENING, Venue
from tests.signing_keys import STRONG_SECRET

pytestmark = pytest.mark.gen_test

SERVICE = "service:payments"


def service_of(venue: Venue) -> Caller:
    return Caller(venue.base_url, venue.tokens.issue_to_service("payments", ttl_seconds=3600))


async def booked_for(service: Caller, user_id: int | None, payment_id: str = "pi_1") -> Response:
    body: dict[str, Any] = {"screening_id": SCREENING, "seat_ids": [42, 43], "payment_id": payment_id}
    if user_id is not None:
        body["user_id"] = user_id
    return await service.send("POST", f"{TICKETS}/book-from-reservation", body)


async def test_a_service_books_the_seats_that_a_user_has_reserved(venue: Venue) -> None:
    await venue.user(7).reserve(SCREENING, [42, 43])
    booked = await booked_for(service_of(venue), 7)
    assert booked.status == 201
    assert {(each["user_id"], each["status"]) for each in booked.json} == {(7, "confirmed")}
    assert len((await venue.user(7).my_tickets()).json) == 2
    assert (await booked_for(service_of(venue), 7)).body == booked.body


async def test_the_log_names_the_service(venue: Venue) -> None:
    service = service_of(venue)
    (ticket,) = (await service.book(SCREENING, [44], user_id=7, payment_pending=True)).json
    await service.send("POST", f"{TICKETS}/{ticket['id']}/confirm-payment", {"payment_id": "p", "user_id": 7})
    await service.cancel_ticket(ticket["id"])
    changes = [event for event in venue.database.events.values() if event.kind.startswith("tickets_")]
    assert [(event.kind, event.actor) for event in changes] == [
        ("tickets_issued", SERVICE),
        ("tickets_confirmed", SERVICE),
        ("tickets_cancelled", SERVICE),
    ]


async def test_a_service_has_to_name_the_user(venue: Venue) -> None:
    service = service_of(venue)
    (ticket,) = (await venue.user(7).book(SCREENING, [44], payment_pending=True)).json
    for refused in (
        await booked_for(service, None),
        await service.book(SCREENING, [45]),
        await service.confirm_payment(ticket["id"], "pi_2"),
    ):
        assert (refused.status, refused.code) == (422, "invalid_input")
        assert "Name the user" in refused.json["errors"]["user_id"][0]


async def test_a_service_books_only_what_the_named_user_has_reserved(venue: Venue) -> None:
    await venue.user(7).reserve(SCREENING, [42, 43])
    refused = await booked_for(service_of(venue), 8, "pi_0")
    assert refused.status == 409
    assert (await booked_for(service_of(venue), 7)).status == 201


async def test_a_service_confirms_only_the_tickets_of_the_named_user(venue: Venue) -> None:
    service = service_of(venue)
    (ticket,) = (await venue.user(7).book(SCREENING, [44], payment_pending=True)).json
    path = f"{TICKETS}/{ticket['id']}/confirm-payment"
    assert (await service.send("POST", path, {"payment_id": "p", "user_id": 8})).status == 404
    assert (await service.send("POST", path, {"payment_id": "p", "user_id": 7})).json["status"] == "confirmed"


async def test_a_service_cancels_a_ticket_and_may_name_its_owner(venue: Venue) -> None:
    service = service_of(venue)
    first, second = (await venue.user(7).book(SCREENING, [44, 45])).json
    assert (await service.send("DELETE", f"{TICKETS}/{first['id']}?user_id=8")).status == 404
    assert (await service.send("DELETE", f"{TICKETS}/{first['id']}?user_id=7")).status == 204
    assert (await service.send("DELETE", f"{TICKETS}/{second['id']}")).status == 204
    assert (await service.send("DELETE", f"{TICKETS}/999999")).status == 404
    assert {each["status"] for each in (await venue.user(7).my_tickets()).json} == {"cancelled"}


async def test_a_user_can_name_only_themselves(venue: Venue) -> None:
    user = venue.user(7)
    assert (await user.book(SCREENING, [42], user_id=7)).status == 201
    (ticket,) = (await user.book(SCREENING, [43], payment_pending=True)).json
    confirmation = f"{TICKETS}/{ticket['id']}/confirm-payment"
    for refused in (
        await user.book(SCREENING, [44], user_id=8),
        await booked_for(user, 8),
        await user.send("POST", confirmation, {"payment_id": "p", "user_id": 8}),
        await user.send("DELETE", f"{TICKETS}/{ticket['id']}?user_id=8"),
        await venue.user(1, admin=True).book(SCREENING, [44], user_id=8),
    ):
        assert (refused.status, refused.code) == (403, "service_required")


async def test_guests_cannot_be_named_where_guests_cannot_buy(venue: Venue) -> None:
    refused = await service_of(venue).book(SCREENING, [42], user_id=2**62 + 1)
    assert (refused.status, refused.code) == (403, "account_required")


@pytest.mark.parametrize("scope", ["payments", "openid payments", ["read", "payments"]])
@pytest.mark.parametrize("subject", ["checkout@clients", "7"])
async def test_tokens_of_an_identity_provider_are_known_by_their_scope(
    venue: Venue, scope: object, subject: str
) -> None:
    now = int(venue.clock.now())
    claims = {"sub": subject, "scope": scope, "iat": now, "exp": now + 60}
    service = Caller(venue.base_url, jwt.encode(claims, STRONG_SECRET, algorithm="HS256"))
    assert (await service.book(SCREENING, [42], user_id=9)).json[0]["user_id"] == 9
    assert (await service.my_tickets()).code == "service_not_allowed"


@pytest.mark.parametrize("scope", ["openid", "payments:read", "Payments", "", 5, None, {"payments": 1}])
async def test_other_scopes_change_nothing(venue: Venue, scope: object) -> None:
    now = int(venue.clock.now())
    claims = {"sub": "7", "scope": scope, "iat": now, "exp": now + 60}
    user = Caller(venue.base_url, jwt.encode(claims, STRONG_SECRET, algorithm="HS256"))
    assert (await user.book(SCREENING, [42])).json[0]["user_id"] == 7
