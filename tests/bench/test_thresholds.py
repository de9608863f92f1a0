"""The table of what must be reached, and how results are judged by it."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.revision import BASELINE
from bench.scenarios import SCENARIOS
from bench.thresholds import Threshold, Verdict, judge, read_thresholds

RATIO = Threshold(what="holds", scenario="hold", of="ours", against="theirs", figure="rate", at_least=2.0)
BOUND = Threshold(what="memory", scenario="memory", of="ours", figure="bytes_each", at_most=100.0)


def judged(threshold: Threshold, results: dict) -> Verdict:
    (verdict,), unjudged = judge([threshold], results)
    assert not unjudged
    return verdict


def rates(**of_contenders: list[float]) -> dict:
    return {"hold": {name: {"rate": values} for name, values in of_contenders.items()}}


def test_every_line_is_about_something_that_is_measured() -> None:
    table = read_thresholds()
    assert len(table) == 24
    assert any(line.against == BASELINE for line in table)
    assert {line.scenario for line in table} <= SCENARIOS.keys()
    assert all(line.what for line in table)


def test_ratios_are_those_of_medians_with_the_spread_of_the_rounds() -> None:
    verdict = judged(RATIO, rates(ours=[20, 30, 100], theirs=[10, 10, 20]))
    assert (verdict.value, verdict.low, verdict.high) == (3.0, 2.0, 5.0)
    assert verdict.reached


@pytest.mark.parametrize(("ours", "reached"), [(20.0, True), (19.9, False)])
def test_a_bound_is_reached_at_its_value(ours: float, reached: bool) -> None:
    verdict = judged(RATIO, rates(ours=[ours], theirs=[10]))
    assert verdict.reached is reached


@pytest.mark.parametrize(("figure", "reached"), [(100.0, True), (100.1, False)])
def test_figures_are_judged_by_themselves_where_nobody_is_compared(figure: float, reached: bool) -> None:
    verdict = judged(BOUND, {"memory": {"ours": {"bytes_each": [figure]}}})
    assert (verdict.value, verdict.reached) == (figure, reached)


@pytest.mark.parametrize("results", [{}, rates(ours=[1]), rates(theirs=[1])])
def test_what_was_not_measured_is_not_judged(results: dict) -> None:
    assert judge([RATIO], results) == ([], [RATIO])


@pytest.mark.parametrize("bounds", [{"at_least": None}, {"at_most": 3.0}])
def test_a_line_has_one_bound(bounds: dict) -> None:
    with pytest.raises(ValueError, match="at_least or at_most"):
        replace(RATIO, **bounds)


def test_a_misspelt_line_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "table.toml").write_text('[[threshold]]\nwhat = "x"\nat_leats = 3\n')
    with pytest.raises(TypeError, match="at_leats"):
        read_thresholds(tmp_path / "table.toml")
