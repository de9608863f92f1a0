"""The price of a seat or ticket is agreed when it is held."""

import pytest

from engine.commands import (
    BookSeats,
    ConfirmTicket,
    ExtendHolds,
    HoldPlaces,
    PlaceOrder,
    ReadReservation,
    SellSeats,
    ToggleSeats,
)
from engine.places import named_seat_id, place_id
from engine.prices import Prices
from engine.records import TicketType
from engine.selling_errors import PriceChanged
from tests.engine.cluster import pair
from tests.engine.conftest import NOW, Hall, make_info, make_layout
from tests.engine.house import House, turns

pytestmark = pytest.mark.gen_test

STANDARD, VIP = 1250, 1599
"""The prices of seats 1 and 10 before they are raised."""

STANDING = TicketType(5, 2000, 9, 3)


async def test_what_is_no_seat_of_the_room_has_the_price_of_its_ticket_type_or_none() -> None:
    prices = Prices(
        make_info(ticket_types={STANDING.id: STANDING})._replace(price_cents=STANDARD), make_layout()
    )
    place, free_seat = place_id(STANDING.id, 1), named_seat_id("table 4")
    assert (prices[1], prices[place], prices[free_seat]) == (STANDARD, 2000, 0)


async def reprice(
    house: House, price_cents: int, surcharge_cents: int = 349, place_cents: int = 2000
) -> None:
    """Change the prices of screening 1, as an administrator does."""

    async def write() -> None:
        types = {STANDING.id: STANDING._replace(price_cents=place_cents)}
        info = make_info(ticket_types=types)._replace(
            price_cents=price_cents, surcharges_cents={"vip": surcharge_cents}
        )
        house.database.add_screening(info, make_layout())

    await house.screenings.change(1, write)


def prices(reply: object) -> list[int]:
    return [ticket.price_cents for ticket in reply.tickets]  # type: ignore[attr-defined]


def test_a_hold_says_what_its_seats_cost(hall: Hall) -> None:
    held = hall.hold("user:7", 1, 10).reply
    assert held.prices_cents == (STANDARD, VIP)
    assert [hold.price_cents for hold in held.holds] == [STANDARD, VIP]
    assert held.hold_of(10) == held.holds[1]
    assert [hold.price_cents for hold in hall.hold("user:7", 2, 10).reply.holds] == [STANDARD, VIP]
    assert [hold.price_cents for hold in hall.release("user:7", 10).reply.holds] == [VIP]
    assert [hold.price_cents for hold in hall.do(ToggleSeats(1, "user:7", (10, 1))).reply.held] == [VIP]


async def test_what_is_held_keeps_its_price_and_later_holds_have_the_new_one() -> None:
    house = House()
    await house.hold("user:7", 1, 10)
    await reprice(house, 2000, 500)
    later = await house.hold("user:8", 2, 20)
    assert later.prices_cents == (2000, 2500)
    assert prices(await house.book("user:7", 10, 1)) == [VIP, STANDARD]
    assert prices(await house.book("user:8", 2, 20)) == [2000, 2500]


async def test_a_booking_of_held_and_free_seats_costs_both_prices() -> None:
    house = House()
    await house.hold("user:7", 1)
    await reprice(house, 2000)
    assert prices(await house.book("user:7", 2, 1)) == [2000, STANDARD]


async def test_a_seat_that_was_given_back_costs_the_present_price() -> None:
    house = House()
    await house.hold("user:7", 1)
    await reprice(house, 2000)
    await house.screenings.ask(ToggleSeats(1, "user:7", (1,)))
    held = await house.hold("user:7", 1)
    assert held.prices_cents == (2000,)


async def test_extending_keeps_the_price() -> None:
    house = House()
    await house.hold("user:7", 1)
    await reprice(house, 2000)
    extended = await house.screenings.ask(ExtendHolds(1, "user:7", (1,), 60.0))
    assert [hold.price_cents for hold in extended.holds] == [STANDARD]
    await reprice(house, 3000)
    assert prices(await house.screenings.ask(SellSeats(1, "user:7", (1,), "user:1"))) == [STANDARD]


async def test_the_price_survives_a_crash_and_another_owner() -> None:
    house = House()
    await house.hold("user:7", 1, 10)
    await house.screenings.ask(ExtendHolds(1, "user:7", (10,), 60.0))
    await reprice(house, 2000)
    other = House(house.database, owner="two")
    other.database.add_screening(make_info()._replace(price_cents=2000), make_layout())
    assert prices(await other.book("user:7", 1, 10)) == [STANDARD, VIP]


@pytest.mark.parametrize("planned", [True, False], ids=["planned move", "takeover"])
async def test_the_price_moves_with_the_screening_to_another_node(planned: bool) -> None:
    cluster = pair()
    await cluster.renew()
    await cluster["a"].hold("user:7", 1, 10)
    await turns()
    cluster.database.add_screening(make_info()._replace(price_cents=2000), make_layout())
    if planned:
        cluster.homes[1] = "b"
    else:
        cluster.living.remove("a")
    later = await cluster["b"].hold("user:8", 2)
    assert (later.epoch, later.prices_cents) == (2, (2000,))
    assert prices(await cluster["b"].book("user:7", 1, 10)) == [STANDARD, VIP]


async def test_places_of_a_ticket_type_keep_their_price() -> None:
    house = House()
    await reprice(house, STANDARD)
    order = (PlaceOrder(STANDING.id, 2),)
    ((first, _),) = (await house.screenings.ask(HoldPlaces(1, "session:a", order, 300.0))).reservations
    assert first.price_cents == 2000
    await reprice(house, STANDARD, place_cents=3300)
    read = await house.screenings.ask(ReadReservation(1, "session:a", first.id))
    assert [hold.price_cents for hold in read.holds] == [2000, 2000]
    bought = await house.screenings.ask(BookSeats(1, "session:a", (), reservation_id=first.id))
    assert prices(bought) == [2000, 2000]
    ((later,),) = (
        await house.screenings.ask(HoldPlaces(1, "session:b", (PlaceOrder(STANDING.id, 1),), 300.0))
    ).reservations
    assert later.price_cents == 3300


def test_a_hold_of_an_earlier_release_is_sold_at_the_present_price(hall: Hall) -> None:
    earlier = hall.hold("user:7", 1).reply.holds[0]._replace(price_cents=None)
    assert prices(Hall(holds=[earlier]).book("user:7", 1).reply) == [STANDARD]


def test_a_booking_at_another_total_than_expected_is_refused_and_changes_nothing(hall: Hall) -> None:
    hall.hold("user:7", 1)
    before = hall.map()
    for seats, expected, actual in ((1,), 1249, 1250), ((1, 10), 1250, 2849), ((2,), 0, 1250):
        with pytest.raises(PriceChanged) as refused:
            hall.book("user:7", *seats, expected_total_cents=expected)
        assert (refused.value.expected_cents, refused.value.actual_cents) == (expected, actual)
        assert (refused.value.expected, refused.value.actual) == (expected / 100, actual / 100)
    assert "12.50, not 0.00" in str(refused.value)
    assert hall.map() == before
    assert prices(hall.book("user:7", 1, 10, expected_total_cents=2849).reply) == [STANDARD, VIP]


def test_a_pending_ticket_is_paid_at_the_price_it_was_issued_for(hall: Hall) -> None:
    pending = hall.book("user:7", 10, payment_pending=True)
    hall.settle(pending)
    (ticket,) = pending.reply.tickets

    def confirm(expected_total_cents: int) -> None:
        hall.do(ConfirmTicket(1, "user:7", ticket.id, 10, "pay-1", expected_total_cents=expected_total_cents))

    with pytest.raises(PriceChanged):
        confirm(VIP + 1)
    assert hall.seen(10) == "reserved" and hall.now == NOW
    confirm(VIP)


def test_a_repeated_payment_gives_its_tickets_whatever_total_it_names(hall: Hall) -> None:
    first = hall.book("user:7", 1, payment_id="pay-1", expected_total_cents=STANDARD)
    again = hall.book("user:7", 1, payment_id="pay-1", expected_total_cents=1)
    assert again.reply == first.reply and again.write_id == first.write_id
