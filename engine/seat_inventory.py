"""The seats and places of one screening: what is recorded about each, and every change of it.

A seat has at most one record, so it is in exactly one state: none (available), a `Hold`, a live
`Ticket`, or a `Commitment` while a durable change is on its way to the database. Every change goes
through the transition table. Memory and time are those of the records, never of the seats. Places of
ticket types (`engine.places`) are seats that have no name: they are counted, and not shown one by one.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from engine.claims import Claims
from engine.deadlines import Deadlines, Lapsing, deadline_of
from engine.events import SeatsHeld
from engine.places import Places, ticket_type_of
from engine.records import Hold, Layout, Ticket, TicketStatus, TicketType, make
from engine.replies import Reply
from engine.seat_states import SeatAction, SeatStatus, require
from engine.views import SeatView, Shown, view_of


class PendingWrite(NamedTuple):
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
    """What a seat was (`before`) and will be (`after`) on either side of an write."""

    write: PendingWrite
    before: "Hold | Ticket | None"
    after: Ticket | None


Record = Hold | Ticket | Commitment

_HELD = (SeatsHeld, Hold)
"""Records of held seats: several that were held together, or one by itself."""


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
        available: those about which nothing is recorded.
        are_free: says whether nothing is recorded about any of some seats.
        claims: what is occupied without having been paid.
        places: those of each ticket type, by its id.
    """

    __slots__ = (
        "_records",
        "_vacated",
        "are_free",
        "available",
        "capacity",
        "claims",
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
        self.available = self.capacity
        self.claims = Claims()
        self.deadlines = Deadlines()
        self.hold_count = 0
        self._records: dict[int, SeatsHeld | Record] = {}
        self.are_free: Callable[[Iterable[int]], bool] = self._records.keys().isdisjoint
        # What is seen of available seats that somebody had, until they are next held.
        self._vacated: dict[int, SeatView] = {}

    # Reading

    def record(self, seat_id: int) -> Record | None:
        """What is recorded about a seat; None if it is simply available."""
        record = self._records.get(seat_id)
        return record.hold_of(seat_id) if isinstance(record, SeatsHeld) else record

    def status(self, seat_id: int) -> SeatStatus:
        """The state of a seat."""
        record = self._records.get(seat_id)
        if record is None:
            return SeatStatus.AVAILABLE
        if isinstance(record, _HELD):
            return SeatStatus.HELD
        if isinstance(record, Commitment):
            return SeatStatus.COMMITTING
        return SeatStatus.PENDING if record.status is TicketStatus.PENDING else SeatStatus.BOOKED

    def reserved_as(self, holder: str, reservation_id: int) -> list[int]:
        """Seats and places that a holder holds, or is buying, under one reservation, oldest first."""
        named = []
        for seat_id in self.claims.get(holder, ()):
            record = self._records[seat_id]
            hold = record.before if isinstance(record, Commitment) else record
            if isinstance(hold, _HELD) and hold.reservation_id == reservation_id:
                named.append(seat_id)
        return named

    def held_by(self, holder: str, seat_ids: Iterable[int]) -> list[int]:
        """Those of the seats on which the holder has a hold."""
        own = []
        for seat_id in seat_ids:
            record = self._records.get(seat_id)
            if isinstance(record, _HELD) and holder_of(record) == holder:
                own.append(seat_id)
        return own

    def standing(self, holder: str, seat_ids: Iterable[int]) -> Standing:
        """Sort seats by how they stand towards `holder`."""
        standing = Standing([], [], [], [], [])
        records = self._records
        for seat_id in seat_ids:
            record = records.get(seat_id)
            if record is None:
                standing.free.append(seat_id)
            elif isinstance(record, _HELD):
                (standing.own if holder_of(record) == holder else standing.held).append(seat_id)
            elif isinstance(record, Ticket):
                sold = record.status is TicketStatus.CONFIRMED or record.holder == holder
                (standing.booked if sold else standing.held).append(seat_id)
            elif record.write.holder == holder:
                standing.in_progress.append(seat_id)
            else:
                status = view_of(self.shown(seat_id)).status
                (standing.booked if status == "booked" else standing.held).append(seat_id)
        return standing

    def shown(self, seat_id: int) -> Shown:
        """What there is to be seen of a seat now."""
        record = self.record(seat_id)
        if record is None:
            vacated = self._vacated.get(seat_id)
            return vacated if vacated is not None else SeatView(seat_id, "available")
        if isinstance(record, Commitment):
            before = record.before
            return before if before is not None else SeatView(seat_id, "reserved", record.write.holder)
        return record

    def holds(self) -> list[Hold]:
        """All live holds."""
        return [
            record.hold_of(seat_id) if isinstance(record, SeatsHeld) else record
            for seat_id, record in self._records.items()
            if isinstance(record, _HELD)
        ]

    def tickets(self) -> list[Ticket]:
        """All live tickets of which no change is on its way to the database."""
        return [record for record in self._records.values() if isinstance(record, Ticket)]

    def views(self) -> dict[int, SeatView]:
        """Views of all seats, places apart, about which there is something to say."""
        seats = self.shown_of(dict.fromkeys((*self._records, *self._vacated)))
        return {view.seat_id: view for view in map(view_of, seats)}

    def shown_of(self, seat_ids: Iterable[int]) -> tuple[Shown, ...]:
        """What there is to be seen of seats now; places are passed over."""
        if self.places:
            seat_ids = (seat_id for seat_id in seat_ids if seat_id > 0)
        return tuple(map(self.shown, seat_ids))

    # Changing: one method per row of the transition table, for as many seats as a decision names

    def hold(self, held: SeatsHeld) -> None:
        """HOLD: available seats are held."""
        records, vacated, seat_ids = self._records, self._vacated, held.seat_ids
        for seat_id in seat_ids:
            if seat_id in records:
                require(self.status(seat_id), SeatAction.HOLD)
            records[seat_id] = held
        if vacated:
            for seat_id in seat_ids:
                vacated.pop(seat_id, None)
        number = len(seat_ids)
        self.available -= number
        self.hold_count += number
        self.claims.add(held.actor, seat_ids)
        self.deadlines.append(held.expires_at, held)

    def hold_places(self, holds: Sequence[Hold]) -> None:
        """HOLD: free places of ticket types are held, all by one holder."""
        for hold in holds:
            require(self.status(hold.seat_id), SeatAction.HOLD)
            self._occupy(hold.seat_id, hold)
            self.deadlines.append(hold.expires_at, hold)
        self.hold_count += len(holds)
        self.claims.add(holds[0].holder, tuple([hold.seat_id for hold in holds]))

    def extend(self, holds: Iterable[Hold]) -> None:
        """EXTEND: the holds of held seats are replaced by ones with later deadlines."""
        for hold in holds:
            require(self.status(hold.seat_id), SeatAction.EXTEND)
            self._records[hold.seat_id] = hold
            self.deadlines.insert(hold.expires_at, hold)

    def move(self, holds: Iterable[Hold], seconds: float) -> None:
        """Replace holds by copies with moved deadlines, and move the deadlines of pending tickets."""
        self.extend(holds)
        for seat_id, record in self._records.items():
            if isinstance(record, Ticket) and record.payment_deadline is not None:
                moved = moved_by(record, seconds)
                self._records[seat_id] = moved
                self.deadlines.insert(deadline_of(moved), moved)
            elif isinstance(record, Commitment):
                # `before` comes back if the database refuses the write; `after` applies if it commits.
                before = record.before and moved_by(record.before, seconds)
                after = record.after and moved_by(record.after, seconds)
                self._records[seat_id] = record._replace(before=before, after=after)
        self.deadlines.keep_bounded(len(self._records), self._is_live)

    def release(
        self, seat_ids: Iterable[int], action: SeatAction = SeatAction.RELEASE
    ) -> tuple[tuple[Hold, ...], tuple[Shown, ...]]:
        """RELEASE or LAPSE: held seats are available again.

        Returns:
            The holds that they had, and what others see of the seats now, without places of ticket types.
        """
        records, vacated = self._records, self._vacated
        holds: list[Hold] = []
        seats: list[Shown] = []
        by_holder: dict[str, list[int]] = {}
        for seat_id in seat_ids:
            hold = records.get(seat_id)
            if isinstance(hold, SeatsHeld):
                hold = hold.hold_of(seat_id)
            elif not isinstance(hold, Hold):
                require(self.status(seat_id), action)
                assert isinstance(hold, Hold)
            holds.append(hold)
            holder = hold.holder
            if holder in by_holder:
                by_holder[holder].append(seat_id)
            else:
                by_holder[holder] = [seat_id]
            del records[seat_id]
            if seat_id > 0:
                view = make(SeatView, (seat_id, "available", None, None, holder, None, None))
                vacated[seat_id] = view
                seats.append(view)
            elif places := self.places.get(ticket_type_of(seat_id)):
                places.give_back(seat_id)
            else:
                seats.append(SeatView(seat_id, "available"))
        self.available += len(holds)
        self.hold_count -= len(holds)
        for holder, given_back in by_holder.items():
            self.claims.remove(holder, given_back)
        self.deadlines.keep_bounded(len(records), self._is_live)
        return tuple(holds), tuple(seats)

    def commit(self, write: PendingWrite, after: Iterable[Ticket | None]) -> None:
        """ISSUE, CONFIRM, CANCEL or LAPSE: what the seats become is now up to the database.

        Args:
            write: names the seats.
            after: what they will be if it agrees, in the same order.
        """
        newly_claimed = []
        for seat_id, ticket in zip(write.seat_ids, after, strict=True):
            require(self.status(seat_id), write.action)
            before = self.record(seat_id)
            assert not isinstance(before, Commitment)
            commitment = Commitment(write, before, ticket)
            if before is None:
                self._occupy(seat_id, commitment)
                newly_claimed.append(seat_id)
                continue
            self._records[seat_id] = commitment
            if isinstance(before, Hold):
                self.hold_count -= 1
        if newly_claimed:
            self.claims.add(write.holder, tuple(newly_claimed))

    def settle(self, write: PendingWrite) -> None:
        """SETTLE: the database has written the write; its seats are what they were to become."""
        commitments = self._committed(write, SeatAction.SETTLE)
        self.claims.remove_pairs(
            (write.holder if before is None else before.holder, seat_id)
            for seat_id, (_, before, _) in commitments
        )
        unpaid: list[Ticket] = []
        for seat_id, (_, before, after) in commitments:
            self._vacated.pop(seat_id, None)
            self._count_sold(seat_id, before, -1)
            if after is None:
                self._vacate(seat_id)
                continue
            self._records[seat_id] = after
            self._count_sold(seat_id, after, 1)
            if after.payment_deadline is not None:
                unpaid.append(after)
                self.deadlines.insert(after.payment_deadline, after)
        if unpaid:  # they were issued together, so they have one holder
            self.claims.add(unpaid[0].holder, tuple([ticket.seat_id for ticket in unpaid]))

    def abort(self, write: PendingWrite) -> None:
        """ABORT: the database never will write the write; its seats are what they were."""
        commitments = self._committed(write, SeatAction.ABORT)
        for seat_id, (_, before, _) in commitments:
            if before is None:
                self._vacate(seat_id)
                continue
            self._records[seat_id] = before
            self.hold_count += isinstance(before, Hold)
            # A deadline that came up meanwhile was passed over, so it is set again.
            if (deadline := deadline_of(before)) < inf:
                self.deadlines.insert(deadline, before)
        self.claims.remove_pairs(
            (write.holder, seat_id) for seat_id, (_, before, _) in commitments if before is None
        )

    def restore(self, records: Iterable[Hold | Ticket]) -> None:
        """Put back what was stored, without a transition.

        A hold on a seat that has a record already is stale and passed over; two live tickets for a
        seat cannot be stored.
        """
        claimed: defaultdict[str, list[int]] = defaultdict(list)
        for record in records:
            seat_id, deadline = record.seat_id, deadline_of(record)
            if seat_id in self._records:
                assert isinstance(record, Hold), "two live tickets for one seat"
                continue
            self._occupy(seat_id, record)
            self._count_sold(seat_id, record, 1)
            self.hold_count += isinstance(record, Hold)
            if deadline < inf:
                claimed[record.holder].append(seat_id)
                self.deadlines.insert(deadline, record)
        for holder, seat_ids in claimed.items():
            self.claims.add(holder, tuple(seat_ids))

    def pop_due(self, now: float) -> tuple[list[Hold], list[Ticket]]:
        """Holds and pending tickets whose deadline has come, each once."""
        holds: dict[int, Hold] = {}
        tickets: dict[int, Ticket] = {}
        for record in self.deadlines.pop_due(now):
            for seat_id in self._live_seats(record):
                if isinstance(record, Ticket):
                    tickets[seat_id] = record
                else:
                    holds[seat_id] = record.hold_of(seat_id) if isinstance(record, SeatsHeld) else record
        return list(holds.values()), list(tickets.values())

    def _committed(self, write: PendingWrite, action: SeatAction) -> list[tuple[int, Commitment]]:
        """The seats of an write, with what is recorded about them."""
        commitments = []
        for seat_id in write.seat_ids:
            require(self.status(seat_id), action)
            record = self._records[seat_id]
            assert isinstance(record, Commitment)
            commitments.append((seat_id, record))
        return commitments

    def _occupy(self, seat_id: int, record: Record) -> None:
        self._records[seat_id] = record
        self.available -= 1
        if seat_id < 0:
            if places := self.places.get(ticket_type_of(seat_id)):
                places.take(seat_id)

    def _vacate(self, seat_id: int) -> None:
        del self._records[seat_id]
        self.available += 1
        if seat_id < 0 and (places := self.places.get(ticket_type_of(seat_id))):
            places.give_back(seat_id)

    def _count_sold(self, seat_id: int, record: Hold | Ticket | None, number: int) -> None:
        """Of a seat nothing is counted, and of a place only what is sold for good."""
        if seat_id < 0 and isinstance(record, Ticket) and record.status is TicketStatus.CONFIRMED:
            if places := self.places.get(ticket_type_of(seat_id)):
                places.sold += number

    def _live_seats(self, record: Lapsing) -> list[int]:
        """Seats of which this is still the record: what replaces a record is always another object."""
        seat_ids = record.seat_ids if isinstance(record, SeatsHeld) else (record.seat_id,)
        return [seat_id for seat_id in seat_ids if self._records.get(seat_id) is record]

    def _is_live(self, record: Lapsing) -> bool:
        return bool(self._live_seats(record))


def holder_of(record: SeatsHeld | Hold) -> str:
    """Who has a hold."""
    return record.actor if isinstance(record, SeatsHeld) else record.holder


Moved = TypeVar("Moved", bound=Hold | Ticket)


def moved_by(record: Moved, seconds: float) -> Moved:
    """A copy with its deadline moved, if it has one."""
    if isinstance(record, Hold):
        reserved_at, expires_at = record.reserved_at + seconds, record.expires_at + seconds
        return record._replace(reserved_at=reserved_at, expires_at=expires_at)
    if record.payment_deadline is None:
        return record
    return record._replace(payment_deadline=record.payment_deadline + seconds)
