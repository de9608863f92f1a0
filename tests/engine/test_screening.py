"""Decisions of a screening, command by command, on the bare core with a manual clock."""

import pytest

from engine.commands import (
    CancelScreening,
    CancelTicket,
    CancelTickets,
    ConfirmTicket,
    ConfirmTickets,
    ExtendHolds,
    HoldSeats,
    ReadChanges,
    ReadReservation,
    ReleaseLapsed,
    ToggleSeats,
)
from engine.errors import EngineError
from engine.events import HoldsExpired, HoldsReleased, SeatsHeld, TicketsIssued, TicketsLapsed
from engine.policy import Policy
from engine.records import TicketStatus
from engine.seat_states import SeatStatus
from engine.selling_errors import (
    BookingInProgress,
    ExtensionLimitReached,
    HoldLimitExceeded,
    NotHeld,
    PaymentAlreadyUsed,
    ScreeningCancelled,
    ScreeningStarted,
    SeatsNotFound,
    SeatsUnavailable,
    TicketNotFound,
    TicketNotPending,
)
from tests.engine.conftest import NOW, Hall


class TestHold:
    def test_holds_every_seat_for_the_holder(self, hall: Hall) -> None:
        outcome = hall.hold("user:7", 3, 1, 3)
        holds = outcome.reply.holds
        assert [hold.seat_id for hold in holds] == [3, 1]
        assert {hold.holder for hold in holds} == {"user:7"}
        assert {hold.expires_at for hold in holds} == {NOW + 300}
        assert isinstance(outcome.events[0], SeatsHeld)
        assert [view.status for view in outcome.changes[0].views] == ["reserved", "reserved"]
        assert outcome.events[0].seq == outcome.changes[0].seq

    def test_seats_of_one_hold_have_consecutive_ids_and_one_reservation(self, hall: Hall) -> None:
        hall.hold("user:8", 9)
        holds = hall.do(HoldSeats(1, "user:7", (3, 1, 2), "a note")).reply.holds
        first_id = holds[0].id
        assert [hold.id for hold in holds] == [first_id, first_id + 1, first_id + 2]
        assert {(hold.reservation_id, hold.note) for hold in holds} == {(first_id, "a note")}
        reservation = hall.do(ReadReservation(1, "user:7", first_id)).reply
        assert reservation.holds == holds

    def test_seats_of_one_hold_go_separate_ways(self, hall: Hall) -> None:
        one, two, three, four = hall.hold("user:7", 1, 2, 3, 4).reply.holds
        assert hall.release("user:7", 2).events[0].holds == (two,)
        (extended,) = hall.do(ExtendHolds(1, "user:7", (3,), 60)).reply.holds
        assert extended == three._replace(expires_at=NOW + 360, extensions=1)
        booking = hall.book("user:7", 4)
        assert booking.events[0].converted == (four,)
        hall.now = NOW + 300
        assert hall.do(ReadReservation(1, "user:7", one.id)).reply.holds == (extended,)
        assert [hall.seen(seat) for seat in (1, 2, 3)] == ["available", "available", "reserved"]
        hall.abort(booking)
        assert hall.screening.handle(ReleaseLapsed(1), hall.now).events[0].holds == (four,)
        assert hall.hold("user:8", 1, 2, 4).reply.holds

    def test_is_all_or_nothing(self, hall: Hall) -> None:
        hall.hold("user:1", 5)
        hall.sell("user:2", 6)
        with pytest.raises(SeatsUnavailable) as refusal:
            hall.hold("user:7", 4, 5, 6)
        assert (refusal.value.held, refusal.value.booked) == ((5,), (6,))
        assert hall.seen(4) == "available"

    def test_leaves_ones_own_holds_as_they_are(self, hall: Hall) -> None:
        first = hall.hold("user:7", 1).reply.holds[0]
        hall.now += 60
        again = hall.hold("user:7", 1, 2)
        assert again.reply.holds[0] == first
        assert [hold.seat_id for hold in again.events[0].holds] == [2]
        assert hall.hold("user:7", 1, 2).events == ()

    def test_refuses_unknown_seats(self, hall: Hall) -> None:
        with pytest.raises(SeatsNotFound) as refusal:
            hall.hold("user:7", 1, 99)
        assert refusal.value.seat_ids == (99,)
        assert hall.seen(1) == "available"

    def test_caps_what_one_holder_occupies(self, hall: Hall) -> None:
        hall.hold("user:7", *range(1, 9))
        hall.sell("user:7", 9, payment_pending=True)
        with pytest.raises(HoldLimitExceeded):
            hall.hold("user:7", 10, 11)
        hall.hold("user:7", 10)
        hall.hold("user:8", 11)

    def test_what_is_paid_does_not_count(self, hall: Hall) -> None:
        hall.sell("user:7", *range(1, 11))
        assert len(hall.hold("user:7", *range(11, 21)).reply.holds) == 10

    def test_ends_when_the_screening_begins(self, hall: Hall) -> None:
        hall.now = hall.screening.info.starts_at
        with pytest.raises(ScreeningStarted, match="Cannot reserve seats for past screenings"):
            hall.hold("user:7", 1)


class TestToggle:
    def test_holds_the_free_and_releases_the_own(self, hall: Hall) -> None:
        hall.hold("user:7", 1, 2)
        outcome = hall.do(ToggleSeats(1, "user:7", (2, 3)))
        assert [hold.seat_id for hold in outcome.reply.held] == [3]
        assert [hold.seat_id for hold in outcome.reply.released] == [2]
        assert [type(event) for event in outcome.events] == [HoldsReleased, SeatsHeld]
        assert [hall.seen(seat) for seat in (1, 2, 3)] == ["reserved", "available", "reserved"]

    def test_changes_nothing_when_one_seat_is_anothers(self, hall: Hall) -> None:
        hall.hold("user:7", 1)
        hall.hold("user:8", 2)
        with pytest.raises(SeatsUnavailable):
            hall.do(ToggleSeats(1, "user:7", (1, 2, 3)))
        assert [hall.seen(seat) for seat in (1, 2, 3)] == ["reserved", "reserved", "available"]

    def test_swapping_a_seat_at_the_cap_is_allowed(self, hall: Hall) -> None:
        hall.hold("user:7", *range(1, 11))
        assert hall.do(ToggleSeats(1, "user:7", (10, 11))).reply.held[0].seat_id == 11


class TestExtend:
    def extend(self, hall: Hall, *seat_ids: int, seconds: float = 300.0) -> float:
        return hall.do(ExtendHolds(1, "user:7", seat_ids, seconds)).reply.holds[0].expires_at

    def test_moves_the_deadline(self, hall: Hall) -> None:
        hall.hold("user:7", 1)
        assert self.extend(hall, 1) == NOW + 600
        hall.now = NOW + 599
        assert hall.seen(1) == "reserved"
        hall.now = NOW + 600
        hall.do(ReleaseLapsed(1))
        assert hall.seen(1) == "available"

    def test_is_capped_by_count(self, hall: Hall) -> None:
        hall.hold("user:7", 1)
        for _ in range(3):
            self.extend(hall, 1, seconds=1)
        with pytest.raises(ExtensionLimitReached, match="extended 3 times"):
            self.extend(hall, 1, seconds=1)

    def test_is_capped_by_total_life(self, hall: Hall) -> None:
        hall.hold("user:7", 1)
        with pytest.raises(ExtensionLimitReached, match="30 minutes in all"):
            self.extend(hall, 1, seconds=1501)
        assert self.extend(hall, 1, seconds=1500) == NOW + 1800

    def test_needs_a_hold_on_every_seat(self, hall: Hall) -> None:
        hall.hold("user:7", 1)
        hall.hold("user:8", 2)
        with pytest.raises(NotHeld) as refusal:
            self.extend(hall, 1, 2, 3)
        assert refusal.value.seat_ids == (2, 3)
        assert hall.map().views[1].expires_at == NOW + 300


class TestRelease:
    def test_gives_back_all_or_those_named(self, hall: Hall) -> None:
        hall.hold("user:7", 1, 2, 3)
        hall.hold("user:8", 4)
        assert [hold.seat_id for hold in hall.release("user:7", 2, 4, 5).reply.holds] == [2]
        assert len(hall.release("user:7").reply.holds) == 2
        assert hall.seen(4) == "reserved"
        assert hall.release("user:7").events == ()

    def test_tells_whose_the_seat_was_until_it_is_held_again(self, hall: Hall) -> None:
        hall.hold("user:7", 1)
        change = hall.release("user:7").changes[0]
        assert change.views[0].previous_holder == "user:7"
        assert hall.map().views[1].previous_holder == "user:7"
        hall.hold("user:8", 1)
        assert hall.map().views[1].previous_holder is None


class TestLapse:
    def test_releases_at_the_deadline_and_not_before(self, hall: Hall) -> None:
        hall.hold("user:7", 1, 2)
        hall.now = NOW + 299.9
        assert hall.do(ReleaseLapsed(1)).reply.number == 0
        hall.now = NOW + 300
        outcome = hall.screening.handle(ReleaseLapsed(1), hall.now)
        assert outcome.reply.number == 2
        assert isinstance(outcome.events[0], HoldsExpired)
        assert {view.previous_holder for view in outcome.changes[0].views} == {"user:7"}
        assert hall.screening.next_deadline == float("inf")

    def test_a_second_time_does_nothing(self, hall: Hall) -> None:
        hall.hold("user:7", 1)
        hall.now = NOW + 300
        hall.screening.handle(ReleaseLapsed(1), hall.now)
        assert hall.screening.handle(ReleaseLapsed(1), hall.now).events == ()

    def test_stale_deadlines_stay_bounded(self, hall: Hall) -> None:
        for _ in range(10_000):
            hall.hold("user:7", 1)
            hall.release("user:7")
        assert len(hall.screening._state.seats.deadlines) < 200

    def test_a_pending_ticket_lapses_through_the_database(self, hall: Hall) -> None:
        hall.sell("user:7", 1, payment_pending=True)
        hall.now = NOW + 900
        outcome = hall.screening.handle(ReleaseLapsed(1), hall.now)
        assert isinstance(outcome.events[0], TicketsLapsed)
        assert hall.seen(1) == "reserved"
        hall.settle(outcome)
        assert hall.seen(1) == "available"


class TestBook:
    def test_is_shown_only_after_the_commit(self, hall: Hall) -> None:
        outcome = hall.book("user:7", 1, 10)
        assert isinstance(outcome.events[0], TicketsIssued)
        assert outcome.events[0].from_statuses == (SeatStatus.AVAILABLE, SeatStatus.AVAILABLE)
        assert hall.seen(1) == "reserved"
        settled = hall.settle(outcome)
        assert [view.status for view in settled.changes[0].views] == ["booked", "booked"]
        assert settled.changes[0].seq > outcome.events[0].seq
        assert [ticket.price_cents for ticket in settled.reply.tickets] == [1250, 1599]
        assert {ticket.booking_id for ticket in settled.reply.tickets} == {2001}

    def test_converts_holds(self, hall: Hall) -> None:
        holds = hall.hold("user:7", 1).reply.holds
        outcome = hall.book("user:7", 1, 2)
        assert outcome.events[0].converted == holds
        assert outcome.events[0].from_statuses == (SeatStatus.HELD, SeatStatus.AVAILABLE)
        assert [view.seat_id for view in outcome.changes[0].views] == [2]

    def test_seats_stay_with_the_buyer_past_the_holds_deadline(self, hall: Hall) -> None:
        hall.hold("user:7", 1)
        outcome = hall.book("user:7", 1)
        hall.now = NOW + 3600
        hall.do(ReleaseLapsed(1))
        with pytest.raises(SeatsUnavailable):
            hall.hold("user:8", 1)
        hall.settle(outcome)
        assert hall.seen(1) == "booked"

    def test_an_aborted_booking_leaves_what_was(self, hall: Hall) -> None:
        hall.hold("user:7", 1)
        outcome = hall.book("user:7", 1, 2)
        hall.abort(outcome)
        assert (hall.seen(1), hall.seen(2)) == ("reserved", "available")
        hall.now = NOW + 300
        assert hall.screening.handle(ReleaseLapsed(1), hall.now).reply.number == 1

    def test_a_hold_whose_deadline_passed_meanwhile_lapses_after_the_abort(self, hall: Hall) -> None:
        hall.hold("user:7", 1)
        outcome = hall.book("user:7", 1)
        hall.now = NOW + 300
        assert hall.screening.handle(ReleaseLapsed(1), hall.now).reply.number == 0
        hall.abort(outcome)
        assert hall.screening.handle(ReleaseLapsed(1), hall.now).reply.number == 1

    def test_ones_own_booking_on_its_way_is_retryable(self, hall: Hall) -> None:
        hall.book("user:7", 1)
        with pytest.raises(BookingInProgress) as refusal:
            hall.book("user:7", 1)
        assert refusal.value.retryable

    def test_the_same_payment_joins_the_booking_on_its_way(self, hall: Hall) -> None:
        first = hall.book("user:7", 1, 2, payment_id="p")
        again = hall.book("user:7", 2, 1, payment_id="p")
        assert (again.write_id, again.events, again.reply) == (first.write_id, (), first.reply)
        for holder, seats in (("user:8", (1, 2)), ("user:7", (1,)), ("user:7", (1, 2, 3))):
            with pytest.raises(PaymentAlreadyUsed) as refusal:
                hall.book(holder, *seats, payment_id="p")
            assert refusal.value.payment_id == "p"

    def test_no_other_payment_and_no_confirmation_is_taken_for_it(self, hall: Hall) -> None:
        hall.book("user:7", 1, payment_id="p")
        with pytest.raises(BookingInProgress):
            hall.book("user:7", 1, payment_id="q")
        (ticket,) = hall.sell("user:7", 2, payment_pending=True).reply.tickets
        hall.do(ConfirmTicket(1, "user:7", ticket.id, 2, "p"))
        with pytest.raises(BookingInProgress):
            hall.book("user:7", 2, payment_id="p")

    def test_a_payment_that_has_bought_the_seat_buys_it_once(self, hall: Hall) -> None:
        hall.sell("user:7", 1, payment_id="p")
        for holder in ("user:7", "user:8"):
            with pytest.raises(PaymentAlreadyUsed) as refusal:
                hall.book(holder, 1, payment_id="p")
            assert refusal.value.payment_id == "p"
            with pytest.raises(SeatsUnavailable):
                hall.book(holder, 1, payment_id="q")

    def test_held_only_refuses_what_is_not_held(self, hall: Hall) -> None:
        hall.hold("user:7", 1)
        with pytest.raises(NotHeld) as refusal:
            hall.book("user:7", 1, 2, held_only=True)
        assert refusal.value.seat_ids == (2,)


class TestPendingTickets:
    def test_are_confirmed_by_a_payment(self, hall: Hall) -> None:
        ticket = hall.sell("user:7", 1, payment_pending=True).reply.tickets[0]
        assert (ticket.status, ticket.confirmed_at, hall.seen(1)) == (TicketStatus.PENDING, None, "reserved")
        confirm = ConfirmTicket(1, "user:7", ticket.id, 1, "p")
        outcome = hall.do(confirm)
        assert hall.do(confirm).write_id == outcome.write_id
        with pytest.raises(BookingInProgress):
            hall.do(confirm._replace(payment_id="q"))
        hall.settle(outcome)
        assert hall.seen(1) == "booked"
        assert hall.do(confirm).reply.tickets[0].payment_id == "p"
        with pytest.raises(TicketNotPending):
            hall.do(confirm._replace(payment_id="q"))
        hall.now = NOW + 900
        assert hall.screening.handle(ReleaseLapsed(1), hall.now).reply.number == 0

    def test_belong_to_their_holder(self, hall: Hall) -> None:
        ticket = hall.sell("user:7", 1, payment_pending=True).reply.tickets[0]
        with pytest.raises(TicketNotFound):
            hall.do(ConfirmTicket(1, "user:8", ticket.id, 1, "p"))

    def test_of_one_payment_are_confirmed_together_or_not_at_all(self, hall: Hall) -> None:
        first, second = hall.sell("user:7", 1, 2, payment_pending=True).reply.tickets
        confirm = ConfirmTickets(1, "user:7", (first.id, second.id), (1, 2), "p", actor="service:payments")
        with pytest.raises(TicketNotFound):
            hall.do(confirm._replace(ticket_ids=(first.id, 9)))
        hall.settle(hall.do(ConfirmTicket(1, "user:7", first.id, 1, "p")))
        with pytest.raises(TicketNotPending):
            hall.do(confirm._replace(payment_id="q"))
        assert hall.seen(2) == "reserved"
        outcome = hall.do(confirm)
        assert hall.do(confirm._replace(ticket_ids=(second.id,), seat_ids=(2,))).write_id == outcome.write_id
        with pytest.raises(BookingInProgress):
            hall.do(confirm)
        (event,) = outcome.events
        assert ([ticket.id for ticket in event.tickets], event.actor) == ([second.id], "service:payments")
        hall.settle(outcome)
        repeated = hall.do(confirm)
        assert (repeated.events, [ticket.payment_id for ticket in repeated.reply.tickets]) == ((), ["p", "p"])


class TestCancel:
    def test_frees_the_seat_after_the_commit(self, hall: Hall) -> None:
        ticket = hall.sell("user:7", 1).reply.tickets[0]
        cancel = CancelTicket(1, "user:7", ticket.id, 1)
        outcome = hall.do(cancel)
        assert hall.do(cancel).write_id == outcome.write_id
        assert hall.seen(1) == "booked"
        with pytest.raises(SeatsUnavailable) as refusal:
            hall.hold("user:8", 1)
        assert refusal.value.booked == (1,)
        hall.settle(outcome)
        assert hall.seen(1) == "available"
        hall.hold("user:8", 1)

    def test_somebody_else_may_act_for_the_holder(self, hall: Hall) -> None:
        ticket = hall.sell("user:7", 1, payment_pending=True).reply.tickets[0]
        outcome = hall.do(ConfirmTicket(1, "user:7", ticket.id, 1, None, actor="user:1"))
        assert outcome.events[0].actor == "user:1"
        hall.settle(outcome)
        outcome = hall.do(CancelTicket(1, "user:7", ticket.id, 1, actor="user:1"))
        assert outcome.events[0].actor == "user:1"
        hall.settle(outcome)
        assert hall.seen(1) == "available"

    def test_of_several_tickets_is_all_or_none(self, hall: Hall) -> None:
        first, second = hall.sell("user:7", 1, 2).reply.tickets
        cancel = CancelTickets(1, "user:7", (first.id, second.id), (1, 2))
        for wrong in (cancel._replace(ticket_ids=(first.id, 9)), cancel._replace(holder="user:8")):
            with pytest.raises(TicketNotFound):
                hall.do(wrong)
        assert (hall.seen(1), hall.seen(2)) == ("booked", "booked")
        outcome = hall.do(cancel)
        assert hall.do(cancel).write_id == outcome.write_id
        with pytest.raises(BookingInProgress):
            hall.do(CancelTicket(1, "user:7", first.id, 1))
        hall.settle(outcome)
        assert (hall.seen(1), hall.seen(2)) == ("available", "available")
        assert [ticket.id for ticket in outcome.reply.tickets] == [first.id, second.id]

    def test_not_after_the_beginning(self, hall: Hall) -> None:
        ticket = hall.sell("user:7", 1).reply.tickets[0]
        hall.now = hall.screening.info.starts_at
        with pytest.raises(ScreeningStarted, match="Cannot cancel tickets"):
            hall.do(CancelTicket(1, "user:7", ticket.id, 1))

    def test_belongs_to_the_holder(self, hall: Hall) -> None:
        ticket = hall.sell("user:7", 1).reply.tickets[0]
        for command in (CancelTicket(1, "user:8", ticket.id, 1), CancelTicket(1, "user:7", 9, 1)):
            with pytest.raises(TicketNotFound):
                hall.do(command)


class TestCancelScreening:
    def test_frees_everything_and_sells_nothing_more(self, hall: Hall) -> None:
        hall.hold("user:7", 1, 2)
        sold = hall.sell("user:8", 3).reply.tickets
        pending = hall.sell("user:9", 4, payment_pending=True).reply.tickets
        outcome = hall.do(CancelScreening(1, "user:1"))
        assert (hall.seen(1), hall.seen(3), hall.seen(4)) == ("available", "booked", "reserved")
        reply = hall.settle(outcome).reply
        assert [ticket.id for ticket in reply.tickets] == [sold[0].id, pending[0].id]
        assert {ticket.status for ticket in reply.tickets} == {TicketStatus.CANCELLED}
        assert [event.actor for event in outcome.events] == ["user:1", "user:1"]
        assert {hall.seen(seat) for seat in range(1, 5)} == {"available"}
        with pytest.raises(ScreeningCancelled):
            hall.hold("user:7", 1)
        assert hall.screening.at_rest

    def test_waits_for_what_is_on_its_way(self, hall: Hall) -> None:
        booking = hall.book("user:7", 1)
        with pytest.raises(BookingInProgress):
            hall.do(CancelScreening(1, "user:1"))
        hall.settle(booking)
        hall.settle(hall.do(CancelScreening(1, "user:1")))
        assert hall.seen(1) == "available"


class TestChanges:
    def read(self, hall: Hall, since: int, epoch: int = 1) -> list[int] | None:
        missed = hall.screening.handle(ReadChanges(1, epoch, since), hall.now).reply.missed
        return None if missed is None else [change.seq for change in missed]

    def test_resume_from_any_remembered_point(self) -> None:
        hall = Hall(change_memory=3)
        seqs = [hall.hold("user:7", seat).changes[0].seq for seat in (1, 2, 3)]
        assert self.read(hall, 0) == seqs
        assert self.read(hall, seqs[1]) == seqs[2:]
        assert self.read(hall, seqs[2]) == []

    def test_are_forgotten_beyond_the_memory(self) -> None:
        hall = Hall(change_memory=3)
        seqs = [hall.hold("user:7", seat).changes[0].seq for seat in (1, 2, 3, 4)]
        assert self.read(hall, 0) is None
        assert self.read(hall, seqs[0]) == seqs[1:]

    def test_show_seats_as_they_were_whoever_has_them_when_somebody_looks(self, hall: Hall) -> None:
        held = hall.hold("user:7", 1).changes[0]
        released = hall.release("user:7", 1).changes[0]
        booking = hall.book("user:8", 1)
        sold = hall.settle(booking).changes[0]
        ticket = booking.reply.tickets[0]
        freed = hall.settle(hall.do(CancelTicket(1, "user:8", ticket.id, 1))).changes[0]
        hall.hold("user:9", 1)
        looks = [change.views[0] for change in (held, released, booking.changes[0], sold, freed)]
        assert [(view.status, view.holder, view.previous_holder) for view in looks] == [
            ("reserved", "user:7", None),
            ("available", None, "user:7"),
            ("reserved", "user:8", None),
            ("booked", "user:8", None),
            ("available", None, None),
        ]
        assert (looks[0].reserved_at, looks[0].expires_at) == (NOW, NOW + 300)

    def test_of_another_epoch_or_the_future_are_unknown(self, hall: Hall) -> None:
        hall.hold("user:7", 1)
        assert self.read(hall, 0, epoch=2) is None
        assert self.read(hall, 99) is None


def test_recovery_restores_holds_and_tickets(hall: Hall) -> None:
    holds = hall.hold("user:7", 1, 2).reply.holds
    sold = hall.sell("user:8", 3).reply.tickets
    pending = hall.sell("user:9", 4, payment_pending=True).reply.tickets
    stale = holds[0]._replace(seat_id=3)
    again = Hall(epoch=2, holds=(stale, *holds), tickets=(*sold, *pending))
    for seat_id in range(1, 6):
        assert again.map().views.get(seat_id) == hall.map().views.get(seat_id)
    again.now = NOW + 300
    assert again.screening.handle(ReleaseLapsed(1), again.now).reply.number == 2


def test_every_refusal_has_its_own_code() -> None:
    def descendants(cls: type[EngineError]) -> list[type[EngineError]]:
        return [cls, *(leaf for child in cls.__subclasses__() for leaf in descendants(child))]

    classes = [cls for cls in descendants(EngineError) if cls.__module__ == EngineError.__module__]
    assert len({cls.code for cls in classes}) == len(classes)


def test_an_idle_hall_is_at_rest(hall: Hall) -> None:
    assert hall.screening.at_rest
    hall.hold("user:7", 1)
    assert not hall.screening.at_rest
    hall.release("user:7")
    outcome = hall.book("user:7", 1)
    assert not hall.screening.at_rest
    hall.settle(outcome)
    assert hall.screening.at_rest


def test_policy_is_what_it_says() -> None:
    hall = Hall(policy=Policy(hold_seconds=10, held_seats_limit=1))
    assert hall.hold("user:7", 1).reply.holds[0].expires_at == NOW + 10
    with pytest.raises(HoldLimitExceeded):
        hall.hold("user:7", 2)


def test_the_next_seat_map_has_the_same_views_of_seats_that_have_not_changed() -> None:
    hall = Hall()
    hall.hold("user:7", 1, 2)
    before = hall.map()
    hall.hold("user:8", 3)
    hall.release("user:7", 2)
    after = hall.map()
    assert after.views[1] is before.views[1]
    assert (hall.seen(2), hall.seen(3)) == ("available", "reserved")
    assert {2: before.views[2].status, 3: before.views.get(3)} == {2: "reserved", 3: None}


def test_a_seat_map_after_more_changes_than_are_kept_is_made_anew() -> None:
    hall = Hall(change_memory=2)
    hall.hold("user:7", 1)
    hall.map()
    for seat_id in range(2, 8):
        hall.hold("user:8", seat_id)
    assert {view.holder for view in hall.map().views.values()} == {"user:7", "user:8"}
    assert sorted(hall.map().views) == [1, 2, 3, 4, 5, 6, 7]
