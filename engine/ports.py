"""The ports of the engine: protocols for storage, publishing, counting and time, with their guarantees.

Each port has an in-memory adapter (`engine.memory`) and a real one, and both pass the same contract suite.
Adapters call the engine only through callbacks that they are given here.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol
from uuid import UUID

from engine.causes import Cause
from engine.errors import EngineError
from engine.events import Event
from engine.handover import Handover
from engine.records import (
    Block,
    Hold,
    IdempotencyRecord,
    Layout,
    Receipt,
    Refund,
    ScreeningInfo,
    Ticket,
    UnusablePayment,
)
from engine.replies import Reply
from engine.views import SeatsChanged
from engine.waitlist_records import WaitlistEntry


class Timer(Protocol):
    """A scheduled call."""

    def cancel(self) -> None:
        """Cancel the call. Has no effect after it was made."""


class Clock(Protocol):
    """The time, and timers.

    `now` follows the machine's wall clock, including its steps. Deadlines that express a duration have to be
    moved at a step (`on_step`).
    """

    def now(self) -> float:
        """Seconds since the Unix epoch."""

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once at `when` (seconds since the epoch) or soon after."""

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once after `seconds`, even if the wall clock is stepped."""

    def on_step(self, handler: Callable[[float], None]) -> None:
        """Call `handler` after each step, with its length in seconds; `now` already includes it.

        It is called with 0 after the machine was suspended, since timers are late then.
        """


class IdSource(Protocol):
    """Ids that have been reserved in the database, so that taking one needs no I/O.

    They are unique, also across restarts, and ascend within a process, with gaps.
    """

    def take(self, count: int) -> int:
        """Take `count` consecutive ids and return the first.

        Raises:
            IdsExhausted: none are left, and the database cannot be reached.
        """


Settled = Callable[[EngineError | None], None]
"""Called in the event loop: with None after the commit, with the reason if there will be none."""


class Entry(NamedTuple):
    """The events of one decision, to be written together or not at all.

    Attributes:
        events: in the order of their `seq`, of one screening and epoch. The last one may be of another
            screening, to which tickets move; then the epochs of both are checked.
        receipt: idempotency key under which `reply` is stored in the same transaction.
        reply: the reply to store, if there is a receipt.
        settled: called once when the outcome is certain. Its exceptions are logged, and other entries are
            settled anyway.
        cause: the request that asked for the decision, if it is to be recorded.
    """

    events: tuple[Event, ...]
    receipt: Receipt | None = None
    reply: Reply | None = None
    settled: Settled | None = None
    cause: Cause | None = None


class Flushing(Protocol):
    """Waits until everything that was acknowledged can be read from storage."""

    async def flushed(self, screening_id: int | None = None) -> None:
        """Return when everything appended before this call is settled.

        Args:
            screening_id: if given, delayed entries of other screenings are not waited for.
        """


class Journal(Flushing, Protocol):
    """Writes entries to durable storage, in the order in which they were appended.

    Guarantees:
        * Order: entries of a screening are written in order. No entry is dropped while the process lives,
          even if the database is away.
        * Group commit: entries that are appended while a batch commits form the next batch.
        * Certainty: `settled(None)` comes only after COMMIT with synchronous_commit=on;
          `settled(error)` only when the entry is certainly not and never will be written. A batch
          whose outcome is unknown is sent again; writing is idempotent per (screening, epoch, seq).
        * Isolation: an entry that the database rejects fails alone. An entry that cannot be written at
          present (its rows are locked, or writing takes too long) delays only its own screening.
        * Fencing: an entry of an earlier epoch fails with `OwnershipLost`, and the handler set by
          `on_ownership_lost` is called.
        * Fencing of moves: an entry whose last event is of another screening fails with `MoveInterrupted` if
          that one has another epoch.
        * One payment pays for one booking: an entry that breaks this fails with `PaymentAlreadyUsed`.
        * One answer per idempotency key: an entry whose key has an answer already fails with
          `AnsweredMeanwhile`.

    A hold is acknowledged before it is written (it may be lost in a crash: the lag is
    `lag_seconds`); a ticket is acknowledged only after `settled(None)`.
    """

    @property
    def full(self) -> bool:
        """True if the limit is reached; then clients' commands are rejected with `JournalFull`."""

    @property
    def depth(self) -> int:
        """Number of entries that are not settled yet."""

    @property
    def lag_seconds(self) -> float:
        """Age of the oldest entry that is not settled yet; 0 if there is none."""

    def append(self, entry: Entry) -> None:
        """Queue an entry. Never blocks.

        Callers check `full` before clients' commands. Expiries are always accepted; their number is bounded
        by the holds that were accepted before.
        """

    def remember(self, record: IdempotencyRecord, settled: Settled | None = None) -> None:
        """Queue an answer for repeats of its request.

        Args:
            record: the answer. A full journal drops it.
            settled: called once, as for an entry.
        """

    def on_ownership_lost(self, handler: Callable[[int, int], None]) -> None:
        """Call `handler` with screening id and epoch when a write failed because of its epoch."""


class LoadedScreening(NamedTuple):
    """A screening as read from storage.

    Attributes:
        epoch: the ownership period that begins with this activation.
        holds: the active holds, including lapsed ones that are not released yet.
        tickets: the live tickets (pending and confirmed).
        owned: False for a copy of a screening that another server owns. It may be read but not changed.
        seq: for a copy, number of the last event that it includes.
        blocks: those that have not been released.
        waitlist: the live entries of the waiting list, in the order of joining.
    """

    info: ScreeningInfo
    layout: Layout
    epoch: int
    holds: Sequence[Hold]
    tickets: Sequence[Ticket]
    owned: bool = True
    seq: int = 0
    blocks: Sequence[Block] = ()
    waitlist: Sequence[WaitlistEntry] = ()


class Owner(NamedTuple):
    """The server that has taken a screening last.

    Attributes:
        name: of the server.
        epoch: its ownership period.
        own: True if no other server has it: this one took it last, or the last one has ended in order.
    """

    name: str
    epoch: int
    own: bool


class Store(Protocol):
    """Loads screenings and takes their ownership."""

    async def activate(
        self, screening_id: int, *, depose: bool = True, known_epoch: int | None = None
    ) -> LoadedScreening:
        """Durably raise the screening's epoch, then load its state.

        Afterwards no entry of an earlier epoch can be written.

        Args:
            screening_id: the screening.
            depose: take the screening even from another living server. Otherwise such a screening keeps its
                epoch, and the result is a consistent copy that is not `owned`.
            known_epoch: in a cluster, raise the epoch only if it still is this one (0 for a screening that
                nobody has ever taken); `depose` has no effect then.

        Raises:
            ScreeningNotFound: it does not exist.
            OwnershipLost: it has another epoch than `known_epoch`.
            StoreUnavailable: the database cannot be reached.
        """

    async def owner(self, screening_id: int) -> Owner | None:
        """The server that has taken a screening last; None if none has.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """

    async def lost(self, epochs: Mapping[int, int]) -> Sequence[int]:
        """Ids of the screenings that have another epoch now, in one query.

        Args:
            epochs: epochs by screening.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """

    async def overdue(
        self, now: float, limit: int, *, after_id: int = 0, of_all: bool = False
    ) -> Sequence[int]:
        """Ids of screenings with a stored hold, pending ticket or block whose deadline has passed, ascending.

        Also those for which somebody waits although sales have ended, and those whose sales open or close
        within `sales_windows.TOLD_SECONDS` of now.

        Args:
            now: seconds since the epoch.
            limit: highest number of ids.
            after_id: only ids above this one.
            of_all: include the screenings of other living servers. Otherwise those are left out, since their
                servers release them.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """


class Peers(Protocol):
    """The other servers of a cluster: they own screenings, and hand them over.

    A server that has lost the others must not take anything from them: `lives` stays true for those it knew,
    and `release` raises.
    """

    def belongs_here(self, screening_id: int) -> bool:
        """True if this server should own the screening. Never blocks."""

    def lives(self, name: str) -> bool:
        """True if `name` is another server that is known to live. Never blocks."""

    def watch_silence(self, name: str) -> Callable[[], bool]:
        """Begin to watch a server from which a screening has just been taken without its help.

        Args:
            name: the server.

        Returns:
            A function that returns True if the server certainly does not answer for the screening any more:
            it said goodbye, or has been silent until now for long enough to have found out by itself that
            the epoch was raised. Once it is heard, it has to be asked to hand over instead.
        """

    async def release(self, name: str, screening_id: int) -> Handover | None:
        """Ask a server to give a screening up (`ScreeningDirectory.release`).

        Args:
            name: the server.
            screening_id: the screening.

        Returns:
            The handover; None if the server is gone, does not answer, or cannot hand over in time.

        Raises:
            Unavailable: the servers cannot reach each other, so nothing may be taken over.
        """


class Ledger(Protocol):
    """Reads committed tickets, and records refunds that are owed for payments that could not be used."""

    async def ticket(self, ticket_id: int) -> Ticket | None:
        """A ticket by its id.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """

    async def vouch(self, payment_id: str, holder: str, voucher: str) -> bool:
        """Record that somebody vouches for a payment of a holder, if it is known.

        Args:
            payment_id: the payment.
            holder: who has paid.
            voucher: a value of `engine.vouching.VOUCHERS`.

        Returns:
            False if another holder has named this payment, and nobody vouches for that.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """

    async def tickets_of_payment(self, payment_id: str) -> Sequence[Ticket]:
        """The tickets that a payment has paid for, in the order of their ids.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """

    async def first_places(self, payment_id: str) -> Mapping[int, tuple[int, int]]:
        """Screening and seat for which a payment's tickets were issued, by ticket: they may have moved since.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """

    async def moved_by_payment(self, payment_id: str) -> Collection[int]:
        """Ids of the tickets whose move a payment has paid for.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """

    async def agreed_price(
        self, screening_id: int, holder: str, seat_ids: Sequence[int], *, held: bool
    ) -> int | None:
        """Price of seats for a holder, in cents: that of the holder's last hold, or the present price.

        Args:
            screening_id: the screening, whose writes are flushed; it may be cancelled or deleted.
            holder: who wants them.
            seat_ids: the seats.
            held: True if the price of a hold that has ended counts too.

        Returns:
            The sum; None if the price of a seat is not known.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """

    async def refund(self, payment_id: str) -> Refund | None:
        """The refund of a payment that has paid for no booking.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """

    async def owe(self, payment: UnusablePayment) -> Refund | None:
        """Record that a payment is to be refunded; once, however often it comes.

        Afterwards it can pay for nothing else. If it comes to several servers at once, either it pays for
        tickets or it is refunded.

        Args:
            payment: the payment.

        Returns:
            The refund, new or recorded before. None if nothing is owed.

        Raises:
            PaymentAlreadyUsed: it has paid for tickets, or is another holder's.
            TooManyRefunds: too many refunds of payments that nobody has vouched for are owed to the holder.
            StoreUnavailable: the database cannot be reached.
        """

    async def begin_change(self, ticket_id: int, attempt: UUID) -> float | None:
        """Keep a ticket from being admitted for half a minute, while its owner cancels or moves it.

        Args:
            ticket_id: the ticket.
            attempt: identifies the request; others may keep the same ticket from the door.

        Returns:
            When it has been admitted, if it has: then nothing is kept. In seconds since the epoch.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """

    async def end_change(self, ticket_id: int, attempt: UUID) -> None:
        """Let a ticket be admitted again, unless another attempt keeps it.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """

    async def require_refundable(self, payment_id: str, holder: str) -> None:
        """Check that a refund for a payment may be owed to its holder.

        Raises:
            TooManyRefunds: nobody has vouched for it, and too many such refunds are owed already.
            StoreUnavailable: the database cannot be reached.
        """


class Publisher(Protocol):
    """Sends changes to the watchers of a screening. Never blocks, and contains the errors of watchers."""

    def publish(self, change: SeatsChanged) -> None:
        """Publish a change. Called in the order of (epoch, seq) for each screening."""

    def wants_hashes(self, screening_id: int) -> bool:
        """Return whether a watcher of a screening wants `StateHashed`."""


class CommandMeter(Protocol):
    """Counts the commands of one kind."""

    def succeeded(self, run_seconds: float) -> None:
        """A command was handled immediately, in `run_seconds`, and not rejected."""

    def handled(self, outcome: str, wait_seconds: float, run_seconds: float) -> None:
        """A command was handled in `run_seconds` after `wait_seconds` in the mailbox.

        `outcome` is "ok", an error's code, "withdrawn" or "failed".
        """


class Observer(Protocol):
    """Counts what happens. Called on hot paths, so an implementation only adds numbers."""

    def command_meter(self, kind: str) -> CommandMeter:
        """Return the meter of a kind of commands, named by their class. Called once for each kind."""

    def screening_activated(self, seconds: float) -> None:
        """A screening was loaded, which took `seconds`."""

    def screening_taken_over(self, reason: str) -> None:
        """A screening of another server of the cluster was taken over.

        `reason` is "handed_over", "gone" or "deposed": a server that lives but did not hand it over.
        """

    def screening_passivated(self) -> None:
        """An idle screening was unloaded."""

    def holds_lapsed(self, count: int, lateness_seconds: float) -> None:
        """Holds expired; the oldest was released `lateness_seconds` after its deadline."""

    def seats_sold(self, screening: ScreeningInfo, count: int, cents: int) -> None:
        """Paid tickets were committed; `cents` is the sum of their prices."""

    def seats_cancelled(self, screening: ScreeningInfo, count: int, cents: int) -> None:
        """The cancellation of paid tickets was committed; `cents` is the sum of their prices."""

    def batch_flushed(self, entries: int, seconds: float, lag_seconds: float) -> None:
        """A journal batch was committed; `lag_seconds` is the age of its oldest entry."""

    def flush_failed(self, reason: str) -> None:
        """A journal batch has to be sent again. `reason` is one of a few fixed words."""
