"""How much the acceptance tests do, and how they hand over what they have measured."""

import os
from collections.abc import Callable

Figures = Callable[..., None]
"""Notes figures by name; the fixture `figures` gives one to a test."""


def count_of(variable: str, default: int) -> int:
    """How often to do something, unless FRONTROW_TEST_… says otherwise (docs/testing.md).

    Args:
        variable: the rest of the variable's name.
        default: what holds if it is not set.
    """
    return int(os.environ.get(f"FRONTROW_TEST_{variable}", default))
