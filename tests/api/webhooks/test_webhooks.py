"""Administration of webhooks."""

import asyncio

import pytest

from api.application import RESOURCES
from api.rest.endpoint import Access
from api.webhooks.shapes import EVENT_TYPES
from persistence.webhooks import WEBHOOKS_LIMIT
from tests.api.webhooks.conftest import WEBHOOKS, Integration
from tests.api.webhooks.receiver import Got
from tests.database import execute

pytestmark = pytest.mark.gen_test(timeout=120)

ROUNDS = 10

OPERATIONS = [endpoint for one in RESOURCES if one.prefix.startswith(WEBHOOKS) for endpoint in one.endpoints]


async def test_only_administrators_may_use_any_of_it(integration: Integration) -> None:
    assert {endpoint.access for endpoint in OPERATIONS} == {Access.ADMIN}
    webhook = await integration.add()
    for endpoint in OPERATIONS:
        path = endpoint.path.format(webhook_id=webhook["id"], position=1)
        anonymous = await integration.house.guest.send(endpoint.method, path, {})
        customer = await integration.house.user().send(endpoint.method, path, {})
        assert (anonymous.status, anonymous.code) == (401, "not_authenticated"), path
        assert (customer.status, customer.code) == (403, "admin_required"), path


async def test_the_secret_is_shown_once_and_stored_encrypted(integration: Integration) -> None:
    made = await integration.add()
    assert made["secret"].startswith("whsec_")
    assert set(made["events"]) == set(EVENT_TYPES)
    shown = await integration.show(made)
    assert "secret" not in shown
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    (listed,) = (await integration.send("GET")).json
    assert listed == shown
    ((stored,),) = execute(integration.house.database_url, "SELECT secret FROM webhooks")
    assert made["secret"].encode() not in bytes(stored)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": "https://user:pass@shop.example/"}, "url"),
        ({"url": "http://169.254.169.254/latest/"}, "url"),
        ({"url": "https://shop.example:22/"}, "url"),
        ({"url": "https://shop.example/", "events": []}, "events"),
        ({"url": "https://shop.example/", "events": ["booking.imagined"]}, "events"),
        ({"url": "https://shop.example/", "secret": "whsec_mine"}, "secret"),
    ],
)
async def test_unusable_webhooks_are_refused_by_field(
    integration: Integration, body: object, field: str
) -> None:
    refused = await integration.send("POST", "", body)
    assert refused.status == 422, refused.body
    assert list(refused.json["errors"]) == [field]


async def test_changing_and_deleting(integration: Integration) -> None:
    webhook = await integration.add("booking.created")
    path = f"/{webhook['id']}"
    changed = await integration.send("PATCH", path, {"events": ["hold.expired"], "description": "Till"})
    assert (changed.json["events"], changed.json["description"]) == (["hold.expired"], "Till")
    changed = await integration.send("PUT", path, {"url": "https://shop.example/new"})
    assert (changed.json["url"], changed.json["events"]) == ("https://shop.example/new", ["hold.expired"])
    stopped = await integration.send("PATCH", path, {"enabled": False})
    assert stopped.json["disabled_because"] == "An administrator has disabled it."
    started = await integration.send("PATCH", path, {"enabled": True})
    assert (started.json["disabled_at"], started.json["disabled_because"]) == (None, None)
    assert (await integration.send("PATCH", path, {"url": "http://10.0.0.1:22/"})).status == 422
    assert (await integration.send("DELETE", path)).status == 204
    for method, below, body in (
        ("GET", "", None),
        ("DELETE", "", None),
        ("PATCH", "", {"enabled": True}),
        ("POST", "/enable", None),
        ("POST", "/rotate-secret", None),
        ("POST", "/test", None),
        ("POST", "/replay", {"from": 0}),
        ("GET", "/deliveries", None),
        ("POST", "/deliveries/1/retry", None),
    ):
        gone = await integration.send(method, path + below, body)
        assert (gone.status, gone.code) == (404, "webhook_not_found"), below


async def test_replays_at_the_same_time_as_the_deletion(integration: Integration) -> None:
    url = integration.house.database_url
    execute(
        url,
        "INSERT INTO webhook_events (screening_id, epoch, seq, type, body)"
        " SELECT 1000 + screening, 1, 1, 'booking.created', '{}' FROM generate_series(1, 60) AS screening",
    )
    answers = []
    for _ in range(ROUNDS):
        path = f"/{(await integration.add('booking.created'))['id']}"
        replay = ("POST", f"{path}/replay", {"from": 0})
        wanted = (replay, replay, ("DELETE", path, None), replay, ("POST", f"{path}/enable", None), replay)
        answers += await asyncio.gather(*(integration.send(*each) for each in wanted))
    assert {answer.status for answer in answers} <= {200, 202, 204, 404}
    assert sum(answer.status == 204 for answer in answers) == ROUNDS
    assert execute(url, "SELECT 1 FROM webhook_lanes") == []


async def test_there_is_a_limit(integration: Integration) -> None:
    made = await asyncio.gather(
        *(integration.send("POST", "", {"url": integration.receiver.url}) for _ in range(3))
    )
    assert {answer.status for answer in made} == {201}
    execute(
        integration.house.database_url,
        "INSERT INTO webhooks (url, events, secret) SELECT 'https://a.example/', '{hold.expired}', '' "
        "FROM generate_series(1, %s)",
        WEBHOOKS_LIMIT - 3,
    )
    refused = await integration.send("POST", "", {"url": integration.receiver.url})
    assert (refused.status, refused.code) == (409, "webhook_limit_reached")


async def test_a_test_event_is_sent_at_once_even_to_a_disabled_webhook(integration: Integration) -> None:
    webhook = await integration.add("booking.created")
    path = f"/{webhook['id']}"
    await integration.send("PATCH", path, {"enabled": False})
    sent = await integration.send("POST", f"{path}/test")
    assert (sent.status, sent.json["delivered"], sent.json["status"]) == (200, True, 204)
    (got,) = integration.receiver.got
    assert got.verified_with(webhook["secret"])["type"] == "webhook.test"
    assert got.id == sent.json["message_id"]
    integration.receiver.respond = lambda got: 500
    failed = (await integration.send("POST", f"{path}/test")).json
    assert (failed["delivered"], failed["status"], failed["error"]) == (False, 500, "Status 500")
    assert [one["status"] for one in await integration.deliveries(webhook)] == ["dead", "delivered"]


async def test_a_test_and_a_retry_wait_for_a_slow_receiver(integration: Integration) -> None:
    webhook = await integration.add("booking.created")
    await integration.house.restart(ask_timeout_seconds=0.5)

    async def slowly(got: Got) -> None:
        await asyncio.sleep(0.8)

    integration.receiver.before = slowly
    sent = await integration.send("POST", f"/{webhook['id']}/test")
    assert (sent.status, sent.json["delivered"]) == (200, True), sent.body
    assert sent.json["duration_ms"] >= 790
    again = await integration.send("POST", f"/{webhook['id']}/deliveries/{sent.json['position']}/retry")
    assert (again.status, again.json["message_id"]) == (200, sent.json["message_id"]), again.body


@pytest.mark.parametrize("retry", [False, True], ids=["test", "retry"])
async def test_410_to_an_event_out_of_turn_disables_at_once(integration: Integration, retry: bool) -> None:
    webhook = await integration.add("booking.created")
    path = f"/{webhook['id']}"
    sent = await integration.send("POST", f"{path}/test")
    integration.receiver.respond = lambda got: 410
    below = f"/deliveries/{sent.json['position']}/retry" if retry else "/test"
    gone = await integration.send("POST", path + below)
    assert (gone.status, gone.json["delivered"], gone.json["status"]) == (200, False, 410)
    shown = await integration.show(webhook)
    assert shown["disabled_at"] is not None
    assert shown["disabled_because"] == f"Status 410, at {gone.json['at']}"


async def test_old_and_new_secrets_sign_after_a_rotation(integration: Integration) -> None:
    webhook = await integration.add("booking.created")
    rotated = await integration.send("POST", f"/{webhook['id']}/rotate-secret")
    assert rotated.status == 200
    assert rotated.json["old_secret_until"] is not None
    assert rotated.json["secret"] != webhook["secret"]
    await integration.send("POST", f"/{webhook['id']}/test")
    (got,) = integration.receiver.got
    assert len(got.headers["webhook-signature"].split(" ")) == 2
    assert got.verified_with(webhook["secret"]) == got.verified_with(rotated.json["secret"])
    execute(integration.house.database_url, "UPDATE webhooks SET old_secret_until = now()")
    await integration.send("POST", f"/{webhook['id']}/test")
    assert len(integration.receiver.got[-1].headers["webhook-signature"].split(" ")) == 1


async def test_the_log_is_paged(integration: Integration) -> None:
    webhook = await integration.add("booking.created")
    for _ in range(5):
        await integration.send("POST", f"/{webhook['id']}/test")
    path = f"/{webhook['id']}/deliveries?size=2"
    first = await integration.send("GET", path)
    assert first.headers["X-Total-Count"] == "5"
    second = await integration.send("GET", f"{path}&cursor={first.headers['X-Next-Cursor']}")
    by_number = await integration.send("GET", f"{path}&page=2")
    assert second.json == by_number.json
    positions = [entry["position"] for entry in first.json + second.json]
    assert positions == sorted(positions, reverse=True)
    assert len(set(positions)) == 4
