"""Limits for guests of one address, and for holders who keep holding the same seats again."""

from sys import getrefcount

import pytest

from engine import hold_lives
from engine.commands import (
    CancelTicket,
    ExtendHolds,
    HoldPlaces,
    HoldSeats,
    PlaceOrder,
    ReleaseHolds,
    ReleaseLapsed,
    ToggleSeats,
)
from engine.places import named_seat_id
from engine.policy import Policy
from engine.records import Hold
from engine.screening_state import Decision
from engine.selling_errors import ExtensionLimitReached, GuestLimitExceeded, HoldLifeSpent
from tests.engine.conftest import NOW, Hall, make_info, make_layout
from tests.engine.house import House
from tests.engine.test_places import STANDING, Event

HERE, THERE = "192.0.2.1", "192.0.2.2"
MINUTE = 60.0


class Venue(Hall):
    """A hall in which the guests of one network may hold four seats."""

    def __init__(self, **policy: float) -> None:
        super().__init__(20, Policy(guest_seats_limit=4, **policy))

    def take(self, guest: str, *seat_ids: int, network: str | None = HERE) -> Decision:
        return self.do(HoldSeats(1, f"client:{guest}", seat_ids, guest_network=network))


def test_guests_of_one_network_share_a_cap() -> None:
    venue = Venue()
    venue.take("a", 1, 2)
    venue.take("b", 3)

    with pytest.raises(GuestLimitExceeded) as refusal:
        venue.take("c", 4, 5)

    assert (refusal.value.limit, refusal.value.held, refusal.value.requested) == (4, 3, 2)
    assert venue.seen(4) == venue.seen(5) == "available"
    venue.take("c", 4)
    venue.take("d", 5, 6, 7, 8, network=THERE)


def test_seats_that_guests_toggle_are_counted_and_those_they_give_back_are_not() -> None:
    venue = Venue()
    venue.do(ToggleSeats(1, "client:a", (1, 2, 3), HERE))

    with pytest.raises(GuestLimitExceeded):
        venue.do(ToggleSeats(1, "client:b", (4, 5), HERE))

    venue.do(ToggleSeats(1, "client:a", (3, 4, 5), HERE))
    with pytest.raises(GuestLimitExceeded):
        venue.take("c", 6)


def test_users_are_not_counted_on_the_network_they_come_from() -> None:
    venue = Venue()
    venue.take("a", 1, 2, 3, 4)

    venue.do(HoldSeats(1, "user:7", (5, 6)))

    assert venue.seen(5) == "reserved"


@pytest.mark.parametrize("way", ["released", "expired", "sold"])
def test_seats_that_are_no_longer_held_are_not_counted(way: str) -> None:
    venue = Venue()
    venue.take("a", 1, 2, 3, 4)

    if way == "released":
        venue.release("client:a")
    elif way == "expired":
        venue.now += 5 * MINUTE
    else:
        venue.sell("client:a", 1, 2, 3, 4)

    venue.take("b", 5, 6, 7, 8)


def test_a_guest_counts_for_the_network_it_came_from_last() -> None:
    venue = Venue()
    venue.take("a", 1, 2, 3)
    venue.take("a", 4, network=THERE)

    venue.take("b", 5, 6, 7, 8)
    with pytest.raises(GuestLimitExceeded):
        venue.take("c", 9, network=THERE)


def test_moving_does_not_lift_a_guest_over_the_cap() -> None:
    venue = Venue()
    venue.take("a", 1, 2, 3, 4)

    with pytest.raises(GuestLimitExceeded):
        venue.take("a", 5, network=THERE)


def test_guests_without_holds_are_forgotten() -> None:
    venue = Venue()
    for number in range(100):
        venue.take(f"guest-{number}", 1, network=f"192.0.2.{number}")
        venue.release(f"client:guest-{number}")

    unpaid = venue.screening._state.seats.unpaid
    assert not unpaid
    assert not unpaid._guests
    assert not unpaid._networks


def test_tickets_by_quantity_have_the_same_cap() -> None:
    event = Event(standing=100, guest_seats_limit=8)

    def order(session: str, quantity: int) -> Decision:
        return event.do(HoldPlaces(1, session, (PlaceOrder(STANDING, quantity),), 600.0, guest_network=HERE))

    order("session:first", 6)
    with pytest.raises(GuestLimitExceeded):
        order("session:second", 3)
    order("session:second", 2)


# Releasing and taking again


def test_a_seat_that_is_released_and_taken_again_goes_on_with_its_life() -> None:
    venue = Venue(hold_seconds=300.0, hold_life_seconds=1800.0)
    for _ in range(7):
        venue.take("a", 1)
        venue.now += 4 * MINUTE
        venue.release("client:a", 1)

    (hold,) = venue.take("a", 1).reply.holds

    assert hold.expires_at == NOW + 1800.0
    venue.now += 2 * MINUTE
    with pytest.raises(HoldLifeSpent) as refusal:
        venue.take("a", 1)
    assert refusal.value.retry_after_seconds == 1800
    assert venue.take("b", 1).reply.holds


def test_a_seat_that_is_taken_again_whenever_it_expires_goes_on_with_its_life() -> None:
    venue = Venue(hold_seconds=300.0, hold_life_seconds=900.0)
    for _ in range(3):
        venue.take("a", 1)
        venue.now += 5 * MINUTE

    with pytest.raises(HoldLifeSpent):
        venue.take("a", 1)


def test_toggling_does_not_start_a_new_life() -> None:
    venue = Venue(hold_seconds=300.0, hold_life_seconds=900.0)
    for _ in range(3):
        venue.do(ToggleSeats(1, "user:7", (1,)))
        venue.now += 4 * MINUTE
        venue.do(ToggleSeats(1, "user:7", (1,)))
        venue.now += MINUTE

    with pytest.raises(HoldLifeSpent):
        venue.do(ToggleSeats(1, "user:7", (1,)))


def test_extensions_end_with_the_life_that_began_before_a_release() -> None:
    venue = Venue(hold_seconds=300.0, hold_life_seconds=900.0)
    venue.take("a", 1)
    venue.now += 4 * MINUTE
    venue.release("client:a", 1)
    venue.take("a", 1)

    venue.do(ExtendHolds(1, "client:a", (1,), 6 * MINUTE))
    with pytest.raises(ExtensionLimitReached):
        venue.do(ExtendHolds(1, "client:a", (1,), MINUTE))


@pytest.mark.parametrize("way", ["lapses", "cancelled"])
def test_a_ticket_that_is_not_paid_for_counts_as_a_hold(way: str) -> None:
    venue = Venue(hold_life_seconds=1800.0, payment_window_seconds=900.0)
    for _ in range(2):
        booked = venue.book("user:7", 1, payment_pending=True)
        venue.settle(booked)
        venue.now += 15 * MINUTE
        if way == "lapses":
            venue.settle(venue.screening.handle(ReleaseLapsed(1), venue.now))
        else:
            venue.now -= 1.0
            (ticket,) = booked.reply.tickets
            venue.settle(venue.do(CancelTicket(1, "user:7", ticket.id, 1)))
            venue.now += 1.0

    with pytest.raises(HoldLifeSpent):
        venue.book("user:7", 1, payment_pending=True)
    with pytest.raises(HoldLifeSpent):
        venue.do(HoldSeats(1, "user:7", (1,)))
    venue.sell("user:7", 1, payment_id="paid")


def test_whoever_leaves_a_seat_alone_for_a_life_starts_afresh() -> None:
    venue = Venue(hold_seconds=300.0, hold_life_seconds=900.0)
    for _ in range(3):
        venue.take("a", 1)
        venue.now += 5 * MINUTE
    venue.now += 15 * MINUTE

    (hold,) = venue.take("a", 1).reply.holds

    assert hold.expires_at == venue.now + 300.0


def test_each_seat_has_its_own_life() -> None:
    venue = Venue(hold_seconds=300.0, hold_life_seconds=300.0)
    venue.take("a", 1)
    venue.now += 5 * MINUTE

    assert venue.take("a", 2).reply.holds


def test_a_hold_of_several_seats_ends_with_the_shortest_life() -> None:
    venue = Venue(hold_seconds=300.0, hold_life_seconds=900.0)
    venue.take("b", 2)
    venue.release("client:b")
    for _ in range(3):
        venue.take("a", 1)
        venue.now += 4 * MINUTE
        venue.release("client:a")
    for others in ((3,), (2,)):
        (*_, hold) = venue.take("a", *others, 1).reply.holds
        assert hold.expires_at == NOW + 900.0
        venue.release("client:a")


def test_tickets_of_a_type_go_on_with_their_life_whatever_place_they_are() -> None:
    event = Event(standing=100, hold_life_seconds=1200.0)
    first = event.reserve("session:guest", 2)
    event.now += 9 * MINUTE
    event.do(ReleaseHolds(1, "session:guest", None, first))
    event.reserve("session:other", 2)

    reservation = event.order("session:guest", 2, seconds=900.0).reply.reservations[0]

    assert reservation[0].expires_at == NOW + 1200.0
    event.now += 11 * MINUTE
    with pytest.raises(HoldLifeSpent):
        event.reserve("session:guest", 1)


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold_lives, "REMEMBERED_LIMIT", 5)
    venue = Venue()
    for number in range(200):
        venue.take(f"guest-{number}", 1)
        venue.release(f"client:guest-{number}", 1)

    assert len(venue.screening._state.lives) <= 65


def test_the_memory_of_one_holder_is_bounded() -> None:
    """In a free room a guest may select seats under any number of names."""
    room = Hall(0, free_seats=2)
    for number in range(hold_lives.REMEMBERED_LIMIT + 500):
        seat_id = named_seat_id(f"S{number}")
        room.hold("client:a", seat_id)
        room.release("client:a", seat_id)

    assert 1 < len(room.screening._state.lives) <= hold_lives.REMEMBERED_LIMIT


def test_seats_that_were_left_first_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold_lives, "REMEMBERED_LIMIT", 100)
    room = Hall(0, Policy(hold_seconds=300.0, hold_life_seconds=300.0), free_seats=2)
    for number in range(200):
        room.hold("client:a", named_seat_id(f"S{number}"))
        room.now += 1.0
        room.release("client:a", named_seat_id(f"S{number}"))
    room.now += 299.0

    assert room.hold("client:a", named_seat_id("S0")).reply.holds
    room.release("client:a")
    with pytest.raises(HoldLifeSpent):
        room.hold("client:a", named_seat_id("S199"))


def test_a_seat_that_somebody_else_has_held_starts_afresh() -> None:
    venue = Venue(hold_seconds=300.0, hold_life_seconds=300.0)
    venue.take("a", 1)
    venue.now += 5 * MINUTE
    with pytest.raises(HoldLifeSpent):
        venue.take("a", 1)
    venue.take("b", 1)
    venue.release("client:b", 1)

    assert venue.take("a", 1).reply.holds


def test_notes_are_not_remembered() -> None:
    lives = hold_lives.HoldLives(1800.0, by_ticket_type=False)
    note = str(NOW) * 100
    before = getrefcount(note)
    lives.ended((Hold(1, 1, 1, 7, "client:a", NOW, NOW + 300.0, 0, note),), NOW)

    assert len(lives) == 1
    assert getrefcount(note) == before


def test_what_is_too_long_ago_is_forgotten() -> None:
    venue = Venue()
    for _ in range(20):
        for number in range(100):
            venue.take(f"guest-{number}-{venue.now}", 1)
            venue.release(f"client:guest-{number}-{venue.now}", 1)
        venue.now += 1800.0

    assert len(venue.screening._state.lives) < 400


# Changing what a screening is


async def changed(house: House) -> None:
    async def write() -> None:
        house.database.add_screening(make_info(1)._replace(price_cents=999), make_layout())

    await house.screenings.change(1, write)


@pytest.mark.gen_test
async def test_a_change_of_the_screening_lets_no_guest_hold_more() -> None:
    house = House(policy=Policy(guest_seats_limit=4))
    await house.screenings.ask(HoldSeats(1, "client:a", (1, 2, 3, 4), guest_network=HERE))
    await house.screenings.ask(HoldSeats(1, "client:c", (9,), guest_network=THERE))

    await changed(house)

    with pytest.raises(GuestLimitExceeded):
        await house.screenings.ask(HoldSeats(1, "client:b", (5,), guest_network=HERE))
    await house.screenings.ask(HoldSeats(1, "client:b", (5, 6, 7), guest_network=THERE))


@pytest.mark.gen_test
@pytest.mark.parametrize("fails", [False, True])
async def test_a_change_of_the_screening_starts_no_new_life(fails: bool) -> None:
    house = House(policy=Policy(hold_seconds=300.0, hold_life_seconds=900.0))
    for other_seat in (2, 3, 4):
        await house.hold("user:7", 1)
        house.clock.advance(4 * MINUTE)
        await house.hold("user:8", other_seat)
        if fails:
            with pytest.raises(ZeroDivisionError):
                await house.screenings.change(1, broken)
        else:
            await changed(house)
        await house.screenings.ask(ReleaseHolds(1, "user:7", (1,)))
        house.clock.advance(2 * MINUTE)

    with pytest.raises(HoldLifeSpent):
        await house.hold("user:7", 1)


async def broken() -> None:
    raise ZeroDivisionError
