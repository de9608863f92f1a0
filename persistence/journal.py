"""The write-behind journal: one writer carries to Postgres what the engine has decided.

One task takes what has gathered, writes it in one transaction, settles it, and takes what has gathered
meanwhile: batches grow with the load, and an idle journal answers after one commit. A batch is one round
trip: BEGIN, the check of the epochs, whose rows stay locked, all rows, COMMIT. What nobody waits for keeps a
pace, since small batches cost more than they are worth; it goes at once if the last batch is not just over,
and with everything that somebody waits for.

A batch ends in one of four ways.

* It commits, and its entries are settled.
* A screening has another epoch. Then nothing is written; the entries of past epochs are taken out, and the
  others are sent again.
* The database refuses its content. Then it is halved, and halved again, until the entry at fault is
  alone and settled with the reason; the others commit. Two changes of one ticket, which cannot stand
  in one statement, part in the same way.
* Something passing came between, and perhaps it has committed all the same. Then it is sent again, for as
  long as it takes: writing is idempotent. Before that the server is made to end the session of the earlier
  attempt, so that nothing of it can come to life later.

An entry leaves the queue only when it is settled. So whatever happens to the writer, even a defect of its
own, it begins again with the first entry that is not.
"""

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from math import inf
from time import monotonic
from typing import NamedTuple

from engine.errors import BadEntry, EngineError, OwnershipLost, PaymentAlreadyUsed, StoreUnavailable
from engine.events import Event, TicketEvent
from engine.guards import attempt, guarded
from engine.ports import Entry, Observer
from engine.records import IdempotencyRecord, make
from engine.replies import Reply
from persistence.batch import Batch
from persistence.columns import numbers
from persistence.connector import (
    ConnectionLost,
    Connector,
    DatabaseUnavailable,
    DefectiveStatement,
    Session,
    StatementAborted,
    StatementRefused,
)
from persistence.statements import NOT_OWNED, PREPARATIONS

logger = logging.getLogger(__name__)

BATCH_LIMIT = 1000
"""Entries of one transaction. More would make commits cheaper by little and the event loop wait."""

PACE_SECONDS = 0.02
"""How long after a batch the next one begins that holds nothing that somebody waits for."""

STATEMENT_SECONDS = 10.0
"""How long a statement of the writer may take before the connection is given up."""

FIRST_RETRY_SECONDS = 0.02
LAST_RETRY_SECONDS = 0.5

EPOCHS = "SELECT screening_id, epoch FROM screening_epochs WHERE screening_id = ANY(%s::bigint[])"

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

FAILURES: dict[type[Exception], str] = {
    DatabaseUnavailable: "unavailable",
    ConnectionLost: "connection_lost",
    StatementAborted: "aborted",
    DefectiveStatement: "defective",
    StatementRefused: "refused",
}
"""Why a batch has to be sent again, as the observer is told."""


class _Queued(NamedTuple):
    entry: Entry
    record: IdempotencyRecord | None
    appended_at: float


class PostgresJournal:
    """`engine.ports.Journal` over Postgres.

    Args:
        connector: the database; the writer takes a connection of its own from it.
        encode_reply: writes a reply down in a receipt's form: status and body.
        observer: is told of batches.
        limit: entries from which on the journal is full.
        monotonic: seconds on a clock that only goes forward.
    """

    def __init__(
        self,
        connector: Connector,
        encode_reply: Callable[[str, Reply], tuple[int, bytes]],
        observer: Observer,
        *,
        limit: int = 100_000,
        monotonic: Callable[[], float] = monotonic,
    ) -> None:
        self._connector = connector
        self._encode_reply = encode_reply
        self._observer = guarded(observer)
        self._limit = limit
        self._monotonic = monotonic
        self._queue: deque[_Queued] = deque()
        self._due = asyncio.Event()
        self._due_later: asyncio.TimerHandle | None = None
        self._paced_until = -inf
        self._appended = 0
        self._flushes: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._ownership_lost: Callable[[int, int], None] = lambda screening_id, epoch: None
        self._application_name = f"frontrow-journal-{secrets.token_hex(8)}"
        self._session: Session | None = None
        self._writer: asyncio.Task[None] | None = None

    @property
    def full(self) -> bool:
        """Whether the bound is reached."""
        return len(self._queue) >= self._limit

    @property
    def depth(self) -> int:
        """Entries appended and not yet settled."""
        return len(self._queue)

    @property
    def lag_seconds(self) -> float:
        """Age of the oldest entry that is not yet settled; 0 when there is none."""
        return self._monotonic() - self._queue[0].appended_at if self._queue else 0.0

    def on_ownership_lost(self, handler: Callable[[int, int], None]) -> None:
        """Set who is told (screening_id, epoch) when a write was refused for its epoch."""
        self._ownership_lost = handler

    def append(self, entry: Entry) -> None:
        """Queue an entry."""
        self._put(entry, None)

    def remember(self, record: IdempotencyRecord) -> None:
        """Queue an answer to be kept for repeats of its request; a full journal lets it go."""
        if not self.full:
            self._put(Entry(()), record)

    async def flushed(self) -> None:
        """Return when everything appended before this call is settled."""
        if self._queue:
            flushed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._flushes.append((self._appended, flushed))
            self._due.set()
            await flushed

    async def start(self) -> None:
        """Start the writer; it connects by itself, now or as soon as there is a database."""
        self._writer = asyncio.create_task(self._write_for_ever())

    async def stop(self, timeout_seconds: float) -> int:
        """Flush everything and stop the writer; once it is stopped this does nothing.

        Args:
            timeout_seconds: how long flushing may take.

        Returns:
            How many entries could not be settled in that time; 0 if all is well.
        """
        if self._writer is None:
            return self.depth
        try:
            async with asyncio.timeout(timeout_seconds):
                await self.flushed()
        except TimeoutError:
            logger.error("The journal stops with %d entries that may not have been written", self.depth)
        writer, self._writer = self._writer, None
        writer.cancel()
        if self._due_later is not None:
            self._due_later.cancel()
        await asyncio.gather(writer, return_exceptions=True)
        self._end_session()
        return self.depth

    def _put(self, entry: Entry, record: IdempotencyRecord | None) -> None:
        now = self._monotonic()
        self._queue.append(make(_Queued, (entry, record, now)))
        self._appended += 1
        if entry.settled is not None or now >= self._paced_until or len(self._queue) >= BATCH_LIMIT:
            self._due.set()
        elif self._due_later is None:
            self._due_later = asyncio.get_running_loop().call_later(self._paced_until - now, self._fall_due)

    def _fall_due(self) -> None:
        self._due_later = None
        self._due.set()

    async def _write_for_ever(self) -> None:
        while True:
            try:
                await self._due.wait()
                if batch := self._gathered():
                    await self._write_batch(batch)
            except Exception:
                # The last resort. No entry is lost: those that are not settled are still queued.
                logger.exception("The journal's writer has a defect; it begins again")
                self._end_session()
                await asyncio.sleep(LAST_RETRY_SECONDS)
                self._due.set()

    def _gathered(self) -> Sequence[_Queued]:
        """What the next batch consists of."""
        batch = list(islice(self._queue, BATCH_LIMIT))
        self._due.clear()
        if len(batch) < len(self._queue):
            self._due.set()
        if self._due_later is not None:
            self._due_later.cancel()
            self._due_later = None
        self._paced_until = self._monotonic() + PACE_SECONDS
        return batch

    async def _write_batch(self, batch: Sequence[_Queued]) -> None:
        began = self._monotonic()
        oldest = batch[0].appended_at
        await self._write(batch)
        ended = self._monotonic()
        self._observer.batch_flushed(len(batch), ended - began, ended - oldest)

    async def _write(self, batch: Sequence[_Queued]) -> None:
        """Return when every entry of the batch, which stands at the head of the queue, is settled."""
        retry_seconds = FIRST_RETRY_SECONDS
        while True:
            try:
                lost = await self._attempt(batch)
            except StatementRefused as refusal:
                self._observer.flush_failed(FAILURES[StatementRefused])
                if len(batch) == 1:
                    return self._settle(batch, {id(batch[0]): _reason(batch[0], refusal)})
                middle = len(batch) // 2
                await self._write(batch[:middle])
                return await self._write(batch[middle:])
            except (StoreUnavailable, DefectiveStatement) as failure:
                logger.warning("%d journal entries are sent again: %s", len(batch), failure)
                self._observer.flush_failed(FAILURES[type(failure)])
                self._end_session()
                await asyncio.sleep(retry_seconds)
                retry_seconds = min(2 * retry_seconds, LAST_RETRY_SECONDS)
            else:
                return self._settle(batch, lost)

    async def _attempt(self, batch: Sequence[_Queued]) -> dict[int, EngineError]:
        """Write the batch in one transaction, without entries of past epochs.

        Returns:
            Why entries were left out, by their identity, after all others have committed.

        Raises:
            StatementRefused: nothing was written; some entry is at fault.
            StoreUnavailable: it may have been written.
            DefectiveStatement: nothing was written; the code or the schema is at fault.
        """
        session = self._session = self._session or await self._connect()
        try:
            statements, parameters = self._statements(batch)
            await session.run(f"BEGIN;{statements}COMMIT", parameters)
        except StatementRefused as refusal:
            await session.run("ROLLBACK")
            fenced = await self._fenced(session, batch) if refusal.sqlstate == NOT_OWNED else []
            if not fenced:
                raise
            lost = await self._lost(session, fenced)
            left_out = {id(queued) for queued in fenced}
            return lost | await self._attempt([queued for queued in batch if id(queued) not in left_out])
        return {}

    async def _fenced(self, session: Session, batch: Sequence[_Queued]) -> list[_Queued]:
        """Entries of past epochs. Epochs only grow: what is past now is past for ever."""
        screening_ids = {queued.entry.events[0].screening_id for queued in batch if queued.entry.events}
        epochs: dict[int, int] = dict(await session.run(EPOCHS, (numbers(screening_ids),)))
        return [queued for queued in batch if not _owned(queued.entry, epochs)]

    async def _lost(self, session: Session, fenced: Sequence[_Queued]) -> dict[int, EngineError]:
        """Which of the entries of past epochs are lost. An earlier attempt may have committed them."""
        keys = {id(queued): queued.entry.events[0][:3] for queued in fenced}
        written = await session.run(WRITTEN, [numbers(column) for column in zip(*keys.values(), strict=True)])
        return {identity: OwnershipLost(key[0]) for identity, key in keys.items() if key not in written}

    def _statements(self, batch: Sequence[_Queued]) -> tuple[str, list[str]]:
        """What writes the batch.

        Raises:
            StatementRefused: an entry cannot be written down. It must not stop those behind it.
        """
        try:
            events: list[Event] = []
            answers: list[IdempotencyRecord] = []
            for entry, record, _ in batch:
                events += entry.events
                if record is not None:
                    answers.append(record)
                elif entry.receipt is not None and entry.reply is not None:
                    scope, key, fingerprint, form = entry.receipt
                    answer = self._encode_reply(form, entry.reply)
                    answers.append(IdempotencyRecord(scope, key, fingerprint, *answer))
            return Batch(events, answers).statements()
        except Exception as exc:
            raise StatementRefused(f"It cannot be written down: {exc!r}", "") from exc

    def _settle(self, batch: Sequence[_Queued], reasons: dict[int, EngineError]) -> None:
        deposed: dict[tuple[int, int], None] = {}
        for queued in batch:
            self._queue.popleft()
            reason = reasons.get(id(queued)) if reasons else None
            if isinstance(reason, OwnershipLost):
                deposed[queued.entry.events[0][:2]] = None
            elif isinstance(reason, BadEntry):
                logger.error("The database refused a journal entry: %s", reason.__cause__)
            if (settled := queued.entry.settled) is not None:
                attempt(settled, reason)
        for screening_id, epoch in deposed:
            attempt(self._ownership_lost, screening_id, epoch)
        count = self._appended - len(self._queue)
        while self._flushes and self._flushes[0][0] <= count:
            _, flushed = self._flushes.popleft()
            if not flushed.done():
                flushed.set_result(None)

    async def _connect(self) -> Session:
        session = await self._connector.dedicated(self._application_name, STATEMENT_SECONDS)
        try:
            ended = await session.run(END_EARLIER_SESSIONS, (END_EARLIER_SESSIONS_MS, self._application_name))
            if (False,) in ended:
                raise DatabaseUnavailable("An earlier session of the journal has not ended yet")
            await session.run(PREPARATIONS)
        except BaseException:
            session.close()
            raise
        return session

    def _end_session(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None


def _owned(entry: Entry, epochs: dict[int, int]) -> bool:
    return not entry.events or epochs.get(entry.events[0].screening_id) == entry.events[0].epoch


def _reason(queued: _Queued, refusal: StatementRefused) -> EngineError:
    if refusal.constraint == "tickets_payment_fkey":
        for event in queued.entry.events:
            if isinstance(event, TicketEvent):
                for ticket in event.tickets:
                    if ticket.payment_id is not None:
                        return PaymentAlreadyUsed(ticket.payment_id)
    reason = BadEntry(f"The database refuses this ({refusal.constraint or refusal.sqlstate or 'unreadable'})")
    reason.__cause__ = refusal
    return reason
