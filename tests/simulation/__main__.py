"""`python -m tests.simulation`: replay a history, or look for one that fails.

The exit status is 0 if every history keeps the rules, 1 if one does not, 2 for a wrong call.
"""

import argparse
import logging
import sys
import time

from tests.simulation.histories import history, report
from tests.simulation.plan import plan_of


def main(arguments: list[str] | None = None) -> int:
    """Run histories. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description="Simulate a cluster.")
    parser.add_argument("--seed", type=int, default=0, help="of the (first) history; 0 by default")
    parser.add_argument("--histories", type=int, default=1, help="how many, one seed after the other")
    parser.add_argument("--trace", action="store_true", help="print everything that happens")
    options = parser.parse_args(arguments)
    if options.histories < 1:
        parser.error("--histories must be 1 or more")
    logging.getLogger().addHandler(logging.NullHandler())
    began = time.process_time()
    for seed in range(options.seed, options.seed + options.histories):
        outcome = history(seed, keep=options.trace)
        if options.trace:
            print("\n".join([*map(str, plan_of(seed)), *outcome.trace]))
        if outcome.violations:
            print("\n".join(outcome.violations))
            print(report(seed))
            return 1
        if options.histories == 1:
            print(f"seed {seed}: every rule was kept; digest {outcome.digest}")
    if options.histories > 1:
        seconds = time.process_time() - began
        print(f"{options.histories} histories kept every rule; {seconds / options.histories:.3f} s each")
    return 0


if __name__ == "__main__":
    sys.exit(main())
