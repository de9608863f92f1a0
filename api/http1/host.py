"""What a connection and its server know of each other."""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Protocol

from tornado.httputil import HTTPServerConnectionDelegate

from api.http1.peer import Peer
from api.http1.refusal import RefusalReport
from api.http1.trusted_proxies import TrustedProxies
from api.limits import Limits


class Admission(Enum):
    """Whether a new connection is served, refused with an answer, or closed without one."""

    SERVED = "served"
    REFUSED = "refused"
    CUT = "cut"


class HostedConnection(Protocol):
    """A connection, as its server sees it."""

    @property
    def peer(self) -> Peer:
        """The other end."""

    @property
    def busy(self) -> bool:
        """Whether a request has come that is not answered, or an answer has not been read."""

    def wind_down(self) -> None:
        """Serve no request that has not begun to come."""

    def break_off(self) -> None:
        """End at once, whatever is going on."""


AnswerPlain = Callable[[Sequence[bytes], Sequence[Any], bytes, Any], bytes | None]
"""Answers a plain request (`api.http1.plain`), given its lines, its fields, its body and the connection.

Returns the whole answer, ANSWERED_LATER, or None if the delegate has to take the request.
"""


def leave_plain(*_: object) -> None:
    """Leave every request to the delegate."""


class Host(Protocol):
    """A server, as its connections see it.

    Attributes:
        delegate: what requests are given to.
        answer_plain: is offered plain requests first.
        limits: bounds of requests.
        max_body_bytes: what a body may not exceed, unless the handler says otherwise.
        report: told of refusals.
        proxies: whose word on a client's address is believed.
    """

    delegate: HTTPServerConnectionDelegate
    answer_plain: AnswerPlain
    limits: Limits
    max_body_bytes: int
    report: RefusalReport
    proxies: TrustedProxies

    def joined(self, connection: HostedConnection) -> Admission:
        """A connection has been made. Returns whether it is to be served."""

    def left(self, connection: HostedConnection) -> None:
        """A connection is none of the server's any more."""
