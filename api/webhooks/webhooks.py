"""`/api/v1/admin/webhooks`: administration of webhooks and the log of their deliveries."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from api.errors import InvalidInput
from api.rest.endpoint import Access, Answer, Call, Document, Resource, dump, dump_all
from api.rest.paging import PAGING_HEADERS, Page, Window, cut, paged
from api.webhooks.addresses import SEND_SECONDS, UnusableUrl, checked_url
from api.webhooks.shapes import (
    EVENT_TYPES,
    Delivery,
    DeliveryList,
    Replay,
    Replayed,
    Sent,
    WebhookChanges,
    WebhookDetails,
    WebhookSecret,
    WebhookView,
)
from api.webhooks.signatures import SECRET_CONTEXT, new_secret
from engine.catalogue_errors import WebhookLimitReached
from engine.errors import NotFound

OVERLAP_SECONDS = 24 * 3600.0
"""Time for which requests are also signed with the old secret."""

webhooks = Resource("/api/v1/admin/webhooks", tag="Webhooks")


@webhooks.post(
    "",
    access=Access.ADMIN,
    body=WebhookDetails,
    answers=WebhookSecret,
    status=201,
    refusals=(WebhookLimitReached,),
    secret=True,
)
async def create_webhook(
    call: Call, url: str, events: list[str] | None = None, description: str = ""
) -> Document:
    """Create a webhook.

    Events are sent to its URL from now on, signed as in Standard Webhooks. Keep the `secret`: it is not shown
    again.
    """
    _check_url(call, url)
    secret = new_secret()
    wanted = sorted(set(events or EVENT_TYPES))
    record = await call.services.webhooks.add(url, wanted, description, _encrypted(call, secret))
    call.services.webhook_sender.wake()
    return {**dump(WebhookView, record), "secret": secret}


@webhooks.get("", access=Access.ADMIN, query=Page, answers=WebhookView(many=True), headers=PAGING_HEADERS)
async def list_webhooks(call: Call, window: Window) -> Answer:
    """List webhooks."""
    found = await call.services.webhooks.listed(
        {}, limit=window.limit, offset=window.offset, after=window.after(call), counted=window.cursor is None
    )
    return paged(call, window, dump_all(WebhookView, found.records), found.total, found.last)


@webhooks.get("/{webhook_id}", access=Access.ADMIN, answers=WebhookView, refusals=(NotFound,))
async def get_webhook(call: Call, webhook_id: int) -> Document:
    """Get a webhook."""
    return dump(WebhookView, await call.services.webhooks.find(webhook_id))


async def _update(call: Call, webhook_id: int, changes: Mapping[str, Any]) -> Document:
    rows = call.services.webhooks
    values = dict(changes)
    enabled = values.pop("enabled", None)
    if "url" in values:
        _check_url(call, values["url"])
    if "events" in values:
        values["events"] = sorted(set(values["events"]))

    async def write() -> Document:
        record = await rows.update(webhook_id, values)
        if enabled is not None:
            record = await (
                rows.enable(webhook_id)
                if enabled
                else rows.disable(webhook_id, "An administrator has disabled it.")
            )
        return dump(WebhookView, record)

    changed = await call.kept(write)
    call.services.webhook_sender.wake()
    return changed


@webhooks.put(
    "/{webhook_id}", access=Access.ADMIN, body=WebhookChanges, answers=WebhookView, refusals=(NotFound,)
)
async def replace_webhook(call: Call, webhook_id: int, **changes: Any) -> Document:
    """Update a webhook, as PATCH does."""
    return await _update(call, webhook_id, changes)


@webhooks.patch(
    "/{webhook_id}", access=Access.ADMIN, body=WebhookChanges, answers=WebhookView, refusals=(NotFound,)
)
async def update_webhook(call: Call, webhook_id: int, **changes: Any) -> Document:
    """Update a webhook. Omitted fields keep their values.

    Events that wait are sent to the new URL.
    """
    return await _update(call, webhook_id, changes)


@webhooks.delete("/{webhook_id}", access=Access.ADMIN, status=204, refusals=(NotFound,))
async def delete_webhook(call: Call, webhook_id: int) -> None:
    """Delete a webhook, with the log of its deliveries."""
    await call.kept(lambda: call.services.webhooks.delete(webhook_id))


@webhooks.post("/{webhook_id}/enable", access=Access.ADMIN, answers=WebhookView, refusals=(NotFound,))
async def enable_webhook(call: Call, webhook_id: int) -> Document:
    """Enable a webhook that was disabled, or that fails.

    Events are sent again at once, beginning with those that wait.
    """
    return await _update(call, webhook_id, {"enabled": True})


@webhooks.post(
    "/{webhook_id}/rotate-secret",
    access=Access.ADMIN,
    answers=WebhookSecret,
    refusals=(NotFound,),
    secret=True,
)
async def rotate_webhook_secret(call: Call, webhook_id: int) -> Document:
    """Replace the secret of a webhook.

    For 24 hours requests are signed with both secrets, so that receivers can change to the new one.
    """
    secret = new_secret()
    record = await call.services.webhooks.rotate(webhook_id, _encrypted(call, secret), OVERLAP_SECONDS)
    return {**dump(WebhookView, record), "secret": secret}


@webhooks.get(
    "/{webhook_id}/deliveries",
    access=Access.ADMIN,
    query=DeliveryList,
    answers=Delivery(many=True),
    headers=PAGING_HEADERS,
    refusals=(NotFound,),
)
async def list_webhook_deliveries(call: Call, webhook_id: int, window: Window, status: str | None) -> Answer:
    """List the events that were sent to a webhook, or that failed; the newest first.

    An event is listed after its first attempt.
    """
    found, total = await call.services.webhooks.deliveries(
        webhook_id,
        status,
        limit=window.limit + 1,
        offset=window.offset,
        before=window.before_id(call),
        counted=window.cursor is None,
    )
    records, last = cut(found, window, lambda record: int(record["position"]))
    return paged(call, window, dump_all(Delivery, records), total, last)


@webhooks.post(
    "/{webhook_id}/test",
    access=Access.ADMIN,
    answers=Sent,
    refusals=(NotFound,),
    extra_seconds=SEND_SECONDS,
)
async def test_webhook(call: Call, webhook_id: int) -> Document:
    """Send a test event to a webhook and return the result.

    It has the type `webhook.test`, and is sent once, even if the webhook is disabled. The response comes
    after that of the receiver, which may take 10 s.
    """
    return _sent(await call.services.webhook_sender.test(webhook_id))


@webhooks.post(
    "/{webhook_id}/deliveries/{position}/retry",
    access=Access.ADMIN,
    answers=Sent,
    refusals=(NotFound,),
    extra_seconds=SEND_SECONDS,
)
async def retry_webhook_delivery(call: Call, webhook_id: int, position: int) -> Document:
    """Send one event again, out of turn, and return the result.

    For events that were given up. It has the same `webhook-id` as before.
    """
    await call.services.webhooks.find(webhook_id)
    return _sent(await call.services.webhook_sender.send_again(webhook_id, position))


@webhooks.post(
    "/{webhook_id}/replay",
    access=Access.ADMIN,
    body=Replay,
    answers=Replayed,
    status=202,
    refusals=(NotFound,),
)
async def replay_webhook(call: Call, webhook_id: int, start: int | datetime) -> Document:
    """Send all events again from a position or a time, in their order.

    They have the same `webhook-id` as before. Only events that the webhook wants are sent; which ones are
    still there, docs/webhooks.md says.
    """

    async def write() -> Document:
        return {"events": await call.services.webhooks.replay(webhook_id, start)}

    replayed = await call.kept(write)
    call.services.webhook_sender.wake()
    return replayed


def _sent(result: tuple[Any, Any]) -> Document:
    sending, attempt = result
    return {
        "position": sending.position,
        "message_id": sending.message_id,
        "delivered": attempt.error is None,
        **attempt._asdict(),
    }


def _check_url(call: Call, url: str) -> None:
    try:
        checked_url(url, private=call.services.webhook_private_addresses)
    except UnusableUrl as error:
        raise InvalidInput({"url": [str(error)]}) from error


def _encrypted(call: Call, secret: str) -> bytes:
    return call.services.cipher.encrypt(secret.encode(), SECRET_CONTEXT)
