"""Live figures of this server process for operators, and the log level, which they can change."""

import logging
from collections.abc import Callable, Mapping
from heapq import nlargest
from time import monotonic

from api.json_log import log_level, set_log_level
from api.ws.feed import SeatFeed
from api.ws.open_sockets import OpenSockets
from engine.directory import ScreeningDirectory
from engine.errors import NotFound
from engine.figures import Server, ServerFigures
from engine.ports import Journal

log = logging.getLogger("frontrow")

SCREENINGS_SHOWN = 500
"""Most screenings of a server that an operator is shown: those that were used last."""

AUDIENCES_SHOWN = 1_000
"""Most screenings whose sockets an operator is shown: those with the most."""


FIGURES_SECONDS = 0.5
"""Time for which figures are reused, so that they cost the same however many operators look."""


class OwnFigures:
    """The figures of this process.

    Args:
        directory, journal, feed, open_sockets: of this server.
    """

    def __init__(
        self, directory: ScreeningDirectory, journal: Journal, feed: SeatFeed, open_sockets: OpenSockets
    ) -> None:
        self._directory = directory
        self._journal = journal
        self._feed = feed
        self._open_sockets = open_sockets
        self._latest: tuple[float, ServerFigures] | None = None

    def __call__(self) -> ServerFigures:
        """Return the figures; they may be `FIGURES_SECONDS` old."""
        now = monotonic()
        if self._latest is None or now - self._latest[0] >= FIGURES_SECONDS:
            self._latest = (now, self._present())
        return self._latest[1]

    def _present(self) -> ServerFigures:
        return ServerFigures(
            log_level(),
            self._journal.depth,
            self._journal.lag_seconds,
            self._directory.active_count,
            len(self._open_sockets),
            _largest(self._feed.connections),
            self._directory.figures(SCREENINGS_SHOWN),
        )


def _largest(audiences: Mapping[int, int]) -> Mapping[int, int]:
    if len(audiences) <= AUDIENCES_SHOWN:
        return audiences
    return dict(nlargest(AUDIENCES_SHOWN, audiences.items(), key=lambda audience: audience[1]))


def change_log_level(level: str, by: str) -> None:
    """Change the lowest level that this process logs, until it ends; the log names who wanted it.

    Args:
        level: a value of `FRONTROW_LOG_LEVEL`.
        by: who changes it, e.g. "user:1".
    """
    fields = {"from": log_level(), "to": level, "by": by}
    set_log_level("info")  # so that the line is written whatever the levels are
    log.info("the log level was changed", extra={"fields": fields})
    set_log_level(level)


class OneServer:
    """The servers, if there is only this one; see `api.services.Servers`.

    Args:
        describe: returns this server.
    """

    def __init__(self, describe: Callable[[], Server]) -> None:
        self._describe = describe

    async def all(self) -> list[Server]:
        return [self._describe()]

    async def set_log_level(self, mark: str, level: str, by: str) -> None:
        if mark != self._describe().mark:
            raise NotFound("server", mark)
        change_log_level(level, by)
