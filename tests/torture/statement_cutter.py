"""A program in front of PostgreSQL that breaks connections at chosen statements.

`python -m tests.torture.statement_cutter HOST:PORT SOCKET`. It reads the messages of clients (Query and
Parse of the protocol, version 3). Each line on standard input is a JSON object:

    {"statement": "COMMIT", "when": "before", "times": 3}

breaks the next three connections that send a statement with this text: `before` PostgreSQL gets it, or
`after` it was carried out, when the answer is on its way. To the client both look the same. `{}` chooses
nothing. The answer to a line is the number of connections that were broken so far. The program ends with
its input.
"""

import asyncio
import json
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass

_CHUNK_BYTES = 1 << 16
_STATEMENTS = b"QP"
_READY_FOR_QUERY = b"Z"
_ENCRYPTION_REQUESTS = (80877103, 80877104)
_ENCRYPTION_REFUSED = b"N"
_KEEPALIVES = ((socket.TCP_KEEPIDLE, 5), (socket.TCP_KEEPINTVL, 2), (socket.TCP_KEEPCNT, 3))
"""Keepalive options as the server sets them on its own connections over TCP."""


@dataclass
class Cuts:
    """Connections to break: at which statement, and how many.

    Attributes:
        statement: a part of its text.
        before: whether it is broken before PostgreSQL gets it.
        times: how many connections are still to be broken.
        done: how many were.
    """

    statement: bytes = b""
    before: bool = True
    times: int = 0
    done: int = 0

    def choose(self, statement: str = "", when: str = "before", times: int = 0) -> None:
        """Choose the next statement."""
        self.statement, self.before, self.times = statement.encode(), when == "before", times

    def take(self, statement: bytes) -> bool:
        """Return whether a connection with this statement is to be broken, and count it."""
        if not self.times or self.statement not in statement:
            return False
        self.times -= 1
        self.done += 1
        return True


class Messages:
    """Cuts a stream of the protocol into messages.

    Args:
        with_start: whether it begins with a message without a type, as that of a client does.
    """

    def __init__(self, *, with_start: bool) -> None:
        self._buffer = b""
        self._type_bytes = 0 if with_start else 1

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the messages that are complete, with their heads."""
        self._buffer += chunk
        complete = []
        while len(self._buffer) >= self._type_bytes + 4:
            length = int.from_bytes(self._buffer[self._type_bytes : self._type_bytes + 4]) + self._type_bytes
            if len(self._buffer) < length:
                break
            complete.append(self._buffer[:length])
            self._buffer = self._buffer[length:]
            # The next message has a type, unless this one only asked for encryption.
            is_request = not self._type_bytes and int.from_bytes(complete[-1][4:8]) in _ENCRYPTION_REQUESTS
            self._type_bytes = 0 if is_request else 1
        return complete


class _Connection:
    def __init__(self, cuts: Cuts, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._cuts = cuts
        self._client = client
        self._server = server
        self._is_doomed = False

    async def to_server(self, source: asyncio.StreamReader) -> None:
        messages = Messages(with_start=True)
        while chunk := await source.read(_CHUNK_BYTES):
            for message in messages.feed(chunk):
                if message[:1] in _STATEMENTS and self._cuts.take(message):
                    if self._cuts.before:
                        return
                    self._is_doomed = True
                self._server.write(message)
            await self._server.drain()

    async def to_client(self, source: asyncio.StreamReader) -> None:
        messages = Messages(with_start=False)
        while chunk := await source.read(_CHUNK_BYTES):
            if self._is_doomed:
                if any(message[:1] == _READY_FOR_QUERY for message in messages.feed(chunk)):
                    return
                continue
            if chunk != _ENCRYPTION_REFUSED:
                messages.feed(chunk)
            self._client.write(chunk)
            await self._client.drain()


async def _serve(
    cuts: Cuts, path: str, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter
) -> None:
    connected = to_client.get_extra_info("socket")
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVES:
        connected.setsockopt(socket.IPPROTO_TCP, option, value)
    try:
        from_server, to_server = await asyncio.open_unix_connection(path)
    except OSError:
        to_client.transport.abort()
        return
    connection = _Connection(cuts, to_client, to_server)
    pumps = [
        asyncio.create_task(connection.to_server(from_client)),
        asyncio.create_task(connection.to_client(from_server)),
    ]
    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    for pump in pumps:
        pump.cancel()
    with suppress(OSError):
        await asyncio.gather(*pumps, return_exceptions=True)
    # Neither side is told more than that the connection is gone.
    to_client.transport.abort()
    to_server.transport.abort()


async def _run(address: str, path: str) -> None:
    cuts = Cuts()
    host, _, port = address.rpartition(":")
    await asyncio.start_server(lambda *streams: _serve(cuts, path, *streams), host, int(port))
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        cuts.choose(**json.loads(line))
        print(cuts.done, flush=True)


if __name__ == "__main__":
    asyncio.run(_run(*sys.argv[1:]))
