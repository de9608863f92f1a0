"""Parses phone numbers as people write them into E.164, the form in which they are stored."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import fields
from phonenumbers import (
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    format_number,
    is_possible_number,
    is_valid_number,
    parse,
)
from phonenumbers.phonenumberutil import ndd_prefix_for_region

from api.limits import Limits
from api.rest.fields import Limited

_INPUT_LIMIT = 60
"""Longest input in characters, with the spaces, brackets and dashes that people put between digits."""

_GAPS = re.compile(r"[\s()./-]")
_DIGITS = re.compile(r"\+?[1-9][0-9]{6,14}", re.ASCII)


class Phone(fields.String, Limited):
    """A phone number.

    A number that starts with a plus or `00` is international. Any other number is a national number of the
    server's region if it is valid there, and an international number without its plus otherwise.
    """

    default_error_messages = {  # noqa: RUF012
        "invalid": "Must be a phone number with its country code, such as +49 228 1234567."
    }

    def limit_to(self, limits: Limits) -> None:
        """Accept numbers of the server's region without a country code."""
        self._region = limits.phone_region or None

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        written = super()._deserialize(value, attr, data)
        number = e164(written, self._region) if len(written) <= _INPUT_LIMIT else None
        if number is None:
            raise self.make_error("invalid")
        return number


def e164(written: str, region: str | None) -> str | None:
    """Return a number in E.164, e.g. "+492281234567"; None if it is not a phone number.

    Args:
        written: the number as entered.
        region: country whose numbers may omit the country code, e.g. "DE"; None for none.
    """
    readings = list(_readings(written.strip(), region))
    for fits in (is_valid_number, is_possible_number):
        for number in readings:
            if fits(number):
                return format_number(number, PhoneNumberFormat.E164)
    # Numbering plans change faster than the library; accept digits of a plausible length.
    digits = _GAPS.sub("", written)
    return f"+{digits.removeprefix('+')}" if _DIGITS.fullmatch(digits) else None


def _readings(written: str, region: str | None) -> Iterator[PhoneNumber]:
    """Yield the possible interpretations of a number, most likely first."""
    attempts: list[tuple[str, str | None]] = [(written, region)]
    if written.startswith("00"):
        attempts = [(f"+{written[2:]}", None)]
    elif not written.startswith(("+", "0")):
        # If national numbers start with 0, a number that does not start with 0 has a country code.
        begin_with_zero = region is not None and ndd_prefix_for_region(region, True) == "0"
        attempts.insert(0 if begin_with_zero else 1, (f"+{written}", None))
    for text, home in attempts:
        try:
            yield parse(text, home)
        except NumberParseException:
            continue
