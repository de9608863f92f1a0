"""The composition root: builds the parts of a server, starts them, and stops them in order.

Nothing connects, listens or reads the environment before `Server.start`. `Server.stop` accepts no more
connections, answers all waiting commands, flushes the journal (which answers pending bookings), sends the
last responses and mails, closes the WebSockets, and closes the database.

A part with many settings takes them as a group (`Settings.group`); others get theirs by name.
"""

import asyncio
import logging
from datetime import datetime
from functools import partial
from itertools import chain
from shutil import disk_usage
from time import monotonic, thread_time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from api.access_log import AccessLog
from api.application import FrontrowApplication, MetricsApplication
from api.catalogue.departures import DEPARTURE, Departures
from api.events.socket import EventServices
from api.http1.http_server import make_http_server
from api.http1.trusted_proxies import TrustedProxies
from api.identity.accounts import AccountRules, Accounts
from api.identity.channels import Channels
from api.identity.guests import Guests
from api.identity.host_names import HostNames
from api.identity.origins import AllowedOrigins
from api.identity.passwords import Passwords
from api.identity.revocations import Revocations
from api.identity.token_watches import TokenExpiries
from api.limiter import Limiter, RateLimits
from api.limits import Limits, SocketLimits
from api.looks import Looks
from api.mails.delivery import Mails
from api.mails.links import LinkMails
from api.mails.reminders import LOOK_SECONDS, Reminders
from api.mails.wordings import Site
from api.overload import Overload
from api.payments.stripe import StripeSignatures
from api.public.offers import Offers
from api.sales.admissions import Door
from api.sales.receipts import encode_reply
from api.sales.seat_maps import SeatMapEncoder
from api.services import MetricsPage, Screenings, Servers, Services, Totals
from api.socket_routes import socket_routes
from api.webhooks.notices import NOTICE, Notices
from api.workers import Workers
from api.ws.feed import SeatFeed
from api.ws.open_sockets import OpenSockets
from api.ws.socket import SocketServices
from api.ws.socket_counts import SocketCounts
from api.ws.totals import OwnTotals
from engine.box_office import BoxOffice
from engine.clock import SystemClock
from engine.directory import ScreeningDirectory
from engine.errors import StoreUnavailable
from engine.figures import Server as ServerView
from engine.movers import Movers
from engine.policy import Policy
from engine.ports import Flushing, Journal, Publisher
from engine.tracing import Decisions, TracedJournal, TracedPublisher, TracedScreenings, record_update
from engine.vouched_payments import VouchedPayments
from frontrow import __version__
from frontrow.background import Recurring, run_steps
from frontrow.catalogue import catalogue_on
from frontrow.counts import Counts, own_counts
from frontrow.database import reading_connector
from frontrow.deliveries import LEASE_SECONDS, Deliveries, pauses_until
from frontrow.listening import Listening, authority, listen, port_numbers
from frontrow.mail import mail_queue_of
from frontrow.one_server import OneServer, OwnFigures, change_log_level
from frontrow.otel import tracer_of
from frontrow.readiness import Readiness
from frontrow.rooms import free_room_check_seconds, room_services_of
from frontrow.settings import Settings
from frontrow.signing import access_code_key_of, aliases_of, cipher_of, ticket_codes_of, tokens_of
from frontrow.webhooks import LEASE_SECONDS as WEBHOOK_LEASE_SECONDS
from frontrow.webhooks import WebhookSender
from metrics.cluster import ClusterObserver, ClusterReadings
from metrics.database import DatabaseMetrics
from metrics.event_loop import sample_event_loop_lag, task_count, timer_count
from metrics.exposition import render_in_turns
from metrics.observer import MetricsObserver
from metrics.outbox import OutboxMetrics
from metrics.readings import Limits as GaugeLimits
from metrics.readings import Readings, register_readings
from metrics.sockets import SocketMetrics
from persistence.catalogue.guests import GuestRows
from persistence.catalogue.logins import Logins
from persistence.channels import ChannelRows
from persistence.check_ins import CheckIns
from persistence.connector import Connector
from persistence.database_figures import read_figures
from persistence.event_access import EventAccess
from persistence.event_log import EventLog
from persistence.funnels import Funnels
from persistence.idempotency import IdempotencyRows
from persistence.ids import IdBlocks
from persistence.journal import PostgresJournal
from persistence.ledger import PostgresLedger
from persistence.mails import MailRows
from persistence.outbox import Outbox
from persistence.reservations import Reservations
from persistence.server_lock import ServerName, living_nodes
from persistence.store import PostgresStore
from persistence.tickets import Tickets
from persistence.webhook_feed import WebhookFeed
from persistence.webhook_lanes import WebhookLanes
from persistence.webhooks import WebhookRows

if TYPE_CHECKING:
    from cluster.node import Node

log = logging.getLogger("frontrow")

GOING_AWAY = 1001
_HANDOVER_SHARE = 1 / 3
_AFTER_FLUSH_SECONDS = 3.0
"""Time kept, after the journal is flushed at the stop, for answers, mails and closing connections."""

_LOOK_SECONDS = 1.0
_ANSWER_LIMIT_SECONDS = 1.0
_MAIL_LIMIT_SECONDS = 1.0
_MAILS_AT_ONCE = 4
_MAIL_ATTEMPT_SECONDS = 120.0
_BACKLOG_SECONDS = 10.0
_FIGURES_SECONDS = 15.0
_READINESS_SECONDS = 5.0
_LOOKS_SECONDS = 10.0
_FORGET_SECONDS = 3600.0
_CONFIRMATION_REPEATS, _CONFIRMATION_REPEATS_SECONDS = 5, 3600.0


def _log_overload(refusing: bool) -> None:
    if refusing:
        log.warning("more requests come than can be answered: some are refused")
    else:
        log.warning("all requests are answered again")


class Server:
    """One server process.

    Args:
        settings: valid settings.
        database_url: the migrated database, without a pooler.
        name: recorded as the owner of screenings; also the application_name of its session in PostgreSQL.
        metrics_page: renders `/metrics`; by default, the metrics of this process.
        node: of a cluster; None for a server that runs alone.
        counts: what the server counts by key; by default it counts alone.

    Attributes:
        registry: the metrics of this process.
        overload: decides which requests are refused.
        port: the port it listens on, once it has started.
        proxied_ports: the ports for the PROXY protocol, once it has started.
    """

    def __init__(
        self,
        settings: Settings,
        database_url: str,
        name: ServerName | None = None,
        *,
        metrics_page: MetricsPage | None = None,
        node: "Node | None" = None,
        counts: Counts | None = None,
    ) -> None:
        counts = counts or own_counts(settings)
        self._settings = settings
        self._node = node

        # The database
        self.registry = CollectorRegistry()
        self._database_metrics = DatabaseMetrics(self.registry)
        self._connector = reading_connector(settings, database_url, self._database_metrics)
        self._direct = Connector(database_url)
        self._name = name or ServerName.own()
        owner = str(self._name)
        self._hold_ids = IdBlocks(self._connector, "hold_ids")
        self._ticket_ids = IdBlocks(self._connector, "ticket_ids")
        self._idempotency = IdempotencyRows(self._connector)
        self._logins = Logins(self._connector, settings.token_max_life_seconds)
        catalogue = catalogue_on(self._connector)
        self._store = store = PostgresStore(
            self._connector, owner, free_room_seats=settings.free_room_seats_limit
        )

        # The engine
        self._clock = SystemClock()
        self._observer = MetricsObserver(self.registry, settings.metrics_screenings)
        self._clock.on_step(self._observer.clock_stepped)
        socket_metrics = SocketMetrics(self.registry)
        self._tracer = tracer = tracer_of(settings, self._name.mark, self._observer)
        decisions = Decisions()
        self._feed = SeatFeed(
            self._clock,
            socket_metrics,
            tick_seconds=settings.socket_tick_ms / 1000,
            told=None if tracer is None else partial(record_update, tracer, decisions),
        )
        self._journal = PostgresJournal(
            self._direct, encode_reply, self._observer, limit=settings.journal_limit, tracer=tracer
        )
        self._readiness = Readiness(
            self._connector,
            self._journal,
            store,
            lag_limit_seconds=settings.ready_lag_seconds,
            # With a longer probe, the request would time out before it could report the reason.
            wait_seconds=settings.ask_timeout_seconds / 2,
            node=node.readiness if node else None,
        )
        publisher: Publisher = self._feed
        if node is not None:
            node.load = self._load
            readings = ClusterReadings(
                nodes=lambda: node.states,
                nats_connected=lambda: node.connection.connected,
                lease_seconds=lambda: node.lease_seconds,
            )
            node_observer = ClusterObserver(self.registry, readings)
            publisher = node.publisher(node_observer)
        journal: Journal = self._journal
        if tracer is not None:
            journal, publisher = TracedJournal(journal, decisions), TracedPublisher(publisher, decisions)
        self._directory = ScreeningDirectory(
            store,
            journal,
            publisher,
            self._observer,
            self._clock,
            self._hold_ids,
            self._ticket_ids,
            settings.group(Policy),
            mailbox_limit=settings.mailbox_limit,
            ask_timeout_seconds=settings.ask_timeout_seconds,
            idle_seconds=settings.idle_seconds,
            change_memory=settings.resume_limit,
            peers=node.peers if node else None,
        )
        self._screenings: Screenings = self._directory
        if node is not None:
            self._screenings = node.own(
                self._directory,
                self._feed,
                self._clock,
                store,
                node_observer,
                settings.ask_timeout_seconds,
                tracer,
            )
        if tracer is not None:
            self._screenings = TracedScreenings(self._screenings, tracer)

        # Users and mail
        self._revocations = Revocations(self._logins, self._clock.now, settings.token_max_life_seconds)
        tokens = tokens_of(settings, self._revocations.is_revoked)
        codes = ticket_codes_of(settings)
        self._outbox_metrics = OutboxMetrics(self.registry)
        self._mail_queue = mail_queue_of(settings, self._outbox_metrics)
        repeats = Limiter(_CONFIRMATION_REPEATS, _CONFIRMATION_REPEATS_SECONDS, monotonic)
        site = Site(self._site_url, settings.currency, settings.mail_from, codes, settings.language)
        give_up_seconds = settings.outbox_give_up_hours * 3600
        self._outbox = Outbox(self._connector, LEASE_SECONDS)
        pauses_seconds = pauses_until(settings.outbox_retry_seconds, give_up_seconds)
        self._deliveries = Deliveries(self._outbox, pauses_seconds, self._outbox_metrics)
        cipher = cipher_of(settings)
        self._lanes = WebhookLanes(self._connector, WEBHOOK_LEASE_SECONDS)
        self._webhook_sender = WebhookSender(
            WebhookFeed(self._connector),
            self._lanes,
            cipher,
            pauses_seconds,
            private=settings.webhook_private_addresses,
            observer=self._outbox_metrics,
            now=self._clock.now,
            tracer=tracer,
        )
        mail_rows = MailRows(self._connector)
        mails = Mails(mail_rows, self._mail_queue, site, cipher, repeats)
        self._reminders = Reminders(
            mail_rows, settings.payment_reminder_seconds, settings.expiry_warning_seconds
        )
        self._deliveries.register(
            "mail", mails.deliver, at_once=_MAILS_AT_ONCE, limit_seconds=_MAIL_ATTEMPT_SECONDS
        )
        webhooks = WebhookRows(self._connector)
        notices = Notices(webhooks, self._mail_queue, self._site_url)
        self._deliveries.register(NOTICE, notices.deliver, at_once=1, limit_seconds=_MAIL_ATTEMPT_SECONDS)
        # What begins later would end after its client has been answered.
        self._workers = Workers(patience_seconds=settings.ask_timeout_seconds / 2)
        link_mails = LinkMails(self._mail_queue, settings.language)
        accounts = Accounts(
            catalogue.users,
            self._logins,
            Passwords(self._workers, settings.password_memory_kib, settings.password_passes),
            tokens,
            self._revocations,
            link_mails,
            counts.account_limits,
            settings.group(AccountRules),
            self._site_url,
            self._clock.now,
            self._observer,
        )
        guests = Guests(
            GuestRows(self._connector),
            tokens,
            link_mails,
            counts.account_limits,
            life_seconds=min(settings.refresh_token_ttl_seconds, settings.token_max_life_seconds),
            link_seconds=settings.password_reset_seconds,
            site_url=self._site_url,
        )

        channels = Channels(
            ChannelRows(self._connector), access_code_key_of(settings), counts.access_codes, monotonic
        )

        # The API
        limits, socket_limits = settings.group(Limits), settings.group(SocketLimits)
        self._looks, self._funnels = Looks(), Funnels(self._connector)
        self.overload = Overload(
            settings.overload_wait_ms / 1000, settings.socket_handshakes_per_second, _log_overload
        )
        screening_sockets, event_sockets = SocketCounts(), SocketCounts()
        self._open_sockets = OpenSockets(socket_limits.sockets_limit, counts.sockets)
        self._rooms = room_services_of(settings, self._connector, self._screenings, self._feed, counts)
        totals: Totals = OwnTotals(
            screening_sockets, event_sockets, self._rooms, lambda: self._directory.hold_count
        )
        flushing: Flushing = self._journal
        self._figures = OwnFigures(self._directory, self._journal, self._feed, self._open_sockets)
        servers: Servers = OneServer(self._as_single)
        offers = Offers(catalogue.ticket_types, monotonic)
        check_ins = CheckIns(self._connector, settings.check_in_opens_seconds)
        door = Door(check_ins, self._observer)
        if node is not None:
            totals = node.totals(totals)
            servers = node.servers(self._figures, change_log_level)
            flushing = node.flushing(self._journal, settings.ask_timeout_seconds)
            node.share(self._revocations, offers, door)
        origins = AllowedOrigins(settings.allowed_origins, any_local=not settings.production)
        proxies = TrustedProxies(settings.trusted_proxies, settings.proxy_header)
        ledger = PostgresLedger(self._connector, settings.unvouched_refunds_limit)
        box_office = BoxOffice(self._screenings, flushing, ledger, rebooks=settings.late_payments == "rebook")
        tickets = Tickets(self._connector)
        departures = Departures(tickets, box_office, self._screenings, catalogue.waitlist)
        self._deliveries.register(
            DEPARTURE, departures.deliver, at_once=1, limit_seconds=settings.ask_timeout_seconds * 10
        )
        services = Services(
            version=__version__,
            screenings=self._screenings,
            box_office=box_office,
            movers=Movers(self._screenings, flushing, ledger, box_office),
            payments=VouchedPayments(box_office, self._screenings, ledger),
            vouched_only=settings.payments == "vouched",
            journal=self._journal,
            flushing=flushing,
            tickets=tickets,
            reservations=Reservations(self._connector),
            idempotency=self._idempotency,
            requests_in_flight=counts.requests_in_flight,
            tokens=tokens,
            totals=totals,
            servers=servers,
            event_log=EventLog(self._connector),
            check_ins=check_ins,
            door=door,
            funnels=self._funnels,
            looks=self._looks,
            webhooks=webhooks,
            webhook_sender=self._webhook_sender,
            webhook_private_addresses=settings.webhook_private_addresses,
            aliases=aliases_of(settings),
            rooms=self._rooms,
            catalogue=catalogue,
            accounts=accounts,
            guests=guests,
            channels=channels,
            workers=self._workers,
            mails=mails,
            ticket_codes=codes,
            site=site,
            clock=self._clock,
            http_observer=self._observer,
            readiness=self._readiness.reasons,
            degraded=self._readiness.degraded,
            metrics_page=metrics_page or self._metrics_page,
            allowed_origins=origins,
            hosts=HostNames(settings.host_names),
            cipher=cipher,
            offers=offers,
            seat_maps=SeatMapEncoder(),
            stripe=StripeSignatures(settings.stripe_webhook_secret, settings.stripe_tolerance_seconds),
            cron_secret=settings.cron_secret,
            guest_purchase=settings.guest_purchase,
            test_payment=settings.test_payment,
            mails_sent=bool(settings.smtp_url),
            time_zone=settings.time_zone,
            currency=settings.currency,
            path_prefix=settings.path_prefix,
            proxies=proxies,
            metrics_open=settings.metrics_open,
            metrics_port=settings.metrics_port,
            metrics_token=settings.metrics_token,
            rate_limits=RateLimits(limits),
            limits=limits,
            overload=self.overload,
            traces=tracer,
        )
        self._application = FrontrowApplication(
            services,
            socket_routes(
                SocketServices(
                    screenings=self._screenings,
                    tokens=tokens,
                    revocations=self._revocations,
                    expiries=TokenExpiries(self._clock),
                    feed=self._feed,
                    open_sockets=self._open_sockets,
                    clock=self._clock,
                    observer=socket_metrics,
                    allowed_origins=origins,
                    limits=socket_limits,
                    channels=channels,
                    access_log=AccessLog(self._observer),
                    looks=self._looks,
                    overload=self.overload,
                ),
                screening_sockets,
                EventServices(EventAccess(self._connector), totals, door, event_sockets),
                self._rooms,
            ),
        )

        # Metrics, and the servers
        process_readings = Readings(
            mailbox_depth=lambda: self._directory.mailbox_depth,
            active_screenings=lambda: self._directory.active_count,
            live_holds=lambda: self._directory.hold_count,
            waitlist_entries=lambda: self._directory.waiting_count,
            journal_depth=lambda: self._journal.depth,
            journal_lag_seconds=lambda: self._journal.lag_seconds,
            webhooks_disabled=lambda: self._webhook_sender.figures.disabled,
            webhook_wait_seconds=lambda: self._webhook_sender.figures.oldest_seconds,
            pool_busy=lambda: self._connector.busy_count,
            pool_idle=lambda: self._connector.idle_count,
            pool_waiting=lambda: self._connector.waiting_count,
            loop_tasks=task_count,
            loop_timers=timer_count,
            overload_pressure=lambda: self.overload.pressure,
            refused=lambda: self.overload.refused_by_urgency,
            refused_handshakes=lambda: self.overload.refused_handshakes,
        )
        gauge_limits = GaugeLimits(
            settings.mailbox_limit,
            settings.journal_limit,
            socket_limits.sockets_limit,
            settings.database_pool_size,
        )
        register_readings(self.registry, process_readings, gauge_limits, __version__)
        self._http = make_http_server(
            self._application, limits, self._application.report_refusal, settings.http_layer, proxies
        )
        metrics = MetricsApplication(services)
        self._metrics_http = make_http_server(metrics, limits, metrics.report_refusal, settings.http_layer)
        self._recurring = Recurring()
        self.port = 0
        self.proxied_ports: tuple[int, ...] = ()

    async def start(self, listening: Listening | None = None) -> None:
        """Connect to the database and listen; sets `port` and `proxied_ports`.

        Args:
            listening: open listening sockets to use instead of opening those of the settings.

        Raises:
            StoreUnavailable: the database cannot be reached.
            AddressUnusable: the server cannot listen on its address.
            NatsUnavailable, NodeRefused: it cannot join its cluster.
        """
        if listening is None:
            listening = listen(self._settings)
        self.port = port_numbers(listening.public)[0]
        self.proxied_ports = port_numbers(listening.proxied)
        self._metrics_http.add_sockets(listening.metrics)
        try:
            await asyncio.gather(self._hold_ids.start(), self._ticket_ids.start())
            await self._journal.start()
            await self._revocations.refresh()
            self._mail_queue.start()
            self._deliveries.start()
            self._webhook_sender.start()
            if self._node is not None:
                await self._node.join(partial(living_nodes, self._direct))
        except BaseException:
            for unused in chain(listening.public, listening.proxied):
                unused.close()
            raise
        self._schedule()
        self._http.add_sockets(listening.public)
        self._http.add_sockets(listening.proxied, proxied=True)

    def _schedule(self) -> None:
        every, settings = self._recurring.every, self._settings
        every(settings.sweep_seconds, "release of expired holds", self._directory.sweep)
        every(_LOOK_SECONDS, "check of the wall clock", self._follow_the_clock)
        every(settings.sweep_seconds, "passivation", self._directory.passivate_idle)
        if settings.state_hash_seconds:
            every(settings.state_hash_seconds, "hashes of states", self._directory.hash_states)
        every(settings.revocation_refresh_seconds, "refresh of revocations", self._revocations.refresh)
        every(_FORGET_SECONDS, "removal of expired log-ins", self._logins.forget_expired)
        every(_FORGET_SECONDS, "removal of expired revocations", self._revocations.forget_expired)
        every(
            free_room_check_seconds(settings),
            "removal of unused free rooms",
            self._rooms.directory.forget_idle,
        )
        every(0, "event loop lag", self._sample_lag)
        every(_FORGET_SECONDS, "removal of old idempotency keys", self._forget_old_keys)
        every(_BACKLOG_SECONDS, "count of messages", self._count_backlog)
        every(_FIGURES_SECONDS, "figures of the database", self._read_figures)
        every(_READINESS_SECONDS, "check of readiness", self._check_readiness)
        every(_LOOKS_SECONDS, "count of looks", self._store_looks)
        every(LOOK_SECONDS, "reminders by mail", self._reminders.look)
        every(_FORGET_SECONDS, "removal of old messages", self._forget_old_messages)
        every(_FORGET_SECONDS, "removal of old webhook events", self._forget_old_events)

    async def drain(self, seconds: float) -> None:
        """Accept no more connections, and go on serving the open ones, so that their requests are answered.

        Args:
            seconds: how long to serve them. A client that keeps its connection open longer loses it when the
                server stops.
        """
        self._http.stop()
        self._metrics_http.stop()
        await self._hand_over()
        await asyncio.sleep(seconds)

    def _as_single(self) -> ServerView:
        """Return this server as operators see it if it is no node of a cluster."""
        host = self._name.host
        started_at = datetime.fromisoformat(self._name.since).timestamp()
        return ServerView(
            self._name.mark,
            host,
            authority(host, self.port),
            __version__,
            "serving",
            started_at,
            self._figures(),
        )

    def _site_url(self) -> str:
        return self._settings.site_url(self.port)

    def _load(self) -> tuple[int, int, float]:
        """Return the load of this node; see `cluster.beats.Load`."""
        return self._directory.active_count, len(self._open_sockets), self._journal.lag_seconds

    async def _hand_over(self) -> None:
        """Let the other nodes take over, while commands for what they own now are still sent to them."""
        if self._node is not None:
            await self._node.drain(_HANDOVER_SHARE * self._settings.stop_seconds)

    async def _resign(self) -> None:
        try:
            await self._store.resign(self._directory.owned.unfinished)
        except StoreUnavailable as failure:
            log.warning("other servers have to find out by themselves that this one has ended: %s", failure)

    async def _leave(self) -> None:
        if self._node is not None:
            await self._node.leave()

    async def stop(self) -> None:
        """Stop in order; afterwards everything acknowledged is in the database.

        A step that fails is logged, and the next one runs. After `FRONTROW_STOP_SECONDS` the rest is skipped.
        """
        seconds = self._settings.stop_seconds
        until = monotonic() + seconds

        async def flush() -> None:
            left_seconds = until - monotonic()
            await self._journal.stop(max(left_seconds - _AFTER_FLUSH_SECONDS, left_seconds / 2))

        await run_steps(
            self._hand_over,
            self._http.stop,
            self._metrics_http.stop,
            self._recurring.stop,
            self._directory.stop,
            flush,
            self._resign,
            self._finish_requests,
            self._store_last_looks,
            partial(self._deliveries.stop, _MAIL_LIMIT_SECONDS),
            partial(self._webhook_sender.stop, _MAIL_LIMIT_SECONDS),
            partial(self._mail_queue.stop, _MAIL_LIMIT_SECONDS),
            partial(self._open_sockets.close_all, GOING_AWAY, "The server is going away"),
            self._close_connections,
            self._leave,
            self._workers.close,
            self._hold_ids.stop,
            self._ticket_ids.stop,
            self._connector.close,
            self._direct.close,
            self._stop_tracing,
            seconds=seconds,
        )

    async def _stop_tracing(self) -> None:
        """Send the last spans, without blocking the event loop."""
        if self._tracer is not None:
            await asyncio.to_thread(self._tracer.stop)

    async def _metrics_page(self, accept_header: str) -> tuple[str, bytes]:
        return await render_in_turns(self.registry, accept_header)

    async def _finish_requests(self) -> None:
        try:
            async with asyncio.timeout(_ANSWER_LIMIT_SECONDS):
                await self._application.finished()
        except TimeoutError:
            log.warning("the server stopped before all requests were answered")

    async def _close_connections(self) -> None:
        await asyncio.gather(self._http.close_all_connections(), self._metrics_http.close_all_connections())

    async def _follow_the_clock(self) -> None:
        if self._clock.step_seconds:
            # Otherwise holds that are not in memory would expire too early or too late.
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._directory.load_lapsing()
            except (StoreUnavailable, TimeoutError) as failure:
                log.warning(
                    "holds of screenings that are not in memory keep their stored deadlines: %r", failure
                )
        self._clock.follow()

    async def _sample_lag(self) -> None:
        began, busy = monotonic(), thread_time()
        await sample_event_loop_lag(self._observer.event_loop_lagged)
        if self._settings.overload_wait_ms:
            self.overload.measured(monotonic() - began, thread_time() - busy)

    async def _forget_old_keys(self) -> None:
        await self._idempotency.forget_older_than(self._settings.idempotency_hours)

    async def _store_looks(self) -> None:
        """Add the looks of the last seconds to the database; if that fails, with the next ones."""
        taken = self._looks.take()
        try:
            await self._funnels.add_looks(taken)
        except BaseException:
            self._looks.put_back(taken)
            raise

    async def _store_last_looks(self) -> None:
        try:
            await self._store_looks()
        except StoreUnavailable as failure:
            log.warning("the looks of the last seconds are lost: %s", failure)

    async def _count_backlog(self) -> None:
        self._outbox_metrics.backlog_counted(await self._outbox.backlog())

    async def _read_figures(self) -> None:
        directory = self._settings.data_dir.absolute()
        existing = next(path for path in (directory, *directory.parents) if path.exists())
        disk = await asyncio.to_thread(disk_usage, existing)
        self._database_metrics.disk_read(disk.total, disk.free)
        self._database_metrics.figures_read(*await read_figures(self._connector))

    async def _check_readiness(self) -> None:
        self._observer.readiness_checked(await self._readiness.reasons())

    async def _forget_old_messages(self) -> None:
        await self._outbox.forget_older_than(self._settings.outbox_keep_days)

    async def _forget_old_events(self) -> None:
        await self._lanes.forget_older_than(self._settings.webhook_keep_days)
