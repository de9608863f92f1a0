"""A Hypothesis state machine drives the waiting list against the simplest model that could be right.

The model knows who waits in which order, which seats are free for everybody, and which are set aside. Which
of several seats somebody is offered is left to the core; how many, to whom and when is not.
"""

from collections.abc import Collection

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine.commands import (
    CancelTicket,
    Command,
    HoldSeats,
    JoinWaitlist,
    LeaveWaitlist,
    ReleaseHolds,
    ReleaseLapsed,
    ToggleSeats,
    WatchSeat,
)
from engine.errors import EngineError
from engine.memory import MemoryDatabase
from engine.policy import Policy
from engine.ports import Entry
from engine.screening_state import Decision
from engine.waitlist_records import LIVE, WAITLIST, WaitlistChanged, WaitStatus
from tests.engine.conftest import Hall

SEATS = 6
PEOPLE = st.sampled_from([f"user:{number}" for number in range(1, 6)])
SEAT = st.integers(1, SEATS)
OFFER_SECONDS, HOLD_SECONDS, PATIENCE_SECONDS = 600.0, 300.0, 800.0
POLICY = Policy(
    offer_seconds=OFFER_SECONDS,
    waitlist_patience_seconds=PATIENCE_SECONDS,
    hold_seconds=HOLD_SECONDS,
    hold_life_seconds=10**9,
    held_seats_limit=SEATS,
)


class Waiting(RuleBasedStateMachine):
    """Rules are commands; invariants hold after every one."""

    @initialize()
    def open_hall(self) -> None:
        self.hall = Hall(SEATS, POLICY)
        self.database = MemoryDatabase()
        self.line: list[tuple[str, int]] = []  # who waits for how many
        self.watchers: dict[int, list[str]] = {}
        self.free = set(range(1, SEATS + 1))
        self.aside: dict[int, float] = {}  # until when
        self.held: dict[int, tuple[str, float]] = {}
        self.sold: dict[int, tuple[str, int]] = {}

    def attempt(self, command: Command, legal: bool) -> Decision | None:
        try:
            decision = self.hall.do(command)
        except EngineError as refusal:
            assert not legal, f"{command}: {refusal}"
            return None
        assert legal, f"allowed: {command}"
        self.database.write(Entry(decision.events))
        return decision

    def follow(self, decision: Decision, freed: list[int], stale: Collection[int] = ()) -> None:
        """Serve the line in the model, and compare what was offered and told.

        Args:
            decision: the core's.
            freed: seats that nobody has any more.
            stale: those that were set aside in vain.
        """
        told = [
            entry for event in decision.events if isinstance(event, WaitlistChanged) for entry in event.told
        ]
        offers = [entry for entry in told if entry.status is WaitStatus.OFFERED]
        kept = {*self.aside, *freed, *stale}

        def offer_to(waits: tuple[str, int], kept: set[int]) -> None:
            holder, quantity = waits
            offer = offers.pop(0)
            seats = set(offer.seat_ids)
            assert (offer.holder, len(seats)) == (holder, quantity), "somebody has overtaken"
            assert seats <= kept | self.free
            assert len(seats & kept) == min(quantity, len(kept)), "what was freed comes first"
            kept -= seats
            self.free -= seats
            self.line.remove(waits)
            self.held.update(dict.fromkeys(seats, (holder, self.hall.now + OFFER_SECONDS)))

        while self.line and self.line[0][1] <= len(kept) + len(self.free):
            offer_to(self.line[0], kept)
        if self.line:
            in_vain = kept.intersection(stale)
            until = self.hall.now + PATIENCE_SECONDS
            self.aside = {seat: self.aside.get(seat, until) for seat in kept - in_vain}
            for waits in self.line[1:]:
                if in_vain and waits[1] <= len(in_vain) + len(self.free):
                    offer_to(waits, in_vain)
            let_go = in_vain
        else:
            let_go, self.aside = kept, {}
        assert not offers, "offered without a turn"
        self.free |= let_go
        expected = {}
        for seat in let_go & self.free:
            if self.watchers.get(seat):
                expected[seat] = self.watchers[seat].pop(0)
        assert {entry.seat_id: entry.holder for entry in told if entry.status is WaitStatus.TOLD} == expected

    def lapse(self) -> None:
        """Time decides first, as in the actor."""
        decision = self.hall.screening.handle(ReleaseLapsed(1), self.hall.now)
        self.database.write(Entry(decision.events))
        lapsed = [seat for seat, (_, until) in self.held.items() if until <= self.hall.now]
        for seat in lapsed:
            del self.held[seat]
        stale = [seat for seat, until in self.aside.items() if until <= self.hall.now]
        for seat in stale:
            del self.aside[seat]
        self.follow(decision, lapsed, stale)

    @rule(seconds=st.sampled_from([1.0, 299.0, 301.0, 601.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.hall.now += seconds
        self.lapse()

    @rule(holder=PEOPLE, seats=st.lists(SEAT, min_size=1, max_size=3, unique=True))
    def hold(self, holder: str, seats: list[int]) -> None:
        own = [seat for seat in seats if self.held.get(seat, ("",))[0] == holder]
        new = [seat for seat in seats if seat in self.free]
        mine = sum(who == holder for who, _ in self.held.values())
        legal = len(own) + len(new) == len(seats) and (not new or mine + len(new) <= SEATS)
        if self.attempt(HoldSeats(1, holder, tuple(seats)), legal):
            self.free -= set(new)
            self.held.update(dict.fromkeys(new, (holder, self.hall.now + HOLD_SECONDS)))

    @rule(holder=PEOPLE)
    def release(self, holder: str) -> None:
        decision = self.attempt(ReleaseHolds(1, holder), True)
        freed = [seat for seat, (who, _) in self.held.items() if who == holder]
        for seat in freed:
            del self.held[seat]
        assert decision is not None
        self.follow(decision, freed)

    @rule(holder=PEOPLE, seat=SEAT)
    def toggle(self, holder: str, seat: int) -> None:
        own = self.held.get(seat, ("",))[0] == holder
        decision = self.attempt(ToggleSeats(1, holder, (seat,)), own or seat in self.free)
        if decision and own:
            del self.held[seat]
            self.follow(decision, [seat])
        elif decision:
            self.free.remove(seat)
            self.held[seat] = (holder, self.hall.now + HOLD_SECONDS)

    @rule(holder=PEOPLE, seat=SEAT)
    def buy(self, holder: str, seat: int) -> None:
        if self.held.get(seat, ("",))[0] != holder:
            return
        sold = self.hall.book(holder, seat)
        self.database.write(Entry(sold.events))
        del self.held[seat]
        self.sold[seat] = (holder, sold.reply.tickets[0].id)
        settled = self.hall.settle(sold)
        self.database.write(Entry(settled.events))
        self.follow(settled, [])

    @rule(seat=SEAT)
    def cancel(self, seat: int) -> None:
        if seat not in self.sold:
            return
        holder, ticket_id = self.sold.pop(seat)
        cancelled = self.hall.do(CancelTicket(1, holder, ticket_id, seat))
        self.database.write(Entry(cancelled.events))
        settled = self.hall.settle(cancelled)
        self.database.write(Entry(settled.events))
        self.follow(settled, [seat])

    @rule(holder=PEOPLE, quantity=st.integers(1, 3))
    def join(self, holder: str, quantity: int) -> None:
        live = any(
            entry.holder == holder and entry.seat_id is None and entry.status in LIVE
            for entry in self.database.waitlist.values()
        )
        decision = self.attempt(JoinWaitlist(1, holder, quantity), len(self.free) < quantity and not live)
        if decision:
            self.line.append((holder, quantity))
            assert decision.reply.position == len(self.line)
            self.follow(decision, [])

    @rule(holder=PEOPLE, seat=SEAT)
    def watch(self, holder: str, seat: int) -> None:
        asked = holder in self.watchers.get(seat, ())
        decision = self.attempt(WatchSeat(1, holder, seat), seat not in self.free and not asked)
        if decision:
            self.watchers.setdefault(seat, []).append(holder)
            assert decision.reply.position == len(self.watchers[seat])

    @rule(holder=PEOPLE)
    def leave(self, holder: str) -> None:
        own = [
            entry
            for entry in self.database.waitlist.values()
            if entry.holder == holder and entry.seat_id is None and entry.status in LIVE
        ]
        if not own:
            assert self.attempt(LeaveWaitlist(1, holder, 10**9), False) is None
            return
        (entry,) = own
        decision = self.attempt(LeaveWaitlist(1, holder, entry.id), True)
        assert decision is not None
        freed = []
        if entry.status is WaitStatus.OFFERED:
            freed = [seat for seat in entry.seat_ids if self.held.get(seat, ("",))[0] == holder]
            for seat in freed:
                del self.held[seat]
        else:
            self.line = [waits for waits in self.line if waits[0] != holder]
        self.follow(decision, freed)

    @rule()
    def load_again(self) -> None:
        """Load the screening as another server does after a crash, when everything has been written."""
        live = [entry for entry in self.database.waitlist.values() if entry.status in LIVE]
        now = self.hall.now
        self.hall = Hall(
            *(SEATS, POLICY, self.hall.screening.epoch + 1),
            holds=[hold for hold, status in self.database.holds.values() if status == "active"],
            tickets=[
                ticket for ticket in self.database.tickets.values() if ticket.status.value == "confirmed"
            ],
            waitlist=sorted(live, key=lambda entry: (entry.epoch, entry.seq)),
            ids_from=self.hall,
        )
        self.hall.now = now
        self.lapse()

    @invariant()
    def seats_are_as_in_the_model(self) -> None:
        views = self.hall.map().views
        for seat in range(1, SEATS + 1):
            view = views.get(seat)
            shown = ("available", None) if view is None else (view.status, view.holder)
            if seat in self.free:
                assert shown == ("available", None)
            elif seat in self.aside:
                assert shown == ("reserved", WAITLIST)
            elif seat in self.held:
                assert shown == ("reserved", self.held[seat][0])
            else:
                assert shown == ("booked", self.sold[seat][0])

    @invariant()
    def nothing_is_set_aside_for_nobody(self) -> None:
        assert self.line or not self.aside


Waiting.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestWaiting = Waiting.TestCase
