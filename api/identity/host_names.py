"""Checks the `Host` header against the server's own names, which prevents DNS rebinding.

After a page of evil.example was loaded, its owner can point that name at this server's address. To the
browser the page's requests then stay within their origin, so no CORS rule stops them, but they carry `Host:
evil.example`. So only requests to the server's own names are answered. A page from elsewhere cannot have an
IP address or `localhost` as its host, so these are always accepted, and probes by address need no setting.
"""

import re
from collections.abc import Collection
from functools import lru_cache
from ipaddress import ip_address

ANY_NAME = "*"

_NAMES_KEPT = 1024
_HOST = re.compile(r"(?:\[(?P<address>[^\]]*)\]|(?P<name>[^:]*))(?::[0-9]*)?", re.ASCII)


class HostNames:
    """Judges the `Host` header of a request.

    Args:
        names: names of this server, without ports, in any case. ANY_NAME accepts every name.
    """

    def __init__(self, names: Collection[str] = ()) -> None:
        self._names = frozenset(name.lower().removesuffix(".") for name in names)

    def admits(self, host: str | None) -> bool:
        """Whether a request to this host is answered.

        Args:
            host: the `Host` header, with or without a port. None and an empty one are accepted, since
                browsers always send a name.
        """
        if host is None or ANY_NAME in self._names:
            return True
        name = _name_of(host)
        return name is None or name in self._names


@lru_cache(_NAMES_KEPT)
def _name_of(host: str) -> str | None:
    """The DNS name in a `Host` header; None for addresses, `localhost` and an empty header."""
    match = _HOST.fullmatch(host)
    if match is None:
        return host
    name = (match["name"] or "").lower().removesuffix(".")
    if not name or name == "localhost" or name.endswith(".localhost"):
        return None
    try:
        ip_address(name)
    except ValueError:
        return name
    return None
