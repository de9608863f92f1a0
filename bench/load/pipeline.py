"""The closed loop of one connection: what is on its way, since when, and what is sent next."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice

from bench.load.http import BadAnswer
from bench.load.tally import Tally


class Pipeline:
    """Keeps a number of requests on their way.

    Args:
        requests: what is sent, in order.
        depth: how many are on their way at the same time.
        tally: where answers are counted.
        write: sends some requests.

    Attributes:
        sent: how many requests were sent.
        finished: done when nothing is sent any more and nothing waited for.
    """

    def __init__(
        self, requests: Iterator[bytes], depth: int, tally: Tally, write: Callable[[list[bytes]], None]
    ) -> None:
        self._requests = requests
        self._depth = depth
        self._tally = tally
        self._write = write
        self._sent_at: deque[float] = deque()
        self._last = False
        self.sent = 0
        self.finished = asyncio.get_running_loop().create_future()

    def start(self) -> None:
        """Send the first requests."""
        self._send(self._depth)

    def answered(self, outcomes: list[int]) -> None:
        """Count answers, and send as many requests.

        Raises:
            BadAnswer: nobody asked for so many.
        """
        now = time.perf_counter()
        tally, sent_at = self._tally, self._sent_at
        if len(outcomes) > len(sent_at):
            raise BadAnswer(f"{len(outcomes)} answers came to {len(sent_at)} requests")
        for outcome in outcomes:
            tally.outcomes[outcome] += 1
            tally.latencies.add(now - sent_at.popleft())
        self._send(len(outcomes))

    def stop(self) -> None:
        """Send nothing more."""
        self._last = True
        self._finish_if_done()

    def broken(self) -> None:
        """The connection has gone; whatever waits will not be answered."""
        self._tally.unanswered += len(self._sent_at)
        self._sent_at.clear()
        self.stop()

    def _send(self, count: int) -> None:
        if not self._last:
            batch = list(islice(self._requests, count))
            self._last = len(batch) < count
            if batch:
                self.sent += len(batch)
                self._sent_at.extend([time.perf_counter()] * len(batch))
                self._write(batch)
        self._finish_if_done()

    def _finish_if_done(self) -> None:
        if self._last and not self._sent_at and not self.finished.done():
            self.finished.set_result(None)
