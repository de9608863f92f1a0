"""What a run was and found, in lines for people and scripts."""

from pathlib import Path

from tests.torture.recorder import Recorder
from tests.torture.run import SUCCESS_SHARE, Run


def summarise(folder: Path, run: Run, recorder: Recorder) -> int:
    """Print and store the summary of a run. Returns the exit status."""
    injection = run.injection
    believed = [one for one in recorder.records if one["kind"] == "lie" and one["status"] < 400]
    problems = [f"a lie was believed: {one}" for one in believed]
    if run.late_writes:
        problems.append(f"{run.late_writes} rows were written for screenings after another node had them")
    if not (folder / "final.json").exists():
        problems.append("the run was not finished; see error.txt")
    if recorder.success_share < SUCCESS_SHARE:
        problems.append(f"only {recorder.success_share:.0%} of the operations succeeded")
    lines = [
        *(f"    {number} {outcome}" for outcome, number in sorted(recorder.answers.items())),
        *(f"could not be made: {failed}" for failed in injection.failed),
        f"lies: {run.lies}",
        f"sockets of watchers: {run.sockets}",
        f"operations: {recorder.operations} ({recorder.success_share:.0%} successful)",
        f"faults: {injection.done.total()} "
        f"({', '.join(f'{kind} {number}' for kind, number in sorted(injection.done.items()))})",
        *(f"problem: {problem}" for problem in problems),
        f"verdict: {'not clean' if problems else 'clean'}",
        f"folder: {folder}",
    ]
    text = "\n".join(lines)
    (folder / "summary.txt").write_text(text + "\n")
    print(text, flush=True)
    return 1 if problems else 0
