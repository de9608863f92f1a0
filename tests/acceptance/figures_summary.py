"""Prints the measurements of the acceptance tests at the end of the run, whether or not they pass.

This is a plugin named in tests/conftest.py, because the pytest-xdist process that writes the summary collects
no tests and so never loads a conftest.py of a subfolder.
"""

from collections.abc import Callable

import pytest

from tests.acceptance.figures import Figures

_FIGURE = "figure "
"""Marks measurements among a report's properties, which also come from pytest-xdist's worker processes."""


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Figures:
    """Return a function that records measurements for the summary and for reports."""

    def note(**named: object) -> None:
        for name, value in named.items():
            record_property(_FIGURE + name, value)

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = []
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            noted = [(name, value) for name, value in report.user_properties if name.startswith(_FIGURE)]
            if report.when == "call" and noted:
                shown = ", ".join(f"{name.removeprefix(_FIGURE)} {_shown(value)}" for name, value in noted)
                lines.append(f"{report.nodeid.rpartition('::')[2]}: {shown}")
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.write_line(line)


def _shown(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
