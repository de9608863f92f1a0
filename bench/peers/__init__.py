"""Servers to compare with: each as good as an expert makes it, in one process.

A peer answers the paths of Frontrow that its scenarios use, with the same statuses, so that it is sent the
same bytes. All verify tokens by the same code, and none writes an access log. Each module in the table has
`async def serve(given: Given)`, which runs until the process is killed.
"""

from collections.abc import Mapping
from importlib.util import find_spec

PEERS: Mapping[str, tuple[str, ...]] = {
    "asgi-noop": ("uvicorn",),
    "fastapi-postgres": ("fastapi", "uvicorn", "asyncpg"),
    "tornado-broadcast": ("tornado",),
    "tornado-noop": ("tornado",),
    "websockets-broadcast": ("websockets",),
    "websockets-echo": ("websockets",),
}
"""The libraries that each peer imports, by the name of the peer in results."""


class PeerMissing(Exception):
    """A peer cannot run on this machine; the message says what is missing."""


def module_of(name: str) -> str:
    """Return the module of a peer.

    Raises:
        PeerMissing: a library that it imports is not installed.
    """
    if missing := [library for library in PEERS[name] if find_spec(library) is None]:
        raise PeerMissing(f"{', '.join(missing)} not installed: make bench")
    return f"bench.peers.{name.replace('-', '_')}"
