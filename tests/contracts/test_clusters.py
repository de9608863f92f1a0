"""The tests of the public interface pass against two workers, and against three nodes.

The short run has one test per guide, and two of them with workers.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.topology import VARIABLE

ROOT = Path(__file__).parents[2]
ONE_PER_GUIDE = (
    "tests/contracts/test_cinema_guide.py::test_the_guides_functions_work_as_written",
    "tests/contracts/test_seat_reservation_guide.py::test_the_guides_service_works_as_written",
    "tests/contracts/test_rooms_guide.py::test_the_guides_client_works_as_written",
    "tests/contracts/test_event_guide.py::test_the_guides_client_follows_an_event",
    "tests/contracts/test_ticket_guide_sales.py::TestPurchasing::test_one_ticket_for_each_holder",
)
ALL = ("tests/contracts", "tests/acceptance")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("named", "tests"),
    [
        # Each of these tests starts two processes, which takes most of the time.
        pytest.param("workers:2", ONE_PER_GUIDE[::4], id="workers, two guides"),
        pytest.param("nodes:3", ONE_PER_GUIDE, id="nodes, one per guide"),
        pytest.param("workers:2", ALL, id="workers, all", marks=pytest.mark.soak),
        pytest.param("nodes:3", ALL, id="nodes, all", marks=pytest.mark.soak),
    ],
)
def test_the_guides_hold_for_a_cluster(named: str, tests: Sequence[str]) -> None:
    finished = subprocess.run(  # noqa: S603 - pytest itself
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        cwd=ROOT,
        env={**os.environ, VARIABLE: named},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout[-5000:] + finished.stderr[-2000:]
    assert int(re.findall(r"(\d+) passed", finished.stdout)[-1]) >= len(tests)
