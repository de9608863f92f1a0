"""How requests and responses name channels: groups of buyers for whom seats can be kept back."""

from typing import Any

from marshmallow import fields, validate

CHANNEL_NAME_LIMIT = 40

_NAME = validate.Regexp(
    r"[a-z0-9][a-z0-9_-]*\Z", error="Must be small letters, digits, hyphens and underscores."
)


def channel_name(**options: Any) -> fields.String:
    """The name of a channel in a request."""
    return fields.String(validate=[validate.Length(1, CHANNEL_NAME_LIMIT), _NAME], **options)
