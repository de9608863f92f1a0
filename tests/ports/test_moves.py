"""Moves of tickets: both adapters write them once, in one transaction, and fence them by two epochs."""

import pytest

from engine.errors import OwnershipLost
from engine.moving_errors import MoveInterrupted
from engine.records import Owed, Ticket
from engine.selling_errors import PaymentAlreadyUsed, TicketAdmitted
from tests.ports.adapters import NOW, World, reload, write
from tests.ports.story import Story

pytestmark = pytest.mark.gen_test


async def begin(world: World) -> Story:
    hall = world.add_hall()
    return Story(hall, (await world.store.activate(hall.screening_id)).epoch)


async def beside(world: World, story: Story) -> Story:
    hall = world.add_screening_beside(story.hall)
    return Story(hall, (await world.store.activate(hall.screening_id)).epoch)


async def sold(world: World, story: Story, *seats: int, payment_id: str = "pi_1") -> tuple[Ticket, ...]:
    tickets = story.tickets(*seats, payment_id=payment_id)
    assert await write(world.journal, story.issued(tickets)) is None
    return tickets


async def stored(world: World, story: Story) -> list[Ticket]:
    return sorted((await reload(world, story.hall)).tickets)


async def test_tickets_pass_their_seats_on(world: World) -> None:
    story = await begin(world)
    one, two = await sold(world, story, 0, 1)
    after = [story.there(one, 1), story.there(two, 2)]
    moves = (story.left(one, two), story.moved((one, after[0]), (two, after[1])))
    for _ in range(2):  # written again, as after a lost connection
        assert await write(world.journal, *moves) is None
    assert await stored(world, story) == after
    assert await world.ledger.ticket(one.id) == after[0]
    assert list(await world.ledger.tickets_of_payment("pi_1")) == after
    seats, screening_id = story.hall.seat_ids, story.hall.screening_id
    assert await world.ledger.first_places("pi_1") == {
        one.id: (screening_id, seats[0]),
        two.id: (screening_id, seats[1]),
    }


async def test_tickets_move_to_another_screening(world: World) -> None:
    story = await begin(world)
    other = await beside(world, story)
    (ticket,) = await sold(world, story, 0)
    there = other.there(ticket, 3)
    assert await write(world.journal, story.left(ticket), other.moved((ticket, there))) is None
    assert (await stored(world, story), await stored(world, other)) == ([], [there])
    assert list(await world.ledger.tickets_of_payment("pi_1")) == [there]
    assert await world.ledger.first_places("pi_1") == {
        ticket.id: (story.hall.screening_id, story.hall.seat_ids[0])
    }


async def test_a_move_is_refused_if_either_screening_has_another_epoch(world: World) -> None:
    story = await begin(world)
    other = await beside(world, story)
    (ticket,) = await sold(world, story, 0)
    lost: list[tuple[int, int]] = []
    world.journal.on_ownership_lost(lambda *of: lost.append(of))
    moves = (story.left(ticket), other.moved((ticket, other.there(ticket, 3))))
    await world.store.activate(other.hall.screening_id)
    assert isinstance(await write(world.journal, *moves), MoveInterrupted)
    assert lost == []
    assert await write(world.journal, story.held(story.hold(2))) is None
    await world.store.activate(story.hall.screening_id)
    assert isinstance(await write(world.journal, *moves), OwnershipLost)
    assert lost == [(story.hall.screening_id, story.epoch)]
    assert (await stored(world, story), await stored(world, other)) == ([ticket], [])


async def test_the_payment_of_a_move_pays_for_nothing_else(world: World) -> None:
    story = await begin(world)
    (ticket,) = await sold(world, story, 1)
    (other,) = await sold(world, story, 2, payment_id="pi_2")
    dearer = story.there(ticket, 0, 1799)
    for used in ("pi_1", "pi_2"):
        moves = (story.left(ticket), story.moved((ticket, dearer), payment_id=used))
        assert isinstance(await write(world.journal, *moves), PaymentAlreadyUsed)
    dearer = dearer._replace(paid=(("pi_1", 1299), ("pi_3", 500)))
    moves = (story.left(ticket), story.moved((ticket, dearer), payment_id="pi_3"))
    for _ in range(2):
        assert await write(world.journal, *moves) is None
    assert list(await world.ledger.moved_by_payment("pi_3")) == [ticket.id]
    assert list(await world.ledger.tickets_of_payment("pi_3")) == []
    again = (story.left(dearer), story.moved((dearer, story.there(dearer, 3, 1799)), payment_id="pi_3"))
    assert isinstance(await write(world.journal, *again), PaymentAlreadyUsed)
    tickets = story.tickets(3, payment_id="pi_3")
    assert isinstance(await write(world.journal, story.issued(tickets)), PaymentAlreadyUsed)
    assert await stored(world, story) == sorted([dearer, other])


async def test_a_cheaper_ticket_can_move_on_and_be_cancelled(world: World) -> None:
    story = await begin(world)
    (ticket,) = await sold(world, story, 0)
    cheaper = story.there(ticket, 1, 1000)
    owed = (Owed(ticket.id, "pi_1", 299),)
    assert await write(world.journal, story.left(ticket), story.moved((ticket, cheaper), owed=owed)) is None
    cheapest = story.there(cheaper, 2, 900)
    owed = (Owed(ticket.id, "pi_1", 100),)
    assert (
        await write(world.journal, story.left(cheaper), story.moved((cheaper, cheapest), owed=owed)) is None
    )
    assert await write(world.journal, story.cancelled(cheapest)) is None
    assert await stored(world, story) == []


async def test_a_ticket_that_was_admitted_moves_only_by_hand(world: World) -> None:
    story = await begin(world)
    other = await beside(world, story)
    one, two = await sold(world, story, 0, 1)
    world.admit(two, NOW)
    pairs = [(ticket, other.there(ticket, seat)) for seat, ticket in enumerate((one, two))]
    refusal = await write(world.journal, story.left(one, two), other.moved(*pairs))
    assert isinstance(refusal, TicketAdmitted)
    assert (refusal.ticket_id, refusal.admitted_at) == (two.id, NOW)
    assert [await world.ledger.ticket(ticket.id) for ticket in (one, two)] == [one, two]
    by_hand = (story.left(one, two), other.moved(*pairs, by_hand=True))
    assert await write(world.journal, *by_hand) is None
    assert await stored(world, other) == [there for _, there in pairs]


async def test_a_move_that_is_written_again_stands_though_the_ticket_was_admitted_since(world: World) -> None:
    story = await begin(world)
    (ticket,) = await sold(world, story, 0)
    there = story.there(ticket, 2)
    moves = (story.left(ticket), story.moved((ticket, there)))
    assert await write(world.journal, *moves) is None
    world.admit(there, NOW)
    assert await write(world.journal, *moves) is None
    assert await stored(world, story) == [there]
