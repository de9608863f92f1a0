"""Reviews of movies, and likes and dislikes of reviews.

Averages and counts are computed when they are read, so they stay right under concurrent writes.
"""

from engine.catalogue_errors import AlreadyExists, NoAccount
from persistence.catalogue.table import Record, Rows, Table
from persistence.connector import Connector


def _second_review() -> AlreadyExists:
    return AlreadyExists("review", "You have already reviewed this movie; change that review instead")


def _reactions(kind: str) -> str:
    return f"(SELECT count(*) FROM review_reactions WHERE review_id = reviews.id AND reaction = '{kind}')"  # noqa: S608


REVIEWS = Table(
    name="reviews",
    kind="review",
    columns={
        "id": "reviews.id",
        "movie_id": "reviews.movie_id",
        "user_id": "reviews.user_id",
        "user_name": "users.full_name",
        "rating": "reviews.rating",
        "comment": "reviews.comment",
        "likes": _reactions("like"),
        "dislikes": _reactions("dislike"),
        "created_at": "reviews.created_at",
        "updated_at": "reviews.updated_at",
    },
    joins="JOIN users ON users.id = reviews.user_id",
    filters={"movie_id": "reviews.movie_id = %(movie_id)s", "rating": "reviews.rating = %(rating)s"},
    orders={
        "created_at": "reviews.created_at",
        "-created_at": "reviews.created_at DESC",
        "rating": "reviews.rating, reviews.created_at DESC",
        "-rating": "reviews.rating DESC, reviews.created_at DESC",
        "-likes": "likes DESC, reviews.created_at DESC",
    },
    references={"reviews_movie_id_fkey": "movie_id"},
    conflicts={
        "reviews_author_key": _second_review,
        "reviews_user_id_fkey": NoAccount,
        "review_reactions_user_id_fkey": NoAccount,
    },
)

# Reactions to a review are serialised, so that the second of two equal ones takes back the first.
# The statements share a transaction, but each sees what was committed before it started.
_REACT = """
SELECT id FROM reviews WHERE id = %(review_id)s FOR NO KEY UPDATE;
WITH taken_back AS (
    DELETE FROM review_reactions
    WHERE review_id = %(review_id)s AND user_id = %(user_id)s AND reaction = %(reaction)s
    RETURNING reaction
), given AS (
    INSERT INTO review_reactions (review_id, user_id, reaction)
    SELECT id, %(user_id)s, %(reaction)s FROM reviews
    WHERE id = %(review_id)s AND NOT EXISTS (SELECT FROM taken_back)
    ON CONFLICT (review_id, user_id) DO UPDATE SET reaction = excluded.reaction
    RETURNING reaction
)
SELECT reaction FROM given
"""

_SUMMARY = """
SELECT rating, count(*) FROM reviews WHERE movie_id = %s GROUP BY rating
"""


class Reviews(Rows):
    """The repository of reviews and of reactions to them."""

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector, REVIEWS)

    async def react(self, review_id: int, user_id: int, reaction: str) -> Record:
        """Like or dislike a review, replacing an earlier reaction; the same reaction again takes it back.

        Returns:
            The review, with the user's reaction as `reaction`: None if it was taken back.

        Raises:
            NotFound: the review does not exist.
            NoAccount: the user does not exist.
        """
        await self.find(review_id)
        with self.translated_errors():
            rows = await self.connector.run(
                _REACT, {"review_id": review_id, "user_id": user_id, "reaction": reaction}
            )
        return {**await self.find(review_id), "reaction": rows[0][0] if rows else None}

    async def counts(self, movie_id: int) -> dict[int, int]:
        """Return the number of reviews per rating, without ratings that nobody gave."""
        return dict(await self.connector.run(_SUMMARY, (movie_id,)))
