"""Delivers the messages of the outbox, on every node, with a handler for each kind.

One loop takes messages that are due, and records the results of finished attempts, in batches. It polls: a
notification per booking would make PostgreSQL commit one transaction after the other, while a search of the
index that finds nothing takes some microseconds.

A failed attempt is repeated after growing pauses. After the last one, or if the handler says that no attempt
can succeed, the message becomes a dead letter, which an operator may retry.

While the database cannot be reached nothing is taken, and results are kept until they have been recorded. So
there are never more messages in memory than `Lane.at_once` of each kind.
"""

import asyncio
import logging
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import accumulate, chain, islice, repeat
from time import monotonic
from typing import Protocol

from api.papers.mail import without_addresses
from engine.errors import EngineError, StoreUnavailable
from engine.guards import OutageLog
from engine.outbox import DeliveryFailed, Handler, Message, Undeliverable
from persistence.outbox import DEAD, DELIVERED, WAITING, Outbox, Result, storable

log = logging.getLogger("frontrow.outbox")

LEASE_SECONDS = 10.0
"""Time without a sign of life after which other nodes take over a node's deliveries."""

_EXTEND_SECONDS = LEASE_SECONDS / 4
_POLL_SECONDS = 0.5
_GATHER_SECONDS = 0.02
"""Time to collect results before recording them in one statement."""

ATTEMPTS_LIMIT = 1000
"""Attempts per message, even if the pauses are so short that there would be more."""

_SETTLE_SECONDS = 0.5
"""Time reserved at a stop to record results."""


class DeliveryObserver(Protocol):
    """Counts attempts."""

    def message_delivered(self, kind: str) -> None:
        """A handler has delivered a message."""

    def attempt_failed(self, kind: str) -> None:
        """An attempt to deliver a message failed."""


@dataclass
class Lane:
    """The deliveries of one kind, which do not wait for those of other kinds.

    Attributes:
        handler: delivers a message.
        at_once: how many messages at the same time.
        limit_seconds: for one attempt.
        taken: messages that are being delivered, or whose results have not been recorded.
    """

    handler: Handler
    at_once: int
    limit_seconds: float
    taken: dict[int, Message] = field(default_factory=dict)


def pauses_until(retry_seconds: Sequence[float], give_up_seconds: float) -> tuple[float, ...]:
    """Return the pauses after each failed attempt.

    Args:
        retry_seconds: the first pauses; the last of them is repeated.
        give_up_seconds: upper limit for the sum of the pauses.
    """
    pauses = tuple(islice(chain(retry_seconds, repeat(retry_seconds[-1])), ATTEMPTS_LIMIT - 1))
    return pauses[: bisect_right(tuple(accumulate(pauses)), give_up_seconds)]


class Deliveries:
    """Delivers messages in the background.

    Args:
        outbox: hands out messages, with leases of `LEASE_SECONDS`.
        pauses_seconds: after each failed attempt; when there are none left, the message is a dead letter.
        observer: counts attempts.
    """

    def __init__(self, outbox: Outbox, pauses_seconds: Sequence[float], observer: DeliveryObserver) -> None:
        self._outbox = outbox
        self._pauses_seconds = pauses_seconds
        self._observer = observer
        self._lanes: dict[str, Lane] = {}
        self._attempts: set[asyncio.Task[None]] = set()
        self._results: list[Result] = []
        self._finished = asyncio.Event()
        self._extended_at = monotonic()
        self._loop: asyncio.Task[None] | None = None
        self._stopping = False

    def register(self, kind: str, handler: Handler, *, at_once: int, limit_seconds: float) -> None:
        """Deliver messages of a kind, before `start`. Those without a handler wait for a server that has one.

        Args:
            kind: of the messages.
            handler: delivers a message.
            at_once: how many messages at the same time, on this node.
            limit_seconds: for one attempt.
        """
        self._lanes[kind] = Lane(handler, at_once, limit_seconds)

    def start(self) -> None:
        """Start delivering in the background."""
        self._loop = asyncio.create_task(self._work(), name="deliveries")

    async def stop(self, limit_seconds: float) -> None:
        """Take no more messages, finish the attempts that have begun and record their results.

        Args:
            limit_seconds: attempts that take longer are cancelled; other nodes may repeat them at once.
        """
        if self._loop is None:
            return
        self._stopping = True
        self._finished.set()
        tasks = {self._loop, *self._attempts}
        _, late = await asyncio.wait(tasks, timeout=max(limit_seconds - _SETTLE_SECONDS, 0))
        # The loop may have begun more attempts meanwhile.
        late |= self._attempts
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        settled = {result.id for result in self._results}
        self._results += [
            Result(message.id, message.attempt, WAITING, 0.0, "the server was stopped")
            for lane in self._lanes.values()
            for message in lane.taken.values()
            if message.id not in settled
        ]
        with suppress(StoreUnavailable):
            await self._settle()

    async def _work(self) -> None:
        outages = OutageLog(log, "delivery of messages")
        while not self._stopping:
            try:
                await self._exchange()
                outages.succeeded()
            except EngineError as refusal:
                outages.failed(refusal)
            except Exception as defect:
                outages.failed(defect, defect=True)
            await self._pause()

    async def _exchange(self) -> None:
        """Record results, extend leases and take messages."""
        await self._settle()
        if self._attempts and monotonic() - self._extended_at > _EXTEND_SECONDS:
            await self._outbox.extend([m for lane in self._lanes.values() for m in lane.taken.values()])
            self._extended_at = monotonic()
        room = {kind: lane.at_once - len(lane.taken) for kind, lane in self._lanes.items()}
        wanted = {kind: number for kind, number in room.items() if number > 0}
        messages = await self._outbox.take(wanted) if wanted else []
        for message in messages:
            lane = self._lanes[message.kind]
            lane.taken[message.id] = message
            attempt = asyncio.create_task(self._attempt(lane, message), name=f"{message.kind} {message.id}")
            self._attempts.add(attempt)
            attempt.add_done_callback(self._attempts.discard)

    async def _settle(self) -> None:
        if not self._results:
            return
        results = list(self._results)
        await self._outbox.settle(results)
        del self._results[: len(results)]
        for lane in self._lanes.values():
            for result in results:
                lane.taken.pop(result.id, None)

    async def _pause(self) -> None:
        """Wait until an attempt finishes, at most until the next poll."""
        if not self._results and not self._stopping:
            self._finished.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._finished.wait()
        await asyncio.sleep(_GATHER_SECONDS)

    async def _attempt(self, lane: Lane, message: Message) -> None:
        try:
            async with asyncio.timeout(lane.limit_seconds):
                await lane.handler(message)
        except Undeliverable as refusal:
            self._fail(message, str(refusal), final=True)
        except (DeliveryFailed, EngineError) as failure:
            self._fail(message, str(failure) or repr(failure))
        except TimeoutError:
            self._fail(message, f"not finished within {lane.limit_seconds:g} s")
        except Exception as defect:
            log.exception("the handler of %s messages failed", message.kind)
            self._fail(message, repr(defect))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            self._fail(message, "cancelled by its own code")
        else:
            self._observer.message_delivered(message.kind)
            self._finish(Result(message.id, message.attempt, DELIVERED))

    def _fail(self, message: Message, error: str, *, final: bool = False) -> None:
        self._observer.attempt_failed(message.kind)
        about, error = f"{message.kind} {message.id} ({message.subject})", storable(without_addresses(error))
        if final or message.attempt > len(self._pauses_seconds):
            log.error("%s is a dead letter after %d attempts: %s", about, message.attempt, error)
            return self._finish(Result(message.id, message.attempt, DEAD, 0.0, error))
        pause_seconds = self._pauses_seconds[message.attempt - 1]
        log.warning("%s failed, next attempt in %g s: %s", about, pause_seconds, error)
        self._finish(Result(message.id, message.attempt, WAITING, pause_seconds, error))

    def _finish(self, result: Result) -> None:
        self._results.append(result)
        self._finished.set()
