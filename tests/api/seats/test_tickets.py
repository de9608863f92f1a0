"""Booking, paying for, reading and cancelling tickets, over HTTP."""

from collections.abc import Callable

import pytest

from engine.policy import Policy
from tests.api.caller import TICKETS, Caller, Response
from tests.api.venue import OTHER_SCREENING, PAST_SCREENING, SCREENING, Venue

pytestmark = pytest.mark.gen_test


async def test_the_response_to_a_booking_matches_the_guide(venue: Venue) -> None:
    response = await venue.user(7).book(SCREENING, [42, 43], payment_id="stripe_pi_1234567890")
    assert response.status == 201
    assert response.json == [
        {
            "id": 2001 + n,
            "booking_id": 2001,
            "user_id": 7,
            "screening_id": SCREENING,
            "seat_id": 42 + n,
            "price": 15.99,
            "status": "confirmed",
            "booked_at": "2027-01-15T08:00:00.000Z",
            "confirmed_at": "2027-01-15T08:00:00.000Z",
            "payment_id": "stripe_pi_1234567890",
        }
        for n in range(2)
    ]


async def test_a_booking_without_a_payment_is_confirmed_too(venue: Venue) -> None:
    tickets = (await venue.user(7).book(SCREENING, [42])).json
    assert [(ticket["status"], ticket["payment_id"]) for ticket in tickets] == [("confirmed", None)]


async def test_seats_are_sold_once(venue: Venue) -> None:
    await venue.user(8).book(SCREENING, [42])
    response = await venue.user(7).book(SCREENING, [42])
    assert (response.status, response.json["detail"]) == (409, "Seats [42] are already booked")


async def test_repeating_a_payment_returns_the_same_tickets(venue: Venue) -> None:
    user = venue.user(7)
    await user.reserve(SCREENING, [42, 43])
    first = await user.book_reservation(SCREENING, [42, 43], "pi_1")
    again = await user.book_reservation(SCREENING, [42, 43], "pi_1")
    assert (first.status, again.status) == (201, 201)
    assert first.body == again.body


async def test_a_payment_pays_for_one_booking(venue: Venue) -> None:
    user, other = venue.user(7), venue.user(8)
    await user.reserve(SCREENING, [42, 43])
    await user.book_reservation(SCREENING, [42], "pi_1")
    await other.reserve(SCREENING, [44])
    for response in (
        await user.book_reservation(SCREENING, [43], "pi_1"),
        await other.book_reservation(SCREENING, [44], "pi_1"),
    ):
        assert (response.status, response.code) == (409, "payment_already_used")


async def test_book_from_reservation_requires_reserved_seats(venue: Venue) -> None:
    response = await venue.user(7).book_reservation(SCREENING, [42], "pi_1")
    assert (response.status, response.code, response.json["reason"]) == (409, "refund_required", "not_held")


async def test_a_late_payment_is_refunded_even_if_the_seats_are_available(venue: Venue) -> None:
    user = venue.user(7)
    await user.reserve(SCREENING, [42])
    venue.clock.advance(301)
    response = await user.book_reservation(SCREENING, [42], "pi_1")
    assert (response.status, response.json) == (
        409,
        {
            "detail": "The payment cannot be used and will be refunded",
            "code": "refund_required",
            "retryable": False,
            "reason": "not_held",
            "amount": 15.99,
            "currency": None,
            "refund_id": 1,
            "held": [],
            "booked": [],
        },
    )
    assert (await user.book_reservation(SCREENING, [42], "pi_1")).body == response.body


async def test_a_late_payment_for_lost_seats_requires_a_refund(venue: Venue) -> None:
    user = venue.user(7)
    await user.reserve(SCREENING, [42])
    venue.clock.advance(301)
    await venue.user(8).reserve(SCREENING, [42])
    response = await user.book_reservation(SCREENING, [42], "pi_1")
    assert (response.status, response.code, response.json["held"]) == (409, "refund_required", [42])


async def test_pending_tickets_wait_for_their_payment(venue: Venue) -> None:
    user = venue.user(7)
    (ticket,) = (await user.book(SCREENING, [42], payment_pending=True)).json
    assert (ticket["status"], ticket["confirmed_at"]) == ("pending", None)
    assert ticket["payment_deadline"] == "2027-01-15T08:15:00.000Z"
    confirmed = await user.confirm_payment(ticket["id"], "pi_1")
    assert confirmed.status == 200
    assert (confirmed.json["id"], confirmed.json["status"]) == (ticket["id"], "confirmed")
    assert "payment_deadline" not in confirmed.json
    assert (await user.confirm_payment(ticket["id"], "pi_1")).body == confirmed.body, "idempotent"
    other = await user.confirm_payment(ticket["id"], "pi_2")
    assert (other.status, other.code, other.json["reason"]) == (409, "refund_required", "ticket_not_pending")


async def test_unpaid_tickets_lapse(venue: Venue) -> None:
    user = venue.user(7)
    (ticket,) = (await user.book(SCREENING, [42], payment_pending=True)).json
    venue.clock.advance(901)
    assert (await user.ticket(ticket["id"])).json["status"] == "lapsed"
    assert (await venue.user(8).reserve(SCREENING, [42])).status == 201
    assert (await user.confirm_payment(ticket["id"], "pi_1")).code == "refund_required"


async def test_a_payment_after_the_start_confirms_nothing(
    open_venue: Callable[..., Venue],
) -> None:
    venue = open_venue(policy=Policy(payment_window_seconds=2 * 86_400))
    user = venue.user(7)
    paid, unpaid = (await user.book(SCREENING, [42, 43], payment_pending=True)).json
    confirmed = await user.confirm_payment(paid["id"], "pi_1")
    venue.clock.advance(86_400)
    user = venue.user(7)
    late = await user.confirm_payment(unpaid["id"], "pi_1")
    assert (late.status, late.code, late.json["reason"]) == (409, "refund_required", "screening_started")
    assert (await user.ticket(unpaid["id"])).json["status"] == "pending"
    assert (await user.confirm_payment(paid["id"], "pi_1")).body == confirmed.body, "a repeat changes nothing"


async def test_my_tickets_lists_ones_own_tickets(venue: Venue) -> None:
    user = venue.user(7)
    booked = (await user.book(SCREENING, [42, 43])).json
    await venue.user(8).book(SCREENING, [44])
    response = await user.my_tickets()
    assert [ticket | sold for ticket, sold in zip(response.json, booked[::-1], strict=True)] == response.json
    assert response.headers["X-Total-Count"] == "2"
    assert (await user.my_tickets("?page=2&size=1")).json == response.json[1:]


async def test_tickets_are_only_visible_to_their_owner(venue: Venue) -> None:
    user, other = venue.user(7), venue.user(8)
    (ticket,) = (await user.book(SCREENING, [42], payment_pending=True)).json
    shown = (await user.ticket(ticket["id"])).json
    assert shown == shown | ticket
    missing = await other.ticket(4711)
    for response in (
        await other.ticket(ticket["id"]),
        await other.cancel_ticket(ticket["id"]),
        await other.confirm_payment(ticket["id"], "pi_1"),
        await venue.user(9, admin=True).ticket(ticket["id"]),
    ):
        assert (response.status, response.code) == (404, "ticket_not_found")
        assert response.body == missing.body.replace(b"4711", str(ticket["id"]).encode())
    assert (await user.ticket(ticket["id"])).json["status"] == "pending"


async def test_cancelling_frees_the_seat_and_is_idempotent(venue: Venue) -> None:
    user = venue.user(7)
    (ticket,) = (await user.book(SCREENING, [42])).json
    for _ in range(2):
        response = await user.cancel_ticket(ticket["id"])
        assert (response.status, response.body) == (204, b"")
    assert (await user.ticket(ticket["id"])).json["status"] == "cancelled"
    assert (await venue.user(8).book(SCREENING, [42])).status == 201


async def test_tickets_cannot_be_cancelled_after_the_start(venue: Venue) -> None:
    user = venue.user(7)
    (ticket,) = (await user.book(SCREENING, [42])).json
    venue.clock.advance(86_401)
    venue.tokens.issue(7, ttl_seconds=3600)
    response = await venue.user(7).cancel_ticket(ticket["id"])
    assert (response.status, response.code) == (400, "screening_started")
    assert (await venue.user(7).book(PAST_SCREENING, [42])).status == 400


async def test_ids_beyond_64_bits_are_not_found(venue: Venue) -> None:
    for ticket_id in (2**63 - 1, 2**63, 10**30):
        assert (await venue.user(7).send("GET", f"{TICKETS}/{ticket_id}")).status == 404


async def cancel_all(user: Caller, *tickets: int, query: str = "") -> Response:
    ids = ",".join(map(str, tickets))
    return await user.send("DELETE", f"{TICKETS}?ids={ids}{query}")


async def statuses(user: Caller) -> dict[int, str]:
    return {ticket["seat_id"]: ticket["status"] for ticket in (await user.my_tickets()).json}


async def test_a_part_of_an_order_is_cancelled_in_one_step(venue: Venue) -> None:
    user = venue.user(7)
    first, second, _ = [ticket["id"] for ticket in (await user.book(SCREENING, [42, 43, 44])).json]
    written = len(venue.database.events)
    for _ in range(2):
        assert (await cancel_all(user, first, second, first)).status == 204
        assert await statuses(user) == {42: "cancelled", 43: "cancelled", 44: "confirmed"}
    assert len(venue.database.events) == written + 1
    assert (await venue.user(8).book(SCREENING, [42, 43])).status == 201


async def test_tickets_that_are_cancelled_already_stay_so(venue: Venue) -> None:
    user = venue.user(7)
    ids = [ticket["id"] for ticket in (await user.book(SCREENING, [42, 43, 44])).json]
    await user.cancel_ticket(ids[0])
    assert (await cancel_all(user, *ids)).status == 204
    assert set((await statuses(user)).values()) == {"cancelled"}


async def test_none_is_cancelled_if_one_cannot_be(venue: Venue) -> None:
    user, other = venue.user(7), venue.user(8)
    own = [ticket["id"] for ticket in (await user.book(SCREENING, [42, 43])).json]
    (foreign,) = [ticket["id"] for ticket in (await other.book(SCREENING, [44])).json]
    (elsewhere,) = [ticket["id"] for ticket in (await user.book(OTHER_SCREENING, [42])).json]
    for ids, status, code in (
        ((*own, foreign), 404, "ticket_not_found"),
        ((*own, 999_999), 404, "ticket_not_found"),
        ((*own, elsewhere), 422, "invalid_input"),
    ):
        refused = await cancel_all(user, *ids)
        assert (refused.status, refused.code) == (status, code)
    assert "several screenings" in refused.json["errors"]["ids"][0]
    assert set((await statuses(user)).values()) == {"confirmed"}
    assert await statuses(other) == {44: "confirmed"}


@pytest.mark.parametrize("query", ["", "?ids=", "?ids=1,x", "?ids=0", "?id=1", "?ids=" + "1," * 100 + "1"])
async def test_the_tickets_to_cancel_are_named_by_ids(venue: Venue, query: str) -> None:
    refused = await venue.user(7).send("DELETE", f"{TICKETS}{query}")
    assert (refused.status, refused.code) == (422, "invalid_input")


async def test_the_tickets_of_a_past_screening_cannot_be_cancelled(venue: Venue) -> None:
    user = venue.user(7)
    ids = [ticket["id"] for ticket in (await user.book(SCREENING, [42, 43])).json]
    venue.clock.advance(86_400)
    refused = await cancel_all(venue.user(7), *ids)
    assert (refused.status, refused.code) == (400, "screening_started")


async def test_a_service_cancels_a_part_of_an_order(venue: Venue) -> None:
    service = Caller(venue.base_url, venue.tokens.issue_to_service("payments", ttl_seconds=60))
    user = venue.user(7)
    first, second, third = [ticket["id"] for ticket in (await user.book(SCREENING, [42, 43, 44])).json]
    assert (await cancel_all(service, first, query="&user_id=8")).status == 404
    assert (await cancel_all(service, first, query="&user_id=7")).status == 204
    assert (await cancel_all(service, second, third)).status == 204
    assert set((await statuses(user)).values()) == {"cancelled"}
