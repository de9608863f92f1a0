"""Faults that a judge has found."""

from collections.abc import Sequence
from dataclasses import dataclass

_LINES_LIMIT = 40
"""Records that are shown with a finding."""


@dataclass(frozen=True)
class Finding:
    """One promise that was not kept.

    Attributes:
        kind: a few words that name the broken promise; the same for all findings of a kind.
        about: the seat, payment or watcher.
        text: what is wrong, in a sentence.
        records: the smallest part of the history that shows it.
    """

    kind: str
    about: str
    text: str
    records: Sequence[str] = ()

    def __str__(self) -> str:
        shown = [f"    {record}" for record in self.records[:_LINES_LIMIT]]
        if len(self.records) > _LINES_LIMIT:
            shown.append(f"    ... and {len(self.records) - _LINES_LIMIT} more")
        return "\n".join([f"{self.kind}: {self.about}: {self.text}", *shown])
