"""One REST request, as far as operations look at it.

Tornado's own `HTTPServerRequest` parses the query and prepares for forms before anybody asks, which costs
more than deciding a hold. This one has the attributes of the same names that are used here, and parses what
is asked for.
"""

import re
from functools import lru_cache
from typing import Any, cast
from urllib.parse import parse_qsl

from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPHeaders, HTTPInputError, RequestStartLine

_QUERY_FIELDS = 100
# RFC 9110, section 7.2, with the registered names of RFC 3986; brackets are an IPv6 address's.
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+;=%-]*)(?::[0-9]*)?", re.ASCII)


class Request:
    """What a client asks for.

    Args:
        line: method, target and version.
        headers: the header fields.
        connection: where it came from, and where its answer goes.

    Attributes:
        body: the content, once it has come.
        remote_ip: the client's address.

    Raises:
        HTTPInputError: it names no host, or what is none.
    """

    __slots__ = ("body", "connection", "headers", "method", "path", "query", "remote_ip", "uri")

    def __init__(self, line: RequestStartLine, headers: HTTPHeaders, connection: HTTP1Connection) -> None:
        self.method, self.uri, version = line
        self.path, _, self.query = self.uri.partition("?")
        self.headers = headers
        self.connection = connection
        self.body = b""
        self.remote_ip: str = cast(Any, connection).context.remote_ip or ""
        host = headers.get("Host")
        if host is None:
            if version != "HTTP/1.0":
                raise HTTPInputError("Missing Host header")
        elif not _is_host(host):
            raise HTTPInputError("Invalid Host header")

    @property
    def query_arguments(self) -> dict[str, list[str]]:
        """The query's values by name, in their order.

        Raises:
            ValueError: it is not UTF-8, or has too many fields.
        """
        arguments: dict[str, list[str]] = {}
        if self.query:
            pairs = parse_qsl(
                self.query, keep_blank_values=True, errors="strict", max_num_fields=_QUERY_FIELDS
            )
            for name, value in pairs:
                arguments.setdefault(name, []).append(value)
        return arguments


@lru_cache(1024)
def _is_host(value: str) -> bool:
    return _HOST.fullmatch(value) is not None
