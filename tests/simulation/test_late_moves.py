"""A node stops in the middle of a move and goes on when another node has answered the repeat.

The client has moved the ticket on by then. With an idempotency key the first attempt must do nothing more;
without one it is a request of its own, and may move the ticket again.
"""

import random

import pytest

from tests.simulation import deeds
from tests.simulation.histories import history
from tests.simulation.plan import SEATS, Step

SCREENING = 2
SEEDS = range(3)
STOPPED_AFTER_SECONDS = (0.014, 0.018, 0.022, 0.026, 0.03)
"""Times at which the node stops: by then it has found no answer under the key and not yet sent the move."""


def draw_of(seat: int) -> int:
    """Return a draw that makes a client ask for one seat."""

    def seats(draw: int) -> list[int]:
        rng = random.Random(draw)
        return rng.sample(range(1, SEATS + 1), rng.choice((1, 1, 2, 3)))

    return next(draw for draw in range(10_000) if seats(draw) == [seat])


def plan(stopped_after: float) -> list[Step]:
    """Buy seat 1, move the ticket to seat 2 while node a stops, and from there to seat 3."""
    return [
        Step(3.0, "act", ("b", 0, "book", SCREENING, draw_of(1), 3.0, 1)),
        Step(4.0, "act", ("a", 0, "move", SCREENING, draw_of(2), 0.5, 2)),
        Step(4.0 + stopped_after, "pause", ("a", 4.6)),
        Step(8.4, "act", ("c", 0, "move", SCREENING, draw_of(3), 3.0, 3)),
    ]


@pytest.mark.parametrize("keyed", [True, False], ids=["with a key", "without a key"])
def test_an_attempt_that_comes_late_breaks_no_promise(keyed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deeds, "KEYED_SHARE", 1.0 if keyed else 0.0)
    sent_late = 0
    for seed in SEEDS:
        for stopped_after in STOPPED_AFTER_SECONDS:
            outcome = history(seed, plan(stopped_after), keep=True)
            assert outcome.violations == []
            decided = [line for line in outcome.trace if line.endswith("MoveTickets")]
            sent_late += float(decided[-1].split()[0]) > 8.6
    assert sent_late > 0
