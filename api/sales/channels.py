"""Channels in requests and responses: groups of buyers for whom seats can be kept back."""

from collections import Counter
from collections.abc import Collection
from typing import Any

from marshmallow import fields, validate

from api.rest.access_codes import AccessCode
from api.rest.plain_queries import PlainQuery
from engine.places import ticket_type_of
from engine.replies import Blocks

CHANNEL_NAME_LIMIT = 40

_NAME = validate.Regexp(
    r"[a-z0-9][a-z0-9_-]*\Z", error="Must be small letters, digits, hyphens and underscores."
)


def channel_name(**options: Any) -> fields.String:
    """The name of a channel in a request."""
    return fields.String(validate=[validate.Length(1, CHANNEL_NAME_LIMIT), _NAME], **options)


class ByChannel(PlainQuery):
    """A request about seats, as the buyers of a channel see them."""

    access_code = AccessCode()


def kept_places(blocks: Blocks, access: Collection[str]) -> Counter[int]:
    """Return the number of free places that are kept back for the caller, by ticket type."""
    places: Counter[int] = Counter()
    for level in blocks.blocks:
        if level.block.key in access and (first := level.block.seat_ids[0]) < 0:
            places[ticket_type_of(first)] += level.kept
    return places
