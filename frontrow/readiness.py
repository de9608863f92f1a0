"""Decides what `/readyz` answers: the reasons why the server cannot do its work, if any.

It uses what the server already knows (journal delay, failing writes) and sends the database one query with a
time limit, because probes give up after a second. A reason disappears when its cause does. The texts are our
own and not PostgreSQL's, since anybody may read them; the log has the details.
"""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from engine.errors import StoreUnavailable
from persistence.connector import Connector
from persistence.errors import (
    ConnectionLost,
    DatabaseReadOnly,
    DatabaseUnavailable,
    DiskFull,
    LockTimeout,
    NoAnswer,
    StatementCancelled,
)

_PROBE_SECONDS = 0.8
_PROBE = "SELECT current_setting('transaction_read_only') = 'on'"

_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (DatabaseUnavailable, "the database cannot be reached"),
    (NoAnswer, "the database does not answer"),
    (ConnectionLost, "the connection to the database was lost"),
    (DatabaseReadOnly, "the database is read-only"),
    (DiskFull, "the disk of the database is full"),
    (LockTimeout, "another session holds a lock in the database"),
    (StatementCancelled, "database statements time out"),
    (Exception, "the database reports an error; see the server's log"),
)


class Journal(Protocol):
    """The part of the journal that readiness needs."""

    @property
    def full(self) -> bool:
        """True if the journal is full."""

    @property
    def delay_seconds(self) -> float:
        """Expected delay in seconds of an entry appended now."""

    @property
    def failure(self) -> type[Exception] | None:
        """Type of the error with which the last write failed; None if it succeeded."""


class Store(Protocol):
    """The part of the store that readiness needs."""

    @property
    def failure(self) -> type[Exception] | None:
        """Error type of the last load of a screening; None if it succeeded or the failure was long ago."""


class Node(Protocol):
    """The part of a cluster's node that readiness needs."""

    def reasons(self) -> Mapping[str, str]:
        """Return the reasons why the node cannot serve, by component."""

    def degraded(self) -> Mapping[str, str]:
        """Return what the node does not serve although it is ready, by component."""


class Readiness:
    """Finds the reasons why the server cannot do its work.

    Args:
        connector: the database.
        journal: the write-behind journal.
        store: loads screenings.
        lag_limit_seconds: how long journal entries may wait for their commit.
        wait_seconds: time limit of the database query; shorter than a probe's own timeout.
        node: finds reasons in the cluster; None for a server that runs alone.
    """

    def __init__(
        self,
        connector: Connector,
        journal: Journal,
        store: Store,
        *,
        lag_limit_seconds: float,
        wait_seconds: float,
        node: Node | None = None,
    ) -> None:
        self._connector = connector
        self._journal = journal
        self._store = store
        self._lag_limit_seconds = lag_limit_seconds
        self._wait_seconds = min(wait_seconds, _PROBE_SECONDS)
        self._node = node
        self._probe: asyncio.Task[str] | None = None

    async def reasons(self) -> Mapping[str, str]:
        """Return the reasons by component; empty if the server is ready. Answers within a second."""
        found = {
            "journal": self._of_journal(),
            "screenings": _failing(self._store.failure, "screenings cannot be loaded"),
            "database": await self._of_database(),
            **(self._node.reasons() if self._node else {}),
        }
        return {component: reason for component, reason in found.items() if reason}

    def degraded(self) -> Mapping[str, str]:
        """Return what the server does not serve although it is ready, by component."""
        return self._node.degraded() if self._node else {}

    def _of_journal(self) -> str:
        if self._journal.full:
            return "full"
        if failing := _failing(self._journal.failure, "writes fail"):
            return failing
        waited = self._journal.delay_seconds
        return f"entries have been waiting for {waited:.1f} s" if waited > self._lag_limit_seconds else ""

    async def _of_database(self) -> str:
        """Query the database; concurrent probes share one query and so one connection."""
        if self._probe is None or self._probe.done():
            self._probe = asyncio.create_task(self._ask_database())
        return await asyncio.shield(self._probe)

    async def _ask_database(self) -> str:
        try:
            async with asyncio.timeout(self._wait_seconds):
                ((read_only,),) = await self._connector.run(_PROBE)
        except TimeoutError:
            return _text_of(NoAnswer)
        except StoreUnavailable as exc:
            return _text_of(type(exc))
        return _text_of(DatabaseReadOnly) if read_only else ""


def _failing(failure: type[Exception] | None, what: str) -> str:
    return f"{what}: {_text_of(failure)}" if failure else ""


def _text_of(failure: type[Exception]) -> str:
    return next(words for kind, words in _WORDS if issubclass(failure, kind))
