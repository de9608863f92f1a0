"""`/api/v1/movies`: movies, with search, filters and recommendations."""

from typing import Any

from marshmallow import fields, post_load, validate

from api.catalogue.collection import Collection
from api.rest.endpoint import Access, Resource
from api.rest.fields import (
    RequestSchema,
    Timestamp,
    identifier_in_query,
    optional_text,
    search_words,
    text,
    web_address,
)
from api.rest.paging import Page, sorting

LONGEST_MINUTES = 1440

movies = Resource("/api/v1/movies", tag="Movies")

_ORDERS = (
    *("title", "-title", "-release_date", "release_date", "-imdb_rating", "imdb_rating"),
    *("duration_minutes", "-duration_minutes", "-created_at", "created_at"),
)


def _year(meaning: str) -> fields.Integer:
    return fields.Integer(validate=validate.Range(1870, 2200), metadata={"description": meaning})


def _minutes(meaning: str) -> fields.Integer:
    return fields.Integer(validate=validate.Range(1, LONGEST_MINUTES), metadata={"description": meaning})


class MovieDetails(RequestSchema):
    title = text(300, required=True, metadata={"example": "The Cartographer's Tide"})
    description = optional_text(5000)
    genre = optional_text(60, metadata={"example": "Adventure"})
    language = optional_text(60, metadata={"example": "English"})
    director = optional_text(200)
    rating = optional_text(20, metadata={"description": "Age rating.", "example": "PG-13"})
    imdb_rating = fields.Float(validate=validate.Range(0, 10), allow_none=True)
    duration_minutes = fields.Integer(
        strict=True, validate=validate.Range(1, LONGEST_MINUTES), allow_none=True
    )
    release_date = fields.Date(allow_none=True, metadata={"example": "2026-09-04"})
    poster_url = web_address()
    trailer_url = web_address()


class Movie(MovieDetails):
    id = fields.Integer(required=True)
    average_rating = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "Mean of the reviews' ratings; null if there are none."},
    )
    review_count = fields.Integer(required=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class MovieCriteria(Page):
    """Query parameters that filter movies; a movie must match all of them.

    If both `cinema_id` and `date` are given, one and the same screening must match both.
    """

    genre = text(60, metadata={"description": "Case-insensitive."})
    language = text(60, metadata={"description": "Case-insensitive."})
    director = text(200, metadata={"description": "Case-insensitive."})
    rating = text(20, metadata={"description": "Age rating, e.g. `PG-13`."})
    min_imdb_rating = fields.Float(validate=validate.Range(0, 10))
    year = _year("Year of release.")
    year_from = _year("Earliest year of release.")
    year_to = _year("Latest year of release.")
    min_duration = _minutes("Shortest length, in minutes.")
    max_duration = _minutes("Longest length, in minutes.")
    cinema_id = identifier_in_query(metadata={"description": "With an upcoming screening in this cinema."})
    date = fields.Date(
        metadata={"description": "With an upcoming screening on this day, in the cinema's time zone."}
    )


class MovieList(MovieCriteria):
    sort = sorting(*_ORDERS)


class MovieSearch(Page):
    q = search_words()
    sort = sorting("relevance", *_ORDERS)


class AdvancedMovieSearch(MovieCriteria):
    q = search_words(required=False)
    seat_type = text(
        30,
        metadata={
            "description": "With an upcoming screening that has a free seat of this type; `cinema_id` and "
            "`date` apply to the same screening. Very recent reservations may not be counted yet.",
            "example": "wheelchair",
        },
    )
    sort = sorting("relevance", *_ORDERS)

    @post_load
    def _sort_by_title_without_words(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        if data["sort"] == "relevance" and "q" not in data:
            data["sort"] = "title"
        return data


collection = Collection(movies, "movie", Movie, lambda catalogue: catalogue.movies)
collection.create("/", MovieDetails)
collection.list("/", MovieList)
collection.list(
    "/search",
    MovieSearch,
    name="search_movies",
    doc="Search movies by title and director.\n\nBest matches first.",
)
collection.list(
    "/filter",
    MovieList,
    name="filter_movies",
    doc="Filter movies.\n\nAccepts the same filters as the list of all movies.",
)
collection.list(
    "/advanced-search",
    AdvancedMovieSearch,
    name="advanced_search_movies",
    doc="Search movies by words, filters and free seats.\n\nWithout `q`, `relevance` sorts by title.",
)
collection.read("/{movie_id}")
collection.update("PATCH", "/{movie_id}", MovieDetails)
collection.delete("/{movie_id}", doc="Delete a movie that was never scheduled, with its cast and reviews.")

Collection(movies, "movie", Movie, lambda catalogue: catalogue.coming_soon_movies).list(
    "/coming-soon",
    name="list_coming_soon_movies",
    doc="List movies that are not released yet.\n\nEarliest release first.",
)
Collection(movies, "movie", Movie, lambda catalogue: catalogue.trending_movies).list(
    "/trending",
    name="list_trending_movies",
    doc="List trending movies.\n\n"
    "Ordered by tickets confirmed in the last seven days (UTC, today included), most first.",
)
Collection(movies, "movie", Movie, lambda catalogue: catalogue.recommended_movies).list(
    "/recommended",
    access=Access.USER,
    own=True,
    name="list_recommended_movies",
    doc="List movies recommended to the caller.\n\n"
    "Ranked by the genres and directors of movies the caller bought tickets for or rated four stars or "
    "higher, then by what the caller's favourite cinemas show. Movies already seen or reviewed are left out. "
    "Ties, and new users, get trending movies first, then the best rated.",
)
