"""Number of held seats and places, and how many of those holds lapse soon."""

from engine.commands import ExtendHolds, HoldPlaces, JoinWaitlist, PlaceOrder, ReadScarcity
from engine.policy import Policy
from engine.records import TicketType
from engine.replies import Scarcity
from tests.engine.conftest import Hall

POLICY = Policy(hold_seconds=300.0, payment_window_seconds=900.0)


def counted(hall: Hall) -> Scarcity:
    reply = hall.do(ReadScarcity(1)).reply
    assert isinstance(reply, Scarcity)
    return reply


def test_holds_and_unpaid_tickets_are_counted_by_the_time_they_have_left() -> None:
    hall = Hall(10, POLICY)
    hall.sell("user:1", 1, payment_pending=True)
    hall.sell("user:2", 2)
    hall.now += 620
    hall.hold("user:3", 3, 4)
    hall.now += 190
    hall.hold("user:4", 5)
    scarcity = counted(hall)
    assert (scarcity.held, scarcity.lapsing) == (4, (0, 3, 4)), "the ticket 90 s, the holds 110 s and 300 s"
    assert scarcity.waiting == 0
    hall.do(ExtendHolds(1, "user:3", (3,), 300.0))
    hall.now += 1
    assert counted(hall).lapsing == (0, 2, 3)


def test_it_is_counted_once_a_second_at_most() -> None:
    hall = Hall(4, POLICY)
    before = counted(hall)
    hall.hold("user:1", 1)
    assert counted(hall) is before
    hall.now += 0.9
    assert counted(hall) is before
    hall.now += 0.1
    assert counted(hall).held == 1


def test_what_is_set_aside_does_not_lapse() -> None:
    hall = Hall(2, POLICY, starts_at=Hall(1).now + 100)
    hall.hold("user:1", 1)
    hall.hold("user:2", 2)
    hall.do(JoinWaitlist(1, "user:3", 2))
    hall.release("user:1")
    scarcity = counted(hall)
    assert (scarcity.held, scarcity.lapsing, scarcity.waiting) == (1, (0, 0, 1), 1)


def test_what_lapses_after_something_set_aside_is_counted() -> None:
    hall = Hall(2, POLICY, starts_at=Hall(1).now + 1000)
    hall.hold("user:1", 1)
    hall.do(JoinWaitlist(1, "user:3", 2))
    hall.release("user:1")
    hall.now += 900
    hall.hold("user:2", 2)
    assert counted(hall).lapsing == (0, 0, 1)


def test_places_are_counted_by_ticket_type() -> None:
    kinds = {kind: TicketType(kind, 1000, 9, 9) for kind in (5, 6)}
    hall = Hall(1, POLICY, ticket_types=kinds, seated=False)
    hall.do(HoldPlaces(1, "user:1", (PlaceOrder(5, 2),), 100.0))
    hall.do(HoldPlaces(1, "user:2", (PlaceOrder(6, 3),), 50.0))
    scarcity = counted(hall)
    assert scarcity.lapsing == (3, 5, 5)
    assert scarcity.ticket_types == {5: (0, 2, 2), 6: (3, 3, 3)}
