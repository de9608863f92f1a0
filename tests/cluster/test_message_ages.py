"""The ages of messages, whatever the clocks of their senders show."""

from math import inf

import pytest

from cluster.message_ages import MessageAges


def test_the_age_of_a_message_is_measured_against_the_fastest_one() -> None:
    ages = MessageAges()
    # The sender's clock is 100 s behind; journeys take 0.2 s at least.
    assert ages.of(1, 0.0, 100.5) == 0
    assert ages.of(1, 1.0, 101.2) == pytest.approx(0)
    assert ages.of(1, 2.0, 107.2) == pytest.approx(5)
    assert ages.of(1, 3.0, 103.2) == pytest.approx(0)
    # The receiver was stopped for longer than the clocks are compared.
    assert ages.of(1, 4.0, 204.2) == pytest.approx(100)
    assert ages.of(1, 105.0, 205.2) == pytest.approx(0)
    # The sender's clock is slow by 1 ms a second.
    drifting = [ages.of(1, 105 + 0.999 * seconds, 205.2 + seconds) for seconds in range(10_000)]
    assert max(drifting) < 0.1
    # A new connection starts anew, for example because the sender's machine was suspended.
    assert ages.of(2, 0.0, 500.0) == 0
    assert ages.of(1, 1.0, 501.0) == inf
