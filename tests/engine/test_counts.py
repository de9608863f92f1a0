"""Counters of a screening: changes by kind, live holds, and the hash of the public seat map."""

from engine.commands import (
    CancelTicket,
    ConfirmTicket,
    ExtendHolds,
    HoldPlaces,
    HoldSeatsFor,
    PlaceOrder,
    ReleaseLapsed,
    ToggleSeats,
)
from engine.records import TicketType
from engine.screening_state import Decision
from engine.state_hash import BOOKED, RESERVED, picture_hash, seat_hash, state_digest
from engine.views import StateHashed
from tests.engine.conftest import Hall, make_layout

ADA, STAFF = "user:7", "user:1"
STANDING = 3


def numbers(*outcomes: Decision) -> list[int]:
    """The numbers of all events and changes; a change that is an event has one number."""
    return [seq for each in outcomes for seq in sorted({one.seq for one in (*each.events, *each.changes)})]


def test_whatever_happens_takes_the_next_number(hall: Hall) -> None:
    outcomes = [
        hall.hold(ADA, 1, 2, 3),
        hall.do(ExtendHolds(1, ADA, (1,), 60.0)),
        hall.do(ToggleSeats(1, ADA, (2, 4))),
        hall.release(ADA, 3),
        hall.do(HoldSeatsFor(1, "user:8", (1,), STAFF, taken_from=ADA)),
        hall.screening.hash_for_watchers(hall.now),
        booking := hall.book(ADA, 4, 5),
        hall.settle(booking),
        refused := hall.book(ADA, 6),
        hall.abort(refused),
        cancellation := hall.do(CancelTicket(1, ADA, booking.reply.tickets[0].id, 4)),
        hall.settle(cancellation),
    ]
    hall.now += 1000
    outcomes.append(hall.screening.handle(ReleaseLapsed(1), hall.now))
    happened = numbers(*outcomes)
    assert happened == list(range(1, len(happened) + 1))
    assert hall.screening.position == (1, happened[-1])


def test_live_holds_are_counted_whatever_becomes_of_them(hall: Hall) -> None:
    def count() -> int:
        return hall.screening.figures(0, hall.now).held

    hall.hold(ADA, 1, 2, 3, 4)
    assert hall.screening.hold_count == 4
    hall.do(ToggleSeats(1, ADA, (4, 5, 6)))
    hall.do(HoldSeatsFor(1, "user:8", (7, 1), STAFF, taken_from=ADA))
    assert hall.screening.hold_count == 6
    booking = hall.book(ADA, 2, 3, 10)
    assert hall.screening.hold_count == 4
    hall.abort(booking)
    assert hall.screening.hold_count == 6
    hall.sell(ADA, 2, 3, 10)
    hall.release(ADA, 5)
    assert hall.screening.hold_count == count() == 3
    holds = tuple(hall.hold("user:9", 11, 12).reply.holds)
    assert Hall(epoch=2, holds=holds).screening.hold_count == 2
    hall.now += 1000
    hall.screening.handle(ReleaseLapsed(1), hall.now)
    assert hall.screening.hold_count == count() == 0


def test_held_places_are_counted_like_seats() -> None:
    event = Hall(0, ticket_types={STANDING: TicketType(STANDING, 2000, 10, 6)})
    reply = event.do(HoldPlaces(1, ADA, (PlaceOrder(STANDING, 2), PlaceOrder(STANDING, 3)), 300.0)).reply
    assert event.screening.hold_count == 5
    event.book(ADA, reservation_id=reply.reservations[1][0].reservation_id)
    assert event.screening.hold_count == 2


def test_the_hash_is_that_of_the_seats_as_others_see_them_meanwhile(hall: Hall) -> None:
    layout, codes = make_layout(), {"reserved": RESERVED, "booked": BOOKED}

    def check(number: int) -> None:
        (change,) = hall.screening.hash_for_watchers(hall.now).changes
        assert isinstance(change, StateHashed)
        seen = [
            (seat_id, codes[view.status])
            for seat_id, view in hall.map().views.items()
            if view.status in codes
        ]
        assert (change.hash, change.taken) == picture_hash(layout, seen)
        assert (change.taken, change.seq) == (number, hall.screening.position[1])
        assert hall.screening.hash_for_watchers(hall.now).changes == ()

    hall.hold(ADA, 1, 2)
    check(2)
    booking = hall.book(ADA, 2, 3)
    check(3)
    hall.settle(booking)
    check(3)
    (pending,) = hall.sell("user:8", 4, payment_pending=True).reply.tickets
    check(4)
    hall.do(CancelTicket(1, ADA, booking.reply.tickets[0].id, 2))
    confirmation = hall.do(ConfirmTicket(1, "user:8", pending.id, 4, "payment"))
    hall.hold("user:9", 5)
    check(5)
    hall.settle(confirmation)
    check(5)


def test_the_hash_of_a_picture_is_the_sum_of_what_its_seats_add() -> None:
    """The expected values are the examples of docs/websocket.md."""
    layout = make_layout()
    assert picture_hash(layout, []) == ("00000000", 0)
    assert picture_hash(layout, [(1, RESERVED)]) == ("bb704eb1", 1)
    assert picture_hash(layout, [(1, BOOKED)]) == ("f11953b3", 1)
    assert seat_hash(4294967297, RESERVED) == 0x9E695115
    assert seat_hash(9007199254740991, BOOKED) == 0xECB97E81
    three = [(3, RESERVED), (-5, BOOKED), (2, BOOKED), (1, RESERVED)]
    for _ in range(2):  # the second time with what is known by then
        assert picture_hash(layout, three) == ("94a6a323", 3), "places do not count"


def test_the_digest_of_a_state_is_a_signed_number_for_whatever_order() -> None:
    taken = [(seat_id, "held", f"user:{seat_id % 3}") for seat_id in range(1, 21)]
    digests = [state_digest(taken[:number]) for number in range(20)]
    assert digests == [state_digest(reversed(taken[:number])) for number in range(20)]
    assert len(set(digests)) == 20
    assert -(2**63) <= min(digests) < 0 < max(digests) < 2**63
    assert state_digest([(1, "held", "user:7")]) != state_digest([(1, "booked", "user:7")])
