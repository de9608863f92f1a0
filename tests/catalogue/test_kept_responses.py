"""Responses are stored in the transaction of the change, so a repeat after a crash changes nothing again.

Triggers note the transaction of every changed row.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from api.application import RESOURCES
from tests.acceptance.test_sticky_refusals import until
from tests.api.caller import Caller, Response
from tests.catalogue.people import open_accounts
from tests.catalogue.test_users import picture
from tests.database import connect, execute
from tests.durable_requests import ABOUT_PROVIDERS, RECIPES, Stage
from tests.house import House

pytestmark = pytest.mark.gen_test(timeout=180)

ADA, GRACE = 41, 42

DECIDED_BY_THE_ENGINE = {
    "cancel_ticket",
    "cancel_tickets",
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


HOLDS = {
    "reserve_seats",
    "reserve_best_seats",
    "extend_reservations",
    "toggle_seats",
    "cancel_reservations",
    "reserve_tickets",
    "cancel_ticket_reservation",
    "extend_ticket_reservation",
    "reserve_by_hand",
    "release_by_hand",
}
"""Written behind, and their responses with them."""

NO_ROWS_OF_THEIR_OWN = {
    "clean_up",
    "delete_account",
    "resend_ticket",
    "change_log_level",
    "test_webhook",
    "retry_webhook_delivery",
}
"""Operations that send something, or consist of changes that are stored one by one."""

SMALL_CHANGES = (
    "update_preferences",
    "upload_profile_picture",
    "update_profile_picture_url",
    "add_search",
    "delete_search",
    "clear_search_history",
    "add_favorite_cinema",
    "remove_favorite_cinema",
    "react_to_review",
    "describe_guest",
    "forget_guest",
    "replace_webhook",
    "update_webhook",
    "enable_webhook",
    "replay_webhook",
    "delete_webhook",
    "delete_channel",
    "retry_message",
)
"""Operations that need no durable request of `RECIPES`, in the order of `_small_changes`."""


Sending = Callable[..., Awaitable[Response]]
"""Sends a request with the `key` that it is called with."""


async def _small_changes(stage: Stage) -> AsyncIterator[Sending]:
    """Yield a request for each of `SMALL_CHANGES`; each must be sent before the next one."""
    house: Any = stage.site
    open_accounts(house, ADA, GRACE)
    ada, grace, admin, guest = house.user(ADA), house.user(GRACE), house.admin, house.guest
    me, history = "/api/v1/users/me", "/api/v1/users/me/search-history"
    yield partial(ada.send, "PUT", f"{me}/preferences", {"theme": "dark"})
    png = {"Content-Type": "image/png"}
    yield partial(ada.send, "PUT", f"{me}/profile-picture", raw=picture(), headers=png)
    yield partial(ada.send, "PUT", f"{me}/profile-picture-url", {"url": "https://pictures.example/ada.jpg"})
    yield partial(ada.send, "POST", history, {"query": "brass"})
    (search,) = (await ada.send("GET", history)).json
    yield partial(ada.send, "DELETE", f"{history}/{search['id']}")
    await ada.send("POST", history, {"query": "wind"})
    yield partial(ada.send, "DELETE", history)
    favorite = f"/api/v1/cinemas/{stage.cinema_id}/favorite"
    yield partial(ada.send, "POST", favorite)
    yield partial(ada.send, "DELETE", favorite)
    review = await grace.send("POST", f"/api/v1/movies/{stage.movie_id}/reviews", {"rating": 4})
    yield partial(ada.send, "POST", f"/api/v1/movies/reviews/{review.json['id']}/react", {"reaction": "like"})
    made = await guest.send("POST", "/api/public/guests", {})
    visitor = Caller(house.base_url, made.json["data"]["accessToken"])
    described = {"email": "ada@home.example", "fullName": "Ada Lovelace"}
    yield partial(visitor.send, "PUT", "/api/public/guests/me", described)
    yield partial(visitor.send, "DELETE", "/api/public/guests/me")
    webhooks = "/api/v1/admin/webhooks"
    webhook = await admin.send("POST", webhooks, {"url": "https://shop.example/"})
    path = f"{webhooks}/{webhook.json['id']}"
    execute(
        house.database_url,
        "INSERT INTO webhook_events (screening_id, epoch, seq, type, body)"
        " VALUES (1000, 1, 1, 'booking.created', '{}')",
    )
    yield partial(admin.send, "PUT", path, {"description": "Till"})
    yield partial(admin.send, "PATCH", path, {"description": "Shop", "enabled": False})
    yield partial(admin.send, "POST", f"{path}/enable")
    yield partial(admin.send, "POST", f"{path}/replay", {"from": 0})
    yield partial(admin.send, "DELETE", path)
    await admin.send("POST", "/api/v1/admin/channels", {"name": "partner", "code": "brass-and-thunder"})
    yield partial(admin.send, "DELETE", "/api/v1/admin/channels/partner")
    ((letter,),) = execute(
        house.database_url,
        "INSERT INTO outbox (kind, subject, payload, status, attempts, finished_at, error)"
        " VALUES ('mail', 'a', '{}', 'dead', 1, now(), 'refused') RETURNING id",
    )
    yield partial(admin.send, "POST", f"/api/v1/admin/outbox/{letter}/retry")


def test_every_operation_that_takes_a_key_is_known() -> None:
    keyed = {endpoint.name for resource in RESOURCES for endpoint in resource.endpoints if endpoint.keyed}
    assert keyed - ABOUT_PROVIDERS == {*RECIPES, *SMALL_CHANGES} | HOLDS | NO_ROWS_OF_THEIR_OWN


async def test_the_response_is_stored_in_the_transaction_of_the_change(house: House) -> None:
    stage = Stage(house, "together")
    await stage.build()
    recipes = [(operation, await recipe(stage)) for operation, recipe in RECIPES.items()]
    execute(house.database_url, NOTE_CHANGES)
    apart = set()

    async def send(operation: str, sending: Sending) -> None:
        first = await sending(key=operation)
        assert first.status < 300, (operation, first.body)
        if not execute(house.database_url, CHANGED_WITH_KEY, operation):
            apart.add(operation)

    for operation, request in recipes:
        await send(operation, request.send)
    remaining = iter(SMALL_CHANGES)
    async for sending in _small_changes(stage):
        await send(next(remaining), sending)
    assert list(remaining) == []
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
