"""The metrics of the database: the pool of connections, and figures that are read from it now and then.

`DatabaseMetrics` implements `persistence.connector.PoolObserver`.
"""

from prometheus_client import CollectorRegistry

from metrics.declarations import Declarations


class DatabaseMetrics:
    """Measures the waits for connections, and shows the figures that were read last.

    Args:
        registry: where the metrics are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        declared = Declarations()
        self._wait = declared.histogram(
            "frontrow_database_pool_wait_seconds",
            "Time until a connection of the pool could be used, including connecting.",
        ).children[()]
        self._exhausted = declared.counter(
            "frontrow_database_pool_exhausted_total",
            "Times that work was given up because all connections of the pool stayed busy.",
        )
        self._size = declared.figure("frontrow_database_bytes", "Size of the database.")
        self._connections = declared.figure(
            "frontrow_database_connections", "Connections to the PostgreSQL server, of all its clients."
        )
        self._connections_limit = declared.figure(
            "frontrow_database_connections_limit", "Connections that the PostgreSQL server allows."
        )
        self._refunds = declared.figure("frontrow_refunds_owed", "Refunds that are owed to buyers.")
        self._refunds_cents = declared.figure(
            "frontrow_refunds_owed_cents", "Sum of the refunds that are owed to buyers."
        )
        self._disk_size = declared.figure(
            "frontrow_data_disk_bytes", "Size of the file system with the data directory."
        )
        self._disk_free = declared.figure(
            "frontrow_data_disk_free_bytes", "What the server may still write to it."
        )
        declared.register(registry)

    def connection_borrowed(self, wait_seconds: float) -> None:
        """A connection of the pool can be used, after this time."""
        self._wait.observe(wait_seconds)

    def pool_exhausted(self) -> None:
        """No connection of the pool became free in time."""
        self._exhausted[()] += 1

    def figures_read(
        self, size_bytes: int, connections: int, connections_limit: int, refunds: int, refunds_cents: int
    ) -> None:
        """The figures of `persistence.database_figures` were read."""
        self._size[()] = size_bytes
        self._connections[()] = connections
        self._connections_limit[()] = connections_limit
        self._refunds[()] = refunds
        self._refunds_cents[()] = refunds_cents

    def disk_read(self, size_bytes: int, free_bytes: int) -> None:
        """The file system with the data directory was looked at."""
        self._disk_size[()] = size_bytes
        self._disk_free[()] = free_bytes
