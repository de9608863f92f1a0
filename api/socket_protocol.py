"""A WebSocket connection that reads only as fast as a client may speak.

Tornado hands whole messages to a handler; pings, pongs and fragments it deals with itself, so a flood of
them would pass unseen. This protocol counts frames of every kind where they are read. A client over the
rate is told so and then not read any further: TCP holds it back, and the close frame still arrives.
"""

import asyncio
from collections.abc import Callable

from tornado.websocket import WebSocketHandler, WebSocketProtocol13

POLICY_VIOLATION = 1008
_FAREWELL_SECONDS = 1.0


class RateLimit:
    """A token bucket: `per_second` on average, up to `burst` at once.

    Args:
        per_second: how many are let through in the long run.
        burst: how many may come at once after a pause.
        time: seconds, from any monotonic clock.
    """

    __slots__ = ("_burst", "_left", "_per_second", "_seen_at", "_time")

    def __init__(self, per_second: float, burst: float, time: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = burst
        self._time = time
        self._left = burst
        self._seen_at = time()

    def admits(self) -> bool:
        """Count one, and say whether it is within the rate."""
        now = self._time()
        self._left = min(self._burst, self._left + (now - self._seen_at) * self._per_second)
        self._seen_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class RateLimitedProtocol(WebSocketProtocol13):
    """RFC 6455, at a bounded rate of incoming frames.

    Args:
        handler: who gets the messages.
        upgraded: the protocol that Tornado chose for the handshake.
        rate: how many frames the client may send.
    """

    def __init__(self, handler: WebSocketHandler, upgraded: WebSocketProtocol13, rate: RateLimit) -> None:
        super().__init__(handler, mask_outgoing=False, params=upgraded.params)
        self._rate = rate

    async def _receive_frame(self) -> None:
        if self._rate.admits():
            await super()._receive_frame()
            return
        self.close(POLICY_VIOLATION, "Too many messages")
        await asyncio.sleep(_FAREWELL_SECONDS)
        self._abort()
