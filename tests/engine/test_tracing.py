"""Spans of traced commands, and which of them an update for watchers is linked to."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from engine.causes import Cause, cause
from engine.commands import BookSeats, HoldSeats, ReadSeats
from engine.errors import BadEntry
from engine.memory import MemoryJournal, RecordingPublisher
from engine.ports import Entry
from engine.selling_errors import SeatsUnavailable
from engine.tracing import (
    Attributes,
    Decisions,
    TracedJournal,
    TracedPublisher,
    TracedScreenings,
    record_update,
)
from tests.engine.house import House, turns

pytestmark = pytest.mark.gen_test


class Told:
    """A span of `Spans`."""

    def __init__(self, spans: "Spans", name: str) -> None:
        self._spans, self._name = spans, name

    @property
    def traceparent(self) -> str:
        return f"trace of {self._name}"

    def end(self, error: str | None = None, status: int | None = None) -> None:
        self._spans.ended.append((self._name, error))


class Spans:
    """`engine.tracing.Tracer` that keeps what it is told."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, str, str | None, Attributes | None]] = []
        self.ended: list[tuple[str, str | None]] = []
        self.recorded: list[tuple[str, str, Sequence[str], Attributes | None]] = []

    def begin(
        self,
        name: str,
        *,
        kind: str = "internal",
        parent: str | None = None,
        attributes: Attributes | None = None,
    ) -> Told:
        self.begun.append((name, kind, parent, attributes))
        return Told(self, name)

    def record(
        self,
        name: str,
        began: float,
        ended: float,
        *,
        kind: str = "internal",
        parent: str | None = None,
        links: Sequence[str] = (),
        attributes: Attributes | None = None,
    ) -> str:
        self.recorded.append((name, kind, links, attributes))
        return name


@contextmanager
def request(trace: str | None) -> Iterator[None]:
    """A request on whose behalf commands are sent."""
    before = cause.set(Cause("request 1", trace=trace))
    try:
        yield
    finally:
        cause.reset(before)


class Traced(House):
    """A house whose decisions are traced."""

    def __init__(self) -> None:
        self.decisions, self.feed = Decisions(), RecordingPublisher()
        super().__init__(publisher=TracedPublisher(self.feed, self.decisions))
        plain: MemoryJournal = self.journal
        self.screenings.owned._context.journal = TracedJournal(plain, self.decisions)
        self.spans = Spans()
        self.traced = TracedScreenings(self.screenings, self.spans)

    async def do(self, command: Any, trace: str | None = "parent") -> Any:
        with request(trace):
            return await self.traced.ask(command)


@pytest.fixture
def house() -> Traced:
    return Traced()


async def test_a_command_of_a_traced_request_has_a_span_until_it_is_answered(house: Traced) -> None:
    await house.do(HoldSeats(1, "user:7", (1,)))
    attributes = {"frontrow.screening_id": 1, "frontrow.request_id": "request 1"}
    assert house.spans.begun == [("HoldSeats", "internal", "parent", attributes)]
    assert house.spans.ended == [("HoldSeats", None)]
    with pytest.raises(SeatsUnavailable):
        await house.do(HoldSeats(1, "user:8", (1,)))
    with pytest.raises(TypeError):
        await house.do(HoldSeats(1, "user:8", None))  # type: ignore[arg-type]
    assert house.spans.ended[1:] == [("HoldSeats", SeatsUnavailable.code), ("HoldSeats", "failed")]


@pytest.mark.parametrize("outside", [False, True])
async def test_other_commands_have_no_span(house: Traced, outside: bool) -> None:
    if outside:
        await house.traced.ask(ReadSeats(1))
    else:
        await house.do(ReadSeats(1), None)
    assert house.spans.begun == []


async def test_the_span_is_the_cause_while_its_command_is_carried_out(house: Traced) -> None:
    with request("parent"):
        await house.traced.ask(ReadSeats(1))
        present = cause.get()
    assert present is not None and present.trace == "parent"
    assert house.spans.begun[0][2] == "parent"


async def test_screenings_are_swept_and_changed_as_they_are_without_traces(house: Traced) -> None:
    await house.hold("user:7", 1)
    house.clock._now += 300

    async def write() -> str:
        return "written"

    assert await house.traced.sweep() == 1
    assert await house.traced.change(1, write) == "written"
    assert house.traced.ask_active(ReadSeats(1)) is not None


async def test_an_update_is_linked_to_the_traced_commands_that_have_caused_it(house: Traced) -> None:
    await house.do(HoldSeats(1, "user:7", (1,)))
    await house.hold("user:8", 2)
    await house.do(BookSeats(1, "user:7", (1,)))
    await turns()
    first, *_, last = [(change.epoch, change.seq) for change in house.feed.changes]
    record_update(house.spans, house.decisions, 1, first, 3)
    attributes = {"frontrow.screening_id": 1, "frontrow.sockets": 3}
    expected = ("socket update", "producer", ["trace of HoldSeats"], attributes)
    assert house.spans.recorded == [expected]
    record_update(house.spans, house.decisions, 1, last, 3)
    assert set(house.spans.recorded[1][2]) == {"trace of BookSeats"}
    record_update(house.spans, house.decisions, 1, last, 3)
    assert len(house.spans.recorded) == 2, "nothing is left to be linked to"


async def test_a_refused_booking_is_linked_and_what_follows_is_not(house: Traced) -> None:
    await house.seen(1)
    house.journal.automatic = False
    booking = asyncio.ensure_future(house.do(BookSeats(1, "user:7", (1,))))
    await turns(5)
    assert house.journal.refuse_next(BadEntry("no"))
    with pytest.raises(BadEntry):
        await booking
    house.journal.automatic = True
    aborted = house.feed.changes[-1]
    await house.hold("user:8", 2)
    links = house.decisions.sent(1, (aborted.epoch, aborted.seq + 9))
    assert set(links) == {"trace of BookSeats"}


async def test_decisions_that_wait_for_an_update_are_bounded(
    house: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.tracing.DECISIONS_KEPT", 2)
    monkeypatch.setattr("engine.tracing.SCREENINGS_KEPT", 1)
    for seat_id in (1, 2, 3):
        await house.do(HoldSeats(1, "user:7", (seat_id,)))
    assert len(house.decisions.sent(1, (9, 0))) == 2
    for seat_id in (4, 5):
        await house.do(HoldSeats(1, "user:7", (seat_id,)))
    await house.do(HoldSeats(2, "user:7", (1,)))
    assert (len(house.decisions.sent(1, (9, 0))), len(house.decisions.sent(2, (9, 0)))) == (0, 1)


def test_the_journal_is_as_full_as_it_is() -> None:
    house = House(journal_limit=1)
    house.journal.automatic = False
    journal = TracedJournal(house.journal, Decisions())
    assert not journal.full
    journal.append(Entry(()))
    assert (journal.full, journal.depth, journal.lag_seconds) == (True, 1, 0.0)
    assert TracedPublisher(house.publisher, Decisions()).wants_hashes(1)
