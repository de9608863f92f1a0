"""Runs `frontrow serve` from locking the data directory to the last line of the log.

A single process takes the database lock, migrates, starts a `Server`, and stops it when a signal arrives or
the database lock is lost. A standby waits for the database lock first. With several workers, `supervise` does
this with a process per worker.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from itertools import chain

import uvloop

from api.json_log import configure_logging
from frontrow.announcing import addresses, base_url_of, prepared_demo, with_demo
from frontrow.background import StoppedEarly, unless_stopped
from frontrow.collector import collect_when_idle, freeze_startup_objects
from frontrow.database import database_of, require_own_sessions
from frontrow.descriptors import allow_descriptors
from frontrow.hang_up import Terminal
from frontrow.life_log import LifecycleLog
from frontrow.listening import listen, port_numbers
from frontrow.server import Server
from frontrow.settings import Settings
from frontrow.supervisor import supervise
from persistence.connector import Connector
from persistence.data_directory import DataDirectory
from persistence.embedded import EmbeddedPostgres
from persistence.migrations import migrate
from persistence.server_lock import DatabaseInUse, ServerLock

log = logging.getLogger("frontrow")


def serve(settings: Settings, *, demo: bool, standby: bool, announce: Callable[[str], None]) -> None:
    """Run a server until SIGTERM or SIGINT; a second signal kills it immediately. Blocking.

    Args:
        settings: valid settings.
        demo: create the demo cinema if there is none, and print how to use it.
        standby: if another server uses the database, wait until it is gone.
        announce: prints a line for the operator.

    Raises:
        DataDirectoryInUse: another server uses the data directory.
        DatabaseInUse, TakenOver: another server uses the database.
        MigrationFailed, EmbeddedPostgresFailed, StoreUnavailable: there is no usable database.
        NatsServerFailed: the embedded NATS server of several workers does not start.
        PoolerNotSupported: the database is only reachable through a pooler.
        AddressUnusable: the server cannot listen on its address.
        WorkersFailed: a worker did not start, or had to be killed at the end.
        ValueError: `standby` without `database_url` or with several workers; or `demo` in production, or
            without a secret to sign tokens with.
    """
    if standby and not settings.database_url:
        raise ValueError(
            "--standby needs FRONTROW_DATABASE_URL: the embedded PostgreSQL stops with its server"
        )
    workers = settings.worker_count
    if workers > 1 and standby:
        raise ValueError(
            "--standby is for a single process; several workers share the database with other nodes"
        )
    if standby and settings.nats_url:
        raise ValueError("--standby does not fit FRONTROW_NATS_URL: the nodes of a cluster serve together")
    if demo and settings.production:
        raise ValueError(
            "--demo creates users and movies for trying the server; leave it out when FRONTROW_ENV is "
            "production"
        )
    if demo and settings.jwt_public_key:
        raise ValueError(
            "--demo signs tokens for its users, which needs a secret; leave it out when "
            "FRONTROW_JWT_PUBLIC_KEY is set"
        )
    configure_logging(settings.log_level)
    allow_descriptors(settings)
    if demo:
        settings = with_demo(settings)
    with DataDirectory(settings.data_dir).locked(), database_of(settings) as (url, embedded):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            if workers > 1:
                runner.run(supervise(settings, url, embedded, demo, announce))
            else:
                runner.run(_serve(settings, url, embedded, demo, standby, announce))


async def _serve(
    settings: Settings,
    url: str,
    embedded: EmbeddedPostgres | None,
    demo: bool,
    standby: bool,
    announce: Callable[[str], None],
) -> None:
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[str] = loop.create_future()
    life = LifecycleLog(settings)

    def stop_soon(number: int) -> None:
        if not stopped.done():
            stopped.set_result(signal.Signals(number).name)
        loop.remove_signal_handler(number)

    terminal = Terminal()

    def hang_up() -> None:
        if terminal.is_gone:
            stop_soon(signal.SIGHUP)
        else:
            log.warning("SIGHUP replaces workers; with a single process there is nothing to replace")

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop_soon, number)
    loop.add_signal_handler(signal.SIGHUP, hang_up)
    companions = [asyncio.create_task(collect_when_idle())]
    if embedded is not None:
        companions.append(asyncio.create_task(embedded.keep_running()))
    connector = Connector(url)
    clustered = bool(settings.nats_url)
    lock = ServerLock(connector, shared=clustered)
    try:
        await unless_stopped(require_own_sessions(settings, url), stopped)
        if not await _take_lock(settings, lock, standby, stopped, announce):
            return
        for revision in await asyncio.to_thread(migrate, url):
            log.info("applied migration %s", revision)
        lock_kept = asyncio.create_task(lock.keep())
        companions.append(lock_kept)
        listening = listen(settings)
        port = port_numbers(listening.public)[0]
        # Before the server accepts connections: whoever comes first finds something to choose.
        demo_lines = await unless_stopped(prepared_demo(settings, url, port), stopped) if demo else []
        if clustered:
            # Imports the NATS client, which other servers do not need.
            starting = import_module("frontrow.node").node_server(settings, url, lock.name, listening)
            server = await unless_stopped(starting, stopped)
        else:
            server = Server(settings, url, lock.name)
        try:
            await unless_stopped(server.start(listening), stopped)
            freeze_startup_objects()
            life.started(base_url_of(settings, port))
            for line in chain(addresses(settings, port, server.proxied_ports), demo_lines):
                announce(line)
            await asyncio.wait((stopped, lock_kept), return_when=asyncio.FIRST_COMPLETED)
            if lock_kept.done():
                log.error("%s", lock_kept.exception())
        finally:
            await server.stop()
        if lock_kept.done():
            await lock_kept
    except StoppedEarly:
        pass
    finally:
        lock.release()
        connector.close()
        for companion in companions:
            companion.cancel()
        life.stopped(stopped.result() if stopped.done() else str(sys.exception()))


async def _take_lock(
    settings: Settings,
    lock: ServerLock,
    standby: bool,
    stopped: "asyncio.Future[str]",
    announce: Callable[[str], None],
) -> bool:
    """Take the database lock; a standby waits for it. Return False if a signal came first."""
    try:
        await unless_stopped(lock.take(), stopped)
    except DatabaseInUse as exc:
        if not standby:
            raise
        # Check now that the server could listen later, but do not listen yet: proxies can safely send any
        # request to the other server when a connection is refused.
        for listening in chain(*listen(settings)):
            listening.close()
        announce(f"standing by; {exc.now}")
        log.info("standing by; %s", exc.now)
        free = asyncio.create_task(lock.wait())
        await asyncio.wait((free, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not free.done():
            free.cancel()
            return False
        await free
        log.info("taking over")
    return True
