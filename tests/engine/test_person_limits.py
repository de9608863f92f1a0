"""Limits per person for a screening, an event or a ticket type, on the bare core."""

import pytest

from engine.commands import (
    BookSeats,
    CancelTicket,
    CancelTickets,
    ConfirmTicket,
    HoldPlaces,
    PlaceOrder,
    SellSeats,
    ToggleSeats,
)
from engine.policy import Policy
from engine.records import TicketType
from engine.rule_errors import PersonLimitExceeded
from engine.sale_rules import SaleRules
from engine.screening_state import Decision
from tests.engine.conftest import NOW, Hall

ADA, BEN, GUEST = "user:1", "user:2", "session:guest"
FOUR = SaleRules(max_per_user=4)
STANDING, BALCONY = 3, 4


def limited(**options: object) -> Hall:
    return Hall(rules=FOUR, **options)


def refused(hall: Hall, command: object) -> tuple[int, int, int, int]:
    """Limit, held, bought and requested of a refusal."""
    with pytest.raises(PersonLimitExceeded) as refusal:
        hall.do(command)
    error = refusal.value
    return error.limit, error.held, error.bought, error.requested


def booking(*seat_ids: int, holder: str = ADA, **options: object) -> BookSeats:
    return BookSeats(1, holder, seat_ids, **options)


class TestSeats:
    def test_held_and_bought_seats_count_together(self) -> None:
        hall = limited()
        hall.sell(ADA, 1, 2)
        hall.hold(ADA, 3)
        assert refused(hall, booking(5, 6)) == (4, 1, 2, 2)
        hall.hold(ADA, 4)
        with pytest.raises(PersonLimitExceeded, match="no more can be had"):
            hall.hold(ADA, 5)
        hall.hold(BEN, 5, 6, 7, 8)

    def test_the_refusal_says_how_many_can_be_had(self) -> None:
        hall = limited()
        hall.sell(ADA, 1)
        with pytest.raises(
            PersonLimitExceeded, match=r"at most 4.*\(0 held, 1 bought, 4 requested\); 3 more"
        ):
            hall.hold(ADA, 2, 3, 4, 5)

    def test_what_is_held_can_be_bought(self) -> None:
        hall = limited()
        hall.hold(ADA, 1, 2, 3, 4)
        hall.sell(ADA, 1, 2, 3, 4)
        assert refused(hall, booking(5)) == (4, 0, 4, 1)

    def test_a_seat_that_is_given_back_makes_room(self) -> None:
        hall = limited()
        hall.hold(ADA, 1, 2, 3, 4)
        hall.release(ADA, 1)
        hall.hold(ADA, 5)
        hall.now += 301
        hall.hold(ADA, 6, 7, 8, 9)

    def test_a_toggle_counts_what_it_gives_back(self) -> None:
        hall = limited()
        hall.hold(ADA, 1, 2, 3, 4)
        assert refused(hall, ToggleSeats(1, ADA, (1, 5, 6))) == (4, 4, 0, 2)
        hall.do(ToggleSeats(1, ADA, (1, 5)))
        hall.do(ToggleSeats(1, ADA, (2,)))

    def test_a_cancelled_ticket_makes_room_once_that_is_committed(self) -> None:
        hall = limited()
        (first, *_) = hall.sell(ADA, 1, 2, 3, 4).reply.tickets
        cancelling = hall.do(CancelTicket(1, ADA, first.id, 1))
        assert refused(hall, booking(5)) == (4, 0, 4, 1)
        hall.settle(cancelling)
        hall.hold(ADA, 5)

    def test_a_cancellation_that_the_database_rejects_makes_no_room(self) -> None:
        hall = limited()
        tickets = hall.sell(ADA, 1, 2, 3, 4).reply.tickets
        ids = tuple(ticket.id for ticket in tickets)
        hall.abort(hall.do(CancelTickets(1, ADA, ids, (1, 2, 3, 4))))
        assert refused(hall, booking(5)) == (4, 0, 4, 1)

    def test_a_booking_counts_before_it_is_committed_and_not_if_it_is_rejected(self) -> None:
        hall = limited()
        booked = hall.book(ADA, 1, 2, 3)
        assert refused(hall, booking(5, 6)) == (4, 0, 3, 2)
        hall.abort(booked)
        hall.hold(ADA, 5, 6)
        assert refused(hall, booking(7, 8, 9)) == (4, 2, 0, 3)

    def test_pending_tickets_count_until_they_lapse(self) -> None:
        hall = limited()
        hall.sell(ADA, 1, 2, 3, payment_pending=True)
        assert refused(hall, booking(4, 5)) == (4, 0, 3, 2)
        hall.now += hall.policy.payment_window_seconds + 1
        lapsed = hall.do(booking(5))
        hall.settle(lapsed)
        assert refused(hall, booking(6)) == (4, 0, 4, 1)  # not committed yet

    def test_a_confirmed_payment_changes_no_count(self) -> None:
        hall = limited()
        (ticket,) = hall.sell(ADA, 1, payment_pending=True).reply.tickets
        confirming = hall.do(ConfirmTicket(1, ADA, ticket.id, 1, "pay-1"))
        assert refused(hall, booking(2, 3, 4, 5)) == (4, 0, 1, 4)
        hall.settle(confirming)
        assert refused(hall, booking(2, 3, 4, 5)) == (4, 0, 1, 4)
        hall.hold(ADA, 2, 3, 4)

    def test_counts_come_back_when_the_screening_is_loaded_again(self) -> None:
        hall = limited()
        tickets = hall.sell(ADA, 1, 2).reply.tickets
        holds = hall.hold(ADA, 3).reply.holds
        again = limited(tickets=tickets, holds=holds, ids_from=hall, epoch=2)
        assert refused(again, booking(4, 5)) == (4, 1, 2, 2)
        again.hold(ADA, 4)

    def test_a_lower_limit_takes_nothing_away(self) -> None:
        hall = Hall()
        holds = hall.hold(ADA, 1, 2, 3, 4, 5).reply.holds
        again = limited(holds=holds, ids_from=hall, epoch=2)
        again.sell(ADA, 1, 2, 3, 4, 5)
        assert refused(again, booking(6)) == (4, 0, 5, 1)

    def test_tickets_count_for_their_owner(self) -> None:
        hall = limited()
        hall.hold(GUEST, 1, 2, 3)
        hall.sell(GUEST, 1, 2, 3, owner=ADA)
        hall.hold(GUEST, 4, 5, 6, 7)
        assert refused(hall, booking(4, 5, holder=GUEST, owner=ADA)) == (4, 0, 3, 2)
        hall.sell(GUEST, 4, owner=ADA)
        hall.sell(GUEST, 5, 6, 7)

    def test_purchases_for_one_owner_that_come_together_do_not_exceed_its_limit(self) -> None:
        hall = limited()
        hall.hold("session:a", 1, 2, 3)
        hall.hold("session:b", 4, 5, 6)
        first = hall.book("session:a", 1, 2, 3, owner=ADA)
        second = booking(4, 5, 6, holder="session:b", owner=ADA)
        assert refused(hall, second) == (4, 0, 3, 3)
        hall.abort(first)
        hall.do(second)

    def test_an_administrator_exceeds_it_for_somebody_only_on_purpose(self) -> None:
        hall = limited()
        hall.sell(ADA, 1, 2, 3, 4)
        sale = SellSeats(1, ADA, (5, 6), "user:9")
        assert refused(hall, sale) == (4, 0, 4, 2)
        hall.settle(hall.do(sale._replace(beyond_limit=True)))
        assert refused(hall, booking(7)) == (4, 0, 6, 1)


class Fair(Hall):
    """An event of at most five tickets per person, of these at most two for the balcony."""

    def __init__(self, per_event: int | None = 5, **options: object) -> None:
        kinds = {
            STANDING: TicketType(STANDING, 2000, 50, 10),
            BALCONY: TicketType(BALCONY, 3500, 10, 10, max_per_user=2),
        }
        policy = Policy(held_seats_limit=20)
        super().__init__(5, policy, ticket_types=kinds, rules=SaleRules(max_per_user=per_event), **options)

    def order(self, holder: str, *orders: tuple[int, int]) -> Decision:
        return self.do(HoldPlaces(1, holder, tuple(PlaceOrder(*order) for order in orders), 600.0))

    def refusal(self, holder: str, *orders: tuple[int, int]) -> tuple[int, int, int, int, int | None]:
        with pytest.raises(PersonLimitExceeded) as refusal:
            self.order(holder, *orders)
        error = refusal.value
        return error.limit, error.held, error.bought, error.requested, error.ticket_type_id

    def buy(self, holder: str, kind: int, quantity: int, owner: str | None = None) -> Decision:
        (holds,) = self.order(holder, (kind, quantity)).reply.reservations
        return self.settle(self.purchase(holder, holds[0].reservation_id, owner))

    def purchase(self, holder: str, reservation_id: int, owner: str | None = None) -> Decision:
        return self.do(BookSeats(1, holder, (), held_only=True, reservation_id=reservation_id, owner=owner))


class TestPlaces:
    def test_a_ticket_type_and_its_event_have_limits(self) -> None:
        fair = Fair()
        fair.order(GUEST, (BALCONY, 1), (STANDING, 2))
        assert fair.refusal(GUEST, (BALCONY, 2)) == (2, 1, 0, 2, BALCONY)
        assert fair.refusal(GUEST, (STANDING, 3)) == (5, 3, 0, 3, None)
        fair.order(GUEST, (BALCONY, 1), (STANDING, 1))
        assert fair.refusal(GUEST, (STANDING, 1)) == (5, 5, 0, 1, None)

    def test_orders_of_one_type_count_together(self) -> None:
        assert Fair().refusal(GUEST, (BALCONY, 1), (BALCONY, 2)) == (2, 0, 0, 3, BALCONY)

    def test_only_the_ticket_type_may_have_a_limit(self) -> None:
        fair = Fair(per_event=None)
        fair.buy(ADA, BALCONY, 2)
        fair.order(ADA, (STANDING, 10))
        assert fair.refusal(ADA, (BALCONY, 1)) == (2, 0, 2, 1, BALCONY)

    def test_several_sessions_of_a_user_have_one_limit_when_they_buy(self) -> None:
        fair = Fair(per_event=None)
        fair.buy("session:a", BALCONY, 2, owner=ADA)
        (holds,) = fair.order("session:b", (BALCONY, 1)).reply.reservations
        with pytest.raises(PersonLimitExceeded) as refusal:
            fair.purchase("session:b", holds[0].reservation_id, owner=ADA)
        assert (refusal.value.bought, refusal.value.ticket_type_id) == (2, BALCONY)
        fair.settle(fair.purchase("session:b", holds[0].reservation_id, owner=BEN))

    def test_a_cancelled_ticket_makes_room(self) -> None:
        fair = Fair()
        first, _ = fair.buy(ADA, BALCONY, 2).reply.tickets
        fair.settle(fair.do(CancelTicket(1, ADA, first.id, first.seat_id)))
        fair.buy(ADA, BALCONY, 1)
        assert fair.refusal(ADA, (BALCONY, 1)) == (2, 0, 2, 1, BALCONY)

    def test_counts_come_back_when_the_event_is_loaded_again(self) -> None:
        fair = Fair()
        tickets = fair.buy(ADA, BALCONY, 1).reply.tickets
        (holds,) = fair.order(ADA, (BALCONY, 1)).reply.reservations
        again = Fair(tickets=tickets, holds=holds, epoch=2, ids_from=fair)
        assert again.refusal(ADA, (BALCONY, 1)) == (2, 1, 1, 1, BALCONY)
        again.now = NOW + 601
        again.order(ADA, (BALCONY, 1))
