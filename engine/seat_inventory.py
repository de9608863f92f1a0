"""The seats and places of one screening: a record for each that is not available, and all changes of them.

A seat has at most one record, so it is in exactly one state: available (no record), held (`SeatsHeld` or
`Hold`), sold or to be paid (`Ticket`), kept back (`Kept`), or with a pending write (`Commitment`). The
transition table (`engine.seat_states`) says which changes are legal. Memory and time grow with the records,
not with the seats. Places of ticket types (`engine.places`) are seats without a name: they are counted, and
others do not see them one by one.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from math import inf
from types import MappingProxyType

from engine.deadlines import Deadlines, Lapsing, deadline_of
from engine.events import SeatsHeld
from engine.kept_seats import NOTHING_KEPT, KeptSeats
from engine.person_limits import PersonLimits
from engine.places import Places, ticket_type_of
from engine.records import Block, Hold, Layout, Ticket, TicketStatus, TicketType, make
from engine.seat_records import HELD, Availability, Commitment, Kept, PendingWrite, Record, moved_by
from engine.seat_states import SeatAction, SeatStatus, require
from engine.state_hash import BOOKED, RESERVED
from engine.unpaid_seats import UnpaidSeats
from engine.views import SeatView, Shown, view_of, view_of_kept


class SeatInventory:
    """Records and transitions of the seats and places of one screening.

    Args:
        layout: the seats there are.
        ticket_types: the ticket types, by id.
        free_seats: number of seats that no layout has.
        warning_seconds: how long before the end of a hold its holder is warned; 0 for no warnings.
        persons: limits what a person may have, and is told of all tickets; None if nothing does.

    Attributes:
        capacity: number of seats and places.
        available: number of those without a record.
        are_free: returns True if none of some seats has a record.
        is_taken: returns True if a seat has a record.
        unpaid: the unpaid seats of each holder.
        places: the places of each ticket type, by its id.
        kept: which seats belong to which block.
        lending: True while seats of blocks are available to the present command. At all other times every
            seat of a block has a record.
    """

    __slots__ = (
        "_records",
        "_vacated",
        "are_free",
        "available",
        "capacity",
        "deadlines",
        "hold_count",
        "is_taken",
        "kept",
        "layout",
        "lending",
        "persons",
        "places",
        "unpaid",
    )

    def __init__(
        self,
        layout: Layout,
        ticket_types: Mapping[int, TicketType] = MappingProxyType({}),
        free_seats: int = 0,
        warning_seconds: float = 0.0,
        persons: PersonLimits | None = None,
    ) -> None:
        self.layout = layout
        self.places = {kind.id: Places(kind.id, kind.capacity) for kind in ticket_types.values()}
        self.capacity = len(layout.seats) + sum(kind.capacity for kind in ticket_types.values()) + free_seats
        self.available = self.capacity
        self.unpaid = UnpaidSeats()
        self.persons = persons
        self.kept = NOTHING_KEPT
        self.lending = False
        self.deadlines = Deadlines(warning_seconds)
        self.hold_count = 0
        self._records: dict[int, SeatsHeld | Record] = {}
        self.are_free: Callable[[Iterable[int]], bool] = self._records.keys().isdisjoint
        self.is_taken: Callable[[int], bool] = self._records.__contains__
        # Views of available seats that name the previous holder. They do not matter while seats are held.
        self._vacated: dict[int, SeatView] = {}

    # Reading

    def record(self, seat_id: int) -> Record | None:
        """The record of a seat; None if it is available."""
        record = self._records.get(seat_id)
        return record.hold_of(seat_id) if isinstance(record, SeatsHeld) else record

    def status(self, seat_id: int) -> SeatStatus:
        record = self._records.get(seat_id)
        if record is None:
            return SeatStatus.AVAILABLE
        if isinstance(record, HELD):
            return SeatStatus.HELD
        if isinstance(record, Commitment):
            return SeatStatus.COMMITTING
        if isinstance(record, Kept):
            return SeatStatus.BLOCKED
        return SeatStatus.PENDING if record.status is TicketStatus.PENDING else SeatStatus.BOOKED

    @property
    def kept_count(self) -> int:
        """Number of seats and places of blocks that nobody has."""
        return sum(isinstance(self._records.get(seat_id), Kept) for seat_id in self.kept.by_seat)

    def taken(self, seat_ids: Iterable[int]) -> bytes:
        """Return for each seat the byte 1 if it has a record, otherwise 0."""
        return bytes(map(self._records.__contains__, seat_ids))

    def reserved_as(self, holder: str, reservation_id: int) -> list[int]:
        """The seats and places that a holder holds or is buying under one reservation, oldest first."""
        named = []
        for seat_id in self.unpaid.get(holder, ()):
            record = self._records[seat_id]
            hold = record.before if isinstance(record, Commitment) else record
            if isinstance(hold, HELD) and hold.reservation_id == reservation_id:
                named.append(seat_id)
        return named

    def held_by(self, holder: str, seat_ids: Iterable[int]) -> list[int]:
        """Those of the seats that the holder holds."""
        own, records = [], self._records
        for seat_id in seat_ids:
            record = records.get(seat_id)
            if isinstance(record, SeatsHeld):
                is_own = record.actor == holder
            else:
                is_own = isinstance(record, Hold) and record.holder == holder
            if is_own:
                own.append(seat_id)
        return own

    def availability(self, holder: str, seat_ids: Iterable[int]) -> Availability:
        """Sort seats by their state from the holder's point of view."""
        availability = Availability([], [], [], [], [])
        free, own, in_progress, held, booked = availability
        records = self._records
        for seat_id in seat_ids:
            record = records.get(seat_id)
            if record is None:
                free.append(seat_id)
            elif isinstance(record, SeatsHeld):
                (own if record.actor == holder else held).append(seat_id)
            elif isinstance(record, Hold):
                (own if record.holder == holder else held).append(seat_id)
            elif isinstance(record, Ticket):
                sold = record.status is TicketStatus.CONFIRMED or record.holder == holder
                (booked if sold else held).append(seat_id)
            elif isinstance(record, Kept):
                booked.append(seat_id)
            elif record.write.holder == holder:
                in_progress.append(seat_id)
            else:
                status = view_of(self.shown(seat_id)).status
                (booked if status == "booked" else held).append(seat_id)
        return availability

    def shown(self, seat_id: int) -> Shown:
        """A seat as others see it now."""
        record = self.record(seat_id)
        if record is None:
            vacated = self._vacated.get(seat_id)
            return vacated if vacated is not None else SeatView(seat_id, "available")
        if isinstance(record, Kept):
            return view_of_kept(seat_id, record.key)
        if isinstance(record, Commitment):
            before = record.before
            return before if before is not None else SeatView(seat_id, "reserved", record.write.holder)
        return record

    def holds(self) -> list[Hold]:
        """All live holds."""
        return [
            record.hold_of(seat_id) if isinstance(record, SeatsHeld) else record
            for seat_id, record in self._records.items()
            if isinstance(record, HELD)
        ]

    def tickets(self) -> list[Ticket]:
        """All live tickets without a pending write."""
        return [record for record in self._records.values() if isinstance(record, Ticket)]

    def lapsing(self, until: float) -> Iterator[tuple[float, str, int]]:
        """Yield deadline, holder and seat of all holds and pending tickets that lapse up to `until`."""
        for record in self.deadlines.up_to(until):
            deadline = deadline_of(record)
            holder = record.actor if isinstance(record, SeatsHeld) else record.holder
            for seat_id in self._live_seats(record):
                yield deadline, holder, seat_id

    def taken_seats(self) -> list[tuple[int, str, str]]:
        """Seat, status and holder of all seats and places that somebody has, without pending writes."""
        taken = []
        for seat_id, record in self._records.items():
            if isinstance(record, SeatsHeld):
                taken.append((seat_id, "held", record.actor))
            elif not isinstance(record, Kept | Commitment):
                taken.append((seat_id, self.status(seat_id).value, record.holder))
        return taken

    def codes(self) -> list[tuple[int, int]]:
        """Codes of seats for `engine.state_hash.picture_hash`, without seats that do not count."""
        return [
            (seat_id, RESERVED if isinstance(record, HELD) else _code_of(record))
            for seat_id, record in self._records.items()
            if not isinstance(record, Kept)
        ]

    def views(self) -> dict[int, SeatView]:
        """Views of all seats that are not available or had a previous holder, without places."""
        seats = self.shown_of(dict.fromkeys((*self._records, *self._vacated)))
        return {view.seat_id: view for view in map(view_of, seats)}

    def shown_of(self, seat_ids: Iterable[int]) -> tuple[Shown, ...]:
        """Seats as others see them now, without places."""
        if self.places:
            seat_ids = (seat_id for seat_id in seat_ids if seat_id > 0)
        return tuple(map(self.shown, seat_ids))

    # Changing: one method per action of the transition table, for all seats of a decision

    def hold(self, held: SeatsHeld) -> None:
        """HOLD available seats."""
        records, seat_ids = self._records, held.seat_ids
        for seat_id in seat_ids:
            if seat_id in records:
                require(self.status(seat_id), SeatAction.HOLD)
            records[seat_id] = held
        number, holder, unpaid = len(seat_ids), held.actor, self.unpaid
        self.available -= number
        self.hold_count += number
        unpaid[holder] = unpaid[holder] + seat_ids if holder in unpaid else seat_ids
        self.deadlines.append(held.expires_at, held)

    def hold_each(self, holds: Sequence[Hold]) -> None:
        """HOLD available seats or places for one holder, with a record for each."""
        for hold in holds:
            require(self.status(hold.seat_id), SeatAction.HOLD)
            self._occupy(hold.seat_id, hold)
            self.deadlines.append(hold.expires_at, hold)
        self.hold_count += len(holds)
        self.unpaid.add(holds[0].holder, tuple([hold.seat_id for hold in holds]))

    def extend(self, holds: Iterable[Hold]) -> None:
        """EXTEND: replace holds by copies with later deadlines."""
        self._replace(holds, self.deadlines.insert)

    def move(self, holds: Iterable[Hold], seconds: float) -> None:
        """Replace holds by copies with moved deadlines, and move the deadlines of pending tickets."""
        self.deadlines.warned_at += seconds
        self._replace(holds, self.deadlines.insert_again)
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
        """RELEASE or LAPSE held seats; they are available again.

        Returns:
            The holds that they had, and the seats as others see them now, without places of ticket types.
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
                row = (seat_id, "available", None, None, holder, None, None, None, False, None)
                view = make(SeatView, row)
                vacated[seat_id] = view
                seats.append(view)
            elif places := self.places.get(ticket_type_of(seat_id)):
                places.give_back(seat_id)
            else:
                seats.append(SeatView(seat_id, "available"))
        self.available += len(holds)
        self.hold_count -= len(holds)
        for holder, given_back in by_holder.items():
            self.unpaid.remove(holder, given_back)
        if self.kept.by_seat and self.take_back([hold.seat_id for hold in holds]):
            seats = list(self.shown_of([hold.seat_id for hold in holds]))
        self.deadlines.keep_bounded(len(records), self._is_live)
        return tuple(holds), tuple(seats)

    def commit(self, write: PendingWrite, after: Iterable[Ticket | None]) -> None:
        """ISSUE, CONFIRM, MOVE, CANCEL or LAPSE: the seats wait for the database to commit.

        Args:
            write: names the seats.
            after: their records after the commit, in the same order.
        """
        newly_unpaid = []
        for seat_id, ticket in zip(write.seat_ids, after, strict=True):
            require(self.status(seat_id), write.action)
            before = self.record(seat_id)
            assert not isinstance(before, Commitment | Kept)
            commitment = Commitment(write, before, ticket)
            if self.persons is not None:
                self.persons.begin(before, ticket)
            if before is None:
                self._occupy(seat_id, commitment)
                newly_unpaid.append(seat_id)
                continue
            self._records[seat_id] = commitment
            if isinstance(before, Hold):
                self.hold_count -= 1
        if newly_unpaid:
            self.unpaid.add(write.holder, tuple(newly_unpaid))

    def expect(self, tickets: Iterable[Ticket]) -> None:
        """Replace the records that seats with a pending write will have after the commit."""
        for ticket in tickets:
            commitment = self._records[ticket.seat_id]
            assert isinstance(commitment, Commitment)
            self._records[ticket.seat_id] = commitment._replace(after=ticket)

    def settle(self, write: PendingWrite) -> None:
        """SETTLE a committed write."""
        commitments = self._committed(write, SeatAction.SETTLE)
        self.unpaid.remove_pairs(
            (write.holder if before is None else before.holder, seat_id)
            for seat_id, (_, before, _) in commitments
        )
        pending: list[Ticket] = []
        for seat_id, (_, before, after) in commitments:
            self._vacated.pop(seat_id, None)
            self._count_sold(seat_id, before, -1)
            if self.persons is not None:
                self.persons.settle(before, after)
            if after is None:
                self._vacate(seat_id)
                self.take_back((seat_id,))
                continue
            self._records[seat_id] = after
            self._count_sold(seat_id, after, 1)
            if after.payment_deadline is not None:
                pending.append(after)
                self.deadlines.insert(after.payment_deadline, after)
        if pending:  # they were issued together, so they have one holder
            self.unpaid.add(pending[0].holder, tuple([ticket.seat_id for ticket in pending]))

    def abort(self, write: PendingWrite) -> None:
        """ABORT a write that the database rejected: restore the records of its seats."""
        commitments = self._committed(write, SeatAction.ABORT)
        for seat_id, (_, before, after) in commitments:
            if self.persons is not None:
                self.persons.abort(before, after)
            if before is None:
                self._vacate(seat_id)
                self.take_back((seat_id,))
                continue
            self._records[seat_id] = before
            self.hold_count += isinstance(before, Hold)
            # If the deadline was reached meanwhile, it was ignored, so it is added again.
            if (deadline := deadline_of(before)) < inf:
                self.deadlines.insert_again(deadline, before)
        self.unpaid.remove_pairs(
            (write.holder, seat_id) for seat_id, (_, before, _) in commitments if before is None
        )

    def keep(self, block: Block, seat_ids: Iterable[int]) -> None:
        """BLOCK available seats and places.

        Args:
            block: as it is from now on.
            seat_ids: the new ones of its seats.
        """
        for seat_id in seat_ids:
            require(self.status(seat_id), SeatAction.BLOCK)
        if self.kept is NOTHING_KEPT:
            self.kept = KeptSeats()
        self.kept.put(block, seat_ids)
        self.take_back(seat_ids)

    def unblock(self, block: Block, seat_ids: Collection[int]) -> tuple[Block, tuple[int, ...]]:
        """UNBLOCK seats of a block.

        Returns:
            The block with the seats that are left, and the seats that are available now: nobody had them.
        """
        records = self._records
        freed = tuple([seat_id for seat_id in seat_ids if isinstance(records.get(seat_id), Kept)])
        for seat_id in freed:
            self._vacate(seat_id)
        return self.kept.remove(block, seat_ids), freed

    def lend(self, seat_ids: Iterable[int]) -> None:
        """Make seats that are kept back available to the present command; `take_back` follows."""
        for seat_id in seat_ids:
            require(self.status(seat_id), SeatAction.UNBLOCK)
            del self._records[seat_id]
            self.available += 1
            if seat_id < 0:
                self.places[ticket_type_of(seat_id)].lend(seat_id)

    def take_back(self, seat_ids: Iterable[int]) -> list[int]:
        """BLOCK those available seats again that belong to blocks. Returns them."""
        by_seat = self.kept.by_seat
        again = [seat_id for seat_id in seat_ids if seat_id in by_seat and seat_id not in self._records]
        for seat_id in again:
            self._occupy(seat_id, by_seat[seat_id])
            self._vacated.pop(seat_id, None)
        return again

    def restore_blocks(self, blocks: Iterable[Block]) -> None:
        """Load stored blocks, after everything else. Seats that there are not any more are left out."""
        for block in blocks:
            if self.kept is NOTHING_KEPT:
                self.kept = KeptSeats()
            here = [seat_id for seat_id in block.seat_ids if self._is_here(seat_id)]
            self.kept.put(block, here)
            self.take_back(here)

    def _is_here(self, seat_id: int) -> bool:
        return seat_id in self.layout.by_id if seat_id > 0 else ticket_type_of(seat_id) in self.places

    def restore(self, records: Iterable[Hold | Ticket]) -> None:
        """Load stored records, tickets first.

        A hold on a seat that already has a record is outdated and ignored. The database permits no two live
        tickets for a seat.
        """
        unpaid: defaultdict[str, list[int]] = defaultdict(list)
        for record in records:
            seat_id, deadline = record.seat_id, deadline_of(record)
            if seat_id in self._records:
                assert isinstance(record, Hold), "two live tickets for one seat"
                continue
            self._occupy(seat_id, record)
            self._count_sold(seat_id, record, 1)
            self.hold_count += isinstance(record, Hold)
            if self.persons is not None and isinstance(record, Ticket):
                self.persons.count(record)
            if deadline < inf:
                unpaid[record.holder].append(seat_id)
                self.deadlines.insert(deadline, record)
        for holder, seat_ids in unpaid.items():
            self.unpaid.add(holder, tuple(seat_ids))

    def pop_due(self, now: float) -> tuple[list[Hold], list[Ticket]]:
        """Return the holds and pending tickets whose deadline has passed, each once."""
        holds: dict[int, Hold] = {}
        tickets: dict[int, Ticket] = {}
        for record in self.deadlines.pop_due(now):
            for seat_id in self._live_seats(record):
                if isinstance(record, Ticket):
                    tickets[seat_id] = record
                else:
                    holds[seat_id] = record.hold_of(seat_id) if isinstance(record, SeatsHeld) else record
        return list(holds.values()), list(tickets.values())

    def take_expiring(self, now: float) -> list[Hold]:
        """Return the holds that will expire soon and whose holders have not been warned of it."""
        holds: dict[int, Hold] = {}
        for record in self.deadlines.take_expiring(now):
            for seat_id in self._live_seats(record):
                if not isinstance(record, Ticket):
                    holds[seat_id] = record.hold_of(seat_id) if isinstance(record, SeatsHeld) else record
        return list(holds.values())

    def _replace(self, holds: Iterable[Hold], add_deadline: Callable[[float, Hold], None]) -> None:
        for hold in holds:
            require(self.status(hold.seat_id), SeatAction.EXTEND)
            self._records[hold.seat_id] = hold
            add_deadline(hold.expires_at, hold)

    def _committed(self, write: PendingWrite, action: SeatAction) -> list[tuple[int, Commitment]]:
        """The seats of a pending write, with their records."""
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
                places.blocked += isinstance(record, Kept)

    def _vacate(self, seat_id: int) -> None:
        record = self._records.pop(seat_id)
        self.available += 1
        if seat_id < 0 and (places := self.places.get(ticket_type_of(seat_id))):
            places.give_back(seat_id)
            places.blocked -= isinstance(record, Kept)

    def _count_sold(self, seat_id: int, record: Hold | Ticket | None, number: int) -> None:
        """Count a sold place. Seats are not counted, nor are pending tickets."""
        if seat_id < 0 and isinstance(record, Ticket) and record.status is TicketStatus.CONFIRMED:
            if places := self.places.get(ticket_type_of(seat_id)):
                places.sold += number

    def _live_seats(self, record: Lapsing) -> list[int]:
        """Seats that still have this record. Records are compared by identity: a new one is another
        object.
        """
        seat_ids = record.seat_ids if isinstance(record, SeatsHeld) else (record.seat_id,)
        return [seat_id for seat_id in seat_ids if self._records.get(seat_id) is record]

    def _is_live(self, record: Lapsing) -> bool:
        return bool(self._live_seats(record))


def _code_of(record: Record) -> int:
    """Return how others see a seat, as a code of `engine.state_hash`."""
    if isinstance(record, Commitment):
        return RESERVED if record.before is None else _code_of(record.before)
    sold = isinstance(record, Ticket) and record.status is TicketStatus.CONFIRMED
    return BOOKED if sold else RESERVED
