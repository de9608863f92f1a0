"""What users think of movies, and of each other's reviews.

Averages and counts are made from the rows whenever they are asked for, so they are right whoever writes
at the same time.
"""

from engine.catalogue_errors import AlreadyExists, NoAccount
from persistence.catalogue.table import Record, Rows, Table
from persistence.connector import Connector


def _second_review() -> AlreadyExists:
    return AlreadyExists("review", "You have reviewed this movie already; change that review instead")


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

# One reaction to a review after the other, so that of two equal ones the second takes the first back.
# The statements share a transaction, but each sees what was committed before it began.
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
    """Reviews of movies, and reactions to them.

    Args:
        connector: the database.
    """

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector, REVIEWS)

    async def react(self, review_id: int, user_id: int, reaction: str) -> Record:
        """Like or dislike a review in place of an earlier reaction, or take the same reaction back.

        Returns:
            The review, with what is left as `reaction`: None if it was taken back.

        Raises:
            NotFound: there is no such review.
            NoAccount: there is no such user.
        """
        await self.find(review_id)
        with self.explained():
            rows = await self.connector.run(
                _REACT, {"review_id": review_id, "user_id": user_id, "reaction": reaction}
            )
        return {**await self.find(review_id), "reaction": rows[0][0] if rows else None}

    async def counts(self, movie_id: int) -> dict[int, int]:
        """How many reviews of a movie give each rating, for the ratings that were given."""
        return dict(await self.connector.run(_SUMMARY, (movie_id,)))
