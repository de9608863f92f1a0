"""A virtual network, and a virtual NATS server on it, with the interface of `cluster.connection.Connection`.

What the real parts guarantee is kept: a connection carries messages in order, and either all of them or it
is lost, which its client notices (docs/cluster.md, "What is assumed"). How long each message takes is
drawn, so messages of different senders overtake each other. A cut link delivers nothing until it is mended,
in one direction or both; the client gives its connection up after two pings without an answer, and what was
under way may still arrive afterwards. Only changes for watchers can get lost silently, since nodes are
built to find that out.
"""

import asyncio
import random
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from cluster.connection import CONNECT_SECONDS, PING_SECONDS, RETRY_SECONDS, NotSent
from cluster.errors import NatsUnavailable
from cluster.links import SEND
from cluster.publishing import CHANGE
from tests.simulation.loop import Process, VirtualLoop

MESSAGE_BYTES = 1024 * 1024
FAST_SECONDS = (0.0002, 0.002)
SLOW_SECONDS = (0.05, 0.6)

_decode = msgspec.msgpack.Decoder().decode


class Link:
    """Carries things in one direction, in order.

    Attributes:
        cut: nothing arrives until it is mended.
        slow: everything takes long.
    """

    def __init__(self, loop: VirtualLoop, rng: random.Random) -> None:
        self._loop = loop
        self._rng = rng
        self._free_at = 0.0
        self._waiting: list[tuple[Process | None, Callable[..., object], tuple[Any, ...]]] = []
        self.cut = self.slow = False

    def carry(self, receiver: Process | None, deliver: Callable[..., object], *arguments: Any) -> None:
        """Call `deliver` in the process of the receiver when this has arrived."""
        if self.cut:
            self._waiting.append((receiver, deliver, arguments))
            return
        seconds = self._rng.uniform(*(SLOW_SECONDS if self.slow else FAST_SECONDS))
        self._free_at = max(self._free_at, self._loop.time() + seconds)
        if receiver is None:
            at_once(self._loop, self._free_at, deliver, *arguments)
        else:
            receiver.call_at(self._free_at, deliver, *arguments)

    def mend(self) -> None:
        """Let through what has been waiting."""
        self.cut = False
        waiting, self._waiting = self._waiting, []
        for receiver, deliver, arguments in waiting:
            self.carry(receiver, deliver, *arguments)


def at_once(loop: VirtualLoop, when: float, callback: Callable[..., object], *arguments: Any) -> None:
    """Call something of the simulation itself, whichever process is running now."""
    process, loop.process = loop.process, None
    loop.call_at(when, callback, *arguments)
    loop.process = process


class Cable:
    """The two directions between a node and something else."""

    def __init__(self, loop: VirtualLoop, rng: random.Random) -> None:
        self.out, self.back = Link(loop, rng), Link(loop, rng)

    def set(self, flag: str, directions: str, value: bool) -> None:
        """Change both directions, or one: "both", "out" or "back"."""
        for name in ("out", "back"):
            if directions in ("both", name):
                link: Link = getattr(self, name)
                if flag == "cut" and not value:
                    link.mend()
                else:
                    setattr(link, flag, value)

    @property
    def cut(self) -> bool:
        """True if a direction is cut."""
        return self.out.cut or self.back.cut


class Nats:
    """The server.

    Attributes:
        up: False while it is not running.
        frozen: it runs, but does nothing.
        losing: share of the messages with nothing but changes that get lost.
    """

    def __init__(self, loop: VirtualLoop, rng: random.Random, trace: Callable[..., None]) -> None:
        self.loop = loop
        self.rng = rng
        self.trace = trace
        self.up = True
        self.losing = 0.0
        self._clients: list[_Client] = []

    def connect(self, client: "_Client") -> None:
        self._clients.append(client)

    def disconnect(self, client: "_Client") -> None:
        """The server learns that a client has gone."""
        if client in self._clients:
            self._clients.remove(client)

    def kill(self) -> None:
        """End the server; its clients notice at once, unless they cannot hear it."""
        self.up = False
        clients, self._clients = self._clients, []
        for client in clients:
            client.cable.back.carry(client.process, client.lost)

    def start(self) -> None:
        """Start the server again."""
        self.up = True

    def route(self, sender: "_Client", subject: str, content: bytes, reply: str) -> None:
        """A message has arrived at the server."""
        if sender not in self._clients:
            return
        if not self._deliver(subject, content) and reply:
            self._deliver(reply, b"")

    def _deliver(self, subject: str, content: bytes) -> bool:
        received = False
        for client in self._clients:
            for wanted, handler in client.subscribed.items():
                if subject == wanted or _matches(wanted, subject):
                    received = True
                    if not (self.losing and self.rng.random() < self.losing and _only_changes(content)):
                        client.cable.back.carry(client.process, client.receive, handler, subject, content)
        return received


def _matches(wanted: str, subject: str) -> bool:
    if wanted.endswith(">"):
        return subject.startswith(wanted[:-1])
    return "*" in wanted and fnmatchcase(subject, wanted)


def _only_changes(content: bytes) -> bool:
    items = _decode(content)[2] if content else ()
    return all(item[0] == SEND and item[1] == CHANGE for item in items)


class _Client:
    """One connection of a node, as the server knows it.

    Attributes:
        ended: the server has ended it; the node may learn that before it takes note of being connected.
    """

    def __init__(self, connection: "VirtualConnection") -> None:
        self.ended = False
        self.process = connection.process
        self.cable = connection.cable
        self.subscribed = dict(connection.handlers)
        self._connection = connection

    def receive(self, handler: Callable[[str, bytes], None], subject: str, content: bytes) -> None:
        if self._connection.client is self:
            self._connection.nats.trace("gets", self.process.name, subject.rsplit(".", 1)[-1], len(content))
            handler(subject, content)

    def lost(self) -> None:
        self.ended = True
        if self._connection.client is self:
            self._connection.abandon()


class VirtualConnection:
    """A node's connection; `cluster.connection.Connection` documents the interface."""

    def __init__(self, nats: Nats, process: Process, cable: Cable) -> None:
        self.nats = nats
        self.process = process
        self.cable = cable
        self.handlers: dict[str, Callable[[str, bytes], None]] = {}
        self.client: _Client | None = None
        self.connected = False
        self.number = 0
        self._on_lost: list[Callable[[], None]] = []
        self._on_regained: list[Callable[[], None]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._abandoned = asyncio.Event()

    @property
    def message_bytes_limit(self) -> int:
        return MESSAGE_BYTES

    def on_lost(self, callback: Callable[[], None]) -> None:
        self._on_lost.append(callback)

    def on_regained(self, callback: Callable[[], None]) -> None:
        self._on_regained.append(callback)

    def subscribe(self, subject: str, handler: Callable[[str, bytes], None]) -> None:
        self.handlers[subject] = handler
        if self.client is not None:
            self.client.subscribed[subject] = handler

    async def start(self) -> None:
        await self._connect()
        self._tasks = [asyncio.create_task(self._keep_connected()), asyncio.create_task(self._ping())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        client, self.client, self.connected = self.client, None, False
        if client is not None:
            self.cable.out.carry(None, self.nats.disconnect, client)

    def publish(self, subject: str, content: bytes, reply: str = "") -> None:
        if self.client is None:
            raise NotSent(congested=False)
        self.cable.out.carry(None, self.nats.route, self.client, subject, content, reply)

    def abandon(self) -> None:
        """Give the connection up; the server learns of it when it can be reached."""
        client, self.client, self.connected = self.client, None, False
        if client is None:
            return
        self.nats.trace("loses NATS", self.process.name)
        self.cable.out.carry(None, self.nats.disconnect, client)
        for callback in self._on_lost:
            callback()
        self._abandoned.set()

    async def _connect(self) -> None:
        answered = asyncio.get_running_loop().create_future()
        client = _Client(self)

        def accept() -> None:
            if self.nats.up:
                self.nats.connect(client)
            self.cable.back.carry(self.process, answer, self.nats.up)

        def answer(accepted: bool) -> None:
            if not answered.done():
                answered.set_result(accepted)

        self.cable.out.carry(None, accept)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                accepted = await answered
        except TimeoutError:
            self.cable.out.carry(None, self.nats.disconnect, client)
            accepted = False
        if not accepted or client.ended:
            raise NatsUnavailable("NATS cannot be reached")
        self.client, self.connected = client, True
        self.number += 1
        self.nats.trace("has NATS", self.process.name, self.number)

    async def _keep_connected(self) -> None:
        while True:
            await self._abandoned.wait()
            self._abandoned.clear()
            pause, longest = RETRY_SECONDS
            while self.client is None:
                try:
                    await self._connect()
                except NatsUnavailable:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, longest)
            for callback in self._on_regained:
                callback()

    async def _ping(self) -> None:
        """Give the connection up if it was cut for two pings."""
        unanswered = 0
        while True:
            await asyncio.sleep(PING_SECONDS)
            unanswered = unanswered + 1 if self.cable.cut and self.connected else 0
            if unanswered > 2:
                unanswered = 0
                self.abandon()
