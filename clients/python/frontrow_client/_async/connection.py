"""A socket that reconnects: one WebSocket after another, until it is closed or told to stay away."""

import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from types import TracebackType
from typing import Any, Generic, Self, TypeVar
from urllib.parse import urlencode

import msgspec
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from frontrow_client._async.base import AsyncBase, given
from frontrow_client._async.io import Socket, open_socket, receive, sleep
from frontrow_client.answers import Answer
from frontrow_client.errors import ConnectionFailed, NotAuthenticated, SocketClosed
from frontrow_client.live import ABNORMAL, Next, ProtocolError, next_after
from frontrow_client.retries import Backoff, is_worth_repeating

T = TypeVar("T")

ANSWER_SECONDS = 10.0
"""Time for a socket to open, for the first message, and for a pong."""

PING_SECONDS = 15.0
STABLE_SECONDS = 10.0
"""Time for which a connection has to work until the next pause is short again."""

MESSAGE_LIMIT_BYTES = 2**20


class AsyncLiveSocket(AsyncIterator[T], Generic[T]):
    """Base of all sockets. Iterate over it; use it as a context manager to close it afterwards.

    Only one task may iterate, while others may call the methods that send.

    Args:
        client: whose socket it is.
        path: of the socket.
        give_up_seconds: how long to try to reconnect before `ConnectionFailed` is raised; by default for
            ever.

    Attributes:
        is_live: whether updates are arriving now; False while it reconnects.
    """

    def __init__(self, client: AsyncBase, path: str, give_up_seconds: float | None = None) -> None:
        self.is_live = False
        self._client = client
        self._path = path
        self._give_up_seconds = give_up_seconds
        self._socket: Socket | None = None
        self._token: str | None = None
        self._updates: deque[T] = deque()
        self._backoff = Backoff()
        self._is_closed = False
        self._has_renewed = False
        self._works_since: float | None = None
        self._down_since = time.monotonic()
        client._sockets.add(self)

    # What a kind of socket adds

    def _query(self) -> Mapping[str, Any]:
        """Return the query of the handshake."""
        return {}

    async def _opened(self) -> None:
        """Send the messages with which a connection begins."""

    async def _take(self, message: Mapping[str, Any]) -> Iterable[T]:
        """Return what a message tells.

        Raises:
            ProtocolError: the connection cannot be used any more.
        """
        raise NotImplementedError

    # Iterating

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        """Wait for the next update, reconnecting as often as necessary.

        Raises:
            SocketClosed: the server closes the socket for good.
            NotAuthenticated: the token is rejected, and there is no other one.
            ApiError: the handshake is refused.
            ConnectionFailed: reconnecting has taken longer than `give_up_seconds`.
        """
        while not self._updates:
            if self._is_closed:
                raise StopAsyncIteration
            if self._socket is None:
                await self._connect()
            else:
                await self._read(self._socket)
        return self._updates.popleft()

    async def close(self) -> None:
        """Close the socket. Whoever iterates gets what has arrived, and then the end."""
        self._is_closed = True
        await self._drop()

    async def _send(self, message: Mapping[str, Any]) -> bool:
        """Send a message; return whether there is a connection, without which nothing is sent later."""
        if self._socket is None:
            return False
        try:
            await self._socket.send(msgspec.json.encode(message).decode())
        except ConnectionClosed:
            return False
        return True

    async def _connect(self) -> None:
        """Try once; pause after a failure."""
        self._token = await self._client._current_token()
        query = urlencode(given(token=self._token, **self._query()))
        url = f"ws{self._client.base_url.removeprefix('http')}{self._path}"
        try:
            socket = await open_socket(
                f"{url}?{query}" if query else url,
                open_timeout=ANSWER_SECONDS,
                ping_interval=PING_SECONDS,
                ping_timeout=ANSWER_SECONDS,
                close_timeout=1.0,
                max_size=MESSAGE_LIMIT_BYTES,
            )
        except InvalidStatus as refused:
            response = refused.response
            refusal = Answer(response.status_code, response.headers, bytes(response.body or b"")).refusal
            if not is_worth_repeating(refusal.status, retryable=refusal.retryable, is_safe=True):
                raise refusal from None
            await self._pause(refusal.retry_after_seconds)
        except (OSError, TimeoutError, InvalidHandshake, ConnectionClosed):
            await self._pause()
        else:
            self._socket = socket
            if self._is_closed:  # while it was being opened
                await self._drop()
            else:
                await self._opened()

    async def _read(self, socket: Socket) -> None:
        """Take the next message, or notice that the connection has ended."""
        try:
            content = await receive(socket, ANSWER_SECONDS if self._works_since is None else None)
            message = msgspec.json.decode(content)
            if not isinstance(message, dict):
                raise ProtocolError("A message is not an object")
            updates = await self._take(message)
            if self._works_since is None:
                self._works_since = time.monotonic()
                self._has_renewed = False
            self.is_live = True
            self._updates.extend(updates)
        except ConnectionClosed as closed:
            frame = closed.rcvd
            code, reason = (frame.code, frame.reason) if frame else (ABNORMAL, "")
            await self._ended(code, reason)
        except (TimeoutError, msgspec.DecodeError, UnicodeDecodeError, ProtocolError):
            # Nothing was changed, so another connection can deliver the same again.
            await self._ended(ABNORMAL, "")

    async def _ended(self, code: int, reason: str) -> None:
        await self._drop()
        if self._is_closed:
            return
        match next_after(code, reason):
            case Next.STAY_AWAY:
                raise SocketClosed(code, reason)
            case Next.NEW_TOKEN:
                if self._has_renewed or not await self._client.renew(self._token):
                    raise NotAuthenticated("token_invalid", reason, 401, {"close_code": code})
                self._has_renewed = True
            case Next.RETURN:
                await self._pause()

    async def _drop(self) -> None:
        socket, self._socket = self._socket, None
        if self._works_since is not None:
            self._down_since = time.monotonic()
            # Pauses keep growing if connections end soon after they have begun.
            if self._down_since - self._works_since >= STABLE_SECONDS:
                self._backoff.reset()
        self.is_live, self._works_since = False, None
        if socket is not None:
            await socket.close()

    async def _pause(self, retry_after_seconds: float | None = None) -> None:
        limit = self._give_up_seconds
        if limit is not None and time.monotonic() - self._down_since >= limit:
            raise ConnectionFailed(
                f"The socket could not be reconnected within {limit:g} seconds", may_have_been_executed=False
            )
        await sleep(self._backoff.pause_seconds(retry_after_seconds))
