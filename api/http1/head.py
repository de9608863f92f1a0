"""From the octets of a request's head to what they mean, or to the reason why they are refused.

Whatever two parsers could understand differently is refused, since a proxy in front of this server may
be the other one: that is how requests are smuggled (RFC 9112, section 11.2). So a head is judged whole,
once its end has come, and by rules of two kinds. The octets, the request line and all that decides where
the body ends are checked here; `httptools` takes the field lines apart and refuses those that are none.
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

_CONTROLS_APART = bytes(octet for octet in range(256) if octet == 0x09 or (octet >= 0x20 and octet != 0x7F))
_FAULT = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n|\Z)")
# The target is all that a URI may hold (RFC 3986) and what browsers leave unescaped; a fragment is not.
_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([!-\"$-~]+) HTTP/([0-9])\.([0-9])\r\n")
_ABSOLUTE_FORM = re.compile(r"https?://([^/?]+)(.*)", re.IGNORECASE | re.DOTALL)
# Together they bound the memory for heads to a few megabytes.
_REMEMBERED_BYTES, _HEADS_KEPT = 1024, 4096
# The parser only knows the methods on its list, and takes some of them for more than a method.
_LINE_FOR_PARSER = b"GET / HTTP/1.1\r\n"


@dataclass(slots=True, eq=False)
class RequestHead:
    """A head that can be acted upon.

    Attributes:
        line: the method as it was sent; the target in origin form, or "*", or a CONNECT's authority; and
            "HTTP/1.0" or "HTTP/1.1".
        headers: the fields.
        content_bytes: the declared length of the body; None if it is sent in chunks.
        persistent: whether the client wants to keep the connection.
        upgrade: whether it wants to speak another protocol on it.
        conclusions: what whoever acts upon the head has worked out from it, to be kept as long as the head.
    """

    line: RequestStartLine
    headers: RequestHeaders
    content_bytes: int | None
    persistent: bool
    upgrade: bool
    conclusions: Any = None

    @property
    def awaits_continue(self) -> bool:
        """Whether the client sends its body only when told to (RFC 9110, section 10.1.1)."""
        return (
            self.line.version == "HTTP/1.1"
            and self.content_bytes != 0
            and self.headers.get("Expect", "").lower() == "100-continue"
        )


def find_fault(octets: bytes, start: int, checked: int, end: int) -> bool:
    """Whether a head that has not ended yet holds what no head may hold.

    A head with bare line feeds never ends for us; its sender would wait for its answer till it times out.

    Args:
        octets: what has come.
        start: where the head begins; what lies before it belongs to another request.
        checked: up to here it has been looked at.
        end: what lies behind it need not be looked at.
    """
    # A carriage return that was the last octet can be judged now.
    return octets.startswith(b"\n", start) or bool(_FAULT.search(octets, max(start, checked - 1), end))


def parse_head(octets: bytes, limits: Limits) -> RequestHead:
    """What a head says.

    Clients repeat themselves: a page that polls, or a user who chooses seats, sends the same head again and
    again. So what heads said is remembered, and what is returned must not be changed (`conclusions` apart),
    but for a head that wants an upgrade.

    Args:
        octets: from the request line to the empty line, both included.
        limits: bounds of requests.

    Raises:
        MalformedRequest: it is no head of HTTP/1, or could be understood in two ways.
        VersionNotSupported: it is well-formed, but of another major version.
        TargetTooLong: the request line is over its limit.
        HeadersTooLarge: there are too many fields.
    """
    if len(octets) <= _REMEMBERED_BYTES:
        head = _remembered(octets, limits)
        if not head.upgrade:
            return head
    return _parsed(octets, limits)


def _parsed(octets: bytes, limits: Limits) -> RequestHead:
    lines = octets.count(b"\r\n")
    if octets.translate(None, _CONTROLS_APART) != b"\r\n" * lines:
        raise MalformedRequest("control characters, or lines that do not end in CRLF")
    match = _REQUEST_LINE.match(octets)
    if match is None:
        raise MalformedRequest("the request line is not valid")
    if match.end() > limits.request_line_bytes:
        raise TargetTooLong(limits.request_line_bytes)
    if match[3] != b"1":
        raise VersionNotSupported
    if lines - 2 > limits.header_count:
        raise HeadersTooLarge(f"There may not be more than {limits.header_count} header fields")
    headers = RequestHeaders()
    try:
        HttpRequestParser(headers).feed_data(_LINE_FOR_PARSER + octets[match.end() :])
    except HttpParserUpgrade:
        # Whether there is one to make is decided below.
        pass
    except HttpParserError as error:
        raise MalformedRequest(str(error)) from error
    method, target = match[1].decode("ascii"), match[2].decode("ascii")
    version = "HTTP/1.0" if match[4] == b"0" else "HTTP/1.1"
    _require_one_host(headers, version)
    wishes = _wishes(headers)
    if target[0] != "/":
        target = _origin_form(method, target, headers)
    return RequestHead(
        RequestStartLine(method, target, version),
        headers,
        _content_bytes(headers, version),
        "close" not in wishes and (version == "HTTP/1.1" or "keep-alive" in wishes),
        _upgrades(headers, version, wishes),
    )


_remembered = lru_cache(_HEADS_KEPT)(_parsed)


def _require_one_host(headers: RequestHeaders, version: str) -> None:
    """RFC 9112, section 3.2; that it is a host is checked by Tornado's `HTTPServerRequest`."""
    hosts = len(headers.get_list("Host"))
    if hosts > 1 or (hosts == 0 and version == "HTTP/1.1"):
        raise MalformedRequest("there must be one Host field")


def _wishes(headers: RequestHeaders) -> frozenset[str]:
    """The options in the Connection field (RFC 9110, section 7.6.1)."""
    value = headers.get("Connection")
    if value is None:
        return frozenset()
    return frozenset(option.strip(" \t") for option in value.lower().split(","))


def _origin_form(method: str, target: str, headers: RequestHeaders) -> str:
    """RFC 9112, section 3.2: of the other forms, the absolute one is everybody's to use; its host counts."""
    if absolute := _ABSOLUTE_FORM.fullmatch(target):
        headers["Host"] = absolute[1]
        rest = absolute[2]
        return rest if rest.startswith("/") else f"/{rest}"
    if method == "CONNECT" or (method == "OPTIONS" and target == "*"):
        return target
    raise MalformedRequest("the request target is not valid")


def _content_bytes(headers: RequestHeaders, version: str) -> int | None:
    """RFC 9112, section 6.3; repeated lengths and both framings at once are refused by the parser too."""
    lengths, codings = headers.get_list("Content-Length"), headers.get_list("Transfer-Encoding")
    if not codings:
        if not lengths:
            return 0
        # More digits than any body has bytes.
        if len(lengths) > 1 or not lengths[0].isdecimal() or len(lengths[0]) > 18:
            raise MalformedRequest("Content-Length is not valid")
        return int(lengths[0])
    if lengths or version == "HTTP/1.0" or [coding.lower() for coding in codings] != ["chunked"]:
        raise MalformedRequest("Transfer-Encoding must be chunked, without Content-Length, over HTTP/1.1")
    return None


def _upgrades(headers: RequestHeaders, version: str, wishes: frozenset[str]) -> bool:
    """Whether there is an upgrade to make; RFC 9110, section 7.8, has it ignored over HTTP/1.0."""
    if "Upgrade" not in headers:
        return False
    if version == "HTTP/1.0":
        del headers["Upgrade"]
        return False
    return "upgrade" in wishes
