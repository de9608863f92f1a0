"""The collaborators of request handlers, bundled in `Services` by the composition root.

Nothing in `api` builds its own collaborators. Those that a product family, `persistence` or `metrics`
implements are protocols here, so this module imports none of these. So is the engine's directory, which may
be in another process. Classes of the packages below are used as they are; a protocol would only repeat them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar

from api.access_log import HttpObserver
from api.bodies import Body
from api.http1.trusted_proxies import NO_PROXIES, TrustedProxies
from api.identity.accounts import Accounts
from api.identity.channels import Channels
from api.identity.guests import Guests
from api.identity.host_names import HostNames
from api.identity.origins import AllowedOrigins
from api.identity.tokens import Identity, Tokens
from api.limiter import RateLimits
from api.limits import Limits
from api.looks import Looks
from api.mails.delivery import Mails
from api.mails.wordings import Site
from api.overload import Overload
from api.papers.aliases import Aliases
from api.papers.cipher import Cipher
from api.papers.ticket_codes import TicketCodes
from api.rows import Catalogue, CheckInRows, Offer, Record, WebhookRows
from api.venue_time import DEFAULT_TIME_ZONE
from api.workers import Workers
from engine.box_office import BoxOffice
from engine.causes import Cause
from engine.commands import Command
from engine.door import TicketIssue
from engine.figures import Server
from engine.movers import Movers
from engine.ports import Clock, Flushing, Journal
from engine.records import Hold, IdempotencyRecord, ReservationStatistics, StoredReservation, Ticket
from engine.tracing import RequestTraces
from engine.views import SeatMap
from engine.vouched_payments import VouchedPayments

Written = TypeVar("Written")


class Screenings(Protocol):
    """The directory of the engine."""

    async def ask(self, command: Command) -> Any:
        """Return the command's reply (see `engine.commands`). Raises EngineError."""

    def ask_active(self, command: Command, cause: Cause | None = None) -> "Any | asyncio.Future[Any] | None":
        """Return the reply, or a future if the command has to wait; None if the screening is not loaded.

        `cause` is recorded with what the command changes; `ask` records the request of the present task.
        """

    async def sweep(self) -> int:
        """Release all expired holds and return their number."""

    async def change(self, screening_id: int, write: Callable[[], Awaitable[Written]]) -> Written:
        """Run `write` while the screening's sales are suspended and all earlier sales are in the database."""

    async def change_all(
        self, screening_ids: Collection[int], write: Callable[[], Awaitable[Written]]
    ) -> Written:
        """Do the same for several screenings at once."""


class TicketReader(Protocol):
    """Reads committed tickets."""

    async def ticket(self, ticket_id: int) -> Ticket | None:
        """Return a ticket by its id."""

    async def to_come(self, holder: str) -> Sequence[Any]:
        """Return the holder's live tickets, not used at the door, for what has not begun."""

    async def issues(self, ticket_ids: Sequence[int]) -> Mapping[int, TicketIssue]:
        """Return what has become of tickets since they were sold, by id."""

    async def history(self, ticket_id: int) -> Sequence[Record]:
        """Return the history of a ticket, oldest first; empty if there is no such ticket."""

    async def give(
        self, ticket_id: int, known_issue: int, to_whom: bytes, actor: str, *, by_hand: bool
    ) -> tuple[str, float | None]:
        """Give a ticket to somebody else; `persistence.tickets.Tickets` documents it."""

    async def tickets_of_payment(self, payment_id: str) -> Sequence[Ticket]:
        """Return the tickets that a payment has paid for."""

    async def list_of_holder(
        self, holder: str, *, limit: int, offset: int, before_id: int | None = None
    ) -> tuple[Sequence[Ticket], int]:
        """Return a page of the holder's tickets, newest first, and their total number."""


class Door(Protocol):
    """Counts who was admitted; `api.sales.admissions.Door` documents it."""

    def scanned(self, screening_id: int | None, result: str) -> None:
        """A scan was decided."""

    async def counts(self, screening_id: int) -> dict[str, Any]:
        """Return the present counts of a screening. Raises StoreUnavailable."""


class ReservationReader(Protocol):
    """Reads stored holds, including past ones; `persistence.reservations` documents it."""

    async def reservation(
        self, screening_id: int, reservation_id: int, now: float
    ) -> StoredReservation | None:
        """Return a reservation of an event's places, active or not."""

    async def live_ids(self, holder: str, now: float) -> Sequence[tuple[int, int]]:
        """Return the screenings and ids of the holder's live reservations, of seats and of places."""

    async def live_reservations(
        self, holder: str, now: float, *, limit: int, offset: int, before_id: int | None = None
    ) -> tuple[Sequence[StoredReservation], int]:
        """Return a page of the holder's active reservations of places, and their total number."""

    async def seats_of(self, holder: str, hold_ids: Sequence[int]) -> Sequence[tuple[int, int]]:
        """Return screening and seat of a holder's holds of any status; unknown ones are left out."""

    async def knows(self, holder: str) -> bool:
        """Return whether a holder has an account, or has ever reserved or bought anything."""

    async def statistics(self, now: float) -> ReservationStatistics:
        """Count reservations of places by status."""

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
        """Return a page of the holder's holds with their status, newest first, and their total number."""


class SeatMaps(Protocol):
    """Encodes seat maps as JSON; `api.sales.seat_maps.SeatMapEncoder` documents it."""

    def public(self, seat_map: SeatMap, access: tuple[str, ...] = ()) -> Body:
        """Encode the seats for anonymous callers."""

    def personal(self, seat_map: SeatMap, holder: str, access: tuple[str, ...] = ()) -> Body:
        """Encode the seats as `holder` sees them."""

    def available(self, seat_map: SeatMap, access: tuple[str, ...] = ()) -> Body:
        """Encode the available seats, without status."""


class WebhookSignatures(Protocol):
    """Verifies webhooks of a payment provider; `api.payments.stripe.StripeSignatures` documents it."""

    def verify(self, body: bytes, signature: str | None) -> None:
        """Check that the provider has sent a body. Raises ApiError."""


class Offers(Protocol):
    """The ticket types for sale; `api.public.offers.Offers` documents it."""

    async def find(self, shown_id: str, identity: Identity | None) -> Offer:
        """Return an offer that the caller may see. Raises NotFound."""

    async def of(self, ticket_type_id: int) -> Offer:
        """Return an offer, without checking who may see it. Raises NotFound."""

    async def forget(self) -> None:
        """Clear the caches of all servers, because an event or a ticket type has changed."""


class Rooms(Protocol):
    """The rooms as served over HTTP; `api.rooms.socket.RoomServices` documents it."""

    async def selections(self, name: str) -> list[dict[str, Any]]:
        """Return the taken seats of a room. Raises NotFound if the room's name is invalid."""


class KeyedRequest(NamedTuple):
    """A request with an idempotency key.

    Attributes:
        scope: the caller that the key belongs to.
        key: the key.
        fingerprint: digest of the request.
    """

    scope: str
    key: str
    fingerprint: bytes


class Totals(Protocol):
    """Totals over all servers."""

    async def screening_sockets(self) -> Mapping[int, int]:
        """Return the number of sockets that watch each screening; those without sockets are absent."""

    async def event_sockets(self) -> tuple[int, int]:
        """Return the number of event sockets, and of their subscriptions."""

    async def rooms(self) -> tuple[int, Collection[int], int]:
        """Return the number of room sockets, the ids of rooms with sockets, and the number of held seats."""


class Servers(Protocol):
    """The servers that serve together, for their operators."""

    async def all(self) -> Sequence[Server]:
        """Return all servers, each with its figures if it answers."""

    async def set_log_level(self, mark: str, level: str, by: str) -> None:
        """Change what a server logs until it ends.

        Args:
            mark: of the server.
            level: a value of `FRONTROW_LOG_LEVEL`.
            by: who changes it.

        Raises:
            NotFound: there is no such server.
            Unavailable: it did not answer.
        """


class EventLog(Protocol):
    """Reads the database for operators; `persistence.event_log.EventLog` documents it."""

    async def after(self, screening_id: int, epoch: int, seq: int, limit: int) -> list[Record]:
        """Return the next events of a screening, oldest first."""

    async def extent(self, screening_id: int) -> tuple[int, float | None, float | None]:
        """Return the number of events, and when the first and the last one happened."""

    async def of_seat(self, screening_id: int, seat_id: int, limit: int) -> tuple[list[Record], list[Record]]:
        """Return the events of a seat, newest first, and its tickets."""

    async def live_tickets(self, screening_id: int) -> list[Record]:
        """Return the tickets that occupy seats."""

    async def people(self, user_ids: Collection[int]) -> list[Record]:
        """Return name and e-mail address of accounts."""

    async def operated(
        self, query: str, *, past: bool, screening_id: int | None = None, limit: int, offset: int
    ) -> list[Record]:
        """Return screenings and events with their counts."""


class FunnelReader(Protocol):
    """Reads what sells; `persistence.funnels.Funnels` documents it."""

    async def beginning(self, screening_id: int) -> datetime | None:
        """Return when somebody first looked at a screening or held its seats."""

    async def stages(
        self, bounds: Sequence[datetime], screening_id: int | None
    ) -> Sequence[tuple[int, str, str, int, float]]:
        """Return period, door, stage, number and revenue of one screening or all."""

    async def waits(
        self, bounds: Sequence[datetime], screening_id: int | None
    ) -> tuple[int, Sequence[float] | None]:
        """Return the number of paid tickets, and percentiles of the seconds from hold to payment."""


class WebhookSender(Protocol):
    """Sends events to webhooks; `frontrow.webhooks.WebhookSender` documents it."""

    def wake(self) -> None:
        """Look for events to send at once."""

    async def test(self, webhook_id: int) -> tuple[Any, Any]:
        """Send a test event and return what was sent and the result. Raises NotFound."""

    async def send_again(self, webhook_id: int, position: int) -> tuple[Any, Any]:
        """Send an event out of turn and return what was sent and the result. Raises NotFound."""


class IdempotencyLookup(Protocol):
    """Stored responses; `persistence.idempotency` documents it."""

    async def lookup(self, scope: str, key: str) -> IdempotencyRecord | None:
        """Return the response stored under a key."""

    async def store_with(self, write: Callable[[], Awaitable[IdempotencyRecord]]) -> bool:
        """Change the database and store the response in one transaction; False if its key has a response."""


class RequestsInFlight(Protocol):
    """The requests with an idempotency key that are being processed; `api.rest.idempotency` documents it."""

    @property
    def stored_first(self) -> bool:
        """True if every response has to be stored before it is sent."""

    def begin(self, request: KeyedRequest) -> Awaitable[None] | None:
        """Begin to process a request; an awaitable result has to be awaited."""

    def end(self, request: KeyedRequest) -> None:
        """End the processing of a request that was begun."""


MetricsPage = Callable[[str], Awaitable[tuple[str, bytes]]]
"""Renders the metrics for an `Accept` header: returns the media type and the body."""

Readiness = Callable[[], Awaitable[Mapping[str, str]]]
"""Returns the reasons why the server cannot work, by component; empty if there are none."""


@dataclass(frozen=True, slots=True)
class Services:
    """The collaborators of request handlers.

    Attributes:
        flushing: waits for the journals of all servers; the journal itself, if there is only one.
        vouched_only: whether tickets are pending until somebody vouches for their payment.
        totals: counts sockets and holds, of all servers.
    """

    version: str
    screenings: Screenings
    box_office: BoxOffice
    movers: Movers
    payments: VouchedPayments
    journal: Journal
    flushing: Flushing
    tickets: TicketReader
    reservations: ReservationReader
    idempotency: IdempotencyLookup
    tokens: Tokens
    totals: Totals
    servers: Servers
    event_log: EventLog
    check_ins: CheckInRows
    door: Door
    funnels: FunnelReader
    webhooks: WebhookRows
    webhook_sender: WebhookSender
    aliases: Aliases
    rooms: Rooms
    catalogue: Catalogue
    accounts: Accounts
    guests: Guests
    channels: Channels
    workers: Workers
    rate_limits: RateLimits
    mails: Mails
    ticket_codes: TicketCodes
    site: Site
    clock: Clock
    http_observer: HttpObserver
    readiness: Readiness
    degraded: Callable[[], Mapping[str, str]]
    metrics_page: MetricsPage
    allowed_origins: AllowedOrigins
    cipher: Cipher
    offers: Offers
    seat_maps: SeatMaps
    stripe: WebhookSignatures
    requests_in_flight: RequestsInFlight
    hosts: HostNames = field(default_factory=HostNames)
    cron_secret: str = ""
    guest_purchase: bool = False
    vouched_only: bool = False
    test_payment: bool = False
    mails_sent: bool = True
    time_zone: str = DEFAULT_TIME_ZONE
    currency: str = "EUR"
    webhook_private_addresses: bool = False
    metrics_open: bool = True
    metrics_port: int = 0
    metrics_token: str = ""
    path_prefix: str = ""
    proxies: TrustedProxies = NO_PROXIES
    limits: Limits = field(default_factory=Limits)
    looks: Looks = field(default_factory=Looks)
    overload: Overload = field(default_factory=Overload)
    traces: RequestTraces | None = None
