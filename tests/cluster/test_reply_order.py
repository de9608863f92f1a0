"""A socket gets the reply to its own command before it is sent the change, also from another node."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from cluster.forwarding import ASK
from cluster.links import REPLY, SEND
from cluster.nats_server import NatsServer
from cluster.publishing import CHANGE, GATHER_SECONDS
from cluster.turns import TURNS, TurnsLater
from cluster.wire import encode_change, encode_reply
from engine import actor
from engine.commands import BookSeats, HoldSeats, ReadStock
from engine.views import SeatsShown
from tests.api.cinema import eventually
from tests.cluster.nodes import Wiretap
from tests.cluster.servers import Server, fleet
from tests.http.stage import on_both_loops

pytestmark = [pytest.mark.gen_test(timeout=510), pytest.mark.usefixtures("io_loop"), on_both_loops]


def told(tap: Wiretap, node: Server) -> list[str]:
    """Return what a node was sent, in order: replies and changes."""
    items = [
        item
        for subject, content in tap.messages
        if subject.endswith(f".node.{node.name}")
        for item in msgspec.msgpack.decode(content)[2]
    ]
    kinds = {REPLY: "reply", SEND: "change"}
    return [kinds[item[0]] for item in items if item[0] == REPLY or item[:2] == [SEND, CHANGE]]


async def clear(tap: Wiretap, owner: Server, node: Server) -> None:
    """Forget what was sent until now, and let the owner send changes at once again."""
    await asyncio.sleep(2 * GATHER_SECONDS)
    owner.links.send(node.name, "marker", None)
    await eventually(lambda: any(b"marker" in content for _, content in tap.messages))
    tap.messages.clear()


async def test_the_owner_sends_the_reply_before_the_change(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actor, "BATCH_LIMIT", 1)
    async with fleet(nats_server.url) as house, Wiretap(nats_server.url, house.name) as tap:
        owner, (gateway,) = house.owner_of(), house.others()
        viewer = await gateway.viewer()
        await gateway.hold_at("user:1", 20)
        await eventually(lambda: len(viewer.changes) == 1)
        gateway.watching.stop()  # renewals are calls, too
        await gateway.ask(ReadStock(1))

        await clear(tap, owner, gateway)
        for seat in range(1, 6):
            await gateway.hold_at("user:1", seat)
            await asyncio.sleep(2 * GATHER_SECONDS)
        await eventually(lambda: told(tap, gateway).count("change") == 5)
        assert told(tap, gateway) == ["reply", "change"] * 5

        # A durable command is answered after its commit.
        await clear(tap, owner, gateway)
        await gateway.ask(BookSeats(1, "user:1", (1, 2)))
        await eventually(lambda: "change" in told(tap, gateway))
        assert told(tap, gateway) == ["reply", "change"]

        # Commands that have to wait in the mailbox, which takes one command in a turn.
        await clear(tap, owner, gateway)
        waiting = [asyncio.ensure_future(owner.screenings.ask(ReadStock(1))) for _ in range(200)]
        await asyncio.sleep(0)
        holds = [asyncio.ensure_future(gateway.ask(HoldSeats(1, "user:2", (seat,)))) for seat in range(6, 11)]
        await asyncio.gather(*holds, *waiting)
        await eventually(lambda: told(tap, gateway).count("change") == 5)
        order = told(tap, gateway)
        assert all(order[:n].count("reply") >= order[:n].count("change") for n in range(len(order)))


@pytest.mark.parametrize("change_first", [True, False], ids=["change first", "reply first"])
async def test_a_socket_gets_its_reply_before_a_change_of_the_same_message(
    nats_server: NatsServer, change_first: bool
) -> None:
    async with fleet(nats_server.url) as house, Wiretap(nats_server.url, house.name) as tap:
        owner, (gateway,) = house.owner_of(), house.others()
        viewer = await gateway.viewer()
        await gateway.hold_at("user:1", 20)
        await eventually(lambda: len(viewer.changes) == 1)
        stock = await gateway.ask(ReadStock(1))
        gateway.watching.stop()
        epoch, seq = viewer.position
        change = SeatsShown(1, epoch, seq + 1, 0.0, "stock_shown", ())
        send: Callable[[], None] = lambda: owner.links.send(  # noqa: E731
            gateway.name, CHANGE, (1, epoch, seq, encode_change(change))
        )

        async def answer(sender: str, value: Any) -> bytes:
            # While the same message is collected, before or after the reply.
            loop = asyncio.get_running_loop()
            send() if change_first else loop.call_soon(loop.call_soon, send)
            return encode_reply(stock)

        owner.links.on(ASK, answer)
        seen: list[int] = []

        async def ask() -> None:
            # Like a socket: in a task of its own, with a time limit.
            await asyncio.wait_for(gateway.ask(ReadStock(1)), 60)
            seen.append(len(viewer.changes))

        await clear(tap, owner, gateway)
        await asyncio.create_task(ask())
        await eventually(lambda: len(viewer.changes) == 2)
        assert seen == [1]
        assert told(tap, gateway) == (["change", "reply"] if change_first else ["reply", "change"])
        (message,) = [content for _, content in tap.messages if b"change" in content]
        assert len(msgspec.msgpack.decode(message)[2]) == 2


async def test_items_are_kept_for_some_turns_and_in_order() -> None:
    handled: list[list[int]] = []
    later: TurnsLater[int] = TurnsLater(handled.append)
    later.add(1)
    later.add(2)
    await asyncio.sleep(0)
    later.add(3)
    for _ in range(TURNS - 2):
        assert handled == [] and later
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert handled == [[1, 2]] and later
    await asyncio.sleep(0)
    assert handled == [[1, 2], [3]] and not later


async def test_items_that_are_flushed_are_handed_on_once() -> None:
    handled: list[list[int]] = []
    later: TurnsLater[int] = TurnsLater(handled.append)
    later.add(1)
    await asyncio.sleep(0)
    later.add(2)
    later.flush()
    later.add(3)
    assert handled == [[1], [2]]
    for _ in range(2 * TURNS):
        await asyncio.sleep(0)
    assert handled == [[1], [2], [3]] and not later
