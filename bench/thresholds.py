"""Judges results by `thresholds.toml`, the only place that says what must be reached.

A threshold has `what`, a description; the `scenario` and the `figure`; `of`, the contender that must reach
it; perhaps `against`, the contender that it is compared with; and one of `at_least` and `at_most`.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from bench.plan import Samples

Threshold = Mapping[str, Any]

FILE = Path(__file__).with_name("thresholds.toml")

_REQUIRED = {"what", "scenario", "of", "figure"}
_OPTIONAL = {"against", "at_least", "at_most"}


def read_thresholds(file: Path = FILE) -> list[Threshold]:
    """Return the thresholds of a file.

    Raises:
        ValueError: a key of one is missing or unknown, or it has not exactly one bound.
    """
    thresholds: list[Threshold] = tomllib.loads(file.read_text())["threshold"]
    for line in thresholds:
        if not _REQUIRED <= line.keys() <= _REQUIRED | _OPTIONAL:
            raise ValueError(f"{line} needs {sorted(_REQUIRED)}, and may have {sorted(_OPTIONAL)}")
        if ("at_least" in line) == ("at_most" in line):
            raise ValueError(f"{line} needs at_least or at_most, and not both")
    return thresholds


def judge(threshold: Threshold, results: Mapping[str, Samples]) -> dict[str, Any]:
    """Judge results, by scenario, by one threshold.

    Returns:
        The threshold with `value`, the median or the ratio of two medians; `low` and `high`, the lowest and
        the highest round, each compared with the same round of the other contender; and `reached`. The
        figures are None if they were not measured.
    """
    contenders = results.get(threshold["scenario"], {})
    own = contenders.get(threshold["of"], {}).get(threshold["figure"])
    other = contenders.get(threshold.get("against", ""), {}).get(threshold["figure"])
    if not own or ("against" in threshold and not other):
        return {**threshold, "value": None, "low": None, "high": None, "reached": False}
    other = other or [1.0] * len(own)
    by_round = [ours / theirs for ours, theirs in zip(own, other, strict=True)]
    value = median(own) / median(other)
    reached = value >= threshold["at_least"] if "at_least" in threshold else value <= threshold["at_most"]
    return {**threshold, "value": value, "low": min(by_round), "high": max(by_round), "reached": reached}
