"""Reads the responses stored for repeated requests, and deletes old ones.

The journal writes them: in the same transaction as the booking, or behind. Changes that do not go
through the journal store their response in their own transaction (`store_with`).
"""

from collections.abc import Awaitable, Callable

from engine.records import IdempotencyRecord
from persistence.connector import Connector
from persistence.errors import StatementRefused

LOOKUP = "SELECT scope, key, fingerprint, status, body FROM idempotency_keys WHERE scope = %s AND key = %s"

STORE = "INSERT INTO idempotency_keys (scope, key, fingerprint, status, body) VALUES (%s, %s, %s, %s, %s)"

FORGET = """
WITH forgotten AS (
    DELETE FROM idempotency_keys WHERE (scope, key) IN (
        SELECT scope, key FROM idempotency_keys
        WHERE created_at < now() - make_interval(secs => %s) ORDER BY created_at LIMIT %s
    ) RETURNING 1
)
SELECT count(*) FROM forgotten
"""

FORGET_LIMIT = 5000
"""Rows deleted per statement, so that a long backlog takes many short statements instead of one long one."""


class IdempotencyRows:
    """Implements `api.services.IdempotencyLookup` with PostgreSQL."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    async def lookup(self, scope: str, key: str) -> IdempotencyRecord | None:
        """Return the response stored under a key, or None.

        Args:
            scope: the owner of the key, e.g. "user:7".
            key: the client's key.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        rows = await self._connector.run(LOOKUP, (scope, key))
        if not rows:
            return None
        scope, key, fingerprint, status, body = rows[0]
        return IdempotencyRecord(scope, key, bytes(fingerprint), status, bytes(body))

    async def store_with(self, write: Callable[[], Awaitable[IdempotencyRecord]]) -> bool:
        """Change the database, and store the response for repeats in the same transaction.

        Args:
            write: changes the database, and returns the response.

        Returns:
            False if the key has a response already, so nothing has changed.

        Raises:
            StoreUnavailable: the database cannot be reached.
            Exception: what `write` raises; nothing has changed.
        """
        try:
            async with self._connector.joint() as connection:
                await connection.run(STORE, await write())
        except StatementRefused as refusal:
            if refusal.constraint != "idempotency_keys_pkey":
                raise
            return False
        return True

    async def forget_older_than(self, hours: float) -> int:
        """Delete responses that are more than `hours` old. Returns their number.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        total: int = 0
        while True:
            ((count,),) = await self._connector.run(FORGET, (hours * 3600, FORGET_LIMIT))
            total += count
            if count < FORGET_LIMIT:
                return total
