"""Draws a run's results: one panel for each scenario, a bar for each contender."""

from pathlib import Path
from statistics import median

from bench.report import Report
from bench.scenarios import SCENARIOS

FORMATS = (".png", ".svg")

_COLUMNS = 3
_PANEL_INCHES = (5.0, 2.4)
_OURS, _OTHERS = "#1f5fa8", "#b3b9c2"


class CannotPlot(Exception):
    """The library that draws is not there."""


def require_plotting() -> None:
    """See that `draw` can be called.

    Raises:
        CannotPlot: it cannot.
    """
    try:
        import matplotlib  # noqa: F401 - there only with the extra `bench`
    except ModuleNotFoundError as exc:
        raise CannotPlot("plots need matplotlib: make bench") from exc


def draw(report: Report, file: Path) -> None:
    """Draw medians, with lines from the lowest to the highest round.

    Args:
        report: with at least one result.
        file: its ending, one of `FORMATS`, says how it is drawn.
    """
    from matplotlib.figure import Figure

    rows = -(-len(report.results) // _COLUMNS)
    width, height = _PANEL_INCHES
    figure = Figure(figsize=(_COLUMNS * width, rows * height), layout="constrained")
    panels = figure.subplots(rows, _COLUMNS, squeeze=False).flat
    for name, samples in report.results.items():
        panel, scenario = next(panels), SCENARIOS[name]
        rounds = [figures[scenario.figure] for figures in samples.values()]
        middles = [median(values) for values in rounds]
        spread = [
            [middle - min(values) for middle, values in zip(middles, rounds, strict=True)],
            [max(values) - middle for middle, values in zip(middles, rounds, strict=True)],
        ]
        colours = [_OURS if place == 0 else _OTHERS for place in range(len(rounds))]
        panel.barh(list(samples), middles, xerr=spread, color=colours, capsize=3)
        panel.invert_yaxis()
        panel.set_title(f"{scenario.summary} [{scenario.unit}]", fontsize=9)
        panel.tick_params(labelsize=8)
    for panel in panels:
        panel.set_visible(False)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)
