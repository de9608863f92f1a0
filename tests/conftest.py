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
def io_loop() -> Iterator[IOLoop]:
    """A fresh event loop, current for the test; at the end its tasks are cancelled and it is closed."""
    with asyncio.Runner() as runner:
        runner.get_loop()
        yield IOLoop.current()
