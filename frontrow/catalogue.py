"""Puts the stored resources of the catalogue together."""

from api.rows import Catalogue
from persistence.catalogue.casts import CASTS, DETAILED_CASTS
from persistence.catalogue.cinemas import CINEMAS
from persistence.catalogue.events import EventRows
from persistence.catalogue.favorites import Favorites
from persistence.catalogue.layouts import Layouts
from persistence.catalogue.messages import MESSAGES, Messages
from persistence.catalogue.movies import COMING_SOON, RECOMMENDED, TRENDING, Movies
from persistence.catalogue.refunds import OWN_REFUNDS, RefundRows
from persistence.catalogue.reviews import Reviews
from persistence.catalogue.rooms import ROOMS
from persistence.catalogue.screenings import ScreeningRows
from persistence.catalogue.seats import Seats
from persistence.catalogue.showtimes import SHOWTIMES
from persistence.catalogue.statistics import Statistics
from persistence.catalogue.table import Rows
from persistence.catalogue.ticket_types import TicketTypeRows
from persistence.catalogue.tickets import EXPORTED_TICKETS, SHOWN_TICKETS, TICKETS
from persistence.catalogue.users import SEARCHES, USERS, Searches, Users
from persistence.catalogue.waitlist import Waitlist
from persistence.connector import Connector


def catalogue_on(connector: Connector) -> Catalogue:
    """Return the resources in one database."""
    events = EventRows(connector)
    return Catalogue(
        users=Users(connector, USERS),
        searches=Searches(connector, SEARCHES),
        cinemas=Rows(connector, CINEMAS),
        events=events,
        ticket_types=TicketTypeRows(events),
        favorites=Favorites(connector),
        movies=Movies(connector),
        coming_soon_movies=Rows(connector, COMING_SOON),
        trending_movies=Rows(connector, TRENDING),
        recommended_movies=Rows(connector, RECOMMENDED),
        casts=Rows(connector, CASTS),
        detailed_casts=Rows(connector, DETAILED_CASTS),
        refunds=RefundRows(connector),
        own_refunds=Rows(connector, OWN_REFUNDS),
        reviews=Reviews(connector),
        rooms=Rows(connector, ROOMS),
        layouts=Layouts(connector),
        screenings=ScreeningRows(connector),
        seats=Seats(connector),
        showtimes=Rows(connector, SHOWTIMES),
        statistics=Statistics(connector),
        tickets=Rows(connector, TICKETS),
        shown_tickets=Rows(connector, SHOWN_TICKETS),
        exported_tickets=Rows(connector, EXPORTED_TICKETS),
        messages=Messages(connector, MESSAGES),
        waitlist=Waitlist(connector),
    )
