"""Publishes events and sends them to webhooks, on every node.

One loop publishes events (`persistence.webhook_feed`; one node at a time) and claims screenings whose next
event is due (`persistence.webhook_lanes`). Each claimed screening of a webhook has a task that sends its
events one after the other. Each webhook has its own `AT_ONCE` tasks, so a slow one delays no other.

A failed attempt is repeated after the pauses of the outbox. After the last one the event is given up, if the
webhook got other events meanwhile. If it got none at all, or answers 410, it is disabled and keeps the event.

While there are no webhooks, a node asks the database for them once in `_IDLE_SECONDS`.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from api.papers.cipher import Cipher, DecryptionFailed
from api.webhooks.signatures import SECRET_CONTEXT, signed_headers
from api.wire import new_timestamp
from engine.causes import present_request_id
from engine.errors import EngineError, NotFound, StoreUnavailable
from engine.guards import OutageLog
from engine.tracing import Span, Tracer
from frontrow import __version__
from persistence.webhook_feed import WebhookFeed
from persistence.webhook_lanes import Attempt, Figures, Lane, Sending, WebhookLanes
from persistence.webhooks import WEBHOOKS_LIMIT

if TYPE_CHECKING:
    from api.webhooks.client import WebhookClient

log = logging.getLogger("frontrow.webhooks")

AT_ONCE = 4
"""Screenings whose events a node sends to one webhook at the same time."""

LEASE_SECONDS = 15.0
"""Duration of a claim: longer than sending an event may take (`api.webhooks.addresses.SEND_SECONDS`)."""

TEST_TYPE = "webhook.test"

_EVENTS_PER_TURN = 20
"""Events of a screening that are sent before other screenings of the webhook get their turn."""

_POLL_SECONDS = 0.25
_IDLE_SECONDS = 1.0
_FIGURES_SECONDS = 5.0
_GONE = 410


class WebhookObserver(Protocol):
    """Counts attempts."""

    def webhook_attempted(self, result: str) -> None:
        """An event was "delivered", has "failed" and will be sent again, or is "dead"."""


class WebhookSender:
    """Sends events in the background.

    Args:
        feed: publishes events.
        lanes: hands out events to send, with leases of `LEASE_SECONDS`.
        cipher: decrypts the secrets of webhooks.
        pauses_seconds: after each failed attempt.
        private: whether loopback and private networks are allowed.
        observer: counts attempts.
        now: the time, in seconds since the Unix epoch.
        tracer: makes spans of requests for events of traced requests; None if traces are switched off.

    Attributes:
        figures: of all webhooks; may be `_FIGURES_SECONDS` old.
    """

    def __init__(
        self,
        feed: WebhookFeed,
        lanes: WebhookLanes,
        cipher: Cipher,
        pauses_seconds: Sequence[float],
        *,
        private: bool,
        observer: WebhookObserver,
        now: Callable[[], float],
        tracer: Tracer | None = None,
    ) -> None:
        self._feed = feed
        self._lanes = lanes
        self._cipher = cipher
        self._pauses_seconds = pauses_seconds
        self._private = private
        self._observer = observer
        self._now = now
        self._tracer = tracer
        self._made_client: WebhookClient | None = None
        self._tasks: dict[asyncio.Task[None], Lane] = {}
        self._wake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._stopping = False
        self.figures = Figures(0, 0.0, 0)
        self._looked_at = 0.0

    def start(self) -> None:
        """Start in the background."""
        self._loop = asyncio.create_task(self._work(), name="webhooks")

    async def stop(self, limit_seconds: float) -> None:
        """Begin no more requests, and finish those that have begun.

        Args:
            limit_seconds: requests that take longer are cancelled; other nodes may repeat them at once.
        """
        if self._loop is None:
            return
        self._stopping = True
        self._loop.cancel()
        await asyncio.gather(self._loop, return_exceptions=True)
        left = dict(self._tasks)
        if left:
            await asyncio.wait(left, timeout=limit_seconds)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        with suppress(StoreUnavailable):
            for lane in left.values():
                await self._lanes.leave(lane)
        if self._made_client is not None:
            await self._made_client.close()

    def wake(self) -> None:
        """Look for events to send at once."""
        self._looked_at = 0.0
        self._wake.set()

    async def test(self, webhook_id: int) -> tuple[Sending, Attempt]:
        """Send a test event, even to a disabled webhook, and return the result.

        Raises:
            NotFound: the webhook does not exist.
            StoreUnavailable: the database cannot be reached.
        """
        data = {"webhook_id": webhook_id, "screening_id": None, "epoch": None, "seq": None}
        message = {
            "type": TEST_TYPE,
            "timestamp": new_timestamp(self._now()),
            "data": data,
            "request_id": present_request_id(),
        }
        position = await self._lanes.add_test_event(TEST_TYPE, orjson.dumps(message).decode())
        return await self.send_again(webhook_id, position)

    async def send_again(self, webhook_id: int, position: int) -> tuple[Sending, Attempt]:
        """Send one event out of turn, even to a disabled webhook, and return the result.

        A response of 410 disables the webhook.

        Raises:
            NotFound: the webhook or the event does not exist.
            StoreUnavailable: the database cannot be reached.
        """
        sending = await self._lanes.event(webhook_id, position)
        if sending is None:
            raise NotFound("webhook", webhook_id)
        attempt = await self._send(sending)
        await self._lanes.log(sending, attempt)
        if attempt.status == _GONE:
            await self._disable(sending, attempt)
        return sending, attempt

    @property
    def _client(self) -> "WebhookClient":
        if self._made_client is None:
            # Imports the HTTP client, which takes a moment and which servers without webhooks do not need.
            client: Any = import_module("api.webhooks.client").WebhookClient
            self._made_client = client(
                __version__, connections=WEBHOOKS_LIMIT * AT_ONCE, private=self._private
            )
        return self._made_client

    async def _work(self) -> None:
        outages = OutageLog(log, "sending of webhooks")
        while True:
            self._wake.clear()
            busy = False
            try:
                busy = await self._look()
                outages.succeeded()
            except EngineError as refusal:
                outages.failed(refusal)
            except Exception as defect:
                outages.failed(defect, defect=True)
            seconds = _POLL_SECONDS if self.figures.webhooks else _IDLE_SECONDS
            if not busy:
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._wake.wait()

    async def _look(self) -> bool:
        """Publish events and begin to send. Return whether there may be more to publish."""
        if monotonic() - self._looked_at > (_FIGURES_SECONDS if self.figures.webhooks else 0):
            self._looked_at = monotonic()
            self.figures = await self._lanes.figures()
        if not self.figures.webhooks:
            return False
        published = await self._feed.publish()
        busy = Counter(lane.webhook_id for lane in self._tasks.values())
        for lane in await self._lanes.claim(busy, AT_ONCE):
            task = asyncio.create_task(self._serve(lane), name=f"webhook {lane.webhook_id}")
            self._tasks[task] = lane
            task.add_done_callback(self._served)
        return published > 0

    def _served(self, task: "asyncio.Task[None]") -> None:
        del self._tasks[task]
        self._wake.set()
        if not task.cancelled() and (failure := task.exception()) is not None:
            if isinstance(failure, EngineError):
                log.warning("the result of a webhook was not recorded, it will be sent again: %s", failure)
            else:
                log.error("sending a webhook failed", exc_info=failure)

    async def _serve(self, lane: Lane) -> None:
        """Send the events of a claimed lane, until one fails or there are no more."""
        for _ in range(_EVENTS_PER_TURN):
            sending = await self._lanes.next(lane)
            if sending is None:
                return
            attempt = await self._send(sending)
            if attempt.error and not await self._is_over(lane, sending, attempt):
                return
            await self._lanes.finished(lane, sending, attempt)
            self._observer.webhook_attempted("dead" if attempt.error else "delivered")
            if self._stopping:
                break
        await self._lanes.leave(lane)

    async def _is_over(self, lane: Lane, sending: Sending, attempt: Attempt) -> bool:
        """Handle a failed attempt. Return whether the event is given up."""
        last = sending.attempts >= len(self._pauses_seconds)
        if attempt.status == _GONE:
            disabled = await self._disable(sending, attempt)
        else:
            disabled = last and await self._disable(sending, attempt, lane.screening_id)
        if last and not disabled:
            log.error(
                "event %d of webhook %d is given up: %s", sending.position, sending.webhook_id, attempt.reason
            )
            return True
        pause_seconds = 0.0 if last else self._pauses_seconds[sending.attempts]
        await self._lanes.failed(lane, sending, attempt, pause_seconds)
        self._observer.webhook_attempted("failed")
        return False

    async def _disable(self, sending: Sending, attempt: Attempt, screening_id: int | None = None) -> bool:
        """Disable a webhook; see `WebhookLanes.disable`."""
        disabled = await self._lanes.disable(sending.webhook_id, attempt.reason, screening_id)
        if disabled:
            log.error("webhook %d is disabled: %s", sending.webhook_id, attempt.reason)
        return disabled

    async def _send(self, sending: Sending) -> Attempt:
        began, now = monotonic(), self._now()
        try:
            keys = [
                self._cipher.decrypt(key, SECRET_CONTEXT).decode()
                for key in (sending.secret, sending.old_secret)
                if key is not None
            ]
        except DecryptionFailed:
            error = "The secret cannot be decrypted with FRONTROW_PERSONAL_DATA_KEY; make a new one"
            return Attempt(new_timestamp(now), 0, None, "", error)
        headers = signed_headers(sending.message_id, sending.body, keys, now)
        span = self._begin_span(sending)
        if span is not None:
            headers["traceparent"] = span.traceparent
        response = await self._client.post(sending.url, sending.body, headers)
        if span is not None:
            span.end("not_delivered" if response[2] else None, response[0])
        duration_ms = round((monotonic() - began) * 1000)
        return Attempt(new_timestamp(now), duration_ms, *response)

    def _begin_span(self, sending: Sending) -> Span | None:
        """Begin the span of a request; None if the request that has caused the event is not traced."""
        if self._tracer is None or sending.trace is None:
            return None
        attributes = {"http.request.method": "POST", "frontrow.event_type": sending.type}
        return self._tracer.begin("POST webhook", kind="client", parent=sending.trace, attributes=attributes)
