"""Cinemas."""

from engine.catalogue_errors import UnknownReference
from persistence.catalogue.search import matching, similarity
from persistence.catalogue.table import Table, own_columns

_SEARCHED = "cinemas.name || ' ' || cinemas.city || ' ' || cinemas.address"


def unknown_time_zone() -> UnknownReference:
    """Return the refusal of a time zone that this PostgreSQL does not know, though Python does."""
    return UnknownReference("time_zone")


CINEMAS = Table(
    name="cinemas",
    kind="cinema",
    columns=own_columns(
        "cinemas",
        "id",
        "name",
        "city",
        "address",
        "description",
        "phone",
        "amenities",
        "latitude",
        "longitude",
        "time_zone",
        "created_at",
        "updated_at",
    ),
    filters={
        "city": "lower(cinemas.city) = lower(%(city)s)",
        "amenity": "%(amenity)s = ANY (cinemas.amenities)",
        "q": matching("cinemas", _SEARCHED),
    },
    orders={
        "name": "cinemas.name",
        "-name": "cinemas.name DESC",
        "city": "cinemas.city, cinemas.name",
        "created_at": "cinemas.created_at",
        "-created_at": "cinemas.created_at DESC",
        "relevance": similarity("cinemas"),
    },
    conflicts={"cinemas_time_zone_known": unknown_time_zone},
)
