"""Nodes that use one database but different NATS servers do not serve side by side."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import chain
from pathlib import Path

import pytest

from cluster.errors import NodeRefused
from cluster.nats_server import NatsServer
from frontrow.listening import listen
from frontrow.node import node_server
from frontrow.settings import load_settings
from persistence.connector import Connector
from persistence.server_lock import SUPERVISOR, ServerLock
from tests.nats import own_nats_server
from tests.signing_keys import STRONG_SECRET

pytestmark = pytest.mark.gen_test(timeout=60)


@asynccontextmanager
async def serving(database_url: str, nats: NatsServer, data_dir: Path, name: str) -> AsyncIterator[None]:
    """A node with its own session in PostgreSQL, which it looks after like a process of its own."""
    settings = load_settings(
        port=0, data_dir=data_dir, jwt_secret=STRONG_SECRET, nats_url=(nats.url,), node_name=name
    )
    connector = Connector(database_url)
    lock = ServerLock(connector, shared=True)
    await lock.take()
    kept = asyncio.create_task(lock.keep())
    listening = listen(settings)
    server = await node_server(settings, database_url, lock.name, listening)
    try:
        await server.start(listening)
        yield
    finally:
        await server.stop()
        for opened in chain(*listening):
            opened.close()
        kept.cancel()
        lock.release()
        connector.close()


async def test_a_node_that_does_not_hear_the_others_is_refused(
    database_url: str, tmp_path: Path, nats_server: NatsServer
) -> None:
    supervisor = ServerLock(Connector(database_url), shared=True, mark=SUPERVISOR)
    await supervisor.take()
    looked_after = asyncio.create_task(supervisor.keep())
    async with serving(database_url, nats_server, tmp_path, "one"):
        (tmp_path / "other").mkdir()
        async with own_nats_server(tmp_path / "other") as another:
            refusal = "also served by process .+, which these NATS servers do not reach; give all nodes"
            with pytest.raises(NodeRefused, match=refusal):
                async with serving(database_url, another, tmp_path, "two"):
                    raise AssertionError("two clusters serve one database")
        async with serving(database_url, nats_server, tmp_path, "two"):
            pass
    looked_after.cancel()
    supervisor.release()
