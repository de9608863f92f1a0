"""Errors that the servers of a history log: whatever they are, they break a rule."""

import logging
from collections.abc import Callable

STOPS = "The journal stops with"
"""Beginning of the journal's message that entries may not have been written."""


class LoggedErrors(logging.Handler):
    """Keeps the errors that were logged: a defect, or a row that the database refused.

    Args:
        is_calm: tells whether nothing is broken. A server that ends while something is may leave entries
            unwritten, and says so.
    """

    def __init__(self, is_calm: Callable[[], bool]) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []
        self._is_calm = is_calm

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "persistence.journal" and record.msg.startswith(STOPS) and not self._is_calm():
            return
        if record.name != "asyncio":
            cause = f": {record.exc_info[1]!r}" if record.exc_info else ""
            self.messages.append(f"logged: {record.getMessage()}{cause}")
