"""A WebSocket connection that reads no faster and no more than a client may send.

Tornado's own protocol reads frames piece by piece and cuts the connection at whatever is wrong with them, so
that a client never learns what it was. Here many frames come out of one read (`api.socket_frames`), frames of
every kind are counted, and every fault is answered with a close code before the connection ends. Handshake,
pings, pongs and the closing handshake remain Tornado's.
"""

import asyncio
import socket
from contextlib import suppress

from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketHandler, WebSocketProtocol13

from api.socket_frames import Fault, FrameReader, Opcode, text_of

_READ_BYTES = 16 * 1024
_FAREWELL_SECONDS = 1.0
_DISCARDED_BYTES = 256 * 1024


class BoundedProtocol(WebSocketProtocol13):
    """RFC 6455, with bounds on what comes in.

    Args:
        handler: who gets the messages.
        upgraded: the protocol that Tornado chose for the handshake.
        reader: makes messages of what arrives, and knows the bounds.
    """

    def __init__(self, handler: WebSocketHandler, upgraded: WebSocketProtocol13, reader: FrameReader) -> None:
        super().__init__(handler, mask_outgoing=False, params=upgraded.params)
        self._reader = reader

    async def _receive_frame(self) -> None:
        try:
            message = self._reader.message()
            if message is None:
                self._reader.feed(await self._arrived())
                return
            if message.opcode in (Opcode.TEXT, Opcode.BINARY):
                if self.server_terminated:
                    return
                content = text_of(message) if message.opcode == Opcode.TEXT else message.payload
                handled = self._run_callback(self.handler.on_message, content)
                if handled is not None:
                    await handled
                return
        except Fault as fault:
            await self._part(fault)
            return
        self._handle_message(message.opcode, message.payload)

    async def _arrived(self) -> bytes:
        data = await self.stream.read_bytes(_READ_BYTES, partial=True)
        self._wire_bytes_in += len(data)
        return data

    async def _part(self, fault: Fault) -> None:
        """Say what was wrong, and see that it arrives.

        Closing a connection with bytes unread resets it, and the client may never see the close frame. So
        only our direction is closed at once; what still comes is thrown away, within bounds.
        """
        self.close(fault.code, fault.reason)
        if not self.stream.closed() and not self.stream.writing():
            with suppress(OSError):
                self.stream.socket.shutdown(socket.SHUT_WR)
        discarded = 0
        with suppress(StreamClosedError, TimeoutError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                while discarded < _DISCARDED_BYTES:
                    discarded += len(await self._arrived())
                    await asyncio.sleep(0)
                # Whoever sends that much does not listen; TCP holds the rest back.
                await asyncio.sleep(_FAREWELL_SECONDS)
        self._abort()
