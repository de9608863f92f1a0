"""`python -m tests.torture`: tries to break a cluster, and says whether it has kept its promises.

See docs/testing.md, "Torture".
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.torture.namespaces import NoNamespaces, require_namespaces, run_inside
from tests.torture.schedule import KINDS, Schedule, draw_schedule

SCHEDULE = "schedule.json"
_FOLDERS = Path("build") / "torture"


def _between(kind: type, least: float, most: float) -> Callable[[str], float]:
    def checked(text: str) -> float:
        number: float = kind(text)
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"must be between {least} and {most}")
        return number

    return checked


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.torture",
        description="Runs real nodes, PostgreSQL and NATS, uses them through every door while faults happen, "
        "and judges the history. Exit status 0: all promises were kept; 1: they were not, or the run proves "
        "nothing; 2: a wrong call; 3: an error of the run itself.",
        epilog=f"Kinds of faults: {', '.join(KINDS)}.",
    )
    add = parser.add_argument
    add("--seconds", type=_between(float, 5.0, 86400.0), default=60.0, help="how long faults happen (60)")
    add("--seed", type=int, default=1, help="decides the faults, and what clients do (1)")
    add("--nodes", type=_between(int, 1, 9), default=3, help="number of nodes (3)")
    add("--only", action="append", choices=KINDS, metavar="KIND", help="only such faults; may be repeated")
    add("--without", action="append", choices=KINDS, metavar="KIND", default=[], help="no such faults")
    add("--calm", action="store_true", help="no faults but those of clients")
    add("--folder", type=Path, help=f"where the run is stored; by default a new one in {_FOLDERS}")
    add("--replay", type=Path, metavar="FOLDER", help="run the schedule of an earlier run again")
    return parser.parse_args()


def _schedule(arguments: argparse.Namespace) -> Schedule:
    if arguments.replay is not None:
        return Schedule.load(arguments.replay / SCHEDULE)
    kinds = [] if arguments.calm else arguments.only or KINDS
    kinds = [kind for kind in kinds if kind not in arguments.without]
    return draw_schedule(arguments.seed, arguments.seconds, arguments.nodes, kinds)


def main() -> int:
    """Prepare a run and start it in namespaces. Returns the exit status."""
    arguments = _arguments()
    try:
        schedule = _schedule(arguments)
        require_namespaces()
    except (NoNamespaces, OSError, ValueError, KeyError, TypeError) as error:
        print(error, file=sys.stderr)
        return 2
    folder = arguments.folder or _FOLDERS / f"{time.strftime('%Y%m%d-%H%M%S')}-seed-{schedule.seed}"
    folder.mkdir(parents=True, exist_ok=True)
    schedule.store(folder / SCHEDULE)
    print(f"folder: {folder}", flush=True)
    return run_inside("tests.torture.inside", [str(folder)])


if __name__ == "__main__":
    sys.exit(main())
