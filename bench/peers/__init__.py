"""Servers to compare with: each as good as an expert makes it, in one process.

A peer answers the paths of Frontrow that its scenarios use, with the same statuses, so that it can be sent
the same bytes. Tokens are verified by the same code, verified ones remembered likewise, and no access log is
written by anybody. Each module that the table names has `async def serve(surroundings)`.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import NamedTuple


class PeerMissing(Exception):
    """A peer cannot be run on this machine; the message says what it takes."""


class Peer(NamedTuple):
    """How a peer is run.

    Attributes:
        module: of this package.
        requires: libraries, by the names they are imported by.
    """

    module: str
    requires: tuple[str, ...]

    def require(self) -> None:
        """See that it can be run.

        Raises:
            PeerMissing: a library is not there.
        """
        if missing := [name for name in self.requires if find_spec(name) is None]:
            raise PeerMissing(f"{', '.join(missing)} not installed: make bench")


PEERS: Mapping[str, Peer] = {
    "asgi-noop": Peer("asgi_noop", ("uvicorn",)),
    "fastapi-postgres": Peer("fastapi_postgres", ("fastapi", "uvicorn", "asyncpg")),
    "tornado-broadcast": Peer("tornado_broadcast", ("tornado",)),
    "tornado-noop": Peer("tornado_noop", ("tornado",)),
    "websockets-broadcast": Peer("websockets_broadcast", ("websockets",)),
    "websockets-echo": Peer("websockets_echo", ("websockets",)),
}
"""All peers, by their names in results."""
