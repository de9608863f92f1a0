"""The operations page only names settings, metrics, commands and pages that exist."""

import re
from pathlib import Path

import pytest

from frontrow.cli import main
from frontrow.settings import TABLE
from persistence.journal import FAILURES

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "operations.md").read_text()
METRICS = (DOCS / "metrics.md").read_text()


def test_settings_exist() -> None:
    known = {setting.variable for setting in TABLE.values()}
    named = set(re.findall(r"FRONTROW_[A-Z_]+", PAGE))
    assert named and named <= known


def test_metrics_exist() -> None:
    listed = set(re.findall(r"^\| `(\w+)` \|", METRICS, re.MULTILINE))
    named = set(re.findall(r"\b(?:frontrow|process)_[a-z_]+", PAGE))
    assert named and named <= listed


def test_every_reason_of_a_failed_batch_is_listed() -> None:
    (row,) = re.findall(r"^\| `frontrow_journal_flush_failures_total`.*$", METRICS, re.MULTILINE)
    assert set(FAILURES.values()) <= set(re.findall(r"`([a-z_]+)`", row))
    assert set(re.findall(r'reason="([a-z_]+)"', PAGE)) <= set(FAILURES.values())


def test_commands_exist() -> None:
    named = set(re.findall(r"`?frontrow ([a-z]+)", PAGE))
    assert {"backup", "restore"} <= named <= set(main.commands)


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)]+)\)", PAGE))
def test_links_lead_somewhere(target: str) -> None:
    name, _, anchor = target.partition("#")
    content = (DOCS / name).read_text() if name else PAGE
    headings = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", content, re.MULTILINE)
    }
    assert not anchor or anchor in headings
