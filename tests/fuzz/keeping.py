"""Chooses the inputs worth keeping: those that reach steps of the parsers that no smaller one reaches."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from tests.fuzz.targets import TARGETS

PARSERS = str(Path(__file__).parents[2] / "api")

Step = tuple[str, int, int]
"""Step from one line to another of a function."""


def steps_of(target: str, data: bytes) -> set[Step]:
    """Return the steps that a parser takes through its code."""
    steps: set[Step] = set()
    before: dict[FrameType, int] = {}

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(PARSERS):
            return None
        steps.add((f"{code.co_filename}:{code.co_name}", before.get(frame, 0), frame.f_lineno))
        before[frame] = frame.f_lineno
        return trace

    sys.settrace(trace)
    try:
        TARGETS[target](data)
    finally:
        sys.settrace(None)
    return steps


def worth_keeping(target: str, inputs: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the inputs that add a step, smallest first."""
    known: set[Step] = set()
    for data in sorted(inputs, key=lambda one: (len(one), one)):
        steps = steps_of(target, data)
        if not steps <= known:
            known |= steps
            yield data


def keep(target: str, kept: Path, found: Path) -> int:
    """Replace a kept corpus by the useful inputs of it and of those found. Returns its size."""
    paths = [path for folder in (kept, found) for path in folder.iterdir()]
    inputs = list(worth_keeping(target, {path.read_bytes() for path in paths}))
    for path in kept.iterdir():
        path.unlink()
    for number, data in enumerate(inputs):
        (kept / f"{number:02}").write_bytes(data)
    return len(inputs)
