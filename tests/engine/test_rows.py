"""Neighbouring seats, and the seats that a choice would strand."""

import random
from collections.abc import Iterable

import pytest

from engine.records import Area, Layout, Seat
from engine.rows import rows_of


def room(*seats: tuple[str, float, float], aisles: Iterable[Area] = (), types: dict[int, str] | None = None):
    """A room of seats with ids from 1, by row, x and y."""
    kinds = types or {}
    return Layout(
        1,
        1,
        (
            Seat(number, 1, row, number, kinds.get(number, "standard"), x, y)
            for number, (row, x, y) in enumerate(seats, 1)
        ),
        aisles=aisles,
    )


def row(*xs: float, label: str = "A", y: float = 1.0) -> list[tuple[str, float, float]]:
    return [(label, x, y) for x in xs]


def runs(layout: Layout) -> list[tuple[int, ...]]:
    return list(rows_of(layout).runs)


def test_a_row_is_one_run_from_left_to_right():
    assert runs(room(*row(3, 1, 2))) == [(2, 3, 1)]


def test_other_rows_are_other_runs():
    assert runs(room(*row(1, 2), *row(1, 2, label="B", y=2))) == [(1, 2), (3, 4)]


@pytest.mark.parametrize(("x", "expected"), [(3.49, [(1, 2, 3)]), (3.5, [(1, 2), (3,)])])
def test_a_gap_of_one_and_a_half_seats_is_a_way(x, expected):
    assert runs(room(*row(1, 2, x))) == expected


def test_runs_are_in_the_order_of_their_first_seats_in_the_layout():
    assert runs(room(*row(5, 1), ("B", 1, 2), ("A", 2, 1))) == [(1,), (2, 4), (3,)]


def test_a_drawn_aisle_divides_seats_that_are_near():
    aisle = Area(2.4, 0, 2.6, 9)
    assert runs(room(*row(1, 2, 3.2), aisles=[aisle])) == [(1, 2), (3,)]
    assert runs(room(*row(1, 2, 3.2), aisles=[aisle._replace(top=1.5)])) == [(1, 2, 3)]


def test_an_aisle_behind_a_row_divides_nothing():
    assert runs(room(*row(1, 2, 3), aisles=[Area(0, 1.2, 9, 2)])) == [(1, 2, 3)]


def test_an_aisle_divides_two_seats_if_the_line_between_them_leads_through_it():
    """Compared with the theorem of the separating axis, also where they only touch."""
    draw = random.Random(1)

    def grid(low: int, high: int) -> float:
        return draw.randrange(low, high) / 4

    answers = []
    for _ in range(600):
        along, across, is_wide = grid(2, 5), grid(-2, 3), draw.random() < 0.5
        # Two more seats, so that no aisle is too far away from the row to be looked at.
        seats = [(2.0, 2.0), (2 + along, 2 + across), (-30.0, -20.0), (30.0, 20.0)]
        if not is_wide:
            seats = [(y, x) for x, y in seats]
        left, top = grid(3, 12), grid(3, 12)
        aisle = Area(left, top, left + grid(1, 6), top + grid(1, 6))
        layout = room(*[("A", x, y) for x, y in seats], aisles=[aisle])
        answers.append((1, 2) not in runs(layout))
        assert answers[-1] is leads_through(aisle, *seats[:2]), (aisle, seats)
    assert 90 < sum(answers) < 500


def leads_through(aisle: Area, seat: tuple[float, float], other: tuple[float, float]) -> bool:
    (x, y), (x2, y2) = seat, other
    sides = [
        (x2 - x) * (corner_y - y) - (y2 - y) * (corner_x - x)
        for corner_x in (aisle.left, aisle.right)
        for corner_y in (aisle.top, aisle.bottom)
    ]
    return (
        min(x, x2) < aisle.right
        and max(x, x2) > aisle.left
        and min(y, y2) < aisle.bottom
        and max(y, y2) > aisle.top
        and min(sides) < 0 < max(sides)
    )


def test_an_aisle_inside_a_curve_divides_nothing():
    assert runs(room(("A", 1, 1), ("A", 2, 2), ("A", 3, 1), aisles=[Area(1.5, 0.5, 2.5, 1.1)])) == [(1, 2, 3)]


def test_a_curved_row_is_one_run():
    curve = [("A", float(x), 1 + 4 * ((x - 10) / 10) ** 2) for x in range(1, 20)]
    assert runs(room(*curve)) == [tuple(range(1, 20))]


def test_a_row_along_the_wall_is_followed_from_the_screen_on():
    assert runs(room(*[("A", 1.0, float(y)) for y in (3, 1, 2)])) == [(2, 3, 1)]


def test_a_step_to_another_level_is_a_way():
    assert runs(room(("A", 1, 1), ("A", 2, 1), ("A", 3, 2.2), ("A", 4, 2.2))) == [(1, 2), (3, 4)]


def test_the_two_lines_of_a_box_are_two_runs():
    assert runs(room(*row(1, 2), *row(1, 2, y=2))) == [(1, 2), (3, 4)]


def test_a_box_along_the_wall_has_lines_from_the_screen_on():
    box = [("A", float(x), float(y)) for y in (1, 2, 3, 4) for x in (1, 2)]
    assert runs(room(*box)) == [(1, 3, 5, 7), (2, 4, 6, 8)]


def test_a_seat_half_a_width_further_on_is_beside_its_neighbour():
    assert runs(room(*row(1, 1.5, 2.5))) == [(1, 2, 3)]
    assert runs(room(*row(1, 1.49, 2.49))) == [(1,), (2, 3)]


def test_four_lines_are_told_apart_and_the_first_one_ends_where_a_fifth_begins():
    def box(*ys: float) -> list[tuple[str, float, float]]:
        return [("A", 1.0, y) for y in ys] + [("A", float(x), ys[-1]) for x in range(2, 11)]

    assert runs(room(*box(1, 3, 5, 7), ("A", 2, 1), ("A", 2, 3))) == [
        (1, 14),
        (2, 15),
        (3,),
        (4, *range(5, 14)),
    ]
    assert runs(room(*box(1, 3, 5, 7, 9), ("A", 2, 1), ("A", 2, 3))) == [
        (1,),
        (2,),
        (3,),
        (4,),
        (5, *range(6, 15)),
        (15,),
        (16,),
    ]


def test_seats_in_one_place_are_next_to_nobody():
    assert runs(room(*row(*[1.0] * 7))) == [(number,) for number in range(1, 8)]


def test_neighbours_end_at_the_run():
    rows = rows_of(room(*row(1, 2, 3, 5, 6)))
    assert [rows.neighbours(seat_id) for seat_id in range(1, 6)] == [[2], [1, 3], [2], [5], [4]]
    assert [rows.run_of(seat_id) for seat_id in (1, 4, 5)] == [(1, 2, 3), (4, 5), (4, 5)]


def test_it_is_computed_once_per_layout():
    layout = room(*row(1, 2))
    assert rows_of(layout) is rows_of(layout)


@pytest.mark.parametrize(
    ("taken", "chosen", "stranded"),
    [
        ((), (2,), [1]),  # beside the end of the row
        ((), (1, 2), []),
        ((), (3,), []),
        ((5,), (3,), [4]),  # beside a taken seat
        ((), (2, 5), [1, 6]),
        ((3,), (1,), [2]),
        ((2,), (3,), []),  # seat 1 was stranded before
        ((), (1, 2, 3, 4, 5, 6), []),
    ],
)
def test_what_a_choice_strands(taken, chosen, stranded):
    rows = rows_of(room(*row(1, 2, 3, 4, 5, 6)))
    assert rows.stranded_by(chosen, taken.__contains__) == stranded


def test_a_wheelchair_place_is_not_stranded_and_strands_no_companion():
    rows = rows_of(room(*row(1, 2, 3, 4), types={1: "wheelchair"}))
    assert rows.stranded_by([2], lambda seat_id: False) == []
    assert rows.stranded_by([3, 4], lambda seat_id: False) == []
    assert rows.stranded_by([1, 3, 4], lambda seat_id: False) == [2]
