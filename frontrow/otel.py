"""Makes spans with OpenTelemetry and sends them to a collector over OTLP/HTTP.

`tracer_of` is the only way in, and it imports OpenTelemetry only if traces are switched on. Spans are sent by
a thread of OpenTelemetry's, so a slow or missing collector never delays a request. What does not fit into the
queue is dropped and counted.
"""

import logging
import random
from collections.abc import Sequence
from importlib import import_module
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Any, Protocol

from engine.tracing import Attributes

if TYPE_CHECKING:
    from opentelemetry.trace import Span, SpanContext

from frontrow import __version__
from frontrow.settings import Settings

log = logging.getLogger("frontrow.traces")

QUEUE_LIMIT = 4096
"""Ended spans that wait to be sent. Further ones are dropped."""

BATCH_LIMIT = 512
"""Spans that are sent at once."""

SEND_SECONDS = 10
"""Time limit for the collector to accept them."""

DELAY_SECONDS = 1.0
"""Time for which spans wait for others to be sent with them."""


class TracesNotInstalled(ValueError):
    """Traces are switched on, and the packages that make them are missing."""

    def __init__(self) -> None:
        super().__init__(
            "FRONTROW_TRACES_URL needs OpenTelemetry: install frontrow[traces] (requirements/traces.lock), "
            "or leave it empty"
        )


class SpanObserver(Protocol):
    """Counts spans."""

    def spans_ended(self, result: str, number: int) -> None:
        """Spans were "sent", "failed" (the collector did not take them) or "dropped" (the queue was full)."""


class OtelSpan:
    """A span that has begun; see `engine.tracing.Span`."""

    __slots__ = ("_span", "traceparent")

    def __init__(self, span: "Span") -> None:
        self._span = span
        self.traceparent = _traceparent(span.get_span_context())

    def end(self, error: str | None = None, status: int | None = None) -> None:
        """End it now; see `engine.tracing.Span`."""
        if status is not None:
            self._span.set_attribute("http.response.status_code", status)
        if error is not None:
            self._span.set_attribute("error.type", error)
            self._span.set_status(import_module("opentelemetry.trace").StatusCode.ERROR)
        self._span.end()


class OtelTracer:
    """Implements `engine.tracing.Tracer` and `engine.tracing.RequestTraces`.

    Args:
        endpoint: URL of the collector, without /v1/traces.
        share: of the requests without a traceparent that are traced, from 0 to 1.
        node: names this server.
        observer: counts spans.
    """

    def __init__(self, endpoint: str, share: float, node: str, observer: SpanObserver) -> None:
        self._share = share
        self._choice: bool | None = None
        self._api: Any = import_module("opentelemetry.trace")
        sdk: Any = import_module("opentelemetry.sdk.trace")
        resources: Any = import_module("opentelemetry.sdk.resources")
        sampling: Any = import_module("opentelemetry.sdk.trace.sampling")
        exporting: Any = import_module("frontrow.otel_export")
        resource = resources.Resource.create(
            {"service.name": "frontrow", "service.version": __version__, "service.instance.id": node}
        )
        # Requests are sampled before they have a span (`sampled`), so every span that is made is wanted.
        self._provider = sdk.TracerProvider(
            sampler=sampling.ALWAYS_ON, resource=resource, shutdown_on_exit=False
        )
        self._provider.add_span_processor(exporting.processor(f"{endpoint.rstrip('/')}/v1/traces", observer))
        self._tracer = self._provider.get_tracer("frontrow", __version__)
        self._kinds = {kind.name.lower(): kind for kind in self._api.SpanKind}

    def chosen(self, traceparent: str | None) -> bool:
        """Choose whether a request is traced: if its sender traces it, else by chance."""
        context = _parsed(self._api, traceparent)
        if context is not None:
            self._choice = bool(context.trace_flags.sampled)
        else:
            self._choice = random.random() < self._share  # noqa: S311 - not a secret
        return self._choice

    def begin_request(
        self, traceparent: str | None, method: str, route: str, request_id: str
    ) -> OtelSpan | None:
        """Begin the span of a request; None if it is not traced."""
        # The choice for a request that the fast path has left to the general path was made in the same step.
        chosen = self.chosen(traceparent) if self._choice is None else self._choice
        self._choice = None
        if not chosen:
            return None
        attributes = {"http.request.method": method, "http.route": route, "frontrow.request_id": request_id}
        return self.begin(f"{method} {route}", kind="server", parent=traceparent, attributes=attributes)

    def begin(
        self,
        name: str,
        *,
        kind: str = "internal",
        parent: str | None = None,
        attributes: Attributes | None = None,
    ) -> OtelSpan:
        """Begin a span; see `engine.tracing.Tracer`."""
        return OtelSpan(
            self._tracer.start_span(
                name, self._context(parent), kind=self._kinds[kind], attributes=attributes
            )
        )

    def record(
        self,
        name: str,
        began: float,
        ended: float,
        *,
        kind: str = "internal",
        parent: str | None = None,
        links: Sequence[str] = (),
        attributes: Attributes | None = None,
    ) -> str:
        """Record a span that has ended; see `engine.tracing.Tracer`."""
        contexts = [_parsed(self._api, link) for link in links]
        offset_ns = time_ns() - round(monotonic() * 1e9)
        span = self._tracer.start_span(
            name,
            self._context(parent),
            kind=self._kinds[kind],
            attributes=attributes,
            links=[self._api.Link(context) for context in contexts if context is not None],
            start_time=round(began * 1e9) + offset_ns,
        )
        span.end(round(ended * 1e9) + offset_ns)
        return _traceparent(span.get_span_context())

    def stop(self) -> None:
        """Send what waits, and end the thread. Blocks for up to `SEND_SECONDS`."""
        self._provider.shutdown()

    def _context(self, parent: str | None) -> Any:
        """Return OpenTelemetry's context of a parent; an empty one, and so a new trace, without a parent."""
        empty: Any = import_module("opentelemetry.context").Context()
        context = _parsed(self._api, parent)
        if context is None:
            return empty
        return self._api.set_span_in_context(self._api.NonRecordingSpan(context), empty)


def _traceparent(context: "SpanContext") -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def _parsed(api: Any, traceparent: str | None) -> "SpanContext | None":
    """Return the span that a traceparent names; None unless it is valid (W3C Trace Context, section 3.2)."""
    if traceparent is None:
        return None
    parts = traceparent.strip().split("-")
    if [len(part) for part in parts[:4]] != [2, 32, 16, 2] or parts[0] == "ff":
        return None
    if (parts[0] == "00" and len(parts) != 4) or any(set(part) - _HEX for part in parts[:4]):
        return None
    trace_id, span_id, flags = (int(part, 16) for part in parts[1:4])
    context: SpanContext = api.SpanContext(trace_id, span_id, True, api.TraceFlags(flags))
    return context if context.is_valid else None


_HEX = frozenset("0123456789abcdef")


def tracer_of(settings: Settings, node: str, observer: SpanObserver) -> OtelTracer | None:
    """Return what makes spans; None if traces are switched off.

    Args:
        settings: say where to send them.
        node: names this server.
        observer: counts spans.

    Raises:
        TracesNotInstalled: OpenTelemetry is missing.
    """
    if not settings.traces_url:
        return None
    try:
        return OtelTracer(settings.traces_url, settings.traces_share, node, observer)
    except ModuleNotFoundError as exc:
        raise TracesNotInstalled from exc
