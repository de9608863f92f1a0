"""Figures about the whole database for the metrics: its size, its connections, and the refunds owed."""

from typing import NamedTuple

from persistence.connector import Connector

COUNT_LIMIT = 100_000
"""Refunds that are counted at most."""

FIGURES = """
SELECT pg_database_size(current_database()),
       (SELECT sum(numbackends) FROM pg_stat_database)::int,
       current_setting('max_connections')::int,
       count(*)::int,
       coalesce(sum(amount) * 100, 0)::bigint
FROM (SELECT amount FROM refunds WHERE status = 'owed' LIMIT %s) AS owed
"""


class Figures(NamedTuple):
    """The figures at one time.

    Attributes:
        size_bytes: size of the database.
        connections: to the PostgreSQL server, of all its clients.
        connections_limit: how many it allows.
        refunds: number of refunds that are owed; `COUNT_LIMIT` at most.
        refunds_cents: their sum.
    """

    size_bytes: int
    connections: int
    connections_limit: int
    refunds: int
    refunds_cents: int


async def read_figures(connector: Connector) -> Figures:
    """Read the figures, in some milliseconds.

    Raises:
        StoreUnavailable: the database cannot be reached.
    """
    (row,) = await connector.run(FIGURES, (COUNT_LIMIT,))
    return Figures(*row)
