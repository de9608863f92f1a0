"""Calls between nodes, message by message, in virtual time."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from cluster import links
from cluster.connection import NotSent
from cluster.errors import LinkFull, MessageTooLong, NoAnswer, NodeUnreachable, RemoteDefect
from cluster.links import CALL, COLLECTING_TURNS, ENOUGH_ITEMS, REPLY, SEND, TICK_SECONDS, VERSION, Links
from cluster.messages import NotUnderstood
from engine.errors import OutcomeUnknown, Overloaded
from tests.cluster.virtual import Node, connection, in_virtual_time, nodes
from tests.simulation.network import MESSAGE_BYTES

SECONDS = 10.0
NOBODY = "0badc0de"
MOMENT = 0.02
"""Long enough for a message and its answer, and shorter than a tick."""

encode = msgspec.msgpack.encode


class Tap:
    """Sees all messages.

    Attributes:
        messages: the last part of the subject, and the items.
        clocks: of the senders, in ms.
    """

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.messages: list[tuple[str, list[Any]]] = []
        self.clocks: list[int] = []
        connection.subscribe("frontrow.cluster.node.>", self._see)
        connection.subscribe("frontrow.cluster.all", self._see)

    def _see(self, subject: str, content: bytes) -> None:
        _, _, items, _, sent = msgspec.msgpack.decode(content)
        self.messages.append((subject.rsplit(".", 1)[-1], items))
        self.clocks.append(sent)

    def look_away(self) -> None:
        """See nothing any more; it can still send."""
        self.connection.client.subscribed.clear()

    def sizes(self, node: Node) -> list[int]:
        """Return how many items were in each message to a node."""
        return [len(items) for subject, items in self.messages if subject == node.name]


def now() -> float:
    return asyncio.get_running_loop().time()


def prepare(node: Node) -> list[Any]:
    """Give a node handlers. Returns the values of its notes, with their senders."""
    received: list[Any] = []
    node.links.on("echo", lambda sender, value: value)
    node.links.on("note", lambda sender, value: received.append((sender, value)))
    node.links.on("hang", lambda sender, value: asyncio.get_running_loop().create_future())
    return received


@asynccontextmanager
async def stage(number: int = 2) -> AsyncIterator[list[Any]]:
    """Nodes, and a tap."""
    async with nodes(number) as made:
        tap = Tap(connection(made[0].connection.nats, "tap"))
        await tap.connection.start()
        for node in made:
            prepare(node)
        await asyncio.sleep(100)
        yield [*made, tap]
        await tap.connection.stop()


async def error_of(call: "asyncio.Future[Any]") -> Any:
    (error,) = await asyncio.gather(call, return_exceptions=True)
    assert isinstance(error, Exception), error
    return error


# Collecting


@in_virtual_time
async def test_what_comes_in_several_turns_travels_together_up_to_a_number_of_turns() -> None:
    async with stage() as (one, two, tap):
        for number in range(2 * COLLECTING_TURNS):
            one.links.send(two.name, "note", number)
            await asyncio.sleep(0)
        await asyncio.sleep(MOMENT)
        assert tap.sizes(two) == [COLLECTING_TURNS, COLLECTING_TURNS]
        one.links.send(two.name, "note", 1)
        for _ in range(2):
            await asyncio.sleep(0)
        one.links.send(two.name, "note", 2)
        await asyncio.sleep(MOMENT)
        assert tap.sizes(two)[2:] == [1, 1], "a turn without anything new ends it"


@in_virtual_time
@pytest.mark.parametrize(
    ("at_once", "sizes"), [(ENOUGH_ITEMS - 1, [ENOUGH_ITEMS]), (ENOUGH_ITEMS, [ENOUGH_ITEMS, 1])]
)
async def test_enough_items_are_sent_without_waiting_for_more(at_once: int, sizes: list[int]) -> None:
    async with stage() as (one, two, tap):
        for number in range(at_once):
            one.links.send(two.name, "note", number)
        await asyncio.sleep(0)
        one.links.send(two.name, "note", "next")
        await asyncio.sleep(MOMENT)
        assert tap.sizes(two) == sizes


@in_virtual_time
async def test_items_for_several_nodes_are_collected_at_the_same_time() -> None:
    async with stage(3) as (one, two, three, tap):
        half = ENOUGH_ITEMS // 2
        for number in range(half):
            one.links.send(two.name, "note", number)
            one.links.send(three.name, "note", number)
        await asyncio.sleep(0)
        one.links.send(two.name, "note", "next")
        await asyncio.sleep(MOMENT)
        assert (tap.sizes(two), tap.sizes(three)) == ([half, 1], [half])


@in_virtual_time
async def test_the_replies_to_a_message_travel_in_one_together_with_what_was_sent_before() -> None:
    async with stage() as (one, two, tap):
        two.links.on("ask back", lambda sender, value: two.links.send(sender, "note", value))
        calls = [one.links.call(two.name, kind, 5, SECONDS) for kind in ("echo", "ask back", "echo")]
        assert await asyncio.gather(*calls) == [5, None, 5]
        await asyncio.sleep(MOMENT)
        (replies,) = [items for subject, items in tap.messages if subject == one.name]
        numbers = [item[1] for item in tap.messages[0][1]]
        assert replies == [
            [REPLY, numbers[0], 5],
            [SEND, "note", 5],
            *([REPLY, number, value] for number, value in zip(numbers[1:], (None, 5), strict=True)),
        ]


@in_virtual_time
async def test_what_a_node_sends_after_a_message_that_needs_no_answer_is_collected_as_well() -> None:
    async with stage() as (one, two, tap):
        loop = asyncio.get_running_loop()

        def tell(sender: str, value: object) -> None:
            two.links.send(sender, "note", 1)
            loop.call_soon(two.links.send, sender, "note", 2)

        two.links.on("tell", tell)
        one.links.send(two.name, "tell", None)
        await asyncio.sleep(MOMENT)
        assert tap.sizes(one) == [2]


@in_virtual_time
async def test_a_message_tells_how_long_its_callers_wait_and_the_senders_clock() -> None:
    async with stage() as (one, two, tap):
        began = now()
        await one.links.call(two.name, "echo", 5, 2.5)
        assert tap.messages[0] == (two.name, [[CALL, 1, 2500, "echo", 5]])
        assert tap.clocks[0] == int(began * 1000)


# Calls that fail


@in_virtual_time
async def test_a_call_times_out_and_others_do_not() -> None:
    async with stage() as (one, two, _):
        for _ in range(2):
            began = now()
            hasty, patient = (one.links.call(two.name, "hang", 1, seconds) for seconds in (0.5, 1.5))
            assert isinstance(await error_of(hasty), NoAnswer)
            assert 0.5 <= now() - began <= 0.5 + 2 * TICK_SECONDS
            assert not patient.done()
            assert isinstance(await error_of(patient), NoAnswer)
            assert 1.5 <= now() - began <= 1.5 + 2 * TICK_SECONDS
            await asyncio.sleep(1)


@in_virtual_time
async def test_a_late_reply_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    async with stage() as (one, two, _):
        two.links.on("slow", lambda sender, value: asyncio.sleep(value, "slept"))
        assert isinstance(await error_of(one.links.call(two.name, "slow", 1, 0.2)), NoAnswer)
        gone = one.links.call(two.name, "echo", 1, SECONDS)
        gone.cancel()
        await asyncio.sleep(2)
        assert await one.links.call(two.name, "slow", 0.2, 1) == "slept"
        assert caplog.text == ""


@in_virtual_time
async def test_unanswered_calls_are_limited_and_those_without_a_caller_do_not_count_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(links, "CALLS_LIMIT", 2)
    async with stage(3) as (one, two, three, _):
        calls = [one.links.call(two.name, "hang", 1, SECONDS) for _ in range(3)]
        assert [type(call.exception()) if call.done() else None for call in calls] == [None, None, LinkFull]
        assert await one.links.call(three.name, "echo", 1, SECONDS) == 1
        for call in calls[:2]:
            call.cancel()
        assert isinstance(await error_of(one.links.call(two.name, "echo", 1, SECONDS)), LinkFull)
        await asyncio.sleep(2 * TICK_SECONDS)
        assert await one.links.call(two.name, "echo", 1, SECONDS) == 1


@in_virtual_time
async def test_calls_to_nobody_fail_and_those_of_other_messages_do_not() -> None:
    async with stage() as (one, two, tap):
        await tap.connection.stop()  # it would receive them
        before = one.links.call(two.name, "hang", 1, SECONDS)
        await asyncio.sleep(MOMENT)
        two.connection.nats.disconnect(two.connection.client)
        calls = [one.links.call(two.name, "hang", 1, SECONDS) for _ in range(3)]
        elsewhere = one.links.call(one.name, "hang", 1, SECONDS)
        await asyncio.sleep(MOMENT)
        assert [type(call.exception()) for call in calls] == [NodeUnreachable] * 3
        assert not before.done() and not elsewhere.done()
        two.connection.nats.connect(two.connection.client)
        after = one.links.call(two.name, "hang", 1, SECONDS)
        one.links._nobody_received(f"frontrow.cluster.unserved.{one.name}.{NOBODY}.1.9", b"")
        await asyncio.sleep(MOMENT)
        waiting = (before, elsewhere, after)
        assert not any(call.done() for call in waiting)
        for call in waiting:
            call.cancel()


@in_virtual_time
async def test_when_the_connection_is_lost_calls_fail_with_what_is_certain() -> None:
    async with stage() as (one, two, tap):
        regained: list[float] = []
        one.links.on_regained(lambda: regained.append(now()))
        assert one.links.connected
        sent = [one.links.call(two.name, "hang", 1, SECONDS) for _ in range(2)]
        await asyncio.sleep(MOMENT)
        unsent = one.links.call(two.name, "hang", 1, SECONDS)
        one.links.send(two.name, "note", "stale")
        tap.messages.clear()
        one.connection.nats.kill()
        one.connection.abandon()
        assert [type(call.exception()) for call in (*sent, unsent)] == [NoAnswer, NoAnswer, NodeUnreachable]
        assert not one.links.connected
        down = one.links.call(two.name, "hang", 1, SECONDS)
        assert isinstance(down.exception(), NodeUnreachable)
        await asyncio.sleep(1)
        one.connection.nats.start()
        await asyncio.sleep(5)
        assert len(regained) == 1
        assert await one.links.call(two.name, "echo", 1, SECONDS) == 1
        assert all(item[:2] != [SEND, "note"] for _, items in tap.messages for item in items)


@in_virtual_time
async def test_what_nats_does_not_take_fails_at_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage() as (one, two, _):
        for congested, error in ((False, NodeUnreachable), (True, LinkFull)):

            def refuse(*_: object, congested: bool = congested) -> None:
                raise NotSent(congested=congested)

            assert caplog.text == ""
            with monkeypatch.context() as patched:
                patched.setattr(one.connection, "publish", refuse)
                calls = [one.links.call(two.name, "echo", 1, SECONDS) for _ in range(2)]
                one.links.send(two.name, "note", 1)
                began = now()
                for call in calls:
                    assert isinstance(await error_of(call), error)
                assert now() == began
        assert "sending to another node" in caplog.text
        assert await one.links.call(two.name, "echo", 1, SECONDS) == 1


@in_virtual_time
async def test_a_call_that_was_stuck_is_not_carried_out_if_its_caller_has_given_up() -> None:
    async with stage() as (one, two, _):
        done: list[str] = []
        two.links.on("do", lambda sender, value: done.append(value))
        for _ in range(5):
            await one.links.call(two.name, "do", "prompt", SECONDS)
        two.links.send(NOBODY, "note", "one more node")
        one.connection.cable.set("cut", "out", True)
        late, in_time = (one.links.call(two.name, "do", str(seconds), seconds) for seconds in (0.1, 1.0))
        await asyncio.sleep(0.2)
        one.connection.cable.set("cut", "out", False)
        await in_time
        assert done[5:] == ["1.0"]
        assert isinstance(late.exception(), NoAnswer)


@in_virtual_time
async def test_how_long_a_message_was_stuck_is_known_to_milliseconds() -> None:
    async with stage() as (one, two, _):
        for seconds, carried_out in ((0.0, True), (0.03, False)):
            await one.links.call(two.name, "echo", 1, SECONDS)
            await asyncio.sleep(29)
            received = prepare(two)
            two.links.on("do", lambda sender, value, received=received: received.append(value))
            one.connection.cable.set("cut", "out", True)
            call = one.links.call(two.name, "do", 1, 0.015)
            await asyncio.sleep(seconds)
            one.connection.cable.set("cut", "out", False)
            await asyncio.gather(call, return_exceptions=True)
            assert bool(received) is carried_out
            await asyncio.sleep(100)


@in_virtual_time
async def test_a_node_that_is_gone_answers_no_call() -> None:
    async with stage(3) as (one, two, three, _):
        calls = [one.links.call(node.name, "hang", 1, SECONDS) for node in (two, three)]
        await asyncio.sleep(MOMENT)
        one.links.forget(two.name)
        one.links.forget(NOBODY)
        assert isinstance(calls[0].exception(), NoAnswer)
        assert calls[1].cancel()


@in_virtual_time
async def test_stopping_sends_what_was_collected_and_fails_what_is_unanswered() -> None:
    async with stage() as (one, two, tap):
        call = one.links.call(two.name, "hang", 1, SECONDS)
        await asyncio.sleep(MOMENT)
        one.links.broadcast("note", "goodbye")
        unsent = one.links.call(two.name, "hang", 2, SECONDS)
        one.links.stop()
        assert isinstance(call.exception(), NoAnswer) and isinstance(unsent.exception(), NoAnswer)
        await asyncio.sleep(MOMENT)
        assert ("all", [[SEND, "note", "goodbye"]]) in tap.messages
        assert sum(tap.sizes(two)) == 2
        two.links.stop()


# Values that cannot be sent


@in_virtual_time
async def test_a_value_that_cannot_be_encoded_fails_alone(caplog: pytest.LogCaptureFixture) -> None:
    async with stage() as (one, two, tap):
        deep: list[Any] = []
        for _ in range(100_000):
            deep = [deep]
        values = (1, object(), 2, 2**70, 3, deep, "\ud800", 4)
        calls = [one.links.call(two.name, "echo", value, SECONDS) for value in values]
        await asyncio.sleep(MOMENT)
        results = await asyncio.gather(*calls, return_exceptions=True)
        errors = [type(result) for result in results if isinstance(result, Exception)]
        assert errors == [TypeError, OverflowError, RecursionError, UnicodeEncodeError]
        assert [result for result in results if not isinstance(result, Exception)] == [1, 2, 3, 4]
        assert [item[4] for subject, items in tap.messages if subject == two.name for item in items] == [
            1,
            2,
            3,
            4,
        ]
        assert caplog.text == ""
        one.links.send(two.name, "note", object())
        await asyncio.sleep(MOMENT)
        assert "sending to another node" in caplog.text


@in_virtual_time
async def test_an_answer_that_cannot_be_encoded_is_a_defect() -> None:
    async with stage() as (one, two, _):
        two.links.on("object", lambda sender, value: object())
        two.links.on("long", lambda sender, value: "x" * MESSAGE_BYTES)
        for number in range(5):
            await one.links.call(two.name, "echo", number, SECONDS)
        for kind, text in (("object", "object"), ("long", "max_payload")):
            error = await error_of(one.links.call(two.name, kind, 1, SECONDS))
            assert isinstance(error, RemoteDefect)
            assert str(error).startswith(f"Server {two.name}: ") and text in str(error)


@in_virtual_time
async def test_messages_are_as_long_as_nats_allows() -> None:
    async with stage() as (one, two, tap):
        third = MESSAGE_BYTES // 3
        calls = [one.links.call(two.name, "echo", "x" * third, SECONDS) for _ in range(4)]
        await asyncio.gather(*calls)
        assert tap.sizes(two) == [2, 2]
        sent = int(now() * 1000)
        room = MESSAGE_BYTES - len(
            encode((VERSION, one.name, [(CALL, 5, 10_000, "hang", "x" * 70_000)], 1, sent))
        )
        longest = "x" * (70_000 + room)
        fits = one.links.call(two.name, "hang", longest, SECONDS)
        await asyncio.sleep(0.01)
        too_long = one.links.call(two.name, "hang", longest + "x", SECONDS)
        error = await error_of(too_long)
        assert isinstance(error, MessageTooLong)
        await asyncio.sleep(MOMENT)
        assert fits.cancel()


# Receiving


@in_virtual_time
async def test_a_broadcast_is_for_all_others_and_a_message_also_for_oneself() -> None:
    async with nodes(3) as made:
        received = [prepare(node) for node in made]
        one = made[0]
        one.links.broadcast("note", "all")
        one.links.send(one.name, "note", "myself")
        await asyncio.sleep(MOMENT)
        assert received == [[(one.name, "myself")], [(one.name, "all")], [(one.name, "all")]]


@in_virtual_time
async def test_handlers_answer_at_once_or_later_or_fail(caplog: pytest.LogCaptureFixture) -> None:
    async with stage() as (one, two, _):
        waiting = asyncio.get_running_loop().create_future()
        refusal = Overloaded(7)

        def refuse(sender: str, value: object) -> None:
            raise refusal

        async def refuse_later(sender: str, value: object) -> None:
            await asyncio.sleep(0.1)
            raise Overloaded(8)

        two.links.on("bytes", lambda sender, value: b"\x00")
        two.links.on("future", lambda sender, value: waiting)
        two.links.on("later", lambda sender, value: asyncio.sleep(0.1, "slept"))
        two.links.on("refuse", refuse)
        two.links.on("refuse later", refuse_later)
        calls = [
            one.links.call(two.name, kind, 1, SECONDS)
            for kind in ("bytes", "future", "later", "refuse", "refuse later", "unknown")
        ]
        await asyncio.sleep(MOMENT)
        gc.collect()
        await asyncio.sleep(0.2)
        assert [call.done() for call in calls] == [True, False, True, True, True, True]
        waiting.cancel()
        await asyncio.sleep(MOMENT)
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert (results[0], results[2]) == (b"\x00", "slept")
        errors = [result for result in results if isinstance(result, Exception)]
        assert [type(error) for error in errors] == [OutcomeUnknown, Overloaded, Overloaded, NotUnderstood]
        assert [error.screening_id for error in errors if isinstance(error, Overloaded)] == [7, 8]
        assert refusal.__traceback__ is None
        assert caplog.text == ""


@in_virtual_time
async def test_a_task_that_answers_is_kept_until_it_has_and_no_longer() -> None:
    async with stage() as (one, two, _):
        tasks: list[weakref.ref[Any]] = []
        answers: list[weakref.ref[asyncio.Future[str]]] = []

        async def wait(sender: str, value: object) -> str:
            future = asyncio.get_running_loop().create_future()
            tasks.append(weakref.ref(asyncio.current_task()))  # type: ignore[arg-type]
            answers.append(weakref.ref(future))
            return await future

        two.links.on("wait", wait)
        call = one.links.call(two.name, "wait", 1, SECONDS)
        await asyncio.sleep(MOMENT)
        gc.collect()
        answer = answers[0]()
        assert answer is not None
        answer.set_result("at last")
        assert await call == "at last"
        del answer
        gc.collect()
        assert tasks[0]() is None


@in_virtual_time
@pytest.mark.parametrize("later", [False, True])
async def test_a_bug_in_a_handler_is_logged_and_stops_nothing(
    later: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail_later(sender: str, value: object) -> None:
        raise ZeroDivisionError

    for asked in (True, False):
        caplog.clear()
        async with stage() as (one, two, _):
            two.links.on("bug", fail_later if later else lambda sender, value: 1 / 0)
            if asked:
                error = await error_of(one.links.call(two.name, "bug", 1, SECONDS))
                assert str(error) == f"Server {two.name}: the handler of bug failed"
                assert isinstance(error, RemoteDefect)
            else:
                one.links.send(two.name, "bug", 1)
            assert await one.links.call(two.name, "echo", 1, SECONDS) == 1
            await asyncio.sleep(MOMENT)
        assert "ZeroDivisionError" in caplog.text and "a message between nodes" in caplog.text


@in_virtual_time
async def test_a_message_whose_handler_is_cancelled_is_no_bug(caplog: pytest.LogCaptureFixture) -> None:
    async with stage() as (one, two, _):
        waiting = asyncio.get_running_loop().create_future()
        two.links.on("future", lambda sender, value: waiting)
        two.links.on("fine", lambda sender, value: asyncio.sleep(0))
        for kind in ("future", "fine", "unknown"):
            one.links.send(two.name, kind, 1)
        await asyncio.sleep(MOMENT)
        waiting.cancel()
        await asyncio.sleep(MOMENT)
        assert caplog.text == ""


@in_virtual_time
async def test_damaged_messages_are_logged_and_stop_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with stage() as (one, two, tap):
        tap.look_away()
        received = prepare(two)
        subject = f"frontrow.cluster.node.{two.name}"
        note = [SEND, "note", 1]
        for content in (
            *(b"", encode([]), encode(7), encode([1, one.name, [note]])),
            *(encode([1, 5, [note], 1, 1]), encode([1, "a.b", [note], 1, 1])),
            encode([1, one.name, [note], "1", None]),
            *(encode([version, one.name, [note], 1, 1]) for version in (VERSION - 2, VERSION + 2)),
        ):
            caplog.clear()
            two.links._defects._quiet_until = 0.0
            tap.connection.publish(subject, content)
            await asyncio.sleep(MOMENT)
            assert "a message between nodes" in caplog.text, content
        assert received == []


@in_virtual_time
async def test_messages_of_neighbouring_releases_are_understood(caplog: pytest.LogCaptureFixture) -> None:
    async with stage() as (one, two, tap):
        received = prepare(two)
        tap.look_away()
        subject = f"frontrow.cluster.node.{two.name}"
        for version in (VERSION - 1, VERSION, VERSION + 1):
            items = [[99, "newer"], [SEND, "note", version, "newer"], [CALL, 7, 1000, "echo", 1, "newer"]]
            tap.connection.publish(subject, encode([version, one.name, items, 1, 1, "newer"]))
            await asyncio.sleep(MOMENT)
        assert [value for _, value in received] == [VERSION - 1, VERSION, VERSION + 1]
        # Damaged items do not keep others from being handled.
        tap.connection.publish(
            subject, encode([VERSION, one.name, [5, [], [0], [SEND, "note", "last"]], 1, 1])
        )
        await asyncio.sleep(MOMENT)
        assert received[-1] == (one.name, "last")
        assert "a message between nodes" in caplog.text


@in_virtual_time
async def test_a_refusal_that_cannot_be_read_is_an_answer_nevertheless() -> None:
    async with stage() as (one, two, tap):
        call = one.links.call(two.name, "hang", 1, SECONDS)
        await asyncio.sleep(MOMENT)
        refusal = [links.REFUSAL, tap.messages[0][1][0][1], b"?"]
        subject = f"frontrow.cluster.node.{one.name}"
        tap.connection.publish(subject, encode([VERSION, two.name, [refusal], 1, int(now() * 1000)]))
        await asyncio.sleep(MOMENT)
        assert isinstance(call.exception(), NotUnderstood)


# Names, and nodes that are remembered


@in_virtual_time
async def test_names_cannot_reach_other_subjects() -> None:
    async with stage(1) as (one, _):
        for name in ("", "*", ">", "a.b", "a b", "a" * 65):
            with pytest.raises(ValueError, match="cannot be the name of a node"):
                one.links.send(name, "note", 1)
            with pytest.raises(ValueError, match="cannot be the name of a cluster"):
                Links(one.connection, name, "node")
        one.links.send("a" * 64, "note", 1)


@in_virtual_time
async def test_nodes_with_nothing_under_way_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "PEERS_LIMIT", 4)
    async with stage(3) as (one, two, three, _):
        waiting = one.links.call(two.name, "hang", 1, SECONDS)
        await asyncio.sleep(MOMENT)
        for number in range(10):
            one.links.send(three.name, "note", number)
            one.links.send(f"node-{number}", "note", 1)
            await asyncio.sleep(MOMENT)
            assert len(one.links._peers) <= 4
        received = prepare(three)
        one.links.send(three.name, "note", "collected")
        for number in range(5):
            one.links.send(f"other-{number}", "note", 1)
        await asyncio.sleep(MOMENT)
        assert received == [(one.name, "collected")]
        two.links.stop()
        assert not waiting.done()
        one.links.forget(two.name)
        assert isinstance(waiting.exception(), NoAnswer)
