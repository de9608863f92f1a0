"""The webhooks that integrators have: where events are sent, which ones, and since when that fails."""

from collections.abc import Sequence
from datetime import datetime

from engine.catalogue_errors import WebhookLimitReached
from engine.errors import NotFound
from persistence.catalogue.table import Record, Rows, Table, own_columns
from persistence.columns import IDS
from persistence.connector import Connector

WEBHOOKS_LIMIT = 100
"""Highest number of webhooks, and so of endpoints that are called at the same time."""

WEBHOOKS = Table(
    name="webhooks",
    kind="webhook",
    columns={
        **own_columns(
            "webhooks",
            *("id", "url", "events", "description", "created_at", "updated_at"),
            *("failing_since", "disabled_at", "disabled_because", "old_secret_until"),
        ),
        "waiting_since": "(SELECT min(waiting_since) FROM webhook_lanes WHERE webhook_id = webhooks.id)",
    },
)

# Locks out other inserts, so that the limit holds.
ADD = f"""
LOCK TABLE webhooks IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO webhooks (url, events, description, secret)
SELECT %(url)s, %(events)s::text[], %(description)s, %(secret)s
WHERE (SELECT count(*) FROM webhooks) < {WEBHOOKS_LIMIT}
RETURNING id
"""  # noqa: S608 - constant

ROTATE = """
UPDATE webhooks SET old_secret = secret, old_secret_until = now() + make_interval(secs => %(seconds)s),
                    secret = %(secret)s, updated_at = now()
WHERE id = %(id_)s RETURNING id
"""

# `ENABLE` and `REPLAY` lock the webhook before its lanes, as those do who delete it.

# Failed events are sent at once, as if for the first time. An attempt that is under way loses its claim, so
# that its failure neither delays the event nor gives it up.
ENABLE = """
WITH webhook AS MATERIALIZED (
    SELECT id FROM webhooks WHERE id = %(id_)s FOR NO KEY UPDATE
),
enabled AS (
    UPDATE webhooks SET disabled_at = NULL, disabled_because = NULL, failing_since = NULL, updated_at = now()
    WHERE id = (SELECT id FROM webhook) AND (disabled_at IS NOT NULL OR failing_since IS NOT NULL)
)
UPDATE webhook_lanes SET due_at = now(), claim = NULL, attempts = 0, first_attempt_at = NULL
WHERE webhook_id = (SELECT id FROM webhook) AND attempts > 0
"""

DISABLE = """
UPDATE webhooks SET disabled_at = now(), disabled_because = %(reason)s, updated_at = now()
WHERE id = %(id_)s AND disabled_at IS NULL
"""

DELIVERIES = """
SELECT position, message_id, type, screening_id, epoch, seq, published_at,
       status, attempt_count, attempts, first_attempt_at, last_attempt_at
FROM webhook_deliveries JOIN webhook_events USING (position)
WHERE webhook_id = %(id_)s AND (%(status)s IS NULL OR status = %(status)s)
  AND (%(before)s IS NULL OR position < %(before)s)
ORDER BY position DESC LIMIT %(limit)s OFFSET %(offset)s
"""

DELIVERY_COUNT = """
SELECT count(*) FROM webhook_deliveries
WHERE webhook_id = %(id_)s AND (%(status)s IS NULL OR status = %(status)s)
"""

_DELIVERY = (
    *("position", "message_id", "type", "screening_id", "epoch", "seq", "published_at"),
    *("status", "attempt_count", "attempts", "first_attempt_at", "last_attempt_at"),
)

NOTICE = """
SELECT webhooks.id, url, disabled_because, email
FROM webhooks CROSS JOIN users
WHERE webhooks.id = %s AND disabled_at IS NOT NULL AND users.id = %s AND is_admin AND deleted_at IS NULL
"""

# A server that is sending keeps its claim, so that it does not send beside another one.
REPLAY = """
WITH webhook AS MATERIALIZED (
    SELECT id, events FROM webhooks WHERE id = %(id_)s FOR KEY SHARE
),
wanted AS (
    SELECT webhook.id AS webhook_id, screening_id,
           min(position) - 1 AS position, max(position) AS last_position,
           min(published_at) AS waiting_since, count(*) AS number
    FROM webhook JOIN webhook_events ON type = ANY (webhook.events)
    WHERE screening_id IS NOT NULL
      AND position >= coalesce(
          %(position)s, (SELECT min(position) FROM webhook_events WHERE published_at >= %(since)s)
      )
    GROUP BY webhook.id, screening_id
),
replayed AS (
    INSERT INTO webhook_lanes AS lane (webhook_id, screening_id, position, last_position, waiting_since)
    SELECT webhook_id, screening_id, position, last_position, waiting_since FROM wanted
    ORDER BY webhook_id, screening_id
    ON CONFLICT (webhook_id, screening_id) DO UPDATE SET
        position = least(lane.position, excluded.position),
        last_position = greatest(lane.last_position, excluded.last_position),
        waiting_since = least(lane.waiting_since, excluded.waiting_since),
        due_at = CASE WHEN lane.claim IS NULL THEN now() ELSE lane.due_at END,
        attempts = 0, first_attempt_at = NULL
)
SELECT (SELECT coalesce(sum(number), 0)::bigint FROM wanted) FROM webhook
"""


class WebhookRows(Rows):
    """The repository of webhooks."""

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector, WEBHOOKS)

    async def add(self, url: str, events: Sequence[str], description: str, secret: bytes) -> Record:
        """Create a webhook.

        Args:
            url: where events are sent.
            events: the types to send.
            description: for operators.
            secret: the encrypted key of its signatures.

        Raises:
            WebhookLimitReached: there are `WEBHOOKS_LIMIT` already.
        """
        bound = {"url": url, "events": list(events), "description": description, "secret": secret}
        rows = await self.connector.run(ADD, bound)
        if not rows:
            raise WebhookLimitReached(WEBHOOKS_LIMIT)
        return await self.find(int(rows[0][0]))

    async def rotate(self, webhook_id: int, secret: bytes, seconds: float) -> Record:
        """Replace the secret; the present one signs as well for some seconds.

        Raises:
            NotFound: the webhook does not exist.
        """
        bound = {"id_": webhook_id, "secret": secret, "seconds": seconds}
        if webhook_id not in IDS or not await self.connector.run(ROTATE, bound):
            raise NotFound("webhook", webhook_id)
        return await self.find(webhook_id)

    async def enable(self, webhook_id: int) -> Record:
        """Send events again at once, beginning with those that wait. Does nothing if it is
        enabled and nothing has failed.

        Raises:
            NotFound: the webhook does not exist.
        """
        await self.find(webhook_id)
        await self.connector.run(ENABLE, {"id_": webhook_id})
        return await self.find(webhook_id)

    async def disable(self, webhook_id: int, reason: str) -> Record:
        """Send no more events; they wait until it is enabled. Does nothing if it is disabled.

        Raises:
            NotFound: the webhook does not exist.
        """
        await self.find(webhook_id)
        await self.connector.run(DISABLE, {"id_": webhook_id, "reason": reason})
        return await self.find(webhook_id)

    async def deliveries(
        self,
        webhook_id: int,
        status: str | None,
        *,
        limit: int,
        offset: int,
        before: int | None,
        counted: bool,
    ) -> tuple[list[Record], int | None]:
        """Return a page of the log of deliveries, newest event first, and the number of all.

        Args:
            webhook_id: the webhook.
            status: "delivered", "failing" or "dead"; None for all.
            limit: page length.
            offset: entries to skip.
            before: list only events with lower positions; None for all.
            counted: True to count all; otherwise the number is None.

        Raises:
            NotFound: the webhook does not exist.
        """
        await self.find(webhook_id)
        bound = {"id_": webhook_id, "status": status, "before": before, "limit": limit, "offset": offset}
        total = None
        async with self.connector.connection() as connection:
            if counted:
                ((total,),) = await connection.run(DELIVERY_COUNT, bound)
            rows = await connection.run(DELIVERIES, bound)
        return [dict(zip(_DELIVERY, row, strict=True)) for row in rows], total

    async def notice(self, webhook_id: int, user_id: int) -> Record | None:
        """Return a disabled webhook and the `email` of an administrator; None if either is gone."""
        rows = await self.connector.run(NOTICE, (webhook_id, user_id))
        return dict(zip(("id", "url", "disabled_because", "email"), rows[0], strict=True)) if rows else None

    async def replay(self, webhook_id: int, start: int | datetime) -> int:
        """Send events again, in their order, with the ids that they had.

        Args:
            webhook_id: the webhook.
            start: position of the first event, or when it was published.

        Returns:
            The number of events.

        Raises:
            NotFound: the webhook does not exist.
        """
        position, since = (None, start) if isinstance(start, datetime) else (start, None)
        bound = {"id_": webhook_id, "position": position, "since": since}
        rows = await self.connector.run(REPLAY, bound) if webhook_id in IDS else []
        if not rows:
            raise NotFound("webhook", webhook_id)
        return int(rows[0][0])
