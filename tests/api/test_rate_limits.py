"""How requests are counted: for their address, their session, and for what they make."""

import pytest

from api.limits import Limits
from api.rate_limits import RateLimited, RateLimits, Tally
from engine.memory import ManualClock

LIMITS = Limits(guest_requests_per_address=5, guest_requests_per_session=3, guest_creations_per_address=2)


def test_the_answer_tells_of_the_nearest_limit() -> None:
    limits = RateLimits(LIMITS, ManualClock().now)
    tally = limits.tally("192.0.2.1")
    assert tally.headers == {}
    tally.count_request()
    assert tally.headers == {"RateLimit-Limit": "5", "RateLimit-Remaining": "4", "RateLimit-Reset": "60"}
    tally.count_caller("session:a")
    tally.count_creation()
    assert tally.headers == {"RateLimit-Limit": "2", "RateLimit-Remaining": "1", "RateLimit-Reset": "60"}


def test_each_limit_refuses_by_itself_until_its_window_ends() -> None:
    clock = ManualClock()
    limits = RateLimits(LIMITS, clock.now)
    for count, allowed in (
        (Tally.count_request, 5),
        (lambda tally: tally.count_caller("session:a"), 3),
        (Tally.count_creation, 2),
    ):
        for _ in range(allowed):
            count(limits.tally("192.0.2.1"))
        clock.advance(30)
        refused = limits.tally("192.0.2.1")
        with pytest.raises(RateLimited) as refusal:
            count(refused)
        assert refusal.value.headers == {"Retry-After": "30"}
        assert refused.headers == {
            "RateLimit-Limit": str(allowed),
            "RateLimit-Remaining": "0",
            "RateLimit-Reset": "30",
        }
        clock.advance(30)
        count(limits.tally("192.0.2.1"))


def test_a_network_of_ipv6_addresses_is_one_caller() -> None:
    limits = RateLimits(LIMITS, ManualClock().now)
    for address in ("2001:db8::1", "2001:db8::2"):
        limits.tally(address).count_creation()
    with pytest.raises(RateLimited):
        limits.tally("2001:db8::3").count_creation()
    limits.tally("2001:db8:0:1::1").count_creation()
