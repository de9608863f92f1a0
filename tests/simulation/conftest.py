"""Simulated nodes are as patient as real ones, so that a seed is the same history in tests and outside."""

import pytest

from frontrow import shared_counts

_REQUIRED = shared_counts.REQUIRED
"""The product's value; `tests.conftest` changes it later for nodes in real time."""


@pytest.fixture(autouse=True)
def usual_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what `patient_nodes` does."""
    monkeypatch.setattr(shared_counts, "REQUIRED", _REQUIRED)
