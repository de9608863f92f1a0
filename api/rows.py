"""Storage ports of the API, as narrow protocols: the catalogue, and the offers for sale.

Every resource has `Rows`; resources that need more extend it here. Implemented in `persistence.catalogue`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from api.identity.accounts import AccountRows
from api.identity.tokens import Identity
from engine.door import ScannedCode

Record = dict[str, Any]
"""A stored record, by column name."""


class Listed(Protocol):
    """A part of a list, as `persistence.catalogue.table.Listed` documents it."""

    @property
    def records(self) -> Sequence[Record]: ...

    @property
    def total(self) -> int | None: ...

    @property
    def last(self) -> Sequence[str | None] | None: ...


class Rows(Protocol):
    """Stored records of one kind; `persistence.catalogue.table.Rows` documents it."""

    async def page(
        self, wanted: Mapping[str, Any], order: str = "", *, limit: int, offset: int
    ) -> tuple[list[Record], int]:
        """Return a page of the matching records, and the total number of matches."""

    async def listed(
        self,
        wanted: Mapping[str, Any],
        order: str = "",
        *,
        limit: int,
        offset: int = 0,
        after: Sequence[str | None] | None = None,
        counted: bool = True,
    ) -> Listed:
        """Return a page of the matching records, by number or after a position."""

    async def find(self, record_id: int, **wanted: Any) -> Record:
        """Return a record. Raises NotFound."""

    async def insert(self, values: Mapping[str, Any]) -> Record:
        """Insert a record and return it."""

    async def update(self, record_id: int, values: Mapping[str, Any]) -> Record:
        """Update the given columns and return the record. Raises NotFound."""

    async def delete(self, record_id: int) -> None:
        """Delete a record. Raises NotFound or InUse."""


class SeatRows(Rows, Protocol):
    """Seats, as `persistence.catalogue.seats.Seats` documents them."""

    async def add(self, room_id: int, plan: Sequence[Mapping[str, Any]]) -> list[Record]:
        """Insert the seats of a plan that do not exist yet; return all seats of the plan."""


class StoredLayout(Protocol):
    """A room's layout, as `persistence.catalogue.layouts.StoredLayout` documents it."""

    @property
    def version(self) -> int: ...

    @property
    def surroundings(self) -> Mapping[str, Any]: ...

    @property
    def seats(self) -> Sequence[Mapping[str, Any]]: ...


class LayoutDifference(Protocol):
    """The changes by a new layout, as `persistence.catalogue.layouts.Difference` documents them."""

    @property
    def version(self) -> int: ...

    @property
    def taken(self) -> int: ...

    @property
    def obstacles(self) -> Sequence[Mapping[str, Any]]: ...


class LayoutRows(Protocol):
    """Layouts of rooms, as `persistence.catalogue.layouts.Layouts` documents them."""

    async def version(self, room_id: int) -> int:
        """Return the version of a room's layout. Raises NotFound."""

    async def read(self, room_id: int) -> StoredLayout:
        """Return the layout of a room. Raises NotFound."""

    async def seat_types(self) -> list[Record]:
        """Return the types that seats can have, with their surcharges."""

    async def compare(self, room_id: int, seats: Sequence[Mapping[str, Any]]) -> LayoutDifference:
        """Return what publishing a layout would change. Raises NotFound."""

    async def publish(
        self,
        room_id: int,
        seats: Sequence[Mapping[str, Any]],
        surroundings: Mapping[str, Any] | None,
        suspended: Collection[int],
        accept: Callable[[Any], None],
    ) -> LayoutDifference:
        """Replace a layout, unless `accept` raises; the `suspended` screenings sell nothing meanwhile.

        Raises NotFound, or OwnershipLost if another screening was added.
        """


class ScreeningRows(Rows, Protocol):
    """Screenings, as `persistence.catalogue.screenings.ScreeningRows` documents them."""

    async def prices(self, screening_id: int) -> Sequence[Record]:
        """Return the price of each seat type, the lowest first. Raises NotFound."""

    async def length_minutes(self, movie_id: int) -> int | None:
        """Return a movie's length, None if unknown. Raises UnknownReference if there is no such movie."""

    async def time_zone(self, room_id: int) -> str:
        """Return the time zone of a room's cinema. Raises UnknownReference if there is no such room."""

    async def to_come(self, room_id: int) -> list[int]:
        """Return the ids of a room's screenings that have not ended."""


class Invitations(NamedTuple):
    """The users who may see an event.

    Attributes:
        private: whether only administrators and invited users may see it.
        user_ids: the invited users.
    """

    private: bool
    user_ids: frozenset[int]

    def admit(self, identity: Identity | None) -> bool:
        """Return whether a caller may see the event; None is a caller without a token."""
        if not self.private:
            return True
        return identity is not None and (identity.admin or identity.user_id in self.user_ids)


class Offer(NamedTuple):
    """A ticket type and its event."""

    ticket_type_id: int
    name: str
    price: Decimal
    event_id: int
    title: str
    venue: str
    starts_at: datetime
    invitations: Invitations


class TicketTypeRows(Rows, Protocol):
    """Ticket types, as `persistence.catalogue.ticket_types.TicketTypeRows` documents them."""

    async def offer(self, ticket_type_id: int) -> Record:
        """Return what reserving a ticket type requires of it. Raises NotFound."""


class FavoriteRows(Rows, Protocol):
    """Favourite cinemas, as `persistence.catalogue.favorites.Favorites` documents them."""

    async def add(self, user_id: int, cinema_id: int) -> Record:
        """Add a favourite. Raises UnknownReference or NoAccount."""

    async def remove(self, user_id: int, cinema_id: int) -> None:
        """Remove a favourite; does nothing if it is not one."""


class ReviewRows(Rows, Protocol):
    """Reviews, as `persistence.catalogue.reviews.Reviews` documents them."""

    async def react(self, review_id: int, user_id: int, reaction: str) -> Record:
        """Like or dislike a review, or withdraw that reaction. Raises NotFound or NoAccount."""

    async def counts(self, movie_id: int) -> Mapping[int, int]:
        """Return the number of a movie's reviews by rating."""


class RefundRows(Rows, Protocol):
    """Refunds, as `persistence.catalogue.refunds.RefundRows` documents them; only settling changes them."""

    async def settle(self, refund_id: int, reference: str, *, confirmed: bool) -> Record:
        """Record that a refund was paid back. Raises NotFound, RefundSettled or RefundUnvouched."""

    async def pay_back(self, payment_id: str, amount_cents: int | None, reference: str) -> None:
        """Record what a provider has paid back; it settles what is or will be owed for the payment."""

    async def receive(self, payment_id: str, amount_cents: int, places: int) -> None:
        """Record what a provider has received; what exceeds the price of all its tickets is owed."""

    async def paid_back(self, payment_id: str) -> bool:
        """Return whether a provider has paid back everything of a payment."""


class UserRows(Rows, AccountRows, Protocol):
    """Accounts, as `persistence.catalogue.users.Users` documents them."""

    async def picture(self, user_id: int) -> bytes:
        """Return a user's uploaded picture. Raises NotFound."""


class SearchRows(Rows, Protocol):
    """Searches, as `persistence.catalogue.users.Searches` documents them."""

    async def remember(self, user_id: int, query: str, kept: int) -> Record:
        """Store a search as the user's latest, keeping at most `kept` of them."""

    async def forget(self, user_id: int, search_id: int) -> None:
        """Delete one of a user's searches. Raises NotFound."""

    async def forget_all(self, user_id: int) -> None:
        """Delete all searches of a user."""


class CheckInRows(Protocol):
    """Admissions at the door, as `persistence.check_ins.CheckIns` documents them."""

    @property
    def admitted(self) -> Rows:
        """The admissions; read-only."""

    @property
    def door_list(self) -> Rows:
        """The tickets that scanners need to work offline; read-only."""

    async def scan(
        self,
        code: ScannedCode,
        screening_id: int | None,
        direction: str,
        gate: str,
        at: float,
        actor: str,
        offline: tuple[str, str] | None = None,
    ) -> Record:
        """Decide a scan, and return its result with the ticket."""

    async def counts(self, screening_id: int) -> tuple[int, Sequence[tuple[str, int, int, int]]]:
        """Count confirmed tickets; and by gate those admitted, those inside, and conflicts."""

    async def exists(self, screening_id: int) -> bool:
        """Return whether there is a screening or an event with this id."""


class WebhookRows(Rows, Protocol):
    """Webhooks, as `persistence.webhooks.WebhookRows` documents them."""

    async def add(self, url: str, events: Sequence[str], description: str, secret: bytes) -> Record:
        """Create a webhook. Raises WebhookLimitReached."""

    async def rotate(self, webhook_id: int, secret: bytes, seconds: float) -> Record:
        """Replace the secret; the present one signs as well for some seconds. Raises NotFound."""

    async def enable(self, webhook_id: int) -> Record:
        """Send events again. Raises NotFound."""

    async def disable(self, webhook_id: int, reason: str) -> Record:
        """Send no more events. Raises NotFound."""

    async def deliveries(
        self,
        webhook_id: int,
        status: str | None,
        *,
        limit: int,
        offset: int,
        before: int | None,
        counted: bool,
    ) -> tuple[list[Record], int | None]:
        """Return a page of the log of deliveries, and the number of all. Raises NotFound."""

    async def replay(self, webhook_id: int, start: int | datetime) -> int:
        """Send events again from a position or a time, and return their number. Raises NotFound."""


class StatisticsReader(Protocol):
    """Statistics, as `persistence.catalogue.statistics.Statistics` documents them."""

    async def count(self, kind: str) -> Record:
        """Count the records of a kind: movies, cinemas or users."""

    async def tickets(self) -> Record:
        """Count tickets, in total and by status."""

    async def recent_bookings(
        self, *, limit: int, offset: int, after: Sequence[str | None] | None = None
    ) -> tuple[list[Record], Sequence[str | None] | None]:
        """Return tickets with their screening and seat, latest booking first, and the last one's position."""

    async def time_zones(self, limit: int) -> list[str]:
        """Return up to `limit` of the time zones that cinemas and events to come are in."""

    async def revenue(self) -> Record:
        """Return the number and the revenue of all tickets sold."""

    async def revenue_by_period(self, boundaries: Sequence[datetime]) -> list[Record]:
        """Return the sales between each boundary and the next."""

    async def popular_movies(self, first: date, last: date, limit: int) -> list[Record]:
        """Return the movies that sold the most tickets."""

    async def between(self, begin: datetime, end: datetime) -> Record:
        """Return sales, screenings and new users between two timestamps."""


class MessageRows(Rows, Protocol):
    """Messages of the outbox, as `persistence.catalogue.messages.Messages` documents them."""

    async def retry(self, message_id: int) -> Record:
        """Deliver a dead letter after all. Raises NotFound or MessageDelivered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The stored resources, by name.

    Attributes:
        coming_soon_movies: movies that are not released yet; read-only.
        trending_movies: movies by recent sales; read-only.
        recommended_movies: movies recommended to one user; read-only.
        own_refunds: refunds as their receiver sees them; read-only.
        detailed_casts: cast members with the other movies they appear in; read-only.
        showtimes: screenings as moviegoers see them; read-only.
        tickets: as administrators see them; read-only.
        shown_tickets: tickets as their holder sees them; read-only.
        exported_tickets: tickets with their buyers and holders, for administrators; read-only.
        waitlist: entries of waiting lists; the journal writes them.
    """

    users: UserRows
    searches: SearchRows
    cinemas: Rows
    events: Rows
    ticket_types: TicketTypeRows
    favorites: FavoriteRows
    movies: Rows
    coming_soon_movies: Rows
    trending_movies: Rows
    recommended_movies: Rows
    casts: Rows
    detailed_casts: Rows
    refunds: RefundRows
    own_refunds: Rows
    reviews: ReviewRows
    rooms: Rows
    layouts: LayoutRows
    screenings: ScreeningRows
    seats: SeatRows
    showtimes: Rows
    statistics: StatisticsReader
    tickets: Rows
    shown_tickets: Rows
    exported_tickets: Rows
    messages: MessageRows
    waitlist: Rows


RowsOf = Callable[[Catalogue], Rows]
"""Selects a resource's rows from the catalogue."""
