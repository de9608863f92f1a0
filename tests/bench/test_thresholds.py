"""The table of what must be reached, and how results are judged by it."""

from pathlib import Path
from typing import Any

import pytest

from bench.revision import BASELINE
from bench.scenarios import SCENARIOS
from bench.thresholds import judge, read_thresholds

RATIO = {
    "what": "holds",
    "scenario": "hold",
    "of": "ours",
    "against": "theirs",
    "figure": "rate",
    "at_least": 2.0,
}
BOUND = {"what": "memory", "scenario": "memory", "of": "ours", "figure": "bytes_each", "at_most": 100.0}
LINE = 'what = "x"\nscenario = "hold"\nof = "ours"\nfigure = "rate"\n'


def rates(**of_contenders: list[float]) -> dict[str, Any]:
    return {"hold": {name: {"rate": values} for name, values in of_contenders.items()}}


def test_every_line_is_about_something_that_is_measured() -> None:
    table = read_thresholds()
    assert len(table) == 42
    assert any(line.get("against") == BASELINE for line in table)
    assert {line["scenario"] for line in table} <= SCENARIOS.keys()
    assert all(line["what"] for line in table)


def test_ratios_are_those_of_medians_with_the_spread_of_the_rounds() -> None:
    verdict = judge(RATIO, rates(ours=[20, 30, 100], theirs=[10, 10, 20]))
    assert (verdict["value"], verdict["low"], verdict["high"]) == (3.0, 2.0, 5.0)
    assert verdict["reached"]


@pytest.mark.parametrize(("ours", "reached"), [(20.0, True), (19.9, False)])
def test_a_bound_is_reached_at_its_value(ours: float, reached: bool) -> None:
    assert judge(RATIO, rates(ours=[ours], theirs=[10]))["reached"] is reached


@pytest.mark.parametrize(("figure", "reached"), [(100.0, True), (100.1, False)])
def test_figures_are_judged_by_themselves_where_nobody_is_compared(figure: float, reached: bool) -> None:
    verdict = judge(BOUND, {"memory": {"ours": {"bytes_each": [figure]}}})
    assert (verdict["value"], verdict["reached"]) == (figure, reached)


@pytest.mark.parametrize("results", [{}, rates(ours=[1]), rates(theirs=[1])])
def test_a_threshold_that_was_not_measured_is_not_reached(results: dict[str, Any]) -> None:
    verdict = judge(RATIO, results)
    assert (verdict["value"], verdict["reached"]) == (None, False)


@pytest.mark.parametrize("bounds", ["", "at_least = 1\nat_most = 3\n"])
def test_a_line_has_one_bound(bounds: str, tmp_path: Path) -> None:
    (tmp_path / "table.toml").write_text(f"[[threshold]]\n{LINE}{bounds}")
    with pytest.raises(ValueError, match="at_least or at_most"):
        read_thresholds(tmp_path / "table.toml")


def test_a_misspelt_line_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "table.toml").write_text(f"[[threshold]]\n{LINE}at_leats = 3\n")
    with pytest.raises(ValueError, match="at_leats"):
        read_thresholds(tmp_path / "table.toml")
