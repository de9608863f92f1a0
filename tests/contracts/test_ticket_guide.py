"""The ticket guide (Ticket Reservation System API Documentation), top to bottom, against the real server."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tornado.ioloop import IOLoop

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
from tests.contracts.shapes import assert_shows, integer, iso_utc, number, text
from tests.house import House
from tests.signing_keys import STRONG_SECRET

pytestmark = pytest.mark.gen_test

SESSION, OTHER_SESSION = "guest-of-the-guide-1", "guest-of-the-guide-2"

NO_RESERVATION = "1-9999999"

EVENT = {"id": text, "title": "Night of the Brass Bands", "venue": "Harbour Hall", "startDate": iso_utc}
LEFT = {"total": 20, "sold": 0, "reserved": 0, "available": 20}


class Fair:
    """A server with an event that sells twenty standing and ten seated tickets."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.event = self.standing = self.seated = ""

    async def open(self) -> None:
        await self.house.open()
        self.event = await make_event(self.house)
        self.standing = await make_type(self.house, self.event)
        self.seated = await make_type(self.house, self.event, "Seated", price=40, capacity=10)

    @property
    def guest(self) -> Guest:
        """A session without a token."""
        return Guest(self.house, SESSION)

    @property
    def other(self) -> Guest:
        """Another session."""
        return Guest(self.house, OTHER_SESSION)

    @property
    def buyer(self) -> Guest:
        """The session, with a user's token."""
        return Guest(self.house, SESSION, self.house.token(7))

    @property
    def user(self) -> Guest:
        """A user without a session."""
        return Guest(self.house, None, self.house.token(7))


OpenFair = Callable[..., Awaitable[Fair]]


@pytest.fixture
def open_fair(database_url: str, tmp_path: Path, io_loop: IOLoop) -> Iterator[OpenFair]:
    """Opens the server with settings by name."""
    fairs: list[Fair] = []

    async def open_one(**settings: object) -> Fair:
        fairs.append(Fair(House(database_url, tmp_path, **settings)))
        await fairs[-1].open()
        return fairs[-1]

    yield open_one
    for fair in fairs:
        io_loop.run_sync(fair.house.close)


@pytest.fixture
def fair(open_fair: OpenFair, io_loop: IOLoop) -> Fair:
    """The server with the default settings."""
    return io_loop.run_sync(open_fair)


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

    async def test_it_has_a_code_for_people_and_keeps_metadata(self, fair: Fair) -> None:
        made = data(await fair.guest.reserve(fair.standing, metadata={"campaign": "spring", "n": [1]}))
        reservation = made["reservation"]
        assert re.fullmatch(r"[2346789ACDEFHJKMNPRTWXY-]+", reservation["code"])
        read = data(await fair.guest.reservation(reservation["id"]))
        assert read["metadata"] == {"campaign": "spring", "n": [1]}
        assert data(await fair.guest.reserve(fair.standing))["reservation"]["metadata"] is None

    async def test_what_is_wrong_is_named(self, fair: Fair) -> None:
        for body, fields in WRONG_ORDERS:
            answer = await fair.house.guest.send("POST", RESERVATIONS, {"sessionId": SESSION, **body})
            assert refusal(answer) == (400, "invalid_input"), body
            assert set(answer.json["error"]["errors"]) == fields
            assert answer.json["error"]["retryable"] is False
        deep = b'{"a":' * 300 + b"1" + b"}" * 300
        raw = b'{"sessionId":"%s","ticketTypeId":"1","quantity":1,"metadata":%s}' % (SESSION.encode(), deep)
        too_deep = await fair.house.guest.send("POST", RESERVATIONS, raw=raw)
        assert refusal(too_deep) == (400, "invalid_input")

    async def test_a_guest_needs_a_session_and_a_user_does_not(self, fair: Fair) -> None:
        nobody = await Guest(fair.house, None).reserve(fair.standing)
        assert refusal(nobody) == (400, "invalid_input")
        assert list(nobody.json["error"]["errors"]) == ["sessionId"]
        mine = await fair.user.reserved(fair.standing)
        assert data(await fair.user.reservation(mine))["status"] == "ACTIVE"
        assert refusal(await fair.guest.reservation(mine)) == (403, "not_your_reservation")

    async def test_there_must_be_such_tickets_and_enough_of_them(self, fair: Fair) -> None:
        for unknown in ("999999", "nonsense", "0", "-1", "1.0", "9" * 30):
            assert refusal(await fair.guest.reserve(unknown)) == (404, "ticket_type_not_found")
        small = await make_type(fair.house, fair.event, "Box", capacity=3)
        await fair.other.reserved(small, 2)
        refused = await fair.guest.reserve(small, 2)
        assert refusal(refused) == (409, "not_enough_tickets")
        assert_shows(refused.json["error"], {"ticketTypeId": small, "requested": 2, "available": 1})
        assert "1 ticket is left" in refused.json["message"]

    async def test_orders_are_bounded_and_sales_have_their_time(self, fair: Fair) -> None:
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

    async def test_a_key_makes_it_once(self, fair: Fair) -> None:
        first = await fair.guest.reserve(fair.standing, key="one")
        again = await fair.guest.reserve(fair.standing, key="one")
        assert again.body == first.body
        assert again.headers["Idempotency-Replayed"] == "true"
        assert refusal(await fair.guest.reserve(fair.standing, 2, key="one")) == (
            400,
            "idempotency_key_reused",
        )
        # A key is its session's own, also where many guests share an address.
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

    async def test_how_many_at_once_is_bounded(self, open_fair: OpenFair) -> None:
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

    async def test_only_what_is_active(self, fair: Fair) -> None:
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

    async def test_another_session_is_told_nothing(self, fair: Fair) -> None:
        reservation = await fair.guest.reserved(fair.standing)
        assert refusal(await fair.other.reservation(reservation)) == (403, "not_your_reservation")
        assert refusal(await Guest(fair.house, None).reservation(reservation)) == (400, "invalid_input")

        for unknown in (
            *(NO_RESERVATION, f"999999999-{reservation.partition('-')[2]}"),
            *("nonsense", "1", "1-9999999999999999999", "%00"),
        ):
            answer = await fair.guest.reservation(unknown)
            assert (answer.status, answer.json["success"]) == (404, False)

    async def test_seats_of_cinemas_are_none_of_this_door(self, fair: Fair) -> None:
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

    async def test_the_tickets_can_be_had_again(self, fair: Fair) -> None:
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

    async def test_how_far_and_how_often_is_bounded(self, fair: Fair) -> None:
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

    async def test_a_setting_opens_it_to_guests(self, open_fair: OpenFair) -> None:
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

    async def test_again_gives_the_same_tickets(self, fair: Fair) -> None:
        reservation = await fair.guest.reserved(fair.standing, 2)
        at_once = [fair.buyer.purchase(reservation, ADA, BOB) for _ in range(5)]
        answers = await asyncio.gather(*at_once)
        assert {answer.status for answer in answers} == {201}
        assert len({answer.body for answer in answers}) == 1
        assert (await fair.guest.left(fair.standing))["sold"] == 2

    async def test_a_key_replays_what_was_answered(self, fair: Fair) -> None:
        reservation = await fair.guest.reserved(fair.standing)
        first = await fair.buyer.purchase(reservation, ADA, key="k")
        again = await fair.buyer.purchase(reservation, ADA, key="k")
        assert (again.status, again.body) == (201, first.body)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert refusal(await fair.buyer.purchase(reservation, BOB, key="k")) == (
            400,
            "idempotency_key_reused",
        )

    async def test_only_by_whom_it_belongs_to(self, fair: Fair) -> None:
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
        assert answer.json == {
            "success": True,
            "data": {"total": 20, "sold": 2, "reserved": 3, "available": 15},
        }

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

    async def test_cron_has_a_secret_of_its_own(self, open_fair: OpenFair) -> None:
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
    """The fourth step of the flow. A hold's life is cut short, so that nobody waits for minutes."""

    async def test_what_has_expired_is_released_and_says_so(self, open_fair: OpenFair) -> None:
        fair = await open_fair(hold_seconds=1, hold_life_seconds=1)
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
    """The guide's statuses, in one envelope everywhere behind this door."""

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
    """The guide's considerations."""

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
        # Opening the fair took three.
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
