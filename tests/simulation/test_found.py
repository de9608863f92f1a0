"""Histories that have broken a promise: the few steps of each that were needed, and what was wrong."""

import pytest

from tests.simulation.histories import history
from tests.simulation.plan import Step

FOUND = {
    # A node that was cut off published a layout, which raised the epoch. The node that was taking the
    # screening over did not notice, and acknowledged holds under the earlier epoch.
    "layout published during a takeover": (
        5056,
        Step(6.09, "cut_nats", ("b", "both", 3.681)),
        Step(6.822, "act", ("a", 3, "claim", 4, 29180676, 0.05, 17)),
        Step(6.842, "act", ("b", 0, "extend", 2, 85369921, 3.0, 26)),
        Step(7.524, "act", ("a", 3, "take", 4, 1062728500, 3.0, 3)),
        Step(8.572, "act", ("b", 2, "rebuild", 4, 1010184660, 0.05, 19)),
        Step(8.68, "act", ("c", 3, "join", 4, 166121157, 0.05, 13)),
    ),
    # While a node was cut off, another one owned its screening and sold a seat. Sockets of the first node
    # were not told when it had the screening again.
    "screening that was elsewhere meanwhile": (
        2105,
        Step(5.638, "watch", ("a", 1, 1)),
        Step(10.251, "cut_off", ("a", 3.049, 7.049)),
        Step(15.623, "act", ("b", 3, "pay_twice", 1, 557281182, 3.0, 34)),
        Step(16.734, "act", ("c", 0, "order", 1, 486250284, 0.05, 0)),
    ),
    # A customer named a payment that a service vouched for at the same time. It was recorded as owed, but not
    # that somebody vouches for it.
    "vouched payment that its customer names": (
        2659,
        Step(10.682, "freeze_postgres", (4.84,)),
        Step(11.188, "act", ("b", 1, "buy", 4, 222628672, 3.0, 3)),
        Step(15.138, "act", ("b", 3, "claim", 4, 580320920, 3.0, 40)),
        Step(15.56, "act", ("c", 3, "vouch", 4, 590275349, 3.0, 11)),
    ),
    # Another customer's booking with the payment was still being written: the service was told that its
    # payment had been used.
    "vouched payment in a booking that is not written yet": (
        1997,
        Step(3.822, "act", ("c", 1, "join", 4, 306223083, 0.05, 12)),
        Step(5.056, "freeze_postgres", (1.085,)),
        Step(5.639, "act", ("b", 2, "claim", 4, 907018250, 3.0, 22)),
        Step(7.206, "act", ("c", 0, "vouch", 4, 350590329, 0.05, 13)),
    ),
    # A block was released by a node that had lost the screening: this was logged as a defect.
    "block released by a former owner": (
        755,
        Step(7.197, "act", ("c", 1, "block", 4, 1007361429, 3.0, 29)),
        Step(7.483, "act", ("b", 1, "take", 4, 959492966, 0.05, 20)),
        Step(9.255, "cut_off", ("b", 0.0, 3.16)),
        Step(9.545, "act", ("b", 2, "unblock", 4, 350050214, 3.0, 21)),
        Step(11.645, "cut_nats", ("c", "back", 0.496)),
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_once_is_not_found_again(name: str) -> None:
    seed, *plan = FOUND[name]
    assert history(seed, plan).violations == []
