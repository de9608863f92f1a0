"""Catches and logs exceptions of code that runs after a decision.

Once a command is decided or committed, a bug in counting or publishing it must not hide the result from the
caller or stop anything else. So observers and publishers are wrapped by `guarded`, and callbacks are called
through `attempt`. Code that runs for every command catches exceptions itself and reports them to a
`DefectLog`.

A bug on a busy path would flood the log, so at most one traceback a second is logged, with the number of
exceptions that were not. Work that is repeated until it succeeds reports to an `OutageLog`.
"""

import logging
from collections.abc import Callable
from time import monotonic
from typing import Any, TypeVar, cast

log = logging.getLogger("frontrow.engine")

_QUIET_SECONDS = 1.0

Port = TypeVar("Port")


class DefectLog:
    """Logs exceptions of one kind, at most one traceback a second.

    Args:
        failure: what failed, as the beginning of a sentence, e.g. "SeatFeed.publish".
    """

    __slots__ = ("_failure", "_left_out", "_quiet_until")

    def __init__(self, failure: str) -> None:
        self._failure = failure
        self._quiet_until = 0.0
        self._left_out = 0

    def report(self, defect: BaseException) -> None:
        """Log an exception, or count it if another one was logged within the last second."""
        now = monotonic()
        if now < self._quiet_until:
            self._left_out += 1
            return
        self._quiet_until = now + _QUIET_SECONDS
        log.error(
            "%s failed (%d more failures were not logged)", self._failure, self._left_out, exc_info=defect
        )
        self._left_out = 0


class OutageLog:
    """Logs a failure of work that is repeated until it succeeds: once, and once more when it is over.

    Another kind of failure meanwhile is logged too, once.

    Args:
        logger: where to.
        work: what fails, as the beginning of a sentence, e.g. "refresh of revocations".
    """

    __slots__ = ("_began_at", "_failures", "_known", "_logger", "_work")

    def __init__(self, logger: logging.Logger, work: str) -> None:
        self._logger = logger
        self._work = work
        self._known: set[type[BaseException]] = set()
        self._failures = 0
        self._began_at = 0.0

    def failed(self, failure: BaseException, *, defect: bool = False) -> None:
        """Take note of a failure.

        Args:
            failure: why it failed.
            defect: True for a bug, whose traceback is logged.
        """
        if not self._failures:
            self._began_at = monotonic()
        self._failures += 1
        if type(failure) not in self._known:
            self._known.add(type(failure))
            self._logger.log(
                logging.ERROR if defect else logging.WARNING,
                "%s failed, and is repeated until it succeeds: %s",
                self._work,
                str(failure) or repr(failure),
                exc_info=failure if defect else None,
            )

    def succeeded(self) -> None:
        """Take note that the work has succeeded."""
        if self._failures:
            self._logger.warning(
                "%s succeeds again, after %d failures in %.1f s",
                self._work,
                self._failures,
                monotonic() - self._began_at,
            )
            self._failures = 0
            self._known.clear()


_callbacks = DefectLog("a callback")


def attempt(callback: Callable[..., object], *arguments: Any) -> None:
    """Call `callback`; log the exception if it raises one."""
    try:
        callback(*arguments)
    except Exception as defect:
        _callbacks.report(defect)


def guarded(port: Port) -> Port:
    """Wrap a port so that its methods never raise: their exceptions are logged.

    Args:
        port: an observer or a publisher. Its methods are synchronous, and their results are not used.
    """
    return port if isinstance(port, _Guarded) else cast(Port, _Guarded(port))


class _Guarded:
    def __init__(self, port: object) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Callable[..., None]:
        method = getattr(self._port, name)
        defects = DefectLog(f"{type(self._port).__name__}.{name}")

        def call(*arguments: Any) -> None:
            try:
                method(*arguments)
            except Exception as defect:
                defects.report(defect)

        # Cached as an attribute, so that `__getattr__` runs once per method.
        setattr(self, name, call)
        return call
