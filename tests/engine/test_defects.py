"""Defects after a decision: waiting callers get what was decided, and everything else goes on."""

import asyncio
import logging
from itertools import count

import pytest

from engine.actor import ScreeningActor
from engine.commands import BookSeats, HoldSeats, ReadSeats
from engine.errors import BadEntry, OwnershipLost
from engine.events import SeatsHeld
from engine.guards import DefectLog
from engine.memory import MemoryStore, NullObserver
from engine.policy import Policy
from engine.ports import LoadedScreening
from engine.replies import Booked
from engine.selling_errors import GuestLimitExceeded
from engine.views import SeatMap, SeatsChanged
from tests.engine.house import House, turns

pytestmark = pytest.mark.gen_test


class BrokenPublisher:
    """`engine.ports.Publisher` that always raises."""

    def publish(self, change: SeatsChanged) -> None:
        raise RuntimeError("broken publisher")


class BrokenObserver(NullObserver):
    """An `engine.ports.Observer` whose methods all raise."""

    def __getattribute__(self, name: str) -> object:
        def broken(*_: object) -> None:
            raise RuntimeError(f"broken {name}")

        return super().__getattribute__(name) if name.startswith("__") else broken


@pytest.fixture(params=["publisher", "observer", "both"])
def broken(request: pytest.FixtureRequest) -> House:
    publisher = BrokenPublisher() if request.param != "observer" else None
    observer = BrokenObserver() if request.param != "publisher" else None
    return House(publisher=publisher, observer=observer)


async def test_a_committed_booking_is_answered_as_booked(broken: House) -> None:
    assert isinstance(await broken.book("user:7", 1, 2), Booked)
    assert await broken.seen(1) == "booked"
    assert len(broken.database.tickets) == 2


async def test_a_refused_booking_is_answered_and_its_seat_is_free_again(broken: House) -> None:
    broken.journal.automatic = False
    await broken.seen(1)
    booking = broken.screenings.ask_active(BookSeats(1, "user:7", (1,)))
    assert broken.journal.refuse_next(BadEntry("a bad row"))
    with pytest.raises(BadEntry):
        await booking
    assert await broken.seen(1) == "available"


@pytest.mark.parametrize("queued", [False, True])
async def test_a_command_that_cannot_be_counted_is_logged(
    queued: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(observer=BrokenObserver())
    await house.seen(1)
    caplog.clear()
    monkeypatch.setattr("engine.actor._counting", DefectLog("counting"))
    await house.hold("user:7", 1) if queued else house.screenings.ask_active(HoldSeats(1, "user:7", (1,)))
    assert "counting failed" in caplog.text


async def test_holds_are_answered_whether_decided_at_once_or_in_a_mailbox(broken: House) -> None:
    await broken.seen(1)
    first = broken.screenings.ask_active(HoldSeats(1, "user:7", (1,)))
    assert isinstance(first, SeatsHeld)
    queued = [broken.hold(f"user:{seat}", seat) for seat in (2, 3, 4)]
    assert all([isinstance(await hold, SeatsHeld) for hold in queued])
    assert broken.screenings.mailbox_depth == 0
    assert broken.database.epochs == {1: 1}, "nothing was put away: the screening is in order"


async def test_holds_lapse_by_their_timer(broken: House) -> None:
    await broken.hold("user:7", 1)
    broken.clock.advance(3600)
    await turns()
    assert broken.screenings.hold_count == 0
    assert broken.database.epochs == {1: 1}


async def test_screenings_are_put_away_and_swept(broken: House) -> None:
    await broken.hold("user:7", 1)
    broken.clock.advance(3600)
    assert await broken.screenings.sweep() == 0
    broken.clock.advance(3600)
    assert await broken.screenings.passivate_idle() == 1


async def test_one_screening_with_a_defect_does_not_keep_others_from_being_swept() -> None:
    house = House()
    for screening_id in (1, 2):
        await house.hold("user:7", 1, screening_id=screening_id)
    await house.screenings.stop()

    class BrokenStore(MemoryStore):
        """Cannot load the first screening."""

        async def activate(self, screening_id: int, **how: object) -> LoadedScreening:
            if screening_id == 1:
                raise ZeroDivisionError
            return await super().activate(screening_id, **how)

    again = House(house.database, store=BrokenStore(house.database))
    again.clock.advance(3600)
    assert await again.screenings.sweep() == 1


class Defective:
    """A screening's core with a defect in some methods."""

    def __init__(self, actor: ScreeningActor, *methods: str) -> None:
        self._core = actor._screening
        self._methods = methods
        actor._screening = self  # type: ignore[assignment]

    def __getattr__(self, name: str) -> object:
        def fail(*_: object, **__: object) -> object:
            raise ZeroDivisionError

        return fail if name in self._methods else getattr(self._core, name)


@pytest.mark.parametrize(
    ("method", "seconds", "step"),
    [
        ("handle", 300.0, 0.0),
        ("warn_expiring", 240.0, 0.0),
        ("move_deadlines", 0.0, 60.0),
        ("hash_for_watchers", 1.0, 0.0),
        ("digest_for_storage", 1.0, 0.0),
    ],
)
async def test_a_defect_in_what_no_command_has_asked_for_unloads_the_screening(
    method: str, seconds: float, step: float, caplog: pytest.LogCaptureFixture
) -> None:
    house = House()
    await house.hold("user:7", 1)
    Defective(house.screenings._actors[1], method)
    house.clock.advance(seconds)
    if step:
        house.clock.step(step)
    await house.screenings.hash_states()
    assert house.screenings.active_ids() == []
    assert "screening 1 failed and is unloaded" in caplog.text


async def test_a_booking_that_commits_but_cannot_be_settled_is_answered_and_loaded_anew() -> None:
    house = House()
    house.journal.automatic = False
    await house.seen(1)
    Defective(house.screenings._actors[1], "settle", "abort")
    booking = house.screenings.ask_active(BookSeats(1, "user:7", (1,)))
    others = [asyncio.ensure_future(house.hold(f"user:{seat}", seat)) for seat in (2, 3)]
    await asyncio.sleep(0)
    house.journal.write_next()
    assert isinstance(await booking, Booked)
    house.journal.automatic = True
    assert await house.seen(1) == "booked"
    assert house.database.epochs == {1: 2}, "the screening was put away and loaded again"
    for other in others:
        with pytest.raises(OwnershipLost):
            await other


async def test_a_callback_that_raises_keeps_no_other_entry_from_being_settled() -> None:
    house = House()
    house.journal.automatic = False
    await house.seen(1)
    Defective(house.screenings._actors[1], "settle", "abort")
    one = house.screenings.ask_active(BookSeats(1, "user:7", (1,)))
    two = house.screenings.ask_active(BookSeats(1, "user:8", (2,)))
    house.journal.write_next(2)
    assert [ticket.holder for answer in (one, two) for ticket in (await answer).tickets] == [
        "user:7",
        "user:8",
    ]


async def test_a_change_takes_effect_although_watchers_cannot_be_notified(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House()
    await house.seen(1)
    house.screenings.owned._load = lambda loaded: 1 // 0  # type: ignore[assignment] # a defect of loading
    written = count(1)

    async def write() -> int:
        return next(written)

    with caplog.at_level(logging.ERROR, "frontrow.engine"):
        assert await house.screenings.change(1, write) == 1
    assert "were not told" in caplog.text


async def test_a_defect_that_recurs_is_logged_once_a_second(caplog: pytest.LogCaptureFixture) -> None:
    house = House(publisher=BrokenPublisher())
    await house.seen(1)
    for seat in range(1, 11):
        await house.hold("user:7", seat)
    assert sum("BrokenPublisher.publish failed" in record.message for record in caplog.records) == 1
    reply = await house.screenings.ask(ReadSeats(1))
    assert isinstance(reply, SeatMap)


async def test_a_screening_that_fails_while_it_is_given_up_remembers_guests() -> None:
    house, network = House(policy=Policy(guest_seats_limit=4)), "192.0.2.0/24"
    await house.screenings.ask(HoldSeats(1, "client:a", (1,), guest_network=network))
    await turns()
    Defective(house.screenings._actors[1], "settle")
    house.journal.automatic = False
    booking = house.screenings.ask_active(BookSeats(1, "user:7", (9,)))
    release = asyncio.ensure_future(house.screenings.release(1))
    await turns()
    house.journal.write_next(9)
    assert isinstance(await booking, Booked)
    assert (await release).memory is None
    house.journal.automatic = True
    with pytest.raises(GuestLimitExceeded):
        await house.screenings.ask(HoldSeats(1, "client:b", (2, 3, 4, 5), guest_network=network))


async def test_a_screening_that_fails_as_the_server_stops_leaves_the_others_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House()
    for screening_id in (1, 2):
        await house.hold("user:7", 1, screening_id=screening_id)
    broken = house.screenings.owned.actors[1]
    broken.screening._state.seats = None  # type: ignore[assignment]
    await house.screenings.stop()
    assert "screening 1 failed and is unloaded" in caplog.text
    await house.journal.flushed(2)
    assert [digest.screening_id for digest in house.database.digests] == [2]
    caplog.clear()
