"""Writes down what clients, watchers and faults do, as `history.jsonl`, while it happens.

The file has one JSON object a line. It is written line by line, so a run that is killed leaves what had
happened.
"""

import json
import time
from collections import Counter
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CERTAIN = {
    "overloaded",
    "journal_full",
    "ids_exhausted",
    "command_expired",
    "ownership_lost",
    "stopping",
    "node_unreachable",
    "no_owner",
}
"""Codes of responses with 5xx that promise that nothing was done."""


class Recorder:
    """The history of a run, as a context manager.

    Args:
        path: of the file.

    Attributes:
        records: everything so far.
        operations: number of operations.
        answers: numbers of outcomes: statuses, and `unknown`.
        lies: requests for what belongs to others, with their answers.
        misdeeds: what clients have done that no server likes, counted.
    """

    def __init__(self, path: Path) -> None:
        self.records: list[dict[str, Any]] = []
        self.operations = 0
        self.answers: Counter[str] = Counter()
        self.lies: list[dict[str, Any]] = []
        self.misdeeds: Counter[str] = Counter()
        self._path = path
        self._numbers = count(1)

    def __enter__(self) -> Self:
        self._file = self._path.open("w", buffering=1 << 16)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def note(self, record: dict[str, Any]) -> None:
        """Add a record."""
        self.records.append(record)
        self._file.write(json.dumps(record) + "\n")

    def invoke(self, **details: Any) -> int:
        """Record that an operation is requested. Returns its number."""
        number = next(self._numbers)
        self.operations += 1
        self.note({"kind": "invoke", "op": number, "time": time.monotonic(), **details})
        return number

    def answer(
        self, number: int, status: int, code: str | None = None, data: dict[str, Any] | None = None
    ) -> None:
        """Record the answer of an operation, unless it leaves open what has happened.

        Args:
            number: of the operation.
            status: of HTTP.
            code: of a refusal.
            data: what the answer says.
        """
        if status >= 500 and code not in CERTAIN:
            self.unknown(number, f"{status} {code}")
            return
        self.answers[str(status) if status < 400 else f"{status} {code}"] += 1
        record = {"kind": "return", "op": number, "time": time.monotonic(), "status": status}
        if code is not None:
            record["code"] = code
        if data is not None:
            record["data"] = data
        self.note(record)

    def unknown(self, number: int, why: str = "no answer") -> None:
        """Record that it is not known whether an operation was carried out."""
        self.answers[f"unknown: {why}"] += 1
        self.note({"kind": "unknown", "op": number, "time": time.monotonic()})

    @property
    def success_share(self) -> float:
        """Share of the operations that were answered with success."""
        good = sum(number for outcome, number in self.answers.items() if outcome[0] in "23")
        return good / max(1, self.operations)
