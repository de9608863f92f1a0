"""Tells up to when this node has heard everything, from its own beats that come back through NATS.

NATS carries messages in order. So when a beat of its own comes back, the node has heard everything that the
others had sent before it. This is how it tells silence from deafness: it may have been stopped, or its
connection lost. After a loss it begins to listen anew.

This assumes that NATS delivers everything to a node or that the node notices (`interrupted`, or a beat of its
own that never comes back).
"""

from collections.abc import Callable
from math import inf

from cluster.beats import Timing

OUTSTANDING_LIMIT = 100
"""Beats that may be on their way back; the oldest are considered lost."""

_DEAF_AFTER_HEARTBEATS = 1.5


class Echoes:
    """The beats of one node that have come back to it.

    Args:
        timing: of heartbeats.
        now: the clock, in seconds.

    Attributes:
        heard_until: everything that was sent before this time has been heard or is known to be lost.
        listening_since: nothing that was sent after this time has been lost.
        joined_at: when the first beat came back.
        fresh_until: the others take over no screening of this node before this time.
        unbroken_since: the others have not been able to take over anything since this time.
    """

    def __init__(self, timing: Timing, now: Callable[[], float]) -> None:
        self._timing = timing
        self._now = now
        self._sent: dict[int, float] = {}
        self._interrupted = True
        self.heard_until = self.fresh_until = -inf
        self.listening_since = self.joined_at = self.unbroken_since = inf

    @property
    def deaf(self) -> bool:
        """True if none of this node's beats has come back for a while."""
        late_seconds = _DEAF_AFTER_HEARTBEATS * self._timing.node_heartbeat_seconds
        return self._now() - self.heard_until > late_seconds

    def sent(self, number: int) -> float:
        """Take note that a beat is sent now. Returns the time."""
        now = self._sent[number] = self._now()
        if len(self._sent) > OUTSTANDING_LIMIT:
            del self._sent[next(iter(self._sent))]
            self._interrupted = True
        return now

    def came_back(self, number: int) -> bool:
        """Take note that a beat has come back. Return False if it has before, or was considered lost."""
        sent_at = self._sent.pop(number, None)
        if sent_at is None:
            return False
        now = self._now()
        lost = [earlier for earlier in self._sent if earlier < number]
        for earlier in lost:
            del self._sent[earlier]
        if lost or self._interrupted:
            self._interrupted = False
            self.listening_since = now
            self.joined_at = min(self.joined_at, now)
        self.heard_until = sent_at
        if now >= self.fresh_until:
            self.unbroken_since = now
        self.fresh_until = max(self.fresh_until, sent_at + self._timing.lease_seconds)
        return True

    def interrupted(self) -> None:
        """Take note that messages may have been lost."""
        self._sent.clear()
        self._interrupted = True

    def not_heard(self) -> None:
        """Take note that another node has not heard this one, and may have taken over."""
        self.unbroken_since = self._now()

    def silent_seconds(self, heard_at: float) -> float:
        """Return for how long another node has certainly been silent.

        Args:
            heard_at: when it was last heard; minus infinity if never.
        """
        return self.heard_until - max(heard_at, self.listening_since)
