"""The differences between the synchronous and the asynchronous client; the counterpart is `_async/io.py`."""

import threading
import time
from typing import Any

from websockets.sync.client import ClientConnection, connect

__all__ = ["Lock", "Socket", "open_socket", "receive", "sleep"]

Socket = ClientConnection
Lock = threading.Lock
sleep = time.sleep


def open_socket(url: str, **options: Any) -> Socket:
    """Open a WebSocket."""
    # From websockets 17.1 on a connection has to be entered; `LiveSocket` closes it.
    socket: Socket = connect(url, **options).__enter__()
    return socket


def receive(socket: Socket, seconds: float | None) -> str | bytes:
    """Return the next message.

    Raises:
        TimeoutError: none came within `seconds`.
    """
    return socket.recv(timeout=seconds)
