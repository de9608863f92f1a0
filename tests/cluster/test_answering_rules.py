"""The owner of a screening answers what other nodes send it, in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cluster import answering
from cluster.answering import Answering
from cluster.forwarding import ASK, PART
from cluster.long_replies import PART_BYTES, LongReplies
from cluster.messages import NotUnderstood, ReadNewSeats, SeatsUnchanged
from cluster.wire import decode_reply, encode_command
from engine.causes import Cause, present_request_id
from engine.commands import BookSeats, HoldSeats, ReadSeats, ReadStock, ReleaseHolds
from engine.errors import OutcomeUnknown, OwnershipLost
from engine.memory import RecordingPublisher
from engine.ports import Entry
from engine.selling_errors import SeatsUnavailable
from engine.tracing import Attributes
from tests.cluster.virtual import Node, in_virtual_time, nodes
from tests.engine.conftest import make_layout
from tests.engine.house import House

SECONDS = 60.0
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Publisher(RecordingPublisher):
    """Keeps the changes, and the requests to which log lines would belong meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.handled: list[str | None] = []

    def publish(self, change: Any) -> None:
        super().publish(change)
        self.handled.append(present_request_id())


class Spans:
    """Makes spans, and keeps them: the name, the kind, the parent, and how it has ended."""

    def __init__(self) -> None:
        self.spans: list[list[Any]] = []

    def begin(
        self,
        name: str,
        *,
        kind: str = "internal",
        parent: str | None = None,
        attributes: Attributes | None = None,
    ) -> Any:
        self.spans.append([name, kind, parent, "begun"])
        return self

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
        return self.traceparent

    @property
    def traceparent(self) -> str:
        return "00-of-the-span"

    def end(self, error: str | None = None, status: int | None = None) -> None:
        self.spans[-1][-1] = error or "ended"


class Owner:
    """The node that is asked.

    Attributes:
        house: its screenings.
        entries: what was written into its journal.
    """

    def __init__(self, node: Node, spans: Spans | None) -> None:
        self.name = node.name
        self.publisher = Publisher()
        self.house = House(publisher=self.publisher)
        self.entries: list[Entry] = []
        self.house.database.write = self._write  # type: ignore[method-assign]
        self.answering = Answering(node.links, self.house.screenings, spans)

    def _write(self, entry: Entry) -> None:
        self.entries.append(entry)

    @property
    def known(self) -> set[str]:
        """The nodes that it remembers."""
        return set(self.answering._senders)

    @property
    def held(self) -> int:
        return self.house.screenings.hold_count


class Asker:
    """A node that asks."""

    def __init__(self, node: Node, owner: Owner) -> None:
        self.node = node
        self._owner = owner.name
        self._parts = LongReplies()
        self.parts = 0
        node.links.on(PART, self._keep)

    def _keep(self, sender: str, part: object) -> None:
        self.parts += 1
        self._parts.keep(sender, part)

    async def ask(self, number: int, command: Any, *named: object) -> Any:
        """Send a command with a number, and what else travels with it."""
        return self._decoded(await self.send(number, command, *named))

    def send(self, number: int, command: Any, *named: object) -> "asyncio.Future[Any]":
        data = command if isinstance(command, bytes) else encode_command(command)
        return self.node.links.call(self._owner, ASK, (number, data, *named), SECONDS)

    def _decoded(self, data: object) -> Any:
        return decode_reply(self._parts.join(self._owner, data), lambda room_id, version: make_layout())

    async def hold(
        self, number: int, *seats: int, holder: str = "user:1", named: Sequence[object] = ()
    ) -> Any:
        return await self.ask(number, HoldSeats(1, holder, seats), *named)


@asynccontextmanager
async def stage(
    askers: int = 1, spans: Spans | None = None
) -> AsyncIterator[tuple[Owner, *tuple[Asker, ...]]]:
    async with nodes(1 + askers) as (node, *others):
        owner = Owner(node, spans)
        yield (owner, *[Asker(other, owner) for other in others])
        await owner.house.screenings.stop()


@in_virtual_time
async def test_a_repeated_command_gets_the_first_answer_while_that_is_waited_for_and_later() -> None:
    async with stage() as (owner, asker):
        owner.house.journal.automatic = False
        await asker.hold(1, 1)
        owner.house.journal.write_next()
        book = BookSeats(1, "user:1", (1,))
        waiting = [asker.send(2, book), asker.send(2, book)]
        await asyncio.sleep(1)
        assert not any(one.done() for one in waiting)
        assert owner.house.journal.depth == 1
        owner.house.journal.write_next()
        first, second = await asyncio.gather(*waiting)
        assert first == second == await asker.send(2, book)
        assert len(owner.entries) == 2


@in_virtual_time
async def test_a_command_for_a_screening_that_is_not_in_memory_is_repeated_without_effect_as_well() -> None:
    async with stage() as (owner, asker):
        hold, release = HoldSeats(1, "user:1", (1,)), ReleaseHolds(1, "user:1", (1,))
        first, second = await asyncio.gather(asker.ask(1, hold), asker.ask(1, hold))
        assert first == second
        await asker.ask(2, release)
        assert await asker.ask(1, hold) == first
        assert owner.held == 0


@in_virtual_time
async def test_reads_are_carried_out_each_time() -> None:
    async with stage() as (_, asker):
        assert (await asker.ask(1, ReadStock(1))).available == 20
        await asker.hold(2, 1)
        assert (await asker.ask(1, ReadStock(1))).available == 19
        for number in (3, 4):
            assert (await asker.ask(number, ReadSeats(1))).views[1].status == "reserved"


@in_virtual_time
async def test_a_refused_read_is_refused_for_as_long_as_there_is_a_reason() -> None:
    async with stage() as (owner, asker):
        await asker.ask(1, ReadStock(1))
        owner.house.screenings.owned.set_lease(-1.0)
        with pytest.raises(OwnershipLost):
            await asker.ask(2, ReadStock(1))
        await owner.house.screenings.owned.confirm(lambda: 1e9)
        assert (await asker.ask(2, ReadStock(1))).available == 20


@in_virtual_time
async def test_seats_that_the_asker_has_do_not_travel_again() -> None:
    async with stage() as (_, asker):
        await asker.hold(1, 1)
        seats = await asker.ask(2, ReadSeats(1))
        at = (seats.epoch, seats.seq)
        assert await asker.ask(3, ReadNewSeats(1, *at)) == SeatsUnchanged(1, *at)
        await asker.hold(4, 2)
        assert set((await asker.ask(5, ReadNewSeats(1, *at))).views) == {1, 2}


@in_virtual_time
async def test_a_command_that_is_not_understood_is_refused() -> None:
    async with stage() as (_, asker):
        with pytest.raises(NotUnderstood):
            await asker.ask(1, b"\xfa\x90")
        await asker.hold(1, 1)


# Remembered answers


async def hold_others(asker: Asker, first: int, last: int) -> None:
    for number in range(first, last + 1):
        await asker.hold(number, number, holder=f"user:{number}")


@in_virtual_time
async def test_answers_are_forgotten_after_one_to_two_times_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answering, "ANSWERS_KEPT", 4)
    async with stage() as (owner, asker):
        first = await asker.hold(1, 1)
        await asker.ask(2, ReleaseHolds(1, "user:1", (1,)))
        await hold_others(asker, 3, 8)
        assert await asker.hold(1, 1) == first
        await hold_others(asker, 9, 9)
        for number in (1, 4):
            with pytest.raises(OutcomeUnknown):
                await asker.hold(number, 1)
        assert owner.held == 7
        assert (await asker.ask(1, ReadStock(1))).available == 13
        await asker.hold(5, 1)
        assert owner.held == 7
        await hold_others(asker, 10, 12)
        await asker.hold(5, 1)
        await hold_others(asker, 13, 13)
        with pytest.raises(OutcomeUnknown):
            await asker.hold(5, 1)
        assert (await asker.hold(9, 9)).seat_ids == (9,)


@in_virtual_time
async def test_refusals_are_remembered_and_forgotten_like_replies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "ANSWERS_KEPT", 2)
    async with stage() as (_, asker):
        await asker.hold(1, 1)
        with pytest.raises(SeatsUnavailable):
            await asker.hold(2, 1, holder="user:2")
        await asker.ask(3, ReleaseHolds(1, "user:1", (1,)))
        with pytest.raises(SeatsUnavailable):
            await asker.hold(2, 1, holder="user:2")
        await hold_others(asker, 4, 5)
        with pytest.raises(OutcomeUnknown):
            await asker.hold(2, 1, holder="user:2")


@in_virtual_time
async def test_each_node_has_numbers_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "ANSWERS_KEPT", 4)
    async with stage(2) as (owner, busy, quiet):
        held = await quiet.hold(1, 20, holder="user:2")
        await hold_others(busy, 1, 3)
        assert await quiet.hold(1, 20, holder="user:2") == held
        await hold_others(busy, 4, 8)
        # Its answer is forgotten; its next number is not affected.
        with pytest.raises(OutcomeUnknown):
            await quiet.hold(1, 20, holder="user:2")
        await quiet.hold(2, 19, holder="user:2")
        await hold_others(busy, 9, 12)
        with pytest.raises(OutcomeUnknown):
            await quiet.hold(1, 20, holder="user:2")
        assert owner.held == 14


@in_virtual_time
async def test_nodes_that_have_only_read_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "SENDERS_KEPT", 2)
    async with stage(4) as (owner, one, two, three, four):
        await one.hold(1, 1)
        await two.ask(1, ReadStock(1))
        await three.hold(1, 3)
        assert owner.known == {one.node.name, three.node.name}
        # None of these has only read, so there are more than the limit.
        await four.hold(1, 4)
        await one.ask(2, ReleaseHolds(1, "user:1", (1, 3, 4)))
        for number, asker in ((1, one), (3, three), (4, four)):
            assert (await asker.hold(1, number)).seat_ids == (number,)
        assert owner.held == 0
        assert owner.known == {one.node.name, three.node.name, four.node.name}


# Causes


@in_virtual_time
async def test_the_request_that_has_sent_a_command_is_recorded_with_what_it_changes() -> None:
    async with stage() as (owner, asker):
        sent = (
            *(("r-1",), ("r-2", TRACE), ("r-3", None), ("r-4", TRACE, "newer")),
            *((), (5,), (5, TRACE), ("r-5", 7)),
        )
        for number, named in enumerate(sent, 1):
            await asker.hold(number, number, named=named)
        recorded = [entry.cause for entry in owner.entries]
        assert recorded == [
            *(Cause("r-1"), Cause("r-2", TRACE), Cause("r-3"), Cause("r-4", TRACE)),
            *(None, None, None, Cause("r-5")),
        ]
        named_in_logs = [None if cause is None else cause.request_id for cause in recorded]
        assert owner.publisher.handled == named_in_logs
        assert present_request_id() is None


@in_virtual_time
async def test_log_lines_after_a_refused_command_do_not_belong_to_it() -> None:
    async with stage() as (_, asker):
        await asker.hold(1, 1)
        with pytest.raises(SeatsUnavailable):
            await asker.hold(2, 1, holder="user:2", named=("r-1",))
        assert present_request_id() is None


@in_virtual_time
async def test_commands_of_traced_requests_have_spans() -> None:
    spans = Spans()
    async with stage(spans=spans) as (owner, asker):
        await asker.hold(1, 1, named=("r-1", TRACE))
        await asker.hold(2, 2, named=("r-2", TRACE))
        with pytest.raises(SeatsUnavailable):
            await asker.hold(3, 1, holder="user:2", named=("r-3", TRACE))
        await asker.hold(4, 4, named=("r-4",))
        await asker.hold(5, 5)
        assert spans.spans == [
            ["HoldSeats", "server", TRACE, "ended"],
            ["HoldSeats", "server", TRACE, "ended"],
            ["HoldSeats", "server", TRACE, "seats_unavailable"],
        ]
        assert [entry.cause for entry in owner.entries] == [
            *(Cause("r-1", spans.traceparent), Cause("r-2", spans.traceparent), Cause("r-4"), None)
        ]
        # A traced command is carried out once, too.
        await asker.hold(2, 2, named=("r-2", TRACE))
        assert len(spans.spans) == 3


# Long replies


@in_virtual_time
async def test_a_long_reply_comes_in_parts() -> None:
    async with stage() as (_, asker):
        await asker.hold(1, 1)
        assert asker.parts == 0
        note = "n" * (2 * PART_BYTES)
        held = await asker.ask(2, HoldSeats(1, "user:1", (2,), note=note))
        assert (held.note, asker.parts) == (note, 2)
