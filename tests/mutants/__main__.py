"""`python -m tests.mutants FILE ...`: changes files in single places, and says what no test has noticed.

See docs/testing.md, "Mutants".
"""

import argparse
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.mutants import trials
from tests.mutants.equivalents import is_equivalent
from tests.mutants.mutations import Mutation, Place, mutations
from tests.mutants.rooms import ROOMS, Room, files, room_of

LEAST_SHARE = 0.95
_EQUIVALENT = "equivalent"
_NOT_NOTICED = (trials.ALIVE, trials.UNREACHED)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants",
        description="Changes code in single places and runs the tests of its room. Exit status 0: they have "
        f"noticed at least {LEAST_SHARE:.0%} of the changes; 1: they have not; 2: the tests fail without any "
        "change, nothing was tried, or a wrong call.",
    )
    add = parser.add_argument
    add("files", nargs="*", help="files to change (all of tests/mutants/rooms.py)")
    add("--sample", type=int, metavar="N", help="try N mutations of each file, not all")
    add("--seed", type=int, default=1, help="decides the sample (1)")
    add("--only", default="", metavar="TEXT", help="only mutations of lines with this text")
    add("--thorough", action="store_true", help="run simulations before a mutation counts as alive")
    add("--tests", nargs="+", help="run these tests, not all of the room")
    arguments = parser.parse_args()
    for path in arguments.files:
        if room_of(path) is None or not Path(path).is_file():
            parser.error(f"{path} is in no room of tests/mutants/rooms.py")
    if len({room_of(path) for path in arguments.files}) > 1:
        parser.error("files of several rooms have different tests; name those of one room")
    return arguments


def _choose(path: str, arguments: argparse.Namespace) -> list[Mutation]:
    def sample(places: Sequence[Place]) -> Sequence[Place]:
        if arguments.sample is None or arguments.sample >= len(places):
            return places
        return random.Random(f"{arguments.seed} {path}").sample(places, arguments.sample)

    return [mutation for mutation in mutations(path, sample) if arguments.only in mutation.before]


def _try(room: Room, arguments: argparse.Namespace) -> int:
    """Try mutations of files of one room. Returns the exit status."""
    results: dict[str, Counter[str]] = {path: Counter() for path in arguments.files}
    tried = []
    for mutation in (mutation for path in arguments.files for mutation in _choose(path, arguments)):
        if is_equivalent(mutation):
            results[mutation.path][_EQUIVALENT] += 1
        else:
            tried.append(mutation)

    def report(mutation: Mutation, result: str) -> None:
        results[mutation.path][result] += 1
        if result in _NOT_NOTICED:
            print(f"\n{result}: {mutation}", flush=True)

    tests = [
        str(path) for test in arguments.tests or room.tests for path in sorted(Path().glob(test)) or [test]
    ]
    options = ["-q", "-x", "-n", "0", "--timeout=0", "-p", "no:cacheprovider", "--no-header", "--capture=no"]
    plugin = trials.Trials(tried, room.is_slow, arguments.thorough, report)
    if tried and pytest.main([*options, *tests], plugins=[plugin]) != pytest.ExitCode.OK:
        return 2
    return _summary(results)


def _summary(results: dict[str, Counter[str]]) -> int:
    """Print a line for each file and one for all. Returns the exit status."""
    total = sum(results.values(), Counter[str]())
    for name, counts in (results | {"all": total}).items():
        noticed, not_noticed = counts[trials.KILLED], sum(counts[result] for result in _NOT_NOTICED)
        share = noticed / (noticed + not_noticed) if noticed + not_noticed else 1.0
        print(
            f"{name}: {noticed + not_noticed} mutations, {noticed} noticed ({share:.1%}), "
            f"{counts[_EQUIVALENT]} equivalent"
        )
    if not any(total[result] for result in (trials.KILLED, *_NOT_NOTICED)):
        print("No mutation was tried: these files have none, or none that --only selects.", file=sys.stderr)
        return 2
    return int(share < LEAST_SHARE)


def main() -> int:
    """Try what the arguments say. Returns the exit status."""
    arguments = _arguments()
    if arguments.files:
        room = room_of(arguments.files[0])
        assert room is not None
        return _try(room, arguments)
    # Pytest cannot run twice in a process.
    command = [sys.executable, "-m", "tests.mutants", *sys.argv[1:]]
    return max(subprocess.run([*command, *files(room)], check=False).returncode for room in ROOMS)  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
