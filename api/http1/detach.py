"""A connection taken from the event loop's transport and given to Tornado as an IOStream, for WebSockets."""

import os
import socket
from asyncio import Transport

from tornado.iostream import IOStream


class ContinuedStream(IOStream):
    """A stream of which some octets have been read already, as they came together with the request.

    Args:
        sock: the connected socket.
        unread: what is to be read before anything that comes from it.
    """

    def __init__(self, sock: socket.socket, unread: bytes) -> None:
        self._unread = memoryview(unread)
        super().__init__(sock)

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """Read what there is into `buf`; returns how much, or None if there is nothing now."""
        if not self._unread:
            return super().read_from_fd(buf)
        size = min(len(buf), len(self._unread))
        buf[:size] = self._unread[:size]
        self._unread = self._unread[size:]
        return size


def detach(transport: Transport, unread: bytes, unsent: bytes) -> IOStream:
    """Go on with a connection as a stream; its transport is no more.

    The stream gets a duplicate of the socket: closing the transport closes the original, and ends nothing.

    Args:
        transport: an open one, which has nothing left to write.
        unread: what was read from it, but is the stream's.
        unsent: what is to be sent before anything that is written to the stream.
    """
    original = transport.get_extra_info("socket")
    stream = ContinuedStream(socket.socket(fileno=os.dup(original.fileno())), unread)
    transport.abort()
    stream.write(unsent)
    return stream
