"""Which web pages may use this server: the one allow-list behind CORS and WebSocket handshakes."""

import re
from collections.abc import Collection

ANY_ORIGIN = "*"
OPAQUE_ORIGIN = "null"
"""What browsers send for pages without an origin, such as those opened from a file."""

# An address may follow; the origins that browsers send have none.
_LOCAL = re.compile(r"https?://(?:(?:[^/?#@:]+\.)?localhost|127\.0\.0\.1|\[::1\])(?::\d+)?(?:/.*)?", re.ASCII)


class AllowedOrigins:
    """Judges the `Origin` header of a request.

    Args:
        origins: other sites' origins, e.g. "https://cinema.example"; compared without regard to case.
            OPAQUE_ORIGIN and ANY_ORIGIN are taken too.
        any_local: whether pages on this machine are admitted, whatever their port.
    """

    def __init__(self, origins: Collection[str], *, any_local: bool = False) -> None:
        self._origins = frozenset(origin.lower() for origin in origins)
        self._any_local = any_local

    def admits(self, origin: str | None, host: str | None, scheme: str | None = None) -> bool:
        """Whether a request with this origin may be served.

        Args:
            origin: the `Origin` header; None comes from clients that are no browsers (or from pages of
                this server itself) and is admitted.
            host: the `Host` header, whose own pages are always admitted; the caller has checked it.
            scheme: "http" or "https", as the client uses it; if known, the origin of own pages must have it.
        """
        if origin is None or ANY_ORIGIN in self._origins:
            return True
        origin = origin.lower()
        if origin in self._origins or (self._any_local and is_local(origin)):
            return True
        own_scheme, _, authority = origin.partition("://")
        return host is not None and authority == host.lower() and scheme in (None, own_scheme)


def is_local(address: str) -> bool:
    """Whether only pages on the reader's own machine can have this origin, or address."""
    return _LOCAL.fullmatch(address) is not None
