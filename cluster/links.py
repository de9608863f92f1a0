"""Calls between nodes: the items for a node, from several turns of the event loop, travel as one message.

A message costs both nodes several times as much as a call in it, so a call costs little if several travel
together. Calls and other items for a node are collected until a turn of the event loop brings no more, which
is at once while there is little to do. The replies to the calls of one message are sent together, as soon as
they are known. A call is answered through a future, without a task.

Each node receives one subject, so that everything which one node sends to another arrives in order, except
broadcasts, which have a subject of their own. A message is a msgpack array
`[version, sender, items, connection, sent]`, with the number of the sender's connection to NATS and the time
on the sender's clock in ms. An item is one of

    [CALL, number, milliseconds, kind, value]    milliseconds: how long the caller waits
    [REPLY, number, value]
    [REFUSAL, number, refusal]                   see `cluster.refusals`
    [DEFECT, number, text]                       the handler failed because of a bug
    [SEND, kind, value]

Further elements, of messages and items, and items of other types are ignored; a newer release may send them.
Messages of the versions next to `VERSION` are understood, since two neighbouring releases serve side by side.
Nodes trust each other's messages: NATS has to authenticate its clients.

Calls can get stuck: in NATS, or in the socket of a process that is stopped for a while. They are not carried
out if their caller has given up meanwhile (`cluster.message_ages`).

`cluster.errors` says what is certain after a failure.
"""

import asyncio
import logging
import re
from asyncio import Future, InvalidStateError
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any, Protocol

import msgspec

from cluster.connection import Connection, NotSent
from cluster.errors import LinkFull, MessageTooLong, NoAnswer, NodeUnreachable, RemoteDefect
from cluster.message_ages import MessageAges
from cluster.messages import NotUnderstood
from cluster.refusals import decode_refusal, encode_refusal
from engine.clock import since_boot
from engine.errors import EngineError, OutcomeUnknown, forget_frames
from engine.guards import DefectLog

log = logging.getLogger(__name__)

VERSION = 1

CALL, REPLY, REFUSAL, DEFECT, SEND = range(5)

CALLS_LIMIT = 4096
"""Unanswered calls to one node. More are refused with `LinkFull`."""

PEERS_LIMIT = 1000
"""Nodes that are remembered although nothing is under way to or from them."""

TICK_SECONDS = 0.05
"""Calls time out at most this much late."""

COLLECTING_TURNS = 4
"""Turns of the event loop for which items are collected at most."""

ENOUGH_ITEMS = 32
"""This many items are sent without waiting for more, which would hardly make them cheaper."""

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Names of nodes and clusters; they become parts of subjects."""

Handler = Callable[[str, Any], Any]


class Answered(Protocol):
    """Receiver of the answer to a call: a future, or a cheaper object in its place."""

    def done(self) -> bool:
        """Return True if the answer is not wanted any more."""

    def set_result(self, reply: Any, /) -> None:
        """Take the reply."""

    def set_exception(self, error: Exception, /) -> None:
        """Take an error: any of those that `Links.call` names."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class _Peer:
    """The messages and calls to and from one node.

    Attributes:
        name: of the node.
        subject: that it receives.
        items: collected in this turn.
        pending: unanswered calls by number, each with the time on the event loop's clock when it times out.
        ages: of the messages that it sends.
    """

    __slots__ = ("ages", "items", "name", "pending", "subject")

    def __init__(self, name: str, subject: str) -> None:
        self.name = name
        self.subject = subject
        self.items: list[tuple[Any, ...]] = []
        self.pending: dict[int, tuple[Answered, float]] = {}
        self.ages = MessageAges()


class Links:
    """The links of one node to all others of its cluster.

    Args:
        connection: to NATS. Start it afterwards, and stop it after `stop`.
        cluster: name of the cluster. Those with different names do not see each other's messages.
        node: name of this node, unique for each start.
        now: a clock without steps, in seconds; others are told its time to find out how old messages are.

    Attributes:
        node: the name.
    """

    def __init__(
        self, connection: Connection, cluster: str, node: str, now: Callable[[], float] = since_boot
    ) -> None:
        if not NAME.fullmatch(cluster):
            raise ValueError(f"{cluster!r} cannot be the name of a cluster")
        self.node = node
        self._loop = asyncio.get_running_loop()
        self._connection = connection
        self._now = now
        self._prefix = f"frontrow.{cluster}"
        self._unserved = f"{self._prefix}.unserved.{node}"
        self._handlers: dict[str, Handler] = {}
        self._peers: dict[str, _Peer] = {}
        self._everybody = _Peer("", f"{self._prefix}.all")
        self._ready: list[_Peer] = []
        self._numbers = count(1)
        self._running: set[Future[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._defects = DefectLog("a message between nodes")
        self._dropped = DefectLog("sending to another node")
        connection.subscribe(self._peer(node).subject, self._receive)
        connection.subscribe(self._everybody.subject, self._receive_broadcast)
        connection.subscribe(f"{self._unserved}.>", self._nobody_received)
        connection.on_lost(self._connection_lost)

    @property
    def connected(self) -> bool:
        """True while there is a connection to NATS."""
        return self._connection.connected

    def on_regained(self, callback: Callable[[], None]) -> None:
        """Call `callback` when there is a connection to NATS again."""
        self._connection.on_regained(callback)

    def on(self, kind: str, handler: Handler) -> None:
        """Handle calls and messages of one kind.

        Args:
            kind: its name, which is the same on all nodes.
            handler: called with the sender's name and the value. For a call, it returns the reply (what
                msgpack can encode) or an awaitable of it, or raises an `EngineError`, which is raised at the
                caller. A coroutine becomes a task; a future does not. The result of a handler of other
                messages is not used.
        """
        self._handlers[kind] = handler

    def call(self, node: str, kind: str, value: Any, seconds: float) -> Future[Any]:
        """Call a handler on another node, or on this one: that call travels through NATS, too.

        Args:
            node: its name.
            kind: the kind of call.
            value: anything that msgpack can encode.
            seconds: how long to wait for the answer.

        Returns:
            The reply, or the error that the handler raised, or:
            NodeUnreachable: there is no such node, or no connection to NATS.
            LinkFull: too many calls to this node are unanswered, or NATS does not read fast enough.
            MessageTooLong: the call does not fit in a message.
            NoAnswer: no answer in time, or the connection was lost. The call may have taken effect.
            NotUnderstood: the node has no handler for this kind.
            RemoteDefect: the handler failed because of a bug.
        """
        future: Future[Any] = self._loop.create_future()
        self.call_for(future, node, kind, value, seconds)
        return future

    def call_for(self, answer: Answered, node: str, kind: str, value: Any, seconds: float) -> None:
        """Call a handler as `call` does, and give `answer` the outcome, perhaps immediately."""
        peer = self._peers.get(node) or self._peer(node)
        pending = peer.pending
        if not self._connection.connected:
            answer.set_exception(NodeUnreachable(node))
            return
        if len(pending) >= CALLS_LIMIT:
            answer.set_exception(LinkFull())
            return
        number = next(self._numbers)
        pending[number] = (answer, self._loop.time() + seconds)
        if self._timer is None:
            self._timer = self._loop.call_later(TICK_SECONDS, self._time_out)
        item = (CALL, number, int(seconds * 1000), kind, value)
        if peer.items:
            peer.items.append(item)
        else:
            self._queue(peer, item)

    def send(self, node: str, kind: str, value: Any) -> None:
        """Send a message that is not answered. It is lost if the node or NATS cannot be reached."""
        self._queue(self._peers.get(node) or self._peer(node), (SEND, kind, value))

    def broadcast(self, kind: str, value: Any) -> None:
        """Send a message to all other nodes of the cluster that are connected to NATS."""
        self._queue(self._everybody, (SEND, kind, value))

    def forget(self, node: str) -> None:
        """Fail the unanswered calls to a node that is gone."""
        peer = self._peers.pop(node, None)
        if peer is not None:
            self._fail_all(peer)

    def stop(self) -> None:
        """Send what has been collected, and fail all unanswered calls."""
        self._flush()
        if self._timer is not None:
            self._timer.cancel()
        for peer in self._peers.values():
            self._fail_all(peer)

    def _peer(self, name: str) -> _Peer:
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be the name of a node")
        if len(self._peers) >= PEERS_LIMIT:
            for idle in [peer for peer in self._peers.values() if not (peer.pending or peer.items)]:
                del self._peers[idle.name]
        peer = self._peers[name] = _Peer(name, f"{self._prefix}.node.{name}")
        return peer

    # Sending

    def _queue(self, peer: _Peer, item: tuple[Any, ...]) -> None:
        if not peer.items:
            if not self._ready:
                self._loop.call_soon(self._collect, 0, COLLECTING_TURNS)
            self._ready.append(peer)
        peer.items.append(item)

    def _collect(self, before: int, turns: int) -> None:
        """Send what has been collected, unless this turn has brought more than there was before."""
        number = sum([len(peer.items) for peer in self._ready])
        if before < number < ENOUGH_ITEMS and turns > 1:
            self._loop.call_soon(self._collect, number, turns - 1)
        else:
            self._flush()

    def _flush(self) -> None:
        ready, self._ready = self._ready, []
        for peer in ready:
            self._flush_peer(peer)

    def _flush_peer(self, peer: _Peer) -> None:
        items, peer.items = peer.items, []
        if items:
            self._publish(peer, items)

    def _publish(self, peer: _Peer, items: list[tuple[Any, ...]]) -> None:
        """Send items as one message, or as several if they are too long together."""
        error: Exception
        try:
            sent = int(self._now() * 1000)
            content = _encode((VERSION, self.node, items, self._connection.number, sent))
            limit = self._connection.message_bytes_limit
            if len(content) <= limit or not limit:
                self._publish_encoded(peer, items, content)
                return
            error = MessageTooLong(len(content), limit)
        except (TypeError, ValueError, OverflowError, RecursionError) as exc:
            error = exc
        if len(items) > 1:
            middle = len(items) // 2
            self._publish(peer, items[:middle])
            self._publish(peer, items[middle:])
        else:
            self._not_sendable(peer, items[0], error)

    def _publish_encoded(self, peer: _Peer, items: list[tuple[Any, ...]], content: bytes) -> None:
        numbers = [item[1] for item in items if item[0] == CALL]
        reply = f"{self._unserved}.{peer.name}.{numbers[0]}.{numbers[-1]}" if numbers else ""
        try:
            self._connection.publish(peer.subject, content, reply)
        except NotSent as exc:
            for number in numbers:
                self._fail(peer, number, LinkFull() if exc.congested else NodeUnreachable(peer.name))
            if exc.congested:
                self._dropped.report(exc)

    def _not_sendable(self, peer: _Peer, item: tuple[Any, ...], error: Exception) -> None:
        if item[0] == CALL:
            self._fail(peer, item[1], error)
            return
        self._dropped.report(error)
        if item[0] in (REPLY, REFUSAL):
            self._queue(peer, (DEFECT, item[1], str(error)))

    # Receiving

    def _receive_broadcast(self, subject: str, content: bytes) -> None:
        self._receive(subject, content, from_myself=False)

    def _receive(self, _: str, content: bytes, *, from_myself: bool = True) -> None:
        try:
            version, sender, items, connection, sent, *_newer = _decode(content)
            if abs(version - VERSION) > 1:
                raise ValueError(
                    f"a message of version {version}; this node understands {VERSION} and those next to it"
                )
            if sender == self.node and not from_myself:
                return
            peer = self._peers.get(sender) or self._peer(sender)
            age = peer.ages.of(connection, sent / 1000, self._now())
        except (ValueError, TypeError) as exc:  # a DecodeError of msgspec is a ValueError
            self._defects.report(exc)
            return
        answered = False
        pending = peer.pending
        for item in items:
            # Calls and replies are handled here, since functions of their own would take as long again.
            try:
                form = item[0]
                if form == REPLY:
                    waiting = pending.pop(item[1], None)
                    if waiting is not None:
                        try:
                            waiting[0].set_result(item[2])
                        except InvalidStateError:
                            pass  # the caller has stopped waiting
                elif form != CALL:
                    self._handle_rare(peer, item)
                elif item[2] > 1000 * age:  # the caller still waits
                    answered = True
                    self._answer(peer, item)
            except Exception as defect:
                self._defects.report(defect)
        if answered:
            self._flush_peer(peer)

    def _handle_rare(self, peer: _Peer, item: list[Any]) -> None:
        form = item[0]
        if form == SEND:
            handler = self._handlers.get(item[1])
            if handler is not None:
                future = self._keep(handler(peer.name, item[2]))
                if future is not None:
                    future.add_done_callback(self._report)
        elif form == REFUSAL:
            self._fail(peer, item[1], _refusal_in(item[2]))
        elif form == DEFECT:
            self._fail(peer, item[1], RemoteDefect(f"Server {peer.name}: {item[2]}"))

    def _answer(self, peer: _Peer, call: list[Any]) -> None:
        """Answer a call. The message's replies are sent when all its calls have been handled."""
        _, number, _, kind, value, *_newer = call
        try:
            handler = self._handlers.get(kind)
            if handler is None:
                raise NotUnderstood(f"a call of the kind {kind!r}")
            result = handler(peer.name, value)
        except Exception as error:
            self._answer_error(peer, number, kind, error)
            return
        if type(result) is bytes or (future := self._keep(result)) is None:
            peer.items.append((REPLY, number, result))
        else:
            future.add_done_callback(partial(self._answer_later, peer, number, kind))

    def _keep(self, result: Any) -> "Future[Any] | None":
        """Return the future of a handler's result, and keep it until it is done; None for a plain result."""
        if not hasattr(result, "__await__"):
            return None
        future: Future[Any] = asyncio.ensure_future(result)
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return future

    def _report(self, future: Future[Any]) -> None:
        if not future.cancelled() and (error := future.exception()) is not None:
            self._defects.report(error)

    def _answer_later(self, peer: _Peer, number: int, kind: str, future: Future[Any]) -> None:
        if future.cancelled():
            self._answer_error(peer, number, kind, OutcomeUnknown())
        elif (error := future.exception()) is not None:
            self._answer_error(peer, number, kind, error)
        else:
            self._queue(peer, (REPLY, number, future.result()))

    def _answer_error(self, peer: _Peer, number: int, kind: str, error: BaseException) -> None:
        if isinstance(error, EngineError):
            self._queue(peer, (REFUSAL, number, encode_refusal(error)))
            forget_frames(error)
        else:
            self._defects.report(error)
            self._queue(peer, (DEFECT, number, f"the handler of {kind} failed"))

    # Failing

    def _fail(self, peer: _Peer, number: int, error: Exception) -> None:
        waiting = peer.pending.pop(number, None)
        if waiting is not None and not waiting[0].done():
            waiting[0].set_exception(error)

    def _fail_all(self, peer: _Peer) -> None:
        """Fail all calls to a node; those which have not left yet as certainly not done."""
        items, peer.items = peer.items, []
        for item in items:
            if item[0] == CALL:
                self._fail(peer, item[1], NodeUnreachable(peer.name))
        for number in list(peer.pending):
            self._fail(peer, number, NoAnswer())

    def _nobody_received(self, subject: str, _: bytes) -> None:
        """NATS tells us that nobody receives a node's subject, so some calls were not delivered."""
        *_prefix, name, first, last = subject.split(".")
        peer = self._peers.get(name)
        if peer is not None:
            for number in [number for number in peer.pending if int(first) <= number <= int(last)]:
                self._fail(peer, number, NodeUnreachable(name))

    def _connection_lost(self) -> None:
        for peer in list(self._peers.values()):
            self._fail_all(peer)

    def _time_out(self) -> None:
        now = self._loop.time()
        waiting = False
        for peer in self._peers.values():
            for number, (future, deadline) in list(peer.pending.items()):
                if deadline <= now or future.done():
                    self._fail(peer, number, NoAnswer())
            waiting = waiting or bool(peer.pending)
        self._timer = self._loop.call_later(TICK_SECONDS, self._time_out) if waiting else None


def _refusal_in(data: object) -> EngineError:
    try:
        return decode_refusal(data)
    except NotUnderstood as error:
        return error
