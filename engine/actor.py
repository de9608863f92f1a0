"""The actor of a screening: it handles one command at a time, in order, each to completion.

If the mailbox is empty, a command is handled immediately. Otherwise it is queued in the mailbox, which is
bounded, and many queued commands are handled in one turn of the event loop. An actor has no task, so an idle
one costs only its state. Deciding is synchronous. The results go to the journal first, then to the publisher,
then to the caller. One timer is armed, for the earliest deadline or the warning before it. When it fires, the
deadlines are checked again, so a late, double or stale timer does no harm.

An exception other than `EngineError` is a bug. The actor then fails: queued commands are rejected, and the
next command loads the screening from the database again. Exceptions of the publisher and the observer are
logged (`engine.guards`) and do not affect the screening.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextvars import Context
from functools import partial
from math import inf
from time import perf_counter

from engine.actor_context import BATCH_LIMIT, ActorContext
from engine.blocks import NotBlocked
from engine.causes import Cause, handling
from engine.commands import READS, Command, EndArrival, ReadStock, ReleaseLapsed
from engine.errors import CommandExpired, EngineError, JournalFull, Overloaded, OwnershipLost, Unavailable
from engine.events import HoldsExpired
from engine.figures import ScreeningFigures
from engine.guards import DefectLog
from engine.moving import ARRIVAL_SECONDS
from engine.ports import Entry, Timer
from engine.records import Arrival, Receipt, TicketStatus, make
from engine.replies import Booked, Cancelled, Cleared, Lapsed, Reply
from engine.screening import Screening
from engine.screening_state import Decision

log = logging.getLogger("frontrow.engine")

_UNJOURNALLED = READS | {ReleaseLapsed, EndArrival}
"""Commands that are handled even while the journal is full."""

_counting = DefectLog("counting a command")

Envelope = tuple[Command, "asyncio.Future[Reply]", float, Cause | None]
"""A queued command, the future of its reply, the time when it was queued, and the request that sent it."""

_OF_NO_REQUEST = Context()
"""Queued commands are handled in this empty context, not in that of the request that queued the first."""


class ScreeningActor:
    """Serialises everything that happens to one screening.

    Args:
        screening: the state, which nothing else changes.
        context: the ports and limits.
    """

    __slots__ = (
        "_closed",
        "_deadlines",
        "_loop",
        "_mailbox",
        "_screening",
        "_shared",
        "_timer",
        "_timer_at",
        "_waiting",
        "_woken",
        "last_asked_at",
    )

    def __init__(self, screening: Screening, context: ActorContext) -> None:
        self._screening = screening
        self._deadlines = screening.deadlines
        self._shared = context
        self._loop = asyncio.get_running_loop()
        # None while nothing is queued: an empty deque takes 600 bytes, and most screenings are idle.
        self._mailbox: deque[Envelope] | None = None
        # By pending write: the reply to give after the commit, and the futures that wait for it.
        self._waiting: dict[int, tuple[Reply, list[asyncio.Future[Reply]]]] = {}
        self._woken = False
        self._timer: Timer | None = None
        self._timer_at = inf
        self._closed: Unavailable | None = None
        # A screening is loaded for a command, and that arms the timer: so holds that expired while the
        # screening was not in memory are released by the command and counted with it.
        self.last_asked_at = context.clock.now()

    @property
    def screening(self) -> Screening:
        """The state. Only for callers that have closed the actor."""
        return self._screening

    @property
    def screening_id(self) -> int:
        return self._screening.info.id

    @property
    def epoch(self) -> int:
        return self._screening.epoch

    @property
    def position(self) -> tuple[int, int]:
        """Epoch and number of the last change that others have seen."""
        return self._screening.position

    @property
    def mailbox_depth(self) -> int:
        return len(self._mailbox or ())

    @property
    def next_deadline(self) -> float:
        """The earliest deadline, in seconds since the epoch; possibly of a hold that is gone."""
        return self._deadlines.earliest

    @property
    def at_rest(self) -> bool:
        """True if nothing is queued, held, pending or being written."""
        return not self._mailbox and self._screening.at_rest

    @property
    def hold_count(self) -> int:
        return self._screening.hold_count

    @property
    def waiting_count(self) -> int:
        return self._screening.waiting_count

    def figures(self) -> ScreeningFigures:
        """Figures of the screening for operators."""
        return self._screening.figures(self.mailbox_depth, self._shared.clock.now())

    def ask(self, command: Command, cause: Cause | None = None) -> "asyncio.Future[Reply]":
        """Queue a command.

        Args:
            command: for this screening.
            cause: the request that has sent it, if that is to be recorded.

        Returns:
            A future of the reply or of an `EngineError`. Cancelling it withdraws a command that has not been
            handled yet, and has no effect on one that has.

        Raises:
            Overloaded: the mailbox is full.
            Unavailable: the actor is closed.
        """
        if self._closed is not None:
            raise self._closed.with_traceback(None)
        shared = self._shared
        mailbox = self._mailbox
        if mailbox is None:
            mailbox = self._mailbox = deque()
        elif len(mailbox) >= shared.mailbox_limit:
            self._count(command, Overloaded.code, 0.0, 0.0)
            raise Overloaded(self.screening_id)
        answer: asyncio.Future[Reply] = self._loop.create_future()
        self.last_asked_at = now = shared.clock.now()
        mailbox.append((command, answer, now, cause))
        if not self._woken:
            self._woken = True
            self._loop.call_soon(self._drain, context=_OF_NO_REQUEST)
        return answer

    def ask_first(self, command: Command, cause: Cause | None = None) -> "Reply | asyncio.Future[Reply]":
        """Handle a command immediately if nothing is queued, otherwise queue it.

        Only for callers that yield to the event loop by themselves, as connections do: a loop of immediate
        replies would let nothing else run.

        Args:
            command: for this screening.
            cause: as in `ask`.

        Returns:
            The reply if it is known immediately; a future of it if the command is queued or has to be
            committed first.

        Raises:
            EngineError: the command was refused, and nothing has changed.
        """
        if self._mailbox is not None or self._closed is not None:
            return self.ask(command, cause)
        shared = self._shared
        started = perf_counter()
        self.last_asked_at = now = shared.clock.now()
        try:
            if self._deadlines.earliest <= now or shared.lease.until <= now or shared.journal.full:
                self._prepare(command, now)
            decision = self._screening.handle(command, now)
            answer = None if decision.write_id is None else self._loop.create_future()
            self._carry_out(decision, now, command, answer, cause)
        except EngineError as refusal:
            self._count(command, refusal.code, 0.0, perf_counter() - started)
            raise
        except Exception as defect:
            self._give_up(None, defect)
            self._count(command, "failed", 0.0, perf_counter() - started)
            raise
        finally:
            if self._deadlines.next_at < self._timer_at:
                self._arm_timer()
        try:
            shared.meters[type(command)].succeeded(perf_counter() - started)
        except Exception as defect:
            _counting.report(defect)
        return decision.reply if answer is None else answer

    async def caught_up(self) -> None:
        """Return when no command is queued."""
        while self._mailbox is not None:
            # A read that is queued last is answered after all others.
            mark: asyncio.Future[Reply] = self._loop.create_future()
            mark.add_done_callback(asyncio.Future.exception)  # the outcome does not matter
            self._mailbox.append((ReadStock(self.screening_id), mark, self._shared.clock.now(), None))
            await asyncio.wait((mark,))

    def close(self, reason: Unavailable) -> None:
        """Reject all queued and all future commands with `reason`.

        Pending writes are still settled, and their callers answered.
        """
        self._closed = reason
        if self._timer is not None:
            self._timer.cancel()
        mailbox, self._mailbox = self._mailbox, None
        for _, answer, _, _ in mailbox or ():
            self._refuse(answer, reason)

    def _drain(self) -> None:
        """Handle queued commands in order, up to the batch limit."""
        self._woken = False
        shared = self._shared
        started = perf_counter()
        for _ in range(min(self.mailbox_depth, BATCH_LIMIT)):
            if self._mailbox is None:
                return  # a command has failed, which closed the actor and answered the others
            command, answer, enqueued_at, cause = self._mailbox.popleft()
            now = shared.clock.now()  # the process may have been stopped after the previous command
            waited = now - enqueued_at
            handling.request_id = None if cause is None else cause.request_id
            outcome = self._handle(command, answer, waited, now, cause)
            handling.request_id = None
            finished = perf_counter()
            self._count(command, outcome, waited, finished - started)
            started = finished
        if not self._mailbox:
            self._mailbox = None
        elif not self._woken:
            self._woken = True
            self._loop.call_soon(self._drain, context=_OF_NO_REQUEST)
        self._arm_timer()

    def _handle(
        self,
        command: Command,
        answer: "asyncio.Future[Reply]",
        waited: float,
        now: float,
        cause: Cause | None,
    ) -> str:
        """Handle a queued command. Returns its outcome, as it is counted."""
        if answer.done():
            return "withdrawn"
        shared = self._shared
        if waited > shared.wait_limit_seconds:
            self._refuse(answer, CommandExpired())
            return CommandExpired.code
        try:
            if self._deadlines.earliest <= now or shared.lease.until <= now or shared.journal.full:
                self._prepare(command, now)
            decision = self._screening.handle(command, now)
            self._carry_out(decision, now, command, answer, cause)
        except EngineError as refusal:
            # The traceback refers to this frame, the frame to the answer, and the answer to the exception.
            # Nobody needs the traceback; without it there is no cycle for the garbage collector.
            self._refuse(answer, refusal.with_traceback(None))
            return refusal.code
        except Exception as defect:
            self._give_up(answer, defect)
            return "failed"
        if decision.write_id is None and not answer.done():
            answer.set_result(decision.reply)
        return "ok"

    def _prepare(self, command: Command, now: float) -> None:
        """Release what has lapsed, unless the command must be rejected."""
        if self._shared.lease.until <= now:
            raise OwnershipLost(self.screening_id)
        if self._deadlines.earliest <= now and type(command) is not ReleaseLapsed:
            self._release_lapsed(now)
        if self._shared.journal.full and type(command) not in _UNJOURNALLED:
            raise JournalFull

    def _release_lapsed(self, now: float) -> None:
        self._carry_out(self._screening.handle(ReleaseLapsed(self.screening_id), now), now)

    def _carry_out(
        self,
        decision: Decision,
        now: float,
        command: Command | None = None,
        answer: "asyncio.Future[Reply] | None" = None,
        cause: Cause | None = None,
    ) -> None:
        """Journal the events, then publish the changes.

        Args:
            decision: what was decided.
            now: seconds since the epoch.
            command: the command; None if a timer or a step of the clock caused it.
            answer: gets the reply of a durable command after the commit.
            cause: the request that has sent the command, if that is to be recorded.
        """
        _, events, changes, write_id = decision
        shared = self._shared
        if write_id is not None:
            self._await_journal(decision, write_id, command, answer, cause)
        elif events:
            shared.journal.append(make(Entry, (events, None, None, None, cause)))
        elif isinstance(decision.reply, Arrival):
            shared.clock.call_later(ARRIVAL_SECONDS, partial(self._end_arrival, decision.reply.seq))
        if events and type(events[0]) is HoldsExpired:
            lapsed = events[0].holds
            shared.observer.holds_lapsed(len(lapsed), now - lapsed[0].expires_at)
        for change in changes:
            try:
                shared.publisher.publish(change)
            except Exception as defect:
                shared.publisher_defects.report(defect)

    def _count(self, command: Command, outcome: str, waited: float, seconds: float) -> None:
        try:
            self._shared.meters[type(command)].handled(outcome, waited, seconds)
        except Exception as defect:
            _counting.report(defect)

    def _await_journal(
        self,
        decision: Decision,
        write_id: int,
        command: Command | None,
        answer: "asyncio.Future[Reply] | None",
        cause: Cause | None,
    ) -> None:
        """Journal a durable decision; its callers are answered after the commit."""
        reply, events, _, _ = decision
        _, waiting = self._waiting.setdefault(write_id, (reply, []))
        if answer is not None:
            waiting.append(answer)
        if events:
            receipt: Receipt | None = getattr(command, "receipt", None)
            settled = partial(self._finish, write_id, cause)
            stored = reply if receipt else None
            journal = self._shared.journal
            if not isinstance(reply, Lapsed):
                journal.append(make(Entry, (events, receipt, stored, settled, cause)))
                return
            # Holds that have lapsed with the tickets are gone, whether or not the tickets' entry is refused.
            before = tuple([event for event in events if event.seq < write_id])
            after = tuple([event for event in events if event.seq > write_id])
            (lapsed,) = [event for event in events if event.seq == write_id]
            for part, told in ((before, None), ((lapsed,), settled), (after, None)):
                if part:
                    journal.append(make(Entry, (part, None, None, told, cause)))

    def _finish(self, write_id: int, cause: Cause | None, error: EngineError | None) -> None:
        """Settle a committed write, or abort a rejected one, and answer its callers.

        If this raises, the callers still learn whether it was committed, and the screening is loaded from the
        database again.
        """
        try:
            self._conclude(write_id, cause, error)
        except NotBlocked:
            self._shared.failed(self)  # loaded again with the blocks that the database has
        except Exception as defect:
            self._give_up(None, defect)
        reply, waiting = self._waiting.pop(write_id)
        for answer in waiting:
            if error is not None:
                self._refuse(answer, error)
            elif not answer.done():
                answer.set_result(reply)
        if self._closed is None:
            self._arm_timer()

    def _conclude(self, write_id: int, cause: Cause | None, error: EngineError | None) -> None:
        now = self._shared.clock.now()
        conclude = self._screening.settle if error is None else self._screening.abort
        decision = conclude(write_id, now)
        self._carry_out(decision, now, cause=cause)
        if error is None:
            self._count_tickets(decision.reply)

    def _count_tickets(self, reply: Reply) -> None:
        """Count what was sold, or cancelled after it had been sold."""
        if isinstance(reply, Booked):
            prices = [t.price_cents for t in reply.tickets if t.status is TicketStatus.CONFIRMED]
            self._shared.observer.seats_sold(self._screening.info, len(prices), sum(prices))
        elif isinstance(reply, Cancelled | Cleared):
            tickets = (reply.ticket,) if isinstance(reply, Cancelled) else reply.tickets
            prices = [ticket.price_cents for ticket in tickets if ticket.confirmed_at is not None]
            self._shared.observer.seats_cancelled(self._screening.info, len(prices), sum(prices))

    def _end_arrival(self, seq: int) -> None:
        """Load the screening again if it still waits for tickets: the database knows whether they come."""
        if self._closed is None and seq in self._screening.arrivals:
            self._shared.reload(self.screening_id)
            self._shared.clock.call_later(ARRIVAL_SECONDS, partial(self._end_arrival, seq))

    def _arm_timer(self) -> None:
        """Set a timer that fires no later than the earliest deadline or warning."""
        next_at = self._deadlines.next_at
        if next_at < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = next_at
            clock = self._shared.clock
            self._timer = clock.call_later(max(0.0, next_at - clock.now()), self._on_timer)

    def move_deadlines(self, seconds: float) -> None:
        """Move all deadlines after a step of the clock, and release what has lapsed.

        Holds and pending tickets keep their remaining time. The step does not count as waiting time of queued
        commands.

        Args:
            seconds: length of the step; 0 if only the timer is late, after a suspend or an expired lease.
        """
        now = self._shared.clock.now()
        self.last_asked_at += seconds
        if self._mailbox is not None:
            self._mailbox = deque(
                (command, answer, at + seconds, cause) for command, answer, at, cause in self._mailbox
            )
        if self._timer is not None:
            self._timer.cancel()
        try:
            if seconds:
                self._carry_out(self._screening.move_deadlines(seconds, now), now)
        except Exception as defect:
            self._give_up(None, defect)
        self._on_timer()

    def _on_timer(self) -> None:
        self._timer, self._timer_at = None, inf
        if self._closed is not None:
            return
        now = self._shared.clock.now()
        if self._shared.lease.until <= now:
            return  # `move_deadlines` is called when the lease has been renewed
        try:
            if self._deadlines.earliest <= now:
                self._release_lapsed(now)
            if self._deadlines.next_at <= now:
                self._carry_out(self._screening.warn_expiring(now), now)
        except Exception as defect:
            self._give_up(None, defect)
            return
        self._arm_timer()

    def hash_state(self, stored_after_changes: int) -> bool:
        """Send watchers the hash of what everybody sees, and store one of the state, if these have changed.

        Args:
            stored_after_changes: number of changes after which a hash is stored.

        Returns:
            True if something has changed.
        """
        if self._closed is not None:
            return False
        wanted = self._shared.publisher.wants_hashes(self.screening_id)
        told = wanted and self._on_its_own(self._screening.hash_for_watchers)
        return self.store_digest(stored_after_changes) or told

    def store_digest(self, after_changes: int = 1) -> bool:
        """Store a hash of the state, unless something is being written.

        Args:
            after_changes: number of changes since the last one that are worth another.

        Returns:
            True if it is stored with the next batch of the journal.
        """
        if self._shared.journal.full:
            return False
        return self._on_its_own(partial(self._screening.digest_for_storage, after_changes=after_changes))

    def _on_its_own(self, decide: Callable[[float], Decision]) -> bool:
        """Carry out a decision without a command, if the lease lasts. Returns whether it did anything."""
        now = self._shared.clock.now()
        if self._shared.lease.until <= now:
            return False
        try:
            decision = decide(now)
            self._carry_out(decision, now)
        except Exception as defect:
            self._give_up(None, defect)
            return True
        return bool(decision.events or decision.changes)

    @staticmethod
    def _refuse(answer: "asyncio.Future[Reply]", error: EngineError) -> None:
        if not answer.done():
            answer.set_exception(error)

    def _give_up(self, answer: "asyncio.Future[Reply] | None", defect: Exception) -> None:
        log.error("screening %d failed and is unloaded", self.screening_id, exc_info=defect)
        if answer is not None and not answer.done():
            answer.set_exception(defect.with_traceback(None))
        self._shared.failed(self)
