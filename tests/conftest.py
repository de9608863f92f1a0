"""What every test shares: the event loop under pytest-tornado's `gen_test`, and that ports are free ones.

The plugin's own `io_loop` fixture calls Tornado methods that are deprecated since 6.2 and leaves the
loop's tasks and threads behind; this one replaces it by name, so `http_server` and `http_client` of
the plugin stand on it as well.
"""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from tornado.ioloop import IOLoop

pytest_plugins = ["tests.database", "tests.acceptance.figures_summary"]

# A busy machine takes longer than the 200 ms that Hypothesis allows an example.
hypothesis.settings.register_profile("frontrow", deadline=None)
hypothesis.settings.load_profile("frontrow")

_RANGE_OF_FREE_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")


class FixedPort(Exception):
    """A test binds a port that the system has not chosen, so that it fails where that is taken."""


@pytest.fixture(scope="session", autouse=True)
def free_ports_only() -> Iterator[None]:
    """Let no test bind a port below those that the system chooses from."""
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


@pytest.fixture
def io_loop(request: pytest.FixtureRequest) -> Iterator[IOLoop]:
    """A fresh event loop, current for the test; at the end its tasks are cancelled and it is closed.

    A test may choose what makes it, as a parameter (`tests.http.stage.on_both_loops`).
    """
    with asyncio.Runner(loop_factory=getattr(request, "param", None)) as runner:
        # A runner does this itself only for loops of its own making.
        asyncio.set_event_loop(runner.get_loop())
        yield IOLoop.current()
    asyncio.set_event_loop(None)
