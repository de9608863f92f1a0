"""Runs these tests on uvloop, like the server.

They depend on how a loop treats sockets that the driver closes without telling it.
"""

import asyncio
from collections.abc import Iterator

import pytest
import uvloop
from tornado.ioloop import IOLoop


@pytest.fixture
def io_loop() -> Iterator[IOLoop]:
    """A new uvloop, current for the test."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        asyncio.set_event_loop(runner.get_loop())
        yield IOLoop.current()
        asyncio.set_event_loop(None)


@pytest.fixture
def long_lock_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the journal wait for a lock as long as a test holds it."""
    monkeypatch.setattr("persistence.journal_connection.LOCK_SECONDS", 60)
