"""Idempotency keys: both adapters write what a request with a key has changed at most once per key."""

import pytest

from engine.errors import AnsweredMeanwhile
from engine.records import Receipt
from engine.replies import Booked, Moved
from tests.ports.adapters import World, reload, submit, write
from tests.ports.story import ALICE, Story

pytestmark = pytest.mark.gen_test

RECEIPT = Receipt(ALICE, "key-1", b"digest", "form")


async def begin(world: World) -> Story:
    hall = world.add_hall()
    return Story(hall, (await world.store.activate(hall.screening_id)).epoch)


async def test_a_booking_is_refused_if_its_key_was_answered_meanwhile(world: World) -> None:
    story = await begin(world)
    first, second = story.tickets(0), story.tickets(1)
    assert await write(world.journal, story.issued(first), receipt=RECEIPT, reply=Booked(first)) is None
    late = await write(world.journal, story.issued(second), receipt=RECEIPT, reply=Booked(second))
    assert isinstance(late, AnsweredMeanwhile)
    assert (await reload(world, story.hall)).tickets == list(first)


async def test_a_move_is_refused_if_its_key_was_answered_meanwhile(world: World) -> None:
    story = await begin(world)
    (ticket,) = story.tickets(0)
    assert await write(world.journal, story.issued((ticket,))) is None
    there, back = story.there(ticket, 1), story.there(ticket, 0)
    for before, after, receipt, refused in [
        (ticket, there, RECEIPT, False),
        (there, back, RECEIPT._replace(key="key-2"), False),
        (back, there, RECEIPT, True),
    ]:
        events = story.left(before), story.moved((before, after))
        outcome = await write(world.journal, *events, receipt=receipt, reply=Moved((after,)))
        assert isinstance(outcome, AnsweredMeanwhile) is refused
        assert outcome is None or refused
    assert (await reload(world, story.hall)).tickets == [back]


async def test_an_entry_that_is_written_again_is_not_refused_for_its_own_answer(world: World) -> None:
    story = await begin(world)
    tickets = story.tickets(0)
    issued = story.issued(tickets)
    for _ in range(2):  # written again, as after a lost connection
        assert await write(world.journal, issued, receipt=RECEIPT, reply=Booked(tickets)) is None
    assert (await reload(world, story.hall)).tickets == list(tickets)


async def test_of_two_entries_with_one_key_in_a_batch_the_first_is_written(world: World) -> None:
    story = await begin(world)
    other = await begin(world)
    outcomes = []
    for each in (story, other):
        tickets = each.tickets(0, payment_id=f"pi_{each.hall.screening_id}")
        outcomes.append(submit(world.journal, each.issued(tickets), receipt=RECEIPT, reply=Booked(tickets)))
    beside = submit(world.journal, other.held(other.hold(2)))
    assert await outcomes[0].outcome() is None
    assert isinstance(await outcomes[1].outcome(), AnsweredMeanwhile)
    assert await beside.outcome() is None
    assert (await reload(world, other.hall)).tickets == []
