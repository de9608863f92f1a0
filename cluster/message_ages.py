"""Computes how long messages of another node have travelled, although the nodes' clocks cannot be compared.

Messages can get stuck: in NATS, or in the socket of a process that is stopped for a while. A call that has
travelled for longer than its caller waits must not be carried out.
"""

from math import inf

CLOCK_SECONDS = 30.0
"""Time after which the difference to another node's clock is measured anew, since clocks drift."""


class MessageAges:
    """The ages of the messages of one node.

    The clocks of two nodes differ by an unknown constant. The least difference between arrival and departure,
    over the last `CLOCK_SECONDS` or more, is taken for a journey without delay.
    """

    __slots__ = ("_before", "_connection", "_least", "_since")

    def __init__(self) -> None:
        self._connection = 0
        self._since = self._least = self._before = 0.0

    def of(self, connection: int, sent: float, now: float) -> float:
        """Return how long a message has travelled, in seconds. Call it once for each message, as they arrive.

        Args:
            connection: the number of the sender's connection. After a message of the next connection, those
                of the previous ones are infinitely old, since their callers were told that it was lost.
            sent: on the sender's clock.
            now: on this node's clock.
        """
        difference = now - sent
        if connection > self._connection:
            self._connection = connection
            self._since, self._least, self._before = now, difference, difference
        elif connection < self._connection:
            return inf
        elif now - self._since > CLOCK_SECONDS:
            self._since, self._least, self._before = now, difference, self._least
        elif difference < self._least:
            self._least = difference
        return difference - min(self._least, self._before)
