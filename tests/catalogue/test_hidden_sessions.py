"""The session id of a guest is a secret: it lets its owner cancel tickets. Operators see an alias instead."""

import pytest

from tests.box_office import ADA, Guest, data, make_event, make_type
from tests.catalogue.conftest import OpenHouse
from tests.database import execute
from tests.house import House

pytestmark = pytest.mark.gen_test(timeout=120)

SESSION = "secret-session-of-a-guest"
MESSAGE = """
SELECT enqueue('mail', 'booking 1', '{"cause": "booked", "booking_id": 1, "actor": "session:%s"}')
"""


async def bought(house: House) -> list[dict[str, object]]:
    kind = await make_type(house, await make_event(house))
    guest = Guest(house, SESSION)
    return data(await guest.purchase(await guest.reserved(kind, 2), ADA, ADA))["tickets"]


async def test_operators_see_aliases(open_house: OpenHouse) -> None:
    house = await open_house(guest_purchase=True)
    tickets = await bought(house)
    (event,) = {row[0] for row in execute(house.database_url, "SELECT screening_id FROM tickets")}
    ids = [row[0] for row in execute(house.database_url, "SELECT id FROM tickets ORDER BY id")]
    assert len(ids) == len(tickets) == 2
    execute(
        house.database_url,
        "INSERT INTO payments (payment_id, holder, screening_id, created_at) VALUES ('pi_1', %s, %s, now())",
        f"session:{SESSION}",
        event,
    )
    execute(
        house.database_url,
        "INSERT INTO refunds (payment_id, screening_id, holder, amount, reason) "
        "VALUES ('pi_1', %s, %s, 5, 'ticket_cancelled')",
        event,
        f"session:{SESSION}",
    )
    execute(house.database_url, MESSAGE % SESSION)
    cancelled = await house.admin.send("PUT", f"/api/v1/tickets/{ids[0]}/status", {"status": "cancelled"})
    assert cancelled.status == 200, cancelled.body
    listed = await house.admin.send("GET", f"/api/v1/tickets/?screening_id={event}")
    owed = await house.admin.send("GET", f"/api/v1/admin/refunds?screening_id={event}&payment_id=pi_1")
    refund = owed.json[0]["id"]
    settled = await house.admin.send(
        "POST", f"/api/v1/admin/refunds/{refund}/settle", {"reference": "re_1", "confirm": True}
    )
    assert settled.status == 200, settled.body
    messages = await house.admin.send("GET", "/api/v1/admin/outbox")
    holders = {record["holder"] for record in [*listed.json, *owed.json, cancelled.json, settled.json]}
    (alias,) = holders
    assert alias.startswith("~")
    # The mail about the cancelled ticket names the administrator, as soon as it is written.
    actors = {entry["payload"].get("actor") for entry in messages.json}
    assert actors - {"user:1"} == {None, alias}
    export = await house.admin.send("GET", "/api/v1/tickets/export.csv")
    assert len(export.body.splitlines()) == 3
    history = await house.admin.send("GET", f"/api/v1/ops/screenings/{event}/events")
    for answer in (listed, owed, cancelled, settled, messages, export, history):
        assert SESSION not in answer.body.decode()
