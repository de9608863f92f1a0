"""A minimal HTTP client that leaves no tasks, callbacks or reference cycles behind."""

import asyncio
import json
import socket
from collections.abc import Mapping


class BareClient:
    """One connection to a server, on the running event loop.

    Args:
        port: of the server.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    async def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, bytes]:
        """Send a request. Returns status and body of the response."""
        fields = {"Host": "localhost", "Content-Length": str(len(body)), **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        loop = asyncio.get_running_loop()
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port))
            self._socket.setblocking(False)
        await loop.sock_sendall(self._socket, f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        received = b""
        while b"\r\n\r\n" not in received:
            received += await self._more()
        answer, _, content = received.partition(b"\r\n\r\n")
        lines = answer.decode("latin-1").lower().split("\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith("content-length:")), 0)
        while len(content) < length:
            content += await self._more()
        aborted = False
        if "transfer-encoding: chunked" in lines:
            try:
                while not content.endswith(b"0\r\n\r\n"):
                    content += await self._more()
            except ConnectionResetError:
                aborted = True  # the server could not finish what it had begun
        if aborted or "connection: close" in lines:
            self.close()
        return int(lines[0].split()[1]), content

    async def _more(self) -> bytes:
        assert self._socket is not None
        received = await asyncio.get_running_loop().sock_recv(self._socket, 65_536)
        if not received:
            raise ConnectionResetError
        return received

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def code_of(content: bytes) -> str:
    """Return the code of an error response, with or without envelope; empty if it is not an error."""
    try:
        document = json.loads(content)
        return str(document.get("error", document)["code"])
    except (ValueError, KeyError, AttributeError, TypeError):
        return ""
