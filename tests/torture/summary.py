"""Summary of a run and its findings, in lines for people and scripts."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.torture.history import parse
from tests.torture.recorder import Recorder
from tests.torture.run import Run
from tests.torture.verdict import judge_history

SUCCESS_SHARE = 0.3
"""A run in which fewer operations succeed proves nothing."""

MEANS = (
    "means: bad links by a program that carries packets (no netem), the database's slow disk by commit_delay,"
    " full disks by small ones in memory, clocks by libfaketime"
)
"""Means by which faults were made that others make with the kernel."""

SILENT_SECONDS = 6.0
"""Time before such a message in which changes may have been acknowledged and not written: a silent node is
gone after three seconds, the next owner waits for another heartbeat of a second, and loads."""

DEPOSED_SECONDS = 2.0
"""Time after it for which the former owner may go on: its next heartbeat, within a second, tells it."""

REASON_CHARACTERS = 150

_LOSING = re.compile(
    r"screening (\d+) (?:was taken over by another server|is taken from .*not handed it over)"
    r"|may not have been written"
)
"""Messages of a node that loses a screening, or all of its screenings if the message names none."""


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
    faults = injection.done + recorder.misdeeds
    by_kind = [f"{kind} {number}" for kind, number in sorted(faults.items())]
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
        lines += str(verdict).splitlines()[2:6]
        lines.append(f"seats not judged: {verdict.not_judged}; not decided: {verdict.undecided}")
    if run.success_share < SUCCESS_SHARE:
        problems.append(f"only {run.success_share:.0%} of the operations succeeded, which proves nothing")
    lines += [
        f"screenings that nodes took from others, and ends with unwritten holds: {len(takeovers)}",
        f"programs that ended by themselves: {', '.join(run.exits) or 'none'}",
        f"errors in the logs of nodes: {', '.join(_errors(folder)) or 'none'}",
        f"screenings that were loaded: {run.loads}",
        MEANS,
        f"sockets of watchers: {run.sockets}",
        *(f"problem: {problem}" for problem in problems),
        f"operations: {recorder.operations} ({run.success_share:.0%} successful while faults happened)",
        f"faults: {faults.total()} ({', '.join(by_kind)})",
        f"verdict: {f'{len(problems)} problems' if problems else 'clean'}",
        f"folder: {folder}",
    ]
    text = "\n".join(lines)
    (folder / "summary.txt").write_text(text + "\n")
    print(text, flush=True)
    return 1 if problems else 0


def _log_lines(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the lines of all nodes' logs, with the name of the node; what a full disk has cut is left out."""
    for path in sorted((folder / "logs").glob("node-*.log")):
        for line in path.read_text(errors="replace").splitlines():
            with suppress(ValueError):
                document = json.loads(line)
                if isinstance(document, dict) and "message" in document:
                    yield path.stem, document


def _errors(folder: Path) -> list[str]:
    """Return the different errors that nodes have logged, with how often."""
    errors: Counter[str] = Counter()
    for _, line in _log_lines(folder):
        if line.get("level") == "error":
            reason = line.get("exception", line["message"]).strip().rpartition("\n")[2]
            errors[f"{line['logger']}: {reason[:REASON_CHARACTERS]}"] += 1
    return [f"{number} {error}" for error, number in errors.most_common()]


def _takeovers(folder: Path, clock: float) -> list[dict[str, Any]]:
    """Return a fault for each message of a node that a screening was taken without being handed over.

    Then holds may be lost that were not yet written. Mostly a planned fault is the cause, but a busy machine
    can stop a node for as long as SIGSTOP does.
    """
    return [
        {
            "kind": "fault",
            "fault": "takeover",
            "target": node,
            "from": at - SILENT_SECONDS,
            "to": at + DEPOSED_SECONDS,
            "loses_holds": True,
            "screening": losing[1],
        }
        for node, line in _log_lines(folder)
        if (losing := _LOSING.search(line["message"])) is not None
        for at in (datetime.fromisoformat(line["time"]).timestamp() + clock,)
    ]
