"""The errors of SQL statements. `persistence.connector` maps those of the driver to them, by SQLSTATE.

StoreUnavailable (engine.errors)      it may be tried again
├── DatabaseUnavailable               there is no connection; nothing was done
├── ConnectionLost                    the connection broke while a statement ran; outcome unknown
│   └── NoAnswer                      time ran out, and the connection was closed
└── StatementAborted                  the server rolled it back (deadlock, shutdown, …)
    ├── StatementCancelled            it took too long, or somebody cancelled it
    ├── LockTimeout                   another session held a lock for too long
    ├── DatabaseReadOnly              the database accepts no writes
    └── DiskFull                      the server's disk is full
StatementRefused                      the data breaks a rule of the schema; nothing was done
└── UnstorableText                    a text has a NUL or a lone surrogate: the client's fault
DefectiveStatement                    the SQL does not fit the schema: a bug, or a missing migration
"""

from collections.abc import Mapping

from engine.errors import StoreUnavailable

REFUSING_CLASSES = frozenset({"21", "22", "23", "54", "P0"})
"""SQLSTATE classes of bad data: cardinality, data, integrity, limits, our own triggers."""

TRANSIENT_CLASSES = frozenset({"08", "25", "40", "53", "55", "57", "58", "XX"})
"""SQLSTATE classes of transient failures: connections, rollbacks, resources, intervention."""


class DatabaseUnavailable(StoreUnavailable):
    """There is no connection to the database, so nothing was done."""


class ConnectionLost(StoreUnavailable):
    """The connection broke, or time ran out, while a statement ran. It may have been carried out."""


class NoAnswer(ConnectionLost):
    """The server did not answer in time. The connection was closed; the statement may be carried out."""


class StatementAborted(StoreUnavailable):
    """The server rolled the statement back because of a transient failure."""


class StatementCancelled(StatementAborted):
    """The server cancelled the statement because it took too long, or because somebody asked for it."""


class LockTimeout(StatementAborted):
    """The statement waited for a lock for longer than `lock_timeout`."""


class DatabaseReadOnly(StatementAborted):
    """The database accepts no writes: it is a standby, or somebody has made it read-only."""


class DiskFull(StatementAborted):
    """The server's disk is full."""


ABORTED: Mapping[str, type[StatementAborted]] = {
    "57014": StatementCancelled,
    "55P03": LockTimeout,
    "25006": DatabaseReadOnly,
    "53100": DiskFull,
}
"""Exceptions for the SQLSTATEs of transient failures that callers distinguish."""


class StatementRefused(Exception):
    """The data breaks a rule of the schema; nothing was done.

    Attributes:
        sqlstate: PostgreSQL's error code.
        constraint: name of the violated constraint, if there is one.
        detail: PostgreSQL's detail; our own triggers put data as JSON there.
    """

    def __init__(
        self, reason: str, sqlstate: str, constraint: str | None = None, detail: str | None = None
    ) -> None:
        super().__init__(reason)
        self.sqlstate = sqlstate
        self.constraint = constraint
        self.detail = detail


class UnstorableText(StatementRefused):
    """A text contains what PostgreSQL cannot store: a NUL or a lone surrogate."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "22021")


class DefectiveStatement(Exception):
    """The statement does not fit the schema."""
