"""Parties that ask for the best seats: what they say, and the command that it makes."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from api.rest.fields import Flag, Money, RequestSchema, text
from engine.commands import HoldBest
from engine.rows import WHEELCHAIR

LARGEST_PARTY = 100
"""Most seats to ask for; a holder may usually have fewer (`HoldLimitExceeded`)."""
SEAT_TYPES_LIMIT = 20
ZONE_CHARACTERS = 40


class Party(RequestSchema):
    """A party, and what it wants."""

    quantity = fields.Integer(
        strict=True,
        required=True,
        validate=validate.Range(1, LARGEST_PARTY),
        metadata={"description": "Number of seats.", "example": 4},
    )
    seat_types = fields.List(
        text(40),
        validate=validate.Length(1, SEAT_TYPES_LIMIT),
        metadata={
            "description": "Only seats of these types; by default of all types but wheelchair places.",
            "example": ["standard", "vip"],
        },
    )
    max_price = Money(metadata={"description": "Highest price of a seat.", "example": 20.0})
    accessible = Flag(
        load_default=False,
        metadata={"description": "One of the seats is to be a wheelchair place, with the others beside it."},
    )
    zone = text(
        ZONE_CHARACTERS,
        metadata={"description": "Name of the section of the room to sit in.", "example": "Balcony"},
    )
    allow_split = Flag(
        load_default=False,
        metadata={
            "description": "If the party does not fit next to each other, two groups will do, one directly "
            "in front of the other."
        },
    )

    @validates_schema
    def _asks_for_wheelchair_places(self, data: Mapping[str, Any], **_: Any) -> None:
        if WHEELCHAIR in data.get("seat_types", ()) and not data["accessible"]:
            raise ValidationError('Wheelchair places are given with "accessible": true.', "seat_types")


def best_for(
    screening_id: int,
    holder: str,
    quantity: int,
    accessible: bool,
    allow_split: bool,
    seat_types: Sequence[str] | None = None,
    max_price: Decimal | None = None,
    zone: str | None = None,
    guest_network: str | None = None,
    access: tuple[str, ...] = (),
) -> HoldBest:
    """Return the command that holds the best seats for a party.

    Args:
        screening_id, holder, guest_network, access: as in the command.
        quantity, accessible, allow_split, seat_types, max_price, zone: the fields of `Party`.
    """
    return HoldBest(
        screening_id,
        holder,
        quantity,
        None if seat_types is None else tuple(seat_types),
        None if max_price is None else int(max_price * 100),
        accessible,
        zone,
        allow_split,
        guest_network=guest_network,
        access=access,
    )
