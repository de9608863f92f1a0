"""Both adapters of each port fulfil the guarantees of `engine.ports`."""

import asyncio

import pytest

from engine.errors import EngineError, OwnershipLost
from engine.places import CAPACITY_LIMIT, place_id
from engine.ports import Entry, LoadedScreening
from engine.records import Seat, Ticket, TicketStatus, UnusablePayment
from engine.sale_rules import OrphanRule, SaleRules
from engine.sales_windows import TOLD_SECONDS
from engine.selling_errors import PaymentAlreadyUsed, ScreeningNotFound
from engine.waitlist_records import WaitStatus
from tests.ports.adapters import HOUR, NOW, World, reload, submit, write
from tests.ports.story import ALICE, BOB, Story

pytestmark = pytest.mark.gen_test


async def begin(world: World, seats: int = 4) -> Story:
    hall = world.add_hall(seats)
    loaded = await world.store.activate(hall.screening_id)
    return Story(hall, loaded.epoch)


# Store


async def test_an_unknown_screening_is_not_found(world: World) -> None:
    for screening_id in (1, 0, -1, 2**63, 10**30):
        for depose in (True, False):
            with pytest.raises(ScreeningNotFound):
                await world.store.activate(screening_id, depose=depose)


async def test_activation_loads_seats_and_prices(world: World) -> None:
    hall = world.add_hall(3)
    info, layout, epoch, holds, tickets, _, _, blocks, waitlist = await world.store.activate(
        hall.screening_id
    )
    assert (info.id, info.starts_at, info.ends_at) == (hall.screening_id, NOW + HOUR, NOW + 2 * HOUR)
    first, second, third = hall.seat_ids
    assert layout.seats == (
        Seat(first, layout.room_id, "A", 1, "vip", 0.0, 1.0),
        Seat(second, layout.room_id, "A", 2, "standard", 1.0, 1.0),
        Seat(third, layout.room_id, "A", 3, "standard", 2.0, 1.0),
    )
    assert [info.price_of(seat) for seat in layout.seats] == [1750, 1250, 1250]
    assert (epoch, list(holds), list(tickets), list(blocks)) == (1, [], [], [])
    assert list(waitlist) == []


async def test_every_activation_starts_a_new_epoch(world: World) -> None:
    hall, other = world.add_hall(), world.add_hall()
    epochs = [(await world.store.activate(hall.screening_id)).epoch for _ in range(3)]
    assert epochs == sorted(set(epochs))
    assert (await world.store.activate(other.screening_id)).epoch == 1


async def test_screenings_of_a_room_share_its_layout(world: World) -> None:
    hall = world.add_hall()
    beside = world.add_screening_beside(hall)
    one = await world.store.activate(hall.screening_id)
    two = await world.store.activate(beside.screening_id)
    assert one.layout is two.layout


async def test_overdue_only_finds_expired_deadlines(world: World) -> None:
    lapsed, pending, living = [await begin(world) for _ in range(3)]
    await write(world.journal, lapsed.held(lapsed.hold(0, expires_at=NOW + 10)))
    await write(world.journal, pending.issued(pending.tickets(0, pending_until=NOW + 20)))
    gone = living.hold(0, expires_at=NOW + 10)
    await write(world.journal, living.held(gone, living.hold(1, expires_at=NOW + 30)), living.released(gone))
    assert list(await world.store.overdue(NOW + 9, 10)) == []
    assert list(await world.store.overdue(NOW + 10, 10)) == [lapsed.hall.screening_id]
    both = [lapsed.hall.screening_id, pending.hall.screening_id]
    assert sorted(await world.store.overdue(NOW + 20, 10)) == both
    assert len(await world.store.overdue(NOW + 20, 1)) == 1


async def test_a_screening_is_found_shortly_before_and_after_sales_open_and_close(world: World) -> None:
    hall, closing, _ = [world.add_hall() for _ in range(3)]
    rules = SaleRules(OrphanRule.ENFORCE, 0.25, 4, NOW + 600, NOW + 3600)
    world.set_rules(hall, rules)
    world.set_rules(closing, SaleRules(sales_end=NOW + 660))
    assert (await world.store.activate(hall.screening_id)).info.rules == rules
    both = [hall.screening_id, closing.screening_id]
    for at, found in (
        (539, []),
        (540, both[:1]),
        (600, both),
        (660, both),
        (661, both[1:]),
        (721, []),
        (3600, both[:1]),
    ):
        assert sorted(await world.store.overdue(NOW + at, 10)) == sorted(found), at


async def test_screenings_of_a_live_server_are_read_without_taking_over(world: World) -> None:
    other = await world.another_server()
    hall = world.add_hall()
    story = Story(hall, (await other.store.activate(hall.screening_id)).epoch)
    hold = story.hold(0, expires_at=NOW + 10)
    assert await write(world.journal, story.held(hold)) is None
    copy = await world.store.activate(hall.screening_id, depose=False)
    assert (copy.owned, copy.epoch, copy.seq, list(copy.holds)) == (False, 1, 1, [hold])
    assert list(await world.store.overdue(NOW + 20, 10)) == []
    assert list(await other.store.overdue(NOW + 20, 10)) == [hall.screening_id]
    assert await write(world.journal, story.held(story.hold(1))) is None
    other.die()


async def test_screenings_of_a_dead_server_can_be_taken_over(world: World) -> None:
    other = await world.another_server()
    hall = world.add_hall()
    story = Story(hall, (await other.store.activate(hall.screening_id)).epoch)
    await write(world.journal, story.held(story.hold(0, expires_at=NOW + 10)))
    other.die()
    async with asyncio.timeout(60):
        while not await world.store.overdue(NOW + 20, 10):  # noqa: ASYNC110 - PostgreSQL decides when
            await asyncio.sleep(0.01)
    loaded = await world.store.activate(hall.screening_id, depose=False)
    assert (loaded.owned, loaded.epoch) == (True, 2)


async def test_a_command_takes_a_screening_from_a_server_that_lives(world: World) -> None:
    other = await world.another_server()
    hall = world.add_hall()
    await other.store.activate(hall.screening_id)
    assert (await world.store.activate(hall.screening_id)).epoch == 2
    other.die()


async def test_an_epoch_is_raised_only_if_it_is_the_known_one(world: World) -> None:
    hall = world.add_hall()
    for known_epoch in (1, 7):
        with pytest.raises(OwnershipLost):
            await world.store.activate(hall.screening_id, known_epoch=known_epoch)
    assert await world.store.owner(hall.screening_id) is None
    loaded = await world.store.activate(hall.screening_id, known_epoch=0)
    assert (loaded.epoch, loaded.owned) == (1, True)
    for known_epoch in (0, 2):
        with pytest.raises(OwnershipLost):
            await world.store.activate(hall.screening_id, known_epoch=known_epoch)
    assert (await world.store.activate(hall.screening_id, known_epoch=1)).epoch == 2
    for screening_id in (hall.screening_id + 1, 0, -1, 2**63):
        with pytest.raises(ScreeningNotFound):
            await world.store.activate(screening_id, known_epoch=0)


async def test_of_two_servers_that_know_the_same_epoch_one_takes_the_screening(world: World) -> None:
    other = await world.another_server()
    hall = world.add_hall()
    for epoch in range(5):
        taken = await asyncio.gather(
            *(
                store.activate(hall.screening_id, known_epoch=epoch)
                for store in (world.store, other.store, world.store)
            ),
            return_exceptions=True,
        )
        assert sorted(type(one).__name__ for one in taken) == ["LoadedScreening", *["OwnershipLost"] * 2]
        assert [one.epoch for one in taken if isinstance(one, LoadedScreening)] == [epoch + 1]
    other.die()


async def test_a_known_epoch_is_raised_whether_its_owner_lives_or_not(world: World) -> None:
    other = await world.another_server()
    hall = world.add_hall()
    await other.store.activate(hall.screening_id)
    owner = await world.store.owner(hall.screening_id)
    assert (owner.epoch, owner.own) == (1, False)
    assert (await other.store.owner(hall.screening_id)) == owner._replace(own=True)
    assert (await world.store.activate(hall.screening_id, depose=False, known_epoch=1)).owned
    owner = await world.store.owner(hall.screening_id)
    assert (owner.epoch, owner.own) == (2, True)
    assert await world.store.owner(hall.screening_id + 1) is None
    assert await world.store.owner(2**63) is None
    other.die()


async def test_lost_screenings_have_another_epoch_or_are_gone(world: World) -> None:
    halls = [world.add_hall() for _ in range(3)]
    epochs = {hall.screening_id: (await world.store.activate(hall.screening_id)).epoch for hall in halls}
    assert list(await world.store.lost(epochs)) == []
    await world.store.activate(halls[1].screening_id)
    gone = halls[2].screening_id + 1
    assert sorted(await world.store.lost({**epochs, gone: 1})) == [halls[1].screening_id, gone]
    assert list(await world.store.lost({})) == []


async def test_overdue_screenings_page_by_page_also_of_other_servers(world: World) -> None:
    other = await world.another_server()
    stories = [Story(hall := world.add_hall(), (await other.store.activate(hall.screening_id)).epoch)]
    stories += [await begin(world) for _ in range(2)]
    for story in stories:
        await write(world.journal, story.held(story.hold(0, expires_at=NOW + 10)))
    first, second, third = sorted(story.hall.screening_id for story in stories)
    assert list(await world.store.overdue(NOW + 10, 10)) == [second, third]
    assert list(await world.store.overdue(NOW + 10, 2, of_all=True)) == [first, second]
    assert list(await world.store.overdue(NOW + 10, 2, after_id=second, of_all=True)) == [third]
    assert list(await world.store.overdue(NOW + 10, 2, after_id=second)) == [third]
    assert list(await world.store.overdue(NOW + 10, 2, after_id=third, of_all=True)) == []
    other.die()


# Journal


async def test_holds_are_read_back_unchanged(world: World) -> None:
    story = await begin(world)
    first, second = story.hold(0), story.hold(1, BOB, NOW + 60.125)
    assert await write(world.journal, story.held(first), story.held(second)) is None
    loaded = await reload(world, story.hall)
    assert set(loaded.holds) == {first, second}


async def test_seats_held_together_are_stored_one_by_one(world: World) -> None:
    story = await begin(world)
    three, one = story.held_together(0, 1, 2, note="together"), story.held_together(3, holder=BOB)
    released = story.released(three.holds[1])
    assert await write(world.journal, three, one, released) is None
    loaded = await reload(world, story.hall)
    first_id = three.reservation_id
    assert [(hold.id, hold.reservation_id, hold.note) for hold in three.holds] == [
        (first_id, first_id, "together"),
        (first_id + 1, first_id, "together"),
        (first_id + 2, first_id, "together"),
    ]
    assert set(loaded.holds) == {three.holds[0], three.holds[2], *one.holds}


async def test_notes_and_papers_are_stored(world: World) -> None:
    story = await begin(world)
    first = story.hold(0)._replace(note='{"seat": "A1", "name": "Zoë \\"quoted\\""}')
    second = story.hold(1)._replace(reservation_id=first.id)
    (plain,), (papered,) = story.tickets(2), story.tickets(3)
    papered = papered._replace(code="K7M2-QX9D", paper=b"\x00\xff\\sealed")
    await write(world.journal, story.held(first, second), story.issued((plain,)), story.issued((papered,)))
    loaded = await reload(world, story.hall)
    assert set(loaded.holds) == {first, second}
    assert set(loaded.tickets) == {plain, papered}


async def test_places_are_stored_like_seats(world: World) -> None:
    story = await begin(world)
    place = place_id(2**42 - 1, CAPACITY_LIMIT)
    held = story.hold(0)._replace(seat_id=place)
    (sold,) = (ticket._replace(seat_id=place - 1) for ticket in story.tickets(0))
    assert await write(world.journal, story.held(held), story.issued((sold,))) is None
    loaded = await reload(world, story.hall)
    assert (list(loaded.holds), list(loaded.tickets)) == ([held], [sold])


async def test_a_hold_has_the_state_of_its_last_event(world: World) -> None:
    story = await begin(world)
    extended, released, expired = story.hold(0), story.hold(1), story.hold(2)
    longer = extended._replace(expires_at=NOW + 600, extensions=1)
    await write(world.journal, story.held(extended, released))
    await write(world.journal, story.held(expired))
    await write(world.journal, story.extended(longer))
    await write(world.journal, story.released(released), story.expired(expired))
    assert list((await reload(world, story.hall)).holds) == [longer]


async def test_a_hold_is_right_when_all_events_share_a_batch(world: World) -> None:
    story = await begin(world)
    first, second = story.hold(0), story.hold(0)
    for event in (story.held(first), story.released(first), story.held(second), story.extended(second)):
        world.journal.append(Entry((event,)))
    await world.journal.flushed()
    assert list((await reload(world, story.hall)).holds) == [second]


async def test_a_lapsed_hold_is_still_loaded(world: World) -> None:
    story = await begin(world)
    lapsed = story.hold(0, expires_at=NOW - 60)
    await write(world.journal, story.held(lapsed))
    assert list((await reload(world, story.hall)).holds) == [lapsed]


async def test_tickets_replace_the_holds_they_came_from(world: World) -> None:
    story = await begin(world)
    holds = (story.hold(0), story.hold(1))
    tickets = story.tickets(0, 1, payment_id="P")
    await write(world.journal, story.held(*holds))
    assert await write(world.journal, story.issued(tickets, holds)) is None
    loaded = await reload(world, story.hall)
    assert list(loaded.holds) == [] and set(loaded.tickets) == set(tickets)


async def test_only_live_tickets_are_loaded(world: World) -> None:
    story = await begin(world)
    (confirmed,) = story.tickets(0)
    (cancelled,) = story.tickets(1)
    (pending,) = story.tickets(2, pending_until=NOW + 900)
    (lapsed,) = story.tickets(3, pending_until=NOW + 900)
    for ticket in (confirmed, cancelled, pending, lapsed):
        await write(world.journal, story.issued((ticket,)))
    assert await write(world.journal, story.cancelled(cancelled)) is None
    assert await write(world.journal, story.lapsed(lapsed)) is None
    loaded = await reload(world, story.hall)
    assert set(loaded.tickets) == {confirmed, pending}


async def test_a_seat_can_be_sold_again_after_a_cancellation(world: World) -> None:
    story = await begin(world)
    (first,), (second,) = story.tickets(0), story.tickets(0, holder=BOB)
    settlements = [
        submit(world.journal, story.issued((first,))),
        submit(world.journal, story.cancelled(first)),
        submit(world.journal, story.issued((second,))),
    ]
    assert [await settlement.outcome() for settlement in settlements] == [None, None, None]
    assert list((await reload(world, story.hall)).tickets) == [second]


async def test_blocks_are_loaded_as_they_are_after_their_last_event(world: World) -> None:
    story = await begin(world)
    blocked, other = story.blocked(0, 1, 2, release_at=NOW + 600), story.blocked(3)
    assert await write(world.journal, blocked) is None
    assert await write(world.journal, other) is None
    assert list((await reload(world, story.hall)).blocks) == [blocked.block, other.block]
    story = Story(story.hall, 2)
    smaller = story.unblocked(blocked.block, 1)
    assert await write(world.journal, smaller, story.unblocked(other.block, 3)) is None
    assert list((await reload(world, story.hall)).blocks) == [smaller.block]


async def test_a_block_that_is_made_and_released_in_one_batch_is_gone(world: World) -> None:
    story = await begin(world)
    blocked = story.blocked(0, 1, release_at=NOW + 10)
    settled = [
        submit(world.journal, event)
        for event in (blocked, story.held(story.hold(3)), story.unblocked(blocked.block, 0, 1))
    ]
    assert [await settlement.outcome() for settlement in settled] == [None] * 3
    loaded = await reload(world, story.hall)
    assert (list(loaded.blocks), len(loaded.holds)) == ([], 1)
    assert list(await world.store.overdue(NOW + 20, 10)) == []


async def test_a_block_is_overdue_at_its_release(world: World) -> None:
    story, never = await begin(world), await begin(world)
    await write(world.journal, never.blocked(0))
    await write(world.journal, story.blocked(0, release_at=NOW + 10))
    assert list(await world.store.overdue(NOW + 9, 10)) == []
    assert list(await world.store.overdue(NOW + 10, 10)) == [story.hall.screening_id]


async def test_an_entry_is_settled_once(world: World) -> None:
    story = await begin(world)
    settlements = [submit(world.journal, story.held(story.hold(0))) for _ in range(50)]
    await world.journal.flushed()
    assert [settlement.calls for settlement in settlements] == [[None]] * 50


async def test_rewriting_an_entry_changes_nothing(world: World) -> None:
    story = await begin(world)
    hold, kept = story.hold(0), story.hold(2)
    longer = kept._replace(expires_at=NOW + 600, extensions=1)
    held, released = story.held(hold, kept), story.released(hold)
    extended = story.extended(longer)
    (ticket,) = story.tickets(1, payment_id="P")
    issued, cancelled = story.issued((ticket,)), story.cancelled(ticket)
    for event in (held, extended, released, issued, cancelled, cancelled, released, held):
        assert await write(world.journal, event) is None
    loaded = await reload(world, story.hall)
    assert (list(loaded.holds), list(loaded.tickets)) == ([longer], [])


async def test_an_old_epoch_cannot_write(world: World) -> None:
    deposed: list[tuple[int, int]] = []
    world.journal.on_ownership_lost(lambda screening_id, epoch: deposed.append((screening_id, epoch)))
    old = await begin(world)
    new = Story(old.hall, (await reload(world, old.hall)).epoch)
    kept = new.hold(1)
    late = submit(world.journal, old.issued(old.tickets(0, payment_id="late")))
    world.journal.append(Entry((old.held(old.hold(2)),)))
    current = submit(world.journal, new.held(kept))
    await world.journal.flushed()
    assert isinstance(late.calls[0], OwnershipLost) and late.calls[0].screening_id == old.hall.screening_id
    assert current.calls == [None]
    assert set(deposed) == {(old.hall.screening_id, old.epoch)}
    loaded = await reload(world, old.hall)
    assert list(loaded.holds) == [kept] and list(loaded.tickets) == []
    assert await world.ledger.tickets_of_payment("late") == []


async def test_a_screening_without_an_epoch_rejects_writes(world: World) -> None:
    story = Story(world.add_hall())
    assert isinstance(await write(world.journal, story.held(story.hold(0))), OwnershipLost)


async def test_a_payment_pays_for_one_booking(world: World) -> None:
    story = await begin(world)
    first = story.tickets(0, 1, payment_id="P")
    second = story.tickets(2, payment_id="P")
    outcomes = [submit(world.journal, story.issued(tickets)) for tickets in (first, second)]
    assert await outcomes[0].outcome() is None
    refusal = await outcomes[1].outcome()
    assert isinstance(refusal, PaymentAlreadyUsed) and refusal.payment_id == "P"
    (pending,) = story.tickets(3, holder=BOB, pending_until=NOW + 900)
    await write(world.journal, story.issued((pending,)))
    assert isinstance(await write(world.journal, story.confirmed(pending, "P")), PaymentAlreadyUsed)
    assert (await world.ledger.ticket(pending.id)) == pending
    assert set((await reload(world, story.hall)).tickets) == {*first, pending}


async def test_two_changes_of_a_ticket_may_wait_together(world: World) -> None:
    story = await begin(world)
    (ticket,) = story.tickets(0, pending_until=NOW + 900)
    events = story.issued((ticket,)), story.confirmed(ticket, "P"), story.cancelled(ticket)
    settlements = [submit(world.journal, event) for event in events]
    assert [await settlement.outcome() for settlement in settlements] == [None, None, None]
    assert (await world.ledger.ticket(ticket.id)).status is TicketStatus.CANCELLED


async def test_a_payment_may_confirm_each_ticket_of_its_booking(world: World) -> None:
    story = await begin(world)
    booking = story.tickets(0, 1, pending_until=NOW + 900)
    await write(world.journal, story.issued(booking))
    for ticket in booking:
        assert await write(world.journal, story.confirmed(ticket, "P")) is None
    paid = await world.ledger.tickets_of_payment("P")
    assert [(ticket.id, ticket.status, ticket.payment_deadline) for ticket in paid] == [
        (ticket.id, TicketStatus.CONFIRMED, None) for ticket in booking
    ]


async def test_flushed_waits_for_all_earlier_entries(world: World) -> None:
    story = await begin(world)
    assert (world.journal.depth, world.journal.lag_seconds) == (0, 0.0)
    settlements = [submit(world.journal, story.held(story.hold(0))) for _ in range(20)]
    assert world.journal.depth == 20
    await asyncio.gather(*(world.journal.flushed() for _ in range(3)))
    assert all(settlement.calls == [None] for settlement in settlements)
    assert (world.journal.depth, world.journal.lag_seconds) == (0, 0.0)
    await world.journal.flushed()


# Ledger


async def test_tickets_by_id_and_by_payment(world: World) -> None:
    story = await begin(world)
    booking = story.tickets(2, 0, 1, payment_id="P")
    (other,) = story.tickets(3, holder=BOB)
    await write(world.journal, story.issued(booking))
    await write(world.journal, story.issued((other,)))
    await write(world.journal, story.cancelled(booking[1]))
    assert await world.ledger.ticket(other.id) == other
    assert (await world.ledger.ticket(booking[1].id)).status is TicketStatus.CANCELLED
    assert [ticket.id for ticket in await world.ledger.tickets_of_payment("P")] == [t.id for t in booking]
    assert list(await world.ledger.tickets_of_payment("Q")) == []
    for ticket_id in (0, -1, 2**62, 2**63, 10**30):
        assert await world.ledger.ticket(ticket_id) is None


def unusable(story: Story, payment_id: str, holder: str = ALICE) -> UnusablePayment:
    """A payment of 30.00 that has come for seats which somebody else has."""
    return UnusablePayment(payment_id, story.hall.screening_id, holder, 3000, "seats_unavailable")


def late(payment_id: str, ticket: Ticket) -> UnusablePayment:
    """A payment that has come for a ticket which can no longer be confirmed."""
    return UnusablePayment(
        payment_id, ticket.screening_id, ticket.holder, ticket.price_cents, "ticket_not_pending", ticket
    )


async def test_a_payment_is_vouched_for_unless_another_holder_has_named_it(world: World) -> None:
    story = await begin(world)
    assert await world.ledger.vouch("P", ALICE, "stripe")  # nobody has named it yet
    await write(world.journal, story.issued(story.tickets(0, payment_id="P")))
    assert not await world.ledger.vouch("P", BOB, "stripe")
    assert await world.ledger.vouch("P", ALICE, "stripe")
    assert await world.ledger.vouch("P", BOB, "stripe")  # vouched for before, so it stays hers
    issued = story.issued(story.tickets(1, payment_id="Q"))._replace(actor="service:payments")
    await write(world.journal, issued)
    assert await world.ledger.vouch("Q", BOB, "stripe")


async def test_an_unusable_payment_is_owed_once_and_pays_for_nothing_later(world: World) -> None:
    story = await begin(world)
    refund = await world.ledger.owe(unusable(story, "P"))
    assert refund is not None
    assert (refund.amount_cents, refund.ticket_id, refund.reason) == (3000, None, "seats_unavailable")
    assert await world.ledger.owe(unusable(story, "P")) == refund == await world.ledger.refund("P")
    assert await world.ledger.refund("Q") is None
    refused = await write(world.journal, story.issued(story.tickets(2, payment_id="P")))
    assert isinstance(refused, PaymentAlreadyUsed)
    with pytest.raises(PaymentAlreadyUsed):
        await world.ledger.owe(unusable(story, "P", BOB))
    (pending,) = story.tickets(2, pending_until=NOW + 900)
    await write(world.journal, story.issued((pending,)))
    assert await world.ledger.owe(late("P", pending)) == refund
    assert await world.ledger.owe(unusable(story, "Q")._replace(amount_cents=0)) is None


async def test_the_agreed_price_is_that_of_the_last_hold_or_the_present_one(world: World) -> None:
    story = await begin(world)
    seats, screening_id = story.hall.seat_ids, story.hall.screening_id
    ended, held = story.hold(0)._replace(price_cents=900), story.hold(1)._replace(price_cents=800)
    await write(world.journal, story.held(ended, held))
    await write(world.journal, story.released(ended))
    agreed = world.ledger.agreed_price
    assert await agreed(screening_id, ALICE, seats[:3], held=True) == 900 + 800 + 1250
    assert await agreed(screening_id, ALICE, (*seats[:3], seats[0]), held=False) == 1750 + 800 + 1250
    assert await agreed(screening_id, BOB, seats[:2], held=True) == 1750 + 1250
    assert await agreed(screening_id, BOB, (seats[0], 10**9), held=True) is None
    assert await agreed(10**9, ALICE, seats[:1], held=True) is None


async def test_each_ticket_of_an_order_is_owed_once(world: World) -> None:
    story = await begin(world)
    paid, lapsed, late_too = story.tickets(0, 1, 2, pending_until=NOW + 900)
    await write(world.journal, story.issued((paid, lapsed, late_too)))
    await write(world.journal, story.confirmed(paid, "P"))
    with pytest.raises(PaymentAlreadyUsed):
        await world.ledger.owe(late("P", paid))
    with pytest.raises(PaymentAlreadyUsed):
        await world.ledger.owe(unusable(story, "P"))
    refund = await world.ledger.owe(late("P", lapsed))
    assert refund is not None
    assert (refund.amount_cents, refund.booking_id) == (lapsed.price_cents, paid.id)
    assert await world.ledger.owe(late("P", lapsed)) == refund
    assert isinstance(await write(world.journal, story.confirmed(lapsed, "P")), PaymentAlreadyUsed)
    assert await write(world.journal, story.confirmed(late_too, "P")) is None
    assert await world.ledger.refund("P") is None, "it has paid for a booking"


# Ids


async def test_ids_are_consecutive_within_a_call_and_ascend(world: World) -> None:
    ids = world.ids()
    before = 0
    for size in (1, 3, 50, 2, 1):
        first = ids.take(size)
        assert first > before
        before = first + size - 1


async def test_a_callback_that_raises_does_not_stop_other_settlements(world: World) -> None:
    story = await begin(world)

    def broken(error: EngineError | None) -> None:
        raise ZeroDivisionError

    world.journal.append(Entry((story.issued(story.tickets(0)),), settled=broken))
    assert await submit(world.journal, story.issued(story.tickets(1))).outcome() is None
    world.journal.append(Entry((story.issued(story.tickets(2)),), settled=broken))
    await world.journal.flushed()
    assert len((await reload(world, story.hall)).tickets) == 3


async def test_a_failing_handler_of_lost_screenings_does_not_stop_the_journal(world: World) -> None:
    first, second = await begin(world), await begin(world)

    def broken(screening_id: int, epoch: int) -> None:
        raise ZeroDivisionError

    world.journal.on_ownership_lost(broken)
    await world.store.activate(first.hall.screening_id)
    assert isinstance(await write(world.journal, first.issued(first.tickets(0))), OwnershipLost)
    assert await write(world.journal, second.issued(second.tickets(0))) is None


# Waiting lists


async def test_those_who_wait_come_back_in_the_order_of_joining(world: World) -> None:
    story = await begin(world)
    first, second, third = (story.waiting(holder) for holder in (BOB, ALICE, "session:x"))
    world.journal.append(Entry((story.waitlist(second),)))
    world.journal.append(Entry((story.waitlist(first), story.waitlist(third))))
    gone = second._replace(status=WaitStatus.LEFT)
    assert await write(world.journal, story.waitlist(gone)) is None
    assert list((await reload(world, story.hall)).waitlist) == [first, third]
    later = Story(story.hall, epoch=2)
    fourth = later.waiting(ALICE)
    assert await write(world.journal, later.waitlist(fourth)) is None
    assert list((await reload(world, story.hall)).waitlist) == [first, third, fourth]


async def test_a_screening_is_found_when_somebody_waits_after_the_end_of_sales(world: World) -> None:
    story, ended = await begin(world), await begin(world)
    for each in (story, ended):
        assert await write(world.journal, each.waitlist(each.waiting(BOB))) is None
    world.set_rules(ended.hall, SaleRules(sales_end=NOW + 600))
    starts_at = (await reload(world, story.hall)).info.starts_at
    after = 600 + TOLD_SECONDS + 1
    assert list(await world.store.overdue(NOW + 500, 10)) == []
    assert list(await world.store.overdue(NOW + after, 10)) == [ended.hall.screening_id]
    both = [story.hall.screening_id, ended.hall.screening_id]
    assert list(await world.store.overdue(starts_at, 10)) == both


async def test_an_entry_has_its_last_state(world: World) -> None:
    story = await begin(world)
    entry = story.waiting(ALICE)
    offered = entry._replace(
        status=WaitStatus.OFFERED,
        reservation_id=7,
        seat_ids=story.hall.seat_ids[:2],
        expires_at=NOW + 600,
    )
    world.journal.append(Entry((story.waitlist(entry),)))
    assert await write(world.journal, story.waitlist(offered, news=True)) is None
    assert list((await reload(world, story.hall)).waitlist) == [offered]


async def test_entries_of_an_earlier_epoch_are_not_written(world: World) -> None:
    story = await begin(world)
    await world.store.activate(story.hall.screening_id)
    refusal = await write(world.journal, story.waitlist(story.waiting(ALICE)))
    assert isinstance(refusal, OwnershipLost)
    assert list((await reload(world, story.hall)).waitlist) == []
