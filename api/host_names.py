"""Which names this server answers to: the check of the `Host` header against DNS rebinding.

A page of evil.example can have its own name point at this server's address after it was loaded. Its requests
then come from the page's own origin as far as the browser can tell, so no rule about origins stops them, but
they carry `Host: evil.example`. So requests are answered only under names that are known to be the server's.
No page can be given an IP address or `localhost` for its name, so these are always answered: probes that know
nothing but an address need no setting.
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
        names: what this server is called, without ports; compared without regard to case. ANY_NAME for any.
    """

    def __init__(self, names: Collection[str] = ()) -> None:
        self._names = frozenset(name.lower().removesuffix(".") for name in names)

    def admits(self, host: str | None) -> bool:
        """Whether a request to this host is answered.

        Args:
            host: the `Host` header, with or without a port. None and the empty one are admitted, since
                browsers never send them.
        """
        if host is None or ANY_NAME in self._names:
            return True
        name = _name_of(host)
        return name is None or name in self._names


@lru_cache(_NAMES_KEPT)
def _name_of(host: str) -> str | None:
    """The name that a page could have been given; None for addresses, `localhost` and nothing."""
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
