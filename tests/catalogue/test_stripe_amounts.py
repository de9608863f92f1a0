"""What Stripe has received is compared with the price: enough gets tickets, too little is owed."""

import logging

import pytest

from tests.catalogue.conftest import OpenHouse
from tests.catalogue.programme import make_screening
from tests.catalogue.test_stripe import of, opened, refunds, tickets_of, told, vouchers
from tests.house import House
from tests.stripe_events import deliver, intent, refunded

pytestmark = pytest.mark.gen_test


async def owed(house: House) -> list[tuple[str, float, str]]:
    found = await refunds(house, "?status=owed")
    return sorted((refund["payment_id"], refund["amount"], refund["reason"]) for refund in found)


@pytest.mark.parametrize("late_payments", ["refuse", "rebook"])
async def test_too_little_for_seats_is_owed_as_received(open_house: OpenHouse, late_payments: str) -> None:
    house, screening, (first, second, third, *_) = await opened(open_house, late_payments=late_payments)
    user = house.user(7)
    await user.reserve(screening, [first, second])
    for _ in range(2):
        await told(house, intent("pi_1", received=2499, **of(screening, first, second)), "refund_owed")
    agreed = of(screening, first, second) | {"expected_total": "25.00"}
    await told(house, intent("pi_2", received=1, **agreed), "refund_owed")
    await told(house, intent("pi_3", received=1000, **of(screening, third)), "refund_owed")
    assert await tickets_of(house, 7) == []
    short = [("pi_1", 24.99, "price_changed"), ("pi_2", 0.01, "price_changed")]
    reason = "not_held" if late_payments == "refuse" else "price_changed"
    assert await owed(house) == [*short, ("pi_3", 10.0, reason)]
    await told(house, intent("pi_4", **of(screening, first, second)), "booked")
    assert await tickets_of(house, 7) == [(first, "confirmed", "pi_4"), (second, "confirmed", "pi_4")]


async def test_too_little_for_pending_tickets_confirms_none_of_them(open_house: OpenHouse) -> None:
    house, screening, seats = await opened(open_house)
    pending = (await house.user(7).book(screening, seats[:2], payment_pending=True)).json
    ids = ",".join(str(ticket["id"]) for ticket in pending)
    for _ in range(2):
        await told(house, intent("pi_1", received=1500, user_id=7, ticket_ids=ids), "refund_owed")
    other = {"user_id": 7, "ticket_ids": ids, "expected_total": "20"}
    await told(house, intent("pi_2", received=2500, **other), "refund_owed")
    assert {status for _, status, _ in await tickets_of(house, 7)} == {"pending"}
    assert await owed(house) == [
        *[("pi_1", 2.5, "price_changed"), ("pi_1", 12.5, "price_changed")],
        *[("pi_2", 7.5, "price_changed"), ("pi_2", 12.5, "price_changed")],
    ]
    await told(house, intent("pi_3", received=2500, user_id=7, ticket_ids=ids), "booked")
    assert {status for _, status, _ in await tickets_of(house, 7)} == {"confirmed"}


async def test_too_little_for_tickets_that_the_buyer_has_named_the_payment_for(
    open_house: OpenHouse, caplog: pytest.LogCaptureFixture
) -> None:
    house, screening, (first, *_) = await opened(open_house, payments="vouched")
    assert (await house.user(7).book(screening, [first], payment_id="pi_1")).json[0]["status"] == "pending"
    await told(house, intent("pi_1", received=100, **of(screening, first)), "refund_owed")
    assert await tickets_of(house, 7) == [(first, "pending", "pi_1")]
    assert await owed(house) == [("pi_1", 1.0, "price_changed")]


async def test_a_buyers_word_for_too_little_is_logged(
    open_house: OpenHouse, caplog: pytest.LogCaptureFixture
) -> None:
    house, screening, (first, *_) = await opened(open_house)
    assert (await house.user(7).book(screening, [first], payment_id="pi_1")).status == 201
    with caplog.at_level(logging.ERROR, "frontrow.payments"):
        await told(house, intent("pi_1", received=100, **of(screening, first)), "already_used")
    assert "pi_1 over 1.00" in caplog.text
    assert await owed(house) == []


@pytest.mark.parametrize("late_payments", ["refuse", "rebook"])
async def test_more_than_the_price_gets_the_tickets_and_is_logged(
    open_house: OpenHouse, late_payments: str, caplog: pytest.LogCaptureFixture
) -> None:
    house, screening, (first, second, *_) = await opened(open_house, late_payments=late_payments)
    user = house.user(7)
    await user.reserve(screening, [first])
    if late_payments == "rebook":
        await user.cancel_reservations(screening)
    with caplog.at_level(logging.WARNING, "frontrow.payments"):
        await told(house, intent("pi_1", received=1399, **of(screening, first)), "booked")
    assert "pi_1 is 1.49 more" in caplog.text
    (pending,) = (await user.book(screening, [second], payment_pending=True)).json
    await told(house, intent("pi_2", received=1251, user_id=7, ticket_ids=pending["id"]), "booked")
    assert await tickets_of(house, 7) == [(first, "confirmed", "pi_1"), (second, "confirmed", "pi_2")]
    assert await owed(house) == []


async def test_another_currency_is_refused_and_logged(
    open_house: OpenHouse, caplog: pytest.LogCaptureFixture
) -> None:
    house, screening, (first, *_) = await opened(open_house)
    await house.user(7).reserve(screening, [first])
    with caplog.at_level(logging.ERROR, "frontrow.payments"):
        refused = await deliver(house.guest, intent("pi_1", currency="usd", **of(screening, first)))
    assert (refused.status, refused.code) == (422, "invalid_input")
    assert refused.json["errors"] == {"currency": ["Must be EUR, the currency of all prices."]}
    assert "pi_1 is in USD, but prices are in EUR" in caplog.text
    assert await tickets_of(house, 7) == []
    assert await vouchers(house) == {}
    for whole, status in ((False, 422), (True, 200)):
        paid_back = refunded("pi_1", 1250, whole=whole)
        paid_back["data"]["object"]["currency"] = "usd"
        assert (await deliver(house.guest, paid_back)).status == status


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
