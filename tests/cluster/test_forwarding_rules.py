"""A node that sends commands to an owner, whose answers are in the test's hands, in virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cluster import forwarding
from cluster.beats import NodeState
from cluster.errors import NoAnswer, NodeUnreachable
from cluster.forwarding import ASK, PART, Forwarding
from cluster.long_replies import LongReplies
from cluster.messages import NotUnderstood, ReadNewSeats, SeatsUnchanged
from cluster.wire import decode_command, encode_reply
from engine.causes import Cause
from engine.causes import cause as present_cause
from engine.commands import BookSeats, Command, HoldSeats, ReadSeats, ToggleSeats
from engine.errors import OutcomeUnknown, Overloaded, OwnershipLost, StoreUnavailable
from engine.replies import Toggled
from engine.selling_errors import SeatsUnavailable
from engine.views import SeatMap, SeatView
from tests.cluster.servers import Layouts, Members
from tests.cluster.virtual import Node, in_virtual_time, nodes
from tests.cluster.wire_samples import HELD
from tests.engine.conftest import make_layout

HOLD = HoldSeats(7, "user:7", (41, 42))
TOGGLE = ToggleSeats(7, "user:7", (41,))
TOGGLED = Toggled(HELD, None)
CAUSE = Cause("r-1", "00-trace")
SECONDS = 10.0
AGAIN_SECONDS = 0.05
"""Pause before a command is sent again, and the least time that must be left for that."""


def seats(screening_id: int = 7, seq: int = 1, holder: str = "user:1") -> SeatMap:
    return SeatMap(screening_id, 1, seq, make_layout(), {2: SeatView(2, "reserved", holder)})


def about(*seconds: float, journey: float = 0.15) -> Any:
    """Virtual times, apart from those of messages."""
    return pytest.approx(list(seconds), abs=journey)


class Owner:
    """A node that is asked.

    Attributes:
        asked: what has come: the number and the command.
        named: what the latest command has come with.
        times: when the commands have come.
        answers: to the next commands: a reply, an error, something that is no reply, a future of bytes, or
            `None` for none. The last one stays.
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self.asked: list[tuple[int, Any]] = []
        self.named: list[Any] = []
        self.times: list[float] = []
        self.answers: list[Any] = [None]
        node.links.on(ASK, self._answer)

    @property
    def commands(self) -> list[Any]:
        return [command for _, command in self.asked]

    def _answer(self, sender: str, value: Any) -> Any:
        number, command, *self.named = value
        self.asked.append((number, decode_command(command)))
        loop = asyncio.get_running_loop()
        self.times.append(loop.time())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            return loop.create_future()
        return answer if isinstance(answer, asyncio.Future | str | bytes) else encode_reply(answer)


class Asker:
    """A node that asks.

    Attributes:
        again: the commands that were asked in another way, the seconds left, and on whose behalf.
        other_way: the reply to these, or an error.
        outcomes: what was counted.
    """

    def __init__(self, node: Node, owner: Node) -> None:
        self.node = node
        self.owner = owner.name
        self.members = Members()
        self.members.become({owner.name: NodeState.SERVING})
        self.layouts = Layouts()
        self.again: list[tuple[Command, float, Cause | None]] = []
        self.other_way: Any = TOGGLED
        self.outcomes: list[tuple[str, float, str]] = []
        self.forwarding = Forwarding(
            node.links,
            self.members,  # type: ignore[arg-type]
            self.layouts,
            self,
        )

    def forwarded(self, kind: str, seconds: float, outcome: str) -> None:
        self.outcomes.append((kind, seconds, outcome))

    def ask(
        self, command: Command, seconds: float = SECONDS, *, again: bool = True, cause: Cause | None = None
    ) -> "asyncio.Future[Any]":
        return self.forwarding.forward(command, self.owner, seconds, self._again if again else None, cause)

    async def _again(self, command: Command, seconds: float) -> Any:
        self.again.append((command, seconds, present_cause.get()))
        if isinstance(self.other_way, Exception):
            raise self.other_way
        return self.other_way

    def lose_connection(self) -> None:
        """Lose the connection to NATS for a moment, and with it all answers that are under way."""
        self.node.connection.abandon()

    def move(self) -> None:
        """Let another node become the owner."""
        self.members.become({"0000beef": NodeState.SERVING})


@asynccontextmanager
async def stage() -> AsyncIterator[tuple[Asker, Owner]]:
    async with nodes(2) as (here, there):
        # No time that is 0 or close to it.
        await asyncio.sleep(100)
        yield Asker(here, there), Owner(there)


async def asked(owner: Owner, number: int = 1) -> None:
    """Wait until an owner was asked so many times."""
    async with asyncio.timeout(30):
        while len(owner.asked) < number:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@in_virtual_time
async def test_a_command_travels_with_its_number_and_its_cause() -> None:
    async with stage() as (here, owner):
        owner.answers = [TOGGLED]
        assert await here.ask(TOGGLE) == TOGGLED
        assert (owner.asked, owner.named) == ([(1, TOGGLE)], [])
        assert await here.ask(TOGGLE, cause=CAUSE) == TOGGLED
        assert (owner.asked[1:], owner.named) == ([(2, TOGGLE)], [*CAUSE])


@in_virtual_time
async def test_the_time_to_each_answer_is_counted() -> None:
    async with stage() as (here, owner):
        answer = asyncio.get_running_loop().create_future()
        owner.answers = [answer, SeatsUnavailable([1], []), ValueError()]
        asking = here.ask(TOGGLE)
        await asyncio.sleep(1)
        answer.set_result(encode_reply(TOGGLED))
        await asking
        for error in (SeatsUnavailable, Exception):
            with pytest.raises(error):
                await here.ask(HOLD)
        kinds = [(kind, outcome) for kind, _, outcome in here.outcomes]
        assert kinds == [("ToggleSeats", "ok"), ("HoldSeats", "seats_unavailable"), ("HoldSeats", "failed")]
        assert [seconds for _, seconds, _ in here.outcomes] == about(1, 0, 0)


@in_virtual_time
async def test_an_error_of_the_owner_is_raised_although_it_could_be_asked_again() -> None:
    async with stage() as (here, owner):
        owner.answers = [Overloaded(7)]
        with pytest.raises(Overloaded):
            await here.ask(HOLD)
        assert (len(owner.asked), here.again) == (1, [])


@in_virtual_time
async def test_after_a_lost_answer_the_same_owner_gets_the_same_number_and_the_rest_of_the_time() -> None:
    async with stage() as (here, owner):
        owner.answers = [None, None, TOGGLED]
        asking = here.ask(TOGGLE, cause=CAUSE)
        for attempt in (1, 2):
            await asked(owner, attempt)
            lost_at = asyncio.get_running_loop().time()
            here.lose_connection()
            await asked(owner, attempt + 1)
            assert [owner.times[-1] - lost_at] == about(AGAIN_SECONDS, journey=0.005)
        assert await asking == TOGGLED
        assert (owner.asked, owner.named) == ([(1, TOGGLE)] * 3, [*CAUSE])
        owner.answers = [None]
        began = asyncio.get_running_loop().time()
        asking = here.ask(TOGGLE, 3)
        await asked(owner, 4)
        await asyncio.sleep(1)
        here.lose_connection()
        with pytest.raises(NoAnswer):
            await asking
        assert len(owner.asked) == 5
        assert [asyncio.get_running_loop().time() - began] == about(3)
        assert here.again == []


@in_virtual_time
async def test_a_command_waits_for_the_connection_as_long_as_it_has_time() -> None:
    async with stage() as (here, owner):
        owner.answers = [None, TOGGLED, None]
        nats = here.node.connection.nats
        loop = asyncio.get_running_loop()
        asking = here.ask(TOGGLE)
        await asked(owner)
        nats.kill()
        await asyncio.sleep(2)
        assert not asking.done()
        nats.start()
        assert await asking == TOGGLED
        began = loop.time()
        asking = here.ask(TOGGLE, 2)
        await asked(owner, 3)
        nats.kill()
        with pytest.raises(NoAnswer):
            await asking
        assert [loop.time() - began] == about(2)
        assert here.again == []


@in_virtual_time
async def test_a_lost_answer_is_not_asked_for_again_when_the_time_is_nearly_over() -> None:
    async with stage() as (here, owner):
        asking = here.ask(TOGGLE, 1)
        await asked(owner)
        await asyncio.sleep(1 - AGAIN_SECONDS)
        here.lose_connection()
        before = asyncio.get_running_loop().time()
        with pytest.raises(NoAnswer):
            await asking
        assert asyncio.get_running_loop().time() == before
        await asyncio.sleep(1)
        assert len(owner.asked) == 1


@in_virtual_time
async def test_a_new_owner_is_not_asked_for_what_may_have_been_done() -> None:
    async with stage() as (here, owner):
        for command in (TOGGLE, BookSeats(7, "user:7", (41,), "pay-1")):
            owner.asked.clear()
            asking = here.ask(command)
            await asked(owner)
            here.lose_connection()
            here.move()
            with pytest.raises(NoAnswer):
                await asking
            await asyncio.sleep(1)
            assert (len(owner.asked), here.again) == (1, [])
            here.members.become({here.owner: NodeState.SERVING})


@in_virtual_time
async def test_a_new_owner_is_asked_for_what_does_no_harm_twice() -> None:
    async with stage() as (here, owner):
        for command, reply in ((HOLD, HELD), (ReadSeats(7), seats())):
            owner.asked.clear()
            here.again.clear()
            here.other_way = reply
            here.members.become({here.owner: NodeState.SERVING})
            asking = here.ask(command, cause=CAUSE)
            await asked(owner)
            await asyncio.sleep(1)
            here.lose_connection()
            here.move()
            assert await asking == reply
            ((again, seconds, cause),) = here.again
            assert (again, cause) == (command, CAUSE)
            assert [seconds] == about(SECONDS - 1)
            assert len(owner.asked) == 1


@in_virtual_time
async def test_a_lost_answer_stays_lost_if_nobody_else_can_be_asked() -> None:
    async with stage() as (here, owner):
        for other_way, error in (
            (None, NoAnswer),  # there is no other way
            (StoreUnavailable(), NoAnswer),
            (SeatsUnavailable([41], []), SeatsUnavailable),
            (ValueError(), ValueError),
        ):
            owner.asked.clear()
            here.other_way = other_way
            here.members.become({here.owner: NodeState.SERVING})
            asking = here.ask(HOLD, again=other_way is not None)
            await asked(owner)
            here.lose_connection()
            here.move()
            with pytest.raises(error):
                await asking


@in_virtual_time
async def test_a_command_that_was_certainly_not_carried_out_is_asked_in_another_way() -> None:
    async with stage() as (here, owner):
        owner.answers = [OwnershipLost(7)]
        assert await here.ask(TOGGLE, cause=CAUSE) == TOGGLED
        ((command, seconds, cause),) = here.again
        assert (command, cause) == (TOGGLE, CAUSE)
        assert [seconds] == about(SECONDS)
        here.other_way = StoreUnavailable()
        with pytest.raises(StoreUnavailable):
            await here.ask(TOGGLE)
        with pytest.raises(OwnershipLost):
            await here.ask(TOGGLE, again=False)


@in_virtual_time
async def test_nobody_else_is_asked_when_the_time_is_nearly_over() -> None:
    async with stage() as (here, _):
        here.node.connection.nats.kill()
        await asyncio.sleep(0.1)
        assert await here.ask(TOGGLE, 1.01 * AGAIN_SECONDS) == TOGGLED
        with pytest.raises(NodeUnreachable):
            await here.ask(TOGGLE, AGAIN_SECONDS)
        assert len(here.again) == 1


@in_virtual_time
async def test_a_caller_that_has_gone_is_not_answered() -> None:
    async with stage() as (here, owner):
        owner.answers = [TOGGLED, Overloaded(7), OwnershipLost(7), OwnershipLost(7)]
        callers = [here.ask(TOGGLE) for _ in range(3)]
        here.other_way = TOGGLED
        for caller in callers:
            caller.cancel()
        await asyncio.sleep(1)
        assert [outcome for _, _, outcome in here.outcomes] == ["ok", "overloaded"]
        assert len(here.again) == 1


# Seat maps


@in_virtual_time
async def test_a_missing_layout_is_loaded_and_the_seats_are_asked_for_once_more() -> None:
    async with stage() as (here, owner):
        owner.answers = [seats()]
        assert (await here.ask(ReadSeats(7))).views == seats().views
        assert (owner.commands, here.layouts.loads) == ([ReadSeats(7)] * 2, 1)


@in_virtual_time
async def test_a_layout_that_cannot_be_loaded_fails_the_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async def layout(room_id: int, version: int) -> Any:
        raise StoreUnavailable

    async with stage() as (here, owner):
        owner.answers = [seats()]
        monkeypatch.setattr(here.layouts, "layout", layout)
        with pytest.raises(StoreUnavailable):
            await here.ask(ReadSeats(7))
        assert len(owner.asked) == 1


@in_virtual_time
async def test_only_new_seats_are_asked_for() -> None:
    async with stage() as (here, owner):
        here.layouts.loads = 1
        owner.answers = [seats(), SeatsUnchanged(7, 1, 1), seats(seq=2, holder="user:2")]
        first, same, new = [await here.ask(ReadSeats(7)) for _ in range(3)]
        assert owner.commands == [ReadSeats(7), ReadNewSeats(7, 1, 1), ReadNewSeats(7, 1, 1)]
        assert same is first
        assert (new.seq, new.views[2].holder) == (2, "user:2")
        await here.ask(ReadSeats(7))
        assert owner.commands[-1] == ReadNewSeats(7, 1, 2)


@in_virtual_time
async def test_the_seats_that_came_first_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding, "SEAT_MAPS_KEPT", 2)
    async with stage() as (here, owner):
        here.layouts.loads = 1
        for screening_id, seq in ((1, 1), (2, 1), (1, 2), (3, 1)):
            owner.answers = [seats(screening_id, seq)]
            await here.ask(ReadSeats(screening_id))
        owner.asked.clear()
        owner.answers = [OwnershipLost(1)]
        for screening_id in (1, 2, 3):
            with pytest.raises(OwnershipLost):
                await here.ask(ReadSeats(screening_id), again=False)
        assert owner.commands == [ReadNewSeats(1, 1, 2), ReadSeats(2), ReadNewSeats(3, 1, 1)]


@in_virtual_time
@pytest.mark.parametrize(
    "unchanged", [SeatsUnchanged(7, 1, 1), SeatsUnchanged(7, 2, 2), SeatsUnchanged(8, 1, 1)]
)
async def test_seats_that_are_not_those_of_this_node_are_asked_for_in_another_way(
    unchanged: SeatsUnchanged,
) -> None:
    async with stage() as (here, owner):
        here.layouts.loads = 1
        owner.answers = [seats(seq=2), unchanged]
        await here.ask(ReadSeats(7))
        here.other_way = seats(seq=3)
        assert await here.ask(ReadSeats(7)) == here.other_way


# Replies


@in_virtual_time
async def test_a_reply_that_is_not_understood_is_refused() -> None:
    async with stage() as (here, owner):
        for reply in ("text", b"", b"\xfa\x90"):
            owner.answers = [reply]
            with pytest.raises(NotUnderstood):
                await here.ask(TOGGLE)


@in_virtual_time
async def test_a_long_reply_is_joined_from_its_parts() -> None:
    async with stage() as (here, owner):
        replies = LongReplies(20)
        for states, understood in (
            ({}, True),
            ({owner.node.name: NodeState.DRAINING}, True),
            ({owner.node.name: NodeState.GONE}, False),
        ):
            answer = asyncio.get_running_loop().create_future()
            owner.answers = [answer]
            asking = here.ask(TOGGLE)
            *parts, last = replies.cut(encode_reply(TOGGLED))
            assert parts
            for part in parts:
                owner.node.links.send(here.node.name, PART, part)
            await asyncio.sleep(0.1)
            here.members.become({**here.members.view.states, **states})
            answer.set_result(last)
            if understood:
                assert await asking == TOGGLED
            else:
                with pytest.raises(NotUnderstood):
                    await asking


@in_virtual_time
async def test_an_outcome_that_the_owner_does_not_know_is_told() -> None:
    async with stage() as (here, owner):
        owner.answers = [OutcomeUnknown()]
        with pytest.raises(OutcomeUnknown):
            await here.ask(TOGGLE)
        assert (len(owner.asked), here.again) == (1, [])
