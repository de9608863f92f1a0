"""A client for the parts of the Chrome DevTools Protocol that the tests need.

One WebSocket carries the commands and events of the browser and, marked by session ids, of all its pages.
https://chromedevtools.github.io/devtools-protocol/ documents the commands.
"""

import asyncio
import itertools
import json
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

ANSWER_SECONDS = 60.0
"""Time limit for a command. The browser answers in milliseconds, so this is only reached if it hangs."""

_LARGEST_MESSAGE_BYTES = 16 * 1024 * 1024

EventHandler = Callable[[str, dict[str, Any]], None]


class DevToolsError(Exception):
    """The browser rejected a command or has exited."""


class DevTools:
    """A connection to a browser, as a context manager.

    Args:
        url: of the browser's DevTools WebSocket.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._handlers: dict[str, EventHandler] = {}
        self._socket: ClientConnection
        self._reading: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self._socket = await connect(
            self._url, proxy=None, compression=None, max_size=_LARGEST_MESSAGE_BYTES, ping_interval=None
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._socket.close()
        await self._reading

    async def send(self, method: str, session: str | None = None, /, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result.

        Args:
            method: its name, e.g. "Page.navigate".
            session: of the page it is for; None for the browser.
            parameters: of the command.

        Raises:
            DevToolsError: the browser rejected it or has exited.
            TimeoutError: it did not answer.
        """
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": parameters}
        if session is not None:
            command["sessionId"] = session
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._socket.send(json.dumps(command))
                return await answer
        except ConnectionClosed as error:
            raise DevToolsError(f"{method}: the browser has exited") from error
        finally:
            del self._answers[number]

    def listen(self, session: str, handler: EventHandler) -> None:
        """Call `handler` with the name and the parameters of every event of a page."""
        self._handlers[session] = handler

    def forget(self, session: str) -> None:
        """Stop listening to a page."""
        del self._handlers[session]

    async def _read(self) -> None:
        async for text in self._socket:
            message = json.loads(text)
            if "id" in message:
                self._answered(message)
            elif handler := self._handlers.get(message.get("sessionId", "")):
                handler(message["method"], message["params"])
        for answer in self._answers.values():
            answer.set_exception(DevToolsError("the browser has exited"))

    def _answered(self, message: dict[str, Any]) -> None:
        answer = self._answers.get(message["id"])
        if answer is None or answer.done():
            return
        if "error" in message:
            answer.set_exception(DevToolsError(message["error"]["message"]))
        else:
            answer.set_result(message["result"])
