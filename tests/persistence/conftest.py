"""These tests run on the event loop that the server runs on: how a loop deals with the sockets that the
driver closes behind its back is part of what they are about."""

import asyncio
from collections.abc import Iterator

import pytest
import uvloop
from tornado.ioloop import IOLoop


@pytest.fixture
def io_loop() -> Iterator[IOLoop]:
    """A fresh uvloop, current for the test."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        asyncio.set_event_loop(runner.get_loop())
        yield IOLoop.current()
        asyncio.set_event_loop(None)
