"""Sale times of screenings and events, on the bare core."""

from typing import Any

import pytest

from engine.commands import (
    BookSeats,
    CancelScreening,
    ExtendHolds,
    HoldBest,
    HoldPlaces,
    HoldSeats,
    PlaceOrder,
    ReadChanges,
    ReadStock,
    ReleaseLapsed,
    SellSeats,
    ToggleSeats,
)
from engine.records import TicketType
from engine.rule_errors import NotOnSale
from engine.sale_rules import Presale, SaleRules
from engine.selling_errors import SalesClosed, SeatsNotFound
from tests.engine.conftest import NOW, Hall

ADA = "user:1"
START, END = NOW + 3600, NOW + 7200
STANDING = 3


@pytest.fixture
def hall() -> Hall:
    return Hall(rules=SaleRules(sales_start=START, sales_end=END))


def refusal(hall: Hall, command: object) -> SalesClosed:
    with pytest.raises(SalesClosed) as refused:
        hall.do(command)
    return refused.value


def test_nobody_gets_in_a_millisecond_early(hall: Hall) -> None:
    hall.now = START - 0.001
    for command in (BookSeats(1, ADA, (1,)), ToggleSeats(1, ADA, (1,))):
        refusal(hall, command)
    with pytest.raises(NotOnSale, match="not begun") as refused:
        hall.hold(ADA, 1)
    error = refused.value
    assert (error.sales_start, error.sales_end, error.retry_after_seconds) == (START, END, 1)
    hall.now = START
    hall.hold(ADA, 1)
    hall.do(ToggleSeats(1, ADA, (2,)))
    hall.book(ADA, 3)


def test_after_the_end_nothing_more_is_sold(hall: Hall) -> None:
    hall.now = END - 0.001
    hall.hold(ADA, 1)
    hall.now = END
    for command in (BookSeats(1, ADA, (2,)), ToggleSeats(1, ADA, (2,)), ToggleSeats(1, ADA, (1, 2))):
        error = refusal(hall, command)
        assert ("have ended" in str(error), error.retry_after_seconds) == (True, None)


def test_what_is_held_at_the_end_can_be_extended_bought_and_given_back(hall: Hall) -> None:
    hall.now = END - 1
    hall.hold(ADA, 1, 2, 3)
    hall.now = END + 1
    assert len(hall.hold(ADA, 1).reply.holds) == 1
    hall.do(ExtendHolds(1, ADA, (1, 2), 60.0))
    hall.do(ToggleSeats(1, ADA, (3,)))
    hall.release(ADA, 2)
    hall.sell(ADA, 1)


def test_an_administrator_sells_outside_the_window(hall: Hall) -> None:
    hall.settle(hall.do(SellSeats(1, ADA, (1,), "user:9")))


def test_a_service_that_books_for_somebody_is_bound_by_the_window(hall: Hall) -> None:
    refusal(hall, BookSeats(1, ADA, (1,), "pay-1", actor="service:payments"))


def test_seats_that_do_not_exist_are_named_first(hall: Hall) -> None:
    with pytest.raises(SeatsNotFound):
        hall.hold(ADA, 99)


class TestEvents:
    """An event and its ticket types have windows, and both must be open."""

    ORDER = HoldPlaces(1, ADA, (PlaceOrder(STANDING, 1),), 600.0)

    def fair(self, kind: TicketType, **window: float) -> Hall:
        return Hall(5, ticket_types={STANDING: kind}, rules=SaleRules(**window))

    def test_the_event_opens_before_the_type(self) -> None:
        fair = self.fair(TicketType(STANDING, 2000, 50, 10, sales_start=END), sales_start=START)
        error = refusal(fair, self.ORDER)
        assert (type(error), error.sales_start, error.retry_after_seconds) == (NotOnSale, START, 3600)
        fair.now = START
        error = refusal(fair, self.ORDER)
        assert (error.ticket_type_id, error.sales_start, error.retry_after_seconds) == (STANDING, END, 3600)
        fair.now = END
        fair.do(self.ORDER)

    def test_the_event_ends_before_the_type(self) -> None:
        fair = self.fair(TicketType(STANDING, 2000, 50, 10), sales_end=START)
        fair.do(self.ORDER)
        fair.now = START
        assert refusal(fair, self.ORDER).sales_end == START

    def test_sales_that_were_closed_by_hand_do_not_open_by_themselves(self) -> None:
        fair = self.fair(TicketType(STANDING, 2000, 50, 10, sales_start=START, closed=True))
        error = refusal(fair, self.ORDER)
        assert ("have been closed" in str(error), error.retry_after_seconds) == (True, None)


class TestWatchers:
    """Watchers are told when sales open and close, by a timer that selling does not depend on."""

    def told(self, hall: Hall, now: float) -> list[str]:
        """Return the causes of the changes that watchers are told at a time."""
        hall.now = now
        changes = hall.screening.handle(ReleaseLapsed(1), now).changes
        assert all(change.views == () and change.at == now for change in changes)
        return [change.cause for change in changes]

    def test_each_is_told_once_and_the_next_one_is_expected(self, hall: Hall) -> None:
        assert hall.screening.next_deadline == START
        assert self.told(hall, START - 0.001) == []
        assert self.told(hall, START) == ["sales_opened"]
        assert hall.screening.next_deadline == END
        assert self.told(hall, START + 1) == []
        assert self.told(hall, END + 0.5) == ["sales_ended"]
        assert self.told(hall, END + 1) == []
        assert hall.screening.next_deadline == float("inf")

    def test_nothing_is_told_again_with_the_next_one(self) -> None:
        kinds = {kind: TicketType(kind, 2000, 50, 10, start) for kind, start in ((4, START), (5, START + 30))}
        fair = Hall(5, ticket_types=kinds)
        assert [self.told(fair, START + seconds) for seconds in (0, 30)] == [["sales_opened"]] * 2

    def test_a_client_that_was_away_gets_it_when_it_resumes(self, hall: Hall) -> None:
        self.told(hall, START)
        reply = hall.do(ReadChanges(1, 1, 0)).reply
        assert [change.cause for change in reply.missed] == ["sales_opened"]

    def test_a_screening_that_is_loaded_late_tells_only_what_is_new(self, hall: Hall) -> None:
        assert self.told(hall, START + 59) == ["sales_opened"]
        again = Hall(rules=hall.screening.info.rules)
        assert self.told(again, START + 61) == []
        assert again.screening.next_deadline == END

    def test_several_at_one_time_are_told_together(self) -> None:
        kinds = {
            STANDING: TicketType(STANDING, 2000, 50, 10, START, END),
            4: TicketType(4, 2000, 50, 10, END),
            5: TicketType(5, 2000, 50, 10, END),
        }
        fair = Hall(5, ticket_types=kinds)
        assert self.told(fair, START) == ["sales_opened"]
        assert self.told(fair, END) == ["sales_ended", "sales_opened"]

    def test_a_cancelled_screening_tells_nothing(self, hall: Hall) -> None:
        hall.do(CancelScreening(1, "user:9"))
        assert self.told(hall, START) == []


class TestPresales:
    """Customers with access to a channel can buy earlier."""

    EARLY = START - 600
    RULES = SaleRules(sales_start=START, presales=(Presale("fans", EARLY), Presale("press", EARLY - 600)))

    @pytest.mark.parametrize(
        "command",
        [
            HoldSeats(1, ADA, (1,), access=("channel:fans",)),
            ToggleSeats(1, ADA, (1,), access=("channel:fans",)),
            BookSeats(1, ADA, (1,), access=("channel:fans", "channel:other")),
            HoldBest(1, ADA, 1, access=("channel:fans",)),
        ],
        ids=["hold", "toggle", "book", "best"],
    )
    def test_not_a_millisecond_earlier(self, command: Any) -> None:
        hall = Hall(rules=self.RULES)
        hall.now = self.EARLY - 0.001
        error = refusal(hall, command)
        assert (error.sales_start, error.retry_after_seconds) == (self.EARLY, 1)
        hall.now = self.EARLY
        assert refusal(hall, command._replace(access=("channel:other",))).sales_start == START
        hall.do(command)

    def test_the_earliest_channel_counts(self) -> None:
        hall = Hall(rules=self.RULES)
        hall.now = self.EARLY - 600
        hall.do(HoldSeats(1, ADA, (1,), access=("channel:fans", "channel:press")))

    def test_tickets_of_an_event_too(self) -> None:
        fair = Hall(5, ticket_types={STANDING: TicketType(STANDING, 2000, 50, 10)}, rules=self.RULES)
        fair.now = self.EARLY
        refusal(fair, TestEvents.ORDER)
        fair.do(TestEvents.ORDER._replace(access=("channel:fans",)))


def test_an_event_is_on_sale_from_the_first_start_of_its_types_on_and_always_if_one_is() -> None:
    early, late = (TicketType(n, 2000, 10, 6, sales_start=START + n) for n in (1, 2))
    event = Hall(0, ticket_types={1: early, 2: late})
    assert event.do(ReadStock(1)).reply.window.sales_start == START + 1
    event = Hall(0, ticket_types={1: early, 2: late._replace(sales_start=None)})
    assert event.do(ReadStock(1)).reply.window.sales_start is None
