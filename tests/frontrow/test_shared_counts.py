"""Counts that nodes share, over real connections: attempts, sockets, client ids and requests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Any

import pytest

from api.errors import TooManyAttempts
from api.rest.errors import KeyInFlight, KeyReused
from api.rooms.client_ids import ClientIdInUse
from api.services import KeyedRequest
from api.ws.open_sockets import TooManySocketsOfHolder
from cluster.beats import Timing
from cluster.errors import NodeUnreachable
from cluster.keys import Patience
from cluster.nats_server import NatsServer
from engine.errors import Unavailable
from frontrow.counts import own_counts
from frontrow.settings import Settings
from frontrow.shared_counts import shared_counts
from tests.api.cinema import eventually
from tests.cluster.heartbeats import BRISK, PATIENT, Fleet, Member, fleet

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("io_loop")]

SETTINGS = Settings(
    attempts_per_account=2,
    attempts_per_account_anywhere=4,
    attempts_per_address=3,
    guest_selections_limit=3,
    free_rooms_per_address=2,
    sockets_per_user_limit=2,
    sockets_per_address_limit=1,
    hold_seconds=300.0,
)
NETWORK = "192.0.2.1"
FINGERPRINT = b"f" * 32


class Counting:
    """A node that counts. Its `counts` are asked like those of a server."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.own = own_counts(SETTINGS)
        self.counts: Any = shared_counts(member.links, member.membership, self.own)

    @property
    def mark(self) -> str:
        return self.member.mark

    def owns(self, kind: str, key: str) -> bool:
        return self.member.membership.node_of(f"{kind} {key}") == self.mark

    async def connect(self, holder: str, *, guest: bool = False) -> None:
        await done(self.counts.sockets.add(holder, guest=guest))

    async def use(self, client_id: str, network: str = NETWORK, user: str | None = None) -> "Used":
        used = Used(self)
        claim = self.counts.client_ids.take(client_id, network, user, used.take_over)
        used.claim = await claim if isinstance(claim, Awaitable) else claim
        return used

    async def begin(self, request: KeyedRequest) -> None:
        await done(self.counts.requests_in_flight.begin(request))


class Used:
    """A client id that a socket uses."""

    def __init__(self, node: Counting) -> None:
        self.node = node
        self.claim: object = None
        self.taken_over = False

    def take_over(self) -> None:
        self.taken_over = True

    def leave(self) -> None:
        self.node.counts.client_ids.leave(self.claim)


async def done(counted: Awaitable[None] | None) -> None:
    if counted is not None:
        await counted


class Counters:
    """The nodes of a cluster that count."""

    def __init__(self, nodes: Fleet) -> None:
        self._nodes = nodes
        self.all: list[Counting] = []

    async def join(self) -> Counting:
        """Let a node join, and wait until all see the same members."""
        node = await self.join_unknown()
        self.all.append(node)
        await self.agree()
        return node

    async def join_unknown(self) -> Counting:
        """Let a node join of which the others may not know yet."""
        node = Counting(self._nodes.make())
        await node.member.join()
        return node

    async def agree(self) -> None:
        marks = {node.mark for node in self.all}
        await eventually(lambda: all(set(n.member.membership.view.ring.nodes) == marks for n in self.all))

    async def crash(self, node: Counting) -> None:
        """Let a node vanish, and wait until the others have noticed."""
        self.all.remove(node)
        await node.member.crash()
        await self.agree()

    def key_of(self, node: Counting, kind: str, form: Callable[[int], str]) -> str:
        """Return a key that belongs to a node."""
        return next(form(number) for number in range(1000) if node.owns(kind, form(number)))


@asynccontextmanager
async def counters(server: NatsServer, number: int = 3, timing: Timing = PATIENT) -> AsyncIterator[Counters]:
    async with fleet(server.url, timing) as nodes:
        together = Counters(nodes)
        for _ in range(number):
            await together.join()
        yield together


def user(number: int) -> str:
    return f"user:{number}"


def client(number: int) -> str:
    return f"client-{number}"


# Limits on amounts


@pytest.mark.parametrize("limit", ["selections", "account_requests"])
async def test_attempts_of_all_nodes_count(nats_server: NatsServer, limit: str) -> None:
    async with counters(nats_server) as together:
        limits = [getattr(node.counts, limit) for node in together.all]
        for key in (f"192.0.2.{number}" for number in range(6)):
            for shared in limits:
                await done(shared.attempt(key))
            for shared in limits:
                with pytest.raises(TooManyAttempts) as refused:
                    await done(shared.attempt(key))
                assert refused.value.retry_after_seconds > 1
            await done(limits[0].retract(key))
            await done(limits[2].attempt(key))


async def test_failed_log_ins_of_all_nodes_count(nats_server: NatsServer) -> None:
    async with counters(nats_server) as together:
        first, second, third = (node.counts.logins for node in together.all)
        for account in (f"user{number}@example.org" for number in range(6)):
            await done(first.attempt(account, NETWORK))
            await done(second.attempt(account, NETWORK))
            with pytest.raises(TooManyAttempts):
                await done(third.attempt(account, NETWORK))
            await done(second.succeeded(account, NETWORK))
            await done(third.attempt(account, NETWORK))
            await done(first.trust(account, "198.51.100.1"))
            await done(second.attempt(account, "198.51.100.1"))


async def test_an_amount_is_counted_alone_while_its_node_does_not_answer(nats_server: NatsServer) -> None:
    async with counters(nats_server, 2) as together:
        first, second = together.all
        address = together.key_of(second, "selections", lambda number: f"192.0.2.{number}")
        holder = together.key_of(second, "sockets", user)
        await second.member.connection.stop()
        for _ in range(3):
            await done(first.counts.selections.attempt(address))
        with pytest.raises(TooManyAttempts):
            await done(first.counts.selections.attempt(address))
        await first.connect(holder)
        await first.connect(holder)
        with pytest.raises(TooManySocketsOfHolder):
            await first.connect(holder)


async def test_what_must_be_asked_is_refused_while_its_node_does_not_answer(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frontrow.shared_counts.REQUIRED", Patience(0.2, retries=True))
    async with counters(nats_server, 2) as together:
        first, second = together.all
        account = together.key_of(second, "account", lambda number: f"user{number}@example.org")
        client_id = together.key_of(second, "client_ids", client)
        key = together.key_of(second, "requests", lambda number: f"user:7\nkey-{number}")
        request = KeyedRequest(*key.split("\n"), FINGERPRINT)
        await second.member.connection.stop()
        refused = await asyncio.gather(
            done(first.counts.logins.attempt(account, NETWORK)),
            first.use(client_id),
            first.begin(request),
            return_exceptions=True,
        )
        assert [type(error) for error in refused] == [NodeUnreachable] * 3
        assert [error.retry_after_seconds for error in refused] == [1] * 3  # type: ignore[union-attr]
        assert len(first.counts.client_ids) == 0


async def test_a_crash_of_the_node_of_a_key_is_waited_out(nats_server: NatsServer) -> None:
    async with counters(nats_server, 2, timing=BRISK) as together:
        first, second = together.all
        client_id = together.key_of(second, "client_ids", client)
        await second.member.crash()
        await first.use(client_id)


# Sockets


async def test_sockets_of_all_nodes_count(nats_server: NatsServer) -> None:
    async with counters(nats_server) as together:
        for holder in map(user, range(6)):
            await together.all[0].connect(holder)
            await together.all[1].connect(holder)
            for node in together.all:
                with pytest.raises(TooManySocketsOfHolder):
                    await node.connect(holder)
            together.all[0].counts.sockets.remove(holder)
            await admitted(lambda holder=holder: together.all[2].connect(holder))
        await together.all[0].connect(NETWORK, guest=True)
        with pytest.raises(TooManySocketsOfHolder):
            await together.all[1].connect(NETWORK, guest=True)


async def test_a_client_that_changes_nodes_waits_until_its_last_socket_is_known_to_be_closed(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frontrow.shared_counts.LEAVING_PAUSES_SECONDS", (0.01,) * 1000)
    async with counters(nats_server, 2) as together:
        first, second = together.all
        for node in together.all:
            client_id = together.key_of(node, "client_ids", client)
            used = await first.use(client_id)
            returning = asyncio.create_task(second.use(client_id))
            await asyncio.sleep(0.05)
            assert not returning.done()
            first.counts.client_ids.leave(used.claim)
            await returning


async def admitted(connect: Callable[[], Awaitable[None]]) -> None:
    """Connect, until the end of another socket is known."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await connect()
            except TooManySocketsOfHolder:
                await asyncio.sleep(0.01)


async def test_a_socket_that_is_given_up_while_it_is_counted_leaves_nothing(nats_server: NatsServer) -> None:
    async with counters(nats_server, 2) as together:
        first, second = together.all
        holder = together.key_of(second, "sockets", user)
        tasks = [asyncio.create_task(first.connect(holder)) for _ in range(2)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await admitted(lambda: second.connect(holder))
        await admitted(lambda: second.connect(holder))
        assert len(second.counts.sockets.claims.granted) == granted(second) == 2


async def test_a_crash_frees_what_a_node_held(nats_server: NatsServer) -> None:
    async with counters(nats_server, timing=BRISK) as together:
        first, second, third = together.all
        for holder in map(user, range(6)):
            await third.connect(holder)
            await third.connect(holder)
        for number in range(6):
            await third.begin(KeyedRequest("user:7", f"key-{number}", FINGERPRINT))
            await third.use(client(number))
        await together.crash(third)
        for holder in map(user, range(6)):
            await first.connect(holder)
            await second.connect(holder)
        for number in range(6):
            await second.begin(KeyedRequest("user:7", f"key-{number}", FINGERPRINT))
            # The seats of a guest may still be held: its id is kept for its network.
            await first.use(client(number))


async def test_claims_outlive_changes_of_the_members(nats_server: NatsServer) -> None:
    async with counters(nats_server, 1, timing=BRISK) as together:
        (first,) = together.all
        for holder in map(user, range(20)):
            await first.connect(holder)
        used = [await first.use(client(number)) for number in range(20)]
        requests = [KeyedRequest("user:7", f"key-{number}", FINGERPRINT) for number in range(20)]
        for request in requests:
            await first.begin(request)

        second, third = await together.join(), await together.join()
        await together.crash(second)
        second = await together.join()
        for number, request in enumerate(requests):
            with pytest.raises(ClientIdInUse):
                await second.use(client(number))
            with pytest.raises(KeyInFlight):
                await third.begin(request)
            with pytest.raises(KeyReused):
                await third.begin(request._replace(fingerprint=b"g" * 32))
        assert not any(each.taken_over for each in used)
        await eventually(lambda: sum(map(granted, together.all)) >= 60 and granted(second) and granted(third))
        for holder in map(user, range(20)):
            await third.connect(holder)
            with pytest.raises(TooManySocketsOfHolder):
                await second.connect(holder)


def granted(node: Counting) -> int:
    counts = node.counts
    shared = (counts.sockets, counts.client_ids, counts.requests_in_flight)
    return sum(len(each.claims.granted) for each in shared)


async def test_the_end_of_a_claim_is_learned_late_but_surely(nats_server: NatsServer) -> None:
    """A node that could not be told that a claim has ended is told by the next announcement."""
    async with counters(nats_server, 2) as together:
        first, second = together.all
        key = together.key_of(second, "requests", lambda number: f"user:7\nkey-{number}")
        request = KeyedRequest(*key.split("\n"), FINGERPRINT)
        await first.begin(request)
        lost = first.member.links.call
        first.member.links.call = lambda node, kind, value, seconds: lost("nobody", kind, value, seconds)  # type: ignore[method-assign]
        first.counts.requests_in_flight.end(request)
        await asyncio.sleep(0)
        first.member.links.call = lost  # type: ignore[method-assign]
        assert granted(second) == 1
        await eventually(lambda: granted(second) == 0)
        await second.begin(request)


# Client ids


async def test_a_client_id_is_in_use_on_one_node(nats_server: NatsServer) -> None:
    async with counters(nats_server) as together:
        for client_id in map(client, range(6)):
            used = await together.all[0].use(client_id)
            for node in together.all:
                with pytest.raises(ClientIdInUse):
                    await node.use(client_id)
            used.leave()
            await eventually(lambda: sum(map(granted, together.all)) == 0)
            # Reserved for the same network.
            for node in together.all:
                with pytest.raises(ClientIdInUse):
                    await node.use(client_id, "198.51.100.7")
            (await together.all[1].use(client_id)).leave()
            await eventually(lambda: sum(map(granted, together.all)) == 0)


async def test_a_user_takes_an_id_over_from_another_node(nats_server: NatsServer) -> None:
    async with counters(nats_server) as together:
        for client_id in map(client, range(6)):
            used = await together.all[0].use(client_id, NETWORK, "user:7")
            with pytest.raises(ClientIdInUse):
                await together.all[1].use(client_id, NETWORK, "user:8")
            assert not used.taken_over
            second = await together.all[1].use(client_id, "198.51.100.7", "user:7")
            await eventually(lambda used=used: used.taken_over)
            used.leave()
            with pytest.raises(ClientIdInUse):
                await together.all[2].use(client_id)
            assert not second.taken_over
        assert [len(node.counts.client_ids) for node in together.all] == [0, 6, 0]


async def test_reservations_move_with_their_ids(nats_server: NatsServer) -> None:
    async with counters(nats_server, 1) as together:
        (first,) = together.all
        for number in range(20):
            (await first.use(client(number))).leave()
        second = await together.join()
        await eventually(lambda: len(first.own.client_ids.reservations()) < 20)
        for number in range(20):
            for node in together.all:
                with pytest.raises(ClientIdInUse):
                    await node.use(client(number), "198.51.100.7")
            await second.use(client(number))


async def test_nodes_that_granted_one_id_twice_agree_on_the_first(nats_server: NatsServer) -> None:
    """Two nodes that did not know each other have granted the same id, as it may happen in a partition."""
    async with counters(nats_server, 1) as together:
        (first,) = together.all
        older = [await first.use(client(number)) for number in range(20)]
        stranger = await together.join_unknown()
        younger = []
        for number in range(20):
            used = Used(stranger)
            used.claim = stranger.counts.client_ids.claims.assume(
                client(number), (NETWORK, None), used.take_over
            )
            younger.append(used)
        together.all.append(stranger)
        await together.agree()
        await eventually(lambda: all(used.taken_over for used in younger))
        assert not any(used.taken_over for used in older)
        assert [len(node.counts.client_ids) for node in together.all] == [20, 0]


# Requests with an idempotency key


async def test_a_request_is_in_flight_on_all_nodes(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frontrow.shared_counts.LEAVING_PAUSES_SECONDS", ())
    async with counters(nats_server) as together:
        first, second, third = together.all
        for number in range(6):
            request = KeyedRequest("user:7", f"key-{number}", FINGERPRINT)
            await first.begin(request)
            for node in (first, second, third):
                with pytest.raises(KeyInFlight):
                    await node.begin(request)
                with pytest.raises(KeyReused):
                    await node.begin(request._replace(fingerprint=b"g" * 32))
            await second.begin(request._replace(scope="user:8"))
            first.counts.requests_in_flight.end(request)
            await eventually(lambda: sum(map(granted, together.all)) == 1)
            second.counts.requests_in_flight.end(request._replace(scope="user:8"))
            await third.begin(request)
            third.counts.requests_in_flight.end(request)
            await eventually(lambda: sum(map(granted, together.all)) == 0)


async def test_a_repeat_at_another_node_waits_until_the_end_of_the_request_is_known(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frontrow.shared_counts.LEAVING_PAUSES_SECONDS", (0.01,) * 1000)
    async with counters(nats_server, 2) as together:
        first, second = together.all
        for number in range(4):
            request = KeyedRequest("user:7", f"key-{number}", FINGERPRINT)
            await first.begin(request)
            repeated = asyncio.create_task(second.begin(request))
            await asyncio.sleep(0.05)
            assert not repeated.done()
            first.counts.requests_in_flight.end(request)
            await repeated
            second.counts.requests_in_flight.end(request)


# Everything together


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_is_left_when_all_have_ended(nats_server: NatsServer, seed: int) -> None:
    """Sockets come and go on random nodes while nodes join and crash: afterwards every count is zero."""
    chance = Random(seed)
    async with counters(nats_server, timing=BRISK) as together:
        sockets: list[tuple[Counting, str]] = []
        ids: list[Used] = []

        async def come_and_go() -> None:
            for _ in range(150):
                node = chance.choice(together.all)
                with suppress(TooManySocketsOfHolder, ClientIdInUse, Unavailable):
                    if chance.random() < 0.5:
                        holder = user(chance.randrange(10))
                        await node.connect(holder)
                        sockets.append((node, holder))
                    else:
                        name = user(chance.randrange(3)) if chance.random() < 0.5 else None
                        ids.append(await node.use(client(chance.randrange(10)), user=name))
                if sockets and chance.random() < 0.4:
                    node, holder = sockets.pop(chance.randrange(len(sockets)))
                    node.counts.sockets.remove(holder)
                if ids and chance.random() < 0.4:
                    ids.pop(chance.randrange(len(ids))).leave()

        await come_and_go()
        victim = chance.choice(together.all)
        _, newcomer = await asyncio.gather(come_and_go(), together.join())
        await together.crash(victim)
        await come_and_go()

        for node, holder in sockets:
            node.counts.sockets.remove(holder)
        for used in ids:
            used.leave()
        await eventually(lambda: sum(map(granted, together.all)) == 0)
        assert newcomer in together.all
        for node in together.all:
            assert len(node.counts.client_ids) == len(node.own.client_ids) == 0
            for holder in map(user, range(10)):
                node.own.sockets.add(holder, guest=False)
                node.own.sockets.add(holder, guest=False)
