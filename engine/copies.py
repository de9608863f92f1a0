"""Copies of screenings that other servers own, for reads."""

from typing import NamedTuple

from engine.commands import Command, ReadStock, ShowStock
from engine.replies import Reply
from engine.screening import Screening

_LIMIT = 1000
_FRESH_SECONDS = 1.0


class Copy(NamedTuple):
    """A screening that another server owns.

    Attributes:
        screening: as stored at `loaded_at`; it is only read.
        loaded_at: in seconds since the epoch.
        outdated: seats that watchers have seen differently in earlier copies.
    """

    screening: Screening
    loaded_at: float
    outdated: frozenset[int]

    def answer(self, command: Command) -> Reply:
        """Answer a read."""
        if isinstance(command, ShowStock):
            command = ReadStock(command.screening_id)
        return self.screening.handle(command, self.loaded_at).reply


class Copies(dict[int, Copy]):
    """The latest copies by screening; beyond a limit the oldest ones are dropped."""

    def keep(self, copy: Copy) -> Copy:
        """Add a copy, and return it."""
        if len(self) == _LIMIT:
            del self[next(iter(self))]
        self[copy.screening.info.id] = copy
        return copy

    def fresh(self, screening_id: int, now: float) -> Copy | None:
        """The copy of a screening, if it is recent enough for a read."""
        copy = self.get(screening_id)
        return copy if copy is not None and now - copy.loaded_at < _FRESH_SECONDS else None

    def move(self, seconds: float) -> None:
        """Move their times by a step of the clock."""
        for screening_id, copy in self.items():
            self[screening_id] = copy._replace(loaded_at=copy.loaded_at + seconds)
