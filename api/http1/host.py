"""The interfaces between a server and its connections."""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Protocol

from tornado.httputil import HTTPServerConnectionDelegate

from api.http1.outflow import Outflow
from api.http1.peer import Peer
from api.http1.refusal import RefusalReport
from api.http1.trusted_proxies import TrustedProxies
from api.limits import Limits


class Admission(Enum):
    """The decision about a new connection: it is served, refused with a response, or closed without one."""

    SERVED = "served"
    REFUSED = "refused"
    CUT = "cut"


class HostedConnection(Protocol):
    """A connection, as its server sees it."""

    @property
    def peer(self) -> Peer:
        """The client, or the proxy before it."""

    @property
    def busy(self) -> bool:
        """True while a request is unanswered or response bytes are unsent."""

    @property
    def proven(self) -> bool:
        """True once a request has come completely."""

    def retire(self) -> None:
        """Close after the response to the current request, or to the next one."""

    def wind_down(self) -> None:
        """Finish the current request, if there is one, and close."""

    def break_off(self) -> None:
        """Abort the connection."""


AnswerPlain = Callable[[Sequence[bytes], Sequence[Any], bytes, Any], bytes | None]
"""Answers a plain request (`api.http1.plain`), given its lines, its fields, its body and the connection.

Returns the complete response, ANSWERED_LATER, or None if the delegate has to take the request.
"""


def leave_plain(*_: object) -> None:
    """Leave every request to the delegate."""


class Host(Protocol):
    """A server, as its connections see it.

    Attributes:
        delegate: takes the requests.
        answer_plain: is offered plain requests first.
        limits: of requests and connections.
        max_body_bytes: largest body, unless the handler sets another limit.
        report: called for every refusal.
        proxies: trusted to report the client's address.
    """

    delegate: HTTPServerConnectionDelegate
    answer_plain: AnswerPlain
    limits: Limits
    max_body_bytes: int
    report: RefusalReport
    proxies: TrustedProxies

    def flush_soon(self, outflow: Outflow) -> None:
        """Flush an outflow at the end of this turn of the event loop."""

    def joined(self, connection: HostedConnection) -> Admission:
        """Register a new connection. Returns whether it is served."""

    def left(self, connection: HostedConnection) -> None:
        """Unregister a connection that was closed or handed over."""
