"""Draws a run's results: a panel for each scenario, a bar for each contender."""

from pathlib import Path
from statistics import median

from bench.report import Report
from bench.scenarios import SCENARIOS

FORMATS = (".png", ".svg")

_COLUMNS = 3


def draw(report: Report, file: Path) -> None:
    """Draw medians, with lines from the lowest to the highest round, into a file of one of `FORMATS`.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    from matplotlib.figure import Figure  # only installed with the extra `bench`

    rows = -(-len(report.results) // _COLUMNS)
    figure = Figure(figsize=(_COLUMNS * 5.0, rows * 2.4), layout="constrained")
    panels = figure.subplots(rows, _COLUMNS, squeeze=False).flat
    for name, samples in report.results.items():
        panel, scenario = next(panels), SCENARIOS[name]
        rounds = [figures[scenario.figure] for figures in samples.values()]
        middles = [median(values) for values in rounds]
        spread = [
            [middle - min(values) for middle, values in zip(middles, rounds, strict=True)],
            [max(values) - middle for middle, values in zip(middles, rounds, strict=True)],
        ]
        colours = ["#1f5fa8" if place == 0 else "#b3b9c2" for place in range(len(rounds))]
        panel.barh(list(samples), middles, xerr=spread, color=colours, capsize=3)
        panel.invert_yaxis()
        panel.set_title(f"{scenario.summary} [{scenario.unit}]", fontsize=9)
        panel.tick_params(labelsize=8)
    for panel in panels:
        panel.set_visible(False)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)
