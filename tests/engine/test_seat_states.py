"""Every cell of the transition table, legal and illegal, through the inventory's own methods."""

import pytest

from engine.events import SeatsHeld
from engine.records import HOUSE, Area, Block, Hold, Seat, Ticket, TicketStatus
from engine.replies import Lapsed
from engine.seat_inventory import SeatInventory
from engine.seat_records import PendingWrite, moved_by
from engine.seat_states import TRANSITIONS, IllegalTransition, SeatAction, SeatStatus
from tests.engine.conftest import NOW, make_layout

SEAT = 7
HOLD = Hold(1, 1, 1, SEAT, "user:7", NOW, NOW + 300)
TICKET = Ticket(5, 5, 1, SEAT, "user:7", 1250, TicketStatus.CONFIRMED, NOW)
BLOCK = Block(9, 1, "House", HOUSE, (SEAT,), NOW, "user:1")
PENDING = TICKET._replace(status=TicketStatus.PENDING, payment_deadline=NOW + 900)


def pending_write(action: SeatAction) -> PendingWrite:
    return PendingWrite(9, action, "user:7", (SEAT,), None, "test", Lapsed(0))


def brought_to(status: SeatStatus) -> SeatInventory:
    seats = SeatInventory(make_layout())
    if status is SeatStatus.HELD:
        seats.restore([HOLD])
    elif status is SeatStatus.PENDING:
        seats.restore([PENDING])
    elif status is SeatStatus.BOOKED:
        seats.restore([TICKET])
    elif status is SeatStatus.BLOCKED:
        seats.restore_blocks([BLOCK])
    elif status is SeatStatus.COMMITTING:
        seats.commit(pending_write(SeatAction.ISSUE), [TICKET])
    return seats


def perform(seats: SeatInventory, action: SeatAction) -> None:
    match action:
        case SeatAction.BLOCK:
            seats.keep(BLOCK, BLOCK.seat_ids)
        case SeatAction.UNBLOCK:
            seats.lend([SEAT])
        case SeatAction.HOLD:
            seats.hold(SeatsHeld(1, 1, 1, NOW, "user:7", 1, (SEAT,), NOW + 300))
        case SeatAction.EXTEND:
            seats.extend([HOLD._replace(expires_at=NOW + 600)])
        case SeatAction.RELEASE | SeatAction.LAPSE if seats.status(SEAT) is not SeatStatus.PENDING:
            seats.release([SEAT], action)
        case SeatAction.ISSUE | SeatAction.CONFIRM | SeatAction.MOVE:
            seats.commit(pending_write(action), [TICKET])
        case SeatAction.CANCEL | SeatAction.LAPSE:
            seats.commit(pending_write(action), [None])
        case SeatAction.SETTLE:
            seats.settle(pending_write(action))
        case SeatAction.ABORT:
            seats.abort(pending_write(action))
        case _:
            seats.release([SEAT], action)


@pytest.mark.parametrize("action", SeatAction)
@pytest.mark.parametrize("status", SeatStatus)
def test_every_cell(status: SeatStatus, action: SeatAction) -> None:
    seats = brought_to(status)
    record = seats.record(SEAT)
    if (status, action) in TRANSITIONS:
        perform(seats, action)
        assert seats.status(SEAT) in TRANSITIONS[status, action]
    else:
        with pytest.raises(IllegalTransition):
            perform(seats, action)
        assert seats.record(SEAT) is record
        assert seats.status(SEAT) is status


@pytest.mark.parametrize("status", [status for status in SeatStatus if status is not SeatStatus.AVAILABLE])
def test_only_available_seats_get_a_hold_each(status: SeatStatus) -> None:
    with pytest.raises(IllegalTransition):
        brought_to(status).hold_each([HOLD])


@pytest.mark.parametrize(
    ("before", "action", "after"),
    [
        (SeatStatus.AVAILABLE, SeatAction.ISSUE, TICKET),
        (SeatStatus.HELD, SeatAction.ISSUE, PENDING),
        (SeatStatus.PENDING, SeatAction.CONFIRM, TICKET),
        (SeatStatus.PENDING, SeatAction.LAPSE, None),
        (SeatStatus.BOOKED, SeatAction.CANCEL, None),
        (SeatStatus.BOOKED, SeatAction.MOVE, None),
        (SeatStatus.HELD, SeatAction.MOVE, TICKET),
    ],
)
def test_aborting_restores_what_was(before: SeatStatus, action: SeatAction, after: Ticket | None) -> None:
    seats = brought_to(before)
    record, unpaid = seats.record(SEAT), seats.unpaid.get("user:7", ())
    seats.commit(pending_write(action), [after])
    seats.abort(pending_write(action))
    assert seats.record(SEAT) is record
    assert seats.unpaid.get("user:7", ()) == unpaid


def test_a_section_has_the_seats_on_its_edges() -> None:
    area, seat = Area(1.0, 2.0, 3.0, 4.0), Seat(1, 1, "A", 1, "standard", 0.0, 0.0)
    inside = [(x, y) for x in range(5) for y in range(6) if area.has(seat._replace(x=float(x), y=float(y)))]
    assert inside == [(x, y) for x in (1, 2, 3) for y in (2, 3, 4)]


def test_an_illegal_transition_says_what_was_attempted() -> None:
    error = IllegalTransition(SeatStatus.BOOKED, SeatAction.ABORT)
    assert str(error) == "abort is illegal for a seat that is booked"


def test_a_hold_keeps_its_length_when_the_clock_is_stepped() -> None:
    hold = Hold(1, 1, 1, 1, "user:7", NOW, NOW + 300)
    moved = moved_by(hold, 60.0)
    assert (moved.reserved_at, moved.expires_at) == (NOW + 60, NOW + 360)
