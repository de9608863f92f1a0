"""A Hypothesis state machine drives tickets by quantity against the simplest model that could be right.

The model is one dictionary from place to who has it. Customers reserve, buy, release and cancel; an
administrator reserves, sells and gives away at the counter, and keeps tickets back. Which of several places
somebody gets is left to the core; how many, for whom, at what price and from which block is not.
"""

from collections.abc import Collection
from typing import NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine.commands import (
    BlockSeats,
    BookSeats,
    CancelTicket,
    Command,
    HoldPlaces,
    HoldSeatsFor,
    PlaceOrder,
    ReadStock,
    ReleaseHolds,
    ReleaseLapsed,
    SellSeats,
    UnblockSeats,
)
from engine.errors import EngineError
from engine.memory import MemoryDatabase
from engine.places import place_id
from engine.policy import Policy
from engine.ports import Entry
from engine.records import HOUSE, KILL, Paper, TicketStatus, TicketType
from engine.sale_rules import SaleRules
from engine.screening_state import Decision
from tests.engine.conftest import Hall

KIND, CAPACITY, PER_ORDER = 5, 8, 3
HOLDERS = st.sampled_from(["user:1", "session:x"])
BOSS = "user:99"
HELD_LIMIT = 5
PRICES = (2000, 2550)
HOLD_SECONDS = 300.0
QUANTITY = st.integers(1, 4)
ACCESS = st.sampled_from([(), (HOUSE,)])
KEYS = {HOUSE: HOUSE, KILL: None}


class Place(NamedTuple):
    """A place that somebody has, and the pending write about it.

    Attributes:
        holder: who has it, or is getting it.
        reservation: the reservation that it belongs to; 0 if it is sold without one.
        until: the end of the reservation; infinite for a ticket.
        cents: what it costs.
        ticket: the id of the ticket; 0 if it is only reserved.
        writing: "sale" or "cancellation" while the database has not answered.
    """

    holder: str
    reservation: int
    until: float
    cents: int
    ticket: int = 0
    writing: str = ""


class Quantities(RuleBasedStateMachine):
    """Rules are commands; invariants hold after every one."""

    @initialize(per_person=st.sampled_from([None, 4]), per_type=st.sampled_from([None, 3]))
    def open_event(self, per_person: int | None, per_type: int | None) -> None:
        self.limits = [limit for limit in (per_person, per_type) if limit is not None]
        self.per_type = per_type
        self.rules = SaleRules(max_per_user=per_person)
        self.database = MemoryDatabase()
        self.places: dict[int, Place] = {}
        self.block_of: dict[int, int] = {}
        self.keys: dict[int, str | None] = {}
        self.in_flight: list[tuple[Decision, dict[int, Place]]] = []
        self.hall: Hall | None = None
        self.load(PRICES[0])

    def load(self, cents: int) -> None:
        """Load the event from the database, at a price."""
        before, self.cents = self.hall, cents
        kind = TicketType(KIND, cents, CAPACITY, PER_ORDER, max_per_user=self.per_type)
        live = (TicketStatus.PENDING, TicketStatus.CONFIRMED)
        self.hall = Hall(
            *(0, Policy(held_seats_limit=HELD_LIMIT, hold_seconds=HOLD_SECONDS, hold_life_seconds=1e9)),
            epoch=before.screening.epoch + 1 if before else 1,
            holds=[hold for hold, status in self.database.holds.values() if status == "active"],
            tickets=[ticket for ticket in self.database.tickets.values() if ticket.status in live],
            blocks=[block for block in self.database.blocks.values() if block.seat_ids],
            ids_from=before,
            rules=self.rules,
            ticket_types={KIND: kind},
        )
        if before:
            self.hall.now = before.now

    def attempt(self, command: Command, legal: bool) -> Decision | None:
        """Do it, compare whether it was allowed, and store what no reply waits for."""
        before = self.hall.screening.handle(ReadStock(1), self.hall.now).reply
        try:
            decision = self.hall.do(command)
        except EngineError as refusal:
            assert not legal, f"{command}: {refusal}"
            assert self.hall.screening.handle(ReadStock(1), self.hall.now).reply == before
            return None
        assert legal, f"allowed: {command}"
        self.write(decision, durable=False)
        return decision

    def write(self, decision: Decision, *, durable: bool) -> None:
        events = tuple(event for event in decision.events if (event.seq == decision.write_id) is durable)
        self.database.write(Entry(events))

    def open_to(self, access: Collection[str]) -> set[int]:
        """The kept places that nobody has and that `access` opens."""
        return {place for place in self.kept if self.keys[self.block_of[place]] in access}

    @property
    def kept(self) -> set[int]:
        return self.block_of.keys() - self.places.keys()

    @property
    def free(self) -> int:
        return CAPACITY - len(self.places) - len(self.kept)

    def fits(self, holder: str, quantity: int, *, beyond_limit: bool = False) -> bool:
        """Return whether the limits allow a holder this many more places."""
        own = [place for place in self.places.values() if place.holder == holder]
        unpaid = sum(not place.ticket or place.writing == "sale" for place in own)
        if unpaid + quantity > HELD_LIMIT:
            return False
        # A ticket that is being given back counts until the database has agreed.
        return beyond_limit or all(len(own) + quantity <= limit for limit in self.limits)

    def taken(self, seat_ids: Collection[int], quantity: int, access: Collection[str] = ()) -> None:
        """Check which places somebody has got."""
        assert len(set(seat_ids)) == len(seat_ids) == quantity
        assert all(place_id(KIND, CAPACITY) <= seat_id <= place_id(KIND, 1) for seat_id in seat_ids)
        assert not self.places.keys() & {*seat_ids}, "somebody has it already"
        assert self.kept & {*seat_ids} <= self.open_to(access), "it is kept back"

    @rule(seconds=st.sampled_from([1.0, 299.0, 301.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.hall.now += seconds
        self.write(self.hall.screening.handle(ReleaseLapsed(1), self.hall.now), durable=False)
        for place, state in list(self.places.items()):
            if not state.ticket and state.until <= self.hall.now:
                del self.places[place]

    @rule(cents=st.sampled_from(PRICES))
    def change_the_price(self, cents: int) -> None:
        """Change the price as an administrator does: the event is loaded again."""
        if not self.in_flight:
            self.load(cents)

    @rule(holder=HOLDERS, quantity=QUANTITY)
    def reserve(self, holder: str, quantity: int) -> None:
        legal = quantity <= min(PER_ORDER, self.free) and self.fits(holder, quantity)
        command = HoldPlaces(1, holder, (PlaceOrder(KIND, quantity),), HOLD_SECONDS)
        if decision := self.attempt(command, legal):
            self.reserved(decision.reply.reservations[0], holder, quantity)

    @rule(holder=HOLDERS, quantity=QUANTITY, access=ACCESS, beyond_limit=st.booleans())
    def reserve_at_the_counter(
        self, holder: str, quantity: int, access: tuple[str, ...], beyond_limit: bool
    ) -> None:
        legal = quantity <= self.free + len(self.open_to(access))
        legal = legal and self.fits(holder, quantity, beyond_limit=beyond_limit)
        order = PlaceOrder(KIND, quantity)
        command = HoldSeatsFor(1, holder, (), BOSS, None, beyond_limit, access, order=order)
        if decision := self.attempt(command, legal):
            assert {event.actor for event in decision.events} == {BOSS}
            self.reserved(decision.reply.holds, holder, quantity, access)

    def reserved(self, holds: tuple, holder: str, quantity: int, access: Collection[str] = ()) -> None:
        self.taken([hold.seat_id for hold in holds], quantity, access)
        until = self.hall.now + HOLD_SECONDS
        assert {(hold.holder, hold.expires_at, hold.price_cents) for hold in holds} == {
            (holder, until, self.cents)
        }
        (reservation,) = {hold.reservation_id for hold in holds}
        for hold in holds:
            self.places[hold.seat_id] = Place(holder, reservation, until, self.cents)

    @rule(
        holder=HOLDERS,
        quantity=QUANTITY,
        access=ACCESS,
        beyond_limit=st.booleans(),
        reason=st.none() | st.just("Press"),
    )
    def sell_at_the_counter(
        self, holder: str, quantity: int, access: tuple[str, ...], beyond_limit: bool, reason: str | None
    ) -> None:
        legal = quantity <= self.free + len(self.open_to(access))
        legal = legal and self.fits(holder, quantity, beyond_limit=beyond_limit)
        papers = tuple(Paper(f"{self.hall.ticket_ids.take(1)}", b"") for _ in range(quantity))
        order = PlaceOrder(KIND, quantity)
        command = SellSeats(
            *(1, holder, (), BOSS, None, None, beyond_limit, access, reason), order=order, papers=papers
        )
        if decision := self.attempt(command, legal):
            tickets, cents = decision.reply.tickets, 0 if reason else self.cents
            self.taken([ticket.seat_id for ticket in tickets], quantity, access)
            assert {(t.holder, t.sold_by, t.price_cents) for t in tickets} == {(holder, BOSS, cents)}
            assert [ticket.code for ticket in tickets] == [paper.code for paper in papers]
            self.in_flight.append((decision, {}))
            for ticket in tickets:
                self.places[ticket.seat_id] = Place(holder, 0, float("inf"), cents, ticket.id, "sale")

    @rule(holder=HOLDERS, which=st.integers(0, 9))
    def purchase(self, holder: str, which: int) -> None:
        """Buy a reservation, also one that was made at the counter."""
        reservations = self.reservations_of(holder)
        if not reservations:
            assert self.attempt(BookSeats(1, holder, (), held_only=True, reservation_id=1), False) is None
            return
        reservation = reservations[which % len(reservations)]
        own = {place: state for place, state in self.places.items() if state.reservation == reservation}
        command = BookSeats(1, holder, (), held_only=True, reservation_id=reservation)
        if decision := self.attempt(command, True):
            tickets = decision.reply.tickets
            assert {t.seat_id: t.price_cents for t in tickets} == {p: state.cents for p, state in own.items()}
            self.in_flight.append((decision, own))
            for ticket in tickets:
                state = own[ticket.seat_id]
                self.places[ticket.seat_id] = state._replace(
                    until=float("inf"), ticket=ticket.id, writing="sale"
                )

    def reservations_of(self, holder: str) -> list[int]:
        own = (state for state in self.places.values() if state.holder == holder and not state.ticket)
        return sorted({state.reservation for state in own})

    @rule(holder=HOLDERS)
    def release(self, holder: str) -> None:
        self.attempt(ReleaseHolds(1, holder), True)
        for place, state in list(self.places.items()):
            if state.holder == holder and not state.ticket:
                del self.places[place]

    @rule(which=st.integers(0, 9))
    def cancel(self, which: int) -> None:
        sold = [place for place, state in self.places.items() if state.ticket and not state.writing]
        if not sold:
            return
        place = sold[which % len(sold)]
        state = self.places[place]
        if decision := self.attempt(CancelTicket(1, state.holder, state.ticket, place, BOSS), True):
            self.in_flight.append((decision, {place: state}))
            self.places[place] = state._replace(writing="cancellation")

    @rule(which=st.integers(0, 9), agreed=st.booleans())
    def database_speaks(self, which: int, agreed: bool) -> None:
        if not self.in_flight:
            return
        decision, before = self.in_flight.pop(which % len(self.in_flight))
        (event,) = decision.events
        if agreed:
            self.write(decision, durable=True)
        settled = self.hall.settle(decision) if agreed else self.hall.abort(decision)
        self.write(settled, durable=False)
        for ticket in event.tickets:
            state = self.places.pop(ticket.seat_id)
            if agreed and state.writing == "sale":
                self.places[ticket.seat_id] = state._replace(reservation=0, writing="")
            elif not agreed and ticket.seat_id in before:
                self.places[ticket.seat_id] = before[ticket.seat_id]
        self.let_time_pass(0.0)

    @rule(kind=st.sampled_from(list(KEYS)), quantity=QUANTITY)
    def keep_back(self, kind: str, quantity: int) -> None:
        command = BlockSeats(1, BOSS, "Some", kind, ticket_type_id=KIND, quantity=quantity)
        if decision := self.attempt(command, quantity <= self.free):
            self.write(decision, durable=True)
            self.hall.settle(decision)
            block = decision.reply.block
            self.taken(block.seat_ids, quantity)
            self.keys[block.id] = KEYS[kind]
            self.block_of.update(dict.fromkeys(block.seat_ids, block.id))

    @rule(which=st.integers(0, 9))
    def put_on_sale(self, which: int) -> None:
        blocks = sorted({*self.block_of.values()})
        if not blocks:
            return
        block_id = blocks[which % len(blocks)]
        if decision := self.attempt(UnblockSeats(1, block_id, BOSS), True):
            self.write(decision, durable=True)
            self.hall.settle(decision)
            self.block_of = {place: block for place, block in self.block_of.items() if block != block_id}

    @invariant()
    def counts_are_those_of_the_model(self) -> None:
        level = self.hall.screening.handle(ReadStock(1), self.hall.now).reply.ticket_types[KIND]
        sold = sum(bool(s.ticket) and s.writing != "sale" for s in self.places.values())
        assert (level.total, level.sold, level.blocked) == (CAPACITY, sold, len(self.kept))
        assert (level.reserved, level.available) == (len(self.places) - sold, self.free)


Quantities.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestQuantities = Quantities.TestCase
