"""Logs the start and the stop of a server: its version, addresses and database, and why it stopped."""

import logging
import os
import platform
import socket
from time import monotonic

from frontrow import __version__
from frontrow.settings import Settings

log = logging.getLogger("frontrow")


class LifecycleLog:
    """Logs the start and the stop of one server process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._node = {"node": socket.gethostname(), "pid": os.getpid()}
        self._began = monotonic()

    def started(self, base_url: str) -> None:
        """Log that the server is ready.

        Args:
            base_url: the URL that it listens on.
        """
        settings = self._settings
        fields = {
            "version": __version__,
            "python": platform.python_version(),
            "env": settings.env,
            "address": base_url,
            "extra_ports": settings.extra_ports,
            "metrics_port": settings.metrics_port or None,
            "database": settings.shown_database_url or f"embedded in {settings.data_dir.absolute()}",
            "seconds": self._seconds(),
        }
        known = {name: value for name, value in fields.items() if value not in (None, ())}
        log.info("the server has started", extra={"fields": {**known, **self._node}})

    def stopped(self, reason: str) -> None:
        """Log that the process is about to exit.

        Args:
            reason: the signal or the error.
        """
        fields = {"version": __version__, "reason": reason, "uptime_seconds": self._seconds(), **self._node}
        log.info("the server has stopped", extra={"fields": fields})

    def _seconds(self) -> float:
        return round(monotonic() - self._began, 3)
