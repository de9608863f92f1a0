"""Owners store hashes of their screenings and send them to watchers."""

import asyncio

import pytest

from engine.commands import BlockSeats, BookSeats, HoldSeats, ReleaseHolds
from engine.errors import BadEntry
from engine.events import HoldsExpired, SeatsUnblocked, TicketsLapsed
from engine.records import HOUSE
from engine.state_hash import state_digest
from engine.views import STATE_HASHED
from tests.engine.conftest import NOW
from tests.engine.house import House, turns

pytestmark = pytest.mark.gen_test


async def test_a_digest_is_stored_when_a_screening_is_unloaded_or_handed_over() -> None:
    house = House()
    await house.hold("user:7", 1)
    await house.book("user:8", 2)
    await house.screenings.release(1)
    (stored,) = house.database.digests
    assert (stored.screening_id, stored.epoch, stored.seats) == (1, 1, 2)
    assert stored.digest == state_digest([(2, "booked", "user:8"), (1, "held", "user:7")])
    await house.book("user:8", 3)
    await house.screenings.ask(ReleaseHolds(1, "user:7"))
    house.clock.advance(10_000)
    assert await house.screenings.passivate_idle() == 1
    assert [(one.epoch, one.seats) for one in house.database.digests] == [(1, 2), (2, 2)]
    await house.seen(1)
    house.clock.advance(10_000)
    assert await house.screenings.passivate_idle() == 1
    assert len(house.database.digests) == 2, "nothing had changed"


async def test_a_digest_is_stored_before_a_screening_is_changed() -> None:
    house = House()
    await house.hold("user:7", 1)
    await house.screenings.suspend(1, "id")
    assert [(one.epoch, one.seats) for one in house.database.digests] == [(1, 1)]


async def test_a_digest_is_stored_after_a_thousand_changes_but_not_while_a_booking_is_written() -> None:
    house = House()
    for _ in range(499):
        await house.hold("user:7", 1)
        await house.screenings.ask(ReleaseHolds(1, "user:7"))
    await house.screenings.hash_states()
    assert house.database.digests == []
    house.journal.write_next(1000)
    house.journal.automatic = False
    await house.hold("user:7", 1)
    booking = asyncio.ensure_future(house.book("user:7", 1))
    await turns(5)
    await house.screenings.hash_states()
    house.journal.write_next(10)
    await booking
    assert house.database.digests == []
    await house.screenings.hash_states()
    house.journal.write_next(10)
    (stored,) = house.database.digests
    assert stored.digest == state_digest([(1, "booked", "user:7")])


async def test_watchers_are_told_once_after_changes() -> None:
    house = House()
    await house.hold("user:7", 1)
    for _ in range(2):
        await house.screenings.hash_states()
    assert [change.cause for change in house.publisher.changes] == ["seats_held", STATE_HASHED]


async def test_what_lapses_with_tickets_is_written_even_if_the_tickets_are_refused() -> None:
    house = House()
    await house.screenings.ask(HoldSeats(1, "user:7", (1,)))
    await house.screenings.ask(BookSeats(1, "user:8", (2,), payment_pending=True))
    await house.screenings.ask(BlockSeats(1, "user:1", "Some", HOUSE, (3,), release_at=NOW + 5_000))
    await turns()
    house.journal.automatic = False
    house.clock._now += 10_000
    house.clock.advance(0)  # the timer fires once, for all of them
    house.journal.write_next()
    assert house.journal.refuse_next(BadEntry("no"))
    house.journal.write_next()
    kinds = [type(event) for event in house.database.events.values()]
    assert {HoldsExpired, SeatsUnblocked} <= set(kinds)
    assert TicketsLapsed not in kinds
    assert (await house.seen(1), await house.seen(2)) == ("available", "reserved")
