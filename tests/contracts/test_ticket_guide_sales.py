"""The ticket guide from section 7: purchases, availability, clean-up, expiry, errors and security."""

import asyncio
import re
from typing import Any

import pytest
from marshmallow import RAISE

from api.application import RESOURCES
from api.rest.styles import ENVELOPE
from tests.box_office import (
    ADA,
    BOB,
    PUBLIC,
    RESERVATIONS,
    Guest,
    data,
    days_ahead,
    make_event,
    make_type,
    refusal,
)
from tests.contracts.conftest import OpenFair
from tests.contracts.fair import LEFT, NO_RESERVATION, OTHER_SESSION, SESSION, Fair
from tests.contracts.shapes import assert_shows, integer, iso_utc, number, text
from tests.signing_keys import STRONG_SECRET

pytestmark = pytest.mark.gen_test

PUBLIC_DOOR = [
    endpoint for resource in RESOURCES for endpoint in resource.endpoints if endpoint.style is ENVELOPE
]

WRONG_DETAILS = (
    *[(name, None) for name in ADA],
    *[(name, "") for name in ADA],
    *[("email", "ada"), ("email", "ada@home")],
    *[("whatsapp", "call me"), ("whatsapp", "12345"), ("whatsapp", "+1234567890123456")],
    *[("identityType", "<b>"), ("identityNumber", "x" * 41)],
    *[("fullName", "x" * 201), ("fullName", "nul\0")],
)


class TestPurchasing:
    """Section 7 and the third step of the flow."""

    async def test_one_ticket_for_each_holder(self, fair: Fair) -> None:
        reservation = await fair.guest.reserved(fair.standing, 2)
        answer = await fair.buyer.purchase(reservation, ADA, BOB)
        assert answer.status == 201
        assert answer.json["message"] == "Tickets purchased successfully"
        bought = data(answer)
        assert bought["totalPrice"] == 51.0
        assert_shows(bought["reservation"], {"id": reservation, "status": "CONVERTED", "remainingSeconds": 0})
        for ticket, holder in zip(bought["tickets"], (ADA, BOB), strict=True):
            assert_shows(
                ticket,
                {
                    "id": text,
                    "code": lambda code: re.fullmatch(r"(?:[2346789ACDEFHJKMNPRTWXY]{4}-?){4}", code),
                    "status": "CONFIRMED",
                    "ticketTypeId": fair.standing,
                    "price": 25.5,
                    "bookedAt": iso_utc,
                    "holder": {"fullName": holder["fullName"]},
                    "qrCode": text,
                    "qrCodePng": lambda uri: uri.startswith("data:image/png;base64,"),
                    "qrCodeSvg": lambda uri: uri.startswith("data:image/svg+xml;base64,"),
                },
            )
            assert ticket["qrCode"].startswith(f"FR1.{ticket['id']}.{fair.event}.")
        assert len({ticket["code"] for ticket in bought["tickets"]}) == 2
        assert await fair.guest.left(fair.standing) == {**LEFT, "sold": 2, "available": 18}
        assert data(await fair.guest.reservation(reservation))["status"] == "CONVERTED"
        for over in (await fair.guest.cancel(reservation), await fair.guest.more_time(reservation)):
            assert refusal(over) == (409, "reservation_converted")

    async def test_it_needs_a_users_token(self, fair: Fair) -> None:
        reservation = await fair.guest.reserved(fair.standing)
        assert refusal(await fair.guest.purchase(reservation, ADA)) == (401, "not_authenticated")
        forger = Guest(fair.house, SESSION, "not.a.token")
        assert refusal(await forger.purchase(reservation, ADA)) == (401, "token_invalid")
        assert refusal(await forger.reserve(fair.standing)) == (401, "token_invalid")

    async def test_a_setting_allows_guests_to_buy(self, open_fair: OpenFair) -> None:
        fair = await open_fair(guest_purchase=True)
        reservation = await fair.guest.reserved(fair.standing)
        (ticket,) = data(await fair.guest.purchase(reservation, ADA))["tickets"]
        again = await fair.guest.purchase(reservation, ADA)
        assert data(again)["tickets"] == [ticket]
        picture = await fair.house.guest.send(
            "GET", f"{PUBLIC}/tickets/{ticket['id']}/qr.png?sessionId={SESSION}"
        )
        assert (picture.status, picture.headers["Content-Type"]) == (200, "image/png")
        stolen = f"{PUBLIC}/tickets/{ticket['id']}/qr.png?sessionId={OTHER_SESSION}"
        assert refusal(await fair.house.guest.send("GET", stolen)) == (404, "ticket_not_found")

    async def test_the_number_of_holders_is_the_quantity(self, fair: Fair) -> None:
        reservation = await fair.guest.reserved(fair.standing, 2)
        for holders in ([ADA], [ADA, BOB, ADA], []):
            answer = await fair.buyer.purchase(reservation, *holders)
            assert refusal(answer) == (400, "invalid_input")
            assert list(answer.json["error"]["errors"]) == ["ticketHolders"]
        assert data(await fair.guest.reservation(reservation))["status"] == "ACTIVE"

    async def test_every_person_is_checked(self, fair: Fair) -> None:
        reservation = await fair.guest.reserved(fair.standing)
        for name, value in WRONG_DETAILS:
            bad = {**ADA, name: value}
            for holder, buyer, blamed in ((bad, ADA, "ticketHolders"), (ADA, bad, "buyerInfo")):
                answer = await fair.buyer.purchase(reservation, holder, buyer=buyer)
                assert refusal(answer) == (400, "invalid_input"), (name, value)
                assert list(answer.json["error"]["errors"]) == [blamed]

    async def test_repeating_returns_the_same_tickets(self, fair: Fair) -> None:
        reservation = await fair.guest.reserved(fair.standing, 2)
        at_once = [fair.buyer.purchase(reservation, ADA, BOB) for _ in range(5)]
        answers = await asyncio.gather(*at_once)
        assert {answer.status for answer in answers} == {201}
        assert len({answer.body for answer in answers}) == 1
        assert (await fair.guest.left(fair.standing))["sold"] == 2

    async def test_a_repeated_key_returns_the_first_response(self, fair: Fair) -> None:
        reservation = await fair.guest.reserved(fair.standing)
        first = await fair.buyer.purchase(reservation, ADA, key="k")
        again = await fair.buyer.purchase(reservation, ADA, key="k")
        assert (again.status, again.body) == (201, first.body)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert refusal(await fair.buyer.purchase(reservation, BOB, key="k")) == (
            400,
            "idempotency_key_reused",
        )

    async def test_only_by_its_owner(self, fair: Fair) -> None:
        reservation = await fair.guest.reserved(fair.standing)
        thief = Guest(fair.house, OTHER_SESSION, fair.house.token(8))
        assert refusal(await thief.purchase(reservation, ADA)) == (403, "not_your_reservation")
        await fair.buyer.purchase(reservation, ADA)
        assert refusal(await thief.purchase(reservation, ADA)) == (403, "not_your_reservation")
        sharer = Guest(fair.house, SESSION, fair.house.token(8))
        assert refusal(await sharer.purchase(reservation, ADA)) == (409, "reservation_converted")
        assert refusal(await fair.buyer.purchase(NO_RESERVATION, ADA)) == (404, "reservation_not_found")


class TestAvailability:
    """Section 8."""

    async def test_as_the_guide_shows_it(self, fair: Fair) -> None:
        await fair.guest.reserved(fair.standing, 3)
        await fair.buyer.purchase(await fair.guest.reserved(fair.standing, 2), ADA, BOB)
        answer = await fair.house.guest.send("GET", f"{PUBLIC}/availability/{fair.standing}")
        shown = {"total": 20, "sold": 2, "reserved": 3, "available": 15}
        # There are fields beside those of the guide, which its clients ignore.
        assert answer.json["success"] is True
        assert answer.json["data"].items() >= shown.items()

    async def test_an_unknown_type_is_not_found(self, fair: Fair) -> None:
        for unknown in ("999999", "nonsense"):
            answer = await fair.house.guest.send("GET", f"{PUBLIC}/availability/{unknown}")
            assert answer.status == 404
            assert answer.json["success"] is False


class TestCleanup:
    """Sections 9 to 11."""

    async def test_administrators_clean_up_and_count(self, fair: Fair) -> None:
        await fair.guest.reserved(fair.standing, 2)
        await fair.guest.cancel(await fair.guest.reserved(fair.standing))
        await fair.buyer.purchase(await fair.guest.reserved(fair.standing), ADA)
        cleaned = await fair.house.admin.send("POST", "/api/admin/reservations/cleanup")
        assert_shows(data(cleaned), {"cleanedCount": 0, "timestamp": iso_utc, "durationSeconds": number})
        counted = data(await fair.house.admin.send("GET", "/api/admin/reservations/cleanup"))
        assert_shows(
            counted,
            {
                **{"active": 1, "overdue": 0, "expired": 0, "converted": 1, "cancelled": 1, "total": 3},
                "nextExpiry": iso_utc,
                "timestamp": iso_utc,
            },
        )

        off = await fair.house.admin.send("GET", "/api/cron/cleanup-reservations")
        assert refusal(off) == (403, "cron_disabled")
        for method in ("GET", "POST"):
            path = "/api/admin/reservations/cleanup"
            assert refusal(await fair.house.guest.send(method, path)) == (401, "not_authenticated")
            assert refusal(await fair.house.user(7).send(method, path)) == (403, "admin_required")

    async def test_cron_has_its_own_secret(self, open_fair: OpenFair) -> None:
        fair = await open_fair(cron_secret=STRONG_SECRET[::-1])
        path = "/api/cron/cleanup-reservations"

        async def called_with(token: str | None) -> Any:
            return await Guest(fair.house, None, token).send("GET", path)

        cleaned = await called_with(STRONG_SECRET[::-1])
        assert_shows(data(cleaned), {"cleanedCount": integer, "timestamp": iso_utc})
        assert refusal(await called_with(None)) == (401, "not_authenticated")
        for wrong in (STRONG_SECRET, "", fair.house.token(1, admin=True)):
            assert (await called_with(wrong)).status == 401


class TestExpiry:
    """The fourth step of the flow, with a short hold so that the test does not wait for minutes."""

    async def test_expired_reservations_are_released_and_marked(self, open_fair: OpenFair) -> None:
        # Raised limits, so that the guest can poll.
        fair = await open_fair(
            hold_seconds=1,
            hold_life_seconds=1,
            guest_requests_per_address=10**6,
            guest_requests_per_session=10**6,
        )
        reservation = await fair.guest.reserved(fair.standing, 2)
        while (await fair.guest.left(fair.standing))["reserved"]:
            pass
        shown = data(await fair.guest.reservation(reservation))
        assert_shows(shown, {"status": "EXPIRED", "isExpired": True, "remainingSeconds": 0})
        assert data(await fair.guest.reservations()) == []
        for over in (
            await fair.guest.cancel(reservation),
            await fair.guest.more_time(reservation),
            await fair.buyer.purchase(reservation, ADA, BOB),
        ):
            assert refusal(over) == (409, "reservation_expired")
        counted = data(await fair.house.admin.send("GET", "/api/admin/reservations/cleanup"))
        assert_shows(counted, {"active": 0, "expired": 1, "nextExpiry": None})


class TestErrors:
    """The guide's statuses, always in the envelope."""

    async def test_every_refusal_is_in_the_envelope(self, fair: Fair) -> None:
        send = fair.house.guest.send
        for prefix in ("/api/public", "/api/admin", "/api/cron"):
            unserved = await send("GET", f"{prefix}/nothing")
            assert refusal(unserved) == (404, "not_found")
            assert unserved.json["error"] == {"code": "not_found", "retryable": False}
        put = await send("PUT", RESERVATIONS, {})
        assert refusal(put) == (405, "method_not_allowed")
        assert put.headers["Allow"] == "POST, GET, HEAD, OPTIONS"
        for raw in (b"{", b"", b"\xff", b'{"quantity": NaN}'):
            assert refusal(await send("POST", RESERVATIONS, raw=raw)) == (400, "malformed_json")
        assert refusal(await send("POST", RESERVATIONS, raw=b" " * 70_000)) == (413, "body_too_large")
        form = await send("POST", RESERVATIONS, raw=b"a=b", headers={"Content-Type": "text/html"})
        assert refusal(form) == (415, "unsupported_media_type")

    async def test_the_seat_guides_keep_their_own_style(self, fair: Fair) -> None:
        answer = await fair.house.guest.send("GET", "/api/v1/nothing")
        assert answer.json == {"detail": "Not found", "code": "not_found", "retryable": False}


class TestSecurity:
    """The guide's security section."""

    async def test_sessions_cannot_be_guessed(self, fair: Fair) -> None:
        made = [
            data(await fair.house.guest.send("POST", f"{PUBLIC}/sessions"))["sessionId"] for _ in range(3)
        ]
        assert len(set(made)) == 3
        assert all(re.fullmatch(r"[A-Za-z0-9_-]{32,}", session) for session in made)
        assert (await Guest(fair.house, made[0]).reserve(fair.standing)).status == 201

    async def test_requests_of_an_address_are_limited(self, open_fair: OpenFair) -> None:
        fair = await open_fair(guest_requests_per_address=6)
        left = []
        while (answer := await fair.house.guest.send("GET", f"{PUBLIC}/events")).status == 200:
            left.append(int(answer.headers["RateLimit-Remaining"]))
        # Opening the fair took three requests.
        assert left == [2, 1, 0]
        assert refusal(answer) == (429, "rate_limited")
        assert answer.json["error"]["retryable"] is True
        assert answer.headers["RateLimit-Limit"] == "6"
        assert 0 < int(answer.headers["RateLimit-Reset"]) == int(answer.headers["Retry-After"]) <= 60
        unserved = await fair.house.guest.send("GET", f"{PUBLIC}/nothing")
        assert refusal(unserved) == (429, "rate_limited")
        assert (await fair.house.guest.send("GET", "/healthz")).status == 200

    async def test_requests_of_a_session_are_limited(self, open_fair: OpenFair) -> None:
        fair = await open_fair(guest_requests_per_session=3)
        assert [(await fair.guest.reservations()).status for _ in range(4)] == [200, 200, 200, 429]
        assert (await fair.other.reservations()).status == 200
        refused = await fair.other.reserve("nonsense")
        assert (refused.status, refused.headers["RateLimit-Remaining"]) == (404, "1")

    async def test_a_new_session_for_each_reservation_does_not_help(self, open_fair: OpenFair) -> None:
        fair = await open_fair(guest_creations_per_address=3)
        statuses = []
        for _ in range(2):
            made = await fair.house.guest.send("POST", f"{PUBLIC}/sessions")
            statuses.append(made.status)
            if made.status == 201:
                session = data(made)["sessionId"]
                statuses.append((await Guest(fair.house, session).reserve(fair.standing)).status)
        assert statuses == [201, 201, 201, 429]


class TestDocumentation:
    """The description of this API in `/openapi.json`."""

    async def test_every_answer_has_the_shape_that_is_documented(self, open_fair: OpenFair) -> None:
        fair = await open_fair(cron_secret=STRONG_SECRET)
        admin, event = fair.house.admin, f"/api/admin/events/{fair.event}"
        kind = f"/api/admin/ticket-types/{fair.standing}"
        spare_event = await make_event(fair.house)
        spare_kind = await make_type(fair.house, fair.event, "Spare")
        new_event = {"title": "Matinee", "startDate": days_ahead(3)}
        new_kind = {"eventId": fair.event, "name": "Balcony", "price": 9, "capacity": 9}
        one, other = await fair.guest.reserved(fair.standing), await fair.guest.reserved(fair.standing)
        admitted = await fair.guest.send("POST", f"{PUBLIC}/guests")
        visitor = Guest(fair.house, None, data(admitted)["accessToken"])
        details = {"email": ADA["email"], "fullName": ADA["fullName"]}
        answers = {
            "create_guest": admitted,
            "describe_guest": await visitor.send("PUT", f"{PUBLIC}/guests/me", details),
            "send_ticket_links": await visitor.send(
                "POST", f"{PUBLIC}/guests/ticket-links", {"email": ADA["email"]}
            ),
            "get_sales_rules": await visitor.send("GET", f"{PUBLIC}/box-office"),
            "list_shown_tickets": await fair.buyer.send("GET", f"{PUBLIC}/tickets"),
            "list_events": await fair.guest.send("GET", f"{PUBLIC}/events"),
            "get_event": await fair.guest.send("GET", f"{PUBLIC}/events/{fair.event}"),
            "get_ticket_availability": await fair.guest.send("GET", f"{PUBLIC}/availability/{fair.standing}"),
            "create_session": await fair.guest.send("POST", f"{PUBLIC}/sessions"),
            "reserve_tickets": await fair.guest.reserve_all((fair.standing, 1), (fair.seated, 1)),
            "list_ticket_reservations": await fair.guest.reservations(),
            "get_ticket_reservation": await fair.guest.reservation(one),
            "extend_ticket_reservation": await fair.guest.more_time(one),
            "cancel_ticket_reservation": await fair.guest.cancel(other),
            "purchase_reservation": await fair.buyer.purchase(one, ADA),
            "list_all_events": await admin.send("GET", "/api/admin/events"),
            "create_event": await admin.send("POST", "/api/admin/events", new_event),
            "get_any_event": await admin.send("GET", event),
            "update_event": await admin.send("PATCH", event, {"venue": "Town Hall"}),
            "close_event": await admin.send("POST", f"{event}/close"),
            "reopen_event": await admin.send("POST", f"{event}/reopen"),
            "delete_event": await admin.send("DELETE", f"/api/admin/events/{spare_event}"),
            "list_all_ticket_types": await admin.send("GET", "/api/admin/ticket-types"),
            "create_ticket_type": await admin.send("POST", "/api/admin/ticket-types", new_kind),
            "get_any_ticket_type": await admin.send("GET", kind),
            "update_ticket_type": await admin.send("PATCH", kind, {"price": 26}),
            "close_ticket_type": await admin.send("POST", f"{kind}/close"),
            "reopen_ticket_type": await admin.send("POST", f"{kind}/reopen"),
            "delete_ticket_type": await admin.send("DELETE", f"/api/admin/ticket-types/{spare_kind}"),
            "clean_up_reservations": await admin.send("POST", "/api/admin/reservations/cleanup"),
            "get_reservation_statistics": await admin.send("GET", "/api/admin/reservations/cleanup"),
            "get_reservation_analytics": await admin.send("GET", "/api/admin/reservations/analytics"),
            "clean_up_by_clock": await Guest(fair.house, None, STRONG_SECRET).send(
                "GET", "/api/cron/cleanup-reservations"
            ),
        }
        shaped = {endpoint.name: endpoint for endpoint in PUBLIC_DOOR if endpoint.answers}
        assert set(answers) == set(shaped)
        for name, answer in answers.items():
            endpoint = shaped[name]
            shape: Any = endpoint.answers() if isinstance(endpoint.answers, type) else endpoint.answers
            assert answer.status == endpoint.status, (name, answer.body)
            shape.load(data(answer), unknown=RAISE)
            assert ("meta" in answer.json) == endpoint.listed, name
