"""Histories that break one promise each, by name: the kind of what must be found, and who tells the story."""

from collections.abc import Callable
from typing import Any

from tests.torture.stories import Story, payment, refund, ticket

BAD: dict[str, tuple[str, Callable[[Story], None]]] = {}

Telling = Callable[[Story], None]


def _breaks(kind: str) -> Callable[[Telling], Telling]:
    def note(tell: Telling) -> Telling:
        BAD[tell.__name__] = kind, tell
        return tell

    return note


@_breaks("no order")
def seat_held_twice(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.hold("joan", 1, (2, 3))


@_breaks("no order")
def concurrent_holds_both_succeed(story: Story) -> None:
    story.hold("ada", 1, (0, 3))
    story.hold("joan", 1, (1, 2))


@_breaks("no order")
def refused_while_free(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.release("ada", 1, (2, 3))
    story.not_held("joan", 1, (4, 5))


@_breaks("no order")
def refused_as_booked_while_held(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.not_held("joan", 1, (2, 3), booked=True)


@_breaks("no order")
def stale_look_after_hold(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.look((2, 3), 1, "available")


@_breaks("no order")
def stale_look_after_release(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.release("ada", 1, (2, 3))
    story.look((4, 5), 1, "reserved", "ada")


@_breaks("no order")
def looks_that_go_back(story: Story) -> None:
    story.hold("ada", 1, (0, 9))
    story.look((1, 2), 1, "reserved", "ada")
    story.look((3, 4), 1, "available")


@_breaks("no order")
def held_by_somebody_else(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.look((2, 3), 1, "reserved", "joan")


@_breaks("no order")
def hold_expires_early(story: Story) -> None:
    story.hold("ada", 1, (0, 1), until=300)
    story.look((290, 291), 1, "available")


@_breaks("no order")
def hold_expires_a_little_early(story: Story) -> None:
    story.hold("ada", 1, (0, 0.01), until=300)
    story.look((299.8, 299.85), 1, "available")


@_breaks("no order")
def hold_expires_a_little_late(story: Story) -> None:
    story.hold("ada", 1, (0, 0.01), until=300)
    story.look((300.3, 300.4), 1, "reserved", "ada")


@_breaks("no order")
def hold_expires_earlier_than_clocks_differ(story: Story) -> None:
    story.hold("ada", 1, (0, 0.01), until=300)
    story.fault("clock stepped", "node-1", 290, 296, details={"seconds": 1.5})
    story.look((297.3, 297.4), 1, "available")


@_breaks("no order")
def hold_expires_later_than_clocks_differ(story: Story) -> None:
    story.hold("ada", 1, (0, 0.01), until=300)
    story.fault("clock stepped", "node-1", 290, 296, details={"seconds": -1.5})
    story.look((303.6, 303.7), 1, "reserved", "ada")


@_breaks("no order")
def hold_expires_early_long_after_a_clock_was_mended(story: Story) -> None:
    story.fault("clock stepped", "node-1", 0, 6, details={"seconds": 1.5})
    story.hold("ada", 1, (60, 60.01), until=300)
    story.look((299.8, 299.85), 1, "available")


@_breaks("no order")
def hold_is_lost_long_after_a_crash(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.fault("kill", "node-1", 1.1, 3)
    story.look((13.1, 13.2), 1, "reserved", "ada")
    story.look((13.3, 13.4), 1, "available")


@_breaks("no order")
def hold_is_lost_when_another_screening_is_taken_over(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.fault("takeover", "node-1", 0.5, 2, loses_holds=True, screening=2)
    story.look((4, 5), 1, "available")


@_breaks("no order")
def hold_expires_before_its_extension(story: Story) -> None:
    story.hold("ada", 1, (0, 1), until=300)
    story.ask("extend", "ada", (2, 3), [1], data={"until": 600.0})
    story.hold("joan", 1, (310, 311))


@_breaks("no order")
def hold_expires_late(story: Story) -> None:
    story.hold("ada", 1, (0, 1), until=300)
    story.look((305, 306), 1, "reserved", "ada")


@_breaks("no order")
def expired_hold_is_booked(story: Story) -> None:
    story.hold("ada", 1, (0, 1), until=300)
    story.book("ada", 1, (310, 311), "p1", 7, action="book_held")


@_breaks("no order")
def released_by_a_stranger(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.release("joan", 1, (2, 3))
    story.look((4, 5), 1, "available")


@_breaks("no order")
def released_and_booked_from_the_hold(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.release("ada", 1, (2, 3))
    story.book("ada", 1, (4, 5), "p1", 7, action="book_held")


@_breaks("no order")
def one_seat_of_three_forgotten(story: Story) -> None:
    story.ask("hold", "ada", (0, 1), [1, 2, 3], status=201, data={"until": 300.0})
    story.hold("joan", 3, (2, 3))


@_breaks("no order")
def seat_sold_twice(story: Story) -> None:
    story.book("ada", 1, (0, 1), "p1", 7)
    story.book("joan", 1, (2, 3), "p2", 8)


@_breaks("no order")
def sold_while_held_by_another(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.book("joan", 1, (2, 3), "p2", 8)


@_breaks("no order")
def booking_is_gone_at_the_end(story: Story) -> None:
    story.book("ada", 1, (0, 1), "p1", 7)
    story.ends((1, "available"))


@_breaks("no order")
def booking_is_lost_in_a_crash(story: Story) -> None:
    story.book("ada", 1, (0, 1), "p1", 7)
    story.fault("kill", "node-1", 1.1, 3)
    story.look((4, 5), 1, "available")


@_breaks("no order")
def hold_is_lost_long_before_a_crash(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.fault("kill", "node-1", 20, 22)
    story.look((25, 26), 1, "available")


@_breaks("no order")
def hold_is_lost_without_a_crash(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.fault("kill", "nats", 1.1, 3)
    story.look((4, 5), 1, "available")


@_breaks("no order")
def hold_is_lost_in_a_rolling_restart(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.fault("restart", "node-1", 1.1, 3)
    story.look((4, 5), 1, "available")


@_breaks("no order")
def crash_undoes_what_came_before_a_booking(story: Story) -> None:
    story.hold("ada", 1, (0, 0.1))
    story.book("ada", 1, (0.2, 0.3), "p1", 7, action="book_held")
    story.fault("kill", "node-1", 0.5, 3)
    story.not_held("joan", 1, (4, 5))


@_breaks("no order")
def lost_hold_shows_after_it_was_seen_to_survive(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.fault("kill", "node-1", 1.1, 3)
    story.look((14, 15), 1, "reserved", "ada")
    story.look((16, 17), 1, "available")


@_breaks("no order")
def unknown_hold_is_seen_then_gone_then_seen(story: Story) -> None:
    story.hold("ada", 1, (0, None))
    story.look((1, 2), 1, "reserved", "ada")
    story.look((3, 4), 1, "available")


@_breaks("no order")
def reserved_for_ever_after_a_refused_booking(story: Story) -> None:
    story.ask("book", "ada", (0, 1), [1], status=409, code="price_changed", payment_id="p1")
    story.not_held("joan", 1, (2, 3))


@_breaks("no order")
def reserved_for_ever_after_a_booking_without_an_answer(story: Story) -> None:
    story.ask("book", "ada", (0, None), [1], payment_id="p1")
    story.not_held("joan", 1, (30, 31))


@_breaks("no order")
def cancelled_seat_is_not_sold_again(story: Story) -> None:
    story.book("ada", 1, (0, 1), "p1", 7)
    story.cancel("ada", 1, (2, 3), "p1")
    story.not_held("joan", 1, (4, 5), booked=True)


@_breaks("no order")
def more_tickets_than_places(story: Story) -> None:
    for number, user in enumerate(("ada", "joan", "grace")):
        at, data = (number, number + 2.5), {"reservation": number, "until": 300.0}
        story.ask("hold", user, at, ticket_type=5, quantity=2, status=201, data=data)
    story.ends(ticket_types={"5": {"capacity": 5, "left": 0}})


@_breaks("no order")
def places_are_not_given_back(story: Story) -> None:
    data = {"reservation": 1, "until": 300.0}
    story.ask("hold", "ada", (0, 1), ticket_type=5, quantity=2, status=201, data=data)
    story.ask("release", "ada", (2, 3), ticket_type=5, reservation=1, status=204)
    story.ends(ticket_types={"5": {"capacity": 5, "left": 3}})


@_breaks("no order")
def refused_as_sold_out_while_places_are_left(story: Story) -> None:
    data = {"reservation": 1, "until": 300.0}
    story.ask("hold", "ada", (0, 1), ticket_type=5, quantity=2, status=201, data=data)
    story.ask("hold", "joan", (2, 3), ticket_type=5, quantity=3, status=409, code="not_enough_tickets")
    story.ends(ticket_types={"5": {"capacity": 5}})


@_breaks("no order")
def place_is_sold_out_before_it_is_bought(story: Story) -> None:
    story.ask("hold", "joan", (0, 1), ticket_type=5, quantity=1, status=409, code="not_enough_tickets")
    story.ask("book", "ada", (2, 9), ticket_type=5, quantity=2, payment_id="p2", status=201)
    story.ends(ticket_types={"5": {"capacity": 2, "left": 0}})


@_breaks("no order")
def released_reservation_is_bought(story: Story) -> None:
    data = {"reservation": 1, "until": 300.0}
    story.ask("hold", "ada", (0, 1), ticket_type=5, quantity=2, status=201, data=data)
    story.ask("release", "ada", (2, 3), ticket_type=5, reservation=1, status=204)
    story.ask("book", "ada", (4, 5), ticket_type=5, reservation=1, quantity=2, status=201)
    story.ends(ticket_types={"5": {"capacity": 5}})


@_breaks("no order")
def expired_reservation_is_bought(story: Story) -> None:
    data = {"reservation": 1, "until": 300.0}
    story.ask("hold", "ada", (0, 1), ticket_type=5, quantity=2, status=201, data=data)
    story.ask("book", "ada", (310, 311), ticket_type=5, reservation=1, quantity=2, status=201)
    story.ends(ticket_types={"5": {"capacity": 5}})


@_breaks("no order")
def reservation_expires_early(story: Story) -> None:
    data = {"reservation": 1, "until": 300.0}
    story.ask("hold", "ada", (0, 1), ticket_type=5, quantity=2, status=201, data=data)
    story.ask("look", "grace", (290, 291), ticket_type=5, data={"left": 5})
    story.ends(ticket_types={"5": {"capacity": 5}})


@_breaks("no order")
def place_is_given_back_twice(story: Story) -> None:
    story.ask("book", "ada", (0, 1), ticket_type=5, quantity=2, payment_id="p1", status=201)
    for at in ((2, None), (4, 5)):
        story.ask("cancel", "ada", at, ticket_type=5, ticket=8, status=204)
    story.ends(ticket_types={"5": {"capacity": 5, "left": 5}})


@_breaks("lost booking")
def acknowledged_before_commit_and_lost(story: Story) -> None:
    story.book("ada", 1, (0, 1), "p1", 7)
    story.ends(tickets=[])


@_breaks("lost booking")
def ticket_becomes_somebody_elses(story: Story) -> None:
    story.book("ada", 1, (0, 1), "p1", 7)
    story.ends(tickets=[ticket(7, 1, "joan", "p1")])


@_breaks("lost booking")
def ticket_is_cancelled_by_nobody(story: Story) -> None:
    story.book("ada", 1, (0, 1), "p1", 7)
    story.ends(tickets=[ticket(7, 1, "ada", "p1", status="cancelled")], refunds=[refund("p1", 7)])


@_breaks("lost booking")
def ticket_costs_more_than_was_said(story: Story) -> None:
    story.book("ada", 1, (0, 1), "p1", 7)
    story.ends(tickets=[ticket(7, 1, "ada", "p1", price="12.00")])


@_breaks("lost booking")
def cancellation_is_lost(story: Story) -> None:
    story.book("ada", 1, (0, 1), "p1", 7)
    story.cancel("ada", 1, (2, 3), "p1")
    story.ends(tickets=[ticket(7, 1, "ada", "p1")])


@_breaks("refused but sold")
def refused_booking_is_sold(story: Story) -> None:
    story.ask("book", "ada", (0, 1), [1], status=409, code="seats_unavailable", payment_id="p1")
    story.ends(tickets=[ticket(7, 1, "ada", "p1")])


@_breaks("booking in part")
def one_seat_of_a_booking_is_missing(story: Story) -> None:
    story.ask("book", "ada", (0, None), [1, 2], payment_id="p1")
    story.ends(tickets=[ticket(7, 1, "ada", "p1")])


@_breaks("seat sold twice")
def two_live_tickets_in_the_table(story: Story) -> None:
    story.ends(tickets=[ticket(7, 1, "ada", "p1"), ticket(8, 1, "joan", "p2")])


@_breaks("payment with two bookings")
def payment_books_twice(story: Story) -> None:
    story.book("ada", 1, (0, 1), "p1", 7)
    story.book("ada", 1, (2, 3), "p1", 8)


@_breaks("payment with two bookings")
def payment_has_two_bookings_in_the_table(story: Story) -> None:
    story.ends(tickets=[ticket(7, 1, "ada", "p1"), ticket(8, 2, "ada", "p1")])


@_breaks("ticket without payment")
def payment_is_not_recorded(story: Story) -> None:
    story.ends(tickets=[ticket(7, 1, "ada", "p1")], payments=[])


@_breaks("key with two effects")
def key_has_two_effects(story: Story) -> None:
    for at, number in (((0, 1), 7), ((2, 3), 8)):
        data = {"tickets": [{"id": number, "seat": number}]}
        story.ask("book", "ada", at, status=201, key="k1", data=data)


@_breaks("repeat refused")
def repeat_with_the_key_is_refused(story: Story) -> None:
    data = {"tickets": [{"id": 1, "seat": 1}]}
    story.ask("order", "ada", (0, 1), [1], status=201, key="k1", data=data)
    story.ask("order", "ada", (2, 3), [1], status=409, key="k1", code="seats_unavailable")


@_breaks("key for two requests")
def key_is_accepted_for_another_body(story: Story) -> None:
    story.hold("ada", 1, (0, 1), key="k1")
    story.hold("ada", 2, (2, 3), key="k1")


@_breaks("refunded twice")
def ticket_is_refunded_twice(story: Story) -> None:
    cancelled = ticket(7, 1, "ada", "p1", status="cancelled")
    story.ends(tickets=[cancelled], refunds=[refund("p1", 7), refund("p1", 7)])


@_breaks("refund missing")
def cancelled_ticket_is_not_refunded(story: Story) -> None:
    story.ends(tickets=[ticket(7, 1, "ada", "p1", status="cancelled")], refunds=[])


@_breaks("refund of a ticket that stands")
def standing_ticket_is_refunded(story: Story) -> None:
    story.ends(tickets=[ticket(7, 1, "ada", "p1")], refunds=[refund("p1", 7)])


@_breaks("money does not add up")
def unusable_payment_is_kept(story: Story) -> None:
    story.ends(
        tickets=[],
        payments=[payment("p1", "ada", None)],
        refunds=[refund("p1", None, "6.00")],
        paid={"p1": "10.00"},
    )


@_breaks("picture goes back")
def seq_goes_back(story: Story) -> None:
    story.seen("w1", 1, (1, 5), (1, "reserved", "ada"))
    story.seen("w1", 2, (1, 4), (1, "available"))


@_breaks("picture goes back")
def epoch_goes_back(story: Story) -> None:
    story.seen("w1", 1, (2, 1), (1, "reserved", "ada"))
    story.seen("w1", 2, (1, 9), (1, "available"))


@_breaks("position used twice")
def seq_is_used_twice(story: Story) -> None:
    story.seen("w1", 1, (1, 5), (1, "reserved", "ada"))
    story.seen("w1", 2, (1, 5), (1, "available"))


@_breaks("pictures differ")
def watcher_misses_a_change(story: Story) -> None:
    for watcher in ("w1", "w2"):
        story.seen(watcher, 0, (1, 1), (1, "available"), (2, "available"), whole=True)
    story.seen("w1", 1, (1, 2), (1, "reserved", "ada"))
    for watcher in ("w1", "w2"):
        story.seen(watcher, 2, (1, 3), (2, "reserved", "ada"))


def _seats(*seen: tuple[int, str, str | None]) -> dict[str, Any]:
    """A map of several seats."""
    return {"seats": [dict(zip(("seat", "status", "user"), seat, strict=True)) for seat in seen]}


@_breaks("not together")
def map_shows_half_a_hold(story: Story) -> None:
    story.ask("hold", "ada", (0, 9), [1, 2], status=201, data={"until": 300.0})
    story.ask("look", "grace", (3, 4), data=_seats((1, "reserved", "ada"), (2, "available", None)))


@_breaks("not together")
def map_shows_half_a_release(story: Story) -> None:
    story.ask("hold", "ada", (0, 1), [1, 2], status=201, data={"until": 300.0})
    story.ask("release", "ada", (2, 9), [1, 2], status=204)
    story.ask("look", "grace", (3, 4), data=_seats((1, "reserved", "ada"), (2, "available", None)))


@_breaks("not together")
def map_shows_half_a_booking(story: Story) -> None:
    tickets = [{"id": seat, "seat": seat, "price": "10.00"} for seat in (1, 2)]
    story.ask("book", "ada", (0, 9), [1, 2], status=201, payment_id="p1", data={"tickets": tickets})
    story.ask("look", "grace", (3, 4), data=_seats((1, "booked", "ada"), (2, "reserved", "ada")))


@_breaks("not together")
def booking_claims_one_seat_of_two(story: Story) -> None:
    tickets = [{"id": seat, "seat": seat, "price": "10.00"} for seat in (1, 2)]
    story.ask("book", "ada", (0, 9), [1, 2], status=201, payment_id="p1", data={"tickets": tickets})
    story.ask("look", "grace", (3, 4), data=_seats((1, "available", None), (2, "reserved", "ada")))


@_breaks("not together")
def hold_without_an_answer_has_one_seat_of_two(story: Story) -> None:
    story.ask("hold", "ada", (0, None), [1, 2])
    for at in ((3, 4), (5, 6)):
        story.ask("look", "grace", at, data=_seats((1, "reserved", "ada"), (2, "available", None)))


@_breaks("not together")
def release_of_everything_leaves_a_seat(story: Story) -> None:
    story.ask("hold", "ada", (0, 1), [1, 2], status=201, data={"until": 300.0})
    story.ask("release", "ada", (2, None), None)
    story.ask("look", "grace", (3, 4), data=_seats((1, "reserved", "ada"), (2, "available", None)))


@_breaks("not together")
def crash_loses_half_a_hold(story: Story) -> None:
    story.ask("hold", "ada", (0, 1), [1, 2], status=201, data={"until": 300.0})
    story.fault("kill", "node-1", 1.5, 2)
    story.ask("look", "grace", (3, 4), data=_seats((1, "reserved", "ada"), (2, "available", None)))


@_breaks("not together")
def two_holds_share_their_seats(story: Story) -> None:
    story.ask("hold", "ada", (0, None), [1, 2])
    story.ask("hold", "joan", (0, None), [1, 2])
    story.look((3, 4), 1, "reserved", "ada")
    story.look((3, 4), 2, "reserved", "joan")


@_breaks("not together")
def socket_shows_half_a_hold(story: Story) -> None:
    story.seen("w1", 0, (1, 1), (1, "available"), (2, "available"), whole=True)
    story.ask("hold", "ada", (1, 9), [1, 2], status=201, data={"until": 300.0})
    story.seen("w1", 3, (1, 2), (1, "reserved", "ada"))
    story.seen("w1", 3.1, (1, 3), (2, "reserved", "ada"))


@_breaks("not together")
def one_seat_of_five_changes_later(story: Story) -> None:
    story.ask("hold", "ada", (0, 9), [1, 2, 3, 4, 5], status=201, data={"until": 300.0})
    held = [(seat, "reserved", "ada") for seat in (1, 2, 3, 4)]
    story.ask("look", "grace", (3, 4), data=_seats(*held, (5, "available", None)))


@_breaks("answer in part")
def hold_is_answered_for_two_seats_of_three(story: Story) -> None:
    story.ask("hold", "ada", (0, 1), [1, 2, 3], status=201, data={"until": 300.0, "seats": [1, 2]})


@_breaks("answer in part")
def booking_is_answered_for_one_seat_of_two(story: Story) -> None:
    tickets = [{"id": 7, "seat": 1, "price": "10.00"}]
    story.ask("book", "ada", (0, 1), [1, 2], status=201, payment_id="p1", data={"tickets": tickets})


@_breaks("no order")
def socket_shows_a_hold_that_was_refused(story: Story) -> None:
    story.seen("w1", 0, (1, 1), (1, "available"), (2, "available"), whole=True)
    story.not_held("joan", 2, (0, 1))
    story.ask("hold", "ada", (2, 3), [1, 2], status=409, code="seats_unavailable", data={"held": [2]})
    story.seen("w1", 4, (1, 3), (1, "reserved", "ada"))


@_breaks("hash differs")
def change_is_missing_in_every_picture(story: Story) -> None:
    for watcher in ("w1", "w2"):
        story.seen(watcher, 0, (1, 1), (1, "available"), (2, "available"), whole=True)
        story.seen(watcher, 1, (1, 3), (2, "reserved", "ada"))
        story.hashed(watcher, 1.1, (1, 3), s1="reserved", s2="reserved")


@_breaks("hash differs")
def seat_is_shown_reserved_and_is_booked(story: Story) -> None:
    story.seen("w1", 0, (1, 1), (1, "reserved", "ada"), whole=True)
    story.hashed("w1", 0.1, (1, 1), s1="booked")


@_breaks("picture is wrong at the end")
def watcher_does_not_catch_up(story: Story) -> None:
    story.seen("w1", 1, (1, 5), (1, "available"), whole=True)
    story.hold("ada", 1, (2, 3))
    story.ends((1, "reserved", "ada"))


@_breaks("hold ended early")
def socket_shows_an_early_expiry(story: Story) -> None:
    story.hold("ada", 1, (0, 1), until=300)
    story.seen("w1", 1, (1, 5), (1, "reserved", "ada", 300.0))
    story.seen("w1", 200, (1, 6), (1, "available"))


@_breaks("lie believed")
def foreign_ticket_is_cancelled(story: Story) -> None:
    lie = {"kind": "lie", "user": "mallory", "what": "cancels a foreign ticket"}
    story.records.append({**lie, "status": 204})


@_breaks("proves nothing")
def hardly_anything_succeeds(story: Story) -> None:
    story.records[0]["success_share"] = 0.3
    story.hold("ada", 1, (0, 1))
    for number in range(5):
        story.not_held("joan", 1, (2 + number, 2.5 + number))
