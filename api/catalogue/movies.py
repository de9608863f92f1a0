"""`/api/v1/movies`: what is shown, found by whatever somebody remembers of it."""

from typing import Any

from marshmallow import fields, post_load, validate

from api.catalogue.collection import Collection
from api.rest.endpoint import Access, Resource
from api.rest.fields import (
    Moment,
    RequestSchema,
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
    """What is known of a movie."""

    title = text(300, required=True, metadata={"example": "The Cartographer's Tide"})
    description = optional_text(5000)
    genre = optional_text(60, metadata={"example": "Adventure"})
    language = optional_text(60, metadata={"example": "English"})
    director = optional_text(200)
    rating = optional_text(20, metadata={"description": "For whom it is suitable.", "example": "PG-13"})
    imdb_rating = fields.Float(validate=validate.Range(0, 10), allow_none=True)
    duration_minutes = fields.Integer(
        strict=True, validate=validate.Range(1, LONGEST_MINUTES), allow_none=True
    )
    release_date = fields.Date(allow_none=True, metadata={"example": "2026-09-04"})
    poster_url = web_address()
    trailer_url = web_address()


class Movie(MovieDetails):
    """A movie."""

    id = fields.Integer(required=True)
    average_rating = fields.Float(
        required=True, allow_none=True, metadata={"description": "Of the reviews; null without any."}
    )
    review_count = fields.Integer(required=True)
    created_at = Moment(required=True)
    updated_at = Moment(required=True)


class MovieCriteria(Page):
    """Which movies are wanted; all criteria must hold. `cinema_id` and `date` hold of one screening."""

    genre = text(60, metadata={"description": "Whatever the case."})
    language = text(60, metadata={"description": "Whatever the case."})
    director = text(200, metadata={"description": "Whatever the case."})
    rating = text(20, metadata={"description": "For whom it is suitable, e.g. `PG-13`."})
    min_imdb_rating = fields.Float(validate=validate.Range(0, 10))
    year = _year("Of the release.")
    year_from = _year("First year of release.")
    year_to = _year("Last year of release.")
    min_duration = _minutes("In minutes.")
    max_duration = _minutes("In minutes.")
    cinema_id = identifier_in_query(metadata={"description": "Has a screening to come in this cinema."})
    date = fields.Date(metadata={"description": "Has a screening to come on this day (UTC)."})


class MovieList(MovieCriteria):
    """Which movies are wanted, in which order."""

    sort = sorting(*_ORDERS)


class MovieSearch(Page):
    """What to look for in titles and directors."""

    q = search_words()
    sort = sorting("relevance", *_ORDERS)


class AdvancedMovieSearch(MovieCriteria):
    """Everything that can be said of the movies that are wanted."""

    q = search_words(required=False)
    seat_type = text(
        30,
        metadata={
            "description": "Has a screening to come with a free seat of this type; with `cinema_id` and "
            "`date`, there and then. Reservations of the last moment may not count yet.",
            "example": "wheelchair",
        },
    )
    sort = sorting("relevance", *_ORDERS)

    @post_load
    def _relevance_of_words(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
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
    doc="Search movies.\n\nIn titles and directors. The best matches come first.",
)
collection.list(
    "/filter",
    MovieList,
    name="filter_movies",
    doc="Filter movies by criteria.\n\nThe same as the list of all movies, with at least the same criteria.",
)
collection.list(
    "/advanced-search",
    AdvancedMovieSearch,
    name="advanced_search_movies",
    doc="Search movies by words, criteria and free seats.\n\nWithout `q`, relevance means by title.",
)
collection.read("/{movie_id}")
collection.update("PATCH", "/{movie_id}", MovieDetails)
collection.delete("/{movie_id}", doc="Delete a movie that was never scheduled, and its cast and reviews.")

Collection(movies, "movie", Movie, lambda catalogue: catalogue.coming_soon_movies).list(
    "/coming-soon",
    name="list_coming_soon_movies",
    doc="Movies that will be released.\n\nThe next come first.",
)
Collection(movies, "movie", Movie, lambda catalogue: catalogue.trending_movies).list(
    "/trending",
    name="list_trending_movies",
    doc="Movies that sell.\n\n"
    "By tickets that were confirmed in the last seven days (of UTC, today included), most first.",
)
Collection(movies, "movie", Movie, lambda catalogue: catalogue.recommended_movies).list(
    "/recommended",
    access=Access.USER,
    own=True,
    name="list_recommended_movies",
    doc="Movies that the caller may like.\n\n"
    "By genre and director of what the caller has bought tickets for or reviewed with four stars or more, "
    "then what plays in favourite cinemas; what has been seen or reviewed is left out. Among equals, and so "
    "for somebody new, trending movies come first, then the best rated.",
)
