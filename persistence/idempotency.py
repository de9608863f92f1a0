"""Reads the answers that were kept for repeats of their requests, and forgets old ones.

The journal writes them: with the booking they belong to in one transaction, or behind.
"""

from engine.records import IdempotencyRecord
from persistence.connector import Connector

LOOKUP = "SELECT scope, key, fingerprint, status, body FROM idempotency_keys WHERE scope = %s AND key = %s"

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
"""Rows deleted by one statement, so that a long absence makes many short ones, not a long one."""


class IdempotencyKeys:
    """Answers as they are stored.

    Args:
        connector: the database.
    """

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    async def lookup(self, scope: str, key: str) -> IdempotencyRecord | None:
        """What was answered under a key.

        Args:
            scope: whose key it is, e.g. "user:7".
            key: the caller's key.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        rows = await self._connector.run(LOOKUP, (scope, key))
        if not rows:
            return None
        scope, key, fingerprint, status, body = rows[0]
        return IdempotencyRecord(scope, key, bytes(fingerprint), status, bytes(body))

    async def forget_older_than(self, hours: float) -> int:
        """Delete what was answered more than `hours` ago. Returns how many answers.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        total: int = 0
        while True:
            ((count,),) = await self._connector.run(FORGET, (hours * 3600, FORGET_LIMIT))
            total += count
            if count < FORGET_LIMIT:
                return total
