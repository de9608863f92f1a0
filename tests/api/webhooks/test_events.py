"""Which events are sent, with what, and in which order."""

import pytest

from tests.api.webhooks.conftest import Integration
from tests.catalogue.programme import hour

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
    assert message["timestamp"].endswith("Z")
    details = dict(message["data"])
    assert details.pop("epoch") >= 1
    assert details.pop("seq") >= 1
    assert details == {
        "screening_id": integration.screening_id,
        "booking_id": tickets[0]["id"],
        "status": "confirmed",
        "payment_id": "pay-1",
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
    assert change["starts_at"] == hour(19).replace(".000Z", "Z")
    assert receiver.of("booking.created")[0].data["status"] == "pending"
    (owed, *_) = receiver.of("refund.owed")
    assert (owed.data["payment_id"], owed.data["amount"]) == ("pay-2", 12.5)
