"""Tornado's HTTP server with bounds: its defaults wait an hour for headers and take bodies of 100 MB."""

from tornado.httpserver import HTTPServer
from tornado.web import Application

from api.exchange import DISCARDED_BODY_BYTES
from api.limits import Limits


def make_http_server(application: Application, limits: Limits) -> HTTPServer:
    """A server that is ready to listen.

    Args:
        application: what it serves.
        limits: bounds of requests. The bound on bodies is the exchange's to keep, since the connection
            itself could only close; its own bound is what the exchange is willing to discard.
    """
    return HTTPServer(
        application,
        max_header_size=limits.header_bytes,
        idle_connection_timeout=limits.header_timeout_seconds,
        body_timeout=limits.body_timeout_seconds,
        max_body_size=DISCARDED_BODY_BYTES,
        max_buffer_size=DISCARDED_BODY_BYTES + limits.header_bytes,
    )
