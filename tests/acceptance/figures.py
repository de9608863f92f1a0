"""Repetition counts of the acceptance tests, and the type of the fixture that records measurements."""

import os
from collections.abc import Callable

Figures = Callable[..., None]
"""Records measurements by name; tests get one from the fixture `figures`."""


def count_of(variable: str, default: int) -> int:
    """Return a repetition count, which a FRONTROW_TEST_… variable can override (docs/testing.md).

    Args:
        variable: the rest of the variable's name.
        default: used if the variable is not set.
    """
    return int(os.environ.get(f"FRONTROW_TEST_{variable}", default))
