"""The limit on open files is raised, with a warning only if an operator should know."""

import subprocess
import sys

import pytest

SCRIPT = """
import resource
from frontrow.descriptors import allow_descriptors
from frontrow.settings import Settings

resource.setrlimit(resource.RLIMIT_NOFILE, (256, {hard}))
allow_descriptors(Settings({settings}))
print(resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("hard", "settings", "warned"),
    [
        (15_000, "", False),
        (15_000, "connections_limit=10_000, sockets_limit=10_000", True),
        (15_000, "connections_limit=5_000, sockets_limit=5_000", False),
        (1024, "", True),
        (1024, "connections_limit=300, sockets_limit=300", False),
    ],
)
def test_a_warning_is_only_logged_where_it_helps(hard: int, settings: str, warned: bool) -> None:
    script = SCRIPT.format(hard=hard, settings=settings)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == f"({hard}, {hard})"
    assert (f"this process can open only {hard} files" in done.stderr) == warned
