"""Identifies a database: its nodes form one cluster, whatever else uses the same NATS servers."""

from hashlib import blake2b

from persistence.connector import Connector

_IDENTITY = """
SELECT system_identifier, oid FROM pg_control_system(), pg_database WHERE datname = current_database()
"""


async def database_identity(connector: Connector) -> str:
    """Return 16 hexadecimal digits that no other database has, not even a restored copy of this one.

    Raises:
        StoreUnavailable: the database cannot be reached.
    """
    ((system, oid),) = await connector.run(_IDENTITY)
    return blake2b(f"{system} {oid}".encode(), digest_size=8).hexdigest()
