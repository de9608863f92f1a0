"""Numbers of held seats that lapse soon, in responses."""

from collections.abc import Iterable

from marshmallow import Schema, fields

from engine.scarcity import WITHIN_SECONDS

Lapsing = Schema.from_dict(
    {
        str(seconds): fields.Integer(
            required=True, metadata={"description": f"Within {seconds} seconds.", "example": number}
        )
        for number, seconds in enumerate(WITHIN_SECONDS, 3)
    },
    name="Lapsing",
)
"""Numbers of seats or places by the seconds within which they lapse; each includes those before."""


def lapsing_field() -> fields.Nested:
    """The counts in a response."""
    return fields.Nested(
        Lapsing,
        required=True,
        metadata={"description": "How many of the held ones lapse within so many seconds."},
    )


def lapsing_of(counts: Iterable[int]) -> dict[str, int]:
    """Return the counts as a document."""
    return dict(zip(map(str, WITHIN_SECONDS), counts, strict=True))
