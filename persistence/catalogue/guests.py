"""Guests who have given a name and an e-mail address to buy tickets with."""

from collections.abc import Sequence
from typing import Any

from persistence.connector import Connector

_DESCRIBE = """
INSERT INTO guests (id, email, full_name, language)
VALUES (%(id)s, %(email)s, %(full_name)s, %(language)s)
ON CONFLICT (id) DO UPDATE SET
    email = excluded.email, full_name = excluded.full_name, language = excluded.language, updated_at = now()
RETURNING email, full_name
"""

_FORGET = "DELETE FROM guests WHERE id = %(id)s"

_WITH_TICKETS = """
SELECT id FROM guests WHERE lower(email) = lower(%(email)s) AND EXISTS (
    SELECT FROM tickets WHERE tickets.holder = guests.holder AND status IN ('pending', 'confirmed')
)
ORDER BY updated_at DESC LIMIT %(limit)s
"""


class GuestRows:
    """The repository of guests."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    async def describe(
        self, guest_id: int, email: str | None, full_name: str, language: str
    ) -> dict[str, Any]:
        """Store or replace a guest's name, e-mail address and language; return the first two."""
        values = {"id": guest_id, "email": email, "full_name": full_name, "language": language}
        ((stored_email, stored_name),) = await self._connector.run(_DESCRIBE, values)
        return {"email": stored_email, "full_name": stored_name}

    async def forget(self, guest_id: int) -> None:
        """Delete a guest's name and e-mail address, if they are stored."""
        await self._connector.run(_FORGET, {"id": guest_id})

    async def with_tickets(self, email: str, limit: int) -> Sequence[int]:
        """Return the ids of guests with this e-mail address who have tickets, latest first."""
        rows = await self._connector.run(_WITH_TICKETS, {"email": email, "limit": limit})
        return [guest_id for (guest_id,) in rows]
