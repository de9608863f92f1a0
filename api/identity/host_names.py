"""Checks the `Host` header against the server's own names, to prevent DNS rebinding.

An attacker can load a page from evil.example and then point that name at this server's address. The page's
requests are then same-origin for the browser, so CORS does not apply, but they carry `Host: evil.example`.
The server therefore only answers requests to its own names. IP addresses and `localhost` are always
accepted, because a foreign page cannot have them as its host, and probes by address then need no setting.
"""

import re
from collections.abc import Collection
from functools import lru_cache
from ipaddress import ip_address

ANY_NAME = "*"

_NAMES_KEPT = 1024
_HOST = re.compile(r"(?:\[(?P<address>[^\]]*)\]|(?P<name>[^:]*))(?::[0-9]*)?", re.ASCII)


class HostNames:
    """The host names that this server accepts.

    Args:
        names: names of this server, without ports, case-insensitive. ANY_NAME accepts every name.
    """

    def __init__(self, names: Collection[str] = ()) -> None:
        self._names = frozenset(name.lower().removesuffix(".") for name in names)

    def admits(self, host: str | None) -> bool:
        """Return whether a request to this host is accepted.

        Args:
            host: the `Host` header, with or without a port. None and an empty header are accepted, since
                browsers always send a name.
        """
        if host is None or ANY_NAME in self._names:
            return True
        name = _name_of(host)
        return name is None or name in self._names


@lru_cache(_NAMES_KEPT)
def _name_of(host: str) -> str | None:
    """Return the DNS name in a `Host` header; None for IP addresses, `localhost` and an empty header."""
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
