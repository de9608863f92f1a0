"""The way of spans to the collector: a bounded queue, a thread that empties it, and counts of what happens.

Imports OpenTelemetry, so only `frontrow.otel` imports it, and only if traces are switched on.
"""

import logging
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from engine.guards import OutageLog
from frontrow.otel import BATCH_LIMIT, DELAY_SECONDS, QUEUE_LIMIT, SEND_SECONDS, SpanObserver, log


class _Counted(SpanExporter):
    """An exporter that counts what it has taken from the queue, and what became of it."""

    def __init__(self, exporter: SpanExporter, observer: SpanObserver) -> None:
        self._exporter = exporter
        self._observer = observer
        self._outages = OutageLog(log, "sending of traces")
        self.taken = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.taken += len(spans)
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            self._outages.succeeded()
            self._observer.spans_ended("sent", len(spans))
        else:
            self._outages.failed(ConnectionError("the collector does not take them"))
            self._observer.spans_ended("failed", len(spans))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class _Bounded(SpanProcessor):
    """Drops spans that end while too many wait."""

    def __init__(self, exporter: _Counted, observer: SpanObserver) -> None:
        self._exporter = exporter
        self._observer = observer
        self._queued = 0
        self._batches = BatchSpanProcessor(
            exporter,
            max_queue_size=QUEUE_LIMIT,
            schedule_delay_millis=DELAY_SECONDS * 1000,
            max_export_batch_size=BATCH_LIMIT,
            export_timeout_millis=SEND_SECONDS * 1000,
        )

    def on_end(self, span: ReadableSpan) -> None:
        if self._queued - self._exporter.taken >= QUEUE_LIMIT:
            self._observer.spans_ended("dropped", 1)
            return
        self._queued += 1
        self._batches.on_end(span)

    def shutdown(self) -> None:
        self._batches.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = SEND_SECONDS * 1000) -> bool:
        return self._batches.force_flush(timeout_millis)


def processor(url: str, observer: SpanObserver) -> SpanProcessor:
    """Return what sends spans to a collector.

    Args:
        url: of its OTLP/HTTP endpoint for traces.
        observer: counts spans.
    """
    # It logs every failed attempt, with a traceback; here one line says that an outage has begun.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    return _Bounded(_Counted(OTLPSpanExporter(url, timeout=SEND_SECONDS), observer), observer)
