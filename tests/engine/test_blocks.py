"""Seats and places that an organiser keeps back, on the bare core."""

from math import inf

import pytest

from engine.block_errors import BlockLimitReached, BlockNotFound
from engine.blocks import BLOCKS_LIMIT, NotBlocked
from engine.commands import (
    BlockSeats,
    CancelScreening,
    CancelTicket,
    HoldPlaces,
    HoldSeats,
    PlaceOrder,
    ReadBlocks,
    ReadStock,
    ReleaseLapsed,
    SellSeats,
    ToggleSeats,
    UnblockSeats,
)
from engine.events import SYSTEM, SeatsUnblocked
from engine.records import CHANNEL, HOUSE, KILL, TicketType, channel_key
from engine.replies import BlockLevel, Blocks, Stock
from engine.selling_errors import (
    HoldLimitExceeded,
    NotEnoughTickets,
    ScreeningStarted,
    SeatsNotFound,
    SeatsUnavailable,
    TicketTypeNotFound,
)
from engine.views import SeatView, view_of_kept, view_with
from tests.engine.conftest import NOW, Hall

PRESS = channel_key("press")
STANDING = 3


def stock_of(hall: Hall) -> Stock:
    reply = hall.do(ReadStock(1)).reply
    assert isinstance(reply, Stock)
    return reply


def levels_of(hall: Hall) -> list[BlockLevel]:
    reply = hall.do(ReadBlocks(1)).reply
    assert isinstance(reply, Blocks)
    return list(reply.blocks)


class TestBlocking:
    def test_blocked_seats_show_as_booked_and_blocked(self, hall: Hall) -> None:
        outcome = hall.do(BlockSeats(1, "user:1", "Press", HOUSE, (4, 5)))
        expected = (view_of_kept(4, HOUSE), view_of_kept(5, HOUSE))
        assert outcome.changes[0].views == expected
        assert hall.map().views[4] == expected[0]
        assert (outcome.changes[0].available, stock_of(hall).available) == (18, 18)

    def test_those_with_access_see_them_as_available(self, hall: Hall) -> None:
        hall.block(1, 5)
        hall.block(7, kind=CHANNEL, channel="press")
        hall.sell("user:8", 9)
        seats = hall.map()
        assert seats.with_access(()) is seats
        assert seats.with_access((PRESS,)).views.keys() == {1, 5, 9}
        assert seats.with_access((HOUSE, PRESS)).views.keys() == {9}
        for access, statuses in (((PRESS,), ["booked", "available", "booked"]), ((), ["booked"] * 3)):
            assert [view_with(access, seats.views[seat_id]).status for seat_id in (1, 7, 9)] == statuses

    def test_watchers_see_all_seats_of_a_block_come_and_go(self, hall: Hall) -> None:
        outcome = hall.do(BlockSeats(1, "user:1", "Press", HOUSE, (1, 2)))
        hall.settle(outcome)
        (block,) = (event.block for event in outcome.events)
        released = hall.do(UnblockSeats(1, block.id, "user:1"))
        for decision in (outcome, released):
            assert [view.seat_id for view in decision.changes[0].views] == [1, 2]

    def test_nobody_without_access_can_have_them(self, hall: Hall) -> None:
        hall.block(4, 5)
        hall.block(6, kind=KILL)
        hall.block(7, kind=CHANNEL, channel="press")
        for attempt in (
            HoldSeats(1, "user:7", (3, 4)),
            HoldSeats(1, "user:7", (4,), access=(PRESS,)),
            HoldSeats(1, "user:7", (6,), access=(HOUSE, PRESS, KILL)),
            HoldSeats(1, "user:7", (7,), access=(channel_key("fans"),)),
            ToggleSeats(1, "user:7", (4, 5)),
            SellSeats(1, "user:7", (4,), "user:1"),
        ):
            with pytest.raises(SeatsUnavailable):
                hall.do(attempt)
        assert hall.seen(3) == "available"

    def test_a_refusal_says_which_seats_are_only_kept_back(self, hall: Hall) -> None:
        hall.block(4)
        hall.sell("user:8", 5)
        with pytest.raises(SeatsUnavailable, match="kept back") as refusal:
            hall.hold("user:7", 4, 5)
        assert (refusal.value.booked, refusal.value.blocked) == ((4, 5), (4,))

    def test_takes_no_seat_that_somebody_has(self, hall: Hall) -> None:
        hall.hold("user:7", 1)
        hall.sell("user:8", 2)
        hall.block(3)
        booking = hall.book("user:9", 4)
        with pytest.raises(SeatsUnavailable) as refusal:
            hall.do(BlockSeats(1, "user:7", "More", KILL, (1, 2, 3, 4, 5)))
        assert (refusal.value.held, refusal.value.booked) == ((1, 4), (2, 3))
        assert refusal.value.blocked == (3,)
        assert hall.seen(5) == "available"
        hall.settle(booking)

    def test_each_change_has_the_next_number(self, hall: Hall) -> None:
        seq = hall.screening.position[1]
        (blocked,) = hall.do(BlockSeats(1, "user:1", "Press", HOUSE, (4,))).events
        assert (blocked.seq, hall.screening.position[1]) == (seq + 1, seq + 1)
        (freed,) = hall.do(UnblockSeats(1, blocked.block.id, "user:1")).events  # type: ignore[union-attr]
        assert (freed.seq, hall.screening.position[1]) == (seq + 2, seq + 2)

    def test_an_unknown_seat_is_refused(self, hall: Hall) -> None:
        with pytest.raises(SeatsNotFound):
            hall.do(BlockSeats(1, "user:1", "None", HOUSE, (99,)))

    def test_after_the_beginning_there_is_nothing_to_keep_back(self, hall: Hall) -> None:
        hall.now = NOW + 86_400
        with pytest.raises(ScreeningStarted):
            hall.do(BlockSeats(1, "user:1", "Late", HOUSE, (1,)))

    def test_their_number_is_limited(self) -> None:
        hall = Hall(BLOCKS_LIMIT + 1)
        for seat_id in range(1, BLOCKS_LIMIT + 1):
            hall.block(seat_id)
        with pytest.raises(BlockLimitReached):
            hall.block(BLOCKS_LIMIT + 1)

    def test_the_list_tells_who_has_the_seats(self, hall: Hall) -> None:
        block = hall.block(4, 5, 6)
        hall.settle(hall.do(SellSeats(1, "user:7", (5,), "user:1", access=(HOUSE,))))
        hall.do(HoldSeats(1, "user:7", (6,), access=(HOUSE,)))
        assert levels_of(hall) == [BlockLevel(block, kept=1, sold=1)]

    def test_a_block_that_the_database_rejects_is_a_defect(self, hall: Hall) -> None:
        outcome = hall.do(BlockSeats(1, "user:1", "Press", HOUSE, (4, 5)))
        with pytest.raises(NotBlocked):
            hall.abort(outcome)


class TestAccess:
    def test_who_has_access_holds_and_buys_them_together_with_free_seats(self, hall: Hall) -> None:
        hall.block(4, 5, kind=CHANNEL, channel="press")
        outcome = hall.do(HoldSeats(1, "user:7", (3, 4), access=(PRESS,)))
        assert [hold.seat_id for hold in outcome.reply.holds] == [3, 4]
        assert outcome.changes[0].available == stock_of(hall).available == 17
        hall.sell("user:7", 3, 4)
        assert hall.map().views[4] == SeatView(4, "booked", "user:7")
        assert hall.map().views[5].blocked

    def test_a_hold_that_ends_returns_to_the_block(self, hall: Hall) -> None:
        hall.block(4, 5, kind=CHANNEL, channel="press")
        hall.do(HoldSeats(1, "user:7", (4, 5, 6), access=(PRESS,)))
        released = hall.release("user:7", 4, 6)
        assert {view.seat_id: (view.status, view.blocked) for view in released.changes[0].views} == {
            4: ("booked", True),
            6: ("available", False),
        }
        assert released.changes[0].available == 18
        hall.now = NOW + 301
        lapsed = hall.screening.handle(ReleaseLapsed(1), hall.now)
        assert lapsed.changes[0].views == (view_of_kept(5, PRESS),)
        with pytest.raises(SeatsUnavailable):
            hall.hold("user:8", 5)

    def test_a_ticket_that_is_cancelled_returns_to_the_block(self, hall: Hall) -> None:
        hall.block(4)
        booking = hall.do(SellSeats(1, "user:7", (4,), "user:1", access=(HOUSE,)))
        hall.settle(booking)
        ticket = booking.reply.tickets[0]
        cancelled = hall.settle(hall.do(CancelTicket(1, "user:7", ticket.id, 4)))
        assert cancelled.changes[0].views == (view_of_kept(4, HOUSE),)
        assert stock_of(hall).available == 19

    def test_a_sale_that_the_database_rejects_returns_to_the_block(self, hall: Hall) -> None:
        hall.block(4)
        outcome = hall.do(SellSeats(1, "user:7", (4,), "user:1", access=(HOUSE,)))
        assert hall.seen(4) == "reserved"
        assert hall.abort(outcome).changes[0].views == (view_of_kept(4, HOUSE),)

    def test_a_toggle_takes_and_gives_back(self, hall: Hall) -> None:
        hall.block(4, kind=CHANNEL, channel="press")
        hall.do(ToggleSeats(1, "user:7", (4,), access=(PRESS,)))
        assert hall.map().views[4].holder == "user:7"
        hall.do(ToggleSeats(1, "user:7", (4,)))
        assert hall.map().views[4].blocked

    def test_a_command_that_is_refused_for_another_reason_leaves_them_kept_back(self, hall: Hall) -> None:
        hall.block(*range(1, 13), kind=CHANNEL, channel="press")
        before = hall.map()
        with pytest.raises(HoldLimitExceeded):
            hall.do(HoldSeats(1, "user:7", tuple(range(1, 13)), access=(PRESS,)))
        assert hall.map() is before
        assert stock_of(hall).available == 8

    def test_access_gives_nobody_the_seats_of_others(self, hall: Hall) -> None:
        hall.block(4, 5, kind=CHANNEL, channel="press")
        hall.do(HoldSeats(1, "user:7", (4,), access=(PRESS,)))
        with pytest.raises(SeatsUnavailable) as refusal:
            hall.do(HoldSeats(1, "user:8", (4, 5), access=(PRESS,)))
        assert (refusal.value.held, refusal.value.booked) == ((4,), ())
        assert hall.map().views[5].blocked


class TestTicketTypes:
    @pytest.fixture
    def event(self) -> Hall:
        types = {kind: TicketType(kind, 1000, 4, 4) for kind in (STANDING, STANDING + 1)}
        return Hall(0, ticket_types=types, seated=False)

    def test_are_kept_back_as_far_as_they_are_free(self, event: Hall) -> None:
        with pytest.raises(TicketTypeNotFound):
            event.block(ticket_type_id=99, quantity=1)
        with pytest.raises(NotEnoughTickets) as refusal:
            event.block(ticket_type_id=STANDING, quantity=5)
        error = refusal.value
        assert (error.ticket_type_id, error.requested, error.available) == (STANDING, 5, 4)
        event.block(ticket_type_id=STANDING, quantity=4)
        assert stock_of(event).ticket_types[STANDING].available == 0

    def test_of_several_types_are_taken_from_their_blocks_in_one_order(self, event: Hall) -> None:
        for kind in (STANDING, STANDING + 1):
            event.block(ticket_type_id=kind, quantity=4)
        orders = (PlaceOrder(STANDING, 2), PlaceOrder(STANDING + 1, 1), PlaceOrder(STANDING, 1))
        event.do(HoldPlaces(1, "user:7", orders, 60.0, access=(HOUSE,)))
        assert [level.kept for level in levels_of(event)] == [1, 3]
        with pytest.raises(NotEnoughTickets) as refusal:
            event.do(HoldPlaces(1, "user:8", (PlaceOrder(STANDING, 2),), 60.0, access=(HOUSE,)))
        assert refusal.value.available == 1
        event.do(HoldPlaces(1, "user:8", (PlaceOrder(STANDING, 1),), 60.0, access=(HOUSE,)))
        assert [level.kept for level in levels_of(event)] == [0, 3]


class TestUnblocking:
    def test_by_hand_frees_what_nobody_has(self, hall: Hall) -> None:
        block = hall.block(4, 5, 6)
        hall.do(HoldSeats(1, "user:7", (5,), access=(HOUSE,)))
        outcome = hall.do(UnblockSeats(1, block.id, "user:1"))
        assert outcome.changes[0].views == (SeatView(4, "available"), SeatView(6, "available"))
        hall.settle(outcome)
        hall.release("user:7")
        assert hall.seen(5) == "available"
        assert stock_of(hall).available == 20
        assert levels_of(hall) == []
        with pytest.raises(BlockNotFound):
            hall.do(UnblockSeats(1, block.id, "user:1"))

    def test_some_seats_of_a_block(self, hall: Hall) -> None:
        block = hall.block(4, 5, 6)
        event = hall.do(UnblockSeats(1, block.id, "user:1", (5, 7))).events[0]
        assert isinstance(event, SeatsUnblocked)
        assert (event.seat_ids, event.block.seat_ids) == ((5,), (4, 6))
        assert [hall.seen(seat_id) for seat_id in (4, 5, 6, 7)] == [
            "booked",
            "available",
            "booked",
            "available",
        ]

    def test_at_its_time(self, hall: Hall) -> None:
        hall.block(4, release_at=NOW + 60)
        hall.block(5, release_at=NOW + 90)
        assert hall.screening.next_deadline == NOW + 60
        hall.now = NOW + 60
        outcome = hall.screening.handle(ReleaseLapsed(1), hall.now)
        assert [(event.actor, event.seat_ids) for event in outcome.events] == [(SYSTEM, (4,))]
        assert outcome.changes[0].views == (SeatView(4, "available"),)
        assert hall.screening.next_deadline == NOW + 90
        assert hall.hold("user:7", 4)

    def test_a_step_of_the_clock_does_not_move_it(self, hall: Hall) -> None:
        hall.hold("user:7", 1)
        hall.block(4, release_at=NOW + 400)
        hall.now += 200
        hall.screening.move_deadlines(200, hall.now)
        hall.now = NOW + 400
        outcome = hall.screening.handle(ReleaseLapsed(1), hall.now)
        assert [event.kind for event in outcome.events] == ["seats_unblocked"]

    def test_released_by_hand_before_its_time(self, hall: Hall) -> None:
        block = hall.block(4, release_at=NOW + 60)
        hall.do(UnblockSeats(1, block.id, "user:1"))
        assert hall.screening.next_deadline == inf

    def test_a_cancelled_screening_has_none(self, hall: Hall) -> None:
        hall.block(4, release_at=NOW + 60)
        hall.hold("user:7", 1)
        outcome = hall.do(CancelScreening(1, "user:1"))
        assert [event.kind for event in outcome.events] == ["holds_released", "seats_unblocked"]
        hall.now += 60
        assert hall.screening.handle(ReleaseLapsed(1), hall.now).events == ()


class TestLoading:
    def test_blocks_come_back_around_what_is_held_and_sold(self, hall: Hall) -> None:
        block = hall.block(4, 5, 6, release_at=NOW + 600)
        hall.do(HoldSeats(1, "user:7", (5,), access=(HOUSE,)))
        (hold,) = hall.hold("user:7", 5).reply.holds
        again = Hall(epoch=2, holds=[hold], blocks=[block])
        assert [again.map().views[seat_id].blocked for seat_id in (4, 5, 6)] == [True, False, True]
        assert stock_of(again).available == 17
        again.release("user:7")
        assert again.map().views[5].blocked
        again.now = NOW + 600
        again.screening.handle(ReleaseLapsed(1), again.now)
        assert stock_of(again).available == 20

    def test_a_seat_that_the_room_does_not_have_any_more_is_left_out(self, hall: Hall) -> None:
        block = hall.block(1, 4, 20, kind=KILL)
        smaller = Hall(seats=10, blocks=[block])
        assert stock_of(smaller).available == 8
        assert set(smaller.map().views) == {1, 4}


class TestPlaces:
    @pytest.fixture
    def event(self) -> Hall:
        return Hall(0, ticket_types={STANDING: TicketType(STANDING, 2000, 10, 6)})

    def order(self, event: Hall, quantity: int, *access: str) -> tuple[int, ...]:
        command = HoldPlaces(1, "user:7", (PlaceOrder(STANDING, quantity),), 300.0, access=access)
        return tuple(hold.seat_id for hold in event.do(command).reply.reservations[0])

    def test_blocked_places_are_not_available(self, event: Hall) -> None:
        event.block(kind=CHANNEL, channel="press", ticket_type_id=STANDING, quantity=8)
        stock = stock_of(event)
        level = stock.ticket_types[STANDING]
        assert (level.total, level.reserved, level.blocked, level.available) == (10, 0, 8, 2)
        assert stock.available == 2
        with pytest.raises(NotEnoughTickets) as refusal:
            self.order(event, 3)
        assert refusal.value.available == 2

    def test_more_than_there_are_cannot_be_blocked(self, event: Hall) -> None:
        self.order(event, 3)
        with pytest.raises(NotEnoughTickets):
            event.block(ticket_type_id=STANDING, quantity=8)

    def test_an_order_with_access_takes_places_of_the_block_first(self, event: Hall) -> None:
        self.order(event, 1)
        block = event.block(kind=CHANNEL, channel="press", ticket_type_id=STANDING, quantity=4)
        taken = self.order(event, 3, PRESS)
        assert set(taken) < set(block.seat_ids)
        level = stock_of(event).ticket_types[STANDING]
        assert (level.blocked, level.reserved, level.available) == (1, 4, 5)

    @pytest.mark.parametrize("quantities", [(1,), (1, 2), (4,)])
    def test_watchers_are_told_how_many_are_left(self, event: Hall, quantities: tuple[int, ...]) -> None:
        event.block(kind=CHANNEL, channel="press", ticket_type_id=STANDING, quantity=2)
        event.block(kind=CHANNEL, channel="press", ticket_type_id=STANDING, quantity=3)
        orders = tuple(PlaceOrder(STANDING, quantity) for quantity in quantities)
        held = event.do(HoldPlaces(1, "user:7", orders, 300.0, access=(PRESS,)))
        assert held.changes[0].available == stock_of(event).available == 5

    def test_an_order_may_be_larger_than_the_block(self, event: Hall) -> None:
        block = event.block(kind=CHANNEL, channel="press", ticket_type_id=STANDING, quantity=2)
        assert set(block.seat_ids) < set(self.order(event, 5, PRESS))
        level = stock_of(event).ticket_types[STANDING]
        assert (level.blocked, level.reserved, level.available) == (0, 5, 5)

    def test_places_that_were_taken_from_a_block_before_are_taken_once(self, event: Hall) -> None:
        event.block(kind=CHANNEL, channel="press", ticket_type_id=STANDING, quantity=4)
        self.order(event, 2, PRESS)
        event.now += 301
        assert len(set(self.order(event, 3, PRESS))) == 3

    def test_two_orders_share_the_block(self, event: Hall) -> None:
        event.block(kind=CHANNEL, channel="press", ticket_type_id=STANDING, quantity=4)
        orders = (PlaceOrder(STANDING, 3), PlaceOrder(STANDING, 2))
        made = event.do(HoldPlaces(1, "user:7", orders, 300.0, access=(PRESS,))).reply.reservations
        assert len({hold.seat_id for holds in made for hold in holds}) == 5
        level = stock_of(event).ticket_types[STANDING]
        assert (level.blocked, level.reserved, level.available) == (0, 5, 5)

    def test_they_return_to_the_block_and_are_released(self, event: Hall) -> None:
        block = event.block(kind=CHANNEL, channel="press", ticket_type_id=STANDING, quantity=4)
        self.order(event, 3, PRESS)
        event.now += 301
        assert stock_of(event).ticket_types[STANDING].blocked == 4
        event.do(UnblockSeats(1, block.id, "user:1"))
        assert stock_of(event).ticket_types[STANDING].available == 10
        assert len(set(self.order(event, 6))) == 6
