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


def test_a_window_ends_and_the_next_one_begins() -> None:
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


def test_success_takes_back() -> None:
    throttle = Throttle(2, 60, ManualClock().now)
    for forgotten in (throttle.retract, throttle.forgive):
        assert [admitted(throttle, "ada") for _ in range(3)][-1] is False
        forgotten("ada")
        assert admitted(throttle, "ada")
    throttle.retract("nobody")


def test_keys_are_bounded_and_the_oldest_goes_first() -> None:
    throttle = Throttle(1, 60, ManualClock().now, keys_limit=3)
    for key in "abcde":
        assert admitted(throttle, key)
    assert not admitted(throttle, "e")
    assert admitted(throttle, "a")


def test_one_caller_has_a_network_of_ipv6_addresses() -> None:
    assert network_of("192.0.2.7") == "192.0.2.7"
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff") != network_of("2001:db8:0:1::1")
    assert network_of("fe80::1%eth0") == "fe80::/64"
