"""Showtimes: screenings as moviegoers see them, listed on their own and by cinema and movie."""

from datetime import UTC, datetime

from marshmallow import fields

from api.catalogue.cinemas import cinemas
from api.catalogue.collection import Collection
from api.catalogue.movies import Movie, MovieList, movies
from api.catalogue.screenings import ScreeningBase, ScreeningFilter
from api.rest.endpoint import Access, Answer, Call, Document, Resource, dump
from api.rest.fields import Money, Timestamp, text
from api.sales.channels import ByChannel
from api.sales.seat_maps import VERSION_HEADERS, SeatAvailability, seats_answer
from engine.commands import ReadSeats
from engine.errors import NotFound
from engine.selling_errors import ScreeningNotFound
from engine.views import SeatMap

showtimes = Resource("/api/v1/showtimes", tag="Showtimes")


class Showtime(ScreeningBase):
    """A screening with its movie, cinema and seat counts; its id is the screening's id."""

    price = Money(required=True, metadata={"description": "Price of a standard seat."})
    duration_minutes = fields.Integer(required=True, allow_none=True)
    poster_url = fields.String(required=True, allow_none=True)
    city = fields.String(required=True)
    total_seats = fields.Integer(required=True)
    available_seats = fields.Integer(
        required=True,
        metadata={
            "description": "Seats that are neither sold nor reserved. Lists count a reservation once it has "
            "been written to the database, shortly after it was made."
        },
    )


class ShowtimeList(ScreeningFilter):
    city = text(100, metadata={"description": "Case-insensitive."})
    from_ = Timestamp(
        data_key="from",
        attribute="from",
        load_default=lambda: datetime.now(UTC),
        metadata={"description": "Starting at this time or later; by default now."},
    )


def list_showtimes_of(resource: Resource, path: str, parent: str, doc: str) -> None:
    """Declare the list of a cinema's or a movie's showtimes.

    Args:
        resource: the resource to add the operation to.
        path: path with the parent's id as a placeholder.
        parent: name of the parent's kind, "cinema" or "movie".
        doc: the operation's documentation.
    """
    of_parent = Collection(
        resource,
        "showtime",
        Showtime,
        lambda catalogue: catalogue.showtimes,
        parents={f"{parent}_id": lambda catalogue: getattr(catalogue, f"{parent}s")},
    )
    of_parent.list(path, ShowtimeList, name=f"list_{parent}_showtimes", doc=doc)


Collection(showtimes, "showtime", Showtime, lambda catalogue: catalogue.showtimes).list("/", ShowtimeList)
list_showtimes_of(cinemas, "/{cinema_id}/showtimes", "cinema", "List the showtimes of a cinema.")
list_showtimes_of(movies, "/{movie_id}/showtimes", "movie", "List the showtimes of a movie.")

Collection(
    cinemas,
    "movie",
    Movie,
    lambda catalogue: catalogue.movies,
    parents={"cinema_id": lambda catalogue: catalogue.cinemas},
).list(
    "/{cinema_id}/movies",
    MovieList,
    name="list_cinema_movies",
    doc="List the movies with an upcoming screening in a cinema.",
)


@showtimes.get("/{showtime_id}", access=Access.PUBLIC, answers=Showtime, refusals=(NotFound,))
async def get_showtime(call: Call, showtime_id: int) -> Document:
    """Get a showtime."""
    record = await call.services.catalogue.showtimes.find(showtime_id)
    seat_map: SeatMap = await call.ask(ReadSeats(showtime_id))
    taken = sum(view.status != "available" for view in seat_map.views.values())
    counts = {
        "total_seats": len(seat_map.layout.seats),
        "available_seats": len(seat_map.layout.seats) - taken,
    }
    return dump(Showtime, record | counts)


@showtimes.get(
    "/{showtime_id}/seats",
    access=Access.PUBLIC,
    query=ByChannel,
    answers=SeatAvailability(many=True),
    refusals=(ScreeningNotFound,),
    headers=VERSION_HEADERS,
    access_code=True,
)
async def list_showtime_seats(call: Call, showtime_id: int) -> Answer:
    """List all seats of a showtime with their status: the availability of its screening."""
    seat_map: SeatMap = await call.ask(ReadSeats(showtime_id))
    return seats_answer(call, seat_map, call.services.seat_maps.public(seat_map, call.access))
