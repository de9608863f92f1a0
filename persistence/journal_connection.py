"""A connection of the journal, which writes a batch in one transaction and finds out its outcome.

A batch is one round trip: BEGIN, the check of the epochs (whose rows stay locked), all rows, COMMIT. A new
connection first terminates the session of the previous one, so that nothing of an abandoned attempt can
commit later.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from engine.causes import Cause
from engine.errors import EngineError, OwnershipLost, StoreUnavailable
from engine.events import Event
from engine.moving_errors import MoveInterrupted
from engine.ports import Entry
from engine.records import IdempotencyRecord
from engine.replies import Reply
from persistence.batch import Batch
from persistence.columns import numbers
from persistence.connector import Connection, Connector
from persistence.errors import DatabaseUnavailable, LockTimeout, StatementRefused
from persistence.statements import NOT_OWNED, PREPARATIONS, UNIQUE_VIOLATION

LOCK_SECONDS = 0.5
"""Time for which a statement may wait for a lock before other entries are written first."""

EPOCHS = "SELECT screening_id, epoch FROM screening_epochs WHERE screening_id = ANY(%s::bigint[])"

BLOCKED = """
WITH free AS (
    SELECT screening_id FROM screening_epochs WHERE screening_id = ANY(%(ids)s::bigint[])
    FOR SHARE SKIP LOCKED
)
SELECT screening_id FROM screening_epochs WHERE screening_id = ANY(%(ids)s::bigint[])
EXCEPT SELECT screening_id FROM free
"""

WRITTEN = """
SELECT screening_id, epoch, seq FROM screening_events
JOIN unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS wanted (screening_id, epoch, seq)
    USING (screening_id, epoch, seq)
"""

END_EARLIER_SESSIONS = """
SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity
WHERE application_name = %s AND pid <> pg_backend_pid()
"""
END_EARLIER_SESSIONS_MS = 2000


class Queued(NamedTuple):
    """An entry of the journal, or a response to store, that is not yet settled.

    Attributes:
        appended_at: when it was appended, in seconds of the monotonic clock.
        number: number of entries that were appended before it.
    """

    entry: Entry
    record: IdempotencyRecord | None
    appended_at: float
    number: int

    @property
    def screening_id(self) -> int | None:
        """The screening whose entries are written in order; None for a response."""
        return self.entry.events[0].screening_id if self.entry.events else None


class JournalConnection:
    """A connection that is opened on demand, and reopened after it was lost.

    Args:
        connector: the database.
        encode_reply: encodes a reply in the form that a receipt names, as HTTP status and body.
        name: the `application_name` in PostgreSQL, unique among all sessions.
        statement_seconds: time limit of a batch; a change applies to the next connection.
    """

    def __init__(
        self,
        connector: Connector,
        encode_reply: Callable[[str, Reply], tuple[int, bytes]],
        name: str,
        statement_seconds: float,
    ) -> None:
        self.statement_seconds = statement_seconds
        self._connector = connector
        self._encode_reply = encode_reply
        self._name = name
        self._connection: Connection | None = None

    async def connect(self) -> Connection:
        """Return the connection. If it is new, the session of the previous one has been terminated.

        Raises:
            DatabaseUnavailable: it could not be opened.
        """
        if self._connection is not None:
            return self._connection
        connection = await self._connector.dedicated(self._name, self.statement_seconds)
        try:
            ended = await connection.run(END_EARLIER_SESSIONS, (END_EARLIER_SESSIONS_MS, self._name))
            if (False,) in ended:
                raise DatabaseUnavailable("An earlier session of the journal has not ended yet")
            await connection.run(f"SET lock_timeout = {int(LOCK_SECONDS * 1000)};{PREPARATIONS}")
        except StoreUnavailable as exc:
            connection.close()
            raise DatabaseUnavailable(str(exc)) from exc
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def end(self) -> None:
        """Close the connection if it is open."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def write(self, batch: Sequence[Queued], *, again: bool = False) -> dict[int, EngineError]:
        """Write the batch in one transaction, without entries of past epochs.

        INSERT without ON CONFLICT is cheaper, so it is tried first. If a row exists already, the batch is
        written with ON CONFLICT.

        Args:
            batch: the entries.
            again: parts of the batch may have been written before.

        Returns:
            Why entries were left out, by `id(queued)`; all others have committed.

        Raises:
            StatementRefused: nothing was written, because of the data of an entry.
            LockTimeout: nothing was written, because another session holds a lock.
            StoreUnavailable: the batch may have been written.
            DefectiveStatement: nothing was written, because of a bug or a missing migration.
        """
        connection = await self.connect()
        try:
            statements, parameters = self._statements(batch, again=again)
            await connection.run(f"BEGIN;{statements}COMMIT", parameters)
        except LockTimeout:
            await connection.run("ROLLBACK")
            raise
        except StatementRefused as refusal:
            await connection.run("ROLLBACK")
            if refusal.sqlstate == UNIQUE_VIOLATION and not again:
                return await self.write(batch, again=True)
            fenced = await self._fenced(connection, batch) if refusal.sqlstate == NOT_OWNED else {}
            if not fenced:
                raise
            lost = await self._lost(connection, batch, fenced)
            return lost | await self.write([queued for queued in batch if id(queued) not in fenced])
        return {}

    async def blocked(self, screening_ids: Iterable[int]) -> set[int]:
        """Return the screenings whose epoch rows are locked by another session.

        Raises:
            StoreUnavailable: the database did not answer.
        """
        wanted = {"ids": numbers(list(screening_ids))}  # they may change while this connects
        connection = await self.connect()
        return {blocked for (blocked,) in await connection.run(BLOCKED, wanted)}

    async def _fenced(self, connection: Connection, batch: Sequence[Queued]) -> dict[int, EngineError]:
        """Return errors for the entries of past epochs, by `id(queued)`. They can never be written now."""
        screening_ids = {event.screening_id for queued in batch for event in queued.entry.events}
        epochs: dict[int, int] = dict(await connection.run(EPOCHS, (numbers(list(screening_ids)),)))
        refused = ((id(queued), _refused(queued.entry, epochs)) for queued in batch)
        return {identity: reason for identity, reason in refused if reason is not None}

    async def _lost(
        self, connection: Connection, batch: Sequence[Queued], fenced: dict[int, EngineError]
    ) -> dict[int, EngineError]:
        """Leave out the errors of entries that an earlier attempt has committed."""
        keys = {id(queued): queued.entry.events[0][:3] for queued in batch if id(queued) in fenced}
        written = await connection.run(
            WRITTEN, [numbers(column) for column in zip(*keys.values(), strict=True)]
        )
        return {identity: fenced[identity] for identity, key in keys.items() if key not in written}

    def _statements(self, batch: Sequence[Queued], *, again: bool) -> tuple[str, list[str]]:
        """Return the SQL that writes the batch, and its parameters.

        Raises:
            StatementRefused: an entry cannot be encoded, or the batch changes a ticket twice.
        """
        try:
            events: list[Event] = []
            answers: list[IdempotencyRecord] = []
            receipts: list[tuple[Any, ...]] = []
            causes: dict[int, Cause] = {}
            for entry, record, _, _ in batch:
                events += entry.events
                if entry.cause is not None:
                    causes.update(dict.fromkeys(map(id, entry.events), entry.cause))
                if record is not None:
                    answers.append(record)
                elif entry.receipt is not None and entry.reply is not None:
                    scope, key, fingerprint, form = entry.receipt
                    answer = self._encode_reply(form, entry.reply)
                    receipts.append((scope, key, fingerprint, *answer, *entry.events[0][:3]))
            return Batch(events, answers, causes, receipts).statements(again=again)
        except Exception as exc:
            raise StatementRefused(f"It cannot be encoded: {exc!r}", "") from exc


def _refused(entry: Entry, epochs: dict[int, int]) -> EngineError | None:
    """Return why an entry is of a past epoch, or None."""
    if not entry.events:
        return None
    first, last = entry.events[0], entry.events[-1]
    if epochs.get(first.screening_id) != first.epoch:
        return OwnershipLost(first.screening_id)
    return MoveInterrupted() if epochs.get(last.screening_id) != last.epoch else None
