"""Chooses what serves a request on Tornado's own HTTP layer.

Tornado's connection asks for a delegate before it delivers the head, so the choice waits until it has come.
"""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from tornado import httputil
from tornado.http1connection import HTTP1Connection

from api.rest.exchange import Exchange, RestRouter


class TornadoDelegate(httputil.HTTPMessageDelegate):
    """Receives one request and passes it to an exchange, or to a Tornado handler.

    Args:
        router: of the operations.
        connection: where the request comes from.
        elsewhere: makes the delegate for requests that Tornado's handlers serve.
    """

    __slots__ = ("_connection", "_delegate", "_elsewhere", "_router")

    def __init__(
        self,
        router: RestRouter,
        connection: HTTP1Connection,
        elsewhere: Callable[[], httputil.HTTPMessageDelegate],
    ) -> None:
        # Ignores all calls until the head has been received.
        self._delegate = httputil.HTTPMessageDelegate()
        self._router = router
        self._connection = connection
        self._elsewhere = elsewhere

    def headers_received(self, start_line: Any, headers: httputil.HTTPHeaders) -> Awaitable[None] | None:
        """Choose the delegate."""
        connection = cast(Any, self._connection)
        if connection.context.relays:
            connection.context = self._router.services.proxies.client(connection.context, headers)
        plan = self._router.plan(start_line, headers, connection.context.scheme)
        if plan.served_elsewhere:
            self._delegate = self._elsewhere()
        else:
            self._delegate = Exchange(self._router, plan, self._connection)
        return self._delegate.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Pass a part of the body on."""
        return self._delegate.data_received(chunk)

    def finish(self) -> None:
        """Pass the end of the request on."""
        self._delegate.finish()

    def on_connection_close(self) -> None:
        """Pass the end of the connection on."""
        self._delegate.on_connection_close()
