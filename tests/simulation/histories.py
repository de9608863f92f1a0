"""Histories of seeds: run them, and say of one that fails how to replay it and what it comes down to."""

import gc
from collections import Counter
from collections.abc import Iterable, Sequence

from tests.simulation.plan import Step, plan_of
from tests.simulation.shrink import smallest
from tests.simulation.world import Outcome, World

SUCCESS_SHARE = 0.3
"""Share of the answers that must be successes, or the histories prove nothing."""

_SHOWN = 3


def history(seed: int, plan: Sequence[Step] | None = None, *, keep: bool = False) -> Outcome:
    """Run one history.

    Args:
        seed: decides everything; with a plan of its own only how long messages take.
        plan: what happens.
        keep: keep the trace.
    """
    collecting = gc.isenabled()
    # Layouts are kept by weak references, so it would matter when garbage is collected.
    gc.disable()
    try:
        return World(seed, plan_of(seed) if plan is None else plan, keep=keep).run()
    finally:
        if collecting:
            gc.enable()


def outcomes_of(seeds: Iterable[int]) -> Counter[str]:
    """Run histories and count the answers.

    Raises:
        AssertionError: a history breaks a rule. It names the seed and the smallest plan that still does.
    """
    outcomes: Counter[str] = Counter()
    for seed in seeds:
        outcome = history(seed)
        assert not outcome.violations, report(seed)
        outcomes += outcome.outcomes
    return outcomes


def report(seed: int) -> str:
    """Say what a failing seed comes down to."""
    plan = plan_of(seed)
    least = smallest(plan, lambda steps: bool(history(seed, steps).violations))
    found = history(seed, least).violations
    lines = [
        f"seed {seed} breaks a rule; replay it with: .venv/bin/python -m tests.simulation --seed {seed}",
        f"{len(least)} of {len(plan)} steps suffice:",
        *[f"    {step}" for step in least],
        *found[:_SHOWN],
    ]
    return "\n".join(lines)
