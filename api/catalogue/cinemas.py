"""`/api/v1/cinemas`."""

from marshmallow import fields, validate

from api.catalogue.collection import Collection
from api.rest.endpoint import Access, Call, Resource
from api.rest.fields import RequestSchema, Timestamp, optional_text, search_words, text, texts
from api.rest.local_times import TimeZoneName
from api.rest.paging import Page, sorting
from engine.errors import NotFound

cinemas = Resource("/api/v1/cinemas", tag="Cinemas")


class CinemaDetails(RequestSchema):
    name = text(200, required=True, metadata={"example": "Lumen Picture House"})
    city = optional_text(100)
    address = optional_text(300)
    description = optional_text(5000)
    phone = optional_text(40)
    amenities = texts(60, 50, metadata={"example": ["Parking", "Bar"]})
    latitude = fields.Float(validate=validate.Range(-90, 90), allow_none=True)
    longitude = fields.Float(validate=validate.Range(-180, 180), allow_none=True)
    time_zone = TimeZoneName(
        metadata={
            "description": "Name in the IANA time zone database; by default the setting FRONTROW_TIME_ZONE. "
            "A change keeps the times of screenings in UTC."
        }
    )


class Cinema(CinemaDetails):
    id = fields.Integer(required=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class CinemaList(Page):
    city = text(100, metadata={"description": "Case-insensitive."})
    amenity = text(60, metadata={"description": "Exact match, case-sensitive."})
    sort = sorting("name", "-name", "city", "created_at", "-created_at")


class CinemaSearch(Page):
    q = search_words()
    sort = sorting("relevance", "name")


collection = Collection(cinemas, "cinema", Cinema, lambda catalogue: catalogue.cinemas)
collection.create("/", CinemaDetails, defaults=lambda call: {"time_zone": call.services.time_zone})
collection.list("/", CinemaList)
collection.list(
    "/search",
    CinemaSearch,
    name="search_cinemas",
    doc="Search cinemas.\n\nThe best matches come first.",
)
collection.read("/{cinema_id}")
collection.update("PATCH", "/{cinema_id}", CinemaDetails)
collection.delete("/{cinema_id}")


@cinemas.get(
    "/{cinema_id}/amenities",
    access=Access.PUBLIC,
    answers=fields.List(fields.String()),
    refusals=(NotFound,),
)
async def list_cinema_amenities(call: Call, cinema_id: int) -> list[str]:
    """List the amenities of a cinema."""
    amenities: list[str] = (await call.services.catalogue.cinemas.find(cinema_id))["amenities"]
    return amenities
