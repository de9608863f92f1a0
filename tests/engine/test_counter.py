"""Administrators hold places, seats of blocks and seats of somebody else for a customer."""

from collections.abc import Sequence

import pytest

from engine.commands import HoldPlaces, HoldSeatsFor, JoinWaitlist, PlaceOrder, ReadStock, ReleaseHolds
from engine.events import SeatsHeldFor
from engine.policy import Policy
from engine.records import CHANNEL, HOUSE, Hold, TicketType, channel_key
from engine.rule_errors import PersonLimitExceeded
from engine.selling_errors import (
    HoldLimitExceeded,
    NotEnoughTickets,
    RoomFull,
    SeatsUnavailable,
    TicketTypeNotFound,
)
from engine.waitlist_records import WaitlistChanged
from tests.engine.conftest import NOW, Hall

BOSS, ADA, BEN = "user:1", "user:7", "user:8"
STANDING = 3
PRESS = channel_key("press")


def event_of(places: int, **policy: float) -> Hall:
    kind = TicketType(STANDING, 2000, places, 2, max_per_user=3)
    return Hall(0, Policy(**policy), ticket_types={STANDING: kind}, seated=False)  # type: ignore[arg-type]


def held_for(
    hall: Hall, holder: str, quantity: int, kind: int = STANDING, **options: object
) -> Sequence[Hold]:
    """Hold places for a customer."""
    command = HoldSeatsFor(1, holder, (), BOSS, order=PlaceOrder(kind, quantity), **options)  # type: ignore[arg-type]
    return hall.do(command).reply.holds  # type: ignore[union-attr]


def free(hall: Hall) -> int:
    return hall.do(ReadStock(1)).reply.ticket_types[STANDING].available  # type: ignore[union-attr]


class TestPlaces:
    def test_are_held_as_one_reservation_at_the_price_of_their_type(self) -> None:
        hall = event_of(4)
        command = HoldSeatsFor(1, ADA, (), BOSS, note="counter", order=PlaceOrder(STANDING, 3))
        decision = hall.do(command)
        (event,) = decision.events
        assert isinstance(event, SeatsHeldFor)
        assert (event.actor, decision.changes) == (BOSS, (event,))
        holds = decision.reply.holds  # type: ignore[union-attr]
        assert holds == event.holds
        assert {hold[4:] for hold in holds} == {(ADA, NOW, NOW + 300, 0, None, 2000)}
        assert {hold.reservation_id for hold in holds} == {holds[0].id}
        assert len(held_for(hall, BEN, 1)) == 1 and free(hall) == 0

    def test_are_not_held_beyond_what_is_free(self) -> None:
        hall = event_of(2)
        with pytest.raises(TicketTypeNotFound):
            held_for(hall, ADA, 1, kind=99)
        with pytest.raises(NotEnoughTickets) as refusal:
            held_for(hall, ADA, 3)
        assert (refusal.value.requested, refusal.value.available) == (3, 2)
        held_for(hall, ADA, 2)

    def test_that_a_limit_refuses_are_the_next_again(self) -> None:
        hall, other = (event_of(10, held_seats_limit=4) for _ in range(2))
        with pytest.raises(PersonLimitExceeded):
            held_for(hall, ADA, 4)
        with pytest.raises(HoldLimitExceeded):
            held_for(hall, ADA, 5, beyond_limit=True)
        assert free(hall) == 10
        seats = [hold.seat_id for hold in held_for(hall, ADA, 4, beyond_limit=True)]
        assert seats == [hold.seat_id for hold in held_for(other, ADA, 4, beyond_limit=True)]

    def test_last_no_longer_than_any_hold_may(self) -> None:
        hall = event_of(4, hold_life_seconds=600.0)
        for at, expires_at in ((0, 300), (250, 550), (500, 600)):
            hall.now = NOW + at
            (hold,) = held_for(hall, ADA, 1)
            assert hold.expires_at == NOW + expires_at
            hall.do(ReleaseHolds(1, ADA, None, hold.reservation_id))

    def test_of_a_block_are_taken_first(self) -> None:
        hall = event_of(4)
        (kept,) = hall.block(ticket_type_id=STANDING, quantity=1, kind=CHANNEL, channel="press").seat_ids
        holds = held_for(hall, ADA, 2, access=(PRESS,))
        assert holds[0].seat_id == kept
        assert free(hall) == 2
        with pytest.raises(NotEnoughTickets):
            held_for(hall, BEN, 3, access=(PRESS,))
        hall.do(HoldPlaces(1, BEN, (PlaceOrder(STANDING, 2),), 60.0))


class TestSeats:
    def test_of_a_block_are_held_by_whoever_has_access(self, hall: Hall) -> None:
        hall.block(4, 5, kind=HOUSE)
        with pytest.raises(SeatsUnavailable):
            hall.do(HoldSeatsFor(1, ADA, (4,), BOSS))
        (hold,) = hall.do(HoldSeatsFor(1, ADA, (4,), BOSS, access=(HOUSE,))).reply.holds  # type: ignore[union-attr]
        assert (hold.holder, hold.extensions) == (ADA, 0)
        assert (hall.seen(4), hall.seen(5)) == ("reserved", "booked")

    def test_of_a_block_that_are_taken_over_stay_seats_of_the_block(self, hall: Hall) -> None:
        hall.block(4, kind=HOUSE)
        hall.do(HoldSeatsFor(1, ADA, (4,), BOSS, access=(HOUSE,)))
        (hold,) = hall.do(HoldSeatsFor(1, BEN, (4,), BOSS, ADA)).reply.holds  # type: ignore[union-attr]
        assert (hold.holder, hall.seen(4)) == (BEN, "reserved")
        hall.release(BEN)
        assert hall.seen(4) == "booked", "it is kept back again"

    def test_that_the_holder_has_stay_as_they_are(self, hall: Hall) -> None:
        held = hall.hold(ADA, 1).reply.holds
        hall.now += 60
        decision = hall.do(HoldSeatsFor(1, ADA, (1,), BOSS, ADA))
        assert (decision.reply.holds, decision.events) == (held, ())  # type: ignore[union-attr]

    def test_of_somebody_else_are_taken_over_though_no_other_seat_is_free(self) -> None:
        hall, room = Hall(2), Hall(0, free_seats=2)
        for screening, seats in ((hall, (1, 2)), (room, (-5, -6))):
            screening.hold(ADA, *seats)
            holds = screening.do(HoldSeatsFor(1, BEN, seats, BOSS, ADA)).reply.holds  # type: ignore[union-attr]
            assert {hold.holder for hold in holds} == {BEN}
        with pytest.raises(RoomFull):
            room.do(HoldSeatsFor(1, BEN, (-5, -7), BOSS, ADA))

    def test_that_were_offered_and_are_taken_over_end_the_offer(self) -> None:
        hall = Hall(1)
        hall.hold(BEN, 1)
        hall.do(JoinWaitlist(1, ADA, 1))
        hall.release(BEN)
        decision = hall.do(HoldSeatsFor(1, BEN, (1,), BOSS, ADA))
        (changed,) = (event for event in decision.events if isinstance(event, WaitlistChanged))
        assert [(entry.holder, entry.status.value) for entry in changed.entries] == [(ADA, "declined")]
        assert hall.map().views[1].holder == BEN
