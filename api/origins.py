"""Which web pages may use this server: the one allow-list behind CORS and WebSocket handshakes."""

from collections.abc import Collection
from urllib.parse import urlsplit


class AllowedOrigins:
    """Judges the `Origin` header of a request.

    Args:
        origins: other sites' origins, e.g. "https://cinema.example"; compared without regard to case.
    """

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = frozenset(origin.lower() for origin in origins)

    def admits(self, origin: str | None, host: str | None) -> bool:
        """Whether a request with this origin may be served.

        Args:
            origin: the `Origin` header; None comes from clients that are no browsers (or from pages of
                this server itself) and is admitted.
            host: the `Host` header, whose own pages are always admitted.
        """
        if origin is None:
            return True
        origin = origin.lower()
        _, _, authority = origin.partition("://")
        return origin in self._origins or (host is not None and authority == host.lower())


def is_local(origin: str) -> bool:
    """Whether only pages on this very machine can have this origin."""
    host = urlsplit(origin).hostname or ""
    return host in ("localhost", "127.0.0.1", "::1") or host.endswith(".localhost")
