"""Phone numbers are accepted as people write them, and stored in E.164."""

import pytest
from marshmallow import ValidationError

from api.limits import Limits
from api.public.purchases import PersonDetails

BONN = "+492281234567"


def kept(written: str, region: str = "") -> str | None:
    """Return a phone number as stored; None if it is refused."""
    person = PersonDetails(Limits(phone_region=region), only=("whatsapp",))
    try:
        return person.load({"whatsapp": written})["whatsapp"]
    except ValidationError as error:
        assert "+49 228 1234567" in str(error), "the message gives an example"
        return None


@pytest.mark.parametrize("region", ["", "DE", "US"])
@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+49 228 1234567", BONN),
        ("+49 (0)228 1234567", BONN),
        ("+49 228 / 123 45-67", BONN),
        ("0049 228 1234567", BONN),
        ("00492281234567", BONN),
        ("492281234567", BONN),
        ("57 (300) 123-4567", "+573001234567"),
        ("+44 20 7946 0000", "+442079460000"),
        ("+1234567890", "+1234567890"),
        ("call me", None),
        ("+1234567890123456", None),
        ("+", None),
        ("9" * 5000, None),
    ],
)
def test_international_numbers_are_accepted_in_every_region(
    written: str, number: str | None, region: str
) -> None:
    assert kept(written, region) == number


@pytest.mark.parametrize(
    ("region", "written", "number"),
    [
        ("DE", "0228 1234567", BONN),
        ("DE", "(0228) 123 45 67", BONN),
        ("DE", "٠٢٢٨١٢٣٤٥٦٧", BONN),
        ("US", "(202) 555-0123", "+12025550123"),
        ("CO", "300 123 4567", "+573001234567"),
        ("", "0228 1234567", None),
        ("", "12345", None),
    ],
)
def test_national_numbers_are_accepted_in_their_region(region: str, written: str, number: str | None) -> None:
    assert kept(written, region) == number
