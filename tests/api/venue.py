"""The REST API on a real port with the real engine, storage in memory and a manual clock.

For states that a real database cannot be put into on demand: stalled, full, unreachable.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tornado.testing import bind_unused_port

from api.access_log import HttpObserver
from api.application import FrontrowApplication
from api.http1.http_server import make_http_server
from api.identity.origins import AllowedOrigins
from api.identity.tokens import Tokens
from api.limiter import RateLimits
from api.mails.wordings import Site
from api.papers.aliases import Aliases
from api.papers.cipher import Cipher
from api.papers.ticket_codes import TicketCodes
from api.payments.stripe import StripeSignatures
from api.rest.endpoint import Endpoint
from api.rest.idempotency import KeysInFlight
from api.sales.seat_maps import SeatMapEncoder
from api.services import Limits, Services
from api.ws.socket_counts import SocketCounts
from api.ws.totals import OwnTotals
from engine.box_office import BoxOffice
from engine.catalogue_errors import NoMailAddress
from engine.directory import ScreeningDirectory
from engine.door import TicketIssue
from engine.errors import StoreUnavailable
from engine.memory import (
    ManualClock,
    MemoryDatabase,
    MemoryIds,
    MemoryJournal,
    MemoryStore,
    NullObserver,
    RecordingPublisher,
)
from engine.memory_ledger import MemoryLedger
from engine.movers import Movers
from engine.policy import Policy
from engine.ports import Publisher
from engine.records import Hold, IdempotencyRecord, Layout, ScreeningInfo, Seat, Ticket
from engine.vouched_payments import VouchedPayments
from tests.api.caller import Caller
from tests.api.room_services import memory_room_services
from tests.http_layer import http_layer
from tests.signing_keys import STRONG_SECRET

SCREENING, OTHER_SCREENING, PAST_SCREENING = 123, 124, 100
FIRST_SEAT = 41
ORIGIN = "https://cinema.example"


def without_catalogue(endpoint: Endpoint) -> bool:
    """Return whether an operation works in a venue, which only stores screenings."""
    return not endpoint.handler.__module__.startswith(
        ("api.catalogue", "api.door", "api.ops", "api.payments", "api.public", "api.webhooks")
    )


class Readers:
    """Reads tickets and stored responses. `away` makes lookups fail."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._ledger = MemoryLedger(database)
        self.away = False
        self.lookups = 0

    async def ticket(self, ticket_id: int) -> Ticket | None:
        return await self._ledger.ticket(ticket_id)

    async def tickets_of_payment(self, payment_id: str) -> Sequence[Ticket]:
        return await self._ledger.tickets_of_payment(payment_id)

    async def issues(self, ticket_ids: Sequence[int]) -> Mapping[int, TicketIssue]:
        return dict.fromkeys(ticket_ids, TicketIssue())

    async def lookup(self, scope: str, key: str) -> IdempotencyRecord | None:
        self.lookups += 1
        if self.away:
            raise StoreUnavailable
        found = self._database.answers.get((scope, key))
        return found if isinstance(found, IdempotencyRecord) else None

    async def list_of_holder(
        self, holder: str, *, limit: int, offset: int, before_id: int | None = None
    ) -> tuple[Sequence[Ticket], int]:
        own = sorted((t for t in self._database.tickets.values() if t.holder == holder), reverse=True)
        listed = [ticket for ticket in own if before_id is None or ticket.id < before_id]
        return listed[offset : offset + limit], len(own)


class HoldReaders:
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def knows(self, holder: str) -> bool:
        return True

    async def list_of_holder(
        self,
        holder: str,
        now: float,
        *,
        include_expired: bool,
        limit: int,
        offset: int,
        before_id: int | None = None,
    ) -> tuple[Sequence[tuple[Hold, str]], int]:
        own = sorted((row for row in self._database.holds.values() if row[0].holder == holder), reverse=True)
        rows = [row for row in own if include_expired or (row[1] == "active" and row[0].expires_at > now)]
        listed = [row for row in rows if before_id is None or row[0].id < before_id]
        return listed[offset : offset + limit], len(rows)


class RecordingHttpObserver:
    def __init__(self) -> None:
        self.requests: list[tuple[str, str, int]] = []

    def http_route(self, route: str, method: str) -> "RecordingMeter":
        return RecordingMeter(self.requests, route, method)


class RecordingMeter:
    def __init__(self, requests: list[tuple[str, str, int]], route: str, method: str) -> None:
        self._requests, self._route, self._method = requests, route, method

    def finished(self, status: int, seconds: float) -> None:
        self._requests.append((self._route, self._method, status))


class NoMails:
    """Sends no mail."""

    async def confirm_again(self, booking_id: int) -> None:
        raise NoMailAddress


class Venue:
    """A server with a room of twenty seats (ids from 41), shared by three screenings.

    Args:
        limits: limits of requests.
        policy: limits of reservations and sales.
        layer: HTTP layer; by default the one set in the environment.
        publisher: receives the engine's changes.
        http_observer: counts requests.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        policy: Policy | None = None,
        layer: str | None = None,
        publisher: Publisher | None = None,
        http_observer: HttpObserver | None = None,
    ) -> None:
        self._layer = layer or http_layer()
        self.clock = ManualClock()
        self.tokens = Tokens(STRONG_SECRET, clock=self.clock.now)
        self.observer = RecordingHttpObserver()
        self.screening_sockets = SocketCounts()
        self.unready: dict[str, str] = {}
        self.degraded: Mapping[str, str] = {}
        self.database = MemoryDatabase()
        layout = Layout(
            1, 1, (Seat(FIRST_SEAT + n, 1, "AB"[n // 10], n % 10 + 1, "standard", n, 0) for n in range(20))
        )
        for screening, starts_in in ((SCREENING, 86_400), (OTHER_SCREENING, 86_400), (PAST_SCREENING, -60)):
            begin = self.clock.now() + starts_in
            self.database.add_screening(ScreeningInfo(screening, begin, begin + 7200, 1599, {}), layout)
        self.journal = MemoryJournal(self.database)
        self.readers = Readers(self.database)
        self.screenings = ScreeningDirectory(
            MemoryStore(self.database),
            self.journal,
            publisher or RecordingPublisher(),
            NullObserver(),
            self.clock,
            MemoryIds(1001),
            MemoryIds(2001),
            policy or Policy(),
            ask_timeout_seconds=60.0,
        )
        rooms = memory_room_services(self.screenings, self.database, dict, self.clock)
        codes = TicketCodes(b"s" * 32)
        ledger = MemoryLedger(self.database)
        box_office = BoxOffice(self.screenings, self.journal, ledger)
        self.services = Services(
            version="1.2.3",
            screenings=self.screenings,
            box_office=box_office,
            movers=Movers(self.screenings, self.journal, ledger, box_office),
            payments=VouchedPayments(box_office, self.screenings, ledger),
            journal=self.journal,
            flushing=self.journal,
            tickets=self.readers,
            reservations=HoldReaders(self.database),
            idempotency=self.readers,
            requests_in_flight=KeysInFlight((limits or Limits()).keys_in_flight),
            tokens=self.tokens,
            totals=OwnTotals(
                self.screening_sockets, SocketCounts(), rooms, lambda: self.screenings.hold_count
            ),
            servers=None,  # type: ignore[arg-type] # operators' pages need a database
            event_log=None,  # type: ignore[arg-type]
            check_ins=None,  # type: ignore[arg-type]
            door=None,  # type: ignore[arg-type]
            funnels=None,  # type: ignore[arg-type]
            webhooks=None,  # type: ignore[arg-type]
            webhook_sender=None,  # type: ignore[arg-type]
            aliases=Aliases(b"s" * 32),
            rooms=rooms,
            catalogue=None,  # type: ignore[arg-type] # not used here
            accounts=None,  # type: ignore[arg-type]
            guests=None,  # type: ignore[arg-type]
            channels=None,  # type: ignore[arg-type]
            workers=None,  # type: ignore[arg-type]
            rate_limits=RateLimits(limits or Limits()),
            site=Site(lambda: "", "", "tickets@localhost", codes, "en"),
            mails=NoMails(),  # type: ignore[arg-type]
            ticket_codes=codes,
            clock=self.clock,
            http_observer=http_observer or self.observer,
            readiness=self._reasons,
            degraded=lambda: self.degraded,
            metrics_page=self._metrics_page,
            allowed_origins=AllowedOrigins([ORIGIN]),
            cipher=Cipher(b"s" * 32),
            offers=None,  # type: ignore[arg-type] # not used here
            seat_maps=SeatMapEncoder(),
            stripe=StripeSignatures((), 300.0),
            limits=limits or Limits(),
        )
        self._listen()

    def _listen(self) -> None:
        self.application = FrontrowApplication(self.services)
        self._server = make_http_server(
            self.application, self.services.limits, self.application.report_refusal, self._layer
        )
        listening, self.port = bind_unused_port()
        self._server.add_sockets([listening])
        self.base_url = f"http://127.0.0.1:{self.port}"

    async def _reasons(self) -> Mapping[str, str]:
        return self.unready

    async def _metrics_page(self, accept_header: str) -> tuple[str, bytes]:
        return "text/plain; version=0.0.4", b"up 1\n"

    def restart_api(self, **changes: Any) -> None:
        """Serve the same engine and database with a new application with empty caches."""
        self._server.stop()
        self.services = replace(self.services, **changes)
        self._listen()

    def user(self, user_id: int, *, admin: bool = False) -> Caller:
        return Caller(self.base_url, self.tokens.issue(user_id, admin=admin, ttl_seconds=3600))

    @property
    def guest(self) -> Caller:
        """A caller without a token."""
        return Caller(self.base_url)

    async def close(self) -> None:
        self._server.stop()
        await self.screenings.stop()
        self.journal.write_next(self.journal.depth)
        await self.application.finished()
        await self._server.close_all_connections()


async def raw_exchange(venue: Venue, request: bytes) -> bytes:
    """Send a request and return all bytes that the server sends until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", venue.port)
    try:
        writer.write(request)
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()
