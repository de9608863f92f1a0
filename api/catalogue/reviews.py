"""`/api/v1/movies/{movie_id}/reviews` and `/api/v1/movies/reviews`.

Reviews are public. Only the author may change a review; the author and administrators may delete it.
"""

from marshmallow import Schema, fields, validate

from api.catalogue.collection import Collection, Guard
from api.errors import ApiError
from api.rest.endpoint import Access, Call, Document, Resource, dump
from api.rest.fields import RequestSchema, Timestamp, optional_text
from api.rest.paging import Page, sorting
from engine.catalogue_errors import NoAccount
from engine.errors import NotFound

RATINGS = range(1, 6)

reviews = Resource("/api/v1/movies", tag="Reviews")


class NotTheAuthor(ApiError):
    """The caller is not the author of the review."""

    status, code = 403, "not_the_author"
    detail = "Only its author may change a review"


class ReviewDetails(RequestSchema):
    rating = fields.Integer(
        strict=True, required=True, validate=validate.Range(RATINGS[0], RATINGS[-1]), metadata={"example": 4}
    )
    comment = optional_text(5000)


class Review(ReviewDetails):
    id = fields.Integer(required=True)
    movie_id = fields.Integer(required=True)
    user_id = fields.Integer(required=True)
    user_name = fields.String(required=True)
    likes = fields.Integer(required=True)
    dislikes = fields.Integer(required=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class ReviewList(Page):
    rating = fields.Integer(validate=validate.Range(RATINGS[0], RATINGS[-1]))
    sort = sorting("-created_at", "created_at", "-rating", "rating", "-likes")


class Reaction(RequestSchema):
    reaction = fields.String(required=True, validate=validate.OneOf(("like", "dislike")))


class ReviewReactedTo(Review):
    reaction = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf(("like", "dislike", None)),
        metadata={"description": "The caller's reaction; null if it was withdrawn."},
    )


class ReviewSummary(Schema):
    movie_id = fields.Integer(required=True)
    average_rating = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "Rounded to two decimals; null without reviews."},
    )
    review_count = fields.Integer(required=True)
    histogram = fields.Dict(
        keys=fields.String(validate=validate.OneOf([str(rating) for rating in RATINGS])),
        values=fields.Integer(),
        required=True,
        metadata={
            "description": "Number of reviews by rating; always has all five ratings.",
            "example": {"1": 0, "2": 1, "3": 4, "4": 9, "5": 7},
        },
    )


async def _require_author(call: Call, review_id: int) -> None:
    review = await call.services.catalogue.reviews.find(review_id)
    if review["user_id"] != call.user_id:
        raise NotTheAuthor


async def _require_author_or_admin(call: Call, review_id: int) -> None:
    if not call.admin:
        await _require_author(call, review_id)


collection = Collection(
    reviews,
    "review",
    Review,
    lambda catalogue: catalogue.reviews,
    parents={"movie_id": lambda catalogue: catalogue.movies},
)
collection.create(
    "/{movie_id}/reviews",
    ReviewDetails,
    access=Access.USER,
    own=True,
    doc="Review a movie.\n\nOne review per user and movie; it can be changed later.",
)
collection.list("/{movie_id}/reviews", ReviewList, doc="List the reviews of a movie.")
collection.read("/reviews/{review_id}")
collection.update(
    "PUT",
    "/reviews/{review_id}",
    ReviewDetails,
    access=Access.USER,
    guard=Guard(_require_author, NotTheAuthor),
    doc="Update one's own review. Omitted fields keep their values.",
)
collection.delete(
    "/reviews/{review_id}",
    access=Access.USER,
    guard=Guard(_require_author_or_admin, NotTheAuthor),
    doc="Delete one's own review; administrators may delete any.",
)


@reviews.get("/{movie_id}/reviews/summary", access=Access.PUBLIC, answers=ReviewSummary, refusals=(NotFound,))
async def get_review_summary(call: Call, movie_id: int) -> Document:
    """Get the average rating of a movie and the number of reviews per rating."""
    catalogue = call.services.catalogue
    await catalogue.movies.find(movie_id)
    counts = await catalogue.reviews.counts(movie_id)
    total = sum(counts.values())
    average = sum(rating * count for rating, count in counts.items()) / total if total else None
    return {
        "movie_id": movie_id,
        "average_rating": None if average is None else round(average, 2),
        "review_count": total,
        "histogram": {str(rating): counts.get(rating, 0) for rating in RATINGS},
    }


@reviews.post(
    "/reviews/{review_id}/react",
    body=Reaction,
    answers=ReviewReactedTo,
    refusals=(NotFound, NoAccount),
)
async def react_to_review(call: Call, review_id: int, reaction: str) -> Document:
    """Like or dislike a review.

    A reaction replaces an earlier one; sending the same reaction again withdraws it.
    """
    reviews = call.services.catalogue.reviews

    async def write() -> Document:
        return dump(ReviewReactedTo, await reviews.react(review_id, call.account_id, reaction))

    return await call.kept(write)
