"""Manual actions of operators, and the figures that operators see."""

import pytest

from engine.commands import HoldSeatsFor, RevokeHolds, SellSeats
from engine.events import HoldsReleased, SeatsHeldFor, TicketsIssued
from engine.figures import RATE_SECONDS, holds_per_second
from engine.records import TicketStatus
from engine.replies import Booked, Held, Released
from engine.selling_errors import HoldLimitExceeded, PaymentAlreadyUsed, SeatsUnavailable
from tests.engine.conftest import NOW, POLICY, Hall

BOSS = "user:1"


def test_a_hold_is_released_in_the_name_of_who_does_it(hall: Hall) -> None:
    hall.hold("user:7", 1, 2)
    decision = hall.do(RevokeHolds(1, "user:7", (1,), BOSS))
    (event,) = decision.events
    assert isinstance(event, HoldsReleased)
    assert (event.actor, [(hold.holder, hold.seat_id) for hold in event.holds]) == (BOSS, [("user:7", 1)])
    assert (hall.seen(1), hall.seen(2)) == ("available", "reserved")
    assert hall.map().views[1].previous_holder == "user:7"


def test_only_the_named_holder_loses_seats(hall: Hall) -> None:
    hall.hold("user:8", 1)
    hall.sell("user:7", 2)
    buying = hall.book("user:7", 3)
    decision = hall.do(RevokeHolds(1, "user:7", (1, 2, 3, 4), BOSS))
    assert (decision.reply, decision.events) == (Released(()), ())
    hall.settle(buying)
    assert [hall.seen(seat) for seat in (1, 2, 3)] == ["reserved", "booked", "booked"]


def test_seats_are_sold_in_the_name_of_who_does_it(hall: Hall) -> None:
    hall.hold("user:7", 1)
    decision = hall.do(SellSeats(1, "user:7", (1, 2), BOSS, "cash-1"))
    (event,) = decision.events
    assert isinstance(event, TicketsIssued)
    assert event.actor == BOSS
    assert {ticket.holder for ticket in event.tickets} == {"user:7"}
    hall.settle(decision)
    assert (hall.seen(1), hall.seen(2)) == ("booked", "booked")


def test_what_others_have_is_not_sold_by_hand(hall: Hall) -> None:
    hall.hold("user:8", 1)
    with pytest.raises(SeatsUnavailable):
        hall.do(SellSeats(1, "user:7", (1,), BOSS))
    with pytest.raises(HoldLimitExceeded):
        hall.do(SellSeats(1, "user:7", tuple(range(2, 3 + POLICY.held_seats_limit)), BOSS))
    sold = hall.settle(hall.do(SellSeats(1, "user:7", (2,), BOSS, "cash-1"))).reply
    assert isinstance(sold, Booked)
    with pytest.raises(PaymentAlreadyUsed):
        hall.do(SellSeats(1, "user:7", (2,), BOSS, "cash-1"))


def test_seats_are_held_for_somebody_in_the_name_of_who_does_it(hall: Hall) -> None:
    hall.hold("user:7", 1)
    decision = hall.do(HoldSeatsFor(1, "user:7", (1, 2), BOSS))
    (event,) = decision.events
    assert isinstance(event, SeatsHeldFor)
    assert (event.actor, [(hold.holder, hold.seat_id) for hold in event.holds]) == (BOSS, [("user:7", 2)])
    assert isinstance(decision.reply, Held)
    assert [hold.seat_id for hold in decision.reply.holds] == [1, 2]
    assert decision.changes == (event,)
    with pytest.raises(SeatsUnavailable):
        hall.do(HoldSeatsFor(1, "user:8", (3, 1), BOSS))
    assert hall.seen(3) == "available"
    limit = POLICY.held_seats_limit
    with pytest.raises(HoldLimitExceeded):
        hall.do(HoldSeatsFor(1, "user:9", tuple(range(3, 4 + limit)), BOSS))


def test_a_hold_is_taken_over_in_one_step_at_the_agreed_price() -> None:
    before = Hall(price_cents=990)
    before.hold("session:x", 1, 2)
    hall = Hall(holds=before.screening._state.seats.holds(), price_cents=1250, ids_from=before)
    hall.now = before.now + 100
    decision = hall.do(HoldSeatsFor(1, "user:7", (1, 3), BOSS, "session:x"))
    released, held = decision.events
    assert isinstance(released, HoldsReleased)
    assert (released.actor, [hold.holder for hold in released.holds]) == (BOSS, ["session:x"])
    assert [(hold.seat_id, hold.price_cents) for hold in held.holds] == [(3, 1250), (1, 990)]
    assert {(hold.holder, hold.expires_at) for hold in held.holds} == {("user:7", hall.now + 300)}
    views = hall.map().views
    assert (views[1].holder, views[1].previous_holder, views[2].holder) == ("user:7", None, "session:x")
    with pytest.raises(SeatsUnavailable):
        hall.do(HoldSeatsFor(1, "user:8", (1, 2), BOSS, "session:x"))
    assert hall.seen(2) == "reserved"


def test_the_holds_of_somebody_are_sold_to_somebody_else(hall: Hall) -> None:
    hall.hold("session:x", 1)
    held_at = hall.now
    hall.now += 60
    decision = hall.do(SellSeats(1, "user:7", (1, 2), BOSS, taken_from="session:x"))
    (event,) = decision.events
    assert event.actor == BOSS
    assert {hold.holder for hold in event.converted} == {"session:x"}
    tickets = hall.settle(decision).reply.tickets
    assert {(ticket.holder, ticket.sold_by, ticket.held_at) for ticket in tickets} == {
        ("user:7", BOSS, held_at)
    }
    assert not hall.screening._state.seats.unpaid
    hall.hold("session:x", 3)
    with pytest.raises(SeatsUnavailable):
        hall.do(SellSeats(1, "user:7", (3,), BOSS, taken_from="session:y"))


def test_tickets_are_given_away_for_a_reason(hall: Hall) -> None:
    hall.hold("user:7", 1)
    tickets = hall.settle(hall.do(SellSeats(1, "user:7", (1, 2), BOSS, free_because="Press"))).reply.tickets
    assert {(t.price_cents, t.free_because, t.status, t.payment_id) for t in tickets} == {
        (0, "Press", TicketStatus.CONFIRMED, None)
    }


def test_the_figures_of_a_screening(hall: Hall) -> None:
    hall.hold("user:7", 1, 2)
    hall.sell("user:8", 3)
    figures = hall.screening.figures(5, hall.now)
    assert (figures.capacity, figures.available, figures.held, figures.queue) == (20, 17, 2, 5)
    assert (figures.epoch, figures.seq) == hall.screening.position


def test_the_rate_of_holds_is_that_of_the_last_seconds(hall: Hall) -> None:
    for seat in range(1, 5):
        hall.hold(f"user:{seat}", seat)
    hall.release("user:1")
    assert hall.screening.figures(0, hall.now).holds_per_second == 4 / RATE_SECONDS
    hall.now += RATE_SECONDS
    hall.hold("user:9", 9)
    assert hall.screening.figures(0, hall.now).holds_per_second == 1 / RATE_SECONDS
    assert Hall().screening.figures(0, hall.now).holds_per_second == 0


def test_the_rate_is_estimated_if_not_all_changes_are_kept() -> None:
    hall = Hall(change_memory=3)
    for seat in range(1, 11):
        hall.now += 0.1
        hall.hold(f"user:{seat}", seat)
    hall.now += 0.1
    assert hall.screening.figures(0, hall.now).holds_per_second == pytest.approx(10)


def test_holds_per_second_are_counted_over_what_is_known() -> None:
    hall = Hall()
    kept = [change for seat in (1, 2) for change in hall.hold("user:7", seat).changes]
    assert holds_per_second((), 0, NOW) == 0
    assert holds_per_second(kept[:1], 1, NOW + 0.5) == 2, "earlier ones may be missing"
    assert holds_per_second(kept, 3, NOW + 0.5) == 2 / RATE_SECONDS
    hall.now += 5
    kept += hall.hold("user:7", 3).changes
    assert holds_per_second(kept, 3, NOW + 6) == 1 / RATE_SECONDS
