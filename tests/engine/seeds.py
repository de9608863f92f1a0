"""The seeds of simulations: slices for the tests, and what comes of a slice."""

import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable


def slices(number: int, per_test: int) -> list[range]:
    """Return the seeds below `number` in slices, or those of SIMULATION_SEEDS ("first:last").

    Args:
        number: of seeds.
        per_test: seeds of a slice.
    """
    first, last = map(int, os.environ.get("SIMULATION_SEEDS", f"0:{number}").split(":"))
    return [range(n, min(n + per_test, last)) for n in range(first, last, per_test)]


async def outcomes_of(
    simulate: Callable[[int], Awaitable[Counter[str]]], seeds: Iterable[int]
) -> Counter[str]:
    """Return the outcomes of all histories; a failure names its seed."""
    outcomes: Counter[str] = Counter()
    for seed in seeds:
        try:
            outcomes += await simulate(seed)
        except AssertionError as failure:
            raise AssertionError(f"seed {seed}: {failure}") from failure
    return outcomes


def name_of(seeds: range) -> str:
    """The name of a slice in the names of tests."""
    return f"{seeds.start}-{seeds.stop - 1}"
