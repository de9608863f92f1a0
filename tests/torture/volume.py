"""`python -m tests.torture.volume`: how long the checker takes for large histories.

Makes random correct histories, with few and with many clients at each seat, judges them, and prints the
seconds.
"""

import argparse
import sys
import time
from typing import NamedTuple

from tests.torture.runs import random_wishes, told

SEED = 7


class Sale(NamedTuple):
    """A busy hall.

    Attributes:
        seats, users: how many.
        concurrent: requests that run at the same time, on average.
        unanswered: share of the requests that get no answer.
    """

    name: str
    seats: int
    users: int
    concurrent: int
    unanswered: float


SALES = (
    Sale("many seats", 300, 60, 20, 0.01),
    Sale("ten hot seats", 10, 60, 60, 0.002),
    Sale("one seat", 1, 8, 8, 0.0),
)


def main(arguments: list[str] | None = None) -> int:
    """Judge large histories. Returns 0 if all are found to be correct, as they are."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.torture.volume", description="Judge large histories."
    )
    parser.add_argument("--operations", type=int, default=100_000, help="requests of each history (100,000)")
    operations = parser.parse_args(arguments).operations
    clean = True
    for sale in SALES:
        wishes = random_wishes(
            operations,
            SEED,
            seats=sale.seats,
            users=sale.users,
            overlap=sale.concurrent / 100,
            unanswered=sale.unanswered,
        )
        story = told(wishes, pause_seconds=0.01)
        began = time.perf_counter()
        verdict = story.judged()
        seconds = time.perf_counter() - began
        clean &= verdict.clean
        said = "clean" if verdict.clean else str(verdict)
        print(f"{sale.name}: {operations} operations in {seconds:.1f} s, {sale.concurrent} at a time: {said}")
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
