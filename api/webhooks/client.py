"""Sends webhooks over HTTP, to public addresses only.

Each connection gets its socket from `WebhookClient._socket`, which checks the address that is about to be
connected to. So it does not matter what the name resolved to before. Redirects are not followed. Responses
are read up to `RESPONSE_LIMIT_BYTES`. Names are resolved in threads of their own, so that a slow name server
delays nothing else.
"""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any, NamedTuple

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from api.webhooks.addresses import SEND_SECONDS, UnusableUrl, checked_url, is_allowed

RESPONSE_LIMIT_BYTES = 1024
"""Bytes of a response that are read, for the log."""

_CONNECT_SECONDS = 5.0
_KEEP_ALIVE_SECONDS = 15.0
_RESOLVED_SECONDS = 10
_RESOLVER_THREADS = 100  # one for each webhook


class Response(NamedTuple):
    """The outcome of a request.

    Attributes:
        status: HTTP status; None if no response came.
        excerpt: the beginning of the response.
        error: why it does not count as delivered; None if it does.
    """

    status: int | None
    excerpt: str
    error: str | None


class _Forbidden(OSError):
    """The address is not allowed."""


class SystemResolver(AbstractResolver):
    """Resolves names as the operating system does, in threads of its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_RESOLVER_THREADS, thread_name_prefix="webhook-names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host. Raises OSError."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
        )
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=found_family,
                proto=protocol,
                flags=socket.AI_NUMERICHOST,
            )
            for found_family, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """End the threads, without waiting for names that are being resolved."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class WebhookClient:
    """Sends requests.

    Args:
        version: of this program, for the User-Agent.
        connections: highest number of connections.
        private: whether loopback and private networks are allowed.
        resolver: resolves names; by default the operating system does.
        ssl: an SSL context to verify certificates with; by default that of the machine.
    """

    def __init__(
        self,
        version: str,
        *,
        connections: int,
        private: bool,
        resolver: AbstractResolver | None = None,
        ssl: Any = True,
    ) -> None:
        self._private = private
        connector = TCPConnector(
            limit=connections,
            resolver=resolver or SystemResolver(),
            ttl_dns_cache=_RESOLVED_SECONDS,
            keepalive_timeout=_KEEP_ALIVE_SECONDS,
            socket_factory=self._socket,
            ssl=ssl,
        )
        self._session = ClientSession(
            connector=connector,
            timeout=ClientTimeout(total=SEND_SECONDS, connect=_CONNECT_SECONDS),
            headers={"User-Agent": f"Frontrow/{version}", "Content-Type": "application/json"},
            skip_auto_headers=("Accept-Encoding",),
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )

    async def post(self, url: str, body: str, headers: dict[str, str]) -> Response:
        """Send a request; a status from 200 to 299 counts as delivered.

        Args:
            url: the URL of a webhook.
            body: JSON.
            headers: further headers.
        """
        try:
            checked_url(url, private=self._private)
            async with self._session.post(
                url, data=body.encode(), headers=headers, allow_redirects=False
            ) as response:
                return Response(response.status, await self._excerpt(response), _fault(response.status))
        except UnusableUrl as error:
            return Response(None, "", str(error))
        except TimeoutError:
            return Response(None, "", f"No response within {SEND_SECONDS:g} s")
        except (ClientError, OSError, ValueError) as error:
            return Response(None, "", _reason(error))

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    @staticmethod
    async def _excerpt(response: Any) -> str:
        """Return the beginning of a response. What cannot be read is left out, since the status has come."""
        try:
            content: bytes = await response.content.read(RESPONSE_LIMIT_BYTES)
        except (ClientError, OSError, ValueError, TimeoutError):
            content = b""
        if not response.content.at_eof():
            response.close()
        return content.decode(errors="replace").replace("\0", "")

    def _socket(self, address: Any) -> socket.socket:
        """Return a socket for a connection. Raises OSError if the address is not allowed."""
        family, kind, protocol, _, place = address
        if not is_allowed(ip_address(place[0]), private=self._private):
            raise _Forbidden(f"{place[0]} is a private, local or reserved address")
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made


def _fault(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return f"Status {status}: redirects are not followed; change the URL of the webhook"
    return f"Status {status}"


def _reason(error: BaseException) -> str:
    if isinstance(error, _Forbidden):
        return str(error)
    causes = getattr(error, "os_error", None) or error.__cause__
    inner = [str(one) for one in getattr(causes, "exceptions", ())] or [str(causes)] if causes else []
    return "; ".join(inner) or str(error) or type(error).__name__
