"""The tables of a run in Markdown: `frontrow bench` prints them, and `python -m bench.tables FILE` again.

They are the tables of docs/performance.md, so that no figure there is typed by hand.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import click


def tables(run: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines for a `bench.report.Report.document`."""
    machine = run["machine"]
    yield f"`{run['command']}`, {run['time'][:10]}, Frontrow {run['frontrow']}:"
    yield ", ".join(f"{name} {value}" for name, value in machine.items() if not isinstance(value, dict)) + "."
    yield ""
    yield "| what | against | wanted | measured | reached |"
    yield "| --- | --- | --- | --- | --- |"
    for line in run["thresholds"]:
        wanted = f"≥ {shown(line['at_least'])}" if "at_least" in line else f"≤ {shown(line['at_most'])}"
        value = line["value"]
        measured = "not measured" if value is None else f"{shown(value)} {_spread(line['low'], line['high'])}"
        reached = "yes" if line["reached"] else "no"
        yield f"| {line['what']} | {line.get('against', '')} | {wanted} | {measured} | {reached} |"
    yield ""
    yield "| scenario | contender | median (lowest to highest) | server, load process | µs each |"
    yield "| --- | --- | --- | --- | --- |"
    for name, measured in run["results"].items():
        for contender, figures in measured["samples"].items():
            rounds = figures[measured["figure"]]
            spread = _spread(min(rounds), max(rounds))
            cores = ", ".join(
                f"{median(figures[cpu]):.0%}" for cpu in ("server_cpu", "load_cpu") if cpu in figures
            )
            parts = ", ".join(
                f"{figure.removesuffix('_us').replace('_', ' ')} {shown(median(values))}"
                for figure, values in figures.items()
                if figure.endswith("_us")
            )
            result = f"{shown(median(rounds))} {measured['unit']} {spread}"
            yield f"| {name} | {contender} | {result} | {cores} | {parts} |"
    yield from (f"\n{name} was not measured: {reason}" for name, reason in run["failures"].items())
    yield from (f"\nNote: {notice}" for notice in run["notices"])


def shown(value: float) -> str:
    """Return a figure as people read it: whole above a thousand, otherwise with three digits."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _spread(low: float, high: float) -> str:
    return f"({shown(low)} to {shown(high)})"


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(file: Path) -> None:
    """Print the tables of the run that is stored in FILE."""
    click.echo("\n".join(tables(json.loads(file.read_text()))))


if __name__ == "__main__":
    main()
