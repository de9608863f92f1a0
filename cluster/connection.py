"""The connection of one node to NATS. This is the only module that knows the client library.

The library reconnects by itself, but then it sends what it has kept for the old connection, and gives up for
good when it is refused once. Commands must not be delivered late: their callers have been told that the
outcome is unknown, and may have repeated them. So a lost connection is abandoned with everything in it, and
`Connection` makes a new client:

    connecting ── connected ──► up ── lost (end of file, error, unanswered pings) ──► connecting

Nothing waits here. While NATS is away, `publish` raises; while it reads slowly, what has been published is
kept up to `OUTGOING_BYTES_LIMIT`, and then `publish` raises too.
"""

import asyncio
import logging
import random
import ssl
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import ParseResult, urlsplit

from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.aio.transport import TcpTransport
from nats.errors import Error, NoServersError, UnexpectedEOF
from nats.errors import TimeoutError as NatsTimeout
from nats.protocol.parser import AWAITING_CONTROL_LINE

from cluster.credentials import Credentials
from cluster.errors import NatsUnavailable
from engine.guards import DefectLog, attempt

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 3.0
"""Time limit for connecting to one server, with TLS and authentication."""

PING_SECONDS = 0.5
UNANSWERED_PINGS = 2
"""A server that answers none of this many pings is given up: after 1.0 to 1.5 seconds."""

RETRY_SECONDS = (0.1, 1.0)
"""Between attempts to connect: the first pause, and the longest. Each is twice the previous one."""

GOODBYE_SECONDS = 1.0
"""Time for which `stop` waits for NATS to read what has been published."""

OUTGOING_BYTES_LIMIT = 16 * 1024 * 1024
"""Published bytes that NATS has not read. More are refused."""

Result = TypeVar("Result")

Handler = Callable[[str, bytes], None]
"""Receives the subject and the content of a message. It must not raise."""

_random = random.SystemRandom()


class NotSent(Exception):
    """A message was not given to NATS: there is no connection, or too many bytes wait already.

    Attributes:
        congested: True for too many bytes.
    """

    def __init__(self, *, congested: bool) -> None:
        super().__init__("too many bytes wait for NATS" if congested else "there is no connection to NATS")
        self.congested = congested


class Connection:
    """Publishes and receives messages, and reconnects whenever the connection is lost.

    Args:
        urls: of the servers, in any order; they may contain a token or a user and password. `tls://` requires
            encryption.
        name: shown in the monitoring of NATS.
        credentials: a credentials file, or None.
        ca: a PEM file with the certificate authority of the servers; None for those of the machine.

    Attributes:
        connected: True until the loss of the connection is noticed.
        number: how many connections have been made.

    Raises:
        NatsUnavailable: the credentials or the certificate authority cannot be read.
    """

    def __init__(
        self, urls: Sequence[str], name: str, *, credentials: Path | None = None, ca: Path | None = None
    ) -> None:
        self._urls = list(urls)
        self._handlers: dict[str, Handler] = {}
        self._on_lost: list[Callable[[], None]] = []
        self._on_regained: list[Callable[[], None]] = []
        self._client: _Client | None = None
        self.connected = False
        self.number = 0
        self._subscriptions: list[Subscription] = []
        self._stopping = False
        self._abandoned = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._errors = DefectLog("NATS")
        self._options: dict[str, Any] = {
            "name": name,
            "allow_reconnect": False,
            # A refused connection is tried twice, without a pause.
            "max_reconnect_attempts": 1,
            "reconnect_time_wait": 0,
            # For each step of connecting; `CONNECT_SECONDS` is for all of them.
            "connect_timeout": 2 * CONNECT_SECONDS,
            "ping_interval": PING_SECONDS,
            "max_outstanding_pings": UNANSWERED_PINGS,
            # Nothing is kept while there is no connection.
            "pending_size": 0,
        }
        try:
            if credentials is not None:
                user = Credentials(credentials)
                self._options |= {"user_jwt_cb": user.jwt, "signature_cb": user.sign}
            if ca is not None:
                self._options["tls"] = ssl.create_default_context(cafile=str(ca))
        except (OSError, ValueError) as exc:
            raise NatsUnavailable(f"A file for connecting to NATS cannot be used: {exc}") from exc

    @property
    def message_bytes_limit(self) -> int:
        """The longest message that NATS accepts, in bytes; 0 before the first connection."""
        return self._client.max_payload if self._client else 0

    def on_lost(self, callback: Callable[[], None]) -> None:
        """Call `callback` whenever the connection is lost, perhaps again before it is regained."""
        self._on_lost.append(callback)

    def on_regained(self, callback: Callable[[], None]) -> None:
        """Call `callback` when there is a connection again. All subscriptions are active then."""
        self._on_regained.append(callback)

    async def start(self) -> None:
        """Connect to one of the servers.

        Raises:
            NatsUnavailable: to none of them within `CONNECT_SECONDS` each.
        """
        await self._connect_to_any()
        self._keeper = asyncio.create_task(self._keep_connected(), name="NATS")

    async def stop(self) -> None:
        """Receive nothing more, wait until NATS has read what has been published, and disconnect.

        It takes `GOODBYE_SECONDS` at most. Afterwards NATS knows that nobody receives the subjects.
        """
        while self._keeper is not None and not self._keeper.done():
            # Several times, because `asyncio.wait_for` of Python 3.11 sometimes swallows a cancellation.
            self._keeper.cancel()
            await asyncio.wait([self._keeper], timeout=RETRY_SECONDS[0])
        client = self._client
        if client is not None:
            self._stopping = True
            with suppress(Error, OSError, TimeoutError):
                async with asyncio.timeout(GOODBYE_SECONDS):
                    await asyncio.gather(*[_drain(subscription) for subscription in self._subscriptions])
                    await _everything_read(client)
            self._use(None)
            await client.close()

    def subscribe(self, subject: str, handler: Handler) -> None:
        """Receive the messages of a subject, now or as soon as there is a connection, until `stop`.

        Args:
            subject: may end with the wildcard `>`.
            handler: called for each message, in the order of arrival.
        """
        self._handlers[subject] = handler
        if self._client is not None:
            self._subscriptions.append(_subscribe(self._client, subject, handler))

    def publish(self, subject: str, content: bytes, reply: str = "") -> None:
        """Send a message.

        Args:
            subject: where to.
            content: at most `message_bytes_limit` bytes.
            reply: if nobody receives the subject, NATS sends an empty message to this one.

        Raises:
            NotSent: there is no connection, or NATS does not read fast enough.
        """
        client = self._client
        if client is None:
            raise NotSent(congested=False)
        if client.unread_bytes > OUTGOING_BYTES_LIMIT:
            raise NotSent(congested=True)
        if not client.is_connected:
            # The library knows that the connection is lost, and tells us in the next turn.
            raise NotSent(congested=False)
        client.send(subject, content, reply)

    async def _keep_connected(self) -> None:
        while True:
            await self._abandoned.wait()
            pause, longest = RETRY_SECONDS
            complaint = ""
            while self._client is None:
                try:
                    await self._connect_to_any()
                except NatsUnavailable as exc:
                    if complaint != (complaint := str(exc)):
                        logger.warning("%s", complaint)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, longest)
            self._abandoned.clear()
            logger.info("There is a connection to NATS again")
            for callback in self._on_regained:
                attempt(callback)

    async def _connect_to_any(self) -> None:
        """Try the servers in random order, so that the nodes spread over them."""
        complaints = []
        for url in _random.sample(self._urls, len(self._urls)):
            try:
                await self._connect_to(url)
                return
            except NatsUnavailable as exc:
                complaints.append(str(exc))
        raise NatsUnavailable("; ".join(complaints))

    async def _connect_to(self, url: str) -> None:
        client = _Client(self._errors)
        errors: list[Exception] = []

        async def disconnected() -> None:
            if client is self._client and not self._stopping:
                self._abandon()

        async def failed(error: Exception) -> None:
            errors.append(error)
            if client is self._client and not isinstance(error, OSError | UnexpectedEOF):
                self._errors.report(error)

        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await client.connect([url], disconnected_cb=disconnected, error_cb=failed, **self._options)
                self._use(client)
                self.number += 1
                # NATS reads these before anything that is published from now on.
                self._subscriptions = [
                    _subscribe(client, subject, handler) for subject, handler in self._handlers.items()
                ]
                await _everything_read(client)
            if not client.is_connected:
                raise UnexpectedEOF
        except BaseException as exc:
            self._use(None)
            await client.close()
            if isinstance(exc, NoServersError) and errors:
                exc = errors[-1]
            if isinstance(exc, Exception):
                # If something else than NATS listens there, the library raises errors of all kinds.
                raise NatsUnavailable(_advice(url, exc)) from exc
            raise

    def _use(self, client: "_Client | None") -> None:
        self._client, self.connected = client, client is not None

    def _abandon(self) -> None:
        self._use(None)
        logger.warning("The connection to NATS is lost; reconnecting")
        for callback in self._on_lost:
            attempt(callback)
        self._abandoned.set()


class _Transport(TcpTransport):
    """Never waits for the server, which may be frozen: `close` drops what it has not read.

    It also refuses to talk to the server of a `tls://` URL unencrypted: the library encrypts only if the
    server asks for it, and otherwise would send the token in clear.
    """

    _must_encrypt = False

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __bool__(self) -> bool:
        return True  # the library would replace it before the first connection

    @property
    def unread_bytes(self) -> int:
        return self._io_writer.transport.get_write_buffer_size() if self._io_writer else 0

    async def read_by(self, protocol: asyncio.Protocol) -> bytes:
        """Let a protocol receive what arrives from now on. Returns what has arrived, without waiting."""
        reader, writer = self._io_reader, self._io_writer
        if reader is None or writer is None or reader.at_eof():
            raise UnexpectedEOF
        writer.transport.set_protocol(protocol)
        reader.feed_eof()
        return await reader.read()

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: int) -> None:
        self._must_encrypt = uri.scheme == "tls"
        await super().connect(uri, buffer_size, connect_timeout)

    def write(self, payload: bytes) -> None:
        self.writelines([payload])

    def writelines(self, payload: list[bytes]) -> None:
        writer = self._io_writer
        if writer is None or writer.is_closing():
            return
        if self._must_encrypt and writer.get_extra_info("ssl_object") is None:
            raise Error("nats: the server does not offer TLS")
        writer.writelines(payload)

    async def drain(self) -> None:
        """Do nothing; `Connection.publish` limits what is buffered."""

    async def wait_closed(self) -> None:
        """Return at once: the inherited method never returns after a failed TLS handshake."""

    def close(self) -> None:
        if self._io_writer is not None:
            self._io_writer.transport.abort()


class _Client(Client):
    """Handles messages as they are read, and writes them at once.

    The library's way takes several tasks, queues and turns of the event loop for each message, which costs
    more than everything else that is done with it. Only data other than whole messages of subscriptions goes
    that way. While handlers are busy, nothing more is read, so NATS keeps the messages to come.

    Attributes:
        handlers: by the number of their subscription.
    """

    def __init__(self, errors: DefectLog) -> None:
        super().__init__()
        self._transport = self._own_transport = _Transport()
        self._defects = errors
        self.handlers: dict[int, Handler] = {}

    @property
    def unread_bytes(self) -> int:
        return self.pending_data_size + self._own_transport.unread_bytes

    def send(self, subject: str, content: bytes, reply: str) -> None:
        """Send a message, after what the library has collected: subscriptions and pings."""
        head = f"PUB {subject} {reply} {len(content)}\r\n".encode()
        self._own_transport.write(b"".join([*self._pending, head, content, b"\r\n"]))
        self._pending, self._pending_data_size = [], 0

    def take_messages(self, data: bytes) -> bytes:
        """Handle the whole messages at the start of what was read. Returns the rest."""
        start = 0
        while data.startswith(b"MSG ", start):
            content_start = data.find(b"\r\n", start) + 2
            words = data[start + 4 : content_start].split()
            try:
                content_end = content_start + int(words[-1])
                handler = self.handlers[int(words[1])]
            except (ValueError, LookupError):
                break  # cut off, or not for us: the library tells
            if content_end + 2 > len(data):
                break
            self._handle(handler, words[0], data[content_start:content_end])
            start = content_end + 2
        return data[start:]

    async def _read_loop(self) -> None:
        """Read until the connection is lost. The library runs this as a task."""
        reader = _Reader(self)
        try:
            reader.data_received(await self._own_transport.read_by(reader))
            while data := await reader.rest():
                await self._ps.parse(data)
                reader.busy = bool(self._ps.buf) or self._ps.state != AWAITING_CONTROL_LINE
            raise reader.error or UnexpectedEOF
        except asyncio.CancelledError:
            return
        except Exception as error:
            await self._error_cb(error)
            await self._process_op_err(error)

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        handler = self.handlers.get(sid)
        if handler is None:
            await super()._process_msg(sid, subject, reply, data, headers)
        else:
            self._handle(handler, subject, data)

    def _handle(self, handler: Handler, subject: bytes, content: bytes) -> None:
        try:
            handler(subject.decode(), content)
        except Exception as defect:
            self._defects.report(defect)


class _Reader(asyncio.Protocol):
    """Receives from NATS: lets the client handle whole messages, and keeps the rest for the library.

    Args:
        client: handles messages.

    Attributes:
        busy: True while the library has a part of something, so that it needs what follows.
        error: why the connection is lost, if that is known.
    """

    def __init__(self, client: _Client) -> None:
        self._client = client
        self._rest = bytearray()
        self._more = asyncio.Event()
        self._ended = self.busy = False
        self.error: Exception | None = None

    async def rest(self) -> bytes:
        """Wait for data that the library has to handle. Returns nothing when the connection is lost."""
        await self._more.wait()
        rest = bytes(self._rest)
        self._rest.clear()
        if not self._ended:
            self._more.clear()
        return rest

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        if not (self._rest or self.busy) and not (data := self._client.take_messages(data)):
            return
        self.busy = True
        self._rest += data
        self._more.set()

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the event loop."""
        self._ended, self.error = True, error
        self._more.set()


def _subscribe(client: _Client, subject: str, handler: Handler) -> Subscription:
    subscription = _run(client.subscribe(subject))
    client.handlers[subscription._id] = handler  # nothing arrives before: NATS has not been told yet
    return subscription


async def _drain(subscription: Subscription) -> None:
    await subscription.drain()  # type: ignore[no-untyped-call]


async def _everything_read(client: Client) -> None:
    """Wait until NATS has read all that has been sent: it answers a ping after that."""
    # The first ping overtakes what the library writes at the end of this turn.
    await client.rtt()
    await client.rtt()


def _run(call: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine of the library that has nothing to wait for, without a task."""
    try:
        call.send(None)
    except StopIteration as returned:
        result: Result = returned.value
        return result
    call.close()
    raise RuntimeError("the NATS client waits where it should not")


def _advice(url: str, error: Exception) -> str:
    """Return what is wrong and what to do, without the credentials in the URL."""
    parts = urlsplit(url)
    where = f"NATS at {parts.hostname}:{parts.port or 4222}"
    if isinstance(error, ssl.SSLError):
        return f"The certificate of {where} is not accepted ({error}); see FRONTROW_NATS_CA"
    if isinstance(error, TimeoutError | NatsTimeout):
        return f"{where} does not answer; see FRONTROW_NATS_URL"
    if isinstance(error, OSError):
        return f"{where} cannot be reached ({error}); see FRONTROW_NATS_URL"
    if "authorization" in str(error).casefold():
        return f"{where} refuses the credentials; see FRONTROW_NATS_URL and FRONTROW_NATS_CREDENTIALS"
    return f"{where} refuses the connection ({error}); see FRONTROW_NATS_URL"
