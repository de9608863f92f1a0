"""Figures of a server and of the screenings in its memory, for operators: plain data, made only on request.

Nothing here is counted while commands are handled. The rate of holds is read off the changes that a screening
keeps for clients that resume.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, Self

from engine.events import PlacesHeld, SeatsHeld, SeatsHeldFor
from engine.views import SeatsChanged

RATE_SECONDS = 2.0
"""The time over which the rate of holds is measured."""

_SHORTEST_SECONDS = 0.001


class ScreeningFigures(NamedTuple):
    """One screening in memory.

    Attributes:
        seq: number of the last event or change of the epoch.
        held: seats and places that are held. All others that are not available are kept back, sold or being
            bought.
        queue: commands that wait.
        holds_per_second: requests that held seats or places, not seats.
        blocked: seats and places of blocks that nobody has.
    """

    screening_id: int
    epoch: int
    seq: int
    capacity: int
    available: int
    held: int
    queue: int
    holds_per_second: float
    blocked: int = 0


class ServerFigures(NamedTuple):
    """One server process.

    Attributes:
        log_level: the lowest level that it logs, e.g. "info".
        journal_depth: entries that are not committed yet.
        lag_seconds: age of the oldest of them.
        active: number of screenings in memory.
        sockets: number of open WebSockets.
        watchers: sockets that watch a screening, by screening; also those of screenings of other servers.
        screenings: those in memory; of very many, the ones that were used last.
    """

    log_level: str
    journal_depth: int
    lag_seconds: float
    active: int
    sockets: int
    watchers: Mapping[int, int]
    screenings: Collection[ScreeningFigures]

    def plain(self) -> list[Any]:
        """Return its form between nodes. A newer release may append fields to it, and to its screenings."""
        *fields, screenings = self
        return [*fields, [list(screening) for screening in screenings]]

    @classmethod
    def parsed(cls, values: Any) -> Self:
        """Return the figures of another node.

        Raises:
            TypeError, ValueError: the values are no figures.
        """
        *fields, screenings = values[: len(cls._fields)]
        length = len(ScreeningFigures._fields)
        shown = [ScreeningFigures(*row[:length]) for row in screenings]
        return cls._make((*fields, shown))


class Server(NamedTuple):
    """One server process, with what stays the same while it runs. A single server has the state "serving".

    Attributes:
        mark: its identity, random for each start.
        name: its name for operators.
        address: HOST:PORT.
        started_at: seconds since the epoch.
        figures: None if it has not answered.
    """

    mark: str
    name: str
    address: str
    version: str
    state: str
    started_at: float
    figures: ServerFigures | None


def holds_per_second(kept: Collection[SeatsChanged], limit: int, now: float) -> float:
    """Return how many requests have held seats per second, of late.

    The cost grows with the changes of the last seconds.

    Args:
        kept: the last changes, oldest first.
        limit: how many are kept; if there are as many, older ones may be missing.
        now: seconds since the epoch.
    """
    begin, number, seconds = now - RATE_SECONDS, 0, RATE_SECONDS
    for change in reversed(kept):  # type: ignore[call-overload]  # a deque can be reversed
        if change.at <= begin:
            break
        number += isinstance(change, SeatsHeld | PlacesHeld | SeatsHeldFor)
    else:
        if len(kept) >= limit > 0:
            seconds = max(now - next(iter(kept)).at, _SHORTEST_SECONDS)
    return number / seconds
