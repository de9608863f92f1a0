"""`/api/v1/casts` and `/api/v1/movies/{movie_id}/cast`: the cast and crew of movies."""

from collections.abc import Mapping

from marshmallow import Schema, fields, validate

from api.catalogue.collection import Collection
from api.rest.endpoint import Resource
from api.rest.fields import (
    Identifier,
    RequestSchema,
    Timestamp,
    identifier_in_query,
    optional_text,
    text,
    web_address,
)
from api.rest.paging import Page, sorting
from api.rows import RowsOf

casts = Resource("/api/v1", tag="Cast")


class CastDetails(RequestSchema):
    movie_id = Identifier(required=True, metadata={"example": 1})
    name = text(200, required=True, metadata={"example": "Ada Example"})
    role = text(60, metadata={"description": "`actor` by default.", "example": "director"})
    character_name = optional_text(200)
    billing_order = fields.Integer(strict=True, validate=validate.Range(0, 10_000))
    photo_url = web_address()


class CastMember(CastDetails):
    id = fields.Integer(required=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class Appearance(Schema):
    movie_id = fields.Integer(required=True)
    title = fields.String(required=True)
    role = fields.String(required=True)
    character_name = fields.String(required=True)


class DetailedCastMember(CastMember):
    """A cast member with the other movies that list somebody of the same name."""

    other_movies = fields.List(
        fields.Nested(Appearance), required=True, metadata={"description": "The latest 20."}
    )


class MovieCastList(Page):
    role = text(60, metadata={"description": "Case-insensitive."})
    sort = sorting("billing_order", "name", "-name")


class CastList(MovieCastList):
    movie_id = identifier_in_query()
    name = text(200, metadata={"description": "Case and accents are ignored."})
    sort = sorting("name", "-name", "billing_order", "-created_at")


collection = Collection(casts, "cast_member", CastMember, lambda catalogue: catalogue.casts)
collection.create("/casts/", CastDetails)
collection.list("/casts/", CastList)
collection.read("/casts/{cast_id}")
collection.update("PUT", "/casts/{cast_id}", CastDetails)
collection.delete("/casts/{cast_id}", doc="Delete a cast member.")

of_movie: Mapping[str, RowsOf] = {"movie_id": lambda catalogue: catalogue.movies}
Collection(casts, "cast_member", CastMember, lambda catalogue: catalogue.casts, parents=of_movie).list(
    "/casts/movie/{movie_id}",
    MovieCastList,
    name="list_cast_members_of_movie",
    doc="List the cast of a movie.",
)
Collection(
    casts, "cast_member", DetailedCastMember, lambda catalogue: catalogue.detailed_casts, parents=of_movie
).list(
    "/movies/{movie_id}/cast",
    MovieCastList,
    name="list_movie_cast",
    doc="List the cast of a movie, with the other movies each member appears in.",
)
