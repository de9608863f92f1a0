"""`python -m tests.planted.simulations NAME FIRST LAST`: runs histories of a simulation until one is wrong.

It does without pytest, which takes longer to start than many histories take to run.
"""

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable
from functools import partial

from tests.engine import (
    test_cluster_simulation,
    test_move_simulation,
    test_simulation,
    test_waiting_list_simulation,
)

Simulate = Callable[[int], Awaitable[object]]


def _of_cluster(kind: str) -> Simulate:
    return lambda seed: test_cluster_simulation.Simulation(seed, kind).run()


SIMULATIONS: dict[str, Simulate] = {
    "one server": test_simulation.simulate,
    "planned moves of screenings": _of_cluster("moves"),
    "paused servers": _of_cluster("pauses"),
    "partitioned servers": _of_cluster("partitions"),
    "moves of tickets": test_move_simulation.simulate,
    "waiting list": partial(test_waiting_list_simulation.simulate, steps=400, people=60),
}
"""Simulations by name; each runs the history of a seed, and raises AssertionError if a promise was broken."""

_REASON_CHARACTERS = 160


def main(name: str, first: int, last: int) -> int:
    """Run the histories of a range of seeds. Returns the exit status: 1 if one is wrong."""
    for seed in range(first, last):
        try:
            asyncio.run(_history(name, seed))
        except AssertionError as failure:
            print(f"problem: seed {seed}: {_reason(failure)}")
            return 1
    return 0


async def _history(name: str, seed: int) -> None:
    await SIMULATIONS[name](seed)


def _reason(failure: AssertionError) -> str:
    """What a failure says, or its code."""
    lines = str(failure).splitlines() or [str(traceback.extract_tb(failure.__traceback__)[-1].line)]
    return lines[0][:_REASON_CHARACTERS]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
