"""Choices that strand seats, checked against every possible choice, and the core's reaction to them."""

from collections.abc import Collection

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.commands import (
    BlockSeats,
    BookSeats,
    HoldBest,
    HoldSeats,
    HoldSeatsFor,
    SellSeats,
    ToggleSeats,
)
from engine.events import SeatsHeld
from engine.orphans import ALTERNATIVES, alternatives, avoidable
from engine.records import CHANNEL, KILL, Layout, Seat, channel_key
from engine.replies import Held
from engine.rows import rows_of
from engine.rule_errors import WouldStrandSeat
from engine.sale_rules import OrphanRule, SaleRules
from tests.engine.conftest import Hall
from tests.engine.spacing import avoidable_by_trying

ENFORCE = SaleRules(OrphanRule.ENFORCE)
WARN = SaleRules(OrphanRule.WARN)

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def room(*rows: str) -> Layout:
    """A room: a space is a way, `v` a VIP seat, `w` a wheelchair place, anything else a standard seat. Ids
    count from 1, without the ways."""
    kinds = {"v": "vip", "w": "wheelchair"}
    places = [(y, x, mark) for y, row in enumerate(rows, 1) for x, mark in enumerate(row, 1) if mark != " "]
    return Layout(
        1,
        1,
        [
            Seat(number, 1, LETTERS[y - 1], x, kinds.get(mark, "standard"), float(x), float(y))
            for number, (y, x, mark) in enumerate(places, 1)
        ],
    )


def drawn(row: str) -> tuple[Layout, set[int], list[int], list[int]]:
    """A picture as in the docstring of `engine.orphans`: layout, taken, chosen and stranded seats."""
    seats = list(enumerate(row.replace(" ", ""), 1))
    taken, chosen, stranded = ([number for number, mark in seats if mark == which] for which in "#x!")
    return room(row), set(taken), chosen, stranded


@pytest.mark.parametrize(
    "picture",
    [
        "!x.....",
        "#..x!#",
        "!x!x..x",
        "xx!",
        "#x!#...",
        "x!x#...",
        "!x.. ..x!",
        "x.. .x",
        "...x...",
        "#..x..#",
        "#!x..#",
        ".#x..",
        "!xx...",
        "x!x!x...",
    ],
)
def test_what_a_picture_shows(picture: str) -> None:
    layout, taken, chosen, stranded = drawn(picture)
    allowed = {"xx!", "#x!#...", "x!x#..."}
    expected = [] if picture in allowed else stranded
    assert avoidable(rows_of(layout), chosen, taken.__contains__) == expected


RUNS = st.lists(st.text(".#", min_size=1, max_size=10), min_size=1, max_size=4)


@settings(max_examples=400, deadline=None)
@given(rows=RUNS, data=st.data())
def test_a_choice_is_judged_as_if_every_other_one_had_been_tried(
    rows: list[str], data: st.DataObject
) -> None:
    layout = room(" ".join(rows))
    places = [(run, place) for run, row in enumerate(rows) for place in range(len(row))]
    seat_of = {place: number for number, place in enumerate(places, 1)}
    free = [seat_of[run, place] for run, place in places if rows[run][place] == "."]
    chosen = data.draw(
        st.lists(st.sampled_from(free), min_size=1, max_size=6, unique=True) if free else st.just([])
    )
    expected = {
        seat_of[run, place]
        for run, row in enumerate(rows)
        for place in avoidable_by_trying(
            row, [at for r, at in places if r == run and seat_of[r, at] in chosen]
        )
    }
    is_taken = frozenset(seat_of.values()).difference(free).__contains__
    assert set(avoidable(rows_of(layout), chosen, is_taken)) == expected
    if not expected:
        return
    others = alternatives(layout, chosen, is_taken)
    assert 1 <= len(others) <= ALTERNATIVES, "what can be avoided has an alternative"
    assert len(set(map(frozenset, others))) == len(others)
    for other in others:
        assert len(set(other)) == len(chosen)
        assert set(other) <= set(free)
        assert not avoidable(rows_of(layout), other, is_taken)


# Alternatives


def named(layout: Layout, ids: Collection[int]) -> str:
    return " ".join(
        f"{layout.by_id[seat_id].row_label}{layout.by_id[seat_id].seat_number}" for seat_id in ids
    )


def offered(chosen: str, *rows: str) -> list[str]:
    """The alternatives to seats such as "b2 b3", by name, in a drawn room."""
    layout = room(*rows)
    by_name = {named(layout, [seat.id]): seat for seat in layout.seats}
    taken = {seat.id for seat in layout.seats if rows[int(seat.y) - 1][int(seat.x) - 1] == "#"}
    ids = [by_name[name].id for name in chosen.split()]
    others = alternatives(layout, ids, taken.__contains__)
    return [named(layout, other) for other in others]


@pytest.mark.parametrize(
    ("chosen", "rows", "expected"),
    [
        ("a2", ["......"], ["a1", "a3", "a4"]),
        ("a5 a6", ["#......#"], ["a4 a5", "a6 a7", "a2 a3"]),
        # The row behind is nearer than what is left of this one.
        ("a2 a3", ["....####", "........"], ["a1 a2", "a3 a4", "b1 b2"]),
        # Seats of other types come after those of the chosen one.
        ("a2", ["..vv....."], ["a1", "a5", "a6"]),
        # Wheelchair places are for those who ask for them.
        ("a6", ["www...."], ["a5", "a7", "a4"]),
        ("a2 a3", ["wws.ww"], ["a2 a3", "a1 a2", "a3 a4"]),
        # Over an aisle nothing is adjacent.
        ("a2 a3", ["....## .. ..."], ["a1 a2", "a3 a4", "a8 a9"]),
        # Of a choice from several stretches only what strands a seat is moved.
        ("a2 b4", ["....", "###...."], ["a1 b4", "a3 a4", "a1 a2"]),
        # Rows in front and behind count by their distance.
        ("c2", ["....", "....", "....", "....", "...."], ["c1", "b1", "d1"]),
        # The rows nearby have too few seats.
        ("a2", ["...", *["#"] * 8, "..."], ["a1", "a3", "j1"]),
    ],
)
def test_alternatives(chosen: str, rows: list[str], expected: list[str]) -> None:
    assert offered(chosen, *rows) == expected


# The core


def refused(hall: Hall, command: object) -> WouldStrandSeat:
    before = hall.map()
    with pytest.raises(WouldStrandSeat) as refusal:
        hall.do(command)
    assert hall.map() == before, "a refusal changed something"
    return refusal.value


def test_a_hold_that_strands_a_seat_is_refused_with_alternatives() -> None:
    hall = Hall(9, rules=ENFORCE)
    refusal = refused(hall, HoldSeats(1, "user:1", (2, 3)))
    assert refusal.stranded == (1,)
    assert refusal.alternatives == ((1, 2), (3, 4), (4, 5))
    assert str(refusal) == (
        "These seats would leave [1] without a free seat beside them; "
        "choose [1, 2] or [3, 4] or [4, 5] instead, or other seats"
    )
    hall.hold("user:1", *refusal.alternatives[1])
    # Seats 1 and 2 are left, so whoever wants one of them leaves the other.
    hall.hold("user:2", 1)
    assert hall.seen(1) == "reserved"


def test_an_alternative_names_the_seats_that_the_holder_has_already() -> None:
    hall = Hall(9, rules=ENFORCE)
    hall.hold("user:1", 1, 2)
    refusal = refused(hall, HoldSeats(1, "user:1", (1, 4)))
    assert (refusal.stranded, refusal.alternatives[0]) == ((3,), (1, 3))
    assert isinstance(hall.hold("user:1", *refusal.alternatives[0]).reply, Held)


def test_a_warning_names_the_seats_in_the_reply() -> None:
    hall = Hall(9, rules=WARN)
    assert hall.hold("user:1", 2).reply.stranded == (1,)
    again = hall.hold("user:1", 2, 4).reply
    assert ([hold.seat_id for hold in again.holds], again.stranded) == ([2, 4], (3,))
    assert hall.do(ToggleSeats(1, "user:1", (6,))).reply.holding.stranded == (5,)
    assert hall.hold("user:1", 7).reply.stranded == ()


def test_a_toggle_is_judged_by_what_it_takes() -> None:
    hall = Hall(9, rules=ENFORCE)
    assert refused(hall, ToggleSeats(1, "user:1", (2,))).stranded == (1,)
    hall.hold("user:1", 1, 2, 3)
    # Giving back is never refused, although it leaves a seat alone.
    assert hall.do(ToggleSeats(1, "user:1", (2,))).reply.releasing
    assert hall.do(ToggleSeats(1, "user:1", (2,))).reply.holding
    # Neither is an exchange that strands only what it gives back.
    assert hall.do(ToggleSeats(1, "user:1", (2, 4))).reply.holding
    assert [seat for seat in range(1, 10) if hall.seen(seat) == "reserved"] == [1, 3, 4]
    # It gives seat 4 back, takes seat 6, and leaves seats 2, 4 and 5 free.
    hall.do(ToggleSeats(1, "user:1", (4, 6)))
    refusal = refused(hall, ToggleSeats(1, "user:1", (6, 8)))
    assert (refusal.stranded, refusal.alternatives) == ((9,), ((6, 7), (6, 9), (6, 4)))


@pytest.mark.parametrize(("share", "judged"), [(0.8, True), (0.81, False)])
def test_nothing_is_refused_while_too_few_seats_are_left(share: float, judged: bool) -> None:
    hall = Hall(10, rules=ENFORCE._replace(orphan_share=share))
    hall.hold("user:1", 1, 2)
    if judged:
        refused(hall, HoldSeats(1, "user:2", (9,)))
    else:
        hall.hold("user:2", 9)


def test_buyers_are_judged_and_administrators_are_not() -> None:
    hall = Hall(12, rules=ENFORCE)
    assert refused(hall, BookSeats(1, "user:1", (2,))).stranded == (1,)
    hall.settle(hall.do(SellSeats(1, "user:1", (2,), "user:9")))
    assert hall.seen(2) == "booked"
    hall.settle(hall.do(BookSeats(1, "user:1", (4,), actor="service:payments")))
    # Somebody whose payment was late had chosen the seat before.
    hall.settle(hall.do(BookSeats(1, "user:1", (6,), "pay-1", late=True)))
    hall.hold("user:2", 7, 8)
    hall.settle(hall.book("user:2", 7, 8))
    hall.do(HoldSeatsFor(1, "user:3", (11,), "user:9"))
    assert hall.map().views.keys() == {2, 4, 6, 7, 8, 11}


def test_a_seat_of_a_block_counts_as_taken() -> None:
    hall = Hall(9, rules=ENFORCE)
    hall.settle(hall.do(BlockSeats(1, "user:9", "press", CHANNEL, (3, 4), channel="press")))
    access = (channel_key("press"),)
    assert refused(hall, HoldSeats(1, "user:1", (6,))).stranded == (5,)
    hall.hold("user:1", 1, 5, 6)  # of seats 1 and 2 one is left in any case
    # Seat 2 was alone before seat 3 was taken from the block.
    hall.do(HoldSeats(1, "user:2", (3,), access=access))
    refusal = refused(hall, HoldSeats(1, "user:2", (4, 8), access=access))
    assert (refusal.stranded, refusal.alternatives) == ((7, 9), ((4, 7), (4, 9), (4, 2)))


def test_the_best_seats_strand_none_that_others_could_have() -> None:
    hall = Hall(9, rules=ENFORCE)
    hall.settle(hall.do(BlockSeats(1, "user:9", "press", CHANNEL, (1, 2), channel="press")))
    # Seats 4 to 6 are in the middle, but seat 3 would be left beside the block.
    held = hall.do(HoldBest(1, "user:2", 3, access=(channel_key("press"),))).reply
    assert isinstance(held, SeatsHeld)
    assert held.seat_ids in [(3, 4, 5), (5, 6, 7)]


def test_the_best_seats_within_the_wishes_of_a_party_may_be_refused() -> None:
    hall = Hall(11, rules=ENFORCE)
    hall.settle(hall.do(BlockSeats(1, "user:9", "broken", KILL, tuple(range(1, 9)))))
    # Of the three seats that are left only the one in the middle is a VIP seat.
    refusal = refused(hall, HoldBest(1, "user:1", 1, ("vip",)))
    assert (refusal.stranded, refusal.alternatives) == ((9, 11), ((9,), (11,)))


def test_a_screening_without_the_rule_allows_everything() -> None:
    hall = Hall(9, rules=SaleRules(max_per_user=5))
    assert hall.hold("user:1", 2, 4).reply.stranded == ()
