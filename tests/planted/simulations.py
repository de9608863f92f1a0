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
from tests.simulation import histories

Simulate = Callable[[int], None]


def _in_memory(simulate: Callable[[int], Awaitable[object]]) -> Simulate:
    async def history(seed: int) -> None:
        await simulate(seed)

    return lambda seed: asyncio.run(history(seed))


def _of_servers(kind: str) -> Simulate:
    return _in_memory(lambda seed: test_cluster_simulation.Simulation(seed, kind).run())


def _of_cluster(seed: int) -> None:
    violations = histories.history(seed).violations
    assert not violations, violations[0]


SIMULATIONS: dict[str, Simulate] = {
    "one server": _in_memory(test_simulation.simulate),
    "planned moves of screenings": _of_servers("moves"),
    "paused servers": _of_servers("pauses"),
    "partitioned servers": _of_servers("partitions"),
    "moves of tickets": _in_memory(test_move_simulation.simulate),
    "waiting list": _in_memory(partial(test_waiting_list_simulation.simulate, steps=400, people=60)),
    "cluster": _of_cluster,
}
"""Simulations by name; each runs the history of a seed, and raises AssertionError if a promise was broken."""

_REASON_CHARACTERS = 160


def main(name: str, first: int, last: int) -> int:
    """Run the histories of a range of seeds. Returns the exit status: 1 if one is wrong."""
    for seed in range(first, last):
        try:
            SIMULATIONS[name](seed)
        except AssertionError as failure:
            print(f"problem: seed {seed}: {_reason(failure)}")
            return 1
    return 0


def _reason(failure: AssertionError) -> str:
    """Return the first line of a failure's message, or its code."""
    lines = str(failure).splitlines() or [str(traceback.extract_tb(failure.__traceback__)[-1].line)]
    return lines[0][:_REASON_CHARACTERS]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
