"""The composition root: builds all that a server is made of, starts it, and takes it down in order.

Nothing connects, listens or reads the environment before `Server.start`. Going down means: accept no
more, answer whatever waits, flush the journal (which answers the bookings on their way), let the last
answers leave, say goodbye to the sockets, close the database.
"""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Mapping

import uvloop
from prometheus_client import CollectorRegistry
from tornado.netutil import bind_sockets

from api import sockets
from api.application import FrontrowApplication
from api.feed import SeatFeed
from api.http_server import make_http_server
from api.json_log import configure_logging
from api.origins import AllowedOrigins
from api.receipts import encode_reply
from api.services import Limits, Services
from engine.box_office import BoxOffice
from engine.clock import SystemClock
from engine.directory import Screenings
from engine.errors import StoreUnavailable
from engine.policy import Policy
from frontrow import __version__
from frontrow.background import Recurring
from frontrow.database import database_of
from frontrow.demo import describe, kept_passwords, prepare_demo
from frontrow.settings import Settings
from frontrow.signing import tokens_of
from metrics.event_loop import sample_event_loop_lag
from metrics.exposition import render
from metrics.observer import MetricsObserver
from metrics.readings import Readings, register_readings
from persistence.catalogue import Catalogue
from persistence.connector import Connector
from persistence.data_directory import DataDirectory
from persistence.embedded import EmbeddedPostgres
from persistence.idempotency import IdempotencyKeys
from persistence.ids import IdBlocks
from persistence.journal import PostgresJournal
from persistence.ledger import PostgresLedger
from persistence.migrations import migrate
from persistence.reservations import Reservations
from persistence.store import PostgresStore
from persistence.tickets import Tickets

log = logging.getLogger("frontrow")

GOING_AWAY = 1001
_FLUSH_LIMIT_SECONDS = 8.0
_ANSWER_LIMIT_SECONDS = 1.0
_FORGET_SECONDS = 3600.0


class Server:
    """One server process's parts, wired.

    Args:
        settings: valid settings.
        database_url: the migrated database.
    """

    def __init__(self, settings: Settings, database_url: str) -> None:
        self._settings = settings
        self._clock = SystemClock()
        self._registry = CollectorRegistry()
        self._observer = MetricsObserver(self._registry)
        self._connector = Connector(
            database_url,
            pool_size=settings.database_pool_size,
            statement_timeout_seconds=settings.statement_timeout_seconds,
        )
        # Who it is in the table of epochs, for people.
        owner = f"{socket.gethostname()}:{os.getpid()}"
        self._hold_ids = IdBlocks(self._connector, "hold_ids")
        self._ticket_ids = IdBlocks(self._connector, "ticket_ids")
        self._journal = PostgresJournal(
            self._connector, encode_reply, self._observer, limit=settings.journal_limit
        )
        self._feed = SeatFeed(self._clock, self._observer, tick_seconds=settings.socket_tick_ms / 1000)
        policy = Policy(
            hold_seconds=settings.hold_seconds,
            extension_limit=settings.hold_extension_limit,
            hold_life_seconds=settings.hold_life_seconds,
            held_seats_limit=settings.held_seats_limit,
            payment_window_seconds=settings.payment_window_seconds,
        )
        self._screenings = Screenings(
            PostgresStore(self._connector, owner),
            self._journal,
            self._feed,
            self._observer,
            self._clock,
            self._hold_ids,
            self._ticket_ids,
            policy,
            mailbox_limit=settings.mailbox_limit,
            ask_timeout_seconds=settings.ask_timeout_seconds,
            idle_seconds=settings.idle_seconds,
            change_memory=settings.resume_limit,
        )
        self._idempotency = IdempotencyKeys(self._connector)
        tickets, reservations = Tickets(self._connector), Reservations(self._connector)
        tokens = tokens_of(settings)
        origins = AllowedOrigins(settings.allowed_origins)
        limits = Limits(
            body_bytes=settings.body_limit_bytes,
            header_timeout_seconds=settings.header_timeout_seconds,
            body_timeout_seconds=settings.body_timeout_seconds,
            seats_per_request=settings.seats_per_request_limit,
            answer_wait_seconds=settings.ask_timeout_seconds,
        )
        self._application = FrontrowApplication(
            Services(
                version=__version__,
                screenings=self._screenings,
                box_office=BoxOffice(self._screenings, self._journal, PostgresLedger(self._connector)),
                journal=self._journal,
                tickets=tickets,
                reservations=reservations,
                idempotency=self._idempotency,
                tokens=tokens,
                hub=self._feed,
                clock=self._clock,
                http_observer=self._observer,
                readiness=self._unready,
                metrics_page=lambda accept: render(self._registry, accept),
                allowed_origins=origins,
                limits=limits,
            ),
            sockets.routes(
                sockets.SocketServices(
                    screenings=self._screenings,
                    tokens=tokens,
                    feed=self._feed,
                    clock=self._clock,
                    observer=self._observer,
                    allowed_origins=origins,
                    limits=sockets.SocketLimits(
                        message_bytes=settings.socket_message_limit_bytes,
                        outbox_bytes=settings.socket_outbox_limit_bytes,
                        ping_seconds=settings.socket_ping_seconds,
                    ),
                )
            ),
        )
        readings = Readings(
            mailbox_depth=lambda: self._screenings.mailbox_depth,
            active_screenings=lambda: self._screenings.active_count,
            live_holds=lambda: self._screenings.hold_count,
            journal_depth=lambda: self._journal.depth,
            journal_lag_seconds=lambda: self._journal.lag_seconds,
        )
        register_readings(self._registry, readings, __version__)
        self._http = make_http_server(self._application, limits)
        self._recurring = Recurring()
        self.port = 0

    async def start(self) -> None:
        """Connect, and listen; `port` then tells where.

        Raises:
            StoreUnavailable: the database cannot be reached.
            AddressUnusable: it cannot listen there.
        """
        listening = _listening_sockets(self._settings.host, self._settings.port)
        self.port = listening[0].getsockname()[1]
        await asyncio.gather(self._hold_ids.start(), self._ticket_ids.start())
        await self._journal.start()
        sweep_seconds = self._settings.sweep_seconds
        self._recurring.every(sweep_seconds, "release of lapsed holds", self._screenings.sweep)
        self._recurring.every(sweep_seconds, "passivation", self._screenings.passivate_idle)
        self._recurring.every(0, "event loop lag", self._sample_lag)
        self._recurring.every(_FORGET_SECONDS, "forgetting of idempotency keys", self._forget_old_keys)
        self._http.add_sockets(listening)

    async def stop(self) -> None:
        """Go down in order; everything that was acknowledged is in the database afterwards."""
        self._http.stop()
        await self._recurring.stop()
        await self._screenings.stop()
        await self._journal.stop(_FLUSH_LIMIT_SECONDS)
        try:
            async with asyncio.timeout(_ANSWER_LIMIT_SECONDS):
                await self._application.finished()
        except TimeoutError:
            log.warning("some requests had no answer when the server stopped")
        self._feed.close_all(GOING_AWAY, "The server is going away")
        await self._http.close_all_connections()
        await asyncio.gather(self._hold_ids.stop(), self._ticket_ids.stop())
        self._connector.close()

    async def _sample_lag(self) -> None:
        await sample_event_loop_lag(self._observer.event_loop_lagged)

    async def _unready(self) -> Mapping[str, str]:
        reasons = {}
        if self._journal.full:
            reasons["journal"] = "full"
        try:
            await self._connector.run("SELECT 1")
        except StoreUnavailable as exc:
            reasons["database"] = str(exc)
        return reasons

    async def _forget_old_keys(self) -> None:
        await self._idempotency.forget_older_than(self._settings.idempotency_hours)


class AddressUnusable(Exception):
    """The server cannot listen where it was told to."""


def _listening_sockets(host: str, port: int) -> list[socket.socket]:
    try:
        return bind_sockets(port, host)
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise AddressUnusable(
            f"Cannot listen on {host}:{port}: {reason}; choose another --host or --port"
        ) from exc


def serve(settings: Settings, *, demo: bool, announce: Callable[[str], None]) -> None:
    """Run a server until SIGTERM or SIGINT; a second signal ends it at once. Blocking.

    Args:
        settings: valid settings.
        demo: see to it that there is a demo cinema, and tell how to look at it.
        announce: prints a line for whoever started the server.

    Raises:
        DataDirectoryInUse: another server runs on the data directory.
        MigrationFailed, EmbeddedPostgresFailed, StoreUnavailable: there is no usable database.
        AddressUnusable: it cannot listen there.
    """
    configure_logging(settings.log_level)
    with DataDirectory(settings.data_dir).locked(), database_of(settings) as (url, embedded):
        for revision in migrate(url):
            log.info("applied the migration %s", revision)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, url, embedded, demo, announce))


async def _serve(
    settings: Settings,
    url: str,
    embedded: EmbeddedPostgres | None,
    demo: bool,
    announce: Callable[[str], None],
) -> None:
    loop = asyncio.get_running_loop()
    told_to_stop = asyncio.Event()

    def stop_soon(number: int) -> None:
        told_to_stop.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop_soon, number)
    watch = asyncio.create_task(embedded.keep_running()) if embedded else None
    server = Server(settings, url)
    try:
        await server.start()
        base_url = f"http://{settings.host}:{server.port}"
        announce(f"listening on {base_url}")
        if demo:
            for line in await _demonstrate(settings, url, base_url):
                announce(line)
        await told_to_stop.wait()
    finally:
        await server.stop()
        if watch is not None:
            watch.cancel()


async def _demonstrate(settings: Settings, url: str, base_url: str) -> list[str]:
    connector = Connector(url, pool_size=1)
    passwords = await asyncio.to_thread(kept_passwords, settings.data_dir)
    try:
        demo = await prepare_demo(Catalogue(connector), passwords)
    finally:
        connector.close()
    return describe(demo, base_url, tokens_of(settings), settings.token_ttl_seconds)
