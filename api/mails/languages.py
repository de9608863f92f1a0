"""The languages of mails: which one a person gets, and texts, dates and amounts in it.

English texts stand in the code and identify their translations, which are in `catalogues/*.po` (gettext). The
catalogues are compiled when a language is used for the first time.
"""

import gettext
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from importlib.resources import files
from io import BytesIO

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal

SOURCE_LANGUAGE = "en"
LANGUAGES = (SOURCE_LANGUAGE, "es", "id", "de")

_USUAL_LOCALES = {"en": "en_GB"}
"""The region for a language without one. English gets dates and times that cannot be misread."""

_TAGS_LIMIT = 20
_SHORT_ZONE_NAME = 5


class Words:
    """Texts, dates and amounts in one language.

    Args:
        tag: a language tag (BCP 47), whose language is one of LANGUAGES; its region decides the formats.
    """

    def __init__(self, tag: str) -> None:
        self.language = _language_of(tag) or SOURCE_LANGUAGE
        self._locale = _locale_of(tag, self.language)
        self._translations = _translations(self.language)

    def text(self, message: str, **values: object) -> str:
        """Translate a message and fill in its placeholders, `%(name)s`."""
        return self._translations.gettext(message) % values

    def plural(self, one: str, many: str, count: int, **values: object) -> str:
        """Translate a message that depends on a number, its placeholder `%(count)s`."""
        return self._translations.ngettext(one, many, count) % {"count": count, **values}

    def moment(self, at: datetime) -> str:
        """Return date, time and time zone of an aware time, on the clock of its own zone."""
        return f"{format_date(at, 'full', locale=self._locale)}, {self.time(at)}"

    def time(self, at: datetime) -> str:
        """Return time of day and time zone of an aware time, on the clock of its own zone."""
        zone = format_datetime(at, "z", locale=self._locale)
        if len(zone) > _SHORT_ZONE_NAME or zone[0] in "+-":
            zone = self._place_of_zone(at) or format_datetime(at, "OOOO", locale=self._locale)
        return f"{format_time(at, 'short', locale=self._locale)} {zone}"

    def _place_of_zone(self, at: datetime) -> str:
        """Return the city that names the time zone; empty if none does."""
        area, _, city = getattr(at.tzinfo, "key", "").partition("/")
        if not city or area == "Etc":
            return ""
        return self.text("(%(city)s time)", city=format_datetime(at, "VVV", locale=self._locale))

    def money(self, amount: Decimal, currency: str) -> str:
        """Return an amount, as a bare number if there is no currency (ISO 4217)."""
        if currency:
            return format_currency(amount, currency, locale=self._locale)
        return format_decimal(amount, "#,##0.00", locale=self._locale)


@lru_cache(maxsize=256)
def words_in(tag: str) -> Words:
    """Return the words of a language tag (see `Words`)."""
    return Words(tag)


def chosen_language(preferred: str | None, otherwise: str) -> str:
    """Return a language tag if its language is available, else another one.

    Args:
        preferred: a person's language tag, None or empty if it is unknown.
        otherwise: the tag to use instead.
    """
    return preferred if preferred and _language_of(preferred) else otherwise


def accepted_language(header: str | None) -> str | None:
    """Return the first available language of an `Accept-Language` header (RFC 9110, section 12.5.4)."""
    for tag in _accepted_tags(header or ""):
        if _language_of(tag):
            return tag
    return None


def _accepted_tags(header: str) -> Iterable[str]:
    weighted: list[tuple[float, int, str]] = []
    for part in header.split(",")[:_TAGS_LIMIT]:
        tag, _, parameter = part.partition(";")
        name, _, weight = parameter.strip().partition("=")
        try:
            quality = float(weight) if name.strip() == "q" else 1.0
        except ValueError:
            continue
        if 0 < quality <= 1:
            weighted.append((-quality, len(weighted), tag.strip()))
    return [tag for _, _, tag in sorted(weighted)]


def _language_of(tag: str) -> str | None:
    language = tag.replace("_", "-").partition("-")[0].lower()
    return language if language in LANGUAGES else None


def _locale_of(tag: str, language: str) -> Locale:
    try:
        locale = Locale.parse(tag.replace("_", "-"), sep="-")
    except (ValueError, UnknownLocaleError):
        locale = Locale(language)
    if locale.language != language or locale.territory is None:
        return Locale.parse(_USUAL_LOCALES.get(language, language))
    return locale


@lru_cache(maxsize=len(LANGUAGES))
def _translations(language: str) -> gettext.NullTranslations:
    if language == SOURCE_LANGUAGE:
        return gettext.NullTranslations()
    source = files("api.mails").joinpath("catalogues", f"{language}.po")
    with source.open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
