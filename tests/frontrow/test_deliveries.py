"""Deliveries from the outbox: once if nothing fails, again if something does, on one of several nodes."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from engine.outbox import DeliveryFailed, Handler, Message, Undeliverable
from frontrow.deliveries import ATTEMPTS_LIMIT, Deliveries, pauses_until
from persistence.connector import Connector
from persistence.outbox import Outbox, enqueue
from tests.database import execute
from tests.persistence.cutting_proxy import CuttingProxy

pytestmark = pytest.mark.gen_test(timeout=120)

PATIENCE_SECONDS = 60


class Attempts:
    """Counts attempts, like the metrics."""

    def __init__(self) -> None:
        self.delivered, self.failed = Counter[str](), Counter[str]()

    def message_delivered(self, kind: str) -> None:
        self.delivered[kind] += 1

    def attempt_failed(self, kind: str) -> None:
        self.failed[kind] += 1


class Node:
    """A server's deliveries of letters.

    Args:
        database_url: the database.
        handler: delivers a letter.
        pauses_seconds: between attempts.
        lease_seconds: how long a letter belongs to this node without a sign of life.
    """

    def __init__(
        self,
        database_url: str,
        handler: Handler,
        pauses_seconds: tuple[float, ...] = (0.01, 0.01),
        lease_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self.attempts = Attempts()
        self.connector = Connector(database_url)
        self.deliveries = Deliveries(Outbox(self.connector, lease_seconds), pauses_seconds, self.attempts)
        self.deliveries.register("letter", handler, at_once=4, limit_seconds=PATIENCE_SECONDS)

    async def stop(self, limit_seconds: float = PATIENCE_SECONDS) -> None:
        await self.deliveries.stop(limit_seconds)
        self.connector.close()


@asynccontextmanager
async def running(*nodes: Node) -> AsyncIterator[None]:
    for node in nodes:
        node.deliveries.start()
    try:
        yield
    finally:
        for node in nodes:
            await node.stop()


async def write_letters(database_url: str, *names: str, kind: str = "letter") -> None:
    connector = Connector(database_url)
    try:
        async with connector.transaction() as transaction:
            for name in names:
                await enqueue(transaction, kind, f"letter {name}", {"name": name})
    finally:
        connector.close()


def states(database_url: str) -> list[tuple]:
    return execute(database_url, "SELECT payload->>'name', status, attempts FROM outbox ORDER BY id")


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 - the database notifies nobody
            await asyncio.sleep(0.01)


def all_are(database_url: str, status: str) -> bool:
    return {row[1] for row in states(database_url)} == {status}


async def ignore(message: Message) -> None:
    """Deliver nothing."""


async def test_a_message_of_a_committed_transaction_is_delivered_once(database_url: str) -> None:
    received: list[Message] = []

    async def deliver(message: Message) -> None:
        received.append(message)

    node = Node(database_url, deliver)
    async with running(node):
        with pytest.raises(ZeroDivisionError):
            async with node.connector.transaction() as transaction:
                await enqueue(transaction, "letter", "", {"name": "rolled back"})
                raise ZeroDivisionError
        await write_letters(database_url, "ada", "bob")
        await until(lambda: all_are(database_url, "delivered"))
    ((uid, created_at),) = execute(
        database_url,
        "SELECT uid::text, extract(epoch FROM created_at)::float8 FROM outbox ORDER BY id LIMIT 1",
    )
    assert sorted(message.payload["name"] for message in received) == ["ada", "bob"]
    ada = next(message for message in received if message.payload["name"] == "ada")
    assert (ada.uid, ada.kind, ada.subject, ada.attempt) == (uid, "letter", "letter ada", 1)
    assert ada.created_at == pytest.approx(created_at)
    assert node.attempts.delivered == {"letter": 2}


async def test_a_failed_message_is_tried_again_with_the_same_id(database_url: str) -> None:
    seen: list[tuple[str, int]] = []

    async def deliver(message: Message) -> None:
        seen.append((message.uid, message.attempt))
        if message.attempt == 1:
            raise DeliveryFailed("the receiver is away")
        if message.attempt == 2:
            raise KeyError("a defect")

    node = Node(database_url, deliver)
    async with running(node):
        await write_letters(database_url, "ada")
        await until(lambda: all_are(database_url, "delivered"))
    assert [attempt for _, attempt in seen] == [1, 2, 3]
    assert len({uid for uid, _ in seen}) == 1
    assert (node.attempts.failed, node.attempts.delivered) == ({"letter": 2}, {"letter": 1})


async def test_a_message_that_keeps_failing_becomes_a_dead_letter(database_url: str) -> None:
    async def deliver(message: Message) -> None:
        raise DeliveryFailed(f"no answer to {message.payload['name']}\0\ud800" + "x" * 1000)

    async with running(Node(database_url, deliver, (0.01,))):
        await write_letters(database_url, "ada")
        await until(lambda: states(database_url) == [("ada", "dead", 2)])
    ((error,),) = execute(database_url, "SELECT error FROM outbox WHERE finished_at IS NOT NULL")
    assert error.startswith("no answer to ada")
    assert len(error) < 600


async def test_a_message_that_can_never_be_delivered_is_a_dead_letter_at_once(database_url: str) -> None:
    async def deliver(message: Message) -> None:
        raise Undeliverable("550 no such user")

    async with running(Node(database_url, deliver)):
        await write_letters(database_url, "ada")
        await until(lambda: states(database_url) == [("ada", "dead", 1)])
    assert execute(database_url, "SELECT error FROM outbox") == [("550 no such user",)]


async def test_a_failing_message_does_not_delay_others(database_url: str) -> None:
    async def deliver(message: Message) -> None:
        if message.payload["name"] == "eve":
            raise DeliveryFailed("away")

    async with running(Node(database_url, deliver, (3600,))):
        await write_letters(database_url, "eve", *(f"guest {number}" for number in range(20)))
        await until(lambda: sum(status == "delivered" for _, status, _ in states(database_url)) == 20)
    assert states(database_url)[0] == ("eve", "waiting", 1)


async def test_each_message_is_delivered_by_one_of_several_nodes(database_url: str) -> None:
    received: Counter[str] = Counter()

    async def deliver(message: Message) -> None:
        received[message.payload["name"]] += 1
        await asyncio.sleep(0)

    names = [f"guest {number}" for number in range(200)]
    nodes = [Node(database_url, deliver) for _ in range(3)]
    async with running(*nodes):
        await write_letters(database_url, *names)
        await until(lambda: all_are(database_url, "delivered"))
    assert received == dict.fromkeys(names, 1)


async def test_another_node_takes_over_from_one_that_died(database_url: str) -> None:
    received: list[str] = []

    async def deliver(message: Message) -> None:
        received.append(message.uid)

    dead = Connector(database_url)
    await write_letters(database_url, "ada")
    (taken,) = await Outbox(dead, lease_seconds=0.1).take({"letter": 10})
    dead.close()
    async with running(Node(database_url, deliver)):
        await until(lambda: states(database_url) == [("ada", "delivered", 2)])
    assert received == [taken.uid]


async def test_a_node_that_is_alive_keeps_what_takes_long(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frontrow.deliveries._EXTEND_SECONDS", 0.05)
    finish, begun = asyncio.Event(), asyncio.Event()

    async def deliver(message: Message) -> None:
        begun.set()
        await finish.wait()

    slow, other = Node(database_url, deliver), Node(database_url, ignore)
    async with running(slow):
        await write_letters(database_url, "ada")
        await begun.wait()
        ((first,),) = execute(database_url, "SELECT due_at FROM outbox")
        await until(lambda: execute(database_url, "SELECT due_at FROM outbox") != [(first,)])
        async with running(other):
            finish.set()
            await until(lambda: all_are(database_url, "delivered"))
    assert states(database_url) == [("ada", "delivered", 1)]


async def test_a_stop_finishes_what_has_begun(database_url: str) -> None:
    begun, finish = asyncio.Event(), asyncio.Event()

    async def deliver(message: Message) -> None:
        begun.set()
        await finish.wait()

    node = Node(database_url, deliver)
    node.deliveries.start()
    await write_letters(database_url, "ada")
    await begun.wait()
    stopped = asyncio.create_task(node.stop())
    await write_letters(database_url, "bob")
    finish.set()
    await stopped
    assert states(database_url)[0] == ("ada", "delivered", 1)


async def test_a_stop_hands_back_what_takes_too_long(database_url: str) -> None:
    begun = asyncio.Event()

    async def deliver(message: Message) -> None:
        begun.set()
        await asyncio.sleep(3600)

    node = Node(database_url, deliver)
    node.deliveries.start()
    await write_letters(database_url, "ada")
    await begun.wait()
    await node.stop(0.6)
    assert states(database_url) == [("ada", "waiting", 1)]
    assert execute(database_url, "SELECT due_at <= now() FROM outbox") == [(True,)]


async def test_results_are_kept_while_the_database_is_away(database_url: str) -> None:
    begun, finish = asyncio.Event(), asyncio.Event()
    received: list[str] = []

    async def deliver(message: Message) -> None:
        received.append(message.payload["name"])
        begun.set()
        await finish.wait()

    relay = CuttingProxy(database_url)
    node = Node(await relay.start(), deliver)
    async with running(node):
        await write_letters(database_url, "ada")
        await begun.wait()
        relay.admitting = False
        relay.cut()
        finish.set()
        await until(lambda: node.attempts.delivered)
        assert states(database_url) == [("ada", "waiting", 1)]
        relay.admitting = True
        await write_letters(database_url, "bob")
        await until(lambda: all_are(database_url, "delivered"))
    await relay.stop()
    assert received == ["ada", "bob"]


async def test_messages_without_a_handler_wait_for_a_server_that_has_one(database_url: str) -> None:
    await write_letters(database_url, "unknown", kind="telegram")
    async with running(Node(database_url, ignore)):
        await write_letters(database_url, "ada")
        await until(lambda: ("ada", "delivered", 1) in states(database_url))
    assert states(database_url)[0] == ("unknown", "waiting", 0)


async def test_a_unique_key_admits_one_message(database_url: str) -> None:
    connector = Connector(database_url)
    async with connector.transaction() as transaction:
        for name in ("first", "second"):
            await enqueue(transaction, "letter", "", {"name": name}, unique_key="reminder 7")
    connector.close()
    assert states(database_url) == [("first", "waiting", 0)]


async def test_old_messages_are_forgotten_unless_they_wait(database_url: str) -> None:
    execute(
        database_url,
        """
        INSERT INTO outbox (kind, payload, status, created_at, finished_at)
        SELECT 'letter', jsonb_build_object('name', status || ' ' || days), status,
               now() - make_interval(days => days), CASE WHEN status <> 'waiting' THEN now() END
        FROM unnest(ARRAY[9, 7, 2, 0]) AS days, unnest(ARRAY['delivered', 'dead', 'waiting']) AS status
        ORDER BY days DESC
        """,
    )
    connector = Connector(database_url)
    await Outbox(connector, lease_seconds=10).forget_older_than(days=5)
    connector.close()
    assert {name for name, _, _ in states(database_url)} == {
        "waiting 9", "waiting 7", "delivered 2", "dead 2", "waiting 2", "delivered 0", "dead 0", "waiting 0"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("retry_seconds", "give_up_seconds", "pauses"),
    [
        ((1.0, 2.0, 5.0), 20, (1.0, 2.0, 5.0, 5.0, 5.0)),
        ((1.0, 2.0, 5.0), 3, (1.0, 2.0)),
        ((1.0,), 0, ()),
    ],
)
async def test_pauses_grow_and_end(
    retry_seconds: tuple[float, ...], give_up_seconds: float, pauses: tuple[float, ...]
) -> None:
    assert pauses_until(retry_seconds, give_up_seconds) == pauses


async def test_attempts_are_bounded_however_short_the_pauses() -> None:
    assert len(pauses_until((0.1,), 86_400)) == ATTEMPTS_LIMIT - 1
