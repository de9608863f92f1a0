"""Text of a run's report, and the files that it leaves."""

import json
from pathlib import Path

from click.testing import CliRunner

from bench.plan import SMALL
from bench.report import Report
from bench.tables import main, tables


def report(*, ours: float = 60.0, load_cpu: float = 0.5) -> Report:
    made = Report("frontrow bench hold", {"cpu": "Abacus", "cores": 2}, SMALL)
    made.results["hold"] = {
        "frontrow": {"rate": [ours, ours + 1, ours - 1], "load_cpu": [load_cpu] * 3, "server_cpu": [1.0] * 3},
        "tornado-noop": {"rate": [10.0, 10.0, 10.0]},
    }
    made.conclude(["hold"])
    return made


def printed(made: Report) -> list[str]:
    return list(tables(made.document))


def hold_line(bound: str) -> str:
    return f"| REST hold of two seats, JWT, real engine and journal | {bound}"


def test_reached_and_missed_thresholds_are_reported() -> None:
    assert hold_line("tornado-noop | ≥ 4 | 6 (5.9 to 6.1) | yes |") in printed(report())
    assert hold_line("tornado-noop | ≥ 4 | 3 (2.9 to 3.1) | no |") in printed(report(ours=30))


def test_a_threshold_that_could_not_be_judged_is_not_reached() -> None:
    made = report()
    assert hold_line("asgi-noop | ≥ 0.55 | not measured | no |") in printed(made)
    assert not made.all_reached
    made.verdicts = [line for line in made.verdicts if line.get("against") == "tornado-noop"]
    assert made.all_reached


def test_a_generator_at_its_limit_is_reported() -> None:
    assert not report().notices
    (notice,) = report(load_cpu=0.97).notices
    assert "97%" in notice


def test_tables_for_the_documentation_come_from_a_stored_run(tmp_path: Path) -> None:
    made = report()
    made.failures["scale"] = "PeerFailed: no"
    made.write(tmp_path / "new" / "run.json")
    stored = json.loads((tmp_path / "new" / "run.json").read_text())
    assert stored["plan"]["connections"] == SMALL.connections
    again = CliRunner().invoke(main, [str(tmp_path / "new" / "run.json")])
    assert again.exit_code == 0
    assert again.output.splitlines() == "\n".join(printed(made)).splitlines()
    assert "| hold | frontrow | 60 holds/s (59 to 61) | 100%, 50% |" in again.output
    assert "Abacus" in again.output
    assert "scale was not measured: PeerFailed: no" in again.output
