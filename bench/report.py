"""A run's results: gathered, stored as JSON, printed."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench.rounds import Samples
from bench.scenarios import SCENARIOS
from bench.sizes import Sizes
from bench.thresholds import Threshold, Verdict, judge
from frontrow import __version__

_BUSY = 0.9
"""Share of its core above which the generator, and not the server, may be what was measured."""


@dataclass
class Report:
    """What a run has found out.

    Attributes:
        command: how it was started.
        machine: on what; see `bench.machine.describe`.
        sizes: how large everything was.
        seconds: length of a round.
        rounds: how many were counted.
        results: samples of all rounds, by scenario.
        verdicts: how thresholds were met.
        unjudged: thresholds that say nothing, because a side of theirs was not measured.
        failures: scenarios that could not be measured, and why.
        notices: what was left out, and why.
    """

    command: str
    machine: Mapping[str, Any]
    sizes: Sizes
    seconds: float
    rounds: int
    results: dict[str, Samples] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    unjudged: list[Threshold] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    @property
    def all_reached(self) -> bool:
        """Whether every threshold that counts was judged and reached."""
        return not self.unjudged and all(verdict.reached for verdict in self.verdicts)

    def conclude(self, thresholds: Iterable[Threshold]) -> None:
        """Judge the results.

        Args:
            thresholds: those that count.
        """
        self.verdicts, self.unjudged = judge(thresholds, self.results)
        for name, samples in self.results.items():
            for contender, figures in samples.items():
                share = median(figures.get("load_cpu", [0.0]))
                if share > _BUSY:
                    self.notices.append(
                        f"{name}: the generator was busy {share:.0%} of the time, so {contender} may do more"
                    )

    def write(self, file: Path) -> None:
        """Store everything as JSON, and make the directory for it if need be.

        Raises:
            OSError: it cannot be written.
        """
        document = {
            "frontrow": __version__,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": self.command,
            "machine": dict(self.machine),
            "sizes": asdict(self.sizes),
            "seconds": self.seconds,
            "rounds": self.rounds,
            "results": {
                name: {"figure": SCENARIOS[name].figure, "unit": SCENARIOS[name].unit, "samples": samples}
                for name, samples in self.results.items()
            },
            "thresholds": [verdict.document for verdict in self.verdicts],
            "unjudged": [threshold.what for threshold in self.unjudged],
            "failures": self.failures,
            "notices": self.notices,
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(_finite(document), indent=1, allow_nan=False) + "\n")

    def lines(self) -> Iterator[str]:
        """What is printed: medians with their spread and the use of the cores, then the thresholds."""
        yield _row("scenario", "contender", ("median", "lowest", "highest"), "unit (use of the cores)")
        for name, samples in self.results.items():
            for contender, figures in samples.items():
                values = figures[SCENARIOS[name].figure]
                middle = [shown(value) for value in (median(values), min(values), max(values))]
                yield _row(name, contender, middle, SCENARIOS[name].unit + _cores(figures))
        if self.verdicts:
            yield ""
        for verdict in self.verdicts:
            yield _judged(verdict)
        for threshold in self.unjudged:
            yield f"MISS  {threshold.what}: {_sides(threshold)} was not measured"
        for name, reason in self.failures.items():
            yield f"FAIL  {name} was not measured: {reason}"
        yield from (f"note  {notice}" for notice in self.notices)


def _row(scenario: str, contender: str, values: Sequence[str], unit: str) -> str:
    return f"{scenario:<18} {contender:<21} {' '.join(f'{value:>10}' for value in values)}  {unit}"


def _cores(figures: Mapping[str, list[float]]) -> str:
    if "server_cpu" not in figures:
        return ""
    return f" (server {median(figures['server_cpu']):.0%}, load {median(figures['load_cpu']):.0%})"


def _judged(verdict: Verdict) -> str:
    threshold = verdict.threshold
    bound = f"≥ {threshold.at_least:g}" if threshold.at_least is not None else f"≤ {threshold.at_most:g}"
    value = f"{shown(verdict.value)} ({shown(verdict.low)} to {shown(verdict.high)}), wanted {bound}"
    said = f"{threshold.what}: {_sides(threshold)} {threshold.figure} {value}"
    return f"{'ok  ' if verdict.reached else 'MISS'}  {said}"


def _sides(threshold: Threshold) -> str:
    return f"{threshold.of} / {threshold.against}" if threshold.against else threshold.of


def shown(value: float) -> str:
    """A figure as people read it: whole above a thousand, else with three digits."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _finite(document: Any) -> Any:
    """The document without what JSON has no number for: null stands for it."""
    match document:
        case dict():
            return {name: _finite(value) for name, value in document.items()}
        case list():
            return [_finite(value) for value in document]
        case float() if not math.isfinite(document):
            return None
    return document
