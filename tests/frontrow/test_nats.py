"""A process finds NATS; a server without a cluster does not load the client."""

import subprocess
import sys
from pathlib import Path

import pytest

from cluster.errors import NatsUnavailable
from frontrow.nats import nats_connection
from frontrow.settings import Settings
from tests.nats import own_nats_server


@pytest.mark.gen_test
async def test_the_embedded_server_of_another_process_is_found(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with pytest.raises(NatsUnavailable, match=r"No NATS server runs for .*; set FRONTROW_NATS_URL"):
        nats_connection(settings, "test")
    async with own_nats_server(tmp_path):
        connection = nats_connection(settings, "test")
        await connection.start()
        await connection.stop()


@pytest.mark.gen_test
async def test_the_operators_servers_come_first(tmp_path: Path) -> None:
    async with own_nats_server(tmp_path) as server:
        url = server.url.replace("nats://", "tls://")
        with pytest.raises(NatsUnavailable, match="does not offer TLS"):
            await nats_connection(Settings(data_dir=tmp_path, nats_url=(url,)), "test").start()


def test_a_server_without_a_cluster_does_not_load_the_client() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, frontrow.cli, frontrow.serving; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert "frontrow.server" in loaded
    assert not [module for module in loaded if module.partition(".")[0] == "nats"]
