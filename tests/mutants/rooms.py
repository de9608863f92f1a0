"""Mutated code and the tests that must notice: those of the same room, not those of the whole product."""

from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple


class Room(NamedTuple):
    """Code, and its own tests.

    Attributes:
        code: patterns of files.
        tests: arguments for pytest.
        slow: parts of names of tests that only run in a thorough trial.
    """

    code: tuple[str, ...]
    tests: tuple[str, ...]
    slow: tuple[str, ...] = ()

    def is_slow(self, test: str) -> bool:
        """Return whether a test only runs in a thorough trial."""
        return any(part in test for part in self.slow)


_LONG = ("simulation", "machine.py", "brute_force")

ROOMS = (
    # The adapters in memory are also tested by the suite that PostgreSQL's have to pass.
    Room(("engine/memory*.py",), ("tests/engine", "tests/ports"), (*_LONG, "[postgres")),
    Room(("engine/*.py",), ("tests/engine",), _LONG),
    Room(("persistence/batch.py", "persistence/journal*.py"), ("tests/persistence/test_journal*.py",)),
    Room(
        (
            "cluster/beats.py",
            "cluster/claims.py",
            "cluster/echoes.py",
            "cluster/granted_claims.py",
            "cluster/hashing.py",
            "cluster/heartbeat.py",
            "cluster/keys.py",
            "cluster/membership.py",
            "cluster/missed.py",
            "cluster/roster.py",
            "cluster/rounds.py",
            "cluster/turns.py",
        ),
        (
            "tests/cluster/test_claims.py",
            "tests/cluster/test_echoes.py",
            "tests/cluster/test_granted_claims.py",
            "tests/cluster/test_hashing.py",
            "tests/cluster/test_heartbeat_rules.py",
            "tests/cluster/test_keys.py",
            "tests/cluster/test_membership.py",
            "tests/cluster/test_membership_rules.py",
            "tests/cluster/test_missed.py",
            "tests/cluster/test_roster.py",
            "tests/cluster/test_turns.py",
        ),
    ),
    Room(("cluster/answering.py",), ("tests/cluster/test_answering_rules.py",)),
    Room(("cluster/forwarding.py",), ("tests/cluster/test_forwarding_rules.py",)),
    Room(("cluster/links.py",), ("tests/cluster/test_links_rules.py",)),
    Room(("cluster/node.py",), ("tests/cluster/test_node_rules.py",)),
    Room(("cluster/publishing.py",), ("tests/cluster/test_publishing_rules.py",)),
    Room(("cluster/screenings.py",), ("tests/cluster/test_screenings_rules.py",)),
    Room(
        ("cluster/wire.py",),
        ("tests/cluster/test_wire.py", "tests/cluster/test_wire_releases.py"),
        ("as_it_was", "not_understood["),
    ),
    Room(("cluster/watching.py",), ("tests/cluster/test_watching_rules.py",)),
)


def room_of(path: str) -> Room | None:
    """The first room of a file, if mutations of it are tried."""
    return next((room for room in ROOMS if any(fnmatch(path, pattern) for pattern in room.code)), None)


def files(room: Room) -> list[str]:
    """The files of a room that are in no earlier one."""
    paths = sorted(str(path) for pattern in room.code for path in Path().glob(pattern))
    return [path for path in paths if room_of(path) is room]
