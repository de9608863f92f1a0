"""Builds mails: one letter, as HTML and as plain text, with pictures and a calendar entry.

A letter is data. Both versions are made from it by one template each, so they cannot disagree.
"""

from collections.abc import Sequence
from email.message import EmailMessage
from functools import lru_cache
from typing import NamedTuple, cast

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from api.mails.calendar_entry import Visit, calendar_of
from api.mails.languages import Words
from api.papers.mail import text_mail
from api.papers.ticket_pictures import TicketPicture


class Button(NamedTuple):
    """A link to where the reader can act."""

    label: str
    url: str


class Occasion(NamedTuple):
    """The screening or event that the tickets are for, as lines to show."""

    title: str
    begins: str
    place: str


class TicketLine(NamedTuple):
    """One ticket of a letter.

    Attributes:
        place: the seat, or the kind of ticket.
        details: number and price, or how long it is reserved; may be empty.
        code: what its QR code says; empty for a ticket that admits nobody.
        file_name: of its QR code, without the ending.
    """

    place: str
    details: str
    code: str = ""
    file_name: str = ""


class Letter(NamedTuple):
    """The contents of a mail, in the language of its reader.

    Attributes:
        tone: "good", "bad" or "plain"; colours the heading.
        paragraphs: what happened, what it means for the money, and what to do, in this order.
        tickets: those that the letter is about; struck out if `void`.
        button: the link that most readers want.
        further: more links like it.
        closing: a last line below everything else.
        visit: the calendar entry to attach.
    """

    subject: str
    heading: str
    tone: str
    paragraphs: Sequence[str]
    occasion: Occasion | None = None
    tickets: Sequence[TicketLine] = ()
    void: bool = False
    button: Button | None = None
    further: Sequence[Button] = ()
    closing: str = ""
    visit: Visit | None = None


def one_line(text: str | None) -> str:
    """Return a text from outside as one line: it must not look like ours, nor end a header."""
    return "".join(filter(str.isprintable, " ".join((text or "").split())))


def message_of(letter: Letter, to: str, words: Words) -> EmailMessage:
    """Build the mail. Takes milliseconds for each QR code, too long for the event loop.

    Args:
        letter: the contents.
        to: e-mail address of the reader.
        words: the language of the letter.
    """
    pictures = {ticket.file_name: TicketPicture(ticket.code) for ticket in letter.tickets if ticket.code}
    message = text_mail(to, letter.subject, _rendered("letter.txt", letter, words))
    # Mailboxes that answer by themselves do not answer this (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.add_alternative(_rendered("letter.html", letter, words), subtype="html")
    page = cast(EmailMessage, message.get_body(("html",)))
    for name, picture in pictures.items():
        page.add_related(
            picture.drawn("png"),
            "image",
            "png",
            cid=f"<{name}@frontrow>",
            filename=f"{name}.png",
            disposition="inline",
        )
    for name, picture in pictures.items():
        message.add_attachment(picture.drawn("svg"), "image", "svg+xml", filename=f"{name}.svg")
    if letter.visit is not None:
        entry, method = calendar_of(letter.visit).decode(), letter.visit.method
        message.add_attachment(entry, subtype="calendar", filename="booking.ics", params={"method": method})
    # An earlier one would have moved into the first part.
    message["Content-Language"] = words.language
    return message


def _rendered(template: str, letter: Letter, words: Words) -> str:
    return _templates().get_template(template).render(letter=letter, language=words.language)


@lru_cache(maxsize=1)
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("api.mails"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
