"""Choice of the node to ask for a screening, how often and how long. Tests decide what other nodes say."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest

from cluster import screenings
from cluster.beats import NodeState
from cluster.errors import LinkFull, NoAnswer, NodeUnreachable, NoOwner
from cluster.forwarding import ASK, Forwarding
from cluster.screenings import CALL_SECONDS, RESUME, RESUME_ATTEMPTS, SUSPEND, SWEEP, RoutedScreenings
from cluster.wire import decode_command, encode_reply
from engine.causes import Cause
from engine.causes import cause as present_cause
from engine.commands import Command, HoldSeats, ReadStock
from engine.errors import NotFound, Overloaded, OwnershipLost, StoreUnavailable
from engine.selling_errors import SeatsUnavailable
from tests.cluster.servers import Layouts, Members, Tally
from tests.cluster.virtual import Node, in_virtual_time, nodes
from tests.cluster.wire_samples import HELD
from tests.engine.house import House

SERVING, DRAINING = NodeState.SERVING, NodeState.DRAINING
SECONDS = 10.0
HOLD = HoldSeats(1, "user:1", (1,))
CAUSE = Cause("r-1", "00-trace")
MOMENT = 0.008
"""Long enough for a message, and shorter than the first pause."""

SILENT = object()
"""Marker of an answer that never comes."""


def now() -> float:
    return asyncio.get_running_loop().time()


def about(*seconds: float, journey: float = 0.02) -> Any:
    """Virtual times, apart from those of messages."""
    return pytest.approx(list(seconds), abs=journey)


class Watched(Members):
    """The members, and when somebody has asked for an owner."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float] = []

    def owner_of(self, screening_id: int) -> str | None:
        self.asked.append(now())
        return super().owner_of(screening_id)


class Other:
    """Another node.

    Attributes:
        asked: the calls that have come: the kind, the value (a command with what has come with it), and when.
        answers: to the next calls of a kind. The last one stays.
    """

    def __init__(self, node: Node) -> None:
        self.name = node.name
        self.asked: list[tuple[str, Any, float]] = []
        self.answers: dict[str, list[Any]] = {ASK: [HELD], SUSPEND: [None], RESUME: [None], SWEEP: [0]}
        for kind in self.answers:
            node.links.on(kind, self._answering(kind))

    def _answering(self, kind: str) -> Callable[[str, Any], Any]:
        def answer(sender: str, value: Any) -> Any:
            if kind == ASK:
                value = (decode_command(value[1]), *value[2:])
            self.asked.append((kind, value if value is None else tuple(value), now()))
            answers = self.answers[kind]
            reply = answers.pop(0) if len(answers) > 1 else answers[0]
            if isinstance(reply, Exception):
                raise reply
            if reply is SILENT:
                return asyncio.get_running_loop().create_future()
            return encode_reply(reply) if kind == ASK else reply

        return answer

    @property
    def calls(self) -> list[tuple[str, Any]]:
        return [(kind, value) for kind, value, _ in self.asked]

    @property
    def times(self) -> list[float]:
        return [at for _, _, at in self.asked]


class Here:
    """The node that is asked, with screenings of its own."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.name = node.name
        self.members = Watched()
        self.house = House(owner=node.name)
        forwarding = Forwarding(node.links, self.members, Layouts(), Tally())  # type: ignore[arg-type]
        self.routed = RoutedScreenings(
            *(self.house.screenings, forwarding, node.links, self.members, SECONDS)  # type: ignore[arg-type]
        )

    def owned_by(self, *owners: Any) -> None:
        """Let nodes own everything."""
        self.members.become({owner.name: SERVING for owner in owners})

    def ask(self, command: Command = HOLD, cause: Cause | None = None) -> Any:
        return self.routed.ask_active(command, cause)

    async def own(self) -> None:
        """Own screening 1, in memory."""
        self.owned_by(self)
        await self.routed.ask(ReadStock(1))


@asynccontextmanager
async def stage() -> AsyncIterator[tuple[Here, Other, Other]]:
    async with nodes(3) as (node, *others):
        await asyncio.sleep(100)
        here = Here(node)
        first, second = map(Other, others)
        here.owned_by(first)
        yield here, first, second
        await here.house.screenings.stop()


async def error_of(work: Awaitable[Any]) -> Any:
    (error,) = await asyncio.gather(work, return_exceptions=True)
    assert isinstance(error, Exception), error
    return error


# Commands


@in_virtual_time
async def test_a_screening_in_memory_is_asked_without_waiting() -> None:
    async with stage() as (here, first, _):
        await here.own()
        assert here.ask().seat_ids == (1,)
        here.owned_by(first)
        # It is this node's until it has been given away.
        with pytest.raises(SeatsUnavailable):
            here.ask(HoldSeats(1, "user:2", (1,)))
        assert (await here.routed.ask(HoldSeats(1, "user:2", (2,)))).seat_ids == (2,)
        assert first.calls == []


@in_virtual_time
async def test_a_screening_of_this_node_that_is_not_in_memory_is_left_to_the_caller() -> None:
    async with stage() as (here, _, _):
        here.owned_by(here)
        assert here.ask() is None
        assert (await here.routed.ask(HOLD)).seat_ids == (1,)


@in_virtual_time
async def test_a_screening_of_another_node_is_asked_for_there_on_behalf_of_the_request() -> None:
    async with stage() as (here, first, _):
        assert await here.ask(cause=CAUSE) == HELD
        assert first.calls == [(ASK, (HOLD, *CAUSE))]
        present_cause.set(CAUSE)
        assert await here.routed.ask(HOLD) == HELD
        assert first.calls == [(ASK, (HOLD, *CAUSE))] * 2
        first.answers[ASK] = [SILENT]
        began = now()
        assert isinstance(await error_of(here.ask()), NoAnswer)
        assert [now() - began] == about(SECONDS, journey=0.1)


@in_virtual_time
async def test_a_command_finds_the_node_that_has_taken_the_screening_over() -> None:
    async with stage() as (here, first, second):
        first.answers[ASK] = [OwnershipLost(1)]
        asking = here.ask(cause=CAUSE)
        await asyncio.sleep(0.2)
        here.owned_by(second)
        assert await asking == HELD
        assert second.calls == [(ASK, (HOLD, *CAUSE))]
        here.owned_by(first)
        asking = here.ask()
        await asyncio.sleep(0.2)
        here.owned_by(here)
        assert (await asking).seat_ids == (1,)


@in_virtual_time
async def test_a_node_that_has_lost_its_screening_asks_the_owner() -> None:
    for way in (lambda here: here.ask(cause=CAUSE), lambda here: here.routed.ask(HOLD)):
        async with stage() as (here, first, _):
            present_cause.set(CAUSE)
            await here.own()
            here.house.screenings.owned.set_lease(-1.0)
            asking = asyncio.ensure_future(way(here))
            await asyncio.sleep(0.1)
            rival = House(here.house.database, owner=first.name)
            await rival.screenings.ask(HoldSeats(1, "user:2", (2,)))
            assert await here.house.screenings.owned.confirm(lambda: 1e9) == [1]
            here.owned_by(first)
            assert await asking == HELD
            assert first.calls == [(ASK, (HOLD, *CAUSE))]


@in_virtual_time
async def test_a_command_waits_until_a_node_serves() -> None:
    async with stage() as (here, first, _):
        for way, cause in ((lambda: here.ask(cause=CAUSE), None), (lambda: here.routed.ask(HOLD), CAUSE)):
            first.asked.clear()
            here.owned_by()
            present_cause.set(cause)
            asking = asyncio.ensure_future(way())
            await asyncio.sleep(1)
            gc.collect()
            assert not asking.done()
            here.owned_by(first)
            assert await asking == HELD
            assert first.calls == [(ASK, (HOLD, *CAUSE))]


@in_virtual_time
async def test_the_owner_is_looked_up_after_longer_and_longer_pauses_for_most_of_the_time() -> None:
    async with stage() as (here, _, _):
        here.owned_by()
        began = now()
        here.members.asked.clear()
        assert isinstance(await error_of(here.ask()), NoOwner)
        assert [now() - began] == about(7.91)
        times = sorted(set(here.members.asked))
        pauses = [after - before for before, after in zip([began, *times], times, strict=False)]
        assert pauses[:6] == about(0.01, 0.02, 0.04, 0.08, 0.16, 0.2, journey=0.001)
        assert pauses[6:] == about(*[0.2] * len(pauses[6:]), journey=0.001)


@in_virtual_time
async def test_an_owner_that_is_found_late_gets_the_rest_of_the_time() -> None:
    async with stage() as (here, first, _):
        here.owned_by()
        first.answers[ASK] = [SILENT]
        began = now()
        asking = here.ask()
        await asyncio.sleep(5)
        here.owned_by(first)
        assert isinstance(await error_of(asking), NoAnswer)
        assert [now() - began] == about(SECONDS, journey=0.1)
        assert len(first.asked) == 1


@in_virtual_time
async def test_the_last_node_refuses_at_once_when_it_drains() -> None:
    async with stage() as (here, first, _):
        here.owned_by()
        here.members.state = DRAINING
        began = now()
        assert isinstance(await error_of(here.ask()), NoOwner)
        assert [now() - began] == about(0.01)
        # As long as another node serves, it may take the screening.
        first.answers[ASK] = [OwnershipLost(1)]
        here.owned_by(first)
        asking = here.ask()
        await asyncio.sleep(2)
        assert not asking.done()
        asking.cancel()


@in_virtual_time
async def test_commands_that_look_for_an_owner_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screenings, "ASKING_AGAIN_LIMIT", 2)
    async with stage() as (here, first, _):
        for _ in range(2):
            here.owned_by()
            waiting = [here.ask(), here.ask()]
            await asyncio.sleep(MOMENT)
            with pytest.raises(Overloaded) as refused:
                await here.ask()
            assert refused.value.screening_id == 1
            here.owned_by(first)
            assert await asyncio.gather(*waiting) == [HELD, HELD]


# Changes


class Write:
    """A task that runs while screenings are suspended.

    Attributes:
        began: when.
    """

    def __init__(self, error: Exception | None = None) -> None:
        self.began: list[float] = []
        self._error = error

    async def __call__(self) -> str:
        self.began.append(now())
        await asyncio.sleep(1)
        if self._error is not None:
            raise self._error
        return "written"


@in_virtual_time
async def test_a_screening_is_suspended_at_its_owner_while_it_is_changed() -> None:
    async with stage() as (here, first, _):
        write = Write()
        assert await here.routed.change(1, write) == "written"
        (suspend, (screening_id, change_id)), (resume, value) = first.calls
        assert (suspend, screening_id, resume, value) == (SUSPEND, 1, RESUME, (1, change_id, True))
        suspended_at, resumed_at = first.times
        assert suspended_at < write.began[0] and [resumed_at] == about(write.began[0] + 1)
        await here.routed.change(1, write)
        assert first.calls[2][1] != (1, change_id), "each change has a name of its own"


@in_virtual_time
async def test_the_owner_is_told_that_nothing_was_written() -> None:
    async with stage() as (here, first, _):
        assert isinstance(await error_of(here.routed.change(1, Write(ValueError()))), ValueError)
        assert [(kind, *value[2:]) for kind, value in first.calls] == [(SUSPEND,), (RESUME, False)]


@in_virtual_time
async def test_several_screenings_are_suspended_in_the_order_of_their_numbers() -> None:
    async with stage() as (here, first, _):
        assert await here.routed.change_all((5, 3, 4), Write()) == "written"
        assert [value[0] for _, value in first.calls[:3]] == [3, 4, 5]
        assert sorted(value[0] for kind, value in first.calls if kind == RESUME) == [3, 4, 5]
        first.asked.clear()
        assert await here.routed.change_all((), Write()) == "written"
        first.answers[SUSPEND] = [None, NotFound("screening", 4)]
        write = Write()
        assert isinstance(await error_of(here.routed.change_all((5, 3, 4), write)), NotFound)
        assert write.began == []
        assert [(kind, value[0], *value[2:]) for kind, value in first.calls] == [
            *((SUSPEND, 3), (SUSPEND, 4), (RESUME, 3, False))
        ]


@in_virtual_time
async def test_a_screening_of_this_node_is_suspended_here() -> None:
    async with stage() as (here, first, _):
        await here.own()
        asked: list[Any] = []

        async def write() -> str:
            asked.append(asyncio.ensure_future(here.routed.ask(ReadStock(1))))
            await asyncio.sleep(1)
            assert not asked[0].done()
            return "written"

        assert await here.routed.change(1, write) == "written"
        assert (await asked[0]).available == 20
        assert first.calls == []


@in_virtual_time
async def test_other_nodes_suspend_and_resume_the_screenings_of_this_one() -> None:
    async with nodes(2) as (node, other):
        here = Here(node)
        await here.own()
        told = here.house.publisher.changes
        for changed in (False, True):
            change = (1, "change-1", "newer")
            await other.links.call(here.name, SUSPEND, change, SECONDS)
            asked = here.ask(ReadStock(1)) or asyncio.ensure_future(here.routed.ask(ReadStock(1)))
            await asyncio.sleep(1)
            assert not asked.done()
            await other.links.call(here.name, RESUME, (1, "change-1", changed, "newer"), SECONDS)
            await asked
            assert bool(told) is changed
        await here.house.screenings.stop()


@in_virtual_time
async def test_a_screening_whose_owner_changes_is_suspended_at_the_new_one() -> None:
    async with stage() as (here, first, second):
        for lost in (OwnershipLost(1), None):
            first.asked.clear()
            second.asked.clear()
            first.answers[SUSPEND] = [lost]
            here.owned_by(*([first] if lost else []))
            changing = asyncio.ensure_future(here.routed.change(1, Write()))
            await asyncio.sleep(0.5)
            here.owned_by(second)
            assert await changing == "written"
            assert [kind for kind, _ in second.calls] == [SUSPEND, RESUME]
            assert {kind for kind, _ in first.calls} == ({SUSPEND} if lost else set())


@in_virtual_time
async def test_a_screening_that_nobody_can_suspend_is_not_changed() -> None:
    async with stage() as (here, first, _):
        write = Write()
        for answer, error, seconds in (
            (StoreUnavailable(), StoreUnavailable, 0),
            (OwnershipLost(1), OwnershipLost, 8),
            (SILENT, NoAnswer, CALL_SECONDS),
        ):
            first.answers[SUSPEND] = [answer]
            began = now()
            assert isinstance(await error_of(here.routed.change(1, write)), error)
            assert [now() - began] == about(seconds, journey=0.3)
        assert write.began == []
        # It may have been suspended by the call that was not answered.
        await asyncio.sleep(1)
        kind, value = first.calls[-1]
        assert (kind, value[2]) == (RESUME, False)
        assert [kind for kind, _ in first.calls].count(RESUME) == 1


@in_virtual_time
async def test_an_owner_that_cannot_be_told_is_told_again_after_longer_and_longer_pauses(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with stage() as (here, first, _):
        first.answers[RESUME] = [StoreUnavailable()]
        began = now()
        assert await here.routed.change(1, Write()) == "written"
        assert [now() - began] == about(1 + SECONDS, journey=0.1)
        await asyncio.sleep(60)
        times = first.times[1:]
        pauses = [after - before for before, after in pairwise(times)]
        assert len(times) == RESUME_ATTEMPTS
        assert pauses == about(0.1, 0.2, 0.4, 0.8, 1.6, *[3.2] * (RESUME_ATTEMPTS - 6))
        assert "the owner of screening 1 was not told that it has changed" in caplog.text


@in_virtual_time
async def test_an_owner_is_told_until_it_has_heard_or_the_screening_is_gone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with stage() as (here, first, _):
        for answers, attempts in (
            ([LinkFull(), None], 2),
            ([NodeUnreachable(first.name), SILENT, None], 3),
            ([NotFound("screening", 1)], 1),
        ):
            first.asked.clear()
            first.answers[RESUME] = answers
            await here.routed.change(1, Write())
            await asyncio.sleep(60)
            assert [kind for kind, _ in first.calls] == [SUSPEND, *[RESUME] * attempts]
        assert caplog.text == ""


@in_virtual_time
async def test_the_new_owner_is_told_as_well_as_the_node_that_was_asked_to_suspend() -> None:
    async with stage() as (here, first, second):

        async def move() -> None:
            here.owned_by(second)

        first.answers[RESUME] = [StoreUnavailable()]
        await here.routed.change(1, move)
        await asyncio.sleep(30)
        assert [kind for kind, _ in first.calls] == [SUSPEND, RESUME]
        assert [(kind, value[2]) for kind, value in second.calls] == [(RESUME, True)]
        assert second.calls[0][1] == first.calls[1][1]


@in_virtual_time
async def test_the_next_owner_is_told_if_the_screening_moves_while_its_owner_is_told() -> None:
    async with stage() as (here, first, second):
        first.answers[RESUME] = [SILENT, None]
        changing = asyncio.ensure_future(here.routed.change(1, Write()))
        await asyncio.sleep(2)
        here.owned_by(second)
        await changing
        assert [kind for kind, _ in second.calls] == [RESUME]
        # Nobody serves for a while.
        first.asked.clear()
        second.asked.clear()
        second.answers[RESUME] = [None]

        async def end() -> None:
            here.owned_by()

        changing = asyncio.ensure_future(here.routed.change(1, end))
        await asyncio.sleep(2)
        here.owned_by(first)
        await changing
        await asyncio.sleep(10)
        assert [kind for kind, _ in first.calls] == [RESUME]
        assert {kind for kind, _ in second.calls} == {SUSPEND, RESUME}


@in_virtual_time
async def test_this_node_resumes_what_has_become_its_own() -> None:
    async with stage() as (here, first, _):

        async def move() -> None:
            here.owned_by(here)

        await here.routed.change(1, move)
        assert [kind for kind, _ in first.calls] == [SUSPEND, RESUME]
        assert (await here.routed.ask(ReadStock(1))).available == 20


# Sweeps


@in_virtual_time
async def test_a_sweep_counts_what_all_nodes_have_released() -> None:
    async with stage() as (here, first, second):
        here.owned_by(here, first, second)
        first.answers[SWEEP], second.answers[SWEEP] = [3], [4]
        assert await here.routed.sweep() == 7
        assert first.calls == second.calls == [(SWEEP, None)]
        second.answers[SWEEP] = [SILENT]
        began = now()
        assert isinstance(await error_of(here.routed.sweep()), NoAnswer)
        assert [now() - began] == about(CALL_SECONDS, journey=0.1)


@in_virtual_time
async def test_this_node_sweeps_its_own_screenings_also_for_others() -> None:
    async with nodes(2) as (node, other):
        here = Here(node)
        await here.own()
        sweeps = (here.routed.sweep, lambda: other.links.call(here.name, SWEEP, None, SECONDS))
        for seat, sweep in enumerate(sweeps, 1):
            await here.routed.ask(HoldSeats(1, "user:1", (seat,)))
            here.house.clock._now += 2_000.0
            assert await sweep() == 1
        await here.house.screenings.stop()
