"""Repositories of the catalogue: one module per resource, on the one table class that they share."""

from persistence.catalogue.cinemas import CINEMAS
from persistence.catalogue.rooms import ROOMS
from persistence.catalogue.screenings import ScreeningRows
from persistence.catalogue.seats import Seats
from persistence.catalogue.showtimes import SHOWTIMES
from persistence.catalogue.table import Rows
from persistence.connector import Connector


class Catalogue:
    """All of them, on one database.

    Args:
        connector: the database.
    """

    def __init__(self, connector: Connector) -> None:
        self.cinemas = Rows(connector, CINEMAS)
        self.rooms = Rows(connector, ROOMS)
        self.screenings = ScreeningRows(connector)
        self.seats = Seats(connector)
        self.showtimes = Rows(connector, SHOWTIMES)
