"""Joining the waiting list, its conditions, and leaving it."""

import pytest

from engine.commands import JoinWaitlist, LeaveWaitlist, WatchSeat
from engine.policy import Policy
from engine.ports import LoadedScreening
from engine.records import HOUSE, KILL, Layout, TicketType
from engine.replies import Waiting
from engine.rule_errors import NotOnSale, PersonLimitExceeded
from engine.sale_rules import SaleRules
from engine.screening import Screening
from engine.selling_errors import (
    HoldLimitExceeded,
    NoAdjacentSeats,
    NothingForSale,
    ScreeningNotFound,
    SeatsNotFound,
    SeatsUnavailable,
)
from engine.waitlist_errors import NotWaiting, StillAvailable
from engine.waitlist_records import WaitStatus
from tests.engine.conftest import NOW, POLICY, Hall, make_info, make_layout

ADA, BEN = "user:1", "user:2"
PLACES = TicketType(5, 1000, 0, 10, max_per_user=2)


def sold_out(seats: int = 6, **options: object) -> Hall:
    """A hall whose last seats have just been sold."""
    hall = Hall(seats, **options)
    for seat_id in range(1, seats + 1):
        hall.sell(f"user:{100 + seat_id}", seat_id)
    return hall


def waiting(hall: Hall, command: JoinWaitlist | WatchSeat | LeaveWaitlist) -> Waiting:
    reply = hall.do(command).reply
    assert isinstance(reply, Waiting)
    return reply


def test_an_entry_has_the_number_of_its_event() -> None:
    hall = sold_out()
    for number, command in enumerate((JoinWaitlist(1, ADA, 3), WatchSeat(1, ADA, 4, False))):
        decision = hall.do(command)
        (event,), entry = decision.events, decision.reply.entry
        assert (entry.id, entry.holder, entry.joined_at) == (1001 + number, ADA, NOW)
        assert ((entry.epoch, entry.seq), event.entries) == ((event.epoch, event.seq), (entry,))
        assert (entry.quantity, entry.seat_id, entry.mail) == ((3, None, True), (1, 4, False))[number]


@pytest.mark.parametrize("command", [JoinWaitlist(1, ADA, 1), WatchSeat(1, ADA, 1)])
def test_one_waits_for_seats_where_seats_of_a_layout_are_sold(command: JoinWaitlist | WatchSeat) -> None:
    with pytest.raises(NothingForSale):
        Hall(0, free_seats=2).do(command)
    with pytest.raises(ScreeningNotFound):
        Hall(0, seated=False, ticket_types={5: PLACES}).do(command)
    with pytest.raises(NotOnSale):
        Hall(rules=SaleRules(sales_start=NOW + 60)).do(command)


def test_nobody_waits_for_more_than_one_may_have() -> None:
    hall = sold_out(12, rules=SaleRules(max_per_user=7), policy=Policy(held_seats_limit=8))
    with pytest.raises(HoldLimitExceeded) as refusal:
        hall.do(JoinWaitlist(1, ADA, 9))
    assert (refusal.value.limit, refusal.value.held, refusal.value.requested) == (8, 0, 9)
    with pytest.raises(PersonLimitExceeded):
        hall.do(JoinWaitlist(1, ADA, 8))
    hall.do(JoinWaitlist(1, ADA, 7))
    hall = sold_out(12, policy=Policy(held_seats_limit=8))
    assert waiting(hall, JoinWaitlist(1, ADA, 8)).position == 1


def test_nobody_waits_for_more_tickets_of_a_type_than_one_may_have() -> None:
    event = Hall(0, seated=False, ticket_types={5: PLACES})
    with pytest.raises(PersonLimitExceeded):
        event.do(JoinWaitlist(1, ADA, 3, 5))
    entry = waiting(event, JoinWaitlist(1, ADA, 2, 5)).entry
    assert (entry.ticket_type_id, entry.quantity) == (5, 2)


def test_a_party_may_wait_for_a_whole_row() -> None:
    hall = sold_out(4)
    with pytest.raises(NoAdjacentSeats, match="next to each other"):
        in_two_groups().do(JoinWaitlist(1, ADA, 4, together=True))
    assert waiting(hall, JoinWaitlist(1, ADA, 4, together=True)).entry.together


def in_two_groups() -> Hall:
    """Four seats, all held: three side by side, and one behind a way."""
    hall = Hall()
    seats = [seat._replace(x=seat.x + (seat.id > 3) * 2) for seat in make_layout(4).seats]
    loaded = LoadedScreening(make_info(), Layout(1, 1, seats), 1, (), ())
    hall.screening = Screening(loaded, POLICY, hall.hold_ids, hall.ticket_ids)
    hall.hold(BEN, 1, 2, 3, 4)
    return hall


def test_one_is_told_about_seats_that_can_become_free(hall: Hall) -> None:
    hall.block(1, kind=KILL)
    hall.block(2, kind=HOUSE)
    with pytest.raises(SeatsNotFound):
        hall.do(WatchSeat(1, ADA, 99))
    with pytest.raises(SeatsUnavailable):
        hall.do(WatchSeat(1, ADA, 1))
    with pytest.raises(StillAvailable) as refusal:
        hall.do(WatchSeat(1, ADA, 3))
    assert refusal.value.available == 1
    assert waiting(hall, WatchSeat(1, ADA, 2)).position == 1


def test_one_leaves_only_ones_own_entry() -> None:
    hall = sold_out()
    with pytest.raises(NotWaiting):
        hall.do(LeaveWaitlist(1, ADA, 1))
    entry_id = waiting(hall, JoinWaitlist(1, ADA, 1)).entry.id
    for holder, entry in ((BEN, entry_id), (ADA, entry_id + 1)):
        with pytest.raises(NotWaiting):
            hall.do(LeaveWaitlist(1, holder, entry))
    left = waiting(hall, LeaveWaitlist(1, ADA, entry_id))
    assert (left.entry.status, left.position) == (WaitStatus.LEFT, 0)


def test_whoever_leaves_with_an_offer_declines_it() -> None:
    hall = Hall(1)
    hall.hold(BEN, 1)
    entry_id = waiting(hall, JoinWaitlist(1, ADA, 1)).entry.id
    hall.release(BEN)
    left = waiting(hall, LeaveWaitlist(1, ADA, entry_id))
    assert (left.entry.status, left.position) == (WaitStatus.DECLINED, 0)
    assert hall.seen(1) == "available"
