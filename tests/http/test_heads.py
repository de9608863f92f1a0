"""What is remembered of heads, and what is not."""

import pytest

from api.http1.errors import MalformedRequest
from api.http1.head import parse_head
from api.limits import Limits

LIMITS = Limits()
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Number: %d\r\n\r\n"
UPGRADE = b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def test_a_head_that_comes_again_is_known() -> None:
    head = parse_head(GET % 1, LIMITS)
    assert parse_head(bytes(bytearray(GET % 1)), LIMITS) is head
    assert [parse_head(GET % n, LIMITS).headers["X-Number"] for n in (1, 2, 1)] == ["1", "2", "1"]


def test_a_head_is_known_to_the_limits_it_was_judged_by() -> None:
    parse_head(GET % 1, LIMITS)
    with pytest.raises(Exception, match="more than 1 header"):
        parse_head(GET % 1, Limits(header_count=1))


def test_a_head_that_wants_an_upgrade_is_its_requests_own() -> None:
    first = parse_head(UPGRADE, LIMITS)
    del first.headers["Upgrade"]
    assert parse_head(UPGRADE, LIMITS).headers["Upgrade"] == "websocket"


def test_what_is_no_head_stays_none() -> None:
    for _ in range(2):
        with pytest.raises(MalformedRequest):
            parse_head(b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", LIMITS)
