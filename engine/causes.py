"""The id of the request that caused something, by which it is found in logs, events, mails and webhooks.

Three parts carry it:

* `handling` for the request that is being handled in this step of the event loop. Only log lines read it.
* `cause` for the request on whose behalf a task works. Tasks that it starts inherit it.
* An argument, for commands. A command may wait in a mailbox behind those of other requests, so the engine
  never looks at the other two when it decides.

Setting a context variable costs a tenth of a decision, so the fast path of requests only uses `handling`.
"""

from contextvars import ContextVar
from typing import NamedTuple


class Cause(NamedTuple):
    """The request that caused a decision.

    Attributes:
        request_id: the client's `X-Request-ID`, or one that the server has made.
        trace: the span of a traced request, as a W3C `traceparent`; None for a request that is not traced.
    """

    request_id: str
    trace: str | None = None


class Handling:
    """The request that is being handled now, without anything awaited in between.

    Attributes:
        request_id: its id; None between requests.
    """

    __slots__ = ("request_id",)

    def __init__(self) -> None:
        self.request_id: str | None = None


handling = Handling()

cause: ContextVar[Cause | None] = ContextVar("cause", default=None)


def present_request_id() -> str | None:
    """Return the id of the request to which a log line belongs; None if it belongs to none."""
    if handling.request_id is not None:
        return handling.request_id
    present = cause.get()
    return None if present is None else present.request_id
