"""Histories in which tickets move to other seats: those that are right, and those that are not."""

from collections.abc import Callable

import pytest

from tests.torture.stories import HALL, Span, Story, payment, ticket


def move(
    story: Story, at: Span, from_seat: int, to_seat: int, status: int = 200, key: str | None = ""
) -> None:
    """Ada moves her ticket, with a key of its own unless told otherwise."""
    where = {"from_screening": HALL, "from_seat": from_seat, "ticket": 7, "payment_id": "p1"}
    key = f"move-{at[0]}" if key == "" else key
    story.ask("move", "ada", at, [to_seat], status=status, key=key, **where)


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


def attempts(story: Story, key: str | None, *times: Span) -> None:
    """Ada moves her ticket from seat 1 to seat 2, and repeats that until she is answered."""
    for at in times:
        move(story, at, 1, 2, key=key)


@pytest.mark.parametrize("seat", [2, 3])
def test_an_attempt_without_a_key_may_be_carried_out_after_a_repeat_was_answered(seat: int) -> None:
    story = sold()
    attempts(story, None, (2, None), (4, 5))
    move(story, (6, 7), 2, 3)
    ends_at(story, seat, (5 - seat, "available"))
    assert story.judged().clean, story.judged()


def test_later_requests_find_the_ticket_where_a_late_attempt_has_brought_it() -> None:
    story = sold()
    attempts(story, None, (2, None), (4, 5))
    move(story, (6, 7), 2, 3)
    story.look((8, 9), 3, "booked", "ada")
    story.look((10, 11), 3, "available")
    story.look((10, 11), 2, "booked", "ada")
    move(story, (12, 13), 3, 4)
    ends_at(story, 4, (2, "available"), (3, "available"))
    assert story.judged().clean, story.judged()


def test_attempts_of_two_moves_to_one_seat_are_not_repeats_of_each_other() -> None:
    story = sold()
    attempts(story, None, (2, 3))
    move(story, (4, 5), 2, 3)
    move(story, (6, 7), 3, 2, key=None)
    story.look((8, 9), 2, "booked", "ada")
    ends_at(story, 2, (3, "available"))
    assert story.judged().clean, story.judged()


def test_a_repeat_with_a_key_may_be_refused_without_any_effect() -> None:
    story = sold()
    move(story, (2, None), 1, 2, key="k")
    move(story, (4, 5), 1, 2, key="k", status=409)
    story.look((6, 7), 2, "reserved", "ada")
    ends_at(story, 1, (2, "available"))
    assert story.judged().clean, story.judged()


def test_a_repeated_booking_may_be_answered_with_the_seat_to_which_its_ticket_has_moved() -> None:
    story = sold()
    move(story, (2, 3), 1, 2)
    moved_since = {"tickets": [{"id": 7, "seat": 2, "price": "10.00"}]}
    story.ask("book", "ada", (4, 5), [1], status=201, payment_id="p1", data=moved_since)
    ends_at(story, 2, (1, "available"))
    assert story.judged().clean, story.judged()


def test_a_repeated_cancellation_does_not_cancel_another_ticket_that_has_moved_to_the_seat() -> None:
    both = {"tickets": [{"id": 7, "seat": 1, "price": "10.00"}, {"id": 8, "seat": 2, "price": "10.00"}]}
    story = Story()
    story.ask("book", "ada", (0, 1), [1, 2], status=201, payment_id="p1", data=both)
    story.ask("cancel", "ada", (2, None), [2], ticket=8, payment_id="p1")
    move(story, (4, 5), 1, 2)
    story.ask("cancel", "ada", (6, 7), [2], status=204, ticket=8, payment_id="p1")
    story.look((8, 9), 2, "booked", "ada")
    story.look((8, 9), 1, "available")
    assert story.judged().clean, story.judged()


def keyed_attempt_is_carried_out_after_its_repeat(story: Story) -> None:
    attempts(story, "k", (2, None), (4, 5))
    move(story, (6, 7), 2, 3)
    ends_at(story, 2, (3, "available"))


def keyed_attempt_is_seen_after_its_repeat(story: Story) -> None:
    attempts(story, "k", (2, None), (4, 5))
    move(story, (6, 7), 2, 3)
    story.look((40, 41), 2, "booked", "ada")


def keyed_attempt_is_carried_out_although_its_repeat_was_refused(story: Story) -> None:
    move(story, (2, None), 1, 2, key="k")
    move(story, (4, 5), 1, 2, key="k", status=409)
    ends_at(story, 2, (1, "available"))


def answered_attempt_is_carried_out_again(story: Story) -> None:
    attempts(story, None, (2, 3))
    move(story, (6, 7), 2, 3)
    ends_at(story, 2, (3, "available"))


def late_attempt_brings_the_ticket_elsewhere(story: Story) -> None:
    attempts(story, None, (2, None), (4, 5))
    move(story, (6, 7), 2, 3)
    ends_at(story, 4, (2, "available"), (3, "available"))


def late_attempt_brings_the_ticket_back_to_its_first_seat(story: Story) -> None:
    attempts(story, None, (2, None), (4, 5))
    move(story, (6, 7), 2, 3)
    ends_at(story, 1, (2, "available"), (3, "available"))


def late_attempt_leaves_two_seats_booked(story: Story) -> None:
    attempts(story, None, (2, None), (4, 5))
    move(story, (6, 7), 2, 3)
    ends_at(story, 2, (3, "booked", "ada"))


def late_attempt_leaves_a_seat_for_somebody_else(story: Story) -> None:
    attempts(story, None, (2, None), (4, 5))
    move(story, (6, 7), 2, 3)
    story.look((8, 9), 2, "booked", "joan")


def late_attempt_takes_the_ticket_before_it_was_sent(story: Story) -> None:
    attempts(story, None, (4, 5), (6, None))
    story.look((2, 3), 2, "booked", "ada")


def repeated_booking_is_answered_with_a_seat_that_its_ticket_never_had(story: Story) -> None:
    move(story, (2, 3), 1, 2)
    elsewhere = {"tickets": [{"id": 7, "seat": 3, "price": "10.00"}]}
    story.ask("book", "ada", (4, 5), [1], status=201, payment_id="p1", data=elsewhere)


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
        keyed_attempt_is_carried_out_after_its_repeat,
        keyed_attempt_is_seen_after_its_repeat,
        keyed_attempt_is_carried_out_although_its_repeat_was_refused,
        answered_attempt_is_carried_out_again,
        late_attempt_brings_the_ticket_elsewhere,
        late_attempt_brings_the_ticket_back_to_its_first_seat,
        late_attempt_leaves_two_seats_booked,
        late_attempt_leaves_a_seat_for_somebody_else,
        late_attempt_takes_the_ticket_before_it_was_sent,
        repeated_booking_is_answered_with_a_seat_that_its_ticket_never_had,
    ],
)
def test_a_wrong_move_is_found(wrong: Callable[[Story], None]) -> None:
    story = sold()
    wrong(story)
    assert not story.judged().clean
