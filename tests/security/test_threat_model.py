"""The tests that docs/threat-model.md names exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "threat-model.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")

RISKS = [f"API{number} " for number in range(1, 11)]


def test_every_named_test_exists() -> None:
    named = NAMED.findall(PAGE.read_text())
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (file := ROOT / path).is_file() or not re.search(rf"def {name}\(", file.read_text())
    ]
    assert missing == []
    assert len(set(named)) > 60


def test_every_row_of_the_lists_names_a_test() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| API")]
    assert [row[2 : 2 + len(risk)] for row, risk in zip(rows, RISKS, strict=True)] == RISKS
    assert all(NAMED.search(row) for row in rows)
