"""What the catalogue's resources need of their storage, as narrow protocols.

`Rows` is what every resource has; a resource that needs more says so in a protocol of its own here.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Protocol

from api.papers.confirmations import Papers

Record = dict[str, Any]
"""A stored record by the names of its columns."""


class Rows(Protocol):
    """Stored records of one kind; `persistence.catalogue.table.Rows` documents it."""

    async def page(
        self, wanted: Mapping[str, Any], order: str = "", *, limit: int, offset: int
    ) -> tuple[list[Record], int]:
        """A page of the records that fit, and how many fit in all."""

    async def find(self, record_id: int, **wanted: Any) -> Record:
        """A record by its id, or NotFound."""

    async def insert(self, values: Mapping[str, Any]) -> Record:
        """Make a record."""

    async def update(self, record_id: int, values: Mapping[str, Any]) -> Record:
        """Change a record, or NotFound."""

    async def delete(self, record_id: int) -> None:
        """Delete a record, or NotFound, or InUse."""


class SeatRows(Rows, Protocol):
    """Seats, as `persistence.catalogue.seats.Seats` documents them."""

    async def add(self, room_id: int, plan: Sequence[Mapping[str, Any]]) -> list[Record]:
        """Make those seats of a plan that are not there yet; returns all of the plan."""


class ScreeningRows(Rows, Protocol):
    """Screenings, as `persistence.catalogue.screenings.ScreeningRows` documents them."""

    async def length_minutes(self, movie_id: int) -> int | None:
        """How long a movie is, if that is known, or UnknownReference."""

    async def to_come(self, room_id: int) -> list[int]:
        """Ids of a room's screenings that are not over."""


class TicketTypeRows(Rows, Protocol):
    """Ticket types, as `persistence.catalogue.ticket_types.TicketTypeRows` documents them."""

    async def offer(self, ticket_type_id: int) -> Record:
        """What has to be known of a ticket type to reserve it, or NotFound."""


class FavoriteRows(Rows, Protocol):
    """Favourite cinemas, as `persistence.catalogue.favorites.Favorites` documents them."""

    async def add(self, user_id: int, cinema_id: int) -> Record:
        """Make a cinema a favourite, or UnknownReference, or NoAccount."""

    async def remove(self, user_id: int, cinema_id: int) -> None:
        """Make a cinema no favourite, if it is one."""


class ReviewRows(Rows, Protocol):
    """Reviews, as `persistence.catalogue.reviews.Reviews` documents them."""

    async def react(self, review_id: int, user_id: int, reaction: str) -> Record:
        """Like or dislike a review, or take that back, or NotFound, or NoAccount."""

    async def counts(self, movie_id: int) -> Mapping[int, int]:
        """How many reviews of a movie give each rating."""


class UserRows(Rows, Protocol):
    """Accounts, as `persistence.catalogue.users.Users` documents them."""

    async def picture(self, user_id: int) -> bytes:
        """The picture that a user has uploaded, or NotFound."""


class SearchRows(Rows, Protocol):
    """Searches, as `persistence.catalogue.users.Searches` documents them."""

    async def remember(self, user_id: int, query: str, kept: int) -> Record:
        """Note a search as the latest of at most `kept`."""

    async def forget(self, user_id: int, search_id: int) -> None:
        """Forget one of a user's searches, or NotFound."""

    async def forget_all(self, user_id: int) -> None:
        """Forget all searches of a user."""


class StatisticsReader(Protocol):
    """Figures, as `persistence.catalogue.statistics.Statistics` documents them."""

    async def count(self, kind: str) -> Record:
        """How many movies, cinemas or users there are."""

    async def tickets(self) -> Record:
        """How many tickets there are, in all and by status."""

    async def recent_bookings(self, *, limit: int, offset: int) -> list[Record]:
        """Tickets with what they are for, the last booked first."""

    async def revenue(self) -> Record:
        """What was sold at any time."""

    async def revenue_by_period(self, borders: Sequence[datetime]) -> list[Record]:
        """What was sold between each border and the next."""

    async def popular_movies(self, first: date, last: date, limit: int) -> list[Record]:
        """The movies that sold most tickets."""

    async def between(self, begin: datetime, end: datetime) -> Record:
        """What was sold between two moments, what was screened then, and who joined."""


class TicketRows(Rows, Papers, Protocol):
    """Tickets, as `persistence.catalogue.tickets.TicketRows` documents them; read only."""


class Catalogue(Protocol):
    """All resources, by their names."""

    @property
    def users(self) -> UserRows:
        """Accounts."""

    @property
    def searches(self) -> SearchRows:
        """What users searched for."""

    @property
    def cinemas(self) -> Rows:
        """Cinemas."""

    @property
    def events(self) -> Rows:
        """Events."""

    @property
    def ticket_types(self) -> TicketTypeRows:
        """Ticket types."""

    @property
    def favorites(self) -> FavoriteRows:
        """Cinemas as favourites of users."""

    @property
    def movies(self) -> Rows:
        """Movies."""

    @property
    def coming_soon_movies(self) -> Rows:
        """Movies that will be released; read only."""

    @property
    def trending_movies(self) -> Rows:
        """Movies that sell; read only."""

    @property
    def recommended_movies(self) -> Rows:
        """Movies that a user may like; read only."""

    @property
    def casts(self) -> Rows:
        """Cast members."""

    @property
    def detailed_casts(self) -> Rows:
        """Cast members and the other movies they are in; read only."""

    @property
    def reviews(self) -> ReviewRows:
        """Reviews."""

    @property
    def rooms(self) -> Rows:
        """Rooms."""

    @property
    def seats(self) -> SeatRows:
        """Seats."""

    @property
    def screenings(self) -> ScreeningRows:
        """Screenings."""

    @property
    def showtimes(self) -> Rows:
        """Screenings as they are shown to whoever wants to go; read only."""

    @property
    def statistics(self) -> StatisticsReader:
        """Figures for administrators."""

    @property
    def tickets(self) -> TicketRows:
        """Tickets."""
