"""The tests in this directory with the oldest PostgreSQL that Frontrow supports, which Debian has.

Tests of the embedded PostgreSQL are left out, and in the short run also the longest ones.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.database import CLUSTER

_FOLDER = Path(__file__).parent
_NEVER = ("test_oldest_postgres.py", "test_embedded.py")
_LONG = ("test_journal_delays.py", "test_upgrades.py")


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "left_out",
    [pytest.param((*_NEVER, *_LONG), id="short"), pytest.param(_NEVER, id="all", marks=pytest.mark.soak)],
)
def test_the_other_tests_pass(left_out: tuple[str, ...]) -> None:
    finished = subprocess.run(  # noqa: S603 - pytest itself
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(_FOLDER)),
            *(f"--ignore={_FOLDER / name}" for name in left_out),
        ],
        cwd=_FOLDER.parent.parent,
        env={**os.environ, CLUSTER: "debian"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout[-5000:] + finished.stderr[-2000:]
    assert int(re.findall(r"(\d+) passed", finished.stdout)[-1]) > 80
