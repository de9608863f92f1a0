"""A collector of traces in this process: it takes spans over OTLP/HTTP, as real ones do."""

import asyncio
import gzip
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler


class Received(NamedTuple):
    """A span that has arrived."""

    node: str
    name: str
    trace: str
    id: str
    parent: str
    links: Sequence[str]
    kind: int
    attributes: dict[str, Any]
    failed: bool


class Collector:
    """Listens on a free port of 127.0.0.1.

    Attributes:
        spans: all that have arrived.
        status: of its responses.
    """

    def __init__(self) -> None:
        self.spans: list[Received] = []
        self.status = 200
        self.requests = 0
        self._changed = asyncio.Condition()
        self._server = HTTPServer(Application([("/v1/traces", _Handler, {"collector": self})]))
        (socket,) = bind_sockets(0, "127.0.0.1")
        self._server.add_sockets([socket])
        self.url = f"http://127.0.0.1:{socket.getsockname()[1]}"

    def named(self, name: str) -> list[Received]:
        return [span for span in self.spans if span.name == name]

    def children(self, parent: Received) -> list[Received]:
        return [span for span in self.spans if (span.trace, span.parent) == (parent.trace, parent.id)]

    async def until(self, done: Callable[[], Any]) -> Any:
        """Wait until the spans satisfy a condition; return what it is."""
        try:
            async with asyncio.timeout(60), self._changed:
                return await self._changed.wait_for(done)
        except TimeoutError:
            raise AssertionError([(span.name, span.attributes) for span in self.spans]) from None

    async def take(self, body: bytes) -> None:
        self.requests += 1
        if self.status == 200:
            self.spans += _spans_in(ExportTraceServiceRequest.FromString(body))
        async with self._changed:
            self._changed.notify_all()

    async def close(self) -> None:
        self._server.stop()
        await self._server.close_all_connections()


class _Handler(RequestHandler):
    def initialize(self, collector: Collector) -> None:
        self.collector = collector

    async def post(self) -> None:
        body = self.request.body
        if self.request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        await self.collector.take(body)
        self.set_status(self.collector.status)

    def _log(self) -> None:
        """Log no requests; some of them are meant to fail."""


def _spans_in(request: ExportTraceServiceRequest) -> Iterator[Received]:
    for resource in request.resource_spans:
        named = _attributes(resource.resource.attributes)
        assert named["service.name"] == "frontrow"
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Received(
                    named["service.instance.id"],
                    span.name,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    [link.span_id.hex() for link in span.links],
                    span.kind,
                    _attributes(span.attributes),
                    span.status.code == 2,
                )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


@pytest.fixture
def collector(io_loop: IOLoop) -> Iterator[Collector]:
    """A collector that takes everything."""

    async def opened() -> Collector:
        return Collector()

    made = io_loop.run_sync(opened)
    yield made
    io_loop.run_sync(made.close)
