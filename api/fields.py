"""The kinds of values that requests carry, each with the bounds that keep it harmless.

JSON types are taken at their word: "42", 42.0 and true are no ids. Ids fill what Postgres' bigint can
hold; text carries no NUL, which Postgres cannot store.
"""

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from api.services import Limits

LARGEST_ID = 2**63 - 1

_DECIMAL = re.compile(r"[0-9]{1,19}", re.ASCII)


class RequestSchema(Schema):
    """The shape of a request's body or query.

    Fields that are not declared are ignored, so a client may send more than this version knows.

    Args:
        limits: the bounds of requests.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        super().__init__(unknown=EXCLUDE)

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Hand a field the limit that it needs."""
        if isinstance(field_obj, SeatIds):
            field_obj.limit_to(self._limits.seats_per_request)


def identifier(**options: Any) -> fields.Integer:
    """An id in a body: an integer from 1 to 2^63-1."""
    return fields.Integer(strict=True, validate=validate.Range(1, LARGEST_ID), **options)


def text(longest: int, **options: Any) -> fields.String:
    """Non-empty text of at most `longest` characters."""
    return fields.String(validate=[validate.Length(1, longest), _storable], **options)


def _storable(value: str) -> None:
    if "\x00" in value:
        raise ValidationError("Must not contain NUL characters.")


class Flag(fields.Boolean):
    """A JSON boolean, and nothing that merely resembles one."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class SeatIds(fields.List[int]):
    """A JSON array of seat ids, bounded by the server's limit; an id that is repeated counts once."""

    def __init__(self, **options: Any) -> None:
        super().__init__(identifier(), **options)

    def limit_to(self, limit: int) -> None:
        """Take at most `limit` ids."""
        self.limit = limit
        self.validators = [validate.Length(1, limit)]

    def _deserialize(  # type: ignore[override]  # one pass over the array instead of a field per element
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any
    ) -> tuple[int, ...]:
        if not isinstance(value, list) or not 1 <= len(value) <= self.limit:
            raise ValidationError(f"Must be a list of 1 to {self.limit} seat ids.")
        if not all(type(seat_id) is int and 1 <= seat_id <= LARGEST_ID for seat_id in value):
            raise ValidationError(f"Every seat id must be an integer from 1 to {LARGEST_ID}.")
        return tuple(dict.fromkeys(value))


class SeatIdsInQuery(SeatIds):
    """Seat ids in a query: `seat_ids=42,43` as the cinema guide writes it, or `seat_ids=42&seat_ids=43`."""

    def _deserialize(  # type: ignore[override]
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any
    ) -> tuple[int, ...]:
        words = ",".join(value).split(",")
        if not all(_DECIMAL.fullmatch(word) for word in words):
            raise ValidationError("Must be seat ids separated by commas.")
        return super()._deserialize([int(word) for word in words], attr, data, **options)
