"""A Hypothesis state machine drives the core against the simplest model that could be right.

The model is one dictionary from seat to what it is; it knows nothing of heaps, operations or
numbering. 10,000 steps of every kind of command, in every order that Hypothesis thinks of.
"""

from collections.abc import Callable, Collection, Sequence

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine.commands import (
    BlockSeats,
    BookSeats,
    CancelTicket,
    CancelTickets,
    Command,
    ConfirmTicket,
    EndArrival,
    ExtendHolds,
    HoldBest,
    HoldSeats,
    HoldSeatsFor,
    MoveTickets,
    ReadChanges,
    ReadStock,
    ReceiveTickets,
    ReleaseHolds,
    ReleaseLapsed,
    SellSeats,
    ToggleSeats,
    UnblockSeats,
)
from engine.errors import EngineError
from engine.events import TicketsMoved
from engine.memory import MemoryDatabase
from engine.policy import Policy
from engine.ports import Entry
from engine.records import CHANNEL, HOUSE, KILL, Arrival, Ticket, TicketStatus, channel_key
from engine.sale_rules import OrphanRule, SaleRules
from engine.screening_state import Decision
from engine.selling_errors import HoldLimitExceeded
from engine.views import SeatView
from tests.engine.conftest import NOW, Hall
from tests.engine.spacing import avoidable_by_trying

SEATS = 8
HOLDERS = st.sampled_from(["user:1", "session:x"])
BOSS = "user:99"
SEAT_IDS = st.lists(st.integers(1, SEATS), min_size=1, max_size=4).map(tuple)
LIMIT = 3
LIFE = 900.0
PRICES = (1250, 1499, 990)
LIVE = (TicketStatus.PENDING, TicketStatus.CONFIRMED)
KEYS = {HOUSE: HOUSE, KILL: None, CHANNEL: channel_key("press")}
ACCESS = st.sampled_from([(HOUSE,), (channel_key("press"),), (channel_key("fans"), HOUSE)])
PAYMENT_WINDOW = Policy().payment_window_seconds


class Model:
    """States of seats: absent, ("held", who, until), ("pending", who, until), ("booked", who) or
    ("committing", state before, state after, whose)."""

    def __init__(self) -> None:
        self.price = PRICES[0]
        self.agreed: dict[int, int] = {}
        self.seats: dict[int, tuple] = {}
        self.began: dict[int, float] = {}
        self.ended: dict[int, tuple[str, float, float]] = {}
        self.blocks: dict[int, tuple[str | None, float]] = {}
        self.block_of: dict[int, int] = {}

    def hold(self, holder: str, seats: list[int], now: float) -> None:
        """Hold seats, each within the life that its holder has left on it."""
        for seat in seats:
            began_at, left_at = self.life(holder, seat, now)
            self.began[seat] = now if left_at + LIFE <= now else began_at
        until = min([now + 300, *(self.began[seat] + LIFE for seat in seats)])
        for seat in seats:
            self.seats[seat] = ("held", holder, until)
            self.agreed[seat] = self.price

    def cost(self, seat: int) -> int:
        """Return the price of a seat: as agreed if somebody has it, else the present price."""
        return self.agreed[seat] if seat in self.seats else self.price

    def life(self, holder: str, seat: int, now: float) -> tuple[float, float]:
        """Return since when a holder has held a seat repeatedly, and when the last hold ended."""
        last_holder, began_at, left_at = self.ended.get(seat, (holder, now, now))
        return (began_at, left_at) if last_holder == holder else (now, now)

    def alive(self, holder: str, seats: list[int], now: float) -> bool:
        """Return whether the holder has hold life left on every seat."""
        lives = [self.life(holder, seat, now) for seat in seats]
        return all(left_at + LIFE <= now or began_at + LIFE > now for began_at, left_at in lives)

    def give_back(self, seat: int, now: float) -> None:
        """A held seat is released, or its hold expires."""
        _, holder, until = self.seats.pop(seat)
        self.ended[seat] = (holder, self.began[seat], min(now, until))

    def give_up(self, seat: int, now: float) -> None:
        """A ticket that was not paid for is cancelled, or lapses."""
        _, holder, until = self.seats[seat]
        booked_at = until - PAYMENT_WINDOW
        began_at, left_at = self.life(holder, seat, booked_at)
        self.ended[seat] = (holder, booked_at if left_at + LIFE <= booked_at else began_at, now)

    def unpaid(self, holder: str) -> int:
        return sum(self._unpaid_by(state) == holder for state in self.seats.values())

    def has(self, holder: str) -> int:
        """Return how many seats a person holds or has bought, with unfinished sales and cancellations."""
        return sum(self._is_of(holder, state) for state in self.seats.values())

    def keeps(self, holder: str) -> int:
        """Return the same number without seats that are being given back, or left for another seat."""
        kept = (state for state in self.seats.values() if state[0] != "committing" or state[2] is not None)
        return sum(self._is_of(holder, state) for state in kept)

    def _is_of(self, holder: str, state: tuple) -> bool:
        if state[0] != "committing":
            return state[1] == holder
        _, was, becomes, _ = state
        was_ticket = was is not None and was[0] in ("pending", "booked") and was[1] == holder
        return was_ticket or (becomes is not None and becomes[1] == holder)

    def _unpaid_by(self, state: tuple) -> str | None:
        if state[0] == "committing":
            _, was, _, whose = state
            if was and was[0] == "booked":
                return None
            return was[1] if was else whose
        return state[1] if state[0] in ("held", "pending") else None

    def obtainable(self, holder: str, seats: tuple[int, ...], access: tuple[str, ...] = ()) -> bool:
        states = [self.seats.get(seat) for seat in seats]
        if not all(state is None or state[:2] == ("held", holder) for state in states):
            return False
        return all(self.blocks[self.block_of[seat]][0] in access for seat in seats if self.kept(seat))

    def kept(self, seat: int) -> bool:
        """Return whether the seat belongs to a block and nobody has it."""
        return seat in self.block_of and seat not in self.seats

    def unblock(self, block_id: int, seats: list[int]) -> None:
        for seat in seats:
            self.block_of.pop(seat)
        if block_id not in self.block_of.values():
            del self.blocks[block_id]

    def shown(self, seat: int) -> tuple[str, str | None]:
        state = self.seats.get(seat)
        if state is not None and state[0] == "committing":
            state = state[1] or ("held", state[3])
        if state is None:
            return ("booked" if self.kept(seat) else "available", None)
        return ("booked" if state[0] == "booked" else "reserved", state[1])


class CoreAgainstModel(RuleBasedStateMachine):
    """Rules are commands; invariants hold after every one."""

    @initialize(
        memory=st.sampled_from([2, 1024]),
        orphan_rule=st.sampled_from(OrphanRule),
        share=st.sampled_from([0, 0.5]),
        per_person=st.sampled_from([None, 2, 4]),
    )
    def open_hall(self, memory: int, orphan_rule: OrphanRule, share: float, per_person: int | None) -> None:
        policy = Policy(held_seats_limit=LIMIT, hold_extension_limit=2, hold_life_seconds=LIFE)
        self.memory = memory
        self.rules = SaleRules(orphan_rule, share, max_per_user=per_person)
        self.hall = Hall(SEATS, policy, change_memory=memory, rules=self.rules)
        self.database = MemoryDatabase()
        self.model = Model()
        self.in_flight: list[Decision] = []
        self.tickets: dict[int, int] = {}
        self.sold_for: dict[int, int] = {}
        self.awaited: list[Arrival] = []
        self.loaded: dict[int, SeatView] = {}
        self.picture: dict[int, SeatView] = {}
        self.last_seq = 0

    def fits(self, holder: str, free: list[int], own: list[int] | tuple[()] = ()) -> bool:
        """Return whether the limits and the rules let a holder swap own seats for free ones."""
        refused = self.rules.orphan_rule is OrphanRule.ENFORCE and self.judged(free, own)
        return self.is_within_limits(holder, free, own) and not refused

    def is_within_limits(self, holder: str, free: list[int], own: list[int] | tuple[()] = ()) -> bool:
        more, limit = len(free) - len(own), self.rules.max_per_user
        within = self.model.unpaid(holder) + more <= LIMIT
        return not free or (within and (limit is None or self.model.has(holder) + more <= limit))

    def attempt(self, command: Command, legal: bool | None) -> Decision | None:
        """Do it; compare whether it was allowed (None: the model does not say)."""
        before = self.hall.map()
        try:
            outcome = self.hall.do(command)
        except EngineError:
            assert not legal, f"refused: {command}"
            assert self.hall.map() == before, "a refusal changed something"
            return None
        assert legal is not False, f"allowed: {command}"
        self.watch(outcome)
        self.write(outcome, durable=False)
        return outcome

    def write(self, outcome: Decision, *, durable: bool) -> None:
        """Store the events of a decision: those that a reply waits for, or the others."""
        events = tuple(event for event in outcome.events if (event.seq == outcome.write_id) is durable)
        self.database.write(Entry(events))

    def watch(self, outcome: Decision) -> None:
        """Build a client's picture from what is published; numbers only grow."""
        for change in outcome.changes:
            assert change.seq > self.last_seq
            self.last_seq = change.seq
            self.picture.update({view.seat_id: view for view in change.views})

    def lapse(self) -> None:
        """Let time decide first, as the actor does before every command."""
        outcome = self.hall.screening.handle(ReleaseLapsed(1), self.hall.now)
        self.watch(outcome)
        self.write(outcome, durable=False)
        for seat, state in list(self.model.seats.items()):
            if state[0] == "held" and state[2] <= self.hall.now:
                self.model.give_back(seat, self.hall.now)
            elif state[0] == "pending" and state[2] <= self.hall.now:
                self.model.give_up(seat, self.hall.now)
                self.model.seats[seat] = ("committing", state, None, "system")
        if outcome.write_id is not None:
            self.in_flight.append(outcome)
        for block_id, (_, release_at) in list(self.model.blocks.items()):
            if release_at <= self.hall.now:
                seats = [seat for seat, block in self.model.block_of.items() if block == block_id]
                self.model.unblock(block_id, seats)

    @rule(seconds=st.sampled_from([0.0, 1.0, 100.0, 299.0, 301.0, 901.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.hall.now += seconds
        self.lapse()

    def judged(self, chosen: Collection[int], returned: Collection[int] = ()) -> set[int]:
        """The seats that a choice strands and that the rule is about, if it is on."""
        model, hall = self.model, range(1, SEATS + 1)
        free = {s for s in hall if s not in model.block_of and (s not in model.seats or s in returned)}
        left = SEATS - len(model.seats) - sum(model.kept(seat) and seat not in chosen for seat in hall)
        if self.rules.orphan_rule is OrphanRule.OFF or left < self.rules.orphan_share * SEATS:
            return set()
        run = "".join("." if seat in free else "#" for seat in hall)
        return {
            place + 1 for place in avoidable_by_trying(run, [seat - 1 for seat in free.intersection(chosen)])
        }

    @rule(holder=HOLDERS, seats=SEAT_IDS)
    def hold(self, holder: str, seats: tuple[int, ...]) -> None:
        wanted = dict.fromkeys(seats)
        free = [seat for seat in wanted if seat not in self.model.seats]
        fits = self.fits(holder, free)
        legal = self.model.obtainable(holder, tuple(wanted)) and fits
        legal = legal and self.model.alive(holder, free, self.hall.now)
        stranded = self.judged(free)
        if outcome := self.attempt(HoldSeats(1, holder, seats), legal):
            assert set(outcome.reply.stranded) == stranded
            self.model.hold(holder, free, self.hall.now)
            costs = [self.model.cost(seat) for seat in wanted]
            assert [hold.price_cents for hold in outcome.reply.holds] == costs

    @rule(holder=HOLDERS, quantity=st.integers(1, LIMIT + 1))
    def hold_best(self, holder: str, quantity: int) -> None:
        """The seats are one row of standard seats, of which the holder may have had some too long."""
        taken = self.model.seats.keys() | self.model.block_of
        free = [seat for seat in range(1, SEATS + 1) if seat not in taken]
        groups = [range(start, start + quantity) for start in range(1, SEATS + 2 - quantity)]
        groups = [
            group
            for group in groups
            if set(free).issuperset(group) and self.model.alive(holder, [*group], self.hall.now)
        ]
        least = min([self.stranded(group, free) for group in groups], default=0)
        best = [group for group in groups if self.stranded(group, free) == least]
        fit = [self.fits(holder, [*group]) for group in best]
        if outcome := self.attempt(HoldBest(1, holder, quantity), any(fit) if len({*fit}) < 2 else None):
            held = outcome.reply.seat_ids
            assert held in [tuple(group) for group in best]
            self.model.hold(holder, [*held], self.hall.now)

    def stranded(self, group: Sequence[int], free: list[int]) -> int:
        """Return how many of the seats beside a group have no free neighbour left."""
        left = {*free}.difference(group)
        return sum(
            seat in left and not left.intersection((seat - 1, seat + 1))
            for seat in (group[0] - 1, group[-1] + 1)
        )

    @rule(holder=HOLDERS, seats=SEAT_IDS)
    def toggle(self, holder: str, seats: tuple[int, ...]) -> None:
        wanted = dict.fromkeys(seats)
        free = [seat for seat in wanted if seat not in self.model.seats]
        own = [seat for seat in wanted if seat in self.model.seats]
        fits = self.fits(holder, free, own)
        legal = self.model.obtainable(holder, tuple(wanted)) and fits
        legal = legal and self.model.alive(holder, free, self.hall.now)
        stranded = self.judged(free, own)
        if outcome := self.attempt(ToggleSeats(1, holder, seats), legal):
            assert not free or set(outcome.reply.holding.stranded) == stranded
            for seat in own:
                self.model.give_back(seat, self.hall.now)
            self.model.hold(holder, free, self.hall.now)

    @rule(holder=HOLDERS, seats=SEAT_IDS, seconds=st.sampled_from([1.0, 300.0]))
    def extend(self, holder: str, seats: tuple[int, ...], seconds: float) -> None:
        own = all(self.model.seats.get(seat, ())[:2] == ("held", holder) for seat in seats)
        if self.attempt(ExtendHolds(1, holder, seats, seconds), None if own else False):
            for seat in dict.fromkeys(seats):
                kind, who, until = self.model.seats[seat]
                self.model.seats[seat] = (kind, who, until + seconds)

    @rule(holder=HOLDERS, seats=st.none() | SEAT_IDS)
    def release(self, holder: str, seats: tuple[int, ...] | None) -> None:
        self.attempt(ReleaseHolds(1, holder, seats), True)
        for seat in seats or range(1, SEATS + 1):
            if self.model.seats.get(seat, ())[:2] == ("held", holder):
                self.model.give_back(seat, self.hall.now)

    @rule(price=st.sampled_from(PRICES))
    def change_the_price(self, price: int) -> None:
        """Change the price as an administrator does: the screening is loaded again from the database."""
        if self.in_flight or self.awaited:
            return
        before, self.model.price = self.hall, price
        self.hall = Hall(
            *(SEATS, before.policy, before.screening.epoch + 1),
            holds=[hold for hold, status in self.database.holds.values() if status == "active"],
            tickets=[ticket for ticket in self.database.tickets.values() if ticket.status in LIVE],
            blocks=[block for block in self.database.blocks.values() if block.seat_ids],
            change_memory=self.memory,
            price_cents=price,
            ids_from=before,
            rules=self.rules,
        )
        self.hall.now = before.now
        self.hall.screening.recall(before.screening.handover()._replace(positions=()))
        self.loaded, self.last_seq = dict(self.hall.map().views), 0
        self.picture = dict(self.loaded)

    @rule(
        holder=HOLDERS,
        seats=SEAT_IDS,
        pending=st.booleans(),
        held_only=st.booleans(),
        short_cents=st.sampled_from([None, 0, 1]),
    )
    def book(
        self, holder: str, seats: tuple[int, ...], pending: bool, held_only: bool, short_cents: int | None
    ) -> None:
        wanted = dict.fromkeys(seats)
        free = [seat for seat in wanted if seat not in self.model.seats]
        fits = self.fits(holder, free)
        legal = self.model.obtainable(holder, tuple(wanted)) and fits and not (free and held_only)
        legal = legal and (not pending or self.model.alive(holder, free, self.hall.now))
        costs = [self.model.cost(seat) for seat in wanted] if legal else []
        total = None if short_cents is None else sum(costs) - short_cents
        command = BookSeats(1, holder, seats, None, pending, held_only, expected_total_cents=total)
        if outcome := self.attempt(command, legal and not short_cents):
            assert [ticket.price_cents for ticket in outcome.reply.tickets] == costs
            becomes = ("pending", holder, self.hall.now + PAYMENT_WINDOW) if pending else ("booked", holder)
            self.commit(outcome, wanted, lambda was: becomes, holder)
            self.tickets.update({t.seat_id: t.id for t in outcome.reply.tickets})
            self.sold_for.update({t.id: t.price_cents for t in outcome.reply.tickets})

    @rule(holder=HOLDERS, seat=st.integers(1, SEATS))
    def confirm(self, holder: str, seat: int) -> None:
        legal = self.model.seats.get(seat, ())[:2] == ("pending", holder)
        command = ConfirmTicket(1, holder, self.tickets.get(seat, 0), seat, f"payment-{seat}")
        joined = self.model.seats.get(seat, ("",))[0] in ("committing", "booked")
        outcome = self.attempt(command, None if joined else legal)
        if outcome and legal:
            self.commit(outcome, [seat], lambda was: ("booked", holder), holder)

    @rule(holder=HOLDERS, seats=st.lists(st.integers(1, SEATS), min_size=1, max_size=3, unique=True))
    def cancel(self, holder: str, seats: list[int]) -> None:
        states = [self.model.seats.get(seat, ("",)) for seat in seats]
        legal = all(state[:2] in (("pending", holder), ("booked", holder)) for state in states)
        joined = any(state[0] == "committing" for state in states)
        ids = tuple(self.tickets.get(seat, 0) for seat in seats)
        command = CancelTickets(1, holder, ids, tuple(seats))
        if len(seats) == 1:
            command = CancelTicket(1, holder, ids[0], seats[0])
        outcome = self.attempt(command, None if joined else legal)
        if outcome and legal:
            for seat, state in zip(seats, states, strict=True):
                if state[0] == "pending":
                    self.model.give_up(seat, self.hall.now)
            self.commit(outcome, seats, lambda was: None, holder)

    @rule(holder=HOLDERS, seats=SEAT_IDS, taken_from=st.none() | HOLDERS)
    def hold_by_hand(self, holder: str, seats: tuple[int, ...], taken_from: str | None) -> None:
        wanted = dict.fromkeys(seats)
        passing = ("held", taken_from) if taken_from != holder else None
        taken = [seat for seat in wanted if self.model.seats.get(seat, ())[:2] == passing]
        free = [seat for seat in wanted if seat not in self.model.seats]
        others = tuple(seat for seat in wanted if seat not in taken)
        legal = self.model.obtainable(holder, others) and self.model.alive(holder, free, self.hall.now)
        legal = legal and self.is_within_limits(holder, [*free, *taken])
        costs = [self.model.cost(seat) for seat in wanted] if legal else []
        if outcome := self.attempt(HoldSeatsFor(1, holder, seats, BOSS, taken_from), legal):
            for seat in taken:
                self.model.give_back(seat, self.hall.now)
            self.model.hold(holder, [*free, *taken], self.hall.now)
            self.model.agreed.update(zip(wanted, costs, strict=True))
            assert [hold.price_cents for hold in outcome.reply.holds] == costs
            assert {event.actor for event in outcome.events} <= {BOSS}

    @rule(holder=HOLDERS, seats=SEAT_IDS, taken_from=st.none() | HOLDERS, reason=st.none() | st.just("Press"))
    def sell_by_hand(
        self, holder: str, seats: tuple[int, ...], taken_from: str | None, reason: str | None
    ) -> None:
        wanted, buyer = dict.fromkeys(seats), taken_from or holder
        free = [seat for seat in wanted if seat not in self.model.seats]
        if buyer == holder:
            fits = self.is_within_limits(holder, free)
        else:
            limit = self.rules.max_per_user or SEATS
            fits = self.model.has(holder) + len(wanted) <= limit
            fits = fits and (not free or self.model.unpaid(buyer) + len(free) <= LIMIT)
        legal = self.model.obtainable(buyer, tuple(wanted)) and fits
        costs = [0 if reason else self.model.cost(seat) for seat in wanted] if legal else []
        command = SellSeats(1, holder, seats, BOSS, free_because=reason, taken_from=taken_from)
        if outcome := self.attempt(command, legal):
            tickets = outcome.reply.tickets
            assert [ticket.price_cents for ticket in tickets] == costs
            assert {(ticket.holder, ticket.sold_by) for ticket in tickets} == {(holder, BOSS)}
            self.commit(outcome, wanted, lambda was: ("booked", holder), buyer)
            self.tickets.update({ticket.seat_id: ticket.id for ticket in tickets})
            self.sold_for.update({ticket.id: ticket.price_cents for ticket in tickets})

    def commit(self, outcome: Decision, seats: object, becomes: Callable, holder: str) -> None:
        for seat in seats:
            was = self.model.seats.get(seat)
            self.model.seats[seat] = ("committing", was, becomes(was), holder)
        self.in_flight.append(outcome)

    @rule(which=st.integers(0, 9), agreed=st.booleans())
    def database_speaks(self, which: int, agreed: bool) -> None:
        if not self.in_flight:
            return
        outcome = self.in_flight.pop(which % len(self.in_flight))
        (event,) = (event for event in outcome.events if event.seq == outcome.write_id)
        if agreed:
            self.write(outcome, durable=True)
        self.watch(self.hall.settle(outcome) if agreed else self.hall.abort(outcome))
        moved = event.tickets if agreed and isinstance(event, TicketsMoved) else ()
        before = event.before if isinstance(event, TicketsMoved) else ()
        self.conclude({ticket.seat_id for ticket in (*event.tickets, *before)}, agreed)
        self.tickets.update({ticket.seat_id: ticket.id for ticket in moved})
        self.sold_for.update({ticket.id: ticket.price_cents for ticket in moved})
        self.lapse()

    def conclude(self, seats: set[int], agreed: bool) -> None:
        for seat in seats:
            _, was, becomes, _ = self.model.seats.pop(seat)
            if state := becomes if agreed else was:
                self.model.seats[seat] = state

    @rule(holder=HOLDERS, places=st.lists(st.tuples(*[st.integers(1, SEATS)] * 2), min_size=1, max_size=3))
    def move(self, holder: str, places: list[tuple[int, int]]) -> None:
        """Tickets go to other seats, also to those that others of them leave."""
        leaving, wanted = [list(dict.fromkeys(seats)) for seats in zip(*places, strict=True)]
        if len(leaving) != len(wanted):
            return
        states = [self.model.seats.get(seat, ("",)) for seat in leaving]
        others = tuple(seat for seat in wanted if seat not in leaving)
        free = [seat for seat in others if seat not in self.model.seats]
        legal = all(state == ("booked", holder) for state in states)
        legal = legal and self.model.obtainable(holder, others)
        legal = legal and (not free or self.model.unpaid(holder) + len(free) <= LIMIT)
        costs = [
            self.sold_for[self.tickets[seat]] if seat in leaving else self.model.cost(seat)
            for seat in (wanted if legal else ())
        ]
        ids = tuple(self.tickets.get(seat, 0) for seat in leaving)
        command = MoveTickets(1, holder, ids, tuple(leaving), tuple(wanted), by_hand=True)
        joined = any(state[0] == "committing" for state in states)
        outcome = self.attempt(command, None if joined else legal)
        if outcome and legal:
            assert [ticket.price_cents for ticket in outcome.reply.tickets] == costs
            becomes = dict.fromkeys(leaving) | dict.fromkeys(wanted, ("booked", holder))
            for seat, state in becomes.items():
                self.model.seats[seat] = ("committing", self.model.seats.get(seat), state, holder)
            self.in_flight.append(outcome)

    @rule(holder=HOLDERS, seat=st.integers(1, SEATS))
    def keep_a_seat_for_a_ticket_of_another_screening(self, holder: str, seat: int) -> None:
        free = [] if seat in self.model.seats else [seat]
        legal = self.model.obtainable(holder, (seat,)) and self.is_within_limits(holder, free)
        ticket_id = self.hall.ticket_ids.take(1)
        ticket = Ticket(ticket_id, ticket_id, 2, 1, holder, 990, TicketStatus.CONFIRMED, NOW, NOW)
        if outcome := self.attempt(ReceiveTickets(1, holder, (ticket,), (seat,)), legal):
            assert outcome.reply.tickets[0].price_cents == self.model.cost(seat)
            was = self.model.seats.get(seat)
            self.model.seats[seat] = ("committing", was, ("booked", holder), holder)
            self.awaited.append(outcome.reply)

    @rule(which=st.integers(0, 9), arrived=st.booleans())
    def learn_what_has_become_of_it(self, which: int, arrived: bool) -> None:
        if not self.awaited:
            return
        _, epoch, seq, (ticket,), *_ = arrival = self.awaited[which % len(self.awaited)]
        self.awaited.remove(arrival)
        self.attempt(EndArrival(1, epoch, seq, (ticket,) if arrived else ()), True)
        self.conclude({ticket.seat_id}, arrived)
        if arrived:
            self.database.tickets[ticket.id] = ticket
            for hold in arrival.converted:
                self.database.holds[hold.id] = (hold, "converted")
            self.tickets[ticket.seat_id] = ticket.id
            self.sold_for[ticket.id] = ticket.price_cents
        self.lapse()

    @rule(
        seats=SEAT_IDS, kind=st.sampled_from(list(KEYS)), after=st.sampled_from([100.0, 1000.0, float("inf")])
    )
    def block(self, seats: tuple[int, ...], kind: str, after: float) -> None:
        wanted = list(dict.fromkeys(seats))
        legal = not any(seat in self.model.seats or seat in self.model.block_of for seat in wanted)
        channel = "press" if kind == CHANNEL else None
        release_at = self.hall.now + after
        command = BlockSeats(1, "user:9", "Some", kind, seats, None, 0, channel, release_at)
        if outcome := self.attempt(command, legal):
            self.write(outcome, durable=True)
            self.watch(self.hall.settle(outcome))
            block_id = outcome.reply.block.id
            self.model.blocks[block_id] = (KEYS[kind], release_at)
            self.model.block_of.update(dict.fromkeys(wanted, block_id))

    @rule(which=st.integers(0, 3), seats=st.none() | SEAT_IDS)
    def unblock(self, which: int, seats: tuple[int, ...] | None) -> None:
        if not self.model.blocks:
            assert self.attempt(UnblockSeats(1, 999, "user:9"), False) is None
            return
        block_id = list(self.model.blocks)[which % len(self.model.blocks)]
        of_block = [seat for seat, block in self.model.block_of.items() if block == block_id]
        if outcome := self.attempt(UnblockSeats(1, block_id, "user:9", seats), True):
            self.write(outcome, durable=True)
            self.watch(self.hall.settle(outcome))
            self.model.unblock(block_id, [seat for seat in of_block if seats is None or seat in seats])

    @rule(holder=HOLDERS, seats=SEAT_IDS, access=ACCESS)
    def hold_with_access(self, holder: str, seats: tuple[int, ...], access: tuple[str, ...]) -> None:
        wanted = dict.fromkeys(seats)
        free = [seat for seat in wanted if seat not in self.model.seats]
        fits = self.fits(holder, free)
        legal = self.model.obtainable(holder, tuple(wanted), access) and fits
        legal = legal and self.model.alive(holder, free, self.hall.now)
        if self.attempt(HoldSeats(1, holder, seats, access=access), legal):
            self.model.hold(holder, free, self.hall.now)

    @rule(holder=HOLDERS, seats=SEAT_IDS, access=ACCESS)
    def book_with_access(self, holder: str, seats: tuple[int, ...], access: tuple[str, ...]) -> None:
        wanted = dict.fromkeys(seats)
        free = [seat for seat in wanted if seat not in self.model.seats]
        fits = self.fits(holder, free)
        legal = self.model.obtainable(holder, tuple(wanted), access) and fits
        if outcome := self.attempt(BookSeats(1, holder, seats, access=access), legal):
            self.commit(outcome, wanted, lambda was: ("booked", holder), holder)
            self.tickets.update({t.seat_id: t.id for t in outcome.reply.tickets})
            self.sold_for.update({t.id: t.price_cents for t in outcome.reply.tickets})

    @invariant()
    def counts_what_is_free(self) -> None:
        kept = sum(map(self.model.kept, range(1, SEATS + 1)))
        stock = self.hall.screening.handle(ReadStock(1), self.hall.now).reply
        assert stock.available == SEATS - len(self.model.seats) - kept

    @invariant()
    def shows_what_the_model_says(self) -> None:
        views = self.hall.map().views
        for seat in range(1, SEATS + 1):
            view = views.get(seat, SeatView(seat, "available"))
            assert (view.status, view.holder) == self.model.shown(seat)

    @invariant()
    def map_is_what_seats_look_like(self) -> None:
        assert self.hall.map().views == self.hall.screening._state.seats.views()

    @invariant()
    def picture_from_changes_is_the_map(self) -> None:
        views = self.hall.map().views
        for seat in range(1, SEATS + 1):
            free = SeatView(seat, "available")
            assert self.picture.get(seat, free) == views.get(seat, free)

    @invariant()
    def resuming_gives_what_was_missed_or_says_so(self) -> None:
        reply = self.hall.screening.handle(ReadChanges(1, self.hall.screening.epoch, 0), NOW).reply
        assert reply.seq == self.last_seq
        if reply.missed is not None:
            rebuilt = {view.seat_id: view for change in reply.missed for view in change.views}
            assert self.picture == self.loaded | rebuilt

    @invariant()
    def nobody_exceeds_the_cap(self) -> None:
        for holder in ("user:1", "session:x"):
            assert self.model.unpaid(holder) <= LIMIT

    @invariant()
    def nobody_exceeds_the_limit_per_person(self) -> None:
        if (limit := self.rules.max_per_user) is not None:
            for holder in ("user:1", "session:x"):
                assert self.model.keeps(holder) <= limit


CoreAgainstModel.TestCase.settings = settings(
    max_examples=200,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestCoreAgainstModel = CoreAgainstModel.TestCase


def test_the_cap_is_an_error_of_its_own() -> None:
    """The model above cannot tell refusals apart; this one says which it was."""
    hall = Hall(SEATS, Policy(held_seats_limit=LIMIT))
    try:
        hall.hold("user:1", 1, 2, 3, 4)
    except HoldLimitExceeded as refusal:
        assert (refusal.limit, refusal.requested) == (LIMIT, 4)
    else:
        raise AssertionError("held beyond the cap")
