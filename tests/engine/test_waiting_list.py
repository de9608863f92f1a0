"""The waiting list in the core: who may join, who is offered what, and that nobody overtakes."""

from math import inf

import pytest

from engine.commands import (
    CancelScreening,
    CancelTicket,
    HoldPlaces,
    HoldSeats,
    JoinWaitlist,
    LeaveWaitlist,
    PlaceOrder,
    ReadChanges,
    ReadStock,
    ReleaseHolds,
    ReleaseLapsed,
    SellSeats,
    ToggleSeats,
    WatchSeat,
)
from engine.events import SeatsHeld
from engine.policy import Policy
from engine.ports import LoadedScreening
from engine.records import Layout, Seat, TicketType
from engine.replies import Waiting
from engine.sale_rules import SaleRules
from engine.screening import Screening
from engine.screening_state import Decision
from engine.selling_errors import (
    HoldLimitExceeded,
    NoAdjacentSeats,
    OrderLimitExceeded,
    RoomFull,
    SalesClosed,
    SeatsUnavailable,
)
from engine.waitlist_errors import (
    AlreadyWaiting,
    NotWaiting,
    StillAvailable,
    TooManyWatches,
    WaitlistFull,
)
from engine.waitlist_records import WAITLIST, WaitlistChanged, WaitlistEntry
from tests.engine.conftest import NOW, Hall, make_info

TYPE = TicketType(5, 1000, 4, 3)
POLICY = Policy(offer_seconds=600.0, waitlist_limit=20, seat_watches_limit=2)
IMPATIENT = Policy(hold_seconds=10_000.0, offer_seconds=10_000.0, waitlist_patience_seconds=100.0)


def full_hall(seats: int = 6, **options: object) -> Hall:
    """A hall in which user:1 holds all seats, each by itself."""
    hall = Hall(seats, options.pop("policy", POLICY), **options)
    for seat_id in range(1, seats + 1):
        hall.do(HoldSeats(1, f"user:{100 + seat_id}", (seat_id,)))
    return hall


def join(hall: Hall, holder: str, quantity: int = 1, **options: object) -> Waiting:
    reply = hall.do(JoinWaitlist(1, holder, quantity, **options)).reply
    assert isinstance(reply, Waiting)
    return reply


def give_back(hall: Hall, *seat_ids: int) -> Decision:
    """Release seats of `full_hall`, one after the other; returns the last decision."""
    for seat_id in seat_ids:
        decision = hall.do(ReleaseHolds(1, f"user:{100 + seat_id}"))
    return decision


def offered(decision: Decision) -> dict[str, tuple[int, ...]]:
    """The seats that a decision offers, by holder."""
    return {
        entry.holder: entry.seat_ids
        for event in decision.events
        if isinstance(event, WaitlistChanged)
        for entry in event.told
        if entry.status == "offered"
    }


def changed(decision: Decision) -> dict[str, str]:
    """The entries that a decision changes: holder and status."""
    return {
        entry.holder: entry.status.value
        for event in decision.events
        if isinstance(event, WaitlistChanged)
        for entry in event.entries
    }


def holder_of(hall: Hall, seat_id: int) -> str | None:
    return hall.map().views[seat_id].holder


def test_a_seat_that_is_released_is_offered_in_the_order_of_joining() -> None:
    hall = full_hall()
    assert [join(hall, f"user:{n}").position for n in (1, 2, 3)] == [1, 2, 3]
    assert offered(give_back(hall, 4)) == {"user:1": (4,)}
    assert offered(give_back(hall, 2)) == {"user:2": (2,)}
    assert (holder_of(hall, 4), holder_of(hall, 2)) == ("user:1", "user:2")


def test_an_offer_that_is_not_taken_goes_on_to_the_next() -> None:
    hall = full_hall()
    join(hall, "user:1")
    join(hall, "user:2")
    give_back(hall, 4)
    for seat_id in (1, 2, 3, 5, 6):
        hall.sell(f"user:{100 + seat_id}", seat_id)
    hall.now += 601
    lapsed = hall.screening.handle(ReleaseLapsed(1), hall.now)
    assert changed(lapsed) == {"user:1": "lapsed", "user:2": "offered"}
    assert offered(lapsed) == {"user:2": (4,)}
    declined = hall.do(ReleaseHolds(1, "user:2"))
    assert changed(declined) == {"user:2": "declined"}
    assert hall.seen(4) == "available", "nobody waits any more"


def test_what_is_bought_ends_its_entry() -> None:
    hall = full_hall()
    join(hall, "user:1", 2)
    give_back(hall, 1, 2)
    assert changed(hall.sell("user:1", 1, 2)) == {"user:1": "taken"}


def test_an_offer_that_is_given_back_in_part_goes_on_in_part() -> None:
    hall = full_hall()
    join(hall, "user:1", 2)
    join(hall, "user:2", 1)
    give_back(hall, 1, 2)
    assert offered(hall.do(ReleaseHolds(1, "user:1", (2,)))) == {"user:2": (2,)}
    assert changed(hall.sell("user:1", 1)) == {"user:1": "taken"}


def test_cancelled_tickets_and_payments_that_do_not_come_are_offered() -> None:
    hall = full_hall()
    ticket = hall.sell("user:101", 1).reply.tickets[0]
    hall.sell("user:102", 2, payment_pending=True)
    join(hall, "user:1")
    join(hall, "user:2")
    cancelled = hall.do(CancelTicket(1, "user:101", ticket.id, 1))
    assert hall.seen(1) == "booked", "not before the commit"
    assert offered(hall.settle(cancelled)) == {"user:1": (1,)}
    for seat_id in (3, 4, 5, 6):
        hall.sell(f"user:{100 + seat_id}", seat_id)
    hall.sell("user:1", 1)
    hall.now += 901
    lapse = hall.screening.handle(ReleaseLapsed(1), hall.now)
    assert offered(hall.settle(lapse)) == {"user:2": (2,)}


def test_a_booking_that_the_database_rejects_is_offered() -> None:
    hall = Hall(2, POLICY)
    hall.sell("user:101", 1)
    booking = hall.book("user:102", 2)
    join(hall, "user:1")
    assert offered(hall.abort(booking)) == {"user:1": (2,)}


def test_what_the_first_one_cannot_use_is_set_aside_and_nobody_overtakes() -> None:
    hall = full_hall()
    join(hall, "user:1", 2)
    join(hall, "user:2", 1)
    assert offered(give_back(hall, 3)) == {}
    assert (hall.seen(3), holder_of(hall, 3)) == ("reserved", WAITLIST)
    with pytest.raises(SeatsUnavailable):
        hall.hold("user:9", 3)
    assert hall.do(ReadStock(1)).reply.available == 0
    assert offered(give_back(hall, 5)) == {"user:1": (3, 5)}
    assert offered(give_back(hall, 6)) == {"user:2": (6,)}


def test_when_the_first_one_leaves_what_was_set_aside_goes_on() -> None:
    hall = full_hall()
    first = join(hall, "user:1", 2).entry
    join(hall, "user:2", 1)
    give_back(hall, 3)
    left = hall.do(LeaveWaitlist(1, "user:1", first.id))
    assert changed(left) == {"user:1": "left", "user:2": "offered"}
    assert offered(left) == {"user:2": (3,)}


def test_when_nobody_waits_any_more_what_was_set_aside_is_free() -> None:
    hall = full_hall()
    only = join(hall, "user:1", 2).entry
    give_back(hall, 3)
    left = hall.do(LeaveWaitlist(1, "user:1", only.id))
    assert hall.seen(3) == "available"
    assert [view.status for change in left.changes for view in change.views] == ["available"]
    hall.hold("user:9", 3)
    with pytest.raises(NotWaiting):
        hall.do(LeaveWaitlist(1, "user:1", only.id))


def test_leaving_with_an_offer_gives_it_to_the_next() -> None:
    hall = full_hall()
    first = join(hall, "user:1").entry
    join(hall, "user:2")
    give_back(hall, 3)
    left = hall.do(LeaveWaitlist(1, "user:1", first.id, "user:0"))
    assert changed(left) == {"user:1": "declined", "user:2": "offered"}
    assert left.events[0].actor == "user:0"


def test_seats_together_are_next_to_each_other() -> None:
    hall = full_hall()
    join(hall, "user:1", 2, together=True)
    join(hall, "user:2", 1)
    give_back(hall, 1, 3, 6)
    assert {holder_of(hall, seat_id) for seat_id in (1, 3, 6)} == {WAITLIST}
    decision = give_back(hall, 4)
    assert offered(decision) == {"user:1": (3, 4), "user:2": (1,)}
    assert hall.seen(6) == "available", "nobody waits any more"


def test_seats_that_were_free_before_complete_what_is_freed() -> None:
    hall = Hall(4, POLICY)
    hall.hold("user:101", 1)
    hall.hold("user:102", 2)
    hall.hold("user:103", 3)
    join(hall, "user:1", 2)
    assert hall.seen(4) == "available", "it was free before anybody waited"
    assert offered(give_back(hall, 1)) == {"user:1": (1, 4)}


def test_joining_is_refused_while_there_is_enough() -> None:
    hall = Hall(4, POLICY)
    hall.hold("user:102", 2)
    with pytest.raises(StillAvailable) as refusal:
        join(hall, "user:1", 3)
    assert refusal.value.available == 3
    with pytest.raises(StillAvailable):
        join(hall, "user:1", 2, together=True)
    assert join(hall, "user:1", 3, together=True).position == 1


def test_limits_of_joining() -> None:
    hall = full_hall(12)
    entry = join(hall, "user:1", 2).entry
    with pytest.raises(AlreadyWaiting) as refusal:
        join(hall, "user:1", 1)
    assert refusal.value.entry_id == entry.id
    with pytest.raises(HoldLimitExceeded):
        join(hall, "user:2", 11)
    with pytest.raises(RoomFull):
        join(hall, "user:2", 13)
    for n in range(2, 21):
        join(hall, f"user:{n}")
    with pytest.raises(WaitlistFull):
        join(hall, "user:21")


def hall_of(*rows: str) -> Hall:
    """A hall with these rows: a letter per seat, `w` for a place for a wheelchair."""
    hall = Hall(1, POLICY)
    seats = [
        Seat(0, 1, chr(65 + y), x + 1, "wheelchair" if kind == "w" else "standard", float(x), float(y))
        for y, row in enumerate(rows)
        for x, kind in enumerate(row)
    ]
    layout = Layout(1, 1, [seat._replace(id=number) for number, seat in enumerate(seats, 1)])
    loaded = LoadedScreening(make_info(), layout, 1, (), ())
    hall.screening = Screening(loaded, POLICY, hall.hold_ids, hall.ticket_ids)
    for seat in layout.seats:
        hall.do(HoldSeats(1, f"user:{100 + seat.id}", (seat.id,)))
    return hall


def test_more_seats_together_than_any_row_has_are_refused() -> None:
    with pytest.raises(NoAdjacentSeats) as refusal:
        join(hall_of("sss", "ss"), "user:1", 4, together=True)
    assert refusal.value.largest == 3


def test_wheelchair_places_are_not_offered() -> None:
    hall = hall_of("ssw")
    join(hall, "user:1", 1)
    assert offered(give_back(hall, 3)) == {}
    assert hall.seen(3) == "available"
    assert join(hall, "user:2", 1).position == 2
    assert offered(give_back(hall, 2)) == {"user:1": (2,)}


def event_hall(**of_type: object) -> Hall:
    return Hall(1, POLICY, ticket_types={5: TYPE._replace(**of_type)}, seated=False)


def places(hall: Hall, holder: str, quantity: int) -> Decision:
    return hall.do(HoldPlaces(1, holder, (PlaceOrder(5, quantity),), 300.0))


def test_tickets_by_quantity_are_offered_in_order() -> None:
    hall = event_hall()
    places(hall, "session:a", 2)
    places(hall, "session:b", 2)
    join(hall, "session:c", 3, ticket_type_id=5)
    join(hall, "session:d", 1, ticket_type_id=5)
    first = hall.do(ReleaseHolds(1, "session:a", None, 1001))
    assert offered(first) == {}
    stock = hall.do(ReadStock(1)).reply.ticket_types[5]
    assert (stock.available, stock.reserved) == (0, 4)
    second = hall.do(ReleaseHolds(1, "session:b", None, 1003))
    assert {holder: len(seats) for holder, seats in offered(second).items()} == {
        "session:c": 3,
        "session:d": 1,
    }
    assert hall.do(ReadStock(1)).reply.ticket_types[5].available == 0


def test_limits_of_ticket_types() -> None:
    hall = event_hall(sales_end=NOW + 100)
    with pytest.raises(StillAvailable):
        join(hall, "session:c", 2, ticket_type_id=5)
    with pytest.raises(OrderLimitExceeded):
        join(hall, "session:c", 4, ticket_type_id=5)
    places(hall, "session:a", 2)
    places(hall, "session:b", 2)
    join(hall, "session:c", 1, ticket_type_id=5)
    hall.now += 100
    with pytest.raises(SalesClosed):
        join(hall, "session:d", 1, ticket_type_id=5)
    assert hall.screening.waiting_count == 0, "its alarm has closed the line"


def test_the_list_ends_when_sales_end() -> None:
    hall = full_hall(2)
    join(hall, "user:1", 2)
    give_back(hall, 1)
    hall.do(WatchSeat(1, "user:3", 2))
    hall.now = NOW + 86_400
    closed = hall.screening.handle(ReleaseLapsed(1), hall.now)
    assert changed(closed) == {"user:1": "closed", "user:3": "closed"}
    assert hall.screening.waiting_count == 0


def test_cancelling_the_screening_closes_the_list() -> None:
    hall = full_hall(2)
    join(hall, "user:1")
    join(hall, "user:2", 2)
    give_back(hall, 1)
    closed = hall.do(CancelScreening(1, "user:0"))
    assert changed(closed) == {"user:1": "declined", "user:2": "closed"}
    assert not [event for event in closed.events if isinstance(event, SeatsHeld)]


def test_a_toggle_that_gives_back_offers_the_seat() -> None:
    hall = full_hall()
    join(hall, "user:1")
    assert offered(hall.do(ToggleSeats(1, "user:102", (2,)))) == {"user:1": (2,)}


# Being told when a seat is free


def test_who_has_asked_first_is_told_first() -> None:
    hall = full_hall()
    positions = [hall.do(WatchSeat(1, f"user:{n}", 3)).reply.position for n in (1, 2)]
    assert positions == [1, 2]
    assert changed(give_back(hall, 3)) == {"user:1": "told"}
    assert hall.seen(3) == "available"
    hall.hold("user:9", 3)
    assert changed(hall.do(ReleaseHolds(1, "user:9"))) == {"user:2": "told"}
    assert hall.screening.waiting_count == 0


def test_limits_of_being_told() -> None:
    hall = full_hall()
    hall.do(WatchSeat(1, "user:1", 1))
    with pytest.raises(AlreadyWaiting):
        hall.do(WatchSeat(1, "user:1", 1))
    hall.do(WatchSeat(1, "user:1", 2))
    with pytest.raises(TooManyWatches):
        hall.do(WatchSeat(1, "user:1", 3))
    give_back(hall, 6)
    with pytest.raises(StillAvailable):
        hall.do(WatchSeat(1, "user:2", 6))


def test_a_seat_that_goes_to_the_waiting_list_is_not_free() -> None:
    hall = full_hall()
    hall.do(WatchSeat(1, "user:1", 3))
    join(hall, "user:2")
    assert changed(give_back(hall, 3)) == {"user:2": "offered"}


def passed(hall: Hall, seconds: float) -> Decision:
    """Let time pass, and decide what follows from it."""
    hall.now += seconds
    return hall.screening.handle(ReleaseLapsed(1), hall.now)


def test_what_is_set_aside_in_vain_goes_on_to_the_next_whom_it_suffices() -> None:
    hall = full_hall(policy=IMPATIENT)
    join(hall, "user:1", 4)
    join(hall, "user:2", 3)
    join(hall, "user:3", 2)
    join(hall, "user:4", 1)
    give_back(hall, 2, 5)
    assert offered(passed(hall, 99)) == {}
    assert (holder_of(hall, 2), holder_of(hall, 5)) == (WAITLIST, WAITLIST)
    assert offered(passed(hall, 1)) == {"user:3": (2, 5)}
    assert join(hall, "user:5").position == 4, "nobody has lost a place"


def test_what_was_set_aside_later_still_waits_for_the_first() -> None:
    hall = full_hall(policy=IMPATIENT)
    join(hall, "user:1", 4)
    join(hall, "user:2", 1)
    give_back(hall, 2)
    passed(hall, 50)
    give_back(hall, 5)
    assert offered(passed(hall, 50)) == {"user:2": (2,)}
    assert holder_of(hall, 5) == WAITLIST
    give_back(hall, 1, 3)
    assert offered(give_back(hall, 4)) == {"user:1": (5, 1, 3, 4)}


def test_what_suffices_nobody_is_free_for_everybody_and_completes_the_offer_to_the_first() -> None:
    hall = full_hall(policy=IMPATIENT)
    join(hall, "user:1", 2)
    give_back(hall, 2)
    passed(hall, 100)
    assert hall.seen(2) == "available"
    assert set(offered(give_back(hall, 5))) == {"user:1"}


def test_adjacent_seats_are_passed_on_to_those_who_sit_apart() -> None:
    hall = full_hall(policy=IMPATIENT)
    join(hall, "user:1", 2, together=True)
    join(hall, "user:2", 3, together=True)
    join(hall, "user:3", 2)
    give_back(hall, 2, 5)
    assert offered(passed(hall, 100)) == {"user:3": (2, 5)}


def test_places_that_are_set_aside_in_vain_are_passed_on() -> None:
    hall = Hall(0, IMPATIENT, ticket_types={TYPE.id: TYPE}, seated=False)
    held = [
        hall.do(HoldPlaces(1, "user:100", (PlaceOrder(TYPE.id, 1),), 10_000.0)).reply.reservations[0][0]
        for _ in range(TYPE.capacity)
    ]
    for number, quantity in ((1, 3), (2, 2), (3, 1)):
        join(hall, f"user:{number}", quantity, ticket_type_id=TYPE.id)

    def give_places_back(number: int) -> None:
        for _ in range(number):
            hall.do(ReleaseHolds(1, "user:100", None, held.pop().reservation_id))

    give_places_back(1)
    assert set(offered(passed(hall, 100))) == {"user:3"}
    give_places_back(2)
    assert set(offered(passed(hall, 100))) == {"user:2"}


def test_adjacent_seats_that_were_set_aside_go_on_when_the_first_one_leaves_or_is_served() -> None:
    for leaves in (True, False):
        hall = full_hall(7)
        first = join(hall, "user:1", 3, together=True).entry
        join(hall, "user:2", 2, together=True)
        give_back(hall, 1, 2)
        if leaves:
            decision = hall.do(LeaveWaitlist(1, "user:1", first.id))
        else:
            give_back(hall, 4, 5)
            decision = give_back(hall, 6)
            assert offered(decision)["user:1"] == (4, 5, 6)
        assert offered(decision)["user:2"] == (1, 2)


def places_back(hall: Hall, holder: str) -> Decision:
    """Release all places of somebody."""
    (held, *_) = [hold for hold in hall.screening._state.seats.holds() if hold.holder == holder]
    return hall.do(ReleaseHolds(1, holder, None, held.reservation_id))


def test_places_that_are_set_aside_stay_so_while_others_are_freed() -> None:
    hall = event_hall()
    places(hall, "session:a", 1)
    places(hall, "session:b", 3)
    for holder, quantity in (("session:c", 2), ("session:d", 1), ("session:e", 2)):
        join(hall, holder, quantity, ticket_type_id=5)
    places_back(hall, "session:a")
    assert offered(places_back(hall, "session:b")).keys() == {"session:c", "session:d"}
    assert hall.do(ReadStock(1)).reply.ticket_types[5].available == 0


def test_places_above_a_lowered_capacity_go_to_nobody() -> None:
    before = event_hall()
    for number in range(4):
        places(before, f"session:{number}", 1)
    lowered = {5: TYPE._replace(capacity=2)}
    hall = Hall(0, POLICY, holds=before.screening._state.seats.holds(), ticket_types=lowered, seated=False)
    join(hall, "session:9", 1, ticket_type_id=5)
    assert [len(offered(places_back(hall, f"session:{number}"))) for number in range(3)] == [0, 0, 1]


def test_who_leaves_one_line_still_waits_in_the_other() -> None:
    hall = full_hall()
    left = join(hall, "user:7")
    hall.do(WatchSeat(1, "user:7", 1))
    hall.do(LeaveWaitlist(1, "user:7", left.entry.id))
    with pytest.raises(AlreadyWaiting):
        hall.do(WatchSeat(1, "user:7", 1))
    join(hall, "user:7")


def test_who_has_left_is_forgotten() -> None:
    hall = full_hall()
    join(hall, "user:7")
    for number in range(10):
        entry = join(hall, f"user:{20 + number}").entry
        hall.do(LeaveWaitlist(1, entry.holder, entry.id))
    assert hall.screening._state.waitlist._of_holder.keys() == {"user:7"}


def test_a_waiting_list_is_numbered_without_gaps_and_watchers_get_only_the_news() -> None:
    hall = full_hall()
    before = hall.screening.position[1]
    joined = [hall.do(JoinWaitlist(1, f"user:{number}", 1)) for number in (1, 2)]
    assert [change for decision in joined for change in decision.changes] == []
    freed = give_back(hall, 3)
    numbers = [event.seq for decision in (*joined, freed) for event in decision.events]
    assert numbers == list(range(before + 1, before + 1 + len(numbers)))
    causes = ["holds_released", "seats_held", "waitlist_changed"]
    assert [change.cause for change in freed.changes] == causes
    missed = hall.do(ReadChanges(1, 1, freed.events[0].seq - 1)).reply.missed
    assert [change.cause for change in missed] == causes


def test_who_is_told_that_a_seat_is_free_is_news() -> None:
    hall = full_hall()
    hall.do(WatchSeat(1, "user:1", 3))
    event = give_back(hall, 3).events[-1]
    assert isinstance(event, WaitlistChanged)
    assert [entry.holder for entry in event.told] == ["user:1"]


def test_the_list_has_an_alarm_at_the_end_of_sales_and_goes_with_the_last_who_waits() -> None:
    hall = Hall(2, POLICY)
    assert hall.screening.next_deadline == inf
    hall.sell("user:101", 1, 2)
    entry = join(hall, "user:1").entry
    assert hall.screening.next_deadline == hall.screening.info.starts_at
    hall.do(LeaveWaitlist(1, "user:1", entry.id))
    assert hall.screening.next_deadline == inf
    assert hall.screening._state.waitlist is None, "the next commands are not slower"


def test_what_is_set_aside_lapses_a_minute_after_sales_at_the_latest() -> None:
    hall = full_hall(policy=IMPATIENT, starts_at=NOW + 10)
    join(hall, "user:1", 2)
    (_, held) = give_back(hall, 3).events
    assert isinstance(held, SeatsHeld)
    assert [(hold.holder, hold.expires_at) for hold in held.holds] == [(WAITLIST, NOW + 70)]


def test_who_may_have_no_more_by_now_gets_no_offer() -> None:
    hall = full_hall(rules=SaleRules(max_per_user=1))
    join(hall, "user:1")
    join(hall, "user:2")
    hall.settle(hall.do(SellSeats(1, "user:1", (2,), "user:0", taken_from="user:102")))
    assert changed(give_back(hall, 3)) == {"user:1": "closed", "user:2": "offered"}


def test_who_may_have_no_more_by_now_does_not_get_what_was_set_aside_in_vain() -> None:
    hall = full_hall(policy=IMPATIENT, rules=SaleRules(max_per_user=4))
    join(hall, "user:1", 4)
    join(hall, "user:2", 2)
    join(hall, "user:3", 1)
    for seat_id in (1, 4, 6):
        sale = SellSeats(1, "user:2", (seat_id,), "user:0", taken_from=f"user:{100 + seat_id}")
        hall.settle(hall.do(sale))
    give_back(hall, 2, 5)
    assert changed(passed(hall, 100)) == {"user:2": "closed", "user:3": "offered"}


def test_what_is_set_aside_in_vain_passes_those_who_want_as_much() -> None:
    hall = full_hall(policy=IMPATIENT)
    for holder, quantity in (("user:1", 4), ("user:2", 3), ("user:3", 3), ("user:4", 2)):
        join(hall, holder, quantity)
    give_back(hall, 2, 5)
    assert offered(passed(hall, 100)) == {"user:4": (2, 5)}


@pytest.mark.parametrize("quantity", [1, 2])
def test_without_ids_for_holds_an_offer_is_tried_again_a_second_later(quantity: int) -> None:
    hall = full_hall()
    join(hall, "user:1", quantity)
    if quantity == 2:
        give_back(hall, 5)
    hall.hold_ids._last = hall.hold_ids._next - 1
    assert offered(give_back(hall, 3)) == {}
    assert hall.screening.next_deadline == hall.now + 1
    assert offered(passed(hall, 1)) == {}
    assert hall.screening.next_deadline == hall.now + 1
    hall.hold_ids._last = None
    assert offered(passed(hall, 1)) == {"user:1": (5, 3)[2 - quantity :]}


# When a screening is loaded again


def loaded_again(entry: WaitlistEntry, seats: int = 6, **stored: object) -> Decision:
    """Return the decision about a stored entry that the first command after loading makes."""
    hall = Hall(seats, POLICY, waitlist=(entry,), **stored)
    assert hall.screening.next_deadline <= hall.now
    decision = passed(hall, 0)
    assert changed(passed(hall, 0)) == {}, "once"
    return decision


def test_those_who_wait_still_wait_when_the_screening_is_loaded_again() -> None:
    hall = full_hall(2)
    entries = [
        entry
        for command in (JoinWaitlist(1, "user:1", 2), WatchSeat(1, "user:2", 2))
        for event in hall.do(command).events
        for entry in event.entries
    ]
    again = Hall(2, POLICY, waitlist=entries, holds=hall.screening._state.seats.holds())
    assert again.screening.waiting_count == 2
    assert changed(passed(again, 0)) == {}


def test_an_entry_whose_seat_or_ticket_type_is_gone_is_closed() -> None:
    hall = full_hall()
    (watching,) = hall.do(WatchSeat(1, "user:1", 6)).events
    assert changed(loaded_again(watching.entries[0], seats=5)) == {"user:1": "closed"}
    event = event_hall()
    places(event, "session:a", 2)
    places(event, "session:b", 2)
    waiting = join(event, "session:c", 1, ticket_type_id=5).entry
    for kinds in ({5: TYPE._replace(closed=True)}, {6: TYPE._replace(id=6)}):
        decision = loaded_again(waiting, seats=1, ticket_types=kinds, seated=False)
        assert changed(decision) == {"session:c": "closed"}


def test_an_offer_is_what_the_stored_holds_and_tickets_say() -> None:
    hall = full_hall()
    join(hall, "user:1", 2)
    *_, held, event = give_back(hall, 3, 5).events
    assert isinstance(held, SeatsHeld) and isinstance(event, WaitlistChanged)
    (entry,) = event.entries
    again = Hall(6, POLICY, waitlist=(entry,), holds=held.holds[:1])
    assert changed(again.do(ReleaseHolds(1, "user:1"))) == {"user:1": "declined"}
    assert changed(loaded_again(entry)) == {"user:1": "lapsed"}
    anothers = [hold._replace(reservation_id=1, holder="user:9") for hold in held.holds]
    assert changed(loaded_again(entry, holds=anothers)) == {"user:1": "lapsed"}
    ticket = hall.sell("user:1", 3, 5).reply.tickets[0]
    for booked_at, status in ((entry.joined_at, "taken"), (entry.joined_at - 1, "lapsed")):
        stored = loaded_again(entry, tickets=[ticket._replace(booked_at=booked_at)])
        assert changed(stored) == {"user:1": status}
