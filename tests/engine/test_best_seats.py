"""The best adjacent seats: against brute force, and one rule at a time."""

from collections.abc import Iterable
from itertools import chain
from math import hypot
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.commands import BlockSeats, HoldBest, ReleaseLapsed, SellSeats
from engine.events import SeatsHeld
from engine.memory import MemoryIds
from engine.orphans import avoidable
from engine.policy import Policy
from engine.ports import LoadedScreening
from engine.records import Area, Focus, Layout, Seat, channel_key
from engine.rows import GAP, rows_of
from engine.rule_errors import NotOnSale, WouldStrandSeat
from engine.sale_rules import NO_RULES, OrphanRule, SaleRules
from engine.screening import Screening
from engine.seat_ranking import OTHER_ROWS, UNITS, default_focus
from engine.selling_errors import (
    HoldLimitExceeded,
    NoAdjacentSeats,
    ScreeningNotFound,
    ScreeningStarted,
    ZoneNotFound,
)
from tests.engine.conftest import NOW, Hall, make_info

SURCHARGES = {"vip": 349, "wheelchair": 0}
LETTERS = {"s": "standard", "v": "vip", "w": "wheelchair"}


def hall(*rows: str, spacing: float = 1.0, **around: Any) -> Layout:
    """A room with a row per word: a seat per letter (standard, vip, wheelchair), blanks for aisles."""
    seats: list[Seat] = []
    for line, row in enumerate(rows):
        for column, letter in enumerate(row):
            if letter != " ":
                name, y = "ABCDEFGH"[line], line * spacing + 1
                seats.append(Seat(len(seats) + 1, 1, name, column, LETTERS[letter], column + 1.0, y))
    return Layout(1, 1, seats, **around)


class Sale:
    """A screening in a hall of which some seats are taken."""

    def __init__(
        self,
        layout: Layout,
        taken: Iterable[int] = (),
        rules: SaleRules = NO_RULES,
        starts_at: float = NOW + 3600,
        **limits: Any,
    ) -> None:
        self.layout, self.now = layout, NOW
        self.taken = set(taken)
        terms = make_info(starts_at=starts_at, rules=rules)._replace(surcharges_cents=SURCHARGES)
        loaded = LoadedScreening(terms, layout, 1, [], [])
        policy = Policy(**{"held_seats_limit": 60} | limits)
        self.screening = Screening(loaded, policy, MemoryIds(1001), MemoryIds(2001))
        for seat_id in self.taken:  # by an administrator, whom the rule about stranded seats does not bind
            sold = self.screening.handle(SellSeats(1, "user:0", (seat_id,), "user:9"), NOW)
            self.screening.settle(sold.write_id, NOW)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.screening.handle(ReleaseLapsed(1), self.now)

    def best(self, quantity: int, holder: str = "user:1", **wishes: Any) -> tuple[int, ...]:
        held = self.screening.handle(HoldBest(1, holder, quantity, **wishes), self.now).reply
        assert isinstance(held, SeatsHeld)
        return held.seat_ids

    def largest(self, quantity: int, **wishes: Any) -> int:
        with pytest.raises(NoAdjacentSeats) as refusal:
            self.best(quantity, **wishes)
        assert refusal.value.quantity == quantity
        return refusal.value.largest


class Judge:
    """Finds the best seats the slow way: it compares all there are."""

    def __init__(self, sale: Sale, wanted: set[int], accessible: bool) -> None:
        self.layout, self.rows = sale.layout, rows_of(sale.layout)
        self.free = {seat.id for seat in sale.layout.seats} - sale.taken
        self.seats = self.free & wanted
        self.accessible = accessible
        self.focus = sale.layout.focus or default_focus(sale.layout)

    def cost(self, seat_id: int) -> int:
        seat = self.layout.by_id[seat_id]
        preferred = not self.focus.rows or seat.row_label in self.focus.rows
        distance = round(UNITS * hypot(seat.x - self.focus.x, seat.y - self.focus.y))
        return distance + (0 if preferred else OTHER_ROWS)

    def groups(self, size: int) -> list[tuple[int, ...]]:
        windows = [
            run[start : start + size] for run in self.rows.runs for start in range(len(run) - size + 1)
        ]
        return [window for window in windows if self.seats.issuperset(window)]

    def is_taken(self, seat_id: int) -> bool:
        return seat_id not in self.free

    def merit(self, *groups: tuple[int, ...]) -> tuple[Any, ...]:
        seats = [seat_id for group in groups for seat_id in group]
        return (
            len(avoidable(self.rows, seats, self.is_taken)),
            len(self.rows.stranded_by(seats, self.is_taken)),
            sum(len(group) == 1 for group in groups) if len(groups) > 1 else 0,
            sum(seat_id in self.rows.wheelchairs for seat_id in seats),
            sum(map(self.cost, seats)),
            *sorted((self.rows.place_of[group[0]], len(group)) for group in groups),
        )

    def together(self, size: int) -> list[tuple[tuple[int, ...], ...]]:
        groups = self.groups(size)
        if self.accessible:
            groups = [group for group in groups if self.rows.wheelchairs.intersection(group)]
        return [(group,) for group in groups]

    def apart(self, size: int) -> list[tuple[tuple[int, ...], ...]]:
        return [
            (first, second)
            for first_size in range(1, size)
            for first in self.groups(first_size)
            if not self.accessible or (first_size > 1 and self.rows.wheelchairs.intersection(first))
            for second in self.groups(size - first_size)
            if self.touch(first, second)
        ]

    def touch(self, first: tuple[int, ...], second: tuple[int, ...]) -> bool:
        by_id = self.layout.by_id
        return any(
            one.row_label != other.row_label and hypot(one.x - other.x, one.y - other.y) < GAP
            for one in map(by_id.get, first)
            for other in map(by_id.get, second)
        )

    def best(self, size: int, split: bool) -> tuple[tuple[int, ...], ...]:
        options = self.together(size) or (self.apart(size) if split else [])
        return min(options, key=lambda groups: self.merit(*groups), default=())


@st.composite
def halls(draw: st.DrawFn) -> Layout:
    kinds = draw(st.sampled_from(["s", "ssssv", "sssssssw", "sssv w", "ssss ", "sw"]))
    rows = draw(st.lists(st.text(kinds, min_size=1, max_size=12), min_size=1, max_size=5))
    rows = [row if row.strip() else "s" for row in rows]
    x, y = draw(st.integers(0, 12)), draw(st.integers(0, 6))
    preferred = draw(st.frozensets(st.sampled_from("ABCDE"[: len(rows)]), max_size=2))
    return hall(
        *rows,
        spacing=draw(st.sampled_from([1.0, 1.2, 1.6])),
        sections=[Area(0, 0, 6.5, 4.5, "left"), Area(6.5, 0, 20, 20, "right")],
        aisles=draw(st.sampled_from([(), (Area(4.4, 0, 4.6, 3.5),)])),
        focus=draw(st.sampled_from([None, Focus(x, y), Focus(x / 2, y / 2, preferred)])),
    )


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_it_is_what_brute_force_finds(data: st.DataObject) -> None:
    layout = data.draw(halls())
    ids = [seat.id for seat in layout.seats]
    enforced = data.draw(st.booleans())
    taken = data.draw(st.sets(st.sampled_from(ids), max_size=len(ids)))
    size, accessible, split = data.draw(st.integers(1, 6)), data.draw(st.booleans()), data.draw(st.booleans())
    zone = data.draw(st.sampled_from([None, None, "left", "right"]))
    types = data.draw(st.sampled_from([None, None, ("standard",), ("vip",), ("standard", "vip")]))
    price = data.draw(st.sampled_from([None, None, 1250, 1599, 1000]))
    compare(layout, taken, size, enforced, accessible, split, zone, types, price)


@pytest.mark.parametrize("seed", range(10))
def test_parties_in_small_halls_sit_where_trying_every_choice_puts_them(seed: int) -> None:
    """Fewer and smaller halls than above, and most parties have to be split."""
    draw = Random(seed)
    for _ in range(25):
        rows = ["".join(draw.choices("sssssvw ", k=draw.randint(3, 6))) for _ in range(draw.randint(2, 3))]
        preferred = frozenset(draw.choice("AB"))
        focus = draw.choice([None, Focus(draw.randint(0, 6), draw.randint(0, 3), preferred)])
        sections = [Area(0, 0, 3.5, 4.5, "left"), Area(3.5, 0, 20, 20, "right")]
        aisles = draw.choice([(), (Area(3.4, 0, 3.6, 1.5),)])
        spacing = draw.choice([1.0, 1.2, 1.6])
        layout = hall("ss", *rows, spacing=spacing, sections=sections, aisles=aisles, focus=focus)
        taken = {seat.id for seat in layout.seats if draw.random() < 0.35}
        zone, types = draw.choice([None, None, None, "left"]), draw.choice([None, None, None, ("standard",)])
        compare(
            *(
                layout,
                taken,
                draw.randint(2, 6),
                draw.random() < 0.5,
                draw.random() < 0.3,
                draw.random() < 0.8,
            ),
            *(zone, types, draw.choice([None, None, None, 1250])),
        )


def compare(
    layout: Layout,
    taken: set[int],
    size: int,
    enforced: bool,
    accessible: bool,
    split: bool,
    zone: str | None,
    types: tuple[str, ...] | None,
    price: int | None,
) -> None:
    """Compare the best seats for a party with those that trying every choice finds."""
    sale = Sale(layout, taken, SaleRules(OrphanRule.ENFORCE if enforced else OrphanRule.OFF))
    areas = {area.name: area for area in layout.sections}
    wanted = {
        seat.id
        for seat in layout.seats
        if (price is None or sale.screening.info.price_of(seat) <= price)
        and (accessible if seat.seat_type == "wheelchair" else types is None or seat.seat_type in types)
        and (zone is None or areas[zone].has(seat))
    }
    judge = Judge(sale, wanted, accessible)
    expected = judge.best(size, split)
    wishes = {
        "accessible": accessible,
        "allow_split": split,
        "zone": zone,
        "seat_types": types,
        "max_price_cents": price,
    }
    if expected and enforced and judge.merit(*expected)[0]:
        with pytest.raises(WouldStrandSeat):
            sale.best(size, **wishes)
    elif expected:
        assert sorted(sale.best(size, **wishes)) == sorted(chain(*expected))
    else:
        fitting = [smaller for smaller in range(1, size) if judge.best(smaller, split)]
        assert sale.largest(size, **wishes) == max(fitting, default=0)


def test_the_seats_nearest_to_the_focal_point_are_the_best():
    assert Sale(hall("sssssss", "sssssss", focus=Focus(4, 1))).best(3) == (3, 4, 5)
    assert Sale(hall("sssssss", "sssssss", focus=Focus(4, 2))).best(3) == (10, 11, 12)


def test_preferred_rows_come_first():
    sale = Sale(hall("sss", "sss", "sss", focus=Focus(2, 1, frozenset("C"))))
    assert [sale.best(3) for _ in range(3)] == [(7, 8, 9), (1, 2, 3), (4, 5, 6)]


def test_without_a_focal_point_the_middle_towards_the_back_is_the_best():
    assert Sale(hall("sssss", "sssss", "sssss", "sssss")).best(1) == (13,)


def test_no_single_seat_is_left_if_there_is_another_way():
    sale = Sale(hall("sssss", focus=Focus(3, 1)))
    assert sale.best(3) == (1, 2, 3)  # in the middle there would be one left on each side
    assert sale.best(2) == (4, 5)


def test_a_rule_against_single_seats_is_kept_where_that_is_possible():
    rules = SaleRules(OrphanRule.ENFORCE)
    # All that is left of its row may be stranded; the middle of the other row may not.
    assert Sale(hall("svs", "sssv", focus=Focus(2, 1)), (), rules).best(2, seat_types=("standard",)) == (4, 5)
    assert Sale(hall("sss", focus=Focus(3, 1)), (), rules).best(2) == (2, 3)
    with pytest.raises(WouldStrandSeat):
        Sale(hall("vsv"), (), rules).best(1, seat_types=("standard",))


def test_a_single_seat_is_left_if_there_is_no_other_way():
    assert Sale(hall("sss", focus=Focus(3, 1))).best(2) == (2, 3)


def test_a_party_does_not_sit_across_an_aisle():
    sale = Sale(hall("ss ss"))
    assert sale.largest(3) == 2
    assert sale.best(2) == (1, 2)


def test_wheelchair_places_are_only_for_those_who_ask():
    sale = Sale(hall("sswss"))
    assert sale.largest(3) == 2
    assert sale.best(3, accessible=True) == (1, 2, 3)
    assert sale.largest(1, accessible=True) == 0


def test_an_accessible_party_takes_one_wheelchair_place_if_it_can():
    assert Sale(hall("wwssww", focus=Focus(1, 1))).best(3, accessible=True) == (2, 3, 4)
    assert Sale(hall("ww")).best(2, accessible=True) == (1, 2)


def test_a_price_and_types_limit_the_choice():
    assert Sale(hall("vvv", "sss", focus=Focus(2, 1))).best(2, max_price_cents=1250) == (4, 5)
    assert Sale(hall("vvv", "sss", focus=Focus(2, 2))).best(3, seat_types=("vip",)) == (1, 2, 3)
    assert Sale(hall("vvv", "sss")).largest(2, seat_types=("sofa",)) == 0


def test_a_zone_limits_the_choice_and_must_exist():
    sale = Sale(hall("ssss", "ssss", sections=[Area(0, 1.5, 9, 3, "Balcony")]))
    assert sale.best(2, zone="Balcony") == (5, 6)
    with pytest.raises(ZoneNotFound, match="Balcony") as refusal:
        sale.best(2, zone="Stalls")
    assert refusal.value.zones == ("Balcony",)
    with pytest.raises(ZoneNotFound, match="it has no sections"):
        Sale(hall("ss")).best(2, zone="Stalls")


def test_a_party_is_only_split_if_it_may_be():
    layout = hall("sssss", "sssss", focus=Focus(3, 1))
    assert Sale(layout).largest(6) == 5
    # In the first row and one seat of the second would be nearer, but somebody would sit alone.
    assert Sale(layout).best(6, allow_split=True) == (1, 2, 3, 6, 7, 8)
    assert Sale(layout).best(9, allow_split=True) == (1, 2, 3, 4, 5, 6, 7, 8, 9)
    assert Sale(layout).largest(11, allow_split=True) == 10


def test_groups_that_nearly_touch_are_no_pair():
    """The nearest group of row B touches one of row A, and in row C only a taken seat beside a free group."""
    left = Sale(hall("ss    ", "ss  ss", "  sss ", focus=Focus(3, 3)), taken={7})
    assert left.best(4, allow_split=True) == (5, 6, 8, 9)
    right = Sale(hall("    ss", "ss  ss", " sss  ", focus=Focus(4, 3)), taken={9})
    assert right.best(4, allow_split=True) == (3, 4, 7, 8)


@pytest.mark.parametrize(
    ("rows", "focus", "taken", "size", "best"),
    [
        (["svvsss", "ssssvs"], (3, 2), {1, 10}, 5, (4, 5, 6, 8, 9)),
        (["vsssv", "svssv", "  s"], (5, 1), (), 4, (3, 4, 8, 9)),
        ([" sssv", "vssv"], (3, 1), (), 4, (1, 2, 3, 7)),
    ],
)
def test_the_seats_that_both_groups_strand_count_together(
    rows: list[str], focus: tuple[int, int], taken: Iterable[int], size: int, best: tuple[int, ...]
) -> None:
    sale = Sale(hall(*rows, focus=Focus(*focus)), taken)
    assert sale.best(size, allow_split=True, seat_types=("standard",)) == best


def test_a_seat_may_be_stranded_where_no_group_beside_leaves_it() -> None:
    """The groups of row A are nearer, but beside them others would strand nobody."""
    for rows, best in ((("vssvv", "vss"), (7, 8)), (("vvssv", "ssv"), (6, 7))):
        assert Sale(hall(*rows, focus=Focus(3, 1))).best(2, seat_types=("standard",)) == best


@pytest.mark.parametrize("size", [1, 2, 3])
def test_in_a_large_hall_the_best_of_what_is_left_is_found(size: int) -> None:
    layout = hall(*["s" * 40] * 8, focus=Focus(1, 1))
    taken = {seat.id for seat in layout.seats if seat.x < 20 or seat.id % 7 == 0}
    compare(layout, taken, size, False, False, False, None, None, None)


def test_groups_touch_that_are_less_than_a_gap_apart_wherever_they_are() -> None:
    one_behind_the_other, diagonally = hall(" ", " ", "s", "s"), hall(" ", "  s", " s")
    for layout in (one_behind_the_other, diagonally):
        assert Sale(layout).best(2, allow_split=True) == (1, 2)
    assert Sale(hall("s", "s", spacing=GAP)).largest(2, allow_split=True) == 1


def test_a_room_without_seats_has_a_focal_point() -> None:
    assert default_focus(hall("")) == Focus(0, 0)


def test_a_split_party_sits_one_behind_the_other():
    assert Sale(hall("ss      ", "      ss")).largest(4, allow_split=True) == 2
    assert Sale(hall("ss", "  ", "ss")).largest(4, allow_split=True) == 2


def test_seats_that_the_holder_has_had_too_long_are_left_out():
    sale = Sale(hall("ssss", focus=Focus(1, 1)), hold_life_seconds=400)
    assert sale.best(2) == (1, 2)
    sale.wait(300)
    assert sale.best(2) == (1, 2)
    sale.wait(100)
    assert sale.best(2) == (3, 4)
    assert sale.best(2, "user:2") == (1, 2)


def test_seats_of_a_block_are_only_for_those_with_access():
    sale = Sale(hall("ssss", focus=Focus(1, 1)))
    blocked = sale.screening.handle(BlockSeats(1, "user:9", "Press", "channel", (1, 2), channel="press"), NOW)
    sale.screening.settle(blocked.write_id, NOW)
    assert sale.largest(3) == 2
    assert sale.best(2) == (3, 4)
    assert sale.largest(3, access=(channel_key("press"),)) == 2
    assert sale.best(2, access=(channel_key("press"),)) == (1, 2)


def test_an_event_without_seats_has_no_best_ones() -> None:
    with pytest.raises(ScreeningNotFound):
        Hall(0, seated=False).do(HoldBest(1, "user:1", 2))


def test_what_closes_sales_and_limits_holds_is_said_first():
    with pytest.raises(ScreeningStarted):
        Sale(hall("s"), starts_at=NOW).best(9)
    with pytest.raises(HoldLimitExceeded) as refusal:
        Sale(hall("ssss"), held_seats_limit=3).best(4)
    assert (refusal.value.limit, refusal.value.held, refusal.value.requested) == (3, 0, 4)
    with pytest.raises(NotOnSale):
        Sale(hall("s"), rules=SaleRules(sales_start=NOW + 1)).best(9)
    assert Sale(hall("sss"), held_seats_limit=3).best(3) == (1, 2, 3)
    sale = Sale(hall("ssss"), held_seats_limit=3)
    sale.best(2)
    with pytest.raises(HoldLimitExceeded):
        sale.best(2)
