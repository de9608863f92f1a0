"""What the acceptance tests measure is shown at the end of the run, whether or not they pass."""

from collections.abc import Callable

import pytest

from tests.acceptance.figures import Figures

_FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture
def figures(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Figures:
    """Notes figures by name, for the summary and for reports."""

    def note(**named: object) -> None:
        for name, value in named.items():
            record_property(name, value)
        shown = ", ".join(f"{name} {_shown(value)}" for name, value in named.items())
        request.config.stash.setdefault(_FIGURES, []).append(f"{request.node.name}: {shown}")

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the figures."""
    if lines := config.stash.get(_FIGURES, []):
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.write_line(line)


def _shown(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
