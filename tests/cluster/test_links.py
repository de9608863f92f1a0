"""Calls between nodes over a real NATS server: batching, order, errors, limits, and a server that is lost."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cluster import links
from cluster.errors import LinkFull, MessageTooLong, NoAnswer, NodeUnreachable, RemoteDefect
from cluster.links import CALLS_LIMIT, VERSION
from cluster.messages import NotUnderstood
from cluster.nats_server import NatsServer
from engine.errors import OutcomeUnknown, Overloaded
from engine.selling_errors import SeatsUnavailable
from tests.api.cinema import eventually
from tests.cluster.nodes import Node, Wiretap, nodes
from tests.http.stage import on_both_loops
from tests.nats import freeze, kill, own_nats_server, thaw

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("io_loop"), on_both_loops]

SECONDS = 60.0
"""Timeout of calls that are answered."""

NOBODY = "0badc0de"


async def error_of(call: "asyncio.Future[Any]") -> BaseException:
    async with asyncio.timeout(SECONDS):
        (error,) = await asyncio.gather(call, return_exceptions=True)
    assert isinstance(error, Exception), error
    return error


def errors_in(calls: "list[asyncio.Future[Any]]") -> list[type[BaseException]]:
    return [type(call.exception()) for call in calls]


async def answers_again(one: Node, two: Node) -> None:
    """Wait until NATS is back and knows what both nodes receive."""
    async with asyncio.timeout(SECONDS):
        while isinstance(await error_or_reply(one.links.call(two.name, "echo", 1, 1)), Exception):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def error_or_reply(call: "asyncio.Future[Any]") -> object:
    return (await asyncio.gather(call, return_exceptions=True))[0]


def hang(node: Node, kind: str = "hang") -> "asyncio.Event":
    """Give a node a handler that does not answer before the event is set."""
    released = asyncio.Event()

    async def answer(sender: str, value: object) -> object:
        await released.wait()
        return value

    node.links.on(kind, answer)
    return released


async def test_a_call_is_answered_with_the_reply_of_its_handler(nats_server: NatsServer) -> None:
    async with nodes(nats_server.url) as (one, two):
        value = [None, True, -1, 2.5, "ñ", b"\x00", {"a": [1]}]
        assert await one.links.call(two.name, "echo", value, SECONDS) == value
        two.links.on("who", lambda sender, value: [sender, value])
        assert await one.links.call(two.name, "who", 7, SECONDS) == [one.name, 7]
        # It is sent to NATS and back, which proves that NATS carries messages.
        assert await one.links.call(one.name, "echo", "self", SECONDS) == "self"


async def test_calls_of_several_turns_travel_together_like_their_replies(nats_server: NatsServer) -> None:
    async with Wiretap(nats_server.url, "turns") as tap, nodes(nats_server.url, 2, "turns") as (one, two):
        calls = []
        for number in range(links.COLLECTING_TURNS - 1):
            calls += [one.links.call(two.name, "echo", value, SECONDS) for value in (number, "more")]
            await asyncio.sleep(0)
        await asyncio.gather(*calls)
        await tap.catch_up()
        sizes = [len(msgspec.msgpack.decode(content)[2]) for _, content in tap.messages]
        assert sizes == [len(calls), len(calls)]


async def test_handlers_may_answer_later(nats_server: NatsServer) -> None:
    async with nodes(nats_server.url) as (one, two):
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        two.links.on("future", lambda sender, value: future)
        two.links.on("coroutine", lambda sender, value: asyncio.sleep(0, "slept"))
        first = one.links.call(two.name, "future", 1, SECONDS)
        assert await one.links.call(two.name, "coroutine", 1, SECONDS) == "slept"
        assert not first.done()
        future.set_result("at last")
        assert await first == "at last"


async def test_a_turn_has_one_message_for_each_node(nats_server: NatsServer) -> None:
    async with (
        nodes(nats_server.url, 3, "turns") as (one, two, three),
        Wiretap(nats_server.url, "turns") as tap,
    ):
        calls = [one.links.call(two.name, "echo", number, SECONDS) for number in range(100)]
        one.links.send(two.name, "note", "too")
        one.links.broadcast("note", "all")
        one.links.broadcast("note", "of them")
        calls.append(one.links.call(three.name, "echo", 100, SECONDS))
        assert await asyncio.gather(*calls) == list(range(101))
        await eventually(lambda: len(three.received) == 2 and len(tap.messages) >= 5)
        subjects = [subject.removeprefix("frontrow.turns.") for subject, _ in tap.messages]
        asked = [f"node.{two.name}", "all", f"node.{three.name}"]
        assert sorted(subjects) == sorted([*asked, *[f"node.{one.name}"] * 2])
        # The replies to all calls of a message travel together as well.
        sizes = {len(msgspec.msgpack.decode(content)[2]) for subject, content in tap.messages}
        assert sizes == {101, 100, 2, 1}


async def test_everything_from_one_node_to_another_keeps_its_order(nats_server: NatsServer) -> None:
    async with nodes(nats_server.url) as (one, two):
        seen: list[int] = []
        for kind in ("asked", "told"):
            two.links.on(kind, lambda sender, value: seen.append(value))
        two.links.on("ask back", lambda sender, value: two.links.send(sender, "note", value) or "answered")
        for number in range(0, 200, 2):
            last = one.links.call(two.name, "asked", number, SECONDS)
            one.links.send(two.name, "told", number + 1)
            if not number % 10:
                await asyncio.sleep(0)
        await last
        await eventually(lambda: len(seen) == 200)
        assert seen == list(range(200))
        # Messages that a handler sends before it answers arrive before the answer.
        call = one.links.call(two.name, "ask back", 5, SECONDS)
        call.add_done_callback(lambda done: one.received.append(done.result()))
        await call
        assert one.received == [(two.name, 5), "answered"]


async def test_a_broadcast_reaches_all_others_once(nats_server: NatsServer) -> None:
    async with nodes(nats_server.url, 3) as (one, two, three):
        one.links.broadcast("note", "hello")
        await eventually(lambda: bool(two.received and three.received))
        await one.links.call(one.name, "echo", "by now", SECONDS)
        assert [node.received for node in (one, two, three)] == [[], *[[(one.name, "hello")]] * 2]


async def test_two_clusters_on_one_server_do_not_meet(nats_server: NatsServer) -> None:
    async with nodes(nats_server.url) as (one, two), nodes(nats_server.url) as (other, _):
        assert isinstance(await error_of(one.links.call(other.name, "echo", 1, SECONDS)), NodeUnreachable)
        other.links.broadcast("note", "foreign")
        other.links.send(two.name, "note", "foreign")
        one.links.broadcast("note", "own")
        await other.links.call(other.name, "echo", 1, SECONDS)
        await eventually(lambda: bool(two.received))
        assert two.received == [(one.name, "own")]


async def test_names_cannot_reach_other_subjects(nats_server: NatsServer) -> None:
    async with nodes(nats_server.url, 1) as (one,):
        for name in ("", "*", ">", "a.b", "a b", "a\r\nPUB x 0"):
            with pytest.raises(ValueError, match="cannot be the name of a node"):
                one.links.call(name, "echo", 1, SECONDS)
            with pytest.raises(ValueError, match="cannot be the name of a cluster"):
                links.Links(one.connection, name, "node")


async def test_calls_to_nobody_fail_at_once_and_others_of_the_turn_do_not(nats_server: NatsServer) -> None:
    async with nodes(nats_server.url) as (one, two):
        released = hang(two)
        waiting = one.links.call(two.name, "hang", "held", 3600)
        calls = [one.links.call(name, "echo", 1, 3600) for name in (NOBODY, two.name, NOBODY)]
        assert isinstance(await error_of(calls[0]), NodeUnreachable)
        assert isinstance(await error_of(calls[2]), NodeUnreachable)
        assert await calls[1] == 1
        assert not waiting.done()
        released.set()
        assert await waiting == "held"


async def test_a_node_that_left_is_nobody(nats_server: NatsServer) -> None:
    async with nodes(nats_server.url, 1, "leaving") as (one,):
        async with nodes(nats_server.url, 1, "leaving") as (two,):
            hang(two)
            call = one.links.call(two.name, "hang", 1, 3600)
            await one.links.call(two.name, "echo", 1, SECONDS)
        assert isinstance(await error_of(one.links.call(two.name, "echo", 1, 3600)), NodeUnreachable)
        # The other one was delivered. It is not known what became of it.
        assert not call.done()
        one.links.forget(two.name)
        assert isinstance(await error_of(call), NoAnswer)
        one.links.forget(NOBODY)


async def test_an_unanswered_call_times_out_and_its_late_reply_is_ignored(nats_server: NatsServer) -> None:
    async with nodes(nats_server.url) as (one, two):
        released = hang(two)
        patient = one.links.call(two.name, "hang", "patient", SECONDS)
        hasty = one.links.call(two.name, "hang", "hasty", 0.01)
        assert isinstance(await error_of(hasty), NoAnswer)
        assert isinstance(hasty.exception(), OutcomeUnknown)
        assert not patient.done()
        released.set()
        assert await patient == "patient"
        assert await one.links.call(two.name, "echo", 1, SECONDS) == 1


async def test_a_cancelled_call_is_forgotten(nats_server: NatsServer) -> None:
    async with nodes(nats_server.url) as (one, two):
        one.links.call(two.name, "echo", 1, SECONDS).cancel()
        assert await one.links.call(two.name, "echo", 2, SECONDS) == 2


async def test_refusals_are_raised_at_the_caller(nats_server: NatsServer) -> None:
    async def later(sender: str, value: object) -> None:
        raise Overloaded(7)

    def at_once(sender: str, value: object) -> None:
        raise SeatsUnavailable([1], [2])

    async with nodes(nats_server.url) as (one, two):
        two.links.on("later", later)
        two.links.on("at once", at_once)
        error = await error_of(one.links.call(two.name, "later", 1, SECONDS))
        assert isinstance(error, Overloaded)
        assert error.screening_id == 7
        error = await error_of(one.links.call(two.name, "at once", 1, SECONDS))
        assert isinstance(error, SeatsUnavailable)
        assert (tuple(error.held), tuple(error.booked)) == ((1,), (2,))
        assert isinstance(await error_of(one.links.call(two.name, "newer", 1, SECONDS)), NotUnderstood)


async def test_a_bug_in_a_handler_is_logged_once_and_stops_nothing(
    nats_server: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    async def later(sender: str, value: object) -> None:
        raise ZeroDivisionError

    async with nodes(nats_server.url) as (one, two):
        two.links.on("at once", lambda sender, value: 1 / 0)
        two.links.on("later", later)
        two.links.on("object", lambda sender, value: object())
        for kind in ("at once", "later"):
            error = await error_of(one.links.call(two.name, kind, 1, SECONDS))
            assert isinstance(error, RemoteDefect)
            assert str(error) == f"Server {two.name}: the handler of {kind} failed"
            one.links.send(two.name, kind, 1)
        assert isinstance(await error_of(one.links.call(two.name, "object", 1, SECONDS)), RemoteDefect)
        one.links.send(two.name, "unknown", 1)
        assert await one.links.call(two.name, "echo", 1, SECONDS) == 1
    assert len([record for record in caplog.records if record.exc_info]) == 2


async def test_a_handler_that_is_cancelled_leaves_the_outcome_open(nats_server: NatsServer) -> None:
    async with nodes(nats_server.url) as (one, two):
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        two.links.on("future", lambda sender, value: future)
        call = one.links.call(two.name, "future", 1, SECONDS)
        await one.links.call(two.name, "echo", 1, SECONDS)
        future.cancel()
        assert isinstance(await error_of(call), OutcomeUnknown)


async def test_damaged_and_newer_messages_stop_nothing(nats_server: NatsServer) -> None:
    encode = msgspec.msgpack.encode
    async with nodes(nats_server.url, 2, "newer") as (one, two):
        subject = f"frontrow.newer.node.{two.name}"
        for content in (b"", b"\xc1", b"\x00" * 100, encode([]), encode(7), encode([1, one.name])):
            one.connection.publish(subject, content)
        for message in (
            *([1, 5, [], 1, 1], [1, "a.b", [], 1, 1], [1, one.name, 5, 1, 1], [1, one.name, [], "1", None]),
            *([1, one.name, [5, [], [0], [1, 1], [99, 1, 2], [2, 1, b"?"]], 1, 1],),
            [VERSION + 2, one.name, [[4, "note", "much newer"]], 1, 1],
            *([version, one.name, [[4, "note", version]], 1, 1] for version in (VERSION - 1, VERSION + 1)),
            # Elements that a newer node adds.
            [1, one.name, [[4, "note", "extended", 1], [0, 0]], 1, 1, "more"],
        ):
            one.connection.publish(subject, encode(message))
        assert await one.links.call(two.name, "echo", 1, SECONDS) == 1
        assert two.received == [(one.name, VERSION - 1), (one.name, VERSION + 1), (one.name, "extended")]
        # A refusal that cannot be read is an answer nevertheless.
        released = hang(two)
        call = one.links.call(two.name, "hang", 1, SECONDS)
        (number,) = one.links._peers[two.name].pending
        two.connection.publish(
            f"frontrow.newer.node.{one.name}", encode([1, two.name, [[2, number, b"?"]], 1, 2**40])
        )
        assert isinstance(await error_of(call), NotUnderstood)
        released.set()


async def test_long_batches_are_split_and_long_values_refused(nats_server: NatsServer) -> None:
    async with nodes(nats_server.url, 2, "long") as (one, two), Wiretap(nats_server.url, "long") as tap:
        limit = one.connection.message_bytes_limit
        assert limit == 8 * 1024 * 1024
        values = [b"x" * (limit // 3) for _ in range(6)]
        calls = [one.links.call(two.name, "echo", value, SECONDS) for value in values]
        too_long = one.links.call(two.name, "echo", b"x" * limit, SECONDS)
        one.links.send(two.name, "note", b"x" * limit)
        error = await error_of(too_long)
        assert isinstance(error, MessageTooLong)
        assert f"NATS accepts {limit} (max_payload)" in str(error)
        assert await asyncio.gather(*calls) == values
        await eventually(lambda: len(tap.messages) >= 6)
        # A reply that is too long is answered as well.
        two.links.on("long", lambda sender, value: b"x" * limit)
        error = await error_of(one.links.call(two.name, "long", 1, SECONDS))
        assert isinstance(error, RemoteDefect)
        assert "max_payload" in str(error)


async def test_a_value_that_cannot_be_encoded_fails_alone(nats_server: NatsServer) -> None:
    async with nodes(nats_server.url) as (one, two):
        calls = [one.links.call(two.name, "echo", value, SECONDS) for value in (1, object(), 2, 2**70)]
        assert isinstance(await error_of(calls[1]), TypeError)
        assert isinstance(await error_of(calls[3]), OverflowError)
        assert [await calls[0], await calls[2]] == [1, 2]


async def test_unanswered_calls_to_one_node_are_limited(nats_server: NatsServer) -> None:
    async with nodes(nats_server.url, 3) as (one, two, three):
        released = hang(two)
        calls = [one.links.call(two.name, "hang", number, SECONDS) for number in range(CALLS_LIMIT)]
        excess = one.links.call(two.name, "echo", 1, SECONDS)
        assert isinstance(excess.exception(), LinkFull)
        assert await one.links.call(three.name, "echo", 1, SECONDS) == 1
        released.set()
        assert await asyncio.gather(*calls) == list(range(CALLS_LIMIT))
        assert await one.links.call(two.name, "echo", 1, SECONDS) == 1


async def test_nodes_that_nothing_is_under_way_to_are_forgotten(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "PEERS_LIMIT", 3)
    async with nodes(nats_server.url) as (one, two):
        released = hang(two)
        waiting = one.links.call(two.name, "hang", 1, SECONDS)
        for number in range(10):
            await error_of(one.links.call(f"node-{number}", "echo", 1, SECONDS))
            assert len(one.links._peers) <= 3
        released.set()
        assert await waiting == 1


async def test_calls_are_answered_again_after_each_of_five_crashes_of_nats(tmp_path: Path) -> None:
    async with own_nats_server(tmp_path) as server, nodes(server.url) as (one, two):
        hang(two)
        for number in range(5):
            pending = [one.links.call(two.name, "hang", number, 3600) for _ in range(10)]
            await one.links.call(two.name, "echo", 1, SECONDS)
            kill(server)
            # They fail when the connection is lost and not at the end of their hour.
            await eventually(lambda: not one.connection.connected)
            assert errors_in(pending) == [NoAnswer] * 10
            down = one.links.call(two.name, "echo", 1, 3600)
            assert errors_in([down]) == [NodeUnreachable]
            one.links.send(two.name, "note", "stale")
            one.links.broadcast("note", "stale")
            await server.start()
            await answers_again(one, two)
            assert await one.links.call(two.name, "echo", number, SECONDS) == number
            one.links.send(two.name, "note", number)
            await one.links.call(two.name, "echo", 1, SECONDS)
            assert two.received == [(one.name, number)]
            two.received.clear()


async def test_a_call_is_not_carried_out_after_its_caller_has_given_up(tmp_path: Path) -> None:
    async with own_nats_server(tmp_path) as server, nodes(server.url, 2, "late") as (one, two):
        for _ in range(10):  # Two can tell how old messages are if one of these was not delayed.
            await one.links.call(two.name, "echo", 1, SECONDS)
        done: list[object] = []
        two.links.on("do", lambda sender, value: done.append(value))
        freeze(server)
        late = one.links.call(two.name, "do", "late", 0.1)
        assert isinstance(await error_of(late), NoAnswer)
        in_time = one.links.call(two.name, "do", "in time", SECONDS)
        thaw(server)
        await in_time
        assert done == ["in time"]


async def test_calls_of_the_turn_in_which_the_connection_is_lost_were_not_sent(tmp_path: Path) -> None:
    async with own_nats_server(tmp_path) as server, nodes(server.url) as (one, two):
        unsent: list[asyncio.Future[Any]] = []
        one.connection.on_lost(lambda: unsent.append(one.links.call(two.name, "echo", "too late", 3600)))
        # Callbacks are called in order, and that of the links has been called by then.
        early: list[asyncio.Future[Any]] = []
        one.connection._on_lost.insert(0, lambda: early.append(one.links.call(two.name, "echo", 1, 3600)))
        await server.stop()
        await eventually(lambda: bool(unsent))
        assert errors_in(early + unsent) == [NodeUnreachable] * 2


@pytest.mark.usefixtures("brisk_pings")
async def test_calls_through_a_frozen_server_fail_when_it_is_given_up(tmp_path: Path) -> None:
    async with own_nats_server(tmp_path) as server, nodes(server.url) as (one, two):
        await one.links.call(two.name, "echo", 1, SECONDS)
        freeze(server)
        asked = one.links.call(two.name, "echo", "frozen", 3600)
        assert isinstance(await error_of(asked), NoAnswer)
        assert isinstance(await error_of(one.links.call(two.name, "echo", 1, 3600)), NodeUnreachable)
        thaw(server)
        await answers_again(one, two)
        assert await one.links.call(two.name, "echo", "thawed", SECONDS) == "thawed"


@pytest.mark.usefixtures("brisk_pings")
async def test_a_server_that_does_not_read_is_not_given_more_than_the_limit(tmp_path: Path) -> None:
    async with own_nats_server(tmp_path) as server, nodes(server.url) as (one, two):
        freeze(server)
        calls = []
        while not calls or not calls[-1].done():
            calls.append(one.links.call(two.name, "echo", b"x" * 2_000_000, 3600))
            one.links.send(two.name, "note", "stale")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert errors_in(calls[-1:]) in ([LinkFull], [NodeUnreachable])
        await eventually(lambda: not one.connection.connected)
        assert errors_in(calls[:1]) == [NoAnswer]
        thaw(server)
        await answers_again(one, two)
        assert await one.links.call(two.name, "echo", "thawed", SECONDS) == "thawed"


async def test_stopping_sends_the_goodbye_and_fails_what_is_unanswered(nats_server: NatsServer) -> None:
    async with nodes(nats_server.url, 1, "stopping") as (two,):
        hang(two)
        async with nodes(nats_server.url, 1, "stopping") as (one,):
            call = one.links.call(two.name, "hang", 1, 3600)
            one.links.broadcast("note", "goodbye")
        assert errors_in([call]) == [NoAnswer]
        await eventually(lambda: two.received == [(one.name, "goodbye")])
