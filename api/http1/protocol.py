"""One HTTP/1.1 connection: the order of requests and responses, and the time limits.

A plain request (`api.http1.plain`) that has arrived whole is offered to `Host.answer_plain` first, which may
answer it immediately. All other requests go through the phases of `api.http1.phase`, and their handlers are
Tornado's delegates.

Data that arrives while a request is being answered waits in the inflow, which stops reading above a limit.
While the client does not read its responses, no further request is begun. So both directions are bounded,
and responses are sent in the order of the requests.

`_advance` does what can be done now, and sends what was written meanwhile in one piece. If that takes long,
it continues in the next iteration of the event loop, so that a busy connection leaves time for others.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import cast

from tornado.httputil import HTTPInputError, HTTPMessageDelegate

from api.errors import ApiError
from api.http1.body import BodyReader, ChunkedReader, ContentLengthReader
from api.http1.common_headers import new_request_id
from api.http1.connection import LaterAnswer, RequestConnection
from api.http1.deadline import Deadline
from api.http1.errors import MalformedRequest, RequestTimedOut, TooManyConnections
from api.http1.head import END_OF_HEAD, RequestHead, parse_head
from api.http1.host import Admission, Host
from api.http1.inflow import Inflow
from api.http1.outflow import Outflow
from api.http1.peer import Peer
from api.http1.phase import Phase
from api.http1.plain import CLOSE, read_request
from api.http1.refusal import RejectedRequest, refusal_bytes

log = logging.getLogger("frontrow.http")

# Attributes of an enumeration are slow to look up on CPython 3.11.
_HEAD, _ANSWER, _CLOSING = Phase.HEAD, Phase.ANSWER, Phase.CLOSING

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_TURN_SECONDS = 0.005
_PLAIN_REQUESTS = 64
"""Pipelined plain requests that are answered in one turn."""

ANSWERED_LATER = b""
"""Returned by `Host.answer_plain` if the response is sent later through the connection."""

# After its last response a client may send for this long, and this much, before the connection is cut.
# Closing immediately would send a reset, which can overtake the response.
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 8 * 1024 * 1024


class Http1Protocol(asyncio.Protocol):
    """The server's end of one connection.

    Args:
        host: the server.
        peer: the client that a PROXY protocol header named; None to take it from the socket.
    """

    def __init__(self, host: Host, peer: Peer | None = None) -> None:
        self._host = host
        self._announced = peer
        self._limits = host.limits
        self._loop = asyncio.get_running_loop()
        self._deadline = Deadline(self._loop, self._expired)
        self._phase = Phase.HEAD
        self._head_begun = self._advancing = self._wrote_lately = False
        self._persistent = True
        self._request: RequestConnection | LaterAnswer | None = None
        self._request_complete = False
        self._delegate: HTTPMessageDelegate | None = None
        self._body: BodyReader | None = None
        # The future that the handler returned, and the step that follows it.
        self._wait: asyncio.Future[None] | None = None
        self._then: Callable[[], None] | None = None
        self._lingered_bytes = 0

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.peer = self._announced or self._host.proxies.peer(transport.get_extra_info("peername"))
        limits = self._limits
        self._inflow = Inflow(self._transport, limits.header_bytes)
        self._outflow = Outflow(
            self._loop,
            self._transport,
            limits.write_timeout_seconds,
            self.break_off,
            self._host.flush_soon,
        )
        self._deadline.set(limits.header_timeout_seconds)
        admission = self._host.joined(self)
        if admission is Admission.REFUSED:
            self._refuse(TooManyConnections())
        elif admission is Admission.CUT:
            self.break_off()

    def data_received(self, data: bytes) -> None:
        """Answer plain requests; everything else takes the general path."""
        if self._phase is _CLOSING:
            self._lingered_bytes += len(data)
            if self._lingered_bytes > _LINGER_BYTES:
                self.break_off()
            return
        idle = self._phase is _HEAD and not self._inflow.waiting
        if idle and self._persistent and self._outflow.writable:
            data = self._answer_plain(data)
            if not data:
                return
        self._inflow.append(data)
        self._advance()

    def _answer_plain(self, data: bytes) -> bytes:
        """Answer the complete plain requests at the start of the data. Returns the remaining data."""
        answer_plain, limits = self._host.answer_plain, self._limits
        answers: list[bytes] = []
        at = 0
        while at < len(data) and len(answers) < _PLAIN_REQUESTS:
            request = read_request(data, at, limits)
            if request is None:
                break
            lines, fields, body, stop = request
            try:
                answer = answer_plain(lines, fields, body, self)
            except Exception:
                log.exception("a request failed before it could be answered")
                self.break_off()
                return b""
            if answer is None:
                break
            at = stop
            if answer is ANSWERED_LATER:
                break
            answers.append(answer)
            if fields[CLOSE]:
                self._persistent = False
                break
        if answers:
            self._wrote_lately = True
            self._outflow.send_soon(answers[0] if len(answers) == 1 else b"".join(answers))
            if not self._persistent:
                self._close(lingering=at < len(data))
                return b""
            if self._phase is _HEAD:
                self._deadline.set(limits.keep_alive_seconds)
        return data[at:]

    def answer_later(self, request: LaterAnswer) -> None:
        """Begin a plain request whose response is sent by `complete`."""
        request.persistent = self._persistent
        if self._phase is _HEAD:
            self._request = request
            self._phase = _ANSWER
            self._await_handler()

    def begin_plain(self, lines: Sequence[bytes]) -> RequestConnection:
        """Begin a plain request that is answered by other means, later.

        Args:
            lines: of its head.
        """
        head = parse_head(b"\r\n".join(lines) + END_OF_HEAD, self._limits)
        limits = self._limits
        request = RequestConnection(
            self,
            head,
            self._persistent and head.persistent,
            self._host.max_body_bytes,
            limits.body_timeout_seconds,
        )
        if self._phase not in (Phase.CLOSING, Phase.CLOSED):
            self._request = request
            self._request_complete = True
            self._phase = Phase.ANSWER
            self._await_handler()
        return request

    def complete(self, request: LaterAnswer, response: bytes) -> None:
        """Send the whole response to a plain request.

        Args:
            request: from `answer_later`; if it does not persist, the response must say so.
            response: its bytes.
        """
        if request is self._request:
            self._wrote_lately = True
            self._outflow.send_soon(response)
            self._request = None
            self._serve_next(request.persistent)

    def eof_received(self) -> bool:
        """The client sends nothing more: it has left, or waits for its responses."""
        self._inflow.ended = True
        if self._phase is Phase.CLOSING:
            return False
        if self._phase is Phase.ANSWER and self._request is not None:
            self._deadline.set(self._limits.keep_alive_seconds)
            self._request.client_left()
        self._advance()
        return True

    def pause_writing(self) -> None:
        self._outflow.pause()

    def resume_writing(self) -> None:
        self._outflow.resume()
        self._advance()

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        self._outflow.lost()
        if self._phase is not Phase.DETACHED:
            self._phase = Phase.CLOSED
            self._host.left(self)
            self._abandon_request()

    # Called by the server.

    @property
    def busy(self) -> bool:
        """True while a request is unanswered or response bytes are unsent."""
        return self._request is not None or self._outflow.waiting

    @property
    def proven(self) -> bool:
        """True once a request has come completely."""
        return self._wrote_lately or self._phase is not Phase.HEAD

    def retire(self) -> None:
        """Close after the response to the current request, or to the next one."""
        self._persistent = False
        if self._request is not None:
            self._request.persistent = False

    def wind_down(self) -> None:
        """Accept no further request."""
        self.retire()
        if self._request is None and self._phase is Phase.HEAD and not self._inflow.waiting:
            self._close()

    def break_off(self) -> None:
        """Abort the connection."""
        if self._phase not in (Phase.CLOSED, Phase.DETACHED):
            self._phase = Phase.CLOSING
            self._transport.abort()

    # Called by a request (`api.http1.connection.Wire`).

    def send(self, *pieces: bytes) -> "asyncio.Future[None]":
        """Send bytes, after all that was sent before. The future completes when more may be sent."""
        self._wrote_lately = True
        return self._outflow.send(*pieces)

    def answered(self, request: RequestConnection) -> None:
        """The response is complete: continue with the next request, if the connection persists."""
        if request is not self._request:
            return
        if self._phase is Phase.BODY:
            # Reading the rest of the body would take as long as the client likes.
            self._loop.call_soon(self._abandon_request)
            self._close(lingering=True)
        else:
            self._request = self._delegate = None
            self._serve_next(request.persistent)

    def hand_over(self, unsent: bytes, successor: asyncio.Protocol) -> bool:
        """Give the transport to another protocol, with unread and unsent data."""
        transport = self._transport
        if self._phase is Phase.CLOSED or transport.is_closing():
            return False
        self._phase = Phase.DETACHED
        self._request = self._delegate = None
        self._host.left(self)
        self._deadline.cancel()
        self._outflow.flush()
        self._outflow.lost()
        unread = self._inflow.take_all()
        self._inflow.regulate()
        transport.set_protocol(successor)
        successor.connection_made(transport)
        transport.write(unsent)
        successor.data_received(unread)
        if self._inflow.ended:
            transport.close()
        return True

    # Processing input.

    def _advance(self) -> None:
        if self._advancing:
            return
        self._advancing = True
        self._outflow.cork()
        try:
            ends_at = self._loop.time() + _TURN_SECONDS
            while self._step():
                if self._loop.time() > ends_at:
                    self._loop.call_soon(self._advance)
                    break
        except ApiError as error:
            self._refuse(error)
        except HTTPInputError:
            self._refuse(MalformedRequest("the Host field or the query is not valid"))
        except Exception:
            log.exception("a handler failed before it could answer")
            self.break_off()
        finally:
            self._advancing = False
            self._outflow.uncork()
        self._inflow.regulate()

    def _step(self) -> bool:
        """Do the next step. Returns whether another step may be possible now."""
        if self._wait is not None:
            return self._go_on_after_waiting(self._wait)
        if self._phase is Phase.HEAD:
            return self._read_head()
        if self._phase is Phase.BODY and self._body is not None:
            return self._read_body(self._body)
        return False

    def _serve_next(self, persistent: bool) -> None:
        if not persistent:
            self._close(lingering=self._inflow.waiting)
            return
        self._phase = Phase.HEAD
        self._head_begun = False
        self._deadline.set(self._limits.keep_alive_seconds)
        if self._inflow.waiting or self._inflow.ended:
            self._advance()

    def _read_head(self) -> bool:
        if not self._outflow.writable:
            return False
        octets = self._inflow.take_head()
        if octets is None:
            if self._inflow.ended:
                self._close()
            elif self._inflow.waiting and not self._head_begun:
                self._head_begun = True
                self._deadline.set(self._limits.header_timeout_seconds)
            return False
        head = parse_head(octets, self._limits)
        if head.upgrade and not self._may_upgrade(head):
            self._inflow.put_back(octets)
            return False
        self._begin(head)
        return self._inflow.waiting or self._inflow.ended

    def _may_upgrade(self, head: RequestHead) -> bool:
        """Return whether an upgrade can begin: all earlier responses must have been sent."""
        if self._wrote_lately:
            # The event loop may send only at the end of its iteration.
            self._wrote_lately = False
            self._loop.call_soon(self._advance)
            return False
        if self._outflow.waiting:
            # A server may ignore an upgrade (RFC 9110, section 7.8).
            del head.headers["Upgrade"]
        return True

    def _begin(self, head: RequestHead) -> None:
        has_body = head.content_bytes != 0
        self._persistent = self._persistent and head.persistent
        # A response that is sent before the body has been read ends the connection.
        self._request = request = RequestConnection(
            self,
            head,
            self._persistent and not has_body,
            self._host.max_body_bytes,
            self._limits.body_timeout_seconds,
        )
        self._request_complete = False
        self._phase = Phase.BODY if has_body else Phase.ANSWER
        self._await_handler()
        self._delegate = delegate = self._host.delegate.start_request(self, request)
        waiting = delegate.headers_received(head.line, head.headers)
        self._after(waiting, self._begin_body if has_body else self._end_of_request, request, delegate)

    def _begin_body(self, request: RequestConnection, delegate: HTTPMessageDelegate) -> None:
        if request.finished:
            return
        head = request.head
        if head.content_bytes is None:
            self._body = ChunkedReader(request.max_body_bytes, self._limits.header_bytes)
        else:
            self._body = ContentLengthReader(head.content_bytes, request.max_body_bytes)
            if self._inflow.has(head.content_bytes):
                # Short bodies arrive with their head.
                self._read_body(self._body)
                return
        self._deadline.set(request.body_timeout_seconds)
        if head.awaits_continue and not self._inflow.waiting and not request.begun:
            self.send(_CONTINUE)

    def _await_handler(self) -> None:
        """Set no deadline while a handler works, unless the client may have left."""
        if self._inflow.ended:
            self._deadline.set(self._limits.keep_alive_seconds)
        else:
            self._deadline.clear()

    def _read_body(self, body: BodyReader) -> bool:
        request, delegate = self._request, self._delegate
        content, advanced = self._inflow.take_body(body)
        if not advanced and self._inflow.ended:
            self.break_off()
        if not advanced or not isinstance(request, RequestConnection) or delegate is None:
            return False
        waiting = delegate.data_received(content) if content else None
        if request.finished:
            return False
        if not body.complete:
            self._after(waiting, None, request, delegate)
            return True
        self._body = None
        self._phase = Phase.ANSWER
        self._await_handler()
        request.persistent = self._persistent
        self._after(waiting, self._end_of_request, request, delegate)
        return True

    def _end_of_request(self, request: RequestConnection, delegate: HTTPMessageDelegate) -> None:
        """The request is complete: let the handler answer, unless it has answered already."""
        self._request_complete = True
        if request.finished:
            delegate.on_connection_close()
        else:
            delegate.finish()

    # Waiting for a future that a handler returned.

    def _after(
        self,
        waiting: Awaitable[None] | None,
        then: Callable[[RequestConnection, HTTPMessageDelegate], None] | None,
        request: RequestConnection,
        delegate: HTTPMessageDelegate,
    ) -> None:
        """Continue immediately, or when the future of the handler is done."""
        if waiting is None:
            if then is not None:
                then(request, delegate)
            return
        self._then = partial(then, request, delegate) if then is not None else None
        self._wait = asyncio.ensure_future(waiting)
        self._wait.add_done_callback(self._waited)

    def _waited(self, wait: "asyncio.Future[None]") -> None:
        if self._phase in (Phase.BODY, Phase.ANSWER):
            self._advance()
        elif not wait.cancelled() and (error := wait.exception()):
            log.debug("a handler failed after its connection had ended", exc_info=error)

    def _go_on_after_waiting(self, wait: "asyncio.Future[None]") -> bool:
        if not wait.done() or self._phase not in (Phase.BODY, Phase.ANSWER):
            return False
        then = self._then
        self._wait = self._then = None
        if wait.cancelled():
            self.break_off()
            return False
        wait.result()
        if then is not None:
            then()
        return True

    # Ending.

    def _refuse(self, error: ApiError) -> None:
        """Reject malformed input and close: the start of a next request is unknown."""
        if self._request is not None and self._request.begun:
            self.break_off()
            return
        request_id = new_request_id()
        self._outflow.send(refusal_bytes(error, request_id))
        self._host.report(RejectedRequest(error.status, self.peer.remote_ip, request_id))
        self._close(lingering=True)
        self._abandon_request()

    def _abandon_request(self) -> None:
        """Tell the handler of a request that its client has left."""
        request, delegate = self._request, self._delegate
        self._request = self._delegate = self._body = None
        if request is None or delegate is None:
            return
        try:
            if self._request_complete:
                request.client_left()
            else:
                delegate.on_connection_close()
        except Exception:
            log.exception("a handler failed when it was told that its client had left")

    def _close(self, *, lingering: bool = False) -> None:
        """Close once everything has been sent; if lingering, once the client has closed too."""
        self._phase = Phase.CLOSING
        self._outflow.end()
        self._deadline.set(_LINGER_SECONDS)
        if lingering and not self._inflow.ended and not self._transport.is_closing():
            self._inflow.take_all()
            self._inflow.regulate()
            self._transport.write_eof()
        else:
            self._transport.close()

    def _expired(self) -> None:
        """A time limit has passed."""
        if self._phase is Phase.BODY:
            self._refuse(RequestTimedOut("body"))
        elif self._phase is Phase.HEAD and self._inflow.waiting:
            self._refuse(RequestTimedOut("head"))
        elif self._phase is Phase.HEAD:
            self._close()
        elif self._phase is Phase.CLOSING and self._outflow.waiting:
            # The client is still reading; the outflow limits how slowly.
            self._deadline.set(_LINGER_SECONDS)
        else:
            self.break_off()
