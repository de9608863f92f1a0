"""Cast and crew of movies."""

from dataclasses import replace

from persistence.catalogue.table import Table, own_columns

CASTS = Table(
    name="casts",
    kind="cast_member",
    columns=own_columns(
        "casts",
        "id",
        "movie_id",
        "name",
        "role",
        "character_name",
        "billing_order",
        "photo_url",
        "created_at",
        "updated_at",
    ),
    filters={
        "movie_id": "casts.movie_id = %(movie_id)s",
        "name": "searchable(casts.name) = searchable(%(name)s)",
        "role": "lower(casts.role) = lower(%(role)s)",
    },
    orders={
        "billing_order": "casts.billing_order",
        "name": "casts.name",
        "-name": "casts.name DESC",
        "-created_at": "casts.created_at DESC",
    },
    references={"casts_movie_id_fkey": "movie_id"},
)

_OTHER_MOVIES = """
(
    SELECT coalesce(json_agg(appearance), '[]')
    FROM (
        SELECT movies.id AS movie_id, movies.title, others.role, others.character_name
        FROM casts AS others JOIN movies ON movies.id = others.movie_id
        WHERE searchable(others.name) = searchable(casts.name) AND others.movie_id <> casts.movie_id
        ORDER BY movies.release_date DESC NULLS LAST, movies.id
        LIMIT 20
    ) AS appearance
)
"""

DETAILED_CASTS = replace(CASTS, columns={**CASTS.columns, "other_movies": _OTHER_MOVIES})
