"""The pages for operators only name settings, metrics, commands and pages that exist."""

import re
from pathlib import Path

import pytest

from frontrow.cli import main
from frontrow.settings import TABLE
from persistence.journal import FAILURES

DOCS = Path(__file__).parents[2] / "docs"
NAMES = ("operations.md", "deployment.md", "cluster.md", "scale.md")
PAGES = {name: (DOCS / name).read_text() for name in NAMES}
OPERATIONS = PAGES["operations.md"]
METRICS = (DOCS / "metrics.md").read_text()
every_page = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)


@every_page
def test_settings_exist(page: str) -> None:
    known = {setting.variable for setting in TABLE.values()}
    # These are variables of the proxy's configuration in deploy/.
    known |= {"FRONTROW_NODES"}
    assert set(re.findall(r"FRONTROW_[A-Z_]+", page)) <= known


@every_page
def test_metrics_exist(page: str) -> None:
    listed = set(re.findall(r"^\| `(\w+)` \|", METRICS, re.MULTILINE))
    named = set(re.findall(r"\b(?:frontrow|process)_[a-z_]+", page))
    assert named and named <= listed


def test_every_reason_of_a_failed_batch_is_listed() -> None:
    (row,) = re.findall(r"^\| `frontrow_journal_flush_failures_total`.*$", METRICS, re.MULTILINE)
    assert set(FAILURES.values()) <= set(re.findall(r"`([a-z_]+)`", row))
    assert set(re.findall(r'reason="([a-z_]+)"', OPERATIONS)) <= set(FAILURES.values())


@every_page
def test_commands_exist(page: str) -> None:
    assert set(re.findall(r"(?<![-/\w])frontrow\s([a-z]+)", page)) <= set(main.commands)


def test_the_commands_of_an_operator_are_described() -> None:
    assert {"backup", "restore", "check", "migrate"} <= set(re.findall(r"frontrow ([a-z]+)", OPERATIONS))
    assert {"nodes", "drain"} <= set(re.findall(r"frontrow ([a-z]+)", PAGES["deployment.md"]))


@pytest.mark.parametrize(
    ("name", "target"),
    [(name, target) for name, page in PAGES.items() for target in re.findall(r"\]\(([^)]+)\)", page)],
)
def test_links_lead_somewhere(name: str, target: str) -> None:
    path, _, anchor = target.partition("#")
    content = (DOCS / path).read_text() if path else PAGES[name]
    headings = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", content, re.MULTILINE)
    }
    assert not anchor or anchor in headings


@every_page
def test_files_exist(page: str) -> None:
    named = re.findall(r"`((?:deploy|cluster|engine|tests|frontrow|persistence)/[\w./-]+\w/?)`", page)
    for path in (*named, *re.findall(r"(?<![/\w])deploy/[\w./-]+\w", page)):
        assert (DOCS.parent / path).exists(), path
