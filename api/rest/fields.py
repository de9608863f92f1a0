"""Field types for requests, each with its bounds.

JSON types are not converted: "42", 42.0 and true are not ids. Ids fit PostgreSQL's bigint; text has no NUL,
which PostgreSQL cannot store.
"""

import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, ClassVar

from email_validator import EmailNotValidError, validate_email
from marshmallow import Schema, ValidationError, fields, validate

from api.limits import Limits
from api.wire import timestamp

LARGEST_ID = 2**63 - 1
EMAIL_LIMIT = 254
"""Characters of an e-mail address (RFC 5321, section 4.5.3.1.3, less the brackets)."""

_UNKNOWN_NAMED = 5
"""Most unknown fields of one object to name in an error."""
_UNKNOWN_NAME_SHOWN = 64
"""Most characters of each name to show."""

_DECIMALS = re.compile(r"[0-9]{1,19}(,[0-9]{1,19})*", re.ASCII)


_TOTAL_DECIMALS = 6
"""Decimals of a client's sum that are not taken for an error of floating point."""

USUAL_LIMITS = Limits()


class RequestSchema(Schema):
    """The schema of a request's body or query.

    Undeclared fields are refused by name: a misspelt `private` must not make a public event.

    Args:
        limits: limits of requests.
        options: options of marshmallow's Schema.

    Attributes:
        exactly_one: fields of which exactly one must be given. The documentation states it; the subclass
            has to check it.
        at_most_one: fields of which at most one may be given; the subclass has to check it.
    """

    exactly_one: ClassVar[tuple[str, ...]] = ()
    at_most_one: ClassVar[tuple[str, ...]] = ()

    def __init__(self, limits: Limits = USUAL_LIMITS, **options: Any) -> None:
        self._limits = limits
        super().__init__(**options)

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        if isinstance(field_obj, Limited):
            field_obj.limit_to(self._limits)

    def handle_error(self, error: ValidationError, data: Any, **_: Any) -> None:
        """Name the first few unknown fields, with a similar known name for each."""
        if not isinstance(error.messages, dict):
            return
        unknown_message = [self.error_messages["unknown"]]
        unknown = [name for name, messages in error.messages.items() if messages == unknown_message]
        known = tuple(field.data_key or name for name, field in self.load_fields.items())
        for number, name in enumerate(sorted(unknown)):
            del error.messages[name]
            if number < _UNKNOWN_NAMED:
                shown = str(name)[:_UNKNOWN_NAME_SHOWN]
                error.messages[shown] = [_unknown_field(shown, known)]


@lru_cache(1024)
def _unknown_field(name: str, known: tuple[str, ...]) -> str:
    if similar := get_close_matches(name, known, 1):
        return f'Unknown field "{name}"; did you mean "{similar[0]}"?'
    return f'Unknown field "{name}"; known are: {", ".join(known)}.'


class Limited(ABC):
    """A field whose limit is a setting."""

    @abstractmethod
    def limit_to(self, limits: Limits) -> None:
        """Apply the limit."""


def changes_to(schema: type[RequestSchema]) -> type[RequestSchema]:
    """Return the schema with all fields optional, for updates of a record."""

    def __init__(self: RequestSchema, limits: Limits = USUAL_LIMITS) -> None:
        schema.__init__(self, limits)
        self.partial = True

    return type(f"{schema.__name__}Changes", (schema,), {"__init__": __init__, "__doc__": schema.__doc__})


def without(schema: type[RequestSchema], names: Iterable[str]) -> type[RequestSchema]:
    """Return the schema without some fields, if it has them: those given by the path instead of the query."""
    excluded = tuple(name for name in names if name in schema._declared_fields)
    meta = type("Meta", (), {"exclude": excluded})
    return type(schema.__name__, (schema,), {"Meta": meta, "__doc__": schema.__doc__})


class Identifier(fields.Integer):
    """An id in a body: an integer from 1 to 2^63-1."""

    def __init__(self, **options: Any) -> None:
        super().__init__(strict=True, validate=validate.Range(1, LARGEST_ID), **options)


def identifier_in_query(**options: Any) -> fields.Integer:
    """An id in a query, in decimal digits."""
    return fields.Integer(validate=validate.Range(1, LARGEST_ID), **options)


def text(longest: int, **options: Any) -> fields.String:
    """Non-empty text of at most `longest` characters."""
    return fields.String(validate=[validate.Length(1, longest), storable], **options)


def storable(value: str) -> None:
    """Raise ValidationError for text that PostgreSQL cannot store."""
    if "\x00" in value:
        raise ValidationError("Must not contain NUL characters.")


def printable(value: str) -> None:
    """Raise ValidationError for text with blanks around it, or characters that cannot be shown."""
    if not value.isprintable() or value != value.strip():
        raise ValidationError("Must be printable characters in one line, without blanks around them.")


class Trimmed(fields.String):
    """Text of 1 to `longest` printable characters; blanks around it are removed."""

    def __init__(self, longest: int, **options: Any) -> None:
        super().__init__(validate=[validate.Length(1, longest), printable], **options)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any
    ) -> str:
        written: str = super()._deserialize(value, attr, data, **options)
        return written.strip(" ")


# What browsers accept in a field for e-mail addresses (HTML, section 4.15.5.1.5), without stray dots.
_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_ASCII_ADDRESS = re.compile(rf"(?=.{{3,254}}\Z)(?=[^@]{{1,64}}@){_ATOM}(\.{_ATOM})*@({_LABEL}\.)+{_LABEL}")


def _normalized(address: str) -> str | None:
    """Normalise an e-mail address for storing and comparing; None if it is invalid.

    Addresses may be in any script (RFC 6531). The domain is not looked up. Well-formed addresses that the
    library refuses, such as those under `.test` and `.local`, are accepted too.

    Args:
        address: as the user typed it.
    """
    try:
        checked = validate_email(address.strip(), check_deliverability=False, strict=True)
    except EmailNotValidError:
        plain = address.strip().lower()
        return plain if _ASCII_ADDRESS.fullmatch(plain) else None
    # Some letters become two characters in lower case.
    return unicodedata.normalize("NFC", checked.normalized.lower())


class EmailAddress(fields.String):
    """An e-mail address, normalised for storing and comparing.

    Args:
        well_formed: whether malformed addresses are refused. A log-in accepts any text and finds no account.
    """

    def __init__(self, *, well_formed: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._well_formed = well_formed

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        written = super()._deserialize(value, attr, data)
        address = _normalized(written) if len(written) <= EMAIL_LIMIT else None
        if address is None and self._well_formed:
            raise ValidationError("Must be an e-mail address, such as ada@home.example.")
        return written.strip().lower() if address is None else address


def email_address(**options: Any) -> EmailAddress:
    """A well-formed e-mail address, in any script."""
    metadata = {"format": "idn-email", "example": "ada@home.example"}
    return EmailAddress(
        well_formed=True, validate=validate.Length(3, EMAIL_LIMIT), metadata=metadata, **options
    )


def optional_text(longest: int, **options: Any) -> fields.String:
    """Text of at most `longest` characters, which may be empty."""
    return fields.String(validate=[validate.Length(0, longest), storable], **options)


def search_words(*, required: bool = True) -> fields.String:
    """A search text, without wildcards."""
    description = "Tolerates differences in accents and case, and typos; parts of words match too."
    return text(200, required=required, metadata={"description": description})


def texts(longest: int, most: int, **options: Any) -> fields.List[str]:
    """At most `most` texts, each as `text`."""
    return fields.List(text(longest), validate=validate.Length(0, most), **options)


_URL_CHARACTERS = r"""[^\s\x00-\x20\x7f<>"'`\\^{|}]*\Z"""
_URL_FAULT = "Must not contain spaces, quotes, backslashes or any of <>^`|{{}}; percent-encode them."


def web_address(metadata: Mapping[str, Any] | None = None, **options: Any) -> fields.Url:
    """An absolute http or https URL, or null, without characters that could end an HTML attribute."""
    return fields.Url(
        metadata={"format": "uri", **(metadata or {})},
        schemes={"http", "https"},
        validate=[validate.Length(1, 2000), validate.Regexp(_URL_CHARACTERS, error=_URL_FAULT)],
        allow_none=True,
        **options,
    )


class Money(fields.Decimal):
    """An amount with at most two decimals, a JSON number."""

    def __init__(self, **options: Any) -> None:
        super().__init__(places=None, validate=[validate.Range(0, 99_999_999), _whole_cents], **options)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **_: Any) -> float | None:  # type: ignore[override]
        return None if value is None else float(value)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any
    ) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **options)


class Total(Money):
    """The amount that a client expects to pay in all.

    Clients add up prices as binary floating-point numbers, so errors as in 0.30000000000000004 are ignored.
    """

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any
    ) -> Decimal:
        rounded = round(value, _TOTAL_DECIMALS) if isinstance(value, float) else value
        amount: Decimal = super()._deserialize(rounded, attr, data, **options)
        return amount


def _whole_cents(amount: Decimal) -> None:
    if int(amount.as_tuple().exponent) < -2:
        raise ValidationError("Must have at most two decimals.")


class Timestamp(fields.AwareDateTime):
    """A timestamp: ISO 8601 with a time zone in requests, in UTC with milliseconds in responses."""

    def __init__(self, **options: Any) -> None:
        super().__init__(format="iso", **options)

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **_: Any) -> str | None:
        return None if value is None else timestamp(value.timestamp())

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any
    ) -> datetime:
        # PostgreSQL allows offsets up to 16 hours, Python up to 24.
        try:
            return super()._deserialize(value, attr, data, **options).astimezone(UTC)
        except OverflowError as error:
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from error


class Flag(fields.Boolean):
    """A JSON boolean; nothing else is converted to one."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


def _is_id(value: Any) -> bool:
    return type(value) is int and 1 <= value <= LARGEST_ID


class SeatIds(fields.List[int], Limited):
    """A JSON array of seat ids, bounded by the server's limit. The engine counts a repeated id once.

    Attributes:
        of_what: names what has the ids, for errors.
    """

    of_what = "seat"

    def __init__(self, **options: Any) -> None:
        super().__init__(Identifier(), **options)

    def limit_to(self, limits: Limits) -> None:
        self.limit = limits.seats_per_request_limit
        self.validators = [validate.Length(1, self.limit)]

    def _deserialize(  # type: ignore[override]  # one pass over the array instead of a field per element
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any
    ) -> tuple[int, ...]:
        if not isinstance(value, list) or not 1 <= len(value) <= self.limit:
            raise ValidationError(f"Must be a list of 1 to {self.limit} {self.of_what} ids.")
        if not all(map(_is_id, value)):
            raise ValidationError(f"Every {self.of_what} id must be an integer from 1 to {LARGEST_ID}.")
        return tuple(value)


class SeatIdsInQuery(SeatIds):
    """Seat ids in a query: `seat_ids=42,43` as in the cinema guide, or `seat_ids=42&seat_ids=43`."""

    def _deserialize(  # type: ignore[override]
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any
    ) -> tuple[int, ...]:
        listed = ",".join(value)
        if not _DECIMALS.fullmatch(listed):
            raise ValidationError(f"Must be {self.of_what} ids separated by commas.")
        return super()._deserialize([int(word) for word in listed.split(",")], attr, data, **options)


class TicketIdsInQuery(SeatIdsInQuery):
    """Ticket ids in a query, as many as seats in a body."""

    of_what = "ticket"
