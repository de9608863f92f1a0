"""One worker process: a server on listening sockets that the supervisor has opened.

The supervisor runs `python -m frontrow.worker DESCRIPTOR`, never a fork of itself, so that nothing which was
made at import (random keys, event loop, garbage collector) is shared. DESCRIPTOR is the worker's end of its
channel. The worker ends when it gets SIGTERM, when it is told to drain, when it loses its database lock, and
when the supervisor ends; then it has `Settings.end_seconds` before the kernel ends it.
"""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

import uvloop

from api.json_log import configure_logging
from engine.errors import Stopping, Unavailable
from frontrow.announcing import with_demo
from frontrow.background import StoppedEarly, unless_stopped
from frontrow.channel import Channel, StartMessage
from frontrow.collector import collect_when_idle, freeze_startup_objects
from frontrow.expected_errors import sentence_for
from frontrow.listening import Listening
from frontrow.node import node_server
from frontrow.server import Server
from frontrow.settings import Settings, load_settings
from frontrow.supervision import DRAIN_SECONDS
from metrics.workers import families_of
from persistence.connector import Connector
from persistence.server_lock import ServerLock

log = logging.getLogger("frontrow")

_PAGE_SECONDS = 1.5
"""Time limit for the supervisor to provide `/metrics` of all workers."""

_PAGES_LIMIT = 64
"""Requests for `/metrics` that may wait for the supervisor; more are answered with 503."""


class _Worker:
    """The supervisor's counterpart in a worker: follows its messages while the worker serves.

    Args:
        channel: to the supervisor.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._numbers = count(1)
        self._pages: dict[int, asyncio.Future[tuple[str, bytes]]] = {}
        self._server: Server | None = None
        self._end_seconds = Settings.stop_seconds
        self._told: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def serve(self, start: StartMessage) -> None:
        """Serve until told to stop, and stop in order."""
        settings = load_settings(host=start.host, port=start.port, data_dir=Path(start.data_dir))
        self._end_seconds = settings.end_seconds
        configure_logging(settings.log_level, start.worker)
        if start.demo:
            settings = with_demo(settings)
        connector = Connector(start.database_url)
        lock = ServerLock(connector, shared=True)
        collecting = asyncio.create_task(collect_when_idle())
        try:
            await unless_stopped(lock.take(), self._told)
            kept = asyncio.create_task(lock.keep())
            listening = _listening(start)
            server = self._server = await unless_stopped(
                node_server(settings, start.database_url, lock.name, listening, self._page_of_all), self._told
            )
            try:
                await unless_stopped(server.start(listening), self._told)
                freeze_startup_objects()
                self._channel.send("ready")
                await asyncio.wait((self._told, kept), return_when=asyncio.FIRST_COMPLETED)
                if self._told.done() and self._told.result() == "drain":
                    await server.drain(DRAIN_SECONDS)
            finally:
                await server.stop()
                self._channel.send("metrics", await families_of(server.registry))
            if kept.done():
                await kept
            kept.cancel()
        except StoppedEarly:
            pass
        finally:
            collecting.cancel()
            lock.release()
            connector.close()

    def stop(self) -> None:
        """Stop soon."""
        self._tell("stop")

    async def obey(self) -> None:
        """Follow the supervisor's messages until it ends, and then stop."""
        async for kind, value in self._channel.messages():
            match kind, value:
                case "drain", _:
                    self._tell("drain")
                case "collect", _ if self._server is not None:
                    self._channel.send("metrics", await families_of(self._server.registry))
                case "page", [number, media_type, body]:
                    if (page := self._pages.get(number)) and not page.done():
                        page.set_result((media_type, body))
        # Nobody kills this process if it does not end by itself.
        signal.alarm(int(self._end_seconds))
        if not self._told.done():
            log.error("the supervisor has ended, so this worker stops")
        self.stop()

    async def _page_of_all(self, accept_header: str) -> tuple[str, bytes]:
        if self._told.done():
            raise Stopping(Stopping.detail)
        if len(self._pages) >= _PAGES_LIMIT:
            raise Unavailable("Too many requests for the metrics are waiting")
        number = next(self._numbers)
        page = self._pages[number] = asyncio.get_running_loop().create_future()
        self._channel.send("page", (number, accept_header))
        try:
            async with asyncio.timeout(_PAGE_SECONDS):
                media_type, body = await page
                return media_type, body
        except TimeoutError:
            raise Unavailable("The metrics of the workers could not be collected in time") from None
        finally:
            del self._pages[number]

    def _tell(self, what: str) -> None:
        if not self._told.done():
            self._told.set_result(what)


def _listening(start: StartMessage) -> Listening:
    return Listening(*(_sockets(descriptors) for descriptors in (start.public, start.proxied, start.metrics)))


def _sockets(descriptors: Sequence[int]) -> list[socket.socket]:
    sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
    for inherited in sockets:
        inherited.set_inheritable(False)
    return sockets


async def _run(end: socket.socket) -> int:
    channel = await Channel.over(end)
    async for _, value in channel.messages():
        start = StartMessage.received(value)
        break
    else:
        return 1
    worker = _Worker(channel)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
    obeying = asyncio.create_task(worker.obey())
    try:
        await worker.serve(start)
    except Exception as exc:
        sentence = sentence_for(exc)
        if sentence is None:
            log.exception("the worker has failed")
        channel.send("failed", sentence or repr(exc))
        return 1
    finally:
        obeying.cancel()
        with suppress(asyncio.CancelledError):
            await obeying
        await channel.close()
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(_run(socket.socket(fileno=int(sys.argv[1])))))
