"""Actors and their directory: mailboxes, timers, activation, taking over, putting away, stopping."""

import asyncio
import weakref
from collections.abc import Sequence

import pytest

from engine.commands import (
    BookSeats,
    ExtendHolds,
    HoldSeats,
    ReadChanges,
    ReadReservation,
    ReadSeats,
    ReadStock,
    ReleaseHolds,
)
from engine.errors import (
    BadEntry,
    CommandExpired,
    IdsExhausted,
    JournalFull,
    Overloaded,
    OwnershipLost,
    Stopping,
    StoreUnavailable,
)
from engine.events import SeatsHeld
from engine.ports import LoadedScreening
from engine.replies import Booked
from engine.sale_rules import SaleRules
from engine.selling_errors import NotHeld, ScreeningNotFound, SeatsNotFound, SeatsUnavailable
from tests.engine.cluster import SlowStore
from tests.engine.conftest import NOW, make_info, make_layout
from tests.engine.house import House, turns

pytestmark = pytest.mark.gen_test


@pytest.fixture
def house() -> House:
    return House()


async def test_concurrent_first_touches_share_one_activation(house: House) -> None:
    await asyncio.gather(*(house.hold("user:7", seat) for seat in range(1, 6)))
    assert house.database.epochs == {1: 1}
    assert house.screenings.active_ids() == [1]


async def test_the_position_of_a_loaded_screening_is_that_of_its_last_visible_change(house: House) -> None:
    assert house.screenings.position_of(1) is None
    await house.hold("user:7", 1)
    assert house.screenings.position_of(1) == (1, 1)
    booking = house.screenings.ask_active(BookSeats(1, "user:7", (1,)))
    assert house.screenings.position_of(1) == (1, 1)  # nobody sees it before the commit
    house.journal.write_next(10)
    await booking
    stock = await house.screenings.ask(ReadStock(1))
    assert house.screenings.position_of(1) == (stock.epoch, stock.seq) == (1, 3)


async def test_an_unknown_screening_leaves_nothing_behind(house: House) -> None:
    with pytest.raises(ScreeningNotFound):
        await house.hold("user:7", 1, screening_id=99)
    assert house.screenings.active_count == 0
    assert house.database.epochs == {}


async def test_exactly_one_of_many_wins_a_seat(house: House) -> None:
    answers = await asyncio.gather(*(house.hold(f"user:{n}", 1) for n in range(1000)), return_exceptions=True)
    losers = [answer for answer in answers if isinstance(answer, SeatsUnavailable)]
    assert len(losers) == 999


async def test_an_unreferenced_refusal_is_freed_without_the_garbage_collector(house: House) -> None:
    await house.hold("user:7", 1)
    waiting = asyncio.ensure_future(house.hold("user:8", 1))
    await asyncio.wait((waiting,))
    kept = weakref.ref(waiting.exception())
    assert isinstance(kept(), SeatsUnavailable)
    del waiting
    assert kept() is None
    with pytest.raises(SeatsUnavailable) as raised:
        house.screenings.ask_active(HoldSeats(1, "user:8", (1,)))
    kept = weakref.ref(raised.value)
    del raised
    assert kept() is None


async def test_a_command_for_an_idle_actor_is_answered_without_a_future(house: House) -> None:
    command = HoldSeats(1, "user:7", (1, 2))
    assert house.screenings.ask_active(command) is None, "the screening has to be loaded first"
    await house.seen(1)
    reply = house.screenings.ask_active(command)
    assert isinstance(reply, SeatsHeld)
    assert [hold.seat_id for hold in reply.holds] == [1, 2]
    with pytest.raises(NotHeld):
        house.screenings.ask_active(ExtendHolds(1, "user:8", (1,), 60.0))
    with pytest.raises(SeatsNotFound):
        house.screenings.ask_active(HoldSeats(1, "user:8", (999,)))


async def test_a_command_that_has_to_wait_is_answered_by_a_future(house: House) -> None:
    await house.seen(1)
    queued = asyncio.ensure_future(house.hold("user:7", 1))
    await asyncio.sleep(0)
    behind = house.screenings.ask_active(HoldSeats(1, "user:8", (1,)))
    assert isinstance(behind, asyncio.Future)
    assert isinstance(await queued, SeatsHeld)
    with pytest.raises(SeatsUnavailable):
        await behind
    booking = house.screenings.ask_active(BookSeats(1, "user:7", (1,)))
    assert isinstance(booking, asyncio.Future)
    assert isinstance(await booking, Booked)


async def test_a_full_mailbox_refuses_at_once() -> None:
    house = House(mailbox_limit=5)
    await house.seen(1)
    answers = await asyncio.gather(
        *(house.hold("user:7", 1 + n % 5) for n in range(20)), return_exceptions=True
    )
    assert sum(isinstance(answer, Overloaded) for answer in answers) == 15
    assert Overloaded(1).retry_after_seconds >= 1


async def test_a_command_that_waited_too_long_is_dropped_undone(house: House) -> None:
    await house.seen(1)
    waiting = asyncio.ensure_future(house.hold("user:7", 1))
    await asyncio.sleep(0)
    house.clock.advance(3)
    with pytest.raises(CommandExpired):
        await waiting
    assert await house.seen(1) == "available"


async def test_a_caller_that_left_before_its_turn_is_withdrawn(house: House) -> None:
    await house.seen(1)
    waiting = asyncio.ensure_future(house.hold("user:7", 1))
    await asyncio.sleep(0)
    waiting.cancel()
    await turns()
    assert await house.seen(1) == "available"


async def test_a_caller_that_leaves_during_the_commit_changes_nothing(house: House) -> None:
    house.journal.automatic = False
    booking = asyncio.ensure_future(house.book("user:7", 1))
    await turns(5)
    booking.cancel()
    await turns()
    house.journal.write_next()
    assert await house.seen(1) == "booked"


async def test_the_timer_releases_at_the_deadline(house: House) -> None:
    await house.hold("user:7", 1)
    house.clock.advance(299)
    assert await house.seen(1) == "reserved"
    house.clock.advance(1)
    assert house.publisher.changes[-1].cause == "holds_expired"
    assert house.publisher.changes[-1].at == NOW + 300
    assert await house.seen(1) == "available"


async def test_a_late_timer_never_lets_a_lapsed_hold_be_seen(house: House) -> None:
    await house.hold("user:7", 1)
    house.clock._now += 301
    await house.hold("user:8", 1)
    assert house.publisher.changes[-1].views[0].holder == "user:8"


async def test_holds_are_acknowledged_before_and_bookings_after_they_are_written(house: House) -> None:
    house.journal.automatic = False
    await house.hold("user:7", 1)
    booking = asyncio.ensure_future(house.book("user:7", 1))
    await turns(5)
    assert not booking.done()
    assert await house.seen(1) == "reserved"
    house.journal.write_next(2)
    assert (await booking).tickets[0].seat_id == 1
    assert await house.seen(1) == "booked"


async def test_a_refused_entry_frees_the_seats_and_tells_the_caller(house: House) -> None:
    house.journal.automatic = False
    booking = asyncio.ensure_future(house.book("user:7", 1))
    await turns(5)
    house.journal.refuse_next(BadEntry("no"))
    with pytest.raises(BadEntry):
        await booking
    assert await house.seen(1) == "available"


async def test_a_full_journal_refuses_changes_and_serves_reads() -> None:
    house = House(journal_limit=2)
    house.journal.automatic = False
    await house.hold("user:7", 1)
    await house.hold("user:7", 2)
    with pytest.raises(JournalFull):
        await house.hold("user:7", 3)
    assert await house.seen(1) == "reserved"
    house.clock.advance(300)
    assert await house.seen(1) == "available"
    house.journal.write_next(3)
    await house.hold("user:7", 3)


async def test_without_ids_nothing_changes(house: House) -> None:
    house.hold_ids._last = 1002
    await house.hold("user:7", 1)
    with pytest.raises(IdsExhausted):
        await house.hold("user:7", 2, 3)
    assert await house.seen(2) == "available"


async def test_another_owner_makes_this_one_step_down(house: House) -> None:
    house.journal.automatic = False
    await house.hold("user:7", 1)
    house.journal.write_next()
    rival = House(house.database, owner="another")
    with pytest.raises(SeatsUnavailable):
        await rival.hold("user:8", 1)
    booking = asyncio.ensure_future(house.book("user:7", 1))
    await turns(5)
    house.journal.write_next()
    with pytest.raises(OwnershipLost):
        await booking
    assert house.screenings.active_count == 0
    assert house.database.tickets == {}
    await rival.book("user:7", 1)
    house.journal.automatic = True
    assert await house.seen(1) == "booked"
    assert house.database.epochs[1] == 2
    with pytest.raises(SeatsUnavailable):
        await house.hold("user:7", 1)
    assert house.database.epochs[1] == 3


async def test_reads_and_sweeps_depose_no_owner_that_lives(house: House) -> None:
    await house.hold("user:7", 1)
    await turns()
    other = House(house.database, owner="another")
    for command in (ReadSeats(1), ReadStock(1), ReadReservation(1, "user:7", 1001), ReadChanges(1, 1, 0)):
        await other.screenings.ask(command)
    assert await other.seen(1) == "reserved"
    # Its hold is overdue, and it has not written yet that it has lapsed.
    other.clock.advance(301)
    assert await other.screenings.sweep() == 0
    assert house.database.epochs == {1: 1}
    assert other.screenings.active_count == 0
    await house.hold("user:7", 2)


async def test_a_defect_puts_the_screening_away_and_the_next_touch_reloads_it(house: House) -> None:
    await house.hold("user:7", 1)
    with pytest.raises(TypeError):
        await house.screenings.ask(HoldSeats(1, "user:7", None))  # type: ignore[arg-type]
    assert house.screenings.active_count == 0
    assert await house.seen(1) == "reserved"
    assert house.database.epochs[1] == 2


async def test_only_the_first_loading_after_a_defect_waits_for_the_journal(house: House) -> None:
    await house.seen(1)
    with pytest.raises(TypeError):
        await house.screenings.ask(HoldSeats(1, "user:7", None))  # type: ignore[arg-type]
    await house.seen(1)
    house.clock.advance(301)
    assert await house.screenings.passivate_idle() == 1
    house.journal.automatic = False
    await house.hold("user:7", 1, screening_id=2)
    reading = asyncio.ensure_future(house.seen(1))
    await turns(10)
    assert reading.done()


async def test_a_defect_answers_the_commands_queued_behind_it(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await house.seen(1)
    defective = HoldSeats(1, "user:7", None)  # type: ignore[arg-type]
    asked = [
        asyncio.ensure_future(house.screenings.ask(command))
        for command in (defective, HoldSeats(1, "user:8", (1,)), HoldSeats(1, "user:9", (2,)))
    ]
    first, *others = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(first, TypeError)
    assert [type(other) for other in others] == [OwnershipLost, OwnershipLost]
    assert [record.name for record in caplog.records if record.levelname == "ERROR"] == ["frontrow.engine"]
    assert await house.seen(1) == "available"


async def test_idle_screenings_are_put_away_when_flushed(house: House) -> None:
    await house.hold("user:7", 1)
    await house.hold("user:7", 1, screening_id=2)
    await house.screenings.ask(ReleaseHolds(2, "user:7"))
    assert await house.screenings.passivate_idle() == 0
    house.clock.advance(299)
    await house.seen(1)
    house.clock._now += 1
    assert await house.screenings.passivate_idle() == 0, "it may be idle for 300 seconds"
    house.clock._now += 1
    assert await house.screenings.passivate_idle() == 1
    assert house.screenings.active_ids() == [1]


async def test_a_change_comes_after_earlier_commands_and_before_later_ones(house: House) -> None:
    house.journal.automatic = False
    await house.hold("user:7", 1)
    booking = asyncio.ensure_future(house.book("user:7", 1))
    await turns(5)
    written: list[object] = []

    async def write() -> str:
        assert booking.done(), "what was on its way has to arrive first"
        written.append(await house.store.activate(1))
        house.database.add_screening(make_info(1)._replace(price_cents=999), make_layout())
        return "written"

    change = asyncio.ensure_future(house.screenings.change(1, write))
    await turns(5)
    later = asyncio.ensure_future(house.book("user:8", 2))
    await turns(5)
    assert not written
    house.journal.automatic = True
    house.journal.write_next(9)
    assert await change == "written"
    assert (await later).tickets[0].price_cents == 999
    assert (await booking).tickets[0].price_cents == 1250


async def test_watchers_get_the_new_counts_after_a_change(house: House) -> None:
    await house.hold("user:7", 1)

    async def write() -> None:
        house.database.add_screening(make_info(1), make_layout(seats=7))

    await house.screenings.change(1, write)
    told = house.publisher.changes[-1]
    assert (told.cause, told.views, told.available, told.capacity) == ("stock_shown", (), 6, 7)
    assert (told.epoch, told.seq) > (house.publisher.changes[0].epoch, house.publisher.changes[0].seq)


async def test_a_change_does_not_load_an_untouched_screening(house: House) -> None:
    async def write() -> str:
        return "written"

    assert await house.screenings.change(1, write) == "written"
    assert house.screenings.active_ids() == []


async def test_a_change_that_fails_leaves_the_screening_open(house: House) -> None:
    await house.hold("user:7", 1)

    async def write() -> None:
        raise ScreeningNotFound(1)

    with pytest.raises(ScreeningNotFound):
        await house.screenings.change(1, write)
    assert [change.cause for change in house.publisher.changes] == ["seats_held"]
    assert await house.seen(1) == "reserved"


async def test_a_deleted_screening_has_nothing_to_show(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await house.hold("user:7", 1)

    async def write() -> None:
        del house.database.screenings[1]

    await house.screenings.change(1, write)
    assert caplog.records == []
    with pytest.raises(ScreeningNotFound):
        await house.seen(1)


async def test_a_change_is_written_although_its_watchers_cannot_be_told(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await house.hold("user:7", 1)

    async def write() -> str:
        house.database.screenings[1] = None  # type: ignore[assignment] # what cannot be loaded
        return "written"

    assert await house.screenings.change(1, write) == "written"
    assert [record.name for record in caplog.records] == ["frontrow.engine"]


async def test_an_unloaded_screening_tells_nothing_by_itself(house: House) -> None:
    opens_later = make_info(1, rules=SaleRules(sales_start=NOW + 1000))
    house.database.add_screening(opens_later, make_layout())
    await house.seen(1)
    house.clock.advance(301)
    assert await house.screenings.passivate_idle() == 1
    house.clock.advance(1000)
    assert house.publisher.changes == []


async def test_a_screening_stays_in_memory_if_the_journal_is_slow(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.upkeep._FLUSH_SECONDS", 0.01)
    for screening_id in (1, 2):
        await house.screenings.ask(ReadSeats(screening_id))
    house.clock.advance(301)
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def flushed(screening_id: int | None = None) -> None:
        if screening_id == 1:
            await never

    house.journal.flushed = flushed  # type: ignore[method-assign] # the rows of one screening are locked
    assert await house.screenings.passivate_idle() == 1
    assert house.screenings.active_ids() == [1]


async def test_a_screening_that_is_changed_meanwhile_is_not_counted_as_unloaded(house: House) -> None:
    await house.seen(1)
    house.clock.advance(301)
    house.journal.automatic = False
    await house.hold("user:7", 1, screening_id=2)
    unloading = asyncio.ensure_future(house.screenings.passivate_idle())
    await turns()
    suspended = asyncio.ensure_future(house.screenings.suspend(1, "id"))
    await turns()
    house.journal.write_next(9)
    assert await unloading == 0
    await suspended


async def test_a_sweep_also_releases_what_a_late_timer_has_left_in_memory(house: House) -> None:
    house.journal.automatic = False
    await house.hold("user:7", 1)
    house.clock._now += 300
    assert await house.screenings.sweep() == 1
    assert house.publisher.changes[-1].cause == "holds_expired"


async def test_what_is_stored_is_looked_up_in_pages(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.upkeep._PAGE", 2)
    house.database.add_screening(make_info(3), make_layout())
    for screening_id in (1, 2, 3):
        await house.hold("user:7", 1, screening_id=screening_id)
    await turns()
    later, overdue = House(house.database), house.store.overdue
    pages: list[int] = []

    async def look(now: float, limit: int, *, after_id: int = 0, of_all: bool = False) -> Sequence[int]:
        pages.append(after_id)
        return await overdue(now, limit, after_id=after_id, of_all=of_all)

    later.store.overdue = look  # type: ignore[method-assign]
    await later.screenings.load_lapsing()
    assert (pages, later.screenings.active_ids()) == ([0, 2], [1, 2, 3])


async def test_few_screenings_are_loaded_at_a_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.upkeep._LOADED_AT_ONCE", 2)
    house.database.add_screening(make_info(3), make_layout())
    for screening_id in (1, 2, 3):
        await house.hold("user:7", 1, screening_id=screening_id)
    await turns()
    later = House(house.database)
    loading = SlowStore.under(later)
    lapsing = asyncio.ensure_future(later.screenings.load_lapsing())
    await turns()
    assert later.database.epochs == {1: 2, 2: 2, 3: 1}
    loading.go_on.set()
    await lapsing
    assert later.screenings.active_ids() == [1, 2, 3]


async def test_no_further_screenings_are_loaded_when_the_database_is_away(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.upkeep._LOADED_AT_ONCE", 2)
    house.database.add_screening(make_info(3), make_layout())
    for screening_id in (1, 2, 3):
        await house.hold("user:7", 1, screening_id=screening_id)
    await turns()
    later = House(house.database)
    activate = later.store.activate

    async def fail(screening_id: int, **how: object) -> LoadedScreening:
        if screening_id == 1:
            raise StoreUnavailable
        await turns(5)
        return await activate(screening_id, **how)  # type: ignore[arg-type]

    later.store.activate = fail  # type: ignore[method-assign] # a database that goes away
    with pytest.raises(StoreUnavailable):
        await later.screenings.load_lapsing()
    assert later.screenings.active_ids() == [2], "what had begun was completed"
    await turns(20)
    assert later.screenings.active_ids() == [2]


async def test_a_sweep_also_releases_expired_holds_of_unloaded_screenings(house: House) -> None:
    await house.hold("user:7", 1, 2)
    await turns()
    later = House(house.database)
    later.clock.advance(301)
    assert await later.screenings.sweep() == 2
    assert await later.screenings.sweep() == 0
    assert {status for _, status in house.database.holds.values()} == {"expired"}


async def test_stopping_answers_everything(house: House) -> None:
    house.journal.automatic = False
    booking = asyncio.ensure_future(house.book("user:7", 1))
    await turns(5)
    waiting = asyncio.ensure_future(house.hold("user:8", 2))
    await asyncio.sleep(0)
    await house.screenings.stop()
    with pytest.raises(Stopping):
        await waiting
    with pytest.raises(Stopping):
        await house.hold("user:8", 3)
    with pytest.raises(Stopping):
        await house.hold("user:8", 3, screening_id=2)
    house.journal.write_next(10)
    assert (await booking).tickets[0].holder == "user:7"


async def test_stopping_answers_those_who_wait_for_a_screening_to_be_loaded(house: House) -> None:
    SlowStore.under(house)
    waiting, leaving = (asyncio.ensure_future(house.hold("user:7", seat)) for seat in (1, 2))
    await turns()
    leaving.cancel()
    await house.screenings.stop()
    assert leaving.cancelled(), "who does not want an answer gets none"
    assert isinstance(waiting.exception(), Stopping)
    assert house.screenings.active_count == 0


async def test_stopping_stores_a_hash_of_each_screening(house: House) -> None:
    for screening_id in (1, 2):
        await house.hold("user:7", 1, screening_id=screening_id)
    await house.screenings.stop()
    await house.journal.flushed()
    assert [digest.screening_id for digest in house.database.digests] == [1, 2]


async def test_a_command_right_after_a_read_was_loaded_takes_the_screening(house: House) -> None:
    await house.hold("user:7", 1)
    other = House(house.database, owner="another")
    loading = SlowStore.under(other)
    reading = asyncio.ensure_future(other.seen(1))
    await turns()
    loading.go_on.set()
    held = asyncio.ensure_future(other.hold("user:8", 2))  # before others learn that it was loaded
    assert await reading == "reserved"
    assert (await held).epoch == 2


@pytest.mark.parametrize(("error", "logged"), [(StoreUnavailable(), 0), (ZeroDivisionError(), 1)])
async def test_a_sweep_goes_on_after_a_screening_that_it_cannot_load(
    house: House, caplog: pytest.LogCaptureFixture, error: Exception, logged: int
) -> None:
    for screening_id in (1, 2):
        await house.hold("user:7", 1, screening_id=screening_id)
    await turns()
    later = House(house.database)
    activate = later.store.activate

    async def fail(screening_id: int, **how: object) -> LoadedScreening:
        if screening_id == 1:
            raise error
        return await activate(screening_id, **how)  # type: ignore[arg-type]

    later.store.activate = fail  # type: ignore[method-assign] # a database that has trouble with one of them
    later.clock.advance(301)
    assert await later.screenings.sweep() == 1
    assert [record.levelname for record in caplog.records] == ["ERROR"] * logged
