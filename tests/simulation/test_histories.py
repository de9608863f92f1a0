"""Hundreds of histories of a simulated cluster keep every promise; and a broken part is found."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence

import pytest

from tests.acceptance.figures import count_of
from tests.engine.seeds import name_of, slices
from tests.simulation.histories import SUCCESS_SHARE, history, outcomes_of
from tests.simulation.plan import Step, plan_of
from tests.simulation.shrink import smallest
from tests.simulation.tables import Tables

SEEDS = count_of("SIMULATIONS", 400)
SOAK_SEEDS = count_of("SOAK_SIMULATIONS", 10_000)

PRINT_DIGESTS = """
from tests.simulation.histories import history
print(*[history(seed).digest for seed in range(3)])
"""


@pytest.mark.parametrize("seeds", slices(SEEDS, 50), ids=name_of)
def test_seeds(seeds: range) -> None:
    prove(outcomes_of(seeds))


@pytest.mark.soak
@pytest.mark.parametrize("seeds", slices(SOAK_SEEDS, 500), ids=name_of)
def test_many_seeds(seeds: range) -> None:
    prove(outcomes_of(seeds))


def prove(outcomes: Counter[str]) -> None:
    """Enough requests must have succeeded."""
    answers = Counter({code: number for code, number in outcomes.items() if ":" not in code})
    assert answers["ok"] >= SUCCESS_SHARE * answers.total(), outcomes


def test_a_seed_is_one_history_whatever_the_hashes_of_texts() -> None:
    here = [history(seed).digest for seed in range(3)]
    assert [history(seed).digest for seed in range(3)] == here
    assert len(set(here)) == 3
    there = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PRINT_DIGESTS],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.split() == here


def test_a_database_that_does_not_check_epochs_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tables, "_write_owned", lambda self, rows, again: None)
    with pytest.raises(AssertionError, match=r"replay it with: .* --seed \d+\n\d+ of \d+ steps suffice"):
        outcomes_of(range(100))


def test_a_failing_plan_shrinks_to_what_is_needed() -> None:
    plan = plan_of(4)
    needed = {plan[3], plan[11], plan[-1]}
    tries = []

    def fails(steps: Sequence[Step]) -> bool:
        tries.append(steps)
        return needed <= set(steps)

    assert set(smallest(plan, fails)) == needed
    assert len(tries) < 150
    assert needed < set(smallest(plan, fails, runs=2))
