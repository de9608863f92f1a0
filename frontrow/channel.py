"""Messages between the supervisor and a worker, in both directions, over a socket pair.

A message has a kind and a value. The end of the channel means that the other process has ended, however that
happened.

| from the supervisor | value |
| --- | --- |
| `start` | a `StartMessage` as a mapping; always the first message |
| `drain` | None; finish and end, since another process has taken this one's place |
| `collect` | None; send `metrics` |
| `page` | the number of the request, the media type and the body of `/metrics` |

| from a worker | value |
| --- | --- |
| `ready` | None |
| `failed` | a sentence that says why the worker ends |
| `metrics` | `metrics.workers.Families`; also sent as the last message |
| `page` | a number for the request, and its `Accept`: asks for `/metrics` of all workers |

After an upgrade, a reload starts workers that are newer than their supervisor. So both ignore unknown
messages and fields, and a new field has a default.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec

MESSAGE_LIMIT_BYTES = 64 * 1024 * 1024
BACKLOG_LIMIT_BYTES = MESSAGE_LIMIT_BYTES
"""Unsent bytes above which messages are dropped: the other process has been frozen for long."""

_LENGTH_BYTES = 4


class StartMessage(NamedTuple):
    """The information that a worker needs beyond the settings in its environment.

    Attributes:
        worker: its number.
        host, port, data_dir: these settings, which options of the command line may override.
        demo: whether the pages of the demo may call the API.
        database_url: of PostgreSQL itself, without a pooler.
        public, proxied, metrics: descriptors of the listening sockets.
    """

    worker: int
    host: str
    port: int
    data_dir: str
    demo: bool
    database_url: str
    public: list[int]
    proxied: list[int]
    metrics: list[int]

    @classmethod
    def received(cls, fields: Mapping[str, Any]) -> "StartMessage":
        """Return a message from its fields, without those that this release does not know."""
        return cls(**{name: fields[name] for name in cls._fields if name in fields})


class Channel:
    """One end of a channel; made by `Channel.over`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> "Channel":
        """Return the channel of one end of a socket pair, which it owns from now on."""
        return cls(*await asyncio.open_unix_connection(sock=end))

    def send(self, kind: str, value: object = None) -> None:
        """Send a message; does nothing if the other process has ended or is `BACKLOG_LIMIT_BYTES` behind."""
        content = msgspec.msgpack.encode((kind, value))
        behind = self._writer.transport.get_write_buffer_size() > BACKLOG_LIMIT_BYTES
        if not behind and not self._writer.is_closing():
            self._writer.write(len(content).to_bytes(_LENGTH_BYTES) + content)

    async def messages(self) -> AsyncIterator[tuple[str, Any]]:
        """Yield the messages of the other process until it ends.

        Raises:
            ValueError: a message is longer than `MESSAGE_LIMIT_BYTES`.
        """
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length = int.from_bytes(await self._reader.readexactly(_LENGTH_BYTES))
                if length > MESSAGE_LIMIT_BYTES:
                    raise ValueError(f"a message of {length} bytes is longer than the limit")
                kind, value = msgspec.msgpack.decode(await self._reader.readexactly(length))
                yield kind, value

    async def close(self) -> None:
        """Send what is left, and close."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()
