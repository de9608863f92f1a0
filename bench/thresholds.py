"""Judges results by `thresholds.toml`, the one place where it is written what must be reached."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.rounds import Samples

FILE = Path(__file__).with_name("thresholds.toml")


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """One line of the table.

    Attributes:
        what: in words.
        scenario: where it was measured.
        of: the contender that must reach it.
        against: whom it is compared with; None where the figure itself counts.
        figure: which of its figures.
        at_least, at_most: the bound, one of the two.
    """

    what: str
    scenario: str
    of: str
    figure: str
    against: str | None = None
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"{self.what!r} needs at_least or at_most, and not both")


@dataclass(frozen=True)
class Verdict:
    """How a line was met.

    Attributes:
        value: the median, or the ratio of two medians.
        low, high: the lowest and the highest of the rounds, each compared with the other side's same round.
        reached: whether the value is within the bound.
    """

    threshold: Threshold
    value: float
    low: float
    high: float
    reached: bool

    @property
    def document(self) -> dict[str, Any]:
        """The verdict as it is stored."""
        line = {name: value for name, value in vars(self.threshold).items() if value is not None}
        return line | {"value": self.value, "low": self.low, "high": self.high, "reached": self.reached}


def read_thresholds(file: Path = FILE) -> list[Threshold]:
    """The table.

    Raises:
        ValueError: a line has no bound, or two.
    """
    return [Threshold(**line) for line in tomllib.loads(file.read_text())["threshold"]]


def judge(
    thresholds: Iterable[Threshold], results: Mapping[str, Samples]
) -> tuple[list[Verdict], list[Threshold]]:
    """How the lines were met.

    Args:
        thresholds: those that count.
        results: samples by scenario.

    Returns:
        Verdicts, and the lines of which a side was not measured.
    """
    verdicts, unjudged = [], []
    for threshold in thresholds:
        contenders = results.get(threshold.scenario, {})
        own = contenders.get(threshold.of, {}).get(threshold.figure)
        other = contenders.get(threshold.against or "", {}).get(threshold.figure)
        if own and (threshold.against is None or other):
            verdicts.append(_verdict(threshold, own, other or [1.0] * len(own)))
        else:
            unjudged.append(threshold)
    return verdicts, unjudged


def _verdict(threshold: Threshold, own: Sequence[float], other: Sequence[float]) -> Verdict:
    by_round = [ours / theirs for ours, theirs in zip(own, other, strict=True)]
    value = median(own) / median(other)
    within = value >= threshold.at_least if threshold.at_least is not None else value <= threshold.at_most  # type: ignore[operator]
    return Verdict(threshold, value, min(by_round), max(by_round), within)
