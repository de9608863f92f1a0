"""The path prefix under which everything is served, if other programs share the host behind a proxy.

The proxy must not strip the prefix. Health checks and Prometheus usually call the server directly, so health,
readiness and metrics are served with and without the prefix.
"""

import re
from collections.abc import Sequence

from tornado.routing import URLSpec

_ALSO_WITHOUT = frozenset({"/healthz", "/readyz", "/metrics"})


def within(prefix: str, path: str) -> str | None:
    """A request's path without the prefix.

    Args:
        prefix: e.g. "/tickets", or empty.
        path: the request's path.

    Returns:
        None if the path is outside the prefix.
    """
    if not prefix or path in _ALSO_WITHOUT:
        return path
    if path == prefix:
        return "/"
    return path.removeprefix(prefix) if path.startswith(f"{prefix}/") else None


def under(prefix: str, routes: Sequence[URLSpec]) -> list[URLSpec]:
    """The routes with the prefix added to their paths."""
    return [
        URLSpec(re.escape(prefix) + route.regex.pattern, route.handler_class, route.kwargs)
        for route in routes
    ]
