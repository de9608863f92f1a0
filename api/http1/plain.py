"""Reads the heads of plain requests by looking their lines up instead of parsing them.

Clients repeat themselves: most header lines of a request have come before, on some connection. So a line is
parsed once and remembered by its bytes. What differs from request to request (a token, a request id, a trace
id) costs the parsing of its own line and nothing else.

A request is plain if it is complete, in HTTP/1.1, and none of its fields changes how the connection goes on.
Any other request, and any malformed one, is left to `api.http1.head`, which has the strict rules and the
texts of refusals. So this module may give up at any time, but what it accepts must be beyond doubt:
`parse_head` must find the same meaning in the same bytes. Tests compare the two.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from api.http1.common_headers import request_id_given
from api.http1.head import END_OF_HEAD
from api.limits import Limits

HOST, LENGTH, CREDENTIALS, REQUEST_ID, JSON, GZIP, ORIGIN = range(1, 8)
FORWARDED_FOR, FORWARDED_PROTO, FORWARDED, CLOSE, IF_NONE_MATCH = range(8, 13)
"""Places in the list that `read_fields` returns.

Values are text, except for LENGTH (int), JSON, GZIP, CLOSE (True) and CREDENTIALS (the line, in bytes).
"""

HOST_VALUE = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+;=%-]*)(?::[0-9]*)?", re.ASCII)
"""A Host field (RFC 9110, section 7.2, with the names of RFC 3986); brackets enclose an IPv6 address."""

FORWARDING = {
    "X-Forwarded-For": FORWARDED_FOR,
    "X-Forwarded-Proto": FORWARDED_PROTO,
    "Forwarded": FORWARDED,
}
"""The fields by which proxies report the client's address."""

_ONE_REQUEST_BYTES = 8192
"""Most bytes that are split into lines before the end of the head has been found."""

_PLACES = 13
_IGNORED = (0, None)
_UNUSUAL = (-1, None)

_CRLF = b"\r\n"
_LINES_KEPT = 4096
_LINE_BYTES = 1024
_BEARER = b"authorization: bearer "
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t -~\x80-\xff]*)")

# Their values differ from request to request, so remembering them would only push out others.
_VARYING = frozenset(
    {
        b"cookie",
        b"forwarded",
        b"idempotency-key",
        b"if-none-match",
        b"traceparent",
        b"tracestate",
        b"x-access-code",
        b"x-forwarded-for",
        b"x-request-id",
    }
)

_known: dict[bytes, tuple[int, object]] = {}


def read_request(data: bytes, at: int, limits: Limits) -> tuple[list[bytes], list[Any], bytes, int] | None:
    """Read a plain request.

    Args:
        data: what a client has sent.
        at: where the request begins.
        limits: of requests.

    Returns:
        The lines of its head, its fields (see `read_fields`), its body, and where it ends; or None if it is
        not complete or not plain.
    """
    if at == 0 and len(data) <= _ONE_REQUEST_BYTES:
        # The data is nearly always one request, and its body one line.
        lines = data.split(_CRLF)
        body = lines.pop()
        if lines and not lines.pop() and len(lines) - 1 <= limits.header_count:
            fields = read_fields(lines)
            if fields is None and b"" not in lines:
                return None
            if fields is not None and len(body) == (fields[LENGTH] or 0):
                return (
                    (lines, fields, body, len(data)) if len(data) - len(body) <= limits.header_bytes else None
                )
    end = data.find(END_OF_HEAD, at)
    start = end + len(END_OF_HEAD)
    if end < 0 or start - at > limits.header_bytes:
        return None
    lines = data[at:end].split(_CRLF)
    fields = read_fields(lines) if len(lines) - 1 <= limits.header_count else None
    if fields is None:
        return None
    stop = start + (fields[LENGTH] or 0)
    return (lines, fields, data[start:stop], stop) if stop <= len(data) else None


def read_fields(lines: list[bytes]) -> list[Any] | None:
    """The fields of a head that matter to a plain request.

    Args:
        lines: of the head, without their ends; the first is the request line, which is not looked at.

    Returns:
        Values by place, None where there is no such field; or None if the request is not plain.
    """
    values: list[Any] = [None] * _PLACES
    known = _known
    for line in lines[1:]:
        place, value = known.get(line) or _read(line)
        if place:
            if place < 0 or values[place] is not None:
                return None
            values[place] = value
    return values


def _read(line: bytes) -> tuple[int, object]:
    if line[: len(_BEARER)].lower() == _BEARER:
        return CREDENTIALS, line
    match = _FIELD.fullmatch(line)
    if match is None:
        return _UNUSUAL
    name = match[1].lower()
    read = _READERS.get(name)
    meaning = read(match[2].decode("latin-1").strip(" \t")) if read else _IGNORED
    if name not in _VARYING and len(line) <= _LINE_BYTES:
        if len(_known) >= _LINES_KEPT:
            _known.clear()
        _known[line] = meaning
    return meaning


def token_in(credentials: bytes) -> str | None:
    """The token in a line that `read_fields` has put at CREDENTIALS; None if it can be none."""
    token = credentials[len(_BEARER) :].rstrip(b" \t").decode("latin-1")
    return token if token.isascii() and token.isprintable() else None


def _content_length(value: str) -> tuple[int, object]:
    return (LENGTH, int(value)) if value.isdecimal() and len(value) <= 18 else _UNUSUAL


def _content_type(value: str) -> tuple[int, object]:
    return (JSON, True) if value.lower() == "application/json" else _UNUSUAL


def _accept_encoding(value: str) -> tuple[int, object]:
    return (GZIP, True) if "gzip" in value else _IGNORED


def _connection(value: str) -> tuple[int, object]:
    return {"keep-alive": _IGNORED, "close": (CLOSE, True)}.get(value.lower(), _UNUSUAL)


def _request_id(value: str) -> tuple[int, object]:
    return _UNUSUAL if request_id_given(value) is None else (REQUEST_ID, value)


def _at(place: int) -> Callable[[str], tuple[int, object]]:
    return lambda value: (place, value)


def _unusual(value: str) -> tuple[int, object]:
    return _UNUSUAL


_READERS: Mapping[bytes, Callable[[str], tuple[int, object]]] = {
    b"accept-encoding": _accept_encoding,
    b"authorization": _unusual,
    b"connection": _connection,
    b"content-length": _content_length,
    b"content-type": _content_type,
    b"expect": _unusual,
    b"host": _at(HOST),
    b"idempotency-key": _unusual,
    b"if-none-match": _at(IF_NONE_MATCH),
    b"origin": _at(ORIGIN),
    b"transfer-encoding": _unusual,
    b"upgrade": _unusual,
    b"x-access-code": _unusual,
    b"x-request-id": _request_id,
    **{name.lower().encode(): _at(place) for name, place in FORWARDING.items()},
}
"""Functions that read the fields that matter, by name. All other fields need only be well-formed."""
