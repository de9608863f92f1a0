"""Draws a run's results: a panel for each scenario, a box for each contender."""

from pathlib import Path

from bench.report import Report
from bench.scenarios import SCENARIOS

FORMATS = (".png", ".svg")

_COLUMNS = 3


def draw(report: Report, file: Path) -> None:
    """Draw medians, quartiles and extremes into a file of one of `FORMATS`.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    from matplotlib.figure import Figure  # only installed with the extra `bench`

    rows = -(-len(report.results) // _COLUMNS)
    figure = Figure(figsize=(_COLUMNS * 5.0, rows * 2.4), layout="constrained")
    panels = figure.subplots(rows, _COLUMNS, squeeze=False).flat
    for name, samples in report.results.items():
        panel, scenario = next(panels), SCENARIOS[name]
        values = [figures[scenario.figure] for figures in samples.values()]
        panel.boxplot(values, orientation="horizontal", tick_labels=list(samples), whis=(0, 100))
        panel.set_xlim(left=0)
        panel.invert_yaxis()
        panel.set_title(f"{scenario.summary} [{scenario.unit}]", fontsize=9)
        panel.tick_params(labelsize=8)
    for panel in panels:
        panel.set_visible(False)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)
