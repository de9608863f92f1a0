"""Movies, the lists that need more than filters, and bulk import.

Only screenings that have not started count as playing. Free seats are computed from stored tickets and
reservations: tickets are exact, reservations lag behind the engine by as much as the journal does.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from persistence.catalogue.days import on_day
from persistence.catalogue.search import matching, similarity
from persistence.catalogue.table import Related, Rows, Table, own_columns
from persistence.connector import Connector

_SEARCHED = "movies.title || ' ' || movies.director"

_UPCOMING = """
SELECT FROM screenings JOIN rooms ON rooms.id = screenings.room_id
JOIN cinemas ON cinemas.id = rooms.cinema_id
WHERE screenings.movie_id = movies.id AND screenings.starts_at > now() AND screenings.cancelled_at IS NULL
"""

_FREE_SEAT = """
EXISTS (
    SELECT FROM seats
    WHERE seats.room_id = screenings.room_id AND seats.seat_type = %(seat_type)s
    AND seats.removed_at IS NULL
    AND NOT EXISTS (
        SELECT FROM tickets
        WHERE tickets.screening_id = screenings.id AND tickets.seat_id = seats.id
        AND tickets.status IN ('pending', 'confirmed')
    )
    AND NOT EXISTS (
        SELECT FROM holds
        WHERE holds.screening_id = screenings.id AND holds.seat_id = seats.id
        AND holds.status = 'active' AND holds.expires_at > now()
    )
)
"""

MOVIES = Table(
    name="movies",
    kind="movie",
    columns={
        **own_columns(
            "movies",
            "id",
            "title",
            "description",
            "genre",
            "language",
            "director",
            "rating",
            "imdb_rating",
            "duration_minutes",
            "release_date",
            "poster_url",
            "trailer_url",
            "created_at",
            "updated_at",
        ),
        "average_rating": "(SELECT round(avg(rating), 2) FROM reviews WHERE movie_id = movies.id)",
        "review_count": "(SELECT count(*) FROM reviews WHERE movie_id = movies.id)",
    },
    filters={
        "q": matching("movies", _SEARCHED),
        "genre": "lower(movies.genre) = lower(%(genre)s)",
        "language": "lower(movies.language) = lower(%(language)s)",
        "director": "lower(movies.director) = lower(%(director)s)",
        "rating": "lower(movies.rating) = lower(%(rating)s)",
        "min_imdb_rating": "movies.imdb_rating >= %(min_imdb_rating)s",
        "year": "movies.release_date >= make_date(%(year)s, 1, 1) "
        "AND movies.release_date < make_date(%(year)s + 1, 1, 1)",
        "year_from": "movies.release_date >= make_date(%(year_from)s, 1, 1)",
        "year_to": "movies.release_date < make_date(%(year_to)s + 1, 1, 1)",
        "min_duration": "movies.duration_minutes >= %(min_duration)s",
        "max_duration": "movies.duration_minutes <= %(max_duration)s",
    },
    related=Related(
        rows=_UPCOMING,
        filters={
            "cinema_id": "rooms.cinema_id = %(cinema_id)s",
            "date": on_day("screenings.starts_at", "cinemas.time_zone"),
            "seat_type": _FREE_SEAT,
        },
    ),
    orders={
        "title": "movies.title",
        "-title": "movies.title DESC",
        "release_date": "movies.release_date NULLS LAST",
        "-release_date": "movies.release_date DESC NULLS LAST",
        "imdb_rating": "movies.imdb_rating NULLS LAST",
        "-imdb_rating": "movies.imdb_rating DESC NULLS LAST",
        "duration_minutes": "movies.duration_minutes NULLS LAST",
        "-duration_minutes": "movies.duration_minutes DESC NULLS LAST",
        "created_at": "movies.created_at",
        "-created_at": "movies.created_at DESC",
        "relevance": similarity("movies"),
    },
)

COMING_SOON = replace(
    MOVIES,
    conditions=("movies.release_date > (now() AT TIME ZONE 'UTC')::date",),
    orders={"": MOVIES.orders["release_date"]},
)

_SALES_OF_LATE = """
(
    SELECT screenings.movie_id, sum(ticket_counts.tickets) AS sold
    FROM ticket_counts
    JOIN screenings ON screenings.id = ticket_counts.screening_id
    JOIN rooms ON rooms.id = screenings.room_id
    JOIN cinemas ON cinemas.id = rooms.cinema_id
    WHERE ticket_counts.status = 'confirmed'
      AND ticket_counts.day > (now() AT TIME ZONE cinemas.time_zone)::date - 7
    GROUP BY screenings.movie_id
    HAVING sum(ticket_counts.tickets) > 0
) AS sales ON sales.movie_id = movies.id
"""

TRENDING = replace(MOVIES, joins=f"JOIN {_SALES_OF_LATE}", orders={"": "sales.sold DESC"})

_SEEN = """
SELECT screenings.movie_id
FROM tickets JOIN screenings ON screenings.id = tickets.screening_id
WHERE tickets.holder = 'user:' || %(user_id)s AND tickets.status = 'confirmed'
"""

_LIKED = f"""
SELECT liked.* FROM ({_SEEN} UNION ALL
    SELECT movie_id FROM reviews WHERE user_id = %(user_id)s AND rating >= 4) AS seen
JOIN movies AS liked ON liked.id = seen.movie_id
"""  # noqa: S608 - declared names

_NEAR = """
SELECT DISTINCT screenings.movie_id
FROM favorites
JOIN rooms ON rooms.cinema_id = favorites.cinema_id
JOIN screenings ON screenings.room_id = rooms.id
WHERE favorites.user_id = %(user_id)s AND screenings.starts_at > now() AND screenings.cancelled_at IS NULL
"""

RECOMMENDED = replace(
    MOVIES,
    joins=f"""
    LEFT JOIN (SELECT lower(genre) AS genre, count(*) AS weight FROM ({_LIKED}) AS liked GROUP BY 1)
        AS genres ON genres.genre = lower(movies.genre) AND movies.genre <> ''
    LEFT JOIN (SELECT lower(director) AS director, count(*) AS weight FROM ({_LIKED}) AS liked GROUP BY 1)
        AS directors ON directors.director = lower(movies.director) AND movies.director <> ''
    LEFT JOIN ({_NEAR}) AS near ON near.movie_id = movies.id
    LEFT JOIN {_SALES_OF_LATE}
    """,  # noqa: S608 - declared names
    filters={
        "user_id": f"movies.id NOT IN ({_SEEN} AND screenings.movie_id IS NOT NULL) "
        "AND NOT EXISTS (SELECT FROM reviews WHERE movie_id = movies.id AND user_id = %(user_id)s)"
    },
    # Users without history have no weights: they get trending movies first, then the best rated.
    orders={
        "": "coalesce(genres.weight, 0) + 2 * coalesce(directors.weight, 0)"
        " + CASE WHEN near.movie_id IS NULL THEN 0 ELSE 1 END DESC, "
        "sales.sold DESC NULLS LAST, movies.imdb_rating DESC NULLS LAST"
    },
)


class ImportedMovie(NamedTuple):
    """A movie to import.

    Attributes:
        import_key: identifies the film when it is imported again.
    """

    import_key: str
    title: str
    genre: str
    rating: str
    duration_minutes: int | None
    release_date: date | None
    director: str
    imdb_rating: Decimal | None


class ImportCounts(NamedTuple):
    """Numbers of films that were new, and that had changed since the last import."""

    created: int
    changed: int


_COLUMNS = ImportedMovie._fields[1:]
_IMPORTED = ", ".join(_COLUMNS)

_IMPORT = f"""
INSERT INTO movies AS known (import_key, {_IMPORTED})
SELECT film.*
FROM unnest(
    %s::text[], %s::text[], %s::text[], %s::text[], %s::integer[], %s::date[], %s::text[], %s::numeric[]
) AS film
ON CONFLICT (import_key) DO UPDATE
SET ({_IMPORTED}) = ROW ({", ".join(f"excluded.{name}" for name in _COLUMNS)}), updated_at = now()
WHERE ({", ".join(f"known.{name}" for name in _COLUMNS)})
    IS DISTINCT FROM ({", ".join(f"excluded.{name}" for name in _COLUMNS)})
RETURNING xmax = 0
"""  # noqa: S608 - declared names


class Movies(Rows):
    """The repository of movies."""

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector, MOVIES)

    async def import_batch(self, films: Sequence[ImportedMovie]) -> ImportCounts:
        """Insert or update films in one statement.

        Args:
            films: at least one, each with a different key.
        """
        columns = [list(column) for column in zip(*films, strict=True)]
        created = [is_new for (is_new,) in await self.connector.run(_IMPORT, columns)]
        return ImportCounts(sum(created), len(created) - sum(created))
