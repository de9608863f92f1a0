"""The allow-list of web origins, used by CORS and by WebSocket handshakes."""

import re
from collections.abc import Collection

ANY_ORIGIN = "*"
OPAQUE_ORIGIN = "null"
"""The `Origin` that browsers send for pages without one, such as local files."""

# Also matches URLs with a path; an `Origin` header never has one.
_LOCAL = re.compile(r"https?://(?:(?:[^/?#@:]+\.)?localhost|127\.0\.0\.1|\[::1\])(?::\d+)?(?:/.*)?", re.ASCII)


class AllowedOrigins:
    """The origins whose pages may use this server.

    Args:
        origins: origins of other sites, e.g. "https://cinema.example", case-insensitive; may include
            OPAQUE_ORIGIN and ANY_ORIGIN.
        any_local: whether to admit pages on this machine, on any port.
    """

    def __init__(self, origins: Collection[str], *, any_local: bool = False) -> None:
        self._origins = frozenset(origin.lower() for origin in origins)
        self._any_local = any_local

    def admits(self, origin: str | None, host: str | None, scheme: str | None = None) -> bool:
        """Return whether a request with this origin may be served.

        Args:
            origin: the `Origin` header. None is admitted: it comes from clients other than browsers, and
                from same-origin requests.
            host: the `Host` header. Pages of this host are always admitted, so the caller must have
                checked it against `HostNames`.
            scheme: "http" or "https" as used by the client, None if unknown. If known, pages of this host
                must have the same scheme.
        """
        if origin is None or ANY_ORIGIN in self._origins:
            return True
        origin = origin.lower()
        if origin in self._origins or (self._any_local and is_local(origin)):
            return True
        own_scheme, _, authority = origin.partition("://")
        return host is not None and authority == host.lower() and scheme in (None, own_scheme)


def is_local(address: str) -> bool:
    """Return whether an origin or URL is on the visitor's own machine."""
    return _LOCAL.fullmatch(address) is not None
