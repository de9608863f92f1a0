"""What the API is given to work with: narrow protocols, bundled by the composition root.

Handlers reach everything through `Services`; nothing in this package builds its own collaborators. What a
product family implements is a protocol here, so this module imports no family; the classes it names come from
packages below it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from api.bodies import Body
from api.http1.trusted_proxies import NO_PROXIES, TrustedProxies
from api.identity.accounts import Accounts
from api.identity.host_names import HostNames
from api.identity.origins import AllowedOrigins
from api.identity.tokens import Identity
from api.limiter import RateLimits
from api.limits import Limits
from api.papers.seal import Seal
from api.papers.ticket_codes import TicketCodes
from api.rows import Catalogue, Offer
from api.workers import Workers
from engine.commands import BookSeats, Command
from engine.errors import EngineError
from engine.ports import Clock, Settled
from engine.records import (
    Hold,
    IdempotencyRecord,
    Paper,
    Receipt,
    ReservationStatistics,
    StoredReservation,
    Ticket,
)
from engine.replies import Booked, Cancelled, SeatMap

Written = TypeVar("Written")


class Screenings(Protocol):
    """The directory of the engine."""

    async def ask(self, command: Command) -> Any:
        """The command's own kind of reply (see `engine.commands`), or an EngineError."""

    @property
    def hold_count(self) -> int:
        """Live holds."""

    def ask_active(self, command: Command) -> "Any | asyncio.Future[Any] | None":
        """The reply, or a future of it if it has to wait; None if the screening has to be loaded first."""

    async def sweep(self) -> int:
        """Release everything that has lapsed; returns the number of holds."""

    async def change(self, screening_id: int, write: Callable[[], Awaitable[Written]]) -> Written:
        """Do `write` while nothing is sold for the screening; what was sold before is in the database."""


class BoxOffice(Protocol):
    """Sells, as `engine.box_office.BoxOffice` documents it."""

    async def reconsider(self, command: BookSeats, refusal: EngineError) -> Booked:
        """What becomes of a booking that its screening has refused."""

    async def purchase(
        self,
        holder: str,
        owner: str,
        screening_id: int,
        reservation_id: int,
        papers: Sequence[Paper],
    ) -> Booked:
        """Turn a reservation of places into tickets."""

    async def confirm(
        self,
        holder: str,
        ticket_id: int,
        payment_id: str | None,
        receipt: Receipt | None = None,
        actor: str | None = None,
    ) -> Booked:
        """Confirm a pending ticket."""

    async def cancel(self, holder: str, ticket_id: int, actor: str | None = None) -> Cancelled:
        """Cancel a ticket."""


class Journal(Protocol):
    """The part of the engine's journal that requests use themselves."""

    def remember(self, record: IdempotencyRecord, settled: Settled | None = None) -> None:
        """Keep an answer for repeats of its request, and tell when it is stored or never will be."""

    async def flushed(self) -> None:
        """Return when everything decided so far can be read from the database."""


class TicketReader(Protocol):
    """Committed tickets."""

    async def ticket(self, ticket_id: int) -> Ticket | None:
        """A ticket by its id."""

    async def list_of_holder(self, holder: str, *, limit: int, offset: int) -> tuple[Sequence[Ticket], int]:
        """A page of the holder's tickets, newest first, and how many there are in all."""


class ReservationReader(Protocol):
    """Holds as they are stored, past ones included; `persistence.reservations` documents them."""

    async def reservation(
        self, screening_id: int, reservation_id: int, now: float
    ) -> StoredReservation | None:
        """Places of an event that were held together, whatever became of them."""

    async def live_reservations(
        self, holder: str, now: float, *, limit: int, offset: int
    ) -> tuple[Sequence[StoredReservation], int]:
        """A page of the holder's live reservations of places, and how many there are in all."""

    async def statistics(self, now: float) -> ReservationStatistics:
        """How many reservations of places there are and were."""

    async def list_of_holder(
        self, holder: str, now: float, *, include_expired: bool, limit: int, offset: int
    ) -> tuple[Sequence[tuple[Hold, str]], int]:
        """A page of the holder's holds with their status, newest first, and how many there are in all."""


class SeatMaps(Protocol):
    """Encodes seat maps as JSON; `api.sales.seat_maps.SeatMapEncoder` documents it."""

    def public(self, seat_map: SeatMap) -> Body:
        """The seats as everybody may see them."""

    def personal(self, seat_map: SeatMap, holder: str) -> Body:
        """The seats as `holder` sees them."""

    def available(self, seat_map: SeatMap) -> Body:
        """The free seats, without their state."""


class Offers(Protocol):
    """The ticket types for sale; `api.public.offers.Offers` documents it."""

    async def find(self, shown_id: str, identity: Identity | None) -> Offer:
        """An offer that the caller may know of, or NotFound."""

    async def of(self, ticket_type_id: int) -> Offer:
        """An offer, whoever may know of it, or NotFound."""

    def forget(self) -> None:
        """Look everything up again, because an event or a ticket type has changed."""


class Rooms(Protocol):
    """What is served of rooms over HTTP; `api.rooms.socket.RoomDoor` documents it."""

    @property
    def client_count(self) -> int:
        """Open sockets."""

    @property
    def occupied_count(self) -> int:
        """Rooms with at least one client."""

    async def selections(self, name: str) -> list[dict[str, Any]]:
        """The taken seats of a room, or NotFound if no room can have this name."""


class Confirmations(Protocol):
    """Mails about bookings."""

    def send_soon(self, booking_id: int) -> None:
        """Send the confirmation of a committed booking, if its holder can be written to."""

    async def send_again(self, booking_id: int) -> None:
        """Send it on request, or NoMailAddress, or TooManyAttempts, or MailQueueFull."""


class IdempotencyLookup(Protocol):
    """Answers that were kept."""

    async def lookup(self, scope: str, key: str) -> IdempotencyRecord | None:
        """What was answered under a key."""


class TokenVerifier(Protocol):
    """Knows whom a token speaks for."""

    def verify(self, token: str) -> Identity:
        """The token's owner, or `api.identity.tokens.InvalidToken`."""


class Hub(Protocol):
    """The sockets that watch."""

    @property
    def connections(self) -> Mapping[int, int]:
        """Sockets per screening that has any."""


class HttpObserver(Protocol):
    """Counts requests."""

    def request_finished(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered. `route` is a path pattern, `method` one of the served ones or OTHER."""


class MetricsPage(Protocol):
    """Writes the metrics down."""

    def __call__(self, accept: str) -> tuple[str, bytes]:
        """Media type and body for what an `Accept` header asks for."""


Readiness = Callable[[], Awaitable[Mapping[str, str]]]
"""Why the server cannot do its work now, by component; empty if it can."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that requests are answered with."""

    version: str
    screenings: Screenings
    box_office: BoxOffice
    journal: Journal
    tickets: TicketReader
    reservations: ReservationReader
    idempotency: IdempotencyLookup
    tokens: TokenVerifier
    hub: Hub
    rooms: Rooms
    catalogue: Catalogue
    accounts: Accounts
    workers: Workers
    rate_limits: RateLimits
    confirmations: Confirmations
    ticket_codes: TicketCodes
    clock: Clock
    http_observer: HttpObserver
    readiness: Readiness
    metrics_page: MetricsPage
    allowed_origins: AllowedOrigins
    seal: Seal
    offers: Offers
    seat_maps: SeatMaps
    hosts: HostNames = field(default_factory=HostNames)
    cron_secret: str = ""
    guest_purchase: bool = False
    metrics_open: bool = True
    metrics_token: str = ""
    path_prefix: str = ""
    proxies: TrustedProxies = NO_PROXIES
    limits: Limits = field(default_factory=Limits)
