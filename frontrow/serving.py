"""Runs a server process from taking the database lock to the last line of the log.

`serve` locks the data directory, takes the database lock, migrates, starts a `Server`, and stops it when a
signal arrives or the database lock is lost. A standby waits for the database lock first.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import chain

import uvloop

from api.identity.origins import OPAQUE_ORIGIN
from api.json_log import configure_logging
from frontrow.collector import collect_when_idle, freeze_startup_objects
from frontrow.database import database_of, require_own_sessions
from frontrow.demo import demo_passwords, describe, guide_ports_hint, prepare_demo
from frontrow.descriptors import allow_descriptors
from frontrow.life_log import LifecycleLog
from frontrow.listening import authority, listen
from frontrow.server import Server
from frontrow.settings import Settings
from frontrow.signing import tokens_of
from persistence.bulk import BulkLoader
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
        PoolerNotSupported: the database is only reachable through a pooler.
        AddressUnusable: the server cannot listen on its address.
        ValueError: `standby` without `database_url`; or `demo` in production, or without a secret to sign
            tokens with.
    """
    if standby and not settings.database_url:
        raise ValueError(
            "--standby needs FRONTROW_DATABASE_URL: the embedded PostgreSQL stops with its server"
        )
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
        # The rooms guide's test page is opened from a file.
        settings = replace(settings, allowed_origins=(*settings.allowed_origins, OPAQUE_ORIGIN))
    with DataDirectory(settings.data_dir).locked(), database_of(settings) as (url, embedded):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
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

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop_soon, number)
    companions = [asyncio.create_task(collect_when_idle())]
    if embedded is not None:
        companions.append(asyncio.create_task(embedded.keep_running()))
    connector = Connector(url)
    lock = ServerLock(connector)
    try:
        await require_own_sessions(settings, url)
        if not await _take_lock(settings, lock, standby, stopped, announce):
            return
        for revision in await asyncio.to_thread(migrate, url):
            log.info("applied migration %s", revision)
        lock_kept = asyncio.create_task(lock.keep())
        companions.append(lock_kept)
        server = Server(settings, url, lock.name)
        try:
            await server.start()
            freeze_startup_objects()
            base_url = f"http://{authority(settings.host, server.port)}{settings.path_prefix}"
            life.started(base_url)
            announce(f"listening on {base_url}")
            for port in settings.extra_ports:
                announce(f"also listening on http://{authority(settings.host, port)}{settings.path_prefix}")
            if settings.metrics_port:
                place = authority(settings.metrics_host, settings.metrics_port)
                announce(f"metrics are on http://{place}/metrics")
            for port in server.proxied_ports:
                place = authority(settings.host, port)
                announce(f"listening for the PROXY protocol of trusted proxies on {place}")
            if demo:
                for line in await _prepare_demo(settings, url, base_url):
                    announce(line)
            await asyncio.wait((stopped, lock_kept), return_when=asyncio.FIRST_COMPLETED)
            if lock_kept.done():
                log.error("%s", lock_kept.exception())
        finally:
            await server.stop()
        if lock_kept.done():
            await lock_kept
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
        await lock.take()
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


async def _prepare_demo(settings: Settings, url: str, base_url: str) -> list[str]:
    connector = Connector(url, pool_size=1)
    passwords = await asyncio.to_thread(demo_passwords, settings.data_dir)
    try:
        demo = await prepare_demo(BulkLoader(connector), passwords)
    finally:
        connector.close()
    lines = describe(demo, base_url, tokens_of(settings), settings.token_ttl_seconds)
    if settings.metrics_open:
        lines = [*lines, "", f"Metrics       {base_url}/metrics"]
    return lines if settings.extra_ports else [*lines, "", *guide_ports_hint()]
