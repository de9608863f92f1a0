"""The pure core: what a screening answers to each command, and what happened by it.

`handle(command, now)` decides. It checks everything first and changes afterwards, over all seats of
the command or none; where it raises, nothing has changed. There is no await, no clock and no I/O in
it. What has to reach others comes out as data: events for the journal, changes for whoever watches.

Durable commands take two steps. The decision sends their seats through COMMITTING and names an
operation; when the journal has spoken, `settle` or `abort` finishes it.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from engine import events as ev
from engine.commands import (
    BookSeats,
    CancelTicket,
    Command,
    ConfirmTicket,
    ExtendHolds,
    HoldSeats,
    ReadChanges,
    ReadSeats,
    ReleaseHolds,
    ReleaseLapsed,
    ToggleSeats,
)
from engine.errors import (
    BookingInProgress,
    ExtensionLimitReached,
    HoldLimitExceeded,
    NotHeld,
    PaymentAlreadyUsed,
    ScreeningStarted,
    SeatsNotFound,
    SeatsUnavailable,
    TicketNotFound,
    TicketNotPending,
)
from engine.policy import Policy
from engine.ports import IdSource, LoadedScreening
from engine.records import Hold, Ticket, TicketStatus
from engine.replies import (
    Booked,
    Cancelled,
    Changes,
    Held,
    Lapsed,
    Released,
    Reply,
    SeatMap,
    SeatsChanged,
    Toggled,
)
from engine.seat_inventory import Commitment, Operation, SeatInventory
from engine.seat_states import SeatAction


class Outcome(NamedTuple):
    """What a decision leads to.

    Attributes:
        reply: the answer; of a durable command it is due only when its operation settles.
        events: for the journal, in the order of their `seq`.
        changes: what others see from now on, in the order of their `seq`.
        operation: id of the operation that the answer waits for; None for an immediate answer.
    """

    reply: Reply
    events: tuple[ev.Event, ...] = ()
    changes: tuple[SeatsChanged, ...] = ()
    operation: int | None = None


class Screening:
    """One screening in memory: its seats, its numbering and its decisions.

    Args:
        loaded: the state as it was stored, with the epoch of this ownership.
        policy: the limits of selling.
        hold_ids: ids for holds.
        ticket_ids: ids for tickets.
        change_memory: how many visible changes are kept for clients that resume.
    """

    __slots__ = (
        "_change_memory",
        "_changes",
        "_forgotten_seq",
        "_hold_ids",
        "_map",
        "_operations",
        "_policy",
        "_seats",
        "_seq",
        "_ticket_ids",
        "_visible_seq",
        "epoch",
        "info",
    )

    def __init__(
        self,
        loaded: LoadedScreening,
        policy: Policy,
        hold_ids: IdSource,
        ticket_ids: IdSource,
        change_memory: int = 1024,
    ) -> None:
        self.info = loaded.info
        self.epoch = loaded.epoch
        self._policy = policy
        self._hold_ids = hold_ids
        self._ticket_ids = ticket_ids
        self._seats = SeatInventory(loaded.layout)
        self._operations: dict[int, Operation] = {}
        self._seq = 0
        self._visible_seq = 0
        self._change_memory = change_memory
        self._changes: deque[SeatsChanged] | None = None
        self._forgotten_seq = 0
        self._map: SeatMap | None = None
        for ticket in loaded.tickets:
            self._seats.restore(ticket)
        for hold in loaded.holds:
            self._seats.restore(hold)

    # State that the actor and its metrics read

    @property
    def next_deadline(self) -> float:
        """When something may lapse next, in seconds since the epoch; infinity for never."""
        return self._seats.deadlines.earliest

    @property
    def hold_count(self) -> int:
        """Number of live holds."""
        return self._seats.hold_count

    @property
    def operations(self) -> Iterable[Operation]:
        """The durable changes that wait for the database."""
        return self._operations.values()

    @property
    def at_rest(self) -> bool:
        """Whether nothing is held, pending or on its way: it may be put away."""
        return not self._operations and not self._seats.has_claims

    # Deciding

    def handle(self, command: Command, now: float) -> Outcome:
        """Decide a command.

        Args:
            command: any of `engine.commands`, for this screening.
            now: seconds since the epoch. Whatever has lapsed by then must have been released by
                `ReleaseLapsed`, so that no decision sees it.

        Returns:
            The outcome; its changes are made.

        Raises:
            EngineError: the command is refused and nothing has changed.
        """
        return _DECISIONS[type(command)](self, command, now)

    def settle(self, operation_id: int, now: float) -> Outcome:
        """The database has written an operation: its seats become what they were to become."""
        operation = self._operations.pop(operation_id)
        for seat_id in operation.seat_ids:
            self._seats.settle(seat_id)
        return Outcome(operation.reply, (), (self._show(operation.cause, operation.seat_ids, now),))

    def abort(self, operation_id: int, now: float) -> Outcome:
        """The database will never write an operation: its seats are what they were."""
        operation = self._operations.pop(operation_id)
        for seat_id in operation.seat_ids:
            self._seats.abort(seat_id)
        return Outcome(operation.reply, (), (self._show("operation_aborted", operation.seat_ids, now),))

    def _hold(self, command: HoldSeats, now: float) -> Outcome:
        self._require_open(now, "reserve seats")
        wanted = self._known(command.seat_ids)
        free = self._obtainable(command.holder, wanted)
        if not free:
            return Outcome(Held(self._holds_on(wanted)))
        first_id = self._reserve_hold_ids(command.holder, free, 0)
        event, change = self._take(command.holder, free, first_id, now)
        return Outcome(Held(self._holds_on(wanted)), (event,), (change,))

    def _toggle(self, command: ToggleSeats, now: float) -> Outcome:
        self._require_open(now, "reserve seats")
        wanted = self._known(command.seat_ids)
        free = self._obtainable(command.holder, wanted)
        obtained = set(free)
        own = [seat_id for seat_id in wanted if seat_id not in obtained]
        first_id = self._reserve_hold_ids(command.holder, free, len(own))
        steps: list[tuple[ev.HoldsReleased | ev.SeatsHeld, SeatsChanged]] = []
        if own:
            steps.append(self._give_back(command.holder, own, now))
        if free:
            steps.append(self._take(command.holder, free, first_id, now))
        return Outcome(
            Toggled(self._holds_on(free), steps[0][0].holds if own else ()),
            tuple(event for event, _ in steps),
            tuple(change for _, change in steps),
        )

    def _extend(self, command: ExtendHolds, now: float) -> Outcome:
        self._require_open(now, "extend reservations")
        wanted = self._known(command.seat_ids)
        own = set(self._seats.standing(command.holder, wanted).own)
        if missing := [seat_id for seat_id in wanted if seat_id not in own]:
            raise NotHeld(missing)
        holds = self._holds_on(wanted)
        limit, life = self._policy.extension_limit, self._policy.hold_life_seconds
        if spent := [hold.seat_id for hold in holds if hold.extensions >= limit]:
            raise ExtensionLimitReached(spent, f"it has been extended {limit} times")
        extra = command.extra_seconds
        if late := [h.seat_id for h in holds if h.expires_at + extra > h.reserved_at + life]:
            raise ExtensionLimitReached(late, f"it may last {life / 60:g} minutes in all")
        extended = tuple(
            hold._replace(expires_at=hold.expires_at + extra, extensions=hold.extensions + 1)
            for hold in holds
        )
        for hold in extended:
            self._seats.extend(hold)
        change = self._show("holds_extended", wanted, now)
        event = ev.HoldsExtended(self.info.id, self.epoch, change.seq, now, command.holder, extended)
        return Outcome(Held(extended), (event,), (change,))

    def _release(self, command: ReleaseHolds, now: float) -> Outcome:
        named = command.seat_ids
        candidates = self._seats.claims_of(command.holder) if named is None else self._known(named)
        own = self._seats.standing(command.holder, candidates).own
        if not own:
            return Outcome(Released(()))
        event, change = self._give_back(command.holder, own, now)
        return Outcome(Released(event.holds), (event,), (change,))

    def _book(self, command: BookSeats, now: float) -> Outcome:
        wanted = self._known(command.seat_ids)
        if command.payment_id is not None and (repeat := self._repeated(command, wanted)):
            return repeat
        self._require_open(now, "book seats")
        free = self._obtainable(command.holder, wanted)
        if free and command.held_only:
            raise NotHeld(free)
        self._require_room(command.holder, free, 0)

        first_id = self._ticket_ids.take(len(wanted))
        tickets = tuple(
            self._ticket(command, first_id, number, seat_id, now) for number, seat_id in enumerate(wanted)
        )
        from_statuses = tuple(self._seats.status(seat_id) for seat_id in wanted)
        converted = tuple(h for h in map(self._seats.record, wanted) if isinstance(h, Hold))
        self._seq += 1
        event = ev.TicketsIssued(
            self.info.id, self.epoch, self._seq, now, command.holder, tickets, from_statuses, converted
        )
        self._begin(SeatAction.ISSUE, event, tickets, command.payment_id, Booked(tickets))
        changes = (self._show("booking_started", free, now),) if free else ()
        return Outcome(Booked(tickets), (event,), changes, event.seq)

    def _confirm(self, command: ConfirmTicket, now: float) -> Outcome:
        record = self._seats.record(command.seat_id)
        if isinstance(record, Commitment):
            operation = record.operation
            if operation.action is SeatAction.CONFIRM and operation.payment_id == command.payment_id:
                return Outcome(operation.reply, operation=operation.id)
            raise BookingInProgress([command.seat_id])
        ticket = self._own_ticket(record, command.holder, command.ticket_id)
        if ticket.status is not TicketStatus.PENDING:
            if ticket.payment_id == command.payment_id:
                return Outcome(Booked((ticket,)))
            raise TicketNotPending(ticket.id, ticket.status.value)
        confirmed = ticket._replace(
            status=TicketStatus.CONFIRMED,
            confirmed_at=now,
            payment_id=command.payment_id,
            payment_deadline=None,
        )
        self._seq += 1
        event = ev.TicketsConfirmed(
            self.info.id,
            self.epoch,
            self._seq,
            now,
            command.holder,
            (confirmed,),
            (self._seats.status(ticket.seat_id),),
        )
        reply = Booked((confirmed,))
        self._begin(SeatAction.CONFIRM, event, (confirmed,), command.payment_id, reply)
        return Outcome(reply, (event,), (), event.seq)

    def _cancel(self, command: CancelTicket, now: float) -> Outcome:
        record = self._seats.record(command.seat_id)
        if isinstance(record, Commitment) and record.operation.holder == command.holder:
            if record.operation.action is SeatAction.CANCEL:
                return Outcome(record.operation.reply, operation=record.operation.id)
            raise BookingInProgress([command.seat_id])
        ticket = self._own_ticket(record, command.holder, command.ticket_id)
        self._require_open(now, "cancel tickets")
        cancelled = ticket._replace(status=TicketStatus.CANCELLED, cancelled_at=now, payment_deadline=None)
        self._seq += 1
        event = ev.TicketsCancelled(
            self.info.id,
            self.epoch,
            self._seq,
            now,
            command.holder,
            (cancelled,),
            (self._seats.status(ticket.seat_id),),
        )
        reply = Cancelled(cancelled)
        self._begin(SeatAction.CANCEL, event, (cancelled,), None, reply)
        return Outcome(reply, (event,), (), event.seq)

    def _lapse(self, command: ReleaseLapsed, now: float) -> Outcome:
        holds, tickets = self._seats.pop_due(now)
        events: list[ev.Event] = []
        changes: list[SeatsChanged] = []
        operation = None
        reply = Lapsed(len(holds) + len(tickets))
        if holds:
            for hold in holds:
                self._seats.release(hold.seat_id, SeatAction.LAPSE)
            change = self._show("holds_expired", [hold.seat_id for hold in holds], now)
            events.append(ev.HoldsExpired(self.info.id, self.epoch, change.seq, now, ev.SYSTEM, tuple(holds)))
            changes.append(change)
        if tickets:
            lapsed = tuple(t._replace(status=TicketStatus.LAPSED, cancelled_at=now) for t in tickets)
            statuses = tuple(self._seats.status(ticket.seat_id) for ticket in tickets)
            self._seq += 1
            event = ev.TicketsLapsed(self.info.id, self.epoch, self._seq, now, ev.SYSTEM, lapsed, statuses)
            self._begin(SeatAction.LAPSE, event, lapsed, None, reply)
            events.append(event)
            operation = event.seq
        return Outcome(reply, tuple(events), tuple(changes), operation)

    def _read_seats(self, command: ReadSeats, now: float) -> Outcome:
        if self._map is None:
            self._map = SeatMap(
                self.info.id, self.epoch, self._visible_seq, self._seats.layout, self._seats.views()
            )
        return Outcome(self._map)

    def _read_changes(self, command: ReadChanges, now: float) -> Outcome:
        missed = None
        if command.epoch == self.epoch and self._forgotten_seq <= command.since <= self._visible_seq:
            missed = tuple(change for change in self._changes or () if change.seq > command.since)
        return Outcome(Changes(self.epoch, self._visible_seq, missed))

    # Checks: they raise or let pass, and change nothing

    def _require_open(self, now: float, attempt: str) -> None:
        if now >= self.info.starts_at:
            raise ScreeningStarted(self.info.id, attempt)

    def _known(self, seat_ids: Iterable[int]) -> tuple[int, ...]:
        """The named seats, each once, in the order in which they were named."""
        wanted = tuple(dict.fromkeys(seat_ids))
        by_id = self._seats.layout.by_id
        if unknown := [seat_id for seat_id in wanted if seat_id not in by_id]:
            raise SeatsNotFound(unknown)
        return wanted

    def _obtainable(self, holder: str, wanted: Sequence[int]) -> list[int]:
        """Those of `wanted` that are free, provided that the holder has the others already."""
        standing = self._seats.standing(holder, wanted)
        if standing.held or standing.booked:
            raise SeatsUnavailable(sorted(standing.held), sorted(standing.booked))
        if standing.in_progress:
            raise BookingInProgress(standing.in_progress)
        return standing.free

    def _require_room(self, holder: str, wanted: Sequence[int], returned: int) -> None:
        """The cap counts what a holder occupies unpaid, less what the same command gives back."""
        held = self._seats.claim_count(holder)
        limit = self._policy.held_seats_limit
        if wanted and held - returned + len(wanted) > limit:
            raise HoldLimitExceeded(limit, held, len(wanted))

    def _reserve_hold_ids(self, holder: str, free: Sequence[int], returned: int) -> int:
        self._require_room(holder, free, returned)
        return self._hold_ids.take(len(free)) if free else 0

    def _own_ticket(self, record: object, holder: str, ticket_id: int) -> Ticket:
        if isinstance(record, Ticket) and record.id == ticket_id and record.holder == holder:
            return record
        raise TicketNotFound(ticket_id)

    def _repeated(self, command: BookSeats, wanted: tuple[int, ...]) -> Outcome | None:
        """The answer to a payment that already booked (or is just booking) the first seat."""
        record = self._seats.record(wanted[0])
        if isinstance(record, Commitment):
            operation = record.operation
            if operation.payment_id != command.payment_id or operation.action is not SeatAction.ISSUE:
                return None
            if operation.holder != command.holder or set(operation.seat_ids) != set(wanted):
                raise PaymentAlreadyUsed(operation.payment_id or "")
            return Outcome(operation.reply, operation=operation.id)
        if not isinstance(record, Ticket) or record.payment_id != command.payment_id:
            return None
        # The ledger knows the whole booking; here it is enough to see that this is not a new one.
        raise PaymentAlreadyUsed(record.payment_id or "")

    # Steps: everything has been checked

    def _holds_on(self, seat_ids: Iterable[int]) -> tuple[Hold, ...]:
        return tuple(h for h in map(self._seats.record, seat_ids) if isinstance(h, Hold))

    def _take(
        self, holder: str, seat_ids: Sequence[int], first_id: int, now: float
    ) -> tuple[ev.SeatsHeld, SeatsChanged]:
        expires_at = now + self._policy.hold_seconds
        holds = tuple(
            Hold(first_id + number, self.info.id, seat_id, holder, now, expires_at)
            for number, seat_id in enumerate(seat_ids)
        )
        for hold in holds:
            self._seats.hold(hold)
        change = self._show("seats_held", seat_ids, now)
        return ev.SeatsHeld(self.info.id, self.epoch, change.seq, now, holder, holds), change

    def _give_back(
        self, holder: str, seat_ids: Sequence[int], now: float
    ) -> tuple[ev.HoldsReleased, SeatsChanged]:
        holds = tuple(self._seats.release(seat_id) for seat_id in seat_ids)
        change = self._show("holds_released", seat_ids, now)
        return ev.HoldsReleased(self.info.id, self.epoch, change.seq, now, holder, holds), change

    def _ticket(self, command: BookSeats, first_id: int, number: int, seat_id: int, now: float) -> Ticket:
        seat = self._seats.layout.by_id[seat_id]
        pending = command.payment_pending
        return Ticket(
            id=first_id + number,
            booking_id=first_id,
            screening_id=self.info.id,
            seat_id=seat_id,
            holder=command.holder,
            price_cents=self.info.price_of(seat),
            status=TicketStatus.PENDING if pending else TicketStatus.CONFIRMED,
            booked_at=now,
            confirmed_at=None if pending else now,
            payment_id=command.payment_id,
            payment_deadline=now + self._policy.payment_window_seconds if pending else None,
        )

    def _begin(
        self,
        action: SeatAction,
        event: ev.TicketEvent,
        tickets: Sequence[Ticket],
        payment_id: str | None,
        reply: Reply,
    ) -> None:
        """Send the seats of `tickets` through COMMITTING, all in one operation."""
        operation = Operation(
            event.seq,
            action,
            event.actor,
            tuple(ticket.seat_id for ticket in tickets),
            payment_id,
            ev.KINDS[type(event)],
            reply,
        )
        self._operations[operation.id] = operation
        for ticket in tickets:
            self._seats.commit(operation, ticket.seat_id, ticket if action in _LIVE_AFTER else None)

    def _show(self, cause: str, seat_ids: Iterable[int], now: float) -> SeatsChanged:
        """Number a change that others see, and remember it for those who resume."""
        self._seq += 1
        self._visible_seq = self._seq
        self._map = None
        views = tuple(map(self._seats.view, seat_ids))
        change = SeatsChanged(self.info.id, self.epoch, self._seq, now, cause, views)
        if self._changes is None:
            self._changes = deque(maxlen=self._change_memory)
        elif len(self._changes) == self._change_memory:
            self._forgotten_seq = self._changes[0].seq
        self._changes.append(change)
        return change


_LIVE_AFTER = frozenset({SeatAction.ISSUE, SeatAction.CONFIRM})

_DECISIONS: dict[type, Callable[[Screening, Any, float], Outcome]] = {
    HoldSeats: Screening._hold,
    ToggleSeats: Screening._toggle,
    ExtendHolds: Screening._extend,
    ReleaseHolds: Screening._release,
    BookSeats: Screening._book,
    ConfirmTicket: Screening._confirm,
    CancelTicket: Screening._cancel,
    ReleaseLapsed: Screening._lapse,
    ReadSeats: Screening._read_seats,
    ReadChanges: Screening._read_changes,
}
