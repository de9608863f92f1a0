"""What the engine needs from the world, as narrow protocols that state their guarantees.

Each port has an in-memory adapter (`engine.memory`) and a real one, and one contract suite that
both pass. The engine calls ports; adapters never call into a screening except through the callbacks
that they are given here.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from engine.errors import EngineError
from engine.events import Event
from engine.records import Hold, IdempotencyRecord, Layout, Receipt, ScreeningInfo, Ticket
from engine.replies import Reply
from engine.views import SeatsChanged


class Timer(Protocol):
    """A call that has been arranged."""

    def cancel(self) -> None:
        """Call it off. Calling off a timer that has fired does nothing."""


class Clock(Protocol):
    """The time, and timers.

    `now` follows the machine's wall clock, steps included. Deadlines that stand for durations have to be
    moved at a step (`on_step`).
    """

    def now(self) -> float:
        """Seconds since the Unix epoch."""

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once at `when` (seconds since the epoch) or soon after."""

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once after `seconds`, whatever the wall clock does meanwhile."""

    def on_step(self, handler: Callable[[float], None]) -> None:
        """Call `handler` with the seconds of each step, which `now` already includes; with 0 after the
        machine was suspended, when timers are late."""


class IdSource(Protocol):
    """Ids that were reserved beforehand, so that taking one needs no I/O.

    Ids are unique for ever, also over restarts; they ascend within one process, with gaps.
    """

    def take(self, count: int) -> int:
        """Take `count` consecutive ids and return the first.

        Raises:
            IdsExhausted: none are left and the source of new ones is away.
        """


Settled = Callable[[EngineError | None], None]
"""Called in the event loop: with None when the entry has committed, with the reason if it never will."""


class Entry(NamedTuple):
    """What one decision asks the journal to write, all of it or nothing.

    Attributes:
        events: in the order of their `seq`; one screening, one epoch.
        receipt: idempotency key under which `reply` is kept in the same transaction.
        reply: the reply to keep, where there is a receipt.
        settled: called once, in the event loop, when the entry's outcome is certain: with None when
            it has committed, with the reason when it never will. An exception that it raises is logged;
            other entries are settled all the same.
    """

    events: tuple[Event, ...]
    receipt: Receipt | None = None
    reply: Reply | None = None
    settled: Settled | None = None


class Journal(Protocol):
    """Carries what was decided to durable storage, in the order in which it was appended.

    Guarantees:
        * Order: entries of one screening are written in their order; nothing that was appended is
          dropped while the process lives, whatever the database does.
        * Group commit: entries that are appended while a batch commits form the next batch.
        * Certainty: `settled(None)` comes only after COMMIT with synchronous_commit=on;
          `settled(error)` only when the entry is certainly not and never will be written. A batch
          whose outcome is unknown is sent again; writing is idempotent per (screening, epoch, seq).
        * Isolation: an entry that the database refuses fails alone. An entry that cannot be written at
          present (its rows are locked, or writing takes too long) delays only its own screening.
        * Fencing: an entry whose epoch is no longer the screening's is refused with
          `OwnershipLost`, and the handler set by `on_ownership_lost` is told.
        * One payment pays for one booking: an entry that breaks this fails with
          `PaymentAlreadyUsed`.

    A hold is acknowledged before it is written (it may be lost in a crash: the lag is
    `lag_seconds`); a ticket is acknowledged only after `settled(None)`.
    """

    @property
    def full(self) -> bool:
        """Whether the bound is reached; then clients' commands are refused with `JournalFull`."""

    @property
    def depth(self) -> int:
        """Entries appended and not yet settled."""

    @property
    def lag_seconds(self) -> float:
        """Age of the oldest entry that is not yet settled; 0 when there is none."""

    def append(self, entry: Entry) -> None:
        """Queue an entry. Never blocks. The caller heeds `full` for what clients ask; what happens
        by itself (lapses) is bounded by what was acknowledged before and is always taken."""

    def remember(self, record: IdempotencyRecord, settled: Settled | None = None) -> None:
        """Queue an answer to be kept for repeats of its request.

        Args:
            record: the answer. A full journal drops it.
            settled: called once, as an entry's `settled` is.
        """

    async def flushed(self, screening_id: int | None = None) -> None:
        """Return when everything appended before this call is settled.

        Args:
            screening_id: if given, entries of other screenings that are set aside are not waited for.
        """

    def on_ownership_lost(self, handler: Callable[[int, int], None]) -> None:
        """Set who is told (screening_id, epoch) when a write was refused for its epoch."""


class LoadedScreening(NamedTuple):
    """All that an activation needs.

    Attributes:
        epoch: the ownership period that begins with this activation.
        holds: holds whose rows are active, lapsed ones included.
        tickets: the live tickets (pending and confirmed).
        owned: false for a copy of a screening that another server owns. It may be read, but nothing may be
            decided by it.
        seq: number of the last event of the epoch that a copy includes.
    """

    info: ScreeningInfo
    layout: Layout
    epoch: int
    holds: Sequence[Hold]
    tickets: Sequence[Ticket]
    owned: bool = True
    seq: int = 0


class Store(Protocol):
    """Reads a screening back and takes its ownership."""

    async def activate(self, screening_id: int, *, depose: bool = True) -> LoadedScreening:
        """Raise the screening's epoch, durably, and only then load its state.

        From its return on, nothing that carries an older epoch can be written.

        Args:
            screening_id: the screening.
            depose: take the screening even from another living server. Otherwise such a screening keeps its
                epoch, and a consistent copy is returned that is not `owned`.

        Raises:
            ScreeningNotFound: there is none.
            StoreUnavailable: the database cannot be reached.
        """

    async def overdue(self, now: float, limit: int) -> Sequence[int]:
        """Ids of at most `limit` screenings that have a stored hold or a pending ticket whose
        deadline is past. Screenings of another living server are left out; it releases them itself.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """


class Ledger(Protocol):
    """Reads tickets and past holds; everything it returns is committed."""

    async def ticket(self, ticket_id: int) -> Ticket | None:
        """A ticket by its id.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """

    async def tickets_of_payment(self, payment_id: str) -> Sequence[Ticket]:
        """The tickets of the booking that a payment has paid for, in the order of their ids.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """

    async def lapsed_seats(self, screening_id: int, holder: str, seat_ids: Sequence[int]) -> set[int]:
        """Which of `seat_ids` the holder's last hold on was not released by the holder but lapsed.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """


class Publisher(Protocol):
    """Tells whoever watches a screening. Never blocks, never raises for a watcher's sake."""

    def publish(self, change: SeatsChanged) -> None:
        """Hand over one visible change; called in the order of (epoch, seq) per screening."""


class CommandMeter(Protocol):
    """Counts the commands of one kind."""

    def succeeded(self, run_seconds: float) -> None:
        """A command was decided as soon as it arrived, in `run_seconds`."""

    def handled(self, outcome: str, wait_seconds: float, run_seconds: float) -> None:
        """A command was decided in `run_seconds` after `wait_seconds` in the mailbox, or was refused.

        `outcome` is "ok", an error's code, "withdrawn" or "failed"."""


class Observer(Protocol):
    """Counts. Called on hot paths, so an implementation only adds numbers."""

    def command_meter(self, kind: str) -> CommandMeter:
        """The meter of commands of a kind; asked for once for each kind, the name of the command's class."""

    def screening_activated(self, seconds: float) -> None:
        """A screening was loaded."""

    def screening_passivated(self) -> None:
        """An idle screening was put away."""

    def holds_lapsed(self, count: int, lateness_seconds: float) -> None:
        """Holds were released by their deadline, the oldest `lateness_seconds` after it."""

    def seats_sold(self, count: int) -> None:
        """Tickets were committed (count > 0)."""

    def batch_flushed(self, entries: int, seconds: float, lag_seconds: float) -> None:
        """A journal batch was settled; `lag_seconds` is the age of its oldest entry."""

    def flush_failed(self, reason: str) -> None:
        """A journal batch has to be sent again. `reason` is a short fixed word."""
