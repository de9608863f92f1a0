"""Repeating a durable request returns the first response, both immediately and concurrently."""

import asyncio

import pytest

from tests.acceptance.test_sticky_refusals import until
from tests.api.caller import Response
from tests.database import connect, execute
from tests.durable_requests import RECIPES, DurableRequest, Stage, durable_endpoints
from tests.house import House

pytestmark = pytest.mark.gen_test(timeout=180)

DECIDED_BY_THE_ENGINE = {
    "cancel_ticket",
    "cancel_tickets",
    "move_ticket",
    "move_tickets",
    "update_ticket_status",
    "purchase_reservation",
    "join_waitlist",
    "leave_waitlist",
    "notify_when_free",
    "create_block",
    "release_block",
}
"""Their responses are stored after the journal has committed the change."""

DECIDED_ONE_BY_ONE = {"check_in_batch"}
"""Each scan of a batch has an id of its own for repeats."""

NOTE_CHANGES = """
CREATE TABLE noted (transaction xid8 DEFAULT pg_current_xact_id(), changed text, key text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO noted (changed, key) VALUES (TG_TABLE_NAME, to_jsonb(NEW) ->> 'key');
    RETURN NULL;
END
$$;
DO $$
DECLARE
    changed text;
BEGIN
    FOR changed IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'noted' LOOP
        EXECUTE format('CREATE TRIGGER noting AFTER INSERT OR UPDATE OR DELETE ON %I', changed)
            || ' FOR EACH ROW EXECUTE FUNCTION note()';
    END LOOP;
END
$$
"""

WAITING = """
SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
"""

CHANGED_WITH_KEY = """
SELECT DISTINCT changed FROM noted WHERE changed <> 'idempotency_keys' AND transaction IN (
    SELECT transaction FROM noted WHERE changed = 'idempotency_keys' AND key = %s
)
"""


def test_every_durable_operation_is_tried() -> None:
    assert sorted(RECIPES) == sorted(endpoint.name for endpoint in durable_endpoints())


async def _staged(house: House, name: str) -> list[tuple[str, DurableRequest]]:
    stage = Stage(house, name)
    await stage.build()
    return [(operation, await recipe(stage)) for operation, recipe in RECIPES.items()]


def _same(first: Response, again: Response) -> bool:
    return (first.status, first.body) == (again.status, again.body)


@pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "unkeyed"])
async def test_twice_in_a_row(house: House, keyed: bool) -> None:
    wrong = {}
    for operation, request in await _staged(house, "row"):
        if keyed or request.repeatable:
            key = operation if keyed else None
            first, again = await request.send(key), await request.send(key)
            assert first.status < 300, (operation, first.body)
            if not _same(first, again):
                wrong[operation] = (first, again)
    assert not wrong


@pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "unkeyed"])
async def test_many_at_once(house: House, keyed: bool) -> None:
    wrong = {}
    for operation, request in await _staged(house, "once"):
        if keyed or request.repeatable:
            key = operation if keyed else None
            answers = await asyncio.gather(*(request.send(key) for _ in range(4)))
            assert answers[0].status < 300, (operation, answers[0].body)
            if not all(_same(answers[0], answer) for answer in answers):
                wrong[operation] = [(answer.status, answer.body) for answer in answers]
    assert not wrong


async def test_the_response_is_stored_in_the_transaction_of_the_change(house: House) -> None:
    requests = await _staged(house, "together")
    execute(house.database_url, NOTE_CHANGES)
    apart = set()
    for operation, request in requests:
        first = await request.send(operation)
        assert first.status < 300, (operation, first.body)
        if not execute(house.database_url, CHANGED_WITH_KEY, operation):
            apart.add(operation)
    assert apart <= DECIDED_BY_THE_ENGINE | DECIDED_ONE_BY_ONE


async def test_a_change_is_taken_back_if_another_server_has_answered_meanwhile(house: House) -> None:
    cinemas = "/api/v1/cinemas/"
    dying = connect(house.database_url)
    with dying.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO idempotency_keys VALUES ('user:1', 'key', '', 201, '')")
        request = asyncio.ensure_future(house.admin.send("POST", cinemas, {"name": "Odeon"}, key="key"))
        await until(lambda: bool(execute(house.database_url, WAITING)))
        cursor.execute("COMMIT")
    dying.close()
    refused = await request
    assert (refused.status, refused.code) == (409, "idempotency_key_in_flight")
    assert refused.json["retryable"]
    assert (await house.guest.send("GET", cinemas)).json == []


async def test_a_ticket_that_is_cancelled_many_times_at_once(house: House) -> None:
    stage = Stage(house, "cancel")
    await stage.build()
    cancellations = [await RECIPES["cancel_ticket"](stage) for _ in range(20)]
    answers = await asyncio.gather(*(request.send() for request in cancellations for _ in range(8)))
    assert {answer.status for answer in answers} == {204}


async def test_with_a_restart_between(house: House) -> None:
    requests = await _staged(house, "restart")
    first = {operation: await request.send(operation) for operation, request in requests}
    await house.restart()
    wrong = {}
    for operation, request in requests:
        request.caller.base_url = house.base_url
        again = await request.send(operation)
        if not _same(first[operation], again):
            wrong[operation] = (first[operation], again)
    assert not wrong
