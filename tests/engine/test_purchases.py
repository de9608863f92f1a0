"""The purchase of reservations of places: repeated, by others, and after the reservation has ended."""

import pytest

from engine.commands import HoldPlaces, PlaceOrder, ReadStock
from engine.errors import JournalFull
from engine.events import PlacesHeld
from engine.memory_ledger import MemoryLedger
from engine.purchases import Purchases
from engine.records import Paper, TicketType
from engine.replies import Booked, Reserved, StockLevel
from engine.selling_errors import PaymentAlreadyUsed, ReservationNotHeld, WrongNumberOfPapers
from engine.vouching import vouched_by
from tests.engine.conftest import make_info, make_layout
from tests.engine.house import House, turns

pytestmark = pytest.mark.gen_test

EVENT, STANDING = 3, 30
GUEST, ADA, GRACE = "session:guest", "user:7", "user:8"
TEN_MINUTES = 600.0


class Desk:
    """Sells the four standing places of an event."""

    def __init__(self, rebooks: bool = True, **limits: float) -> None:
        self.house = House(**limits)
        kinds = {STANDING: TicketType(STANDING, 2000, 4, 4)}
        self.house.database.add_screening(make_info(EVENT, ticket_types=kinds), make_layout(0))
        ledger = MemoryLedger(self.house.database)
        self.purchases = Purchases(self.house.screenings, ledger, rebooks=rebooks)

    async def reserve(self, quantity: int, holder: str = GUEST) -> int:
        order = PlaceOrder(STANDING, quantity)
        reply = await self.house.screenings.ask(HoldPlaces(EVENT, holder, (order,), TEN_MINUTES))
        assert isinstance(reply, Reserved)
        await turns()
        return reply.reservations[0][0].reservation_id

    async def buy(
        self, reservation_id: int, quantity: int, *, owner: str = ADA, papers: int | None = None
    ) -> Booked:
        content = [Paper(f"{owner}-{number}", b"") for number in range(papers or quantity)]
        order = PlaceOrder(STANDING, quantity)
        return await self.purchases.purchase(GUEST, owner, EVENT, reservation_id, content, order)

    async def level(self) -> StockLevel:
        stock = await self.house.screenings.ask(ReadStock(EVENT))
        level: StockLevel = stock.ticket_types[STANDING]
        return level


async def test_a_reservation_is_bought_once_for_its_owner() -> None:
    desk = Desk()
    reservation_id = await desk.reserve(2)
    bought = await desk.buy(reservation_id, 2)
    named = [(ticket.holder, ticket.code) for ticket in bought.tickets]
    assert named == [(ADA, "user:7-0"), (ADA, "user:7-1")]
    assert bought.tickets[0].payment_id == f"reservation:{EVENT}-{reservation_id}"
    assert await desk.buy(reservation_id, 2) == bought
    assert (await desk.level()).sold == 2


@pytest.mark.parametrize("quantity", [1, 3])
async def test_a_reservation_that_has_ended_is_bought_late(quantity: int) -> None:
    desk = Desk()
    reservation_id = await desk.reserve(quantity)
    desk.house.clock.advance(TEN_MINUTES)
    bought = await desk.buy(reservation_id, quantity)
    assert len(bought.tickets) == quantity
    assert await desk.buy(reservation_id, quantity) == bought
    assert await desk.level() == StockLevel(4, quantity, 0, 0)


async def test_without_late_purchases_a_reservation_that_has_ended_cannot_be_bought() -> None:
    desk = Desk(rebooks=False)
    reservation_id = await desk.reserve(2)
    desk.house.clock.advance(TEN_MINUTES)
    with pytest.raises(ReservationNotHeld):
        await desk.buy(reservation_id, 2)


@pytest.mark.parametrize("papers", [1, 3])
async def test_a_late_purchase_needs_a_paper_for_each_place(papers: int) -> None:
    desk = Desk()
    reservation_id = await desk.reserve(2)
    desk.house.clock.advance(TEN_MINUTES)
    with pytest.raises(WrongNumberOfPapers) as refusal:
        await desk.buy(reservation_id, 2, papers=papers)
    assert (refusal.value.tickets, refusal.value.papers) == (2, papers)
    assert await desk.level() == StockLevel(4, 0, 0, 0)


async def test_a_late_purchase_that_finds_too_few_places_is_told_that_the_reservation_has_ended() -> None:
    desk = Desk()
    reservation_id = await desk.reserve(2)
    desk.house.clock.advance(TEN_MINUTES)
    await desk.reserve(3, "session:other")
    with pytest.raises(ReservationNotHeld) as refusal:
        await desk.buy(reservation_id, 2)
    assert refusal.value.reservation_id == reservation_id


async def test_a_late_purchase_that_may_be_repeated_says_so() -> None:
    desk = Desk(journal_limit=1)
    reservation_id = await desk.reserve(2)
    desk.house.clock.advance(TEN_MINUTES)
    await turns()
    desk.house.journal.automatic = False
    await desk.house.hold(GRACE, 1)
    with pytest.raises(JournalFull):
        await desk.buy(reservation_id, 2)


async def test_what_somebody_else_has_bought_is_not_sold_again() -> None:
    desk = Desk()
    reservation_id = await desk.reserve(1)
    await desk.buy(reservation_id, 1)
    with pytest.raises(PaymentAlreadyUsed):
        await desk.buy(reservation_id, 1, owner=GRACE)
    assert await desk.level() == StockLevel(4, 1, 0, 0), "the places of the late purchase are free again"


async def test_a_reservation_whose_payment_is_used_is_not_bought_late() -> None:
    desk = Desk()
    reservation_id = await desk.reserve(1)
    desk.house.database.payments[f"reservation:{EVENT}-{reservation_id}"] = 99
    with pytest.raises(PaymentAlreadyUsed):
        await desk.buy(reservation_id, 1)
    events = desk.house.database.events.values()
    assert sum(isinstance(event, PlacesHeld) for event in events) == 1


def test_who_vouches_for_a_payment_follows_from_the_actor_and_the_id() -> None:
    assert vouched_by("user:1", "counter:1") == "counter"
    assert vouched_by("service:payments", "pi_1") == vouched_by("service:payments", None) == "service"
    assert vouched_by("user:7", "pi_1") is vouched_by(None, None) is None
