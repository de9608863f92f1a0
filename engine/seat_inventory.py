"""The seats and places of one screening: what is recorded about each, and every change of it.

A seat has at most one record, so it is in exactly one state: none (available), a `Hold`, a live
`Ticket`, or a `Commitment` while a durable change is on its way to the database. Every change goes
through the transition table. Memory and time are those of the records, never of the seats. Places of
ticket types (`engine.places`) are seats that have no name: they are counted, and not shown one by one.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from engine.deadlines import Deadlines
from engine.places import Places, ticket_type_of
from engine.records import Hold, Layout, Ticket, TicketStatus, TicketType, make
from engine.replies import Reply, SeatView
from engine.seat_states import SeatAction, SeatStatus, require


class Operation(NamedTuple):
    """A durable change that waits for the database's word.

    Attributes:
        id: the `seq` of its event.
        action: ISSUE, CONFIRM, CANCEL or LAPSE.
        holder: whose command it is; `events.SYSTEM` for a lapse.
        payment_id: the payment it was asked with.
        cause: name of its event, shown when it settles.
        reply: the answer that is due when it settles.
    """

    id: int
    action: SeatAction
    holder: str
    seat_ids: tuple[int, ...]
    payment_id: str | None
    cause: str
    reply: Reply


class Commitment(NamedTuple):
    """What a seat was (`before`) and will be (`after`) on either side of an operation."""

    operation: Operation
    before: "Hold | Ticket | None"
    after: Ticket | None


Record = Hold | Ticket | Commitment


class Standing(NamedTuple):
    """How seats stand towards one holder, each list in the order in which they were named.

    Attributes:
        free: available.
        own: held by the holder.
        in_progress: a change of the holder's own is on its way to the database.
        held: reserved for somebody else.
        booked: sold (or the holder's own already).
    """

    free: list[int]
    own: list[int]
    in_progress: list[int]
    held: list[int]
    booked: list[int]


class SeatInventory:
    """Records and transitions of the seats and places of one screening.

    Args:
        layout: the seats there are.
        ticket_types: the types whose places there are, by id.
        free_seats: how many seats there are that no layout has.

    Attributes:
        capacity: seats and places in all.
        places: those of each ticket type, by its id.
    """

    __slots__ = (
        "_claims",
        "_previous_holders",
        "_records",
        "capacity",
        "deadlines",
        "hold_count",
        "layout",
        "places",
    )

    def __init__(
        self,
        layout: Layout,
        ticket_types: Mapping[int, TicketType] = MappingProxyType({}),
        free_seats: int = 0,
    ) -> None:
        self.layout = layout
        self.places = {kind.id: Places(kind.id, kind.capacity) for kind in ticket_types.values()}
        self.capacity = len(layout.seats) + sum(kind.capacity for kind in ticket_types.values()) + free_seats
        self.deadlines = Deadlines()
        self.hold_count = 0
        self._records: dict[int, Record] = {}
        # Seats a holder occupies without having paid: holds, pending tickets, and what is about to
        # become either. The cap of the policy counts these.
        self._claims: dict[str, dict[int, None]] = {}
        self._previous_holders: dict[int, str] = {}

    # Reading

    def record(self, seat_id: int) -> Record | None:
        """What is recorded about a seat; None if it is simply available."""
        return self._records.get(seat_id)

    def status(self, seat_id: int) -> SeatStatus:
        """The state of a seat."""
        record = self._records.get(seat_id)
        if record is None:
            return SeatStatus.AVAILABLE
        if isinstance(record, Hold):
            return SeatStatus.HELD
        if isinstance(record, Commitment):
            return SeatStatus.COMMITTING
        return SeatStatus.PENDING if record.status is TicketStatus.PENDING else SeatStatus.BOOKED

    def claims_of(self, holder: str) -> Sequence[int]:
        """Seats that a holder occupies without having paid, oldest first."""
        return tuple(self._claims.get(holder, ()))

    def claim_count(self, holder: str) -> int:
        """How many seats a holder occupies without having paid."""
        return len(self._claims.get(holder, ()))

    @property
    def has_claims(self) -> bool:
        """Whether any seat is occupied without having been paid."""
        return bool(self._claims)

    @property
    def available(self) -> int:
        """Seats and places about which nothing is recorded."""
        return self.capacity - len(self._records)

    def reserved_as(self, holder: str, reservation_id: int) -> list[int]:
        """Seats and places that a holder holds, or is buying, under one reservation, oldest first."""
        named = []
        for seat_id in self.claims_of(holder):
            record = self._records[seat_id]
            hold = record.before if isinstance(record, Commitment) else record
            if isinstance(hold, Hold) and hold.reservation_id == reservation_id:
                named.append(seat_id)
        return named

    def are_free(self, seat_ids: Iterable[int]) -> bool:
        """Whether nothing is recorded about any of the seats."""
        return self._records.keys().isdisjoint(seat_ids)

    def standing(self, holder: str, seat_ids: Iterable[int]) -> Standing:
        """Sort seats by how they stand towards `holder`."""
        standing = Standing([], [], [], [], [])
        records = self._records
        for seat_id in seat_ids:
            record = records.get(seat_id)
            if record is None:
                standing.free.append(seat_id)
            elif isinstance(record, Hold):
                (standing.own if record.holder == holder else standing.held).append(seat_id)
            elif isinstance(record, Ticket):
                sold = record.status is TicketStatus.CONFIRMED or record.holder == holder
                (standing.booked if sold else standing.held).append(seat_id)
            elif record.operation.holder == holder:
                standing.in_progress.append(seat_id)
            else:
                shown = self.view(seat_id).status
                (standing.booked if shown == "booked" else standing.held).append(seat_id)
        return standing

    def view(self, seat_id: int) -> SeatView:
        """A seat as others may see it."""
        record: Record | None = self._records.get(seat_id)
        if record is None:
            previous_holder = self._previous_holders.get(seat_id)
            return make(SeatView, (seat_id, "available", None, None, previous_holder, None, None))
        if isinstance(record, Commitment):
            if record.before is None:
                return SeatView(seat_id, "reserved", record.operation.holder)
            record = record.before
        if isinstance(record, Hold):
            _, _, _, _, holder, reserved_at, expires_at, _, note = record
            return make(SeatView, (seat_id, "reserved", holder, expires_at, None, reserved_at, note))
        if record.status is TicketStatus.PENDING:
            return SeatView(seat_id, "reserved", record.holder, record.payment_deadline)
        return SeatView(seat_id, "booked", record.holder)

    def holds(self) -> list[Hold]:
        """All live holds."""
        return [record for record in self._records.values() if isinstance(record, Hold)]

    def tickets(self) -> list[Ticket]:
        """All live tickets of which no change is on its way to the database."""
        return [record for record in self._records.values() if isinstance(record, Ticket)]

    def views(self) -> dict[int, SeatView]:
        """Views of all seats, places apart, about which there is something to say."""
        views = self.views_of(dict.fromkeys((*self._records, *self._previous_holders)))
        return {view.seat_id: view for view in views}

    def views_of(self, seat_ids: Iterable[int]) -> tuple[SeatView, ...]:
        """Views of seats; places are passed over."""
        if self.places:
            seat_ids = (seat_id for seat_id in seat_ids if seat_id > 0)
        return tuple(map(self.view, seat_ids))

    # Changing: one method per row of the transition table

    def hold(self, hold: Hold) -> None:
        """HOLD: an available seat is held."""
        seat_id = hold.seat_id
        if seat_id in self._records:
            require(self.status(seat_id), SeatAction.HOLD)
        self._occupy(seat_id, hold)
        self._claim(hold.holder, seat_id)
        self._previous_holders.pop(seat_id, None)
        self.hold_count += 1
        self.deadlines.add(hold.expires_at, seat_id, hold.id)

    def extend(self, hold: Hold) -> None:
        """EXTEND: a held seat's hold is replaced by one with a later deadline."""
        require(self.status(hold.seat_id), SeatAction.EXTEND)
        self._records[hold.seat_id] = hold
        self.deadlines.add(hold.expires_at, hold.seat_id, hold.id)

    def release(self, seat_id: int, action: SeatAction = SeatAction.RELEASE) -> Hold:
        """RELEASE or LAPSE: a held seat is available again. Returns the hold it had."""
        hold = self._records.get(seat_id)
        if not isinstance(hold, Hold):
            require(self.status(seat_id), action)
        assert isinstance(hold, Hold)
        self._vacate(seat_id)
        self._disclaim(hold.holder, seat_id)
        if seat_id > 0:
            self._previous_holders[seat_id] = hold.holder
        self.hold_count -= 1
        self.deadlines.keep_bounded(len(self._records), self._is_live)
        return hold

    def commit(self, operation: Operation, seat_id: int, after: Ticket | None) -> None:
        """ISSUE, CONFIRM, CANCEL or LAPSE: what the seat becomes is now up to the database."""
        require(self.status(seat_id), operation.action)
        before = self._records.get(seat_id)
        assert not isinstance(before, Commitment)
        commitment = Commitment(operation, before, after)
        if before is None:
            self._occupy(seat_id, commitment)
            self._claim(operation.holder, seat_id)
            return
        self._records[seat_id] = commitment
        if isinstance(before, Hold):
            self.hold_count -= 1

    def settle(self, seat_id: int) -> None:
        """SETTLE: the database has written the operation; the seat is what it was to become."""
        commitment = self._committed(seat_id, SeatAction.SETTLE)
        before, after = commitment.before, commitment.after
        self._previous_holders.pop(seat_id, None)
        self._disclaim(before.holder if before is not None else commitment.operation.holder, seat_id)
        self._count_sold(seat_id, before, -1)
        if after is None:
            self._vacate(seat_id)
            return
        self._records[seat_id] = after
        self._count_sold(seat_id, after, 1)
        if after.status is TicketStatus.PENDING:
            self._claim(after.holder, seat_id)
            self._watch_payment(after)

    def abort(self, seat_id: int) -> None:
        """ABORT: the database never will write the operation; the seat is what it was."""
        commitment = self._committed(seat_id, SeatAction.ABORT)
        before = commitment.before
        if before is None:
            self._vacate(seat_id)
            self._disclaim(commitment.operation.holder, seat_id)
            return
        self._records[seat_id] = before
        # Deadlines that came up meanwhile were passed over, so they are set again.
        if isinstance(before, Hold):
            self.hold_count += 1
            self.deadlines.add(before.expires_at, seat_id, before.id)
        elif before.status is TicketStatus.PENDING:
            self._watch_payment(before)

    def restore(self, record: Hold | Ticket) -> None:
        """Put back what was stored, without a transition.

        A hold on a seat that has a record already is stale and passed over; two live tickets for a
        seat cannot be stored.
        """
        seat_id = record.seat_id
        if seat_id in self._records:
            assert isinstance(record, Hold), "two live tickets for one seat"
            return
        self._occupy(seat_id, record)
        if isinstance(record, Hold):
            self.hold_count += 1
            self._claim(record.holder, seat_id)
            self.deadlines.add(record.expires_at, seat_id, record.id)
            return
        self._count_sold(seat_id, record, 1)
        if record.status is TicketStatus.PENDING:
            self._claim(record.holder, seat_id)
            self._watch_payment(record)

    def pop_due(self, now: float) -> tuple[list[Hold], list[Ticket]]:
        """Holds and pending tickets whose deadline has come, each once."""
        due: dict[int, Hold | Ticket] = {}
        for deadline, seat_id, record_id in self.deadlines.pop_due(now):
            if self._is_live(deadline, seat_id, record_id):
                record = self._records[seat_id]
                assert not isinstance(record, Commitment)
                due[seat_id] = record
        holds = [record for record in due.values() if isinstance(record, Hold)]
        return holds, [record for record in due.values() if isinstance(record, Ticket)]

    def _committed(self, seat_id: int, action: SeatAction) -> Commitment:
        require(self.status(seat_id), action)
        record = self._records[seat_id]
        assert isinstance(record, Commitment)
        return record

    def _occupy(self, seat_id: int, record: Record) -> None:
        self._records[seat_id] = record
        if seat_id < 0 and (places := self.places.get(ticket_type_of(seat_id))):
            places.take(seat_id)

    def _vacate(self, seat_id: int) -> None:
        del self._records[seat_id]
        if seat_id < 0 and (places := self.places.get(ticket_type_of(seat_id))):
            places.give_back(seat_id)

    def _count_sold(self, seat_id: int, record: Hold | Ticket | None, number: int) -> None:
        """Of a seat nothing is counted, and of a place only what is sold for good."""
        if seat_id < 0 and isinstance(record, Ticket) and record.status is TicketStatus.CONFIRMED:
            if places := self.places.get(ticket_type_of(seat_id)):
                places.sold += number

    def _watch_payment(self, ticket: Ticket) -> None:
        assert ticket.payment_deadline is not None
        self.deadlines.add(ticket.payment_deadline, ticket.seat_id, ticket.id)

    def _claim(self, holder: str, seat_id: int) -> None:
        claims = self._claims.get(holder)
        if claims is None:
            self._claims[holder] = {seat_id: None}
        else:
            claims[seat_id] = None

    def _disclaim(self, holder: str, seat_id: int) -> None:
        claims = self._claims.get(holder)
        if claims is not None:
            claims.pop(seat_id, None)
            if not claims:
                del self._claims[holder]

    def _is_live(self, deadline: float, seat_id: int, record_id: int) -> bool:
        record = self._records.get(seat_id)
        if isinstance(record, Hold):
            return record.id == record_id and record.expires_at == deadline
        if isinstance(record, Ticket):
            return record.id == record_id and record.payment_deadline == deadline
        return False
