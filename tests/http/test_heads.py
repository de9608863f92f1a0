"""The cache of parsed heads."""

import pytest

from api.http1.errors import MalformedRequest
from api.http1.head import parse_head
from api.limits import Limits

LIMITS = Limits()
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Number: %d\r\n\r\n"
UPGRADE = b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def test_repeated_heads_are_cached() -> None:
    head = parse_head(GET % 1, LIMITS)
    assert parse_head(bytes(bytearray(GET % 1)), LIMITS) is head
    assert [parse_head(GET % n, LIMITS).headers["X-Number"] for n in (1, 2, 1)] == ["1", "2", "1"]


def test_cached_heads_depend_on_the_limits() -> None:
    parse_head(GET % 1, LIMITS)
    with pytest.raises(Exception, match="more than 1 header"):
        parse_head(GET % 1, Limits(header_count=1))


def test_heads_with_an_upgrade_are_not_cached() -> None:
    first = parse_head(UPGRADE, LIMITS)
    del first.headers["Upgrade"]
    assert parse_head(UPGRADE, LIMITS).headers["Upgrade"] == "websocket"


def test_heads_with_idempotency_keys_push_out_no_others() -> None:
    head = parse_head(GET % 1, LIMITS)
    for key in range(10_000):
        parse_head(b"POST / HTTP/1.1\r\nHost: x\r\nIdempotency-Key: %d\r\n\r\n" % key, LIMITS)
    assert parse_head(GET % 1, LIMITS) is head


def test_malformed_heads_are_not_cached() -> None:
    for _ in range(2):
        with pytest.raises(MalformedRequest):
            parse_head(b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", LIMITS)
