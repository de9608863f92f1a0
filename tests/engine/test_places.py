"""Tickets by quantity, and seats that exist by their name, on the bare core."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.commands import (
    BookSeats,
    CancelTicket,
    ExtendHolds,
    HoldPlaces,
    HoldSeats,
    PlaceOrder,
    ReadChanges,
    ReadReservation,
    ReadSeats,
    ReadStock,
    ReleaseHolds,
    ReleaseLapsed,
    ToggleSeats,
)
from engine.places import CAPACITY_LIMIT, Places, named_seat_id, place_id, ticket_type_of
from engine.policy import Policy
from engine.records import Hold, Paper, Ticket, TicketStatus, TicketType
from engine.replies import Stock
from engine.screening_state import Decision
from engine.selling_errors import (
    HoldLimitExceeded,
    NotEnoughTickets,
    NothingForSale,
    OrderLimitExceeded,
    PaymentAlreadyUsed,
    ReservationNotHeld,
    RoomFull,
    SalesClosed,
    ScreeningNotFound,
    ScreeningStarted,
    SeatsNotFound,
    SeatsUnavailable,
    TicketTypeNotFound,
    WrongNumberOfPapers,
)
from tests.engine.conftest import NOW, Hall

STANDING, BALCONY = 3, 4
GUEST, OTHER = "session:guest", "session:other"
TEN_MINUTES = 600.0


class Event(Hall):
    """A core that sells ten standing tickets, two balcony tickets and five seats."""

    def __init__(
        self,
        standing: int = 10,
        held_seats_limit: int = 100,
        guest_seats_limit: int = 100,
        hold_life_seconds: float = 1800.0,
        **options: object,
    ) -> None:
        types = {
            STANDING: TicketType(STANDING, 2000, standing, 6),
            BALCONY: TicketType(BALCONY, 3500, 2, 2, NOW - 60, NOW + 3600),
        }
        policy = Policy(
            held_seats_limit=held_seats_limit,
            guest_seats_limit=guest_seats_limit,
            hold_life_seconds=hold_life_seconds,
        )
        super().__init__(5, policy, ticket_types=types, **options)

    def order(
        self, holder: str, quantity: int, kind: int = STANDING, seconds: float = TEN_MINUTES
    ) -> Decision:
        return self.do(HoldPlaces(1, holder, (PlaceOrder(kind, quantity),), seconds))

    def reserve(self, holder: str, quantity: int, kind: int = STANDING) -> int:
        """Reserve places, and return the reservation's id."""
        return self.order(holder, quantity, kind).reply.reservations[0][0].reservation_id

    def purchase(self, holder: str, reservation: int, people: int, owner: str = "user:7") -> Decision:
        papers = tuple(Paper(f"{reservation}-{n}", b"sealed") for n in range(people))
        command = BookSeats(
            1, holder, (), f"paid-{reservation}", held_only=True, reservation_id=reservation, owner=owner
        )
        return self.do(command._replace(papers=papers))

    def stock(self) -> Stock:
        reply = self.do(ReadStock(1)).reply
        assert isinstance(reply, Stock)
        return reply

    def level(self, kind: int = STANDING) -> tuple[int, int, int, int]:
        """Total, sold, reserved and available."""
        level = self.stock().ticket_types[kind]
        return (level.total, level.sold, level.reserved, level.available)


@pytest.fixture
def event() -> Event:
    return Event()


class TestNumbers:
    @given(st.integers(1, 2**42 - 1), st.integers(1, CAPACITY_LIMIT))
    def test_a_place_tells_its_type_and_fits_into_64_bits(self, kind: int, number: int) -> None:
        assert ticket_type_of(place_id(kind, number)) == kind
        assert -(2**63) <= place_id(kind, number) < 0

    @given(st.data())
    def test_free_places_are_chosen_and_none_twice(self, data: st.DataObject) -> None:
        places = Places(STANDING, 12)
        stored = data.draw(st.lists(st.integers(1, 12), unique=True), label="taken before, in any order")
        taken = {place_id(STANDING, number) for number in stored}
        for number in stored:
            places.take(place_id(STANDING, number))
        for _ in range(40):
            if taken and data.draw(st.booleans()):
                place = data.draw(st.sampled_from(sorted(taken)))
                places.give_back(place)
                taken.remove(place)
            elif len(taken) < 12:
                chosen = places.choose(data.draw(st.integers(1, 12 - len(taken))))
                for place in chosen:
                    assert place not in taken and place >= place_id(STANDING, 12)
                    places.take(place)
                    taken.add(place)
            assert places.available == 12 - len(taken)

    def test_the_lowest_free_numbers_are_next_after_those_of_a_block(self) -> None:
        """Compared with sets of numbers."""
        draw = Random(1)
        for _ in range(40):
            places, taken, blocked = Places(STANDING, 12), set(), set()
            for _ in range(40):
                free = sorted(set(range(1, 13)) - taken)
                deed = draw.choice(["take", "give back", "choose", "block"])
                if deed == "give back" and taken - blocked:
                    number = draw.choice(sorted(taken - blocked))
                    places.give_back(place_id(STANDING, number))
                    taken.remove(number)
                elif deed == "take" and free:
                    number = draw.choice(free)
                    places.take(place_id(STANDING, number))
                    taken.add(number)
                elif deed == "block" and free:
                    number = draw.choice(free)
                    places.take(place_id(STANDING, number))
                    places.blocked += 1
                    taken.add(number)
                    blocked.add(number)
                elif deed == "choose":
                    lent = draw.sample(sorted(blocked), draw.randint(0, len(blocked)))
                    for number in lent:
                        places.lend(place_id(STANDING, number))
                    quantity = draw.randint(0, len(free) + len(lent))
                    expected = [place_id(STANDING, number) for number in [*lent, *free][:quantity]]
                    if draw.random() < 0.3:
                        places.put_back(places.choose(quantity))
                    assert list(places.choose(quantity)) == expected
                    for place in expected:
                        places.take(place)
                    places.end_loan()
                    chosen = {-place % (CAPACITY_LIMIT + 1) for place in expected}
                    for number in set(lent) - chosen:
                        places.take(place_id(STANDING, number))
                        places.blocked += 1
                    taken |= chosen
                    blocked -= chosen
                free = sorted(set(range(1, 13)) - taken)
                quantity = draw.randint(0, len(free))
                assert [*places.next_free(quantity)] == [place_id(STANDING, n) for n in free[:quantity]]
                assert (places.available, places.reserved) == (len(free), len(taken - blocked))

    @given(st.lists(st.integers(1, 12), unique=True), st.integers(0, 12))
    def test_whatever_was_taken_before_the_rest_is_found(self, taken: list[int], wanted: int) -> None:
        places = Places(STANDING, 12)
        for number in taken:
            places.take(place_id(STANDING, number))
        wanted = min(wanted, places.available)
        chosen = set(places.choose(wanted))
        assert len(chosen) == wanted
        assert chosen <= {place_id(STANDING, number) for number in set(range(1, 13)) - set(taken)}

    def test_names_have_ids_of_their_own(self) -> None:
        names = [f"{row}{number}" for row in "ABCDEFGHIJ" for number in range(1, 101)]
        ids = {named_seat_id(name) for name in names}
        assert len(ids) == len(names)
        assert all(-(2**63) <= seat_id < 0 for seat_id in ids)
        assert named_seat_id("A1") == -2_087_450_974_918_854_219, "it is stored, so it never changes"


class TestReserving:
    def test_takes_the_quantity_out_of_what_is_available(self, event: Event) -> None:
        outcome = event.order(GUEST, 4)
        (reservation,) = outcome.reply.reservations
        assert len(reservation) == 4
        assert {hold.reservation_id for hold in reservation} == {reservation[0].id}
        assert {hold.expires_at for hold in reservation} == {NOW + TEN_MINUTES}
        assert event.level() == (10, 0, 4, 6)
        (change,) = outcome.changes
        assert (change.views, change.available, change.capacity) == ((), 13, 17)

    def test_each_order_is_a_reservation_and_all_of_them_or_none(self, event: Event) -> None:
        orders = (PlaceOrder(STANDING, 2), PlaceOrder(BALCONY, 1), PlaceOrder(STANDING, 1))
        reservations = event.do(HoldPlaces(1, GUEST, orders, 60.0)).reply.reservations
        assert [len(holds) for holds in reservations] == [2, 1, 1]
        assert len({holds[0].reservation_id for holds in reservations}) == 3
        with pytest.raises(NotEnoughTickets) as refusal:
            event.do(HoldPlaces(1, OTHER, (PlaceOrder(STANDING, 2), PlaceOrder(BALCONY, 2)), 60.0))
        assert (refusal.value.requested, refusal.value.available) == (2, 1)
        assert event.level() == (10, 0, 3, 7)

    def test_two_orders_of_a_type_count_together(self, event: Event) -> None:
        with pytest.raises(OrderLimitExceeded):
            event.do(HoldPlaces(1, GUEST, (PlaceOrder(STANDING, 4), PlaceOrder(STANDING, 3)), 60.0))
        assert event.level() == (10, 0, 0, 10)

    def test_never_more_than_there_are(self, event: Event) -> None:
        event.order(GUEST, 6)
        with pytest.raises(NotEnoughTickets) as refusal:
            event.order(OTHER, 5)
        assert str(refusal.value) == "Not enough tickets: 5 requested, 4 tickets are left"
        event.order(OTHER, 4)
        assert event.level() == (10, 0, 10, 0)

    def test_a_holder_cannot_have_more_than_anybody_may(self) -> None:
        event = Event(held_seats_limit=5)
        event.hold(GUEST, 1, 2)
        with pytest.raises(HoldLimitExceeded):
            event.order(GUEST, 4)
        event.order(GUEST, 3)

    def test_asks_for_what_is_sold_here(self, event: Event) -> None:
        with pytest.raises(TicketTypeNotFound):
            event.order(GUEST, 1, kind=99)

    @pytest.mark.parametrize(
        ("kind", "reason"),
        [
            (TicketType(STANDING, 1, 10, 6, closed=True), "closed"),
            (TicketType(STANDING, 1, 10, 6, sales_start=NOW + 1), "not begun"),
            (TicketType(STANDING, 1, 10, 6, sales_end=NOW), "ended"),
        ],
    )
    def test_outside_of_its_sales_window_nothing_is_reserved(self, kind: TicketType, reason: str) -> None:
        hall = Hall(0, ticket_types={STANDING: kind})
        with pytest.raises(SalesClosed, match=reason):
            hall.do(HoldPlaces(1, GUEST, (PlaceOrder(STANDING, 1),), 60.0))

    def test_nothing_is_reserved_once_it_has_begun(self, event: Event) -> None:
        event.now += 86_400
        with pytest.raises(ScreeningStarted):
            event.order(GUEST, 1)

    def test_lasts_no_longer_than_any_hold_may(self, event: Event) -> None:
        (holds,) = event.order(GUEST, 1, seconds=1e6).reply.reservations
        assert holds[0].expires_at == NOW + Policy().hold_life_seconds

    def test_lapses_by_itself(self, event: Event) -> None:
        event.order(GUEST, 6)
        event.now += TEN_MINUTES
        outcome = event.screening.handle(ReleaseLapsed(1), event.now)
        assert outcome.reply.number == 6
        assert (outcome.changes[0].views, outcome.changes[0].available) == ((), 17)
        assert event.level() == (10, 0, 0, 10)

    def test_places_are_not_shown_among_the_seats(self, event: Event) -> None:
        event.order(GUEST, 2)
        event.hold(GUEST, 1)
        assert list(event.map().views) == [1]


class TestReservation:
    def test_is_named_as_a_whole(self, event: Event) -> None:
        first, second = event.reserve(GUEST, 2), event.reserve(GUEST, 3)
        assert len(event.do(ReadReservation(1, GUEST, first)).reply.holds) == 2
        event.do(ExtendHolds(1, GUEST, (), 60.0, second))
        (kept,) = {hold.expires_at for hold in event.do(ReadReservation(1, GUEST, first)).reply.holds}
        (later,) = {hold.expires_at for hold in event.do(ReadReservation(1, GUEST, second)).reply.holds}
        assert (kept, later) == (NOW + TEN_MINUTES, NOW + TEN_MINUTES + 60)
        assert len(event.do(ReleaseHolds(1, GUEST, None, second)).reply.holds) == 3
        assert event.level() == (10, 0, 2, 8)

    def test_is_its_holders_alone(self, event: Event) -> None:
        reservation = event.reserve(GUEST, 2)
        assert event.do(ReadReservation(1, OTHER, reservation)).reply.holds == ()
        for command in (
            ExtendHolds(1, OTHER, (), 60.0, reservation),
            ReleaseHolds(1, OTHER, None, reservation),
            BookSeats(1, OTHER, (), held_only=True, reservation_id=reservation),
        ):
            with pytest.raises(ReservationNotHeld):
                event.do(command)
        assert event.level() == (10, 0, 2, 8)

    def test_is_over_when_it_has_lapsed(self, event: Event) -> None:
        reservation = event.reserve(GUEST, 2)
        event.now += TEN_MINUTES
        with pytest.raises(ReservationNotHeld):
            event.purchase(GUEST, reservation, 2)


class TestPurchase:
    def test_makes_a_ticket_of_each_place_for_whoever_buys(self, event: Event) -> None:
        outcome = event.purchase(GUEST, event.reserve(GUEST, 2), 2)
        assert event.level() == (10, 0, 2, 8)
        tickets = event.settle(outcome).reply.tickets
        assert [(t.holder, t.price_cents, t.paper) for t in tickets] == [("user:7", 2000, b"sealed")] * 2
        assert len({ticket.code for ticket in tickets}) == 2
        assert event.level() == (10, 2, 0, 8)
        assert event.screening.at_rest

    def test_which_the_database_refuses_leaves_the_reservation(self, event: Event) -> None:
        reservation = event.reserve(GUEST, 2)
        event.abort(event.purchase(GUEST, reservation, 2))
        assert event.level() == (10, 0, 2, 8)
        event.settle(event.purchase(GUEST, reservation, 2))
        assert event.level() == (10, 2, 0, 8)

    def test_asked_for_twice_at_once_is_one(self, event: Event) -> None:
        reservation = event.reserve(GUEST, 2)
        first, again = event.purchase(GUEST, reservation, 2), event.purchase(GUEST, reservation, 2)
        assert again.write_id == first.write_id and again.events == ()

    def test_asked_for_at_once_by_somebody_else_gives_him_nothing(self, event: Event) -> None:
        reservation = event.reserve(GUEST, 2)
        event.purchase(GUEST, reservation, 2)
        with pytest.raises(PaymentAlreadyUsed):
            event.purchase(GUEST, reservation, 2, owner="user:8")

    def test_needs_a_paper_for_each_ticket(self, event: Event) -> None:
        with pytest.raises(WrongNumberOfPapers):
            event.purchase(GUEST, event.reserve(GUEST, 2), 3)
        assert event.level() == (10, 0, 2, 8)

    def test_can_be_cancelled_ticket_by_ticket(self, event: Event) -> None:
        first, _ = event.settle(event.purchase(GUEST, event.reserve(GUEST, 2), 2)).reply.tickets
        outcome = event.do(CancelTicket(1, "user:7", first.id, first.seat_id))
        assert event.level() == (10, 2, 0, 8)
        (change,) = event.settle(outcome).changes
        assert (change.cause, change.available) == ("tickets_cancelled", 16)
        assert event.level() == (10, 1, 0, 9)


class TestRecovery:
    def test_goes_on_from_what_was_stored(self) -> None:
        holds = [Hold(n, 1, 1, place_id(STANDING, n), GUEST, NOW, NOW + 60) for n in (1, 4)]
        sold = Ticket(7, 7, 1, place_id(STANDING, 2), "user:7", 2000, TicketStatus.CONFIRMED, NOW)
        event = Event(holds=holds, tickets=[sold])
        assert event.level() == (10, 1, 2, 7)
        event.order(OTHER, 6)
        event.order(OTHER, 1)
        assert event.level() == (10, 1, 9, 0)

    def test_a_lowered_capacity_is_kept_though_higher_numbers_are_taken(self) -> None:
        holds = [Hold(n, 1, 1, place_id(STANDING, n), GUEST, NOW, NOW + 60) for n in (9, 10)]
        event = Event(standing=3, holds=holds)
        assert event.level() == (3, 0, 2, 1)
        event.order(OTHER, 1)
        with pytest.raises(NotEnoughTickets):
            event.order(OTHER, 1)


class TestEventWithoutSeats:
    def test_whoever_asks_for_seats_is_not_told_that_it_exists(self) -> None:
        event = Hall(0, seated=False, ticket_types={STANDING: TicketType(STANDING, 2000, 10, 6)})
        for command in (
            HoldSeats(1, "user:7", (1,)),
            ToggleSeats(1, "user:7", (1,)),
            ExtendHolds(1, "user:7", (1,), 60.0),
            ReleaseHolds(1, "user:7"),
            BookSeats(1, "user:7", (1,)),
            ReadSeats(1),
            ReadChanges(1, 1, 0),
        ):
            with pytest.raises(ScreeningNotFound):
                event.do(command)

    def test_its_places_are_sold_all_the_same(self) -> None:
        event = Hall(0, seated=False, ticket_types={STANDING: TicketType(STANDING, 2000, 10, 6)})
        (holds,) = event.do(HoldPlaces(1, GUEST, (PlaceOrder(STANDING, 2),), 60.0)).reply.reservations
        command = BookSeats(1, GUEST, (), "paid", held_only=True, reservation_id=holds[0].id)
        assert len(event.settle(event.do(command)).reply.tickets) == 2


class TestFreeRoom:
    def test_seats_exist_while_somebody_has_them(self) -> None:
        room = Hall(0, free_seats=2)
        seat = named_seat_id("A1")
        hold = room.do(HoldSeats(1, "client:a", (seat,), "note")).reply.holds[0]
        assert (hold.seat_id, hold.note) == (seat, "note")
        assert room.map().views[seat].note == "note"
        with pytest.raises(SeatsUnavailable):
            room.hold("client:b", seat)
        room.release("client:a", seat)
        assert room.map().views == {}
        room.hold("client:b", seat)

    def test_holds_only_so_many_seats(self) -> None:
        room = Hall(0, free_seats=2)
        room.hold("client:a", named_seat_id("A1"), named_seat_id("A2"))
        with pytest.raises(RoomFull):
            room.hold("client:b", named_seat_id("A3"))

    def test_that_is_full_lets_one_change_a_seat_for_another(self) -> None:
        room = Hall(0, free_seats=2)
        first, second, third = (named_seat_id(name) for name in ("A1", "A2", "A3"))
        room.hold("client:a", first, second)
        room.do(ToggleSeats(1, "client:a", (second, third)))
        assert room.map().views.keys() == {first, third}
        with pytest.raises(RoomFull):
            room.do(ToggleSeats(1, "client:a", (second,)))

    def test_knows_no_seats_by_number_and_sells_none(self) -> None:
        room = Hall(0, free_seats=2)
        with pytest.raises(SeatsNotFound):
            room.hold("client:a", 1)
        with pytest.raises(NothingForSale):
            room.book("client:a", named_seat_id("A1"))

    def test_a_real_room_has_no_seats_by_name(self, hall: Hall) -> None:
        with pytest.raises(SeatsNotFound):
            hall.hold("client:a", named_seat_id("A1"))
