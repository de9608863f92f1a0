"""Fixtures for all tests: the event loop of pytest-tornado's `gen_test`, and a check of ports.

The plugin's own `io_loop` fixture calls Tornado methods that are deprecated since 6.2 and leaves tasks and
threads behind. This one replaces it by name, so the plugin's `http_server` and `http_client` use it as well.
"""

import asyncio
import gc
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from tornado.ioloop import IOLoop

from frontrow import shared_counts
from tests import topology

pytest_plugins = ["tests.database", "tests.acceptance.figures_summary", "tests.inbox", "tests.nats"]

# On a busy machine an example takes longer than Hypothesis' deadline of 200 ms.
hypothesis.settings.register_profile("frontrow", deadline=None)
hypothesis.settings.load_profile("frontrow")

PATIENCE_SECONDS = 60.0

_TURNS_OF_ACCEPTING, _MOST_TURNS = 5, 100
"""Turns of an event loop from the connection of a client to the transport, and how many to wait at most."""

_RANGE_OF_FREE_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")


LONG_TESTS = tuple(
    f"tests/{path}"
    for path in ("acceptance/", "cluster_faults/", "deploy/", "generators/", "contracts/test_clusters.py")
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    topology.prepare(items)
    # Long tests run first, so that the processes of a parallel run end at about the same time.
    items.sort(key=lambda item: not item.nodeid.startswith(LONG_TESTS))


def pytest_collection_finish() -> None:
    """Exempt modules and tests, which stay until the end, from garbage collection.

    Otherwise a quarter of the time of small tests is spent on looking at them again and again.
    """
    gc.collect()
    gc.freeze()


class FixedPort(Exception):
    """A test binds a port that the operating system did not choose, so it fails if that port is in use."""


@pytest.fixture(scope="session", autouse=True)
def free_ports_only() -> Iterator[None]:
    """Reject binding ports below the range that the operating system chooses from."""
    try:
        first_free = int(_RANGE_OF_FREE_PORTS.read_text().split()[0])
    except FileNotFoundError:
        first_free = 32_768

    def bind(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and 0 < address[1] < first_free:
            raise FixedPort(f"{address[0]}:{address[1]} may be taken; bind port 0 and ask for the number")
        super(socket.socket, self).bind(address)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(socket.socket, "bind", bind, raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def network_of_nodes(request: pytest.FixtureRequest) -> None:
    """Start the NATS server if tests run against several nodes."""
    if topology.topology().nodes > 1:
        request.getfixturevalue("nats_server")


@pytest.fixture(scope="session", autouse=True)
def patient_nodes() -> Iterator[None]:
    """Let nodes in this process wait for the answers of others and of NATS, however busy the machine is.

    Otherwise they soon go on without an answer; tests of silence set shorter limits themselves.
    """
    with pytest.MonkeyPatch.context() as patched:
        for limit in (
            "cluster.totals.WAIT_SECONDS",
            "cluster.figures.WAIT_SECONDS",
            "cluster.figures.CHANGE_SECONDS",
            "cluster.keys.TELL_SECONDS",
            "cluster.sharing.FORGET_SECONDS",
            "cluster.connection.PING_SECONDS",
        ):
            patched.setattr(limit, PATIENCE_SECONDS)
        for limit in ("REQUIRED", "OPTIONAL", "ADMISSION"):
            patience = getattr(shared_counts, limit)
            patched.setattr(shared_counts, limit, patience._replace(seconds=PATIENCE_SECONDS))
        yield


def _is_open(transport: asyncio.WriteTransport) -> bool:
    return not transport.is_closing() or transport.get_write_buffer_size() > 0


@pytest.fixture
def io_loop(request: pytest.FixtureRequest) -> Iterator[IOLoop]:
    """A new event loop, current during the test; afterwards its tasks are cancelled and it is closed.

    A test may choose the loop factory as a parameter (`tests.http.stage.on_both_loops`).
    """
    with asyncio.Runner(loop_factory=getattr(request, "param", None)) as runner:
        # A runner only does this itself for loops that it creates.
        asyncio.set_event_loop(loop := runner.get_loop())
        yield IOLoop.current()
        # A connection whose client has gone as the test ended may not know it yet, or may only be accepted in
        # one of the next turns. Left open, it would be reported by the garbage collector in some later test.
        turns_without = 0
        for _ in range(_MOST_TURNS):
            left = [each for each in list(getattr(loop, "_transports", {}).values()) if _is_open(each)]
            turns_without = 0 if left else turns_without + 1
            if turns_without > _TURNS_OF_ACCEPTING:
                break
            for transport in left:
                transport.abort()
            runner.run(asyncio.sleep(0))
    asyncio.set_event_loop(None)
