"""The fields of screenings, events and ticket types that say how they are sold."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from marshmallow import fields, validate

from api.errors import InvalidInput
from api.rest.endpoint import Call
from api.rest.fields import Flag, RequestSchema, Timestamp
from api.rest.local_times import VenueTimestamp
from api.sales.channels import channel_name
from engine.places import CAPACITY_LIMIT
from engine.sale_rules import OrphanRule

PRESALES_LIMIT = 20
"""Most presales of a screening or event."""


def max_per_user() -> fields.Integer:
    """Return the request field for the highest number of seats or tickets that one person may have."""
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
    """Return the request field by which an administrator lets somebody exceed the limits per person."""
    return Flag(
        load_default=False,
        metadata={
            "description": "Let this person exceed `max_per_user`; otherwise the request is refused with "
            "`person_limit_exceeded`."
        },
    )


def sales_start() -> VenueTimestamp:
    """Return the request field for the time at which sales open."""
    return VenueTimestamp(allow_none=True, metadata={"description": "When sales open; null for immediately."})


def sales_end() -> VenueTimestamp:
    """Return the request field for the time at which sales close."""
    return VenueTimestamp(allow_none=True, metadata={"description": "When sales close; null for the start."})


class PresaleDetails(RequestSchema):
    """Sales that open earlier for a channel."""

    channel = channel_name(required=True, metadata={"example": "fanclub"})
    sales_start = Timestamp(
        required=True,
        metadata={
            "description": "Before sales open for everybody.",
            "example": "2030-01-20T09:00:00.000Z",
        },
    )


def presales(shape: type[PresaleDetails]) -> fields.List[Any]:
    """Return the request field for the channels whose sales open earlier."""
    return fields.List(
        fields.Nested(shape),
        validate=validate.Length(max=PRESALES_LIMIT),
        metadata={
            "description": "Channels whose holders of an access code or token may buy earlier.",
            "example": [],
        },
    )


class ShownPresales(fields.List[Any]):
    """A response field with the channels whose sales open earlier."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **options: Any) -> Any:
        each = [
            {"channel": channel, "sales_start": datetime.fromtimestamp(start, UTC)}
            for channel, start in value
        ]
        return super()._serialize(each, attr, obj, **options)


def shown_presales(shape: type[PresaleDetails]) -> fields.List[Any]:
    """Return the response field with the channels whose sales open earlier."""
    return ShownPresales(fields.Nested(shape), required=True)


async def with_presales(call: Call, values: Mapping[str, Any], whole: Mapping[str, Any]) -> dict[str, Any]:
    """Return values to store, with their presales as they are stored.

    Args:
        call: the request.
        values: the fields of the request.
        whole: the record as it would be stored.

    Raises:
        InvalidInput: a presale does not begin before sales open, or its channel does not exist.
    """
    if "presales" not in values:
        return dict(values)
    start, named = whole.get("sales_start"), values["presales"]
    if named and (start is None or any(each["sales_start"] >= start for each in named)):
        raise InvalidInput({"presales": ["Each must begin before sales open for everybody."]})
    channels = {each["channel"] for each in named}
    if len(channels) < len(named):
        raise InvalidInput({"presales": ["Name each channel once."]})
    for channel in channels:
        if not await call.services.channels.exists(channel):
            raise InvalidInput({"presales": [f"There is no channel {channel}."]})
    stored = [(each["channel"], each["sales_start"].timestamp()) for each in named]
    return {**values, "presales": orjson.dumps(stored).decode()}


def orphan_rule() -> fields.String:
    """Return the request field for the rule about choices of seats that leave a single free seat."""
    return fields.String(
        validate=validate.OneOf([rule.value for rule in OrphanRule]),
        metadata={
            "description": "About choices that leave a single free seat: allow them (off), name the seat in "
            "the response (warn), or refuse them if there is another way (enforce)."
        },
    )


def orphan_share() -> fields.Float:
    """Return the request field for the share of free seats below which the orphan rule is not enforced."""
    return fields.Float(
        allow_nan=False,
        validate=validate.Range(0, 1),
        metadata={
            "description": "The orphan rule is not enforced while less than this share of the seats is free.",
            "example": 0.1,
        },
    )


def reentry() -> Flag:
    """Return the request field that lets visitors leave and come back."""
    return Flag(metadata={"description": "Whether visitors may leave and come back with their ticket."})


def moves_allowed() -> fields.Boolean:
    """Return the request field that lets holders move their tickets."""
    return fields.Boolean(
        metadata={
            "description": "Whether holders may move their tickets, within this screening, from it and to "
            "it; true by default. Administrators always may."
        }
    )


def moves_until() -> VenueTimestamp:
    """Return the request field for the time until which holders may move their tickets."""
    return VenueTimestamp(
        allow_none=True, metadata={"description": "Until when they may; null for the start of the screening."}
    )


def transfers_allowed() -> fields.Boolean:
    """Return the request field that lets owners give their tickets to others."""
    return fields.Boolean(
        metadata={
            "description": "Whether owners may give their tickets to somebody else; true by default. "
            "Administrators always may."
        }
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
