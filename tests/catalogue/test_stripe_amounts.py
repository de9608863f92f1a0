"""Amounts received by Stripe are compared with the price: enough gets tickets, too little is owed."""

import logging

import pytest

from tests.catalogue.conftest import OpenHouse
from tests.catalogue.programme import make_screening
from tests.catalogue.test_stripe import LAPSING, lapsed, of, opened, refunds, tickets_of, told
from tests.database import execute
from tests.house import House
from tests.stripe_events import intent, refunded

pytestmark = pytest.mark.gen_test


async def owed(house: House) -> list[tuple[str, float, str]]:
    found = await refunds(house, "?status=owed")
    return sorted((refund["payment_id"], refund["amount"], refund["reason"]) for refund in found)


@pytest.mark.parametrize("late_payments", ["refuse", "rebook"])
async def test_more_than_the_price_gets_the_tickets_and_owes_the_rest(
    open_house: OpenHouse, late_payments: str
) -> None:
    house, screening, (first, second, *_) = await opened(open_house, late_payments=late_payments)
    user = house.user(7)
    await user.reserve(screening, [first])
    if late_payments == "rebook":
        await user.cancel_reservations(screening)
    paid = of(screening, first)
    for _ in range(2):  # Stripe may send the same success as another event.
        await told(house, intent("pi_1", received=1399, **paid), "booked")
    (pending,) = (await user.book(screening, [second], payment_pending=True)).json
    with_drink = intent("pi_2", received=1550, user_id=7, ticket_ids=pending["id"], other_total="3.00")
    await told(house, with_drink, "booked")
    assert await tickets_of(house, 7) == [(first, "confirmed", "pi_1"), (second, "confirmed", "pi_2")]
    (refund,) = await refunds(house, "?status=owed")
    assert (refund["payment_id"], refund["amount"], refund["reason"]) == ("pi_1", 1.49, "surplus")
    assert refund["booking_id"] is not None
    await told(house, refunded("pi_1", 149, reference="re_1"), "refunded")
    (settled,) = await refunds(house, "?status=settled")
    assert (settled["id"], settled["reference"]) == (refund["id"], "re_1")
    # The tickets owe their own price, and no more.
    (first_ticket, *_) = [one["id"] for one in (await user.my_tickets()).json if one["payment_id"] == "pi_1"]
    assert (await user.cancel_ticket(first_ticket)).status == 204
    assert await owed(house) == [("pi_1", 12.5, "ticket_cancelled")]


async def test_the_surplus_is_owed_from_the_booking_transaction_on(open_house: OpenHouse) -> None:
    house, screening, seats = await opened(open_house)
    user = house.user(7)
    await user.reserve(screening, seats[:2])
    await told(house, intent("pi_held", received=2600, **of(screening, *seats[:2])), "booked")
    pending = (await user.book(screening, seats[2:4], payment_pending=True)).json
    ids = ",".join(str(ticket["id"]) for ticket in pending)
    await told(house, intent("pi_pending", received=2700, user_id=7, ticket_ids=ids), "booked")
    written = execute(
        house.database_url,
        """
        SELECT payment_id, (amount * 100)::integer, cardinality(refunds.seat_ids),
               refunds.xmin::text = ALL (SELECT xmin::text FROM tickets WHERE payment_id = refunds.payment_id)
        FROM refunds ORDER BY id
        """,
    )
    assert written == [("pi_held", 100, 2, True), ("pi_pending", 200, 2, True)]


async def test_the_surplus_is_owed_with_the_last_ticket_that_is_booked_again(open_house: OpenHouse) -> None:
    house, screening, seats = await opened(open_house, late_payments="rebook", **LAPSING)
    pending = (await house.user(7).book(screening, seats[:3], payment_pending=True)).json
    for ticket in pending:
        await lapsed(house, ticket["id"])
    ids = ",".join(str(ticket["id"]) for ticket in pending)
    for _ in range(2):
        await told(house, intent("pi_late", received=4000, user_id=7, ticket_ids=ids), "booked")
    assert await owed(house) == [("pi_late", 2.5, "surplus")]
    last = """
        SELECT refunds.xmin::text = tickets.xmin::text
        FROM refunds JOIN tickets USING (payment_id) ORDER BY tickets.id DESC LIMIT 1
    """
    assert execute(house.database_url, last) == [(True,)]


async def test_the_surplus_is_owed_once_if_the_buyer_was_first(open_house: OpenHouse) -> None:
    house, screening, (first, second, third, *_) = await opened(open_house)
    user = house.user(7)
    assert (await user.book(screening, [first], payment_id="pi_1")).status == 201
    for _ in range(2):
        await told(house, intent("pi_1", received=1399, **of(screening, first)), "booked")
    both = (await user.book(screening, [second, third], payment_pending=True)).json
    assert (await user.confirm_payment(both[0]["id"], "pi_2")).status == 200
    ids = ",".join(str(ticket["id"]) for ticket in both)
    for _ in range(2):
        await told(house, intent("pi_2", received=2600, user_id=7, ticket_ids=ids), "booked")
    assert await owed(house) == [("pi_1", 1.49, "surplus"), ("pi_2", 1.0, "surplus")]


async def test_money_in_another_currency_is_owed(open_house: OpenHouse) -> None:
    house, screening, (first, *_) = await opened(open_house)
    user = house.user(7)
    await user.reserve(screening, [first])
    await told(house, intent("pi_1", received=1250, currency="usd", **of(screening, first)), "refund_owed")
    assert await tickets_of(house, 7) == []
    (refund,) = await refunds(house, "?status=owed")
    assert (refund["amount"], refund["currency"], refund["reason"]) == (12.5, "USD", "currency_mismatch")
    again = await user.book_reservation(screening, [first], "pi_1")
    assert (again.status, again.code, again.json["refund_id"]) == (409, "refund_required", refund["id"])
    assert (again.json["currency"], again.json["reason"]) == ("USD", "currency_mismatch")
    (own,) = (await user.send("GET", "/api/v1/refunds/me")).json
    assert (own["currency"], own["place"]) == ("USD", "Row A, seat 1")
    paid_back = refunded("pi_1", 1250, reference="re_1")
    paid_back["data"]["object"]["currency"] = "usd"
    await told(house, paid_back, "refunded")
    assert [one["id"] for one in await refunds(house, "?status=settled")] == [refund["id"]]


async def test_a_buyers_word_for_another_currency_keeps_the_tickets(
    open_house: OpenHouse, caplog: pytest.LogCaptureFixture
) -> None:
    house, screening, (first, *_) = await opened(open_house)
    assert (await house.user(7).book(screening, [first], payment_id="pi_1")).status == 201
    with caplog.at_level(logging.ERROR, "frontrow.payments"):
        await told(house, intent("pi_1", currency="usd", **of(screening, first)), "already_used")
    assert "pi_1 in USD" in caplog.text
    assert await owed(house) == []


@pytest.mark.parametrize(
    ("currency", "one_hundred"), [("JPY", 100), ("UGX", 10_000), ("RSD", 10_000), ("KWD", 100_000)]
)
async def test_amounts_are_in_the_unit_in_which_stripe_counts(
    open_house: OpenHouse, currency: str, one_hundred: int
) -> None:
    house, cheap, (first, second, *_) = await opened(open_house, currency=currency)
    room = (await house.admin.send("GET", f"/api/v1/screenings/{cheap}")).json["room_id"]
    screening = await make_screening(house, room, 21, price=100)
    code = currency.lower()
    await house.user(7).reserve(screening, [first, second])
    too_little = intent("pi_1", received=one_hundred - 1, currency=code, **of(screening, first))
    await told(house, too_little, "refund_owed")
    await told(house, intent("pi_2", received=one_hundred, currency=code, **of(screening, first)), "booked")
    both = intent("pi_3", received=2 * one_hundred, currency=code, **of(screening, second))
    await told(house, both, "booked")
    for ticket in (await house.user(7).my_tickets()).json:
        await house.user(7).cancel_ticket(ticket["id"])
    paid_back = refunded("pi_2", one_hundred)
    paid_back["data"]["object"]["currency"] = code
    await told(house, paid_back, "refunded")
    settled = await refunds(house, "?status=settled")
    assert [(refund["payment_id"], refund["amount"]) for refund in settled] == [("pi_2", 100.0)]
