"""The connection to NATS: what arrives, what is refused, and how it is lost and made again.

The tests use real servers and end or freeze them.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cluster.connection import Connection, NotSent
from cluster.errors import NatsUnavailable
from cluster.nats_server import NatsServer
from tests.api.cinema import eventually
from tests.cluster.certificates import Authority
from tests.cluster.nats_accounts import JwtServer
from tests.http.stage import on_both_loops
from tests.nats import freeze, kill, nats_server_with, own_nats_server, thaw

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("io_loop"), on_both_loops]

PATIENCE_SECONDS = 60


class Inbox:
    """Messages that a connection has received, and how often it was lost and regained."""

    def __init__(self, *urls: str, **options: Path) -> None:
        self.connection = Connection(urls, "test", **options)
        self.received: list[bytes] = []
        self.lost = self.regained = 0
        self.connection.subscribe("inbox.>", lambda subject, content: self.received.append(content))
        self.connection.on_lost(self._count_lost)
        self.connection.on_regained(self._count_regained)

    def publish(self, *contents: bytes) -> None:
        for content in contents:
            self.connection.publish("inbox.here", content)

    async def gets(self, *contents: bytes) -> None:
        """Wait until exactly these have been received since the last time."""
        await eventually(lambda: len(self.received) >= len(contents))
        assert self.received == list(contents)
        self.received.clear()

    def _count_lost(self) -> None:
        self.lost += 1

    def _count_regained(self) -> None:
        self.regained += 1


@asynccontextmanager
async def inbox(*urls: str, **options: Path) -> AsyncIterator[Inbox]:
    made = Inbox(*urls, **options)
    await made.connection.start()
    try:
        yield made
    finally:
        await made.connection.stop()


async def complaint(*urls: str, **options: Path) -> str:
    """Return the message of the error with which a connection is refused."""
    with pytest.raises(NatsUnavailable) as refused:
        async with asyncio.timeout(PATIENCE_SECONDS), inbox(*urls, **options):
            pass
    return str(refused.value)


async def test_messages_arrive_in_order(nats_server: NatsServer) -> None:
    async with inbox(nats_server.url) as own:
        numbers = [b"%d" % number for number in range(3000)]
        own.publish(*numbers)
        await own.gets(*numbers)


@asynccontextmanager
async def in_pieces(url: str, size: int) -> AsyncIterator[str]:
    """Let a server's bytes arrive in pieces, and return the URL for that."""
    parts = urlsplit(url)
    tasks: set[asyncio.Task[None]] = set()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, size: int) -> None:
        with suppress(OSError):
            while data := await reader.read(size):
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(parts.hostname, parts.port)
        for ends in ((reader, to_server, 65_536), (from_server, writer, size)):
            tasks.add(asyncio.create_task(pass_on(*ends)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        login = parts.netloc.rpartition("@")[0]
        yield f"nats://{login}@127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.gather(*tasks)


@pytest.mark.parametrize("size", [1, 7, 50])
async def test_messages_that_arrive_in_pieces(nats_server: NatsServer, size: int) -> None:
    async with in_pieces(nats_server.url, size) as url, inbox(url) as own:
        contents = [b"MSG inbox.here 1 3\r\n"[:number] for number in range(20)] * 3
        own.publish(*contents)
        own.connection.publish("nobody", b"", reply="inbox.nobody")
        # NATS tells in a message of its own kind that nobody receives it.
        await own.gets(*contents, b"")
        own.publish(b"x" * 20_000, b"end")
        await own.gets(b"x" * 20_000, b"end")
        assert not own.lost


async def test_what_was_published_before_stopping_is_delivered(nats_server: NatsServer) -> None:
    async with inbox(nats_server.url) as other:
        async with inbox(nats_server.url) as own:
            own.publish(b"goodbye")
        await other.gets(b"goodbye")
        with pytest.raises(NotSent):
            own.publish(b"late")
        assert not own.lost


async def test_a_subject_that_nobody_receives_is_reported(nats_server: NatsServer) -> None:
    async with inbox(nats_server.url) as own:
        own.connection.publish("nobody", b"hello", reply="inbox.nobody")
        await own.gets(b"")


async def test_a_server_that_cannot_be_reached_is_named_without_its_token() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        message = await complaint(f"nats://hush@127.0.0.1:{port}")
    assert message.startswith(f"NATS at 127.0.0.1:{port} cannot be reached (")
    assert message.endswith("; see FRONTROW_NATS_URL")
    assert "hush" not in message


async def test_a_wrong_token_is_told(nats_server: NatsServer) -> None:
    port = urlsplit(nats_server.url).port
    message = await complaint(f"nats://hush@127.0.0.1:{port}")
    assert message.startswith(f"NATS at 127.0.0.1:{port} refuses the credentials; see FRONTROW_NATS_URL")
    assert "hush" not in message


async def test_a_frozen_server_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.connection.CONNECT_SECONDS", 0.2)
    async with own_nats_server(tmp_path) as server:
        freeze(server)
        port = urlsplit(server.url).port
        message = await complaint(server.url)
        thaw(server)
    assert message == f"NATS at 127.0.0.1:{port} does not answer; see FRONTROW_NATS_URL"


@pytest.mark.parametrize(
    "greeting",
    [
        b"",
        b"220 mail.example ESMTP\r\n",
        b"INFO \r\n",
        b"INFO []\r\n",
        b"INFO {}\r\n",
        b'INFO {"version": 1}\r\nPONG\r\n',
        b"-ERR 'maximum connections exceeded'\r\n",
        b"x" * 200_000,
    ],
    ids=lambda greeting: greeting[:20].decode().strip(),
)
async def test_something_else_than_nats_is_given_up(greeting: bytes) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()

    other = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with other:
        port = other.sockets[0].getsockname()[1]
        message = await complaint(f"nats://hush@127.0.0.1:{port}")
    assert message.startswith(f"NATS at 127.0.0.1:{port} ")
    assert message.endswith("see FRONTROW_NATS_URL")
    assert "hush" not in message


async def test_one_server_of_several_is_enough(nats_server: NatsServer) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        for _ in range(3):
            async with inbox(f"nats://127.0.0.1:{unused.getsockname()[1]}", nats_server.url) as own:
                own.publish(b"hello")
                await own.gets(b"hello")


async def test_a_killed_server_is_noticed_and_found_again_five_times(tmp_path: Path) -> None:
    async with own_nats_server(tmp_path) as server, inbox(server.url) as own:
        for number in range(1, 6):
            kill(server)
            own.publish(b"given to a dead server")
            await eventually(lambda: not own.connection.connected)
            with pytest.raises(NotSent) as refused:
                own.publish(b"stale")
            assert not refused.value.congested
            assert (own.lost, own.regained) == (number, number - 1)
            await server.start()
            await eventually(lambda number=number: own.regained == number)
            assert own.connection.connected
            own.publish(b"fresh")
            await own.gets(b"fresh")
            assert (own.lost, own.regained) == (number, number)


@pytest.mark.usefixtures("brisk_pings")
async def test_a_frozen_server_is_noticed_and_what_it_has_not_read_is_dropped(tmp_path: Path) -> None:
    async with own_nats_server(tmp_path) as server, inbox(server.url) as own:
        freeze(server)
        published = 0
        with pytest.raises(NotSent) as refused:
            while True:
                own.publish(b"%d" % published + b" " * 500_000)
                published += 1
                await asyncio.sleep(0)
        assert refused.value.congested
        await eventually(lambda: not own.connection.connected)
        thaw(server)
        await eventually(lambda: own.connection.connected)
        own.publish(b"fresh")
        await eventually(lambda: b"fresh" in own.received)
        # The server's socket has accepted a few; it may still deliver those.
        assert len(own.received) < published / 2


async def test_a_server_that_refuses_for_a_while_is_tried_again(tmp_path: Path) -> None:
    """A server may refuse for a while, for example because its token is being changed."""
    async with own_nats_server(tmp_path) as server, inbox(server.url) as own:
        port = urlsplit(server.url).port
        await server.stop()
        strict = tmp_path / "strict"
        strict.mkdir()
        async with nats_server_with(strict, 'authorization { token: "another" }', port):
            await eventually(lambda: not own.connection.connected)
            await asyncio.sleep(0.5)
            assert not own.connection.connected
        await server.start()
        await eventually(lambda: own.connection.connected)
        own.publish(b"fresh")
        await own.gets(b"fresh")


async def test_tls_with_a_private_certificate_authority(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("localhost")
    tls = f'tls {{ cert_file: "{certificate}", key_file: "{key}" }}\nauthorization {{ token: "hush" }}'
    async with nats_server_with(tmp_path, tls) as port:
        url = f"tls://hush@localhost:{port}"
        async with inbox(url, ca=authority.path) as own:
            own.publish(b"secret")
            await own.gets(b"secret")
            assert own.connection.connected
        message = await complaint(url)
        assert message.startswith(f"The certificate of NATS at localhost:{port} is not accepted")
        assert message.endswith("see FRONTROW_NATS_CA")
        # A certificate is for a name.
        assert "is not accepted" in await complaint(f"tls://hush@127.0.0.1:{port}", ca=authority.path)


async def test_a_tls_url_never_leads_to_an_unencrypted_connection(nats_server: NatsServer) -> None:
    message = await complaint(nats_server.url.replace("nats://", "tls://"))
    assert "the server does not offer TLS" in message


async def test_a_credentials_file(tmp_path: Path) -> None:
    server = JwtServer()
    async with nats_server_with(tmp_path, server.configuration()) as port:
        url = f"nats://127.0.0.1:{port}"
        credentials = tmp_path / "node.creds"
        credentials.write_text(server.credentials())
        async with inbox(url, credentials=credentials) as own:
            own.publish(b"hello")
            await own.gets(b"hello")
        stranger = tmp_path / "stranger.creds"
        stranger.write_text(JwtServer().credentials())
        for options in ({"credentials": stranger}, {}):
            assert "refuses the credentials" in await complaint(url, **options)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "-----BEGIN NATS USER JWT-----\nabc\n------END NATS USER JWT------\n",
        JwtServer().credentials().replace("SU", "!!"),
        JwtServer().credentials().replace("SU", ""),
    ],
    ids=["empty", "no seed", "no base32", "too short"],
)
async def test_a_damaged_credentials_file_is_told(tmp_path: Path, content: str) -> None:
    path = tmp_path / "node.creds"
    path.write_text(content)
    with pytest.raises(NatsUnavailable, match=r"cannot be used: .*node\.creds"):
        Connection(["nats://127.0.0.1"], "test", credentials=path)


async def test_missing_files_are_told(tmp_path: Path) -> None:
    for options in ({"credentials": tmp_path / "missing"}, {"ca": tmp_path / "missing"}):
        with pytest.raises(NatsUnavailable, match=r"cannot be used: .*No such file"):
            Connection(["nats://127.0.0.1"], "test", **options)
