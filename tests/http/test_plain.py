"""The fast parser of plain requests must agree with the strict parser."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.http1 import plain
from api.http1.head import END_OF_HEAD, parse_head
from api.limits import Limits
from tests.http.cases_of_bodies import BODIES
from tests.http.cases_of_connections import CONNECTIONS
from tests.http.cases_of_heads import FIELDS, REQUEST_LINES
from tests.http.conversation import Case

LINE = b"POST /a HTTP/1.1"
# The connection checks the number of fields before it calls the fast parser.
UNBOUNDED = Limits(header_count=10_000, header_bytes=10**6)

FIELD_LINES = (
    b"Host: cinema",
    b"host:  cinema:8000 ",
    b"Host: other",
    b"Host:",
    b"Content-Length: 12",
    b"content-length:7",
    b"Content-Length: +7",
    b"Content-Length: 7, 7",
    b"Content-Length: \xb2",
    b"Transfer-Encoding: chunked",
    b"Connection: keep-alive",
    b"Connection: close",
    b"Connection: keep-alive, close",
    b"Upgrade: websocket",
    b"Expect: 100-continue",
    b"Content-Type: application/json",
    b"Content-Type: text/plain",
    b"Authorization: Bearer a.b.c",
    b"AUTHORIZATION: bearer a.b.c",
    b"Authorization: Basic YTpi",
    b"X-Request-ID: one",
    b"X-Request-ID: two words",
    b"Accept-Encoding: gzip, br",
    b"Accept-Encoding: identity",
    b"Origin: https://cinema.example",
    b'If-None-Match: W/"1-0", "\xe4"',
    b"if-none-match: * ",
    b"If-None-Match:",
    b"X-Forwarded-For: 10.0.0.1",
    b"X-Forwarded-For: 10.0.0.2",
    b"traceparent: 00-1-2-01",
    b"X-A: \xe4\xff",
    b"X-A: 1\x002",
    b"X-A: 1\r2",
    b"X-A : 1",
    b" folded",
    b": 1",
    b"no colon",
    b"(X): 1",
)


def agree(head: bytes) -> None:
    """Assert that the strict parser accepts a plain head, with the same values."""
    fields = plain.read_fields(head.removesuffix(END_OF_HEAD).split(b"\r\n"))
    if fields is None or fields[plain.HOST] is None:
        return
    if fields[plain.CREDENTIALS] is not None and plain.token_in(fields[plain.CREDENTIALS]) is None:
        return
    parsed = parse_head(head, UNBOUNDED)
    assert parsed.content_bytes == (fields[plain.LENGTH] or 0)
    assert parsed.persistent == (not fields[plain.CLOSE])
    assert not parsed.upgrade
    assert not parsed.awaits_continue
    assert parsed.headers["Host"] == fields[plain.HOST]
    assert parsed.headers.get("Origin") == fields[plain.ORIGIN]
    assert ("gzip" in parsed.headers.get("Accept-Encoding", "")) == bool(fields[plain.GZIP])
    assert parsed.headers.get("If-None-Match") == fields[plain.IF_NONE_MATCH]
    if fields[plain.REQUEST_ID] is not None:
        assert parsed.headers["X-Request-ID"] == fields[plain.REQUEST_ID]
    if fields[plain.CREDENTIALS] is not None:
        scheme, _, token = parsed.headers["Authorization"].partition(" ")
        assert (scheme.lower(), token) == ("bearer", plain.token_in(fields[plain.CREDENTIALS]))
    for name, place in plain.FORWARDING.items():
        assert parsed.headers.get(name) == fields[place]


@pytest.mark.parametrize("case", (*REQUEST_LINES, *FIELDS, *BODIES, *CONNECTIONS), ids=lambda case: case.name)
def test_both_parsers_agree_on_the_conformance_cases(case: Case) -> None:
    head, end, _ = case.sent.partition(END_OF_HEAD)
    _, _, fields = head.partition(b"\r\n")
    if end:
        # The fast parser does not look at the request line.
        agree(LINE + b"\r\n" + fields + end)


@given(st.lists(st.sampled_from(FIELD_LINES), max_size=8))
@example([b"X-Request-ID: one", b"X-Request-ID: two words"])
def test_both_parsers_agree_on_any_fields(lines: list[bytes]) -> None:
    agree(b"\r\n".join([LINE, b"Host: cinema", *lines]) + END_OF_HEAD)


@given(st.sampled_from(FIELD_LINES), st.integers(0, 40), st.binary(min_size=1, max_size=2))
@example(b"Authorization: Bearer a.b.c", 27, b" ")
def test_both_parsers_agree_on_damaged_lines(line: bytes, place: int, damage: bytes) -> None:
    damaged = line[:place] + damage + line[place:]
    if END_OF_HEAD not in damaged + END_OF_HEAD[:-1]:
        agree(b"\r\n".join([LINE, b"Host: cinema", damaged]) + END_OF_HEAD)


def test_the_cache_of_lines_is_bounded() -> None:
    for number in range(10_000):
        plain.read_fields([LINE, b"X-%d: 1" % number])
        plain.read_fields([LINE, b"X-Request-ID: %d" % number])
        plain.read_fields([LINE, b'If-None-Match: "%d"' % number])
    assert len(plain._known) <= 4096
