"""The end of sales stops every command that gets or changes seats, and none that gives them back."""

import pytest

from engine.commands import (
    BookSeats,
    CancelScreening,
    CancelTicket,
    Command,
    ConfirmTicket,
    ExtendHolds,
    HoldBest,
    HoldPlaces,
    HoldSeats,
    HoldSeatsFor,
    JoinWaitlist,
    MoveTickets,
    PlaceOrder,
    RevokeHolds,
    SellSeats,
    ToggleSeats,
    WatchSeat,
)
from engine.records import TicketType
from engine.selling_errors import ScreeningCancelled, ScreeningStarted
from engine.views import SCREENING_CANCELLED
from tests.engine.conftest import Hall

ADA, STAFF = "user:7", "user:1"

GETTING: tuple[tuple[Command, str], ...] = (
    (HoldSeats(1, ADA, (3,)), "reserve seats"),
    (HoldBest(1, ADA, 2), "reserve seats"),
    (HoldSeatsFor(1, ADA, (3,), STAFF), "reserve seats"),
    (ToggleSeats(1, ADA, (3,)), "reserve seats"),
    (ToggleSeats(1, ADA, (1,)), "reserve seats"),
    (ExtendHolds(1, ADA, (1,), 60.0), "extend reservations"),
    (BookSeats(1, ADA, (3,)), "book seats"),
    (BookSeats(1, ADA, (1,), "payment"), "book seats"),
    (SellSeats(1, ADA, (3,), STAFF), "book seats"),
    (JoinWaitlist(1, ADA, 20), "join the waiting list"),
    (WatchSeat(1, ADA, 2), "wait for a seat"),
)


@pytest.mark.parametrize(("command", "attempt"), GETTING, ids=lambda value: type(value).__name__)
def test_from_the_beginning_on_nobody_gets_anything(hall: Hall, command: Command, attempt: str) -> None:
    hall.hold(ADA, 1)
    hall.sell("user:8", 2)
    hall.now = hall.screening.info.starts_at
    hall.screening.move_deadlines(86_400.0, hall.now)
    with pytest.raises(ScreeningStarted, match=f"Cannot {attempt}"):
        hall.do(command)
    assert [hall.seen(seat_id) for seat_id in (1, 2, 3)] == ["reserved", "booked", "available"]


@pytest.mark.parametrize(
    "command", [command for command, _ in GETTING], ids=lambda value: type(value).__name__
)
def test_after_a_cancellation_nobody_gets_anything(hall: Hall, command: Command) -> None:
    hall.hold(ADA, 1)
    hall.do(CancelScreening(1, STAFF))
    with pytest.raises(ScreeningCancelled):
        hall.do(command)
    assert hall.map().views.keys() == {1}
    assert hall.seen(1) == "available"


def test_tickets_are_neither_paid_moved_nor_given_back_after_the_beginning(hall: Hall) -> None:
    (unpaid,) = hall.sell(ADA, 1, payment_pending=True).reply.tickets
    (paid,) = hall.sell(ADA, 2).reply.tickets
    hall.now = hall.screening.info.starts_at
    hall.screening.move_deadlines(86_400.0, hall.now)
    for command, attempt in (
        (ConfirmTicket(1, ADA, unpaid.id, 1, "payment"), "confirm payments"),
        (MoveTickets(1, ADA, (paid.id,), (2,), (3,)), "move tickets"),
        (CancelTicket(1, ADA, paid.id, 2), "cancel tickets"),
    ):
        with pytest.raises(ScreeningStarted, match=f"Cannot {attempt}"):
            hall.do(command)
    assert [hall.seen(seat_id) for seat_id in (1, 2, 3)] == ["reserved", "booked", "available"]


def test_places_are_not_reserved_after_the_beginning() -> None:
    event = Hall(0, ticket_types={3: TicketType(3, 2000, 10, 6)})
    event.now = event.screening.info.starts_at
    with pytest.raises(ScreeningStarted, match="Cannot reserve tickets"):
        event.do(HoldPlaces(1, ADA, (PlaceOrder(3, 1),), 300.0))


def test_what_is_held_is_given_back_at_any_time(hall: Hall) -> None:
    hall.hold(ADA, 1)
    hall.hold("user:8", 2)
    hall.now = hall.screening.info.starts_at
    hall.screening.move_deadlines(86_400.0, hall.now)
    assert [hold.seat_id for hold in hall.release(ADA, 1).reply.holds] == [1]
    assert [hold.seat_id for hold in hall.do(RevokeHolds(1, "user:8", (2,), STAFF)).reply.holds] == [2]


def test_watchers_see_what_a_cancellation_frees_and_that_it_is_one(hall: Hall) -> None:
    hall.hold(ADA, 1)
    hall.block(4, 5)
    outcome = hall.do(CancelScreening(1, STAFF))
    assert [sorted(view.seat_id for view in change.views) for change in outcome.changes] == [[1], [4, 5], []]
    assert outcome.changes[-1].cause == SCREENING_CANCELLED
    assert outcome.write_id is None
