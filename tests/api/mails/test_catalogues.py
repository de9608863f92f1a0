"""Every text of mails is translated, with the placeholders of the original."""

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import api.mails
from api.mails.languages import LANGUAGES, SOURCE_LANGUAGE, words_in
from tests.mail_letters import letters_in

ROOM = Path(api.mails.__file__).parent
TRANSLATED = [language for language in LANGUAGES if language != SOURCE_LANGUAGE]

Text = str | tuple[str, ...]


def texts_in_code() -> set[Text]:
    """Return the English texts; those with a plural as pairs."""
    found = extract_from_dir(str(ROOM), keywords={"text": None, "plural": (1, 2)})
    return {message for _, _, message, _, _ in found}


def catalogue_of(language: str) -> Catalog:
    with (ROOM / "catalogues" / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def messages_of(catalogue: Catalog) -> dict[Text, Message]:
    return {message.id: message for message in catalogue if message.id}


def placeholders_in(text: str) -> set[str]:
    return set(re.findall(r"%\((\w+)\)s", text))


def test_there_are_texts() -> None:
    assert len(texts_in_code()) > 40


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_is_translated_and_none_is_left_over(language: str) -> None:
    catalogue = catalogue_of(language)
    messages = messages_of(catalogue)
    assert messages.keys() == texts_in_code()
    assert not catalogue.obsolete
    for text, message in messages.items():
        assert not message.fuzzy, text
        forms = message.string if isinstance(message.string, tuple) else (message.string,)
        assert len(forms) == (catalogue.num_plurals if message.pluralizable else 1), text
        assert all(forms), text


@pytest.mark.parametrize("language", TRANSLATED)
def test_placeholders_are_those_of_the_original(language: str) -> None:
    for text, message in messages_of(catalogue_of(language)).items():
        if not message.pluralizable:
            assert placeholders_in(message.string) == placeholders_in(text), text
            continue
        one, many = map(placeholders_in, text)
        for form in message.string:
            # The form for one may leave the number out, and nothing else.
            assert one <= placeholders_in(form) <= many, (text, form)
        assert placeholders_in(message.string[-1]) >= many - {"count"}, text


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_english_is_left_in_a_letter(language: str) -> None:
    english, translated = letters_in(SOURCE_LANGUAGE), letters_in(language)
    for name, letter in translated.items():
        assert letter.subject != english[name].subject
        assert letter.heading != english[name].heading
        assert not set(letter.paragraphs) & set(english[name].paragraphs), name
        assert letter.closing != english[name].closing or not letter.closing


def test_plurals_follow_the_language() -> None:
    one, many = "Your ticket is cancelled", "Your tickets are cancelled"
    forms = {language: {words_in(language).plural(one, many, n) for n in (1, 2)} for language in LANGUAGES}
    assert {language: len(found) for language, found in forms.items()} == {"en": 2, "es": 2, "id": 1, "de": 2}
