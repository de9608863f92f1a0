"""A run's results: collected, judged, and stored as JSON."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench.plan import Plan, Samples
from bench.scenarios import SCENARIOS
from bench.thresholds import judge, read_thresholds
from frontrow import __version__

_BUSY = 0.9
"""Share of its core above which the load process may have been the limit, and not the server."""


@dataclass
class Report:
    """The results of a run.

    Attributes:
        command: the command line.
        machine: see `bench.machine.describe`.
        plan: what was measured.
        results: samples of all rounds, by scenario.
        verdicts: the thresholds of the chosen scenarios, judged.
        failures: scenarios that could not be measured, and why.
        notices: what was left out, and why.
    """

    command: str
    machine: Mapping[str, Any]
    plan: Plan
    results: dict[str, Samples] = field(default_factory=dict)
    verdicts: list[dict[str, Any]] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    @property
    def all_reached(self) -> bool:
        """True if every threshold was measured and reached."""
        return all(verdict["reached"] for verdict in self.verdicts)

    def conclude(self, names: Iterable[str], notices: Iterable[str] = ()) -> None:
        """Judge the results by the thresholds of these scenarios, and note which may be too low."""
        chosen = set(names)
        self.verdicts = [
            judge(line, self.results) for line in read_thresholds() if line["scenario"] in chosen
        ]
        self.notices = sorted(notices)
        for name, samples in self.results.items():
            for contender, figures in samples.items():
                share = median(figures.get("load_cpu", [0.0]))
                if share > _BUSY:
                    busy = f"the load process was busy {share:.0%} of the time"
                    self.notices.append(f"{name}: {busy}, so {contender} may do more")

    @property
    def document(self) -> dict[str, Any]:
        """The report as it is stored."""
        return {
            "frontrow": __version__,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": self.command,
            "machine": dict(self.machine),
            "plan": asdict(self.plan),
            "results": {
                name: {"figure": SCENARIOS[name].figure, "unit": SCENARIOS[name].unit, "samples": samples}
                for name, samples in self.results.items()
            },
            "thresholds": self.verdicts,
            "failures": self.failures,
            "notices": self.notices,
        }

    def write(self, file: Path) -> None:
        """Store the report as JSON, in a directory that is made if needed.

        Raises:
            OSError: it cannot be written.
        """
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(self.document, indent=1) + "\n")
