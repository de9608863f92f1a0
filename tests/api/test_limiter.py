"""The limiters: sliding window, token bucket, and the rate limits of the public API."""

import pytest

from api.errors import TooManyAttempts
from api.limiter import Limiter, RateLimited, RateLimits, Tally, TokenBucket, network_of
from api.limits import Limits
from engine.memory import ManualClock

LIMITS = Limits(guest_requests_per_address=5, guest_requests_per_session=3, guest_creations_per_address=2)


def admitted(limiter: Limiter, key: str) -> bool:
    try:
        limiter.attempt(key)
    except TooManyAttempts:
        return False
    return True


def test_attempts_count_until_they_are_a_window_old() -> None:
    clock = ManualClock()
    limiter = Limiter(2, 60, clock.now)
    assert [admitted(limiter, "ada") for _ in range(3)] == [True, True, False]
    assert admitted(limiter, "eve")
    clock.advance(30.5)
    with pytest.raises(TooManyAttempts) as refusal:
        limiter.attempt("ada")
    assert refusal.value.headers["Retry-After"] == "30"
    clock.advance(29.5)
    assert admitted(limiter, "ada")


def test_no_window_has_more_attempts_than_the_limit() -> None:
    """Not even a window that straddles a boundary, as with fixed windows."""
    clock = ManualClock()
    limiter = Limiter(10, 60, clock.now)
    admitted_at = []
    for step in range(2000):
        if admitted(limiter, "ada"):
            admitted_at.append(clock.now())
        clock.advance(0.3 + (step * 7919 % 13) / 10)

    assert len(admitted_at) > 2000 * 0.9 / 60 * 10 / 2
    for end in admitted_at:
        assert sum(end - 60 < at <= end for at in admitted_at) <= 10


def test_after_a_burst_nothing_is_admitted_for_a_whole_window() -> None:
    clock = ManualClock()
    limiter = Limiter(5, 60, clock.now)
    clock.advance(59)
    assert all(admitted(limiter, "ada") for _ in range(5))
    clock.advance(59.9)
    assert not admitted(limiter, "ada")
    clock.advance(0.1)
    assert all(admitted(limiter, "ada") for _ in range(5))


def test_retract_and_forgive_allow_another_attempt() -> None:
    limiter = Limiter(2, 60, ManualClock().now)
    for forgotten in (limiter.retract, limiter.forgive):
        assert [admitted(limiter, "ada") for _ in range(3)][-1] is False
        forgotten("ada")
        assert admitted(limiter, "ada")
    limiter.retract("nobody")


def test_using_other_keys_gains_no_attempts() -> None:
    limiter = Limiter(10, 60, ManualClock().now, keys_limit=100)
    guesses = 0
    for attempt in range(50):
        guesses += admitted(limiter, "ada")
        for other in range(200):
            limiter.count(f"{attempt}-{other}")
    assert 0 < guesses <= 10


def test_two_keys_gain_nothing_by_evicting_each_other() -> None:
    limiter = Limiter(10, 60, ManualClock().now, keys_limit=100)
    for other in range(100):
        limiter.count(f"{other}")
        limiter.count(f"{other}")
    guesses = [admitted(limiter, "ada" if attempt % 2 else "eve") for attempt in range(2000)]
    assert sum(guesses) <= 20


def test_few_attempts_of_many_keys_are_all_admitted() -> None:
    limiter = Limiter(10, 60, ManualClock().now, keys_limit=100)
    assert all(admitted(limiter, str(key)) for key in range(800))
    assert admitted(limiter, "ada")


def test_keys_with_expired_attempts_are_evicted_first() -> None:
    clock = ManualClock()
    limiter = Limiter(10, 60, clock.now, keys_limit=100)
    for key in range(100):
        for _ in range(9):
            limiter.count(str(key))
    clock.advance(60)
    for key in range(100):
        assert limiter.count(f"new-{key}").remaining == 9


def test_an_ipv6_network_is_one_client() -> None:
    assert network_of("192.0.2.7") == "192.0.2.7"
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff") != network_of("2001:db8:0:1::1")
    assert network_of("fe80::1%eth0") == "fe80::/64"


def test_a_token_bucket_limits_the_rate_and_allows_bursts() -> None:
    clock = ManualClock()
    bucket = TokenBucket(8, 20, clock.now)
    assert [bucket.admits() for _ in range(21)] == [True] * 20 + [False]
    for _ in range(100):
        clock.advance(0.125)
        assert bucket.admits()
    assert not bucket.admits()
    clock.advance(3600)
    assert [bucket.admits() for _ in range(21)] == [True] * 20 + [False]


# Requests to the public API


def test_the_headers_describe_the_nearest_limit() -> None:
    limits = RateLimits(LIMITS, ManualClock().now)
    tally = limits.tally("192.0.2.1")
    assert tally.headers == {}
    tally.count_request()
    assert tally.headers == {"RateLimit-Limit": "5", "RateLimit-Remaining": "4", "RateLimit-Reset": "60"}
    tally.count_caller("session:a")
    tally.count_creation()
    assert tally.headers == {"RateLimit-Limit": "2", "RateLimit-Remaining": "1", "RateLimit-Reset": "60"}


def test_each_limit_applies_separately_until_its_window_ends() -> None:
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


def test_requests_of_an_ipv6_network_are_counted_together() -> None:
    limits = RateLimits(LIMITS, ManualClock().now)
    for address in ("2001:db8::1", "2001:db8::2"):
        limits.tally(address).count_creation()
    with pytest.raises(RateLimited):
        limits.tally("2001:db8::3").count_creation()
    limits.tally("2001:db8:0:1::1").count_creation()
