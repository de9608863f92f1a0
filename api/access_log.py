"""Counts and logs finished requests, whatever has served them."""

from collections.abc import Callable
from typing import Protocol

from api.json_log import log_access
from engine.guards import DefectLog

counting = DefectLog("counting a request")
"""Reports defects of the observer; a request that cannot be counted is answered all the same."""


class RouteMeter(Protocol):
    """Counts the requests of one route and method."""

    def finished(self, status: int, seconds: float) -> None:
        """A request was answered."""


class HttpObserver(Protocol):
    """Counts requests."""

    def http_route(self, route: str, method: str) -> RouteMeter:
        """The meter of a path pattern and a method, always the same one."""


class AccessLog:
    """Counts and logs requests.

    Args:
        observer: counts them.
    """

    def __init__(self, observer: HttpObserver) -> None:
        self._observer = observer

    def meter(self, route: str, method: str) -> Callable[[int, float], None]:
        """Count requests of one route and method, given status and seconds. It may raise anything."""
        try:
            return self._observer.http_route(route, method).finished
        except Exception as defect:
            counting.report(defect)
            return lambda status, seconds: None

    def finished(
        self,
        *,
        method: str,
        route: str,
        path: str,
        status: int,
        seconds: float,
        address: str,
        request_id: str | None = None,
        user_id: int | None = None,
    ) -> None:
        """Count and log a request; the arguments are those of `api.json_log.log_access`."""
        try:
            self._observer.http_route(route, method).finished(status, seconds)
        except Exception as defect:
            counting.report(defect)
        log_access(
            method=method,
            route=route,
            path=path,
            status=status,
            seconds=seconds,
            address=address,
            request_id=request_id,
            user_id=user_id,
        )
