"""What a run was and found, in lines for people and scripts."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.torture.history import parse
from tests.torture.recorder import Recorder
from tests.torture.run import Run
from tests.torture.verdict import judge_history

SUCCESS_SHARE = 0.3
"""A run in which fewer operations succeed proves nothing."""

TAKEOVER_SECONDS = 6.0
"""How long before and after the message what was not written may have been acknowledged."""

_LOSING = re.compile(
    r"was taken over by another server|which has not handed it over|may not have been written"
)


def summarise(folder: Path, run: Run, recorder: Recorder, clock: float) -> int:
    """Judge a run, and print and store its summary.

    Args:
        folder: of the run.
        run: the run.
        recorder: its history.
        clock: monotonic minus wall clock, of this process.

    Returns:
        The exit status.
    """
    injection = run.injection
    problems = list(run.problems)
    problems += [f"a lie was believed: {lie}" for lie in recorder.lies if lie["status"] < 400]
    takeovers = _takeovers(folder, clock)
    for takeover in takeovers:
        recorder.note(takeover)
    lines = [f"    {number} {outcome}" for outcome, number in sorted(recorder.answers.items())]
    lines += [f"could not be made: {failed}" for failed in injection.failed]
    try:
        final = json.loads((folder / "final.json").read_text())
    except FileNotFoundError:
        problems.append("the run was not finished; see error.txt and the logs")
    else:
        verdict = judge_history(parse(recorder.records), final)
        problems += map(str, verdict.findings)
        lines += str(verdict).splitlines()[2:4]
    if run.success_share < SUCCESS_SHARE:
        problems.append(f"only {run.success_share:.0%} of the operations succeeded, which proves nothing")
    lines += [
        f"screenings that nodes took from others, and ends with unwritten holds: {len(takeovers)}",
        f"programs that ended by themselves: {', '.join(run.exits) or 'none'}",
        f"lies: {len(recorder.lies)}",
        f"sockets of watchers: {run.sockets}",
        *(f"problem: {problem}" for problem in problems),
        f"operations: {recorder.operations} ({run.success_share:.0%} successful while faults happened)",
        f"faults: {injection.done.total()} "
        f"({', '.join(f'{kind} {number}' for kind, number in sorted(injection.done.items()))})",
        f"verdict: {f'{len(problems)} problems' if problems else 'clean'}",
        f"folder: {folder}",
    ]
    text = "\n".join(lines)
    (folder / "summary.txt").write_text(text + "\n")
    print(text, flush=True)
    return 1 if problems else 0


def _takeovers(folder: Path, clock: float) -> list[dict[str, Any]]:
    """Return a fault for each message of a node that a screening was taken without being handed over.

    Then holds may be lost that were not yet written. Mostly a planned fault is the cause, but a busy machine
    can stop a node for as long as SIGSTOP does.
    """
    found = []
    for path in sorted((folder / "logs").glob("node-*.log")):
        for line in path.read_text(errors="replace").splitlines():
            if not _LOSING.search(line):
                continue
            try:
                at = datetime.fromisoformat(json.loads(line)["time"]).timestamp() + clock
            except (ValueError, KeyError):  # the disk was full
                continue
            found.append(
                {
                    "kind": "fault",
                    "fault": "takeover",
                    "target": path.stem,
                    "from": at - TAKEOVER_SECONDS,
                    "to": at + TAKEOVER_SECONDS,
                    "loses_holds": True,
                }
            )
    return found
