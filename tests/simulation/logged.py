"""Errors that the servers of a history log: whatever they are, they break a rule."""

import logging


class LoggedErrors(logging.Handler):
    """Keeps the errors that were logged: a defect, or a row that the database refused."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != "asyncio":
            cause = f": {record.exc_info[1]!r}" if record.exc_info else ""
            self.messages.append(f"logged: {record.getMessage()}{cause}")
