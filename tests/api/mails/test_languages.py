"""The language of a mail, and dates and amounts in it."""

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from api.mails.languages import accepted_language, chosen_language, words_in

EVENING = datetime(2026, 10, 2, 20, 5, tzinfo=ZoneInfo("Europe/Berlin"))


def plain(text: str) -> str:
    """Return a text with usual spaces in place of the ones that keep words together."""
    return text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, None),
        ("", None),
        ("fr, de;q=0.5, es;q=0.8", "es"),
        ("de-AT,de;q=0.9", "de-AT"),
        ("en;q=0, id", "id"),
        ("de;q=much, es;q=0.1", "es"),
        ("*, ;, =;q, \x7f, de;q=2, " + "fr," * 10_000, None),
        ("fr,ja", None),
    ],
)
def test_the_header_chooses_an_available_language(header: str | None, language: str | None) -> None:
    assert accepted_language(header) == language


@pytest.mark.parametrize(
    ("preferred", "language"), [("es-CO", "es-CO"), ("fr", "de"), (None, "de"), ("", "de"), ("EN", "EN")]
)
def test_a_preference_counts_if_it_is_available(preferred: str | None, language: str) -> None:
    assert chosen_language(preferred, "de") == language


@pytest.mark.parametrize(
    ("tag", "moment", "money"),
    [
        ("en", "Friday, 2 October 2026, 20:05 CEST", "€1,012.50"),
        ("en-US", "Friday, October 2, 2026, 8:05 PM (Berlin time)", "€1,012.50"),
        ("es", "viernes, 2 de octubre de 2026, 20:05 CEST", "1.012,50 €"),
        ("id", "Jumat, 02 Oktober 2026, 20.05 (waktu Berlin)", "€1.012,50"),
        ("de_AT", "Freitag, 2. Oktober 2026, 20:05 MESZ", "€ 1.012,50"),
        ("de-Nonsense-xx", "Freitag, 2. Oktober 2026, 20:05 MESZ", "1.012,50 €"),
    ],
)
def test_formats_are_those_of_the_language_and_region(tag: str, moment: str, money: str) -> None:
    words = words_in(tag)
    assert plain(words.moment(EVENING)) == moment
    assert plain(words.money(Decimal("1012.5"), "EUR")) == money


def test_without_a_currency_amounts_are_bare_numbers() -> None:
    assert words_in("en").money(Decimal("1012.5"), "") == "1,012.50"
    assert words_in("de").money(Decimal(8), "") == "8,00"


@pytest.mark.parametrize(
    ("zone", "time"),
    [
        ("UTC", "20:05 UTC"),
        ("Pacific/Auckland", "20:05 (Auckland time)"),
        ("Asia/Kathmandu", "20:05 (Kathmandu time)"),
        ("America/New_York", "20:05 (New York time)"),
        ("Etc/GMT-7", "20:05 GMT+07:00"),
    ],
)
def test_the_zone_is_named_by_its_city_without_an_abbreviation(zone: str, time: str) -> None:
    assert words_in("en").time(EVENING.replace(tzinfo=ZoneInfo(zone))) == time


def test_the_city_of_a_zone_is_translated() -> None:
    at = EVENING.replace(tzinfo=ZoneInfo("Asia/Kolkata"))
    assert words_in("de").time(at) == "20:05 (Ortszeit Kalkutta)"
    assert words_in("es").time(at) == "20:05 (hora de Calcuta)"
