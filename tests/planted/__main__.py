"""`python -m tests.planted`: plants the bugs of the list, one after the other, and says which are found.

See docs/testing.md, "Planted bugs".
"""

import argparse
import sys

from tests.planted.bugs import Bug, NotPlanted, read_bugs
from tests.planted.finders import complaints, find


def _arguments(bugs: list[Bug]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.planted",
        description="Plants each bug of tests/planted/bugs.toml in a copy of the code, and runs what is to "
        "find it. Exit status 0: all were found; 1: one was not.",
    )
    add = parser.add_argument
    names = [bug.name for bug in bugs]
    add("--only", action="append", choices=names, metavar="NAME", help="only this bug; may be repeated")
    add("--seed", type=int, default=1, help="of what the finders do (1)")
    add("--list", action="store_true", help="list the bugs")
    add("--control", action="store_true", help="run the finders on the code as it is: they must find nothing")
    return parser.parse_args()


def main() -> int:
    """Look for the bugs. Returns the exit status."""
    bugs = read_bugs()
    arguments = _arguments(bugs)
    chosen = [bug for bug in bugs if not arguments.only or bug.name in arguments.only]
    if arguments.list:
        for bug in chosen:
            print(f"{bug.name}: {bug.promise} ({bug.file}; {bug.finder})")
        return 0
    if arguments.control:
        found = complaints(chosen, arguments.seed)
        print("\n".join(found) or "nothing found in the code as it is")
        return 1 if found else 0
    found_count, total_seconds = 0, 0.0
    for bug in chosen:
        try:
            outcome = find(bug, arguments.seed)
        except NotPlanted as error:
            print(f"not planted  {error}", flush=True)
            continue
        found_count += outcome.found
        total_seconds += outcome.seconds
        word = "found" if outcome.found else "NOT FOUND"
        took = f"{outcome.seconds:6.1f} s {outcome.processor_seconds:6.1f} s"
        print(f"{word:9} {took}  {bug.name}: {outcome.said}", flush=True)
    print(f"found {found_count} of {len(chosen)} in {total_seconds:.0f} s", flush=True)
    return 0 if found_count == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
