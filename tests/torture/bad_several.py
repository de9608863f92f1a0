"""More bad histories: requests on several seats, hashes, and times a little beyond a bound."""

from typing import Any

from tests.torture.breaking import breaks
from tests.torture.stories import Story


def _seats(*seen: tuple[int, str, str | None]) -> dict[str, Any]:
    """A map of several seats."""
    return {"seats": [dict(zip(("seat", "status", "user"), seat, strict=True)) for seat in seen]}


@breaks("not together")
def map_shows_half_a_hold(story: Story) -> None:
    story.ask("hold", "ada", (0, 9), [1, 2], status=201, data={"until": 300.0})
    story.ask("look", "grace", (3, 4), data=_seats((1, "reserved", "ada"), (2, "available", None)))


@breaks("not together")
def map_shows_half_a_release(story: Story) -> None:
    story.ask("hold", "ada", (0, 1), [1, 2], status=201, data={"until": 300.0})
    story.ask("release", "ada", (2, 9), [1, 2], status=204)
    story.ask("look", "grace", (3, 4), data=_seats((1, "reserved", "ada"), (2, "available", None)))


@breaks("not together")
def map_shows_half_a_booking(story: Story) -> None:
    tickets = [{"id": seat, "seat": seat, "price": "10.00"} for seat in (1, 2)]
    story.ask("book", "ada", (0, 9), [1, 2], status=201, payment_id="p1", data={"tickets": tickets})
    story.ask("look", "grace", (3, 4), data=_seats((1, "booked", "ada"), (2, "reserved", "ada")))


@breaks("not together")
def booking_claims_one_seat_of_two(story: Story) -> None:
    tickets = [{"id": seat, "seat": seat, "price": "10.00"} for seat in (1, 2)]
    story.ask("book", "ada", (0, 9), [1, 2], status=201, payment_id="p1", data={"tickets": tickets})
    story.ask("look", "grace", (3, 4), data=_seats((1, "available", None), (2, "reserved", "ada")))


@breaks("not together")
def hold_without_an_answer_has_one_seat_of_two(story: Story) -> None:
    story.ask("hold", "ada", (0, None), [1, 2])
    for at in ((3, 4), (5, 6)):
        story.ask("look", "grace", at, data=_seats((1, "reserved", "ada"), (2, "available", None)))


@breaks("not together")
def release_of_everything_leaves_a_seat(story: Story) -> None:
    story.ask("hold", "ada", (0, 1), [1, 2], status=201, data={"until": 300.0})
    story.ask("release", "ada", (2, None), None)
    story.ask("look", "grace", (3, 4), data=_seats((1, "reserved", "ada"), (2, "available", None)))


@breaks("not together")
def crash_loses_half_a_hold(story: Story) -> None:
    story.ask("hold", "ada", (0, 1), [1, 2], status=201, data={"until": 300.0})
    story.fault("kill", "node-1", 1.5, 2)
    story.ask("look", "grace", (3, 4), data=_seats((1, "reserved", "ada"), (2, "available", None)))


@breaks("not together")
def two_holds_share_their_seats(story: Story) -> None:
    story.ask("hold", "ada", (0, None), [1, 2])
    story.ask("hold", "joan", (0, None), [1, 2])
    story.look((3, 4), 1, "reserved", "ada")
    story.look((3, 4), 2, "reserved", "joan")


@breaks("not together")
def socket_shows_half_a_hold(story: Story) -> None:
    story.seen("w1", 0, (1, 1), (1, "available"), (2, "available"), whole=True)
    story.ask("hold", "ada", (1, 9), [1, 2], status=201, data={"until": 300.0})
    story.seen("w1", 3, (1, 2), (1, "reserved", "ada"))
    story.seen("w1", 3.1, (1, 3), (2, "reserved", "ada"))


@breaks("not together")
def one_seat_of_five_changes_later(story: Story) -> None:
    story.ask("hold", "ada", (0, 9), [1, 2, 3, 4, 5], status=201, data={"until": 300.0})
    held = [(seat, "reserved", "ada") for seat in (1, 2, 3, 4)]
    story.ask("look", "grace", (3, 4), data=_seats(*held, (5, "available", None)))


@breaks("answer in part")
def hold_is_answered_for_two_seats_of_three(story: Story) -> None:
    story.ask("hold", "ada", (0, 1), [1, 2, 3], status=201, data={"until": 300.0, "seats": [1, 2]})


@breaks("answer in part")
def booking_is_answered_for_one_seat_of_two(story: Story) -> None:
    tickets = [{"id": 7, "seat": 1, "price": "10.00"}]
    story.ask("book", "ada", (0, 1), [1, 2], status=201, payment_id="p1", data={"tickets": tickets})


@breaks("no order")
def socket_shows_a_hold_that_was_refused(story: Story) -> None:
    story.seen("w1", 0, (1, 1), (1, "available"), (2, "available"), whole=True)
    story.not_held("joan", 2, (0, 1))
    story.ask("hold", "ada", (2, 3), [1, 2], status=409, code="seats_unavailable", data={"held": [2]})
    story.seen("w1", 4, (1, 3), (1, "reserved", "ada"))


@breaks("hash differs")
def change_is_missing_in_every_picture(story: Story) -> None:
    for watcher in ("w1", "w2"):
        story.seen(watcher, 0, (1, 1), (1, "available"), (2, "available"), whole=True)
        story.seen(watcher, 1, (1, 3), (2, "reserved", "ada"))
        story.hashed(watcher, 1.1, (1, 3), s1="reserved", s2="reserved")


@breaks("hash differs")
def seat_is_shown_reserved_and_is_booked(story: Story) -> None:
    story.seen("w1", 0, (1, 1), (1, "reserved", "ada"), whole=True)
    story.hashed("w1", 0.1, (1, 1), s1="booked")


@breaks("no order")
def hold_expires_a_little_early(story: Story) -> None:
    story.hold("ada", 1, (0, 0.01), until=300)
    story.look((299.8, 299.85), 1, "available")


@breaks("no order")
def hold_expires_a_little_late(story: Story) -> None:
    story.hold("ada", 1, (0, 0.01), until=300)
    story.look((300.3, 300.4), 1, "reserved", "ada")


@breaks("no order")
def hold_expires_earlier_than_clocks_differ(story: Story) -> None:
    story.hold("ada", 1, (0, 0.01), until=300)
    story.fault("clock stepped", "node-1", 290, 296, details={"seconds": 1.5})
    story.look((297.3, 297.4), 1, "available")


@breaks("no order")
def hold_expires_later_than_clocks_differ(story: Story) -> None:
    story.hold("ada", 1, (0, 0.01), until=300)
    story.fault("clock stepped", "node-1", 290, 296, details={"seconds": -1.5})
    story.look((303.6, 303.7), 1, "reserved", "ada")


@breaks("no order")
def hold_expires_early_long_after_a_clock_was_mended(story: Story) -> None:
    story.fault("clock stepped", "node-1", 0, 6, details={"seconds": 1.5})
    story.hold("ada", 1, (60, 60.01), until=300)
    story.look((299.8, 299.85), 1, "available")


@breaks("no order")
def hold_is_lost_long_after_a_crash(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.fault("kill", "node-1", 1.1, 3)
    story.look((13.1, 13.2), 1, "reserved", "ada")
    story.look((13.3, 13.4), 1, "available")


@breaks("no order")
def hold_is_lost_when_another_screening_is_taken_over(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.fault("takeover", "node-1", 0.5, 2, loses_holds=True, screening=2)
    story.look((4, 5), 1, "available")
