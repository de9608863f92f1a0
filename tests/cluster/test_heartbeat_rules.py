"""Heartbeats to the millisecond, in virtual time: the beats, questions and decisions of a node.

`test_heartbeat.py` shows the same over a real NATS server.
"""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest

from cluster.beats import Beat, NodeState
from cluster.errors import NodeRefused
from engine.errors import StoreUnavailable
from tests.api.cinema import eventually
from tests.cluster.heartbeats import BRISK, PATIENT, RULES, Member, virtual_fleet
from tests.cluster.virtual import in_virtual_time, virtual_nats

HEARTBEAT_SECONDS = PATIENT.node_heartbeat_seconds


def now() -> float:
    return asyncio.get_running_loop().time()


def beats_of(member: Member) -> list[tuple[float, Beat]]:
    """Return a list that gets every beat that a node sends to all from now on, with its time."""
    sent: list[tuple[float, Beat]] = []
    broadcast = member.links.broadcast

    def note(kind: str, value: list[object]) -> None:
        sent.append((now(), Beat.parsed(value)))
        broadcast(kind, value)

    member.links.broadcast = note  # type: ignore[method-assign]
    return sent


@in_virtual_time
async def test_a_node_alone_serves_as_soon_as_it_has_settled() -> None:
    async with virtual_fleet(virtual_nats()) as nodes:
        member = nodes.make()
        sent = beats_of(member)
        await member.join()
        assert now() < 2 * HEARTBEAT_SECONDS
        assert [beat.state for _, beat in sent] == [NodeState.JOINING] * (len(sent) - 1) + [NodeState.SERVING]
        assert sent[-1][0] - sent[-2][0] < 0.01, "it was confirmed as soon as the beat before had come back"
        assert member.confirmations == 1 and member.answers


@in_virtual_time
async def test_beats_are_sent_at_intervals_and_a_change_at_once() -> None:
    async with virtual_fleet(virtual_nats()) as nodes:
        member, other = await nodes.join(), await nodes.join()
        await asyncio.sleep(1.0)
        sent = beats_of(member)
        await asyncio.sleep(10 * HEARTBEAT_SECONDS)
        pauses = [later - earlier for (earlier, _), (later, _) in pairwise(sent)]
        assert len(pauses) >= 7, "each is late by a quarter of the time at most"
        assert all(0.99 * HEARTBEAT_SECONDS < pause < 1.26 * HEARTBEAT_SECONDS for pause in pauses)
        del sent[:]
        drained_at = now()
        await other.links.call(member.mark, "drain", None, 5.0)
        assert [beat.state for _, beat in sent] == [NodeState.DRAINING]
        assert sent[0][0] - drained_at < 0.01
        await eventually(lambda: other.sees(member) == "draining", within_seconds=0.02)


@in_virtual_time
async def test_a_node_that_asks_who_is_there_gets_a_beat_with_the_rules() -> None:
    nats = virtual_nats()
    async with virtual_fleet(nats) as nodes:
        member = await nodes.join()
        other = nodes.make()
        await other.connection.start()
        heard: list[Beat] = []
        other.links.on("beat", lambda sender, value: heard.append(Beat.parsed(value)))
        other.links.broadcast("roll_call", None)
        await asyncio.sleep(0.02)
        assert [(beat.facts.mark, beat.rules) for beat in heard] == [(member.mark, RULES)]


@in_virtual_time
async def test_postgres_is_asked_until_it_answers_and_once_at_a_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[float] = []
    answers: list[Callable[[], Awaitable[object]]] = [
        _fail(StoreUnavailable()),
        _fail(RuntimeError("a defect")),
        lambda: asyncio.sleep(3600.0),
        lambda: asyncio.sleep(0.5),
    ]

    async def confirm(self: Member) -> None:
        asked.append(now())
        await answers[len(asked) - 1]()

    monkeypatch.setattr(Member, "_confirm", confirm)
    async with virtual_fleet(virtual_nats(), BRISK) as nodes:
        member = nodes.make()
        sent = beats_of(member)
        await member.join()
        assert len(asked) == 4
        pauses = [later - earlier for earlier, later in pairwise(asked)]
        assert max(pauses[:2]) < BRISK.node_heartbeat_seconds
        assert pauses[2] == pytest.approx(BRISK.node_gone_seconds, abs=0.1)
        serving_at = next(at for at, beat in sent if beat.state is NodeState.SERVING)
        assert serving_at == pytest.approx(asked[3] + 0.5), "it is told as soon as PostgreSQL has answered"
    asking = [record for record in caplog.records if record.message.startswith("asking PostgreSQL")]
    levels = [(record.levelname, "succeeds again" in record.message) for record in asking]
    assert levels == [("WARNING", False), ("ERROR", False), ("WARNING", False), ("WARNING", True)]


def _fail(error: Exception) -> Callable[[], Awaitable[object]]:
    async def fail() -> None:
        raise error

    return fail


@in_virtual_time
async def test_a_node_that_cannot_join_says_goodbye_and_does_nothing_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with virtual_fleet(virtual_nats()) as nodes:
        first = await nodes.join("box")
        for name, rules, reason in (
            ("box", RULES, "is also named box"),
            ("office", {"FRONTROW_HOLD_SECONDS": 1.0}, "FRONTROW_HOLD_SECONDS is 1.0 here"),
        ):
            refused = nodes.make(name, rules)
            with pytest.raises(NodeRefused, match=f"This node cannot join the cluster: .*{reason}"):
                await refused.join()
            await eventually(lambda refused=refused: first.sees(refused) == "gone", within_seconds=0.02)
            sent = beats_of(refused)
            await asyncio.sleep(5 * HEARTBEAT_SECONDS)
            assert not sent
        monkeypatch.setattr("cluster.heartbeat.JOIN_SECONDS", 2.0)
        late = nodes.make()
        late.postgres = False
        with pytest.raises(NodeRefused, match="could not join the cluster within 2 s"):
            await late.join()
        assert (late.state, late.confirmations > 3) == (NodeState.GONE, True)


@in_virtual_time
async def test_what_is_not_a_beat_of_its_sender_is_ignored() -> None:
    async with virtual_fleet(virtual_nats()) as nodes:
        first, second = await nodes.join(), await nodes.join()
        await eventually(lambda: first.sees(second) == "serving")
        forged = second.membership.reply()._replace(state=NodeState.GONE)
        for sender in (first, nodes.make()):
            if sender is not first:
                await sender.connection.start()
            sender.links.send(first.mark, "beat", forged.plain())
            await asyncio.sleep(0.02)
            assert first.sees(second) == "serving"


@in_virtual_time
async def test_calls_to_a_node_that_is_gone_fail_at_once() -> None:
    async with virtual_fleet(virtual_nats()) as nodes:
        first, second = await nodes.join(), await nodes.join()
        second.links.on("never", lambda sender, value: asyncio.get_running_loop().create_future())
        await eventually(lambda: first.sees(second) == "serving")
        waiting = first.links.call(second.mark, "never", None, 3600.0)
        third = await nodes.join()
        await eventually(lambda: first.sees(third) == "serving")
        assert not waiting.done()
        await second.stop()
        await eventually(waiting.done, within_seconds=0.1)
        assert waiting.exception() is not None


@in_virtual_time
async def test_a_node_that_leaves_asks_and_sends_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    async with virtual_fleet(virtual_nats()) as nodes:
        answers = [0.0, 3600.0]
        monkeypatch.setattr(Member, "_confirm", lambda self: asyncio.sleep(answers.pop(0)))
        member = await nodes.join()
        await asyncio.sleep(HEARTBEAT_SECONDS)
        member.membership.lapsed()
        await asyncio.sleep(HEARTBEAT_SECONDS)
        assert not answers

        def busy() -> set[str]:
            return {task.get_name() for task in asyncio.all_tasks()} & {"heartbeat", "confirm ownership"}

        assert busy() == {"heartbeat", "confirm ownership"}
        await member.heartbeat.leave()
        assert not busy()


@in_virtual_time
async def test_after_a_loss_a_node_beats_at_once_and_listens_anew() -> None:
    async with virtual_fleet(virtual_nats(), BRISK) as nodes:
        first, second = await nodes.join(), await nodes.join()
        await eventually(lambda: first.sees(second) == "serving")
        await second.crash()
        await asyncio.sleep(BRISK.node_gone_seconds / 2)
        sent = beats_of(first)
        first.heartbeat.interrupted()
        assert len(sent) == 1
        lost_at = now()
        await eventually(lambda: first.sees(second) == "gone")
        assert now() - lost_at >= BRISK.node_gone_seconds


@in_virtual_time
async def test_a_node_without_nats_goes_on_while_postgres_confirms() -> None:
    nats = virtual_nats()
    async with virtual_fleet(nats, BRISK) as nodes:
        member = await nodes.join()
        nats.kill()
        await asyncio.sleep(5 * BRISK.node_gone_seconds)
        assert member.answers and member.confirmations > 5
        nats.start()
        await eventually(lambda: not member.membership.wants_confirmation)
        asked = member.confirmations
        await asyncio.sleep(5 * BRISK.node_gone_seconds)
        assert (member.answers, member.confirmations) == (True, asked)


@in_virtual_time
async def test_a_heartbeat_that_fails_is_logged_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async with virtual_fleet(virtual_nats(), BRISK) as nodes:
        member = await nodes.join()
        broadcast = member.links.broadcast

        def fail_once(kind: str, value: object) -> None:
            member.links.broadcast = broadcast  # type: ignore[method-assign]
            raise RuntimeError("a defect")

        member.links.broadcast = fail_once  # type: ignore[method-assign]
        await asyncio.sleep(5 * BRISK.node_gone_seconds)
        assert caplog.messages.count("the heartbeat failed; it goes on") == 1
        assert member.answers


@in_virtual_time
async def test_a_node_that_hears_that_it_was_not_heard_begins_anew_at_once() -> None:
    async with virtual_fleet(virtual_nats(), BRISK) as nodes:
        member, other = await nodes.join(), nodes.make()
        await other.connection.start()
        await asyncio.sleep(1.0)
        sent = beats_of(member)
        deaf = other.membership.reply()._replace(state=NodeState.SERVING, silent=(member.mark,))
        asked_at = now()
        other.links.send(member.mark, "beat", deaf.plain())
        await eventually(lambda: NodeState.JOINING in [beat.state for _, beat in sent])
        assert now() - asked_at < 0.02


@in_virtual_time
async def test_each_change_of_a_node_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "frontrow.cluster")
    async with virtual_fleet(virtual_nats()) as nodes:
        first = await nodes.join()
        second = await nodes.join("box")
        await second.stop()
        await eventually(lambda: first.sees(second) == "gone")
    told = [message for message in caplog.messages if message.startswith(f"node box ({second.mark}) is ")]
    # Both nodes tell it; the new one knows from the beginning that it is joining.
    assert sorted(message.rpartition(" ")[2] for message in told) == sorted(
        ["joining", *("serving", "gone") * 2]
    )
