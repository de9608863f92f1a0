"""Loads of clients that do not read, that send slowly, or that all come back together; and of visitors.

They run in several load processes at a time. `time.perf_counter` is the same clock in all of them.
"""

import asyncio
import re
import socket
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from bench.load.frames import handshake
from bench.load.http import Address, Requests, Responses
from bench.load.open_loop import DRAIN_SECONDS
from bench.load.pipeline import CONNECTED_AT_ONCE, Connection
from bench.load.sockets import Listener, Socket, SocketRefused, open_sockets
from bench.load.tally import Tally, TooManyFailures, measured
from frontrow_client.retries import Backoff

_RECEIVE_BUFFER_BYTES = 2048
"""Buffer of a socket that stops reading: small, so that the server soon has to keep data in its outbox."""

_READ_AT_ONCE = 20
_READ_PAUSE_SECONDS = 0.002
_LAST_FRAMES_SECONDS = 10.0

_BYTE_SECONDS = 1.0
_REPLACED_AFTER_SECONDS = 1.0
_OPENED_PER_SECOND = 300.0
"""Clients per process and second that come before the storm: together fewer than are admitted."""

_IP_BIND_ADDRESS_NO_PORT = 24
"""The option of Linux, which `socket` names from Python 3.12 on."""

_ATTEMPT_SECONDS = 20.0
_RETRY_AFTER = re.compile(rb"\r\nretry-after:[ \t]*(\d+)", re.IGNORECASE)


async def _connected(connection: Connection, source: str, address: Address) -> None:
    """Open a connection from an address of this machine.

    The port is chosen when the other end is known. If it were chosen before, with `bind`, it would have to be
    one that no connection of this address has: beside ten thousand others, the search took most of the
    processor.

    Raises:
        OSError: the connection is refused, or there is no port.
    """
    loop = asyncio.get_running_loop()
    sock = socket.socket()
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        sock.bind((source, 0))
        await loop.sock_connect(sock, address)
        await loop.create_connection(connection.itself, sock=sock)
    except BaseException:
        sock.close()
        raise


class Witness(Socket):
    """A socket that notes how long each change takes to reach it.

    Args:
        path, ready_by: see `Socket`.
        tally: where latencies are stored.
        due_at: when each change was due; their frames come in the same order.
    """

    def __init__(self, path: str, ready_by: bytes, tally: Tally, due_at: Sequence[float]) -> None:
        super().__init__(path, ready_by)
        self._tally = tally
        self._due_at = due_at
        self.seen = 0

    def heard(self, texts: list[bytes]) -> None:
        """Store the latency of each change."""
        now = time.perf_counter()
        for due_at in self._due_at[self.seen : self.seen + len(texts)]:
            self._tally.latencies.append(now - due_at)
        self.seen += len(texts)


class StoppingReader(Socket):
    """A socket that can stop reading."""

    def stop_reading(self) -> None:
        """Read nothing more."""
        assert self._transport is not None
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        self._transport.pause_reading()


class _Changing(Connection):
    """Sends changes when they are due, and counts the responses."""

    def __init__(self, requests: Iterator[bytes], tally: Tally) -> None:
        self._requests = requests
        self._tally = tally
        self._responses = Responses()

    async def change(self, every_seconds: float, seconds: float, due_at: list[float]) -> None:
        """Send changes for a time; store in `due_at` when each was due."""
        began_at = time.perf_counter()
        for number in range(max(1, round(seconds / every_seconds))):
            at = began_at + number * every_seconds
            await asyncio.sleep(at - time.perf_counter())
            due_at.append(at)
            self.write(next(self._requests))

    def data_received(self, received: bytes) -> None:
        """Count responses by their status."""
        for status, _ in self._responses.feed(received):
            self._tally.outcomes[status] += 1


@dataclass(frozen=True)
class Readers:
    """A load: sockets watch one screening while changes come at a steady rate; some sockets stop reading.

    One socket in ten is a witness, one is a candidate for stopping, and the others are read now and then,
    because a process that is woken for every frame of every socket would be the bottleneck. Latencies are
    those of the witnesses, from the time when a change was due. Outcomes are responses to the changes.

    Attributes:
        paths, ready_by: of the sockets; see `Socket`.
        changes: requests that make one frame each.
        every_seconds: time between changes.
        stop: whether the candidates stop reading.
    """

    address: Address
    server_pid: int
    paths: Sequence[str]
    ready_by: bytes
    changes: Requests
    every_seconds: float
    seconds: float
    stop: bool

    async def run(self) -> Tally:
        """Carry it out.

        Raises:
            OSError, SocketRefused, TimeoutError: not all sockets are opened.
            TooManyFailures: a witness has not seen all changes.
        """
        tally, due_at = Tally(), list[float]()
        witnesses = [Witness(path, self.ready_by, tally, due_at) for path in self.paths[::10]]
        stopping = [StoppingReader(path, self.ready_by) for path in self.paths[1::10]]
        listeners = [
            Listener(path, self.ready_by, Tally())
            for number, path in enumerate(self.paths)
            if number % 10 > 1
        ]
        changing = _Changing(self.changes.of(0, 1), tally)
        try:
            # In turns, because a server sends a change to one socket after the other.
            await open_sockets(self.address, _in_turns(witnesses, stopping, listeners))
            for listener in listeners:
                listener.read_later()
            if self.stop:
                for reader in stopping:
                    reader.stop_reading()
            await asyncio.get_running_loop().create_connection(changing.itself, *self.address)
            with measured(tally, self.server_pid):
                async with asyncio.TaskGroup() as group:
                    reading = group.create_task(_read_slowly(listeners))
                    await changing.change(self.every_seconds, self.seconds, due_at)
                    await self._last_frames(witnesses, len(due_at))
                    reading.cancel()
        finally:
            for connection in (*witnesses, *stopping, *listeners, changing):
                connection.close()
        return tally

    async def _last_frames(self, witnesses: Sequence[Witness], wanted: int) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_FRAMES_SECONDS):
                while any(witness.seen < wanted for witness in witnesses):  # noqa: ASYNC110
                    await asyncio.sleep(_READ_PAUSE_SECONDS)
        if wrong := [witness.seen for witness in witnesses if witness.seen != wanted]:
            raise TooManyFailures(f"{len(wrong)} sockets got {wrong[0]} or so of {wanted} frames")


def _in_turns(
    witnesses: Sequence[Socket], stopping: Sequence[Socket], listeners: Sequence[Socket]
) -> list[Socket]:
    rest = iter(listeners)
    ordered: list[Socket] = []
    for number, witness in enumerate(witnesses):
        ordered.append(witness)
        ordered.extend(stopping[number : number + 1])
        ordered.extend(listener for _, listener in zip(range(8), rest, strict=False))
    return ordered


async def _read_slowly(listeners: Sequence[Listener]) -> None:
    while True:
        for first in range(0, len(listeners), _READ_AT_ONCE):
            for listener in listeners[first : first + _READ_AT_ONCE]:
                listener.read()
            await asyncio.sleep(_READ_PAUSE_SECONDS)
        await asyncio.sleep(_READ_PAUSE_SECONDS)


class _SlowHead(Connection):
    """A connection whose client hardly ever sends the next byte of a handshake.

    Attributes:
        lost_at: when the server closed it.
    """

    def __init__(self, rest: Iterator[int]) -> None:
        self._rest = rest
        self.lost_at: float | None = None

    def send_byte(self) -> None:
        """Send the next byte, but never the last ones."""
        if (byte := next(self._rest, None)) is not None:
            self.write(bytes([byte]))

    def connection_lost(self, error: Exception | None) -> None:
        """Note when it was closed."""
        self.lost_at = time.perf_counter()


@dataclass(frozen=True)
class SlowHeads:
    """A load, until its process is killed: handshakes of which half come byte by byte and half not at all.

    A connection that the server closes is replaced after a second.
    """

    address: Address
    source: str
    number: int

    async def run(self) -> Tally:
        """Carry it out."""
        heads = [self._head(number) for number in range(self.number)]
        for head in heads:
            head.connection_lost(None)
            head.lost_at = 0.0
        while True:
            began_at = time.perf_counter()
            for first in range(0, len(heads), CONNECTED_AT_ONCE):
                await self._go_on(heads, range(first, min(first + CONNECTED_AT_ONCE, len(heads))))
            await asyncio.sleep(began_at + _BYTE_SECONDS - time.perf_counter())

    async def _go_on(self, heads: list[_SlowHead], some: range) -> None:
        now, replaced = time.perf_counter(), []
        for number in some:
            lost_at = heads[number].lost_at
            if lost_at is None:
                heads[number].send_byte()
            elif now - lost_at >= _REPLACED_AFTER_SECONDS:
                heads[number] = self._head(number)
                replaced.append(heads[number])
        connecting = [_connected(each, self.source, self.address) for each in replaced]
        for head, outcome in zip(
            replaced, await asyncio.gather(*connecting, return_exceptions=True), strict=True
        ):
            if isinstance(outcome, OSError):
                head.connection_lost(outcome)

    def _head(self, number: int) -> _SlowHead:
        return _SlowHead(iter(handshake("/ws/screenings/1")[:-4] if number % 2 else b""))


class _Visit(Connection):
    """A new client: connects, sends one request, waits for the head of the response and goes."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._received = b""
        self.status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""
        super().connection_made(transport)
        self.write(self._request)

    def data_received(self, received: bytes) -> None:
        """Keep the status."""
        self._received += received
        if b"\r\n\r\n" in self._received and not self.status.done():
            self.status.set_result(int(self._received[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        """Note that no response will come."""
        if not self.status.done():
            self.status.set_exception(ConnectionResetError("the server hung up"))


@dataclass(frozen=True)
class Visits:
    """A load: new clients come at a steady rate with one request each, on connections of their own.

    Latencies count from the time when a visit was due, and include connecting. A request may be the handshake
    of a WebSocket.
    """

    address: Address
    server_pid: int
    requests: Requests
    users: int
    rate: float
    seconds: float

    async def run(self) -> Tally:
        """Carry it out."""
        tally = Tally()
        requests = [self.requests.of(user, self.users) for user in range(self.users)]
        began_at = time.perf_counter()
        with measured(tally, self.server_pid):
            async with asyncio.TaskGroup() as group:
                for number in range(max(1, round(self.rate * self.seconds))):
                    due_at = began_at + number / self.rate
                    await asyncio.sleep(due_at - time.perf_counter())
                    group.create_task(self._visit(next(requests[number % self.users]), due_at, tally))
        return tally

    async def _visit(self, request: bytes, due_at: float, tally: Tally) -> None:
        visit = _Visit(request)
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await asyncio.get_running_loop().create_connection(visit.itself, *self.address)
                tally.outcomes[await visit.status] += 1
        except (OSError, TimeoutError):
            tally.unanswered += 1
        finally:
            visit.close()
        tally.latencies.append(time.perf_counter() - due_at)


@dataclass
class StormTally(Tally):
    """The result of a storm. Times are those of `time.perf_counter`.

    Attributes:
        back_at: when each client was back.
        attempts: how often each tried after the server accepted connections again.
        refused: number of handshakes that were refused.
    """

    back_at: "array[float]" = field(default_factory=lambda: array("d"))
    attempts: "array[int]" = field(default_factory=lambda: array("i"))
    refused: int = 0


class _Returning(Socket):
    """A socket whose owner waits for its end.

    Attributes:
        ended: done when the connection is lost.
    """

    def __init__(self, path: str, ready_by: bytes) -> None:
        super().__init__(path, ready_by)
        self.ended = asyncio.get_running_loop().create_future()

    @property
    def is_refused(self) -> bool:
        """True if the server answered the handshake with an error."""
        return self._frames is None and bool(self._head)

    @property
    def retry_after_seconds(self) -> float | None:
        """Time that the server asks to wait; None if it does not ask."""
        match = _RETRY_AFTER.search(self._head)
        return float(match[1]) if match else None

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the owner."""
        super().connection_lost(error)
        self.ended.set_result(None)


@dataclass(frozen=True)
class Storm:
    """A load: clients open sockets, lose them when the server ends, and come back as our Python client does.

    Attributes:
        source: address that the clients come from; one has too few ports for all clients.
        paths, ready_by: of the sockets; see `Socket`.
        limit_seconds: how long it may take altogether.
    """

    address: Address
    source: str
    paths: Sequence[str]
    ready_by: bytes
    limit_seconds: float

    async def run(self) -> StormTally:
        """Carry it out; clients that do not come back are `unanswered`."""
        tally, all_back = StormTally(), asyncio.Event()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.limit_seconds), asyncio.TaskGroup() as group:
                for path in self.paths:
                    group.create_task(self._client(path, tally, all_back))
                    await asyncio.sleep(1 / _OPENED_PER_SECOND)
        tally.unanswered = len(self.paths) - len(tally.back_at)
        return tally

    async def _client(self, path: str, tally: StormTally, all_back: asyncio.Event) -> None:
        backoff = Backoff()
        first = await self._opened(path, backoff, StormTally())
        await first.ended
        backoff.reset()
        await asyncio.sleep(backoff.pause_seconds())
        again = await self._opened(path, backoff, tally)
        if len(tally.back_at) == len(self.paths):
            all_back.set()
        try:
            await all_back.wait()
        finally:
            again.close()

    async def _opened(self, path: str, backoff: Backoff, tally: StormTally) -> _Returning:
        """Return a socket that is ready, after as many attempts as it takes."""
        attempts = 0
        while True:
            attempt = _Returning(path, self.ready_by)
            asked_seconds = None
            try:
                async with asyncio.timeout(_ATTEMPT_SECONDS):
                    await _connected(attempt, self.source, self.address)
                    attempts += 1
                    await attempt.ready
            except SocketRefused:
                tally.refused += attempt.is_refused
                asked_seconds = attempt.retry_after_seconds
            except (OSError, TimeoutError):
                pass
            else:
                tally.back_at.append(time.perf_counter())
                tally.attempts.append(attempts)
                return attempt
            attempt.close()
            await asyncio.sleep(backoff.pause_seconds(asked_seconds))
