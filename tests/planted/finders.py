"""Runs the finder of a planted bug, and tells whether it has found it."""

import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tests.planted.bugs import Bug, copied_tree
from tests.planted.simulations import SIMULATIONS

LIMIT_SECONDS = 1200.0
"""Time limit for finding a bug. Mostly it takes seconds; machines may be busy."""

ENDING_SECONDS = 30.0

HISTORIES_PER_SEED = 1000
"""Simulations number their histories; each seed begins at another thousand."""

_SAID = re.compile(r"^(?:E  +|problem: )")


class Outcome(NamedTuple):
    """Result of a finder.

    Attributes:
        found: whether it has found the bug.
        seconds: how long that took, with everything that had to be started.
        processor_seconds: how long processors worked for it, however busy the machine is. Programs that are
            not ended by those that have started them do not count.
        said: in which words; if it has not found it, what it said instead.
    """

    found: bool
    seconds: float
    processor_seconds: float
    said: str


def find(bug: Bug, seed: int = 1) -> Outcome:
    """Plant a bug in a copy of the code, and look for it there.

    Args:
        bug: the bug.
        seed: of what the finder does.

    Raises:
        NotPlanted: the code has changed.
    """
    began, worked_before = time.monotonic(), _processor_seconds()
    with copied_tree(bug) as tree:
        status, output = _run(_command(bug, seed, tree), tree)
    took = (time.monotonic() - began, _processor_seconds() - worked_before)
    said = [line for line in output.splitlines() if _SAID.match(line)]
    for line in said:
        if status == 1 and re.search(bug.finding, line):
            return Outcome(True, *took, _words(line))
    if status is None:
        return Outcome(False, *took, f"nothing within {LIMIT_SECONDS:g} s")
    return Outcome(False, *took, _words(said[0]) if said else f"exit status {status}")


def complaints(bugs: Sequence[Bug], seed: int = 1) -> list[str]:
    """Return what finders find in the code without any bug: nothing, or they prove nothing.

    Args:
        bugs: those whose finders are run, each with its arguments once.
        seed: as for `find`.
    """
    found = []
    by_command = {(bug.finder, bug.arguments, bug.histories): bug for bug in bugs}
    for bug in by_command.values():
        with copied_tree() as tree:
            status, output = _run(_command(bug, seed, tree), tree)
        if status != 0:
            said = [line for line in output.splitlines() if _SAID.match(line)]
            called = " ".join((bug.finder, *bug.arguments))
            found.append(f"{called}: {_words(said[0]) if said else f'exit status {status}'}")
    return found


def _command(bug: Bug, seed: int, tree: Path) -> list[str]:
    if bug.finder in SIMULATIONS:
        first = HISTORIES_PER_SEED * (seed - 1)
        return ["tests.planted.simulations", bug.finder, str(first), str(first + bug.histories)]
    if bug.finder == "torture":
        folder = tree / "run"
        return ["tests.torture", "--seed", str(seed), "--folder", str(folder), *bug.arguments]
    return ["pytest", "-x", "-q", "--tb=short", "-p", "no:cacheprovider", bug.finder, *bug.arguments]


def _run(command: Sequence[str], tree: Path) -> tuple[int | None, str]:
    """Run a module in a copy of the code. Returns its exit status (None after the limit) and its output."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    with subprocess.Popen(  # noqa: S603 - our own modules
        [sys.executable, "-m", *command],
        cwd=tree,
        env={**inherited, "PYTHONPATH": str(tree)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            return None, _end(process)
    return process.returncode, output


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _end(process: subprocess.Popen[str]) -> str:
    """End a process and all its children. Returns its output."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        output, _ = process.communicate(timeout=ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
    return output


def _words(line: str) -> str:
    return _SAID.sub("", line)
