"""Sending webhooks: the connections, and the part of the responses that is read."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from api.webhooks.client import RESPONSE_LIMIT_BYTES, WebhookClient
from tests.api.webhooks.receiver import Receiver
from tests.cluster.certificates import Authority

pytestmark = pytest.mark.gen_test(timeout=120)

PRIVATE_NAMES = {
    "loopback.example": ["127.0.0.1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "loopback6.example": ["::1"],
    "intranet.example": ["10.1.2.3"],
    "metadata.example": ["169.254.169.254"],
    "nat64.example": ["64:ff9b::7f00:1"],
    "6to4.example": ["2002:7f00:1::1"],
    "any.example": ["0.0.0.0"],  # noqa: S104
    "several.example": ["10.0.0.1", "127.0.0.1", "::1"],
}


class Names(AbstractResolver):
    """Resolves names as a test wants."""

    def __init__(self, names: Mapping[str, Sequence[str]]) -> None:
        self.names = names

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self.names[host]
        ]

    async def close(self) -> None: ...


@asynccontextmanager
async def client(
    names: Mapping[str, Sequence[str]], *, private: bool = False, **options: object
) -> AsyncIterator[WebhookClient]:
    made = WebhookClient("1", connections=4, private=private, resolver=Names(names), **options)
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def receiver(**options: object) -> AsyncIterator[Receiver]:
    made = Receiver(**options)
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def speaking(
    handler: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """Serve connections by a handler, until the client closes them; yields the port."""
    handled: set[asyncio.Task[None] | None] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handled.add(asyncio.current_task())
        with suppress(ConnectionError):
            await handler(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await asyncio.gather(*handled)


@pytest.mark.parametrize("name", sorted(PRIVATE_NAMES))
async def test_names_of_private_addresses_are_not_connected_to(name: str) -> None:
    async with receiver() as local, client(PRIVATE_NAMES) as sender:
        response = await sender.post(f"http://{name}:{local.port}/", "{}", {})
        assert response.status is None
        assert "is a private, local or reserved address" in response.error
        assert local.got == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/", "http://[::ffff:127.0.0.1]:{port}/"])
async def test_private_addresses_are_not_connected_to(url: str) -> None:
    async with receiver() as local, client({}) as sender:
        response = await sender.post(url.format(port=local.port), "{}", {})
        assert (response.status, response.error) == (
            None,
            "Must not be a private, local or reserved address.",
        )
        assert local.got == []


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0x7f.0.0.1", "0177.0.0.1", "127.0.0.1."])
async def test_other_spellings_of_loopback_are_not_connected_to(host: str) -> None:
    async with receiver() as local:
        # The system's resolver, which knows these spellings.
        sender = WebhookClient("1", connections=4, private=False)
        try:
            response = await sender.post(f"http://{host}:{local.port}/", "{}", {})
        finally:
            await sender.close()
        assert response.status is None
        assert response.error
        assert local.got == []


async def test_a_name_is_checked_at_every_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.webhooks.client._RESOLVED_SECONDS", 0)
    names = {"rebinding.example": ["127.0.0.1"]}
    async with receiver() as local, client(names, private=True) as sender:
        local.headers["Connection"] = "close"
        url = f"http://rebinding.example:{local.port}/"
        assert (await sender.post(url, "{}", {})).error is None
        names["rebinding.example"] = ["169.254.169.254"]
        refused = await sender.post(url, "{}", {})
        assert refused.error == "169.254.169.254 is a private, local or reserved address"


async def test_redirects_are_not_followed() -> None:
    async with receiver() as target, receiver() as local, client({}, private=True) as sender:
        local.respond = lambda got: 307
        local.headers["Location"] = target.url
        response = await sender.post(local.url, "{}", {})
        assert response.status == 307
        assert response.error == "Status 307: redirects are not followed; change the URL of the webhook"
        assert target.got == []


async def test_only_the_beginning_of_a_response_is_read() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with speaking(endless) as port, client({}, private=True) as sender:
        response = await sender.post(f"http://127.0.0.1:{port}/", "{}", {})
        assert (response.status, response.error) == (200, None)
        assert response.excerpt == "x" * len(response.excerpt)
        assert 0 < len(response.excerpt) <= RESPONSE_LIMIT_BYTES


async def test_a_receiver_that_does_not_answer_fails_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.webhooks.client.SEND_SECONDS", 0.2)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with speaking(silent) as port, client({}, private=True) as sender:
        response = await sender.post(f"http://127.0.0.1:{port}/", "{}", {})
        assert response.error == "No response within 0.2 s"


async def test_a_receiver_that_is_away_and_one_that_speaks_no_http() -> None:
    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()

    async with client({}, private=True) as sender:
        async with speaking(garbage) as port:
            assert (await sender.post(f"http://127.0.0.1:{port}/", "{}", {})).error
        away = await sender.post(f"http://127.0.0.1:{port}/", "{}", {})
        assert away.status is None
        assert away.error


async def test_the_checked_address_gets_the_name_for_tls_and_host(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("shop.example"))
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    trust = ssl.create_default_context(cafile=authority.path)
    where = {"shop.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]}
    async with receiver(ssl=context) as local, client(where, private=True, ssl=trust) as sender:
        response = await sender.post(f"https://shop.example:{local.port}/hook", "{}", {})
        assert response.error is None
        assert names == ["shop.example"]
        assert local.got[0].headers["host"] == f"shop.example:{local.port}"
        wrong = await sender.post(f"https://other.example:{local.port}/hook", "{}", {})
        assert wrong.status is None
        assert "certificate" in wrong.error
