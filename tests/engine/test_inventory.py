"""The inventory against one dictionary of records, over random changes that the transition table allows."""

from collections import Counter
from collections.abc import Iterable
from random import Random

import pytest

from engine.deadlines import deadline_of
from engine.events import SYSTEM, SeatsHeld
from engine.person_limits import PersonLimits
from engine.places import named_seat_id, place_id
from engine.records import CHANNEL, HOUSE, KILL, Block, Hold, Layout, Ticket, TicketStatus, TicketType
from engine.replies import Lapsed
from engine.seat_inventory import SeatInventory
from engine.seat_records import Commitment, PendingWrite, moved_by
from engine.seat_states import SeatAction, SeatStatus
from engine.state_hash import BOOKED, RESERVED
from engine.views import view_of
from tests.engine.conftest import NOW, make_layout
from tests.engine.plain_seats import Plain

ADA, BEN = "user:7", "user:8"
STANDING = 3
EVENT = (*range(1, 7), *(place_id(STANDING, number) for number in range(1, 5)))
FREE_ROOM = tuple(map(named_seat_id, "abcd"))
STEPS = 60


class Walk:
    """Makes the same random change in the inventory and in the dictionary."""

    def __init__(self, seed: int, seat_ids: tuple[int, ...]) -> None:
        self.random = Random(seed)
        self.now = NOW
        self.numbers = iter(range(1, 10_000))
        self.in_flight: list[PendingWrite] = []
        self.plain = Plain(seat_ids)
        self.seats = self.empty()

    def empty(self) -> SeatInventory:
        persons = PersonLimits(100, {})
        if self.plain.seat_ids == FREE_ROOM:
            return SeatInventory(Layout(1, 1, ()), free_seats=len(FREE_ROOM), persons=persons)
        kinds = {STANDING: TicketType(STANDING, 2000, 4, 4)}
        return SeatInventory(make_layout(6), kinds, persons=persons)

    def some(self, seat_ids: Iterable[int], most: int = 3) -> list[int]:
        among = list(seat_ids)
        return self.random.sample(among, min(len(among), self.random.randint(1, most)))

    def step(self) -> None:
        steps = (
            *(
                self.hold,
                self.hold_each,
                self.extend,
                self.release,
                self.issue,
                self.issue,
                self.end,
                self.end,
            ),
            *(
                self.move_ticket,
                self.settle,
                self.settle,
                self.abort,
                self.abort,
                self.block,
                self.unblock,
                self.lend,
            ),
            *(self.let_time_pass, self.step_the_clock),
        )
        self.random.choice(steps)()

    def hold(self, seat_ids: list[int] | None = None) -> None:
        free = self.plain.of(SeatStatus.AVAILABLE) if seat_ids is None else seat_ids
        # Seats of a layout or a free room have one record together, places have one each.
        if chosen := self.some(one for one in free if one > 0 or one in FREE_ROOM):
            holder, first_id = self.random.choice((ADA, BEN)), next(self.numbers) * 10
            held = SeatsHeld(1, 1, 1, self.now, holder, first_id, tuple(chosen), self.until(), "a note")
            self.seats.hold(held)
            self.plain.records.update({hold.seat_id: hold for hold in held.holds})

    def hold_each(self, seat_ids: list[int] | None = None) -> None:
        if chosen := self.some(self.plain.of(SeatStatus.AVAILABLE) if seat_ids is None else seat_ids):
            first_id, holder, until = next(self.numbers) * 10, self.random.choice((ADA, BEN)), self.until()
            holds = [
                Hold(hold_id, first_id, 1, seat_id, holder, self.now, until)
                for hold_id, seat_id in enumerate(chosen, first_id)
            ]
            self.seats.hold_each(holds)
            self.plain.records.update({hold.seat_id: hold for hold in holds})

    def until(self) -> float:
        return self.now + self.random.choice((100.0, 300.0, 200.0))

    def extend(self) -> None:
        chosen = self.some(self.plain.of(SeatStatus.HELD))
        longer = [self.plain.records[one] for one in chosen]
        longer = [hold._replace(expires_at=hold.expires_at + 50, extensions=1) for hold in longer]
        self.seats.extend(longer)
        self.plain.records.update({hold.seat_id: hold for hold in longer})

    def release(self) -> None:
        self.give_back(self.some(self.plain.of(SeatStatus.HELD), 4), SeatAction.RELEASE)

    def give_back(self, seat_ids: list[int], action: SeatAction) -> None:
        holds = tuple(self.plain.records.pop(seat_id) for seat_id in seat_ids)
        for hold in holds:
            if hold.seat_id > 0 and self.plain.record(hold.seat_id) is None:
                self.plain.vacated[hold.seat_id] = hold.holder
        shown = tuple(self.plain.shown(one) for one in seat_ids if one > 0 or one in FREE_ROOM)
        assert self.seats.release(seat_ids, action) == (holds, shown)

    def commit(self, action: SeatAction, holder: str, after: dict[int, Ticket | None]) -> None:
        write = PendingWrite(next(self.numbers), action, holder, tuple(after), None, "test", Lapsed(0))
        self.seats.commit(write, after.values())
        for seat_id, ticket in after.items():
            before = self.plain.records.get(seat_id)
            self.plain.records[seat_id] = Commitment(write, before, ticket)
        self.in_flight.append(write)

    def ticket(self, seat_id: int, holder: str, status: TicketStatus) -> Ticket:
        deadline = self.until() if status is TicketStatus.PENDING else None
        number = next(self.numbers)
        return Ticket(
            *(number, number, 1, seat_id, holder, 1250, status, self.now), payment_deadline=deadline
        )

    def issue(self, seat_ids: list[int] | None = None) -> None:
        holder = self.random.choice((ADA, BEN))
        status = self.random.choice((TicketStatus.PENDING, TicketStatus.CONFIRMED))
        own = self.plain.of(SeatStatus.HELD, holder=holder)
        if chosen := self.some(
            [*self.plain.of(SeatStatus.AVAILABLE), *own] if seat_ids is None else seat_ids
        ):
            # A holder may buy for somebody else.
            owner = self.random.choice((holder, holder, ADA))
            self.commit(SeatAction.ISSUE, holder, {one: self.ticket(one, owner, status) for one in chosen})

    def end(self) -> None:
        """Tickets are confirmed, cancelled or lapse."""
        pending, booked = SeatStatus.PENDING, SeatStatus.BOOKED
        action = self.random.choice((SeatAction.CONFIRM, SeatAction.CANCEL, SeatAction.LAPSE))
        holder = self.random.choice((ADA, BEN))
        if action is SeatAction.CANCEL:
            chosen = self.some(self.plain.of(pending, booked, holder=holder))
        else:
            chosen = self.some(self.plain.of(pending, holder=holder))
        paid = {"status": TicketStatus.CONFIRMED, "payment_deadline": None}
        after = {
            one: self.plain.records[one]._replace(**paid) if action is SeatAction.CONFIRM else None
            for one in chosen
        }
        if after:
            self.commit(action, SYSTEM if action is SeatAction.LAPSE else holder, after)

    def move_ticket(self) -> None:
        booked = self.some(self.plain.of(SeatStatus.BOOKED), 1)
        for leaving in booked:
            ticket = self.plain.records[leaving]
            held = self.plain.of(SeatStatus.HELD, holder=ticket.holder)
            for to in self.some([*self.plain.of(SeatStatus.AVAILABLE), *held], 1):
                moved = ticket._replace(seat_id=to)
                self.commit(SeatAction.MOVE, ticket.holder, {leaving: None, to: moved})
                renamed = moved._replace(code="another")
                self.seats.expect([renamed])
                self.plain.records[to] = self.plain.records[to]._replace(after=renamed)

    def settle(self) -> None:
        if write := self.some_write():
            self.seats.settle(write)
            for seat_id in write.seat_ids:
                self.plain.vacated.pop(seat_id, None)
                after = self.plain.records.pop(seat_id).after
                if after is not None:
                    self.plain.records[seat_id] = after

    def abort(self) -> None:
        if write := self.some_write():
            self.seats.abort(write)
            for seat_id in write.seat_ids:
                before = self.plain.records.pop(seat_id).before
                if before is not None:
                    self.plain.records[seat_id] = before
            self.let_lapse()

    def some_write(self) -> PendingWrite | None:
        if not self.in_flight:
            return None
        return self.in_flight.pop(self.random.randrange(len(self.in_flight)))

    def block(self) -> None:
        free = self.plain.of(SeatStatus.AVAILABLE) if self.plain.seat_ids != FREE_ROOM else ()
        if chosen := self.some(one for one in free if not self.block_of(one)):
            kind, number = self.random.choice((HOUSE, KILL, CHANNEL)), next(self.numbers)
            block = Block(number, 1, "Some", kind, tuple(chosen), self.now, ADA, "press")
            self.seats.keep(block, chosen)
            self.plain.blocks[number] = block
            for seat_id in chosen:
                self.plain.vacated.pop(seat_id, None)

    def block_of(self, seat_id: int) -> Block | None:
        return next((each for each in self.plain.blocks.values() if seat_id in each.seat_ids), None)

    def unblock(self) -> None:
        if blocks := list(self.plain.blocks.values()):
            block = self.random.choice(blocks)
            chosen = self.some(block.seat_ids)
            rest = block._replace(seat_ids=tuple(one for one in block.seat_ids if one not in chosen))
            freed = tuple(one for one in chosen if one not in self.plain.records)
            assert self.seats.unblock(block, chosen) == (rest, freed)
            del self.plain.blocks[block.id]
            if rest.seat_ids:
                self.plain.blocks[block.id] = rest

    def lend(self) -> None:
        """One command may have seats of blocks; those that it leaves return."""
        lent = self.some(self.plain.of(SeatStatus.BLOCKED))
        self.seats.lend(lent)
        assert self.seats.are_free(lent)
        self.random.choice((self.hold, self.hold_each, self.issue))(lent)
        for places in self.seats.places.values():
            places.end_loan()
        assert self.seats.take_back(lent) == [one for one in lent if one not in self.plain.records]

    def let_time_pass(self) -> None:
        self.now += self.random.choice((1.0, 60.0, 150.0))
        self.let_lapse()

    def let_lapse(self) -> None:
        due = {
            seat_id: record
            for seat_id, record in self.plain.records.items()
            if not isinstance(record, Commitment) and deadline_of(record) <= self.now
        }
        holds = {one: record for one, record in due.items() if isinstance(record, Hold)}
        tickets = {one: record for one, record in due.items() if isinstance(record, Ticket)}
        for found, expected in zip(self.seats.pop_due(self.now), (holds, tickets), strict=True):
            assert {record.seat_id: record for record in found} == expected
            assert len(found) == len(expected)
        self.give_back(list(holds), SeatAction.LAPSE)
        if tickets:
            self.commit(SeatAction.LAPSE, SYSTEM, dict.fromkeys(tickets))

    def step_the_clock(self) -> None:
        seconds = self.random.choice((-500.0, 500.0))
        self.now += seconds
        self.seats.move([moved_by(hold, seconds) for hold in self.seats.holds()], seconds)
        for seat_id, record in self.plain.records.items():
            if isinstance(record, Commitment):
                sides = [side and moved_by(side, seconds) for side in (record.before, record.after)]
                self.plain.records[seat_id] = Commitment(record.write, *sides)
            else:
                self.plain.records[seat_id] = moved_by(record, seconds)

    def compare(self, seats: SeatInventory) -> None:
        plain, ids, records = self.plain, self.plain.seat_ids, self.plain.all()
        assert [seats.status(one) for one in ids] == [plain.status(one) for one in ids]
        assert [seats.record(one) for one in ids] == [plain.record(one) for one in ids]
        assert [seats.shown(one) for one in ids] == [plain.shown(one) for one in ids]
        assert list(seats.taken(ids)) == [one in records for one in ids]
        assert (seats.available, seats.capacity) == (len(ids) - len(records), len(ids))
        assert seats.hold_count == len(plain.of(SeatStatus.HELD))
        assert seats.kept_count == len(plain.of(SeatStatus.BLOCKED))
        unpaid = Counter((holder, seat_id) for holder, mine in seats.unpaid.items() for seat_id in mine)
        assert unpaid == plain.unpaid() and all(seats.unpaid.values())
        assert sorted(seats.holds()) == sorted(one for one in records.values() if isinstance(one, Hold))
        assert sorted(seats.tickets()) == sorted(one for one in records.values() if isinstance(one, Ticket))
        self.compare_what_holders_have(seats)
        self.compare_what_others_see(seats)

    def compare_what_holders_have(self, seats: SeatInventory) -> None:
        plain, ids, records = self.plain, self.plain.seat_ids, self.plain.all()
        for holder in (ADA, BEN):
            assert seats.availability(holder, ids) == plain.availability(holder)
            assert seats.held_by(holder, ids) == plain.of(SeatStatus.HELD, holder=holder)
            assert seats.persons is not None
            assert seats.persons.bought(holder) == plain.bought(holder)
            mine = [plain.records[one] for one in seats.unpaid.get(holder, ())]
            holds = [one.before if isinstance(one, Commitment) else one for one in mine]
            named = {hold.reservation_id for hold in holds if isinstance(hold, Hold)}
            for reservation_id in named:
                expected = [
                    hold.seat_id
                    for hold in holds
                    if isinstance(hold, Hold) and hold.reservation_id == reservation_id
                ]
                assert seats.reserved_as(holder, reservation_id) == expected
            assert seats.reserved_as(holder, 999_999) == []
        lapsing = [
            (deadline_of(record), record.holder, seat_id)
            for seat_id, record in records.items()
            if isinstance(record, Hold | Ticket) and deadline_of(record) <= self.now + 150
        ]
        assert sorted(set(seats.lapsing(self.now + 150))) == sorted(lapsing)

    def compare_what_others_see(self, seats: SeatInventory) -> None:
        plain, ids, records = self.plain, self.plain.seat_ids, self.plain.all()
        named = [one for one in ids if one > 0 or one in FREE_ROOM]
        views = {one: view_of(plain.shown(one)) for one in named if one in records or one in plain.vacated}
        assert seats.views() == views
        looks = {one: view_of(plain.shown(one)).status for one in records}
        codes = {one: BOOKED if looks[one] == "booked" else RESERVED for one in plain.records}
        assert dict(seats.codes()) == codes
        assert {seat_id: (status, holder) for seat_id, status, holder in seats.taken_seats()} == {
            one: (plain.status(one).value, record.holder)
            for one, record in plain.records.items()
            if not isinstance(record, Commitment)
        }
        for places in seats.places.values():
            of_type = {one: record for one, record in records.items() if one < 0}
            sold = [one for one in of_type if looks[one] == "booked" and one in plain.records]
            blocked = [one for one in of_type if one not in plain.records]
            assert (places.sold, places.blocked) == (len(sold), len(blocked))
            assert places.reserved == len(of_type) - len(sold) - len(blocked)


@pytest.mark.parametrize(("seed", "seat_ids"), [*((seed, EVENT) for seed in range(7)), (7, FREE_ROOM)])
def test_all_answers_are_those_of_the_records(seed: int, seat_ids: tuple[int, ...]) -> None:
    walk = Walk(seed, seat_ids)
    for _ in range(STEPS):
        walk.step()
        walk.compare(walk.seats)
    while walk.in_flight:
        walk.settle()
    walk.compare(walk.seats)
    loaded = walk.empty()
    loaded.restore((*walk.seats.tickets(), *walk.seats.holds()))
    loaded.restore_blocks(walk.plain.blocks.values())
    walk.plain.vacated.clear()
    walk.compare(loaded)
    assert not walk.empty().kept.blocks, "blocks of one screening are those of another"


def test_stale_deadlines_stay_bounded_however_often_the_clock_is_stepped() -> None:
    seats = SeatInventory(make_layout())
    seats.restore([Hold(1, 1, 1, 1, ADA, NOW, NOW + 300)])
    for _ in range(500):
        seats.move([moved_by(hold, 1.0) for hold in seats.holds()], 1.0)
    assert len(seats.deadlines) < 200
