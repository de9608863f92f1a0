"""Mails in Chromium: light, dark and narrow, in a language each."""

from base64 import b64encode
from email.message import EmailMessage

import pytest

from api.mails.languages import LANGUAGES, words_in
from api.mails.letters import message_of
from tests.mail_letters import letters_in
from tests.web.browser import Browser
from tests.web.looks import checked

pytestmark = pytest.mark.gen_test


def page_of(mail: EmailMessage) -> str:
    """Return the HTML of a mail with its pictures in it, as a mail program shows it."""
    body = mail.get_body(("html",))
    assert body is not None
    page = body.get_content()
    for part in mail.walk():
        if cid := part["Content-ID"]:
            picture = f"data:{part.get_content_type()};base64,{b64encode(part.get_content()).decode()}"
            page = page.replace(f"cid:{cid.strip('<>')}", picture)
    assert "cid:" not in page
    return page


async def test_mails_are_readable_on_every_screen(browser: Browser) -> None:
    page = await browser.open("about:blank")
    for number, name in enumerate(letters_in("en")):
        language = LANGUAGES[number % len(LANGUAGES)]
        letter = letters_in(language)[name]
        await page.load(
            "https://mail.example/", page_of(message_of(letter, "a@b.example", words_in(language)))
        )
        await page.shows(letter.heading)
        assert await page.evaluate("[...document.images].every((one) => one.naturalWidth > 0)")
        await checked(page, f"mail-{name}-{language}")
