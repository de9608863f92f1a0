"""Webhooks of Stripe book, confirm, release and settle, each event once; only Stripe is believed."""

import asyncio
import json
import time
from contextlib import closing
from typing import Any

import pytest

from tests.api.caller import TICKETS, Caller, Response
from tests.api.cinema import eventually
from tests.box_office import ADA, BOB, Guest, data, make_event, make_type
from tests.catalogue.conftest import OpenHouse
from tests.catalogue.programme import make_screening
from tests.catalogue.programme import open_house as open_cinema
from tests.database import connect, execute
from tests.house import House
from tests.stripe_events import PATH, SECRET, deliver, event, intent, refunded, signed

pytestmark = pytest.mark.gen_test

REFUNDS = "/api/v1/admin/refunds"

NAME = "INSERT INTO payments (payment_id, holder, screening_id, created_at) VALUES (%s, %s, %s, now())"

ONE_WAITS = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"

OWED = "SELECT payment_id, refunds.holder, vouched_by FROM refunds JOIN payments USING (payment_id)"


async def opened(open_house_with: OpenHouse, **settings: object) -> tuple[House, int, list[int]]:
    house = await open_house_with(stripe_webhook_secret=(SECRET,), **settings)
    screening, seats = await open_cinema(house)
    return house, screening, list(seats)


async def told(house: House, sent: object, outcome: str) -> None:
    """Deliver an event that Stripe need not send again."""
    answer = await deliver(house.guest, sent)
    assert (answer.status, answer.json) == (200, {"received": True, "outcome": outcome})


async def tickets_of(house: House, user: int) -> list[tuple[int, str, str | None]]:
    listed = (await house.user(user).my_tickets()).json
    return sorted((ticket["seat_id"], ticket["status"], ticket["payment_id"]) for ticket in listed)


async def vouchers(house: House) -> dict[str, str | None]:
    """Return who vouches for each payment, as operators see it."""
    listed = (await house.admin.send("GET", f"{TICKETS}/")).json
    return {ticket["payment_id"]: ticket["vouched_by"] for ticket in listed}


async def refunds(house: House, query: str = "") -> list[dict[str, Any]]:
    listed = await house.admin.send("GET", f"{REFUNDS}{query}")
    assert listed.status == 200, listed.body
    return listed.json


def of(screening: int, *seats: int, user: int = 7) -> dict[str, object]:
    """Return the metadata of a payment for seats."""
    return {"user_id": user, "screening_id": screening, "seat_ids": ",".join(map(str, seats))}


async def test_a_payment_books_the_seats_that_its_metadata_names(open_house: OpenHouse) -> None:
    house, screening, (first, second, *_) = await opened(open_house)
    await house.user(7).reserve(screening, [first, second])
    await told(house, intent("pi_1", **of(screening, first, second)), "booked")
    assert await tickets_of(house, 7) == [(first, "confirmed", "pi_1"), (second, "confirmed", "pi_1")]
    assert await vouchers(house) == {"pi_1": "stripe"}
    recent = (await house.admin.send("GET", "/api/v1/admin/stats/bookings/recent")).json
    assert {ticket["vouched_by"] for ticket in recent} == {"stripe"}
    logged = execute(house.database_url, "SELECT actor FROM screening_events WHERE kind = 'tickets_issued'")
    assert logged == [("provider:stripe",)]


async def test_each_event_takes_effect_once(open_house: OpenHouse) -> None:
    house, screening, (first, *_) = await opened(open_house)
    await house.user(7).reserve(screening, [first])
    paid = intent("pi_1", **of(screening, first))
    answers = await asyncio.gather(*[deliver(house.guest, paid) for _ in range(8)])
    assert {answer.status for answer in answers} == {200}
    await told(house, paid, "repeated")
    await told(house, intent("pi_1", **of(screening, first)), "booked")
    assert await tickets_of(house, 7) == [(first, "confirmed", "pi_1")]
    await house.restart()
    await told(house, paid, "repeated")


async def test_lists_may_be_written_in_several_ways(open_house: OpenHouse) -> None:
    house, screening, (first, second, *_) = await opened(open_house)
    for number, names in enumerate(("[{0}, {1}]", "{0} {1}", "{0};{1}", '["{0}","{1}"]'), 1):
        await house.user(number).reserve(screening, [first, second])
        paid = of(screening, user=number) | {"seat_ids": names.format(first, second)}
        await told(house, intent(f"pi_{number}", **paid), "booked")
        tickets = [ticket["id"] for ticket in (await house.user(number).my_tickets()).json]
        assert len(tickets) == 2
        for ticket in tickets:
            await house.user(number).cancel_ticket(ticket)


async def test_reservations_may_be_named_instead_of_seats(open_house: OpenHouse) -> None:
    house, screening, (first, second, *_) = await opened(open_house)
    held = (await house.user(7).reserve(screening, [first, second])).json["reservations"]
    ids = ",".join(str(reservation["id"]) for reservation in held)
    refused = await deliver(house.guest, intent("pi_1", user_id=8, reservation_ids=ids))
    assert (refused.status, refused.code) == (422, "invalid_input")
    await told(house, intent("pi_1", user_id=7, reservation_ids=ids), "booked")
    assert [seat for seat, *_ in await tickets_of(house, 7)] == [first, second]


async def test_pending_tickets_are_confirmed_together(open_house: OpenHouse) -> None:
    house, screening, seats = await opened(open_house)
    pending = (await house.user(7).book(screening, seats[:3], payment_pending=True)).json
    ids = ",".join(str(ticket["id"]) for ticket in pending)
    await told(house, intent("pi_1", received=3750, user_id=7, ticket_ids=ids), "booked")
    assert await tickets_of(house, 7) == [(seat, "confirmed", "pi_1") for seat in sorted(seats[:3])]
    logged = execute(
        house.database_url,
        "SELECT cardinality(seat_ids) FROM screening_events WHERE kind = 'tickets_confirmed'",
    )
    assert logged == [(3,)]
    assert await vouchers(house) == {"pi_1": "stripe"}
    refused = await deliver(house.guest, intent("pi_2", user_id=8, ticket_ids=ids))
    assert (refused.status, refused.code) == (404, "ticket_not_found")


async def test_a_payment_that_the_buyer_has_named_before_is_vouched_for(open_house: OpenHouse) -> None:
    house, screening, (first, *_) = await opened(open_house)
    await house.user(7).reserve(screening, [first])
    await house.user(7).book_reservation(screening, [first], "pi_1")
    assert await vouchers(house) == {"pi_1": None}
    await told(house, intent("pi_1", **of(screening, first)), "booked")
    assert await vouchers(house) == {"pi_1": "stripe"}
    assert await tickets_of(house, 7) == [(first, "confirmed", "pi_1")]


async def test_buyer_and_stripe_may_come_at_once(open_house: OpenHouse) -> None:
    house, screening, (first, second, *_) = await opened(open_house)
    user = house.user(7)
    await user.reserve(screening, [first, second])
    paid = intent("pi_1", **of(screening, first, second))
    answers = await asyncio.gather(
        *[user.book_reservation(screening, [first, second], "pi_1") for _ in range(4)],
        *[deliver(house.guest, paid) for _ in range(4)],
    )
    assert {answer.status for answer in answers} <= {200, 201}
    assert await tickets_of(house, 7) == [(first, "confirmed", "pi_1"), (second, "confirmed", "pi_1")]
    assert await vouchers(house) == {"pi_1": "stripe"}


async def test_naming_somebody_elses_payment_takes_nothing_from_them(open_house: OpenHouse) -> None:
    house, screening, (first, second, *_) = await opened(open_house)
    await house.user(7).reserve(screening, [first])
    await house.user(8).reserve(screening, [second])
    await house.user(8).book_reservation(screening, [second], "pi_1")
    for paid in (intent("pi_1", **of(screening, first)), intent("pi_1", **of(screening, first))):
        await told(house, paid, "booked")
    assert await tickets_of(house, 7) == [(first, "confirmed", "pi_1")]
    exported = (await house.admin.send("GET", "/api/v1/tickets/export.csv")).body.decode()
    assert "pi_1" in exported and "vouched:" not in exported
    assert await vouchers(house) == {"pi_1": None, "vouched:pi_1": "stripe"}
    refused = await house.user(8).book(screening, [second], payment_id="vouched:pi_1")
    assert (refused.status, refused.code) == (422, "invalid_input")


async def test_a_payment_that_somebody_else_names_at_the_same_time_is_owed_to_who_has_paid(
    open_house: OpenHouse,
) -> None:
    house, screening, (sold, *_) = await opened(open_house)
    url = house.database_url
    assert (await house.user(9).book(screening, [sold], payment_id="pay-9")).status == 201
    with closing(connect(url)) as other, other.cursor() as naming:
        naming.execute("BEGIN")
        naming.execute(NAME, ("pi_1", "user:8", screening))
        delivered = asyncio.ensure_future(deliver(house.guest, intent("pi_1", **of(screening, sold))))
        await eventually(lambda: bool(execute(url, ONE_WAITS)))
        naming.execute("COMMIT")
    assert (await delivered).status == 200
    assert execute(url, OWED) == [("vouched:pi_1", "user:7", "stripe")]


async def test_a_refund_that_the_buyer_has_caused_is_vouched_for_afterwards(open_house: OpenHouse) -> None:
    house, screening, (first, *_) = await opened(open_house)
    late = await house.user(7).book_reservation(screening, [first], "pi_1")
    assert (late.status, late.code) == (409, "refund_required")
    assert [refund["vouched_by"] for refund in await refunds(house)] == [None]
    await told(house, intent("pi_1", **of(screening, first)), "refund_owed")
    assert [refund["vouched_by"] for refund in await refunds(house)] == ["stripe"]


async def test_a_payment_that_has_paid_for_other_seats_of_the_buyer_pays_for_no_more(
    open_house: OpenHouse,
) -> None:
    house, screening, (first, second, *_) = await opened(open_house)
    await house.user(7).reserve(screening, [first, second])
    await told(house, intent("pi_1", received=1250, **of(screening, first)), "booked")
    await told(house, intent("pi_1", received=1250, **of(screening, second)), "already_used")
    assert await tickets_of(house, 7) == [(first, "confirmed", "pi_1")]
    assert await refunds(house) == []


async def test_after_a_declined_card_another_one_may_be_tried(open_house: OpenHouse) -> None:
    house, screening, (first, second, *_) = await opened(open_house)
    user = house.user(7)
    await user.reserve(screening, [first])
    (pending,) = (await user.book(screening, [second], payment_pending=True)).json
    for _ in range(2):
        await told(house, intent("pi_1", "payment_failed", **of(screening, first)), "kept")
        await told(house, intent("pi_2", "payment_failed", user_id=7, ticket_ids=pending["id"]), "kept")
    assert [hold["seat_id"] for hold in (await user.my_reservations()).json] == [first]
    await told(house, intent("pi_1", received=1250, **of(screening, first)), "booked")
    await told(house, intent("pi_2", received=1250, user_id=7, ticket_ids=pending["id"]), "booked")
    assert await tickets_of(house, 7) == [(first, "confirmed", "pi_1"), (second, "confirmed", "pi_2")]


async def test_a_cancelled_payment_releases_what_it_was_for(open_house: OpenHouse) -> None:
    house, screening, (first, second, third, *_) = await opened(open_house)
    user = house.user(7)
    await user.reserve(screening, [first, second])
    (pending,) = (await user.book(screening, [third], payment_pending=True)).json
    await told(house, intent("pi_1", "canceled", **of(screening, first)), "released")
    assert [hold["seat_id"] for hold in (await user.my_reservations()).json] == [second]
    await told(house, intent("pi_2", "canceled", user_id=7, ticket_ids=pending["id"]), "released")
    assert await tickets_of(house, 7) == [(third, "cancelled", None)]
    assert (await house.user(8).book(screening, [first, third])).status == 201


async def test_a_cancelled_payment_changes_nothing_that_is_paid_or_newer(open_house: OpenHouse) -> None:
    house, screening, (first, second, *_) = await opened(open_house)
    await house.user(7).book(screening, [first], payment_id="pi_1")
    await told(house, intent("pi_1", "canceled", **of(screening, first)), "released")
    assert await tickets_of(house, 7) == [(first, "confirmed", "pi_1")]
    await house.user(7).reserve(screening, [second])
    late = intent("pi_2", "canceled", **of(screening, second))
    late["created"] -= 3600
    await told(house, late, "released")
    assert len((await house.user(7).my_reservations()).json) == 1


async def test_only_what_stripe_has_signed_is_believed(open_house: OpenHouse) -> None:
    house, screening, (first, *_) = await opened(open_house)
    await house.user(7).reserve(screening, [first])
    paid = intent("pi_1", **of(screening, first))
    body = json.dumps(paid).encode()
    now = time.time()
    for refused in (
        await deliver(house.guest, paid, secret="whsec_of_somebody_else"),
        await deliver(house.guest, paid, at=now - 1000),
        await deliver(house.guest, body, header=signed(body + b" ")),
        await deliver(house.guest, body, header=signed(body).replace("v1=", "v0=")),
        await deliver(house.guest, body, header="t=now,v1=x"),
        await deliver(house.guest, body, header=""),
        await house.guest.send("POST", PATH, raw=body),
        await deliver(house.guest, b"\xff\xfe"),
        await house.admin.send("POST", PATH, raw=body),
    ):
        assert (refused.status, refused.code) == (400, "signature_refused")
    assert await tickets_of(house, 7) == []


async def test_several_secrets_are_valid_while_they_are_rotated(open_house: OpenHouse) -> None:
    house = await open_house(stripe_webhook_secret=("whsec_new_one", SECRET), stripe_tolerance_seconds=3600.0)
    for secret in ("whsec_new_one", SECRET):
        answer = await deliver(house.guest, event("payout.paid", {}), secret=secret, at=time.time() - 1000)
        assert (answer.status, answer.json["outcome"]) == (200, "ignored")
    assert (await deliver(house.guest, event("payout.paid", {}), secret="whsec_old_one")).status == 400


async def test_without_a_secret_the_endpoint_is_switched_off(open_house: OpenHouse) -> None:
    house = await open_house()
    refused = await deliver(house.guest, event("payout.paid", {}))
    assert (refused.status, refused.code) == (403, "stripe_disabled")
    assert "FRONTROW_STRIPE_WEBHOOK_SECRET" in refused.json["detail"]


WRONG_METADATA = (
    ({"screening_id": "1", "seat_ids": "1"}, "metadata.user_id"),
    ({"user_id": "7", "seat_ids": "1"}, "metadata.screening_id"),
    ({"user_id": "7", "screening_id": "1"}, "metadata"),
    ({"user_id": "x", "screening_id": "1", "seat_ids": "1"}, "metadata.user_id"),
    ({"user_id": "7", "screening_id": "1", "seat_ids": "1,two"}, "metadata.seat_ids"),
    ({"user_id": "7", "ticket_ids": "-1"}, "metadata.ticket_ids"),
    ({"user_id": "7", "reservation_ids": "1-"}, "metadata.reservation_ids"),
    ({"user_id": "7", "ticket_ids": "1", "expected_total": "a"}, "metadata.expected_total"),
    ({"user_id": "7", "ticket_ids": "1", "expected_total": "NaN"}, "metadata.expected_total"),
)


async def test_what_is_no_event_or_none_of_ours(open_house: OpenHouse) -> None:
    house = await open_house(stripe_webhook_secret=(SECRET,))
    for metadata, field in WRONG_METADATA:
        refused = await deliver(house.guest, intent("pi_1", **metadata))
        assert (refused.status, refused.code) == (422, "invalid_input")
        assert field in refused.json["errors"], metadata
    for ignored in (intent("pi_1"), intent("pi_1", order="12"), event("customer.created", {"id": "cus_1"})):
        await told(house, ignored, "ignored")
    for wrong in (
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"id": "evt_1", "type": "payment_intent.succeeded", "data": {}}',
    ):
        refused = await deliver(house.guest, wrong)
        assert (refused.status, refused.code) == (422, "invalid_input")
    assert (await deliver(house.guest, b" " * 300_000)).status == 413


async def test_ids_that_cannot_be_stripes_are_refused(open_house: OpenHouse) -> None:
    house, screening, (first, *_) = await opened(open_house)
    await house.user(7).reserve(screening, [first])
    for wrong in ("", " ", "pi_1 ", "pi\n1", "pi_1\0", "pi\u202e1", "p" * 256, "vouched:pi_1"):
        renamed = intent("pi_1", **of(screening, first)) | {"id": wrong}
        unlisted = refunded("pi_1", 1250, reference=wrong or " ")
        for sent in (intent(wrong, **of(screening, first)), renamed, unlisted):
            refused = await deliver(house.guest, sent)
            assert (refused.status, refused.code) == (400, "event_refused"), wrong
    refused = await deliver(house.guest, refunded("pi_1\0", 1250))
    assert (refused.status, refused.code) == (400, "event_refused")
    assert await tickets_of(house, 7) == []


async def test_an_agreed_total_may_be_in_the_metadata(open_house: OpenHouse) -> None:
    house, screening, (first, second, *_) = await opened(open_house)
    await house.user(7).reserve(screening, [first, second])
    paid = of(screening, first, second)
    await told(house, intent("pi_1", **paid, expected_total="24.99"), "refund_owed")
    await told(house, intent("pi_2", **paid, expected_total="25.00"), "booked")
    assert [(each["payment_id"], each["reason"]) for each in await refunds(house)] == [
        ("pi_1", "price_changed")
    ]


async def test_a_payment_that_cannot_be_used_is_owed(open_house: OpenHouse) -> None:
    house, screening, (first, second, *_) = await opened(open_house)
    user = house.user(7)
    await user.reserve(screening, [first, second])
    await user.cancel_reservations(screening)
    await house.user(8).book(screening, [first])
    paid = intent("pi_1", **of(screening, first, second))
    await told(house, paid, "refund_owed")
    await told(house, intent("pi_1", **of(screening, first, second)), "refund_owed")
    (refund,) = await refunds(house, "?status=owed")
    assert (refund["payment_id"], refund["amount"], refund["user_id"]) == ("pi_1", 25.0, 7)
    assert refund["vouched_by"] == "stripe"


async def test_a_refund_by_stripe_settles_what_is_owed(open_house: OpenHouse) -> None:
    house, screening, seats = await opened(open_house)
    user = house.user(7)
    await user.reserve(screening, seats[:3])
    await told(house, intent("pi_1", received=3750, **of(screening, *seats[:3])), "booked")
    first, second, third = [ticket["id"] for ticket in (await user.my_tickets()).json]
    await user.send("DELETE", f"{TICKETS}?ids={first},{second}")
    once = refunded("pi_1", 1250, reference="re_1")
    for outcome in ("refunded", "repeated"):
        await told(house, once, outcome)
    settled = await refunds(house, "?status=settled")
    assert [(each["amount"], each["reference"]) for each in settled] == [(12.5, "re_1")]
    await told(house, refunded("pi_1", 2500), "refunded")
    assert [each["reference"] for each in await refunds(house, "?status=settled")] == ["re_1", "ch_of_pi_1"]
    assert await refunds(house, "?status=owed") == []
    assert (await user.ticket(third)).json["status"] == "confirmed"


async def test_tickets_of_a_payment_that_was_refunded_as_a_whole_are_cancelled(open_house: OpenHouse) -> None:
    house, screening, (first, second, *_) = await opened(open_house)
    await house.user(7).reserve(screening, [first, second])
    await told(house, intent("pi_1", **of(screening, first, second)), "booked")
    await told(house, refunded("pi_1", 2500, whole=True, reference="re_1"), "refunded")
    assert {status for _, status, _ in await tickets_of(house, 7)} == {"cancelled"}
    settled = await refunds(house, "?status=settled")
    assert [(each["amount"], each["reference"]) for each in settled] == [(12.5, "re_1")] * 2
    assert (await house.user(8).book(screening, [first, second])).status == 201
    await told(house, refunded("pi_unknown", 100, whole=True), "refunded")


async def test_a_part_that_is_paid_back_before_the_ticket_is_cancelled_is_not_owed_again(
    open_house: OpenHouse,
) -> None:
    house, screening, seats = await opened(open_house)
    user = house.user(7)
    await user.reserve(screening, seats[:3])
    await told(house, intent("pi_1", received=3750, **of(screening, *seats[:3])), "booked")
    first, second, third = [ticket["id"] for ticket in (await user.my_tickets()).json]
    await told(house, refunded("pi_1", 1250, reference="re_1"), "refunded")
    assert await refunds(house) == []
    await house.restart()
    user = house.user(7)
    await user.cancel_ticket(first)
    await user.cancel_ticket(second)
    seen = {each["ticket_id"]: (each["status"], each["reference"]) for each in await refunds(house)}
    assert seen == {first: ("settled", "re_1"), second: ("owed", None)}
    await told(house, refunded("pi_1", 3750, reference="re_2"), "refunded")
    await user.cancel_ticket(third)
    seen = {each["ticket_id"]: (each["status"], each["reference"]) for each in await refunds(house)}
    assert seen == {first: ("settled", "re_1"), second: ("settled", "re_2"), third: ("settled", "re_2")}


async def test_refunds_that_are_told_out_of_order_count_the_largest_sum(open_house: OpenHouse) -> None:
    house, screening, (first, second, *_) = await opened(open_house)
    user = house.user(7)
    await user.reserve(screening, [first, second])
    await told(house, intent("pi_1", **of(screening, first, second)), "booked")
    await told(house, refunded("pi_1", 2000, reference="re_2"), "refunded")
    await told(house, refunded("pi_1", 500, reference="re_1"), "refunded")
    for ticket in (await user.my_tickets()).json:
        await user.cancel_ticket(ticket["id"])
    seen = [(each["status"], each["reference"]) for each in await refunds(house)]
    assert sorted(seen, key=str) == [("owed", None), ("settled", "re_2")]


async def test_a_cancellation_and_its_refund_may_come_at_once(open_house: OpenHouse) -> None:
    house, screening, seats = await opened(open_house)
    user = house.user(7)
    await user.reserve(screening, seats[:6])
    for number, seat in enumerate(seats[:6]):
        await told(house, intent(f"pi_{number}", received=1250, **of(screening, seat)), "booked")
    tickets = {ticket["payment_id"]: ticket["id"] for ticket in (await user.my_tickets()).json}
    await asyncio.gather(
        *[user.cancel_ticket(ticket) for ticket in tickets.values()],
        *[deliver(house.guest, refunded(payment_id, 1250, reference="re_1")) for payment_id in tickets],
    )
    assert len(await refunds(house, "?status=settled")) == 6


async def test_a_payment_that_was_refunded_before_it_is_told_books_nothing(open_house: OpenHouse) -> None:
    house, screening, (first, second, *_) = await opened(open_house)
    await house.user(7).reserve(screening, [first])
    (pending,) = (await house.user(7).book(screening, [second], payment_pending=True)).json
    for payment_id, paid in (("pi_1", of(screening, first)), ("pi_2", {"ticket_ids": pending["id"]})):
        await told(house, refunded(payment_id, 2500, whole=True), "refunded")
        await told(house, intent(payment_id, **paid), "refunded")
    assert await tickets_of(house, 7) == [(second, "pending", None)]
    assert await refunds(house, "?status=owed") == []


async def test_a_success_and_the_refund_of_everything_may_come_at_once(open_house: OpenHouse) -> None:
    house, screening, seats = await opened(open_house)
    await house.user(7).reserve(screening, seats[:6])

    async def told_at_last(sent: object) -> Response:
        """Send an event, and again while its booking is being written, as Stripe does."""
        while (answer := await deliver(house.guest, sent)).status == 409:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        return answer

    answers = await asyncio.gather(
        *[
            told_at_last(sent)
            for number, seat in enumerate(seats[:6])
            for sent in (
                intent(f"pi_{number}", received=1250, **of(screening, seat)),
                refunded(f"pi_{number}", 1250, whole=True),
            )
        ]
    )
    assert {answer.status for answer in answers} == {200}
    assert {status for _, status, _ in await tickets_of(house, 7)} <= {"cancelled"}
    assert await refunds(house, "?status=owed") == []


async def test_a_payment_that_only_the_buyer_has_named_before_it_was_refunded(open_house: OpenHouse) -> None:
    house, screening, (first, *_) = await opened(open_house)
    await house.user(7).book(screening, [first], payment_id="pi_1")
    await told(house, refunded("pi_1", 1250, whole=True, reference="re_1"), "refunded")
    assert await tickets_of(house, 7) == [(first, "cancelled", "pi_1")]
    assert [each["status"] for each in await refunds(house)] == ["owed"]
    await told(house, intent("pi_1", received=1250, **of(screening, first)), "refunded")
    assert [(each["status"], each["reference"]) for each in await refunds(house)] == [("settled", "re_1")]


async def test_a_success_that_is_told_after_the_refund_does_not_say_that_it_has_booked(
    open_house: OpenHouse,
) -> None:
    house, screening, (first, *_) = await opened(open_house)
    await house.user(7).reserve(screening, [first])
    for sent, outcome in (
        (intent("pi_1", **of(screening, first)), "booked"),
        (refunded("pi_1", 2500, whole=True), "refunded"),
        (intent("pi_1", **of(screening, first)), "refunded"),
    ):
        await told(house, sent, outcome)
    assert await tickets_of(house, 7) == [(first, "cancelled", "pi_1")]
    assert await refunds(house, "?status=owed") == []


async def test_a_refund_belongs_to_the_payment_that_is_vouched_for(open_house: OpenHouse) -> None:
    house, screening, (first, second, *_) = await opened(open_house)
    thief, victim = house.user(8), house.user(7)
    (stolen,) = (await thief.book(screening, [second], payment_id="pi_1")).json
    await victim.reserve(screening, [first])
    await told(house, intent("pi_1", received=1250, **of(screening, first)), "booked")
    (bought,) = (await victim.my_tickets()).json
    await thief.cancel_ticket(stolen["id"])
    await victim.cancel_ticket(bought["id"])
    for whole in (False, True):
        await told(house, refunded("pi_1", 1250, whole=whole, reference="re_1"), "refunded")
        assert [each["payment_id"] for each in await refunds(house, "?status=settled")] == ["vouched:pi_1"]
        assert [each["payment_id"] for each in await refunds(house, "?status=owed")] == ["pi_1"]


LAPSING = {"payments": "vouched", "payment_window_seconds": 1.0, "sweep_seconds": 0.1}


async def lapsed(house: House, ticket: int) -> None:
    """Wait until a pending ticket has lapsed."""
    for _ in range(600):
        if (await house.user(7).ticket(ticket)).json["status"] == "lapsed":
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the ticket has not lapsed within a minute")


class TestVouchedOnly:
    """With `FRONTROW_PAYMENTS=vouched` tickets are pending until a provider or a service has vouched."""

    async def test_at_book_and_book_from_reservation(self, open_house: OpenHouse) -> None:
        house, screening, (first, second, *_) = await opened(open_house, payments="vouched")
        user = house.user(7)
        await user.reserve(screening, [second])
        booked = await user.book(screening, [first], payment_id="pi_1")
        reserved = await user.book_reservation(screening, [second], "pi_2")
        for answer in (booked, reserved):
            assert answer.status == 201
            (ticket,) = answer.json
            assert (ticket["status"], ticket["confirmed_at"]) == ("pending", None)
            assert "payment_deadline" in ticket
        assert (await user.book_reservation(screening, [second], "pi_2")).json == reserved.json
        await told(house, intent("pi_1", **of(screening, first)), "booked")
        service = Caller(house.base_url, house.tokens.issue_to_service("payments", ttl_seconds=60))
        body = {"screening_id": screening, "seat_ids": [second], "payment_id": "pi_2", "user_id": 7}
        (confirmed,) = (await service.send("POST", f"{TICKETS}/book-from-reservation", body)).json
        assert confirmed["status"] == "confirmed"
        assert await tickets_of(house, 7) == [(first, "confirmed", "pi_1"), (second, "confirmed", "pi_2")]
        assert await vouchers(house) == {"pi_1": "stripe", "pi_2": "service"}

    async def test_at_confirm_payment(self, open_house: OpenHouse) -> None:
        house, screening, (first, *_) = await opened(open_house, payments="vouched")
        user = house.user(7)
        (ticket,) = (await user.book(screening, [first], payment_pending=True)).json
        for key in (None, "key-1", "key-1"):
            answer = await user.confirm_payment(ticket["id"], "pi_1", key=key)
            assert (answer.status, answer.json) == (200, ticket)
        service = Caller(house.base_url, house.tokens.issue_to_service("payments", ttl_seconds=60))
        body = {"payment_id": "pi_1", "user_id": 7}
        for _ in range(2):
            confirmed = await service.send("POST", f"{TICKETS}/{ticket['id']}/confirm-payment", body)
            assert (confirmed.status, confirmed.json["status"]) == (200, "confirmed")
        assert await vouchers(house) == {"pi_1": "service"}
        assert (await user.confirm_payment(ticket["id"], "pi_1")).json == confirmed.json

    async def test_at_purchases_of_reservations(self, open_house: OpenHouse) -> None:
        house, _, _ = await opened(open_house, payments="vouched")
        kind = await make_type(house, await make_event(house))
        guest = Guest(house, "guest-of-an-event", house.token(7))
        reservation = await guest.reserved(kind, 2)
        bought = data(await guest.purchase(reservation, ADA, BOB))["tickets"]
        assert [(ticket["status"], ticket["qrCode"], ticket["qrCodePng"]) for ticket in bought] == [
            ("PENDING", None, None)
        ] * 2
        assert all(ticket["paymentDeadline"] for ticket in bought)
        await told(house, intent("pi_1", received=100_000, reservation_ids=reservation), "booked")
        again = data(await guest.purchase(reservation, ADA, BOB))["tickets"]
        assert [ticket["id"] for ticket in again] == [ticket["id"] for ticket in bought]
        assert all(ticket["status"] == "CONFIRMED" and ticket["qrCode"] for ticket in again)
        assert await vouchers(house) == {"pi_1": "stripe"}

    async def test_not_for_what_costs_nothing_or_is_sold_by_hand(self, open_house: OpenHouse) -> None:
        house, screening, seats = await opened(open_house, payments="vouched")
        room = (await house.admin.send("GET", f"/api/v1/screenings/{screening}")).json["room_id"]
        free = await make_screening(house, room, 21, price=0)
        assert (await house.user(7).book(free, seats[:2])).json[0]["status"] == "confirmed"
        (pending,) = (await house.user(7).book(screening, seats[:1])).json
        path = f"{TICKETS}/{pending['id']}/status"
        assert (await house.admin.send("PUT", path, {"status": "confirmed"})).json["status"] == "confirmed"

    async def test_a_payment_that_comes_after_its_tickets_have_lapsed_is_owed(
        self, open_house: OpenHouse
    ) -> None:
        house, screening, (first, *_) = await opened(open_house, **LAPSING)
        (ticket,) = (await house.user(7).book(screening, [first], payment_id="pi_1")).json
        await lapsed(house, ticket["id"])
        await told(house, intent("pi_1", **of(screening, first)), "refund_owed")
        (refund,) = await refunds(house, "?status=owed")
        assert (refund["payment_id"], refund["amount"], refund["vouched_by"]) == ("pi_1", 12.5, "stripe")

    async def test_a_late_payment_gets_its_seats_again_only_if_somebody_vouches(
        self, open_house: OpenHouse
    ) -> None:
        house, screening, (first, *_) = await opened(open_house, late_payments="rebook", **LAPSING)
        user = house.user(7)
        (ticket,) = (await user.book(screening, [first], payment_pending=True)).json
        await lapsed(house, ticket["id"])
        for _ in range(2):
            assert (await user.confirm_payment(ticket["id"], "pi_1")).json["status"] == "lapsed"
        await told(house, intent("pi_1", received=1250, user_id=7, ticket_ids=ticket["id"]), "booked")
        assert await tickets_of(house, 7) == [(first, "confirmed", "pi_1"), (first, "lapsed", None)]
        assert await refunds(house) == []


async def test_by_default_buyers_confirm_as_the_guides_show(open_house: OpenHouse) -> None:
    house, screening, (first, *_) = await opened(open_house)
    (ticket,) = (await house.user(7).book(screening, [first], payment_pending=True)).json
    assert (await house.user(7).confirm_payment(ticket["id"], "pi_1")).json["status"] == "confirmed"
    assert await vouchers(house) == {"pi_1": None}
