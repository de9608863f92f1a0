"""The reasons of `/readyz`: whether the server can do its work now.

It uses what the server knows already (the delay of the journal, failing writes) and asks the database one
question with a time limit of its own, because probes give up after a second. Every reason disappears when its
cause has gone. The texts are ours and not PostgreSQL's, because anybody may read them; the log has the
details.
"""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from engine.errors import StoreUnavailable
from persistence.connector import (
    ConnectionLost,
    Connector,
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
    (LockTimeout, "somebody else holds a lock in the database"),
    (StatementCancelled, "statements take too long"),
    (Exception, "the database refuses; the log says why"),
)


class Journal(Protocol):
    """The part of the journal that is used here."""

    @property
    def full(self) -> bool:
        """Whether it takes no more."""

    @property
    def delay_seconds(self) -> float:
        """Expected wait of an entry that is appended now."""

    @property
    def failure(self) -> type[Exception] | None:
        """Why the last attempt to write failed; None if it succeeded."""


class Store(Protocol):
    """The part of the store that is used here."""

    @property
    def failure(self) -> type[Exception] | None:
        """Why the last screening could not be loaded; None if it was, or if that was long ago."""


class Readiness:
    """Tells why the server cannot do its work.

    Args:
        connector: the database.
        journal: carries decisions to it.
        store: loads screenings from it.
        lag_limit_seconds: how long entries of the journal may wait.
        wait_seconds: how long the database may take to answer; never more than the probes that wait for it.
    """

    def __init__(
        self,
        connector: Connector,
        journal: Journal,
        store: Store,
        *,
        lag_limit_seconds: float,
        wait_seconds: float,
    ) -> None:
        self._connector = connector
        self._journal = journal
        self._store = store
        self._lag_limit_seconds = lag_limit_seconds
        self._wait_seconds = min(wait_seconds, _PROBE_SECONDS)
        self._probe: asyncio.Task[str] | None = None

    async def reasons(self) -> Mapping[str, str]:
        """The reasons by component; empty if the server can do its work. Answers within a second."""
        found = {
            "journal": self._of_journal(),
            "screenings": _failing(self._store.failure, "screenings cannot be loaded"),
            "database": await self._of_database(),
        }
        return {component: reason for component, reason in found.items() if reason}

    def _of_journal(self) -> str:
        if self._journal.full:
            return "full"
        if failing := _failing(self._journal.failure, "writes fail"):
            return failing
        waited = self._journal.delay_seconds
        return f"entries have waited for {waited:.1f} s" if waited > self._lag_limit_seconds else ""

    async def _of_database(self) -> str:
        """Concurrent probes share one query, so they never take more than one connection."""
        if self._probe is None or self._probe.done():
            self._probe = asyncio.create_task(self._ask_database())
        return await asyncio.shield(self._probe)

    async def _ask_database(self) -> str:
        try:
            async with asyncio.timeout(self._wait_seconds):
                ((read_only,),) = await self._connector.run(_PROBE)
        except TimeoutError:
            return _in_words(NoAnswer)
        except StoreUnavailable as exc:
            return _in_words(type(exc))
        return _in_words(DatabaseReadOnly) if read_only else ""


def _failing(failure: type[Exception] | None, what: str) -> str:
    return f"{what}: {_in_words(failure)}" if failure else ""


def _in_words(failure: type[Exception]) -> str:
    return next(words for kind, words in _WORDS if issubclass(failure, kind))
