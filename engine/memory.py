"""In-memory adapters of the ports, for tests and simulations.

They give the guarantees of `engine.ports` and pass the same contract suites as the real adapters.
`MemoryJournal` can also delay entries, write them more than once, and reject them.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import count

from engine.errors import AnsweredMeanwhile, EngineError, IdsExhausted, OwnershipLost
from engine.events import (
    BlockEvent,
    Event,
    HoldsExpired,
    HoldsExtended,
    HoldsReleased,
    PlacesHeld,
    SeatsHeld,
    SeatsHeldFor,
    StateStored,
    TicketsConfirmed,
    TicketsIssued,
    TicketsLeft,
    TicketsMoved,
)
from engine.guards import attempt
from engine.move_money import is_recorded, kept_for
from engine.moving_errors import MoveInterrupted
from engine.ports import Entry, LoadedScreening, Owner, Settled
from engine.records import (
    Block,
    Hold,
    IdempotencyRecord,
    Layout,
    Refund,
    ScreeningInfo,
    Ticket,
    TicketStatus,
    UnusablePayment,
)
from engine.sales_windows import TOLD_SECONDS, moments
from engine.selling_errors import PaymentAlreadyUsed, ScreeningNotFound, TicketAdmitted
from engine.views import SeatsChanged
from engine.vouching import vouched_by
from engine.waitlist_records import LIVE, WaitlistChanged, WaitlistEntry, WaitStatus

_LIVE = (TicketStatus.PENDING, TicketStatus.CONFIRMED)


class MemoryDatabase:
    """The data that the memory journal writes and the memory store reads."""

    def __init__(self) -> None:
        self.screenings: dict[int, tuple[ScreeningInfo, Layout]] = {}
        self.epochs: dict[int, int] = {}
        self.owners: dict[int, str] = {}
        self.living: set[str] = set()
        self.holds: dict[int, tuple[Hold, str]] = {}
        self.tickets: dict[int, Ticket] = {}
        self.blocks: dict[int, Block] = {}
        self.payments: dict[str, int | None] = {}
        self.vouchers: dict[str, str] = {}
        self.refunds: dict[tuple[str, int | None], Refund] = {}
        self.moves: list[TicketsMoved] = []
        self.move_refunds: list[Refund] = []
        self.events: dict[tuple[int, int, int], Event] = {}
        self.digests: list[StateStored] = []
        self.answers: dict[tuple[str, str], object] = {}
        self.waitlist: dict[int, WaitlistEntry] = {}
        self.admitted: dict[int, float] = {}

    def add_screening(self, info: ScreeningInfo, layout: Layout) -> None:
        self.screenings[info.id] = (info, layout)

    def refusal(self, entry: Entry) -> EngineError | None:
        """Return the error for an entry that must not be written."""
        if (receipt := entry.receipt) is not None and (receipt.scope, receipt.key) in self.answers:
            if entry.events[0][:3] not in self.events:
                return AnsweredMeanwhile()
        for event in entry.events:
            if self.epochs.get(event.screening_id) != event.epoch:
                if event.screening_id != entry.events[0].screening_id:
                    return MoveInterrupted()
                return OwnershipLost(event.screening_id)
            if isinstance(event, TicketsMoved) and (paid_by := event.payment_id) is not None:
                if paid_by in self.payments and not any(move[:3] == event[:3] for move in self.moves):
                    return PaymentAlreadyUsed(paid_by)
            if isinstance(event, TicketsMoved) and not event.by_hand and event[:3] not in self.events:
                for ticket in event.tickets:
                    if (admitted_at := self.admitted.get(ticket.id)) is not None:
                        return TicketAdmitted(ticket.id, admitted_at)
            if isinstance(event, TicketsIssued | TicketsConfirmed):
                for ticket in event.tickets:
                    payment_id = ticket.payment_id
                    if payment_id is None:
                        continue
                    owed = any(
                        key[0] == payment_id and self.tickets[key[1]].seat_id == ticket.seat_id
                        for key in self.refunds
                        if key[1] is not None
                    )
                    if owed or self.payments.get(payment_id, ticket.booking_id) != ticket.booking_id:
                        return PaymentAlreadyUsed(payment_id)
        return None

    def write(self, entry: Entry) -> None:
        """Write an entry. Idempotent."""
        for event in entry.events:
            if isinstance(event, StateStored):
                self.digests.append(event)
                continue
            key = (event.screening_id, event.epoch, event.seq)
            if key in self.events:
                continue
            self.events[key] = event
            if isinstance(event, TicketsIssued | TicketsConfirmed):
                paid = {ticket.payment_id for ticket in event.tickets if ticket.payment_id is not None}
                for payment_id in paid:
                    if voucher := vouched_by(event.actor, payment_id):
                        self.vouchers.setdefault(payment_id, voucher)
            if isinstance(event, TicketsIssued):
                self._keep(event.converted, "converted")
                self._put(event.tickets)
            elif isinstance(event, HoldsReleased):
                self._keep(event.holds, "released")
            elif isinstance(event, HoldsExpired):
                self._keep(event.holds, "expired")
            elif isinstance(event, SeatsHeld | PlacesHeld | SeatsHeldFor | HoldsExtended):
                self._keep(event.holds, "active")
            elif isinstance(event, BlockEvent):
                self.blocks[event.block.id] = event.block
            elif isinstance(event, WaitlistChanged):
                self.waitlist.update((entry.id, entry) for entry in event.entries)
            elif isinstance(event, TicketsMoved):
                self._move(event)
            elif isinstance(event, TicketsLeft):
                continue
            else:
                self._put(event.tickets)
        if entry.receipt is not None:
            self.answers.setdefault((entry.receipt.scope, entry.receipt.key), entry.reply)

    def _keep(self, holds: Sequence[Hold], status: str) -> None:
        for hold in holds:
            self.holds[hold.id] = (hold, status)

    def _put(self, tickets: Sequence[Ticket]) -> None:
        for ticket in tickets:
            before = self.tickets.get(ticket.id)
            if before is not None and before.status is TicketStatus.CONFIRMED:
                self._owe_cancelled(ticket)
            self.tickets[ticket.id] = ticket
            if ticket.payment_id is not None:
                self.payments.setdefault(ticket.payment_id, ticket.booking_id)
            if ticket.status in _LIVE:
                rivals = [
                    other
                    for other in self.tickets.values()
                    if other.seat_id == ticket.seat_id
                    and other.screening_id == ticket.screening_id
                    and other.status in _LIVE
                ]
                assert len(rivals) == 1, f"seat {ticket.seat_id} sold twice"

    def _owe_cancelled(self, ticket: Ticket) -> None:
        for payment_id, cents in kept_for(ticket):
            if not is_recorded(payment_id):
                continue
            self.owe(
                UnusablePayment(
                    *(payment_id, ticket.screening_id, ticket.holder, cents, "ticket_cancelled", ticket)
                )
            )

    def _move(self, event: TicketsMoved) -> None:
        """Move tickets, and record what has become owed."""
        self.moves.append(event)
        self._keep(event.converted, "converted")
        for before in event.before:
            assert self.tickets[before.id] == before, f"ticket {before.id} was moved from where it was not"
            del self.tickets[before.id]
        self._put(event.tickets)
        if event.payment_id is not None:
            self.payments.setdefault(event.payment_id, event.tickets[0].booking_id)
            if voucher := vouched_by(event.actor, event.payment_id):
                self.vouchers.setdefault(event.payment_id, voucher)
        for ticket_id, payment_id, cents in event.owed:
            ticket = self.tickets[ticket_id]
            number = len(self.refunds) + len(self.move_refunds) + 1
            self.move_refunds.append(
                Refund(
                    *(number, payment_id, ticket.screening_id, ticket_id, ticket.holder, cents),
                    *("ticket_moved", ticket.booking_id),
                )
            )

    def owe(self, payment: UnusablePayment) -> Refund:
        """Record a refund."""
        payment_id, ticket = payment.payment_id, payment.ticket
        ticket_id, booking_id = (ticket.id, ticket.booking_id) if ticket else (None, None)
        refund = Refund(
            *(
                len(self.refunds) + len(self.move_refunds) + 1,
                payment_id,
                payment.screening_id,
                ticket_id,
                payment.holder,
            ),
            *(payment.amount_cents, payment.reason, booking_id, payment.currency),
        )
        return self.refunds.setdefault((payment_id, ticket_id), refund)


class MemoryJournal:
    """`engine.ports.Journal` over a `MemoryDatabase`.

    Args:
        database: where entries go.
        limit: highest number of queued entries.
        automatic: write entries in the next turn of the event loop; otherwise they wait for `write_next` or
            `refuse_next`.
    """

    def __init__(self, database: MemoryDatabase, limit: int = 10_000, automatic: bool = True) -> None:
        self.automatic = automatic
        self._database = database
        self._limit = limit
        self._queue: deque[Entry] = deque()
        self._idle: list[asyncio.Future[None]] = []
        self._lost: Callable[[int, int], None] = lambda screening_id, epoch: None

    @property
    def full(self) -> bool:
        return len(self._queue) >= self._limit

    @property
    def depth(self) -> int:
        return len(self._queue)

    @property
    def lag_seconds(self) -> float:
        """Always 0."""
        return 0.0

    def append(self, entry: Entry) -> None:
        self._queue.append(entry)
        if self.automatic:
            asyncio.get_running_loop().call_soon(self.write_next, len(self._queue))

    def remember(self, record: IdempotencyRecord, settled: Settled | None = None) -> None:
        self._database.answers.setdefault((record.scope, record.key), record)
        if settled is not None:
            settled(None)

    async def flushed(self, screening_id: int | None = None) -> None:
        """Return when the queue is empty."""
        if self._queue:
            idle: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idle.append(idle)
            await idle

    def on_ownership_lost(self, handler: Callable[[int, int], None]) -> None:
        self._lost = handler

    def write_next(self, entries: int = 1, times: int = 1) -> None:
        """Write and settle the next entries. `times` > 1 writes each again, as after a lost
        acknowledgement.
        """
        for _ in range(min(entries, len(self._queue))):
            entry = self._queue.popleft()
            refusal = self._database.refusal(entry)
            if refusal is None:
                for _ in range(times):
                    self._database.write(entry)
            self._settle(entry, refusal)

    def refuse_next(self, error: EngineError) -> bool:
        """Reject the next entry, as the database rejects a bad row.

        Returns:
            True if it was durable. Others are written instead, since the database never rejects those.
        """
        if not self._queue or self._queue[0].settled is None:
            self.write_next()
            return False
        self._settle(self._queue.popleft(), error)
        return True

    def _settle(self, entry: Entry, error: EngineError | None) -> None:
        if isinstance(error, OwnershipLost):
            attempt(self._lost, error.screening_id, entry.events[0].epoch)
        if entry.settled is not None:
            attempt(entry.settled, error)
        if not self._queue:
            for idle in self._idle:
                if not idle.done():
                    idle.set_result(None)
            self._idle.clear()


class MemoryStore:
    """`engine.ports.Store` over a `MemoryDatabase`.

    Args:
        database: what it reads.
        owner: name of its server, which lives until `die`.
    """

    def __init__(self, database: MemoryDatabase, owner: str = "one") -> None:
        self._database = database
        self._owner = owner
        database.living.add(owner)

    def die(self) -> None:
        """Let the server die; others may take over its screenings."""
        self._database.living.discard(self._owner)

    async def activate(
        self, screening_id: int, *, depose: bool = True, known_epoch: int | None = None
    ) -> LoadedScreening:
        """Raise the epoch and load; or load a copy of a screening that another living server owns."""
        database = self._database
        if screening_id not in database.screenings:
            raise ScreeningNotFound(screening_id)
        if known_epoch not in (None, database.epochs.get(screening_id, 0)):
            raise OwnershipLost(screening_id)
        owned = depose or known_epoch is not None or not self._is_of_another(screening_id)
        seq = 0
        if owned:
            database.epochs[screening_id] = database.epochs.get(screening_id, 0) + 1
            database.owners[screening_id] = self._owner
        epoch = database.epochs[screening_id]
        if not owned:
            seq = max((key[2] for key in database.events if key[:2] == (screening_id, epoch)), default=0)
        info, layout = database.screenings[screening_id]
        holds = [
            hold
            for hold, status in database.holds.values()
            if status == "active" and hold.screening_id == screening_id
        ]
        tickets = [
            ticket
            for ticket in database.tickets.values()
            if ticket.status in _LIVE and ticket.screening_id == screening_id
        ]
        blocks = [
            block
            for block in database.blocks.values()
            if block.seat_ids and block.screening_id == screening_id
        ]
        waitlist = [
            entry
            for entry in database.waitlist.values()
            if entry.status in LIVE and entry.screening_id == screening_id
        ]
        waitlist.sort(key=lambda entry: (entry.epoch, entry.seq))
        return LoadedScreening(info, layout, epoch, holds, tickets, owned, seq, blocks, waitlist)

    async def owner(self, screening_id: int) -> Owner | None:
        name = self._database.owners.get(screening_id)
        return None if name is None else Owner(name, self._database.epochs[screening_id], name == self._owner)

    async def lost(self, epochs: Mapping[int, int]) -> Sequence[int]:
        return [each for each, epoch in epochs.items() if self._database.epochs.get(each) != epoch]

    async def overdue(
        self, now: float, limit: int, *, after_id: int = 0, of_all: bool = False
    ) -> Sequence[int]:
        """Screenings with a stored deadline that has passed."""
        found = {
            hold.screening_id
            for hold, status in self._database.holds.values()
            if status == "active" and hold.expires_at <= now
        }
        found.update(
            ticket.screening_id
            for ticket in self._database.tickets.values()
            if ticket.status is TicketStatus.PENDING and (ticket.payment_deadline or 0.0) <= now
        )
        found.update(
            block.screening_id
            for block in self._database.blocks.values()
            if block.seat_ids and block.release_at is not None and block.release_at <= now
        )
        found.update(
            entry.screening_id
            for entry in self._database.waitlist.values()
            if entry.status is WaitStatus.WAITING and self._sales_end(entry) <= now
        )
        found.update(
            screening_id
            for screening_id, (info, _) in self._database.screenings.items()
            if any(abs(now - at) <= TOLD_SECONDS for at, _ in moments(info))
        )
        return [
            each for each in sorted(found) if each > after_id and (of_all or not self._is_of_another(each))
        ][:limit]

    def _sales_end(self, entry: WaitlistEntry) -> float:
        info, _ = self._database.screenings[entry.screening_id]
        kind = info.ticket_types.get(entry.ticket_type_id or 0)
        ends = (info.rules.sales_end, kind and kind.sales_end)
        return min([info.starts_at, *(end for end in ends if end is not None)])

    def _is_of_another(self, screening_id: int) -> bool:
        owner = self._database.owners.get(screening_id, self._owner)
        return owner != self._owner and owner in self._database.living


class MemoryIds:
    """`engine.ports.IdSource` that counts from `first`, up to `last` if that is given."""

    def __init__(self, first: int = 1, last: int | None = None) -> None:
        self._next = first
        self._last = last

    def take(self, count: int) -> int:
        if self._last is not None and self._next + count - 1 > self._last:
            raise IdsExhausted
        first = self._next
        self._next += count
        return first


class ManualClock:
    """`engine.ports.Clock` that a test sets."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now
        self._order = count()
        self._calls: list[tuple[float, int, Callable[[], None], ManualTimer]] = []
        self._handlers: list[Callable[[float], None]] = []

    def now(self) -> float:
        return self._now

    def call_at(self, when: float, callback: Callable[[], None]) -> "ManualTimer":
        timer = ManualTimer()
        heappush(self._calls, (when, next(self._order), callback, timer))
        return timer

    def call_later(self, seconds: float, callback: Callable[[], None]) -> "ManualTimer":
        timer = self.call_at(self._now + seconds, callback)
        timer.lasts = True
        return timer

    def on_step(self, handler: Callable[[float], None]) -> None:
        self._handlers.append(handler)

    def step(self, seconds: float) -> None:
        """Step the wall clock; no time passes."""
        self._now += seconds
        self._calls = [
            (when + seconds if timer.lasts else when, order, callback, timer)
            for when, order, callback, timer in self._calls
        ]
        heapify(self._calls)
        for handler in self._handlers:
            handler(seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass, and make the calls that become due, in order."""
        target = self._now + seconds
        while self._calls and self._calls[0][0] <= target:
            when, _, callback, timer = heappop(self._calls)
            self._now = max(self._now, when)
            if not timer.cancelled:
                callback()
        self._now = target


class ManualTimer:
    """A call that was scheduled with a `ManualClock`."""

    def __init__(self) -> None:
        self.cancelled = False
        self.lasts = False

    def cancel(self) -> None:
        self.cancelled = True


class RecordingPublisher:
    """`engine.ports.Publisher` that keeps the changes."""

    def __init__(self) -> None:
        self.changes: list[SeatsChanged] = []

    def publish(self, change: SeatsChanged) -> None:
        self.changes.append(change)

    def wants_hashes(self, screening_id: int) -> bool:
        return True


class NullMeter:
    """`engine.ports.CommandMeter` that counts nothing."""

    def succeeded(self, run_seconds: float) -> None: ...

    def handled(self, outcome: str, wait_seconds: float, run_seconds: float) -> None: ...


class NullObserver:
    """`engine.ports.Observer` that counts nothing."""

    def command_meter(self, kind: str) -> NullMeter:
        """A meter that counts nothing."""
        return NullMeter()

    def screening_activated(self, seconds: float) -> None: ...

    def screening_taken_over(self, reason: str) -> None: ...

    def screening_passivated(self) -> None: ...

    def holds_lapsed(self, count: int, lateness_seconds: float) -> None: ...

    def seats_sold(self, screening: ScreeningInfo, count: int, cents: int) -> None: ...

    def seats_cancelled(self, screening: ScreeningInfo, count: int, cents: int) -> None: ...

    def batch_flushed(self, entries: int, seconds: float, lag_seconds: float) -> None: ...

    def flush_failed(self, reason: str) -> None: ...
