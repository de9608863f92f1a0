"""Histories that break one promise each: requests on single seats and ticket types, tables, sockets."""

from tests.torture.breaking import breaks
from tests.torture.stories import Story, payment, refund, ticket


@breaks("no order")
def seat_held_twice(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.hold("joan", 1, (2, 3))


@breaks("no order")
def concurrent_holds_both_succeed(story: Story) -> None:
    story.hold("ada", 1, (0, 3))
    story.hold("joan", 1, (1, 2))


@breaks("no order")
def refused_while_free(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.release("ada", 1, (2, 3))
    story.not_held("joan", 1, (4, 5))


@breaks("no order")
def refused_as_booked_while_held(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.not_held("joan", 1, (2, 3), booked=True)


@breaks("no order")
def stale_look_after_hold(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.look((2, 3), 1, "available")


@breaks("no order")
def stale_look_after_release(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.release("ada", 1, (2, 3))
    story.look((4, 5), 1, "reserved", "ada")


@breaks("no order")
def looks_that_go_back(story: Story) -> None:
    story.hold("ada", 1, (0, 9))
    story.look((1, 2), 1, "reserved", "ada")
    story.look((3, 4), 1, "available")


@breaks("no order")
def held_by_somebody_else(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.look((2, 3), 1, "reserved", "joan")


@breaks("no order")
def hold_expires_early(story: Story) -> None:
    story.hold("ada", 1, (0, 1), until=300)
    story.look((290, 291), 1, "available")


@breaks("no order")
def hold_expires_before_its_extension(story: Story) -> None:
    story.hold("ada", 1, (0, 1), until=300)
    story.ask("extend", "ada", (2, 3), [1], data={"until": 600.0})
    story.hold("joan", 1, (310, 311))


@breaks("no order")
def hold_expires_late(story: Story) -> None:
    story.hold("ada", 1, (0, 1), until=300)
    story.look((305, 306), 1, "reserved", "ada")


@breaks("no order")
def expired_hold_is_booked(story: Story) -> None:
    story.hold("ada", 1, (0, 1), until=300)
    story.book("ada", 1, (310, 311), "p1", 7, action="book_held")


@breaks("no order")
def released_by_a_stranger(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.release("joan", 1, (2, 3))
    story.look((4, 5), 1, "available")


@breaks("no order")
def released_and_booked_from_the_hold(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.release("ada", 1, (2, 3))
    story.book("ada", 1, (4, 5), "p1", 7, action="book_held")


@breaks("no order")
def one_seat_of_three_forgotten(story: Story) -> None:
    story.ask("hold", "ada", (0, 1), [1, 2, 3], status=201, data={"until": 300.0})
    story.hold("joan", 3, (2, 3))


@breaks("no order")
def seat_sold_twice(story: Story) -> None:
    story.book("ada", 1, (0, 1), "p1", 7)
    story.book("joan", 1, (2, 3), "p2", 8)


@breaks("no order")
def sold_while_held_by_another(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.book("joan", 1, (2, 3), "p2", 8)


@breaks("no order")
def booking_is_gone_at_the_end(story: Story) -> None:
    story.book("ada", 1, (0, 1), "p1", 7)
    story.ends((1, "available"))


@breaks("no order")
def booking_is_lost_in_a_crash(story: Story) -> None:
    story.book("ada", 1, (0, 1), "p1", 7)
    story.fault("kill", "node-1", 1.1, 3)
    story.look((4, 5), 1, "available")


@breaks("no order")
def hold_is_lost_long_before_a_crash(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.fault("kill", "node-1", 20, 22)
    story.look((25, 26), 1, "available")


@breaks("no order")
def hold_is_lost_without_a_crash(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.fault("kill", "nats", 1.1, 3)
    story.look((4, 5), 1, "available")


@breaks("no order")
def hold_is_lost_in_a_rolling_restart(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.fault("restart", "node-1", 1.1, 3)
    story.look((4, 5), 1, "available")


@breaks("no order")
def crash_undoes_what_came_before_a_booking(story: Story) -> None:
    story.hold("ada", 1, (0, 0.1))
    story.book("ada", 1, (0.2, 0.3), "p1", 7, action="book_held")
    story.fault("kill", "node-1", 0.5, 3)
    story.not_held("joan", 1, (4, 5))


@breaks("no order")
def lost_hold_shows_after_it_was_seen_to_survive(story: Story) -> None:
    story.hold("ada", 1, (0, 1))
    story.fault("kill", "node-1", 1.1, 3)
    story.look((14, 15), 1, "reserved", "ada")
    story.look((16, 17), 1, "available")


@breaks("no order")
def unknown_hold_is_seen_then_gone_then_seen(story: Story) -> None:
    story.hold("ada", 1, (0, None))
    story.look((1, 2), 1, "reserved", "ada")
    story.look((3, 4), 1, "available")


@breaks("no order")
def reserved_for_ever_after_a_refused_booking(story: Story) -> None:
    story.ask("book", "ada", (0, 1), [1], status=409, code="price_changed", payment_id="p1")
    story.not_held("joan", 1, (2, 3))


@breaks("no order")
def reserved_for_ever_after_a_booking_without_an_answer(story: Story) -> None:
    story.ask("book", "ada", (0, None), [1], payment_id="p1")
    story.not_held("joan", 1, (30, 31))


@breaks("no order")
def cancelled_seat_is_not_sold_again(story: Story) -> None:
    story.book("ada", 1, (0, 1), "p1", 7)
    story.cancel("ada", 1, (2, 3), "p1")
    story.not_held("joan", 1, (4, 5), booked=True)


@breaks("no order")
def more_tickets_than_places(story: Story) -> None:
    for number, user in enumerate(("ada", "joan", "grace")):
        at, data = (number, number + 2.5), {"reservation": number, "until": 300.0}
        story.ask("hold", user, at, ticket_type=5, quantity=2, status=201, data=data)
    story.ends(ticket_types={"5": {"capacity": 5, "left": 0}})


@breaks("no order")
def places_are_not_given_back(story: Story) -> None:
    data = {"reservation": 1, "until": 300.0}
    story.ask("hold", "ada", (0, 1), ticket_type=5, quantity=2, status=201, data=data)
    story.ask("release", "ada", (2, 3), ticket_type=5, reservation=1, status=204)
    story.ends(ticket_types={"5": {"capacity": 5, "left": 3}})


@breaks("no order")
def refused_as_sold_out_while_places_are_left(story: Story) -> None:
    data = {"reservation": 1, "until": 300.0}
    story.ask("hold", "ada", (0, 1), ticket_type=5, quantity=2, status=201, data=data)
    story.ask("hold", "joan", (2, 3), ticket_type=5, quantity=3, status=409, code="not_enough_tickets")
    story.ends(ticket_types={"5": {"capacity": 5}})


@breaks("no order")
def place_is_sold_out_before_it_is_bought(story: Story) -> None:
    story.ask("hold", "joan", (0, 1), ticket_type=5, quantity=1, status=409, code="not_enough_tickets")
    story.ask("book", "ada", (2, 9), ticket_type=5, quantity=2, payment_id="p2", status=201)
    story.ends(ticket_types={"5": {"capacity": 2, "left": 0}})


@breaks("no order")
def released_reservation_is_bought(story: Story) -> None:
    data = {"reservation": 1, "until": 300.0}
    story.ask("hold", "ada", (0, 1), ticket_type=5, quantity=2, status=201, data=data)
    story.ask("release", "ada", (2, 3), ticket_type=5, reservation=1, status=204)
    story.ask("book", "ada", (4, 5), ticket_type=5, reservation=1, quantity=2, status=201)
    story.ends(ticket_types={"5": {"capacity": 5}})


@breaks("no order")
def expired_reservation_is_bought(story: Story) -> None:
    data = {"reservation": 1, "until": 300.0}
    story.ask("hold", "ada", (0, 1), ticket_type=5, quantity=2, status=201, data=data)
    story.ask("book", "ada", (310, 311), ticket_type=5, reservation=1, quantity=2, status=201)
    story.ends(ticket_types={"5": {"capacity": 5}})


@breaks("no order")
def reservation_expires_early(story: Story) -> None:
    data = {"reservation": 1, "until": 300.0}
    story.ask("hold", "ada", (0, 1), ticket_type=5, quantity=2, status=201, data=data)
    story.ask("look", "grace", (290, 291), ticket_type=5, data={"left": 5})
    story.ends(ticket_types={"5": {"capacity": 5}})


@breaks("no order")
def place_is_given_back_twice(story: Story) -> None:
    story.ask("book", "ada", (0, 1), ticket_type=5, quantity=2, payment_id="p1", status=201)
    for at in ((2, None), (4, 5)):
        story.ask("cancel", "ada", at, ticket_type=5, ticket=8, status=204)
    story.ends(ticket_types={"5": {"capacity": 5, "left": 5}})


@breaks("lost booking")
def acknowledged_before_commit_and_lost(story: Story) -> None:
    story.book("ada", 1, (0, 1), "p1", 7)
    story.ends(tickets=[])


@breaks("lost booking")
def ticket_becomes_somebody_elses(story: Story) -> None:
    story.book("ada", 1, (0, 1), "p1", 7)
    story.ends(tickets=[ticket(7, 1, "joan", "p1")])


@breaks("lost booking")
def ticket_is_cancelled_by_nobody(story: Story) -> None:
    story.book("ada", 1, (0, 1), "p1", 7)
    story.ends(tickets=[ticket(7, 1, "ada", "p1", status="cancelled")], refunds=[refund("p1", 7)])


@breaks("lost booking")
def ticket_costs_more_than_was_said(story: Story) -> None:
    story.book("ada", 1, (0, 1), "p1", 7)
    story.ends(tickets=[ticket(7, 1, "ada", "p1", price="12.00")])


@breaks("lost booking")
def cancellation_is_lost(story: Story) -> None:
    story.book("ada", 1, (0, 1), "p1", 7)
    story.cancel("ada", 1, (2, 3), "p1")
    story.ends(tickets=[ticket(7, 1, "ada", "p1")])


@breaks("refused but sold")
def refused_booking_is_sold(story: Story) -> None:
    story.ask("book", "ada", (0, 1), [1], status=409, code="seats_unavailable", payment_id="p1")
    story.ends(tickets=[ticket(7, 1, "ada", "p1")])


@breaks("booking in part")
def one_seat_of_a_booking_is_missing(story: Story) -> None:
    story.ask("book", "ada", (0, None), [1, 2], payment_id="p1")
    story.ends(tickets=[ticket(7, 1, "ada", "p1")])


@breaks("seat sold twice")
def two_live_tickets_in_the_table(story: Story) -> None:
    story.ends(tickets=[ticket(7, 1, "ada", "p1"), ticket(8, 1, "joan", "p2")])


@breaks("payment with two bookings")
def payment_books_twice(story: Story) -> None:
    story.book("ada", 1, (0, 1), "p1", 7)
    story.book("ada", 1, (2, 3), "p1", 8)


@breaks("payment with two bookings")
def payment_has_two_bookings_in_the_table(story: Story) -> None:
    story.ends(tickets=[ticket(7, 1, "ada", "p1"), ticket(8, 2, "ada", "p1")])


@breaks("ticket without payment")
def payment_is_not_recorded(story: Story) -> None:
    story.ends(tickets=[ticket(7, 1, "ada", "p1")], payments=[])


@breaks("key with two effects")
def key_has_two_effects(story: Story) -> None:
    for at, number in (((0, 1), 7), ((2, 3), 8)):
        data = {"tickets": [{"id": number, "seat": number}]}
        story.ask("book", "ada", at, status=201, key="k1", data=data)


@breaks("repeat refused")
def repeat_with_the_key_is_refused(story: Story) -> None:
    data = {"tickets": [{"id": 1, "seat": 1}]}
    story.ask("order", "ada", (0, 1), [1], status=201, key="k1", data=data)
    story.ask("order", "ada", (2, 3), [1], status=409, key="k1", code="seats_unavailable")


@breaks("key for two requests")
def key_is_accepted_for_another_body(story: Story) -> None:
    story.hold("ada", 1, (0, 1), key="k1")
    story.hold("ada", 2, (2, 3), key="k1")


@breaks("refunded twice")
def ticket_is_refunded_twice(story: Story) -> None:
    cancelled = ticket(7, 1, "ada", "p1", status="cancelled")
    story.ends(tickets=[cancelled], refunds=[refund("p1", 7), refund("p1", 7)])


@breaks("refund missing")
def cancelled_ticket_is_not_refunded(story: Story) -> None:
    story.ends(tickets=[ticket(7, 1, "ada", "p1", status="cancelled")], refunds=[])


@breaks("refund of a ticket that stands")
def standing_ticket_is_refunded(story: Story) -> None:
    story.ends(tickets=[ticket(7, 1, "ada", "p1")], refunds=[refund("p1", 7)])


@breaks("money does not add up")
def unusable_payment_is_kept(story: Story) -> None:
    story.ends(
        tickets=[],
        payments=[payment("p1", "ada", None)],
        refunds=[refund("p1", None, "6.00")],
        paid={"p1": "10.00"},
    )


@breaks("picture goes back")
def seq_goes_back(story: Story) -> None:
    story.seen("w1", 1, (1, 5), (1, "reserved", "ada"))
    story.seen("w1", 2, (1, 4), (1, "available"))


@breaks("picture goes back")
def epoch_goes_back(story: Story) -> None:
    story.seen("w1", 1, (2, 1), (1, "reserved", "ada"))
    story.seen("w1", 2, (1, 9), (1, "available"))


@breaks("position used twice")
def seq_is_used_twice(story: Story) -> None:
    story.seen("w1", 1, (1, 5), (1, "reserved", "ada"))
    story.seen("w1", 2, (1, 5), (1, "available"))


@breaks("pictures differ")
def watcher_misses_a_change(story: Story) -> None:
    for watcher in ("w1", "w2"):
        story.seen(watcher, 0, (1, 1), (1, "available"), (2, "available"), whole=True)
    story.seen("w1", 1, (1, 2), (1, "reserved", "ada"))
    for watcher in ("w1", "w2"):
        story.seen(watcher, 2, (1, 3), (2, "reserved", "ada"))


@breaks("picture is wrong at the end")
def watcher_does_not_catch_up(story: Story) -> None:
    story.seen("w1", 1, (1, 5), (1, "available"), whole=True)
    story.hold("ada", 1, (2, 3))
    story.ends((1, "reserved", "ada"))


@breaks("hold ended early")
def socket_shows_an_early_expiry(story: Story) -> None:
    story.hold("ada", 1, (0, 1), until=300)
    story.seen("w1", 1, (1, 5), (1, "reserved", "ada", 300.0))
    story.seen("w1", 200, (1, 6), (1, "available"))


@breaks("no order")
def reserved_after_the_purchase_was_refused(story: Story) -> None:
    story.ask("book", "ada", (0, 1), [1], status=503, code="ownership_lost", payment_id="p1")
    story.look((4, 5), 1, "reserved", "ada")


@breaks("no order")
def reserved_after_the_order_was_refused(story: Story) -> None:
    story.ask("order", "ada", (0, 1), [1], status=409, key="k1", code="person_limit_exceeded")
    story.look((4, 5), 1, "reserved", "ada")


@breaks("lie believed")
def foreign_ticket_is_cancelled(story: Story) -> None:
    lie = {"kind": "lie", "user": "mallory", "what": "cancels a foreign ticket"}
    story.records.append({**lie, "status": 204})


@breaks("proves nothing")
def hardly_anything_succeeds(story: Story) -> None:
    story.records[0]["success_share"] = 0.3
    story.hold("ada", 1, (0, 1))
    for number in range(5):
        story.not_held("joan", 1, (2 + number, 2.5 + number))
