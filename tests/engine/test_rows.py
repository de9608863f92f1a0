"""Which seats are next to each other, and which a choice would strand."""

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


def test_a_drawn_aisle_divides_seats_that_are_near():
    aisle = Area(2.4, 0, 2.6, 9)
    assert runs(room(*row(1, 2, 3.2), aisles=[aisle])) == [(1, 2), (3,)]
    assert runs(room(*row(1, 2, 3.2), aisles=[aisle._replace(top=1.5)])) == [(1, 2, 3)]


def test_an_aisle_behind_a_row_divides_nothing():
    assert runs(room(*row(1, 2, 3), aisles=[Area(0, 1.2, 9, 2)])) == [(1, 2, 3)]


def test_a_curved_row_is_one_run():
    curve = [("A", float(x), 1 + 4 * ((x - 10) / 10) ** 2) for x in range(1, 20)]
    assert runs(room(*curve)) == [tuple(range(1, 20))]


def test_a_row_along_the_wall_is_followed_from_the_screen_on():
    assert runs(room(*[("A", 1.0, float(y)) for y in (3, 1, 2)])) == [(2, 3, 1)]


def test_a_step_to_another_level_is_a_way():
    assert runs(room(("A", 1, 1), ("A", 2, 1), ("A", 3, 2.2), ("A", 4, 2.2))) == [(1, 2), (3, 4)]


def test_the_two_lines_of_a_box_are_two_runs():
    assert runs(room(*row(1, 2), *row(1, 2, y=2))) == [(1, 2), (3, 4)]


def test_seats_in_one_place_are_next_to_nobody():
    assert runs(room(*row(*[1.0] * 7))) == [(number,) for number in range(1, 8)]


def test_neighbours_end_at_the_run():
    rows = rows_of(room(*row(1, 2, 3, 5, 6)))
    assert [rows.neighbours(seat_id) for seat_id in range(1, 6)] == [[2], [1, 3], [2], [5], [4]]
    assert rows.run_of(5) == (4, 5)


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
