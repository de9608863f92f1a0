"""`python -m bench.tables FILE`: the tables of docs/performance.md, from a stored run.

Figures are never typed: what stands in the documentation is what this prints.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import click

from bench.report import shown


def tables(run: dict[str, Any]) -> Iterator[str]:
    """Markdown.

    Args:
        run: as `bench.report.Report.write` has stored it.
    """
    machine = run["machine"]
    yield f"`{run['command']}`, {run['time'][:10]}, Frontrow {run['frontrow']}:"
    yield ", ".join(f"{name} {value}" for name, value in machine.items() if not isinstance(value, dict)) + "."
    yield ""
    yield "| what | against | wanted | measured | reached |"
    yield "| --- | --- | --- | --- | --- |"
    for line in run["thresholds"]:
        wanted = f"≥ {shown(line['at_least'])}" if "at_least" in line else f"≤ {shown(line['at_most'])}"
        measured = f"{shown(line['value'])} ({shown(line['low'])} to {shown(line['high'])})"
        reached = "yes" if line["reached"] else "no"
        yield f"| {line['what']} | {line.get('against', '')} | {wanted} | {measured} | {reached} |"
    yield ""
    yield "| scenario | contender | median | lowest to highest round |"
    yield "| --- | --- | --- | --- |"
    for name, measured in run["results"].items():
        for contender, figures in measured["samples"].items():
            rounds = figures[measured["figure"]]
            spread = f"{shown(min(rounds))} to {shown(max(rounds))}"
            yield f"| {name} | {contender} | {shown(median(rounds))} {measured['unit']} | {spread} |"


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(file: Path) -> None:
    """Print the tables of the run that is stored in FILE."""
    click.echo("\n".join(tables(json.loads(file.read_text()))))


if __name__ == "__main__":
    main()
