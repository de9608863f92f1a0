"""How often something may be tried."""

import pytest

from api.errors import TooManyAttempts
from api.throttle import Throttle, network_of
from engine.memory import ManualClock


def admitted(throttle: Throttle, key: str) -> bool:
    try:
        throttle.attempt(key)
    except TooManyAttempts:
        return False
    return True


def test_attempts_count_until_they_are_a_window_old() -> None:
    clock = ManualClock()
    throttle = Throttle(2, 60, clock.now)
    assert [admitted(throttle, "ada") for _ in range(3)] == [True, True, False]
    assert admitted(throttle, "eve")
    clock.advance(30.5)
    with pytest.raises(TooManyAttempts) as refusal:
        throttle.attempt("ada")
    assert refusal.value.headers["Retry-After"] == "30"
    clock.advance(29.5)
    assert admitted(throttle, "ada")


def test_no_window_has_more_attempts_than_the_limit() -> None:
    """Not even one that straddles what a counter with fixed windows would take for a boundary."""
    clock = ManualClock()
    throttle = Throttle(10, 60, clock.now)
    admitted_at = []
    for step in range(2000):
        if admitted(throttle, "ada"):
            admitted_at.append(clock.now())
        clock.advance(0.3 + (step * 7919 % 13) / 10)

    assert len(admitted_at) > 2000 * 0.9 / 60 * 10 / 2
    for end in admitted_at:
        assert sum(end - 60 < at <= end for at in admitted_at) <= 10


def test_a_burst_is_followed_by_nothing_for_a_whole_window() -> None:
    clock = ManualClock()
    throttle = Throttle(5, 60, clock.now)
    clock.advance(59)
    assert all(admitted(throttle, "ada") for _ in range(5))
    clock.advance(59.9)
    assert not admitted(throttle, "ada")
    clock.advance(0.1)
    assert all(admitted(throttle, "ada") for _ in range(5))


def test_success_takes_back() -> None:
    throttle = Throttle(2, 60, ManualClock().now)
    for forgotten in (throttle.retract, throttle.forgive):
        assert [admitted(throttle, "ada") for _ in range(3)][-1] is False
        forgotten("ada")
        assert admitted(throttle, "ada")
    throttle.retract("nobody")


def test_keys_are_bounded_and_the_one_counted_least_recently_goes_first() -> None:
    throttle = Throttle(1, 60, ManualClock().now, keys_limit=3)
    for key in "abcde":
        assert admitted(throttle, key)
    assert not admitted(throttle, "e")
    assert admitted(throttle, "a")


def test_one_caller_has_a_network_of_ipv6_addresses() -> None:
    assert network_of("192.0.2.7") == "192.0.2.7"
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff") != network_of("2001:db8:0:1::1")
    assert network_of("fe80::1%eth0") == "fe80::/64"
