"""Chooses the NATS servers of a process: the operator's, or the embedded one in the data directory.

Only processes that belong to a cluster import this module, since it imports the NATS client.
"""

from pathlib import Path

from cluster.connection import Connection
from cluster.errors import NatsUnavailable
from cluster.nats_server import url_of
from frontrow.settings import Settings


def nats_connection(settings: Settings, name: str) -> Connection:
    """Return the connection to NATS, which has to be started.

    Args:
        settings: use `nats_url`, or without one the server that another process runs for `data_dir`.
        name: shown in the monitoring of NATS.

    Raises:
        NatsUnavailable: there is no such server, or a file for connecting cannot be used.
    """
    embedded = url_of(settings.data_dir)
    urls = settings.nats_url or ((embedded,) if embedded else ())
    if not urls:
        raise NatsUnavailable(
            f"No NATS server runs for {settings.data_dir}; set FRONTROW_NATS_URL, or start workers there"
        )
    return Connection(
        urls,
        name,
        credentials=Path(settings.nats_credentials) if settings.nats_credentials else None,
        ca=Path(settings.nats_ca) if settings.nats_ca else None,
    )
