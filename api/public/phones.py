"""Phone numbers as people write them, in the one form in which they are kept: E.164, with its plus."""

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

_WRITTEN_LIMIT = 60
"""Characters of a number with its gaps, brackets and what else people put between digits."""

_GAPS = re.compile(r"[\s()./-]")
_DIGITS = re.compile(r"\+?[1-9][0-9]{6,14}", re.ASCII)


class Phone(fields.String, Limited):
    """A phone number.

    A plus or `00` begins an international number. Any other number is read as one of the server's region if
    the region has such numbers, and as an international number without its plus otherwise.
    """

    default_error_messages = {  # noqa: RUF012
        "invalid": "Must be a phone number with its country code, such as +49 228 1234567."
    }

    def limit_to(self, limits: Limits) -> None:
        """Take numbers of the server's own region without a country code."""
        self._region = limits.phone_region or None

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        written = super()._deserialize(value, attr, data)
        number = e164(written, self._region) if len(written) <= _WRITTEN_LIMIT else None
        if number is None:
            raise self.make_error("invalid")
        return number


def e164(written: str, region: str | None) -> str | None:
    """A number in E.164, e.g. "+492281234567"; None if it is not a phone number.

    Args:
        written: the number as somebody has written it.
        region: whose numbers may lack a country code, e.g. "DE".
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
    """Possible interpretations of a number, the likeliest first."""
    attempts: list[tuple[str, str | None]] = [(written, region)]
    if written.startswith("00"):
        attempts = [(f"+{written[2:]}", None)]
    elif not written.startswith(("+", "0")):
        # Where numbers within a region begin with 0, one that does not has its country code.
        begin_with_zero = region is not None and ndd_prefix_for_region(region, True) == "0"
        attempts.insert(0 if begin_with_zero else 1, (f"+{written}", None))
    for text, home in attempts:
        try:
            yield parse(text, home)
        except NumberParseException:
            continue
