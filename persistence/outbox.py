"""Writes messages to the outbox, and hands them to the servers that deliver them.

A server takes messages by setting `due_at` to the end of a lease, which it extends while it delivers. If the
server dies, the lease ends and another one takes the message. `attempts` tells whose result counts: it is
raised whenever a message is taken.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from engine.outbox import Message
from persistence.columns import numbers, texts
from persistence.connector import Connection, Connector

ENQUEUE = "SELECT enqueue(%s, %s, %s, %s)"

TAKE = """
WITH due AS MATERIALIZED (
    SELECT found.id
    FROM unnest(%(kinds)s::text[], %(limits)s::bigint[]) AS wanted (kind, number)
    CROSS JOIN LATERAL (
        SELECT outbox.id FROM outbox
        WHERE outbox.kind = wanted.kind AND status = 'waiting' AND due_at <= now()
        ORDER BY due_at LIMIT wanted.number
        FOR UPDATE SKIP LOCKED
    ) AS found
)
UPDATE outbox SET attempts = attempts + 1, due_at = now() + make_interval(secs => %(lease_seconds)s)
FROM due WHERE outbox.id = due.id
RETURNING outbox.id, uid::text, kind, subject, payload, attempts, extract(epoch FROM created_at)::float8
"""

EXTEND = """
UPDATE outbox SET due_at = now() + make_interval(secs => %(lease_seconds)s)
FROM unnest(%(ids)s::bigint[], %(attempts)s::integer[]) AS taken (id, attempt)
WHERE outbox.id = taken.id AND outbox.attempts = taken.attempt AND status = 'waiting'
"""

# A delivery counts even if another server has taken the message meanwhile.
SETTLE = """
UPDATE outbox SET
    status = result.status, error = result.error,
    due_at = CASE WHEN result.status = 'waiting' THEN now() + make_interval(secs => pause) ELSE due_at END,
    finished_at = CASE WHEN result.status <> 'waiting' THEN now() END
FROM unnest(
    %(ids)s::bigint[], %(attempts)s::integer[], %(statuses)s::text[], %(pauses)s::float8[], %(errors)s::text[]
) AS result (id, attempt, status, pause, error)
WHERE outbox.id = result.id AND outbox.status <> 'delivered'
  AND (result.status = 'delivered' OR outbox.status = 'waiting' AND outbox.attempts = result.attempt)
"""

# Ids grow with time, so the search for the first row to keep only reads rows that are deleted or still wait.
FORGET = """
WITH forgotten AS (
    DELETE FROM outbox WHERE id IN (
        SELECT id FROM outbox
        WHERE id < coalesce(
            (SELECT id FROM outbox WHERE created_at >= now() - make_interval(days => %(days)s)
             ORDER BY id LIMIT 1),
            9223372036854775807
        )
        AND status <> 'waiting' ORDER BY id LIMIT %(limit)s
    ) RETURNING 1
)
SELECT count(*) FROM forgotten
"""

FORGET_LIMIT = 5000
"""Rows deleted per statement."""

# Bounded, because a message for everybody may make a very long queue.
BACKLOG = """
SELECT status, kind, count(*), extract(epoch FROM now() - min(created_at))::float8
FROM (
    (SELECT status, kind, created_at FROM outbox WHERE status = 'waiting' LIMIT %(limit)s)
    UNION ALL
    (SELECT status, kind, created_at FROM outbox WHERE status = 'dead' LIMIT %(limit)s)
) AS counted
GROUP BY status, kind
"""

BACKLOG_LIMIT = 100_000
"""Highest count of waiting messages, and of dead letters."""

WAITING, DELIVERED, DEAD = "waiting", "delivered", "dead"

ERROR_LIMIT = 500
"""Characters of an error that are stored."""


class Backlog(NamedTuple):
    """Number of messages of a kind that have a status.

    Attributes:
        status: `WAITING` or `DEAD`.
        kind: of the messages.
        number: how many; `BACKLOG_LIMIT` at most.
        oldest_seconds: the age of the oldest of them.
    """

    status: str
    kind: str
    number: int
    oldest_seconds: float


class Result(NamedTuple):
    """The outcome of an attempt.

    Attributes:
        id: of the message.
        attempt: number of the attempt.
        status: of the message from now on.
        pause_seconds: until the next attempt, if it waits.
        error: why the attempt failed, if it did.
    """

    id: int
    attempt: int
    status: str
    pause_seconds: float = 0.0
    error: str | None = None


async def enqueue(
    connection: Connection, kind: str, subject: str, payload: Mapping[str, Any], unique_key: str | None = None
) -> None:
    """Write a message in the current transaction.

    Args:
        connection: in the transaction that writes the message's cause; see `Connector.transaction`.
        kind: which handler delivers it.
        subject: what it is about, for operators; at most 200 characters.
        payload: the cause and ids, at most 64 KiB. Other data is read when the message is delivered.
        unique_key: a later message with the same key is not written.

    Raises:
        StoreUnavailable: the database cannot be reached.
    """
    await connection.run(ENQUEUE, (kind, subject, json.dumps(payload), unique_key))


class Outbox:
    """Hands out messages to deliver, and records the results.

    Args:
        connector: the database.
        lease_seconds: how long a taken message belongs to this server, unless it is extended.
    """

    def __init__(self, connector: Connector, lease_seconds: float) -> None:
        self._connector = connector
        self._lease_seconds = lease_seconds

    async def enqueue(self, kind: str, subject: str, payload: Mapping[str, Any]) -> None:
        """Write a message in a transaction of its own; see the function `enqueue`.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        async with self._connector.connection() as connection:
            await enqueue(connection, kind, subject, payload)

    async def take(self, numbers_by_kind: Mapping[str, int]) -> list[Message]:
        """Take messages that are due. No other server gets them before the lease ends.

        Args:
            numbers_by_kind: how many at most, by kind.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        bound = {
            "kinds": texts(list(numbers_by_kind)),
            "limits": numbers(list(numbers_by_kind.values())),
            "lease_seconds": self._lease_seconds,
        }
        return [Message(*row) for row in await self._connector.run(TAKE, bound)]

    async def extend(self, messages: Sequence[Message]) -> None:
        """Extend the lease of messages that are being delivered.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        bound = {
            "ids": numbers([message.id for message in messages]),
            "attempts": numbers([message.attempt for message in messages]),
            "lease_seconds": self._lease_seconds,
        }
        await self._connector.run(EXTEND, bound)

    async def settle(self, results: Sequence[Result]) -> None:
        """Record the results of attempts. May be repeated.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        ids, attempts, statuses, pauses, errors = zip(*results, strict=True)
        bound = {
            "ids": numbers(ids),
            "attempts": numbers(attempts),
            "statuses": texts(statuses),
            "pauses": numbers(pauses),
            "errors": texts(errors),
        }
        await self._connector.run(SETTLE, bound)

    async def backlog(self) -> list[Backlog]:
        """Count the messages that wait, and the dead letters.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        return [Backlog(*row) for row in await self._connector.run(BACKLOG, {"limit": BACKLOG_LIMIT})]

    async def forget_older_than(self, days: int) -> None:
        """Delete delivered messages and dead letters that were written more than `days` ago.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        count = FORGET_LIMIT
        while count == FORGET_LIMIT:
            ((count,),) = await self._connector.run(FORGET, {"days": days, "limit": FORGET_LIMIT})


def storable(error: str) -> str:
    """Return the beginning of an error, without characters that cannot be stored or shown."""
    return error[:ERROR_LIMIT].replace("\0", "").encode(errors="replace").decode()
