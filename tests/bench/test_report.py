"""What a run's report says, and what it leaves as files."""

import json
import math
from dataclasses import replace
from pathlib import Path

from click.testing import CliRunner

from bench.report import Report
from bench.sizes import SMALL
from bench.tables import main
from bench.thresholds import read_thresholds


def report(*, ours: float = 60.0, load_cpu: float = 0.5) -> Report:
    made = Report("frontrow bench hold", {"cpu": "Abacus", "cores": 2}, SMALL, 3.0, 3)
    made.results["hold"] = {
        "frontrow": {"rate": [ours, ours + 1, ours - 1], "load_cpu": [load_cpu] * 3, "server_cpu": [1.0] * 3},
        "tornado-noop": {"rate": [10.0, 10.0, 10.0], "p99_ms": [math.nan] * 3},
    }
    made.conclude(
        [line for line in read_thresholds() if line.against == "tornado-noop" and line.scenario == "hold"]
    )
    return made


def test_reached_and_missed_thresholds_are_told() -> None:
    assert report().all_reached
    assert any(line.startswith("ok    REST hold") for line in report().lines())
    missed = report(ours=30)
    assert not missed.all_reached
    assert any(line.startswith("MISS  REST hold") for line in missed.lines())


def test_a_threshold_that_could_not_be_judged_is_not_reached() -> None:
    made = report()
    made.conclude(read_thresholds())
    assert not made.all_reached
    assert any("frontrow / asgi-noop was not measured" in line for line in made.lines())


def test_a_generator_at_its_limit_is_told() -> None:
    assert not report().notices
    (notice,) = report(load_cpu=0.97).notices
    assert "97%" in notice


def test_what_json_has_no_number_for_is_null(tmp_path: Path) -> None:
    report().write(tmp_path / "new" / "run.json")
    stored = json.loads((tmp_path / "new" / "run.json").read_text())
    assert stored["results"]["hold"]["samples"]["tornado-noop"]["p99_ms"] == [None] * 3
    assert stored["sizes"]["connections"] == SMALL.connections


def test_tables_for_the_documentation_come_from_a_stored_run(tmp_path: Path) -> None:
    made = replace(report(), failures={"scale": "no"})
    made.write(tmp_path / "run.json")
    printed = CliRunner().invoke(main, [str(tmp_path / "run.json")])
    assert printed.exit_code == 0
    assert (
        "| REST hold of two seats, JWT, real engine and journal | tornado-noop | ≥ 4 | 6 (5.9 to 6.1) | yes |"
        in (printed.output)
    )
    assert "| hold | frontrow | 60 holds/s | 59 to 61 |" in printed.output
    assert "Abacus" in printed.output
