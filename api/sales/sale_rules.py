"""The fields of screenings, events and ticket types that say how they are sold."""

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from api.errors import InvalidInput
from api.rest.fields import Flag
from api.rest.local_times import VenueTimestamp
from engine.places import CAPACITY_LIMIT
from engine.sale_rules import OrphanRule


def max_per_user() -> fields.Integer:
    """The highest number of seats or tickets that one person may have, in a request."""
    return fields.Integer(
        strict=True,
        allow_none=True,
        validate=validate.Range(1, CAPACITY_LIMIT),
        metadata={
            "description": "Most seats or tickets that a person may hold and have bought; null for any.",
            "example": 6,
        },
    )


def beyond_limit_field() -> Flag:
    """Whether an administrator lets somebody exceed the limits per person, in a request."""
    return Flag(
        load_default=False,
        metadata={
            "description": "Let this person exceed `max_per_user`; otherwise the request is refused with "
            "`person_limit_exceeded`."
        },
    )


def sales_start() -> VenueTimestamp:
    """When sales open, in a request."""
    return VenueTimestamp(allow_none=True, metadata={"description": "When sales open; null for immediately."})


def sales_end() -> VenueTimestamp:
    """When sales close, in a request."""
    return VenueTimestamp(allow_none=True, metadata={"description": "When sales close; null for the start."})


def orphan_rule() -> fields.String:
    """What happens to a choice of seats that leaves a single free seat, in a request."""
    return fields.String(
        validate=validate.OneOf([rule.value for rule in OrphanRule]),
        metadata={
            "description": "About choices that leave a single free seat: allow them (off), name the seat in "
            "the response (warn), or refuse them if there is another way (enforce)."
        },
    )


def orphan_share() -> fields.Float:
    """From which share of free seats on the orphan rule is enforced, in a request."""
    return fields.Float(
        allow_nan=False,
        validate=validate.Range(0, 1),
        metadata={
            "description": "The orphan rule is not enforced while less than this share of the seats is free.",
            "example": 0.1,
        },
    )


def reentry() -> Flag:
    """Whether visitors may leave and come back, in a request."""
    return Flag(metadata={"description": "Whether visitors may leave and come back with their ticket."})


def moves_allowed() -> fields.Boolean:
    """Whether holders may move their tickets, in a request."""
    return fields.Boolean(
        metadata={
            "description": "Whether holders may move their tickets, within this screening, from it and to "
            "it; true by default. Administrators always may."
        }
    )


def moves_until() -> VenueTimestamp:
    """Until when holders may move their tickets, in a request."""
    return VenueTimestamp(
        allow_none=True, metadata={"description": "Until when they may; null for the start of the screening."}
    )


def require_window(
    whole: Mapping[str, Any], end_field: str = "sales_end", start_field: str = "sales_start"
) -> None:
    """Raise InvalidInput if sales would end before they start.

    Args:
        whole: the record as it would be stored.
        end_field, start_field: names of the fields in requests.
    """
    start, end = whole.get("sales_start"), whole.get("sales_end")
    if start is not None and end is not None and end <= start:
        raise InvalidInput({end_field: [f"Must be after {start_field}."]})
