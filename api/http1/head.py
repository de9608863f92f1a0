"""Parses and validates the head of a request.

Anything that two parsers could interpret differently is rejected, because a proxy in front of this server may
be the other parser: that is how requests are smuggled (RFC 9112, section 11.2). A head is parsed only when it
is complete. This module checks the bytes, the request line and the fields that determine where the body ends;
`httptools` splits the field lines and rejects malformed ones.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from tornado.httputil import RequestStartLine

from api.http1.errors import HeadersTooLarge, MalformedRequest, TargetTooLong, VersionNotSupported
from api.http1.headers import RequestHeaders
from api.limits import Limits

END_OF_HEAD = b"\r\n\r\n"

_ALLOWED_BYTES = bytes(byte for byte in range(256) if byte == 0x09 or (byte >= 0x20 and byte != 0x7F))
_INVALID = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n|\Z)")
# A target may have the characters of RFC 3986 and those that browsers leave unescaped, but no fragment.
_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([!-\"$-~]+) HTTP/([0-9])\.([0-9])\r\n")
_ABSOLUTE_FORM = re.compile(r"https?://([^/?]+)(.*)", re.IGNORECASE | re.DOTALL)
# Together they bound the cache of heads: a usual one takes 4 KB with what the delegate derives from it.
_CACHED_HEAD_BYTES, _HEADS_KEPT = 1024, 4096
_UPGRADE = b"\r\nUpgrade:"
"""The field as all clients write it. Heads with it are not cached, since those of handshakes all differ."""
_KEYED = b"\r\nIdempotency-Key:"
"""The field as nearly all clients write it. These heads differ too, but for a few repeated requests."""
# Replaces the request line: httptools only knows the methods on its list and treats some of them specially.
_PARSERS_REQUEST_LINE = b"GET / HTTP/1.1\r\n"


@dataclass(slots=True, eq=False)
class RequestHead:
    """A valid head.

    Attributes:
        line: the method as it was sent; the target in origin form, or "*", or a CONNECT's authority; and
            "HTTP/1.0" or "HTTP/1.1".
        headers: the header fields.
        content_bytes: the declared length of the body; None if it is chunked.
        persistent: whether the client wants to keep the connection open.
        upgrade: whether the client asks to switch to another protocol.
        delegate_cache: set by the delegate to what it derives from the head alone; cached with the head.
    """

    line: RequestStartLine
    headers: RequestHeaders
    content_bytes: int | None
    persistent: bool
    upgrade: bool
    delegate_cache: Any = None

    @property
    def awaits_continue(self) -> bool:
        """True if the client waits for 100 (Continue) before it sends the body (RFC 9110, section 10.1.1)."""
        return (
            self.line.version == "HTTP/1.1"
            and self.content_bytes != 0
            and self.headers.get("Expect", "").lower() == "100-continue"
        )


def has_invalid_bytes(data: bytes, start: int, checked: int, end: int) -> bool:
    """Return whether an incomplete head has bytes that no head may have, such as bare line feeds.

    The end of a head with bare line feeds is never found, so without this check its sender would get no
    response until it times out.

    Args:
        data: the received bytes.
        start: where the head begins.
        checked: position up to which earlier calls have checked the data.
        end: position at which to stop.
    """
    # A carriage return at the end of the data checked earlier is checked again with the byte after it.
    return data.startswith(b"\n", start) or bool(_INVALID.search(data, max(start, checked - 1), end))


def parse_head(data: bytes, limits: Limits) -> RequestHead:
    """Parse a head.

    Short heads are cached, because clients that poll or select seats send the same head again and again. So
    callers must not modify the result, except for `delegate_cache`. Heads with an upgrade are not cached and
    may be modified.

    Args:
        data: the head, from the request line to the empty line inclusive.
        limits: limits of requests.

    Raises:
        MalformedRequest: the head is not valid HTTP/1, or is ambiguous.
        VersionNotSupported: the head has another major version.
        TargetTooLong: the request line is too long.
        HeadersTooLarge: there are too many fields.
    """
    if len(data) <= _CACHED_HEAD_BYTES and _UPGRADE not in data and _KEYED not in data:
        head = _cached(data, limits)
        if not head.upgrade:
            return head
    return _parsed(data, limits)


def _parsed(data: bytes, limits: Limits) -> RequestHead:
    lines = data.count(b"\r\n")
    if data.translate(None, _ALLOWED_BYTES) != b"\r\n" * lines:
        raise MalformedRequest("control characters, or lines that do not end in CRLF")
    match = _REQUEST_LINE.match(data)
    if match is None:
        raise MalformedRequest("the request line is not valid")
    if match.end() > limits.request_line_bytes:
        raise TargetTooLong(limits.request_line_bytes)
    if match[3] != b"1":
        raise VersionNotSupported
    if lines - 2 > limits.header_count:
        raise HeadersTooLarge(f"The request must not have more than {limits.header_count} header fields")
    headers = RequestHeaders()
    try:
        HttpRequestParser(headers).feed_data(_PARSERS_REQUEST_LINE + data[match.end() :])
    except HttpParserUpgrade:
        # `_upgrades` decides below whether to honour it.
        pass
    except HttpParserError as error:
        raise MalformedRequest(str(error)) from error
    method, target = match[1].decode("ascii"), match[2].decode("ascii")
    version = "HTTP/1.0" if match[4] == b"0" else "HTTP/1.1"
    _require_one_host(headers, version)
    options = _connection_options(headers)
    if target[0] != "/":
        target = _origin_form(method, target, headers)
    return RequestHead(
        RequestStartLine(method, target, version),
        headers,
        _content_bytes(headers, version),
        "close" not in options and (version == "HTTP/1.1" or "keep-alive" in options),
        _upgrades(headers, version, options),
    )


_cached = lru_cache(_HEADS_KEPT)(_parsed)


def _require_one_host(headers: RequestHeaders, version: str) -> None:
    """Raise MalformedRequest unless there is one Host field (RFC 9112, section 3.2).

    The delegate checks its value.
    """
    hosts = len(headers.get_list("Host"))
    if hosts > 1 or (hosts == 0 and version == "HTTP/1.1"):
        raise MalformedRequest("there must be exactly one Host field")


def _connection_options(headers: RequestHeaders) -> frozenset[str]:
    """The options of the Connection field, in lower case (RFC 9110, section 7.6.1)."""
    value = headers.get("Connection")
    if value is None:
        return frozenset()
    return frozenset(option.strip(" \t") for option in value.lower().split(","))


def _origin_form(method: str, target: str, headers: RequestHeaders) -> str:
    """Convert a target in absolute form to origin form (RFC 9112, section 3.2).

    The target's host replaces the Host field.

    Raises:
        MalformedRequest: the method does not allow the target.
    """
    if absolute := _ABSOLUTE_FORM.fullmatch(target):
        headers["Host"] = absolute[1]
        rest = absolute[2]
        return rest if rest.startswith("/") else f"/{rest}"
    if method == "CONNECT" or (method == "OPTIONS" and target == "*"):
        return target
    raise MalformedRequest("the request target is not valid")


def _content_bytes(headers: RequestHeaders, version: str) -> int | None:
    """The declared length of the body, or None if it is chunked (RFC 9112, section 6.3).

    httptools rejects repeated lengths, and a length together with chunks, too.
    """
    lengths, codings = headers.get_list("Content-Length"), headers.get_list("Transfer-Encoding")
    if not codings:
        if not lengths:
            return 0
        # 18 digits fit in 64 bits.
        if len(lengths) > 1 or not lengths[0].isdecimal() or len(lengths[0]) > 18:
            raise MalformedRequest("Content-Length is not valid")
        return int(lengths[0])
    if lengths or version == "HTTP/1.0" or [coding.lower() for coding in codings] != ["chunked"]:
        raise MalformedRequest("Transfer-Encoding must be chunked, without Content-Length, over HTTP/1.1")
    return None


def _upgrades(headers: RequestHeaders, version: str, options: frozenset[str]) -> bool:
    """Return whether the client requests an upgrade, which HTTP/1.0 does not have (RFC 9110, section 7.8)."""
    if "Upgrade" not in headers:
        return False
    if version == "HTTP/1.0":
        del headers["Upgrade"]
        return False
    return "upgrade" in options
