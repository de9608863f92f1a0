"""The write-behind journal: writes the decisions of the engine to PostgreSQL.

One task takes all queued entries and writes them in one transaction, while the next batch gathers. So batches
grow with the load, and an idle journal answers after one commit. When a batch has committed, the next one is
sent before the callers of the first are answered, so that PostgreSQL and this process work at the same time.
Entries that no caller waits for are written every `PACE_SECONDS`, since small batches are inefficient, or
together with the next entry that has a waiting caller.

A batch has one of five outcomes.

* It commits, and its entries are settled.
* The epoch of a screening has been raised. Nothing is written; the entries of past epochs are removed, and
  the others are sent again.
* PostgreSQL rejects the data. The batch is halved until the bad entry is alone and fails with the reason; the
  others commit. Two changes of one ticket, which cannot be in one statement, are separated in the same way.
* It takes too long, or waits too long for a lock. The next batch is half as large; batches grow again when
  they are quick. A screening whose epoch is locked, or whose entries take too long even alone, is set aside:
  a second task writes it over its own connection, with growing time limits, while the others continue. Later
  entries of the screening queue behind its earlier ones there.
* A transient failure leaves its outcome unknown. The batch is sent again until the outcome is certain;
  writing is idempotent.

An entry leaves its queue only when its outcome is certain. So a writer that fails, even because of a bug,
restarts with the first entry whose outcome is unknown.
"""

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import islice
from math import inf
from time import monotonic
from typing import NamedTuple

import orjson

from engine.errors import (
    AnsweredMeanwhile,
    BadEntry,
    EngineError,
    JournalFull,
    OwnershipLost,
    StoreUnavailable,
)
from engine.events import TicketEvent, TicketsLeft, TicketsMoved
from engine.guards import OutageLog, attempt, guarded
from engine.ports import Entry, Observer, Settled
from engine.records import IdempotencyRecord, make
from engine.replies import Reply
from engine.selling_errors import PaymentAlreadyUsed, TicketAdmitted
from engine.tracing import Tracer
from persistence.connector import Connector
from persistence.errors import (
    ConnectionLost,
    DatabaseReadOnly,
    DatabaseUnavailable,
    DefectiveStatement,
    DiskFull,
    LockTimeout,
    NoAnswer,
    StatementAborted,
    StatementCancelled,
    StatementRefused,
)
from persistence.journal_connection import JournalConnection, Queued
from persistence.journal_traces import record_batch

logger = logging.getLogger(__name__)

BATCH_LIMIT = 1000
"""Maximum entries of a transaction. Larger batches are hardly cheaper and block the event loop for longer."""

PACE_SECONDS = 0.02
"""Time between the starts of two batches of entries that no caller waits for."""

STATEMENT_SECONDS = 10.0
"""Time after which a batch is cancelled and sent again in smaller parts."""

LAST_STATEMENT_SECONDS = 300.0
"""The largest time limit for a single entry that was set aside; the limit doubles with each attempt."""

CALLERS_PER_TURN = 16
"""Maximum callers answered in one turn of the event loop, so that new requests are read in between.

After a large batch, clients would otherwise all send their next requests at the same time, and PostgreSQL
would be idle until this process has read them all.
"""

QUICK_SHARE = 0.25
"""If a batch took less than this share of its time limit, the next one may be twice as large."""

FIRST_RETRY_SECONDS = 0.02
LAST_RETRY_SECONDS = 0.5

FAILURES: dict[type[Exception], str] = {
    DatabaseUnavailable: "unavailable",
    ConnectionLost: "connection_lost",
    NoAnswer: "too_slow",
    StatementCancelled: "too_slow",
    LockTimeout: "locked",
    DatabaseReadOnly: "read_only",
    DiskFull: "disk_full",
    StatementAborted: "aborted",
    DefectiveStatement: "defective",
    StatementRefused: "refused",
}
"""The reason that the observer gets when a batch has to be sent again, by exception."""


class _HeldUp(Exception):
    """A batch was not written within its time limit; none of its entries is settled."""

    def __init__(self, batch: Sequence[Queued], failure: StoreUnavailable) -> None:
        self.batch = batch
        self.failure = failure


class _Flush(NamedTuple):
    """A call of `flushed` that waits until every entry below `number` (of one screening) is settled."""

    number: int
    screening_id: int | None
    done: "asyncio.Future[None]"


class _Writer:
    """A connection, and the maximum number of entries in its next batch."""

    def __init__(self, connection: JournalConnection) -> None:
        self.connection = connection
        self.batch_limit = BATCH_LIMIT
        self.outages = OutageLog(logger, "writing the journal")

    def narrow(self, entries: int) -> None:
        """Make the next batch half as large as one that took too long."""
        self.batch_limit = max(1, entries // 2)

    def widen(self, seconds: float) -> None:
        """Allow larger batches if the last one was written quickly."""
        if self.batch_limit < BATCH_LIMIT and seconds < QUICK_SHARE * self.connection.statement_seconds:
            self.batch_limit = min(2 * self.batch_limit, BATCH_LIMIT)


class PostgresJournal:
    """The implementation of `engine.ports.Journal` with PostgreSQL.

    Args:
        connector: the database; each writer opens a dedicated connection.
        encode_reply: encodes a reply in the form that a receipt names, as HTTP status and body.
        observer: gets every committed batch and every failure.
        limit: number of unsettled entries at which the journal is full.
        tracer: records the batches of traced requests; None if traces are switched off.
        monotonic: a monotonic clock in seconds.

    Attributes:
        full: True if there are `limit` unsettled entries or more.
    """

    def __init__(
        self,
        connector: Connector,
        encode_reply: Callable[[str, Reply], tuple[int, bytes]],
        observer: Observer,
        *,
        limit: int = 100_000,
        tracer: Tracer | None = None,
        monotonic: Callable[[], float] = monotonic,
    ) -> None:
        self._observer = guarded(observer)
        self._limit = limit
        self._tracer = tracer
        self._monotonic = monotonic
        self._queue: deque[Queued] = deque()
        self._aside: dict[int | None, deque[Queued]] = {}
        self._due = asyncio.Event()
        self._aside_due = asyncio.Event()
        self._due_later: asyncio.TimerHandle | None = None
        self._paced_until = -inf
        self._appended = 0
        self._unsettled = 0
        self.full = limit <= 0
        self._failure: type[Exception] | None = None
        self._written_at = -inf
        self._outcomes: deque[tuple[Queued, EngineError | None]] = deque()
        self._flushes: deque[_Flush] = deque()
        self._ownership_lost: Callable[[int, int], None] = lambda screening_id, epoch: None
        name = f"frontrow-journal-{secrets.token_hex(8)}"
        self._writer = _Writer(JournalConnection(connector, encode_reply, name, STATEMENT_SECONDS))
        self._aside_writer = _Writer(
            JournalConnection(connector, encode_reply, f"{name}-aside", STATEMENT_SECONDS)
        )
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def depth(self) -> int:
        """Number of entries that are not yet settled."""
        return self._unsettled

    @property
    def lag_seconds(self) -> float:
        """Age of the oldest entry that is not yet settled; 0 when there is none."""
        oldest = min((queue[0].appended_at for queue in self._queues() if queue), default=None)
        return 0.0 if oldest is None else self._monotonic() - oldest

    @property
    def delay_seconds(self) -> float:
        """Expected wait of an entry that is appended now, in seconds.

        This is the age of the oldest entry in the main queue. Entries that were set aside delay no others, so
        they count only while nothing else is written either.
        """
        now = self._monotonic()
        in_turn = now - self._queue[0].appended_at if self._queue else 0.0
        return max(in_turn, min(self.lag_seconds, now - self._written_at))

    @property
    def failure(self) -> type[Exception] | None:
        """Reason why the last attempt to write failed; None after a success or if nothing is queued."""
        return self._failure if self._unsettled else None

    def on_ownership_lost(self, handler: Callable[[int, int], None]) -> None:
        """Set the function called with (screening_id, epoch) when a write was rejected for its epoch."""
        self._ownership_lost = handler

    def append(self, entry: Entry, record: IdempotencyRecord | None = None) -> None:
        """Queue an entry, or a response to store."""
        now = self._monotonic()
        self._queue.append(make(Queued, (entry, record, now, self._appended)))
        self._appended += 1
        self._unsettled += 1
        if self._unsettled >= self._limit:
            self.full = True
        if entry.settled is not None or now >= self._paced_until or len(self._queue) >= BATCH_LIMIT:
            self._due.set()
        elif self._due_later is None:
            self._due_later = asyncio.get_running_loop().call_later(self._paced_until - now, self._fall_due)

    def remember(self, record: IdempotencyRecord, settled: Settled | None = None) -> None:
        """Queue a response to store for repeats of its request; a full journal drops it."""
        if not self.full:
            self.append(Entry((), settled=settled), record)
        elif settled is not None:
            settled(JournalFull())

    async def flushed(self, screening_id: int | None = None) -> None:
        """Return when everything appended before this call is settled.

        Args:
            screening_id: if given, entries of other screenings that are set aside are not waited for.
        """
        flush = _Flush(self._appended, screening_id, asyncio.get_running_loop().create_future())
        if not self._is_over(flush):
            self._flushes.append(flush)
            self._due.set()
            await flush.done

    async def start(self) -> None:
        """Start the writers. They connect by themselves as soon as the database is available."""
        self._tasks = [
            asyncio.create_task(self._repeat(self._write_next, self._due, self._writer)),
            asyncio.create_task(self._repeat(self._write_aside, self._aside_due, self._aside_writer)),
        ]

    async def stop(self, timeout_seconds: float) -> int:
        """Flush everything and stop the writers. Does nothing if they are stopped.

        Args:
            timeout_seconds: time limit for flushing.

        Returns:
            The number of entries that could not be settled in time.
        """
        if not self._tasks:
            return self.depth
        try:
            async with asyncio.timeout(timeout_seconds):
                await self.flushed()
        except TimeoutError:
            logger.error("The journal stops with %d entries that may not have been written", self.depth)
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        while self._outcomes:
            self._tell_outcomes()
        self._writer.connection.end()
        self._aside_writer.connection.end()
        return self.depth

    def _queues(self) -> Iterable[deque[Queued]]:
        return (self._queue, *self._aside.values())

    def _fall_due(self) -> None:
        self._due_later = None
        self._due.set()

    async def _repeat(
        self, write: Callable[[], Awaitable[None]], due: asyncio.Event, writer: _Writer
    ) -> None:
        while True:
            try:
                await due.wait()
                await write()
            except Exception:
                # A bug. No entry is lost: those whose outcome is unknown are still queued.
                logger.exception("The journal's writer failed and is restarted")
                writer.connection.end()
                await asyncio.sleep(LAST_RETRY_SECONDS)
                due.set()

    # The main queue.

    async def _write_next(self) -> None:
        if batch := self._gathered():
            try:
                await self._write_batch(self._writer, self._queue, batch)
            except _HeldUp as held_up:
                await self._make_way(held_up.batch, held_up.failure)

    def _gathered(self) -> Sequence[Queued]:
        """Return the entries of the next batch, which stay in the queue."""
        if self._aside:
            self._pass_aside()
        batch = list(islice(self._queue, self._writer.batch_limit))
        self._due.clear()
        if len(batch) < len(self._queue):
            self._due.set()
        if self._due_later is not None:
            self._due_later.cancel()
            self._due_later = None
        self._paced_until = self._monotonic() + PACE_SECONDS
        return batch

    async def _make_way(self, batch: Sequence[Queued], failure: StoreUnavailable) -> None:
        """Set aside the screenings that delay a batch, or make the next batch smaller."""
        connection = self._writer.connection
        screening_ids = {queued.screening_id for queued in batch}
        blocked: set[int | None] = set()
        try:
            if isinstance(failure, LockTimeout):
                blocked.update(await connection.blocked(one for one in screening_ids if one is not None))
        except StoreUnavailable:
            connection.end()
        if not blocked and len(screening_ids) == 1:
            blocked = screening_ids
        if blocked:
            await self._connected(connection)
            self._set_aside(blocked)
        else:
            self._writer.narrow(len(batch))
        self._due.set()

    async def _connected(self, connection: JournalConnection) -> None:
        """Connect, so that no earlier session of this writer can still write; retry until it succeeds."""
        while True:
            try:
                await connection.connect()
                return
            except StoreUnavailable:
                await asyncio.sleep(LAST_RETRY_SECONDS)

    # Entries that are set aside.

    def _set_aside(self, screening_ids: Iterable[int | None]) -> None:
        for screening_id in screening_ids:
            self._aside.setdefault(screening_id, deque())
            logger.warning("Entries of %s are set aside; others go on", _named(screening_id))
        self._pass_aside()
        self._aside_due.set()

    def _pass_aside(self) -> None:
        """Move the entries of set-aside screenings from the head of the queue to their own queues."""
        kept: list[Queued] = []
        while self._queue and len(kept) < BATCH_LIMIT:
            queued = self._queue.popleft()
            waiting = self._aside.get(queued.screening_id)
            (kept if waiting is None else waiting).append(queued)
        self._queue.extendleft(reversed(kept))
        self._tell_flushed()

    async def _write_aside(self) -> None:
        """Try to write each set-aside screening once."""
        writer = self._aside_writer
        blocked: set[int | None] = set()
        try:
            blocked.update(await writer.connection.blocked(one for one in self._aside if one is not None))
        except StoreUnavailable:
            writer.connection.end()
            blocked.update(self._aside)
        progress = False
        for screening_id in [one for one in self._aside if one not in blocked]:
            queue = self._aside[screening_id]
            batch = list(islice(queue, writer.batch_limit))
            try:
                await self._write_batch(writer, queue, batch)
                progress = True
            except _HeldUp as held_up:
                if not isinstance(held_up.failure, LockTimeout):
                    self._be_patient(len(held_up.batch))
            if not queue:
                del self._aside[screening_id]
        if not self._aside:
            self._aside_due.clear()
            writer.connection.end()
            writer.connection.statement_seconds = STATEMENT_SECONDS
        elif not progress:
            await asyncio.sleep(LAST_RETRY_SECONDS)

    def _be_patient(self, entries: int) -> None:
        """After a time-out, send fewer set-aside entries next time, or give a single one more time."""
        connection = self._aside_writer.connection
        self._aside_writer.narrow(entries)
        if entries == 1:
            connection.statement_seconds = min(2 * connection.statement_seconds, LAST_STATEMENT_SECONDS)

    # Writing and settling.

    async def _write_batch(self, writer: _Writer, queue: deque[Queued], batch: Sequence[Queued]) -> None:
        began = self._monotonic()
        oldest = batch[0].appended_at
        await self._write(writer, queue, batch)
        ended = self._monotonic()
        writer.widen(ended - began)
        self._observer.batch_flushed(len(batch), ended - began, ended - oldest)
        if self._tracer is not None:
            record_batch(self._tracer, batch, began, ended)

    async def _write(self, writer: _Writer, queue: deque[Queued], batch: Sequence[Queued]) -> None:
        """Write the batch, which is at the head of the queue, until the outcome of every entry is certain.

        Raises:
            _HeldUp: some of its entries took too long; those before them are settled.
        """
        retry_seconds = FIRST_RETRY_SECONDS
        while True:
            try:
                lost = await writer.connection.write(batch)
            except StatementRefused as refusal:
                self._observer.flush_failed(FAILURES[StatementRefused])
                if len(batch) == 1:
                    return self._settle(queue, batch, {id(batch[0]): _reason(batch[0], refusal)})
                middle = len(batch) // 2
                await self._write(writer, queue, batch[:middle])
                return await self._write(writer, queue, batch[middle:])
            except (StoreUnavailable, DefectiveStatement) as failure:
                writer.outages.failed(failure)
                self._observer.flush_failed(FAILURES[type(failure)])
                if writer is self._writer:
                    self._failure = type(failure)
                if isinstance(failure, LockTimeout):
                    raise _HeldUp(batch, failure) from failure
                writer.connection.end()
                if isinstance(failure, NoAnswer | StatementCancelled):
                    raise _HeldUp(batch, failure) from failure
                await asyncio.sleep(retry_seconds)
                retry_seconds = min(2 * retry_seconds, LAST_RETRY_SECONDS)
            else:
                writer.outages.succeeded()
                self._failure, self._written_at = None, self._monotonic()
                return self._settle(queue, batch, lost)

    def _settle(self, queue: deque[Queued], batch: Sequence[Queued], reasons: dict[int, EngineError]) -> None:
        """Remove a batch whose outcome is certain from its queue; its callers are answered in later turns.

        By then the writer has sent the next batch.
        """
        scheduled = bool(self._outcomes)
        for _ in batch:
            queue.popleft()
        if reasons:
            told = [(queued, reasons.get(id(queued))) for queued in batch]
        else:
            told = [(queued, None) for queued in batch if queued.entry.settled is not None]
        self._outcomes.extend(told)
        self._has_settled(len(batch) - len(told))
        if not self._outcomes:
            self._tell_flushed()
        elif not scheduled:
            asyncio.get_running_loop().call_soon(self._tell_outcomes)

    def _has_settled(self, entries: int) -> None:
        self._unsettled -= entries
        self.full = self._unsettled >= self._limit

    def _tell_outcomes(self) -> None:
        """Answer callers of settled entries, in the order in which the entries were settled."""
        deposed: dict[tuple[int, int], None] = {}
        answered = 0
        while self._outcomes and answered < CALLERS_PER_TURN:
            queued, reason = self._outcomes.popleft()
            self._has_settled(1)
            if isinstance(reason, OwnershipLost):
                deposed[queued.entry.events[0][:2]] = None
            elif isinstance(reason, BadEntry):
                logger.error("The database refused a journal entry: %s", reason.__cause__)
            if (settled := queued.entry.settled) is not None:
                attempt(settled, reason)
                answered += 1
        if self._outcomes:
            asyncio.get_running_loop().call_soon(self._tell_outcomes)
        for screening_id, epoch in deposed:
            attempt(self._ownership_lost, screening_id, epoch)
        self._tell_flushed()

    def _is_over(self, flush: _Flush) -> bool:
        """Return whether every entry that the caller waits for is settled."""
        if any(queued.number < flush.number for queued, _ in self._outcomes):
            return False
        waiting = [self._queue]
        if flush.screening_id is None:
            waiting += self._aside.values()
        elif flush.screening_id in self._aside:
            waiting.append(self._aside[flush.screening_id])
        return all(not queue or queue[0].number >= flush.number for queue in waiting)

    def _tell_flushed(self) -> None:
        if not self._aside:
            while self._flushes and self._is_over(self._flushes[0]):
                _finish(self._flushes.popleft())
            return
        flushes, self._flushes = self._flushes, deque()
        for flush in flushes:
            if self._is_over(flush):
                _finish(flush)
            else:
                self._flushes.append(flush)


def _finish(flush: _Flush) -> None:
    if not flush.done.done():
        flush.done.set_result(None)


def _named(screening_id: int | None) -> str:
    return "stored responses" if screening_id is None else f"screening {screening_id}"


def _reason(queued: Queued, refusal: StatementRefused) -> EngineError:
    if refusal.constraint == "tickets_payment":
        for event in queued.entry.events:
            if isinstance(event, TicketsMoved) and event.payment_id is not None:
                return PaymentAlreadyUsed(event.payment_id)
            if isinstance(event, TicketEvent) and not isinstance(event, TicketsLeft):
                for ticket in event.tickets:
                    if ticket.payment_id is not None:
                        return PaymentAlreadyUsed(ticket.payment_id)
    if refusal.constraint == "idempotency_keys_pkey":
        return AnsweredMeanwhile()
    if refusal.constraint == "tickets_admitted":
        return TicketAdmitted(*orjson.loads(refusal.detail or ""))
    reason = BadEntry(f"The database refuses this ({refusal.constraint or refusal.sqlstate or 'unreadable'})")
    reason.__cause__ = refusal
    return reason
