"""All fields of holds of several kinds."""

import pytest

from engine.commands import (
    Command,
    ExtendHolds,
    HoldPlaces,
    HoldSeats,
    PlaceOrder,
    ReadReservation,
    ReleaseLapsed,
    ToggleSeats,
)
from engine.events import SYSTEM
from engine.places import place_id
from engine.policy import Policy
from engine.records import Hold, TicketType
from engine.replies import Lapsed
from engine.selling_errors import HoldLimitExceeded, ScreeningNotFound, ScreeningStarted
from engine.views import SeatView
from tests.engine.conftest import NOW, Hall

ADA, BEN = "user:7", "user:8"
STANDING, BALCONY = 3, 4
SEAT_COMMANDS = [HoldSeats(1, ADA, (1,)), ToggleSeats(1, ADA, (1,)), ExtendHolds(1, ADA, (1,), 60)]


@pytest.fixture
def event() -> Hall:
    kinds = {STANDING: TicketType(STANDING, 1000, 10, 4), BALCONY: TicketType(BALCONY, 2000, 10, 4)}
    return Hall(0, ticket_types=kinds, seated=False)


def test_each_order_of_places_becomes_a_reservation(event: Hall) -> None:
    orders = (PlaceOrder(STANDING, 2), PlaceOrder(BALCONY, 1), PlaceOrder(STANDING, 1))
    held = event.do(HoldPlaces(1, ADA, orders, 60.0, "a note"))

    def hold(hold_id: int, reservation_id: int, seat_id: int, price_cents: int) -> Hold:
        return Hold(hold_id, reservation_id, 1, seat_id, ADA, NOW, NOW + 60, 0, "a note", price_cents)

    first = hold(1001, 1001, place_id(STANDING, 1), 1000), hold(1002, 1001, place_id(STANDING, 2), 1000)
    second, third = (
        hold(1003, 1003, place_id(BALCONY, 1), 2000),
        hold(1004, 1004, place_id(STANDING, 3), 1000),
    )
    assert held.reply.reservations == (first, (second,), (third,))
    (change,) = held.changes
    assert held.events == (change,)
    assert (change.holds, change.views) == ((*first, second, third), ())
    assert (change.available, change.capacity) == (16, 20)
    assert event.do(ReadReservation(1, ADA, 1001)).reply.holds == first
    assert event.do(ReadReservation(1, BEN, 1001)).reply.holds == ()
    assert event.do(HoldPlaces(1, BEN, orders[1:2], 60.0)).reply.reservations[0][0].id == 1005


def test_holds_and_unpaid_tickets_that_lapse_together_are_told_apart() -> None:
    hall = Hall()
    hall.hold(ADA, 1, 2)
    hall.hold(BEN, 3)
    hall.sell(ADA, 4, 5, payment_pending=True)
    hall.now = NOW + 1000
    lapsed = hall.screening.handle(ReleaseLapsed(1), hall.now)
    expired, tickets = lapsed.events
    assert lapsed.reply == Lapsed(5)
    assert {hold.seat_id for hold in expired.holds} == {1, 2, 3}
    assert (expired.actor, tickets.actor, lapsed.write_id) == (SYSTEM, SYSTEM, tickets.seq)
    assert {ticket.cancelled_at for ticket in tickets.tickets} == {hall.now}
    assert lapsed.changes == (expired,)
    assert (expired.available, hall.map().views[1]) == (18, SeatView(1, "available", previous_holder=ADA))


def test_a_toggle_tells_what_was_released_before_what_was_held() -> None:
    hall = Hall()
    (first,) = hall.hold(ADA, 1).reply.holds
    toggled = hall.do(ToggleSeats(1, ADA, (1, 2, 3)))
    released, held = toggled.events
    assert toggled.changes == (released, held)
    assert (released.seq + 1, held.seq) == (held.seq, hall.screening.position[1])
    assert (released.holds, released.available) == ((first,), 20)
    assert (held.seat_ids, held.available, held.prices_cents) == ((2, 3), 18, (1250, 1250))
    assert (toggled.reply.holding, toggled.reply.released) == (held, (first,))


def test_a_hold_is_reply_event_and_change_in_one() -> None:
    hall = Hall()
    held = hall.do(HoldSeats(1, ADA, (10, 2), "a note", "a page"))
    (event,) = held.events
    assert held.reply is event
    assert held.changes == (event,)
    assert (event.reservation_id, event.seat_ids, event.prices_cents) == (1001, (10, 2), (1599, 1250))
    assert (event.note, event.origin, event.expires_at) == ("a note", "a page", NOW + 300)
    assert (event.seq, event.available, event.capacity, event.stranded) == (1, 18, 20, ())


@pytest.mark.parametrize("command", SEAT_COMMANDS)
def test_an_event_by_quantity_has_no_seats_before_and_after_its_beginning(
    event: Hall, command: Command
) -> None:
    for now in (NOW, event.screening.info.starts_at):
        event.now = now
        with pytest.raises(ScreeningNotFound):
            event.do(command)


@pytest.mark.parametrize("command", SEAT_COMMANDS)
def test_nothing_is_held_longer_than_until_the_beginning(command: Command) -> None:
    hall = Hall(starts_at=NOW + 100)
    hall.hold(ADA, *([1] if isinstance(command, ExtendHolds) else [2]))
    hall.now = NOW + 100
    with pytest.raises(ScreeningStarted):
        hall.do(command)


def test_a_reservation_of_places_is_extended_as_a_whole(event: Hall) -> None:
    event.do(HoldPlaces(1, ADA, (PlaceOrder(STANDING, 2),), 60.0))
    extended = event.do(ExtendHolds(1, ADA, (), 30.0, reservation_id=1001))
    assert {(hold.expires_at, hold.extensions) for hold in extended.reply.holds} == {(NOW + 90, 1)}
    assert extended.changes[0].views == ()


def test_a_toggle_at_the_limit_needs_a_seat_in_exchange() -> None:
    hall = Hall()
    hall.hold(ADA, *range(1, 11))
    with pytest.raises(HoldLimitExceeded) as refusal:
        hall.do(ToggleSeats(1, ADA, (11,)))
    assert (refusal.value.held, refusal.value.requested) == (10, 1)
    assert hall.do(ToggleSeats(1, ADA, (1, 11))).reply.held[0].seat_id == 11


def test_a_step_of_the_clock_shows_in_the_seat_map() -> None:
    hall = Hall()
    hall.sell(ADA, 1, payment_pending=True)
    hall.hold(BEN, 2)
    before = {seat_id: hall.map().views[seat_id].expires_at for seat_id in (1, 2)}
    hall.screening.move_deadlines(5.0, NOW)
    assert {seat_id: hall.map().views[seat_id].expires_at for seat_id in (1, 2)} == {
        seat_id: expires_at + 5.0 for seat_id, expires_at in before.items() if expires_at is not None
    }


def test_a_step_of_the_clock_moves_holds_and_what_is_remembered_of_earlier_ones() -> None:
    hall = Hall(policy=Policy(hold_life_seconds=400))
    assert hall.screening.move_deadlines(5.0, NOW).events == ()
    hall.hold(ADA, 1)
    hall.now += 200
    hall.release(ADA)
    hall.hold(BEN, 2)
    hall.now += 10_000
    moved = hall.screening.move_deadlines(10_000, hall.now)
    (event,) = moved.events
    assert (moved.reply, moved.changes) == (event, (event,))
    assert [(hold.seat_id, hold.expires_at) for hold in event.holds] == [(2, hall.now + 300)]
    assert hall.hold(ADA, 1).reply.expires_at == hall.now + 200


def test_events_and_changes_are_numbered_one_after_the_other() -> None:
    hall = Hall()
    booking = hall.book(ADA, 1)
    assert [booking.events[0].seq, booking.changes[0].seq] == [1, 2]
    assert hall.settle(booking).changes[0].seq == 3
    assert hall.hold(ADA, 2).events[0].seq == 4


@pytest.mark.parametrize(("named", "held"), [((1, 1), (1,)), ((2, 1), (2, 1)), ((3, 1, 3), (3, 1))])
def test_a_seat_that_is_named_twice_is_held_once(named: tuple[int, ...], held: tuple[int, ...]) -> None:
    assert Hall().hold(ADA, *named).reply.seat_ids == held
