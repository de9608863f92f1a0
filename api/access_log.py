"""Counts and logs finished requests, from REST, Tornado's handlers and the HTTP layer alike."""

from collections.abc import Callable
from typing import Any, Protocol

from api.json_log import log_access
from engine.guards import DefectLog

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

counting = DefectLog("counting a request")
"""Reports exceptions of the observer, which must not affect the request."""


class RouteMeter(Protocol):
    """Counts the requests of one route and method."""

    def finished(self, status: int, seconds: float) -> None:
        """Count an answered request."""


class HttpObserver(Protocol):
    """Counts requests."""

    def http_route(self, route: str, method: str) -> RouteMeter:
        """Return the meter of a path pattern and a method; the same object in every call."""


class AccessLog:
    """Counts and logs requests.

    Args:
        observer: counts them.
    """

    def __init__(self, observer: HttpObserver) -> None:
        self._observer = observer

    def meter(self, route: str, method: str) -> Callable[[int, float], None]:
        """Return the function that counts a request of a route and method; it may raise any exception.

        Its arguments are the status and the duration in seconds.
        """
        try:
            return self._observer.http_route(route, method).finished
        except Exception as defect:
            counting.report(defect)
            return lambda status, seconds: None

    def finished(self, *, method: str, route: str, status: int, seconds: float, **more: Any) -> None:
        """Count and log a request; the arguments are those of `api.json_log.log_access`.

        Unusual methods are called OTHER, since clients can make up any number of them.
        """
        method = method if method in _METHODS else "OTHER"
        try:
            self._observer.http_route(route, method).finished(status, seconds)
        except Exception as defect:
            counting.report(defect)
        log_access(method=method, route=route, status=status, seconds=seconds, **more)
