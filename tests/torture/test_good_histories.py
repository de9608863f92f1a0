"""Known good histories: what the published rules allow must be accepted, and is accounted for."""

import pytest

from tests.torture.stories import Story, payment, refund, ticket


def accepted(story: Story, **holds: int) -> None:
    """Check that a story is right, and the fate of its holds."""
    verdict = story.judged()
    assert verdict.clean, verdict
    assert verdict.holds == {name.replace("_", " "): number for name, number in holds.items()}


def test_a_seat_is_held_released_and_sold() -> None:
    story = Story()
    story.look((0, 1), 1, "available")
    story.hold("ada", 1, (2, 3))
    story.not_held("joan", 1, (4, 5))
    story.release("ada", 1, (6, 7))
    story.hold("joan", 1, (8, 9))
    story.book("joan", 1, (10, 11), "p1", 7, action="book_held")
    story.not_held("ada", 1, (12, 13), booked=True)
    story.ends(
        (1, "booked", "joan"),
        tickets=[ticket(7, 1, "joan", "p1")],
        payments=[payment("p1", "joan", 7)],
        refunds=[],
        paid={"p1": "10.00"},
    )
    accepted(story, released=1, booked=1)


def test_concurrent_requests_may_have_any_order() -> None:
    story = Story()
    story.hold("ada", 1, (0, 10))
    story.look((1, 2), 1, "available")
    story.look((3, 4), 1, "reserved", "ada")
    story.not_held("joan", 1, (0, 5))
    story.release("ada", 1, (5, 8))
    story.look((6, 7), 1, "available")
    accepted(story, released=1)


def test_ten_thousand_clients_want_one_seat() -> None:
    story = Story()
    story.hold("ada", 1, (5, 6))
    for number in range(10_000):
        story.not_held(f"user:{number}", 1, (0, 10 + number / 1000))
    accepted(story, kept=1)


def test_a_hold_lapses_at_its_expiry() -> None:
    story = Story()
    story.hold("ada", 1, (0, 1), until=300)
    story.look((300.1, 300.4), 1, "reserved", "ada")
    story.seen("w1", 300.2, (1, 5), (1, "available"))
    story.hold("joan", 1, (301, 302))
    verdict = story.judged()
    assert verdict.clean, verdict
    assert verdict.lateness == {0.25: 1}
    assert verdict.holds == {"lapsed": 1, "kept": 1}


@pytest.mark.parametrize(
    ("seconds", "seen_at", "status"), [(1.5, 297.6, "available"), (-1.5, 303.4, "reserved")]
)
def test_a_hold_ends_otherwise_if_clocks_differ(seconds: float, seen_at: float, status: str) -> None:
    story = Story()
    story.hold("ada", 1, (0, 0.01), until=300)
    story.fault("clock stepped", "node-1", 290, 296, details={"seconds": seconds})
    story.look((seen_at, seen_at + 0.1), 1, status, "ada" if status == "reserved" else None)
    assert story.judged().clean


def test_a_screening_that_is_taken_over_may_lose_its_latest_holds() -> None:
    story = Story()
    story.hold("ada", 1, (0, 1))
    story.fault("takeover", "node-1", 0.5, 2, loses_holds=True, screening="1")
    story.look((4, 5), 1, "available")
    accepted(story, lost=1)


def test_a_repeated_hold_keeps_its_expiry() -> None:
    story = Story()
    story.hold("ada", 1, (0, 1), until=300)
    story.hold("ada", 1, (100, 101), until=300)
    story.hold("joan", 1, (301, 302))
    accepted(story, lapsed=1, kept=1)


@pytest.mark.parametrize("status", ["available", "reserved"])
def test_no_answer_may_mean_either(status: str) -> None:
    story = Story()
    story.hold("ada", 1, (0, None))
    story.look((50, 51), 1, status, "ada" if status == "reserved" else None)
    accepted(story)


def test_a_booking_without_an_answer_shows_much_later() -> None:
    story = Story()
    story.book("ada", 1, (0, None), "p1", 7)
    story.look((50, 51), 1, "available")
    story.look((60, 61), 1, "booked", "ada")
    story.ends((1, "booked", "ada"), tickets=[ticket(7, 1, "ada", "p1")])
    accepted(story)


def test_a_seat_is_reserved_for_its_buyer_until_the_commit() -> None:
    story = Story()
    story.look((0, 1), 1, "available")
    story.look((3, 4), 1, "reserved", "ada")
    story.not_held("joan", 1, (5, 6))
    story.book("ada", 1, (2, 9), "p1", 7)
    accepted(story)


def test_a_refused_payment_gives_the_seat_back() -> None:
    story = Story()
    story.ask("book", "ada", (0, 9), [1], status=409, code="payment_already_used", payment_id="p1")
    story.not_held("joan", 1, (1, 2))
    story.hold("joan", 1, (10, 11))
    accepted(story, kept=1)


def test_a_crash_may_lose_the_latest_hold() -> None:
    story = Story()
    story.hold("ada", 1, (0, 1))
    story.fault("kill", "node-1", 1.5, 4)
    story.look((5, 6), 1, "available")
    accepted(story, lost=1)


def test_a_crash_may_lose_a_release() -> None:
    story = Story()
    story.hold("ada", 1, (0, 1), until=300)
    story.release("ada", 1, (20, 21))
    story.fault("kill", "node-1", 21.5, 23)
    story.not_held("joan", 1, (24, 25))
    story.hold("joan", 1, (301, 302))
    accepted(story, released=1, found_again=1, kept=1)


def test_a_crash_may_lose_more_while_the_database_is_away() -> None:
    story = Story()
    story.fault("stop", "database", 0, 60)
    story.hold("ada", 1, (10, 11))
    story.fault("kill", "node-1", 50, 52)
    story.look((65, 66), 1, "available")
    accepted(story, lost=1)


def test_a_repeated_booking_has_one_effect() -> None:
    story = Story()
    story.book("ada", 1, (0, None), "p1", 7)
    story.book("ada", 1, (20, 21), "p1", 7)
    story.cancel("ada", 1, (30, 31), "p1")
    story.book("ada", 1, (40, 41), "p1", 7)
    story.hold("joan", 1, (50, 51))
    cancelled = ticket(7, 1, "ada", "p1", status="cancelled")
    story.ends((1, "reserved", "joan"), tickets=[cancelled], refunds=[refund("p1", 7)])
    accepted(story, kept=1)


def test_a_repeat_may_be_answered_before_the_owner_knows() -> None:
    story = Story()
    story.book("ada", 1, (0, None), "p1", 7)
    story.book("ada", 1, (2, 3), "p1", 7)
    story.not_held("joan", 1, (4, 5))
    story.look((6, 7), 1, "booked", "ada")
    accepted(story)


def test_a_replayed_answer_is_that_of_the_first_request() -> None:
    story = Story()
    story.hold("ada", 1, (0, 1), until=300, key="k1")
    story.release("ada", 1, (2, 3))
    story.hold("ada", 1, (4, 5), until=300, key="k1")
    story.look((6, 7), 1, "available")
    accepted(story, released=1)


def test_a_replayed_refusal_is_from_the_time_of_the_first_request() -> None:
    story = Story()
    story.hold("ada", 1, (0, 1), until=300)
    story.hold("joan", 1, (2, None), key="k1")
    story.release("ada", 1, (4, 5))
    story.not_held("joan", 1, (12, 13), key="k1")
    story.not_held("joan", 1, (14, 15), key="k1")
    accepted(story, released=1)


def test_the_server_may_choose_the_seats() -> None:
    story = Story()
    data = {"until": 300.0, "seats": [2, 3]}
    story.ask("hold", "ada", (0, 1), None, status=201, data=data)
    story.ask("hold", "joan", (0, None), None)
    story.look((4, 5), 1, "reserved", "joan")
    story.not_held("grace", 2, (4, 5))
    accepted(story, kept=2)


def test_the_server_may_choose_seats_that_only_sockets_show() -> None:
    story = Story()
    story.ask("hold", "joan", (0, None), None)
    story.seen("w1", 2, (1, 2), (1, "reserved", "joan"), (2, "reserved", "joan"), whole=True)
    assert story.judged().clean


@pytest.mark.parametrize(
    ("action", "status", "code"),
    [
        ("book", 503, "ownership_lost"),
        ("book", 409, "payment_already_used"),
        ("order", 503, "ownership_lost"),
        ("order", 409, "person_limit_exceeded"),
    ],
)
def test_sockets_show_seats_reserved_until_their_purchase_is_refused(
    action: str, status: int, code: str
) -> None:
    story = Story()
    story.seen("w1", 0, (1, 1), (1, "available"), (2, "available"), whole=True)
    story.ask(action, "ada", (1, 4), [1, 2], status=status, code=code, key="k1")
    story.seen("w1", 2, (1, 2), (1, "reserved", "ada"), (2, "reserved", "ada"))
    story.seen("w1", 5, (1, 3), (1, "available"), (2, "available"))
    story.look((6, 7), 1, "available")
    story.look((6, 7), 2, "available")
    accepted(story)


def test_a_toggle_holds_and_releases() -> None:
    story = Story()
    story.hold("ada", 1, (0, 1))
    data = {"reserved": [2], "released": [1], "until": 300.0}
    story.ask("toggle", "ada", (2, 3), [1, 2], data=data)
    story.ask("toggle", "ada", (4, None), [1, 2])
    story.look((6, 7), 1, "reserved", "ada")
    story.look((6, 7), 2, "available")
    accepted(story, released=2)


def test_what_no_model_knows_is_not_judged() -> None:
    story = Story()
    story.hold("ada", 1, (0, 1))
    story.ask("block", "grace", (2, 3), [1])
    story.hold("joan", 1, (4, 5))
    verdict = story.judged()
    assert verdict.clean
    assert verdict.not_judged == 1


def test_places_are_counted() -> None:
    story = Story()
    for number, user in enumerate(("ada", "joan")):
        data = {"reservation": number, "until": 300.0}
        at = number / 10, 5
        story.ask("hold", user, at, ticket_type=5, quantity=2, status=201, data=data)
    story.ask("hold", "grace", (6, 7), ticket_type=5, quantity=2, status=409, code="not_enough_tickets")
    tickets = {"tickets": [{"id": 7}, {"id": 8}]}
    for at in ((8, None), (9, 10)):
        story.ask("book", "ada", at, ticket_type=5, reservation=0, quantity=2, status=201, data=tickets)
    story.ask("book", "ada", (10, None), ticket_type=5, quantity=1, payment_id="p2")
    story.ask("look", "grace", (304, 305), ticket_type=5, data={"left": 2})
    for at in ((306, None), (306, 307), (307, 308)):
        story.ask("cancel", "ada", at, ticket_type=5, ticket=8, status=204)
    paid = {"holder": "guest", "payment_id": "reservation:0", "booking_id": 7}
    rows = [ticket(7, -1, **paid), ticket(8, -2, **paid, status="cancelled")]
    story.ends(ticket_types={"5": {"capacity": 5, "left": 3}}, tickets=rows)
    accepted(story)


def test_pictures_agree_however_they_were_sent() -> None:
    story = Story()
    for watcher in ("w1", "w2"):
        story.seen(watcher, 0, (1, 1), (1, "available"), (2, "available"), whole=True)
    story.seen("w1", 1, (1, 2), (1, "reserved", "ada"))
    story.seen("w1", 2, (1, 3), (2, "booked", "joan"))
    story.seen("w2", 2, (1, 3), (1, "reserved", "ada"), (2, "booked", "joan"))
    story.seen("w2", 3, (2, 1), (1, "available"), (2, "booked", "joan"), whole=True)
    story.seen("w1", 4, (2, 1), (1, "available"))
    story.records.append({"kind": "left", "watcher": "w3", "time": 9})
    story.seen("w3", 2, (1, 1), (1, "available"), (2, "available"))
    story.ends((1, "available"), (2, "booked", "joan"))
    story.hold("ada", 1, (0.5, 1.5))
    story.book("joan", 2, (0.5, 1.5), "p1", 7)
    story.fault("kill", "node-1", 1.6, 3)
    accepted(story, lost=1)


def test_hashes_of_pictures_agree() -> None:
    story = Story()
    story.seen("w1", 0, (1, 1), (1, "available"), (2, "booked", "joan"), whole=True)
    story.hashed("w1", 0.1, (1, 1), s2="booked")
    story.seen("w1", 1, (1, 2), (1, "reserved", "ada"))
    story.hashed("w1", 1.1, (1, 4), s1="reserved", s2="booked")
    story.seen("w1", 2, (2, 1), (1, "available"), (2, "available"), whole=True)
    story.hashed("w1", 2.1, (2, 1))
    verdict = story.judged()
    assert verdict.clean, verdict
    assert verdict.hashes == 3


def test_a_seat_that_is_being_booked_cannot_be_released() -> None:
    story = Story()
    story.hold("ada", 1, (0, 1))
    story.ask("book_held", "ada", (2, None), [1], payment_id="p1")
    story.release("ada", 1, (3, 4))
    story.look((30, 31), 1, "reserved", "ada")
    accepted(story, kept=1)


@pytest.mark.parametrize("booked", [False, True])
def test_a_refusal_without_details_means_that_somebody_else_has_the_seat(booked: bool) -> None:
    story = Story()
    if booked:
        story.book("ada", 1, (0, 1), "p1", 7)
    else:
        story.hold("ada", 1, (0, 1))
    story.ask("hold", "joan", (2, 3), [1], status=409, code="seats_unavailable")
    assert story.judged().clean


def test_a_hold_without_an_answer_may_begin_late() -> None:
    story = Story()
    story.hold("ada", 1, (0, None))
    story.look((400, 401), 1, "available")
    story.look((402, 403), 1, "reserved", "ada")
    assert story.judged().clean


def test_a_slow_answer_leaves_open_when_the_hold_began() -> None:
    story = Story()
    story.hold("ada", 1, (0, 20), until=300)
    story.look((315, 316), 1, "reserved", "ada")
    assert story.judged().clean


def test_a_crash_may_lose_the_key_of_a_hold() -> None:
    story = Story()
    story.hold("ada", 1, (0, 1), key="k1")
    story.fault("kill", "node-1", 1.2, 3)
    story.look((4, 5), 1, "available")
    story.hold("ada", 1, (6, 7), key="k1")
    story.look((8, 9), 1, "reserved", "ada")
    accepted(story, lost=1)


def test_an_extension_without_an_answer_may_last() -> None:
    story = Story()
    story.hold("ada", 1, (0, 1), until=300)
    story.ask("extend", "ada", (2, None), [1])
    story.look((350, 351), 1, "reserved", "ada")
    story.look((352, 353), 1, "available")
    accepted(story, lapsed=1)


def test_places_that_are_being_bought_are_not_left() -> None:
    story = Story()
    story.ask("look", "grace", (0, 1), ticket_type=5, data={"left": 2})
    story.ask("hold", "joan", (3, 4), ticket_type=5, quantity=4, status=409, code="not_enough_tickets")
    story.ask("book", "ada", (2, 9), ticket_type=5, quantity=3, payment_id="p1", status=409)
    story.ask("book", "ada", (2, 9), ticket_type=5, quantity=2, payment_id="p2", status=201)
    story.ask("look", "grace", (3, 4), ticket_type=5, data={"left": 0})
    story.ask("hold", "joan", (5, 6), ticket_type=5, quantity=1, status=409, code="not_enough_tickets")
    story.ask("look", "grace", (5, 6), ticket_type=5, data={"left": 2})
    story.ends(ticket_types={"5": {"capacity": 2, "left": 0}})
    accepted(story)


def test_a_reservation_that_is_being_bought_cannot_be_released() -> None:
    story = Story()
    data = {"reservation": 1, "until": 300.0}
    story.ask("hold", "ada", (0, 1), ticket_type=5, quantity=2, status=201, data=data)
    story.ask("book", "ada", (2, 9), ticket_type=5, reservation=1, quantity=2, status=201)
    story.ask("release", "ada", (3, 4), ticket_type=5, reservation=1, status=204)
    story.ends(ticket_types={"5": {"capacity": 5, "left": 3}})
    accepted(story)
