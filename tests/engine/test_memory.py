"""The adapters in memory, where the suite of all adapters (`tests/ports`) does not look."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from engine.commands import BookSeats, ReadSeats
from engine.errors import IdsExhausted
from engine.memory import ManualClock, MemoryDatabase, MemoryIds, MemoryJournal, MemoryStore
from engine.memory_ledger import MemoryLedger
from engine.ports import Entry
from engine.records import IdempotencyRecord, TicketStatus, UnusablePayment
from tests.engine.conftest import NOW, PRICE_CENTS
from tests.engine.house import House, turns

pytestmark = pytest.mark.gen_test


async def test_a_remembered_response_is_kept_once_and_settled() -> None:
    database, settled = MemoryDatabase(), []
    journal = MemoryJournal(database)
    first = IdempotencyRecord("user:7", "key", b"print", 200, b"first")
    journal.remember(first, settled.append)
    journal.remember(first._replace(body=b"second"))
    assert database.answers == {("user:7", "key"): first}
    assert settled == [None]


async def test_entries_are_written_event_by_event_whatever_is_there_already() -> None:
    house = House()
    await house.hold("user:7", 1)
    await house.hold("user:7", 2)
    await house.screenings.release(1)
    held, other = house.database.events.values()
    (digest,) = house.database.digests
    again = MemoryDatabase()
    again.write(Entry((held,)))
    again.write(Entry((digest, held, other)))
    assert list(again.events.values()) == [held, other]
    assert again.digests == [digest]


async def test_the_journal_writes_an_entry_as_often_as_it_is_told_and_settles_it_once() -> None:
    house = House()
    house.journal.automatic = False
    await house.hold("user:7", 1)
    booking = house.book("user:7", 1)
    (ticket,) = (await _written(house, booking)).tickets
    assert house.database.tickets == {ticket.id: ticket}
    assert ticket.status is TicketStatus.CONFIRMED
    assert house.journal.depth == 0 and house.journal.lag_seconds == 0.0


async def _written(house: House, booking: Awaitable[Any]) -> Any:
    asked = asyncio.ensure_future(booking)
    await turns(5)
    assert house.journal.depth == 2
    house.journal.write_next(9, times=2)
    return await asked


async def test_what_is_not_durable_is_never_refused() -> None:
    house = House()
    house.journal.automatic = False
    assert not house.journal.refuse_next(IdsExhausted())
    await house.hold("user:7", 1)
    assert not house.journal.refuse_next(IdsExhausted())
    assert len(house.database.holds) == 1


async def test_screenings_of_a_server_that_has_died_are_overdue_for_others() -> None:
    house = House()
    for screening_id in (1, 2):
        await house.hold("user:7", 1, screening_id=screening_id)
    await turns()
    other = MemoryStore(house.database, "another")
    late = NOW + 300
    assert await other.overdue(late, 9) == []
    assert await other.overdue(late, 9, of_all=True) == [1, 2]
    house.store.die()
    assert await other.overdue(late - 1, 9) == []
    assert await other.overdue(late, 9) == [1, 2]
    assert await other.overdue(late, 1) == [1]
    assert await other.overdue(late, 9, after_id=1) == [2]


def test_ids_are_consecutive_up_to_the_last() -> None:
    ids = MemoryIds(5, 8)
    assert [ids.take(1), ids.take(2)] == [5, 6]
    with pytest.raises(IdsExhausted):
        ids.take(2)
    assert ids.take(1) == 8


def test_a_clock_makes_calls_in_order_and_moves_durations_when_it_is_stepped() -> None:
    clock, called = ManualClock(NOW), []
    clock.call_at(NOW + 20, lambda: called.append(("at", clock.now())))
    clock.call_later(10, lambda: called.append(("later", clock.now())))
    clock.call_later(10, lambda: called.append(("cancelled", clock.now()))).cancel()
    clock.step(100)
    clock.advance(10)
    assert called == [("at", NOW + 100), ("later", NOW + 110)]
    clock.call_at(NOW, lambda: called.append(("overdue", clock.now())))
    clock.advance(0)
    assert called[-1] == ("overdue", NOW + 110)
    assert clock.now() == NOW + 110


async def test_a_copy_has_the_number_of_the_last_event_of_its_epoch() -> None:
    house = House()
    await house.hold("user:7", 1)
    await house.screenings.release(1)
    await house.hold("user:7", 2)
    await house.hold("user:7", 3)
    await turns()
    seats = await House(house.database, owner="another").screenings.ask(ReadSeats(1))
    assert (seats.epoch, seats.seq) == (2, 2)


async def test_the_ledger_knows_the_price_of_all_seats_and_the_first_refund_of_a_payment() -> None:
    house = House()
    ledger = MemoryLedger(house.database)
    assert await ledger.agreed_price(1, "user:7", range(1, 21), held=True) == 20 * PRICE_CENTS + 2 * 349
    booked = await house.screenings.ask(BookSeats(1, "user:7", (1, 2), payment_pending=True))
    refunds = [
        await ledger.owe(UnusablePayment("pi_1", 1, "user:7", 1250, "price_changed", ticket))
        for ticket in booked.tickets
    ]
    assert len(refunds) == 2 and await ledger.refund("pi_1") == refunds[0]
