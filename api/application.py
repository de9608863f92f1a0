"""Puts the API together: every resource, the documents derived from them, and the sockets' routes."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, replace
from functools import partial
from typing import cast

from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPConnection, HTTPMessageDelegate
from tornado.routing import AnyMatches, Rule, URLSpec
from tornado.web import Application, RequestHandler

from api.access_log import AccessLog
from api.catalogue.auth import authentication
from api.catalogue.casts import casts
from api.catalogue.cinemas import cinemas
from api.catalogue.favorites import favorites
from api.catalogue.layouts import layouts, seat_types
from api.catalogue.movies import movies
from api.catalogue.outbox import outbox
from api.catalogue.own_refunds import own_refunds
from api.catalogue.refunds import refunds
from api.catalogue.reviews import reviews
from api.catalogue.rooms import rooms
from api.catalogue.scarcity import scarcity
from api.catalogue.screenings import screenings
from api.catalogue.seats import seats
from api.catalogue.showtimes import showtimes
from api.catalogue.statistics import statistics
from api.catalogue.ticket_export import exported_tickets
from api.catalogue.ticket_transfers import ticket_transfers
from api.catalogue.tickets import sold_tickets
from api.catalogue.users import users
from api.documents.docs_page import asset_routes, docs_page
from api.documents.metrics_page import metrics_page
from api.documents.pages import page_routes, pages, unknown_page
from api.documents.server_pages import server_pages
from api.documents.specifications import specifications_of
from api.documents.static_files import client_routes
from api.documents.viewers import viewer_routes, viewers
from api.door.admissions import admissions
from api.door.batches import batches
from api.door.check_ins import check_ins
from api.http1.connection import RequestConnection
from api.http1.refusal import RejectedRequest
from api.ops.actions import actions
from api.ops.blocks import blocks
from api.ops.channels import channels
from api.ops.funnel import funnels
from api.ops.history import history
from api.ops.overview import overview
from api.ops.people import people
from api.payments.stripe import stripe_webhooks
from api.public.admin_events import admin_events
from api.public.admin_ticket_types import admin_ticket_types
from api.public.analytics import analytics
from api.public.box_office import box_office
from api.public.cleanup import cleanup, cron
from api.public.events import public_events
from api.public.guests import guests
from api.public.own_tickets import own_tickets
from api.public.purchases import purchases
from api.public.reservations import ticket_reservations
from api.public.sessions import sessions
from api.public.waitlist import seat_notices, waitlist, waitlist_administration
from api.rest.background import BackgroundTasks
from api.rest.endpoint import Resource
from api.rest.exchange import AnswerUnknown, Exchange, RestRouter
from api.rest.fast_path import FastPath
from api.rest.idempotency import IdempotencyKeys
from api.rest.operation import Operation
from api.rest.path_prefix import under
from api.rest.routes import Routes
from api.rest.tornado_delegate import TornadoDelegate
from api.rest.traced_path import TracedFastPath
from api.rooms.pages import room_pages
from api.seats.channel_seats import channel_seats
from api.seats.moves import ticket_moves
from api.seats.reservations import reservations
from api.seats.tickets import tickets
from api.services import Services
from api.webhooks.webhooks import webhooks

RESOURCES = (
    reservations,
    tickets,
    ticket_moves,
    ticket_transfers,
    stripe_webhooks,
    authentication,
    users,
    favorites,
    cinemas,
    movies,
    casts,
    reviews,
    rooms,
    seats,
    layouts,
    seat_types,
    screenings,
    channel_seats,
    showtimes,
    sold_tickets,
    exported_tickets,
    statistics,
    refunds,
    own_refunds,
    check_ins,
    batches,
    admissions,
    public_events,
    sessions,
    box_office,
    guests,
    own_tickets,
    ticket_reservations,
    purchases,
    waitlist,
    seat_notices,
    waitlist_administration,
    scarcity,
    admin_events,
    admin_ticket_types,
    cleanup,
    analytics,
    cron,
    overview,
    history,
    funnels,
    actions,
    blocks,
    channels,
    people,
    outbox,
    webhooks,
    room_pages,
    server_pages,
    metrics_page,
    docs_page,
    viewers,
)


class ResourceApplication(Application):
    """A Tornado application that serves resources; run it with `api.http1.http_server.make_http_server`.

    Args:
        services: collaborators of the handlers.
        resources: the REST resources.
        routes: further routes, served by Tornado handlers.
        answer_unknown: answers requests for unknown paths; for None the answer is PathNotFound.

    Attributes:
        rest: serves the resources.
    """

    def __init__(
        self,
        services: Services,
        resources: Iterable[Resource],
        routes: Sequence[URLSpec],
        answer_unknown: AnswerUnknown = lambda plan, routes, services: None,
    ) -> None:
        self._access_log = AccessLog(services.http_observer)
        self._background = BackgroundTasks()
        keys = IdempotencyKeys(
            services.idempotency, services.journal, services.requests_in_flight, services.limits
        )
        operations = [
            Operation(endpoint, services, keys, self._background)
            for resource in resources
            for endpoint in resource.endpoints
        ]
        self.rest = RestRouter(Routes(operations), services, self._access_log, answer_unknown)
        traces = services.traces
        path = FastPath(self.rest) if traces is None else TracedFastPath(self.rest, traces)
        self.answer_plain = path.answer
        super().__init__([*under(services.path_prefix, routes), Rule(AnyMatches(), self.rest)])

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Route a request; called by Tornado's HTTP server and by `api.http1`."""
        elsewhere = partial(super().start_request, server_conn, request_conn)
        if not isinstance(request_conn, RequestConnection):
            return TornadoDelegate(self.rest, cast(HTTP1Connection, request_conn), elsewhere)
        head = request_conn.head
        if request_conn.context.relays:
            request_conn.context = self.rest.services.proxies.client(request_conn.context, head.headers)
        plan = self.rest.plan_of(head, request_conn.context.scheme)
        return elsewhere() if plan.served_elsewhere else Exchange(self.rest, plan, request_conn)

    async def finished(self) -> None:
        """Wait until all requests are answered and all background work of requests has ended.

        At shutdown, await this after the engine has been told to stop and before the database is closed.
        """
        await self.rest.finished()
        await self._background.finished()

    def log_request(self, handler: RequestHandler) -> None:
        """Log and count a request served by a Tornado handler: a static file."""
        request = handler.request
        route: str = getattr(handler, "route", "unrouted")
        self._access_log.finished(
            method=request.method or "",
            route=route,
            path=request.path,
            status=handler.get_status(),
            seconds=request.request_time(),
            address=request.remote_ip or "",
            request_id=getattr(handler, "request_id", None),
        )

    def report_refusal(self, refusal: RejectedRequest) -> None:
        """Log and count a request that was too malformed to be routed."""
        self._access_log.finished(
            method="OTHER",
            route="unmatched",
            path="",
            status=refusal.status,
            seconds=0.0,
            address=refusal.address,
            request_id=refusal.request_id,
        )


class FrontrowApplication(ResourceApplication):
    """The API.

    Args:
        services: collaborators of the handlers.
        socket_routes: routes of the WebSockets, from `api.socket_routes`.
    """

    def __init__(self, services: Services, socket_routes: Sequence[URLSpec] = ()) -> None:
        specifications = specifications_of(
            RESOURCES, services.version, astuple(services.limits), services.path_prefix
        )
        super().__init__(
            services,
            (*RESOURCES, specifications, pages),
            [*socket_routes, *asset_routes(), *viewer_routes(), *client_routes(), *page_routes()],
            unknown_page,
        )


class MetricsApplication(ResourceApplication):
    """Serves only `/metrics`, on a separate port; public unless a metrics token is set.

    Args:
        services: the same as for the API.
    """

    def __init__(self, services: Services) -> None:
        # The path prefix is for the proxy in front of the API; this port is reached directly.
        super().__init__(replace(services, metrics_open=True, path_prefix=""), (metrics_page,), ())
