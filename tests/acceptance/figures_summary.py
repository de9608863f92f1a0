"""What the acceptance tests measure is shown at the end of the run, whether or not they pass.

A plugin that tests/conftest.py names. The process of pytest-xdist that writes the summary collects no tests,
so it never loads a conftest.py of a folder below.
"""

from collections.abc import Callable

import pytest

from tests.acceptance.figures import Figures

_FIGURE = "figure "
"""Marks a figure among the properties of a report, which come from pytest-xdist's processes as well."""


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Figures:
    """Notes figures by name, for the summary and for reports."""

    def note(**named: object) -> None:
        for name, value in named.items():
            record_property(_FIGURE + name, value)

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the figures."""
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
