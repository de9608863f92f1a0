"""The actor round a screening: one at a time, in order, to completion.

What a connection asks is decided at once if nothing waits before it. All else waits in a bounded
mailbox, of which one wake-up of the event loop drains much; no task belongs to an actor, so an idle
one costs its state only. Deciding is synchronous; what comes out goes to the journal first, then to
whoever watches, then to whoever asked. One timer is armed, for the earliest deadline; when it fires
deadlines are looked at again, so a late, double or stale timer does nothing.

An exception that is no `EngineError` is a defect of ours: the actor gives up (`failed`), whoever
waits is answered, and the next touch loads the screening afresh from what was stored. A defect in a publisher
or an observer is logged (`engine.guards`) and changes nothing for the screening.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf
from time import perf_counter

from engine.commands import READS, Command, ReadStock, ReleaseLapsed
from engine.errors import CommandExpired, EngineError, JournalFull, Overloaded, Unavailable
from engine.events import HoldsExpired
from engine.guards import DefectLog
from engine.ports import Clock, CommandMeter, Entry, Journal, Observer, Publisher, Timer
from engine.records import Receipt, TicketStatus, make
from engine.replies import Booked, Reply
from engine.screening import Screening
from engine.screening_state import Decision
from engine.views import SeatsChanged

log = logging.getLogger("frontrow.engine")

_UNJOURNALLED = READS | {ReleaseLapsed}
"""Commands that are served even when the journal is full: reads, and what time has decided."""


_counting = DefectLog("counting a command")

Envelope = tuple[Command, "asyncio.Future[Reply]", float]
"""A command in the mailbox, whom to answer, and since when it waits."""


class CommandMeters(dict[type, CommandMeter]):
    """Meters by class of command.

    Args:
        observer: is asked for a meter when the first command of a class is counted.
    """

    def __init__(self, observer: Observer) -> None:
        super().__init__()
        self._observer = observer

    def __missing__(self, command_type: type) -> CommandMeter:
        meter = self[command_type] = self._observer.command_meter(command_type.__name__)
        return meter


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all actors of a process share.

    Attributes:
        publisher: publishes changes.
        publishing: where its exceptions are logged.
        observer: counts; wrapped by `guarded`, so it never raises.
        meters: count commands by their class.
        mailbox_limit: commands that may wait for one screening.
        batch_limit: commands drained in one wake-up, so that no screening starves the others.
        wait_limit_seconds: how long a command may wait before it is dropped undone.
        failed: told about an actor that has given up.
    """

    journal: Journal
    publisher: Publisher
    publishing: DefectLog
    observer: Observer
    meters: "CommandMeters"
    clock: Clock
    mailbox_limit: int
    batch_limit: int
    wait_limit_seconds: float
    failed: "Callable[[ScreeningActor], None]"


class ScreeningActor:
    """Serialises everything that happens to one screening.

    Args:
        screening: the core, owned by this actor alone.
        surroundings: the ports and limits.
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

    def __init__(self, screening: Screening, surroundings: Surroundings) -> None:
        self._screening = screening
        self._deadlines = screening.deadlines
        self._shared = surroundings
        self._loop = asyncio.get_running_loop()
        # There is one while something waits: an empty deque has 600 bytes, and most screenings are at rest.
        self._mailbox: deque[Envelope] | None = None
        # By pending write: the reply to give once it has committed, and the futures that wait for it.
        self._waiting: dict[int, tuple[Reply, list[asyncio.Future[Reply]]]] = {}
        self._woken = False
        self._timer: Timer | None = None
        self._timer_at = inf
        self._closed: Unavailable | None = None
        # Whoever activates a screening has a command for it; the timer is armed when that is handled, so
        # that what lapsed while nobody looked is counted by the command and not by a timer before it.
        self.last_asked_at = surroundings.clock.now()

    @property
    def screening(self) -> Screening:
        """The screening's state. Only for callers that have closed the actor."""
        return self._screening

    @property
    def screening_id(self) -> int:
        """The screening."""
        return self._screening.info.id

    @property
    def epoch(self) -> int:
        """The ownership period in which this actor writes."""
        return self._screening.epoch

    @property
    def mailbox_depth(self) -> int:
        """Commands that wait."""
        return len(self._mailbox or ())

    @property
    def next_deadline(self) -> float:
        """When something may lapse next, in seconds since the epoch."""
        return self._deadlines.earliest

    @property
    def at_rest(self) -> bool:
        """Whether nothing waits, is held or is on its way to the database."""
        return not self._mailbox and self._screening.at_rest

    @property
    def hold_count(self) -> int:
        """Live holds."""
        return self._screening.hold_count

    def ask(self, command: Command) -> "asyncio.Future[Reply]":
        """Put a command into the mailbox.

        Args:
            command: for this screening.

        Returns:
            A future of the reply, or of the `EngineError` that refuses it. Cancelling it before the
            command's turn withdraws the command; afterwards it goes on unobserved.

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
        mailbox.append((command, answer, now))
        if not self._woken:
            self._woken = True
            self._loop.call_soon(self._drain)
        return answer

    def ask_first(self, command: Command) -> "Reply | asyncio.Future[Reply]":
        """Handle a command immediately if the mailbox is empty, otherwise queue it.

        Only for callers that yield to the event loop by themselves, as connections do: a loop of immediate
        replies would never let anything else run.

        Args:
            command: for this screening.

        Returns:
            The reply, if the command could be decided immediately. A future, as `ask` returns it, if the
            command is queued or has to be committed first.

        Raises:
            EngineError: the command was refused, and nothing has changed.
        """
        if self._mailbox is not None or self._closed is not None:
            return self.ask(command)
        shared = self._shared
        started = perf_counter()
        self.last_asked_at = now = shared.clock.now()
        try:
            if self._deadlines.earliest <= now or shared.journal.full:
                self._prepare(command, now)
            decision = self._screening.handle(command, now)
            answer = None if decision.write_id is None else self._loop.create_future()
            self._carry_out(decision, now, command, answer)
        except EngineError as refusal:
            self._count(command, refusal.code, 0.0, perf_counter() - started)
            raise
        except Exception as defect:
            self._give_up(None, defect)
            self._count(command, "failed", 0.0, perf_counter() - started)
            raise
        finally:
            if self._deadlines.earliest < self._timer_at:
                self._arm_timer()
        try:
            shared.meters[type(command)].succeeded(perf_counter() - started)
        except Exception as defect:
            _counting.report(defect)
        return decision.reply if answer is None else answer

    async def caught_up(self) -> None:
        """Return at a moment when no command waits."""
        while self._mailbox is not None:
            # A read behind everything else is answered when all of it has been decided.
            mark: asyncio.Future[Reply] = self._loop.create_future()
            self._mailbox.append((ReadStock(self.screening_id), mark, self._shared.clock.now()))
            await asyncio.wait((mark,))

    def close(self, reason: Unavailable) -> None:
        """Answer whatever waits with `reason` and take nothing more.

        Operations that are on their way to the database still settle and answer.
        """
        self._closed = reason
        if self._timer is not None:
            self._timer.cancel()
        mailbox, self._mailbox = self._mailbox, None
        for _, answer, _ in mailbox or ():
            self._refuse(answer, reason)

    def _drain(self) -> None:
        """Handle what has gathered, in order, up to the batch limit."""
        self._woken = False
        shared = self._shared
        now = shared.clock.now()
        started = perf_counter()
        for _ in range(min(self.mailbox_depth, shared.batch_limit)):
            if self._mailbox is None:
                return  # closed by a defect; whoever waited has been answered
            command, answer, enqueued_at = self._mailbox.popleft()
            waited = now - enqueued_at
            outcome = self._handle(command, answer, waited, now)
            finished = perf_counter()
            self._count(command, outcome, waited, finished - started)
            started = finished
        if not self._mailbox:
            self._mailbox = None
        elif not self._woken:
            self._woken = True
            self._loop.call_soon(self._drain)
        self._arm_timer()

    def _handle(self, command: Command, answer: "asyncio.Future[Reply]", waited: float, now: float) -> str:
        """Decide one command and see to its effects. Returns "ok" or why not."""
        if answer.done():
            return "withdrawn"
        shared = self._shared
        if waited > shared.wait_limit_seconds:
            self._refuse(answer, CommandExpired())
            return CommandExpired.code
        try:
            if self._deadlines.earliest <= now or shared.journal.full:
                self._prepare(command, now)
            decision = self._screening.handle(command, now)
            self._carry_out(decision, now, command, answer)
        except EngineError as refusal:
            # Its traceback holds this frame, which holds the answer, which holds it: nobody needs the
            # traceback, and without it the three are not left to the garbage collector.
            self._refuse(answer, refusal.with_traceback(None))
            return refusal.code
        except Exception as defect:
            self._give_up(answer, defect)
            return "failed"
        if decision.write_id is None and not answer.done():
            answer.set_result(decision.reply)
        return "ok"

    def _prepare(self, command: Command, now: float) -> None:
        """Release what has lapsed, and refuse a change while the journal is full."""
        if self._deadlines.earliest <= now and type(command) is not ReleaseLapsed:
            self._carry_out(self._screening.handle(ReleaseLapsed(self.screening_id), now), now)
        if self._shared.journal.full and type(command) not in _UNJOURNALLED:
            raise JournalFull

    def _carry_out(
        self,
        decision: Decision,
        now: float,
        command: Command | None = None,
        answer: "asyncio.Future[Reply] | None" = None,
    ) -> None:
        """Journal the events, then publish the changes.

        Args:
            decision: what was decided.
            now: seconds since the epoch.
            command: decided by it; None for what lapses by itself.
            answer: gets the reply of a durable command once it has committed.
        """
        _, events, changes, write_id = decision
        if write_id is not None:
            self._await_journal(decision, write_id, command, answer)
        elif events:
            self._shared.journal.append(make(Entry, (events, None, None, None)))
        if events and type(events[0]) is HoldsExpired:
            lapsed = events[0].holds
            self._shared.observer.holds_lapsed(len(lapsed), now - lapsed[0].expires_at)
        if changes:
            self._publish(changes)

    def _publish(self, changes: tuple[SeatsChanged, ...]) -> None:
        publisher = self._shared.publisher
        for change in changes:
            try:
                publisher.publish(change)
            except Exception as defect:
                self._shared.publishing.report(defect)

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
    ) -> None:
        """Journal what is durable; whoever asked is answered when the journal has spoken."""
        _, waiting = self._waiting.setdefault(write_id, (decision.reply, []))
        if answer is not None:
            waiting.append(answer)
        if decision.events:
            receipt: Receipt | None = getattr(command, "receipt", None)
            settled = partial(self._finish, write_id)
            reply = decision.reply if receipt else None
            self._shared.journal.append(Entry(decision.events, receipt, reply, settled))

    def _finish(self, write_id: int, error: EngineError | None) -> None:
        """Settle or abort a pending write, now that the journal knows its outcome, and answer.

        If settling fails here, the caller still gets the journal's outcome, and the screening is dropped and
        loaded again from the database.
        """
        try:
            self._conclude(write_id, error)
        except Exception as defect:
            self._give_up(None, defect)
        if write_id in self._waiting:
            reply, waiting = self._waiting.pop(write_id)
            for answer in waiting:
                if error is not None:
                    self._refuse(answer, error)
                elif not answer.done():
                    answer.set_result(reply)
        if self._closed is None:
            self._arm_timer()

    def _conclude(self, write_id: int, error: EngineError | None) -> None:
        now = self._shared.clock.now()
        conclude = self._screening.settle if error is None else self._screening.abort
        decision = conclude(write_id, now)
        self._publish(decision.changes)
        if error is None and isinstance(decision.reply, Booked):
            sold = sum(ticket.status is TicketStatus.CONFIRMED for ticket in decision.reply.tickets)
            self._shared.observer.seats_sold(sold)

    def _arm_timer(self) -> None:
        """See to it that a timer fires no later than the earliest deadline."""
        deadline = self._deadlines.earliest
        if deadline < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = deadline
            clock = self._shared.clock
            self._timer = clock.call_later(max(0.0, deadline - clock.now()), self._on_timer)

    def move_deadlines(self, seconds: float) -> None:
        """Move all deadlines after a step of the clock, and release what has lapsed.

        Holds and pending tickets keep the time that they had left. The step does not count as waiting time of
        queued commands.

        Args:
            seconds: length of the step; 0 if the machine was suspended, so that only the timer is late.
        """
        now = self._shared.clock.now()
        self.last_asked_at += seconds
        if self._mailbox is not None:
            self._mailbox = deque((command, answer, at + seconds) for command, answer, at in self._mailbox)
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
        try:
            if self._deadlines.earliest <= now:
                self._carry_out(self._screening.handle(ReleaseLapsed(self.screening_id), now), now)
        except Exception as defect:
            self._give_up(None, defect)
            return
        self._arm_timer()

    @staticmethod
    def _refuse(answer: "asyncio.Future[Reply]", error: EngineError) -> None:
        if not answer.done():
            answer.set_exception(error)

    def _give_up(self, answer: "asyncio.Future[Reply] | None", defect: Exception) -> None:
        log.error("screening %d failed and is put away", self.screening_id, exc_info=defect)
        if answer is not None and not answer.done():
            answer.set_exception(defect.with_traceback(None))
        self._shared.failed(self)
