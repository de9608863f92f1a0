"""What every test shares: the event loop under pytest-tornado's `gen_test`.

The plugin's own `io_loop` fixture calls Tornado methods that are deprecated since 6.2 and leaves the
loop's tasks and threads behind; this one replaces it by name, so `http_server` and `http_client` of
the plugin stand on it as well.
"""

import asyncio
from collections.abc import Iterator

import pytest
from tornado.ioloop import IOLoop

pytest_plugins = ["tests.database"]


@pytest.fixture
def io_loop(request: pytest.FixtureRequest) -> Iterator[IOLoop]:
    """A fresh event loop, current for the test; at the end its tasks are cancelled and it is closed.

    A test may choose what makes it, as a parameter (`tests.http.stage.on_both_loops`).
    """
    with asyncio.Runner(loop_factory=getattr(request, "param", None)) as runner:
        runner.get_loop()
        yield IOLoop.current()
