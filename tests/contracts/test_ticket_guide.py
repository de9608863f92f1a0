"""The ticket guide (Ticket Reservation System API Documentation), sections 1 to 6, with the real server."""

import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

import pytest

from frontrow.settings import Settings
from tests.box_office import ADA, BOB, RESERVATIONS, Guest, data, days_ahead, make_event, make_type, refusal
from tests.contracts.conftest import OpenFair
from tests.contracts.fair import EVENT, LEFT, NO_RESERVATION, SESSION, Fair
from tests.contracts.shapes import assert_shows, integer, iso_utc, number, text

pytestmark = pytest.mark.gen_test


def shown_type(fair: Fair) -> Callable[[Any], bool]:
    def check(ticket_type: dict[str, Any]) -> bool:
        assert_shows(ticket_type, {"id": fair.standing, "name": "Standing", "price": 25.5})
        assert_shows(ticket_type["event"], {**EVENT, "id": fair.event})
        return True

    return check


WRONG_ORDERS: Sequence[tuple[dict[str, Any], set[str]]] = (
    ({}, {"ticketTypeId"}),
    ({"ticketTypeId": "1"}, {"quantity"}),
    ({"quantity": 1}, {"ticketTypeId"}),
    ({"ticketTypeId": 1, "quantity": 1}, {"ticketTypeId"}),
    ({"ticketTypeId": "1", "quantity": 0}, {"quantity"}),
    ({"ticketTypeId": "1", "quantity": "2"}, {"quantity"}),
    ({"ticketTypeId": "1", "quantity": 1.5}, {"quantity"}),
    ({"ticketTypeId": "1", "quantity": True}, {"quantity"}),
    ({"ticketTypeId": "1", "quantity": 1, "reservations": []}, {"reservations"}),
    ({"reservations": [{"ticketTypeId": "1"}]}, {"reservations"}),
    ({"ticketTypeId": "1", "quantity": 1, "expirationMinutes": 0}, {"expirationMinutes"}),
    ({"ticketTypeId": "1", "quantity": 1, "expirationMinutes": 31}, {"expirationMinutes"}),
    ({"ticketTypeId": "1", "quantity": 1, "sessionId": "short"}, {"sessionId"}),
    ({"ticketTypeId": "1", "quantity": 1, "sessionId": "with a space"}, {"sessionId"}),
    ({"ticketTypeId": "1", "quantity": 1, "sessionId": "with\ta\ttab"}, {"sessionId"}),
    ({"ticketTypeId": "1", "quantity": 1, "sessionId": "with-a-nul\0"}, {"sessionId"}),
    ({"ticketTypeId": "1", "quantity": 1, "sessionId": "x" * 129}, {"sessionId"}),
    ({"ticketTypeId": "1", "quantity": 1, "metadata": [1]}, {"metadata"}),
    ({"ticketTypeId": "1", "quantity": 1, "metadata": {"a": "x" * 2048}}, {"metadata"}),
)


class TestCreatingAReservation:
    """Section 1."""

    async def test_as_the_guide_shows_it(self, fair: Fair) -> None:
        answer = await fair.guest.reserve(fair.standing, 2, expirationMinutes=10)
        assert answer.status == 201
        assert_shows(answer.json, {"success": True, "message": "Reservation created successfully"})
        assert_shows(answer.json["data"], {"expiresAt": iso_utc, "remainingSeconds": 600})
        assert_shows(
            answer.json["data"]["reservation"],
            {
                "id": text,
                "ticketTypeId": fair.standing,
                "quantity": 2,
                "expiresAt": answer.json["data"]["expiresAt"],
                "status": "ACTIVE",
                "ticketType": shown_type(fair),
            },
        )
        assert await fair.guest.left(fair.standing) == {**LEFT, "reserved": 2, "available": 18}

    async def test_ten_minutes_are_the_default(self, open_fair: OpenFair) -> None:
        fair = await open_fair(guest_hold_minutes=4, guest_hold_minutes_limit=5)
        assert data(await fair.guest.reserve(fair.standing))["remainingSeconds"] == 240
        longest = await fair.guest.reserve(fair.standing, expirationMinutes=5)
        assert data(longest)["remainingSeconds"] == 300
        too_long = await fair.guest.reserve(fair.standing, expirationMinutes=6)
        assert refusal(too_long) == (400, "invalid_input")
        assert list(too_long.json["error"]["errors"]) == ["expirationMinutes"]

    async def test_it_has_a_readable_code_and_keeps_metadata(self, fair: Fair) -> None:
        made = data(await fair.guest.reserve(fair.standing, metadata={"campaign": "spring", "n": [1]}))
        reservation = made["reservation"]
        assert re.fullmatch(r"[2346789ACDEFHJKMNPRTWXY-]+", reservation["code"])
        read = data(await fair.guest.reservation(reservation["id"]))
        assert read["metadata"] == {"campaign": "spring", "n": [1]}
        assert data(await fair.guest.reserve(fair.standing))["reservation"]["metadata"] is None

    async def test_invalid_fields_are_named(self, fair: Fair) -> None:
        for body, fields in WRONG_ORDERS:
            answer = await fair.house.guest.send("POST", RESERVATIONS, {"sessionId": SESSION, **body})
            assert refusal(answer) == (400, "invalid_input"), body
            assert set(answer.json["error"]["errors"]) == fields
            assert answer.json["error"]["retryable"] is False
        deep = b'{"a":' * 300 + b"1" + b"}" * 300
        raw = b'{"sessionId":"%s","ticketTypeId":"1","quantity":1,"metadata":%s}' % (SESSION.encode(), deep)
        too_deep = await fair.house.guest.send("POST", RESERVATIONS, raw=raw)
        assert refusal(too_deep) == (400, "invalid_input")

    @pytest.mark.parametrize(
        "session_id", ["guest:42/~!@#$%^&*()+={}[]|<>?\"'\\`;,.", "séance-été", "ゲスト-1234567", "x" * 128]
    )
    async def test_a_session_is_any_visible_text(self, fair: Fair, session_id: str) -> None:
        guest = Guest(fair.house, session_id)
        reservation = await guest.reserved(fair.standing)
        query = f"?sessionId={quote(session_id, safe='')}"
        shown = await fair.house.guest.send("GET", f"{RESERVATIONS}/{reservation}{query}")
        assert data(shown)["id"] == reservation
        assert data(await guest.cancel(reservation))
        assert refusal(await fair.guest.cancel(reservation)) == (403, "not_your_reservation")

    async def test_a_guest_needs_a_session_and_a_user_does_not(self, fair: Fair) -> None:
        nobody = await Guest(fair.house, None).reserve(fair.standing)
        assert refusal(nobody) == (400, "invalid_input")
        assert list(nobody.json["error"]["errors"]) == ["sessionId"]
        mine = await fair.user.reserved(fair.standing)
        assert data(await fair.user.reservation(mine))["status"] == "ACTIVE"
        assert refusal(await fair.guest.reservation(mine)) == (403, "not_your_reservation")

    async def test_unknown_types_and_insufficient_tickets_are_refused(self, fair: Fair) -> None:
        for unknown in ("999999", "nonsense", "0", "-1", "1.0", "9" * 30):
            assert refusal(await fair.guest.reserve(unknown)) == (404, "ticket_type_not_found")
        small = await make_type(fair.house, fair.event, "Box", capacity=3)
        await fair.other.reserved(small, 2)
        refused = await fair.guest.reserve(small, 2)
        assert refusal(refused) == (409, "not_enough_tickets")
        assert_shows(refused.json["error"], {"ticketTypeId": small, "requested": 2, "available": 1})
        assert "1 ticket is left" in refused.json["message"]

    async def test_orders_are_bounded_and_sales_have_a_window(self, fair: Fair) -> None:
        for details, code in (
            ({"maxPerOrder": 2}, "order_limit_exceeded"),
            ({"salesStart": days_ahead(1)}, "sales_closed"),
            ({"salesEnd": days_ahead(-1)}, "sales_closed"),
        ):
            kind = await make_type(fair.house, fair.event, f"Of {details}", **details)
            assert refusal(await fair.guest.reserve(kind, 3)) == (409, code)
        refused = await fair.guest.reserve(fair.standing, 11)
        assert refusal(refused) == (409, "order_limit_exceeded")
        await fair.guest.reserved(fair.standing, 10)
        assert refusal(await fair.guest.reserve(fair.seated)) == (409, "hold_limit_exceeded")

    async def test_new_sessions_do_not_raise_the_limit_of_an_address(self, fair: Fair) -> None:
        limit = Settings().guest_seats_limit
        kind = await make_type(fair.house, fair.event, "Arena", capacity=200)
        sessions = [Guest(fair.house, f"made-up-session-{number}") for number in range(22)]
        answers = [await guest.reserve(kind, 8) for guest in sessions]
        made = [answer for answer in answers if answer.status == 201]
        assert len(made) == limit // 8
        refused = answers[-1]
        assert refusal(refused) == (409, "guest_limit_exceeded")
        assert_shows(refused.json["error"], {"limit": limit, "held": len(made) * 8, "requested": 8})
        await fair.user.reserved(kind, 8)

    async def test_a_repeated_key_creates_one_reservation(self, fair: Fair) -> None:
        first = await fair.guest.reserve(fair.standing, key="one")
        again = await fair.guest.reserve(fair.standing, key="one")
        assert again.body == first.body
        assert again.headers["Idempotency-Replayed"] == "true"
        assert refusal(await fair.guest.reserve(fair.standing, 2, key="one")) == (
            400,
            "idempotency_key_reused",
        )
        # A key belongs to its session, even if many guests share an address.
        assert (await fair.other.reserve(fair.standing, 2, key="one")).status == 201


class TestBulkCreation:
    """Section 2."""

    async def test_several_at_once(self, fair: Fair) -> None:
        answer = await fair.guest.reserve_all((fair.standing, 2), (fair.seated, 3))
        assert answer.status == 201
        assert_shows(answer.json, {"success": True, "message": "Reservations created successfully"})
        assert_shows(answer.json["data"], {"expiresAt": iso_utc, "remainingSeconds": integer})
        made = answer.json["data"]["reservations"]
        assert [(one["ticketTypeId"], one["quantity"]) for one in made] == [
            (fair.standing, 2),
            (fair.seated, 3),
        ]
        assert len({one["id"] for one in made}) == 2
        assert (await fair.guest.left(fair.seated))["reserved"] == 3

    async def test_all_or_none(self, fair: Fair) -> None:
        few = await make_type(fair.house, fair.event, "Box", capacity=1)
        refused = await fair.guest.reserve_all((fair.standing, 2), (few, 2))
        assert refusal(refused) == (409, "not_enough_tickets")
        assert await fair.guest.left(fair.standing) == LEFT
        assert data(await fair.guest.reservations()) == []

    async def test_all_or_none_over_several_events(self, fair: Fair) -> None:
        elsewhere = await make_event(fair.house, title="Elsewhere")
        few = await make_type(fair.house, elsewhere, capacity=1)
        refused = await fair.guest.reserve_all((few, 2), (fair.standing, 2))
        assert refusal(refused) == (409, "not_enough_tickets")
        assert await fair.guest.left(fair.standing) == LEFT
        made = data(await fair.guest.reserve_all((few, 1), (fair.standing, 2)))["reservations"]
        assert [one["ticketType"]["event"]["title"] for one in made] == [
            "Elsewhere",
            "Night of the Brass Bands",
        ]

    async def test_the_number_of_orders_is_bounded(self, open_fair: OpenFair) -> None:
        fair = await open_fair(guest_reservations_per_request_limit=2)
        refused = await fair.guest.reserve_all(*[(fair.standing, 1)] * 3)
        assert refusal(refused) == (400, "invalid_input")


class TestTheList:
    """Section 3."""

    async def test_as_the_guide_shows_it(self, fair: Fair) -> None:
        await fair.other.reserved(fair.standing)
        made = [await fair.guest.reserved(fair.standing, quantity) for quantity in (1, 2, 3)]
        answer = await fair.guest.reservations("&page=1&limit=10")
        assert answer.status == 200
        assert answer.json["meta"] == {"page": 1, "limit": 10, "total": 3, "totalPages": 1}
        assert [one["id"] for one in data(answer)] == made[::-1]
        first = data(answer)[-1]
        assert_shows(
            first,
            {
                "id": text,
                "quantity": 1,
                "expiresAt": iso_utc,
                "remainingSeconds": integer,
                "isExpired": False,
            },
        )
        assert_shows(first["ticketType"], {"name": "Standing", "price": number})
        assert_shows(first["ticketType"]["event"], {"title": EVENT["title"], "venue": EVENT["venue"]})

    async def test_pages(self, fair: Fair) -> None:
        for _ in range(3):
            await fair.guest.reserved(fair.standing)
        second = await fair.guest.reservations("&page=2&limit=2")
        assert second.json["meta"] == {"page": 2, "limit": 2, "total": 3, "totalPages": 2}
        assert len(data(second)) == 1
        for query in ("&page=0", "&limit=0", "&limit=101", "&page=x"):
            assert refusal(await fair.guest.reservations(query)) == (400, "invalid_input")
        assert refusal(await Guest(fair.house, None).reservations()) == (400, "invalid_input")

    async def test_only_active_ones(self, fair: Fair) -> None:
        for reservation in [await fair.guest.reserved(fair.standing) for _ in range(2)][:1]:
            await fair.guest.cancel(reservation)
        assert (await fair.guest.reservations()).json["meta"]["total"] == 1
        assert data(await fair.user.reservations()) == []


class TestOneReservation:
    """Section 4."""

    async def test_by_its_id(self, fair: Fair) -> None:
        reservation = await fair.guest.reserved(fair.standing, 2)
        shown = data(await fair.guest.reservation(reservation))
        assert_shows(
            shown,
            {
                "id": reservation,
                "quantity": 2,
                "status": "ACTIVE",
                "isExpired": False,
                "expiresAt": iso_utc,
                "remainingSeconds": integer,
                "ticketTypeId": fair.standing,
                "ticketType": shown_type(fair),
            },
        )
        assert 590 < shown["remainingSeconds"] <= 600

    async def test_another_session_sees_nothing(self, fair: Fair) -> None:
        reservation = await fair.guest.reserved(fair.standing)
        assert refusal(await fair.other.reservation(reservation)) == (403, "not_your_reservation")
        assert refusal(await Guest(fair.house, None).reservation(reservation)) == (400, "invalid_input")

        for unknown in (
            *(NO_RESERVATION, f"999999999-{reservation.partition('-')[2]}"),
            *("nonsense", "1", "1-9999999999999999999", "%00"),
        ):
            answer = await fair.guest.reservation(unknown)
            assert (answer.status, answer.json["success"]) == (404, False)

    async def test_cinema_seats_are_not_part_of_this_api(self, fair: Fair) -> None:
        """A hold of the seat guides has an id of the same kind, but no ticket type."""
        cinema = data_of(await fair.house.admin.send("POST", "/api/v1/cinemas/", {"name": "Odeon"}))
        room = data_of(
            await fair.house.admin.send("POST", f"/api/v1/cinemas/{cinema['id']}/rooms/", {"name": "One"})
        )
        seats = data_of(
            await fair.house.admin.send(
                "POST",
                f"/api/v1/rooms/{room['id']}/seats/bulk",
                {"seats": [{"row_label": "A", "seat_number": 1}]},
            )
        )
        screening = data_of(
            await fair.house.admin.send(
                "POST",
                "/api/v1/screenings/",
                {
                    "room_id": room["id"],
                    "title": "A",
                    "starts_at": days_ahead(1),
                    "ends_at": days_ahead(1.1),
                    "price": 9,
                },
            )
        )
        held = data_of(await fair.house.user(7).reserve(screening["id"], [seats[0]["id"]]))["reservations"][0]
        reservation = f"{screening['id']}-{held['id']}"
        for answer in (
            await fair.user.reservation(reservation),
            await fair.user.cancel(reservation),
            await fair.user.more_time(reservation),
            await fair.user.purchase(reservation, ADA),
        ):
            assert refusal(answer) == (404, "reservation_not_found")


def data_of(answer: Any) -> Any:
    assert answer.status == 201, answer.body
    return answer.json


class TestCancelling:
    """Section 5."""

    async def test_the_tickets_become_available_again(self, fair: Fair) -> None:
        reservation = await fair.guest.reserved(fair.standing, 2)
        answer = await fair.guest.cancel(reservation)
        assert answer.status == 200
        assert_shows(answer.json, {"success": True, "message": "Reservation cancelled successfully"})
        assert_shows(answer.json["data"], {"id": reservation, "status": "CANCELLED", "remainingSeconds": 0})
        assert await fair.guest.left(fair.standing) == LEFT
        assert data(await fair.guest.reservation(reservation))["status"] == "CANCELLED"
        for again in (
            await fair.guest.cancel(reservation),
            await fair.guest.more_time(reservation),
            await fair.buyer.purchase(reservation, ADA, BOB),
        ):
            assert refusal(again) == (409, "reservation_cancelled")

    async def test_the_session_may_be_in_the_query(self, fair: Fair) -> None:
        reservation = await fair.guest.reserved(fair.standing)
        path = f"{RESERVATIONS}/{reservation}"
        assert refusal(await fair.house.guest.send("DELETE", path)) == (400, "invalid_input")
        assert (await fair.house.guest.send("DELETE", f"{path}?sessionId={SESSION}")).status == 200
        mine = await fair.user.reserved(fair.standing)
        assert (await fair.house.user(7).send("DELETE", f"{RESERVATIONS}/{mine}")).status == 200

    async def test_not_by_others(self, fair: Fair) -> None:
        reservation = await fair.guest.reserved(fair.standing)
        assert refusal(await fair.other.cancel(reservation)) == (403, "not_your_reservation")
        assert refusal(await fair.guest.cancel(NO_RESERVATION)) == (404, "reservation_not_found")
        assert data(await fair.guest.reservation(reservation))["status"] == "ACTIVE"


class TestExtending:
    """Section 6."""

    async def test_by_minutes(self, fair: Fair) -> None:
        reservation = await fair.guest.reserved(fair.standing)
        answer = await fair.guest.more_time(reservation, 5)
        assert answer.status == 200
        assert_shows(answer.json, {"success": True, "message": "Reservation extended successfully"})
        assert 890 < answer.json["data"]["remainingSeconds"] <= 900
        assert answer.json["data"]["reservation"]["expiresAt"] == answer.json["data"]["expiresAt"]
        assert (
            data(await fair.guest.reservation(reservation))["expiresAt"] == answer.json["data"]["expiresAt"]
        )

    async def test_extensions_are_bounded_in_length_and_number(self, fair: Fair) -> None:
        reservation = await fair.guest.reserved(fair.standing)
        for minutes in (0, -1, 31, "5", 1.5, None):
            answer = await fair.guest.more_time(reservation, minutes)
            assert refusal(answer) == (400, "invalid_input")
            assert list(answer.json["error"]["errors"]) == ["additionalMinutes"]
        too_far = await fair.guest.more_time(reservation, 21)
        assert refusal(too_far) == (409, "extension_limit_reached")
        assert too_far.json["message"].endswith("it may last 30 minutes in all")
        for _ in range(3):
            assert (await fair.guest.more_time(reservation, 1)).status == 200
        too_often = await fair.guest.more_time(reservation, 1)
        assert refusal(too_often) == (409, "extension_limit_reached")
        assert too_often.json["message"].endswith("it has been extended 3 times")

    async def test_not_by_others(self, fair: Fair) -> None:
        reservation = await fair.guest.reserved(fair.standing)
        assert refusal(await fair.other.more_time(reservation)) == (403, "not_your_reservation")
        assert refusal(await fair.guest.more_time(NO_RESERVATION)) == (404, "reservation_not_found")
