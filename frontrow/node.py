"""Builds a server that is a node of a cluster.

Only processes that belong to a cluster import this module, since it imports the NATS client.
"""

import os
import socket
import time
from dataclasses import asdict

from api.json_log import name_process
from api.services import MetricsPage
from cluster.beats import Facts, Rules, Timing
from cluster.node import Node
from cluster.wire import VERSION
from engine.policy import Policy
from frontrow import __version__
from frontrow.counts import own_counts
from frontrow.listening import Listening, authority, port_numbers
from frontrow.nats import nats_connection
from frontrow.server import Server
from frontrow.settings import Settings, variable_of
from frontrow.shared_counts import shared_counts
from frontrow.signing import key_digests
from persistence.connector import Connector
from persistence.identity import database_identity
from persistence.server_lock import ServerName


async def node_server(
    settings: Settings,
    database_url: str,
    name: ServerName,
    listening: Listening,
    metrics_page: MetricsPage | None = None,
) -> Server:
    """Return a server that is a node of a cluster, to be started with `listening`.

    Args:
        settings: valid settings.
        database_url: the migrated database, without a pooler. Its nodes form the cluster.
        name: of this server.
        listening: its open listening sockets.
        metrics_page: as for `Server`.

    Raises:
        NatsUnavailable: there is no NATS server, or a file for connecting cannot be used.
        StoreUnavailable: the database cannot be reached.
    """
    facts = facts_of(settings, name.mark, port_numbers(listening.public)[0])
    name_process(node=facts.name, mark=facts.mark)
    connector = Connector(database_url)
    try:
        cluster = await database_identity(connector)
    finally:
        connector.close()
    connection = nats_connection(settings, f"frontrow {facts.name}")
    node = Node(connection, cluster, facts, rules_of(settings), settings.group(Timing), _mark_of)
    counts = shared_counts(node.links, node.membership, own_counts(settings))
    return Server(settings, database_url, name, metrics_page=metrics_page, node=node, counts=counts)


def _mark_of(name: str) -> str:
    parsed = ServerName.parsed(name)
    return parsed.mark if parsed else name


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
