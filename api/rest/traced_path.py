"""The fast path while traces are switched on: it leaves the requests that are traced to the general path.

So the fast path has no branch for traces, and a request that is not traced is as fast as without them.
"""

from collections.abc import Sequence
from typing import Any

from api.http1.protocol import Http1Protocol
from api.rest.exchange import RestRouter
from api.rest.fast_path import FastPath
from engine.tracing import RequestTraces

_FIELD = b"traceparent:"


class TracedFastPath(FastPath):
    """Answers plain requests that are not traced.

    Args:
        router: finds operations, and runs exchanges.
        traces: chooses the requests that are traced.
    """

    def __init__(self, router: RestRouter, traces: RequestTraces) -> None:
        super().__init__(router)
        self._traces = traces

    def answer(
        self, lines: Sequence[bytes], fields: Sequence[Any], body: bytes, connection: Http1Protocol
    ) -> bytes | None:
        """Answer a request; None if it must take the general path, for instance because it is traced."""
        if self._traces.chosen(_traceparent_in(lines)):
            return None
        return super().answer(lines, fields, body, connection)


def _traceparent_in(lines: Sequence[bytes]) -> str | None:
    for line in lines:
        if line[: len(_FIELD)].lower() == _FIELD:
            return line[len(_FIELD) :].decode("latin-1").strip()
    return None
