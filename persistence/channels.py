"""The channels: groups of buyers for whom seats can be kept back. Access codes are stored as hashes."""

from typing import Any

from engine.catalogue_errors import AlreadyExists, InUse
from engine.errors import NotFound
from persistence.connector import Connector
from persistence.errors import StatementRefused

_SHOWN = "name, code_hash IS NOT NULL, extract(epoch FROM created_at)::float8"

_BY_CODE = "SELECT name, code_hash FROM channels WHERE code_hash = %s"

_EXISTS = "SELECT 1 FROM channels WHERE name = %s"

_LIST = f"SELECT {_SHOWN} FROM channels ORDER BY name LIMIT %s OFFSET %s"  # noqa: S608 - constant

_ADD = f"INSERT INTO channels (name, code_hash) VALUES (%s, %s) RETURNING {_SHOWN}"  # noqa: S608

_CHANGE = f"UPDATE channels SET code_hash = %s WHERE name = %s RETURNING {_SHOWN}"  # noqa: S608

_REMOVE = """
WITH wanted AS (
    SELECT name, EXISTS (SELECT FROM blocks WHERE channel = %(name)s AND released_at IS NULL) AS used
    FROM channels WHERE name = %(name)s
),
removed AS (DELETE FROM channels WHERE name IN (SELECT name FROM wanted WHERE NOT used))
SELECT used FROM wanted
"""


class ChannelRows:
    """The repository of channels.

    Args:
        connector: the database.
    """

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    async def by_code(self, code_hash: bytes) -> tuple[str, bytes] | None:
        """Return name and stored hash of the channel with this access code, if there is one."""
        rows = await self._connector.run(_BY_CODE, (code_hash,))
        return (rows[0][0], bytes(rows[0][1])) if rows else None

    async def exists(self, name: str) -> bool:
        """Tell whether there is a channel of this name."""
        return bool(await self._connector.run(_EXISTS, (name,)))

    async def all(self, *, limit: int, offset: int) -> list[dict[str, Any]]:
        """Return a page of the channels, by name."""
        return [_channel(row) for row in await self._connector.run(_LIST, (limit, offset))]

    async def add(self, name: str, code_hash: bytes | None) -> dict[str, Any]:
        """Add a channel.

        Raises:
            AlreadyExists: its name or its access code is taken.
        """
        return _channel((await self._written(_ADD, (name, code_hash)))[0])

    async def change(self, name: str, code_hash: bytes | None) -> dict[str, Any]:
        """Replace the access code of a channel.

        Raises:
            NotFound: there is no such channel.
            AlreadyExists: another channel has this access code.
        """
        rows = await self._written(_CHANGE, (code_hash, name))
        if not rows:
            raise NotFound("channel", name)
        return _channel(rows[0])

    async def remove(self, name: str) -> None:
        """Remove a channel.

        Raises:
            NotFound: there is no such channel.
            InUse: seats are kept back for it.
        """
        rows = await self._connector.run(_REMOVE, {"name": name})
        if not rows:
            raise NotFound("channel", name)
        if rows[0][0]:
            raise InUse("channel", name)

    async def _written(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        try:
            return list(await self._connector.run(statement, values))
        except StatementRefused as refusal:
            if refusal.constraint == "channels_code_hash_key":
                raise AlreadyExists("channel", "Another channel has this access code") from refusal
            if refusal.constraint == "channels_pkey":
                raise AlreadyExists("channel", "There is a channel of this name") from refusal
            raise


def _channel(row: Any) -> dict[str, Any]:
    return dict(zip(("name", "has_code", "created_at"), row, strict=True))
