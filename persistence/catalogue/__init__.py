"""Repositories of the catalogue: one module per resource, based on the shared `Table` and `Rows` classes."""

from persistence.catalogue.casts import CASTS, DETAILED_CASTS
from persistence.catalogue.cinemas import CINEMAS
from persistence.catalogue.events import EventRows
from persistence.catalogue.favorites import Favorites
from persistence.catalogue.movies import COMING_SOON, RECOMMENDED, TRENDING, Movies
from persistence.catalogue.reviews import Reviews
from persistence.catalogue.rooms import ROOMS
from persistence.catalogue.screenings import ScreeningRows
from persistence.catalogue.seats import Seats
from persistence.catalogue.showtimes import SHOWTIMES
from persistence.catalogue.statistics import Statistics
from persistence.catalogue.table import Rows
from persistence.catalogue.ticket_types import TicketTypeRows
from persistence.catalogue.tickets import TicketRows
from persistence.catalogue.users import SEARCHES, USERS, Searches, Users
from persistence.connector import Connector


class Catalogue:
    """All repositories of the catalogue on one database."""

    def __init__(self, connector: Connector) -> None:
        self.users = Users(connector, USERS)
        self.searches = Searches(connector, SEARCHES)
        self.cinemas = Rows(connector, CINEMAS)
        self.events = EventRows(connector)
        self.ticket_types = TicketTypeRows(self.events)
        self.favorites = Favorites(connector)
        self.movies = Movies(connector)
        self.coming_soon_movies = Rows(connector, COMING_SOON)
        self.trending_movies = Rows(connector, TRENDING)
        self.recommended_movies = Rows(connector, RECOMMENDED)
        self.casts = Rows(connector, CASTS)
        self.detailed_casts = Rows(connector, DETAILED_CASTS)
        self.reviews = Reviews(connector)
        self.rooms = Rows(connector, ROOMS)
        self.screenings = ScreeningRows(connector)
        self.seats = Seats(connector)
        self.showtimes = Rows(connector, SHOWTIMES)
        self.statistics = Statistics(connector)
        self.tickets = TicketRows(connector)
