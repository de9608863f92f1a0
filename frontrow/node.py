"""What this server tells the other nodes of its cluster about itself, taken from its settings."""

import os
import socket
import time
from dataclasses import asdict

from cluster.beats import Facts, Rules
from cluster.wire import VERSION
from engine.policy import Policy
from frontrow import __version__
from frontrow.listening import authority
from frontrow.settings import Settings, variable_of
from frontrow.signing import key_digests

_ALL_ADDRESSES = ("0.0.0.0", "::")  # noqa: S104 - compared, not listened on


def rules_of(settings: Settings) -> Rules:
    """Return the settings that must be the same on all nodes, by variable; of secrets only digests.

    Raises:
        OSError: a generated secret cannot be read or written.
    """
    shared = {**asdict(settings.group(Policy)), "jwt_algorithm": settings.jwt_algorithm}
    for name in ("node_heartbeat_seconds", "node_gone_seconds"):
        shared[name] = getattr(settings, name)
    return {variable_of(name): value for name, value in {**shared, **key_digests(settings)}.items()}


def facts_of(settings: Settings, mark: str, port: int) -> Facts:
    """Return the facts about this node.

    Args:
        settings: name the node and its address.
        mark: its identity, random for each start.
        port: on which it listens.
    """
    host = socket.gethostname()
    name = settings.node_name or f"{host}-{os.getpid()}"
    # A node in a container listens on all its addresses, which would not tell where it is.
    reached_at = host if settings.host in _ALL_ADDRESSES else settings.host
    return Facts(mark, name, authority(reached_at, port), host, __version__, VERSION, time.time())
