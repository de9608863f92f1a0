"""Histories in which tickets move to other seats: those that are right, and those that are not."""

from collections.abc import Callable

import pytest

from tests.torture.stories import HALL, Span, Story, payment, ticket


def move(story: Story, at: Span, from_seat: int, to_seat: int, status: int = 200) -> None:
    """Ada moves her ticket."""
    where = {"from_screening": HALL, "from_seat": from_seat, "ticket": 7, "payment_id": "p1"}
    story.ask("move", "ada", at, [to_seat], status=status, key=f"move-{at[0]}", **where)


def sold() -> Story:
    story = Story()
    story.book("ada", 1, (0, 1), "p1", 7)
    return story


def ends_at(story: Story, seat: int, *seats: tuple[int, str, str]) -> None:
    """At the end the ticket is in a seat, as the table says, and others are as given."""
    rows = {"tickets": [ticket(7, seat, "ada", "p1")], "payments": [payment("p1", "ada", 7)]}
    story.ends((seat, "booked", "ada"), *seats, **rows)


def test_a_ticket_moves_and_its_seat_is_sold_again() -> None:
    story = sold()
    move(story, (2, 3), 1, 2)
    story.look((4, 5), 2, "booked", "ada")
    story.hold("joan", 1, (6, 7))
    story.not_held("joan", 2, (8, 9), booked=True)
    move(story, (10, 11), 2, 3)
    story.hold("joan", 2, (12, 13))
    ends_at(story, 3)
    assert story.judged().clean, story.judged()


@pytest.mark.parametrize("seat", [1, 2])
def test_a_move_without_an_answer_may_have_happened(seat: int) -> None:
    story = sold()
    move(story, (2, None), 1, 2)
    ends_at(story, seat)
    assert story.judged().clean, story.judged()


def test_the_other_screening_may_learn_later_that_a_ticket_has_come() -> None:
    story = sold()
    move(story, (2, 3), 1, 2)
    story.not_held("joan", 2, (4, 5))
    story.look((6, 7), 2, "reserved", "ada")
    ends_at(story, 2)
    assert story.judged().clean, story.judged()


def test_a_refused_move_may_leave_a_seat_reserved_beside_a_free_one() -> None:
    story = sold()
    story.ask("hold", "joan", (0, 1), [2, 3], status=201, data={"until": 300, "seats": [2, 3]})
    story.ask("release", "joan", (2, 3), [2, 3], status=204)
    move(story, (4, 5), 1, 2, status=409)
    seen = [{"seat": 2, "status": "reserved", "user": "ada"}, {"seat": 3, "status": "available"}]
    story.ask("look", "grace", (6, 7), data={"seats": seen})
    assert story.judged().clean, story.judged()


def seat_is_not_left(story: Story) -> None:
    move(story, (2, 3), 1, 2)
    story.not_held("joan", 1, (40, 41), booked=True)


def ticket_is_not_in_its_new_seat(story: Story) -> None:
    move(story, (2, 3), 1, 2)
    story.hold("joan", 2, (40, 41))


def table_has_the_earlier_seat(story: Story) -> None:
    move(story, (2, 3), 1, 2)
    ends_at(story, 1)


def refused_move_takes_the_seat(story: Story) -> None:
    move(story, (2, 3), 1, 2, status=409)
    story.not_held("joan", 2, (40, 41), booked=True)


def seat_stays_reserved(story: Story) -> None:
    move(story, (2, 3), 1, 2, status=409)
    story.look((40, 41), 2, "reserved", "ada")


def moved_to_a_seat_of_another(story: Story) -> None:
    story.book("joan", 2, (0, 1), "p2", 8)
    move(story, (2, 3), 1, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        seat_is_not_left,
        ticket_is_not_in_its_new_seat,
        table_has_the_earlier_seat,
        refused_move_takes_the_seat,
        seat_stays_reserved,
        moved_to_a_seat_of_another,
    ],
)
def test_a_wrong_move_is_found(wrong: Callable[[Story], None]) -> None:
    story = sold()
    wrong(story)
    assert not story.judged().clean
