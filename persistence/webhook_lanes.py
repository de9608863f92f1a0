"""Hands events of webhooks to the servers that send them, and records the results.

A lane is a screening with events that a webhook has not got yet. A server claims a lane until `due_at` and
sends its events one after the other. So the events of a screening reach a webhook in order, and a failing one
delays the later ones of its screening, and no others. If the server dies, another one claims the lane when
`due_at` has come.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from persistence.columns import numbers
from persistence.connector import Connector

ATTEMPTS_KEPT = 20
"""Attempts of a delivery that the log keeps: the last ones."""

_FORGOTTEN_AT_ONCE = 10_000

# `busy` has the lanes that this server has claimed, by webhook.
CLAIM = """
WITH due AS MATERIALIZED (
    SELECT webhooks.id AS webhook_id, found.screening_id
    FROM webhooks
    LEFT JOIN unnest(%(busy_ids)s::bigint[], %(busy_numbers)s::bigint[]) AS busy (id, number) USING (id)
    CROSS JOIN LATERAL (
        SELECT screening_id FROM webhook_lanes AS lane
        WHERE lane.webhook_id = webhooks.id AND due_at <= now()
        ORDER BY due_at LIMIT greatest(%(at_once)s - coalesce(busy.number, 0), 0)
        FOR UPDATE SKIP LOCKED
    ) AS found
    WHERE disabled_at IS NULL
)
UPDATE webhook_lanes AS lane SET due_at = now() + make_interval(secs => %(lease_seconds)s),
                                 claim = gen_random_uuid()
FROM due WHERE lane.webhook_id = due.webhook_id AND lane.screening_id = due.screening_id
RETURNING lane.webhook_id, lane.screening_id, claim::text
"""

# The next event of a claimed lane, if there is one. Extends the claim. The first statement may wait for a
# publication that raises last_position; the second one has a snapshot of its own, which shows those events.
NEXT = """
UPDATE webhook_lanes SET due_at = now() + make_interval(secs => %(lease_seconds)s)
WHERE webhook_id = %(webhook_id)s AND screening_id = %(screening_id)s AND claim = %(claim)s::uuid;
SELECT webhooks.url, secret, CASE WHEN old_secret_until > now() THEN old_secret END,
       lane.position, lane.attempts, lane.last_position, event.position, message_id, type, body, trace
FROM webhook_lanes AS lane
JOIN webhooks ON webhooks.id = lane.webhook_id AND disabled_at IS NULL
LEFT JOIN LATERAL (
    SELECT * FROM webhook_events
    WHERE webhook_events.screening_id = lane.screening_id AND webhook_events.position > lane.position
      AND type = ANY (webhooks.events)
    ORDER BY webhook_events.position LIMIT 1
) AS event ON true
WHERE webhook_id = %(webhook_id)s AND lane.screening_id = %(screening_id)s AND claim = %(claim)s::uuid
"""

EVENT = """
SELECT webhooks.url, secret, CASE WHEN old_secret_until > now() THEN old_secret END,
       position, 0, position, position, message_id, type, body, trace
FROM webhooks JOIN webhook_events ON position = %(position)s
WHERE webhooks.id = %(webhook_id)s
"""

# A new event raises last_position under the lane's lock, and a replay lowers position, so none is forgotten.
LEAVE = """
DELETE FROM webhook_lanes
WHERE webhook_id = %(webhook_id)s AND screening_id = %(screening_id)s AND claim = %(claim)s::uuid
  AND position = %(position)s AND last_position <= %(until)s;
UPDATE webhook_lanes SET due_at = now(), claim = NULL
WHERE webhook_id = %(webhook_id)s AND screening_id = %(screening_id)s AND claim = %(claim)s::uuid
"""

# Statements read the webhook's id from here, so that they lock its row before they change others: those that
# delete a webhook do so in this order, too, and a row that a statement has changed, it cannot lock any more.
_LOG = f"""
log AS (
    INSERT INTO webhook_deliveries AS log (
        webhook_id, position, status, attempt_count, attempts, first_attempt_at, last_attempt_at
    )
    SELECT webhooks.id, %(position)s, %(status)s, 1, jsonb_build_array(%(attempt)s::jsonb), now(), now()
    FROM webhooks WHERE id = %(webhook_id)s FOR KEY SHARE
    ON CONFLICT (webhook_id, position) DO UPDATE SET
        status = excluded.status, last_attempt_at = now(), attempt_count = log.attempt_count + 1,
        attempts = CASE WHEN jsonb_array_length(log.attempts) >= {ATTEMPTS_KEPT} THEN log.attempts - 0
                        ELSE log.attempts END || excluded.attempts
    RETURNING webhook_id
)
"""  # noqa: S608 - constant

LOG = f"WITH {_LOG} SELECT 1"

# A replay has set the position back meanwhile, if it is not that of before; then it stays.
FINISHED = f"""
WITH {_LOG}, recovered AS (
    UPDATE webhooks SET failing_since = NULL
    WHERE id = (SELECT webhook_id FROM log) AND failing_since IS NOT NULL AND %(status)s = 'delivered'
)
UPDATE webhook_lanes AS lane SET
    position = CASE WHEN position = %(before)s THEN %(position)s ELSE position END,
    attempts = 0, first_attempt_at = NULL,
    waiting_since = coalesce((
        SELECT published_at FROM webhook_events AS event
        WHERE event.screening_id = lane.screening_id AND event.position > %(position)s
        ORDER BY event.position LIMIT 1
    ), now())
WHERE webhook_id = (SELECT webhook_id FROM log)
  AND screening_id = %(screening_id)s AND claim = %(claim)s::uuid
"""  # noqa: S608 - constants

FAILED = f"""
WITH {_LOG}, failing AS (
    UPDATE webhooks SET failing_since = now()
    WHERE id = (SELECT webhook_id FROM log) AND failing_since IS NULL
)
UPDATE webhook_lanes SET
    attempts = attempts + 1, first_attempt_at = coalesce(first_attempt_at, now()), claim = NULL,
    due_at = now() + make_interval(secs => %(pause_seconds)s)
WHERE webhook_id = (SELECT webhook_id FROM log)
  AND screening_id = %(screening_id)s AND claim = %(claim)s::uuid
"""  # noqa: S608 - constants

# With a screening only if the webhook got nothing since the first attempt at its event.
DISABLE = """
WITH disabled AS (
    UPDATE webhooks SET disabled_at = now(), disabled_because = %(reason)s, updated_at = now()
    WHERE id = %(webhook_id)s AND disabled_at IS NULL AND (
        %(screening_id)s::bigint IS NULL OR failing_since <= (
            SELECT first_attempt_at FROM webhook_lanes
            WHERE webhook_id = %(webhook_id)s AND screening_id = %(screening_id)s::bigint
        )
    )
    RETURNING id
),
told AS (
    INSERT INTO outbox (kind, subject, payload)
    SELECT 'webhook_notice', 'webhook ' || disabled.id,
           jsonb_build_object('webhook_id', disabled.id, 'user_id', users.id)
    FROM disabled CROSS JOIN users WHERE is_admin AND deleted_at IS NULL
)
SELECT id FROM disabled
"""

FIGURES = """
SELECT count(*) FILTER (WHERE disabled_at IS NOT NULL),
       extract(epoch FROM now() - min(waiting_since) FILTER (WHERE disabled_at IS NULL))::float8,
       count(*)
FROM webhooks LEFT JOIN LATERAL (
    SELECT min(waiting_since) AS waiting_since FROM webhook_lanes WHERE webhook_id = webhooks.id
) AS lane ON true
"""

FORGET = f"""
WITH last AS (
    SELECT max(position) AS position FROM (
        SELECT position FROM webhook_events
        WHERE published_at < now() - make_interval(days => %(days)s)
        ORDER BY position LIMIT {_FORGOTTEN_AT_ONCE}
    ) AS oldest
),
forgotten AS (
    DELETE FROM webhook_events WHERE position <= (SELECT position FROM last) RETURNING position
),
log AS (
    DELETE FROM webhook_deliveries
    WHERE webhook_id IN (SELECT id FROM webhooks) AND position <= (SELECT position FROM last)
)
SELECT count(*) FROM forgotten
"""  # noqa: S608 - constant

TEST_EVENT = "INSERT INTO webhook_events (type, body) VALUES (%s, %s) RETURNING position"


class Lane(NamedTuple):
    """A claimed lane."""

    webhook_id: int
    screening_id: int
    claim: str


class Sending(NamedTuple):
    """An event to send to a webhook.

    Attributes:
        webhook_id, url: the webhook.
        secret, old_secret: the encrypted keys that sign; None if there is no old one.
        before: position that the webhook has got before.
        attempts: failed attempts so far.
        position: of the event.
        message_id: the same in every attempt.
        body: JSON.
        trace: W3C traceparent of the request that has caused the event, if that is traced.
    """

    webhook_id: int
    url: str
    secret: bytes
    old_secret: bytes | None
    before: int
    attempts: int
    position: int
    message_id: str
    type: str
    body: str
    trace: str | None


class Attempt(NamedTuple):
    """The result of sending an event once.

    Attributes:
        at: when it began, as ISO 8601.
        duration_ms: how long it took.
        status: HTTP status of the response, if one came.
        response: the beginning of the response.
        error: why it failed; None if the event was delivered.
    """

    at: str
    duration_ms: int
    status: int | None
    response: str
    error: str | None

    @property
    def reason(self) -> str:
        """Cause and time of the failure, for operators."""
        return f"{self.error}, at {self.at}"


class Figures(NamedTuple):
    """Figures of all webhooks.

    Attributes:
        disabled: number of disabled webhooks.
        oldest_seconds: age of the oldest event that an enabled webhook waits for; 0 if there is none.
        webhooks: number of webhooks.
    """

    disabled: int
    oldest_seconds: float
    webhooks: int


class WebhookLanes:
    """Hands out events to send, and records results.

    Args:
        connector: the database.
        lease_seconds: how long a claim lasts; it is renewed with each event.
    """

    def __init__(self, connector: Connector, lease_seconds: float) -> None:
        self._connector = connector
        self._lease_seconds = lease_seconds

    async def claim(self, busy: Mapping[int, int], at_once: int) -> list[Lane]:
        """Claim lanes whose next event is due. All methods raise StoreUnavailable.

        Args:
            busy: number of claimed lanes by webhook.
            at_once: highest number of claimed lanes of a webhook.
        """
        bound = {
            "busy_ids": numbers(list(busy)),
            "busy_numbers": numbers(list(busy.values())),
            "at_once": at_once,
            "lease_seconds": self._lease_seconds,
        }
        return [Lane(*row) for row in await self._connector.run(CLAIM, bound)]

    async def next(self, lane: Lane) -> Sending | None:
        """Return the next event of a claimed lane. Without one, or if the webhook is disabled, it is left."""
        bound = {**lane._asdict(), "lease_seconds": self._lease_seconds}
        rows = await self._connector.run(NEXT, bound)
        sending = _sending(lane.webhook_id, rows)
        if sending is None:
            position, until = (rows[0][3], rows[0][5]) if rows else (-1, -1)
            await self._leave(lane, position, until)
        return sending

    async def event(self, webhook_id: int, position: int) -> Sending | None:
        """Return an event to send out of turn, even if the webhook is disabled; None if it does not exist."""
        return _sending(
            webhook_id, await self._connector.run(EVENT, {"webhook_id": webhook_id, "position": position})
        )

    async def add_test_event(self, type_: str, body: str) -> int:
        """Publish an event that is only sent out of turn. Return its position."""
        ((position,),) = await self._connector.run(TEST_EVENT, (type_, body))
        return int(position)

    async def leave(self, lane: Lane) -> None:
        """Give up a claim, so that any server may send at once."""
        await self._leave(lane, position=-1, until=-1)

    async def _leave(self, lane: Lane, position: int, until: int) -> None:
        await self._connector.run(LEAVE, {**lane._asdict(), "position": position, "until": until})

    async def log(self, sending: Sending, attempt: Attempt) -> None:
        """Record an attempt that was made out of turn."""
        status = "dead" if attempt.error else "delivered"
        await self._connector.run(LOG, _logged(sending, attempt, status))

    async def finished(self, lane: Lane, sending: Sending, attempt: Attempt) -> None:
        """Record the last attempt to send an event, and go on to the next event.

        Args:
            lane: the claimed lane.
            sending: its next event.
            attempt: if it failed, the event is given up.
        """
        status = "dead" if attempt.error else "delivered"
        bound = {**lane._asdict(), **_logged(sending, attempt, status), "before": sending.before}
        await self._connector.run(FINISHED, bound)

    async def failed(self, lane: Lane, sending: Sending, attempt: Attempt, pause_seconds: float) -> None:
        """Record a failed attempt, and give up the claim; the next attempt is due after a pause."""
        bound = {**lane._asdict(), **_logged(sending, attempt, "failing"), "pause_seconds": pause_seconds}
        await self._connector.run(FAILED, bound)

    async def disable(self, webhook_id: int, reason: str, screening_id: int | None) -> bool:
        """Disable a webhook, and write a mail about it to the administrators.

        Args:
            webhook_id: the webhook.
            reason: shown to operators.
            screening_id: the screening whose next event could not be sent; the webhook is not disabled if
                others were delivered since the first attempt. None disables it in any case.

        Returns:
            True if it was disabled.
        """
        bound = {"webhook_id": webhook_id, "reason": reason, "screening_id": screening_id}
        return bool(await self._connector.run(DISABLE, bound))

    async def figures(self) -> Figures:
        """Return the figures of all webhooks."""
        ((disabled, oldest_seconds, webhooks),) = await self._connector.run(FIGURES)
        return Figures(disabled, oldest_seconds or 0.0, webhooks)

    async def forget_older_than(self, days: int) -> None:
        """Delete events, and the log of their deliveries."""
        while True:
            ((number,),) = await self._connector.run(FORGET, {"days": days})
            if number < _FORGOTTEN_AT_ONCE:
                return


def _sending(webhook_id: int, rows: list[tuple[Any, ...]]) -> Sending | None:
    if not rows or rows[0][6] is None:
        return None
    url, secret, old_secret, before, attempts, _, *event = rows[0]
    old = None if old_secret is None else bytes(old_secret)
    return Sending(webhook_id, url, bytes(secret), old, before, attempts, *event)


def _logged(sending: Sending, attempt: Attempt, status: str) -> dict[str, Any]:
    return {
        "webhook_id": sending.webhook_id,
        "position": sending.position,
        "status": status,
        "attempt": json.dumps(attempt._asdict()),
    }
