"""`python -m tests.torture.judge FOLDER`: judge a stored run again.

Reads `history.jsonl` and `final.json` of the folder, and prints the verdict. The exit status is 0 if it is
clean, 1 if something is wrong, 2 if the folder cannot be judged.
"""

import argparse
import sys
from pathlib import Path

import orjson

from tests.torture.history import BadHistory, read_history
from tests.torture.verdict import judge_history


def main(arguments: list[str] | None = None) -> int:
    """Judge a folder. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.torture.judge", description="Judge a stored run again."
    )
    parser.add_argument("folder", type=Path, help="folder of the run, with history.jsonl and final.json")
    folder = parser.parse_args(arguments).folder
    try:
        history = read_history(folder / "history.jsonl")
        final = orjson.loads((folder / "final.json").read_bytes())
    except (OSError, BadHistory, orjson.JSONDecodeError) as error:
        print(f"cannot be judged: {error}", file=sys.stderr)
        return 2
    verdict = judge_history(history, final)
    print(verdict)
    return 0 if verdict.clean else 1


if __name__ == "__main__":
    sys.exit(main())
