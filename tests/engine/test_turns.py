"""Commands are handled at once or from the mailbox, with the same checks; timers do the rest."""

import asyncio
import gc
from collections.abc import Awaitable, Callable

import pytest

from engine.actor_context import BATCH_LIMIT
from engine.causes import Cause, present_request_id
from engine.commands import (
    BookSeats,
    Command,
    EndArrival,
    HoldSeats,
    ReadSeats,
    ReceiveTickets,
    ReleaseLapsed,
)
from engine.errors import BadEntry, CommandExpired, JournalFull, OwnershipLost, Stopping, StoreUnavailable
from engine.events import SeatsHeld
from engine.memory import RecordingPublisher
from engine.moving import ARRIVAL_SECONDS
from engine.policy import Policy
from engine.ports import LoadedScreening
from engine.records import Arrival, Receipt, Ticket
from engine.replies import Lapsed, Reply
from engine.selling_errors import GuestLimitExceeded, SeatsUnavailable
from engine.views import STATE_HASHED, SeatMap, SeatsChanged
from tests.engine.conftest import make_info, make_layout
from tests.engine.house import House, turns

pytestmark = pytest.mark.gen_test

Ask = Callable[[House, Command], Awaitable[Reply]]


async def _at_once(house: House, command: Command) -> Reply:
    answer = house.screenings.ask_active(command)
    assert answer is not None, "the screening is in memory"
    return await answer if isinstance(answer, asyncio.Future) else answer


async def _queued(house: House, command: Command) -> Reply:
    return await house.screenings.ask(command)


@pytest.fixture(params=[_at_once, _queued])
def ask(request: pytest.FixtureRequest) -> Ask:
    return request.param


async def test_a_hold_has_ended_at_its_deadline_though_no_timer_has_fired(ask: Ask) -> None:
    house = House()
    await house.hold("user:7", 1)
    house.clock._now += 299.5
    with pytest.raises(SeatsUnavailable):
        await ask(house, HoldSeats(1, "user:8", (1,)))
    house.clock._now += 0.5
    assert isinstance(await ask(house, HoldSeats(1, "user:8", (1,))), SeatsHeld)


async def test_what_a_sweep_releases_is_counted_in_its_reply(ask: Ask) -> None:
    house = House()
    await house.hold("user:7", 1, 2)
    house.clock._now += 300
    assert await ask(house, ReleaseLapsed(1)) == Lapsed(2)


async def test_a_command_is_decided_until_the_lease_ends(ask: Ask) -> None:
    house = House()
    await house.seen(1)
    house.screenings.owned.set_lease(5.0)
    house.clock._now += 4.5
    await ask(house, ReadSeats(1))
    house.clock._now += 0.5
    with pytest.raises(OwnershipLost):
        await ask(house, ReadSeats(1))


async def test_a_full_journal_refuses_changes_only(ask: Ask) -> None:
    house = House(journal_limit=1)
    await house.seen(1)
    house.journal.automatic = False
    await ask(house, HoldSeats(1, "user:7", (1,)))
    with pytest.raises(JournalFull):
        await ask(house, HoldSeats(1, "user:7", (2,)))
    await ask(house, ReadSeats(1))


async def test_a_defect_unloads_the_screening(ask: Ask) -> None:
    house = House()
    await house.seen(1)
    with pytest.raises(TypeError):
        await ask(house, HoldSeats(1, "user:7", None))  # type: ignore[arg-type]
    assert house.screenings.active_ids() == []


async def test_holds_and_unpaid_tickets_lapse_by_timer(ask: Ask) -> None:
    house = House(policy=Policy(hold_seconds=0.5, payment_window_seconds=2.0, expiry_warning_seconds=0.0))
    await house.seen(1)
    await ask(house, HoldSeats(1, "user:7", (1,)))
    house.clock.advance(0.5)
    assert house.screenings.hold_count == 0
    await ask(house, BookSeats(1, "user:7", (2,), payment_pending=True))
    house.clock.advance(2.0)
    await turns()
    assert await house.seen(2) == "available"


async def test_a_hold_that_comes_back_from_a_refused_booking_lapses_by_timer(ask: Ask) -> None:
    house = House()
    await house.hold("user:7", 1)
    await turns()
    house.journal.automatic = False
    booking = asyncio.ensure_future(ask(house, BookSeats(1, "user:7", (1,))))
    await turns()
    house.clock.advance(299)
    assert house.journal.refuse_next(BadEntry("no"))
    with pytest.raises(BadEntry):
        await booking
    house.clock.advance(1)
    assert house.screenings.hold_count == 0


async def test_a_turn_of_the_event_loop_handles_one_batch_though_more_is_asked_meanwhile() -> None:
    house = House()
    await house.seen(1)
    command = HoldSeats(1, "user:7", (1,))
    asked = [asyncio.ensure_future(house.screenings.ask(command)) for _ in range(2 * BATCH_LIMIT + 1)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert house.screenings.mailbox_depth == BATCH_LIMIT + 1
    last = house.screenings.ask_active(command)
    await asyncio.sleep(0)
    assert house.screenings.mailbox_depth == 2
    assert isinstance(last, asyncio.Future)
    await asyncio.gather(*asked, last)


async def test_a_change_that_waits_behind_a_defect_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    house = House()
    await house.seen(1)
    defect = asyncio.ensure_future(house.screenings.ask(HoldSeats(1, "user:7", None)))  # type: ignore[arg-type]
    await asyncio.sleep(0)

    async def write() -> str:
        return "written"

    assert await house.screenings.change(1, write) == "written"
    with pytest.raises(TypeError):
        await defect
    assert "never retrieved" not in caplog.text


async def test_a_command_may_wait_as_long_as_the_limit_says() -> None:
    house = House()
    await house.seen(1)
    for waits, expires in ((2.0, False), (2.5, True)):
        waiting = asyncio.ensure_future(house.hold("user:7", 1))
        await asyncio.sleep(0)
        house.clock._now += waits
        (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
        assert isinstance(outcome, CommandExpired) == expires


async def test_a_screening_with_a_long_hold_stays_in_memory() -> None:
    house = House(policy=Policy(hold_seconds=900.0))
    await house.hold("user:7", 1)
    house.clock.advance(600)
    assert await house.screenings.passivate_idle() == 0


async def test_a_step_of_the_clock_is_no_idle_time() -> None:
    house = House()
    await house.seen(1)
    house.clock.step(3600.0)
    assert await house.screenings.passivate_idle() == 0
    house.clock.advance(301)
    assert await house.screenings.passivate_idle() == 1


class _Naming(RecordingPublisher):
    """Records which request a log line would name that is written during each publication."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[str | None] = []

    def publish(self, change: SeatsChanged) -> None:
        self.requests.append(present_request_id())


async def test_a_queued_command_is_handled_in_the_name_of_its_own_request() -> None:
    publisher = _Naming()
    house = House(publisher=publisher)
    await house.seen(1)
    asked = [asyncio.ensure_future(house.hold("user:7", 1))]
    await asyncio.sleep(0)
    for seat, cause in ((2, Cause("second")), (3, None), (4, Cause("fourth"))):
        answer = house.screenings.ask_active(HoldSeats(1, "user:7", (seat,)), cause)
        assert isinstance(answer, asyncio.Future)
        asked.append(answer)
    await asyncio.gather(*asked)
    assert publisher.requests == [None, "second", None, "fourth"]
    assert present_request_id() is None


async def test_a_stopped_screening_releases_and_stores_nothing_by_itself() -> None:
    house = House()
    await house.hold("user:7", 1)
    await house.screenings.stop()
    await turns()
    stored, told = len(house.database.events), len(house.publisher.changes)
    house.clock.advance(300)
    await house.screenings.hash_states()
    assert (len(house.database.events), len(house.publisher.changes)) == (stored, told)
    with pytest.raises(Stopping):
        house.screenings.ask_active(ReadSeats(1))


def _arrive(house: House, *tickets: Ticket) -> Arrival:
    """Let seat 5 of screening 2 wait for a ticket of screening 1."""
    arrival = house.screenings.ask_active(ReceiveTickets(2, "user:7", tickets, (5,)))
    assert isinstance(arrival, Arrival)
    return arrival


async def _shown(house: House) -> SeatMap:
    seats = await house.screenings.ask(ReadSeats(2))
    assert isinstance(seats, SeatMap)
    return seats


async def test_seats_that_wait_for_tickets_too_long_are_loaded_again() -> None:
    house = House()
    tickets = (await house.book("user:7", 1)).tickets
    await _shown(house)
    _arrive(house, *tickets)
    house.clock.advance(ARRIVAL_SECONDS - 0.5)
    assert (await _shown(house)).views[5].status == "reserved"
    house.clock.advance(0.5)
    await turns(10)
    assert 5 not in (await _shown(house)).views


async def test_a_screening_that_waits_for_several_tickets_too_long_is_loaded_again_once() -> None:
    house = House()
    tickets = (await house.book("user:7", 1, 2)).tickets
    await _shown(house)
    for ticket, seat_id in zip(tickets, (5, 6), strict=True):
        house.screenings.ask_active(ReceiveTickets(2, "user:7", (ticket,), (seat_id,)))
    house.clock.advance(ARRIVAL_SECONDS)
    await turns(20)
    assert [change.cause for change in house.publisher.changes].count("stock_shown") == 1
    assert not {5, 6} & (await _shown(house)).views.keys()


async def test_a_screening_that_is_loaded_again_for_tickets_remembers_guests() -> None:
    house = House(policy=Policy(guest_seats_limit=4))
    tickets = (await house.book("user:7", 1)).tickets
    network = "192.0.2.0/24"
    await house.screenings.ask(HoldSeats(2, "client:a", (1,), guest_network=network))
    _arrive(house, *tickets)
    house.clock.advance(ARRIVAL_SECONDS)
    await turns(10)
    assert house.database.epochs[2] == 3, "one to refuse the tickets, one to load it"
    with pytest.raises(GuestLimitExceeded):
        await house.screenings.ask(HoldSeats(2, "client:b", (6, 7, 8, 9), guest_network=network))


async def test_seats_that_cannot_be_loaded_again_wait_for_the_next_command(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House()
    tickets = (await house.book("user:7", 1)).tickets
    await _shown(house)
    _arrive(house, *tickets)
    activate = house.store.activate

    async def away(screening_id: int, **how: object) -> LoadedScreening:
        raise StoreUnavailable

    house.store.activate = away  # type: ignore[method-assign] # a database that is away
    house.clock.advance(ARRIVAL_SECONDS)
    await turns(10)
    gc.collect()  # of an exception that nobody looks at, asyncio tells when it is freed
    assert house.screenings.active_ids() == [1] and caplog.records == []
    house.store.activate = activate  # type: ignore[method-assign]
    assert 5 not in (await _shown(house)).views


async def test_seats_that_wait_for_tickets_are_loaded_when_the_server_has_a_lease_again() -> None:
    house = House()
    tickets = (await house.book("user:7", 1)).tickets
    await _shown(house)
    _arrive(house, *tickets)
    house.screenings.owned.set_lease(ARRIVAL_SECONDS)
    house.clock.advance(ARRIVAL_SECONDS)
    await turns(10)
    await house.screenings.owned.confirm(lambda: 900.0)
    assert (await _shown(house)).views[5].status == "reserved"
    house.clock.advance(ARRIVAL_SECONDS)
    await turns(10)
    assert 5 not in (await _shown(house)).views


async def test_seats_that_have_got_their_tickets_are_not_loaded_again() -> None:
    house = House()
    tickets = (await house.book("user:7", 1)).tickets
    await _shown(house)
    arrival = _arrive(house, *tickets)
    await house.screenings.ask(EndArrival(2, arrival.epoch, arrival.seq, tuple(arrival.tickets)))
    house.clock.advance(3 * ARRIVAL_SECONDS)
    await turns(10)
    assert (house.database.epochs[2], (await _shown(house)).views[5].status) == (1, "booked")


async def test_a_screening_that_was_given_up_is_not_loaded_for_an_arrival() -> None:
    house = House()
    tickets = (await house.book("user:7", 1)).tickets
    await _shown(house)
    _arrive(house, *tickets)
    await house.screenings.release(2)
    house.clock.advance(ARRIVAL_SECONDS)
    await turns(10)
    assert house.screenings.active_ids() == [1]
    assert house.database.epochs[2] == 1


async def test_watchers_see_what_becomes_of_a_booking_and_its_answer_is_stored_with_it(ask: Ask) -> None:
    house = House()
    await house.seen(1)
    receipt = Receipt("user:7", "key", b"print", "form")
    booked = await ask(house, BookSeats(1, "user:7", (1,), receipt=receipt))
    assert house.database.answers == {("user:7", "key"): booked}
    assert [view.status for view in house.publisher.changes[-1].views] == ["booked"]
    house.journal.automatic = False
    booking = asyncio.ensure_future(ask(house, BookSeats(1, "user:7", (2,))))
    await turns()
    assert house.journal.refuse_next(BadEntry("no"))
    with pytest.raises(BadEntry):
        await booking
    assert [view.status for view in house.publisher.changes[-1].views] == ["available"]


async def test_nothing_happens_by_itself_from_the_end_of_the_lease_on() -> None:
    house = House()
    await house.hold("user:7", 1)
    house.screenings.owned.set_lease(300.0)
    house.clock.advance(300.0)
    await house.screenings.hash_states()
    assert [change.cause for change in house.publisher.changes] == ["seats_held", "holds_expiring"]


async def test_others_have_a_turn_after_a_look_at_many_unchanged_screenings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.upkeep._LOOKED_AT_AT_ONCE", 2)
    looked_at: list[int] = []

    class Unread(RecordingPublisher):
        def wants_hashes(self, screening_id: int) -> bool:
            looked_at.append(screening_id)
            return False

    house = House(publisher=Unread())
    for screening_id in range(3, 6):
        house.database.add_screening(make_info(screening_id), make_layout())
    for screening_id in range(1, 6):
        await house.screenings.ask(ReadSeats(screening_id))
    hashing = asyncio.ensure_future(house.screenings.hash_states())
    numbers = []
    for _ in range(3):
        await asyncio.sleep(0)
        numbers.append(len(looked_at))
    await hashing
    assert numbers == [2, 4, 5]


async def test_others_have_a_turn_after_the_hash_of_each_screening() -> None:
    house = House()
    for screening_id in (1, 2):
        await house.hold("user:7", 1, screening_id=screening_id)
    hashing = asyncio.ensure_future(house.screenings.hash_states())
    told = []
    for _ in range(2):
        await asyncio.sleep(0)
        told.append(sum(change.cause == STATE_HASHED for change in house.publisher.changes))
    await hashing
    assert told == [1, 2]
